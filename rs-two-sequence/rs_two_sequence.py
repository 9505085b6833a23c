"""Remembering the first of 500 to 600 inputs by guessing the weights of a small recurrent net.

Paper: S. Hochreiter & J. Schmidhuber, "LSTM can solve hard long time lag problems", NIPS 9, 473-479, 1997; also in
"Bridging long time lags by weight guessing and 'Long Short-Term Memory'", 1996, and J. Schmidhuber, S. Hochreiter &
Y. Bengio, "Evaluating benchmark problems by random guessing", 2001. The task is from Y. Bengio, P. Simard &
P. Frasconi, IEEE Transactions on Neural Networks 5(2), 157-166, 1994.

Task: the 2-sequence problem. The first input of a sequence is 1 or -1, the 499 to 599 others are Gaussian noise. After
the last one the output must be 1 or 0, after the first input, with an error below 0.1.

Method: random search (RS). Draw all weights uniformly from [-100, 100], run the net on 100 training sequences, and
begin again unless all of them are right. The nets are the paper's A1, with one hidden unit and an output unit that both
see the input, themselves and each other, A2, with ten hidden units each of which sees the input, itself and the output
unit, and Bengio's latch, a single tanh unit with three weights. The contrast is backpropagation through time (BPTT) in
A2.

Differs: 50 and 30 searches where the paper averages over 10; 1000 test sequences instead of 100; the noise has standard
deviation 0.2, not variance 0.2 (see README); hopeless candidates are dropped after their first wrong sequences, which
changes neither the nets found nor the number of trials.

Symbols: those of the nets are explained in latch_net.py.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from math import prod
from typing import NamedTuple

import numpy as np

from latch_net import NETS, Sequences, Weights, bptt_loss_and_grad, outputs, shapes, take

SIDE_BY_SIDE = 2000  # hidden units of the nets tried at a time; changes the time a search takes, not its result
STAGES = (2, 8)  # training sequences after which the nets with a wrong output are dropped
RATES = (0.003, 0.01, 0.03)  # learning rates of BPTT


@dataclass(frozen=True)
class Config:
    method: str = "guess"  # "guess" (random search) or "bptt"
    net: str = "a2"  # "a2" (with one hidden unit: A1), "tanh" (recurrent tanh layer) or "latch" (one tanh unit)
    hidden: int = 1  # hidden units; paper: n = 1 in A1, 10 in A2
    weight_range: float = 100.0  # weights, with bptt the initial ones, are drawn from [-weight_range, weight_range]
    min_length: int = 500  # steps of a sequence, uniform
    max_length: int = 600  # up to and including this
    noise: float = 0.2  # standard deviation of all inputs but the first
    train_sequences: int = 100  # half of them of class 1
    tolerance: float = 0.1  # an output is right if its error is below
    searches: int = 5  # independent searches per run, each with training sequences of its own
    max_trials: int = 20000  # then a search is given up
    tests: int = 1000  # fresh sequences for the nets found
    long_length: int = 2000  # steps of the longer sequences they are tested on as well
    updates: int = 2000  # bptt: weight updates
    batch: int = 20  # bptt: new sequences per update
    snapshots: int = 20

    def __post_init__(self):
        for name, allowed in {"method": ("guess", "bptt"), "net": (*NETS, "tanh", "latch")}.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        if self.method == "bptt" and self.net != "a2":
            raise ValueError(f"net must be a2 for method bptt, got {self.net!r}")
        if self.net == "latch" and self.hidden != 1:
            raise ValueError(f"hidden must be 1 for net latch, got {self.hidden}")
        for name in ("hidden", "min_length", "searches", "max_trials", "long_length", "updates", "snapshots"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("train_sequences", "tests", "batch"):
            if getattr(self, name) < 2 or getattr(self, name) % 2:
                raise ValueError(f"{name} must be even and at least 2, got {getattr(self, name)}")
        if self.max_length < self.min_length:
            raise ValueError(f"max_length must be at least min_length {self.min_length}, got {self.max_length}")
        if self.noise < 0:
            raise ValueError(f"noise must be at least 0, got {self.noise}")
        for name in ("weight_range", "tolerance"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")


PRESETS: dict[str, dict] = {
    "a1": {},
    "a2": {"hidden": 10, "searches": 3},
    "latch": {"net": "latch", "searches": 20},
    "a1_50": {"min_length": 50, "max_length": 60},
    "a1_1000_sequences": {"train_sequences": 1000, "searches": 2},
    "a1_variance": {"noise": 0.4472136, "searches": 1},
    "latch_variance": {"net": "latch", "noise": 0.4472136, "searches": 20},
    "reference": {
        "net": "tanh",
        "hidden": 5,
        "weight_range": 1.0,
        "min_length": 100,
        "max_length": 100,
        "train_sequences": 200,
        "tolerance": 0.5,
        "searches": 3,
    },
    "bptt_10": {
        "method": "bptt",
        "hidden": 10,
        "weight_range": 6.0,
        "min_length": 10,
        "max_length": 12,
        "tolerance": 0.5,
        "updates": 4000,
    },
    "bptt_50": {
        "method": "bptt",
        "hidden": 10,
        "weight_range": 6.0,
        "min_length": 50,
        "max_length": 60,
        "tolerance": 0.5,
        "updates": 600,
    },
    "bptt_500": {"method": "bptt", "hidden": 10, "weight_range": 6.0, "tolerance": 0.5, "updates": 100},
    "bptt_500_small": {"method": "bptt", "hidden": 10, "weight_range": 0.1, "tolerance": 0.5, "updates": 100},
    "bptt_500_wide": {"method": "bptt", "hidden": 10, "tolerance": 0.5, "updates": 100},
    "paper_a1_200_searches": {"searches": 200, "tests": 100},
    "paper_a2_60_searches": {"hidden": 10, "searches": 60, "tests": 100},
    "paper_latch_200_searches": {"net": "latch", "searches": 200, "tests": 100},
    "smoke": {"min_length": 100, "max_length": 110, "long_length": 500},
}
SEEDS = 10

CLAIMS = (
    # Numbers of trials are geometric: with n searches, the lower end of the 95 % interval of their mean m is m times 2n
    # over the 97.5 % quantile of chi-square with 2n degrees of freedom: 0.77 for n = 50.
    ("C1", "A1: number of trials", "1,247 (unsure: or 718)", "mean(a1.trials_mean) <= 1247"),
    ("C1b", "A1: our lower bound", "718 (unsure: or 1,247)", "mean(a1.trials_mean) * 0.77 <= 718"),
    ("C2", "A2: number of trials", "718 (unsure: or 1,247)", "mean(a2.trials_mean) <= 3000"),
    ("C2b", "A2: no more than twice 718", "718 (unsure: or 1,247)", "mean(a2.trials_mean) <= 1436"),
    ("C3", "the latch with 3 weights: number of trials", "22 (unsure)", "mean(latch.trials_mean) <= 120"),
    ("C3b", "and not much fewer", "22 (unsure)", "mean(latch.trials_mean) >= 8"),
    ("C4", "A1: every search finds a net", "10 of 10", "min(a1.solved) >= 1"),
    ("C4b", "A2: every search finds a net", "10 of 10", "min(a2.solved) >= 1"),
    ("C5", "A1 has fresh sequences right: median net", "all", "median(a1.test_accuracy_median) >= 0.99"),
    ("C5b", "mean", "all", "mean(a1.test_accuracy) >= 0.98"),
    ("C5c", "share of nets with 100 of 100 right", "10 of 10", "mean(a1.perfect) >= 0.4"),
    ("C5d", "A2: mean", "all", "mean(a2.test_accuracy) >= 0.98"),
    ("C6", "the error of the median sequence", "mean error below 0.001", "median(a1.test_error_median) <= 1e-4"),
    ("O1", "noise of variance 0.2: more trials than the paper's", "ours", "median(a1_variance.trials_mean) >= 1247"),
    ("C7", "the reference's net and task: number of trials", "ours", "median(reference.trials_median) <= 200"),
    ("C7b", "its nets on fresh sequences", "ours", "mean(reference.test_accuracy) >= 0.99"),
    ("C8", "BPTT in A2 remembers 500 steps: 2 of 10 or fewer", "ours", "mean(bptt_500.test_accuracy >= 0.98) <= 0.2"),
    ("C8b", "from weights in [-0.1, 0.1]", "ours", "mean(bptt_500_small.test_accuracy >= 0.98) <= 0.2"),
    ("C8c", "from weights in [-100, 100]", "ours", "mean(bptt_500_wide.test_accuracy >= 0.98) <= 0.2"),
    ("C9", "BPTT in A2 remembers 10 steps: 8 of 10 or more", "ours", "mean(bptt_10.test_accuracy >= 0.98) >= 0.8"),
    ("C10", "A1 on 2000 steps", "ours", "median(a1.long_accuracy_median) >= 0.93"),
    ("C11", "trials for 550 steps over those for 55", "ours", "mean(a1.trials_mean) / mean(a1_50.trials_mean) <= 6"),
    ("C11b", "and not below half", "ours", "mean(a1.trials_mean) / mean(a1_50.trials_mean) >= 0.5"),
    ("C12", "1000 training sequences: accuracy", "all", "median(a1_1000_sequences.test_accuracy_median) >= 0.998"),
    ("C12b", "their price", "ours", "mean(a1_1000_sequences.trials_mean) / mean(a1.trials_mean) <= 3"),
)

SMOKE = "trials_median <= 1500"


class Snapshot(NamedTuple):
    step: int  # trials so far; bptt: updates so far
    metrics: dict[str, float]
    params: Weights  # the nets found, one per solved search; bptt: one per learning rate
    trials: np.ndarray = np.zeros(0)  # of each search so far
    guesses: Weights | None = None  # the last nets of the latest search, in the order in which they were tried


# Task


def sample(cfg: Config, rng: np.random.Generator, count: int | None = None) -> Sequences:
    """Draw `count` (default cfg.batch) sequences, alternately of class 1 (first input 1) and class 2 (-1)."""
    S = count or cfg.batch
    target = 1 - np.arange(S) % 2
    length = rng.integers(cfg.min_length, cfg.max_length + 1, size=S)
    x = rng.normal(0, cfg.noise, size=(cfg.max_length, S))
    x[0] = 2 * target - 1
    return Sequences(x, length, target)


# Random search


def guess(cfg: Config, rng: np.random.Generator, nets: int) -> Weights:
    """Draw the weights of so many nets, one net after the other: two calls give what one call gives for all."""
    shape_of = shapes(cfg.net, cfg.hidden)
    sizes = [prod(shape) for shape in shape_of.values()]
    rows = rng.uniform(-cfg.weight_range, cfg.weight_range, size=(nets, sum(sizes)))
    parts = np.split(rows.T.copy(), np.cumsum(sizes)[:-1])
    return {name: part.reshape(*shape, nets) for (name, shape), part in zip(shape_of.items(), parts, strict=True)}


class Search(NamedTuple):
    trials: float  # nets tried, the right one included; infinite if the search was given up
    guesses: Weights  # the last of them; the right one is the very last


def right_nets(cfg: Config, weights: Weights, train: Sequences) -> np.ndarray:
    """Indices of the nets that have all training sequences right, in stages: who has one wrong sees no more of them."""
    alive = np.arange(weights["b"].shape[-1])
    for first, last in zip((0, *STAGES), (*STAGES, None), strict=True):
        stage = Sequences(*(part[..., first:last] for part in train))
        error = abs(outputs(take(weights, alive), stage) - stage.target[:, None])
        alive = alive[(error < cfg.tolerance).all(axis=0)]
    return alive


def search(cfg: Config, rng: np.random.Generator, train: Sequences) -> Search:
    """Guess nets until one has all training sequences right; the first such net in the order of drawing counts."""
    nets = max(1, SIDE_BY_SIDE // cfg.hidden)
    for tried in range(0, cfg.max_trials, nets):
        guesses = guess(cfg, rng, min(nets, cfg.max_trials - tried))
        right = right_nets(cfg, guesses, train)
        if len(right):
            return Search(float(tried + right[0] + 1), take(guesses, slice(right[0] + 1)))
    return Search(np.inf, guesses)


def evaluate(cfg: Config, found: Weights, rng: np.random.Generator) -> dict[str, float]:
    """Test the nets found on fresh sequences, once; a search without a net has everything wrong."""
    missing = np.zeros(cfg.searches - found["b"].shape[-1])
    test = sample(cfg, rng, cfg.tests)
    error = abs(outputs(found, test) - test.target[:, None])
    long = sample(replace(cfg, min_length=cfg.long_length, max_length=cfg.long_length), rng, 200)
    long_right = abs(outputs(found, long) - long.target[:, None]) < cfg.tolerance
    accuracy = np.append((error < cfg.tolerance).mean(axis=0), missing)
    return {
        "test_accuracy": float(accuracy.mean()),
        "test_accuracy_median": float(np.median(accuracy)),
        "perfect": float(np.append((error[:100] < cfg.tolerance).all(axis=0), missing).mean()),
        "test_error_median": float(np.median(np.append(np.median(error, axis=0), missing + 1))),
        "long_accuracy_median": float(np.median(np.append(long_right.mean(axis=0), missing))),
    }


def guessing(
    cfg: Config, guess_rng: np.random.Generator, data_rng: np.random.Generator, test_rng: np.random.Generator
) -> Iterator[Snapshot]:
    """Independent searches one after the other; then the nets found are tested."""
    metrics = {"trials_mean": np.inf, "trials_median": np.inf, "solved": 0.0}
    metrics |= dict.fromkeys(("test_accuracy", "test_accuracy_median", "perfect"), np.nan)
    metrics |= dict.fromkeys(("test_error_median", "long_accuracy_median"), np.nan)
    found, trials, tried = guess(cfg, guess_rng, 0), np.zeros(0), 0
    yield Snapshot(0, dict(metrics), found)
    for k, rng in enumerate(guess_rng.spawn(cfg.searches), start=1):
        latest = search(cfg, rng, sample(cfg, data_rng, cfg.train_sequences))
        trials, tried = np.append(trials, latest.trials), tried + int(min(latest.trials, cfg.max_trials))
        if latest.trials < np.inf:
            found = {name: np.append(w, latest.guesses[name][..., -1:], axis=-1) for name, w in found.items()}
        metrics["trials_mean"], metrics["trials_median"] = float(trials.mean()), float(np.median(trials))
        metrics["solved"] = float(np.isfinite(trials).sum()) / cfg.searches
        if k == cfg.searches:
            metrics |= evaluate(cfg, found, test_rng)
        if k == cfg.searches or k % max(1, cfg.searches // cfg.snapshots) == 0:
            yield Snapshot(tried, dict(metrics), found, trials, latest.guesses)


# Backpropagation through time


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


def descent(
    cfg: Config, init_rng: np.random.Generator, data_rng: np.random.Generator, test_rng: np.random.Generator
) -> Iterator[Snapshot]:
    """Train one net per learning rate, always on new sequences; test the one with the smallest loss on the last."""
    params, rates = guess(cfg, init_rng, len(RATES)), np.array(RATES)
    optimiser, test = Adam(params), sample(cfg, test_rng, cfg.tests)
    looks = np.linspace(0, cfg.updates, cfg.snapshots + 1).astype(int)
    for update in range(cfg.updates + 1):
        loss, grads = bptt_loss_and_grad(params, sample(cfg, data_rng))
        if update in looks:
            best = take(params, [np.argmin(loss)])
            accuracy = (abs(outputs(best, test) - test.target[:, None]) < cfg.tolerance).mean()
            metrics = {"loss": float(loss.min()), "test_accuracy": float(accuracy)}
            yield Snapshot(update, metrics, take(params, slice(None)))
        optimiser.step(params, grads, rates)


def train(cfg: Config, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Yield snapshots of the searches, one after each, or of backpropagation through time."""
    init_rng, data_rng, test_rng = rng.spawn(3)
    yield from {"guess": guessing, "bptt": descent}[cfg.method](cfg, init_rng, data_rng, test_rng)


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
