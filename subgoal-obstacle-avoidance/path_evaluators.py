"""Evaluators E: what a path will cost, and how that changes with every way-point. Two are formulas, one is learned.

An evaluator maps paths (..., n) and discs (..., D) to costs J (...) and gradients dJ/dx + i dJ/dy (..., n).
"""

from collections.abc import Callable

import numpy as np

from obstacle_arena import MARGIN, RADIUS, SIDE, into_arena, nearest, points, reals, suffered_cost, uniform
from relu_net import Net, backward, forward

Evaluator = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def hinge_cost(path: np.ndarray, discs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cost J (...) of paths, and its gradient (..., n) in all way-points.

    J = length + 60 sum max(0, RADIUS + MARGIN - distance)^2 over legs and discs + 20 |way outside the arena|^2.
    """
    t, away = nearest(path, discs)
    distance = np.maximum(np.abs(away), 1e-12)
    depth = np.maximum(0, RADIUS + MARGIN - distance)
    push = 120 * depth / distance * away  # dJ / d(nearest point); that this point slides along the leg adds nothing
    leg, outside = np.diff(path), path - into_arena(path)
    size = np.abs(leg)
    unit = leg / np.maximum(size, 1e-12)
    grad = 40 * outside
    at_end = (t * push).sum(axis=-1)
    grad[..., 1:] += unit + at_end
    grad[..., :-1] -= unit + at_end - push.sum(axis=-1)
    outside = (outside.real**2 + outside.imag**2).sum(axis=-1)
    return size.sum(axis=-1) + 60 * (depth**2).sum(axis=(-1, -2)) + 20 * outside, grad


def cone_cost(path: np.ndarray, discs: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Cost (...) of paths over conical swamps, the area of each cone's cross-section, and its gradient (..., n).

    A cone has height 1 - r / radius at distance r from its centre. With d the distance of the line from the centre and
    u the place on it, the area is the integral of 1 - sqrt(d^2 + u^2) / radius over the part of the leg where it is
    positive: [u - (u r + d^2 asinh(u / d)) / (2 radius)].
    """
    leg = np.diff(path)[..., None]
    size = np.maximum(np.abs(leg), 1e-12)
    unit = leg / size
    first = (path[..., :-1, None] - discs[..., None, :]) * unit.conj()  # u + id at the beginning of the leg
    d, ends = first.imag, np.stack([first.real, first.real + size])
    half = np.sqrt(np.maximum(0, radius**2 - d**2))
    u = np.clip(ends, -half, half)
    r, angle = np.hypot(u, d), np.arcsinh(u / np.maximum(np.abs(d), 1e-12))
    area = np.diff(u - (u * r + d**2 * angle) / (2 * radius), axis=0)[0]
    height = np.maximum(0, 1 - np.hypot(ends, d) / radius)
    tilt = -d / radius * np.diff(angle, axis=0)[0]  # integral of d height / dd
    tilt_end = (-d / radius * np.diff(r, axis=0)[0] - ends[0] * tilt) / size  # of the same, times the part of the leg
    grad = np.zeros_like(path)
    grad[..., 1:] += (unit * (height[1] + 1j * tilt_end)).sum(axis=-1)
    grad[..., :-1] += (unit * (-height[0] + 1j * (tilt - tilt_end))).sum(axis=-1)
    return area.sum(axis=(-1, -2)), grad


# The learned evaluator: a net says what a move costs if there is one disc, and these costs are summed over discs


def evaluator_inputs(a: np.ndarray, b: np.ndarray, discs: np.ndarray) -> np.ndarray:
    """(..., 4) from (...): the move and where the disc is, both seen from the beginning of the move, in units of 5."""
    return reals(np.stack(np.broadcast_arrays(b - a, discs - a), axis=-1)) / 5


def evaluator_loss_and_grad(E: Net, x: np.ndarray, cost: np.ndarray) -> tuple[float, Net]:
    """Mean squared error of the costs (B,) that E predicts from x (B, 4)."""
    activities = forward(E, x)
    error = activities[-1] - cost[:, None]
    grads, _ = backward(E, activities, 2 * error / len(x))
    return float((error**2).mean()), grads


def learned_cost(E: Net, path: np.ndarray, discs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Like hinge_cost, but all that is known comes from the net E: its outputs, and their derivatives."""
    x = evaluator_inputs(path[..., :-1, None], path[..., 1:, None], discs[..., None, :]).astype(E["W1"].dtype)
    activities = forward(E, x.reshape(-1, 4))
    cost = activities[-1].reshape(x.shape[:-1]).sum(axis=(-1, -2))
    _, dx = backward(E, activities, np.ones_like(activities[-1]))
    dleg, ddisc = np.moveaxis(points(dx / 5).reshape(*x.shape[:-1], 2).sum(axis=-2), -1, 0)
    grad = np.zeros_like(path)
    grad[..., 1:] += dleg
    grad[..., :-1] -= dleg + ddisc
    return cost, grad


def random_moves(rng: np.random.Generator, n: int, toll: float) -> tuple[np.ndarray, np.ndarray]:
    """What E learns from: inputs (n, 4) and suffered costs (n,) of moves around a disc; half of them begin near it."""
    disc = np.zeros(n, complex)
    a, b = uniform(rng, -0.8 * SIDE, 0.8 * SIDE, (2, n))
    a[::2] = uniform(rng, -0.25 * SIDE, 0.25 * SIDE, a[::2].shape)
    return evaluator_inputs(a, b, disc), suffered_cost(a, b, disc, toll)
