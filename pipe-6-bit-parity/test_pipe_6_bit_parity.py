"""Facts about parity, the programs, the prototype tree and its update, without any search."""

import itertools

import numpy as np
import pytest

import parity_crossover
import parity_prototype_tree as tree
import pipe_6_bit_parity as stub

TREE = {"bits": 4, "depth": 6, "P_T": 0.4}  # large programs


def random_programs(bits: int, number: int) -> list[list[int]]:
    cfg = stub.Config(**{**TREE, "bits": bits})
    task, uniform = stub.Task(bits), tree.uniforms(np.random.default_rng(bits)).__next__
    return [tree.sample(stub.initial_tree(cfg, task), task.arity, uniform) for _ in range(number)]


def answer(task: stub.Task, program: list[int], inputs: tuple[int, ...]) -> int:
    """What a program returns for one pattern: recursion from its end, on single bits."""
    program = program.copy()

    def value() -> int:
        i = program.pop()
        arguments = [value() for _ in range(task.arity[i])][::-1]
        match task.names[i], arguments:
            case "AND", [a, b]:
                return a and b
            case "OR", [a, b]:
                return a or b
            case "NOT", [a]:
                return 1 - a
            case "IF", [a, b, c]:
                return b if a else c
        return inputs[i]

    return value()


@pytest.mark.parametrize("bits", [3, 4, 5, 6])
def test_truth_tables_agree_with_evaluation_pattern_by_pattern(bits):
    task = stub.Task(bits)
    for program in random_programs(bits, 40):
        scored, wrong = task.score(program), 0
        for row in range(2**bits):
            inputs = tuple(row >> k & 1 for k in range(bits))
            assert scored.table >> row & 1 == answer(task, program, inputs)
            wrong += answer(task, program, inputs) != (sum(inputs) % 2 == 0)
        assert scored.error == wrong
        assert scored.size == len(program)


def test_a_chain_of_ifs_solves_it_and_parity_of_fewer_inputs_is_no_better_than_chance():
    task = stub.Task(6)
    number = {name: i for i, name in enumerate(task.names)}

    def parity(inputs: list[int]) -> list[int]:
        """IF(odd so far, NOT x, x) for one input after the other."""
        if len(inputs) == 1:
            return inputs
        last = inputs[-1]
        return [*parity(inputs[:-1]), last, number["NOT"], last, number["IF"]]

    odd = task.score(parity([0, 1, 2, 3, 4, 5]))
    even = task.score([*parity([0, 1, 2, 3, 4]), 5, 5, number["NOT"], number["IF"]])
    assert (odd.error, even.error, even.size) == (64, 0, 21)
    for count in range(1, 6):
        for inputs in itertools.combinations(range(6), count):
            assert task.score(parity(list(inputs))).error == 32


def test_frequencies_of_programs_are_products_of_probabilities():
    cfg = stub.Config(bits=2, depth=2)
    task, rng = stub.Task(2), np.random.default_rng(0)
    root = stub.initial_tree(cfg, task)
    nodes = tree.visit(root, [0, 1, 0, 5], task.arity)  # IF and its three arguments
    p = np.array([[0.3, 0.7, 0, 0, 0, 0], [0.6, 0.4, 0, 0, 0, 0], [0.9, 0.1, 0, 0, 0, 0], [0.1, 0.2, 0, 0, 0, 0.7]])
    tree.store(nodes, p)
    uniform = tree.uniforms(rng).__next__
    drawn = [tuple(tree.sample(root, task.arity, uniform)) for _ in range(20000)]
    for arguments in itertools.product((0, 1), repeat=3):
        program = [*arguments, 5]
        expected = 20000 * tree.joint_probability(p, program)
        assert drawn.count(tuple(program)) == pytest.approx(expected, abs=5 * np.sqrt(expected))


@pytest.mark.parametrize("lr", [0.01, 0.2])
def test_focus_is_the_loop_of_the_paper(lr):
    rng = np.random.default_rng(1)
    for size in (1, 5, 60):
        p = rng.dirichlet(np.full(10, 0.3), size) + 1e-12
        p /= p.sum(axis=1, keepdims=True)
        program = rng.integers(10, size=size).tolist()
        joint = tree.joint_probability(p, program)
        target = joint + (1 - joint) * lr * 0.7
        q = p.copy()
        while tree.joint_probability(q, program) < target:
            for k, i in enumerate(program):
                q[k, i] += 0.1 * lr * (1 - q[k, i])
        for k, i in enumerate(program):
            others = np.arange(10) != i
            q[k, others] *= (1 - q[k, i]) / q[k, others].sum()
        focused = tree.focus(p, program, target, 0.1 * lr)
        np.testing.assert_allclose(focused, q, rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(focused.sum(axis=1), 1, atol=1e-12)
        mutated = tree.mutate(focused, 0.4, 0.4, rng)
        np.testing.assert_allclose(mutated.sum(axis=1), 1, atol=1e-12)


def test_learning_keeps_the_depth_limit_and_changes_visited_nodes_only():
    cfg = stub.Config(**TREE, P_M=0.9, lr=0.1)
    task, rng = stub.Task(4), np.random.default_rng(2)
    root = stub.initial_tree(cfg, task)
    uniform = tree.uniforms(rng).__next__
    for _ in range(200):
        b = task.score(tree.sample(root, task.arity, uniform))
        stub.learn(cfg, task, root, b, b, rng)

    def check(node: tree.Node | None, untrained: tree.Node | None, level: int) -> None:
        if node is None:
            return
        assert node.below is None or node.below.p == untrained.below.p
        assert level < cfg.depth or sum(node.p[task.terminals :]) == 0
        for child in node.children:
            check(child, untrained.below, level + 1)

    check(root, stub.initial_tree(cfg, task), 1)
    some = tree.visit(root, b.program, task.arity)[-1]
    certain = np.eye(len(task.arity))[:1]  # x0 for sure
    tree.store([some], certain)
    tree.prune([some], certain, task.arity, cfg.T_P)
    assert all(child is some.below for child in some.children)


def test_crossover_shares_subtrees_and_keeps_their_values_right():
    task, rng = stub.Task(4), np.random.default_rng(3)
    functions = {i: task.meaning[i] for i in range(4, 8)}

    def leaf() -> parity_crossover.Tree:
        i = int(rng.integers(4))
        return parity_crossover.Tree(i, (), task.meaning[i], 1, 1)

    breeder = parity_crossover.Breeder(functions, task.arity, leaf, task.score_tree, rng)
    generations = breeder.generations(population=60, tournament=3, crossover=0.9, depth=8)
    for generation in itertools.islice(generations, 4):
        for scored in generation:
            again = task.score(parity_crossover.postfix(scored.program))
            assert (again.error, again.size, again.table) == (scored.error, scored.size, scored.table)
            assert scored.program.depth <= 8
    second, *_, first = sorted((scored.program for scored in generation), key=lambda program: program.size)
    for k in range(first.size):
        child = parity_crossover.replaced(first, k, second, functions)
        assert parity_crossover.subtree(child, k) is second
        assert child.size == first.size - parity_crossover.subtree(first, k).size + second.size
