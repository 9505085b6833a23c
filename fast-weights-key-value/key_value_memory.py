"""Key/value retrieval: N pairs are written into one matrix of fast weights, and a value is asked for by its key.

All keys share a bias b, k = b + noise, so that without help every answer is a mixture of all values. What is learned is
a projection P of the keys, by gradient descent through the memory.

Symbols: an episode has N pairs k_i, v_i in R^d; f_i = phi(P k_i) features; G_ij = f_i . f_j; the memory is
W = sum_i c_i f_i^T, with c_i = v_i (sum rule) or what the delta rule has written; answers y_i = W f_i, so Y = G C.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

D = 8  # dimensions of keys and values
SPREAD = 0.4  # size of a key's noise; its bias has length 1
DEGREE = 3  # nu of DPFP
SHARPNESS = 20.0  # of softmax attention
PAIRS_TESTED = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16)


class Method(NamedTuple):
    features: str  # "identity"; "unit": P k / |P k|; "dpfp": products of rectified parts of P k, of length 1
    sweeps: int  # of the delta rule over the pairs; 0: sum rule


METHODS = {"linear": Method("identity", 0), "sweeps": Method("unit", 5), "dpfp": Method("dpfp", 1)}


class Episodes(NamedTuple):
    k: np.ndarray  # (B, N, D) keys
    v: np.ndarray  # (B, N, D) values


def draw_bias(rng: np.random.Generator) -> np.ndarray:
    """A direction, (D,)."""
    b = rng.normal(size=D)
    return b / np.linalg.norm(b)


def sample(b: np.ndarray, pairs: int, count: int, rng: np.random.Generator) -> Episodes:
    """`count` episodes: k = b + 0.4 z / sqrt(D) and v = z' / sqrt(D) with z, z' from N(0, I)."""
    z, v = rng.normal(size=(2, count, pairs, D)) / np.sqrt(D)
    return Episodes(b + SPREAD * z, v)


def features(kind: str, x: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Features f of x (B, N, D), and their pullback, from the gradient by f to the gradient by x."""
    if kind == "identity":
        return x, lambda df: df
    if kind == "unit":
        return to_unit_length(x)
    r = np.maximum(np.concatenate([x, -x], axis=2), 0)
    shifted = [np.roll(r, j, axis=2) for j in range(1, DEGREE + 1)]
    f, pull_unit = to_unit_length(np.concatenate([r * other for other in shifted], axis=2))

    def pull(df: np.ndarray) -> np.ndarray:
        dr = np.zeros_like(r)
        for j, (other, part) in enumerate(zip(shifted, np.split(pull_unit(df), DEGREE, axis=2), strict=True), 1):
            dr += part * other + np.roll(part * r, -j, axis=2)
        dr *= r > 0
        return dr[..., : x.shape[2]] - dr[..., x.shape[2] :]

    return f, pull


