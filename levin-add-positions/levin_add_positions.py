"""Levin search: three examples and a counter of eight cells teach a linear unit to add up the positions of its inputs.

Paper: J. Schmidhuber, "Discovering solutions with low Kolmogorov complexity and high generalization capability",
ICML 1995, 488-496; extended as "Discovering neural nets with low Kolmogorov complexity and high generalization
capability", Neural Networks 10(5):857-873, 1997.

Task: a linear unit y = w . x has 100 inputs, of which exactly three are on, and should output the sum of their
positions 0, 1, ..., 99. The ramp w[i] = i is the only solution. Three training inputs touch 9 of the 100 weights; what
fits them is tested on the other 161,697 inputs.

Method: a program for a small computer with 13 instructions (ramp_machine.py) writes the weights. Programs are tried
the most probable ones first ("systematic"), or at random ("probabilistic"), until one fits the three examples. The
contrast is gradient descent ("delta_rule").

Differs: the paper reports the probabilistic search; details of the machine that we do not have from it are ours (see
README). Run times are limited to 1024 steps (paper: 8192 and more). Each systematic search is also made for 19 random
training sets and goes on behind its first fit.

Symbols: SP is the probability that the oracle guesses the cells of a program; `space` is 1/SP, `bits` is -log2 SP.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import combinations
from typing import NamedTuple

import numpy as np

from ramp_machine import INPUTS, NAMED, OPCODES, RUNNING, WAITING, Machine, Runs, load, start

PAPER_BITS = ((5, 17, 86), (13, 55, 58), (40, 87, 94))  # the inputs that are on in the paper's three examples
ONES, RAMP = np.ones(INPUTS, int), np.arange(INPUTS)  # solutions of the counting task and of this one
BATCH = 262_144  # runs of the probabilistic search side by side


@dataclass(frozen=True)
class Config:
    method: str = "systematic"  # or "probabilistic", "delta_rule"
    writing: str = "pointer"  # WriteWeight(r) writes the next weight; with "address", WriteWeight(r1, r2) any weight
    framing: str = "three_bits"  # three inputs on (paper), or "dense": 25, 50, 75 in training and any in the test
    training_sets: int = 20  # systematic: of three examples each, searched independently; the paper's comes first
    max_bits: float = 23.0  # programs of at most so many bits, -log2 SP, are enumerated
    max_steps: int = 1024  # time limit of a program; the paper's wild one takes 502
    transfer: float = 0.0  # share g of the opcode probabilities taken from a solved counting task
    runs: int = 5_500_000  # probabilistic: programs guessed; ten seeds make the paper's 5.5e7
    init_scale: float = 0.0  # delta rule: standard deviation of the initial weights
    lr: float = 0.1  # delta rule: step size; on three disjoint triples an update shrinks all errors by 1 - 3 lr
    updates: int = 100  # delta rule
    snapshots: int = 20  # about how many looks at the run

    def __post_init__(self) -> None:
        words = {"method": METHODS, "writing": ("pointer", "address"), "framing": ("three_bits", "dense")}
        for name, allowed in words.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)}")
        for name in ("training_sets", "runs", "updates", "snapshots", "max_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 4 <= self.max_bits <= 30:
            raise ValueError(f"max_bits must be between 4 and 30 (the memory sets the limit), got {self.max_bits}")
        if not 0 <= self.transfer < 1:
            raise ValueError(f"transfer must be at least 0 and below 1, got {self.transfer}")
        if self.transfer and self.writing == "address":
            raise ValueError("writing must be pointer if there is transfer, got address")
        if self.init_scale < 0:
            raise ValueError(f"init_scale must be at least 0, got {self.init_scale}")
        if not self.lr > 0:
            raise ValueError(f"lr must be positive, got {self.lr}")


PRESETS: dict[str, dict] = {
    "systematic": {},
    "address": {"writing": "address", "max_bits": 26.5},
    "adapted": {"transfer": 0.2, "max_bits": 22.0},
    "random": {"method": "probabilistic", "max_bits": 26.0, "transfer": 0.2},
    "delta_rule": {"method": "delta_rule"},
    "delta_rule_random": {"method": "delta_rule", "init_scale": 0.1},
    "dense": {"framing": "dense", "training_sets": 1},
    "smoke": {"max_bits": 22.7, "training_sets": 5},
}
SEEDS = 10

CLAIMS = (
    # Worst of 20 training sets per seed; the paper has one.
    ("C1", "the first fit is right on all unseen inputs", "161,697 of 161,697", "min(systematic.worst_accuracy) >= 1"),
    ("C2", "the program found has 8 cells", "8", "max(systematic.cells) == 8"),
    ("C3", "at most 200,000 runs for 19 of 20 training sets", "ours", "max(systematic.runs_p95) <= 200000"),
    ("C5", "a random run fits with a probability of at least", "10 / 5.5e7 = 1.8e-7", "min(random.success) >= 4e-8"),
    ("C5b", "and at most", "10 / 5.5e7 = 1.8e-7", "max(random.success) <= 6e-7"),
    (
        "C6",
        "random fits of <= 26 bits: as many as computed, within 2 standard deviations",
        "ours",
        "(mean(random.short_fits) - mean(random.expected_fits)) ** 2 <= 4 * mean(random.expected_fits) / 10",
    ),
    ("C6b", "random fits of any length per run", "10 / 5.5e7 = 1.8e-7", "mean(random.fits) / 5.5e6 <= 6e-7"),
    ("C6c", "a random run takes 14.8 steps, within a half", "14.8", "mean(random.mean_steps / 14.8 - 1) ** 2 <= 0.25"),
    ("C7", "so is it with explicit weight addresses", "3 of 3 fits", "min(address.worst_accuracy) >= 1"),
    ("C7b", "the program found has 9 cells", "9", "max(address.cells) == 9"),
    ("C7c", "after at most 3 million runs", "ours", "max(address.runs) <= 3e6"),
    ("C8", "adapted opcode probabilities make a fit likelier, >= 2", "ours", "min(random.transfer_gain) >= 2"),
    ("C8b", "but <= 4 times", "ours", "max(random.transfer_gain) <= 4"),
    ("C8c", "steps to the first fit go down", "ours", "median(systematic.search_steps / adapted.search_steps) >= 1.5"),
    ("C9", "the delta rule from zero weights does not generalise", "fails", "max(delta_rule.accuracy) <= 0.001"),
    ("C9b", "nor does it from random weights", "fails", "max(delta_rule_random.accuracy) <= 0.001"),
    ("C9c", "though from zero it fits the examples", "ours", "min(delta_rule.train_accuracy) == 1"),
    ("C9d", "and from random weights", "ours", "min(delta_rule_random.train_accuracy) == 1"),
    ("C10", "most random fits generalise", "8 of 10", "mean(random.generalising_fits) / mean(random.fits) >= 0.7"),
    ("C11", "right on 1000 random strings of any popcount", "ours", "min(dense.accuracy) >= 1"),
)

SMOKE = "worst_accuracy >= 1"


class Snapshot(NamedTuple):
    step: int  # programs tried so far; delta rule: updates so far
    metrics: dict[str, float]
    weights: np.ndarray  # (inputs,) of the program shown, or of the delta rule
    program: np.ndarray = np.zeros(0, int)  # cells of the program shown
    ip: int = 0  # its instruction pointer
    work: np.ndarray = np.zeros(0, int)  # its work cells -1, -2, ...
    fits: Runs | None = None  # all fits of the first training set: systematic, in order; probabilistic, enumerated
    tried: tuple[np.ndarray, np.ndarray] | None = None  # bits and steps of all programs, in order


# The task


class Problem(NamedTuple):
    train: np.ndarray  # (sets, 3, inputs), 0 or 1
    test: np.ndarray  # (examples, inputs)
    known: int  # so many test inputs are the training inputs of the set, not to be counted


def sample(cfg: Config, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A random training set: inputs (3, INPUTS) of 0 and 1, and targets (3,). Triples are disjoint, as the paper's."""
    x = np.zeros((3, INPUTS))
    if cfg.framing == "three_bits":
        np.put_along_axis(x, rng.permutation(INPUTS)[:9].reshape(3, 3), 1, axis=1)
    else:
        for row, on in zip(x, (25, 50, 75), strict=True):
            row[rng.permutation(INPUTS)[:on]] = 1
    return x, x @ RAMP


