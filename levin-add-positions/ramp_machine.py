"""The computer of Levin search: 13 instructions, a program tape written by an oracle, many runs side by side.

A run begins with an empty program. Whenever its instruction pointer IP stands behind the last program cell, at
address Max, an oracle appends one instruction: `continuations` appends every possible one (systematic search),
`guess` a random one (probabilistic search). So a program consists of exactly the cells that its run has asked for.

The program tape has addresses 0, 1, ..., Max - 1 and cannot be changed by the program. The work tape has addresses
-1, -2, ... and starts empty. A jump may lead into the middle of an instruction: any cell can be read as an opcode.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

INPUTS = 100  # weights of the linear unit
TAPE = 16  # cells of the program tape
WORK = 1000  # cells of the work tape
NAMED = 10  # work cells an argument can name, -1 ... -10; the content of the others is not kept, as nothing reads it
GROUP = 200_000  # programs that are continued together
LARGEST = 10_000  # cells and weights are integers in [-10000, 10000]

INSTRUCTIONS = (  # opcode = row; kinds of argument: r read, w write, j jump (addresses), n number of cells
    ("JumpLeq", "rrj"),  # if c(r1) <= c(r2) go to j; c(a) is the content of address a
    ("WriteWeight", "r"),  # w[WP] := c(r); WP := WP + 1. Or, with an explicit address, (r1, r2): w[c(r2)] := c(r1)
    ("Jump", "j"),
    ("Stop", ""),
    ("Add", "rrw"),  # c(w) := c(r1) + c(r2)
    ("ReadWeight", "rw"),  # c(w) := weight number c(r)
    ("Move", "rw"),  # c(w) := c(r)
    ("Allocate", "n"),  # n new cells on the work tape, content 0
    ("Increment", "w"),
    ("Decrement", "w"),
    ("Subtract", "rrw"),  # c(w) := c(r2) - c(r1)
    ("Multiply", "rrw"),  # c(w) := c(r1) * c(r2)
    ("Free", "n"),  # drop the n newest cells of the work tape
)
OPCODES = len(INSTRUCTIONS)
JUMP_LEQ, WRITE_WEIGHT, JUMP, STOP, ADD, READ_WEIGHT, MOVE = range(7)
ALLOCATE, INCREMENT, DECREMENT, SUBTRACT, MULTIPLY, FREE = range(7, OPCODES)
# Row of `results` in execute() that an instruction stores at its last argument; -1: it stores nothing.
RESULT = np.full(OPCODES, -1)
RESULT[[ADD, READ_WEIGHT, MOVE, INCREMENT, DECREMENT, SUBTRACT, MULTIPLY]] = range(7)

RUNNING, WAITING, HALTED, TIMEOUT = range(4)  # WAITING for the oracle: IP = Max


class Runs(NamedTuple):
    """Runs of the machine, one per row of every array."""

    memory: np.ndarray  # (runs, TAPE + 3 + NAMED): address a is column a, so the work tape is at the end
    size: np.ndarray  # Max, program cells written so far
    work: np.ndarray  # work cells allocated
    weights: np.ndarray  # (runs, INPUTS)
    wp: np.ndarray  # weight pointer WP; with explicit addresses only the number of weights written
    ip: np.ndarray  # instruction pointer IP
    steps: np.ndarray  # instructions executed
    limit: np.ndarray  # instructions allowed
    space: np.ndarray  # 1 / SP, where SP is the probability that the oracle guesses these cells
    status: np.ndarray

    def take(self, rows: np.ndarray) -> "Runs":
        """Copies of the runs with these row numbers, or where this mask is true."""
        return Runs(*(array[rows] for array in self))


def start(runs: int) -> Runs:
    """Runs with empty tapes and zero weights, waiting for their first instruction."""
    memory, weights = np.zeros((runs, TAPE + 3 + NAMED), np.int16), np.zeros((runs, INPUTS), np.int16)
    size, work, wp, ip, steps, limit = np.zeros((6, runs), int)
    return Runs(memory, size, work, weights, wp, ip, steps, limit, np.ones(runs), np.full(runs, WAITING))


def load(programs: np.ndarray, limit: int) -> Runs:
    """Runs of complete programs (runs, cells), at their first instruction, with a time limit in steps."""
    runs = start(len(programs))
    runs.memory[:, : programs.shape[1]] = programs
    runs.size[:], runs.limit[:], runs.status[:] = programs.shape[1], limit, RUNNING
    return runs


def concatenate(parts: list[Runs]) -> Runs:
    """All runs of the parts in one."""
    return Runs(*map(np.concatenate, zip(*parts, strict=True)))


class Enumeration(NamedTuple):
    """Programs that were run, the most probable first, ties in lexicographic order."""

    cells: np.ndarray  # (programs, TAPE)
    size: np.ndarray
    bits: np.ndarray  # -log2 SP
    steps: np.ndarray
    fitting: Runs  # those that fit, in the same order
    place: np.ndarray  # their places among all


class Machine:
    """The instructions, with or without a weight pointer, and the oracle's probabilities of the opcodes."""

    def __init__(self, writing: str = "pointer", p: np.ndarray | None = None):
        """`writing` is "pointer" or "address" (of the weight, explicit); p (OPCODES,) is uniform by default."""
        self.pointer = writing == "pointer"
        self.p = np.full(OPCODES, 1 / OPCODES) if p is None else p
        self.kinds = [kinds for _, kinds in INSTRUCTIONS]
        self.kinds[WRITE_WEIGHT] = "r" if self.pointer else "rr"
        self.n_args = np.array([len(kinds) for kinds in self.kinds])
        self.kind = np.array([["-rwjn".index(kind) for kind in kinds.ljust(3, "-")] for kinds in self.kinds]).T

    def legal_arguments(self, op: np.ndarray, size: np.ndarray, work: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First legal value and number of legal values of each argument, two arrays (3, runs).

        A program of `size` cells reads any cell, writes to the allocated ones of the work tape (up to NAMED of them),
        jumps to 0..size (behind the last instruction waits the oracle), and allocates or frees 1..5 cells. Unused
        places have the one legal value 0.
        """
        named, zero, one = np.minimum(work, NAMED), np.zeros_like(size), np.ones_like(size)
        first = np.stack([zero, -named, -named, zero, one])  # rows: unused, r, w, j, n
        count = np.stack([one, named + size, named, size + 1, 5 * one])
        run = np.arange(len(op))
        return first[self.kind[:, op], run], count[self.kind[:, op], run]

    def execute(self, runs: Runs, rows: np.ndarray) -> None:
        """Execute one instruction of each of these rows, in place; all of them must have IP < Max.

        Halt at Stop, at an instruction that is cut off by Max, at an opcode, argument or result out of range, without
        enough room on the work tape, and at a weight that does not exist.
        """
        run = np.arange(len(rows))
        ip, size, work, wp = runs.ip[rows], runs.size[rows], runs.work[rows], runs.wp[rows]
        op = runs.memory[rows, ip]
        op = np.where((op >= 0) & (op < OPCODES), op, STOP)
        end = ip + 1 + self.n_args[op]
        args = runs.memory[rows, ip + np.array([[1], [2], [3]])] * (self.kind[:, op] > 0)
        first, count = self.legal_arguments(op, size, work)
        halts = (op == STOP) | (end > size) | ((args < first) | (args >= first + count)).any(axis=0)

        # All results at once, also of runs that halt here: program cells are small, so any of them is a valid column.
        a, b, j = args
        x, y = runs.memory[rows, a].astype(int), runs.memory[rows, b].astype(int)
        results = np.stack([x + y, runs.weights[rows, x % INPUTS], x, x + 1, x - 1, y - x, x * y])
        result, stores = results[RESULT[op], run], RESULT[op] >= 0
        room = work + a * (op == ALLOCATE) - a * (op == FREE)
        target = wp if self.pointer else y
        halts |= stores & (abs(result) > LARGEST)
        halts |= (op == READ_WEIGHT) & ((x < 0) | (x >= INPUTS))
        halts |= (op == WRITE_WEIGHT) & ((target < 0) | (target >= INPUTS))
        halts |= (room < 0) | (room > WORK)

        stores &= ~halts
        runs.memory[rows[stores], args[self.n_args[op] - 1, run][stores]] = result[stores]
        writes = (op == WRITE_WEIGHT) & ~halts
        runs.weights[rows[writes], target[writes]] = x[writes]
        runs.wp[rows] += writes
        runs.work[rows] = np.where(halts, work, room)
        freed = rows[(op == FREE) & ~halts]
        runs.memory[freed, -NAMED:] *= np.arange(NAMED, 0, -1) <= runs.work[freed, None]
        runs.ip[rows] = np.where(op == JUMP, a, np.where((op == JUMP_LEQ) & (x <= y), j, end))
        runs.steps[rows] += 1
        runs.status[rows[halts]] = HALTED

    def run(self, runs: Runs, rng: np.random.Generator | None = None) -> None:
        """Execute, in place, every running run until it halts, times out or waits for the oracle; with rng, answer it.

        A run that comes back to an earlier state (pointers and work tape) will loop without writing a weight until its
        limit; it is sent there at once. The state to compare with is renewed after 1, 2, 4, 8, ... steps.
        """
        rows = np.flatnonzero(runs.status == RUNNING)
        seen = np.full((len(runs.ip), 3 + NAMED), -1, np.int16)
        t = 0
        while len(rows):
            late = runs.steps[rows] >= runs.limit[rows]
            waits = (runs.ip[rows] == runs.size[rows]) & ~late
            runs.status[rows[late]], runs.status[rows[waits]] = TIMEOUT, WAITING
            if rng is not None and waits.any():
                self.guess(runs, rows[waits], rng)
            rows = rows[runs.status[rows] == RUNNING]
            self.execute(runs, rows)
            rows = rows[runs.status[rows] == RUNNING]
            state = np.column_stack([runs.ip[rows], runs.wp[rows], runs.work[rows], runs.memory[rows, -NAMED:]])
            looping = rows[(state == seen[rows]).all(axis=1)]
            runs.steps[looping] = runs.limit[looping]
            t += 1
            if t & (t - 1) == 0:  # t is a power of two
                seen[rows] = state

    def append(self, runs: Runs, rows: np.ndarray, op: np.ndarray, args: np.ndarray, choices: np.ndarray) -> None:
        """Write an instruction (rows,) with arguments (3, rows), one of so many choices, behind these programs."""
        cells = runs.size[rows] + np.array([[0], [1], [2], [3]])
        runs.memory[rows, cells] = np.stack([op, *args])  # zeros behind the instruction stay zeros
        runs.size[rows] += 1 + self.n_args[op]
        runs.space[rows] *= choices / self.p[op]
        runs.status[rows] = RUNNING

    def continuations(self, runs: Runs, max_space: float) -> Runs:
        """Every run that one more instruction makes of these waiting runs, as long as 1/SP <= max_space."""
        children = []
        for opcode in range(OPCODES):
            parents = runs.take(runs.size + 1 + self.n_args[opcode] <= TAPE)
            op = np.full(len(parents.size), opcode)
            first, count = self.legal_arguments(op, parents.size + 1 + self.n_args[op], parents.work)
            choices = count.prod(axis=0)
            affordable = parents.space * choices / self.p[opcode] <= max_space
            parent = np.repeat(np.arange(len(op)), choices * affordable)
            rank = np.arange(len(parent)) - np.searchsorted(parent, parent)  # number of the child among its siblings
            args = np.empty((3, len(parent)), int)
            for place in (2, 1, 0):  # the digits of rank in mixed radix
                rank, digit = np.divmod(rank, count[place, parent])
                args[place] = first[place, parent] + digit
            child = parents.take(parent)
            self.append(child, np.arange(len(parent)), op[parent], args, choices[parent])
            children.append(child)
        return concatenate(children)

    def guess(self, runs: Runs, rows: np.ndarray, rng: np.random.Generator) -> None:
        """Append, in place, a random instruction to these waiting runs: an opcode, then arguments, each uniformly.

        A run halts if its opcode has no legal argument (nowhere to write) or the tape is full.
        """
        op = rng.choice(OPCODES, size=len(rows), p=self.p)
        size = runs.size[rows] + 1 + self.n_args[op]
        first, count = self.legal_arguments(op, size, runs.work[rows])
        args = first + np.floor(rng.random(first.shape) * count).astype(int)
        choices = count.prod(axis=0)
        possible = (choices > 0) & (size <= TAPE)
        runs.status[rows[~possible]] = HALTED
        self.append(runs, rows[possible], op[possible], args[:, possible], choices[possible])

    def opcodes(self, program: np.ndarray) -> list[int]:
        """The opcodes that the oracle chose to write this program."""
        chosen, cell = [], 0
        while cell < len(program):
            chosen.append(int(program[cell]))
            cell += 1 + self.n_args[program[cell]]
        return chosen

    def enumerate_programs(self, max_bits: float, max_steps: int) -> Iterator[Runs]:
        """Run every program of at most max_bits bits, -log2 SP, for so many steps; yields them in large groups.

        Programs that wait for more are included. A program goes on from the state in which its prefix was waiting.
        """
        stack = [start(1)]
        while stack:
            parents = stack.pop()
            if len(parents.size) > GROUP:
                stack.append(parents.take(slice(GROUP, None)))
                parents = parents.take(slice(GROUP))
            runs = self.continuations(parents, 2.0**max_bits)
            runs.limit[:] = max_steps
            self.run(runs)
            yield runs
            waiting = runs.status == WAITING
            if waiting.any():
                stack.append(runs.take(waiting))

    def in_order(self, max_bits: float, max_steps: int, fits: Callable[[Runs], np.ndarray]) -> Enumeration:
        """Run all these programs; keep the costs of each, and everything of those for which `fits` is true."""
        parts, fitting, place = [], [], []
        for runs in self.enumerate_programs(max_bits, max_steps):
            fit = np.flatnonzero(fits(runs))
            fitting.append(runs.take(fit))
            place.append(fit + sum(len(size) for _, size, *_ in parts))
            bits = np.log2(runs.space).round(6)  # rounding errors must not decide between equally probable programs
            parts.append((runs.memory[:, :TAPE].astype(np.int8), runs.size, bits, runs.steps))
        cells, size, bits, steps = map(np.concatenate, zip(*parts, strict=True))
        digits = (cells + NAMED).view(">u8")  # no cell is negative now: 16 bytes, compared as two large numbers
        order = np.lexsort([digits[:, 1], digits[:, 0], bits])
        place = order.argsort()[np.concatenate(place)]
        by_place = place.argsort()
        fitting = concatenate(fitting).take(by_place)
        return Enumeration(cells[order], size[order], bits[order], steps[order], fitting, place[by_place])
