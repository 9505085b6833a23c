"""Real trials with the cart-pole: living them, keeping them, drawing stretches of them to learn from.

T = steps, B = trials side by side. What the controller and its model get of a state is `observe`, positions alone.
"""

from typing import NamedTuple

import numpy as np

import cart_pole
from cart_pole import FORCE, LIMITS


class Life(NamedTuple):
    """B real trials; what comes after a trial's length is to be ignored."""

    states: np.ndarray  # (T + 1, 4, B)
    u: np.ndarray  # (T, B) actions
    length: np.ndarray  # (B,) steps until failure, or T


class Record(NamedTuple):
    """Real trials, one after the other; N rows, one for each state."""

    states: np.ndarray  # (N, 4)
    u: np.ndarray  # (N,) action taken there
    pain: np.ndarray  # (N,) 1 if that step failed
    left: np.ndarray  # (N,) steps left in the trial


class Window(NamedTuple):
    """B stretches of T steps of recorded trials."""

    z: np.ndarray  # (T + 1, 2, B) observed positions
    u: np.ndarray  # (T, B)
    pain: np.ndarray  # (T, B)
    mask: np.ndarray  # (T, B) 1 as long as the trial lasts
    last: np.ndarray  # (4, B) final states, for the perfect model alone


def observe(states: np.ndarray) -> np.ndarray:
    """What can be seen of states (..., 4, B): positions z (..., 2, B), without velocities."""
    return states[..., ::2, :] / LIMITS


def live(C: dict[str, np.ndarray], state: np.ndarray, noise: np.ndarray | None, steps: int) -> Life:
    """Let C balance B poles from states (4, B) on, at most `steps` steps; noise (steps, B) is added to its actions."""
    n, B = len(C["W"]), state.shape[1]
    source, alive, length = np.ones((3 + n, B)), np.ones(B, bool), np.zeros(B, int)
    source[3:] = 0
    states, actions = [state], []
    while alive.any() and len(actions) < steps:
        source[:2] = observe(state)
        h = source[3:] = np.tanh(C["W"] @ source)
        u = np.tanh(C["w"] @ h)[0]
        if noise is not None:
            u = np.clip(u + noise[len(actions)], -1, 1)
        state = np.where(alive, cart_pole.step(state, FORCE * u), state)
        states.append(state)
        actions.append(u)
        length += alive
        alive &= ~cart_pole.failed(state)
    return Life(np.array(states), np.array(actions), length)


def as_record(life: Life) -> Record:
    """The B trials of a life behind each other."""
    T, B = life.u.shape
    left = life.length - np.arange(T + 1)[:, None]  # (T + 1, B)
    u, pain = np.concatenate([life.u, np.zeros((1, B))]), (left == 1) & cart_pole.failed(life.states[-1])
    lived = left.T >= 0
    return Record(life.states.transpose(2, 0, 1)[lived], u.T[lived], pain.T[lived].astype(float), left.T[lived])


def windows(record: Record, rng: np.random.Generator, B: int, T: int, least: int) -> Window:
    """B windows of T steps that begin anywhere with at least `least` steps left."""
    begin = rng.choice(np.flatnonzero(record.left >= least), B)
    rows = np.minimum(begin + np.arange(T + 1)[:, None], len(record.u) - 1)
    states, mask = record.states[rows].transpose(0, 2, 1), (np.arange(T)[:, None] < record.left[begin]).astype(float)
    return Window(observe(states), record.u[rows[:-1]], record.pain[rows[:-1]], mask, states[-1])
