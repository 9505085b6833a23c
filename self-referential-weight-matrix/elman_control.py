"""The control: an Elman net, whose weights stay as they are; it keeps its activations from pattern to pattern.

h(t) = tanh(W [x(t), h(t-1)]), z(t) = V h(t)
"""

import numpy as np


def init(hidden: int, inputs: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Weights of variance 1 / (inputs of the unit), those between hidden units orthogonal; in float32."""
    n = inputs + hidden
    W, V = rng.normal(size=(hidden, n)) / np.sqrt(n), rng.normal(size=hidden) / np.sqrt(hidden)
    W[:, inputs:] = np.linalg.qr(rng.normal(size=(hidden, hidden)))[0]
    return {"W": W.astype(np.float32), "V": V.astype(np.float32)}


def run(params: dict[str, np.ndarray], x: np.ndarray) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """Logits z (T, B), and for every step what the hidden units saw (B, inputs + H) and became (B, H)."""
    h, saw, became = np.zeros((x.shape[1], len(params["V"])), params["V"].dtype), [], []
    for x_t in x.astype(h.dtype):
        saw.append(np.concatenate([x_t, h], axis=1))
        h = np.tanh(saw[-1] @ params["W"].T)
        became.append(h)
    return np.array([h @ params["V"] for h in became]), saw, became


def back(
    params: dict[str, np.ndarray], saw: list[np.ndarray], became: list[np.ndarray], dz: np.ndarray
) -> dict[str, np.ndarray]:
    """Gradient by the weights, from that by the logits (T, B): backpropagation through time."""
    grads, dh = {name: np.zeros_like(p) for name, p in params.items()}, 0
    for t in reversed(range(len(dz))):
        dnet = (dz[t][:, None] * params["V"] + dh) * (1 - became[t] ** 2)
        grads["W"] += dnet.T @ saw[t]
        grads["V"] += dz[t] @ became[t]
        dh = (dnet @ params["W"])[:, -len(params["V"]) :]
    return grads
