"""A recurrent controller remembers a cue through a maze, and learns it in a recurrent model of the maze.

Paper: J. Schmidhuber, Reinforcement learning in Markovian and non-Markovian environments, NIPS 3, 500-506, 1991; more
in Making the world differentiable, TR FKI-126-90, TU Munich, 1990.

Task: a cue seen at the first step only says which of two flags is the right one. The way there leads through cells that
look alike, so without memory half of the episodes must end at the wrong flag. The maze itself is not in the paper.

Method: a recurrent model M learns from episodes of random actions to predict walls and reward after each action. Then
M's hidden state stands for the state that cannot be observed: a critic V learns the value of such states, M and V
together say what each of the four actions is worth, and the recurrent controller C, which sees observations alone, is
moved towards the better ones by back-propagation through its own past.

Differs: the maze; Elman nets, Adam, batches of recorded episodes; the gradient of the expected value over all four
actions in place of that through M's inputs (preset `through_model` has that one); a scalar critic.

Symbols: o observation, a action, r reward, h and c hidden units of M and C, pi = softmax(c w) policy, Q(h, a) value of
an action, gamma discount; T steps, B episodes side by side, n hidden units.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import partial
from typing import NamedTuple

import numpy as np

from flag_maze import ACTIONS, FLAG_REWARD, OBSERVATION, STEP_REWARD, Episodes, Maze, join, live, pick
from maze_controller import actor, drawn, explore, greedy, init_controller, policy, policy_gain_and_grad
from maze_model import REWARD, WALLS, follow, foresee, init_model, model_loss_and_grad
from through_model import imagine, imagined_return_and_grad

BOUND = 1.0  # no value in this maze is outside [-BOUND, BOUND]
TAUS = (2, 3, 5, 8)  # steps; see draw


@dataclass(frozen=True)
class Config:
    controller: str = "recurrent"  # or "memoryless": no recurrent weights
    gradient: str = "critic"  # C follows the values of all actions; "through_model": the gradient through M
    replay: str = "short_first"  # M's batches begin with episodes that reach a flag soon; "uniform": they do not
    corridor: int = 5  # cells up to and including the junction
    T: int = 20  # steps after which an episode is ended
    gamma: float = 0.95  # discount
    cycles: int = 1  # of living, learning M, learning C
    random_episodes: int = 8000  # real episodes of the first cycle, with random actions
    episodes: int = 500  # real episodes of each further cycle, under C
    exploration: float = 0.3  # probability of a random action in these
    model_hidden: int = 32  # units of M, and of the critic
    model_updates: int = 800  # of M in a cycle
    reward_weight: float = 5.0  # of the reward's squared error in M's loss
    model_rate: float = 0.005  # Adam's; 0.4 times that in the second half of the updates
    hidden: int = 24  # units of C
    updates: int = 450  # of C and the critic in a cycle
    rate: float = 0.005  # Adam's, of C and the critic
    entropy: float = 0.05  # weight of the policy's entropy in what C maximises, falling to a tenth of that
    slow: float = 0.9  # the values that Q uses are those of a critic that keeps so much of its weights per update
    batch: int = 48  # episodes in an update
    tests: int = 500  # test episodes of random actions, and of C's with actions drawn from its policy
    snapshots: int = 20  # about how many looks at the run

    def __post_init__(self):
        words = {
            "controller": ("recurrent", "memoryless"),
            "gradient": ("critic", "through_model"),
            "replay": ("short_first", "uniform"),
        }
        for name, allowed in words.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        for name in ("gamma", "exploration", "slow"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {getattr(self, name)}")
        least = {"corridor": 2, "random_episodes": 500, "tests": 100, "reward_weight": 0, "entropy": 0}
        for field in fields(self):
            low, value = least.get(field.name, 1), getattr(self, field.name)
            if field.type is int and value < low or field.name in least and value < low:
                raise ValueError(f"{field.name} must be at least {low}, got {value}")
        for name in ("model_rate", "rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if self.corridor >= self.T:
            raise ValueError(f"T must be more than corridor = {self.corridor}, got {self.T}")


PRESETS: dict[str, dict] = {
    "recurrent": {},
    "memoryless": {"controller": "memoryless"},
    "through_model": {"gradient": "through_model", "rate": 0.002, "updates": 900},
    "uniform": {"replay": "uniform"},
    "long": {
        "corridor": 10,
        "T": 40,
        "cycles": 4,
        "random_episodes": 5000,
        "episodes": 1000,
        "model_updates": 600,
        "updates": 300,
        "batch": 64,
    },
    "long_random": {
        "corridor": 10,
        "T": 40,
        "random_episodes": 8000,
        "model_updates": 2400,
        "updates": 1200,
        "batch": 64,
    },
    "smoke": {"random_episodes": 3000, "model_updates": 600, "updates": 300},
}
SEEDS = 10

CLAIMS = (
    (
        "C2",
        "both flags found, in 6 steps, by 9 runs of 10",
        "such tasks are solved",
        "mean(recurrent.steps <= 6.5) >= 0.9",
    ),
    ("C1", "every run finds both", "ours", "min(recurrent.success) >= 1"),
    ("C7", "the critic knows what the start is worth", "critics fit in", "mean(recurrent.value_error <= 0.03) >= 0.9"),
    ("C3", "M remembers the cue: error of its rewards at flags", "ours", "max(recurrent.flag_error) <= 0.02"),
    ("C3b", "... not if it learns from any episodes", "ours", "min(uniform.flag_error) >= 0.5"),
    ("C4", "without memory C learns to go to a flag", "ours", "min(memoryless.sampled_success) >= 0.4"),
    ("C4b", "... and has to guess which", "ours", "max(memoryless.sampled_success) <= 0.6"),
    ("C5", "random actions find the right flag", "ours", "mean(recurrent.random_success) <= 0.06"),
    ("C6", "real episodes", "ours", "max(recurrent.episodes) <= 10000"),
    ("C8", "shown the other cue, C goes to the other flag", "ours", "max(recurrent.swapped_success) <= 0"),
    ("C8b", "shown none, it finds one of them", "ours", "max(recurrent.blind_success) <= 0.5"),
    (
        "C9",
        "the gradient through M solves the maze less often",
        "ours",
        "mean(through_model.success >= 1) < mean(recurrent.success >= 1)",
    ),
    ("C10", "a corridor of 10 cells is learnt in cycles", "ours", "mean(long.success >= 1) >= 0.8"),
    (
        "C10b",
        "... less often if all life is random",
        "ours",
        "mean(long_random.success >= 1) < mean(long.success >= 1)",
    ),
)

SMOKE = "success >= 0.95"


class Snapshot(NamedTuple):
    step: int  # updates so far, of M and C together
    metrics: dict[str, float]
    path: np.ndarray  # (T + 1, 2) cells of the greedy episodes with cue 1 and -1
    params: dict[str, dict[str, np.ndarray]]  # weights of C, M and the critic V


# Critic


def init_critic(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """Weights of a critic with n hidden units for hidden states of M, as many; its value is 0 before learning."""
    return {"W": rng.normal(0, 1 / np.sqrt(n), (n, n)), "b": np.zeros(n), "w": np.zeros(n)}


def value(V: dict[str, np.ndarray], h: np.ndarray) -> np.ndarray:
    """Value (...) of hidden states h (..., n) of M."""
    return np.tanh(h @ V["W"] + V["b"]) @ V["w"]


def critic_grad(V: dict[str, np.ndarray], h: np.ndarray, target: np.ndarray, weight: np.ndarray) -> dict:
    """Gradient of sum(weight (V(h) - target)^2) for h (N, n), target and weight (N,)."""
    hidden = np.tanh(h @ V["W"] + V["b"])
    dy = 2 * weight * (hidden @ V["w"] - target)
    dnet = dy[:, None] * V["w"] * (1 - hidden * hidden)
    return {"W": h.T @ dnet, "b": dnet.sum(axis=0), "w": hidden.T @ dy}


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


def draw(record: Episodes, size: int, share: float, tau: float, rng: np.random.Generator) -> Episodes:
    """A batch of recorded episodes: `share` of them have reached a flag, the sooner the likelier; the others are any.

    One that reached it after t steps has a probability proportional to exp(-t / tau).
    """
    with_flag, rewarded = np.flatnonzero(record.right), int(share * size)
    p = np.exp((record.length[with_flag].min() - record.length[with_flag]) / tau)
    which = rng.choice(with_flag, rewarded, p=p / p.sum())
    return pick(record, np.append(which, rng.integers(len(record.right), size=size - rewarded)))


def learn_model(cfg: Config, M: dict, record: Episodes, rng: np.random.Generator) -> Iterator[None]:
    """Train M on recorded episodes; yields after every update."""
    optimiser = Adam(M)
    for update in range(cfg.model_updates):
        done = update / cfg.model_updates
        batch = draw(record, cfg.batch, 0.75 * (cfg.replay == "short_first"), TAUS[int(done * len(TAUS))], rng)
        _, grads = model_loss_and_grad(M, batch, cfg.reward_weight)
        clip_norm(grads, 1.0)
        optimiser.step(M, grads, cfg.model_rate * (1 if done < 0.5 else 0.4))
        yield


def action_values(cfg: Config, M: dict, V: dict, source: np.ndarray) -> np.ndarray:
    """Q (..., 4) = r + gamma V(h) after each action at M's sources (..., 6 + n), as M foresees it.

    Where M sees no walls the episode is over, and nothing follows.
    """
    h, y = foresee(M, source)
    over = y[..., WALLS].sum(axis=-1) < 0.5
    return y[..., REWARD] + cfg.gamma * np.where(over, 0, np.clip(value(V, h), -BOUND, BOUND))


def learn_controller(
    cfg: Config, C: dict, V: dict, M: dict, record: Episodes, rng: np.random.Generator
) -> Iterator[None]:
    """Train C and the critic V on recorded episodes, through M; yields after every update."""
    optimiser, critic, slow = Adam(C), Adam(V), {name: w.copy() for name, w in V.items()}
    for update in range(cfg.updates):
        batch = draw(record, cfg.batch, 0.75, TAUS[-1], rng)
        lived = np.arange(cfg.T)[:, None] < batch.length
        weight, entropy = lived / lived.sum(), cfg.entropy * (1 - 0.9 * update / cfg.updates)
        if cfg.gradient == "critic":
            source, Q = follow(M, batch)[:-1], np.zeros((*lived.shape, ACTIONS))
            Q[lived] = action_values(cfg, M, slow, source[lived])
            _, grads, expected = policy_gain_and_grad(C, batch.o[:-1], Q, entropy, weight)
            known = lived.copy()
            known[0] = False  # M's first hidden state knows nothing
            h, target = source[known][:, OBSERVATION + 1 :], expected[known]
            critic.step(V, critic_grad(V, h, target, np.full(len(h), 1 / len(h))), cfg.rate)
            for name, w in V.items():
                slow[name] += (1 - cfg.slow) * (w - slow[name])
        else:
            dream = imagine(C, M, batch.o[0], cfg.T, lambda pi: np.eye(ACTIONS)[drawn(pi, rng.random(cfg.batch))])
            _, grads = imagined_return_and_grad(C, M, dream, cfg.gamma, entropy)
        clip_norm(grads, 1.0)
        if cfg.controller == "memoryless":
            grads["W"][OBSERVATION + 1 :] = 0
        optimiser.step(C, {name: -g for name, g in grads.items()}, cfg.rate)
        yield


class Tests(NamedTuple):
    by_chance: Episodes  # of random actions
    cue: np.ndarray  # (tests,) of C's episodes with drawn actions
    u: np.ndarray  # (T, tests) the numbers that draw them


def look(cfg: Config, maze: Maze, nets: dict[str, dict], tests: Tests, step: int, episodes: int) -> Snapshot:
    """Metrics, greedy paths and copies of the weights."""
    C, M, V = (nets[name] for name in "CMV")
    cue = np.array([1.0, -1.0])
    best = live(maze, cue, cfg.T, actor(C, 2, greedy))
    swapped = live(maze, cue, cfg.T, actor(C, 2, greedy), shown=-cue)
    blind = live(maze, cue, cfg.T, actor(C, 2, greedy), shown=0 * cue)
    u = iter(tests.u)
    sampled = live(maze, tests.cue, cfg.T, actor(C, cfg.tests, lambda pi: drawn(pi, next(u))))
    flags = pick(tests.by_chance, np.flatnonzero(tests.by_chance.right))
    last = flags.length - 1, np.arange(len(flags.length))
    foreseen, received = foresee(M, follow(M, flags)[last])[1][last[1], flags.a[last], REWARD], flags.r[last]
    first = best.o[0]
    Q = action_values(cfg, M, V, np.concatenate([first, np.ones((2, 1)), np.zeros((2, len(M["w"])))], axis=1))
    at_start = float((policy(C, first[None])[1][0] * Q).sum(axis=1).mean())
    solved, least = bool((best.right == 1).all()), cfg.corridor + 1
    optimum = cfg.gamma ** (least - 1) * FLAG_REWARD + STEP_REWARD * float((cfg.gamma ** np.arange(least)).sum())
    metrics = {
        "success": float((best.right == 1).mean()),
        "steps": float(best.length.mean()) if solved else np.inf,
        "sampled_success": float((sampled.right == 1).mean()),
        "swapped_success": float((swapped.right == 1).mean()),
        "blind_success": float((blind.right == 1).mean()),
        "random_success": float((tests.by_chance.right == 1).mean()),
        "flag_error": float(((foreseen - received) ** 2).mean()),
        "value_start": at_start,
        "value_error": abs(at_start - optimum),
        "episodes": float(episodes),
    }
    copies = {name: {key: w.copy() for key, w in net.items()} for name, net in nets.items()}
    return Snapshot(step, metrics, best.cell, copies)


def train(cfg: Config, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Live, learn M, learn C and V; the looks are spread evenly over the updates of M and C."""
    init_rng, data_rng, test_rng = rng.spawn(3)
    maze = Maze(cfg.corridor)
    C, M = init_controller(init_rng, cfg.hidden), init_model(init_rng, cfg.model_hidden)
    V = init_critic(init_rng, cfg.model_hidden)
    if cfg.controller == "memoryless":
        C["W"][OBSERVATION + 1 :] = 0
    nets = {"C": C, "M": M, "V": V}
    cue = test_rng.choice([-1.0, 1.0], cfg.tests)
    by_chance = live(maze, cue, cfg.T, actor(C, cfg.tests, partial(explore, 1.0, test_rng)))
    tests = Tests(by_chance, cue, test_rng.random((cfg.T, cfg.tests)))
    per_cycle = cfg.model_updates + cfg.updates
    looks = set(np.linspace(0, cfg.cycles * per_cycle, cfg.snapshots + 1).astype(int).tolist())
    step, record = 0, pick(by_chance, np.arange(0))  # nothing has been recorded yet
    yield look(cfg, maze, nets, tests, 0, 0)
    for cycle in range(cfg.cycles):
        B = cfg.episodes if cycle else cfg.random_episodes
        act = actor(C, B, partial(explore, cfg.exploration if cycle else 1.0, data_rng))
        record = join(record, live(maze, data_rng.choice([-1.0, 1.0], B), cfg.T, act))
        for learning in (learn_model(cfg, M, record, data_rng), learn_controller(cfg, C, V, M, record, data_rng)):
            for _ in learning:
                step += 1
                if step in looks:
                    yield look(cfg, maze, nets, tests, step, len(record.length))


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
