"""Oracles of linear-transformers-fwp: facts about the memories and the settings that need no training."""

import numpy as np
import pytest

import biased_keys
import linear_attention as memory
import linear_transformers_fwp as stub

MAPS = [("elu", 1), ("dpfp", 1), ("dpfp", 3)]


def problem(seed: int, S: int = 7, B: int = 3, T: int = 15):
    """Random keys, queries, write strengths and sequences."""
    rng = np.random.default_rng(seed)
    k, q = rng.normal(size=(2, S, 16))
    return k, q, rng.uniform(size=S), *rng.integers(S, size=(2, B, T))


@pytest.mark.parametrize(("phi", "nu"), MAPS)
def test_rules_without_a_loop_equal_the_memory_programmed_step_by_step(phi, nu):
    k, q, beta, keys, values = problem(0)
    phi_k, phi_q = memory.features(phi, nu, k)[0], memory.features(phi, nu, q)[0]
    f_k, f_q = memory.normalise(phi_k)[0], memory.normalise(phi_q)[0]
    delta = memory.delta_rule(f_k, f_q, beta, keys, values)[0]
    summed = memory.sum_rule(phi_q @ phi_k.T, keys, values)[0]
    for b in range(len(keys)):
        v = np.eye(7)[values[b]]
        *_, W = memory.fast_weights(f_k[keys[b]], v, beta[keys[b]])
        np.testing.assert_allclose(delta[b], f_q @ W.T, atol=1e-10)
        *_, W = memory.fast_weights(phi_k[keys[b]], v)
        z = phi_k[keys[b]].sum(axis=0)
        np.testing.assert_allclose(summed[b], phi_q @ W.T / (phi_q @ z)[:, None], atol=1e-6)
    assert max(gap.max() for gap in memory.equivalence(np.random.default_rng(1)).values()) < 1e-12


def test_delta_rule_overwrites_orthonormal_keys_exactly():
    f, one_hot = np.linalg.qr(np.random.default_rng(2).normal(size=(6, 6)))[0], np.eye(6)
    keys, values = np.array([0, 1, 2, 1, 1, 0]), np.array([3, 4, 5, 2, 2, 0])
    *Ws, W = memory.fast_weights(f[keys], one_hot[values], np.ones(6))
    np.testing.assert_allclose(f[:3] @ W.T, one_hot[[0, 2, 5]], atol=1e-12)
    np.testing.assert_allclose(Ws[3], Ws[4], atol=1e-12)  # the same pair once more changes nothing
    assert all(np.all(W == 0) for W in memory.fast_weights(f[keys], one_hot[values], np.zeros(6)))
    final = memory.replay(f, f, np.ones(6), keys, values)[-1]
    np.testing.assert_allclose(final[:3], 0, atol=1e-12)
    assert np.isnan(final[3:]).all()


@pytest.mark.parametrize(("phi", "nu"), MAPS)
def test_no_parameters_beat_the_rank_bound_and_the_pairing_drops_out(phi, nu):
    rng = np.random.default_rng(3)
    for S in (2, 20, 60):
        cfg = stub.Config(setting="unique", phi=phi, nu=nu, d_key=4, S=str(S))
        params = {name: rng.normal(0, 3, (S, 4)) for name in "kq"}
        batch = stub.sample(cfg, rng)
        loss = stub.loss_and_grad(cfg, params, batch)[0]
        assert loss >= cfg.rank_bound
        assert cfg.rank_bound == max(0, 0.5 * (1 - {"elu": 4, "dpfp": 8 * nu}[phi] / S))
        y = memory.sum_rule(stub.scores(cfg, params)[0], *batch)[0]
        assert memory.answer_loss(y, *batch)[0] == pytest.approx(loss, abs=1e-12)


