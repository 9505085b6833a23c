"""A small fovea learns to move until it is centred on a target, by gradient through a model of what its moves change.

Paper: J. Schmidhuber, R. Huber, Learning to generate focus trajectories for attentive vision, TR FKI-128-90, TU Munich,
1990; also as Learning to generate artificial fovea trajectories for target detection, International Journal of Neural
Systems 2(1&2), 135-141, 1991.

Task: a fovea with 40 receptive fields, fine in the middle and coarse outside, starts where it sees a part of a dark
triangle. Four motors move it by saccades until what it sees is what would be seen from the target point.

Method: a model M learns from random moves to predict the next input from input and move. Then the controller C maps
inputs to moves for T steps in the real world. The error, by how much the last input differs from the desired one, goes
back through M, which stands in for the derivative of the world, into all the moves and into C. Nobody says which moves
are right.

Differs: Adam and mini-batches; T grows from 1; the error sent back is limited; the plane is not bounded.

Symbols: f = inputs of the fovea, a = activities of the motors, T = steps, B = batch; W = weights to the hidden units of
a net, V = those to its outputs, with biases.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import chain
from typing import NamedTuple

import numpy as np

from fovea import CENTRES, LEVELS, SIZES, World


@dataclass(frozen=True)
class Config:
    target_x: float = 0.0  # px, the target point of the triangle in the coordinates of fovea.TRIANGLE
    target_y: float = 0.0  # px
    reach: float = 20.0  # px, largest pull of a motor
    turn: float = 0.0  # degrees, largest pull of the two motors that turn the fovea; 0: there are none
    spread: float = 70.0  # px, starts are at most so far from the target in x and in y
    model_hidden: int = 40  # units of M
    hidden: int = 20  # units of C
    examples: int = 50_000  # random places and moves that M learns from
    model_updates: int = 3000  # of M; 0 leaves it random
    updates: int = 500  # of C
    batch: int = 64  # examples or trajectories in an update
    horizon: int = 8  # T, saccades of a trajectory in the second half of C's updates; from 1 on in the first
    limit: float = 0.3  # of the norm of the error sent back through a step
    rate: float = 0.005  # Adam, both nets; a fifth of it in the last third of each net's updates
    tests: int = 300  # test starts
    test_steps: int = 20  # saccades from each
    speed: float = 5.0  # px per step of the moving target
    track_steps: int = 40  # steps that it is followed for
    snapshots: int = 20  # about how many looks at the run

    def __post_init__(self):
        least = {"model_updates": 0, "track_steps": 2}
        for field in fields(self):
            low, value = least.get(field.name, 1), getattr(self, field.name)
            if field.type is int and value < low:
                raise ValueError(f"{field.name} must be at least {low}, got {value}")
        for name in ("limit", "rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        for name, low, high in (("reach", 1, 100), ("spread", 1, 80), ("turn", 0, 180), ("speed", 0, 20)):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must be between {low} and {high}, got {getattr(self, name)}")
        for name in ("target_x", "target_y"):
            if not abs(getattr(self, name)) <= 50:
                raise ValueError(f"{name} must be within 50 of 0, got {getattr(self, name)}")


PRESETS: dict[str, dict] = {
    "learnt_model": {},
    "poor_model": {"model_updates": 1200},
    "random_model": {"model_updates": 0},
    "off_centre": {"target_x": 30.0, "target_y": 10.0},
    "rotation": {"turn": 50.0, "examples": 100_000, "model_updates": 4000, "updates": 1500},
    "rotation_large_model": {
        "turn": 50.0,
        "examples": 100_000,
        "model_hidden": 120,
        "model_updates": 12_000,
        "updates": 1500,
    },
    "smoke": {"model_updates": 1200, "updates": 400},
}

SEEDS = 10

CLAIMS = (
    ("C1", "share of tests that end within 5 px of the target", "finds it", "min(learnt_model.end_within_5px) >= 0.99"),
    ("C2", "median distance at the end, px", "ours", "max(learnt_model.median_end_error_px) <= 1"),
    ("C4", "random saccades: ever within 5 px", "ours", "max(learnt_model.random_hit_rate) <= 0.1"),
    ("C5", "C1 if C learns through a random M", "ours", "median(random_model.end_within_5px) <= 0.3"),
    ("C6", "M's error / that of persistence, at most", "often wrong", "max(learnt_model.model_relative_error) <= 0.4"),
    ("C6b", "at least: M is imperfect", "often wrong", "min(learnt_model.model_relative_error) >= 0.05"),
    ("C6c", "C1 with a model of less training", "often wrong", "min(poor_model.end_within_5px) >= 0.99"),
    ("C6d", "whose error / that of persistence is", "often wrong", "min(poor_model.model_relative_error) >= 0.5"),
    ("C7", "lag behind a target at 5 px per step, px", "tracks", "mean(learnt_model.track_median_lag_px <= 7) >= 0.9"),
    ("C7b", "share of tests that lose it", "tracks", "mean(learnt_model.track_lost_fraction <= 0.02) >= 0.9"),
    ("C8", "with turns: ends within 10 px and 15 degrees", "possible", "mean(rotation.end_within_10px_15deg) >= 0.8"),
    ("C8b", "ends within 10 px", "possible", "mean(rotation.end_within_10px) >= 0.8"),
    (
        "C8c",
        "ends within 10 px and 15 degrees of 0, 120 or 240, larger M",
        "ours",
        "mean(rotation_large_model.end_at_a_corner) >= 0.9",
    ),
    ("C10", "median saccades until within 5 px", "ours", "max(learnt_model.saccades_to_5px_median) <= 6"),
    ("C11", "C1 for a target point that is off centre", "predefined point", "min(off_centre.end_within_5px) >= 0.99"),
    ("C11b", "where moving to the centroid misses", "ours", "max(off_centre.centroid_within_5px) <= 0.05"),
)

SMOKE = "end_within_5px >= 0.95"


class Snapshot(NamedTuple):
    step: int  # updates of M and of C
    metrics: dict[str, float]
    T: int  # saccades of the trajectories C learns from; 0 while M learns
    paths: np.ndarray  # (test_steps + 1, tests, 3) poses of the tests
    params: dict[str, dict[str, np.ndarray]]  # weights of M and C


# Nets, fully forward-connected: inputs and a constant 1 reach the hidden units, and with these the outputs


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logistic function of an array of any shape; the tanh form cannot overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def init(rng: np.random.Generator, inputs: int, hidden: int, outputs: int, scale: float) -> dict[str, np.ndarray]:
    """Random weights W (inputs + 1, hidden) and V (inputs + 1 + hidden, outputs); net inputs are about `scale`."""
    W = rng.normal(0, scale / np.sqrt(inputs), (inputs + 1, hidden))
    V = rng.normal(0, scale / np.sqrt(inputs + hidden), (inputs + 1 + hidden, outputs))
    return {"W": W, "V": V}


def forward(net: dict[str, np.ndarray], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sources (..., i + 1 + n) of the outputs, that is x (..., i), 1 and hidden units, and the outputs (..., o)."""
    i, n = x.shape[-1], net["W"].shape[1]
    source = np.ones((*x.shape[:-1], i + 1 + n))
    source[..., :i] = x
    source[..., i + 1 :] = sigmoid(source[..., : i + 1] @ net["W"])
    return source, sigmoid(source @ net["V"])


