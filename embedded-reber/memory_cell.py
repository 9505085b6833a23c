"""The memory cell of 1997 and a tanh unit: forward passes and error signals, over whole sequences.

Symbols: out, in, forget = gate activations y_out, y_in, y_phi; g = squashed cell input; s = cell state s_c;
h = squashed state; y = cell output y_c; z = net input; n cells, T steps, B sequences. Arrays are (time, unit,
sequence), so that what one kind of unit does in one step is one contiguous block. Every cell has gates of its own
here; cells that share the gates of a block get equal copies of them from the weights (see tying).
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Trace(NamedTuple):
    """Every activation of a forward pass; time 0 is the state before the first step."""

    x: np.ndarray  # (T, inputs, B)
    source: np.ndarray  # (T+1, sources, B): 1, x of the next step, y, and the gates that are fed back
    unit: np.ndarray  # (T+1, rows, B): n rows each of out, in, (forget,) g
    y: np.ndarray  # (T+1, n, B) cell outputs
    s: np.ndarray  # (T+1, n, B) cell states
    h: np.ndarray  # (T+1, n, B) squashed states


def kinds(unit: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Views out, in, forget, g of `unit`, each (T, n, B); without forget gates `forget` is not to be used."""
    return unit[:, :n], unit[:, n : 2 * n], unit[:, 2 * n : 3 * n], unit[:, -n:]


