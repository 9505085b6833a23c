"""Oracles: the racer against a scalar one and its mirror image, V and M against numbers, CMA-ES on known functions."""

import math

import numpy as np

import race_track as rt
import vision_memory as vm
import world_models_carracing as stub
from cma_es import CMAES

CFG = stub.Config(tests=20)


class Script:
    """A policy that plays actions (T, n, 2) written beforehand."""

    def __init__(self, actions: np.ndarray):
        self.actions, self.t = actions, 0

    def act(self, cars: rt.Cars) -> np.ndarray:
        self.t += 1
        return self.actions[self.t - 1]

    def keep(self, alive: np.ndarray) -> None:
        self.actions = self.actions[:, alive]


def scalar_episode(tracks: rt.Tracks, track: int, actions: np.ndarray, grip: float) -> tuple[int, int]:
    """(tiles visited, steps) of one car, step by step in plain Python."""
    centre = tracks.centre[track].tolist()
    (x, y), heading, v, tile, visited, steps = centre[0], float(tracks.heading[track]), 0.0, 0, set(), 0
    for steer, throttle in actions.tolist():
        steps += 1
        v = min(max(v + (0.06 if throttle > 0 else 0.15) * throttle - 0.02 * v, 0.0), 1.5)
        heading += steer * min(0.45 * v, grip / v if v else math.inf)
        x, y = x + v * math.cos(heading), y + v * math.sin(heading)
        away = {k: math.hypot(centre[(tile + k) % 200][0] - x, centre[(tile + k) % 200][1] - y) for k in range(-10, 11)}
        k = min(away, key=away.get)
        if away[k] > tracks.half_width:
            v *= 0.9
        else:
            way = range(1, k + 1) if k > 0 else range(k, 0)
            visited |= {(tile + j) % 200 for j in way}
        tile = (tile + k) % 200
        if away[k] > 6 or len(visited) >= 199:
            break
    return len(visited), steps


def test_batch_of_cars_equals_a_scalar_car():
    rng = np.random.default_rng(0)
    tracks = rt.random_tracks(20, CFG.half_width, rng)
    # good driving and bad: what the hand-written driver does, with noise that grows from car to car
    expert = rt.Recorder(rt.PurePursuit(), 20, 300)
    stub.drive_all(CFG, expert, tracks)
    noise = rng.normal(0, np.linspace(0, 1, 20)[:, None, None], (20, 300, 2))
    actions = np.clip(expert.actions.astype(float) + noise, -1, 1)
    result = stub.drive_all(CFG, Script(actions.swapaxes(0, 1)), tracks)
    expected = [scalar_episode(tracks, i, actions[i], CFG.grip) for i in range(20)]
    assert len({tiles for tiles, _ in expected}) > 5
    np.testing.assert_array_equal(np.rint(result.laps * 200), [tiles for tiles, _ in expected])
    np.testing.assert_array_equal(result.steps, [steps for _, steps in expected])
    np.testing.assert_allclose(result.score, [5 * tiles - steps / 3 for tiles, steps in expected])


def test_car_obeys_its_physics():
    tracks = rt.random_tracks(10, CFG.half_width, np.random.default_rng(1))
    straight, cars = (rt.Cars(tracks, np.arange(10), CFG.grip) for _ in range(2))
    actions = np.random.default_rng(2).uniform(-1, 1, (60, 10, 2)) + [0, 0.5]
    for action in actions:
        straight.step(action * [0, 1])
        heading, visited = cars.heading, cars.visited.copy()
        cars.step(action)
        assert np.all(np.abs(cars.heading - heading) * cars.speed <= CFG.grip + 1e-12)
        assert np.all(cars.visited >= visited)
    np.testing.assert_array_equal(straight.heading, tracks.heading)
    assert np.all(stub.drive_all(CFG, rt.ConstantPolicy(0, -1), tracks).score == -100)


def test_mirrored_and_turned_worlds():
    tracks = rt.random_tracks(8, CFG.half_width, np.random.default_rng(3))
    drives = rt.Recorder(rt.PurePursuit(), 8, 300)
    stub.drive_all(CFG, drives, tracks)
    actions = drives.actions.swapaxes(0, 1)

    def transformed(matrix: np.ndarray) -> rt.Tracks:
        centre = tracks.centre @ matrix.T
        ahead = centre[:, 1] - centre[:, 0]
        road = rt.rasterise(centre, CFG.half_width)
        return rt.Tracks(centre, np.arctan2(ahead[:, 1], ahead[:, 0]), road, CFG.half_width)

    mirror, turn = np.diag([1.0, -1.0]), np.array([[np.cos(1), -np.sin(1)], [np.sin(1), np.cos(1)]])
    for matrix, steering, flip in ((mirror, -1, True), (turn, 1, False)):
        again = rt.Recorder(Script(actions * [steering, 1]), 8, 300)
        stub.drive_all(CFG, again, transformed(matrix))
        np.testing.assert_array_equal(again.length, drives.length)
        np.testing.assert_allclose(again.position, drives.position @ matrix.T, atol=1e-6)
        frames = again.frames.reshape(8, 300, rt.VIEW, rt.VIEW)
        frames = frames[..., ::-1] if flip else frames
        # equal but for pixels at the edge of the road, where the raster and the 128 headings decide
        assert np.abs(frames.reshape(8, 300, -1) - drives.frames)[drives.valid()].mean() < 0.05


