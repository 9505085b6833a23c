"""Facts about the programs, the prototype tree with its constants, and its update, without any search."""

import itertools
import math

import numpy as np
import pytest

import pipe_symbolic_regression as stub
import regression_crossover
import regression_prototype_tree as tree


def a_task(problem: str) -> stub.Task:
    return stub.Task(stub.Config(problem=problem), np.random.default_rng(0))


def program_of(task: stub.Task, words: str) -> tree.Program:
    """A program from its postfix notation, numbers for constants."""
    instructions, constants = [], []
    for word in words.split():
        instructions.append(task.names.index(word) if word in task.names else stub.R)
        constants.append(0.0 if word in task.names else float(word))
    return tree.Program(tuple(instructions), tuple(constants))


def value(task: stub.Task, program: tree.Program, x: float) -> float:
    """What a program returns at one point: recursion from its end."""
    rest = list(zip(*program, strict=True))

    def next_value() -> float:
        i, constant = rest.pop()
        arguments = [next_value() for _ in range(task.arity[i])][::-1]
        match task.names[i], arguments:
            case "x", []:
                return x
            case "R", []:
                return constant
            case "+", [a, b]:
                return a + b
            case "-", [a, b]:
                return a - b
            case "*", [a, b]:
                return a * b
            case "%", [a, b]:
                return a / b if b else 1.0
            case "exp", [a]:
                return math.exp(min(a, 50))
            case "rlog", [a]:
                return math.log(abs(a)) if a else 0.0
            case name, [a]:
                return getattr(math, name)(a)

    return next_value()


def test_arrays_agree_with_evaluation_point_by_point():
    task, uniform = a_task("salustowicz"), tree.uniforms(np.random.default_rng(1)).__next__
    root = stub.initial_tree(stub.Config(P_T=0.5, depth=6), task)
    points = np.array([0.0, 0.3, 1.0, 2.7])
    programs = [tree.sample_with_constants(root, task.arity, stub.R, 0.3, uniform) for _ in range(300)]
    programs += [program_of(task, words) for words in ("x x - x %", "x x - rlog", "1 x x - %", "999 exp", "-1 rlog")]
    for program in programs:
        try:
            expected = [value(task, program, x) for x in points.tolist()]
        except (OverflowError, ValueError):
            continue  # beyond what a float of Python can be asked for
        with np.errstate(all="ignore"):
            output = np.broadcast_to(task.run(program, points), points.shape)
        np.testing.assert_allclose(output, expected, rtol=1e-9, atol=1e-12)


def test_known_solutions_have_no_error_and_zero_has_the_known_one():
    koza, paper = a_task("koza"), a_task("salustowicz")
    quartic = program_of(koza, "x x x x x * x + * x + * +")
    assert koza.score(quartic).error == pytest.approx(0, abs=1e-12)
    sums = "x x * x * 0 x - exp * x cos * x sin * x sin x sin * x cos * 1 - *"
    assert paper.score(program_of(paper, sums)).error == pytest.approx(0, abs=1e-12)
    assert paper.score(program_of(paper, "0")).error == pytest.approx(20.47, abs=0.01)
    assert paper.score(program_of(paper, "999 exp 999 exp *")).error > 1e40
    assert paper.error(np.full(101, np.nan)) == np.inf


def test_frequencies_of_programs_are_products_of_probabilities():
    task, rng = a_task("koza"), np.random.default_rng(2)
    root = stub.initial_tree(stub.Config(depth=2), task)
    nodes = tree.visit(root, (0, 1, 2), task.arity)  # x + R
    p = np.array([[0.3, 0.7, 0, 0, 0, 0], [0.8, 0.2, 0, 0, 0, 0], [0.1, 0.1, 0.3, 0.1, 0.2, 0.2]])
    tree.store(nodes, p)
    nodes[0].constant = nodes[1].constant = 0.25
    uniform = tree.uniforms(rng).__next__
    drawn = [tree.sample_with_constants(root, task.arity, stub.R, 0.3, uniform) for _ in range(20000)]
    for program in itertools.product((0, 1), (0, 1), (2, 3, 4, 5)):
        expected = 20000 * tree.joint_probability(p, program)
        count = sum(d.instructions == program for d in drawn)
        assert count == pytest.approx(expected, abs=5 * np.sqrt(expected))
    both = [d.constants[:2] for d in drawn if d.instructions[:2] == (1, 1)]
    assert {first for first, _ in both} == {0.25}  # R has 0.7 there: the node's constant
    assert len({second for _, second in both}) == len(both)  # R has 0.2 there: always a new one


