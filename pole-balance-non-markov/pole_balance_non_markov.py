"""A controller learns to balance a pole whose velocities it cannot see, by gradient through a learnt model of the pole.

Paper: J. Schmidhuber, Making the world differentiable: on using self-supervised fully recurrent neural networks for
dynamic reinforcement learning and planning in non-stationary environments, TR FKI-126-90, TU Munich, 1990; and
Reinforcement learning in Markovian and non-Markovian environments, NIPS 3, 500-506, 1991 (the pole experiment).

Task: a cart is to be pushed so that the pole on it does not fall and the cart does not leave the track. The controller
sees the position of the cart and the angle of the pole, not how fast they change; it has to build that from history.

Method: the controller C lives real trials; a recurrent model M learns from all of them to predict the next positions;
then C practises in M: both nets follow a few recorded steps, which hands them the velocities, and go on alone for T
steps; C descends the gradient of its cost back through M and itself. So it goes on in cycles, until C balances.

Differs: Elman nets, Adam, batches of short imagined trials in place of on-line gradient; the cost is the squared
position rather than pain at failure (the preset `pain` has the pain alone).

Symbols: z = (x, theta) over their limits, u = action (force over its maximum), h and m = hidden units of C and M;
T = steps, B = trials side by side, n = hidden units.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

import cart_pole
from pole_model import LearntModel, PerfectModel, elman, init, model_inputs, model_loss_and_grad, predict
from pole_trials import Life, Record, as_record, live, observe, windows


@dataclass(frozen=True)
class Config:
    controller: str = "recurrent"  # or "memoryless": no recurrent weights
    model: str = "learnt"  # C practises in M; "perfect": in the true equations
    cost: str = "positions"  # "positions": of pole and cart; "pain": probability of having failed, as M predicts it
    stop: str = "solved"  # end when C balances; "never": live all cycles
    hidden: int = 16  # units of C
    model_hidden: int = 32  # units of M
    random_trials: int = 100  # real trials with random actions, before any learning
    trials: int = 40  # real trials of a cycle, one half with noise on C's actions, the other half without
    trial_steps: int = 1000  # after which a trial is ended; C balances if all its noiseless trials last so long
    noise: float = 0.3  # standard deviation of that noise
    cycles: int = 8  # at most
    model_updates: int = 250  # of M in a cycle
    window: int = 40  # recorded steps in M's training sequences
    model_batch: int = 64  # of these in an update
    pain_weight: float = 0.3  # of the cross-entropy of pain in M's loss
    updates: int = 150  # of C in a cycle
    prime: int = 8  # recorded steps that C and M follow before they go on alone
    horizon: int = 30  # imagined steps in the first cycle; 10 more in each further one
    batch: int = 32  # imagined trials in an update
    x_weight: float = 0.1  # of the cart's squared position in the cost; the pole's has 1
    rate: float = 0.005  # Adam, both nets; divided by the number of the cycle
    tests: int = 30  # test trials
    test_steps: int = 5000  # after which a test trial is ended
    snapshots: int = 20  # about how many looks at the run

    def __post_init__(self):
        words = {
            "controller": ("recurrent", "memoryless"),
            "model": ("learnt", "perfect"),
            "cost": ("positions", "pain"),
            "stop": ("solved", "never"),
        }
        for name, allowed in words.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        least = {
            "trials": 2,
            "prime": 4,
            "window": 4,
            "tests": 2,
            "test_steps": 1000,
            "noise": 0,
            "pain_weight": 0,
            "x_weight": 0,
        }
        for field in fields(self):
            low, value = least.get(field.name, 1), getattr(self, field.name)
            if field.type is not str and field.name != "rate" and value < low:
                raise ValueError(f"{field.name} must be at least {low}, got {value}")
        if not self.rate > 0:
            raise ValueError(f"rate must be positive, got {self.rate}")
        if self.model == "perfect" and self.cost == "pain":
            raise ValueError("cost must be positions if model is perfect, got pain")


PRESETS: dict[str, dict] = {
    "recurrent": {},
    "longer": {"stop": "never", "test_steps": 10000},
    "perfect": {"model": "perfect", "stop": "never", "test_steps": 10000},
    "memoryless": {"controller": "memoryless"},
    "pain": {"cost": "pain", "horizon": 100},
    "smoke": {"cycles": 2, "test_steps": 1000},
}

SEEDS = 10

CLAIMS = (
    ("C1", "test trials that last 1000 steps, of 30", "trials of 1000 steps", "median(recurrent.episodes_1000) >= 30"),
    ("C2", "share of runs with 30 of 30", "ours", "mean(recurrent.episodes_1000 >= 30) >= 0.9"),
    ("C3", "real trials until C balances", "a few hundred", "max(recurrent.trials) <= 420"),
    ("C3b", "real trials, median run", "a few hundred", "median(recurrent.trials) <= 250"),
    ("C4", "the longest trial from a friendly start", "more than 3000", "mean(longer.friendly >= 3000) >= 0.5"),
    ("C4b", "as soon as C balances", "more than 3000", "mean(recurrent.friendly >= 3000) >= 0.5"),
    ("C5", "random actions: steps until failure, at least", "about 25", "min(recurrent.random_steps) >= 15"),
    ("C5b", "at most", "about 25", "max(recurrent.random_steps) <= 45"),
    ("C6", "without memory the pole falls", "ours", "median(memoryless.steps_1000) <= 150"),
    ("C7", "M's predictions, 1 - error / that of persistence", "ours", "min(recurrent.skill) >= 0.95"),
    ("C8", "the pole's velocity can be read from C", "ours", "mean(recurrent.r2_omega >= 0.9) >= 0.8"),
    (
        "C9",
        "in the true equations C gets better",
        "best with a perfect model",
        "median(perfect.steps - longer.steps) >= 0",
    ),
    (
        "C9b",
        "and more often lasts 5000 steps",
        "best with a perfect model",
        "median(perfect.episodes_5000 - longer.episodes_5000) > 0",
    ),
    ("C10", "all cycles: mean of steps, 10,000 at most", "ours", "median(longer.steps) >= 8000"),
    ("C11", "predicted pain as the only cost", "ours", "median(pain.steps_1000) >= 300"),
)

SMOKE = "steps_1000 >= 250"


class Snapshot(NamedTuple):
    step: int  # updates of C
    metrics: dict[str, float]
    lived: int  # real trials so far
    steps: np.ndarray  # (tests,) steps that each test trial lasted
    params: dict[str, dict[str, np.ndarray]]  # weights of C and M


# Controller


def imagine(C: dict[str, np.ndarray], model: LearntModel | PerfectModel, z: np.ndarray, T: int) -> tuple:
    """C follows recorded positions z (K + 1, 2, B), then acts T steps in the model.

    Returns C's sources as elman does, (K + T + 1, 3 + n, B), the positions in their first rows, and its actions (T, B).
    """
    K, B = len(z) - 1, z.shape[2]
    followed = elman(C, z[:-1])
    source, u = np.concatenate([followed, np.ones((T, *followed.shape[1:]))]), np.empty((T, B))
    source[K, :2] = z[-1]
    for t in range(T):
        now, after = source[K + t], source[K + t + 1]
        h = np.tanh(C["W"] @ now, out=after[3:])
        u[t] = np.tanh(C["w"] @ h)[0]
        after[:2] = model.step(now[:2], u[t])
    return source, u


def cost_and_grad(cfg: Config, z: np.ndarray, pain: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Cost of imagined positions z (T, 2, B) or of pain (T, B), its gradients at z and at the logits of pain.

    positions: mean over steps and trials of theta^2 + x_weight x^2. pain: mean probability of having failed by step t,
    1 - S(t), where S(t) = (1 - pain(1)) ... (1 - pain(t)) is that of having survived.
    """
    T, _, B = z.shape
    if cfg.cost == "positions":
        weight = np.array([[cfg.x_weight], [1.0]]) / (T * B)
        return float((weight * z * z).sum()), 2 * weight * z, np.zeros((T, B))
    survival = np.cumprod(1 - pain, axis=0) / (T * B)
    return float(1 - survival.sum()), np.zeros_like(z), pain * np.cumsum(survival[::-1], axis=0)[::-1]


