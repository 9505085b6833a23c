"""The recurrent controller C: its policy, the gradient of what the policy is worth, and how it acts in the maze."""

from collections.abc import Callable

import numpy as np

from flag_maze import ACTIONS, OBSERVATION


def softmax(x: np.ndarray) -> np.ndarray:
    """Softmax over the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def init_controller(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """Weights of C with n hidden units: W (6 + n, n), from (observation, 1, hidden), and w (n, 4)."""
    W = rng.normal(0, 0.3, (OBSERVATION + 1 + n, n))
    W[OBSERVATION + 1 :] = 0.9 * np.eye(n) + rng.normal(0, 0.02, (n, n))
    return {"W": W, "w": rng.normal(0, 0.1, (n, ACTIONS))}


def policy(C: dict[str, np.ndarray], o: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """C follows observations o (T, B, 5). Returns its sources (o, 1, c), (T + 1, B, 6 + n), and pi (T, B, 4)."""
    (T, B, _), n = o.shape, len(C["w"])
    source = np.ones((T + 1, B, OBSERVATION + 1 + n))
    source[:-1, :, :OBSERVATION], source[0, :, -n:] = o, 0
    for t in range(T):
        np.tanh(source[t] @ C["W"], out=source[t + 1, :, -n:])
    return source, softmax(source[1:, :, -n:] @ C["w"])


def policy_gain_and_grad(
    C: dict[str, np.ndarray], o: np.ndarray, Q: np.ndarray, entropy: float, weight: np.ndarray
) -> tuple[float, dict[str, np.ndarray], np.ndarray]:
    """Sum over steps of weight (sum_a pi_a Q_a + entropy H(pi)), its gradient at C's weights, and sum_a pi_a Q_a.

    o (T, B, 5), Q (T, B, 4), weight (T, B). H(pi) = -sum_a pi_a log pi_a.
    """
    (T, B, _), n = o.shape, len(C["w"])
    source, pi = policy(C, o)
    expected, log_pi = (pi * Q).sum(axis=-1), np.log(pi + 1e-12)
    H = -(pi * log_pi).sum(axis=-1)
    dlogits = pi * (Q - expected[..., None] - entropy * (log_pi + H[..., None])) * weight[..., None]
    c = source[1:, :, -n:]
    dc_out, slope, U_back = dlogits @ C["w"].T, 1 - c * c, np.ascontiguousarray(C["W"][-n:].T)
    dnet, dc = np.empty_like(c), np.zeros((B, n))
    for t in reversed(range(T)):
        dnet[t] = (dc + dc_out[t]) * slope[t]
        dc = dnet[t] @ U_back
    grads = {
        "W": source[:-1].reshape(T * B, -1).T @ dnet.reshape(T * B, n),
        "w": c.reshape(T * B, n).T @ dlogits.reshape(T * B, ACTIONS),
    }
    return float((weight * (expected + entropy * H)).sum()), grads, expected


def actor(C: dict[str, np.ndarray], B: int, choose: Callable) -> Callable:
    """C as act(o (B, 5)) -> actions (B,) for B episodes from their start; choose(pi (B, 4)) -> actions."""
    c = np.zeros((B, len(C["w"])))

    def act(o: np.ndarray) -> np.ndarray:
        c[:] = np.tanh(np.concatenate([o, np.ones((B, 1)), c], axis=1) @ C["W"])
        return choose(softmax(c @ C["w"]))

    return act


def greedy(pi: np.ndarray) -> np.ndarray:
    """The most probable action (B,)."""
    return pi.argmax(axis=1)


def drawn(pi: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Actions (B,) drawn from pi (B, 4) with random numbers u (B,) from [0, 1)."""
    return np.minimum((np.cumsum(pi, axis=1) <= u[:, None]).sum(axis=1), ACTIONS - 1)


def explore(probability: float, rng: np.random.Generator, pi: np.ndarray) -> np.ndarray:
    """Actions (B,), uniform ones with this probability, else drawn from pi (B, 4)."""
    B = len(pi)
    return np.where(rng.random(B) < probability, rng.integers(ACTIONS, size=B), drawn(pi, rng.random(B)))
