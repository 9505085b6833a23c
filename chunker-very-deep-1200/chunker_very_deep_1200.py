"""A hierarchy of predictors shrinks 1,200 time steps to two, across which credit assignment is easy.

Paper: J. Schmidhuber, Netzwerkarchitekturen, Zielfunktionen und Kettenregel, Habilitationsschrift, TU Munich, 1993,
chapter 7; the algorithm: Learning complex, extended sequences using the principle of history compression, Neural
Computation 4(2):234-242, 1992.

Task: predict every symbol of sequences of about 1,200 symbols. The last one equals the first, a trigger; what lies
between can be predicted from the last few symbols (`flat`), or on three time scales (`nested`), or contains noise
(`noise`), or varies in length (`variable`).

Method: level 0, a small recurrent net, learns to predict its next input and is frozen. Only what it failed to predict,
with the time that has elapsed, is passed on to level 1, which learns to predict that, and so on, as long as the streams
get shorter. No error flows back more than three steps.

Differs: tanh units, softmax, Adam; an input counts as predicted if it got a probability of 0.8; tasks `nested`,
`noise` and `variable` are ours, because the thesis' long experiment is known to us by its length only.
"""

import argparse
import copy
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from history_level import Net, Reading, Streams, climb, distinct, expand, level_loss_and_grad, pick, reach, run, softmax


@dataclass(frozen=True)
class Config:
    task: str = "nested"  # "nested", "flat", "noise" or "variable"
    length: int = 1202  # T, symbols of a sequence (variable: at most); nested has 1202
    noise: float = 0.0  # probability that a filler symbol is replaced, in task "noise"
    levels: int = 6  # levels at most; 1: a single net
    hidden: int = 16  # hidden units of a level
    recurrent: str = "orthogonal"  # initial recurrent weights; or "small" N(0, 0.1), "large" N(0, 1.5 / sqrt(hidden))
    confidence: float = 0.8  # an input is passed on if it was given less probability
    flow: int = 3  # steps that an error flows back at most, in level 0
    upper_flow: int = 3  # the same in the levels above
    emphasis: float = 0.0  # additional weight of a sequence's last symbol in the loss of level 0
    upper_emphasis: float = 0.0  # the same in the levels above
    rate: float = 0.02  # learning rate
    batch: int = 1  # sequences per update of level 0
    upper_batch: int = 1  # the same in the levels above
    episodes: int = 64  # different training sequences
    progress: float = 0.001  # a level is frozen when its running loss (nats) has not fallen by this much
    patience: int = 40  # in so many updates of level 0
    upper_patience: int = 40  # in so many updates of a level above
    updates: int = 400  # updates of level 0 at most
    upper_updates: int = 400  # updates of a level above at most
    tests: int = 1000  # test sequences
    snapshots: int = 20

    def __post_init__(self):
        words = {"task": ("flat", "nested", "noise", "variable"), "recurrent": ("orthogonal", "small", "large")}
        for name, allowed in words.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        least = {"length": 8, "flow": 0, "upper_flow": 0}
        ones = ("levels", "hidden", "batch", "upper_batch", "episodes", "patience", "updates", "tests", "snapshots")
        for name, bound in (least | dict.fromkeys((*ones, "upper_patience", "upper_updates"), 1)).items():
            if getattr(self, name) < bound:
                raise ValueError(f"{name} must be at least {bound}, got {getattr(self, name)}")
        for name, bound in (("noise", 0.0), ("confidence", 0.5)):  # below 0.5 decoding is not possible
            if not bound <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least {bound} and below 1, got {getattr(self, name)}")
        if not self.rate > 0:
            raise ValueError(f"rate must be positive, got {self.rate}")
        if self.task == "nested" and self.length != 1202:
            raise ValueError(f"length must be 1202 for task nested, got {self.length}")