@pytest.mark.parametrize("lr", [0.01, 0.2])
def test_focus_is_the_loop_of_the_paper(lr):
    rng = np.random.default_rng(1)
    for size in (1, 5, 60):
        p = rng.dirichlet(np.full(10, 0.3), size) + 1e-12
        p /= p.sum(axis=1, keepdims=True)
        program = tuple(rng.integers(10, size=size).tolist())
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
        assert tree.joint_probability(focused, program) >= target * (1 - 1e-12)
        np.testing.assert_allclose(focused, q, rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(focused.sum(axis=1), 1, atol=1e-12)
        mutated = tree.mutate(focused, 0.4, 0.4, rng)
        np.testing.assert_allclose(mutated.sum(axis=1), 1, atol=1e-12)


def test_learning_stores_constants_and_keeps_the_depth_limit():
    cfg = stub.Config(problem="koza", depth=4, P_T=0.4, lr=0.3, P_M=0.9)
    task, rng = a_task("koza"), np.random.default_rng(3)
    root = stub.initial_tree(cfg, task)
    uniform = tree.uniforms(rng).__next__
    for _ in range(100):
        with np.errstate(all="ignore"):
            b = task.score(tree.sample_with_constants(root, task.arity, stub.R, cfg.T_R, uniform))
        stub.learn(cfg, task, root, b, b, rng)
        nodes = tree.visit(root, b.program.instructions, task.arity)
        for node, i, constant in zip(nodes, *b.program, strict=True):
            assert i != stub.R or node.constant == constant

    def check(node: tree.Node | None, level: int) -> None:
        if node is not None:
            assert level < cfg.depth or sum(node.p[2:]) == 0
            for child in node.children:
                check(child, level + 1)

    check(root, 1)


def test_without_learning_the_search_is_random_sampling_draw_for_draw():
    cfg, task = stub.Config(problem="koza", depth=3, lr=0.0), a_task("koza")
    root, uniform = stub.initial_tree(cfg, task), tree.uniforms(np.random.default_rng(5)).__next__
    with np.errstate(all="ignore"):
        search = stub.pipe(cfg, task, stub.initial_tree(cfg, task), np.random.default_rng(5), np.random.default_rng(6))
        for scored in itertools.chain(*itertools.islice(search, 20)):
            assert scored.program == tree.sample_with_constants(root, task.arity, stub.R, cfg.T_R, uniform)


def test_repeated_programs_count_as_often_as_they_are_drawn_and_are_scored_right():
    cfg, task = stub.Config(problem="koza", depth=3, PS=50, P_T=0.5, lr=0.5), a_task("koza")
    search = stub.pipe(cfg, task, stub.initial_tree(cfg, task), *np.random.default_rng(7).spawn(2))
    repeated = 0
    with np.errstate(all="ignore"):
        for generation in itertools.islice(search, 20):
            assert len(generation) == 50
            assert all(scored == task.score(scored.program) for scored in generation)
            repeated += 50 - len({scored.program for scored in generation})
    assert repeated > 100


def test_crossover_shares_subtrees_and_keeps_their_values_right():
    task, rng = a_task("koza"), np.random.default_rng(4)

    def leaf() -> regression_crossover.Tree:
        i = int(rng.integers(2))
        return regression_crossover.Tree(i, (), task.x if i == stub.X else rng.random(), 1, 1)

    breeder = regression_crossover.Breeder(task.functions, task.arity, leaf, task.score_tree, rng)
    generations = breeder.generations(population=60, tournament=3, crossover=0.9, depth=8)
    with np.errstate(all="ignore"):
        for generation in itertools.islice(generations, 4):
            for scored in generation:
                again = task.score(stub.as_program(scored.program))
                assert (again.error, again.size) == (scored.error, scored.size)
                assert scored.program.depth <= 8
        second, *_, first = sorted((scored.program for scored in generation), key=lambda program: program.size)
        for k in range(first.size):
            child = regression_crossover.replaced(first, k, second, task.functions)
            assert regression_crossover.subtree(child, k) is second
            assert child.size == first.size - regression_crossover.subtree(first, k).size + second.size
