"""Tomita's seven regular languages over {0, 1}: automata, training strings, test strings, and the prefix tree.

M. Tomita, "Dynamic construction of finite automata from examples using hill-climbing", Proc. 4th Annual Conference of
the Cognitive Science Society, 1982, 105-108. The training strings are those of his table, without the empty string.
"""

from itertools import product
from typing import NamedTuple

import numpy as np


class Automaton(NamedTuple):
    delta: tuple[tuple[int, int], ...]  # delta[state][symbol]: the next state; the start is state 0
    accepting: tuple[int, ...]

    def accepts(self, string: str) -> bool:
        state = 0
        for symbol in string:
            state = self.delta[state][int(symbol)]
        return state in self.accepting


LANGUAGES = {
    1: Automaton(((1, 0), (1, 1)), (0,)),  # 1*
    2: Automaton(((2, 1), (0, 2), (2, 2)), (0,)),  # (10)*
    3: Automaton(((0, 1), (2, 0), (3, 4), (2, 3), (4, 4)), (0, 1, 3)),  # no odd block of 0s after an odd block of 1s
    4: Automaton(((1, 0), (2, 0), (3, 0), (3, 3)), (0, 1, 2)),  # no 000
    5: Automaton(((1, 2), (0, 3), (3, 0), (2, 1)), (0,)),  # an even number of 0s and an even number of 1s
    6: Automaton(((2, 1), (0, 2), (1, 0)), (0,)),  # the number of 1s minus the number of 0s is divisible by 3
    7: Automaton(((0, 1), (2, 1), (2, 3), (4, 3), (4, 4)), (0, 1, 2, 3)),  # 0*1*0*1*
}

TOMITA_STRINGS = {  # language: strings in it, strings not in it
    1: (
        "1 11 111 1111 11111 111111 1111111 11111111",
        "0 10 01 00 011 110 000 11111110 10111111",
    ),
    2: (
        "10 1010 101010 10101010 10101010101010",
        "1 0 11 00 01 101 100 1001010 10110 110101010",
    ),
    3: (
        "1 0 01 11 00 100 110 111 000 100100 110000011100001 111101100010011100",
        "10 101 010 1010 1110 1011 10001 111010 1001000 11111000 0111001101 11011100110",
    ),
    4: (
        "1 0 10 01 00 100100 001111110100 0100100100 11100 010",
        "000 11000 0001 000000000 11111000011 1101010000010111 1010010001 0000 00000",
    ),
    5: (
        "11 00 1001 0101 1010 1000111101 1001100001111010 111111 0000",
        "1 0 111 010 000000000 1000 01 10 1110010100 010111111110 0001 011",
    ),
    6: (
        "10 01 1100 101010 111 000000 10111 0111101111 100100100",
        "1 0 11 00 101 011 11001 1111 00000000 010111 10111101111 1001001001",
    ),
    7: (
        "1 0 10 01 11111 000 00110011 0101 0000100001111 00100 011111011111 00",
        "1010 00110011000 0101010101 1011010 10101 010100 101001 100100110101",
    ),
}


class Level(NamedTuple):
    """The prefixes of one length; those that end in 0 come first, then those that end in 1."""

    parents: tuple[np.ndarray, np.ndarray]  # of either kind: where the prefix without its last symbol stands
    ends: np.ndarray  # which of the prefixes are strings of the set
    labels: np.ndarray  # bool, whether these are in the language


def prefix_tree(strings: list[str], language: int) -> list[Level]:
    """The set of strings as levels of prefixes of length 1, 2, ...: a common prefix has to be read only once."""
    todo, place, levels = set(strings), {"": 0}, []
    for length in range(1, max(map(len, todo)) + 1):
        prefixes = sorted({s[:length] for s in todo if len(s) >= length}, key=lambda prefix: (prefix[-1], prefix))
        parents = tuple(np.array([place[p[:-1]] for p in prefixes if p[-1] == symbol], int) for symbol in "01")
        place = {prefix: k for k, prefix in enumerate(prefixes)}
        ends = [prefix for prefix in prefixes if prefix in todo]
        labels = [LANGUAGES[language].accepts(string) for string in ends]
        levels.append(Level(parents, np.array([place[string] for string in ends], int), np.array(labels, bool)))
    return levels


def all_strings(longest: int) -> list[str]:
    """All strings of length 1 to `longest`."""
    return ["".join(bits) for length in range(1, longest + 1) for bits in product("01", repeat=length)]


def tomita_strings(language: int) -> list[str]:
    """Tomita's training strings of a language, both classes."""
    return " ".join(TOMITA_STRINGS[language]).split()


def random_strings(language: int, per_class: int, longest: int, rng: np.random.Generator) -> list[str]:
    """Up to so many distinct strings of either class, of length 1 to `longest`, drawn with weights 2^-length."""
    strings = all_strings(longest)
    chosen = []
    for label in (True, False):
        pool = [s for s in strings if LANGUAGES[language].accepts(s) == label]
        p = np.array([0.5 ** len(s) for s in pool])
        chosen += list(rng.choice(pool, min(per_class, len(pool)), replace=False, p=p / p.sum()))
    return [str(s) for s in chosen]


def walk_strings(language: int, label: bool, number: int, length: int, rng: np.random.Generator) -> list[str]:
    """So many random strings of a class: a random walk through the automaton that avoids states of no return."""
    automaton = LANGUAGES[language]
    states = range(len(automaton.delta))
    can = [{q for q in states if (q in automaton.accepting) == label}]  # can[n]: n symbols from it may end in the class
    for _ in range(length):
        can.append({q for q in states if can[-1] & set(automaton.delta[q])})
    strings = []
    for choices in rng.integers(2, size=(number, length)):
        state, string = 0, ""
        for left, symbol in zip(reversed(range(length)), choices.tolist(), strict=True):
            if automaton.delta[state][symbol] not in can[left]:
                symbol = 1 - symbol
            state, string = automaton.delta[state][symbol], string + str(symbol)
        strings.append(string)
    return strings
