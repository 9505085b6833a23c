"""Oracles of flip-flop: facts about the world and the gradients that need no training."""

import numpy as np

import flip_flop as stub


def small_life(seed: int):
    """Nets with 4 hidden units, a world of 7 steps and 3 episodes, and what C did in it."""
    rng = np.random.default_rng(seed)
    cfg = stub.Config(hidden=4)
    C, M = stub.init(cfg, rng), stub.init(cfg, rng)
    world = stub.sample(rng, 7, 3, 0.2, 0.2, 0.2)
    noise = rng.normal(0, 0.4, (7, 3))
    life = stub.live(C, world, noise)
    return C, M, world, noise, life, stub.model_inputs(world, life.action, life.pain)


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


def test_gradient_of_the_model():
    _, M, _, _, life, inputs = small_life(0)
    expected = numeric(lambda: 0.5 * np.mean((stub.predict(M, inputs)[1] - life.pain) ** 2), M)
    for name, grad in stub.model_grad(M, inputs, *stub.predict(M, inputs), life.pain).items():
        np.testing.assert_allclose(grad, expected[name], atol=1e-9)


def test_gradient_of_the_controller_through_the_model():
    """Only the action varies in M, at its own step; in C the last action does too, while pain is data."""
    C, M, world, noise, life, inputs = small_life(1)
    earlier = np.concatenate([np.zeros_like(life.h[:1]), stub.predict(M, inputs)[0][:-1]])

    def predicted_pain() -> float:
        h, action, total = np.zeros((3, 4)), np.zeros(3), 0.0
        for t in range(7):
            x = life.x[t].copy()
            x[:, stub.ACTION] = action
            h = np.tanh(x @ C["W"] + h @ C["U"])
            action = stub.sigmoid(h @ C["w"] + C["c"]) + noise[t]
            seen = inputs[t].copy()
            seen[:, stub.ACTION] = action
            total += stub.sigmoid(np.tanh(seen @ M["W"] + earlier[t] @ M["U"]) @ M["w"] + M["c"]).sum()
        return total / noise.size

    expected = numeric(predicted_pain, C)
    slope = stub.pain_slope(M, *stub.predict(M, inputs))
    for name, grad in stub.controller_grad(C, life, slope).items():
        np.testing.assert_allclose(grad, expected[name], atol=1e-9)


def test_world_against_a_recogniser():
    world = stub.sample(np.random.default_rng(2), 3000, 20, 0.1, 0.15, 0.25)
    np.testing.assert_allclose(world.events.mean(axis=(0, 1)), [0.1, 0.15, 0.25], atol=0.01)
    assert world.events.sum(axis=2).max() == 1
    for b in range(20):
        story = "".join("ABX"[int(e.argmax())] if e.any() else "." for e in world.events[:, b])
        for t in range(0, 3000, 7):
            last_a, last_b = story.rfind("A", 0, t + 1), story.rfind("B", 0, t + 1)
            assert world.d[t, b] == (last_b > last_a)
            assert max(last_a, last_b) == -1 or world.since[t, b] == t - max(last_a, last_b)
            assert max(last_a, last_b) >= 0 or world.since[t, b] > 3000


def test_pain_depends_on_the_action_of_its_step_alone():
    C, _, world, noise, life, _ = small_life(3)
    noise[2] += 0.1
    again = stub.hurt(life.action + (np.arange(7) == 2)[:, None] * 0.1, world.d)
    np.testing.assert_array_equal(np.delete(again, 2, axis=0), np.delete(life.pain, 2, axis=0))
    assert (again[2] != life.pain[2]).all()
    later = stub.live(C, world, noise)  # C itself reacts to what it did
    np.testing.assert_array_equal(later.action[:2], life.action[:2])
    assert (later.action[3] != life.action[3]).all()


def test_hand_made_latch_solves_the_test_streams_and_pain_is_not_needed():
    cfg = stub.Config(tests=4, test_steps=400)
    C = {name: np.zeros_like(w) for name, w in stub.init(cfg, np.random.default_rng(4)).items()}
    C["W"][:2, 0], C["W"][3, 1], C["U"][0, 0], C["w"][0] = (-6, 6), 1, 3, 8
    C["U"][1, 0] = -0.2  # a constant pull: no event yet means 0
    assert stub.right(cfg, C, stub.test_world(cfg, np.random.default_rng(5))).mean() > 0.999


def test_memoryless_controller_repeats_itself():
    C, _, world, _, _, _ = small_life(6)
    C["U"][:] = 0
    life = stub.live(C, world, memoryless=True)
    assert np.all(life.x[..., stub.LAST_PAIN :] == 0)
    for kind in np.unique(world.events.reshape(-1, 3), axis=0):
        same = (world.events == kind).all(axis=2)
        assert np.ptp(life.y[same]) < 1e-12
