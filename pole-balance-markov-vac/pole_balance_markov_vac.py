"""A pole is balanced with the help of a critic that predicts every kind of failure by itself.

Paper: J. Schmidhuber, "Recurrent networks adjusted by adaptive critics", IJCNN 1990, Washington DC, vol. 1, 719-722 (TR
FKI-129-90, TU Munich); the experiment is told in "Reinforcement learning in Markovian and non-Markovian environments",
NIPS 3, 500-506, 1991.

Task: a cart is pushed left or right with full force so that the pole on it does not fall and the cart stays on the
track. The learner sees the whole state, and feels pain when it fails. It is done with its first trial of 30,000 steps;
what this has cost are the failures before.

Method: pain is a vector, with a component for either end of the track and for either side to which the pole can fall.
The critic has a sigmoid unit for each of them, which learns by temporal differences how much of it is to come. The
actor does more rarely what made the sum of these predictions rise.

Differs: the actor learns by eligibility traces, as that of Barto, Sutton & Anderson (1983), not by a gradient through
the critic; actor and critic have no hidden units. A run is a population of independent learners.

Symbols: phi = features of the state; V_k = predicted pain of kind k, P = probability of pushing to the right, w_k and v
= their weights, e_k and z = the traces of these; K = kinds of pain, N = learners, on the last axis of every array.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

import cart_pole

SCALE = np.array([[2.4], [2.0], [0.21], [2.0]])  # of the state (m, m/s, rad, rad/s) in the features
KINDS = ("left end", "right end", "left fall", "right fall")  # of pain
RANDOM_TRIALS = 300  # with random actions
AHEAD = 10  # steps before a fall at which the critic is asked to which side it will be


@dataclass(frozen=True)
class Config:
    critic: str = "vector"  # a unit for every kind of pain, or "scalar": one for their sum
    learners: int = 20  # N, each with its own cart, weights and trials
    goal: int = 30_000  # steps of the trial that ends learning
    max_failures: int = 750  # a learner that fails more often gives up
    max_steps: int = 500_000  # of a learner, in all its trials
    gamma: float = 0.98  # discount per step
    critic_lam: float = 0.8  # decay of e, besides gamma
    actor_lam: float = 0.9  # decay of z, besides gamma
    critic_rate: float = 1.5  # step size of w
    actor_rate: float = 0.7  # step size of v
    initial_logit: float = -2.0  # of V: at first every unit expects 0.12, so that the first errors are small
    tests: int = 100  # test trials of every learner, not explored in nor learnt from
    test_steps: int = 10_000  # after which they end
    snapshots: int = 20  # about how many looks at the run

    def __post_init__(self) -> None:
        if self.critic not in ("vector", "scalar"):
            raise ValueError(f"critic must be vector or scalar, got {self.critic!r}")
        for name in ("learners", "goal", "max_failures", "max_steps", "tests", "test_steps", "snapshots"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("gamma", "critic_lam", "actor_lam"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be between 0 and 1, got {getattr(self, name)}")
        for name in ("critic_rate", "actor_rate"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ValueError(f"{name} must be at least 0 and finite, got {getattr(self, name)}")


PRESETS: dict[str, dict] = {
    "vector": {},
    "scalar": {"critic": "scalar", "critic_rate": 2.0, "actor_rate": 1.0},
    "no_critic": {"critic": "scalar", "critic_rate": 0.0, "initial_logit": -1000.0},
    "smoke": {"learners": 10, "goal": 1000, "max_steps": 30_000, "test_steps": 1000},
}

SEEDS = 10

CLAIMS = (
    ("C1", "share of learners with a trial of 30,000 steps", "all 5 runs", "min(vector.solved) >= 1"),
    ("C2", "failures before it, at most", "750", "max(vector.failures_max) <= 750"),
    ("C3", "failures before it, median", "ours", "median(vector.failures) <= 150"),
    ("C4", "failures before the first 1000 steps, median", "ours", "median(vector.failures_1000) <= 100"),
    ("C5", "learners of whom no test trial fails", "ours", "mean(vector.steady) >= 0.9"),
    ("C5b", "nor one from a wider range of starts", "ours", "mean(vector.steady_wide) >= 0.9"),
    ("C6", "more learners get there than with a scalar critic", "ours", "mean(vector.solved - scalar.solved) >= 0.025"),
    ("C6b", "with fewer failures", "ours", "median(vector.failures / scalar.failures) <= 0.8"),
    ("C7", "random actions: steps before failure, at least", "ours", "min(vector.random_steps) >= 18"),
    ("C7b", "at most", "ours", "max(vector.random_steps) <= 30"),
    ("C8", "more learners get there than without a critic", "ours", "mean(vector.solved - no_critic.solved) > 0"),
    ("C10", "the critic foresees the side of a fall (ROC area)", "ours", "min(vector.foresight) >= 0.95"),
)

SMOKE = "solved >= 0.9"


class Snapshot(NamedTuple):
    step: int  # of every learner that still learns
    metrics: dict[str, float]
    params: dict[str, np.ndarray]  # w (5, K, N) and v (5, N)
    failures: np.ndarray  # (N,) so far
    lengths: np.ndarray  # (max_failures + 2, N) steps that each trial lasted, so far; 0 if it has not begun


class Learners(NamedTuple):
    w: np.ndarray  # (5, K, N) weights of the critic
    v: np.ndarray  # (5, N) weights of the actor
    e: np.ndarray  # (5, K, N) traces of the critic
    z: np.ndarray  # (5, N) trace of the actor


class Transition(NamedTuple):
    phi: np.ndarray  # (5, N) features of the states in which the learners acted
    P: np.ndarray  # (N,) how probable it was that they would push to the right
    right: np.ndarray  # (N,) whether they did
    phi_next: np.ndarray  # (5, N) features of the states they got into
    pain: np.ndarray  # (K, N) what they felt there
    failed: np.ndarray  # (N,) whether the trial ended there


# The task


def force(right: np.ndarray) -> np.ndarray:
    """Full force in N to the right where right (N,) is true, to the left elsewhere."""
    return np.where(right, cart_pole.FORCE, -cart_pole.FORCE)


def kind_of_failure(state: np.ndarray) -> np.ndarray:
    """Share (4, N) of each of the KINDS in the failure of states (4, N): 1 for one of them, 0 where none has failed."""
    position = state[::2]
    beyond = np.stack((-position, position), axis=1) > cart_pole.LIMITS[:, None]  # (x or theta, left or right, N)
    beyond = beyond.reshape(len(KINDS), -1)
    return beyond / np.maximum(beyond.sum(axis=0), 1)


def features(state: np.ndarray) -> np.ndarray:
    """phi (5, N): the scaled state and a 1."""
    return np.concatenate((state / SCALE, np.ones((1, state.shape[1]))))


# Critic and actor


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logistic function of an array of any shape; the tanh form cannot overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def init(cfg: Config, rng: np.random.Generator) -> Learners:
    """Small random weights, empty traces."""
    K = len(KINDS) if cfg.critic == "vector" else 1
    v, w = rng.normal(0, 0.01, (5, cfg.learners)), rng.normal(0, 0.01, (5, K, cfg.learners))
    w[-1] += cfg.initial_logit
    return Learners(w, v, np.zeros_like(w), np.zeros_like(v))


def predict(w: np.ndarray, phi: np.ndarray) -> np.ndarray:
    """V (K, N) = sigmoid(w_k . phi): discounted pain to come, of every kind."""
    return sigmoid((w * phi[:, None]).sum(axis=0))


def slope(V: np.ndarray) -> np.ndarray:
    """Derivative (K, N) of V with respect to w_k . phi."""
    return V * (1 - V)


def prefer_right(v: np.ndarray, phi: np.ndarray) -> np.ndarray:
    """P (N,) = sigmoid(v . phi), the probability of pushing to the right."""
    return sigmoid((v * phi).sum(axis=0))


def act(cfg: Config, v: np.ndarray, state: np.ndarray, uniform: np.ndarray) -> tuple[np.ndarray, Transition]:
    """One step of actors v (5, N) from states (4, N); uniform (N,) in [0, 1) decides on the actions.

    Returns the next states, even of those who have failed, and what there is to learn from.
    """
    phi = features(state)
    P = prefer_right(v, phi)
    right = uniform < P
    state = cart_pole.step(state, force(right))
    failed = cart_pole.failed(state)
    pain = np.zeros((1, 1))
    if failed.any():
        pain = kind_of_failure(state) if cfg.critic == "vector" else failed[None]
    return state, Transition(phi, P, right, features(state), pain, failed)


def learn(cfg: Config, learners: Learners, moved: Transition, learning: np.ndarray) -> None:
    """Change the traces, and the weights of those `learning` (N,), in place. With s' for the next state, a for `right`:

    delta_k = pain_k + gamma V_k(s') - V_k(s), where V_k(s') = 0 after a failure;
    e_k <- gamma critic_lam e_k + V_k (1 - V_k) phi,  w_k <- w_k + critic_rate delta_k e_k;
    z <- gamma actor_lam z + (a - P) phi,  v <- v - actor_rate (sum_k delta_k) z.
    """
    w, v, e, z = learners
    phi, P, right, phi_next, pain, failed = moved
    V, V_next = predict(w, phi), predict(w, phi_next) * ~failed
    delta = (pain + cfg.gamma * V_next - V) * learning
    e *= cfg.gamma * cfg.critic_lam
    e += slope(V) * phi[:, None]
    z *= cfg.gamma * cfg.actor_lam
    z += (right - P) * phi
    w += cfg.critic_rate * delta * e
    v -= cfg.actor_rate * delta.sum(axis=0) * z


# Tests


def trial_lengths(v: np.ndarray, state: np.ndarray, steps: int) -> np.ndarray:
    """Steps (B,) without failure, at most `steps`, from states (4, B) on if actors v (5, B) do what they prefer."""
    up, lasted = np.ones(state.shape[1], bool), np.zeros(state.shape[1], int)
    for _ in range(steps):
        right = (v * features(state)).sum(axis=0) > 0
        state = np.where(up, cart_pole.step(state, force(right)), state)  # a fallen pole stays where it is
        up = ~cart_pole.failed(state)
        lasted += up
        if not up.any():
            break
    return lasted


def random_trials(rng: np.random.Generator, B: int) -> tuple[np.ndarray, np.ndarray]:
    """States (T + 1, 4, B) of B trials with random actions, in which the failed one is repeated, and lengths (B,)."""
    states, lengths = [cart_pole.start(rng, B)], np.zeros(B, int)
    while not (failed := cart_pole.failed(states[-1])).all():
        lengths += ~failed
        states.append(np.where(failed, states[-1], cart_pole.step(states[-1], force(rng.random(B) < 0.5))))
    return np.array(states), lengths


def foresight(w: np.ndarray, states: np.ndarray, lengths: np.ndarray) -> float:
    """How well V tells AHEAD steps before a fall to which side it will be: area under the ROC curve, 0.5 is chance.

    That is the probability that V_k is larger before a fall of kind k than before one to the other side; mean over both
    sides and over learners. A single V has to serve for both.
    """
    ahead = states[np.maximum(lengths - AHEAD, 0), :, np.arange(len(lengths))].T
    V = sigmoid(np.tensordot(w, features(ahead), axes=(0, 0)))  # (K, N, B)
    left, right = (kind_of_failure(states[-1])[KINDS.index(name)] == 1 for name in ("left fall", "right fall"))
    V_left, V_right = V[-2:] if len(V) > 1 else V[[0, 0]]

    def auc(higher: np.ndarray, lower: np.ndarray) -> float:
        difference = higher[:, :, None] - lower[:, None]
        return (0.5 + 0.5 * np.sign(difference)).mean()

    return (auc(V_left[:, left], V_left[:, right]) + auc(V_right[:, right], V_right[:, left])) / 2


def failures_before(lengths: np.ndarray, goal: int) -> np.ndarray:
    """Failures (N,) of every learner before its first trial of `goal` steps, inf if there was none."""
    reached = lengths >= goal
    return np.where(reached.any(axis=0), reached.argmax(axis=0), np.inf)


def evaluate(cfg: Config, learners: Learners, lengths: np.ndarray, rng: np.random.Generator | None) -> dict[str, float]:
    """What learning has cost so far; if there is an rng, also test trials from new starts, and with random actions."""
    needed, B = failures_before(lengths, cfg.goal), cfg.tests * cfg.learners
    steady, steady_wide, random_steps, foreseen = [np.nan] * 4
    if rng is not None:
        starts = np.concatenate([cart_pole.start(rng, B, spread) for spread in (0.05, 0.15)], axis=1)
        full = trial_lengths(np.tile(learners.v, 2 * cfg.tests), starts, cfg.test_steps) == cfg.test_steps
        steady, steady_wide = full.reshape(2, cfg.tests, -1).all(axis=1).mean(axis=1)
        states, random_lengths = random_trials(rng, RANDOM_TRIALS)
        random_steps, foreseen = random_lengths.mean(), foresight(learners.w, states, random_lengths)
    metrics = {
        "solved": np.isfinite(needed).mean(),
        "failures": np.median(needed),
        "failures_max": needed.max(),
        "failures_1000": np.median(failures_before(lengths, 1000)),
        "longest": np.median(lengths.max(axis=0)),
        "steady": steady,
        "steady_wide": steady_wide,
        "foresight": foreseen,
        "random_steps": random_steps,
    }
    return {name: float(value) for name, value in metrics.items()}


# Learning


def train(cfg: Config, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Trial after trial, until every learner has reached the goal or failed too often; it stops learning there."""
    init_rng, data_rng, test_rng = rng.spawn(3)
    learners, state = init(cfg, init_rng), cart_pole.start(data_rng, cfg.learners)
    learning, everyone = np.ones(cfg.learners, bool), np.arange(cfg.learners)
    failures, lengths = np.zeros(cfg.learners, int), np.zeros((cfg.max_failures + 2, cfg.learners), int)

    def look(t: int, rng: np.random.Generator | None = None) -> Snapshot:
        params = {"w": learners.w.copy(), "v": learners.v.copy()}
        return Snapshot(t, evaluate(cfg, learners, lengths, rng), params, failures.copy(), lengths.copy())

    looks = set(np.geomspace(10, cfg.max_steps, cfg.snapshots).astype(int))
    yield look(0)
    for t in range(1, cfg.max_steps + 1):
        state, moved = act(cfg, learners.v, state, data_rng.random(cfg.learners))
        learn(cfg, learners, moved, learning)
        lengths[failures, everyone] += learning & ~moved.failed
        if moved.failed.any():
            failures += learning & moved.failed
            state = np.where(moved.failed, cart_pole.start(data_rng, cfg.learners), state)
            learners.e[..., moved.failed] = learners.z[:, moved.failed] = 0
        learning &= (lengths[failures, everyone] < cfg.goal) & (failures <= cfg.max_failures)
        if not learning.any():
            break
        if t in looks:
            yield look(t)
    yield look(t, test_rng)


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