PRESETS: dict[str, dict] = {
    "nested": {},
    "flat": {"task": "flat", "length": 1200},
    "variable": {"task": "variable", "length": 1200},
    "noise_400": {"task": "noise", "length": 1200, "noise": 0.0025, "batch": 4, "episodes": 300, "tests": 200},
    "noise_100": {
        "task": "noise",
        "length": 1200,
        "noise": 0.01,
        "rate": 0.01,
        "batch": 4,
        "episodes": 500,
        "upper_batch": 16,
        "upper_flow": 100,
        "upper_emphasis": 1.0,
        "upper_updates": 2000,
        "upper_patience": 2000,
    },
    "noise_40": {"task": "noise", "length": 1200, "noise": 0.025, "batch": 4, "episodes": 300, "tests": 200},
    "single": {
        "task": "flat",
        "length": 1200,
        "levels": 1,
        "flow": 1200,
        "emphasis": 0.02,
        "batch": 16,
        "updates": 150,
        "patience": 150,
    },
    "single_small": {
        "task": "flat",
        "length": 1200,
        "levels": 1,
        "flow": 1200,
        "emphasis": 0.02,
        "batch": 16,
        "updates": 150,
        "patience": 150,
        "recurrent": "small",
    },
    "single_large": {
        "task": "flat",
        "length": 1200,
        "levels": 1,
        "flow": 1200,
        "emphasis": 0.02,
        "batch": 16,
        "updates": 150,
        "patience": 150,
        "recurrent": "large",
    },
    "single_slow": {
        "task": "flat",
        "length": 1200,
        "levels": 1,
        "flow": 1200,
        "emphasis": 0.02,
        "rate": 0.005,
        "batch": 16,
        "updates": 300,
        "patience": 300,
    },
    "single_lag20": {
        "task": "flat",
        "length": 20,
        "levels": 1,
        "flow": 1200,
        "emphasis": 0.2,
        "rate": 0.005,
        "batch": 16,
        "updates": 3000,
        "patience": 3000,
    },
    "smoke": {"tests": 200},
}

SEEDS = 10

CLAIMS = (
    ("C6", "nested: the trigger is recalled", "1,200 steps (p. 150 ff.)", "mean(nested.recall >= 0.99) >= 0.9"),
    ("C6b", "nested: levels found", "ours", "mean(nested.levels >= 4) >= 0.9"),
    ("C6c", "nested: symbols left after level 1", "ours", "mean(nested.length_2 <= 16) >= 0.9"),
    ("C6d", "nested: symbols left after level 2", "ours", "mean(nested.length_3 <= 2) >= 0.9"),
    ("C1", "flat, T = 1200: the trigger is recalled", "1,200 steps (p. 150 ff.)", "min(flat.recall) >= 0.999"),
    ("C2", "flat: symbols left after level 0, most", "2 (reference)", "max(flat.length_1) <= 2"),
    ("C2b", "flat: T - 1 over the length left", "599.5 (reference)", "min(flat.depth_ratio) >= 599"),
    ("C3", "flat, a single net: recall at chance, most", "fails", "mean(single.recall <= 0.62) >= 0.9"),
    ("C3b", "the same, small initial weights", "fails", "mean(single_small.recall <= 0.62) >= 0.9"),
    ("C3c", "the same, large initial weights", "fails", "mean(single_large.recall <= 0.62) >= 0.9"),
    ("C3d", "the same, a quarter of the rate, twice the updates", "fails", "mean(single_slow.recall <= 0.62) >= 0.9"),
    ("C3e", "and not below chance either (that would be a bug)", "ours", "mean(single.recall >= 0.4) >= 0.9"),
    ("C4", "the single net does learn the filler (nats)", "ours", "mean(single.filler_loss < 0.05) >= 0.9"),
    ("C5", "the single net learns a lag of 20", "ours", "mean(single_lag20.recall >= 0.99) >= 0.9"),
    ("C7", "no error flows back over more than 3 steps", "3 (unsure)", "max(nested.error_steps) <= 3"),
    ("C8", "symbols wrong after decoding, nested", "no information is lost", "max(nested.wrong) <= 0"),
    ("C8b", "symbols wrong after decoding, noise", "no information is lost", "max(noise_100.wrong) <= 0"),
    (
        "C9",
        "symbols left per noise symbol, at least",
        "length follows the entropy (unsure)",
        "median((noise_40.length_1 - flat.length_1) / (0.025 * 1198)) >= 0.9",
    ),
    (
        "C9b",
        "symbols left per noise symbol, at most",
        "length follows the entropy (unsure)",
        "median((noise_40.length_1 - flat.length_1) / (0.025 * 1198)) <= 2.2",
    ),
    ("C10", "1 symbol in 100 is noise: recall", "ours", "mean(noise_100.recall >= 0.99) >= 0.8"),
    ("C11", "random lags of 600 to 1199: recall", "ours", "mean(variable.recall >= 0.99) >= 0.9"),
    ("C13", "single net: steps its last error reaches (1 %)", "4 (reference)", "median(single.horizon) <= 12"),
    ("C12", "sequences presented, all levels", "a few hundred (unsure)", "median(flat.episodes) <= 500"),
)