def paper_examples() -> np.ndarray:
    """The paper's training set, inputs (1, 3, INPUTS)."""
    x = np.zeros((1, 3, INPUTS), np.float32)
    np.put_along_axis(x[0], np.array(PAPER_BITS), 1, axis=1)
    return x


def make_problem(cfg: Config, data_rng: np.random.Generator, string_rng: np.random.Generator) -> Problem:
    """All training sets, and the test inputs: the 161,700 with three bits on, or 1000 random strings."""
    train = np.stack([sample(cfg, data_rng)[0] for _ in range(cfg.training_sets)]).astype(np.float32)
    if cfg.framing == "dense":
        return Problem(train, string_rng.integers(2, size=(1000, INPUTS)).astype(np.float32), known=0)
    train[:1] = paper_examples()
    triples = np.array(list(combinations(range(INPUTS), 3)))
    test = np.zeros((len(triples), INPUTS), np.float32)
    np.put_along_axis(test, triples, 1, axis=1)
    return Problem(train, test, known=3)


def is_right(x: np.ndarray, w: np.ndarray, solution: np.ndarray = RAMP) -> np.ndarray:
    """Whether w . x is nearer than 1/2 to the target solution . x; inputs x (n, INPUTS), weights w (..., INPUTS)."""
    return abs((w - solution).astype(np.float32) @ x.T) < 0.5


