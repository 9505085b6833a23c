"""The machine of OOPS: one storage for all programs, and a run that asks for one more cell when it comes to the end.

A program is a stretch of the storage. It is started at its first cell on an instance of a task and executed until it
solves the instance, fails, or comes to the end of the storage: then it asks for another cell. So a program is exactly
what its runs have asked for.

A State is immutable. Whoever keeps one can go back to it after any number of attempts to go on from it: this does what
the paper's undo stack does.
"""

from itertools import permutations
from typing import NamedTuple

PEGS = "SAD"  # source, auxiliary and destination peg of a frame; numbers 0, 1, 2 in the code
DESTINATION = 2
ORDERS = tuple(permutations(range(3)))

MOVES = {"mv": (0, 2)} | {f"mv{PEGS[x]}{PEGS[y]}": (x, y) for x, y, _ in ORDERS if (x, y) != (0, 2)}  # from, to
INSTRUCTIONS = (
    *MOVES,  # move the top disk: mv from S to D, mvDA from D to A, ...
    "emit1",  # print 1
    "emit2",
    "rec",  # call the program you are in, with n - 1; the operand says in which order it gets the pegs
    "callq",  # call frozen program q
    "boostq",  # make the instructions of frozen program q more probable in the rest of the program
    "ret",  # return from a call; at the end of the program, halt
)

# An instruction with its operand: the order in which rec passes the pegs, or the number q of a frozen program.
Cell = tuple[str, tuple[int, ...] | int | None]

SOLVED, ASKS, FAILED = range(3)  # how a run can end


class Instance(NamedTuple):
    """One input of a task: solved when the text is printed and the program has ended, or when all disks are on D."""

    args: tuple[int, ...]  # pegs S, A, D, or nothing
    n: int
    text: str  # to be printed
    pegs: tuple[int, ...]  # where the disks are, smallest first


class Frame(NamedTuple):
    """An active call. A callee gets copies of its arguments, so nothing it does changes those of the caller."""

    caller: "Frame | None"
    back: int  # return address
    start: int  # first cell of the program
    n: int
    args: tuple[int, ...]
    pegs: tuple[int, ...]  # this and the next two: of the state at the call
    moves: int
    reach: int


class Effect(NamedTuple):
    """What a finished call did to the smallest disks, the only ones it has moved."""

    before: tuple[int, ...]  # their pegs
    after: tuple[int, ...]
    moves: int


class State(NamedTuple):
    ip: int  # instruction pointer
    frame: Frame
    text: str
    printed: int  # symbols of the text
    pegs: tuple[int, ...]
    moves: int  # of disks
    reach: int  # this call has moved only the so many smallest disks
    boosted: frozenset[int]  # programs whose instructions this run has made more probable
    memo: dict[tuple, Effect]  # (start, n, args) of finished calls; replaced, never changed


def begin(instance: Instance, start: int) -> State:
    """The state before the first instruction of the program at address `start`."""
    args, n, text, pegs = instance
    return State(start, Frame(None, -1, start, n, args, pegs, 0, 0), text, 0, pegs, 0, 0, frozenset(), {})


def move(pegs: tuple[int, ...], source: int, target: int) -> tuple[tuple[int, ...], int] | None:
    """Move the top disk: the pegs then, and how many disks are not larger than the one moved; None if illegal."""
    if source not in pegs:
        return None
    disk = pegs.index(source)
    if target in pegs[:disk]:
        return None
    return (*pegs[:disk], target, *pegs[disk + 1 :]), disk + 1


def called(
    frame: Frame, name: str, operand: tuple[int, ...] | int, programs: list[tuple[int, int]]
) -> tuple[int, int, tuple[int, ...]] | None:
    """Start, n and arguments of the callee of rec or callq; None if it is to get pegs which the caller has not got."""
    if name == "callq":
        return programs[operand - 1][0], frame.n, frame.args
    if operand and not frame.args:
        return None
    return frame.start, frame.n - 1, tuple([frame.args[i] for i in operand])


def run(
    code: list[Cell], programs: list[tuple[int, int]], state: State, t: int, limit: float
) -> tuple[int, State, int]:
    """Execute until the instance is solved, the code ends or the run fails; returns how, the state and the time t.

    An instruction takes one time step, also a call whose effect is known from an earlier one: what a call does depends
    only on the disks it moves and on smaller ones, so it does the same again wherever the larger disks are.
    `programs` are the frozen ones, (first cell, end). A run fails at `limit`, or by an instruction that is illegal in
    its state.
    """
    ip, frame, text, printed, pegs, moves, reach, boosted, memo = state
    while ip < len(code):
        if t + 1 > limit:
            return FAILED, state, t
        (name, operand), ip, t = code[ip], ip + 1, t + 1
        if name not in INSTRUCTIONS:
            continue  # it works on data that these tasks do not use
        if name in MOVES:
            source, target = MOVES[name]
            moved = frame.args and move(pegs, frame.args[source], frame.args[target])
            if not moved:
                return FAILED, state, t
            pegs, disks = moved
            moves, reach = moves + 1, max(reach, disks)
        elif name in ("emit1", "emit2"):
            if text[printed : printed + 1] != name[-1]:
                return FAILED, state, t
            printed += 1
        elif name == "boostq":
            boosted = boosted | {operand}
        elif name == "callq" or (name == "rec" and frame.n > 1):  # at n = 1 the callee would have nothing to do
            callee = called(frame, name, operand, programs)
            if not callee:
                return FAILED, state, t
            known = memo.get(callee)
            if known and pegs[: len(known.before)] == known.before:
                pegs, moves = known.after + pegs[len(known.before) :], moves + known.moves
                reach = max(reach, len(known.before))
            else:
                frame, ip, reach = Frame(frame, ip, *callee, pegs, moves, reach), callee[0], 0
        elif name == "ret":
            if frame.caller is None:
                return (SOLVED if text and printed == len(text) else FAILED), state, t
            if pegs:
                effect = Effect(frame.pegs[:reach], pegs[:reach], moves - frame.moves)
                memo = {**memo, (frame.start, frame.n, frame.args): effect}
            frame, ip, reach = frame.caller, frame.back, max(reach, frame.reach)
        if pegs and min(pegs) == DESTINATION:
            return SOLVED, State(ip, frame, text, printed, pegs, moves, reach, boosted, memo), t
    return ASKS, State(ip, frame, text, printed, pegs, moves, reach, boosted, memo), t


def listing(cells: list[Cell] | tuple[Cell, ...]) -> str:
    """Code as text, e.g. `rec SDA; mv; rec ASD; ret`."""
    words = []
    for name, operand in cells:
        suffix = "".join(PEGS[i] for i in operand) if isinstance(operand, tuple) else str(operand or "")
        words.append(f"{name} {suffix}".strip())
    return "; ".join(words)