@lru_cache
def tying(inputs: int, blocks: int, cells: int, gates: int = 2, fed_back: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Matrices E, F such that E W F gives every cell gates of its own: copies of the `gates` gates of its block.

    W has a row for every gate and cell, and a column for the constant 1, every input, cell output and gate of the first
    `fed_back` kinds. What a gate feeds back comes from `cells` equal copies, so F divides it by their number.
    """
    n, copies = blocks * cells, np.repeat(np.eye(blocks), cells, axis=0)  # (n, blocks)
    E = np.zeros(((gates + 1) * n, gates * blocks + n), np.float32)
    E[: gates * n, : gates * blocks], E[gates * n :, gates * blocks :] = np.kron(np.eye(gates), copies), np.eye(n)
    direct = 1 + inputs + n
    F = np.zeros((direct + fed_back * blocks, direct + fed_back * n), np.float32)
    F[:direct, :direct], F[direct:, direct:] = np.eye(direct), np.kron(np.eye(fed_back), copies.T / cells)
    return E, F


def lstm_forward(W: np.ndarray, x: np.ndarray, n: int) -> Trace:
    """Run n memory cells over x (T, inputs, B). W is (rows, sources); rows = 3 n, with forget gates 4 n.

    z(t) = W [1, x(t), y(t-1), out(t-1), in(t-1)], the last two only if W has columns for them; out, in, forget =
    sigmoid(z); g = 4 sigmoid(z) - 2; s(t) = s(t-1) + in g, or forget s(t-1) + in g; y = out h(s), h = 2 sigmoid(s) - 1
    (paper, appendix A.1). Each of these squashing functions is a scaled tanh of half its argument, so one tanh per step
    serves all units.
    """
    T, inputs, B = x.shape
    rows, sources = W.shape
    W, first = W / 2, 1 + inputs
    act = np.zeros((T + 1, first + n + rows, B), W.dtype)  # sources and units overlap in the gates fed back
    act[:, 0], act[:-1, 1:first] = 1, x
    s, h = np.zeros((2, T + 1, n, B), W.dtype)
    trace = Trace(x, act[:, :sources], act[:, first + n :], act[:, first : first + n], s, h)
    out, in_, forget, g = kinds(trace.unit, n)
    # Constants of full size: numpy multiplies equal shapes three times as fast as it broadcasts.
    scale, shift = np.full((2, rows, B), 0.5, W.dtype)
    scale[-n:], shift[-n:] = 2, 0  # gates = 1/2 + 1/2 tanh(z/2); g = 2 tanh(z/2)
    half = np.full((n, B), 0.5, W.dtype)
    z, before = np.empty((rows, B), W.dtype), s[0]
    # zip hands out the views of one step in half the time of indexing
    of_step = zip(*(a[1:] for a in (trace.unit, out, in_, forget, g, s, h, trace.y)), strict=True)
    for source_t, (unit_t, out_t, in_t, forget_t, g_t, s_t, h_t, y_t) in zip(trace.source[:-1], of_step, strict=True):
        np.dot(W, source_t, out=z)
        np.tanh(z, out=z)
        z *= scale
        np.add(z, shift, out=unit_t)
        np.multiply(in_t, g_t, out=s_t)
        s_t += forget_t * before if rows > 3 * n else before
        np.multiply(s_t, half, out=h_t)
        np.tanh(h_t, out=h_t)
        np.multiply(out_t, h_t, out=y_t)
        before = s_t
    return trace


@lru_cache
def scratch(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """One array for each shape, allocated once: in fresh memory the page faults cost more than the arithmetic."""
    return np.empty(shape, dtype)


def bptt(W: np.ndarray, trace: Trace, dy: np.ndarray) -> np.ndarray:
    """Errors dz (T, rows, B) at all units of lstm_forward by backpropagation through time.

    `dy` (T, n, B) is the gradient with respect to the cell outputs. The result lies in memory that the next call uses
    again.
    """
    T, n, B = dy.shape
    rows, U = len(W), np.ascontiguousarray(W[:, 1 + trace.x.shape[1] :].T)
    unit, h = trace.unit[1:], trace.h[1:]
    out, in_, forget, g = kinds(unit, n)
    slope, local, dz = scratch((3, T, rows, B), dy.dtype)
    np.subtract(1, unit, out=slope)
    slope *= unit  # sigmoid'
    np.subtract(1, g * g / 4, out=slope[:, -n:])  # g' = 4 sigmoid' = 1 - g^2 / 4
    # local: what a unit of error of y (for out) or of s (for the others) amounts to at z
    np.multiply(slope[:, :n], h, out=local[:, :n])
    np.multiply(slope[:, n : 2 * n], g, out=local[:, n : 2 * n])
    if rows > 3 * n:
        np.multiply(slope[:, 2 * n : 3 * n], trace.s[:-1], out=local[:, 2 * n : 3 * n])
    np.multiply(slope[:, -n:], in_, out=local[:, -n:])
    y_to_s = out * (1 - h * h) / 2  # dy / ds
    local_s, dz_s = local[:, n:].reshape(T, -1, n, B), dz[:, n:].reshape(T, -1, n, B)
    ds, back = np.zeros((n, B), dy.dtype), np.zeros((len(U), B), dy.dtype)
    e, d_gates = back[:n], back[n:]  # gradients with respect to y(t) and to the gates that are fed back
    of_step = (dz, dz[:, :n], dz_s, dz[:, : 2 * n], slope[:, : 2 * n], local[:, :n], local_s, y_to_s, forget, dy)
    steps = zip(dy.any(axis=(1, 2))[::-1], *(a[::-1] for a in of_step), strict=True)
    for has_error, dz_t, dz_out, dz_s_t, dz_gates, slope_t, local_out, local_s_t, y_to_s_t, forget_t, dy_t in steps:
        if has_error:
            e += dy_t
        ds += e * y_to_s_t
        np.multiply(local_out, e, out=dz_out)
        np.multiply(local_s_t, ds, out=dz_s_t)
        if len(d_gates):
            dz_gates += d_gates * slope_t
        np.dot(U, dz_t, out=back)
        if rows > 3 * n:
            ds *= forget_t
    return dz


def truncated(_: np.ndarray, trace: Trace, dy: np.ndarray) -> np.ndarray:
    """Errors dz (T, 3 n, B) by the paper's truncated gradient (appendix A.1); arguments as in bptt.

    An error is cut off where it would leave a cell through its input or a gate, so the weights do not matter. The error
    e_s of a state is the sum of what enters it at this and all later steps, and no backward loop is needed.
    """
    out, in_, _, g = kinds(trace.unit[1:], dy.shape[1])
    h = trace.h[1:]
    e_s = np.cumsum((dy * out * (1 - h * h) / 2)[::-1], axis=0)[::-1]
    return np.concatenate((dy * h * out * (1 - out), e_s * g * in_ * (1 - in_), e_s * in_ * (1 - g * g / 4)), axis=1)


def rnn_forward(W: np.ndarray, x: np.ndarray, n: int) -> Trace:
    """Run n units y(t) = tanh(W [1, x(t), y(t-1)]) over x (T, inputs, B); the state is the output itself."""
    T, inputs, B = x.shape
    source = np.zeros((T + 1, 1 + inputs + n, B), W.dtype)
    source[:, 0], source[:-1, 1 : 1 + inputs] = 1, x
    y = source[:, 1 + inputs :]
    for source_t, y_t in zip(source[:-1], y[1:], strict=True):
        np.tanh(np.dot(W, source_t), out=y_t)
    return Trace(x, source, y, y, y, y)


def rnn_bptt(W: np.ndarray, trace: Trace, dy: np.ndarray) -> np.ndarray:
    """Errors dz (T, n, B) of the tanh units by backpropagation through time; arguments as in bptt."""
    slope, dz = 1 - trace.y[1:] * trace.y[1:], np.zeros_like(dy)
    U, back = np.ascontiguousarray(W[:, 1 + trace.x.shape[1] :].T), np.zeros_like(dy[0])
    for dy_t, dz_t, slope_t in zip(dy[::-1], dz[::-1], slope[::-1], strict=True):
        back += dy_t
        np.multiply(back, slope_t, out=dz_t)
        np.dot(U, dz_t, out=back)
    return dz


def weight_grad(dz: np.ndarray, trace: Trace) -> np.ndarray:
    """Gradient (rows, sources) with respect to W from the errors dz (T, rows, B) of all units."""
    return np.tensordot(dz, trace.source[:-1], ((0, 2), (0, 2)))
