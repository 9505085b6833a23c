"""Facts about binding by fast weights: gradients, the car park, a hand-built solution, and what memories store."""

from dataclasses import replace

import numpy as np
import pytest

import fast_weights_key_value as stub
import key_value_memory as kv

ONE_CAR = replace(stub.Config(), systems=2)
TWO_CARS = replace(stub.Config(), memory="fromto", cars=2, slots=3, bits=2, products=2, systems=2)


def frozen_steps(cfg, S, stream):
    """Half the summed squared error (N,) of frozen systems over a stream, and its gradient, step by step."""
    systems = stub.init(cfg, np.random.default_rng(0))._replace(S=S)
    total, gradient = np.zeros(len(S)), np.zeros_like(S)
    for x, slot, asked in zip(*stream, strict=True):
        systems = stub.write(cfg, systems, x)
        error, grad = stub.error_and_grad(cfg, systems, slot, asked)
        total += 0.5 * (error**2).sum(axis=1)
        gradient += grad
    return total, gradient, systems.w


@pytest.mark.parametrize("cfg", [ONE_CAR, TWO_CARS], ids=lambda cfg: cfg.memory)
def test_real_time_gradient_by_central_differences(cfg):
    rng = np.random.default_rng(1)
    S = rng.normal(0, 0.4, stub.init(cfg, rng).S.shape)
    stream = stub.drive(cfg, 40, cfg.leave, rng)
    _, gradient, w = frozen_steps(cfg, S, stream)
    np.testing.assert_allclose(stub.run_frozen(cfg, S, stream.x)[-1], w, atol=1e-4)
    for i, j in np.ndindex(S.shape[1:]):
        shift = np.zeros_like(S)
        shift[:, i, j] = 1e-5
        numeric = (frozen_steps(cfg, S + shift, stream)[0] - frozen_steps(cfg, S - shift, stream)[0]) / 2e-5
        np.testing.assert_allclose(gradient[:, i, j], numeric, atol=1e-6)


def test_cars_stay_as_long_as_they_should_and_detectors_and_questions_come_when_they_should():
    cfg = replace(TWO_CARS, systems=50)
    x, slot, asked = stub.drive(cfg, 2000, 0.25, np.random.default_rng(2))
    parked, before = slot >= 0, np.concatenate([np.full((1, 50, 2), -1), slot[:-1]])
    arrived = parked & (before < 0)
    assert (slot[parked & ~arrived] == before[parked & ~arrived]).all()  # nobody changes the slot
    detectors = x[..., :6].reshape(2000, 50, 2, 3)
    assert (detectors.sum(axis=3) == arrived).all()
    assert (detectors.argmax(axis=3)[arrived] == slot[arrived]).all()
    system = np.nonzero(asked >= 0)
    assert parked[(*system, asked[system])].all()
    for spells, steps in ((arrived.sum(), parked.sum()), ((~parked & (before >= 0)).sum(), (~parked).sum())):
        assert steps / spells == pytest.approx(4, abs=3 * np.sqrt(12 / spells))  # geometric: mean 4, variance 12
    for share, expected in ((x[..., 6:].mean(), 0.5), ((asked[parked.all(axis=2)] >= 0).mean(), 0.5)):
        assert share == pytest.approx(expected, abs=0.01)


def test_hand_built_slow_weights_bind_whatever_the_random_bits_and_whoever_parks():
    """A slot's detector makes its weight large and the others small; with several cars a product for every car."""
    S = np.zeros((2, 3, 6))
    S[:, :, :3] = 2 * np.eye(3) - 1
    stream = stub.drive(ONE_CAR, 3000, 0.02, np.random.default_rng(3))
    right, clean, _ = stub.test(ONE_CAR, S, stream)
    assert (right == 1).all() and (clean == 1).all()
    S = np.zeros((2, 2, 5, 8))
    for car in range(2):
        S[:, car, car, 3 * car : 3 * car + 3] = 1  # FROM
        S[:, car, 2:, 3 * car : 3 * car + 3] = 2 * np.eye(3) - 1  # TO
    right, clean, _ = stub.test(
        TWO_CARS, S.reshape(2, 10, 8), stub.drive(TWO_CARS, 3000, 0.02, np.random.default_rng(4))
    )
    assert (right == 1).all() and (clean == 1).all()


def test_renaming_the_slots_permutes_the_slow_weights():
    rng = np.random.default_rng(5)
    S, stream, order = rng.normal(0, 0.4, (2, 3, 6)), stub.drive(ONE_CAR, 60, 0.25, rng), [2, 0, 1]
    columns = [*order, 3, 4, 5]
    renamed = stream._replace(x=stream.x[..., columns], slot=np.argsort([*order, 3])[stream.slot])
    renamed.slot[stream.slot < 0] = -1
    total, gradient, _ = frozen_steps(ONE_CAR, S, stream)
    total_renamed, gradient_renamed, _ = frozen_steps(ONE_CAR, S[:, order][:, :, columns], renamed)
    np.testing.assert_allclose(total_renamed, total, rtol=1e-12)
    np.testing.assert_allclose(gradient_renamed, gradient[:, order][:, :, columns], atol=1e-12)


METHODS = [kv.Method(kind, sweeps) for kind in ("identity", "unit", "dpfp") for sweeps in (0, 1, 3)]


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_gradient_through_the_memory_by_central_differences(method):
    rng = np.random.default_rng(6)
    episodes, P = kv.sample(kv.draw_bias(rng), 4, 3, rng), rng.normal(0, 0.5, (kv.D, kv.D))
    loss, grad = kv.loss_and_grad(method, P, episodes)
    assert loss == pytest.approx(((kv.retrieve(method, P, episodes) - episodes.v) ** 2).sum() / 12)
    for place in ((0, 0), (1, 5), (7, 2), (4, 4), (3, 6)):
        shift = np.zeros_like(P)
        shift[place] = 1e-6
        up, down = (kv.loss_and_grad(method, P + s, episodes)[0] for s in (shift, -shift))
        assert grad[place] == pytest.approx((up - down) / 2e-6, rel=1e-5, abs=1e-6)


def test_memories_are_those_of_outer_products_written_one_by_one():
    rng = np.random.default_rng(7)
    k, v = kv.sample(kv.draw_bias(rng), 5, 1, rng)
    f, _ = kv.features("dpfp", k)
    for sweeps in (0, 1, 4):
        W = np.zeros((kv.D, f.shape[2]))
        for _ in range(max(1, sweeps)):
            for f_i, v_i in zip(f[0], v[0], strict=True):
                W += np.outer(v_i - (W @ f_i if sweeps else 0), f_i)
        np.testing.assert_allclose(
            kv.retrieve(kv.Method("dpfp", sweeps), np.eye(kv.D), kv.Episodes(k, v))[0], f[0] @ W.T
        )
    orthonormal = kv.Episodes(np.eye(kv.D)[None, :5], v)
    for sweeps in (0, 1):
        np.testing.assert_allclose(kv.retrieve(kv.Method("unit", sweeps), np.eye(kv.D), orthonormal), v, atol=1e-12)
    f, _ = kv.features("unit", rng.normal(size=(1, 5, kv.D)))
    C, _ = kv.write(f @ f.transpose(0, 2, 1), v, 3000)
    np.testing.assert_allclose(C[0].T @ f[0], v[0].T @ np.linalg.pinv(f[0].T), atol=1e-8)  # W = V K^+
