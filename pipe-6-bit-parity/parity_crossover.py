"""Genetic programming as in Koza's book: tournaments, subtree crossover, a limit on the depth."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np


class Tree(NamedTuple):
    """A program. It never changes, so programs share subtrees, and a value is computed once."""

    instruction: int
    arguments: tuple["Tree", ...]
    value: Any  # what the program returns
    size: int  # nodes
    depth: int  # levels


def compose(instruction: int, arguments: Sequence[Tree], function: Callable) -> Tree:
    """The tree of a function's instruction over its arguments."""
    value = function(*[a.value for a in arguments])
    size, depth = 1 + sum([a.size for a in arguments]), 1 + max([a.depth for a in arguments])
    return Tree(instruction, tuple(arguments), value, size, depth)


def subtree(tree: Tree, k: int) -> Tree:
    """The subtree at node k, counted from the root (0) down and from left to right."""
    while k:
        k -= 1
        for argument in tree.arguments:
            if k < argument.size:
                tree = argument
                break
            k -= argument.size
    return tree


def replaced(tree: Tree, k: int, new: Tree, functions: dict[int, Callable]) -> Tree:
    """The tree with `new` in place of the subtree at node k; only the nodes on the way are computed again."""
    if k == 0:
        return new
    k -= 1
    arguments = list(tree.arguments)
    for place, argument in enumerate(arguments):
        if k < argument.size:
            arguments[place] = replaced(argument, k, new, functions)
            break
        k -= argument.size
    return compose(tree.instruction, arguments, functions[tree.instruction])


def postfix(tree: Tree) -> list[int]:
    """The instructions of a tree, arguments first."""
    return [i for argument in tree.arguments for i in postfix(argument)] + [tree.instruction]


class Breeder:
    """A population under selection and crossover."""

    def __init__(
        self,
        functions: dict[int, Callable],  # by instruction number
        arity: list[int],  # of all instructions
        leaf: Callable[[], Tree],  # draws a terminal
        score: Callable[[Tree], tuple],  # (error, size, ...) of a tree; less is better
        rng: np.random.Generator,
    ):
        self.functions, self.arity, self.leaf, self.score, self.rng = functions, arity, leaf, score, rng

    def random_tree(self, levels: int, full: bool) -> Tree:
        """A tree of at most so many levels; every branch of a `full` one has them all."""
        instruction = int(self.rng.integers(len(self.arity)))
        if levels == 1 or (not full and instruction not in self.functions):
            return self.leaf()
        if instruction not in self.functions:
            instruction = int(self.rng.choice(list(self.functions)))
        arguments = [self.random_tree(levels - 1, full) for _ in range(self.arity[instruction])]
        return compose(instruction, arguments, self.functions[instruction])

    def generations(self, population: int, tournament: int, crossover: float, depth: int) -> Iterator[list[tuple]]:
        """Scores of the new programs of every generation, beginning with ramped half-and-half.

        The best program survives. Another place goes, with probability `crossover`, to a parent in which a random
        subtree has given way to one of a second parent, and else to the parent itself, which needs no evaluation.
        A parent also stays if its child has more than `depth` levels; such a child counts as evaluated.
        """
        new = [self.score(self.random_tree(2 + k % 5, full=k % 2 == 0)) for k in range(population)]
        everyone = new
        while True:
            yield new
            everyone.sort(key=lambda scored: scored[:2])
            winners = self.rng.integers(population, size=(population - 1, 2, tournament)).min(axis=2).tolist()
            where = self.rng.random((population - 1, 3)).tolist()
            new, old = [], [everyone[0]]
            for (first, second), (here, there, chance) in zip(winners, where, strict=True):
                mother, father = everyone[first].program, everyone[second].program
                if chance < crossover:
                    gene = subtree(father, int(there * father.size))
                    child = replaced(mother, int(here * mother.size), gene, self.functions)
                    new.append(self.score(child) if child.depth <= depth else everyone[first])
                else:
                    old.append(everyone[first])
            everyone = new + old
