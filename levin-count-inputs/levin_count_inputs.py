"""Levin search: three examples and the shortest program that fits them teach a linear unit to count its inputs.

Paper: J. Schmidhuber, "Discovering solutions with low Kolmogorov complexity and high generalization capability",
ICML 1995, 488-496; extended as "Discovering neural nets with low Kolmogorov complexity and high generalization
capability", Neural Networks 10(5):857-873, 1997.

Task: a linear unit y = w . x has 100 inputs, of which exactly three are on, and should output how many are on. This
is always 3, so w = 1 everywhere is the only solution. Three training inputs touch 9 of the 100 weights; what fits
them is tested on the other 161,697 inputs.

Method: a program for a small computer with 13 instructions (levin_machine.py) writes the weights. Programs are tried
in the order of their length ("systematic"), by length and run time together ("levin"), or at random
("probabilistic"), until one fits the three examples. The contrast is gradient descent ("delta_rule").

Differs: the paper reports the probabilistic search; details of the machine that we do not have from it are ours (see
README). The work tape has 10 cells, not 1000. Each search is also made for 99 random training sets, and the
systematic one goes on behind its first fit through all programs of up to 6 cells.

Symbols: 1/SP, where SP is the probability that the oracle guesses the cells of a program, is called `space`.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import count
from typing import NamedTuple

import numpy as np

from levin_machine import INPUTS, RUNNING, TAPE, WAITING, Runs, concatenate, enumerate_programs, guess, load, run, start

PAPER_BITS = ((5, 17, 86), (13, 55, 58), (40, 87, 94))  # the inputs that are on in the paper's three examples
BATCH = 131_072  # runs of the probabilistic search side by side


@dataclass(frozen=True)
class Config:
    method: str = "systematic"  # or "levin", "probabilistic", "delta_rule"
    framing: str = "three_bits"  # three inputs on (paper), or "popcount": 25, 50, 75 in training and any in the test
    training_sets: int = 100  # of three examples each, searched independently; the paper's comes first
    max_cells: int = 6  # systematic: longest program
    max_steps: int = 1024  # time limit of a program; a solution needs fewer than 400 steps (paper)
    searches: int = 200  # probabilistic: searches up to the first fit
    init_scale: float = 0.0  # delta rule: standard deviation of the initial weights
    lr: float = 0.1  # delta rule: step size; on three disjoint triples an update shrinks all errors by 1 - 3 lr
    updates: int = 100  # delta rule
    snapshots: int = 20  # about how many looks at the run

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, got {self.method}")
        if self.framing not in ("three_bits", "popcount"):
            raise ValueError(f"framing must be three_bits or popcount, got {self.framing}")
        if not 4 <= self.max_cells <= TAPE:
            raise ValueError(f"max_cells must be between 4 (the shortest solution) and {TAPE}, got {self.max_cells}")
        if self.max_steps < 201:
            raise ValueError(f"max_steps must be at least 201 (the shortest solution), got {self.max_steps}")
        for name in ("training_sets", "searches", "updates", "snapshots"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.init_scale < 0:
            raise ValueError(f"init_scale must be at least 0, got {self.init_scale}")
        if not self.lr > 0:
            raise ValueError(f"lr must be positive, got {self.lr}")


PRESETS: dict[str, dict] = {
    "systematic": {},
    "levin": {"method": "levin"},
    "probabilistic": {"method": "probabilistic"},
    "delta_rule": {"method": "delta_rule"},
    "delta_rule_random": {"method": "delta_rule", "init_scale": 0.1},
    "popcount": {"framing": "popcount"},
    "smoke": {"max_cells": 5, "training_sets": 20},
}
SEEDS = 10

CLAIMS = (
    # Worst of 100 training sets per seed; the paper has one.
    ("C1", "the first fit is right on all unseen inputs", "161,697 of 161,697", "min(systematic.worst_accuracy) >= 1"),
    ("C2", "the program found has 4 cells", "4", "max(systematic.cells) == 4"),
    ("C3", "it runs for 201 steps", "201; fewer than 400 suffice", "max(systematic.steps) == 201"),
    ("C4", "at most 400 systematic runs for 99 of 100 training sets", "ours", "max(systematic.runs_p99) <= 400"),
    ("C4b", "random guessing needs more runs", "slower", "min(probabilistic.mean_runs - systematic.runs) > 0"),
    ("C5", "programs of <= 6 cells that fit also generalise", "all fits", "min(systematic.generalising) >= 0.99"),
    ("C5b", "at least 100 of them fit", "ours", "min(systematic.fits) >= 100"),
    ("C6", "runs per random fit as computed, within 25 %", "ours", "mean(probabilistic.deviation <= 0.25) == 1"),
    ("C6b", "per fit of <= 6 cells, within 10 %", "ours", "mean(probabilistic.short_deviation) <= 0.1"),
    ("C7", "the delta rule from zero weights does not generalise", "fails", "max(delta_rule.accuracy) <= 0.001"),
    ("C7b", "nor does it from random weights", "fails", "max(delta_rule_random.accuracy) <= 0.001"),
    ("C8", "though from zero it fits the examples", "ours", "min(delta_rule.train_accuracy) == 1"),
    ("C8b", "and from random weights", "ours", "min(delta_rule_random.train_accuracy) == 1"),
    ("C9", "right on 1000 random strings of any popcount", "ours", "min(popcount.worst_accuracy) >= 1"),
    (
        "C10",
        "Levin search ends in phase ceil(log2(steps/SP))",
        "ours",
        "mean(levin.phase == levin.predicted_phase) == 1",
    ),
)

SMOKE = "worst_accuracy >= 1"


class Snapshot(NamedTuple):
    step: int  # programs tried so far; delta rule: updates so far
    metrics: dict[str, float]
    weights: np.ndarray  # (inputs,) of the program shown, or of the delta rule
    program: np.ndarray = np.zeros(0, int)  # cells of the program shown
    ip: int = 0  # its instruction pointer
    runs: Runs | None = None  # systematic: all, in order; levin: those of this phase, in order
    fit: np.ndarray = np.zeros(0, bool)  # which of them fit the first training set
    runs_to_fit: np.ndarray = np.zeros(0)  # systematic: of each training set; probabilistic: of each search so far


# The task


class Problem(NamedTuple):
    train: np.ndarray  # (sets, 3, inputs), 0 or 1
    test: np.ndarray  # (on, examples) which inputs are on; INPUTS stands for none
    known: int  # so many test inputs are the training inputs of the set, not to be counted


def sample(cfg: Config, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A random training set: inputs (3, INPUTS) of 0 and 1, and targets (3,). Triples are disjoint, as the paper's."""
    x = np.zeros((3, INPUTS))
    if cfg.framing == "three_bits":
        np.put_along_axis(x, rng.permutation(INPUTS)[:9].reshape(3, 3), 1, axis=1)
    else:
        for row, on in zip(x, (25, 50, 75), strict=True):
            row[rng.permutation(INPUTS)[:on]] = 1
    return x, x.sum(axis=1)


