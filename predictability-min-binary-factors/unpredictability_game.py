"""The game of predictability minimization: code nets, their predictors, and the gradient of V for both.

Every array has R independent nets first. `code` holds a hidden layer W, a (if there is one) and the code layer U, b;
`predictor` a hidden layer w, a and an output layer u, b for every unit. Symbols as in the main file.
"""

from typing import NamedTuple

import numpy as np


class Views(NamedTuple):
    """What the predictors are shown in one update: inputs, how often each occurs, and the targets with it."""

    z: np.ndarray  # (S, M) or (R, 1, S, M)
    often: np.ndarray  # (R or 1, 1, S) sum_p P(p) q(z | p)
    target: np.ndarray  # (R, M, S) sum_p P(p) q(z | p) y_i(p)


def all_bits(M: int) -> np.ndarray:
    """All bit strings (2^M, M), in the order of the numbers they stand for."""
    return (np.arange(2**M)[:, None] >> np.arange(M)[::-1] & 1).astype(float)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logistic function of an array of any shape; the tanh form cannot overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def others(M: int, sees: str) -> np.ndarray:
    """Mask (M, M, 1) of the weights of the predictors: 0 from unit i to its own predictor, and from all if blind."""
    return (1 - np.eye(M))[:, :, None] * (sees != "nothing")


def encode(code: dict[str, np.ndarray], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hidden activations (R, N, h) and code y (R, N, M) for inputs x (N, D) or (R, N, D)."""
    hidden = np.tanh(x @ code["W"] + code["a"]) if "W" in code else x
    return hidden, sigmoid(hidden @ code["U"] + code["b"])


def predict(predictor: dict[str, np.ndarray], z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hidden activations (R, M, S, k) and predictions P_i(z) (R, M, S)."""
    hidden = np.tanh(z @ predictor["w"] + predictor["a"])
    return hidden, sigmoid(hidden @ predictor["u"] + predictor["b"])[..., 0]


def probabilities(y: np.ndarray) -> np.ndarray:
    """q(c | p) (..., 2^M) of all bit strings c if bit j is on with probability y_j; y (..., M)."""
    q = np.ones((*y.shape[:-1], 1))
    for on in np.moveaxis(y, -1, 0)[..., None]:
        q = np.stack([q * (1 - on), q * on], axis=-1).reshape(*y.shape[:-1], -1)
    return q


def look(y: np.ndarray, weight: np.ndarray, sees: str) -> tuple[Views, np.ndarray]:
    """What predictors are shown of codes y (R, N, M) of patterns with probabilities (N,), and q (R, N, 2^M)."""
    weighted = np.swapaxes(weight[:, None] * y, 1, 2)
    if sees == "values":
        return Views(y[:, None], weight[None, None], weighted), np.empty(0)
    q = probabilities(y)
    return Views(all_bits(y.shape[-1]), (weight @ q)[:, None], weighted @ q), q


def predictor_grad(predictor: dict[str, np.ndarray], views: Views, mask: np.ndarray) -> dict[str, np.ndarray]:
    """dV/d(parameters of the predictors); mask from others()."""
    hidden, P = predict(predictor, views.z)
    d_out = (2 * (views.often * P - views.target) * P * (1 - P))[..., None]
    d_hidden = d_out * np.swapaxes(predictor["u"], 2, 3) * (1 - hidden * hidden)
    return {
        "w": np.swapaxes(views.z, -1, -2) @ d_hidden * mask,
        "a": d_hidden.sum(axis=2, keepdims=True),
        "u": np.swapaxes(hidden, 2, 3) @ d_out,
        "b": d_out.sum(axis=2, keepdims=True),
    }


def code_loss_and_grad(
    code: dict[str, np.ndarray], predictor: dict[str, np.ndarray], x: np.ndarray, weight: np.ndarray, sees: str
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """V (R,) and dV/d(parameters of the code nets); inputs x with probabilities (N,).

    y_i enters V as target of its own predictor and as input of the others. The second path is that of q(c | p):
    dq/dy_j = q (c_j - y_j) / (y_j (1 - y_j)), where the denominator is the derivative of the sigmoid and cancels.
    """
    hidden, y = encode(code, x)
    views, q = look(y, weight, sees)
    hidden_p, P = predict(predictor, views.z)
    if sees == "values":
        error = P - np.swapaxes(y, 1, 2)
        V = (weight * error * error).sum(axis=(1, 2))
        d_out = (2 * weight * error * P * (1 - P))[..., None]
        d_hidden_p = d_out * np.swapaxes(predictor["u"], 2, 3) * (1 - hidden_p * hidden_p)
        d_input = (d_hidden_p @ np.swapaxes(predictor["w"], 2, 3)).sum(axis=1)
        d_net = (d_input - 2 * weight[:, None] * np.swapaxes(error, 1, 2)) * y * (1 - y)
    else:
        squared = (P * P).sum(axis=1)[:, None] - 2 * y @ P + (y * y).sum(axis=2, keepdims=True)
        squared *= weight[:, None] * q  # P(p) q(c | p) sum_i (P_i(c) - y_i(p))^2
        V = squared.sum(axis=(1, 2))
        d_target = 2 * weight[:, None] * (y - q @ np.swapaxes(P, 1, 2))
        d_net = d_target * y * (1 - y) + squared @ views.z - y * squared.sum(axis=2, keepdims=True)
    grads = {"U": np.swapaxes(hidden, -1, -2) @ d_net, "b": d_net.sum(axis=1, keepdims=True)}
    if "W" in code:
        d_hidden = d_net @ np.swapaxes(code["U"], 1, 2) * (1 - hidden * hidden)
        grads |= {"W": np.swapaxes(x, -1, -2) @ d_hidden, "a": d_hidden.sum(axis=1, keepdims=True)}
    return V, grads