def backward(net: dict[str, np.ndarray], source: np.ndarray, y: np.ndarray, dy: np.ndarray) -> tuple:
    """Gradients at the net inputs of hidden units (B, n) and outputs (B, o), and at x (B, i), from dy (B, o) at y."""
    n = net["W"].shape[1]
    h, dout = source[:, -n:], dy * y * (1 - y)
    dsource = dout @ net["V"].T
    dhidden = dsource[:, -n:] * h * (1 - h)
    return dhidden, dout, (dsource[:, :-n] + dhidden @ net["W"].T)[:, :-1]


def weight_gradients(source: np.ndarray, dhidden: np.ndarray, dout: np.ndarray) -> dict[str, np.ndarray]:
    """Gradients at W and V, summed over the rows of what forward and backward returned."""
    n = dhidden.shape[1]
    return {"W": source[:, :-n].T @ dhidden, "V": source.T @ dout}


# Model and controller


def new_nets(cfg: Config, world: World, rng: np.random.Generator) -> dict[str, dict[str, np.ndarray]]:
    """Untrained M and C; C's weights are small, so that opposite motors nearly cancel and the fovea stays."""
    f = len(CENTRES)
    M = init(rng, f + world.motors, cfg.model_hidden, f, 1.0)
    return {"M": M, "C": init(rng, f, cfg.hidden, world.motors, 0.3)}


