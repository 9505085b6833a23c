"""A contrast from a reference catalogue: words over four letters, one of which is bound to the task before.

M moves the top disk from peg S to D, SD exchanges A and D and SA exchanges S and A for what follows, and C executes the
word found for n - 1 disks. Because C means something else for every n, n disks need the words of all smaller towers.
"""

from collections.abc import Iterator
from itertools import count, product

LETTERS = ("M", "SD", "SA", "C")
EXCHANGED = {"SD": (0, 2, 1), "SA": (1, 0, 2)}

Word = tuple[str, ...]


def execute(words: list[Word], n: int, args: tuple[int, ...], pegs: list[int]) -> bool:
    """Execute the word for n disks, words[n - 1], on the disks' pegs (smallest first), in place; False if illegal."""
    for letter in words[n - 1]:
        if letter in EXCHANGED:
            args = tuple([args[i] for i in EXCHANGED[letter]])
        elif letter == "C":
            if n == 1 or not execute(words, n - 1, args, pegs):
                return False
        else:
            source, _, target = args
            if source not in pegs or target in pegs[: pegs.index(source)]:
                return False
            pegs[pegs.index(source)] = target
    return True


def search(largest_n: int) -> Iterator[tuple[list[Word], int]]:
    """For n = 1, 2, ...: the words so far, and how many were tried in the order of length for the last one.

    The word for n - 1 is tried first, and not counted.
    """
    words: list[Word] = []
    for n in range(1, largest_n + 1):
        candidates = (word for length in count(1) for word in product(LETTERS, repeat=length))
        tried, word = 0, words[-1] if words else ()
        while True:
            pegs = [0] * n
            if execute([*words, word], n, (0, 1, 2), pegs) and pegs == [2] * n:
                break
            tried, word = tried + 1, next(candidates)
        words.append(word)
        yield list(words), tried
