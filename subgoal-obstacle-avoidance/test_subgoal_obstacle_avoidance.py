"""Oracles of subgoal-obstacle-avoidance: facts about geometry, costs and gradients that need no training."""

from functools import partial

import numpy as np

import obstacle_arena as arena
import path_evaluators as evaluators
import relu_net
import subgoal_obstacle_avoidance as stub


def numeric(loss, array: np.ndarray) -> np.ndarray:
    """Central differences of loss() in the numbers of a real or complex array."""
    grad = np.zeros_like(array)
    for i in np.ndindex(array.shape):
        for unit in (1, 1j) if np.iscomplexobj(array) else (1,):
            kept, losses = array[i], []
            for shift in (1e-6, -1e-6):
                array[i] = kept + shift * unit
                losses.append(loss())
            array[i] = kept
            grad[i] += unit * (losses[0] - losses[1]) / 2e-6
    return grad


def random_paths(rng: np.random.Generator, n: int, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """n paths with 2 sub-goals in [low, high]^2 in random arenas, and the discs of these."""
    arenas = arena.sample_arenas(rng, n, "varied", 3)
    middle = arena.uniform(rng, low, high, (n, 2))
    return np.concatenate([arenas.start[:, None], middle, arenas.goal[:, None]], axis=1), arenas.discs


def test_arenas_are_as_specified():
    """Start and goal, distances of the discs, and a blocked direct way."""
    for task, discs in (("fixed", 3), ("varied", 3), ("fixed", 5)):
        a = arena.sample_arenas(np.random.default_rng(0), 3000, task, discs)
        assert (a.start.shape, a.goal.shape, a.discs.shape) == ((3000,), (3000,), (3000, discs))
        assert np.abs(a.goal - a.start).min() >= 6
        assert task == "varied" or ((a.start == 1 + 1j).all() and (a.goal == 9 + 9j).all())
        between = np.abs(a.discs[:, :, None] - a.discs[:, None])[:, *np.triu_indices(discs, 1)]
        ends = np.stack([a.start, a.goal], axis=1)[:, None]
        assert between.min() >= 2 and np.abs(a.discs[:, 1:, None] - ends).min() >= 1.5
        inner = arena.reals(a.discs[:, 1:])
        assert inner.min() >= 1.5 and inner.max() <= 8.5
        blocked = ~arena.succeeds(np.stack([a.start, a.goal], axis=1), a.discs)
        assert blocked.mean() >= 0.95


def walk(path: np.ndarray, discs: np.ndarray, step: float) -> bool:
    """Whether an executer that takes steps of this length, and looks only where they end, comes through."""
    here, budget = path[0], arena.STEPS * arena.STEP / step
    for target in path[1:]:
        while here != target:
            way = target - here
            here = target if abs(way) <= step * (1 + 1e-9) else here + step * way / abs(way)
            budget -= 1
            inside = 0 <= here.real <= arena.SIDE and 0 <= here.imag <= arena.SIDE
            if budget < 0 or not inside or np.abs(discs - here).min() < arena.RADIUS:
                return False
    return True


def test_success_is_stricter_than_steps_and_equal_to_tiny_steps():
    """Paths that succeed come through in steps; the steps tunnel through some corners of discs, tiny ones hardly."""
    path, discs = random_paths(np.random.default_rng(1), 250, -0.5, 10.5)
    exact = arena.succeeds(path, discs)
    coarse = np.array([walk(*one, arena.STEP) for one in zip(path, discs, strict=True)])
    fine = np.array([walk(*one, arena.STEP / 20) for one in zip(path, discs, strict=True)])
    assert 20 < exact.sum() < 230 and not (exact & ~coarse).any()
    assert (coarse & ~exact).sum() > (fine & ~exact).sum() and (fine != exact).mean() < 0.02
    long = np.array([1 + 1j, 9.9 + 9.9j, 0.1 + 0.1j, 9 + 9j])
    assert not arena.succeeds(long, np.array([5 + 9j])) and not walk(long, np.array([5 + 9j]), arena.STEP)


def test_distances_and_cone_areas_against_sums_over_points():
    """Every leg divided into 10^4 points: the nearest one, and the area of the cross-sections of cones."""
    path, discs = random_paths(np.random.default_rng(2), 20, 0, 10)
    t = (np.arange(10_000) + 0.5) / 10_000
    places = path[:, :-1, None] + t * np.diff(path)[..., None]
    far = np.abs(places[..., None] - discs[:, None, None])
    np.testing.assert_allclose(np.abs(arena.nearest(path, discs)[1]), far.min(axis=2), atol=2e-3)
    height = np.maximum(0, 1 - far / 1.5).mean(axis=2) * np.abs(np.diff(path))[..., None]
    np.testing.assert_allclose(evaluators.cone_cost(path, discs, 1.5)[0], height.sum(axis=(1, 2)), rtol=1e-4, atol=1e-4)


def test_predicted_costs():
    """Length is a lower bound, reached with a margin; turned, shifted or reversed paths cost the same."""
    path, discs = random_paths(np.random.default_rng(3), 400, 0, 10)
    J, _ = evaluators.hinge_cost(path, discs)
    clear = (np.abs(arena.nearest(path, discs)[1]) >= arena.RADIUS + arena.MARGIN).all(axis=(1, 2))
    way = arena.length(path)
    assert 0 < clear.sum() < 400 and (way - J <= 1e-12).all()
    assert (np.isclose(J, way, rtol=0, atol=1e-12) == clear).all()
    np.testing.assert_allclose(evaluators.hinge_cost(path[:, ::-1], discs)[0], J)
    middle, turn = 5 + 5j, np.exp(0.7j)
    smaller = middle + (path - middle) / 2  # far enough from the walls to be turned
    moved = middle + 0.3 - 0.2j + (smaller - middle) * turn
    for cost in (evaluators.hinge_cost, partial(evaluators.cone_cost, radius=1.5)):
        turned = cost(moved, middle + 0.3 - 0.2j + (discs - middle) * turn)[0]
        np.testing.assert_allclose(turned, cost(smaller, discs)[0])
    a, b, disc = np.array([0j, 0j, 0j]), np.array([2 + 0j, 2 + 0j, 0.3j]), np.array([9 + 9j, 1.2 + 0j, 0.3j])
    np.testing.assert_allclose(arena.suffered_cost(a, b, disc, 5.0), [2, 2 + 5 * 5, 0.3 + 5])


def test_gradients_of_costs_and_generators():
    """Every evaluator in all way-points, both generators in all weights, and the learned evaluator in its own."""
    rng = np.random.default_rng(4)
    path, discs = random_paths(rng, 12, -1, 11)
    E = relu_net.init(rng, [4, 7, 6, 1], 1.0)
    learned, cone = partial(evaluators.learned_cost, E), partial(evaluators.cone_cost, radius=1.5)
    for evaluate in (evaluators.hinge_cost, cone, learned):
        expected = numeric(lambda: evaluate(path, discs)[0].sum(), path)  # noqa: B023
        np.testing.assert_allclose(evaluate(path, discs)[1], expected, rtol=1e-6, atol=2e-6)
    arenas = arena.sample_arenas(rng, 5, "varied", 3)
    for kind in ("static", "recurrent"):
        cfg = stub.Config(generator=kind, hidden=5, lists=3, share=0.3)
        S = stub.new_generator(cfg, rng)
        for evaluate in (evaluators.hinge_cost, learned):
            _, grads = stub.generator_loss_and_grad(cfg, S, arenas, evaluate)
            for name, w in S.items():
                loss = lambda: stub.generator_loss_and_grad(cfg, S, arenas, evaluate)[0]  # noqa: B023, E731
                np.testing.assert_allclose(grads[name], numeric(loss, w), rtol=1e-6, atol=1e-6)
    x, cost = evaluators.random_moves(rng, 9, 4.0)
    _, grads = evaluators.evaluator_loss_and_grad(E, x, cost)
    for name, w in E.items():
        expected = numeric(lambda: evaluators.evaluator_loss_and_grad(E, x, cost)[0], w)
        np.testing.assert_allclose(grads[name], expected, rtol=1e-6, atol=1e-6)