def model_loss_and_grad(
    M: dict[str, np.ndarray], x: np.ndarray, after: np.ndarray
) -> tuple[float, dict[str, np.ndarray]]:
    """Squared error of M's prediction from x = (f, a), (B, 40 + motors), of the next input (B, 40), mean over B."""
    source, y = forward(M, x)
    error = y - after
    dhidden, dout, _ = backward(M, source, y, 2 * error / len(x))
    return float((error**2).sum() / len(x)), weight_gradients(source, dhidden, dout)


def rollout(C: dict[str, np.ndarray], world: World, pose: np.ndarray, T: int) -> tuple:
    """C moves B foveas from `pose` (B, 3): inputs (T + 1, B, 40), motors (T, B, motors) and poses (T + 1, B, 3)."""
    poses, f, a = [pose], [world.look(pose)], []
    for _ in range(T):
        a.append(forward(C, f[-1])[1])
        poses.append(world.move(poses[-1], a[-1]))
        f.append(world.look(poses[-1]))
    return np.array(f), np.array(a), np.array(poses)


def controller_loss_and_grad(
    C: dict[str, np.ndarray], M: dict[str, np.ndarray], f: np.ndarray, a: np.ndarray, goal: np.ndarray, limit: float
) -> tuple[float, dict[str, np.ndarray]]:
    """|f_T - goal|^2, mean over B, and its gradient, M's derivatives at the real f and a standing in for the world's.

    f, a: from rollout. Wherever the gradient at an f_t of one trajectory is longer than `limit` it is shortened.
    """
    T, B, motors = a.shape
    source_M, predicted = forward(M, np.concatenate([f[:-1], a], axis=2))
    source_C, _ = forward(C, f[:-1])
    error = f[-1] - goal
    df, dhidden, dout = 2 * error, np.empty((T, B, C["W"].shape[1])), np.empty_like(a)
    for t in reversed(range(T)):
        df *= np.minimum(1, limit / np.maximum(np.linalg.norm(df, axis=1, keepdims=True), 1e-12))
        _, _, dx = backward(M, source_M[t], predicted[t], df)
        dhidden[t], dout[t], df = backward(C, source_C[t], a[t], dx[:, -motors:])
        df += dx[:, :-motors]
    source_C, dhidden, dout = (part.reshape(T * B, -1) for part in (source_C, dhidden / B, dout / B))
    return float((error**2).sum() / B), weight_gradients(source_C, dhidden, dout)


# Learning


class Adam:
    """Adam (Kingma & Ba 2015, algorithm 1), updating a dict of arrays in place."""

    def __init__(self, params: dict[str, np.ndarray], beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8):
        self.beta1, self.beta2, self.eps, self.t = beta1, beta2, eps, 0
        self.m = {name: np.zeros_like(p) for name, p in params.items()}
        self.v = {name: np.zeros_like(p) for name, p in params.items()}

    def step(self, params: dict[str, np.ndarray], grads: dict[str, np.ndarray], lr: float) -> None:
        """One update of every array in `params` along `grads` (same keys and shapes) at rate `lr`."""
        self.t += 1
        lr_t = lr * np.sqrt(1 - self.beta2**self.t) / (1 - self.beta1**self.t)
        for name, g in grads.items():
            m, v = self.m[name], self.v[name]
            m += (1 - self.beta1) * (g - m)
            v += (1 - self.beta2) * (g * g - v)
            params[name] -= lr_t * m / (np.sqrt(v) + self.eps)


