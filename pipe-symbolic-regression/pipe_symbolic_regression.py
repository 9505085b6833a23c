"""Regression by programs: a tree of probabilities is moved towards the best program drawn from it.

Paper: R. Salustowicz & J. Schmidhuber, "Probabilistic incremental program evolution", Evolutionary Computation
5(2):123-141, 1997; also ECML-97, LNAI 1224, 213-220.

Task: a program of one variable x is to have a small sum of absolute errors, on 101 points of the paper's function
x^3 exp(-x) cos x sin x (sin^2 x cos x - 1), x = 0, 0.1, ..., 10 ("salustowicz"), or on 20 random points of Koza's
x^4 + x^3 + x^2 + x, x in [-1, 1] ("koza").

Method: PIPE draws programs from a prototype tree (regression_prototype_tree.py), raises the joint probability of the
best one, and mutates the probabilities along it. There is no crossover. The contrasts have the same instructions and
the same number of evaluations: genetic programming (regression_crossover.py) and random search (lr = 0).

Differs: the settings are ours; the tree has a limited depth; its nodes come into being when a best program first visits
them; the number of repetitions of the inner loop of the update is computed rather than counted.

Symbols: P(I) probability of instruction I in a node; b best program of a generation, el best of all so far (elite);
FIT its error; R constant; PS, P_T, P_el, T_R, lr, c, eps, P_M, mr, T_P as in the paper.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from regression_crossover import Breeder, Tree, all_subtrees
from regression_instructions import ARITHMETIC, ELEMENTARY
from regression_prototype_tree import (
    Node,
    Program,
    distributions,
    focus,
    joint_probability,
    mutate,
    prune,
    sample_with_constants,
    store,
    uniforms,
    untrained_tree,
    visit,
)

X, R = 0, 1  # instruction numbers of the terminals


@dataclass(frozen=True)
class Config:
    problem: str = "salustowicz"  # the paper's function and instructions, or "koza": the quartic with + - * %
    method: str = "pipe"  # or "gp" (genetic programming)
    evaluations: int = 100_000  # programs at most (paper)
    tests: int = 200  # points off the grid
    depth: int = 7  # levels of the prototype tree
    PS: int = 10  # programs per generation
    P_T: float = 0.8  # initial probability of the terminals together
    P_el: float = 0.02  # probability of a cycle that learns from the elite instead of a new generation
    T_R: float = 0.99  # a node with R more probable than this keeps its constant
    lr: float = 0.1  # learning rate; with 0 nothing is learned or mutated
    c: float = 0.1  # fraction of lr by which the inner loop of the update goes forward
    eps: float = 1e-6  # added to both errors in the update's target
    P_M: float = 0.4  # mutation probability of a program's probabilities, before it is shared among them
    mr: float = 0.4  # mutation rate
    T_P: float = 0.999999  # instructions more probable than this prune the arguments they do not have
    population: int = 2000  # gp
    tournament: int = 7  # gp: programs from which a parent is chosen
    crossover: float = 0.9  # gp: share of crossover, the rest are copies
    max_depth: int = 17  # gp: levels of a program
    snapshots: int = 20  # about how many looks at the run

    def __post_init__(self) -> None:
        for name, words in {"problem": ("salustowicz", "koza"), "method": ("pipe", "gp")}.items():
            if getattr(self, name) not in words:
                raise ValueError(f"{name} must be {' or '.join(words)}, got {getattr(self, name)}")
        least = {"evaluations": 1, "tests": 1, "depth": 2, "PS": 1, "population": 2, "tournament": 1, "max_depth": 6}
        for name, bound in (least | {"snapshots": 1}).items():
            if getattr(self, name) < bound:
                raise ValueError(f"{name} must be at least {bound}, got {getattr(self, name)}")
        for name in ("P_el", "T_R", "lr", "P_M", "mr"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 0 and less than 1, got {getattr(self, name)}")
        for name in ("P_T", "c", "T_P", "crossover"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must be between 0 and 1, got {getattr(self, name)}")
        if not self.eps > 0:
            raise ValueError(f"eps must be positive, got {self.eps}")


PRESETS: dict[str, dict] = {
    "pipe": {},
    "gp": {"method": "gp"},
    "random": {"lr": 0.0},
    "koza": {"problem": "koza", "mr": 0.12},  # weaker mutation: the tree settles
    "koza_gp": {"problem": "koza", "method": "gp"},
    "koza_random": {"problem": "koza", "lr": 0.0, "evaluations": 30_000},
    "smoke": {"evaluations": 10_000},
}
SEEDS = 20

CLAIMS = (
    ("C6", "PIPE's best run is better than GP's", "yes (unsure)", "min(pipe.error) <= min(gp.error)"),
    ("C6b", "its worst run is worse", "yes (unsure)", "max(pipe.error) >= max(gp.error)"),
    ("C6c", "GP is a baseline to be taken seriously", "ours", "min(gp.error) <= 8"),
    ("C7", "the paper's function: error of PIPE's best run", "ours", "min(pipe.error) <= 4"),
    ("C7b", "error of the median run", "ours", "median(pipe.error) <= 12"),
    ("C1", "Koza's quartic: all points hit within 30,000", "ours", "mean(koza.hit_at <= 30000) >= 0.45"),
    ("C2", "within 100,000", "ours", "mean(koza.hit_at <= 100000) >= 0.7"),
    ("C3", "squared error below 1e-6 within 100,000", "ours", "mean(koza.exact_at <= 100000) >= 0.4"),
    ("C9", "what is exact is exact off the grid", "ours", "mean(koza.test_error <= 1e-9) >= mean(koza.sse < 1e-6)"),
    (
        "C5",
        "random search hits all points half as often or less",
        "ours",
        "mean(koza_random.hit_at <= 30000) <= mean(koza.hit_at <= 30000) / 2",
    ),
    ("C5b", "and is worse on the paper's function", "ours", "min(random.error - pipe.error) > 0"),
    ("C8", "the tree settles on the elite", "ours", "10 ** median(koza.log10_joint) >= 0.3"),
)

SMOKE = "error <= 14"


class Snapshot(NamedTuple):
    step: int  # programs evaluated so far
    metrics: dict[str, float]
    program: Program  # the elite
    x: np.ndarray  # (points,) where it is compared with the function
    target: np.ndarray  # (points,) the function
    output: np.ndarray  # (points,) what the elite returns
    params: np.ndarray  # (nodes, instructions) distributions of the nodes it occupies in the prototype tree; GP: none
    progress: np.ndarray  # (improvements, 2): evaluations up to each improvement of the error, and the error


# The task


def quartic(x: np.ndarray) -> np.ndarray:
    """Koza's function."""
    return x**4 + x**3 + x**2 + x


