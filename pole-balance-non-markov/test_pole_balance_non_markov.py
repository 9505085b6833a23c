"""Oracles of pole-balance-non-markov: facts about the physics, the records and the gradients that need no training."""

import math

import numpy as np

import cart_pole
import pole_balance_non_markov as stub
import pole_model
import pole_trials


def small_nets(rng: np.random.Generator):
    """C and M with 4 and 5 hidden units; C's output weights are not 0."""
    return pole_model.init(rng, 2, 4, 1), pole_model.init(rng, 3, 5, 3)


def numeric(loss, net: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Central differences of loss() in every weight of net."""
    grads = {name: np.empty_like(array) for name, array in net.items()}
    for name, array in net.items():
        for i in np.ndindex(array.shape):
            kept, losses = array[i], []
            for shift in (1e-5, -1e-5):
                array[i] = kept + shift
                losses.append(loss())
            array[i] = kept
            grads[name][i] = (losses[0] - losses[1]) / 2e-5
    return grads


def test_gradients_through_controller_and_model():
    """Both models, both costs, with imagined carts that go so far that they are stopped."""
    rng = np.random.default_rng(0)
    C, M = small_nets(rng)
    M["w"][0] *= 200
    states = cart_pole.start(rng, 5 * 3, spread=0.3).reshape(4, 5, 3).transpose(1, 0, 2)
    states[-1, :2, 0] = 2.9999 * 2.4, 1
    z, u = pole_trials.observe(states), rng.uniform(-1, 1, (4, 3))
    for cost, perfect in (("positions", False), ("pain", False), ("positions", True)):
        cfg = stub.Config(cost=cost)

        def run():
            model = pole_model.PerfectModel(states[-1]) if perfect else pole_model.LearntModel(M, z[:-1], u, 6)  # noqa: B023
            return stub.controller_loss_and_grad(cfg, C, model, z, 6)  # noqa: B023

        expected, (_, grads) = numeric(lambda: run()[0], C), run()  # noqa: B023
        for name in C:
            np.testing.assert_allclose(grads[name], expected[name], rtol=1e-5, atol=1e-7)
            assert np.abs(grads[name]).max() > 1e-4

    pain, mask = (rng.random((2, 4, 3)) < 0.5).astype(float)
    expected = numeric(lambda: pole_model.model_loss_and_grad(M, z, u, pain, mask, 0.3)[0], M)
    for name, grad in pole_model.model_loss_and_grad(M, z, u, pain, mask, 0.3)[1].items():
        np.testing.assert_allclose(grad, expected[name], rtol=1e-5, atol=1e-7)


def energy_drifts():
    """Change of energy of a free cart-pole in 0.4 s, at Euler steps of 0.02, 0.002 and 0.0002 s."""

    def energy(state):
        x, v, th, om = state
        pole = 0.5 * 0.1 * (v**2 + 2 * 0.5 * v * om * np.cos(th) + 4 / 3 * 0.25 * om**2)
        return 0.5 * 1.0 * v**2 + pole + 0.1 * 9.8 * 0.5 * np.cos(th)

    drifts = []
    for parts in (1, 10, 100):
        state = np.array([[0.0], [0.3], [0.2], [0.1]])
        before = energy(state)
        for _ in range(20 * parts):
            linear, angular = cart_pole.accelerations(state, np.zeros(1))
            state = state + 0.02 / parts * np.stack((state[1], linear, state[3], angular))
        drifts.append(abs(energy(state) - before)[0])
    return drifts


def test_physics_against_a_scalar_implementation_symmetry_and_energy():
    rng = np.random.default_rng(1)
    states, force = rng.normal(0, 1, (4, 50)), rng.uniform(-10, 10, 50)
    after = cart_pole.step(states, force)
    for b in range(50):
        x, v, th, om = states[:, b]
        temp = (force[b] + 0.1 * 0.5 * om**2 * math.sin(th)) / 1.1
        thdd = (9.8 * math.sin(th) - math.cos(th) * temp) / (0.5 * (4 / 3 - 0.1 * math.cos(th) ** 2 / 1.1))
        xdd = temp - 0.1 * 0.5 * thdd * math.cos(th) / 1.1
        expected = [x + 0.02 * v, v + 0.02 * xdd, th + 0.02 * om, om + 0.02 * thdd]
        np.testing.assert_allclose(after[:, b], expected, rtol=1e-12)
    np.testing.assert_allclose(cart_pole.step(-states, -force), -after)
    upright = np.array([[1.0], [0], [0], [0]])
    np.testing.assert_array_equal(cart_pole.step(upright, np.zeros(1)), upright)
    np.testing.assert_array_equal(
        cart_pole.failed(np.array([[2.5, 2.3, 0], [9, 9, 9], [0, 0.2, -0.22], [9, 9, 9]])), [1, 0, 1]
    )
    drifts = energy_drifts()
    assert drifts[2] < drifts[1] / 5 < drifts[0] / 25


def test_the_controller_sees_positions_only():
    rng = np.random.default_rng(2)
    C, _ = small_nets(rng)
    assert C["W"].shape == (4, 2 + 1 + 4)
    states = cart_pole.start(rng, 6)
    other = states.copy()
    other[1::2] = rng.uniform(-1, 1, (2, 6))
    np.testing.assert_array_equal(pole_trials.observe(states), pole_trials.observe(other))
    first, second = (pole_trials.live(C, s, None, 3) for s in (states, other))
    np.testing.assert_array_equal(first.u[0], second.u[0])
    assert (first.u[1] != second.u[1]).all()  # by then the velocities have moved the positions


def test_positions_alone_cannot_balance_without_memory():
    """A force K (x, theta) leaves the sum of the four eigenvalues at 4: not all can lie inside the unit circle."""
    for K in np.random.default_rng(5).normal(0, 100, (20, 1, 2)):
        near = 1e-6 * np.concatenate([np.eye(4), -np.eye(4)], axis=1)
        after = cart_pole.step(near, (K @ near[::2])[0])
        assert abs(np.trace((after[:, :4] - after[:, 4:]) / 2e-6) - 4) < 1e-6


def test_batched_trials_are_single_trials_and_are_recorded_whole():
    rng = np.random.default_rng(3)
    C, _ = small_nets(rng)
    starts, noise = cart_pole.start(rng, 7), rng.uniform(-1, 1, (60, 7))
    life = pole_trials.live(C, starts, noise, 60)
    record, row = pole_trials.as_record(life), 0
    for b in range(7):
        alone = pole_trials.live(C, starts[:, b : b + 1], noise[:, b : b + 1], 60)
        n = alone.length[0]
        assert n == life.length[b] and bool(cart_pole.failed(alone.states[-1])[0]) == (n < 60)
        np.testing.assert_allclose(record.states[row : row + n + 1], alone.states[:, :, 0], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(record.u[row : row + n], alone.u[:, 0], rtol=1e-9)
        np.testing.assert_array_equal(record.left[row : row + n + 1], np.arange(n, -1, -1))
        np.testing.assert_array_equal(record.pain[row : row + n], (np.arange(n) == n - 1) & (n < 60))
        row += n + 1
    assert row == len(record.u)


def test_imagination_in_the_true_equations_repeats_the_recorded_trial():
    rng = np.random.default_rng(4)
    C, _ = small_nets(rng)
    life = pole_trials.live(C, cart_pole.start(rng, 5), None, 20)
    z = pole_trials.observe(life.states)
    source, u = stub.imagine(C, pole_model.PerfectModel(life.states[8]), z[:9], 12)
    np.testing.assert_allclose(source[:, :2], z, rtol=1e-9)
    np.testing.assert_allclose(u, life.u[8:], rtol=1e-9)
