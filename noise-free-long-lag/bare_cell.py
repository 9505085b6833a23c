"""A memory cell without output gate that nothing feeds back to, over whole sequences: forward pass and error signals.

It is the cell of the paper's tasks 2a and 2b. Because its gate and its input hear only the symbols, its state is a
plain sum over time, and neither direction needs a loop. Symbols and axes are those of memory_cell.
"""

import numpy as np

from memory_cell import Trace


def bare_forward(z: np.ndarray) -> Trace:
    """Run n cells on their net inputs z (T, 2 n, B): n rows of input gates, n of cell inputs.

    in = sigmoid(z), g = 4 sigmoid(z) - 2, s(t) = s(t-1) + in g; the state is the output as well.
    """
    n = z.shape[1] // 2
    unit = np.tanh(z / 2)
    unit[:, :n] = 0.5 + 0.5 * unit[:, :n]
    unit[:, n:] *= 2
    s = np.cumsum(unit[:, :n] * unit[:, n:], axis=0)
    unit, s = (np.concatenate((np.zeros_like(a[:1]), a)) for a in (unit, s))  # time 0
    return Trace(z, np.empty(0), unit, s, s, s)


def bare_errors(_: np.ndarray, trace: Trace, dy: np.ndarray) -> np.ndarray:
    """Errors dz (T, 2 n, B) at gates and cell inputs from the gradient dy (T, n, B) with respect to the outputs.

    Each state counts in its own and in all later outputs, so its error is a sum from the end. No weights are needed.
    """
    in_, g = np.split(trace.unit[1:], 2, axis=1)
    e_s = np.cumsum(dy[::-1], axis=0)[::-1]
    return np.concatenate((e_s * g * in_ * (1 - in_), e_s * in_ * (1 - g * g / 4)), axis=1)