def unseen_accuracy(weights: np.ndarray, train: np.ndarray, problem: Problem) -> np.ndarray:
    """Share of unseen inputs that weights (n, INPUTS) get right, each with its own training set (n, 3, INPUTS)."""
    distinct, which = np.unique(weights, axis=0, return_inverse=True)
    right = np.array([is_right(problem.test, w).sum() for w in distinct])[which]
    if problem.known:
        right -= [is_right(x, w).sum() for x, w in zip(train, weights, strict=True)]
    return right / (len(problem.test) - problem.known)


def fits(runs: Runs, train: np.ndarray, solution: np.ndarray = RAMP) -> np.ndarray:
    """Which runs (rows) have ended and fit which training sets (columns); weights not written are 0 and count.

    The machine never sees the examples, so one run is a candidate for all training sets.
    """
    fit = np.zeros((len(runs.size), len(train)), bool)
    rows = np.flatnonzero((runs.status != WAITING) & runs.weights.any(axis=1))  # no target is 0
    right = is_right(train.reshape(-1, INPUTS), runs.weights[rows], solution)  # (runs, sets * 3)
    fit[rows] = right.reshape(len(rows), len(train), 3).all(axis=2)
    return fit


# The oracle's probabilities


def adapted_probabilities(cfg: Config) -> np.ndarray:
    """P <- (1 - g) P + g f, with f (OPCODES,) the frequencies in the most probable solution of the counting task.

    That task has the same three examples, but the target is the number of inputs that are on.
    """
    machine, train = Machine(cfg.writing), paper_examples()
    if not cfg.transfer:
        return machine.p
    tried = machine.in_order(12.0, cfg.max_steps, lambda runs: fits(runs, train, ONES)[:, 0])
    solution = tried.cells[tried.place[0], : tried.size[tried.place[0]]]
    f = np.bincount(machine.opcodes(solution), minlength=OPCODES)
    return (1 - cfg.transfer) * machine.p + cfg.transfer * f / f.sum()


def success_probability(machine: Machine, programs: Runs, p: np.ndarray) -> float:
    """Probability that a random run is one of these programs and has time to end, if p (OPCODES,) guides the oracle.

    A limit of 2^(5 + j) steps has the probability 2^-j, j >= 1, so at least so many steps have 2^(1 - j).
    """
    j = np.maximum(1, np.ceil(np.log2(programs.steps)) - 5)
    chosen = [machine.opcodes(cells[:size]) for cells, size in zip(programs.memory, programs.size, strict=True)]
    ratio = np.array([np.prod(p[ops] / machine.p[ops]) for ops in chosen])
    return float((0.5 ** (j - 1) / programs.space * ratio).sum())


# Two searches


def looks(last: int, number: int) -> np.ndarray:
    """About so many integers from 0 to last, evenly spread; last is always among them."""
    return np.unique(np.append(np.linspace(0, last, number), last).astype(int))


def view(runs: Runs, row: int) -> tuple[np.ndarray, np.ndarray, int, np.ndarray]:
    """Copies of weights, program, instruction pointer and work tape (-1, -2, ...) of one run, for a snapshot."""
    named = min(int(runs.work[row]), NAMED)
    work = runs.memory[row, ::-1][:named]
    return runs.weights[row].copy(), runs.memory[row, : runs.size[row]].copy(), int(runs.ip[row]), work.copy()


