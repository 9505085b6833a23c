"""The embedded Reber grammar: random strings, what may come next in them, and strings as arrays.

A string is B o B inner E o E. The outer letter o is T or P, the same both times; B inner E is a string of the Reber
grammar (Reber 1967), written by the automaton below.
"""

from collections.abc import Container, Iterator
from typing import NamedTuple

import numpy as np

SYMBOLS = "BTPSXVE"

# The Reber grammar after its B: which symbols may come in each state, and to which state they lead.
REBER = ({"T": 1, "P": 2}, {"S": 1, "X": 3}, {"T": 2, "V": 4}, {"X": 2, "S": 5}, {"P": 3, "V": 5}, {"E": 6})


class Batch(NamedTuple):
    symbols: np.ndarray  # (T, B) indices into SYMBOLS, -1 after the end of a string
    legal: np.ndarray  # (T - 1, B, 7) True where a symbol may come next; all False after the end


def toss(rng: np.random.Generator, ahead: int) -> Iterator[bool]:
    """Fair coins without end, drawn from rng `ahead` at a time."""
    while True:
        yield from (rng.random(ahead) < 0.5).tolist()


def draw_string(coins: Iterator[bool]) -> str:
    """A random string of the embedded Reber grammar; every branch has probability 1/2."""
    o, inner, state = "TP"[next(coins)], "", 0
    while state < len(REBER) - 1:
        symbol, state = list(REBER[state].items())[next(coins)]
        inner += symbol
    return f"B{o}B{inner}E{o}E"


def draw_strings(rng: np.random.Generator, count: int, known: Container[str] = (), ahead: int = 1) -> list[str]:
    """Draw `count` random strings that are not among the `known` ones; one may come several times.

    With `ahead` large it is quick, but draws a little more from rng than it uses.
    """
    strings, coins = [], toss(rng, ahead)
    while len(strings) < count:
        string = draw_string(coins)
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
    symbols, which = np.full((T, B), -1), np.zeros((T - 1, B), int)
    sets = ("", "B", "E", "T", "P", *map("".join, REBER))  # of symbols that may come next, none after the end
    number = {legal: k for k, legal in enumerate(sets)}
    for b, string in enumerate(strings):
        symbols[: len(string), b] = [SYMBOLS.index(symbol) for symbol in string]
        which[: len(string) - 1, b] = [number[legal] for legal in legal_next(string)]
    return Batch(symbols, np.array([[symbol in legal for symbol in SYMBOLS] for legal in sets])[which])
