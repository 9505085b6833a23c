"""Arenas with round obstacles, the executer that moves straight from way-point to way-point, and what its moves cost.

A point of the plane is a complex number x + iy. So is a gradient: dJ/dx + i dJ/dy. Paths are arrays (..., n) of points;
discs (..., D), the centres of obstacles, must broadcast with the leading axes of the path.
"""

from typing import NamedTuple

import numpy as np

SIDE = 10.0  # of the square arena
RADIUS = 0.8  # of the discs
MARGIN = 0.25  # by which a move should miss a disc
STEP, STEPS = 0.4, 80  # length of a step of the executer, and how many it may take


class Arenas(NamedTuple):
    start: np.ndarray  # (B,)
    goal: np.ndarray  # (B,)
    discs: np.ndarray  # (B, D) centres


def reals(z: np.ndarray) -> np.ndarray:
    """Complex (..., k) as real (..., 2 k)."""
    return np.ascontiguousarray(z).view(z.real.dtype)


def points(x: np.ndarray) -> np.ndarray:
    """Real (..., 2 k) as complex (..., k)."""
    return np.ascontiguousarray(x).view(np.result_type(x.dtype, np.complex64))


def uniform(rng: np.random.Generator, low: float, high: float, shape: tuple[int, ...]) -> np.ndarray:
    """Points of the square [low, high]^2."""
    return rng.uniform(low, high, (*shape, 2)) @ (1, 1j)


def sample_arenas(rng: np.random.Generator, n: int, task: str, discs: int) -> Arenas:
    """n arenas whose first disc lies near the line from start to goal; task "fixed" has one start and one goal."""
    found, missing = [], n
    while missing > 0:
        draw = 4 * missing + 20
        start, goal = uniform(rng, 0.5, SIDE - 0.5, (2, draw))
        if task == "fixed":
            start, goal = np.full(draw, 1 + 1j), np.full(draw, 9 + 9j)
        first = start + rng.uniform(0.3, 0.7, draw) * (goal - start) + uniform(rng, -0.5, 0.5, (draw,))
        others = uniform(rng, 1.5, 8.5, (draw, discs - 1))
        centres = np.concatenate([first[:, None], others], axis=1)
        apart = np.abs(centres[:, :, None] - centres[:, None]) + 2 * np.eye(discs) >= 2
        ends = np.stack([start, goal], axis=1)
        good = apart.all(axis=(1, 2)) & (np.abs(goal - start) >= 6)
        good &= (np.abs(others[:, :, None] - ends[:, None]) >= 1.5).all(axis=(1, 2))
        found.append([array[good][:missing] for array in (start, goal, centres)])
        missing -= len(found[-1][0])
    return Arenas(*(np.concatenate(arrays) for arrays in zip(*found, strict=True)))


def nearest(path: np.ndarray, discs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each leg and disc, (..., n - 1, D): where the leg is nearest, t from 0 to 1, and the vector from there."""
    a, leg = path[..., :-1, None], np.diff(path)[..., None]
    to_disc = discs[..., None, :] - a
    square = leg.real**2 + leg.imag**2
    t = (to_disc.real * leg.real + to_disc.imag * leg.imag) / np.where(square > 0, square, 1)
    t = np.minimum(np.maximum(t, 0), 1)
    return t, to_disc - t * leg


def succeeds(path: np.ndarray, discs: np.ndarray) -> np.ndarray:
    """Whether the executer gets to the end of each path (...): no leg hits a disc or leaves the arena, enough steps."""
    steps = np.ceil(np.abs(np.diff(path)) / STEP - 1e-9).sum(axis=-1)
    inside = (path == into_arena(path)).all(axis=-1)
    return inside & (steps <= STEPS) & (np.abs(nearest(path, discs)[1]) >= RADIUS).all(axis=(-1, -2))


def length(path: np.ndarray) -> np.ndarray:
    """Length (...) of paths."""
    return np.abs(np.diff(path)).sum(axis=-1)


def into_arena(points: np.ndarray) -> np.ndarray:
    """The nearest points of the arena."""
    return points.real.clip(0, SIDE) + 1j * points.imag.clip(0, SIDE)


def suffered_cost(a: np.ndarray, b: np.ndarray, disc: np.ndarray, toll: float) -> np.ndarray:
    """What moves from a to b (B,) cost: the way, and `toll` for each step that ends within MARGIN of a disc (B,)."""
    size = np.abs(b - a)
    walked = np.minimum(STEP * np.arange(1, np.ceil(size.max() / STEP) + 1), size[:, None])
    places = a[:, None] + walked * ((b - a) / np.maximum(size, 1e-12))[:, None]
    taken = np.diff(walked, prepend=0) > 0  # not yet at b before
    near = np.abs(places - disc[:, None]) < RADIUS + MARGIN
    return size + toll * (taken & near).sum(axis=1)
