"""Facts about the machine, the searches over its programs, and the linear unit, without any training."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

import levin_add_positions as stub
import ramp_machine as parts

LIMIT = 120  # steps
POINTER, ADDRESS = parts.Machine("pointer"), parts.Machine("address")


def interpret(machine: parts.Machine, tape: list[int]) -> tuple[int, int, list[int], int]:
    """Status, steps, weights and work cells after one program: the machine again, one instruction at a time."""
    work, weights, wp, ip, steps = [], [0] * parts.INPUTS, 0, 0, 0

    def content(address: int) -> int:
        return tape[address] if address >= 0 else work[-1 - address]

    def end(status: int) -> tuple[int, int, list[int], int]:
        return status, steps, weights, len(work)

    while True:
        if steps == LIMIT:
            return end(parts.TIMEOUT)
        if ip == len(tape):
            return end(parts.WAITING)
        steps += 1
        op = tape[ip]
        if not 0 <= op < parts.OPCODES or op == parts.STOP:
            return end(parts.HALTED)
        kinds = machine.kinds[op]
        args = tape[ip + 1 : ip + 1 + len(kinds)]
        if len(args) < len(kinds) or any(a not in legal(k, tape, len(work)) for k, a in zip(kinds, args, strict=True)):
            return end(parts.HALTED)
        ip += 1 + len(args)
        result = None
        match parts.INSTRUCTIONS[op][0]:
            case "JumpLeq":
                ip = args[2] if content(args[0]) <= content(args[1]) else ip
            case "Jump":
                ip = args[0]
            case "WriteWeight":
                number = wp if machine.pointer else content(args[1])
                if not 0 <= number < parts.INPUTS:
                    return end(parts.HALTED)
                weights[number] = content(args[0])
                wp += 1
            case "Allocate":
                if len(work) + args[0] > parts.WORK:
                    return end(parts.HALTED)
                work += [0] * args[0]
            case "Free":
                if args[0] > len(work):
                    return end(parts.HALTED)
                work = work[: len(work) - args[0]]
            case "ReadWeight":
                number = content(args[0])
                if not 0 <= number < parts.INPUTS:
                    return end(parts.HALTED)
                result = weights[number]
            case "Move":
                result = content(args[0])
            case "Increment":
                result = content(args[0]) + 1
            case "Decrement":
                result = content(args[0]) - 1
            case "Add":
                result = content(args[0]) + content(args[1])
            case "Subtract":
                result = content(args[1]) - content(args[0])
            case "Multiply":
                result = content(args[0]) * content(args[1])
        if result is not None:
            if abs(result) > parts.LARGEST:
                return end(parts.HALTED)
            work[-1 - args[-1]] = result


def legal(kind: str, tape: list[int], work: int) -> range:
    """Legal values of an argument."""
    named = min(work, parts.NAMED)
    kinds = {"r": range(-named, len(tape)), "w": range(-named, 0), "j": range(len(tape) + 1), "n": range(1, 6)}
    return kinds[kind]


def grow(machine: parts.Machine, tape: list[int], max_space: float, space: float = 1) -> Iterator[tuple]:
    """(1/SP, program) of all programs that an oracle can make of a waiting one, by plain recursion."""
    status, _, _, work = interpret(machine, tape)
    if status != parts.WAITING:
        return
    for op, kinds in enumerate(machine.kinds):
        ranges = [legal(kind, [*tape, op, *kinds], work) for kind in kinds]
        larger = space * np.prod([len(values) for values in ranges]) / machine.p[op]
        if larger <= max_space:
            for args in itertools.product(*ranges):
                yield larger, [*tape, op, *args]
                yield from grow(machine, [*tape, op, *args], max_space, larger)


def outcomes(runs: parts.Runs) -> list[tuple[int, int, list[int], int]]:
    """What interpret() returns, of all runs."""
    return list(zip(*(array.tolist() for array in (runs.status, runs.steps, runs.weights, runs.work)), strict=True))


def execute(machine: parts.Machine, program: list[int], limit: int = 1024) -> parts.Runs:
    runs = parts.load(np.array([program]), limit)
    machine.run(runs)
    return runs


def follow(machine: parts.Machine, program: list[int]) -> parts.Runs:
    """The run of one program, written by the oracle instruction by instruction."""
    runs = parts.start(1)
    while runs.size[0] < len(program):
        runs = machine.continuations(runs, np.inf)
        cells = np.arange(parts.TAPE) < runs.size[:, None]
        target = np.pad(program, (0, parts.TAPE - len(program)))
        runs = runs.take(((runs.memory[:, : parts.TAPE] == target) | ~cells).all(axis=1))
        runs.limit[:] = 1024
        machine.run(runs)
    return runs


@pytest.mark.parametrize("machine", [POINTER, ADDRESS])
def test_parallel_runs_equal_single_runs(machine):
    rng = np.random.default_rng(0)
    cells = rng.integers(-4, 14, size=(3000, 14))
    cells[:1000, :2] = parts.ALLOCATE, 5  # so that more of them come past their first instruction
    # Allocate, Increment, Free, Allocate, WriteWeight, Multiply: are new cells empty, also where an old one was freed?
    work = [parts.ALLOCATE, 4, 8, -9, parts.FREE, 9, parts.ALLOCATE, 9, 1, -9, parts.MULTIPLY, -9, -9, -9]
    cells[1000:] = np.where(np.abs(work) == 9, np.sign(work) * rng.integers(1, 4, size=(2000, 14)), work)
    runs = parts.load(cells, LIMIT)
    machine.run(runs)
    assert outcomes(runs) == [interpret(machine, tape) for tape in cells.tolist()]

    runs = parts.start(2000)  # guessed programs run as if they had been complete from the start
    runs.limit[:] = LIMIT
    machine.guess(runs, np.arange(2000), rng)
    machine.run(runs, rng)
    single = [interpret(machine, cells[:size].tolist()) for cells, size in zip(runs.memory, runs.size, strict=True)]
    # Where the oracle finds no legal argument a run halts, though its program alone would only wait.
    single = [(parts.HALTED, *rest) if status == parts.WAITING else (status, *rest) for status, *rest in single]
    assert outcomes(runs) == single


@pytest.mark.parametrize("machine", [POINTER, ADDRESS, parts.Machine("pointer", np.arange(1, 14) / 91)])
def test_enumeration_is_complete_and_in_order(machine):
    tried = machine.in_order(12.5, LIMIT, lambda runs: runs.weights.any(axis=1))
    expected = sorted((round(np.log2(space), 6), tape) for space, tape in grow(machine, [], 2.0**12.5))
    assert [cells[:size].tolist() for cells, size in zip(tried.cells, tried.size, strict=True)] == [
        tape for _, tape in expected
    ]
    np.testing.assert_allclose(tried.bits, [bits for bits, _ in expected], atol=1e-5)
    single = [interpret(machine, tape) for _, tape in expected]
    assert tried.steps.tolist() == [steps for _, steps, _, _ in single]
    assert tried.place.tolist() == [place for place, (_, _, weights, _) in enumerate(single) if any(weights)]
    assert tried.fitting.weights.tolist() == [weights for _, _, weights, _ in single if any(weights)]


def test_programs_of_the_paper_write_the_ramp():
    steps = {}
    for machine, program in (
        (POINTER, (7, 1, 1, -1, 8, -1, 2, 2)),
        (POINTER, (7, 1, 1, -1, 8, -1, 2, 0)),  # a new work cell in every round
        (ADDRESS, (7, 1, 8, -1, 1, -1, -1, 2, 0)),  # the paper's second program, with the paper's 399 steps
        (ADDRESS, (7, 1, 8, -1, 1, -1, -1, 2, 2)),
    ):
        runs = execute(machine, program)
        assert runs.weights[0].tolist() == list(range(100))
        steps[program] = runs.steps[0]
    assert list(steps.values()) == [302, 402, 399, 300]
    wrong = execute(POINTER, [7, 1, 8, -1, 1, -1, 2, 2])  # increments before it writes
    assert wrong.weights[0].tolist() == list(range(1, 101))
    assert not stub.fits(wrong, stub.paper_examples()).any()


def test_probability_of_the_ramps_of_eight_cells_has_a_closed_form():
    # Allocate n cells and count in -1; a jump to 0 allocates again, in every round.
    counters = [[7, n, 1, -1, 8, -1, 2, j] for n in range(1, 6) for j in (0, 2)]
    runs = parts.concatenate([follow(POINTER, counter) for counter in counters])
    runs.space[:] /= runs.memory[:, 1]  # any of the n cells is as good, and as probable
    # The oracle's choices: 4 opcodes; n of 5; read one of n + 4 cells; increment one of n; jump to one of 9.
    closed = sum(2 / (n + 4) for n in range(1, 6)) / 13**4 / 45
    assert (runs.weights == stub.RAMP).all()
    np.testing.assert_allclose((1 / runs.space).sum(), closed)
    # 302 or 402 steps need a time limit of 512 or more, which has the probability 1/8.
    np.testing.assert_allclose(stub.success_probability(POINTER, runs, POINTER.p), closed / 8)
    adapted = stub.adapted_probabilities(stub.Config(transfer=0.2))
    np.testing.assert_allclose(adapted[[parts.WRITE_WEIGHT, parts.JUMP]], 0.8 / 13 + 0.2 / 2)
    gain = stub.success_probability(POINTER, runs, adapted) / (closed / 8)
    np.testing.assert_allclose(gain, (13 * (0.8 / 13 + 0.1)) ** 2 * 0.8**2)


def test_only_the_ramp_solves_the_task_and_the_delta_rule_does_not_find_it():
    cfg, rng = stub.Config(method="delta_rule", training_sets=1), np.random.default_rng(0)
    problem = stub.make_problem(cfg, rng, rng)
    assert len(problem.test) == 161_700
    assert (problem.train[0] @ stub.RAMP).tolist() == [108, 126, 221]
    assert np.linalg.matrix_rank(problem.test.T @ problem.test) == 100  # so no other weights are right on all inputs

    x = problem.train[0].astype(float)
    batch, params = (x, x @ stub.RAMP), stub.init(cfg, rng)
    for _ in range(cfg.updates):
        params["w"] -= cfg.lr * stub.loss_and_grad(cfg, params, batch)[1]["w"]
    np.testing.assert_allclose(params["w"], np.linalg.pinv(x) @ batch[1], atol=1e-9)
    np.testing.assert_allclose(params["w"], x.T @ [36, 42, 221 / 3], atol=1e-9)
    accuracy = stub.unseen_accuracy(np.stack([stub.RAMP, params["w"]]), problem.train.repeat(2, axis=0), problem)
    triples = np.array(list(itertools.combinations(range(100), 3)))
    right = abs(params["w"][triples].sum(axis=1) - triples.sum(axis=1)) < 0.5
    assert accuracy.tolist() == [1, (right.sum() - 3) / 161_697]


def test_random_search_finds_programs_as_often_as_their_probability_says():
    rng, likely = np.random.default_rng(1), parts.Machine("pointer", np.eye(13)[[1, 2]].sum(axis=0) / 2)
    runs = parts.start(8000)
    runs.limit[:] = 2 ** (5 + rng.geometric(0.5, 8000))
    likely.guess(runs, np.arange(8000), rng)
    likely.run(runs, rng)
    found = (runs.weights == 1).all(axis=1) & (runs.size == 4)
    # WriteWeight(0 or 1), Jump(0): probability 1/2 * 1/2 * 2/2 * 1/5, and 201 steps have time with probability 1/4.
    assert abs(found.sum() - 100) < 4 * np.sqrt(100)
