"""Even parity of six bits as a program, found by moving a tree of probabilities towards the best program drawn.

Paper: R. Salustowicz & J. Schmidhuber, "Probabilistic incremental program evolution", Evolutionary Computation
5(2):123-141, 1997; also ECML-97, LNAI 1224, 213-220.

Task: a program made of AND, OR, NOT, IF and the inputs x0 ... x5 is to return 1 if and only if an even number of the
inputs is 1. Its error is the number of wrong answers among the 64 patterns.

Method: PIPE draws programs from a prototype tree (parity_prototype_tree.py), raises the joint probability of the best
one, and mutates the probabilities along it. There is no crossover. The contrasts have the same programs and the same
number of evaluations: genetic programming (parity_crossover.py), random search ("random": nothing is learned), and a
rule that moves each probability by itself ("per_node").

Differs: the settings are ours; the tree has a limited depth; its nodes come into being when a best program first visits
them; the number of repetitions of the inner loop of the update is computed rather than counted.

Symbols: P(I) probability of instruction I in a node; b best program of a generation, el best of all so far (elite);
FIT its error; PS, P_T, P_el, lr, c, eps, P_M, mr, T_P as in the paper. The answers of a program to all patterns are
the bits of one integer, its truth table.
"""

import argparse
import operator
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from parity_crossover import Breeder, Tree, postfix
from parity_prototype_tree import (
    Node,
    distributions,
    focus,
    joint_probability,
    mutate,
    prune,
    sample,
    store,
    uniforms,
    untrained_tree,
    visit,
)


