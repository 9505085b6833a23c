"""A curious agent seeks what its world model can still learn and is bored by what it knows and by noise.

Paper: J. Schmidhuber, "Curious model-building control systems", IJCNN 1991, Singapore, vol. 2, 1458-1463; "Adaptive
confidence and adaptive curiosity", TR FKI-149-91, TU Munich, 1991.

Task: entering one of 100 cells causes a reaction that a world model predicts. In region A it is always the same, in
region B it is a coin toss, and in the small region C it is fixed but new in every cell. Nothing tells these regions
apart. The agent has learned when the mean squared error of its model over C has fallen to a tenth.

Method: a confidence module learns how large the error of the model is. By how much an error is smaller than that is
progress; progress, smoothed, is the reward for Q-learning. It vanishes where nothing is left to learn, and for noise.

Differs: all modules are tables, and the layout of the world and the slow model are ours. A second world, three arms of
which one is pulled at each step, is that of the reference catalogue. A run is a population of independent learners.

Symbols: y = reaction, M = the model's prediction of it, e = (y - M)^2, c = predicted e, P = interest (smoothed
progress), Q = action values, E = mean squared error over C; N = learners, S = places, K = contexts.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

SIZE, COLUMNS_A = 10, 4  # cells along an edge of the grid, columns of region A
ARM_CONTEXTS = (4, 1, 128)  # of the arms A, B and C
ARM_TARGETS = 2.0  # standard deviation of the reactions of the arms A and C
A, B, C = range(3)  # regions: known at once, noise, learnable


@dataclass(frozen=True)
class Config:
    world: str = "grid"  # or "arms": three of them, from each of which all can be reached
    rows: int = 3  # of region C in the grid
    columns: int = 4  # of region C in the grid
    coin: float = 1.0  # size of the coin tosses in B
    sigma: float = 0.0  # standard deviation of the Gaussian noise added to them
    signal: str = "progress"  # c - e; "clipped": not below 0; "error": e, so that any error is interesting
    learners: int = 50  # N
    alpha: float = 0.02  # learning rate of M
    kappa: float = 0.2  # learning rate of c
    tau: float = 0.2  # learning rate of P
    start: float = 0.05  # P of a place not yet visited
    lr: float = 0.5  # learning rate of Q
    gamma: float = 0.9  # discount per step
    epsilon: float = 0.02  # probability of a random action; 1 is random search
    backups: int = 0  # of Q per step, at random places with random actions, besides that of the move
    goal: float = 0.1  # fraction of E(0) below which C counts as learned
    steps: int = 4000  # of every learner, at most
    after: int = 1000  # steps that follow when all have learned; also the window of share_c_end
    snapshots: int = 20  # about how many looks at the run

    def __post_init__(self) -> None:
        words = {"world": ("grid", "arms"), "signal": ("progress", "clipped", "error")}
        for name, allowed in words.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be {' or '.join(allowed)}, got {getattr(self, name)!r}")
        least = {"rows": 1, "columns": 1, "learners": 1, "backups": 0, "steps": 1, "after": 1, "snapshots": 1}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise ValueError(f"{name} must be at least {bound}, got {getattr(self, name)}")
        for name, bound in {"rows": SIZE, "columns": SIZE - COLUMNS_A}.items():
            if getattr(self, name) > bound:
                raise ValueError(f"{name} must be at most {bound}, got {getattr(self, name)}")
        for name in ("alpha", "kappa", "tau", "lr", "epsilon", "goal"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be between 0 and 1, got {getattr(self, name)}")
        if not 0 <= self.gamma < 1:
            raise ValueError(f"gamma must be at least 0 and less than 1, got {self.gamma}")
        for name in ("coin", "sigma", "start"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ValueError(f"{name} must be at least 0 and finite, got {getattr(self, name)}")


PRESETS: dict[str, dict] = {
    "curious": {},
    "dyna5": {"backups": 5},
    "dyna20": {"backups": 20},
    "random": {"epsilon": 1.0, "steps": 20_000},
    "error": {"signal": "error", "start": 1.0, "steps": 20_000},
    "error_optimistic": {"signal": "error", "start": 10.0, "steps": 20_000},
    "noisy": {"sigma": 0.5, "steps": 20_000},
    "small": {"rows": 2, "columns": 2},
    "small_dyna5": {"rows": 2, "columns": 2, "backups": 5},
    "small_random": {"rows": 2, "columns": 2, "epsilon": 1.0, "steps": 20_000},
    "large": {"rows": 6, "columns": 6, "steps": 20_000},
    "large_dyna5": {"rows": 6, "columns": 6, "backups": 5, "steps": 20_000},
    "large_random": {"rows": 6, "columns": 6, "epsilon": 1.0, "steps": 20_000},
    "arms": {"world": "arms", "coin": 0.0, "sigma": 2.0, "alpha": 0.2, "tau": 0.01, "start": 1.0},
    "arms_random": {"world": "arms", "coin": 0.0, "sigma": 2.0, "alpha": 0.2, "epsilon": 1.0},
    "arms_error": {
        "signal": "error",
        "world": "arms",
        "coin": 0.0,
        "sigma": 2.0,
        "alpha": 0.2,
        "tau": 0.01,
        "start": 1.0,
    },
    "arms_clipped": {
        "signal": "clipped",
        "world": "arms",
        "coin": 0.0,
        "sigma": 2.0,
        "alpha": 0.2,
        "tau": 0.01,
        "start": 1.0,
    },
    "arms_quiet": {"world": "arms", "coin": 0.0, "sigma": 0.5, "alpha": 0.2, "tau": 0.01, "start": 1.0},
    "arms_quiet_error": {
        "signal": "error",
        "world": "arms",
        "coin": 0.0,
        "sigma": 0.5,
        "alpha": 0.2,
        "tau": 0.01,
        "start": 1.0,
    },
    "smoke": {"rows": 2, "columns": 2, "learners": 8},
}

SEEDS = 10

CLAIMS = (
    (
        "C2",
        "C, 2 x 2, is learned this many times sooner than by random search",
        "up to 10 times",
        "median(small_random.learn_steps / small_dyna5.learn_steps) >= 10",
    ),
    (
        "C1",
        "C, 3 x 4, with plain Q-learning",
        "faster than random search",
        "min(random.learn_steps / curious.learn_steps) >= 3",
    ),
    ("C3", "with 20 more backups per step", "ours", "min(random.learn_steps / dyna20.learn_steps) >= 6"),
    ("C4", "share of steps in C until it is learned", "soon focuses there", "min(curious.share_c) >= 0.65"),
    ("C5", "hunger for error does not learn C in 20,000 steps", "inferior with noise", "max(error.learned) <= 0.05"),
    ("C5b", "but stays in the noise", "ours", "min(error.share_b) >= 0.9"),
    (
        "C5c",
        "if very optimistic it learns C, this many times later than curiosity",
        "ours",
        "min(error_optimistic.learn_steps / curious.learn_steps) >= 3",
    ),
    ("C6", "learners that go to C most until it is learned", "ours", "mean(curious.c_first) >= 0.97"),
    ("C7", "interest in noise when C is learned (0.05 at first)", "ours", "max(curious.noise_interest) <= 0.03"),
    ("C12", "share of C after learning, of that before", "ours", "max(curious.share_c_end / curious.share_c) <= 0.5"),
    (
        "C8",
        "arms, as much noise as C has to learn: times sooner than random search",
        "ours",
        "min(arms_random.learn_steps / arms.learn_steps) >= 1.9",
    ),
    ("C8b", "there most of those who hunger for error do not learn C", "ours", "max(arms_error.learned) <= 0.5"),
    ("C8c", "clipped progress is drawn to noise: steps in B", "ours", "min(arms_clipped.share_b) >= 0.9"),
    ("C9", "arms, little noise: share of steps in C until learned", "ours", "mean(arms_quiet.share_c) >= 0.6"),
    ("C9b", "steps of the slowest learner", "ours", "max(arms_quiet.slowest) <= 2000"),
    ("C9c", "there hunger for error learns C, too", "ours", "min(arms_quiet_error.learned) >= 0.95"),
    (
        "C11",
        "C1 with Gaussian noise on the coin tosses, median",
        "ours",
        "median(random.learn_steps / noisy.learn_steps) >= 3",
    ),
)

SMOKE = "learn_steps <= 1200"


class Snapshot(NamedTuple):
    step: int  # of every learner
    metrics: dict[str, float]
    params: dict[str, np.ndarray]  # M, c, P and Q, see Learners
    path: np.ndarray  # (step, N) place entered at each step
    E: np.ndarray  # (step + 1, N) E(t) from t = 0 on


class World(NamedTuple):
    leads_to: np.ndarray  # (S, actions) place that is entered by an action
    region: np.ndarray  # (S,) of each place: A, B or C
    contexts: np.ndarray  # (S,) how many contexts a place has; those of place s are first[s], first[s] + 1, ...
    first: np.ndarray  # (S,)
    region_of_context: np.ndarray  # (K,)


class Learners(NamedTuple):
    M: np.ndarray  # (N, K) world model: reaction predicted in each context
    c: np.ndarray  # (N, K) confidence: squared error of M predicted; nan before the first visit
    P: np.ndarray  # (N, S) interest of each place
    Q: np.ndarray  # (N, S, actions) action values


# The two worlds


def make_world(cfg: Config) -> World:
    """The grid, where every cell is a place with one context, or the arms, places with several contexts."""
    if cfg.world == "grid":
        x, y = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
        moves = [(x, y - 1), (x, y + 1), (x - 1, y), (x + 1, y)]
        last = SIZE - 1
        leads_to = np.stack([y.clip(0, last) * SIZE + x.clip(0, last) for x, y in moves], axis=-1).reshape(-1, 4)
        region = np.where(x < COLUMNS_A, A, B)
        region[-cfg.rows :, -cfg.columns :] = C
        region, contexts = region.ravel(), np.ones(SIZE * SIZE, int)
    else:
        leads_to, region, contexts = np.tile([A, B, C], (3, 1)), np.array([A, B, C]), np.array(ARM_CONTEXTS)
    return World(leads_to, region, contexts, np.cumsum(contexts) - contexts, np.repeat(region, contexts))


def draw_targets(cfg: Config, world: World, rng: np.random.Generator) -> np.ndarray:
    """The deterministic part (N, K) of the reactions, 0 in region B."""
    shape, region = (cfg.learners, len(world.region_of_context)), world.region_of_context
    if cfg.world == "grid":
        return np.where(region == C, rng.choice([-1.0, 1.0], shape), 0.0)
    return np.where(region == B, 0.0, rng.normal(0, ARM_TARGETS, shape))


def enter(
    cfg: Config, world: World, target: np.ndarray, place: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Contexts (N,) that the learners meet in places (N,), each drawn from those of its place, and reactions y (N,)."""
    N = len(place)
    context = world.first[place] + (rng.random(N) * world.contexts[place]).astype(int)
    noise = cfg.coin * np.sign(rng.random(N) - 0.5) + cfg.sigma * rng.normal(size=N)
    return context, target[np.arange(N), context] + np.where(world.region[place] == B, noise, 0.0)


