"""The computer of Levin search: 13 instructions, a program tape written by an oracle, many runs side by side.

A run begins with an empty program. Whenever its instruction pointer IP stands behind the last program cell, at
address Max, an oracle appends one instruction: `continuations` appends every possible one (systematic search),
`guess` a random one (probabilistic search). So a program consists of exactly the cells that its run has asked for.

The program tape has addresses 0, 1, ..., Max - 1 and cannot be changed by the program. The work tape has addresses
-1, -2, ... and starts empty. A jump may lead into the middle of an instruction: any cell can be read as an opcode.
"""

from typing import NamedTuple

import numpy as np

INPUTS = 100  # weights of the linear unit
TAPE = 16  # cells of the program tape
WORK = 10  # cells of the work tape (paper: 1000)
LARGEST = 10_000  # cells and weights are integers in [-10000, 10000]

INSTRUCTIONS = (  # opcode = row; kinds of argument: r read, w write, j jump (addresses), n number of cells
    ("JumpLeq", "rrj"),  # if c(r1) <= c(r2) go to j; c(a) is the content of address a
    ("WriteWeight", "r"),  # w[WP] := c(r); WP := WP + 1
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
N_ARGS = np.array([len(kinds) for _, kinds in INSTRUCTIONS])
KIND = np.array([["-rwjn".index(kind) for kind in kinds.ljust(3, "-")] for _, kinds in INSTRUCTIONS]).T  # (3, 13)
PLACES = np.array([[1], [2], [3]])  # of the arguments, behind the opcode
# Row of `results` in execute() that an instruction stores at its last argument; -1: it stores nothing.
RESULT = np.full(OPCODES, -1)
RESULT[[ADD, READ_WEIGHT, MOVE, INCREMENT, DECREMENT, SUBTRACT, MULTIPLY]] = range(7)
NEW_CELLS = np.zeros(OPCODES, int)  # work cells that an instruction adds, as a multiple of its first argument
NEW_CELLS[[ALLOCATE, FREE]] = 1, -1

RUNNING, WAITING, HALTED, TIMEOUT = range(4)  # WAITING for the oracle: IP = Max


class Runs(NamedTuple):
    """Runs of the machine, one per row of every array."""

    memory: np.ndarray  # (runs, TAPE + 3 + WORK): address a is column a, so the work tape is at the end
    size: np.ndarray  # Max, program cells written so far
    work: np.ndarray  # work cells allocated
    weights: np.ndarray  # (runs, inputs)
    wp: np.ndarray  # weight pointer WP
    ip: np.ndarray  # instruction pointer IP
    steps: np.ndarray  # instructions executed
    limit: np.ndarray  # instructions allowed
    space: np.ndarray  # 1 / SP, where SP is the probability that the oracle guesses these cells
    status: np.ndarray

    def take(self, rows: np.ndarray) -> "Runs":
        """Copies of the runs with these row numbers, or where this mask is true."""
        return Runs(*(array[rows] for array in self))


def start(runs: int, inputs: int = INPUTS) -> Runs:
    """Runs with empty tapes and zero weights, waiting for their first instruction."""
    memory, weights = np.zeros((runs, TAPE + 3 + WORK), np.int16), np.zeros((runs, inputs), np.int16)
    size, work, wp, ip, steps, limit = np.zeros((6, runs), int)
    return Runs(memory, size, work, weights, wp, ip, steps, limit, np.ones(runs), np.full(runs, WAITING))


def load(programs: np.ndarray, limit: int, inputs: int = INPUTS) -> Runs:
    """Runs of complete programs (runs, cells), at their first instruction, with a time limit in steps."""
    runs = start(len(programs), inputs)
    runs.memory[:, : programs.shape[1]] = programs
    runs.size[:], runs.limit[:], runs.status[:] = programs.shape[1], limit, RUNNING
    return runs


def legal_arguments(op: np.ndarray, size: np.ndarray, work: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First legal value and number of legal values of each argument, two arrays (3, runs).

    A program of `size` cells reads any cell, writes to the `work` cells -work..-1, jumps to 0..size (behind the last
    instruction waits the oracle), and allocates or frees 1..5 cells. Unused places have the one legal value 0.
    """
    first, count = np.zeros((5, len(op)), int), np.ones((5, len(op)), int)  # rows: unused, r, w, j, n
    first[1:3], first[4] = -work, 1
    count[1], count[2], count[3], count[4] = work + size, work, size + 1, 5
    kind, run = KIND.take(op, axis=1), np.arange(len(op))
    return first[kind, run], count[kind, run]


def execute(runs: Runs, rows: np.ndarray) -> None:
    """Execute one instruction of each of these rows, in place; all of them must have IP < Max.

    Halt at Stop, at an instruction that is cut off by Max, at an opcode, argument or result out of range, without
    enough room on the work tape, and beyond the last weight.
    """
    run = np.arange(len(rows))
    ip, size, work, wp = runs.ip[rows], runs.size[rows], runs.work[rows], runs.wp[rows]
    op = runs.memory[rows, ip]
    op[(op < 0) | (op >= OPCODES)] = STOP
    end = ip + 1 + N_ARGS[op]
    args = runs.memory[rows, ip + PLACES] * (KIND.take(op, axis=1) > 0)
    first, count = legal_arguments(op, size, work)
    halts = (op == STOP) | (end > size) | ((args < first) | (args >= first + count)).any(axis=0)

    # All results at once, also of runs that halt here: program cells are small, so any of them is a valid column.
    a, b, j = args
    x, y = runs.memory[rows, a].astype(int), runs.memory[rows, b].astype(int)
    inputs = runs.weights.shape[1]
    results = np.array([x + y, runs.weights[rows, x % inputs], x, x + 1, x - 1, y - x, x * y])
    result, stores = results[RESULT[op], run], RESULT[op] >= 0
    room = work + NEW_CELLS[op] * a
    halts |= stores & (abs(result) > LARGEST)
    halts |= (op == READ_WEIGHT) & ((x < 0) | (x >= inputs))
    halts |= (op == WRITE_WEIGHT) & (wp == inputs)
    halts |= (room < 0) | (room > WORK)

    stores &= ~halts
    runs.memory[rows[stores], args[N_ARGS[op] - 1, run][stores]] = result[stores]
    writes = (op == WRITE_WEIGHT) & ~halts
    runs.weights[rows[writes], wp[writes]] = x[writes]
    runs.wp[rows] += writes
    runs.work[rows] = np.where(halts, work, room)
    freed = rows[(op == FREE) & ~halts]
    runs.memory[freed, -WORK:] *= np.arange(WORK, 0, -1) <= runs.work[freed, None]
    runs.ip[rows] = np.where(op == JUMP, a, np.where((op == JUMP_LEQ) & (x <= y), j, end))
    runs.steps[rows] += 1
    runs.status[rows[halts]] = HALTED


def run(runs: Runs, rng: np.random.Generator | None = None, most: float = np.inf) -> None:
    """Execute, in place, every running run until it halts, times out or waits for the oracle; with rng, answer it.

    Stop after so many (`most`) steps; runs that are not over by then can be continued by another call.
    A run that comes back to an earlier state (pointers and work tape) will loop without writing a weight until its
    limit; it is sent there at once. Every second state is compared with one that is renewed after 2, 4, 8, ... steps.
    """
    rows = np.flatnonzero(runs.status == RUNNING)
    seen = np.full((len(runs.ip), 3 + WORK), -1, np.int16)
    t = 0
    while len(rows) and t < most:
        late = runs.steps[rows] >= runs.limit[rows]
        waits = (runs.ip[rows] == runs.size[rows]) & ~late
        runs.status[rows[late]], runs.status[rows[waits]] = TIMEOUT, WAITING
        if rng is not None and waits.any():
            guess(runs, rows[waits], rng)
        rows = rows[runs.status[rows] == RUNNING]
        execute(runs, rows)
        rows = rows[runs.status[rows] == RUNNING]
        t += 1
        if t % 2:  # half as many comparisons
            continue
        state = np.column_stack([runs.ip[rows], runs.wp[rows], runs.work[rows], runs.memory[rows, -WORK:]])
        looping = rows[(state == seen[rows]).all(axis=1)]
        runs.steps[looping] = runs.limit[looping]
        if t & (t - 1) == 0:  # t is a power of two
            seen[rows] = state


def append(runs: Runs, rows: np.ndarray, op: np.ndarray, args: np.ndarray, choices: np.ndarray) -> None:
    """Write an instruction (rows,) with arguments (3, rows), one of so many choices, behind these programs."""
    cells = runs.size[rows] + np.array([[0], [1], [2], [3]])
    runs.memory[rows, cells] = np.stack([op, *args])  # zeros behind the instruction stay zeros
    runs.size[rows] += 1 + N_ARGS[op]
    runs.space[rows] *= OPCODES * choices
    runs.status[rows] = RUNNING


def continuations(runs: Runs, max_cells: int, max_space: float) -> Runs:
    """Every run that one more instruction makes of these waiting runs, up to max_cells program cells and 1/SP."""
    children = []
    for opcode in range(OPCODES):
        parents = runs.take(runs.size + 1 + N_ARGS[opcode] <= max_cells)
        op = np.full(len(parents.size), opcode)
        first, count = legal_arguments(op, parents.size + 1 + N_ARGS[op], parents.work)
        choices = count.prod(axis=0)
        affordable = parents.space * OPCODES * choices <= max_space
        parent = np.repeat(np.arange(len(op)), choices * affordable)
        rank = np.arange(len(parent)) - np.searchsorted(parent, parent)  # number of the child among its siblings
        args = np.empty((3, len(parent)), int)
        for place in (2, 1, 0):  # the digits of rank in mixed radix
            rank, digit = np.divmod(rank, count[place, parent])
            args[place] = first[place, parent] + digit
        child = parents.take(parent)
        append(child, np.arange(len(parent)), op[parent], args, choices[parent])
        children.append(child)
    return concatenate(children)


def concatenate(parts: list[Runs]) -> Runs:
    """All runs of the parts in one."""
    return Runs(*map(np.concatenate, zip(*parts, strict=True)))


def guess(runs: Runs, rows: np.ndarray, rng: np.random.Generator) -> None:
    """Append, in place, a random instruction to these waiting runs: first the opcode, then each argument, uniformly.

    A run halts if its opcode has no legal argument (nowhere to write) or the tape is full.
    """
    op = rng.integers(OPCODES, size=len(rows))
    size = runs.size[rows] + 1 + N_ARGS[op]
    first, count = legal_arguments(op, size, runs.work[rows])
    args = first + np.floor(rng.random(first.shape) * count).astype(int)
    choices = count.prod(axis=0)
    possible = (choices > 0) & (size <= TAPE)
    runs.status[rows[~possible]] = HALTED
    append(runs, rows[possible], op[possible], args[:, possible], choices[possible])


def enumerate_programs(max_cells: int = TAPE, max_steps: float = np.inf, budget: float = np.inf) -> Runs:
    """Run every program of at most max_cells cells and 1/SP <= budget, for max_steps and budget * SP steps.

    Programs that wait for more are included. A program goes on from the state in which its prefix was waiting.
    """
    generation, tried = start(1), []
    while len(generation.size):
        generation = continuations(generation, max_cells, budget)
        generation.limit[:] = np.minimum(max_steps, budget / generation.space)
        run(generation)
        tried.append(generation)
        generation = generation.take(generation.status == WAITING)
    return concatenate(tried)
