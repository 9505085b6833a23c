"""Store and recall: an episode shows a pattern to keep, then K other patterns, then asks for the first one.

Two nets learn it from the same episodes. "slow": a feedforward net S turns every input into a key k, a value v, a gate
g and a query q and writes fast weights W += eta g v k^T; the answer is W q, with q from the question. "rnn": an Elman
net of about as many weights, trained by backpropagation through time (BPTT).

Symbols: B episodes of T steps, one pattern each; n bits; m = n + 2 inputs (bits, store flag, recall flag).
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

KEY = 8  # dimensions of keys and queries

Params = dict[str, np.ndarray]


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logistic function of an array of any shape; the tanh form cannot overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


class Episodes(NamedTuple):
    x: np.ndarray  # (B, T, m) the pattern to store, then distractors
    delay: np.ndarray  # (B,) K, the number of distractors before the question; later ones are not shown

    @property
    def target(self) -> np.ndarray:
        """The stored patterns, (B, n), of -1 and 1."""
        return self.x[:, 0, :-2]


def sample(n: int, shortest: int, longest: int, count: int, rng: np.random.Generator) -> Episodes:
    """`count` episodes of random n-bit patterns, each with its own delay, shortest <= K <= longest; in float32."""
    x = np.zeros((count, 1 + longest, n + 2), np.float32)
    x[..., :n] = 2 * rng.integers(2, size=(count, 1 + longest, n)) - 1
    x[:, 0, n] = 1
    return Episodes(x, rng.integers(shortest, longest + 1, size=count))


def question(x: np.ndarray) -> np.ndarray:
    """The input (m,) that asks for the pattern stored in episodes x (B, T, m): nothing but the recall flag."""
    return np.eye(x.shape[2], dtype=x.dtype)[-1]


def different(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different ones (M, m) among inputs x (..., m), and which of them each is (...)."""
    number = (x > 0) @ 2 ** np.arange(x.shape[-1])
    _, first, which = np.unique(number, return_index=True, return_inverse=True)
    return x.reshape(-1, x.shape[-1])[first], which


def layer(inputs: int, outputs: int, rng: np.random.Generator) -> np.ndarray:
    """Weights (inputs, outputs) that keep the size of what passes through."""
    return rng.normal(0, inputs**-0.5, (inputs, outputs)).astype(np.float32)


class Net(NamedTuple):
    """What learning and testing need to know of a net."""

    init: Callable[[np.random.Generator], Params]
    loss_and_grad: Callable[[Params, Episodes], tuple[float, Params]]
    answers: Callable[[Params, np.ndarray], np.ndarray]  # to the question, asked after each step of x


