"""The memory cell of 1997 and a tanh unit: forward passes and error signals, over whole sequences.

Symbols: out, in, forget = gate activations y_out, y_in, y_phi; g = squashed cell input; s = cell state s_c;
h = squashed state; y = cell output y_c; z = net input; n cells, T steps, B sequences. Arrays are (time, unit,
sequence), so that what one kind of unit does in one step is one contiguous block. Every cell has gates of its own
here; cells that share the gates of a block get equal copies of them from the weights.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Trace(NamedTuple):
    """Every activation of a forward pass; time 0 is the state before the first step."""

    act: np.ndarray  # (T+1, rows, B): 1, x of the next step, y, then n rows each of out, in, (forget,) g
    s: np.ndarray  # (T+1, n, B) cell states
    h: np.ndarray  # (T+1, n, B) squashed states


def parts(act: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Views y, out, in, forget, g of `act`, each (T+1, n, B); without forget gates `forget` is not to be used."""
    return (*(act[:, 3 + k * n : 3 + (k + 1) * n] for k in range(4)), act[:, -n:])


def lstm_forward(params: dict[str, np.ndarray], x: np.ndarray) -> Trace:
    """Run n memory cells over x (T, 2, B). W is (rows, sources): 2 n + n rows, with forget gates 3 n + n.

    z(t) = W [1, x(t), y(t-1), out(t-1), in(t-1)]; out, in, forget = sigmoid(z); g = 4 sigmoid(z) - 2;
    s(t) = s(t-1) + in g, or forget s(t-1) + in g; y = out h(s), h = 2 sigmoid(s) - 1 (paper, appendix A.1). Each of
    these squashing functions is a scaled tanh of half its argument, so one tanh per step serves all units.
    """
    T, _, B = x.shape
    n, (rows, sources) = len(params["V"]), params["W"].shape
    W = params["W"] / 2
    act = np.zeros((T + 1, 3 + n + rows, B), W.dtype)
    act[:, 0], act[:-1, 1:3] = 1, x
    s, h = np.zeros((2, T + 1, n, B), W.dtype)
    y, out, in_, forget, g = parts(act, n)
    # Constants of full size: numpy multiplies equal shapes three times as fast as it broadcasts.
    scale, shift = np.full((2, rows, B), 0.5, W.dtype)
    scale[-n:], shift[-n:] = 2, 0  # gates = 1/2 + 1/2 tanh(z/2); g = 2 tanh(z/2)
    half = np.full((n, B), 0.5, W.dtype)
    for t in range(1, T + 1):
        z = np.dot(W, act[t - 1, :sources])
        np.tanh(z, out=z)
        z *= scale
        np.add(z, shift, out=act[t, 3 + n :])
        s_t, h_t = s[t], h[t]
        np.multiply(in_[t], g[t], out=s_t)
        s_t += forget[t] * s[t - 1] if rows > 3 * n else s[t - 1]
        np.multiply(s_t, half, out=h_t)
        np.tanh(h_t, out=h_t)
        np.multiply(out[t], h_t, out=y[t])
    return Trace(act, s, h)


