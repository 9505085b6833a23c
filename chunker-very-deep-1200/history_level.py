"""One level of the hierarchy: a recurrent net that predicts its inputs and passes on those it failed to predict."""

from typing import NamedTuple

import numpy as np

Net = dict[str, np.ndarray]  # X (symbols, H), e (H), R (H, H), b (H) of the hidden units; V (H, symbols), c (symbols)


class Streams(NamedTuple):
    symbols: np.ndarray  # (T, B) inputs of a level, -1 after the end
    times: np.ndarray  # (T, B) the time step each of them comes from, 0 ... T-1


class Reading(NamedTuple):
    read: Streams  # inputs of a level
    own: np.ndarray  # (T, B) probability that it gave each of them, 0 for the first
    passed: Streams  # what it passes on


def pick(streams: Streams, which: np.ndarray) -> Streams:
    """Some of the streams, without what is padding in all of them."""
    T = int((streams.symbols[:, which] >= 0).sum(axis=0).max())
    return Streams(streams.symbols[:T, which], streams.times[:T, which])


def distinct(streams: Streams) -> tuple[Streams, np.ndarray]:
    """The different ones among streams with the same times, and which of them each stream (B,) is."""
    number: dict[bytes, int] = {}
    which = [number.setdefault(column.tobytes(), k) for k, column in enumerate(streams.symbols.T)]
    first, which = np.unique(which, return_inverse=True)
    return pick(streams, first), which


def elapsed(times: np.ndarray) -> np.ndarray:
    """exp(-dt/50) for the time steps dt since the level's latest input, 1 for the first input."""
    return np.exp(-np.diff(times, axis=0, prepend=times[:1]) / 50)


