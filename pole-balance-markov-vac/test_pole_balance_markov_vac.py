"""Oracles of pole-balance-markov-vac: facts about pain, critic, actor and population that need no training."""

import numpy as np
import pytest

import cart_pole
import pole_balance_markov_vac as stub


def random_moves(cfg, rng, N):
    """Learners with noticeable weights and traces, and a transition of each of them; one has failed in each way."""
    learners = stub.Learners(*(rng.normal(0, 0.5, array.shape) for array in stub.init(cfg, rng)))
    state = cart_pole.start(rng, N)
    state[:, :4] = 0
    state[[0, 0, 2, 2], range(4)] = -2.4, 2.4, -0.209, 0.209
    state[[1, 1, 3, 3], range(4)] = -1, 1, -1, 1
    return learners, state, rng.random(N)


def copied(learners):
    return stub.Learners(*(array.copy() for array in learners))


def test_the_cart_pole_obeys_its_equations_and_pain_tells_the_four_ways_to_fail():
    rng = np.random.default_rng(0)
    state, push = rng.normal(0, 1, (4, 20)), rng.uniform(-10, 10, 20)
    linear, angular = cart_pole.accelerations(state, push)
    _, _, theta, omega = state
    along = 1.1 * linear + 0.05 * (angular * np.cos(theta) - omega**2 * np.sin(theta))  # momentum of cart and pole
    np.testing.assert_allclose(along, push)
    torque = 4 / 3 * 0.5 * angular + linear * np.cos(theta)  # on the pole, about its hinge
    np.testing.assert_allclose(torque, 9.8 * np.sin(theta), atol=1e-12)
    limit = 12 * np.pi / 180
    x = np.array([-2.5, 2.5, 0, 0, 0, 2.39, -2.5, 2.5])
    theta = np.array([0, 0, -1.01 * limit, 1.01 * limit, 0, -0.99 * limit, 0.3, 0.3])
    expected = np.zeros((4, 8))
    expected[range(4), range(4)] = 1
    expected[[0, 3], 6] = expected[[1, 3], 7] = 0.5
    state = np.stack([x, 9 + 0 * x, theta, 9 + 0 * x])
    np.testing.assert_array_equal(stub.kind_of_failure(state), expected)
    np.testing.assert_array_equal(expected.sum(axis=0), cart_pole.failed(state))


def test_traces_are_the_gradients_of_the_predictions_and_of_the_log_probability_of_the_action():
    cfg, rng = stub.Config(learners=6), np.random.default_rng(1)
    learners, state, uniform = random_moves(cfg, rng, 6)
    learners.e[:], learners.z[:] = 0, 0
    before = copied(learners)
    _, moved = stub.act(cfg, learners.v, state, uniform)
    stub.learn(cfg, learners, moved, np.ones(6, bool))

    def log_probability(v):
        P = stub.prefer_right(v, moved.phi)
        return np.log(np.where(moved.right, P, 1 - P))

    for i in range(5):
        shift = np.zeros((5, 1))
        shift[i] = 1e-5
        slope = [stub.predict(before.w + s * shift[..., None], moved.phi) for s in (1, -1)]
        np.testing.assert_allclose(learners.e[i], (slope[0] - slope[1]) / 2e-5, atol=1e-9)
        slope = [log_probability(before.v + s * shift) for s in (1, -1)]
        np.testing.assert_allclose(learners.z[i], (slope[0] - slope[1]) / 2e-5, atol=1e-9)
    np.testing.assert_allclose(moved.phi, [*state / [[2.4], [2], [0.21], [2]], np.ones(6)])
    np.testing.assert_array_equal(moved.right, uniform < 1 / (1 + np.exp(-(before.v * moved.phi).sum(axis=0))))
    V, V_next = (stub.predict(before.w, phi) for phi in (moved.phi, moved.phi_next))
    worse = (moved.pain + 0.98 * V_next * ~moved.failed - V).sum(axis=0) > 0
    np.testing.assert_array_equal(log_probability(learners.v) < log_probability(before.v), worse)
    once = copied(learners)
    stub.learn(cfg, learners, moved, np.ones(6, bool))
    np.testing.assert_allclose(learners.z, once.z + 0.98 * 0.9 * once.z)
    again = stub.slope(stub.predict(once.w, moved.phi)) * moved.phi[:, None]
    np.testing.assert_allclose(learners.e, again + 0.98 * 0.8 * once.e)


