"""The cart-pole without friction: a pole hinged on a cart that is pushed along a track (Barto, Sutton & Anderson 1983).

A batch of B of them has the state (4, B): position x of the cart in m, its velocity v, angle theta of the pole from the
vertical in rad (positive: to the right), its velocity omega.
"""

import numpy as np

GRAVITY, CART, POLE, HALF_LENGTH = 9.8, 1.0, 0.1, 0.5  # m/s^2, kg, kg, m
DT = 0.02  # s, Euler step
FORCE = 10.0  # N, largest force
LIMITS = np.array([[2.4], [12 * np.pi / 180]])  # of x in m and of theta in rad; a trial fails beyond them


def start(rng: np.random.Generator, B: int, spread: float = 0.05) -> np.ndarray:
    """States (4, B) to begin trials with, every component uniform within +-spread."""
    return rng.uniform(-spread, spread, (4, B))


def accelerations(state: np.ndarray, force: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the cart in m/s^2 and of the angle in rad/s^2, each (B,), under a force (B,) in N to the right."""
    _, _, theta, omega = state
    sin, cos = np.sin(theta), np.cos(theta)
    share = POLE / (CART + POLE)
    push = force / (CART + POLE) + share * HALF_LENGTH * omega * omega * sin
    angular = (GRAVITY * sin - push * cos) / (HALF_LENGTH * (4 / 3 - share * cos * cos))
    return push - share * HALF_LENGTH * angular * cos, angular


def step(state: np.ndarray, force: np.ndarray) -> np.ndarray:
    """States (4, B) after DT seconds under a force (B,) in N; positions advance with the old velocities."""
    _, v, _, omega = state
    linear, angular = accelerations(state, force)
    return state + DT * np.stack((v, linear, omega, angular))


def failed(state: np.ndarray) -> np.ndarray:
    """Which of the B carts has left the track or let its pole fall, (B,) bool."""
    return (np.abs(state[::2]) > LIMITS).any(axis=0)