def bits_right(y: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Share of the bits (T,) whose sign is right in answers y (B, T, n) for the patterns (B, n)."""
    return ((y > 0) == (target[:, None] > 0)).mean(axis=(0, 2))


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


# The slow net


def init_slow(n: int, hidden: int, rng: np.random.Generator) -> Params:
    """A net with one hidden layer of tanh units; its linear outputs are k, q, v and the gate's net input."""
    outputs = 2 * KEY + n + 1
    U, V = layer(n + 2, hidden, rng), layer(hidden, outputs, rng)
    return {"U": U, "b": np.zeros(hidden, np.float32), "V": V, "c": np.zeros(outputs, np.float32)}


class Program(NamedTuple):
    """What S makes of inputs x (..., m)."""

    h: np.ndarray  # (..., hidden) hidden units
    k: np.ndarray  # (..., KEY) keys
    q: np.ndarray  # (..., KEY) queries
    v: np.ndarray  # (..., n) values
    g: np.ndarray  # (...,) gates, between 0 and 1


def program(params: Params, x: np.ndarray, gate: str) -> Program:
    """Run S on inputs x (..., m); gate is "learned", or "one" for gates that are always open."""
    h = np.tanh(x @ params["U"] + params["b"])
    z = h @ params["V"] + params["c"]
    g = sigmoid(z[..., -1]) if gate == "learned" else np.ones_like(z[..., -1])
    return Program(h, z[..., :KEY], z[..., KEY : 2 * KEY], z[..., 2 * KEY : -1], g)


def slow_loss_and_grad(params: Params, episodes: Episodes, eta: float, gate: str) -> tuple[float, Params]:
    """Mean squared error of the answers y = W q, and its gradient.

    W = eta sum_t g_t v_t k_t^T is a plain sum, so that nothing has to be computed step by step:
    y = eta sum_t r_t v_t with r_t = g_t (k_t . q), over the steps up to the question. All that counts is how often an
    episode shows each of the different inputs, which S has to see once only.
    """
    x, asked = episodes.x, question(episodes.x)
    shown = np.arange(x.shape[1]) <= episodes.delay[:, None]
    inputs, which = different(x[shown])
    inputs = np.vstack([inputs, asked])  # for S the question is one more input, never written
    M = len(inputs)
    count = np.bincount(np.nonzero(shown)[0] * M + which, minlength=len(x) * M).reshape(-1, M).astype(x.dtype)
    h, k, q, v, g = program(params, inputs, gate)
    overlap = k @ q[-1]
    r = g * overlap
    error = eta * (count @ (r[:, None] * v)) - episodes.target
    dy = 2 * eta / error.size * (count.T @ error)  # by r v
    dr = (dy * v).sum(axis=1)
    doverlap = dr * g
    dz = np.zeros((M, params["c"].size), x.dtype)
    dz[:, :KEY] = np.outer(doverlap, q[-1])
    dz[-1, KEY : 2 * KEY] = doverlap @ k
    dz[:, 2 * KEY : -1] = r[:, None] * dy
    if gate == "learned":
        dz[:, -1] = dr * overlap * g * (1 - g)
    du = dz @ params["V"].T * (1 - h**2)
    return float((error**2).mean()), {"U": inputs.T @ du, "b": du.sum(axis=0), "V": h.T @ dz, "c": dz.sum(axis=0)}


def slow_answers(params: Params, x: np.ndarray, eta: float, gate: str) -> np.ndarray:
    """Answers (B, T, n) if the question comes after the 1st, 2nd, ... step of x (B, T, m): partial sums."""
    inputs, which = different(x)
    _, k, _, v, g = program(params, inputs, gate)
    q = program(params, question(x), gate).q
    return eta * np.cumsum(((g * (k @ q))[:, None] * v)[which], axis=1)


def protection(params: Params, x: np.ndarray, gate: str) -> np.ndarray:
    """What could keep a step of x (T, m) out of the answer, (3, T): gate g, overlap |k . q|, and mean |v|."""
    _, k, _, v, g = program(params, x, gate)
    q = program(params, question(x[None]), gate).q
    return np.array([g, np.abs(k @ q), np.abs(v).mean(axis=1)])


def slow_net(n: int, hidden: int, eta: float, gate: str) -> Net:
    """The slow net for n bits with write strength eta."""
    how = {"eta": eta, "gate": gate}
    return Net(partial(init_slow, n, hidden), partial(slow_loss_and_grad, **how), partial(slow_answers, **how))


# The Elman net


def init_rnn(n: int, hidden: int, rng: np.random.Generator) -> Params:
    """Hidden units h_t = tanh(h_{t-1} R + x_t U + b), R orthogonal at first, and linear outputs y = h V + c."""
    R = np.linalg.qr(rng.normal(size=(hidden, hidden)))[0].astype(np.float32)
    U, V = layer(n + 2, hidden, rng), layer(hidden, n, rng)
    return {"U": U, "R": R, "b": np.zeros(hidden, np.float32), "V": V, "c": np.zeros(n, np.float32)}


def rnn_states(params: Params, x: np.ndarray) -> np.ndarray:
    """Hidden units (T + 1, B, hidden), at first 0, then after every step of x (B, T, m)."""
    drive = x.transpose(1, 0, 2) @ params["U"] + params["b"]
    h = np.zeros((len(drive) + 1, *drive.shape[1:]), drive.dtype)
    for t in range(len(drive)):
        h[t + 1] = np.tanh(h[t] @ params["R"] + drive[t])
    return h


def rnn_loss_and_grad(params: Params, episodes: Episodes) -> tuple[float, Params]:
    """Mean squared error of the answers to the question, and its gradient by BPTT."""
    x, delay, asked = *episodes, question(episodes.x)
    h = rnn_states(params, x)
    last = h[1 + delay, np.arange(len(x))]
    h_question = np.tanh(last @ params["R"] + asked @ params["U"] + params["b"])
    error = h_question @ params["V"] + params["c"] - episodes.target
    dy = 2 / error.size * error
    du_question = dy @ params["V"].T * (1 - h_question**2)
    dlast = du_question @ params["R"].T
    du, dh = np.zeros_like(h[1:]), np.zeros_like(last)
    for t in reversed(range(len(du))):
        dh += (delay == t)[:, None] * dlast
        du[t] = dh * (1 - h[t + 1] ** 2)
        dh = du[t] @ params["R"].T
    return float((error**2).mean()), {
        "U": np.tensordot(x, du, axes=((1, 0), (0, 1))) + np.outer(asked, du_question.sum(axis=0)),
        "R": np.tensordot(h[:-1], du, axes=((0, 1), (0, 1))) + last.T @ du_question,
        "b": du.sum(axis=(0, 1)) + du_question.sum(axis=0),
        "V": h_question.T @ dy,
        "c": dy.sum(axis=0),
    }


def rnn_answers(params: Params, x: np.ndarray) -> np.ndarray:
    """Answers (B, T, n) if the question comes after the 1st, 2nd, ... step of x (B, T, m)."""
    h = rnn_states(params, x)[1:].transpose(1, 0, 2)
    h_question = np.tanh(h @ params["R"] + question(x) @ params["U"] + params["b"])
    return h_question @ params["V"] + params["c"]


def rnn(n: int, hidden: int) -> Net:
    """The Elman net for n bits."""
    return Net(partial(init_rnn, n, hidden), rnn_loss_and_grad, rnn_answers)