SMOKE = "recall >= 0.99"


class Snapshot(NamedTuple):
    step: int  # training sequences presented, over all levels
    metrics: dict[str, float]
    params: dict[str, Net]  # "level 0", "level 1", ...
    texts: tuple[np.ndarray, ...]  # per level: the symbols of one test sequence that it reads,
    times: tuple[np.ndarray, ...]  # the time steps they come from,
    given: tuple[np.ndarray, ...]  # and the probability it gave them (0 for the first)
    reach: np.ndarray  # (n,) size of the derivatives of the top level's last error by its states n steps earlier


# Tasks


def alphabet(cfg: Config) -> int:
    """Number of symbols; 0 and 1 are the triggers."""
    return {"flat": 7, "variable": 7, "noise": 12, "nested": 32}[cfg.task]


def sample(cfg: Config, rng: np.random.Generator, count: int) -> Streams:
    """Draw `count` sequences: trigger, filler, the trigger again.

    flat: 2, 3, 4, 5, 6, 2, 3, ...; variable: the same, of a random length from T/2 to T; noise: a filler symbol is
    one of 7, ..., 11 with probability cfg.noise. nested: 12 sentences of 10 words of 10 symbols. A word is a start
    symbol and 2, ..., 10; the start symbols of sentence j are 19 + j, 11, ..., 19 (j = 1, ..., 12).
    """
    trigger = rng.integers(2, size=count)
    if cfg.task == "nested":
        words = np.full((12, 10, 10), np.arange(1, 11))
        words[:, 1:, 0] = np.arange(11, 20)
        words[:, 0, 0] = np.arange(20, 32)
        filler = np.repeat(words.reshape(-1, 1), count, axis=1)
    else:
        filler = np.repeat(2 + np.arange(cfg.length - 2)[:, None] % 5, count, axis=1)
    if cfg.task == "noise":
        hit = rng.random(filler.shape) < cfg.noise
        filler = np.where(hit, rng.integers(7, 12, size=filler.shape), filler)
    symbols = np.concatenate((trigger[None], filler, trigger[None]))
    if cfg.task == "variable":
        last = rng.integers(cfg.length // 2, cfg.length, size=count)
        step = np.arange(len(symbols))[:, None]
        symbols = np.where(step < last, symbols, np.where(step == last, trigger, -1))
    return Streams(symbols, np.repeat(np.arange(len(symbols))[:, None], count, axis=1))


def init(cfg: Config, rng: np.random.Generator) -> Net:
    """Weights: X (symbols, H) and e (H) of symbol and elapsed time, R (H, H) recurrent, b (H); outputs V, c."""
    H, K = cfg.hidden, alphabet(cfg)
    R = rng.normal(size=(H, H))
    R = {"orthogonal": np.linalg.qr(R)[0], "small": 0.1 * R, "large": 1.5 / np.sqrt(H) * R}[cfg.recurrent]
    X, e, V = rng.normal(0, 0.5, (K, H)), rng.normal(0, 0.5, H), rng.normal(0, 0.1, (H, K))
    return {"X": X, "e": e, "R": R, "b": np.zeros(H), "V": V, "c": np.zeros(K)}


# Learning


def clip_norm(grads: dict[str, np.ndarray], limit: float) -> None:
    """Scale all gradients in place so that their joint Euclidean norm is at most `limit`."""
    norm = np.sqrt(sum(float(np.vdot(g, g)) for g in grads.values()))
    if norm > limit:
        for g in grads.values():
            g *= limit / norm


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


def evaluate(
    cfg: Config, nets: list[Net], readings: list[Reading], which: np.ndarray, final: bool
) -> tuple[dict[str, float], tuple]:
    """Metrics on test sequences `which` of those read, and what Snapshot says from `texts` on, of the first one.

    recall: share of sequences whose last symbol was predicted by a level on the way, or for which the top level holds
    the right trigger more probable than the other; filler_loss: mean cross-entropy (nats) of level 0 between the
    triggers; length_1, ...: mean length of what level 0, ... passes on; depth_ratio: T - 1 over length_1; wrong:
    symbols wrong after decoding (final only); horizon: steps over which the last error stays above 1 % of its size.
    """
    symbols, top, net = readings[0].read.symbols, readings[-1].read, nets[-1]
    copies = np.bincount(which)
    last, each = (symbols >= 0).sum(axis=0) - 1, np.arange(len(copies))

    def mean(value: np.ndarray) -> float:  # over all test sequences, of which only the distinct ones were run
        return float(value @ copies / copies.sum())

    looks = []
    for read, own, _ in readings:
        one = pick(read, [0])
        looks.append((one.symbols[:, 0], one.times[:, 0], own[: len(one.symbols), 0].copy()))
    lengths = [mean((reading.passed.symbols >= 0).sum(axis=0)) for reading in readings]
    end = (top.symbols >= 0).sum(axis=0) - 1
    p = softmax(run(net, top)[end, each] @ net["V"] + net["c"])  # of the last symbol
    right = (top.times[end, each] < last) | (p[each, symbols[0]] > p[each, 1 - symbols[0]])
    filler = np.log(readings[0].own[1:])
    filler = filler.sum(axis=0) - filler[last - 1, each]
    decoded = readings[-1].passed.symbols
    for level, reading in zip(nets[::-1], readings[::-1], strict=True) if final else ():
        decoded = expand(level, decoded, reading.own < cfg.confidence, reading.read.times)
    sizes = reach(net, one)
    metrics = {
        "recall": mean(right),
        "filler_loss": mean(-filler / (last - 1)),
        "levels": float(len(nets)),
        **{f"length_{k}": lengths[k - 1] if k <= len(lengths) else 0.0 for k in (1, 2, 3)},
        "depth_ratio": mean(last) / lengths[0],
        "wrong": float((decoded != symbols[: len(decoded)])[symbols[: len(decoded)] >= 0].sum()) if final else np.nan,
        "horizon": float((sizes > 0.01 * sizes[0]).sum()),
    }
    return metrics, (*(tuple(field) for field in zip(*looks, strict=True)), sizes)


def train(cfg: Config, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Train and freeze one level after the other, until what they pass on gets no shorter.

    `episodes` is the number of sequences presented to all levels together, if the task is solved in the end.
    """
    init_rng, data_rng, test_rng = rng.spawn(3)
    test, (streams, episode) = sample(cfg, test_rng, cfg.tests), distinct(sample(cfg, data_rng, cfg.episodes))
    few = distinct(pick(test, np.arange(min(50, cfg.tests))))  # for looks on the way
    known: list[Reading] = []  # what the frozen levels make of them
    nets, step, error_steps = [], 0, 0

    def look(final: bool = False) -> Snapshot:
        streams, which = distinct(test) if final else few
        readings = climb(nets, streams, cfg.confidence, [] if final else known)
        metrics, views = evaluate(cfg, nets, readings, which, final)
        solved = final and metrics["recall"] >= 0.99
        metrics |= {"error_steps": float(error_steps), "episodes": float(step) if solved else np.inf}
        return Snapshot(step, metrics, {f"level {k}": copy.deepcopy(net) for k, net in enumerate(nets)}, *views)

    shorter = True
    while shorter and len(nets) < cfg.levels:
        net = init(cfg, init_rng)
        nets.append(net)
        upper = len(nets) > 1
        flow, emphasis = (cfg.upper_flow, cfg.upper_emphasis) if upper else (cfg.flow, cfg.emphasis)
        batch, updates = (cfg.upper_batch, cfg.upper_updates) if upper else (cfg.batch, cfg.updates)
        patience = cfg.upper_patience if upper else cfg.patience
        error_steps = max(error_steps, min(flow, len(streams.symbols) - 1))
        optimizer, running, best, since = Adam(net), 10.0, np.inf, 0
        for update in range(updates):
            if update % max(1, 2 * updates // cfg.snapshots) == 0:
                yield look()
            part = pick(streams, episode[data_rng.integers(cfg.episodes, size=batch)])
            loss, grads = level_loss_and_grad(net, part, flow, emphasis)
            clip_norm(grads, 1.0)
            optimizer.step(net, grads, cfg.rate)
            step, running = step + batch, 0.9 * running + 0.1 * loss
            best, since = (running, 0) if running < best - cfg.progress else (best, since + 1)
            if since == patience:
                break
        before = (streams.symbols >= 0).sum()
        streams = climb([net], streams, cfg.confidence, [])[0].passed
        known = climb(nets, few[0], cfg.confidence, known)
        shorter = len(streams.symbols) > 1 and (streams.symbols >= 0).sum() < 0.9 * before
    yield look(final=True)


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
