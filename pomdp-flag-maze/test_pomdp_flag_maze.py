"""Oracles of pomdp-flag-maze: facts about the maze, about gradients and about values that need no training."""

from itertools import product

import numpy as np

import pomdp_flag_maze as stub
from flag_maze import ACTIONS, STEP_REWARD, Maze, join, live, pick
from maze_controller import actor, drawn, explore, greedy, init_controller, policy, policy_gain_and_grad
from maze_model import follow, foresee, init_model, model_loss_and_grad
from through_model import imagine, imagined_return_and_grad

N, E, S, W = range(4)


def play(maze: Maze, cue: np.ndarray, actions: np.ndarray):
    """Episodes (B,) with given actions (T, B)."""
    row = iter(actions)
    return live(maze, cue, len(actions), lambda o: next(row))


def numeric(f, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Central differences of f() in every weight."""
    grads = {name: np.empty_like(w) for name, w in weights.items()}
    for name, w in weights.items():
        for i in np.ndindex(w.shape):
            kept, values = w[i], []
            for shift in (1e-5, -1e-5):
                w[i] = kept + shift
                values.append(f())
            w[i] = kept
            grads[name][i] = (values[0] - values[1]) / 2e-5
    return grads


def assert_gradient(f, weights: dict[str, np.ndarray], grads: dict[str, np.ndarray]) -> None:
    for name, expected in numeric(f, weights).items():
        np.testing.assert_allclose(grads[name], expected, rtol=1e-5, atol=1e-8)
        assert np.abs(expected).max() > 1e-3


def few_episodes(rng: np.random.Generator):
    """Random ones, and two that reach a flag."""
    maze = Maze(3)
    random = live(maze, np.array([1.0, -1.0, 1.0]), 6, lambda o: rng.integers(4, size=3))
    to_flags = play(maze, np.array([1.0, 1.0]), np.array([[E, E, N, N, W, W], [E, E, S, S, N, N]]).T)
    return join(random, to_flags)


def test_gradients():
    rng = np.random.default_rng(0)
    episodes, M, C = few_episodes(rng), init_model(rng, 4), init_controller(rng, 3)
    assert set(episodes.right) >= {1, -1}
    assert_gradient(lambda: model_loss_and_grad(M, episodes, 5.0)[0], M, model_loss_and_grad(M, episodes, 5.0)[1])
    C["w"] *= 10
    Q, weight = rng.normal(size=(6, 5, 4)), rng.random((6, 5))
    for entropy in (0.0, 0.3):
        gain = lambda: policy_gain_and_grad(C, episodes.o[:-1], Q, entropy, weight)  # noqa: B023, E731
        assert_gradient(lambda: gain()[0], C, gain()[1])  # noqa: B023
    V = stub.init_critic(rng, 4)
    V["w"] += rng.normal(size=4)
    h, target, weight = rng.normal(size=(7, 4)), rng.normal(size=7), rng.random(7)
    loss = lambda: (weight * (stub.value(V, h) - target) ** 2).sum()  # noqa: E731
    assert_gradient(loss, V, stub.critic_grad(V, h, target, weight))


def test_gradient_through_the_model_is_exact_if_actions_are_the_policy():
    rng = np.random.default_rng(1)
    M, C, first = init_model(rng, 4), init_controller(rng, 3), few_episodes(rng).o[0]
    M["b"][:4] = 0.6, 0.2, -0.2, -0.1  # some of the imagined episodes end
    C["w"] *= 10
    value = lambda: imagined_return_and_grad(C, M, imagine(C, M, first, 5, lambda pi: pi), 0.9, 0.1)  # noqa: E731
    ended = 1 - imagine(C, M, first, 5, lambda pi: pi).running
    assert 0 < ended.mean() < 0.8
    assert_gradient(lambda: value()[0], C, value()[1])


def test_shortest_ways_walls_and_mirror():
    """Of all 4096 strings of 6 actions one reaches each flag; up and down are each other's mirror image."""
    maze = Maze(5)
    strings = np.array(list(product(range(4), repeat=6))).T
    up = play(maze, np.ones(4096), strings)
    assert [strings[:, k].tolist() for k in np.flatnonzero(up.right)] == [[E] * 4 + [N, N], [E] * 4 + [S, S]]
    mirrored = np.array([S, E, N, W])[strings]
    down = play(maze, -np.ones(4096), mirrored)
    np.testing.assert_array_equal(up.r, down.r)
    np.testing.assert_array_equal(up.o[..., :4], down.o[..., [S, E, N, W]])
    junction = maze.cells.index((2, 4))
    assert [maze.cells[k] for k in maze.next[junction]] == [(1, 4), (2, 4), (3, 4), (2, 3)]
    assert maze.cells[maze.flag.argmax()] == (0, 4) and maze.cells[maze.flag.argmin()] == (4, 4)
    corridor = [maze.cells.index((2, column)) for column in range(1, 4)]
    assert (maze.walls[corridor] == [1, 0, 1, 0]).all() and (maze.walls.sum(axis=1) >= 1).all()
    assert up.o[1:, :, 4].any() == 0 and (up.o[0, :, 4] == 1).all()  # the cue is seen at the first step only
    alone = [play(maze, np.ones(1), strings[:, [k]]) for k in range(0, 4096, 97)]
    np.testing.assert_array_equal(np.concatenate([e.r for e in alone], axis=1), pick(up, np.arange(0, 4096, 97)).r)


def test_without_memory_half_of_the_episodes_is_the_best():
    """All deterministic policies that see no more than the walls, and the cue at the first step."""
    maze, best = Maze(5), 0.0
    live_cells = maze.flag == 0
    kind = np.full(9, -1)
    kinds, kind[live_cells] = np.unique(maze.walls[live_cells], axis=0, return_inverse=True)
    for later in product(range(4), repeat=len(kinds)):
        cell = maze.next[0].copy()  # after each first action, which may depend on the cue
        for _ in range(19):
            moving = maze.flag[cell] == 0
            cell[moving] = maze.next[cell[moving], np.array(later)[kind[cell[moving]]]]
        flags = set(maze.flag[cell])
        best = max(best, ((1 in flags) + (-1 in flags)) / 2)
    assert best == 0.5


def test_random_actions_and_the_value_of_the_start():
    """Probability of the right flag within 20 random steps; value iteration, the cue known, gives the optimum."""
    maze = Maze(5)
    p, found = np.eye(9)[0], np.zeros(9)
    for _ in range(20):
        moved = np.zeros(9)
        np.add.at(moved, maze.next, np.repeat(p[:, None] / 4, 4, axis=1))
        found, p = found + moved * (maze.flag != 0), moved * (maze.flag == 0)
    assert abs(found[maze.flag == 1][0] - 0.0651) < 1e-4
    rng = np.random.default_rng(2)
    C = init_controller(rng, 3)
    lived = live(maze, np.ones(20000), 20, actor(C, 20000, lambda pi: explore(1.0, rng, pi)))
    assert abs((lived.right == 1).mean() - 0.0651) < 4 * np.sqrt(0.065 * 0.935 / 20000)
    V = np.zeros(9)
    for _ in range(100):
        at = maze.flag[maze.next]
        V = (STEP_REWARD + at + 0.95 * np.where(at == 0, V[maze.next], 0)).max(axis=1)
    assert abs(V[0] - 0.509) < 5e-4
    nets = {"C": C, "M": init_model(rng, 4), "V": stub.init_critic(rng, 4)}
    tests = stub.Tests(pick(lived, np.arange(100)), np.ones(100), rng.random((20, 100)))
    first = stub.look(stub.Config(tests=100), maze, nets, tests, 0, 0).metrics
    assert abs(first["value_error"] - abs(first["value_start"] - V[0])) < 1e-9


def test_values_of_all_actions_agree_with_the_model_and_the_policy_with_the_actor():
    rng = np.random.default_rng(3)
    episodes, M, C, V = few_episodes(rng), init_model(rng, 4), init_controller(rng, 3), stub.init_critic(rng, 4)
    source = follow(M, episodes)
    h, _ = foresee(M, source[:-1])
    taken = np.take_along_axis(h, episodes.a[..., None, None], axis=2)[:, :, 0]
    np.testing.assert_allclose(taken, source[1:, :, -4:], rtol=1e-12)
    V["w"] += 100  # any value is far outside what is possible, and is cut
    Q = stub.action_values(stub.Config(), M, V, source)
    foreseen = foresee(M, source)[1]
    bonus = (Q - foreseen[..., 4]) / 0.95
    assert (np.abs(bonus) <= stub.BOUND + 1e-9).all()
    np.testing.assert_allclose(bonus[foreseen[..., :4].sum(axis=-1) < 0.5], 0, atol=1e-12)
    pi = policy(C, episodes.o[:-1])[1]
    act = actor(C, 5, lambda p: p)
    np.testing.assert_allclose(np.array([act(o).copy() for o in episodes.o[:-1]]), pi, rtol=1e-12)
    np.testing.assert_array_equal(drawn(pi[0], np.zeros(5)), 0)
    counts = np.bincount(drawn(np.repeat(pi[0][:1], 20000, axis=0), rng.random(20000)), minlength=ACTIONS)
    np.testing.assert_allclose(counts / 20000, pi[0][0], atol=0.015)
    assert (greedy(pi[0]) == pi[0].argmax(axis=1)).all()
