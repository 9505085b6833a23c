"""What the controller practises in: the learnt model M, or the equations of the cart-pole themselves.

Both models advance B imagined trials by `step`, and send a gradient back through that step by `back`, called in reverse
order. z (2, B) is what can be observed, x and theta over their limits; u (B,) the action, force over its maximum.
"""

import numpy as np

import cart_pole
from cart_pole import DT, FORCE, GRAVITY, HALF_LENGTH, LIMITS

SCALE = 10.0  # M predicts SCALE times the increment of z, which makes its targets about as large as its inputs
INSIDE = 3.0  # imagined positions stop at +-INSIDE, far beyond failure, so that no gradient explodes there


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logistic function of an array of any shape; the tanh form cannot overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def init(rng: np.random.Generator, inputs: int, hidden: int, outputs: int) -> dict[str, np.ndarray]:
    """Weights of an Elman net: W (hidden, inputs + 1 + hidden), biases (0) in the middle, and w (outputs, hidden)."""
    W = np.zeros((hidden, inputs + 1 + hidden))
    W[:, :inputs] = rng.normal(0, 0.5 / np.sqrt(inputs), (hidden, inputs))
    W[:, -hidden:] = rng.normal(0, 0.5 / np.sqrt(hidden), (hidden, hidden))
    return {"W": W, "w": rng.normal(0, 0.5 / np.sqrt(hidden), (outputs, hidden))}


def elman(net: dict[str, np.ndarray], inputs: np.ndarray) -> np.ndarray:
    """Run an Elman net h(t+1) = tanh(W source(t)), source = (inputs, 1, h), over inputs (T, i, B).

    Returns all sources, (T + 1, i + 1 + n, B); the last one has the last h and no inputs yet.
    """
    (T, i, B), n = inputs.shape, len(net["W"])
    source = np.zeros((T + 1, i + 1 + n, B))
    source[:-1, :i], source[:, i] = inputs, 1
    for t in range(T):
        np.tanh(net["W"] @ source[t], out=source[t + 1, -n:])
    return source


def model_inputs(z: np.ndarray, u: np.ndarray) -> np.ndarray:
    """What M sees, (T, 3, B): positions (T, 2, B) and the action (T, B) just taken."""
    return np.concatenate([z, u[:, None]], axis=1)


