"""The embedded Reber grammar: random strings, what may come next in them, and strings as arrays.

A string is B o B inner E o E. The outer letter o is T or P, the same both times; B inner E is a string of the Reber
grammar (Reber 1967), written by the automaton below.
"""

from collections.abc import Container
from typing import NamedTuple

import numpy as np

SYMBOLS = "BTPSXVE"

# The Reber grammar after its B: which symbols may come in each state, and to which state they lead.
REBER = ({"T": 1, "P": 2}, {"S": 1, "X": 3}, {"T": 2, "V": 4}, {"X": 2, "S": 5}, {"P": 3, "V": 5}, {"E": 6})


class Batch(NamedTuple):
    symbols: np.ndarray  # (T, B) indices into SYMBOLS, -1 after the end of a string
    legal: np.ndarray  # (T - 1, B, 7) True where a symbol may come next; all False after the end


def draw_string(rng: np.random.Generator) -> str:
    """A random string of the embedded Reber grammar; every branch has probability 1/2."""
    o, inner, state = "TP"[rng.random() < 0.5], "", 0
    while state < len(REBER) - 1:
        symbol = list(REBER[state])[rng.random() < 0.5]
        inner, state = inner + symbol, REBER[state][symbol]
    return f"B{o}B{inner}E{o}E"


def draw_strings(rng: np.random.Generator, count: int, known: Container[str] = ()) -> list[str]:
    """Draw `count` random strings that are not among the `known` ones; one may come several times."""
    strings = []
    while len(strings) < count:
        string = draw_string(rng)
        if string not in known:
            strings.append(string)
    return strings


def legal_next(string: str) -> list[str]:
    """The symbols that may follow each symbol of `string` but the last."""
    legal, state = ["TP", "B", "TP"], 0
    for symbol in string[3:-3]:
        state = REBER[state][symbol]
        legal.append("".join(REBER[state]))
    return [*legal, string[1], "E"]


def encode(strings: list[str]) -> Batch:
    """Put strings of different lengths side by side."""
    T, B = max(map(len, strings)), len(strings)
    symbols, legal = np.full((T, B), -1), np.zeros((T - 1, B, len(SYMBOLS)), bool)
    mask = {sets: [symbol in sets for symbol in SYMBOLS] for sets in ("B", "E", "T", "P", *map("".join, REBER))}
    for b, string in enumerate(strings):
        symbols[: len(string), b] = [SYMBOLS.index(symbol) for symbol in string]
        legal[: len(string) - 1, b] = [mask[sets] for sets in legal_next(string)]
    return Batch(symbols, legal)
