"""The world model M: a recurrent net that predicts the next walls and the reward of every action."""

import numpy as np

from flag_maze import ACTIONS, OBSERVATION, Episodes

WALLS, REWARD = slice(4), 4  # M's outputs


def init_model(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """Weights of M with n hidden units: W (6 + n, 4 n), from (observation, 1, hidden), the actions side by side.

    The recurrent ones begin near 0.9 times the identity for every action: what is in the hidden units stays there.
    """
    W = rng.normal(0, 0.3, (OBSERVATION + 1 + n, ACTIONS * n))
    W[OBSERVATION + 1 :] = np.tile(0.9 * np.eye(n), ACTIONS) + rng.normal(0, 0.02, (n, ACTIONS * n))
    return {"W": W, "w": rng.normal(0, 1 / np.sqrt(n), (n, OBSERVATION)), "b": np.zeros(OBSERVATION)}


def follow(M: dict[str, np.ndarray], episodes: Episodes) -> np.ndarray:
    """Let M follow episodes: h(t+1) = tanh(W_a (o(t), 1, h(t))), where W_a belongs to the action taken; h(0) = 0.

    Returns its sources (o(t), 1, h(t)), (T + 1, B, 6 + n).
    """
    (T, B), n = episodes.a.shape, len(M["w"])
    source = np.ones((T + 1, B, OBSERVATION + 1 + n))
    source[..., :OBSERVATION], source[0, :, -n:] = episodes.o, 0
    for t in range(T):
        net = (source[t] @ M["W"]).reshape(B, ACTIONS, n)
        np.tanh(net[np.arange(B), episodes.a[t]], out=source[t + 1, :, -n:])
    return source


def foresee(M: dict[str, np.ndarray], source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hidden states (..., 4, n) and outputs (..., 4, 5) after each of the four actions at sources (..., 6 + n)."""
    h = np.tanh(source @ M["W"]).reshape(*source.shape[:-1], ACTIONS, -1)
    return h, h @ M["w"] + M["b"]


def model_loss_and_grad(
    M: dict[str, np.ndarray], episodes: Episodes, reward_weight: float
) -> tuple[float, dict[str, np.ndarray]]:
    """Squared error of walls and reward_weight times that of rewards, mean over the steps lived; and its gradient."""
    (T, B), n, rows = episodes.a.shape, len(M["w"]), np.arange(episodes.a.shape[1])
    source = follow(M, episodes)
    h = source[1:, :, -n:]
    error = h @ M["w"] + M["b"]
    error[..., WALLS] -= episodes.o[1:, :, :4]
    error[..., REWARD] -= episodes.r
    weight = np.ones((T, B, OBSERVATION)) / episodes.length.sum()
    weight[..., REWARD] *= reward_weight
    weight *= (np.arange(T)[:, None] < episodes.length)[..., None]
    dy = 2 * weight * error

    dh_out, slope = dy @ M["w"].T, 1 - h * h
    dnet, U_back = np.zeros((T, B, ACTIONS, n)), np.ascontiguousarray(M["W"][-n:].T)
    dh = np.zeros((B, n))
    for t in reversed(range(T)):
        dnet[t, rows, episodes.a[t]] = (dh + dh_out[t]) * slope[t]
        dh = dnet[t].reshape(B, -1) @ U_back
    grads = {
        "W": source[:-1].reshape(T * B, -1).T @ dnet.reshape(T * B, -1),
        "w": h.reshape(T * B, n).T @ dy.reshape(T * B, -1),
        "b": dy.sum(axis=(0, 1)),
    }
    return float((weight * error * error).sum()), grads