def controller_loss_and_grad(
    cfg: Config, C: dict[str, np.ndarray], model: LearntModel | PerfectModel, z: np.ndarray, T: int
) -> tuple[float, dict[str, np.ndarray]]:
    """Cost of T steps in the model after recorded z (K + 1, 2, B), and its gradient through model and C; M is fixed."""
    K, n = len(z) - 1, len(C["W"])
    source, u = imagine(C, model, z, T)
    loss, dz_cost, dlogit = cost_and_grad(cfg, source[K + 1 :, :2], model.pain)
    h, W_back = source[1:, 3:], np.ascontiguousarray(C["W"].T)
    slope, da, dy = 1 - h * h, np.empty_like(h), 1 - u * u  # dy: slope, then gradient at the output unit
    dz, dh = np.zeros_like(z[0]), np.zeros_like(h[0])
    for t in reversed(range(K + T)):
        if t >= K:
            dz, du = model.back(dz_cost[t - K] + dz, dlogit[t - K])
            dy[t - K] *= du
            dh = dh + C["w"].T * dy[t - K]
        da[t] = dh * slope[t]
        dsource = W_back @ da[t]
        dz, dh = dz + dsource[:2], dsource[3:]
    grads = {
        "W": np.tensordot(da, source[:-1], axes=((0, 2), (0, 2))),
        "w": np.tensordot(dy, h[K:], axes=((0, 1), (0, 2)))[None],
    }
    if cfg.controller == "memoryless":
        grads["W"][:, -n:] = 0
    return loss, grads


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