def salustowicz(x: np.ndarray) -> np.ndarray:
    """The paper's function."""
    return x**3 * np.exp(-x) * np.cos(x) * np.sin(x) * (np.sin(x) ** 2 * np.cos(x) - 1)


class Scored(NamedTuple):
    error: float  # sum of absolute errors
    size: int  # nodes
    program: Program | Tree


class Task:
    """The points, the instructions (terminals X and R first), what they mean, and the error of a program."""

    def __init__(self, cfg: Config, data_rng: np.random.Generator):
        if cfg.problem == "koza":
            self.function, self.x = quartic, np.sort(data_rng.uniform(-1, 1, 20))
        else:
            self.function, self.x = salustowicz, np.arange(101) / 10
        self.target = self.function(self.x)
        elementary = ELEMENTARY if cfg.problem == "salustowicz" else {}
        functions = ARITHMETIC | elementary
        self.arity = [0, 0] + [2] * len(ARITHMETIC) + [1] * len(elementary)
        self.names = ["x", "R", *functions]
        self.functions = dict(enumerate(functions.values(), start=2))

    def run(self, program: Program, x: np.ndarray) -> np.ndarray | float:
        """What a program returns at the points x."""
        stack, arity, functions = [], self.arity, self.functions
        for i, constant in zip(*program, strict=True):
            match arity[i]:
                case 0:
                    stack.append(x if i == X else constant)
                case 1:
                    stack[-1] = functions[i](stack[-1])
                case 2:
                    last = stack.pop()
                    stack[-1] = functions[i](stack[-1], last)
        return stack[0]

    def error(self, output: np.ndarray | float) -> float:
        """Sum of absolute errors; what is not a number counts as infinitely wrong."""
        error = float(np.abs(output - self.target).sum())
        return error if error == error else np.inf

    def score(self, program: Program) -> Scored:
        """Error and size of a program."""
        return Scored(self.error(self.run(program, self.x)), len(program.instructions), program)

    def score_tree(self, tree: Tree) -> Scored:
        """Error and size of a tree, which knows its output."""
        return Scored(self.error(tree.value), tree.size, tree)