def test_feature_maps():
    x = np.random.default_rng(4).normal(size=(50, 8))
    for nu in (1, 2, 3):
        phi = memory.features("dpfp", nu, x)[0]
        assert phi.shape == (50, 16 * nu) and phi.min() >= 0
        assert (phi > 0).sum(axis=1).max() <= 8 * nu
        np.testing.assert_allclose(memory.features("dpfp", nu, 3 * x)[0], 9 * phi, rtol=1e-12)
    np.testing.assert_array_equal(memory.features("dpfp", 1, np.array([[1.0, 2.0]]))[0], [[0, 2, 0, 0]])
    assert memory.features("elu", 1, 5 * x)[0].min() > 0


def test_wanted_values_are_those_of_a_dictionary():
    keys, values = np.random.default_rng(5).integers(9, size=(2, 40, 12))
    wanted = memory.last_values(keys, values, 9)
    for b in range(40):
        assert {k: v for k, v in enumerate(wanted[b]) if v >= 0} == dict(zip(keys[b], values[b], strict=True))


def test_floor_of_the_sum_rule_is_the_loss_with_perfect_keys():
    S, rng = 20, np.random.default_rng(6)
    for length in (S, 2 * S):
        batch = stub.sample(stub.Config(), rng, 20_000, length)
        y = memory.sum_rule(np.eye(S), *batch)[0]
        assert memory.answer_loss(y, *batch)[0] == pytest.approx(memory.sum_rule_floor(S, length), rel=0.01)
    assert memory.sum_rule_floor(20, 20) == pytest.approx(0.108, abs=5e-4)


def test_sweeps_equal_the_memory_programmed_step_by_step():
    rng = np.random.default_rng(7)
    k, v = rng.normal(size=(2, 3, 6, 4))
    P = rng.normal(size=(4, 4))
    G = biased_keys.overlaps(P, k)[0]
    f = k @ P.T / np.linalg.norm(k @ P.T, axis=2, keepdims=True)
    for sweeps in (1, 3):
        Y = G @ biased_keys.delta_sweeps(G, v, 0.7, sweeps)[0]
        for b in range(3):
            pairs = np.tile(f[b], (sweeps, 1)), np.tile(v[b], (sweeps, 1))
            *_, W = memory.fast_weights(*pairs, np.full(6 * sweeps, 0.7))
            np.testing.assert_allclose(Y[b], f[b] @ W.T, atol=1e-12)


def test_all_rules_are_exact_under_orthonormal_keys_and_many_sweeps_under_independent_ones():
    rng = np.random.default_rng(8)
    v, k = rng.normal(size=(2, 1, 5, 5))
    params = biased_keys.init(5, learned=False)
    orthonormal = biased_keys.Episodes(np.linalg.qr(k)[0], v)
    for name in ("sum", "once", "delta"):
        assert biased_keys.retrieve(params, orthonormal, 5, name)[0] == pytest.approx(1, abs=1e-12)
    independent = biased_keys.Episodes(np.eye(5) + 0.1 * k, v)
    assert biased_keys.retrieve(params, independent, 100, "delta")[0] == pytest.approx(1, abs=1e-12)
    assert biased_keys.retrieve(params, independent, 100, "once")[0] < 0.999


@pytest.mark.parametrize("beta", ["one", "learned"])
def test_gradient_under_biased_keys(beta):
    cfg, rng = stub.Config(setting="biased", S="6", d_key=4, batch=3, beta=beta, sweeps=3), np.random.default_rng(9)
    batch = stub.sample(cfg, rng)
    params = {name: p + 0.3 * rng.normal(size=p.shape) for name, p in stub.init(cfg, rng).items()}
    grads = stub.loss_and_grad(cfg, params, batch)[1]
    assert grads.keys() == params.keys()
    for name, p in params.items():
        for place in np.ndindex(p.shape):
            losses = []
            for eps in (1e-5, -1e-5):
                moved = p.copy()
                moved[place] += eps
                losses.append(stub.loss_and_grad(cfg, params | {name: moved}, batch)[0])
            assert (losses[0] - losses[1]) / 2e-5 == pytest.approx(grads[name][place], abs=1e-8)