def predict(M: dict[str, np.ndarray], source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """M's increments of z (T, 2, B) and its probability (T, B) that the step fails; source: from elman."""
    out = M["w"] @ source[1:, -len(M["W"]) :]
    return out[:, :2] / SCALE, sigmoid(out[:, 2])


def model_loss_and_grad(
    M: dict[str, np.ndarray], z: np.ndarray, u: np.ndarray, pain: np.ndarray, mask: np.ndarray, pain_weight: float
) -> tuple[float, dict[str, np.ndarray]]:
    """Half the squared error of scaled increments + pain_weight x cross-entropy of pain, mean over steps in the mask.

    Teacher forced on positions z (T + 1, 2, B), actions u, pain (1: the step failed) and mask, each (T, B).
    """
    n, source = len(M["W"]), elman(M, model_inputs(z[:-1], u))
    increments, failing = predict(M, source)
    weight = mask / mask.sum()
    error = SCALE * (increments - np.diff(z, axis=0))
    surprise = -np.log(np.where(pain > 0, failing, 1 - failing) + 1e-12)
    loss = float((weight * (0.5 * (error**2).sum(axis=1) + pain_weight * surprise)).sum())
    dy = np.concatenate([error, pain_weight * (failing - pain)[:, None]], axis=1) * weight[:, None]
    m, U = source[1:, -n:], np.ascontiguousarray(M["W"][:, -n:].T)
    slope, da, back = 1 - m * m, M["w"].T @ dy, np.zeros_like(m[0])
    for t in reversed(range(len(u))):
        da[t] = (da[t] + back) * slope[t]
        back = U @ da[t]
    return loss, {
        "W": np.tensordot(da, source[:-1], axes=((0, 2), (0, 2))),
        "w": np.tensordot(dy, m, axes=((0, 2), (0, 2))),
    }


class LearntModel:
    """B imagined trials of T steps in M, which has first followed recorded positions z (K, 2, B) and actions u (K, B).

    The K recorded steps hand it the velocities. `pain` (T, B) is the probability it gives each step to fail.
    """

    def __init__(self, M: dict[str, np.ndarray], z: np.ndarray, u: np.ndarray, T: int):
        self.M, self.n, self.t = M, len(M["W"]), 0
        self.source = np.ones((T + 1, 4 + self.n, z.shape[2]))
        self.source[0] = elman(M, model_inputs(z, u))[-1]
        self.pain, self.inside = np.empty((T, z.shape[2])), np.empty((T, 2, z.shape[2]), bool)
        self.back_m = np.zeros((self.n, z.shape[2]))
        self.W_back = np.ascontiguousarray(M["W"].T)

    def step(self, z: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Positions (2, B) after action u (B,) at positions z (2, B)."""
        t, source = self.t, self.source[self.t]
        source[:2], source[2] = z, u
        m = np.tanh(self.M["W"] @ source, out=self.source[t + 1, 4:])
        out = self.M["w"] @ m
        self.pain[t] = sigmoid(out[2])
        z = z + out[:2] / SCALE
        self.inside[t] = np.abs(z) < INSIDE
        self.t += 1
        return np.clip(z, -INSIDE, INSIDE)

    def back(self, dz: np.ndarray, dlogit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradients at z (2, B) and u (B,) before the latest step, from those at z after it and at the pain's logit."""
        self.t -= 1
        dz = dz * self.inside[self.t]
        m = self.source[self.t + 1, 4:]
        dm = self.M["w"].T @ np.concatenate([dz / SCALE, dlogit[None]]) + self.back_m
        dsource = self.W_back @ (dm * (1 - m * m))
        self.back_m = dsource[4:]
        return dz + dsource[:2], dsource[2]


def acceleration_slopes(state: np.ndarray, force: np.ndarray) -> np.ndarray:
    """Derivatives (2, 3, ...) of cart_pole.accelerations: of cart and angle, by theta, omega and force.

    state (4, ...), force (...). In the order of the formulas there: push, angular, linear.
    """
    _, _, theta, omega = state
    sin, cos, total = np.sin(theta), np.cos(theta), cart_pole.CART + cart_pole.POLE
    lever = cart_pole.POLE / total * HALF_LENGTH
    push = force / total + lever * omega * omega * sin
    inertia = HALF_LENGTH * 4 / 3 - lever * cos * cos
    angular = (GRAVITY * sin - push * cos) / inertia
    zero = np.zeros_like(theta)
    d_push = np.stack((lever * omega * omega * cos, 2 * lever * omega * sin, zero + 1 / total))
    by_theta = np.stack((GRAVITY * cos + push * sin - 2 * lever * cos * sin * angular, zero, zero))
    d_angular = (by_theta - d_push * cos) / inertia
    return np.stack((d_push - lever * (d_angular * cos - np.stack((angular * sin, zero, zero))), d_angular))


class PerfectModel:
    """B imagined trials in the true equations, from states (4, B), hidden velocities and all; it predicts no pain."""

    def __init__(self, state: np.ndarray):
        self.states, self.forces, self.slopes, self.back_state = [state], [], None, np.zeros_like(state)
        self.pain = 0.0

    def step(self, z: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Positions (2, B) after action u (B,); z is in the state already."""
        self.forces.append(FORCE * u)
        self.states.append(cart_pole.step(self.states[-1], FORCE * u))
        return np.clip(self.states[-1][::2] / LIMITS, -INSIDE, INSIDE)

    def back(self, dz: np.ndarray, dlogit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradients at z and u before the latest step; that at z is 0, for the state passes it on by itself."""
        if self.slopes is None:  # of all steps at once
            self.slopes = acceleration_slopes(np.stack(self.states[:-1], axis=1), np.array(self.forces))
        after, t = self.states.pop(), len(self.states) - 1
        d = self.back_state
        d[::2] += dz / LIMITS * (np.abs(after[::2] / LIMITS) < INSIDE)
        d_theta, d_omega, d_force = (self.slopes[:, :, t] * (DT * d[1::2, None])).sum(axis=0)
        self.back_state = d + np.stack((0 * d[0], DT * d[0], d_theta, DT * d[2] + d_omega))
        return np.zeros_like(dz), FORCE * d_force