def make_problem(cfg: Config, data_rng: np.random.Generator, string_rng: np.random.Generator) -> Problem:
    """All training sets, and the test inputs: the 161,700 with three bits on, or 1000 random strings."""
    train = np.stack([sample(cfg, data_rng)[0] for _ in range(cfg.training_sets)]).astype(np.float32)
    if cfg.framing == "popcount":
        strings = string_rng.integers(2, size=(1000, INPUTS))
        return Problem(train, np.where(strings, np.arange(INPUTS), INPUTS).T, known=0)
    train[0] = 0
    np.put_along_axis(train[0], np.array(PAPER_BITS), 1, axis=1)
    i, j, k = np.ogrid[:INPUTS, :INPUTS, :INPUTS]
    return Problem(train, np.stack(np.nonzero((i < j) & (j < k))), known=3)


def is_right(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Whether the output w . x is nearer than 1/2 to the number of inputs on, 1 . x; x (n, inputs), w (inputs, ...)."""
    return abs(x @ (w - 1)) < 0.5


def unseen_accuracy(weights: np.ndarray, train: np.ndarray, problem: Problem) -> np.ndarray:
    """Share of unseen inputs that weights (n, inputs) get right, each with its own training set (n, 3, inputs)."""
    distinct, which = np.unique(weights, axis=0, return_inverse=True)
    deviation = np.pad(distinct - 1, ((0, 0), (0, 1)))  # of the weights from 1, and of none
    right = np.array([(abs(d[problem.test].sum(axis=0)) < 0.5).sum() for d in deviation])[which]
    if problem.known:
        right -= [is_right(x, w).sum() for x, w in zip(train, weights, strict=True)]
    return right / (problem.test.shape[1] - problem.known)


def fits(runs: Runs, train: np.ndarray) -> np.ndarray:
    """Which runs (rows) have ended and fit which training sets (columns); weights not written are 0 and count.

    The machine never sees the examples, so one run is a candidate for all training sets.
    """
    fit = np.zeros((len(runs.size), len(train)), bool)
    candidates = np.flatnonzero((runs.wp > 0) & (runs.status != WAITING))  # all weights 0 fit nothing
    w = runs.weights[candidates].T.astype(np.float32)
    fit[candidates] = is_right(train.reshape(-1, INPUTS), w).reshape(len(train), 3, -1).all(axis=1).T
    return fit


# Three searches


def in_order(runs: Runs, first: np.ndarray) -> Runs:
    """The runs by increasing `first`, ties in lexicographic order of their cells."""
    return runs.take(np.lexsort([*runs.memory[:, :TAPE].T[::-1], first]))


def looks(last: int, number: int) -> np.ndarray:
    """About so many integers from 0 to last, evenly spread; last is always among them."""
    return np.unique(np.append(np.linspace(0, last, number), last).astype(int))


def systematic_search(cfg: Config, problem: Problem, _: np.random.Generator) -> Iterator[Snapshot]:
    """Try all programs in the order of their length, then replay the first that fits the first training set."""
    runs = enumerate_programs(cfg.max_cells, cfg.max_steps)
    runs = in_order(runs, runs.size)
    fit = fits(runs, problem.train)
    first = fit.argmax(axis=0)  # of each training set; the solutions of 4 cells fit them all
    metrics = {"runs": np.inf, "cells": np.nan, "steps": np.nan, "accuracy": 0.0}
    metrics |= {"runs_p99": np.inf, "worst_accuracy": np.nan, "fits": np.nan, "generalising": np.nan}

    def look(tried: int, now: Runs) -> Snapshot:
        metrics["accuracy"] = float(unseen_accuracy(now.weights, problem.train[:1], problem)[0])
        shown = now.weights[0].copy(), now.memory[0, : now.size[0]].copy(), int(now.ip[0])
        return Snapshot(int(tried), dict(metrics), *shown, runs, fit[:, 0], first + 1)

    yield look(0, start(1))
    for i in looks(first[0], cfg.snapshots // 2):
        yield look(i + 1, runs.take([i]))

    fitting = runs.weights[fit[:, 0]]
    generalise = unseen_accuracy(fitting, np.repeat(problem.train[:1], len(fitting), axis=0), problem) == 1
    metrics |= {
        "runs": float(first[0] + 1),
        "cells": float(runs.size[first[0]]),
        "runs_p99": float(np.quantile(first + 1, 0.99, method="higher")),
        "worst_accuracy": float(unseen_accuracy(runs.weights[first], problem.train, problem).min()),
        "fits": float(len(fitting)),
        "generalising": float(generalise.mean()),
    }
    replay = load(runs.memory[first[:1], : runs.size[first[0]]], limit=0)
    for limit in looks(runs.steps[first[0]], cfg.snapshots // 2):
        replay.limit[:], replay.status[:] = limit, RUNNING
        run(replay)
        metrics["steps"] = float(replay.steps[0])
        yield look(first[0] + 1, replay)


def levin_search(cfg: Config, problem: Problem, _: np.random.Generator) -> Iterator[Snapshot]:
    """In phase k = 4, 5, ..., run every program with 2^k SP >= 1 for 2^k SP steps, the most probable ones first.

    Each training set ends its search with its first fit; the run ends with the last of them.
    """
    accuracy, total = np.full(cfg.training_sets, np.nan), 0
    metrics = {"runs": np.inf, "phase": np.inf, "predicted_phase": np.nan, "cells": np.nan, "steps": np.nan}
    metrics |= {"accuracy": 0.0, "generalising_sets": 0.0}
    yield Snapshot(0, dict(metrics), np.zeros(INPUTS))
    for phase in count(4):  # the first with a program: Stop has SP = 1/13
        runs = enumerate_programs(budget=2.0**phase)
        runs = in_order(runs, runs.space)
        fit = fits(runs, problem.train)
        first = fit.argmax(axis=0)
        new = fit.any(axis=0) & np.isnan(accuracy)
        accuracy[new] = unseen_accuracy(runs.weights[first[new]], problem.train[new], problem)
        shown = first[0]  # the first fit, or the first run of all
        if new[0]:
            metrics |= {
                "runs": float(total + shown + 1),
                "phase": float(phase),
                "predicted_phase": float(np.ceil(np.log2(runs.space[shown] * runs.steps[shown]))),
                "cells": float(runs.size[shown]),
                "steps": float(runs.steps[shown]),
                "accuracy": float(accuracy[0]),
            }
        metrics["generalising_sets"] = float((accuracy == 1).mean())
        total += len(runs.size)
        program = runs.memory[shown, : runs.size[shown]]
        yield Snapshot(total, dict(metrics), runs.weights[shown], program, int(runs.ip[shown]), runs, fit[:, 0])
        if not np.isnan(accuracy).any():
            return


def random_runs(cfg: Config, batches: int, rng: np.random.Generator) -> Iterator[tuple[Runs, np.ndarray]]:
    """Of each batch of runs of random programs, those that write weights (and a few more), and their row numbers.

    A run has a time limit of 2^(5 + j) steps with probability 2^-j, j >= 1 (8192 steps with 2^-8, as in the paper), but
    at most max_steps. The few runs that take more than 64 steps go on together, from all batches.
    """
    parts, rows = [], []
    for _ in range(batches):
        runs = start(BATCH)
        runs.limit[:] = np.minimum(2 ** (5 + rng.geometric(0.5, BATCH)), cfg.max_steps)
        guess(runs, np.arange(BATCH), rng)
        run(runs, rng, most=64)
        rows.append(np.flatnonzero((runs.wp > 0) | (runs.status == RUNNING)))
        parts.append(runs.take(rows[-1]))
    runs = concatenate(parts)
    run(runs, rng)
    for part, end in zip(rows, np.cumsum([len(part) for part in rows]), strict=True):
        yield runs.take(slice(end - len(part), end)), part


def probabilistic_search(cfg: Config, problem: Problem, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Let the oracle guess programs until the first training set has been fitted so many times.

    The prediction sums the probability of a fit over all programs of at most max_cells cells; it is compared with all
    fits, and with those of the programs that it counts ("short").
    """
    train = problem.train[:1]
    programs = enumerate_programs(cfg.max_cells, cfg.max_steps)
    programs = programs.take(fits(programs, train)[:, 0])
    j = np.maximum(1, np.ceil(np.log2(programs.steps)) - 5)  # the smallest that allows so many steps
    predicted = float(1 / (0.5 ** (j - 1) / programs.space).sum())
    metrics = {"mean_runs": np.inf, "predicted_runs": predicted, "deviation": np.inf}
    metrics |= {"short_fits": 0.0, "short_deviation": np.inf, "generalising": 0.0}
    latest = (np.zeros(INPUTS),)
    yield Snapshot(0, dict(metrics), *latest)

    total, fit_at, cells, generalises = 0, np.zeros(0, int), np.zeros(0, int), np.zeros(0, bool)
    while len(fit_at) < cfg.searches:
        batches = int(np.ceil((cfg.searches - len(fit_at)) * predicted / BATCH))
        for runs, number in random_runs(cfg, batches, rng):
            new = np.flatnonzero(fits(runs, train))
            fit_at = np.append(fit_at, total + number[new] + 1)[: cfg.searches]
            total += BATCH
            cells = np.append(cells, runs.size[new])[: cfg.searches]
            accuracy = unseen_accuracy(runs.weights[new], np.repeat(train, len(new), axis=0), problem)
            generalises = np.append(generalises, accuracy == 1)[: cfg.searches]
            runs_to_fit = np.diff(fit_at, prepend=0)
            if len(new):
                metrics["mean_runs"] = float(runs_to_fit.mean())
                metrics["deviation"] = abs(metrics["mean_runs"] / predicted - 1)
                metrics["short_fits"] = float((cells <= cfg.max_cells).mean())
                metrics["short_deviation"] = abs(metrics["mean_runs"] / metrics["short_fits"] / predicted - 1)
                metrics["generalising"] = float(generalises.mean())
                shown = new[-1]
                program = runs.memory[shown, : runs.size[shown]].copy()
                latest = runs.weights[shown].copy(), program, int(runs.ip[shown])
            yield Snapshot(total, dict(metrics), *latest, runs_to_fit=runs_to_fit)


# The contrast


def init(cfg: Config, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Initial weights of the linear unit, zero or normal with deviation init_scale."""
    return {"w": cfg.init_scale * rng.standard_normal(INPUTS)}


def loss_and_grad(
    cfg: Config, params: dict[str, np.ndarray], batch: tuple[np.ndarray, np.ndarray]
) -> tuple[float, dict[str, np.ndarray]]:
    """Half the summed squared error of the unit on inputs (n, inputs) and targets (n,), and its gradient."""
    x, target = batch
    error = x @ params["w"] - target
    return 0.5 * float(error @ error), {"w": x.T @ error}


def delta_rule(cfg: Config, problem: Problem, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Gradient descent (Widrow-Hoff) on the first training set; a weight whose input is never on keeps its value."""
    x = problem.train[0].astype(float)
    batch, params = (x, x.sum(axis=1)), init(cfg, rng)
    shown = looks(cfg.updates, cfg.snapshots)
    for update in range(cfg.updates + 1):
        loss, grad = loss_and_grad(cfg, params, batch)
        if update in shown:
            w = params["w"].copy()
            metrics = {"loss": loss, "train_accuracy": float(is_right(x, w).mean())}
            metrics["accuracy"] = float(unseen_accuracy(w[None], problem.train[:1], problem)[0])
            yield Snapshot(update, metrics, w)
        params["w"] -= cfg.lr * grad["w"]


METHODS = {
    "systematic": systematic_search,
    "levin": levin_search,
    "probabilistic": probabilistic_search,
    "delta_rule": delta_rule,
}


def train(cfg: Config, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Teach the unit by cfg.method: the state before, about cfg.snapshots looks, the state at the end."""
    init_rng, data_rng, string_rng = rng.spawn(3)  # the test of the paper's problem is all inputs, nothing to draw
    problem = make_problem(cfg, data_rng, string_rng)
    yield from METHODS[cfg.method](cfg, problem, init_rng)


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
