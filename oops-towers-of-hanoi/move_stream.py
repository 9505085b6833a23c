"""Every single move of a Hanoi program, for as many disks as wanted, compared with the known optimal sequence.

A move is the number 3 source + target, with pegs 0, 1, 2 for S, A, D.
"""

from collections.abc import Iterator

import numpy as np

from oops_machine import MOVES, ORDERS, Cell

BLOCK = 20  # calls for up to so many disks are kept as arrays, 2^20 - 1 moves at most


def optimal_moves(disks: int, first: int, count: int) -> np.ndarray:
    """Moves first, first + 1, ... (1-based) of the shortest solution: int8 array (count,).

    Move t shifts the disk whose number is the count of trailing zeros of t, from peg (t & (t - 1)) mod 3 to peg
    ((t | (t - 1)) + 1) mod 3, with the pegs A and D exchanged if the number of disks is even.
    """
    t = np.arange(first, first + count, dtype=np.uint32)
    source, target = ((t & (t - 1)) % 3).astype(np.int8), (((t | (t - 1)) + 1) % 3).astype(np.int8)
    return RENAME[(0, 1, 2) if disks % 2 else (0, 2, 1)][3 * source + target]


# The moves 0, ..., 8 of a callee that gets the caller's pegs in this order, as moves of the caller.
RENAME = {order: np.array([3 * x + y for x in order for y in order], np.int8) for order in ORDERS}


class Stream:
    """The moves of a program; what else it does is skipped."""

    def __init__(self, code: list[Cell], programs: list[tuple[int, int]], start: int):
        self.code, self.programs, self.start = code, programs, start
        self.blocks: dict[tuple[int, int], np.ndarray] = {}  # (start, n): moves of a call with the pegs in order

    def call(self, start: int, n: int, args: tuple[int, ...]) -> Iterator[np.ndarray]:
        """The moves of a call, array after array."""
        if n > BLOCK:
            yield from self.execute(start, n, args)
        elif n > 0:
            if (start, n) not in self.blocks:
                self.blocks[start, n] = np.concatenate(list(self.execute(start, n, (0, 1, 2))))
            yield RENAME[args][self.blocks[start, n]]

    def execute(self, start: int, n: int, args: tuple[int, ...]) -> Iterator[np.ndarray]:
        """The moves of a call, instruction by instruction, up to `ret` or the end of the code."""
        for name, operand in self.code[start:]:
            if name == "ret":
                return
            if name in MOVES:
                source, target = MOVES[name]
                yield np.array([3 * args[source] + args[target]], np.int8)
            elif name == "rec":
                yield from self.call(start, n - 1, tuple([args[i] for i in operand]))
            elif name == "callq":
                yield from self.call(self.programs[operand - 1][0], n, args)

    def is_optimal(self, disks: int) -> bool:
        """Whether all moves for so many disks are, one by one, those of the shortest solution."""
        made = 0
        for moves in self.call(self.start, disks, (0, 1, 2)):
            if not np.array_equal(moves, optimal_moves(disks, made + 1, len(moves))):
                return False
            made += len(moves)
        return made == 2**disks - 1