def as_program(program: Program | Tree) -> Program:
    """A tree in postfix order."""
    if isinstance(program, Program):
        return program
    nodes = all_subtrees(program)
    constants = [t.value if t.instruction == R else 0.0 for t in nodes]
    return Program(tuple([t.instruction for t in nodes]), tuple(constants))


# The searches: generators of generations, which are lists of programs newly evaluated


def initial_tree(cfg: Config, task: Task) -> Node:
    """The prototype tree before learning."""
    functions = len(task.functions)
    p = [cfg.P_T / 2] * 2 + [(1 - cfg.P_T) / functions] * functions
    return untrained_tree(np.array(p), task.arity, cfg.depth)


def best_of(generation: list[Scored]) -> Scored:
    """The program with the smallest error, of equals the smallest program."""
    return min(generation, key=lambda scored: scored[:2])


def learn(cfg: Config, task: Task, root: Node, b: Scored, el: Scored, rng: np.random.Generator) -> None:
    """Move the prototype tree towards program b, mutate it along b, and prune it; nodes keep the constants of b.

    P_target = P(b) + (1 - P(b)) lr (eps + FIT(el)) / (eps + FIT(b))
    """
    instructions, constants = b.program
    nodes = visit(root, instructions, task.arity)
    p = distributions(nodes)
    joint = joint_probability(p, instructions)
    target = joint + (1 - joint) * cfg.lr * (cfg.eps + el.error) / (cfg.eps + b.error)
    p = focus(p, instructions, target, cfg.c * cfg.lr)
    p = mutate(p, cfg.P_M, cfg.mr, rng)
    store(nodes, p)
    prune(nodes, p, task.arity, cfg.T_P)
    for node, i, constant in zip(nodes, instructions, constants, strict=True):
        if i == R:
            node.constant = constant


def pipe(
    cfg: Config, task: Task, root: Node, draw_rng: np.random.Generator, rng: np.random.Generator
) -> Iterator[list[Scored]]:
    """Probabilistic incremental program evolution; changes the prototype tree in place."""
    uniform, el = uniforms(draw_rng).__next__, None
    score = lru_cache(maxsize=1000)(task.score)  # a settled tree draws the same programs again and again
    while True:
        generation = []
        for _ in range(cfg.PS):
            generation.append(score(sample_with_constants(root, task.arity, R, cfg.T_R, uniform)))
        yield generation
        if cfg.lr > 0:
            b = best_of(generation)
            el = best_of([el or b, b])
            learn(cfg, task, root, b, el, rng)
            while rng.random() < cfg.P_el:
                learn(cfg, task, root, el, el, rng)


