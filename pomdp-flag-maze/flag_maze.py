"""The maze: a corridor of cells that look alike, a junction at its end, and a flag at either end of the cross-piece.

    F       F  flags, two cells above and below the junction
    |       S  start
    S-----+ +  junction
          |
          F

A cue of 1 or -1, seen at the first step only, says whether the upper or the lower flag is the right one. Actions are N,
E, S, W. An observation holds four bits, the walls in these directions, and the cue. Arrays have time before episodes.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

OBSERVATION, ACTIONS = 5, 4  # numbers: the walls in N, E, S, W and the cue; N, E, S, W
STEP_REWARD, FLAG_REWARD = -0.05, 1.0  # of every step; of the right flag in addition, of the wrong one negative


class Maze:
    """Tables of a maze whose corridor has so many cells, the junction included; rows 0 to 4, columns from 0."""

    def __init__(self, corridor: int):
        end = corridor - 1
        self.cells = [(2, column) for column in range(corridor)] + [(row, end) for row in (0, 1, 3, 4)]
        number = {cell: k for k, cell in enumerate(self.cells)}
        moves = ((-1, 0), (0, 1), (1, 0), (0, -1))
        neighbours = [[number.get((row + dr, column + dc)) for dr, dc in moves] for row, column in self.cells]
        self.walls = np.array([[float(n is None) for n in row] for row in neighbours])  # (cells, 4)
        self.next = np.array([[k if n is None else n for n in row] for k, row in enumerate(neighbours)])  # (cells, 4)
        self.flag = np.zeros(len(self.cells))  # 1 at the upper flag, -1 at the lower one
        self.flag[[number[0, end], number[4, end]]] = 1, -1


class Episodes(NamedTuple):
    """B episodes side by side. After the end of one, observations and rewards are 0."""

    o: np.ndarray  # (T + 1, B, 5) observations
    a: np.ndarray  # (T, B) actions
    r: np.ndarray  # (T, B) rewards
    length: np.ndarray  # (B,) steps until a flag was reached, or T
    right: np.ndarray  # (B,) 1: the right flag was reached, -1: the wrong one, 0: none
    cell: np.ndarray  # (T + 1, B) where it was


def live(maze: Maze, cue: np.ndarray, T: int, act: Callable, shown: np.ndarray | None = None) -> Episodes:
    """Live one episode per element of cue (B,), all at the same time; act(o (B, 5)) -> actions (B,).

    `shown` (B,) is what is seen in place of the cue, for tests.
    """
    B = len(cue)
    o, a, r = np.zeros((T + 1, B, OBSERVATION)), np.zeros((T, B), dtype=int), np.zeros((T, B))
    cell, length = np.zeros((T + 1, B), dtype=int), np.full(B, T)
    o[0, :, :4], o[0, :, 4] = maze.walls[0], cue if shown is None else shown
    for t in range(T):
        running = length == T
        a[t] = act(o[t])
        cell[t + 1] = np.where(running, maze.next[cell[t], a[t]], cell[t])
        flag = maze.flag[cell[t + 1]]
        r[t] = running * (STEP_REWARD + FLAG_REWARD * flag * cue)
        length[running & (flag != 0)] = t + 1
        o[t + 1, :, :4] = (running & (flag == 0))[:, None] * maze.walls[cell[t + 1]]
    return Episodes(o, a, r, length, maze.flag[cell[-1]] * cue, cell)


def join(first: Episodes, second: Episodes) -> Episodes:
    """All episodes of both."""
    pairs = zip(first, second, strict=True)
    return Episodes(*(np.concatenate(pair, axis=min(1, pair[0].ndim - 1)) for pair in pairs))


def pick(episodes: Episodes, which: np.ndarray) -> Episodes:
    """Some of the episodes."""
    return Episodes(*(part[:, which] if part.ndim > 1 else part[which] for part in episodes))
