"""The gradient of an imagined return, through the model M and the controller C, with respect to C alone."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from flag_maze import ACTIONS, OBSERVATION
from maze_controller import softmax
from maze_model import REWARD, WALLS


class Dream(NamedTuple):
    """T steps of B imagined episodes. A source is what a net sees, (observation, 1, hidden)."""

    to_C: np.ndarray  # (T + 1, B, 6 + n) sources of C
    to_M: np.ndarray  # (T + 1, B, 6 + m) sources of M
    net: np.ndarray  # (T, B, 4, m) net inputs of M's hidden units after each action
    x: np.ndarray  # (T, B, 4) weights of the actions
    pi: np.ndarray  # (T, B, 4) policy
    reward: np.ndarray  # (T, B) as M predicts it
    running: np.ndarray  # (T + 1, B) 1 until M has predicted no wall at all, which is the end; then 0


def imagine(C: dict, M: dict, first: np.ndarray, T: int, choose: Callable) -> Dream:
    """C acts T steps in M after the first observations (B, 5).

    choose(pi (B, 4)) -> x (B, 4): one-hot actions drawn from the policy, or the policy itself. M mixes what its four
    actions would do: h' = tanh(sum_a x_a W_a (o, 1, h)).
    """
    B, n, m = len(first), len(C["w"]), len(M["w"])
    to_C, to_M = np.ones((T + 1, B, OBSERVATION + 1 + n)), np.ones((T + 1, B, OBSERVATION + 1 + m))
    for source in (to_C, to_M):
        source[0, :, :OBSERVATION], source[0, :, OBSERVATION + 1 :] = first, 0
        source[1:, :, OBSERVATION - 1] = 0  # the cue is not seen again
    net, x, pi = np.empty((T, B, ACTIONS, m)), np.empty((T, B, ACTIONS)), np.empty((T, B, ACTIONS))
    reward, running = np.empty((T, B)), np.ones((T + 1, B))
    for t in range(T):
        to_C[t + 1, :, -n:] = np.tanh(to_C[t] @ C["W"])
        pi[t] = softmax(to_C[t + 1, :, -n:] @ C["w"])
        x[t] = choose(pi[t])
        net[t] = (to_M[t] @ M["W"]).reshape(B, ACTIONS, m)
        to_M[t + 1, :, -m:] = np.tanh((x[t][..., None] * net[t]).sum(axis=1))
        y = to_M[t + 1, :, -m:] @ M["w"] + M["b"]
        reward[t], walls = y[:, REWARD], y[:, WALLS]
        running[t + 1] = running[t] * (walls.sum(axis=1) >= 0.5)
        to_C[t + 1, :, :4] = to_M[t + 1, :, :4] = running[t + 1][:, None] * walls
    return Dream(to_C, to_M, net, x, pi, reward, running)


def imagined_return_and_grad(
    C: dict, M: dict, dream: Dream, gamma: float, entropy: float
) -> tuple[float, dict[str, np.ndarray]]:
    """Mean over episodes of discounted rewards plus entropy times that of the policy; the gradient at C's weights.

    d x / d pi is taken to be the identity. This is exact for x = pi; for drawn actions it is "straight through".
    """
    to_C, to_M, net, x, pi, reward, running = dream
    (T, B), n, m = reward.shape, len(C["w"]), len(M["w"])
    weight, log_pi = running[:-1] / B, np.log(pi + 1e-12)
    dreward, H = gamma ** np.arange(T)[:, None] * weight, -(pi * log_pi).sum(axis=2)
    dentropy = -pi * (log_pi + H[..., None]) * weight[..., None]
    dnet_C, dlogits = np.empty((T, B, n)), np.empty((T, B, ACTIONS))
    dwalls, dc, dh = np.zeros((B, 4)), np.zeros((B, n)), np.zeros((B, m))
    for t in reversed(range(T)):
        h, c = to_M[t + 1, :, -m:], to_C[t + 1, :, -n:]
        dy = np.concatenate([running[t + 1][:, None] * dwalls, dreward[t][:, None]], axis=1)
        dnet = (dh + dy @ M["w"].T) * (1 - h * h)
        dx = (net[t] @ dnet[..., None])[..., 0]
        dsource_M = (x[t][..., None] * dnet[:, None]).reshape(B, -1) @ M["W"].T
        dlogits[t] = pi[t] * (dx - (pi[t] * dx).sum(axis=1, keepdims=True)) + entropy * dentropy[t]
        dnet_C[t] = (dc + dlogits[t] @ C["w"].T) * (1 - c * c)
        dsource_C = dnet_C[t] @ C["W"].T
        dwalls, dc, dh = dsource_M[:, :4] + dsource_C[:, :4], dsource_C[:, -n:], dsource_M[:, -m:]
    grads = {
        "W": to_C[:-1].reshape(T * B, -1).T @ dnet_C.reshape(T * B, -1),
        "w": to_C[1:, :, -n:].reshape(T * B, -1).T @ dlogits.reshape(T * B, -1),
    }
    return float((dreward * reward + entropy * weight * H).sum()), grads