def test_temporal_differences_find_the_discounted_probability_of_each_end_of_a_random_walk():
    """Five states in a row, one-hot in phi; a step to the left or to the right, each with 1/2; pain beyond the ends."""
    cfg, gamma = stub.Config(critic_lam=0.0, gamma=0.9, critic_rate=50.0, actor_rate=0.0), 0.9
    walk = np.eye(5, k=1) / 2 + np.eye(5, k=-1) / 2
    expected = np.linalg.solve(np.eye(5) - gamma * walk, np.eye(5)[:, [0, 4]] / 2)
    here, there = np.tile(np.arange(5), 2), np.concatenate([np.arange(5) - 1, np.arange(5) + 1])
    pain = np.stack([there < 0, there > 4]).astype(float)
    moved = stub.Transition(
        np.eye(5)[:, here], np.full(10, 0.5), there > here, np.eye(5)[:, there % 5], pain, pain.any(0)
    )
    w = np.zeros((5, 2))
    for _ in range(1000):  # a learner for each of the ten moves; the mean of what they learn is the expected change
        learners = stub.Learners(*(np.repeat(a[..., None], 10, axis=-1) for a in (w, w[:, 0], 0 * w, 0 * w[:, 0])))
        stub.learn(cfg, learners, moved, np.ones(10, bool))
        w = learners.w.mean(axis=-1)
    np.testing.assert_allclose(stub.sigmoid(w), expected, atol=1e-6)


def test_with_linear_units_the_vector_would_be_worth_no_more_than_the_scalar(monkeypatch):
    monkeypatch.setattr(stub, "predict", lambda w, phi: (w * phi[:, None]).sum(axis=0))
    monkeypatch.setattr(stub, "slope", np.ones_like)
    rng, learning = np.random.default_rng(3), np.ones(8, bool)
    vector, scalar = (stub.Config(critic=critic, learners=8) for critic in ("vector", "scalar"))
    one, state, _ = random_moves(vector, rng, 8)
    one.e[:] = one.e[:, :1]  # the trace of a linear unit does not depend on the unit
    two = stub.Learners(one.w.sum(axis=1, keepdims=True), one.v.copy(), one.e[:, :1].copy(), one.z.copy())
    for _ in range(30):
        uniform = rng.random(8)
        (state, moved), (_, moved_two) = (
            stub.act(cfg, learners.v, state, uniform) for cfg, learners in ((vector, one), (scalar, two))
        )
        stub.learn(vector, one, moved, learning)
        stub.learn(scalar, two, moved_two, learning)
        state = np.where(moved.failed, cart_pole.start(rng, 8), state)
    np.testing.assert_allclose(one.w.sum(axis=1), two.w[:, 0], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(one.v, two.v, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("critic", ("vector", "scalar"))
def test_the_mirrored_world_is_learnt_in_mirror_image(critic):
    cfg, rng, flip = stub.Config(critic=critic, learners=6), np.random.default_rng(4), np.array([-1, -1, -1, -1, 1])
    learners, state, uniform = random_moves(cfg, rng, 6)
    swapped = [1, 0, 3, 2] if critic == "vector" else [0]

    def mirrored(learners):
        """Left pains become right ones; the actor's preference turns round, its bias too."""
        w, v, e, z = learners
        w, e = (array[:, swapped] * flip[:, None, None] for array in (w, e))
        return stub.Learners(w, -v * flip[:, None], e, -z * flip[:, None])

    image = mirrored(learners)
    after, moved = stub.act(cfg, learners.v, state, uniform)
    after_image, moved_image = stub.act(cfg, image.v, -state, 1 - uniform)
    assert moved.failed[:4].all() and not moved.failed[4:].any()
    np.testing.assert_allclose(after_image, -after)
    for these, step in ((learners, moved), (image, moved_image)):
        stub.learn(cfg, these, step, np.ones(6, bool))
    for array, expected in zip(image, mirrored(learners), strict=True):
        np.testing.assert_allclose(array, expected, atol=1e-12)


def test_a_population_is_so_many_single_learners_and_who_has_finished_learns_no_more():
    cfg, rng = stub.Config(learners=6), np.random.default_rng(5)
    learners, state, uniform = random_moves(cfg, rng, 6)
    before = copied(learners)
    after, moved = stub.act(cfg, learners.v, state, uniform)
    stub.learn(cfg, learners, moved, np.arange(6) != 2)
    for n in range(6):
        single = stub.Learners(*(array[..., n : n + 1].copy() for array in before))
        alone, moved = stub.act(cfg, single.v, state[:, n : n + 1], uniform[n : n + 1])
        stub.learn(cfg, single, moved, np.ones(1, bool))
        np.testing.assert_array_equal(alone[:, 0], after[:, n])
        for array, stacked, initial in zip(single[:2], learners[:2], before[:2], strict=True):
            np.testing.assert_array_equal(stacked[..., n], (initial if n == 2 else array)[..., n if n == 2 else 0])
