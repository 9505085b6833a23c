"""A recurrent net that predicts its next input, with an error flow of so many steps.

Arrays of a sequence have the axes (step, stream, unit), of sizes T, B and so on. An input is a one-hot symbol, then the
target d: +1, -1, or 0 where there is none.
"""

import numpy as np

Net = dict[str, np.ndarray]  # W (hidden, sources) and V (outputs, sources); the sources are 1, the input and h


def init(rng: np.random.Generator, inputs: int, hidden: int, outputs: int) -> Net:
    """Weights of a net; the outputs are the symbols, the target unit and, in A, a copy of C."""
    W = rng.normal(0, 0.3, (hidden, 1 + inputs + hidden))
    W[:, 1 + inputs :] /= np.sqrt(max(hidden, 1))
    return {"W": W, "V": rng.normal(0, 0.1, (outputs, 1 + inputs + hidden))}


def sources(x: np.ndarray, h: np.ndarray) -> np.ndarray:
    """What a layer reads: 1, the input and hidden units, (T, B, sources)."""
    return np.concatenate((np.ones((*x.shape[:2], 1)), x, h), axis=2)


def run(net: Net, x: np.ndarray, h0: np.ndarray, critical: np.ndarray | None = None) -> np.ndarray:
    """States h (T+1, B, hidden) before and after each input of x (T, B, inputs), h = tanh(W [1, x, h]).

    With `critical` (T, B) the net reads critical inputs only and keeps its state at the others.
    """
    inputs = x.shape[2]
    drive = x @ net["W"][:, 1 : 1 + inputs].T + net["W"][:, 0]
    recurrent = np.ascontiguousarray(net["W"][:, 1 + inputs :].T)
    h = np.empty((len(x) + 1, *h0.shape))
    h[0] = h0
    for t in range(len(x)):
        np.tanh(drive[t] + h[t] @ recurrent, out=h[t + 1])
        if critical is not None:
            h[t + 1, ~critical[t]] = h[t, ~critical[t]]
    return h


def outputs(net: Net, x: np.ndarray, h: np.ndarray) -> np.ndarray:
    """Outputs V [1, x, h] (T, B, outputs) after each input: softmax over symbols, sigmoid target unit, linear rest."""
    y = sources(x, h[1:]) @ net["V"].T
    symbols = x.shape[2] - 1
    y[..., :symbols] = softmax(y[..., :symbols])
    y[..., symbols] = sigmoid(y[..., symbols])
    return y


def prediction_errors(y: np.ndarray, following: np.ndarray) -> np.ndarray:
    """Derivatives (T, B, outputs) of the cross-entropy of outputs y about the inputs that followed.

    The symbol counts at every step, the target where there is one.
    """
    symbols, d = following.shape[2] - 1, following[..., -1]
    dy = np.zeros_like(y)
    dy[..., :symbols] = y[..., :symbols] - following[..., :symbols]
    dy[..., symbols] = np.where(d == 0, 0, y[..., symbols] - (d + 1) / 2)
    return dy


def probability(y: np.ndarray, following: np.ndarray) -> np.ndarray:
    """Probability (T, B) that outputs y gave the inputs that followed: symbol or target, whichever got less."""
    symbols, d = following.shape[2] - 1, following[..., -1]
    symbol = (y[..., :symbols] * following[..., :symbols]).sum(axis=2)
    target = np.where(d == 0, 1, np.where(d > 0, y[..., symbols], 1 - y[..., symbols]))
    return np.minimum(symbol, target)


def error_signals(net: Net, x: np.ndarray, h: np.ndarray, dy: np.ndarray, flow: int) -> np.ndarray:
    """Derivatives (T, B, hidden) of the loss by the hidden units' net inputs; no error flows back over `flow` steps."""
    recurrent, slope = net["W"][:, 1 + x.shape[2] :], 1 - h[1:] ** 2
    delta = dy @ net["V"][:, 1 + x.shape[2] :] * slope
    if flow >= len(x) - 1:  # nothing is cut
        for t in range(len(x) - 2, -1, -1):
            delta[t] += delta[t + 1] @ recurrent * slope[t]
        return delta
    total = delta.copy()
    for k in range(1, flow + 1):  # the errors of all steps go back one step further
        delta = delta[1:] @ recurrent * slope[:-k]
        total[:-k] += delta
    return total


def gradient(net: Net, x: np.ndarray, h: np.ndarray, dy: np.ndarray, flow: int) -> Net:
    """Gradient, truncated after `flow` steps, of the loss whose derivatives by the outputs are dy."""
    delta, read = error_signals(net, x, h, dy, flow), net["W"].shape[1]
    return {
        "W": delta.reshape(-1, delta.shape[2]).T @ sources(x, h[:-1]).reshape(-1, read),
        "V": dy.reshape(-1, dy.shape[2]).T @ sources(x, h[1:]).reshape(-1, read),
    }


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logistic function of an array of any shape; the tanh form cannot overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def softmax(x: np.ndarray) -> np.ndarray:
    """Softmax over the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
