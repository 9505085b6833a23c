"""Parity of 500 to 600 bits by guessing the weights of a small recurrent net.

Paper: S. Hochreiter & J. Schmidhuber, "LSTM can solve hard long time lag problems", NIPS 9, 473-479, 1997; also in
"Bridging long time lags by weight guessing and 'Long Short-Term Memory'", 1996, and J. Schmidhuber, S. Hochreiter &
Y. Bengio, "Evaluating benchmark problems by random guessing", 2001.

Task: a net reads a sequence of 500 to 600 inputs 1 and -1. After the last one its output must be 1 if the number of
1s was odd, and 0 if it was even, with an error below 0.1.

Method: random search (RS). Draw all weights uniformly from [-100, 100], run the net on 100 training sequences, and
begin again unless all of them are right. The net is the paper's A2: each hidden unit sees the input and the OUTPUT
unit of the step before, and the output unit sees the input, itself and the new hidden units. So the output can hold
the parity so far, and one step has only to compute XOR of input and output, which is a feed-forward problem. The
contrast is backpropagation through time (BPTT) in the same net.

Differs: 100 searches where the paper averages over 10; 1000 test sequences instead of 100; hopeless candidates are
dropped after their first wrong sequences, which changes neither the nets found nor the number of trials.

Symbols: those of the nets are explained in parity_net.py.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from math import prod
from typing import NamedTuple

import numpy as np

from parity_net import NETS, Sequences, Weights, bptt_loss_and_grad, outputs, shapes, take

SIDE_BY_SIDE = 5000  # hidden units of the nets tried at a time; changes the time a search takes, not its result
STAGES = (2, 8)  # training sequences after which the nets with a wrong output are dropped
RATES = (0.03, 0.1, 0.3)  # learning rates of BPTT


@dataclass(frozen=True)
class Config:
    method: str = "guess"  # "guess" (random search) or "bptt"
    net: str = "a2_no_self"  # A2 without self-connections of hidden units; the others are listed in parity_net.py
    hidden: int = 10  # hidden units; paper: 10 in A2, n = 1 in A1
    weight_range: float = 100.0  # weights, with bptt the initial ones, are drawn from [-weight_range, weight_range]
    min_length: int = 500  # steps of a sequence, uniform
    max_length: int = 600  # up to and including this
    noise: float = 0.0  # uniform noise from [-noise, noise] is added to every input
    train_sequences: int = 100  # half of them odd
    tolerance: float = 0.1  # an output is right if its error is below
    searches: int = 10  # independent searches per run, each with training sequences of its own
    max_trials: int = 10000  # then a search is given up
    tests: int = 1000  # fresh sequences for the nets found
    long_length: int = 10000  # steps of the 20 longer sequences they are tested on as well
    updates: int = 2000  # bptt: weight updates
    batch: int = 20  # bptt: new sequences per update
    snapshots: int = 20

    def __post_init__(self):
        for name, allowed in {"method": ("guess", "bptt"), "net": (*NETS, "tanh")}.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        if self.method == "bptt" and self.net not in ("a2", "a2_no_self"):
            raise ValueError(f"net must be a2 or a2_no_self for method bptt, got {self.net!r}")
        for name in ("hidden", "min_length", "searches", "max_trials", "long_length", "updates", "snapshots"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("train_sequences", "tests", "batch"):
            if getattr(self, name) < 2 or getattr(self, name) % 2:
                raise ValueError(f"{name} must be even and at least 2, got {getattr(self, name)}")
        if self.max_length < self.min_length:
            raise ValueError(f"max_length must be at least min_length {self.min_length}, got {self.max_length}")
        if not 0 <= self.noise < 1:
            raise ValueError(f"noise must be in [0, 1), got {self.noise}")
        for name in ("weight_range", "tolerance"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")


PRESETS: dict[str, dict] = {
    "a2_no_self": {},
    "short": {"min_length": 50, "max_length": 60},
    "a2": {"net": "a2", "searches": 3, "max_trials": 100000},
    "a1": {"net": "a2", "hidden": 1, "searches": 5, "max_trials": 200000},
    "a1_no_self": {"hidden": 1, "searches": 5, "max_trials": 200000},
    "no_output_self": {"net": "no_output_self"},
    "no_feedback": {"net": "no_feedback", "searches": 1, "max_trials": 20000},
    "noisy": {"noise": 0.2, "searches": 3, "max_trials": 100000},
    "noisy_a1": {"net": "a2", "hidden": 1, "noise": 0.2, "searches": 1, "max_trials": 1000000},
    "reference": {
        "net": "tanh",
        "hidden": 2,
        "weight_range": 30.0,
        "min_length": 50,
        "max_length": 50,
        "train_sequences": 2048,
        "tolerance": 0.5,
        "searches": 1,
        "max_trials": 60000,
    },
    "bptt_4": {"method": "bptt", "weight_range": 3.0, "min_length": 2, "max_length": 4, "tolerance": 0.5},
    "bptt_10": {"method": "bptt", "weight_range": 3.0, "min_length": 10, "max_length": 12, "tolerance": 0.5},
    "bptt_50": {
        "method": "bptt",
        "weight_range": 3.0,
        "min_length": 50,
        "max_length": 60,
        "tolerance": 0.5,
        "updates": 600,
    },
    "bptt_50_wide": {"method": "bptt", "min_length": 50, "max_length": 60, "tolerance": 0.5, "updates": 2000},
    "bptt_500": {"method": "bptt", "weight_range": 3.0, "tolerance": 0.5, "updates": 60},
    "paper_200_searches": {"searches": 200, "tests": 100},
    "paper_a2_60_searches": {"net": "a2", "searches": 60, "max_trials": 100000, "tests": 100},
    "smoke": {"min_length": 50, "max_length": 60, "long_length": 2000},
}
SEEDS = 10

CLAIMS = (
    # Numbers of trials are geometric: with n searches, the 95 % interval of their mean m is m times 2n over the 97.5 %
    # and 2.5 % quantiles of chi-square with 2n degrees of freedom: 0.83 to 1.23 for n = 100, 0.585 to 2.085 for n = 10.
    ("C1", "A2 without self-connections: our lower bound", "250", "mean(a2_no_self.trials_mean) * 0.83 <= 250"),
    ("C1b", "our mean and the paper's upper bound", "250, so 146 to 521", "mean(a2_no_self.trials_mean) <= 521"),
    ("C1c", "as C1, if the output unit does not see itself", "250", "mean(no_output_self.trials_mean) * 0.83 <= 250"),
    ("C2", "A2: number of trials", "2,797", "mean(a2.trials_mean) <= 6000"),
    ("C2b", "A2: not much fewer", "2,797", "mean(a2.trials_mean) >= 1400"),
    ("C3", "A1 with one hidden unit: number of trials", "2,906", "mean(a1.trials_mean) <= 12000"),
    ("C3b", "A1 if its hidden unit does not see itself", "2,906", "mean(a1_no_self.trials_mean) <= 4500"),
    ("C4", "every search finds a net", "10 of 10", "min(a2_no_self.solved) >= 1"),
    ("C5", "the nets have fresh sequences right: median", "all", "median(a2_no_self.test_accuracy_median) >= 1"),
    ("C5b", "and mean", "all", "mean(a2_no_self.test_accuracy) >= 0.995"),
    ("C6", "their mean test error", "below 0.001", "median(a2_no_self.test_error_median) <= 0.001"),
    ("C8", "they have sequences of 10,000 steps right", "ours", "median(a2_no_self.long_accuracy_median) >= 1"),
    ("C9", "the reference's net and task: found within 60,000 trials", "ours", "min(reference.solved) >= 1"),
    ("C10", "BPTT in the same net stays at chance for 50 steps", "ours", "median(bptt_50.test_accuracy) <= 0.6"),
    ("C10b", "even if its initial weights are those of RS", "ours", "median(bptt_50_wide.test_accuracy) <= 0.6"),
    ("C11", "BPTT learns 2 to 4 steps", "ours", "median(bptt_4.test_accuracy) >= 0.95"),
    ("C12", "hidden units that do not see the output: nothing is found", "ours", "max(no_feedback.solved) <= 0"),
    ("C13", "A1 with noisy inputs: number of trials", "41,400", "mean(noisy_a1.trials_mean) <= 120000"),
    ("C14", "50 or 500 steps: as many trials", "ours", "mean(a2_no_self.trials_mean) / mean(short.trials_mean) <= 1.7"),
    ("C14b", "and not fewer", "ours", "mean(a2_no_self.trials_mean) / mean(short.trials_mean) >= 0.6"),
)

SMOKE = "trials_mean <= 600"


class Snapshot(NamedTuple):
    step: int  # trials so far; bptt: updates so far
    metrics: dict[str, float]
    params: Weights  # the nets found, one per solved search; bptt: one per learning rate
    trials: np.ndarray = np.zeros(0)  # of each search so far
    guesses: Weights | None = None  # the last nets of the latest search, in the order in which they were tried


# Task


def sample(cfg: Config, rng: np.random.Generator, count: int | None = None) -> Sequences:
    """Draw `count` (default cfg.batch) sequences, every other one odd; one bit is flipped where the class is wrong."""
    S = count or cfg.batch
    target = np.arange(S) % 2
    length = rng.integers(cfg.min_length, cfg.max_length + 1, size=S)
    bits = rng.integers(2, size=(cfg.max_length, S))
    before_end = np.arange(cfg.max_length)[:, None] < length
    wrong = np.flatnonzero((bits * before_end).sum(axis=0) % 2 != target)
    bits[rng.integers(length)[wrong], wrong] ^= 1
    return Sequences(2.0 * bits - 1 + rng.uniform(-cfg.noise, cfg.noise, size=bits.shape), length, target)


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
    long = sample(replace(cfg, min_length=cfg.long_length, max_length=cfg.long_length), rng, 20)
    long_right = abs(outputs(found, long) - long.target[:, None]) < cfg.tolerance
    accuracy = np.append((error < cfg.tolerance).mean(axis=0), missing)
    return {
        "test_accuracy": float(accuracy.mean()),
        "test_accuracy_median": float(np.median(accuracy)),
        "test_error_median": float(np.median(np.append(error.mean(axis=0), missing + 1))),
        "long_accuracy_median": float(np.median(np.append(long_right.mean(axis=0), missing))),
    }


def guessing(
    cfg: Config, guess_rng: np.random.Generator, data_rng: np.random.Generator, test_rng: np.random.Generator
) -> Iterator[Snapshot]:
    """Independent searches one after the other; then the nets found are tested."""
    metrics = {"trials_mean": np.inf, "trials_median": np.inf, "solved": 0.0}
    metrics |= dict.fromkeys(("test_accuracy", "test_accuracy_median"), np.nan)
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