def run(net: Net, streams: Streams) -> np.ndarray:
    """States h (T+1, B, units) before and after each input: h = tanh(X[symbol] + e elapsed + R h + b).

    A few long streams are cut into pieces that run side by side, again and again, each from the state that the piece
    before it has reached, until that is the state it began with. As nets forget, two or three times are enough.
    """
    drive = net["X"][streams.symbols] + elapsed(streams.times)[..., None] * net["e"] + net["b"]
    T, B, H = drive.shape
    pieces = max(1, T // 40) if B <= 4 else 1
    if pieces > 1:
        n = -(-T // pieces)
        drive = np.concatenate((drive, np.zeros((n * pieces - T, B, H)))).reshape(pieces, n, B, H)
        drive = np.moveaxis(drive, 1, 0).reshape(n, pieces * B, H)
    h, R = np.zeros((len(drive) + 1, *drive.shape[1:])), net["R"]
    while True:
        for t in range(len(drive)):
            np.tanh(np.dot(h[t], R) + drive[t], out=h[t + 1])
        if pieces == 1 or (np.abs(h[-1, :-B] - h[0, B:]) < 1e-12).all():
            break
        h[0, B:] = h[-1, :-B]
    if pieces > 1:
        joined = np.moveaxis(h[1:].reshape(n, pieces, B, H), 1, 0).reshape(-1, B, H)
        h = np.concatenate((h[:1, :B], joined[:T]))
    return h


def product(a: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """a @ matrix for a (T, B, units): numpy makes T products of it, which for a few streams is slower than one."""
    return (a.reshape(-1, len(matrix)) @ matrix).reshape(*a.shape[:2], -1) if a.shape[1] <= 4 else a @ matrix


def predict(net: Net, h: np.ndarray) -> np.ndarray:
    """Probabilities (T-1, B, symbols) of each input but the first, given the inputs before it."""
    return softmax(product(h[1:-1], net["V"]) + net["c"])


def chosen(p: np.ndarray, symbols: np.ndarray) -> np.ndarray:
    """Probability (T-1, B) in p that each input but the first had; 1 after the end."""
    following = symbols[1:]
    own = np.take_along_axis(p, np.maximum(following, 0)[..., None], axis=2)[..., 0]
    return np.where(following < 0, 1.0, own)


def given(net: Net, streams: Streams) -> np.ndarray:
    """Probability (T, B) that the net gave each input, 0 for the first; 250 streams at a time to save memory."""
    own = np.ones(streams.symbols.shape)
    own[0] = 0
    for k in range(0, own.shape[1], 250):
        part = pick(streams, np.arange(k, min(k + 250, own.shape[1])))
        own[1 : len(part.symbols), k : k + 250] = chosen(predict(net, run(net, part)), part.symbols)
    return own


def error_signals(net: Net, h: np.ndarray, dh: np.ndarray, flow: int) -> np.ndarray:
    """Derivatives of the loss by the units' net inputs (T, B, units) if no error flows back over `flow` steps."""
    slope, back = 1 - h[1:] ** 2, np.ascontiguousarray(net["R"].T)
    delta = dh * slope
    if flow >= len(delta) - 1:  # nothing is cut
        for t in range(len(delta) - 2, -1, -1):
            delta[t] += delta[t + 1] @ back * slope[t]
        return delta
    total = delta.copy()
    for k in range(1, flow + 1):  # the errors of all steps go back one step further
        delta = product(delta[1:], back) * slope[:-k]
        total[:-k] += delta
    return total


def level_loss_and_grad(net: Net, streams: Streams, flow: int, emphasis: float = 0.0) -> tuple[float, Net]:
    """Mean cross-entropy of all inputs but the first, plus `emphasis` times that of the last; truncated gradient."""
    symbols, (H, K) = streams.symbols, net["V"].shape
    h = run(net, streams)
    p = predict(net, h)
    there = symbols[1:] >= 0
    weight = there / there.sum()
    B = symbols.shape[1]
    if emphasis:
        weight[there.sum(axis=0) - 1, np.arange(B)] += emphasis / B
    loss = -float((weight * np.log(chosen(p, symbols))).sum())
    dy = weight[..., None] * (p - np.eye(K)[symbols[1:]])
    dh = np.zeros_like(h[1:])
    dh[:-1] = product(dy, net["V"].T)
    delta = error_signals(net, h, dh, flow).reshape(-1, H)
    dy = dy.reshape(-1, K)
    return loss, {
        "X": np.eye(K)[symbols.ravel()].T @ delta,
        "e": elapsed(streams.times).ravel() @ delta,
        "R": h[:-1].reshape(-1, H).T @ delta,
        "b": delta.sum(axis=0),
        "V": h[1:-1].reshape(-1, H).T @ dy,
        "c": dy.sum(axis=0),
    }


def reach(net: Net, stream: Streams) -> np.ndarray:
    """Size of the derivatives of the last input's cross-entropy by the states 0, 1, 2, ... steps earlier."""
    h, last = run(net, stream)[1:-1], stream.symbols[-1]
    if len(h) == 0:
        return np.ones(1)
    dh = (softmax(h[-1:] @ net["V"] + net["c"])[0] - np.eye(net["V"].shape[1])[last]) @ net["V"].T
    derivatives, slopes, back = [], 1 - h**2, net["R"].T
    for slope in slopes[::-1]:
        derivatives.append(dh[0])
        dh = dh * slope @ back
    return np.linalg.norm(derivatives, axis=1)


def compress(streams: Streams, critical: np.ndarray) -> Streams:
    """The critical ones (T, B) among the inputs of a level, moved together."""
    T = int(critical.sum(axis=0).max())
    order = np.argsort(~critical, axis=0, kind="stable")[:T]
    symbols, times = (np.take_along_axis(array, order, axis=0) for array in streams)
    return Streams(np.where(np.arange(T)[:, None] < critical.sum(axis=0), symbols, -1), times)


def climb(nets: list[Net], streams: Streams, confidence: float, known: list[Reading]) -> list[Reading]:
    """What every level reads of the streams and passes on, given what the lowest ones do.

    A level passes on its first input, and every one that it gave less probability than `confidence`.
    """
    readings = list(known)
    for net in nets[len(known) :]:
        read = readings[-1].passed if readings else streams
        own = given(net, read)
        readings.append(Reading(read, own, compress(read, own < confidence)))
    return readings


def expand(net: Net, symbols: np.ndarray, critical: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Inverse of compress: the inputs (T, B) of a level, from the symbols it passed on and the places they had.

    What was not passed on is what the level holds most probable. `times` are those of the inputs.
    """
    h, gap, column = np.zeros((critical.shape[1], len(net["R"]))), elapsed(times), np.arange(critical.shape[1])
    place, inputs = np.cumsum(critical, axis=0) - critical, np.empty(critical.shape, int)
    for t in range(len(critical)):
        probable = np.argmax(h @ net["V"] + net["c"], axis=1)
        inputs[t] = np.where(critical[t], symbols[np.minimum(place[t], len(symbols) - 1), column], probable)
        h = np.tanh(net["X"][inputs[t]] + gap[t, :, None] * net["e"] + net["b"] + h @ net["R"])
    return inputs


def softmax(x: np.ndarray) -> np.ndarray:
    """Softmax over the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