def clip_norm(grads: dict[str, np.ndarray], limit: float) -> None:
    """Scale all gradients in place so that their joint Euclidean norm is at most `limit`."""
    norm = np.sqrt(sum(float(np.vdot(g, g)) for g in grads.values()))
    if norm > limit:
        for g in grads.values():
            g *= limit / norm


class Tests(NamedTuple):
    start: np.ndarray  # (4, tests) first states
    friendly: np.ndarray  # (4, 2 tests) first states nearer to the upright pole at rest
    random: Life  # trials with random actions


def draw_tests(cfg: Config, C: dict[str, np.ndarray], rng: np.random.Generator) -> Tests:
    """Starts of test trials, and trials of an untrained C, which does nothing, with random actions."""
    start, friendly = cart_pole.start(rng, cfg.tests), cart_pole.start(rng, 2 * cfg.tests, spread=0.02)
    return Tests(start, friendly, live(C, start, rng.uniform(-1, 1, (1000, cfg.tests)), 1000))


def model_skill(M: dict[str, np.ndarray], life: Life) -> float:
    """1 - squared error of M's one-step predictions / that of "nothing moves", from the fourth step of a trial on."""
    z, t = observe(life.states), np.arange(len(life.u))[:, None]
    known = ((t >= 3) & (t < life.length))[:, None]
    increments, true = predict(M, elman(M, model_inputs(z[:-1], life.u)))[0], np.diff(z, axis=0)
    return float(1 - (known * (increments - true) ** 2).sum() / (known * true**2).sum())


def velocity_r2(C: dict[str, np.ndarray], life: Life) -> np.ndarray:
    """R^2 of v and omega, (2,), read linearly from C's hidden units over the first 300 steps of its trials.

    The read-out is fitted to one half of the trials and measured on the other; steps 1 to 4 do not count.
    """
    T = min(300, len(life.u))
    h, velocity = elman(C, observe(life.states[:T]))[1:, 2:], life.states[:T, 1::2]
    h[:, 0] = 1  # bias of the read-out
    t, half = np.arange(T)[:, None], len(life.length) // 2
    counted = (t >= 4) & (t < life.length)
    (X, Y), (X_test, Y_test) = (
        [part[..., side].transpose(0, 2, 1)[counted[:, side]] for part in (h, velocity)]
        for side in (slice(half), slice(half, None))
    )
    error = X_test @ np.linalg.lstsq(X, Y, rcond=None)[0] - Y_test
    return 1 - (error**2).sum(axis=0) / ((Y_test - Y_test.mean(axis=0)) ** 2).sum(axis=0)


