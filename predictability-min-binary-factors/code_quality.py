"""What a code is worth: V of perfect predictors, whether it is factorial, which bits it recovers."""

from typing import NamedTuple

import numpy as np

from unpredictability_game import probabilities


def ideal_V(y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """V (R,) of codes y (R, N, M) if every predictor is perfect: P_i(c) is the mean of y_i given the other bits c."""
    M, q = y.shape[-1], probabilities(y)
    often, target = weight @ q, np.swapaxes(weight[:, None] * y, 1, 2) @ q
    P = np.empty_like(target)
    for i in range(M):
        flipped = np.arange(2**M) ^ 2 ** (M - 1 - i)  # the same bits but for the unit's own
        P[:, i] = (target[:, i] + target[:, i, flipped]) / np.maximum(often + often[:, flipped], 1e-300)
    return (weight @ (y * y)).sum(axis=1) - (2 * target * P - often[:, None] * P * P).sum(axis=(1, 2))


class Codes(NamedTuple):
    """What kind of codes y (R, N, M) are."""

    factorial: np.ndarray  # (R,) see judge
    outputs: np.ndarray  # (R,) number of different outputs
    constant: np.ndarray  # (R, M) units that do the same for all patterns


def judge(y: np.ndarray, weight: np.ndarray) -> Codes:
    """A code is factorial if all units are binary or constant, all outputs differ, and P(p) = prod_i P(y_i(p)).

    Binary is within 0.1 of 0 or 1 for all patterns, constant a range below 0.1; constant units are then left out.
    """
    constant = np.ptp(y, axis=1) < 0.1
    binary = (np.minimum(y, 1 - y) < 0.1).all(axis=1)
    bits = (y > 0.5) & ~constant[:, None]
    number = np.sort(bits @ 2 ** np.arange(y.shape[-1]), axis=1)
    outputs = 1 + (np.diff(number, axis=1) > 0).sum(axis=1)
    on = (weight @ bits)[:, None]
    independent = (abs(np.where(bits, on, 1 - on).prod(axis=2) - weight) < 1e-9).all(axis=1)
    return Codes((constant | binary).all(axis=1) & (outputs == len(weight)) & independent, outputs, constant)


def correct_bits(y: np.ndarray, b: np.ndarray) -> float:
    """Share of the signs b (n, M) that y > 0.5 (n, M) shows, a unit for each; best pairs come first."""
    hits = np.where(y > 0.5, 1.0, -1.0).T @ b / len(b)
    correct = []
    for _ in range(len(hits)):
        i, j = np.unravel_index(abs(hits).argmax(), hits.shape)
        correct.append((1 + abs(hits[i, j])) / 2)
        hits[i], hits[:, j] = 0, 0
    return float(np.mean(correct))


def information(y: np.ndarray) -> np.ndarray:
    """Mutual information (M, M) in nats between units that are on with probabilities y (n, M)."""
    on = np.stack([1 - y, y])  # (2, n, M)
    joint = np.einsum("ani,bnj->abij", on, on) / len(y)
    single = on.mean(axis=1)
    independent = single[:, None, :, None] * single[None, :, None, :]
    return (joint * np.log(np.maximum(joint, 1e-300) / np.maximum(independent, 1e-300))).sum(axis=(0, 1))