# The learner


def init(cfg: Config, world: World, rng: np.random.Generator) -> Learners:
    """M = 0; P and Q expect an interest of cfg.start everywhere; random differences in Q are just to break ties."""
    N, K, (S, actions) = cfg.learners, len(world.region_of_context), world.leads_to.shape
    Q = cfg.start / (1 - cfg.gamma) + 1e-6 * rng.random((N, S, actions))
    return Learners(np.zeros((N, K)), np.full((N, K), np.nan), np.full((N, S), cfg.start), Q)


def choose(cfg: Config, Q: np.ndarray, place: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Actions (N,) in places (N,): the best ones according to Q, or with probability epsilon random ones."""
    N, actions = len(place), Q.shape[-1]
    best = Q[np.arange(N), place].argmax(axis=1)
    return np.where(rng.random(N) < cfg.epsilon, rng.integers(actions, size=N), best)


def observe(cfg: Config, learners: Learners, place: np.ndarray, context: np.ndarray, y: np.ndarray) -> None:
    """Learn from reactions y (N,) in contexts (N,) of places (N,), in place. With d for the progress:

    e = (y - M)^2,  M <- M + alpha (y - M),  c = e at the first visit,
    d = c - e,  c <- c - kappa d,  P <- P + tau (d - P).
    """
    M, c, P, _ = learners
    n = np.arange(len(place))
    surprise = y - M[n, context]
    e = surprise * surprise
    M[n, context] += cfg.alpha * surprise
    expected = c[n, context]
    expected = np.where(np.isnan(expected), e, expected)
    d = expected - e
    c[n, context] = expected - cfg.kappa * d
    signal = {"progress": d, "clipped": np.maximum(d, 0), "error": e}[cfg.signal]
    P[n, place] += cfg.tau * (signal - P[n, place])


def backup(cfg: Config, world: World, learners: Learners, place: np.ndarray, action: np.ndarray) -> None:
    """Change Q in place for actions (N, b) in places (N, b); the reward is the interest of the place s' they lead to.

    Q(s, a) <- Q(s, a) + lr (P(s') + gamma max_a' Q(s', a') - Q(s, a)).
    """
    n = np.arange(len(place))[:, None]
    reached = world.leads_to[place, action]
    value = learners.P[n, reached] + cfg.gamma * learners.Q[n, reached].max(axis=-1)
    learners.Q[n, place, action] += cfg.lr * (value - learners.Q[n, place, action])


def error_in_C(world: World, M: np.ndarray, target: np.ndarray) -> np.ndarray:
    """E (N,): mean squared error of the model over the contexts of region C."""
    learnable = world.region_of_context == C
    return ((target - M)[:, learnable] ** 2).mean(axis=1)


# Learning


def evaluate(
    cfg: Config, world: World, path: np.ndarray, E: np.ndarray, learned_at: np.ndarray, noise_interest: np.ndarray
) -> dict[str, float]:
    """Steps to learn C (median and slowest; inf if not learned), and where the learners were until then (means).

    share_a, share_b and share_c are shares of the steps of a learner until it had learned C; c_first is the fraction
    of learners with most of them in C, c_b_a that with C > B > A; share_c_end is over the last cfg.after steps.
    """
    region, until = world.region[path], np.arange(len(path))[:, None] < learned_at
    visits = np.array([((region == r) & until).sum(axis=0) for r in (A, B, C)])
    shares = visits / np.maximum(until.sum(axis=0), 1)
    metrics = {
        "learned": np.isfinite(learned_at).mean(),
        "learn_steps": np.median(learned_at),
        "slowest": learned_at.max(),
        "share_a": shares[A].mean(),
        "share_b": shares[B].mean(),
        "share_c": shares[C].mean(),
        "c_first": (visits[C] > np.maximum(visits[A], visits[B])).mean(),
        "c_b_a": ((visits[C] > visits[B]) & (visits[B] > visits[A])).mean(),
        "share_c_end": (region[-cfg.after :] == C).sum() / max(region[-cfg.after :].size, 1),
        "noise_interest": noise_interest.mean(),
        "error": E[-1].mean(),
    }
    return {name: float(value) for name, value in metrics.items()}


def train(cfg: Config, rng: np.random.Generator) -> Iterator[Snapshot]:
    """The population explores until cfg.after steps after its last learner has learned C, or for cfg.steps."""
    init_rng, data_rng, act_rng = rng.spawn(3)
    world, N = make_world(cfg), cfg.learners
    target, learners = draw_targets(cfg, world, init_rng), init(cfg, world, init_rng)
    places, actions = world.leads_to.shape
    place, path = np.zeros(N, int), np.zeros((cfg.steps, N), np.int16)
    E, learned_at = np.zeros((cfg.steps + 1, N)), np.full(N, np.inf)
    E[0] = error_in_C(world, learners.M, target)
    noise_interest = np.full(N, cfg.start)  # mean of P over B, at the time when C was learned or else now

    def look(t: int) -> Snapshot:
        metrics = evaluate(cfg, world, path[:t], E[: t + 1], learned_at, noise_interest)
        params = {name: array.copy() for name, array in learners._asdict().items()}
        return Snapshot(t, metrics, params, path[:t].copy(), E[: t + 1].copy())

    looks = set(np.linspace(0, cfg.steps, cfg.snapshots + 1).astype(int))
    yield look(0)
    for t in range(1, cfg.steps + 1):
        action = choose(cfg, learners.Q, place, act_rng)
        entered = world.leads_to[place, action]
        context, y = enter(cfg, world, target, entered, data_rng)
        observe(cfg, learners, entered, context, y)
        s, a = (act_rng.integers(count, size=(N, cfg.backups)) for count in (places, actions))
        backup(cfg, world, learners, np.column_stack([place, s]), np.column_stack([action, a]))
        path[t - 1] = place = entered
        E[t] = error_in_C(world, learners.M, target)
        noise_interest = np.where(t <= learned_at, learners.P[:, world.region == B].mean(axis=1), noise_interest)
        learned_at[(E[t] < cfg.goal * E[0]) & (t < learned_at)] = t
        if t == learned_at.max() + cfg.after:
            break
        if t in looks and t < cfg.steps:
            yield look(t)
    yield look(t)


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
