"""Facts about the machine, the searches over its programs, and the linear unit, without any training."""

import itertools
from collections.abc import Iterator

import numpy as np

import levin_count_inputs as stub
import levin_machine as machine

LIMIT = 300  # steps


def interpret(tape: list[int]) -> tuple[int, int, list[int], int]:
    """Status, steps, weights and work cells after one program: the machine again, one instruction at a time."""
    work, weights, ip, steps = [], [], 0, 0

    def content(address: int) -> int:
        return tape[address] if address >= 0 else work[-1 - address]

    def end(status: int) -> tuple[int, int, list[int], int]:
        return status, steps, weights + [0] * (machine.INPUTS - len(weights)), len(work)

    while True:
        if steps == LIMIT:
            return end(machine.TIMEOUT)
        if ip == len(tape):
            return end(machine.WAITING)
        steps += 1
        op = tape[ip]
        if not 0 <= op < machine.OPCODES or op == machine.STOP:
            return end(machine.HALTED)
        kinds = machine.INSTRUCTIONS[op][1]
        args = tape[ip + 1 : ip + 1 + len(kinds)]
        if len(args) < len(kinds) or any(a not in legal(k, tape, len(work)) for k, a in zip(kinds, args, strict=True)):
            return end(machine.HALTED)
        ip += 1 + len(args)
        result = None
        match machine.INSTRUCTIONS[op][0]:
            case "JumpLeq":
                ip = args[2] if content(args[0]) <= content(args[1]) else ip
            case "Jump":
                ip = args[0]
            case "WriteWeight":
                if len(weights) == machine.INPUTS:
                    return end(machine.HALTED)
                weights.append(content(args[0]))
            case "Allocate":
                if len(work) + args[0] > machine.WORK:
                    return end(machine.HALTED)
                work += [0] * args[0]
            case "Free":
                if args[0] > len(work):
                    return end(machine.HALTED)
                work = work[: len(work) - args[0]]
            case "ReadWeight":
                number = content(args[0])
                if not 0 <= number < machine.INPUTS:
                    return end(machine.HALTED)
                result = weights[number] if number < len(weights) else 0
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
            if abs(result) > machine.LARGEST:
                return end(machine.HALTED)
            work[-1 - args[-1]] = result


def legal(kind: str, tape: list[int], work: int) -> range:
    """Legal values of an argument."""
    kinds = {"r": range(-work, len(tape)), "w": range(-work, 0), "j": range(len(tape) + 1), "n": range(1, 6)}
    return kinds[kind]


def grow(tape: list[int], max_cells: int) -> Iterator[list[int]]:
    """All programs that an oracle can make of a waiting one, by plain recursion."""
    status, _, _, work = interpret(tape)
    if status != machine.WAITING:
        return
    for op, (_, kinds) in enumerate(machine.INSTRUCTIONS):
        grown = [*tape, op, *kinds]
        if len(grown) <= max_cells:
            for args in itertools.product(*(legal(kind, grown, work) for kind in kinds)):
                yield [*tape, op, *args]
                yield from grow([*tape, op, *args], max_cells)


def tapes(runs: machine.Runs) -> list[list[int]]:
    return [runs.memory[i, :size].tolist() for i, size in enumerate(runs.size)]


def outcomes(runs: machine.Runs) -> list[tuple[int, int, list[int], int]]:
    """What interpret() returns, of all runs."""
    return list(zip(*(array.tolist() for array in (runs.status, runs.steps, runs.weights, runs.work)), strict=True))


def test_parallel_runs_equal_single_runs_on_random_tapes():
    rng = np.random.default_rng(0)
    cells = rng.integers(-4, 14, size=(10_000, 14))
    cells[:3000, :2] = machine.ALLOCATE, 5  # so that more of them come past their first instruction
    # Allocate, Increment, Free, Allocate, WriteWeight, Multiply: are new cells empty, also where an old one was freed?
    work = [machine.ALLOCATE, 4, 8, -9, machine.FREE, 9, machine.ALLOCATE, 9, 1, -9, machine.MULTIPLY, -9, -9, -9]
    cells[3000:6000] = np.where(np.abs(work) == 9, np.sign(work) * rng.integers(1, 4, size=(3000, 14)), work)
    runs = machine.load(cells, LIMIT)
    machine.run(runs)
    assert outcomes(runs) == [interpret(tape) for tape in cells.tolist()]
    assert (runs.steps > 3).sum() > 300


def test_guessed_programs_run_as_if_complete_from_the_start():
    runs = machine.start(10_000)
    runs.limit[:] = LIMIT
    rng = np.random.default_rng(1)
    machine.guess(runs, np.arange(len(runs.size)), rng)
    machine.run(runs, rng, most=16)
    machine.run(runs, rng)  # those that were not over
    expected = [interpret(tape) for tape in tapes(runs)]
    # Where the oracle finds no legal argument a run halts, though its program alone would only wait.
    expected = [(machine.HALTED, *rest) if status == machine.WAITING else (status, *rest) for status, *rest in expected]
    assert outcomes(runs) == expected


def test_enumeration_is_complete_and_continues_programs_where_they_waited():
    runs = machine.enumerate_programs(max_cells=5, max_steps=LIMIT)
    assert sorted(tapes(runs)) == sorted(grow([], max_cells=5))
    assert outcomes(runs) == [interpret(tape) for tape in tapes(runs)]


def test_probabilities_of_all_continuations_add_up():
    waiting = machine.enumerate_programs(max_cells=5, max_steps=LIMIT)
    waiting = waiting.take(waiting.status == machine.WAITING)
    for i in range(0, len(waiting.size), 20):
        parent = waiting.take([i])
        children = machine.continuations(parent, machine.TAPE, np.inf)
        possible = len(set(children.memory[:, parent.size[0]])) / machine.OPCODES  # share of opcodes that can follow
        np.testing.assert_allclose((1 / children.space).sum(), possible / parent.space[0], rtol=1e-12)


def test_shortest_solution_takes_2n_plus_1_steps_for_n_weights_of_one():
    for inputs in (100, 1000):
        runs = machine.load(np.array([[1, 0, 2, 0], [1, 1, 2, 0]]), 10**4, inputs)
        machine.run(runs)
        assert (runs.weights == 1).all()
        assert (runs.steps == 2 * inputs + 1).all()


def test_only_ones_solve_the_task_and_the_delta_rule_gets_81_inputs_right():
    cfg, rng = stub.Config(method="delta_rule", training_sets=1), np.random.default_rng(0)
    problem = stub.make_problem(cfg, rng, rng)
    assert len(set(zip(*problem.test.tolist(), strict=True))) == 161_700
    x = np.zeros((161_700, 100))
    np.put_along_axis(x, problem.test.T, 1, axis=1)
    assert (x.sum(axis=1) == 3).all()
    assert np.linalg.matrix_rank(x.T @ x) == 100  # so no other weights are right on all inputs

    x = problem.train[0].astype(float)
    batch, params = (x, x.sum(axis=1)), stub.init(cfg, rng)
    for _ in range(cfg.updates):
        params["w"] -= cfg.lr * stub.loss_and_grad(cfg, params, batch)[1]["w"]
    np.testing.assert_allclose(params["w"], np.linalg.pinv(x) @ batch[1], atol=1e-9)
    weights = np.stack([np.ones(100), params["w"]])
    accuracy = stub.unseen_accuracy(weights, np.repeat(problem.train, 2, axis=0), problem)
    assert accuracy.tolist() == [1, 81 / 161_697]
