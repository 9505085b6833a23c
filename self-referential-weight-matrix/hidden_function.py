"""The task: a Boolean function of two bits is shown, or has to be guessed, and is then asked at its four patterns.

Patterns have numbers 0..3; so have functions, 0..15: bit p of a function's number is its value at pattern p. An
episode is T patterns, of which the last four are asked; B episodes are on the second axis.
"""

from typing import NamedTuple

import numpy as np

PATTERNS = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
FOUR = (8, 14, 6, 7)  # AND, OR, XOR, NAND
INPUTS, BITS, LABEL = 8, slice(2), 2  # number of inputs, and where the bits and the label are
ASKED = 4


class Batch(NamedTuple):
    x: np.ndarray  # (T, B, 8) inputs: the two bits and the label (0 if not shown), minus these, is a label shown, 1
    y: np.ndarray  # (T, B) right answers, -1 or 1
    f: np.ndarray  # (B,) numbers of the functions


def split(task: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the functions to learn from, and of those to be tested on."""
    if task == "unseen":
        order = rng.permutation(16)
        return order[:12], order[12:]
    known = np.array(FOUR if task in ("four", "feedback") else range(16))
    return known, known


def draw(task: str, functions: np.ndarray, count: int, rng: np.random.Generator) -> Batch:
    """`count` episodes, each function equally often: rounds over the four patterns, each in random order.

    The first of two rounds has labels. "feedback" has three rounds and no labels, see `give_feedback`.
    """
    f = np.resize(functions, count)
    each = np.tile(np.arange(4), (count, 1))
    p = np.concatenate([rng.permuted(each, axis=1).T for _ in range(3 if task == "feedback" else 2)])
    y = 2 * (f >> p & 1) - 1
    x = np.zeros((*p.shape, INPUTS), np.float32)
    x[..., BITS], x[..., 7] = PATTERNS[p], 1
    if task != "feedback":
        x[:4, :, LABEL], x[:4, :, 6] = y[:4], 1
    x[..., 3:6] = -x[..., :3]
    return Batch(x, y, f)


def first(batch: Batch, count: int) -> Batch:
    """The first `count` episodes."""
    return Batch(batch.x[:, :count], batch.y[:, :count], batch.f[:count])


def give_feedback(x_next: np.ndarray, right: np.ndarray) -> None:
    """Put into the next inputs (B, 8), at the label's place, whether the guess just made was right: 1 or -1."""
    x_next[:, LABEL] = np.where(right, 1, -1)
    x_next[:, LABEL + 3] = -x_next[:, LABEL]


def is_right(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether answers, given as logits, are right; an answer is 1 if its logit is positive, else -1."""
    return (z > 0) == (y > 0)


def cross_entropy(z: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean cross-entropy (nats) of the answers asked for, given as logits z (T, B), and its gradient by z."""
    dz = np.zeros_like(z)
    dz[-ASKED:] = (-y * (0.5 - 0.5 * np.tanh(0.5 * y * z)))[-ASKED:] / y[-ASKED:].size
    return float(np.logaddexp(0, -y * z)[-ASKED:].mean()), dz