def to_unit_length(x: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """x / |x| over the last axis, and its pullback."""
    length = np.linalg.norm(x, axis=-1, keepdims=True)
    f = x / length
    return f, lambda df: (df - (df * f).sum(axis=-1, keepdims=True) * f) / length


def write(G: np.ndarray, v: np.ndarray, sweeps: int) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """What is written under each key in total, C (B, N, D), and the pullback from C to G.

    One sweep of the delta rule, W += (v_i - W f_i) f_i^T for i = 1..N, adds the U that solves (I + tril(G, -1)) U =
    V - G C: what is missing, less what earlier writes of the same sweep have already put under later keys.
    """
    if sweeps == 0:
        return v, lambda dC: np.zeros_like(G)
    inverse = np.linalg.inv(np.eye(G.shape[1]) + np.tril(G, -1))
    Cs = [np.zeros_like(v)]
    for _ in range(sweeps):
        Cs.append(Cs[-1] + inverse @ (v - G @ Cs[-1]))

    def pull(dC: np.ndarray) -> np.ndarray:
        dG = np.zeros_like(G)
        for before, after in reversed(list(pairwise(Cs))):
            dmissing = inverse.transpose(0, 2, 1) @ dC
            dG -= np.tril(dmissing @ (after - before).transpose(0, 2, 1), -1) + dmissing @ before.transpose(0, 2, 1)
            dC = dC - G @ dmissing  # G is symmetric
        return dG

    return Cs[-1], pull


def retrieve(method: Method, P: np.ndarray, episodes: Episodes) -> np.ndarray:
    """Answers (B, N, D) to the questions for all keys."""
    f, _ = features(method.features, episodes.k @ P.T)
    G = f @ f.transpose(0, 2, 1)
    return G @ write(G, episodes.v, method.sweeps)[0]


def loss_and_grad(method: Method, P: np.ndarray, episodes: Episodes) -> tuple[float, np.ndarray]:
    """Mean squared error per pair, |y - v|^2, and its gradient by P (D, D)."""
    k, v = episodes
    f, pull_features = features(method.features, k @ P.T)
    G = f @ f.transpose(0, 2, 1)
    C, pull_write = write(G, v, method.sweeps)
    error = G @ C - v
    dY = 2 * error / (len(v) * v.shape[1])
    dG = dY @ C.transpose(0, 2, 1) + pull_write(G @ dY)
    dx = pull_features((dG + dG.transpose(0, 2, 1)) @ f)
    return float((error**2).sum(axis=2).mean()), np.tensordot(dx, k, axes=((0, 1), (0, 1)))


def softmax(x: np.ndarray) -> np.ndarray:
    """Softmax over the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def attend(P: np.ndarray, episodes: Episodes) -> np.ndarray:
    """Answers (B, N, D) of softmax attention with unit keys: a memory that keeps all pairs, no fast weights."""
    f, _ = to_unit_length(episodes.k @ P.T)
    return softmax(SHARPNESS * f @ f.transpose(0, 2, 1)) @ episodes.v


def cosine(y: np.ndarray, v: np.ndarray) -> float:
    """Mean cosine between answers and values."""
    lengths = np.linalg.norm(y, axis=2) * np.linalg.norm(v, axis=2)
    return float(((y * v).sum(axis=2) / lengths).mean())


class Score(NamedTuple):
    cos: float  # mean cosine between answers and values
    error: float  # squared error of the answers, relative to the values


def compare(params: dict[str, np.ndarray], b: np.ndarray, episodes: Episodes) -> dict[str, Score]:
    """Scores of the learned methods, and of memories that learn nothing.

    untrained: sum rule with the raw keys; closed_form: with the bias projected out, P = I - b b^T; softmax: attention
    with this P.
    """
    without_bias = np.eye(D) - np.outer(b, b)
    answers = {name: retrieve(method, params[name], episodes) for name, method in METHODS.items()}
    answers["untrained"] = retrieve(METHODS["linear"], np.eye(D), episodes)
    answers["closed_form"] = retrieve(METHODS["linear"], without_bias, episodes)
    answers["softmax"] = attend(without_bias, episodes)
    v = episodes.v
    return {name: Score(cosine(y, v), float(((y - v) ** 2).sum() / (v**2).sum())) for name, y in answers.items()}


def alignment(P: np.ndarray, b: np.ndarray) -> float:
    """|P b| over the root mean square of |P u| for u orthogonal to b: 0 if P takes the bias out."""
    others = P @ (np.eye(D) - np.outer(b, b))
    return float(np.linalg.norm(P @ b) / (np.linalg.norm(others) / np.sqrt(D - 1)))


def metrics(scores: dict[int, dict[str, Score]], params: dict[str, np.ndarray], b: np.ndarray) -> dict[str, float]:
    """Scores with 5 and 8 pairs as plain numbers, and what every projection leaves of the bias."""
    cosines = {f"cos_{name}_{N}": score.cos for N in (5, 8) for name, score in scores[N].items()}
    errors = {f"error_{name}_5": score.error for name, score in scores[5].items()}
    return cosines | errors | {f"bias_{name}": alignment(P, b) for name, P in params.items()}


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
