"""The nets whose weights are guessed: many of them side by side, forwards and backwards.

A net has one input x, hidden units h and an output unit o. Weights from input, bias, output and itself to a hidden
unit are a, b, c, d; those from hidden units, input, itself and bias to the output unit are v, q, r, e. Every array
ends with an axis for the nets.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Weights = dict[str, np.ndarray]  # name -> (hidden, nets) or (nets,); in the net "tanh" W is (hidden, hidden, nets)

NETS = {  # weights of a net: those that each hidden unit has, those of the output unit
    "a2_no_self": ("abcv", "qre"),
    "a2": ("abcdv", "qre"),  # with one hidden unit this is A1
    "no_output_self": ("abcv", "qe"),
    "no_feedback": ("abdv", "qre"),
}


class Sequences(NamedTuple):
    x: np.ndarray  # (T_max, S) inputs; those behind the end of a sequence count for nothing
    length: np.ndarray  # (S,) steps
    target: np.ndarray  # (S,) 0, 1, 0, 1, ...


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logistic function of an array of any shape; the tanh form cannot overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def shapes(net: str, hidden: int) -> dict[str, tuple[int, ...]]:
    """Shapes of the weights of one net, by name."""
    if net == "tanh":
        return {"W": (hidden, hidden), "a": (hidden,), "b": (hidden,), "v": (hidden,), "e": ()}
    of_hidden, of_output = NETS[net]
    return dict.fromkeys(of_hidden, (hidden,)) | dict.fromkeys(of_output, ())


def take(weights: Weights, which: np.ndarray | slice) -> Weights:
    """Copies of some of the nets."""
    return {name: w[..., which].copy() for name, w in weights.items()}


def doubled_sigmoid(x: np.ndarray) -> np.ndarray:
    """2 sigmoid(2x), in the place of x."""
    np.tanh(x, out=x)
    x += 1
    return x


def step(
    w: Weights, x: np.ndarray, h: np.ndarray, o: np.ndarray, unit: Callable = sigmoid
) -> tuple[np.ndarray, np.ndarray]:
    """One time step of nets with output feedback: first the hidden units, then the output unit, which sees them.

    x (nets,), h (hidden, nets), o (nets,). An axis for sequences may stand before or behind that of the nets, if the
    weights have one of length 1 there.
    """
    net_h = w["a"] * x + w["b"]
    if "c" in w:
        net_h += w["c"] * o
    if "d" in w:
        net_h += w["d"] * h
    h = unit(net_h)
    net_o = (w["v"] * h).sum(axis=0) + w["q"] * x + w["e"]
    if "r" in w:
        net_o += w["r"] * o
    return h, unit(net_o)


def tanh_step(w: Weights, x: np.ndarray, h: np.ndarray, o: np.ndarray, unit: Callable) -> tuple[np.ndarray, np.ndarray]:
    """One time step of a fully recurrent tanh layer with a feed-forward output unit, doubled as `outputs` has it."""
    h = 2 * np.tanh(2 * (np.einsum("ijk,jk->ik", w["W"], h) + w["a"] * x + w["b"]))
    return h, unit((w["v"] * h).sum(axis=0) + w["e"])


def outputs(weights: Weights, sequences: Sequences) -> np.ndarray:
    """Outputs (S, nets) after the last step of every sequence. All activations are 0 at the beginning.

    Each net with each sequence is a lane of flat arrays. As 2 sigmoid(2z) = 1 + tanh(z), inputs and activations are
    doubled in the loop, weights a quarter and biases half of what they are. Float32 will do: these nets are saturated.
    """
    x, length, _ = sequences
    hidden, nets = weights["b"].shape
    one_step = tanh_step if "W" in weights else step
    order = np.argsort(-length)  # by falling length; a lane that is over is not touched any more
    steps = length.max() if nets else 0
    running = (length > np.arange(steps)[:, None]).sum(axis=1) * nets
    scaled = {name: (p / (2 if name in "be" else 4)).astype(np.float32) for name, p in weights.items()}
    w = {name: np.tile(p, len(length)) for name, p in scaled.items()}
    h, o = np.zeros((hidden, len(length) * nets), np.float32), np.zeros(len(length) * nets, np.float32)
    last = o.copy()
    for row, lanes in zip((2 * x[:steps, order]).astype(np.float32), running, strict=True):
        if lanes < len(o):
            last[lanes : len(o)] = o[lanes:]
            w, h, o = {name: p[..., :lanes] for name, p in w.items()}, h[:, :lanes], o[:lanes]
        h, o = one_step(w, np.repeat(row, nets)[:lanes], h, o, doubled_sigmoid)
    last[: len(o)] = o
    return last.reshape(len(length), nets)[np.argsort(order)] / 2


def bptt_loss_and_grad(weights: Weights, sequences: Sequences) -> tuple[np.ndarray, Weights]:
    """Cross-entropy (nets,) of the outputs at the ends of the sequences, and its exact gradient for every net."""
    x, length, target = sequences
    hidden, nets = weights["b"].shape
    T, S = int(length.max()), len(length)
    w = {name: p[..., None] for name, p in weights.items()}  # few nets, so the sequences make the last axis here
    h, o = np.zeros((T + 1, hidden, nets, S)), np.zeros((T + 1, nets, S))
    for t in range(T):
        h[t + 1], o[t + 1] = step(w, x[t], h[t], o[t])
    final = o[length, :, np.arange(S)].T
    right = np.where(target == 1, final, 1 - final)
    loss = -np.log(np.maximum(right, 1e-12)).mean(axis=1)

    slope_h, slope_o = h * (1 - h), o * (1 - o)
    delta_h, delta_o = np.zeros_like(h), np.zeros_like(o)  # d loss / d net input
    delta_o[length, :, np.arange(S)] = (final - target).T / S  # cross-entropy behind a logistic unit
    dh, do = np.zeros_like(h[0]), np.zeros_like(o[0])  # d loss / d activation, from the step behind
    for t in range(T, 0, -1):
        delta_o[t] += do * slope_o[t]
        delta_h[t] = (dh + w["v"] * delta_o[t]) * slope_h[t]
        do = w["r"] * delta_o[t] + (w["c"] * delta_h[t]).sum(axis=0)
        if "d" in w:
            dh = w["d"] * delta_h[t]
    x, delta_h, delta_o = x[:T, None], delta_h[1:], delta_o[1:]
    grads = {
        "a": (delta_h * x[:, None]).sum(axis=(0, 3)),
        "b": delta_h.sum(axis=(0, 3)),
        "c": (delta_h * o[:-1, None]).sum(axis=(0, 3)),
        "d": (delta_h * h[:-1]).sum(axis=(0, 3)),
        "v": (h[1:] * delta_o[:, None]).sum(axis=(0, 3)),
        "q": (delta_o * x).sum(axis=(0, 2)),
        "r": (delta_o * o[:-1]).sum(axis=(0, 2)),
        "e": delta_o.sum(axis=(0, 2)),
    }
    return loss, {name: grads[name] for name in weights}