def numeric_gradient(loss, params: dict[str, np.ndarray], name: str, index: int) -> float:
    """Central difference of loss() by one entry of params[name]."""
    flat = params[name].reshape(-1)
    kept, losses = flat[index], []
    for flat[index] in (kept + 1e-5, kept - 1e-5):
        losses.append(loss())
    flat[index] = kept
    return (losses[0] - losses[1]) / 2e-5


def test_gradients_of_v_and_m():
    rng = np.random.default_rng(4)
    v = {name: p.astype(float) for name, p in vm.v_init(rng, 30, 7, 4).items()}
    m = {name: p.astype(float) for name, p in vm.m_init(rng, 4, 5, 3).items()}
    frames = (rng.random((6, 30)) < 0.4).astype(float), rng.normal(size=(6, 4))
    windows = rng.normal(size=(9, 5, 4)), rng.normal(size=(8, 5, 2))
    nets = (v, lambda: vm.v_loss_and_grad(v, frames, 0.3)), (m, lambda: vm.m_loss_and_grad(m, windows))
    for params, compute in nets:
        grads = compute()[1]
        assert grads.keys() == params.keys()
        for name, grad in grads.items():
            for index in rng.choice(grad.size, min(6, grad.size), replace=False):
                numeric = numeric_gradient(lambda compute=compute: compute()[0], params, name, index)
                assert abs(numeric - grad.flat[index]) < 1e-6 * max(1, np.abs(grad).max()), name


def test_densities():
    rng = np.random.default_rng(5)
    # M: the density of one entry, from the loss on a grid of changes, integrates to 1
    m, h = vm.m_init(rng, 1, 6, 5), rng.normal(size=(1, 6))
    grid = np.linspace(-40, 40, 20001)
    density = [np.exp(-vm.density_loss_and_grad(m, h, np.array([[x]]))[0]) for x in grid[::20]]
    assert abs(np.trapezoid(density, grid[::20]) - 1) < 1e-3
    draws = vm.sample_change(m, np.repeat(h, 20000, axis=0), 1.0, rng)
    assert abs(draws.mean() - np.trapezoid(density * grid[::20], grid[::20])) < 0.1
    # V: a code that ignores the frame costs no KL divergence, and a rescaled V draws the same pictures
    v, x = vm.v_init(rng, 30, 7, 4), (rng.random((200, 30)) < 0.4).astype(np.float32)
    silent = v | {name: np.zeros_like(v[name]) for name in ("W_mu", "W_s")}
    eps = rng.normal(size=(200, 4))
    assert vm.v_loss_and_grad(silent, (x, eps), 0.0)[0] == vm.v_loss_and_grad(silent, (x, eps), 9.0)[0]
    scaled = vm.rescale(v, x)
    np.testing.assert_allclose(vm.decode(scaled, vm.encode(scaled, x)), vm.decode(v, vm.encode(v, x)), atol=1e-5)
    assert np.allclose(vm.encode(scaled, x).var(axis=0) + (vm.spread(scaled, x) ** 2).mean(axis=0), 1, atol=1e-4)


def minimise(cost, d: int, adapt: bool) -> float:
    """Cost of the mean after fewer than 4,000 evaluations from (1, ..., 1); without `adapt` C stays the identity."""
    rng, es = np.random.default_rng(0), CMAES(np.ones(d), 0.5, 12)
    for _ in range(3990 // 12):
        candidates = es.ask(rng)
        es.tell(candidates, np.array([cost(x) for x in candidates]))
        if not adapt:
            es.C, es.B, es.D = np.eye(d), np.eye(d), np.ones(d)
    return cost(es.mean)


def test_cma_es():
    scale = 10 ** np.linspace(0, 4, 10)  # condition 1e4
    assert minimise(lambda x: x @ x, 20, adapt=True) < 1e-8
    assert minimise(lambda x: x**2 @ scale, 10, adapt=True) < 1e-8
    assert minimise(lambda x: x**2 @ scale, 10, adapt=False) > 1e-4
    # turned candidates with the same costs turn the whole distribution
    rng = np.random.default_rng(6)
    Q = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    es, turned = CMAES(np.ones(10), 0.5, 12), CMAES(Q @ np.ones(10), 0.5, 12)
    for _ in range(30):
        candidates = es.ask(rng)
        cost = candidates**2 @ scale
        es.tell(candidates, cost)
        turned.tell(candidates @ Q.T, cost)
    np.testing.assert_allclose(turned.mean, Q @ es.mean, atol=1e-9)
    np.testing.assert_allclose(turned.C, Q @ es.C @ Q.T, atol=1e-9)
    assert abs(turned.sigma / es.sigma - 1) < 1e-9
