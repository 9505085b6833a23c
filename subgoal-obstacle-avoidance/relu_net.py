"""Nets of rectified linear units with linear outputs, dicts of weights W1, W2, ... and biases b1, b2, ...; Adam."""

import numpy as np

Net = dict[str, np.ndarray]


def init(rng: np.random.Generator, sizes: list[int], scale: float) -> Net:
    """Random weights W1 (sizes[0], sizes[1]), W2, ... and biases b1, b2, ...; `scale` multiplies the last weights."""
    net = {}
    for k, (i, o) in enumerate(zip(sizes[:-1], sizes[1:], strict=True), 1):
        net |= {f"W{k}": rng.normal(0, np.sqrt(2 / i), (i, o)), f"b{k}": np.zeros(o)}
    net[f"W{k}"] *= scale
    return net


def forward(net: Net, x: np.ndarray) -> list[np.ndarray]:
    """Activities (N, size) of all layers for inputs x (N, sizes[0]); the last ones are the outputs."""
    layers, activities = len(net) // 2, [x]
    for k in range(1, layers + 1):
        y = activities[-1] @ net[f"W{k}"] + net[f"b{k}"]
        activities.append(np.maximum(y, 0) if k < layers else y)
    return activities


def backward(net: Net, activities: list[np.ndarray], dy: np.ndarray) -> tuple[Net, np.ndarray]:
    """Gradients of the weights, summed over N, and of x, from that of the outputs, dy (N, sizes[-1])."""
    grads = {}
    for k in reversed(range(1, len(activities))):
        grads |= {f"W{k}": activities[k - 1].T @ dy, f"b{k}": dy.sum(axis=0)}
        dy = dy @ net[f"W{k}"].T
        if k > 1:
            dy *= activities[k - 1] > 0
    return grads, dy


class Adam:
    """Adam (Kingma & Ba 2015, algorithm 1), updating a dict of arrays in place."""

    def __init__(self, params: dict[str, np.ndarray], beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8):
        self.beta1, self.beta2, self.eps, self.t = beta1, beta2, eps, 0
        self.m = {name: np.zeros_like(p) for name, p in params.items()}
        self.v = {name: np.zeros_like(p) for name, p in params.items()}

    def step(self, params: dict[str, np.ndarray], grads: dict[str, np.ndarray], lr: float) -> None:
        """One update of every array in `params` along `grads` (same keys and shapes) at rate `lr`."""
        self.t += 1
        lr_t = lr * np.sqrt(1 - self.beta2**self.t) / (1 - self.beta1**self.t)
        for name, g in grads.items():
            m, v = self.m[name], self.v[name]
            m += (1 - self.beta1) * (g - m)
            v += (1 - self.beta2) * (g * g - v)
            params[name] -= lr_t * m / (np.sqrt(v) + self.eps)
