"""PIPE's probabilistic prototype tree: programs are drawn from it, and it is moved towards the best of them.

The instructions of a program are numbers in postfix order: the arguments one after the other, then their
function. `arity` holds the number of arguments of every instruction; those without any are terminals. One of the
terminals is R, a constant, whose value stands beside them.
"""

from bisect import bisect
from collections.abc import Callable, Iterator
from itertools import chain, count
from typing import NamedTuple, Optional

import numpy as np


class Node:
    """A node of the prototype tree: the distribution of one instruction, and a node for each argument it may have.

    Nodes that no best program has visited are all alike on a level. One node, `below`, stands for those of the next
    level, and gives way to a node with a distribution of its own when a best program gets there.
    """

    __slots__ = ("p", "cumulative", "below", "children", "constant")

    def __init__(self, p: list[float], cumulative: list[float], below: Optional["Node"], arguments: int):
        self.p = p  # probability of every instruction
        self.cumulative = cumulative  # their running sum
        self.below = below
        self.children = [below] * arguments
        self.constant: float | None = None  # value of R in the last best program that had it here

    def copy(self) -> "Node":
        return Node(self.p, self.cumulative, self.below, len(self.children))


def untrained_tree(p: np.ndarray, arity: list[int], depth: int) -> Node:
    """The root of a tree of `depth` levels, all with distribution p (instructions,); the last has terminals only."""
    node = None
    for level in range(depth):
        allowed = p if level else np.where(np.array(arity) == 0, p, 0)
        node = Node([], [], node, max(arity))
        store([node], allowed[None] / allowed.sum())
    return node


def store(nodes: list[Node], p: np.ndarray) -> None:
    """Give the nodes the distributions p (nodes, instructions)."""
    cumulative = p.cumsum(axis=1)
    cumulative /= cumulative[:, -1:]  # ends at 1 exactly, which no uniform number reaches
    for node, row, running in zip(nodes, p.tolist(), cumulative.tolist(), strict=True):
        node.p, node.cumulative = row, running


def uniforms(rng: np.random.Generator) -> Iterator[float]:
    """Uniform numbers from [0, 1), one by one; they are drawn by the thousand, which is quicker."""
    return chain.from_iterable(rng.random(1000).tolist() for _ in count())


class Program(NamedTuple):
    instructions: tuple[int, ...]
    constants: tuple[float, ...]  # as long; the value where the instruction is R, else 0


def sample_with_constants(root: Node, arity: list[int], R: int, T_R: float, uniform: Callable[[], float]) -> Program:
    """Draw a program from the root down; `uniform` returns the next random number.

    A node where R (an instruction number) is more probable than T_R has a constant of its own, elsewhere it is random.
    """
    instructions, constants, stack = [], [], [root]
    while stack:
        node = stack.pop()
        i = bisect(node.cumulative, uniform())
        constant = 0.0
        if arity[i]:
            stack += node.children[: arity[i]]
        elif i == R:
            kept = node.constant is not None and node.p[R] > T_R
            constant = node.constant if kept else uniform()
        instructions.append(i)
        constants.append(constant)
    instructions.reverse()  # the root came first and last arguments before first ones, so this is postfix order
    constants.reverse()
    return Program(tuple(instructions), tuple(constants))


def visit(root: Node, program: tuple[int, ...], arity: list[int]) -> list[Node]:
    """The nodes of a program, in its order; from now on they have distributions of their own."""
    nodes, stack = [], [root]
    for i in reversed(program):
        node = stack.pop()
        nodes.append(node)
        for k in range(arity[i]):
            if node.children[k] is node.below:
                node.children[k] = node.below.copy()
            stack.append(node.children[k])
    nodes.reverse()
    return nodes


def distributions(nodes: list[Node]) -> np.ndarray:
    """Their probabilities (nodes, instructions)."""
    return np.array([node.p for node in nodes])


def joint_probability(p: np.ndarray, program: tuple[int, ...]) -> float:
    """Probability of drawing the program from distributions p (nodes, instructions) of its nodes."""
    return float(p[np.arange(len(program)), program].prod())


def focus(p: np.ndarray, program: tuple[int, ...], target: float, step: float) -> np.ndarray:
    """Move p (nodes, instructions) towards the program until its joint probability is at least `target` < 1.

    The paper repeats P(I) += step (1 - P(I)) for the instructions I of the program until the joint probability is
    high enough, then scales the others. After m repetitions P(I) has gained 1 - (1 - step)^m of what it lacked, and
    Newton's method finds the smallest m: log joint is concave in m, so its steps never go beyond the solution, and the
    next whole number is not beyond m.
    """
    at = np.arange(len(program)), np.array(program)
    chosen, others = p[at], p.copy()
    others[at] = 0
    lacking = others.sum(axis=1)  # 1 - P(I), without its rounding error
    m, keep, now = 0, 1.0, chosen
    goal, rate = np.log(target), -np.log1p(-step)
    while (short := goal - np.log(now).sum()) > 0:
        slope = rate * keep * (lacking / now).sum()
        m += 1 + int(short / slope)
        keep = (1 - step) ** m
        now = chosen + (1 - keep) * lacking
    others *= keep
    others[at] = now
    return others


def mutate(p: np.ndarray, P_M: float, mr: float, rng: np.random.Generator) -> np.ndarray:
    """Raise each entry of p (nodes, instructions) by mr of what it lacks, with P_M / (instructions sqrt(nodes))."""
    hit = rng.random(p.shape) < P_M / (p.shape[1] * np.sqrt(len(p)))
    p = np.where(hit & (p > 0), p + mr * (1 - p), p)  # what has probability 0 is not allowed on this level
    return p / p.sum(axis=1, keepdims=True)


def prune(nodes: list[Node], p: np.ndarray, arity: list[int], T_P: float) -> None:
    """Where an instruction is more probable than T_P, forget the subtrees of arguments that it does not have.

    p (nodes, instructions) are the distributions of the nodes.
    """
    likeliest = p.argmax(axis=1).tolist()
    for k in np.flatnonzero(p.max(axis=1) > T_P):
        node, used = nodes[k], arity[likeliest[k]]
        node.children[used:] = [node.below] * (len(node.children) - used)