def gp(
    cfg: Config, task: Task, root: Node, draw_rng: np.random.Generator, rng: np.random.Generator
) -> Iterator[list[Scored]]:
    """Genetic programming; has no use for the prototype tree."""

    def leaf() -> Tree:
        i = int(rng.integers(2))
        return Tree(i, (), task.x if i == X else rng.random(), 1, 1)

    breeder = Breeder(task.functions, task.arity, leaf, task.score_tree, rng)
    return breeder.generations(cfg.population, cfg.tournament, cfg.crossover, cfg.max_depth)


def absolute_errors(task: Task, program: Program, x: np.ndarray) -> np.ndarray:
    """How far the program is off at the points x; infinitely far where it is not a number."""
    with np.errstate(all="ignore"):
        return np.nan_to_num(np.abs(task.run(program, x) - task.function(x)), nan=np.inf, posinf=np.inf)


def look(
    cfg: Config,
    task: Task,
    root: Node,
    el: Scored,
    test_x: np.ndarray,
    evaluations: int,
    progress: list,
    counts: dict[str, float],
) -> Snapshot:
    """Metrics (`counts` and the errors), the elite and its output, and its nodes in the prototype tree."""
    program = as_program(el.program)
    off = absolute_errors(task, program, task.x)
    metrics = {
        "error": float(off.sum()),
        "sse": float((off**2).sum()),
        "misses": float((off >= 0.01).sum()),
        "test_error": float(absolute_errors(task, program, test_x).max()),
        "size": float(el.size),
    } | counts
    p = np.zeros((0, len(task.arity)))
    if cfg.method == "pipe":
        p = distributions(visit(root, program.instructions, task.arity))
        metrics["log10_joint"] = float(np.log10(p[np.arange(len(p)), program.instructions]).sum())
    with np.errstate(all="ignore"):
        output = np.broadcast_to(task.run(program, task.x), task.x.shape).copy()
    return Snapshot(evaluations, metrics, program, task.x.copy(), task.target.copy(), output, p, np.array(progress))


def train(cfg: Config, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Search until the evaluations are used up.

    Looks are spaced evenly on a log scale. hit_at and exact_at are the evaluations up to the first elite that is less
    than 0.01 off at all points, and up to a sum of squared errors below 1e-6.
    """
    search_rng, data_rng, test_rng = rng.spawn(3)
    draw_rng, learn_rng = search_rng.spawn(2)
    task = Task(cfg, data_rng)
    test_x = test_rng.uniform(*((-2, 2) if cfg.problem == "koza" else (0, 10)), cfg.tests)
    root = initial_tree(cfg, task)
    el = task.score(Program((R,), (0.0,)))  # the constant 0, until there is a better program
    evaluations, nodes, progress = 0, 0, [(0, el.error)]
    hit_at = exact_at = np.inf
    looks = set(np.geomspace(1, cfg.evaluations, cfg.snapshots).astype(int).tolist())
    counts = {"hit_at": hit_at, "exact_at": exact_at, "mean_size": 0.0}
    yield look(cfg, task, root, el, test_x, 0, progress, counts)
    generations = {"pipe": pipe, "gp": gp}[cfg.method](cfg, task, root, draw_rng, learn_rng)
    while evaluations < cfg.evaluations:
        before = evaluations
        with np.errstate(all="ignore"):
            generation = next(generations)
        for scored in generation[: cfg.evaluations - evaluations]:
            evaluations += 1
            nodes += scored.size
            if scored[:2] < el[:2]:
                el = scored
                progress.append((evaluations, el.error))
                off = absolute_errors(task, as_program(el.program), task.x)
                if off.max() < 0.01:
                    hit_at = min(hit_at, float(evaluations))
                if (off**2).sum() < 1e-6:
                    exact_at = min(exact_at, float(evaluations))
        done = evaluations == cfg.evaluations
        if done or not looks.isdisjoint(range(before + 1, evaluations + 1)):
            counts = {"hit_at": hit_at, "exact_at": exact_at, "mean_size": nodes / evaluations}
            yield look(cfg, task, root, el, test_x, evaluations, progress, counts)


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