@dataclass(frozen=True)
class Config:
    method: str = "pipe"  # or "per_node" (each probability moves by itself), "gp" (genetic programming)
    bits: int = 6  # inputs
    evaluations: int = 500_000  # programs at most
    depth: int = 8  # levels of the prototype tree
    PS: int = 12  # programs per generation
    P_T: float = 0.7  # initial probability of the terminals together
    P_el: float = 0.0  # probability of a cycle that learns from the elite instead of a new generation
    lr: float = 0.03  # learning rate; with 0 nothing is learned or mutated
    c: float = 0.1  # fraction of lr by which the inner loop of the update goes forward
    eps: float = 1.0  # added to both errors in the update's target
    P_M: float = 0.5  # mutation probability of a program's probabilities, before it is shared among them
    mr: float = 0.3  # mutation rate
    T_P: float = 0.999999  # instructions more probable than this prune the arguments they do not have
    floor: float = 0.05  # per_node: least probability
    patience: int = 80  # per_node: generations without progress after which it begins anew
    population: int = 1000  # gp
    tournament: int = 7  # gp: programs from which a parent is chosen
    crossover: float = 0.9  # gp: share of crossover, the rest are copies
    max_depth: int = 17  # gp: levels of a program
    snapshots: int = 20  # about how many looks at the run

    def __post_init__(self) -> None:
        if self.method not in ("pipe", "per_node", "gp"):
            raise ValueError(f"method must be pipe, per_node or gp, got {self.method}")
        if not 2 <= self.bits <= 8:
            raise ValueError(f"bits must be between 2 and 8, got {self.bits}")
        least = {"evaluations": 1, "depth": 2, "PS": 1, "population": 2, "tournament": 1, "max_depth": 6}
        for name, bound in (least | {"patience": 1, "snapshots": 1}).items():
            if getattr(self, name) < bound:
                raise ValueError(f"{name} must be at least {bound}, got {getattr(self, name)}")
        for name in ("P_el", "lr", "P_M", "mr"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 0 and less than 1, got {getattr(self, name)}")
        for name in ("P_T", "c", "T_P", "crossover"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must be between 0 and 1, got {getattr(self, name)}")
        if not 0 <= self.floor < 0.5:
            raise ValueError(f"floor must be at least 0 and less than 0.5, got {self.floor}")
        if not self.eps > 0:
            raise ValueError(f"eps must be positive, got {self.eps}")


PRESETS: dict[str, dict] = {
    "pipe": {},
    "gp": {"method": "gp"},
    "random": {"lr": 0.0},
    "per_node": {"method": "per_node", "lr": 0.3, "PS": 30},
    "five_bits": {"bits": 5, "evaluations": 200_000, "depth": 12, "PS": 10, "lr": 0.01, "P_M": 0.4, "mr": 0.4},
    "elitist": {
        "bits": 5,
        "evaluations": 200_000,
        "depth": 12,
        "PS": 10,
        "lr": 0.01,
        "P_M": 0.4,
        "mr": 0.4,
        "P_el": 0.01,
    },
    "four_bits": {"bits": 4, "evaluations": 50_000, "depth": 12, "PS": 10, "lr": 0.01, "P_M": 0.4, "mr": 0.4},
    "smoke": {"evaluations": 30_000},
}
SEEDS = 20

CLAIMS = (
    ("C2", "runs of at most 500,000 evaluations that solve it", "70 % (unsure)", "mean(pipe.wrong == 0) >= 0.7"),
    ("C1", "it is solved at all, 6 of 20 times", "ours", "mean(pipe.wrong == 0) >= 0.3"),
    (
        "C3",
        "evaluations of the median successful run",
        "about 52,476 (unsure)",
        "mean(pipe.evaluations <= 52476) >= mean(pipe.wrong == 0) / 2",
    ),
    (
        "C3b",
        "at most as many as the paper's GP",
        "about 120,000 for GP (unsure)",
        "mean(pipe.evaluations <= 120000) >= mean(pipe.wrong == 0) / 2",
    ),
    ("C4", "wrong patterns of the median run", "ours", "median(pipe.wrong) <= 4"),
    ("C5", "hardly a run is left with more than 8", "ours", "mean(pipe.wrong <= 8) >= 0.9"),
    ("C6", "four bits are solved within 50,000", "ours", "mean(four_bits.wrong == 0) >= 0.9"),
    ("C6b", "five bits within 200,000", "ours", "mean(five_bits.wrong == 0) >= 0.6"),
    ("C6c", "more often than with elitist steps", "ours", "mean(five_bits.wrong == 0) - mean(elitist.wrong == 0) >= 0"),
    ("C7", "GP solves it less often", "60 % (unsure)", "mean(pipe.wrong == 0) - mean(gp.wrong == 0) >= 0"),
    ("C8", "random search is far from it", "ours", "median(random.wrong) >= 12"),
    ("C8b", "and far from PIPE", "ours", "median(random.wrong - pipe.wrong) >= 8"),
    ("C9", "so is learning node by node", "ours", "median(per_node.wrong - pipe.wrong) >= 6"),
    ("C10", "nodes of the solution, in the median", "ours", "median(pipe.solution_size) <= 60"),
)

SMOKE = "wrong <= 22"


class Snapshot(NamedTuple):
    step: int  # programs evaluated so far
    metrics: dict[str, float]
    program: np.ndarray  # (nodes,) the elite's instructions in postfix order
    answers: np.ndarray  # (2**bits,) what it returns
    params: np.ndarray  # (nodes, instructions) distributions of the nodes it occupies in the prototype tree; GP: none
    progress: np.ndarray  # (improvements, 2): evaluations up to each improvement of the least error, and the error


# The task


class Scored(NamedTuple):
    error: int  # wrong patterns
    size: int  # nodes
    program: list[int] | Tree
    table: int  # truth table


class Task:
    """Even parity: the instructions (terminals first), what they mean on truth tables, and the error of a table."""

    def __init__(self, bits: int):
        rows = range(2**bits)
        self.full = 2 ** len(rows) - 1
        self.target = sum(1 << row for row in rows if row.bit_count() % 2 == 0)
        inputs = [sum(1 << row for row in rows if row >> k & 1) for k in range(bits)]
        functions = [operator.and_, operator.or_, self.full.__xor__, lambda a, b, c: (a & b) | (c & ~a)]
        self.meaning = inputs + functions
        self.names = [f"x{k}" for k in range(bits)] + ["AND", "OR", "NOT", "IF"]
        self.arity = [0] * bits + [2, 2, 1, 3]
        self.terminals = bits

    def run(self, program: list[int]) -> int:
        """The truth table of a program."""
        stack: list[int] = []
        for i in program:
            match self.arity[i]:
                case 0:
                    stack.append(self.meaning[i])
                case 1:
                    stack[-1] = self.meaning[i](stack[-1])
                case 2:
                    last = stack.pop()
                    stack[-1] = self.meaning[i](stack[-1], last)
                case 3:
                    last = stack.pop()
                    middle = stack.pop()
                    stack[-1] = self.meaning[i](stack[-1], middle, last)
        return stack[0]

    def score(self, program: list[int]) -> Scored:
        """Error and size of a program in postfix order."""
        table = self.run(program)
        return Scored((table ^ self.target).bit_count(), len(program), program, table)

    def score_tree(self, tree: Tree) -> Scored:
        """Error and size of a tree, which knows its truth table."""
        return Scored((tree.value ^ self.target).bit_count(), tree.size, tree, tree.value)


def better(first: Scored | None, second: Scored) -> Scored:
    """The one with the smaller error; of equals the smaller one, and of equals still the first."""
    return second if first is None or second[:2] < first[:2] else first


# The searches: generators of generations, which are lists of programs newly evaluated


def initial_tree(cfg: Config, task: Task) -> Node:
    """The prototype tree before learning."""
    functions = len(task.arity) - task.terminals
    p = [cfg.P_T / task.terminals] * task.terminals + [(1 - cfg.P_T) / functions] * functions
    return untrained_tree(np.array(p), task.arity, cfg.depth)


def best_of(generation: list[Scored]) -> Scored:
    """The program with the smallest error, of equals the smallest program."""
    return min(generation, key=lambda scored: scored[:2])


def learn(cfg: Config, task: Task, root: Node, b: Scored, el: Scored, rng: np.random.Generator) -> None:
    """Move the prototype tree towards program b, mutate it along b, and prune it.

    P_target = P(b) + (1 - P(b)) lr (eps + FIT(el)) / (eps + FIT(b))
    """
    nodes = visit(root, b.program, task.arity)
    p = distributions(nodes)
    joint = joint_probability(p, b.program)
    target = joint + (1 - joint) * cfg.lr * (cfg.eps + el.error) / (cfg.eps + b.error)
    p = focus(p, b.program, target, cfg.c * cfg.lr)
    p = mutate(p, cfg.P_M, cfg.mr, rng)
    store(nodes, p)
    prune(nodes, p, task.arity, cfg.T_P)


def pipe(
    cfg: Config, task: Task, root: Node, draw_rng: np.random.Generator, rng: np.random.Generator
) -> Iterator[list[Scored]]:
    """Probabilistic incremental program evolution; changes the prototype tree in place."""
    uniform, el = uniforms(draw_rng).__next__, None
    while True:
        generation = [task.score(sample(root, task.arity, uniform)) for _ in range(cfg.PS)]
        yield generation
        if cfg.lr > 0:
            b = best_of(generation)
            el = best_of([el or b, b])
            learn(cfg, task, root, b, el, rng)
            while rng.random() < cfg.P_el:
                learn(cfg, task, root, el, el, rng)


def per_node(
    cfg: Config, task: Task, root: Node, draw_rng: np.random.Generator, rng: np.random.Generator
) -> Iterator[list[Scored]]:
    """The same, but every probability of b moves by itself, without a target that its nodes share.

    Floors take the place of mutation, and a search that does not get on begins anew.
    """
    uniform, least, waited = uniforms(draw_rng).__next__, np.inf, 0
    while True:
        generation = [task.score(sample(root, task.arity, uniform)) for _ in range(cfg.PS)]
        yield generation
        b = best_of(generation)
        nodes = visit(root, b.program, task.arity)
        p = distributions(nodes)
        step = np.zeros_like(p)
        step[np.arange(len(p)), b.program] = cfg.lr
        p = np.where(p > 0, np.clip((p + step) / (1 + step.sum(axis=1, keepdims=True)), cfg.floor, 1 - cfg.floor), 0)
        store(nodes, p / p.sum(axis=1, keepdims=True))
        least, waited = (b.error, 0) if b.error < least else (least, waited + 1)
        if waited == cfg.patience:
            new = initial_tree(cfg, task)
            root.p, root.cumulative, root.below, root.children = new.p, new.cumulative, new.below, new.children
            least, waited = np.inf, 0


def gp(
    cfg: Config, task: Task, root: Node, draw_rng: np.random.Generator, rng: np.random.Generator
) -> Iterator[list[Scored]]:
    """Genetic programming; has no use for the prototype tree."""
    functions = {i: task.meaning[i] for i in range(task.terminals, len(task.arity))}

    def leaf() -> Tree:
        i = int(rng.integers(task.terminals))
        return Tree(i, (), task.meaning[i], 1, 1)

    breeder = Breeder(functions, task.arity, leaf, task.score_tree, rng)
    return breeder.generations(cfg.population, cfg.tournament, cfg.crossover, cfg.max_depth)


SEARCHES = {"pipe": pipe, "per_node": per_node, "gp": gp}


def look(cfg: Config, task: Task, root: Node, el: Scored, evaluations: int, nodes: int, progress: list) -> Snapshot:
    """Metrics (`nodes` is the size of all programs evaluated), the elite, and its nodes in the prototype tree."""
    solved = el.error == 0
    metrics = {
        "wrong": float(el.error),
        "evaluations": float(evaluations) if solved else np.inf,
        "size": float(el.size),
        "solution_size": float(el.size) if solved else np.inf,
        "mean_size": nodes / max(1, evaluations),
    }
    if isinstance(el.program, Tree):
        program, p = postfix(el.program), np.zeros((0, len(task.arity)))
    else:
        program, p = el.program, distributions(visit(root, el.program, task.arity))
        metrics["log10_joint"] = float(np.log10(p[np.arange(len(p)), program]).sum())
    answers = np.array([el.table >> row & 1 for row in range(2**cfg.bits)])
    return Snapshot(evaluations, metrics, np.array(program), answers, p, np.array(progress))


def train(cfg: Config, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Search until a program has no error or the evaluations are used up; looks are spaced evenly on a log scale."""
    draw_rng, learn_rng, _ = rng.spawn(3)  # there is no test data: the task is the whole function
    task = Task(cfg.bits)
    root = initial_tree(cfg, task)
    el = task.score([0])  # the program x0, until there is a better one
    evaluations, nodes, progress = 0, 0, [(0, el.error)]
    looks = set(np.geomspace(1, cfg.evaluations, cfg.snapshots).astype(int).tolist())
    yield look(cfg, task, root, el, evaluations, nodes, progress)
    for generation in SEARCHES[cfg.method](cfg, task, root, draw_rng, learn_rng):
        before = evaluations
        for scored in generation[: cfg.evaluations - evaluations]:
            evaluations += 1
            nodes += scored.size
            if scored[:2] < el[:2]:
                if scored.error < el.error:
                    progress.append((evaluations, scored.error))
                el = scored
                if el.error == 0:
                    break
        done = el.error == 0 or evaluations == cfg.evaluations
        if done or not looks.isdisjoint(range(before + 1, evaluations + 1)):
            yield look(cfg, task, root, el, evaluations, nodes, progress)
        if done:
            return


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