def look(cfg: Config, nets: tuple, tests: Tests, step: int, lived: int, solved: float, final: bool = False) -> Snapshot:
    """Measure C and M on the tests, and copy them; trials of more than 1000 steps are lived at the end alone."""
    C, M = nets
    starts = np.concatenate([tests.start, tests.friendly], axis=1) if final else tests.start
    life = live(C, starts, None, cfg.test_steps if final else 1000)
    steps, friendly = life.length[: cfg.tests], life.length[cfg.tests :]
    r2 = velocity_r2(C, Life(life.states[..., : cfg.tests], life.u[:, : cfg.tests], steps))
    metrics = {
        "episodes_1000": (steps >= 1000).sum(),
        "steps_1000": np.minimum(steps, 1000).mean(),
        "trials": solved,
        "friendly": friendly.max() if final else np.nan,
        "steps": steps.mean() if final else np.nan,
        "episodes_5000": (steps >= 5000).sum() if final else np.nan,
        "random_steps": tests.random.length.mean(),
        "skill": model_skill(M, tests.random) if cfg.model == "learnt" else 1.0,
        "r2_omega": r2[1],
        "r2_v": r2[0],
    }
    params = {name: {key: w.copy() for key, w in net.items()} for name, net in zip("CM", nets, strict=True)}
    return Snapshot(step, {name: float(value) for name, value in metrics.items()}, lived, steps, params)


def learn_model(
    cfg: Config, M: dict[str, np.ndarray], adam: Adam, record: Record, rng: np.random.Generator, rate: float
) -> None:
    """One update of M on recorded stretches, whose first three steps do not count: their velocities are unknown."""
    window = windows(record, rng, cfg.model_batch, cfg.window, cfg.prime)
    window.mask[:3] = 0
    _, grads = model_loss_and_grad(M, window.z, window.u, window.pain, window.mask, cfg.pain_weight)
    clip_norm(grads, 1.0)
    adam.step(M, grads, rate)


def learn_controller(
    cfg: Config, nets: tuple, adam: Adam, record: Record, rng: np.random.Generator, rate: float, T: int
) -> None:
    """One update of C on imagined trials of T steps that begin where recorded ones have been."""
    C, M = nets
    window = windows(record, rng, cfg.batch, cfg.prime, cfg.prime)
    perfect = cfg.model == "perfect"
    model = PerfectModel(window.last) if perfect else LearntModel(M, window.z[:-1], window.u, T)
    _, grads = controller_loss_and_grad(cfg, C, model, window.z, T)
    clip_norm(grads, 1.0)
    adam.step(C, grads, rate)


def train(cfg: Config, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Cycles of learning M, learning C and living real trials; metrics come from trials that nothing is learnt from."""
    init_rng, data_rng, test_rng = rng.spawn(3)
    nets = C, M = init(init_rng, 2, cfg.hidden, 1), init(init_rng, 3, cfg.model_hidden, 3)
    C["w"][:] = 0  # untrained, C does nothing
    if cfg.controller == "memoryless":
        C["W"][:, -cfg.hidden :] = 0
    adam_C, adam_M = Adam(C), Adam(M)
    tests = draw_tests(cfg, C, test_rng)
    step, lived, solved = 0, 0, np.inf
    yield look(cfg, nets, tests, step, lived, solved)
    looks = {cfg.cycles * cfg.updates * k // cfg.snapshots for k in range(1, cfg.snapshots)}
    noise = data_rng.uniform(-1, 1, (cfg.trial_steps, cfg.random_trials))
    record = as_record(live(C, cart_pole.start(data_rng, cfg.random_trials), noise, cfg.trial_steps))
    lived += cfg.random_trials
    for cycle in range(cfg.cycles):
        rate, T = cfg.rate / (cycle + 1), cfg.horizon + 10 * cycle
        if cfg.model == "learnt":
            for _ in range(cfg.model_updates):
                learn_model(cfg, M, adam_M, record, data_rng, rate)
        for _ in range(cfg.updates):
            learn_controller(cfg, nets, adam_C, record, data_rng, rate, T)
            step += 1
            if step in looks:
                yield look(cfg, nets, tests, step, lived, solved)
        noise = data_rng.normal(0, cfg.noise, (cfg.trial_steps, cfg.trials))
        noise[:, ::2] = 0
        life = live(C, cart_pole.start(data_rng, cfg.trials), noise, cfg.trial_steps)
        lived += cfg.trials
        if (life.length[::2] == cfg.trial_steps).all():
            solved = min(solved, float(lived))
            if cfg.stop == "solved":
                break
        record = Record(*(np.concatenate(parts) for parts in zip(record, as_record(life), strict=True)))
    yield look(cfg, nets, tests, step, lived, solved, final=True)


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
