"""The Optimal Ordered Problem Solver: one storage for all programs, and the search for the program of the next task."""

from typing import NamedTuple

from oops_machine import ASKS, ORDERS, SOLVED, Cell, Instance, State, begin, run

FAVOURED = ("emit1", "emit2", "mv", "boostq")  # more probable from the start


class Solved(NamedTuple):
    """How a task was solved."""

    family: str
    n: int
    program: int  # number q of the program
    cells: tuple[Cell, ...]  # its code
    new_cells: int  # 0: the newest program was right already
    extends: bool  # the newest program, else it is fresh
    probability: float
    gain: float  # by how much its boostq cells make it more probable than without them
    time: int  # steps that the program took on the instances it was tested on
    limit: float  # T of the last phase
    steps: int  # of the search for this task
    moves: int  # of disks, in the largest instance


class Oops:
    """The searcher: the storage with its frozen programs, and the search for programs that solve tasks."""

    def __init__(self, instructions: list[str], max_steps: int, steps: int = 0):
        self.instructions = instructions  # in the order in which they are tried
        self.code: list[Cell] = []  # the storage: frozen programs, then the prefix on trial
        self.programs: list[tuple[int, int]] = []  # of each frozen program: first cell, end
        self.steps, self.max_steps = steps, max_steps  # time steps so far, and when to give up
        self.limit = 1.0  # T
        self.tasks: list[Instance] = []  # on which the prefix is tested
        self.start = 0  # address of the prefix
        self.tables: dict[tuple, list[tuple[Cell, float]]] = {}

    def weights(self, boosted: frozenset[int]) -> dict[str, int]:
        """Weights of the instructions after these programs were boosted.

        Every instruction has weight 1, the favoured ones have K more, where K is the size of the vocabulary, and a
        boost adds K for every cell of the boosted program.
        """
        size = len(self.instructions)
        weights = {name: 1 + size * (name in FAVOURED) for name in self.instructions}
        for q in boosted:
            start, end = self.programs[q - 1]
            for name, _ in self.code[start:end]:
                weights[name] += size
        return weights

    def choices(self, boosted: frozenset[int], args: int) -> list[tuple[Cell, float]]:
        """All cells that can come next in a frame with so many arguments, with their probabilities.

        The operands of an instruction are equally probable. An instruction that has none to choose from cannot come.
        """
        if (boosted, args) not in self.tables:
            frozen = range(1, len(self.programs) + 1)
            new = [q for q in frozen if q not in boosted]  # a second boost would do nothing
            operands = {"rec": ORDERS if args else ((),), "callq": frozen, "boostq": new}
            weights = {name: w for name, w in self.weights(boosted).items() if operands.get(name, (None,))}
            total, table = sum(weights.values()), []
            for name, weight in weights.items():
                values = operands.get(name, (None,))
                table += [((name, value), weight / total / len(values)) for value in values]
            self.tables[boosted, args] = table
        return self.tables[boosted, args]

    def probability(self, cells: list[Cell], args: int) -> float:
        """Probability of a program for instances with so many arguments."""
        p, boosted = 1.0, frozenset()
        for cell in cells:
            p *= dict(self.choices(boosted, args))[cell]
            boosted |= {cell[1]} if cell[0] == "boostq" else set()
        return p

    def attempt(self, state: State, task: int, probability: float, t: int) -> bool:
        """Method Try of the paper: run the prefix, and if it asks for a cell, try all, depth first.

        The prefix has solved the first `task` of self.tasks in t steps and is in `state` on the next. It may run
        while t <= P T. Returns whether it or a continuation solves all tasks; if not, code and state are as before.
        """
        while True:
            status, state, now = run(self.code, self.programs, state, t, probability * self.limit)
            self.steps += now - t
            t = now
            if status != SOLVED:
                break
            task += 1
            if task == len(self.tasks):
                self.success = probability, t, state.moves
                return True
            state = begin(self.tasks[task], self.start)
        if status == ASKS:
            enough = (t + 1) / (probability * self.limit)  # such a p leaves time for one more step
            for cell, p in self.choices(state.boosted, len(state.frame.args)):
                if p >= enough and self.steps < self.max_steps:
                    self.code.append(cell)
                    if self.attempt(state, task, probability * p, t):
                        return True
                    self.code.pop()
        return False

    def test(self, start: int, tasks: list[Instance], share: float) -> bool:
        """Search for a program at this address that solves these instances, with a share of the time."""
        self.start, self.tasks = start, tasks
        return self.attempt(begin(tasks[0], start), 0, share, 0)

    def solve(self, family: str, instances: list[Instance]) -> Solved | None:
        """Solve the task to be right on all instances; the newest program is known to be right on all but the last.

        In phases with T = 2, 4, 8, ...: half the time for going on with the newest program, half for fresh ones.
        """
        first_step, end = self.steps, len(self.code)
        share = 0.5 if self.programs else 1.0
        self.limit = 1.0
        while self.steps < self.max_steps:
            self.limit *= 2
            extended = self.programs and self.test(self.programs[-1][0], instances[-1:], share)
            if extended or self.test(end, instances, share):
                return self.freeze(family, instances, share, end, self.steps - first_step)
        return None

    def freeze(self, family: str, instances: list[Instance], share: float, end: int, steps: int) -> Solved:
        """Freeze the program that has just solved a task; `end` is where the frozen code has ended before."""
        p, t, moves = self.success
        cells, args = self.code[self.start :], len(instances[0].args)
        plain = [cell for cell in cells if cell[0] != "boostq"]
        gain = self.probability(cells, args) / self.probability(plain, args)
        extends = self.start < end
        if extends:
            self.programs.pop()
        self.programs.append((self.start, len(self.code)))
        self.tables = {}
        program, new = len(self.programs), len(self.code) - end
        how = program, tuple(cells), new, extends, p / share, gain, t, self.limit
        return Solved(family, len(instances), *how, steps, moves)
