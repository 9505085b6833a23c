"""A controller becomes a flip-flop by following the gradient of the pain that a learned model of the world predicts.

Paper: J. Schmidhuber, Making the world differentiable: on using self-supervised fully recurrent neural networks for
dynamic reinforcement learning and planning in non-stationary environments, TR FKI-126-90, TU Munich, 1990 (also IJCNN
1990 San Diego, vol. 2, 253-258, and NIPS 3, 500-506, 1991).

Task: events A, B, X or nothing arrive at random times. The controller's output is to be 1 if B came after the last A,
else 0, for as long as it takes; nobody tells it. All it gets is a pain input that is high whenever its output is wrong.

Method: a recurrent model net M learns to predict pain from what the controller C sees and does; C, recurrent too,
descends the gradient of M's prediction with respect to C's output and back through time through C. In the parallel
version both learn all the time, M from what C happens to do; in the sequential version M learns from random actions,
is frozen, and then C learns. C's output unit is probabilistic (Gaussian noise), so that it explores.

Differs: Elman nets, Adam, episodes of 20 steps in batches instead of one endless stream with on-line gradient; the
gradient passes M at the step of the action only, which loses nothing here (README.md).

Symbols: x = C's input (events A, B, X, constant 1, last pain, last action), a = y + noise the action, d the state of
the wanted latch, known to the environment alone, o = the first five of x; T = steps, B = episodes, n = hidden units.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True)
class Config:
    regime: str = "parallel"  # "parallel": C and M learn together; "sequential": first M, then C with M frozen
    controller: str = "recurrent"  # or "memoryless": no recurrence, last pain and last action hidden
    hidden: int = 16  # units of each net
    episode: int = 20  # steps of a training episode
    batch: int = 8  # episodes in an update
    updates: int = 1200  # of C; in the parallel version also of M
    model_updates: int = 600  # of M alone, before those of C (sequential version only); 0 leaves M random
    noise: float = 0.4  # standard deviation of C's probabilistic output in training
    lr_model: float = 0.02  # Adam; both rates fall linearly to 0
    lr_controller: float = 0.005  # Adam
    p_a: float = 0.10  # probability of A in a step of training
    p_b: float = 0.15  # of B
    p_x: float = 0.25  # of the distractor X
    tests: int = 20  # test streams of each kind
    test_steps: int = 1000  # length of a test stream
    check: int = 50  # updates between looks for a solution
    snapshots: int = 20  # about how many looks at the run

    def __post_init__(self):
        words = {"regime": ("parallel", "sequential"), "controller": ("recurrent", "memoryless")}
        for name, allowed in words.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)}")
        least = dict.fromkeys(("hidden", "episode", "batch", "updates", "tests", "check", "snapshots"), 1)
        for name, low in (least | {"test_steps": 400}).items():
            if getattr(self, name) < low:
                raise ValueError(f"{name} must be at least {low}, got {getattr(self, name)}")
        for name in ("model_updates", "noise", "p_a", "p_b", "p_x"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.p_a + self.p_b + self.p_x > 1:
            raise ValueError(f"p_a + p_b + p_x must be at most 1, got {self.p_a + self.p_b + self.p_x}")


PRESETS: dict[str, dict] = {
    "parallel": {},
    "sequential": {"regime": "sequential", "updates": 600, "noise": 0.2},
    "memoryless": {"controller": "memoryless"},
    "untrained_model": {"regime": "sequential", "model_updates": 0, "noise": 0.2},
    "deterministic": {"noise": 0.0},
    "smoke": {"test_steps": 500, "tests": 8},
}

SEEDS = 30

CLAIMS = (
    ("C2", "parallel: share of runs that solve the task", "20 of 30 runs", "mean(parallel.accuracy >= 0.999) >= 0.9"),
    ("C1", "parallel: right decisions on streams with rare events", "ours", "median(parallel.accuracy) >= 0.999"),
    ("C3", "sequential: share of runs", "6 of 10 (second-hand)", "mean(sequential.accuracy >= 0.999) >= 0.999"),
    ("C4", "the latch is kept without the pain input", "ours", "mean(parallel.accuracy_blind >= 0.995) >= 0.9"),
    ("C4b", "sequential likewise", "ours", "mean(sequential.accuracy_blind >= 0.995) >= 0.9"),
    ("C5", "last event over 100 steps ago", "ours", "mean(parallel.accuracy_long >= 0.99) >= 0.9"),
    ("C6", "without memory it cannot be done", "ours", "median(memoryless.accuracy) <= 0.75"),
    ("C6b", "advantage of memory", "ours", "median(parallel.accuracy - memoryless.accuracy) >= 0.15"),
    ("C7", "nor through a model that knows nothing", "ours", "median(untrained_model.accuracy) <= 0.7"),
    ("C8", "M's slope in the action against the true one", "ours", "median(parallel.cosine) >= 0.8"),
    ("P1", "nor without a probabilistic output", "ours", "mean(deterministic.accuracy >= 0.999) <= 0.1"),
    ("C9", "time steps until solved", "1,000,000", "median(parallel.steps_to_solve) <= 300000"),
)

SMOKE = "accuracy >= 0.98"


class Snapshot(NamedTuple):
    step: int  # time steps of training
    metrics: dict[str, float]
    C: dict[str, np.ndarray]  # weights of the controller
    M: dict[str, np.ndarray]  # weights of the model


# Task


class World(NamedTuple):
    """What happens in B streams of T steps, whatever the controller does."""

    events: np.ndarray  # (T, B, 3) 1 where A, B or X happens
    d: np.ndarray  # (T, B) wanted output: 1 if B came after the last A
    since: np.ndarray  # (T, B) steps since the last A or B, T + 1 or more before the first


def sample(rng: np.random.Generator, T: int, B: int, p_a: float, p_b: float, p_x: float) -> World:
    """Draw streams in which A, B, X happen with the given probabilities in a step, never together."""
    u = rng.random((T, B))
    edges = np.cumsum([0, p_a, p_b, p_x])
    events = np.stack([(lo <= u) & (u < hi) for lo, hi in zip(edges[:-1], edges[1:], strict=True)], axis=2)
    a, b, t = events[..., 0], events[..., 1], np.arange(T)[:, None]
    latest = np.maximum.accumulate(np.where(a | b, t, -1 - T))  # step of the last A or B; -1 - T before the first
    d = (latest >= 0) & np.take_along_axis(b, latest.clip(min=0), axis=0)
    return World(events.astype(float), d.astype(float), t - latest)


def hurt(action: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Pain: squared distance of the action from the wanted output, at most 1.5."""
    return np.minimum((action - d) ** 2, 1.5)


