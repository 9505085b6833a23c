"""Retrieval under biased keys: random vectors are stored under keys that are nearly parallel, and read back.

All keys k = b + noise share the bias b, so each answer is a mixture of all values unless a learned projection P takes
the bias out: f = P k / |P k|. Three memories learn a P each from the same episodes: the sum rule ("sum"), the delta
rule reading the pairs once ("once"), and the delta rule going over them several times ("delta").

Symbols: an episode has N pairs k_i, v_i in R^d; f are unit keys, G_ij = f_i . f_j their overlaps; row i of C is what is
written under f_i in total, so W = sum_i c_i f_i^T, and the answers are the rows of Y = G C. B episodes are a batch.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from linear_attention import sigmoid

MEMORIES = ("sum", "once", "delta")
SPREAD = 0.4  # length of a key's noise, about; its bias has length 1


class Episodes(NamedTuple):
    k: np.ndarray  # (B, N, d) keys
    v: np.ndarray  # (B, N, d) values


def draw_bias(d: int, rng: np.random.Generator) -> np.ndarray:
    """A direction in R^d, (d,)."""
    b = rng.normal(size=d)
    return b / np.linalg.norm(b)


def sample(bias: np.ndarray, N: int, count: int, rng: np.random.Generator) -> Episodes:
    """`count` episodes of N pairs: k = b + 0.4 z / sqrt(d) and v = z' / sqrt(d) with z, z' from N(0, I_d)."""
    z, v = rng.normal(size=(2, count, N, len(bias))) / np.sqrt(len(bias))
    return Episodes(bias + SPREAD * z, v)


def init(d: int, learned: bool) -> dict[str, np.ndarray]:
    """For each memory the identity as projection P, (d, d); with learned write strengths their logits b, (1,)."""
    params = {f"P_{name}": np.eye(d) for name in MEMORIES}
    return params | ({f"b_{name}": np.zeros(1) for name in ("once", "delta")} if learned else {})


def overlaps(P: np.ndarray, k: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """G of the unit keys f = P k / |P k|, (B, N, N), and its pullback to P."""
    x = k @ P.T
    length = np.linalg.norm(x, axis=2, keepdims=True)
    f = x / length

    def pull(dG: np.ndarray) -> np.ndarray:
        df = (dG + dG.transpose(0, 2, 1)) @ f
        dx = (df - (df * f).sum(axis=2, keepdims=True) * f) / length
        return np.tensordot(dx, k, axes=((0, 1), (0, 1)))

    return f @ f.transpose(0, 2, 1), pull


def delta_sweeps(
    G: np.ndarray, v: np.ndarray, beta: float, sweeps: int
) -> tuple[np.ndarray, Callable[[np.ndarray], tuple[np.ndarray, float]]]:
    """C after the delta rule has gone over all pairs `sweeps` times, (B, N, d), and its pullback to G and beta.

    With E = V - G C, what the answers lack before a sweep, the sweep writes the U that solves
    (I / beta + tril(G, -1)) U = E. For beta = 1 this is a Gauss-Seidel iteration for G C = V, so that many sweeps lead
    to exact answers if the f are linearly independent.
    """
    inverse = np.linalg.inv(np.eye(G.shape[1]) / beta + np.tril(G, -1))
    Cs = [np.zeros_like(v)]
    for _ in range(sweeps):
        Cs.append(Cs[-1] + inverse @ (v - G @ Cs[-1]))

    def pull(dC: np.ndarray) -> tuple[np.ndarray, float]:
        dG, dbeta = np.zeros_like(G), 0.0
        for before, after in reversed(list(pairwise(Cs))):
            U, dE = after - before, inverse.transpose(0, 2, 1) @ dC
            dG -= np.tril(dE @ U.transpose(0, 2, 1), -1) + dE @ before.transpose(0, 2, 1)
            dbeta += float(np.vdot(dE, U)) / beta**2
            dC = dC - G @ dE  # G is symmetric
        return dG, dbeta

    return Cs[-1], pull


def cosine(y: np.ndarray, v: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean cosine between answers and values over all pairs of all episodes, and its gradient by y, (B, N, d)."""
    y_length, v_length = (np.linalg.norm(x, axis=2, keepdims=True) for x in (y, v))
    cos = (y * v).sum(axis=2, keepdims=True) / (y_length * v_length)
    return float(cos.mean()), (v / v_length - cos * y / y_length) / y_length / cos.size


def retrieve(
    params: dict[str, np.ndarray], episodes: Episodes, sweeps: int, name: str
) -> tuple[float, Callable[[], dict[str, np.ndarray]]]:
    """Mean cosine that memory `name` reaches when asked for every pair, and a function that returns its gradient."""
    k, v = episodes
    G, pull_G = overlaps(params[f"P_{name}"], k)
    beta = float(sigmoid(params[f"b_{name}"])[0]) if f"b_{name}" in params else 1.0
    C, pull_C = (v, None) if name == "sum" else delta_sweeps(G, v, beta, 1 if name == "once" else sweeps)
    cos, dy = cosine(G @ C, v)

    def gradient() -> dict[str, np.ndarray]:
        dG, dbeta = pull_C(G @ dy) if pull_C else (0, 0.0)
        grads = {f"P_{name}": pull_G(dG + dy @ C.transpose(0, 2, 1))}
        return grads | ({f"b_{name}": np.array([dbeta * beta * (1 - beta)])} if f"b_{name}" in params else {})

    return cos, gradient


def loss_and_grad(
    params: dict[str, np.ndarray], episodes: Episodes, sweeps: int
) -> tuple[float, dict[str, np.ndarray]]:
    """Sum over the memories of 1 - mean cosine, and its gradient; the memories share no parameter."""
    loss, grads = 0.0, {}
    for name in MEMORIES:
        cos, gradient = retrieve(params, episodes, sweeps, name)
        loss += 1 - cos
        grads |= {key: -g for key, g in gradient().items()}
    return loss, grads


def evaluate(params: dict[str, np.ndarray], episodes: Episodes, sweeps: int) -> dict[str, float]:
    """Mean cosine of each memory, and by how much the delta rule is ahead of the sum rule."""
    cos = {name: retrieve(params, episodes, sweeps, name)[0] for name in MEMORIES}
    ahead = {f"{name}_minus_sum": cos[name] - cos["sum"] for name in ("once", "delta")}
    return {f"cos_{name}": value for name, value in (cos | ahead).items()}
