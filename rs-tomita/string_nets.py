"""Small recurrent nets that accept or reject strings, D of them side by side along the last axis of every array.

Symbols: N units, h their activations, x a symbol, W[x] and b[x] the matrix and the bias that it selects.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tomita_languages import Level


class Net(NamedTuple):
    """h(t) = squash(W[x(t)] h(t-1) + b[x(t)]) from h(0); a string is accepted if v . h > threshold after its end."""

    W: np.ndarray  # (2, N, N, D)
    b: np.ndarray  # (2, N, D)
    h0: np.ndarray  # (N,)
    v: np.ndarray  # (N, D)
    threshold: np.ndarray | float  # (D,)
    squash: Callable[[np.ndarray], np.ndarray]


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logistic function of an array of any shape; the tanh form cannot overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def size(kind: str, N: int) -> int:
    """Number of weights of a net with N units."""
    return {"second_order": 2 * N * N, "tanh": N * N + 3 * N + 1, "automaton": 3 * N}[kind]


def unpack(kind: str, N: int, weights: np.ndarray) -> Net:
    """The nets of weights (size(kind, N), D).

    second_order (Miller & Giles 1993): h_i(t) = sigmoid(sum_j W[x(t), i, j] h_j(t-1)), h(0) = (1, 0, ..., 0), and a
    string is accepted if h_0 > 0.5 after its end. No biases.
    tanh: a first-order net with one recurrent matrix for both symbols, h(0) = 0, and a linear output.
    automaton: N states, one-hot. Weights are in [-1, 1); where in it one lies tells which of the N states comes next
    (the first 2N of them), or whether a state accepts (the last N).
    """
    D = weights.shape[1]
    first, zero = np.eye(N, dtype=weights.dtype)[0], np.zeros((2, 1, 1), weights.dtype)
    if kind == "second_order":
        return Net(weights.reshape(2, N, N, D), zero, first, first[:, None], 0.5, sigmoid)
    if kind == "tanh":
        W, b, v, threshold = np.split(weights, [N * N, N * N + 2 * N, N * N + 3 * N])
        W = np.broadcast_to(W.reshape(N, N, D), (2, N, N, D))
        return Net(W, b.reshape(2, N, D), 0 * first, v, threshold[0], np.tanh)
    successor = np.floor(N * (weights[: 2 * N] + 1) / 2).reshape(2, 1, N, D)
    W = (successor == np.arange(N)[:, None, None]).astype(weights.dtype)
    return Net(W, zero, first, (weights[2 * N :] > 0).astype(weights.dtype), 0.5, np.positive)


def step(net: Net, symbol: int, h: np.ndarray) -> np.ndarray:
    """Activations (n, N, D) after one more symbol, from those before, h (n, N, D) for n strings."""
    W = net.W[symbol]
    return net.squash(sum(W[:, j] * h[:, None, j] for j in range(W.shape[1])) + net.b[symbol])


def descend(net: Net, level: Level, h: np.ndarray) -> np.ndarray:
    """Activations after all prefixes of a level, from those after the prefixes one symbol shorter."""
    return np.concatenate([step(net, symbol, h[level.parents[symbol]]) for symbol in (0, 1)])


def accepts(net: Net, h: np.ndarray) -> np.ndarray:
    """Which of the activations h (n, N, D) accept, (n, D)."""
    return (net.v * h).sum(axis=1) > net.threshold


def verdicts(net: Net, tree: list[Level]) -> np.ndarray:
    """Whether each net accepts each string of the tree, (strings, D), strings in the tree's order."""
    h, answers = net.h0[None, :, None], []
    for level in tree:
        h = descend(net, level, h)
        answers.append(accepts(net, h[level.ends]))
    return np.concatenate(answers)


def accuracies(net: Net, tree: list[Level]) -> tuple[np.ndarray, np.ndarray]:
    """Share of strings that each net gets right, and the mean of the shares of either class; both (D,)."""
    labels = np.concatenate([level.labels for level in tree])
    right = verdicts(net, tree) == labels[:, None]
    return right.mean(axis=0), (right[labels].mean(axis=0) + right[~labels].mean(axis=0)) / 2