def systematic_search(cfg: Config, problem: Problem, _: np.random.Generator) -> Iterator[Snapshot]:
    """Try all programs, the most probable first, then replay the first that fits the first training set."""
    machine = Machine(cfg.writing, adapted_probabilities(cfg))
    tried = machine.in_order(cfg.max_bits, cfg.max_steps, lambda runs: fits(runs, problem.train).any(axis=1))
    fit = fits(tried.fitting, problem.train)
    runs = np.where(fit, tried.place[:, None] + 1, np.inf).min(axis=0, initial=np.inf)  # of each training set
    mine = tried.fitting.take(fit[:, 0])
    metrics = dict.fromkeys(("runs", "cells", "steps", "fewest_steps", "search_steps", "runs_p95"), np.inf)
    metrics |= dict.fromkeys(("accuracy", "worst_accuracy", "fits", "generalising"), 0.0)

    def look(step: int, now: Runs) -> Snapshot:
        metrics["accuracy"] = float(unseen_accuracy(now.weights, problem.train[:1], problem)[0])
        return Snapshot(int(step), dict(metrics), *view(now, 0), mine, (tried.bits, tried.steps))

    yield look(0, start(1))
    solved, last = np.isfinite(runs[0]), int(min(runs[0], len(tried.size))) - 1
    for i in looks(last, cfg.snapshots // 2):
        now = load(tried.cells[i : i + 1, : tried.size[i]], cfg.max_steps)
        machine.run(now)
        yield look(i + 1, now)

    metrics["runs_p95"] = float(np.quantile(runs, 0.95, method="lower"))
    if np.isfinite(runs).all():
        weights = tried.fitting.weights[np.searchsorted(tried.place, runs - 1)]
        metrics["worst_accuracy"] = float(unseen_accuracy(weights, problem.train, problem).min())
    if solved:
        generalise = unseen_accuracy(mine.weights, problem.train[:1].repeat(len(mine.size), axis=0), problem) == 1
        metrics |= {
            "runs": float(runs[0]),
            "cells": float(mine.size[0]),
            "fewest_steps": float(mine.steps.min()),
            "search_steps": float(tried.steps[: last + 1].sum()),
            "fits": float(len(mine.size)),
            "generalising": float(generalise.mean()),
        }
    replay = load(tried.cells[last : last + 1, : tried.size[last]], limit=0)
    for limit in looks(tried.steps[last], cfg.snapshots // 2):
        replay.limit[:], replay.status[:] = limit, RUNNING
        machine.run(replay)
        metrics["steps"] = float(replay.steps[0]) if solved else np.inf
        yield look(last + 1, replay)


def probabilistic_search(cfg: Config, problem: Problem, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Let the oracle guess so many programs; count those that fit the first training set, and those that generalise.

    A run has a time limit of 2^(5 + j) steps with probability 2^-j, j >= 1 (8192 steps with 2^-8, as in the paper), but
    at most max_steps. The number expected is computed from all programs of at most max_bits bits and compared with the
    number of fits among those ("short").
    """
    machine, train = Machine(cfg.writing), problem.train[:1]
    programs = machine.in_order(cfg.max_bits, cfg.max_steps, lambda runs: fits(runs, train)[:, 0]).fitting
    success = success_probability(machine, programs, machine.p)
    adapted = success_probability(machine, programs, adapted_probabilities(cfg))
    metrics = {
        "success": success,
        "transfer_gain": adapted / success if success else 1.0,
        "expected_fits": cfg.runs * success,
    }
    metrics |= {"fits": 0.0, "short_fits": 0.0, "generalising_fits": 0.0, "mean_steps": 0.0, "first_fit": np.inf}
    steps, shown = 0, view(start(1), 0)
    batches = -(-cfg.runs // BATCH)
    shows = looks(batches, cfg.snapshots)
    yield Snapshot(0, dict(metrics), *shown, programs)

    for batch in range(1, batches + 1):
        guessed = (batch - 1) * BATCH
        runs = start(min(BATCH, cfg.runs - guessed))
        runs.limit[:] = np.minimum(2 ** (5 + rng.geometric(0.5, len(runs.limit))), cfg.max_steps)
        rows = np.arange(len(runs.limit))
        machine.guess(runs, rows, rng)
        machine.run(runs, rng)
        new = np.flatnonzero(fits(runs, train))
        steps += int(runs.steps.sum())
        metrics["mean_steps"] = steps / (guessed + len(rows))
        if len(new):
            metrics["first_fit"] = min(metrics["first_fit"], float(guessed + new[0] + 1))
            metrics["fits"] += float(len(new))
            metrics["short_fits"] += float((runs.space[new] <= 2.0**cfg.max_bits).sum())
            accuracy = unseen_accuracy(runs.weights[new], train.repeat(len(new), axis=0), problem)
            metrics["generalising_fits"] += float((accuracy == 1).sum())
            shown = view(runs, new[-1])
        if batch in shows:
            yield Snapshot(guessed + len(rows), dict(metrics), *shown, programs)


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
    batch, params = (x, x @ RAMP), init(cfg, rng)
    shown = looks(cfg.updates, cfg.snapshots)
    for update in range(cfg.updates + 1):
        loss, grad = loss_and_grad(cfg, params, batch)
        if update in shown:
            w = params["w"].copy()
            metrics = {"loss": loss, "train_accuracy": float(is_right(x, w).mean())}
            metrics["accuracy"] = float(unseen_accuracy(w[None], problem.train[:1], problem)[0])
            yield Snapshot(update, metrics, w)
        params["w"] -= cfg.lr * grad["w"]


METHODS = {"systematic": systematic_search, "probabilistic": probabilistic_search, "delta_rule": delta_rule}


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