# Model

LAST_PAIN, ACTION = 4, 5  # places in the inputs: C sees its last action, M the one just taken


class Life(NamedTuple):
    """What C sees and does in B streams of T steps."""

    x: np.ndarray  # (T, B, 6) inputs: A, B, X, 1, last pain, last action
    h: np.ndarray  # (T, B, n) C's hidden units
    y: np.ndarray  # (T, B) C's output
    action: np.ndarray  # (T, B) output plus noise
    pain: np.ndarray  # (T, B)


def init(cfg: Config, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """An Elman net h = tanh(x W + h U), y = sigmoid(h w + c) with 6 inputs, as both C and M are."""
    n = cfg.hidden
    return {
        "W": rng.normal(0, 0.5 / np.sqrt(6), (6, n)),
        "U": rng.normal(0, 0.5 / np.sqrt(n), (n, n)),
        "w": rng.normal(0, 0.5 / np.sqrt(n), n),
        "c": np.zeros(1),
    }


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logistic function of an array of any shape; the tanh form cannot overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def live(
    C: dict[str, np.ndarray],
    world: World,
    noise: np.ndarray | float = 0.0,
    feels: np.ndarray | float = 1.0,
    memoryless: bool = False,
) -> Life:
    """Let the controller act. noise: (T, B) added to its output; feels: (B,) factor of the pain it is given to see.

    A memoryless controller sees neither its last pain nor its last action, and its recurrent weights must be 0.
    """
    T, B = world.d.shape
    x = np.zeros((T, B, 6))
    x[..., :3], x[..., 3] = world.events, 1
    h, y, noise = np.empty((T, B, len(C["w"]))), np.empty((T, B)), np.broadcast_to(noise, (T, B))
    action, pain = np.empty((T, B)), np.empty((T, B))
    drive = x @ C["W"]
    state = np.zeros((B, len(C["w"])))
    for t in range(T):
        if t > 0 and not memoryless:
            x[t, :, LAST_PAIN], x[t, :, ACTION] = feels * pain[t - 1], action[t - 1]
            drive[t] += x[t, :, LAST_PAIN:] @ C["W"][LAST_PAIN:]
        state = h[t] = np.tanh(drive[t] + state @ C["U"])
        y[t] = sigmoid(state @ C["w"] + C["c"])
        action[t] = y[t] + noise[t]
        pain[t] = hurt(action[t], world.d[t])
    return Life(x, h, y, action, pain)


def model_inputs(world: World, action: np.ndarray, pain: np.ndarray) -> np.ndarray:
    """What M sees, (T, B, 6): events, constant and last pain, as C does, and the action just taken."""
    inputs = np.zeros((*action.shape, 6))
    inputs[..., :3], inputs[..., 3], inputs[..., ACTION] = world.events, 1, action
    inputs[1:, :, LAST_PAIN] = pain[:-1]
    return inputs


def predict(M: dict[str, np.ndarray], inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """M's hidden units (T, B, n) and the pain it predicts for each step (T, B)."""
    h = inputs @ M["W"]
    h[0] = np.tanh(h[0])
    for t in range(1, len(h)):
        h[t] = np.tanh(h[t] + h[t - 1] @ M["U"])
    return h, sigmoid(h @ M["w"] + M["c"])


def backward(
    net: dict[str, np.ndarray], x: np.ndarray, h: np.ndarray, y: np.ndarray, dy: np.ndarray, feedback: bool
) -> dict[str, np.ndarray]:
    """Backpropagation through time of dy, the gradient of a loss with respect to an Elman net's outputs y.

    With `feedback` the output of each step is an input of the next (C's last action), and gradient flows back there.
    """
    ds, dz = y * (1 - y), np.empty_like(h)  # ds: slope, then gradient at the output unit; dz: at the hidden units
    slope, dh = 1 - h * h, np.zeros_like(h[0])
    for t in reversed(range(len(x))):
        ds[t] *= dy[t] + (dz[t + 1] @ net["W"][ACTION] if feedback and t + 1 < len(x) else 0)
        dz[t] = (ds[t][:, None] * net["w"] + dh) * slope[t]
        dh = dz[t] @ net["U"].T
    return {
        "W": np.tensordot(x, dz, axes=((0, 1), (0, 1))),
        "U": np.tensordot(h[:-1], dz[1:], axes=((0, 1), (0, 1))),
        "w": np.tensordot(ds, h, axes=2),
        "c": ds.sum(keepdims=True)[0],
    }


def model_grad(
    M: dict[str, np.ndarray], inputs: np.ndarray, h: np.ndarray, predicted: np.ndarray, pain: np.ndarray
) -> dict[str, np.ndarray]:
    """Gradient of half the squared error of the predicted pain, mean over all steps; h, predicted: from predict."""
    return backward(M, inputs, h, predicted, (predicted - pain) / pain.size, feedback=False)


def pain_slope(M: dict[str, np.ndarray], h: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """d predicted pain_t / d action_t, (T, B), through M at the same step; h, predicted: from predict."""
    return predicted * (1 - predicted) * (((1 - h * h) * M["w"]) @ M["W"][ACTION])


def controller_grad(C: dict[str, np.ndarray], life: Life, slope: np.ndarray) -> dict[str, np.ndarray]:
    """Gradient of the mean predicted pain with respect to C's weights; slope: from pain_slope.

    Pain inputs are data. So are M's earlier states: the pain of a step depends on the action of that step alone.
    """
    return backward(C, life.x, life.h, life.y, slope / slope.size, feedback=True)


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


def test_world(cfg: Config, rng: np.random.Generator) -> World:
    """Three times cfg.tests streams with events far rarer than in training.

    Streams with an A or B every 25 steps, the same ones again (to be lived without pain input), and streams with one
    every 100 steps.
    """
    rare = sample(rng, cfg.test_steps, cfg.tests, 0.02, 0.02, 0.3)
    rarer = sample(rng, cfg.test_steps, cfg.tests, 0.005, 0.005, 0.3)
    return World(*(np.concatenate(parts, axis=1) for parts in zip(rare, rare, rarer, strict=True)))


def right(cfg: Config, C: dict[str, np.ndarray], world: World) -> np.ndarray:
    """Whether C, without noise, is on the right side of 0.5: (T, B) for the streams of test_world."""
    feels = np.repeat([1.0, 0.0, 1.0], cfg.tests)
    return (live(C, world, feels=feels, memoryless=cfg.controller == "memoryless").y > 0.5) == (world.d > 0.5)


def slope_cosine(M: dict[str, np.ndarray], world: World, action: np.ndarray) -> float:
    """Cosine between M's slope of pain in the action and the true one, 2 (a - d), over all steps of `world`."""
    slope = pain_slope(M, *predict(M, model_inputs(world, action, hurt(action, world.d))))
    true = 2 * (action - world.d)
    return float(np.sum(slope * true) / np.sqrt(np.sum(slope**2) * np.sum(true**2)))


def learn_model(cfg: Config, M: dict[str, np.ndarray], adam: Adam, rng: np.random.Generator, rate: float) -> None:
    """One update of M on uniformly random actions (sequential version)."""
    world = sample(rng, cfg.episode, cfg.batch, cfg.p_a, cfg.p_b, cfg.p_x)
    action = rng.random(world.d.shape)
    pain = hurt(action, world.d)
    inputs = model_inputs(world, action, pain)
    adam.step(M, model_grad(M, inputs, *predict(M, inputs), pain), rate * cfg.lr_model)


def learn_controller(cfg: Config, nets: tuple, adams: tuple, rng: np.random.Generator, rate: float) -> None:
    """One update of C through M as it is, and in the parallel version one of M on the same life of C."""
    (C, M), (adam_C, adam_M), memoryless = nets, adams, cfg.controller == "memoryless"
    world = sample(rng, cfg.episode, cfg.batch, cfg.p_a, cfg.p_b, cfg.p_x)
    life = live(C, world, rng.normal(0, cfg.noise, world.d.shape), memoryless=memoryless)
    inputs = model_inputs(world, life.action, life.pain)
    h, predicted = predict(M, inputs)
    grads = controller_grad(C, life, pain_slope(M, h, predicted))
    if memoryless:
        grads["U"][:] = 0
    if cfg.regime == "parallel":
        adam_M.step(M, model_grad(M, inputs, h, predicted, life.pain), rate * cfg.lr_model)
    adam_C.step(C, grads, rate * cfg.lr_controller)


def train(cfg: Config, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Train C and M, together or one after the other; metrics are measured on worlds not trained on."""
    init_rng, data_rng, test_rng = rng.spawn(3)
    nets = C, M = init(cfg, init_rng), init(cfg, init_rng)
    if cfg.controller == "memoryless":
        C["U"][:] = 0
    adams = Adam(C), Adam(M)
    tests, n = test_world(cfg, test_rng), cfg.tests
    long_ago = (tests.since[:, 2 * n :] > 100) & (tests.since[:, 2 * n :] <= cfg.test_steps)
    probe = sample(test_rng, cfg.episode, 200, cfg.p_a, cfg.p_b, cfg.p_x)
    probe_action = test_rng.random(probe.d.shape)
    baseline = float(max(tests.d[:, :n].mean(), 1 - tests.d[:, :n].mean()))
    alone = cfg.model_updates if cfg.regime == "sequential" else 0
    total, steps_to_solve = alone + cfg.updates, np.inf
    looks = {total * k // cfg.snapshots for k in range(cfg.snapshots + 1)}
    for update in range(total + 1):
        step = update * cfg.batch * cfg.episode
        # C is tested for a solution whether or not there is a look, as soon as it learns
        unsolved = steps_to_solve == np.inf and update % cfg.check == 0 and update > alone
        if update == 0 or (update > alone and update in looks) or unsolved:  # while M learns alone, C is as it was
            ok = right(cfg, C, tests)
            if unsolved and ok[:, :n].mean() >= 0.999:
                steps_to_solve = float(step)
        if update in looks:
            metrics = {
                "accuracy": float(ok[:, :n].mean()),
                "accuracy_blind": float(ok[:, n : 2 * n].mean()),
                "accuracy_long": float(ok[:, 2 * n :][long_ago].mean()),
                "baseline": baseline,
                "cosine": slope_cosine(M, probe, probe_action),
                "steps_to_solve": steps_to_solve,
            }
            yield Snapshot(step, metrics, *({name: p.copy() for name, p in net.items()} for net in nets))
        if update < alone:
            learn_model(cfg, M, adams[1], data_rng, 1 - update / alone)
        elif update < total:
            learn_controller(cfg, nets, adams, data_rng, 1 - (update - alone) / cfg.updates)


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