@lru_cache
def scratch(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """One array for each shape, allocated once: in fresh memory the page faults cost more than the arithmetic."""
    return np.empty(shape, dtype)


def bptt(params: dict[str, np.ndarray], trace: Trace, length: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Errors dz (T, rows, B) at all units of lstm_forward by backpropagation through time.

    `dy` (n, B) is the gradient with respect to the cell outputs at the last step, `length` (B,), of each sequence.
    The result lies in memory that the next call uses again.
    """
    T, n, B = len(trace.s) - 1, *dy.shape
    rows, sources = params["W"].shape
    _, out, in_, forget, g = parts(trace.act, n)
    slope, local, dz = scratch((3, T + 1, rows, B), dy.dtype)
    np.subtract(1, trace.act[:, 3 + n :], out=slope)
    slope *= trace.act[:, 3 + n :]  # sigmoid'
    np.subtract(1, g * g / 4, out=slope[:, -n:])  # g' = 4 sigmoid' = 1 - g^2 / 4
    # local: what a unit of error of y (for out) or of s (for the others) amounts to at z
    np.multiply(slope[:, :n], trace.h, out=local[:, :n])
    np.multiply(slope[:, n : 2 * n], g, out=local[:, n : 2 * n])
    if rows > 3 * n:
        np.multiply(slope[1:, 2 * n : 3 * n], trace.s[:-1], out=local[1:, 2 * n : 3 * n])
    np.multiply(slope[:, -n:], in_, out=local[:, -n:])
    y_to_s = out * (1 - trace.h * trace.h) / 2  # dy / ds
    local_s = local[:, n:].reshape(T + 1, -1, n, B)
    dz_s = dz[:, n:].reshape(T + 1, -1, n, B)
    U = np.ascontiguousarray(params["W"][:, 3:].T)
    ds, back = np.zeros((n, B), dy.dtype), np.zeros((sources - 3, B), dy.dtype)
    dy_t, d_gates = back[:n], back[n:]  # gradients with respect to what the units feed back
    first_end = length.min()
    for t in range(T, 0, -1):
        if t < T:
            np.dot(U, dz[t + 1], out=back)
        if t >= first_end:
            dy_t += dy * (length == t)
        if rows > 3 * n and t < T:
            ds *= forget[t + 1]
        ds += dy_t * y_to_s[t]
        np.multiply(local[t, :n], dy_t, out=dz[t, :n])
        np.multiply(local_s[t], ds, out=dz_s[t])
        if len(d_gates):
            dz[t, : 2 * n] += d_gates * slope[t, : 2 * n]
    return dz[1:]


def truncated(params: dict[str, np.ndarray], trace: Trace, length: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Errors dz (T, rows, B) by the paper's truncated gradient (appendix A.1); arguments as in bptt.

    An error is cut off where it would leave a cell through its input or a gate. With one error per sequence the
    error e_s of a state is therefore the same at all earlier steps, and no backward loop is needed.
    """
    n, each = len(dy), np.arange(len(length))
    _, out, in_, _, g = parts(trace.act[1:], n)
    out_end, h_end = out[length - 1, :, each].T, trace.h[length, :, each].T
    e_s = dy * out_end * (1 - h_end * h_end) / 2
    e_s = e_s * (np.arange(len(g))[:, None] < length)[:, None]  # (T, n, B): nothing after the end
    dz_out = np.zeros_like(e_s)
    dz_out[length - 1, :, each] = (dy * h_end * out_end * (1 - out_end)).T
    return np.concatenate((dz_out, e_s * g * in_ * (1 - in_), e_s * in_ * (1 - g * g / 4)), axis=1)


def rnn_forward(params: dict[str, np.ndarray], x: np.ndarray) -> Trace:
    """Run y(t) = tanh(W [1, x(t), y(t-1)]) over x (T, 2, B); the state is the output itself."""
    T, _, B = x.shape
    W = params["W"]
    act = np.zeros((T + 1, W.shape[1], B), W.dtype)
    act[:, 0], act[:-1, 1:3] = 1, x
    y = act[:, 3:]
    for t in range(1, T + 1):
        np.tanh(np.dot(W, act[t - 1]), out=y[t])
    return Trace(act, y, y)


def rnn_bptt(params: dict[str, np.ndarray], trace: Trace, length: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Errors dz (T, units, B) of the tanh units by backpropagation through time; arguments as in bptt."""
    slope = 1 - trace.h * trace.h
    U = np.ascontiguousarray(params["W"][:, 3:].T)
    dz = np.zeros_like(slope)
    for t in range(len(slope) - 1, 0, -1):
        if t < len(slope) - 1:
            np.dot(U, dz[t + 1], out=dz[t])
        if t >= length.min():
            dz[t] += dy * (length == t)
        dz[t] *= slope[t]
    return dz[1:]