def random_moves(cfg: Config, world: World, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """What M learns from: x = (f, a), (n, 40 + motors), and the inputs (n, 40) after random moves at random places."""
    pose, a = world.start(rng, n, cfg.spread), rng.random((n, world.motors))
    return np.concatenate([world.look(pose), a], axis=1), world.look(world.move(pose, a))


def learn_model(cfg: Config, world: World, M: dict[str, np.ndarray], rng: np.random.Generator) -> Iterator[int]:
    """Update M in place; yields 0 after every update."""
    adam, (x, after) = Adam(M), random_moves(cfg, world, rng, cfg.examples)
    for k in range(cfg.model_updates):
        some = rng.integers(cfg.examples, size=cfg.batch)
        _, grads = model_loss_and_grad(M, x[some], after[some])
        adam.step(M, grads, cfg.rate if 3 * k < 2 * cfg.model_updates else cfg.rate / 5)
        yield 0


def learn_controller(cfg: Config, world: World, nets: dict, rng: np.random.Generator) -> Iterator[int]:
    """Update C in place; yields after every update how many saccades its trajectories had."""
    C, M = nets["C"], nets["M"]
    adam = Adam(C)
    for k in range(cfg.updates):
        T = min(cfg.horizon, 1 + 2 * cfg.horizon * k // cfg.updates)
        f, a, _ = rollout(C, world, world.start(rng, cfg.batch, cfg.spread), T)
        _, grads = controller_loss_and_grad(C, M, f, a, world.goal, cfg.limit)
        adam.step(C, grads, cfg.rate if 3 * k < 2 * cfg.updates else cfg.rate / 5)
        yield T


# Tests


class Tests(NamedTuple):
    start: np.ndarray  # (tests, 3) poses
    a: np.ndarray  # (test_steps, tests, motors) random saccades from there
    velocity: np.ndarray  # (tests, 3) of targets that move, px per step
    moves: tuple[np.ndarray, np.ndarray]  # from random_moves, for M


def draw_tests(cfg: Config, world: World, rng: np.random.Generator) -> Tests:
    """Test starts, random saccades, directions of moving targets."""
    direction = rng.uniform(-np.pi, np.pi, cfg.tests)
    velocity = cfg.speed * np.stack([np.cos(direction), np.sin(direction), 0 * direction], axis=1)
    start, a = world.start(rng, cfg.tests, cfg.spread), rng.random((cfg.test_steps, cfg.tests, world.motors))
    return Tests(start, a, velocity, random_moves(cfg, world, rng, 2000))


def distance(poses: np.ndarray) -> np.ndarray:
    """Distance in px (...) of poses (..., 3) from the target."""
    return np.hypot(poses[..., 0], poses[..., 1])


def track(C: dict[str, np.ndarray], world: World, pose: np.ndarray, velocity: np.ndarray, T: int) -> np.ndarray:
    """Poses (T + 1, B, 3), relative to a target that moves on by `velocity` (B, 3) during every saccade."""
    poses = [pose]
    for _ in range(T):
        poses.append(world.move(poses[-1], forward(C, world.look(poses[-1]))[1]) - velocity)
    return np.array(poses)


def centroid_rule(world: World, pose: np.ndarray, T: int) -> np.ndarray:
    """Poses (T + 1, B, 3) if each saccade goes to the centroid of the darkness in view; nothing is learnt."""
    poses = [pose]
    for _ in range(T):
        mass = world.look(poses[-1]) * np.array(SIZES)[LEVELS] ** 2
        pull = mass @ CENTRES / np.maximum(mass.sum(axis=1, keepdims=True), 1e-9) / world.reach
        x, y = pull.T
        a = np.stack([x, -x, y, -y, 0 * x, 0 * x], axis=1).clip(0, 1)
        poses.append(world.move(poses[-1], a))
    return np.array(poses)


def look(cfg: Config, world: World, nets: dict, tests: Tests, step: int, T: int, final: bool = False) -> Snapshot:
    """Measure M and C on the tests, and copy them; tracking and what is not learnt are measured at the end alone."""
    x, after = tests.moves
    _, _, paths = rollout(nets["C"], world, tests.start, cfg.test_steps)
    near = distance(paths) <= 5
    close, heading = distance(paths[-1]) <= 10, np.rad2deg(paths[-1, :, 2])
    tilt, third = (
        np.abs((heading + turn / 2) % turn - turn / 2) for turn in (360, 120)
    )  # off 0; off a third of a turn
    metrics = {
        "end_within_5px": near[-1].mean(),
        "median_end_error_px": np.median(distance(paths[-1])),
        "saccades_to_5px_median": np.median(np.where(near.any(axis=0), near.argmax(axis=0), np.inf)),
        "end_within_10px": close.mean(),
        "end_within_10px_15deg": (close & (tilt <= 15)).mean(),
        "end_at_a_corner": (close & (third <= 15)).mean(),
        "model_relative_error": ((forward(nets["M"], x)[1] - after) ** 2).sum() / ((x[:, :40] - after) ** 2).sum(),
    }
    names = ("random_hit_rate", "centroid_within_5px", "track_median_lag_px", "track_lost_fraction")
    metrics |= dict.fromkeys(names, np.nan)
    if final:
        wandering = [tests.start]
        for a in tests.a:
            wandering.append(world.move(wandering[-1], a))
        lag = distance(track(nets["C"], world, tests.start, tests.velocity, cfg.track_steps))
        metrics["random_hit_rate"] = (distance(np.array(wandering)) <= 5).any(axis=0).mean()
        metrics["centroid_within_5px"] = (distance(centroid_rule(world, tests.start, cfg.test_steps)[-1]) <= 5).mean()
        metrics["track_median_lag_px"] = np.median(lag[cfg.track_steps // 2 :])
        metrics["track_lost_fraction"] = (lag[-1] > 28).mean()  # farther away than one saccade reaches
    params = {name: {key: w.copy() for key, w in net.items()} for name, net in nets.items()}
    return Snapshot(step, {name: float(value) for name, value in metrics.items()}, T, paths, params)


def train(cfg: Config, rng: np.random.Generator) -> Iterator[Snapshot]:
    """M learns, then C; metrics come from starts and moves that neither learns from."""
    init_rng, data_rng, test_rng = rng.spawn(3)
    world = World((cfg.target_x, cfg.target_y), cfg.reach, cfg.turn)
    nets = new_nets(cfg, world, init_rng)
    tests = draw_tests(cfg, world, test_rng)
    half, total = (cfg.snapshots + 1) // 2, cfg.model_updates + cfg.updates
    looks = {cfg.model_updates * k // half for k in range(1, half + 1)}
    looks |= {cfg.model_updates + cfg.updates * k // half for k in range(1, half)}
    yield look(cfg, world, nets, tests, 0, 0)
    learning = chain(learn_model(cfg, world, nets["M"], data_rng), learn_controller(cfg, world, nets, data_rng))
    for step, T in enumerate(learning, 1):
        if step in looks:
            yield look(cfg, world, nets, tests, step, T)
    yield look(cfg, world, nets, tests, total, T, final=True)


def main(argv: list[str] | None = None) -> int:
    """Run one preset at one seed: a line per snapshot, then the final metrics beside the paper's numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.error = lambda message: parser.exit(2, f"{parser.prog}: {message} (see --help)\n")
    parser.add_argument("--seed", type=int, default=0, help="seed of every random number (default 0)")
    parser.add_argument("--preset", choices=PRESETS, default=next(iter(PRESETS)), help="default %(default)s")
    for field in fields(Config):
        flag = "--" + field.name.replace("_", "-")
        parser.add_argument(flag, type=field.type, default=argparse.SUPPRESS, help=f"default {field.default}")
    overrides = vars(parser.parse_args(argv))
    seed, preset = overrides.pop("seed"), overrides.pop("preset")
    try:
        cfg, rng = Config(**{**PRESETS[preset], **overrides}), np.random.default_rng(seed)
    except ValueError as error:
        parser.error(str(error))
    title, paper = __doc__.strip().split("\n\n")[:2]
    print(f"{title}\n{paper}\n\npreset {preset}, seed {seed}", flush=True)
    try:
        for snapshot in train(cfg, rng):
            line = "  ".join(f"{name} {value:.4g}" for name, value in snapshot.metrics.items())
            print(f"step {snapshot.step:>7}  {line}", flush=True)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    print("\nfinal metric                      value  the paper (claim)")
    for name, value in snapshot.metrics.items():
        stated = [f"{said} ({id})" for id, _, said, holds in CLAIMS if re.search(rf"\b{preset}\.{name}\b", holds)]
        print(f"{name:<28} {value:>10.6g}  {'; '.join(stated)}".rstrip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
