"""Oracles of noise-free-long-lag: facts that need no training."""

import numpy as np
import pytest

import noise_free_long_lag as stub
from bare_cell import bare_errors, bare_forward
from memory_cell import truncated

ALPHABET_2C = {"task": "2c", "p": 7, "q": 12, "batch": 3}


def logistic(z):
    return 1 / (1 + np.exp(-z))


def drawn(cfg: stub.Config, seed: int) -> tuple[dict[str, np.ndarray], stub.Batch]:
    """Initial weights in float64, made ten times as large so that nothing is nearly linear, and a batch."""
    rng = np.random.default_rng(seed)
    return {name: 10 * p.astype(float) for name, p in stub.init(cfg, rng).items()}, stub.sample(cfg, rng)


def test_the_papers_nets_have_the_papers_numbers_of_weights():
    def weights(**config):
        return sum(p.size for p in stub.init(stub.Config(**config), np.random.default_rng(0)).values())

    assert weights(p=100) == weights(task="2b", p=100) == 10504  # table 2
    assert [weights(task="2c", p=p) for p in (50, 100, 200, 500, 1000)] == [364, 664, 1264, 3064, 6064]  # table 3


def test_2a_has_two_sequences_and_2b_many():
    rng = np.random.default_rng(1)
    a = stub.sample(stub.Config(p=6, batch=200), rng)
    assert {tuple(s) for s in np.vstack((a.symbols, a.target[-1:])).T} == {(5, 0, 1, 2, 3, 4, 5), (6, 0, 1, 2, 3, 4, 6)}
    assert np.array_equal(a.target[:-1], a.symbols[1:]) and np.array_equal(a.at[:, 0], np.arange(6))
    b = stub.sample(stub.Config(task="2b", p=6, batch=2000), rng)
    assert set(b.symbols[0]) == {5, 6} and np.array_equal(b.target[0], b.symbols[0]) and (b.at == 5).all()
    assert np.allclose(np.bincount(b.symbols[1:].ravel()) / 10000, 1 / 5, atol=0.02)  # no x, no y


def test_2c_sequences_are_those_of_the_text():
    cfg = stub.Config(task="2c", p=9, q=20, batch=4000)
    batch = stub.sample(cfg, np.random.default_rng(2))
    e, b, x, y = range(9, 13)
    for symbols, at, target in zip(batch.symbols.T, batch.at[0], batch.target[0], strict=True):
        assert symbols[0] == b and symbols[1] == (x, y)[target] and symbols[at] == e
        assert at >= 2 + cfg.q and (symbols[2:at] < e).all()
    # The paper writes q + 14, but its sum, 4 + sum of 0.1 * 0.9^k (q + k), is q + 13.
    assert abs(np.mean(batch.at + 2) - (cfg.q + 13)) < 0.5
    assert abs(np.mean(batch.at == 2 + cfg.q) - 0.1) < 0.02 and abs(batch.target.mean() - 0.5) < 0.03
    assert np.allclose(np.bincount(batch.symbols[2:22].ravel())[:9] / (20 * 4000), 1 / 9, atol=0.01)


def test_bare_cell_is_the_loop_over_time():
    rng = np.random.default_rng(3)
    z, dy = rng.normal(0, 2, (40, 4, 3)), rng.normal(size=(40, 2, 3))
    s, states = np.zeros((2, 3)), []
    for z_t in z:
        s = s + logistic(z_t[:2]) * (4 * logistic(z_t[2:]) - 2)
        states.append(s)
    trace = bare_forward(z)
    np.testing.assert_allclose(trace.y[1:], states, rtol=0, atol=1e-12)
    dz, shift = bare_errors(z, trace, dy), 1e-6 * rng.normal(size=z.shape)
    change = np.vdot(dy, bare_forward(z + shift).y[1:] - bare_forward(z - shift).y[1:]) / 2
    assert np.isclose(np.vdot(dz, shift), change, rtol=1e-6)


def test_truncated_gradient_is_the_papers_step_by_step_rule():
    """Appendix A.1: carry ds/dw forward for both cells, one sequence at a time, with one-hot inputs."""
    cfg = stub.Config(**ALPHABET_2C)
    params, batch = drawn(cfg, 4)
    W, V, S = np.hstack((params["I"].T, params["U"])), params["V"], len(params["I"])
    right = np.zeros_like(W)
    for b in range(cfg.batch):
        u, s, ds = np.zeros(S + 6), np.zeros(2), np.zeros((2, *W.shape))
        for t in range(batch.at[0, b] + 1):
            u[:S] = np.arange(S) == batch.symbols[t, b]
            z = W @ u
            out, in_, g = logistic(z[:2]), logistic(z[2:4]), 4 * logistic(z[4:]) - 2
            for c in range(2):
                ds[c, 2 + c] += g[c] * in_[c] * (1 - in_[c]) * u
                ds[c, 4 + c] += in_[c] * (1 - g[c] ** 2 / 4) * u
            s = s + in_ * g
            h, last = 2 * logistic(s) - 1, u.copy()
            u[S : S + 2], u[S + 2 : S + 4], u[S + 4 :] = out * h, out, in_
        e = V.T @ (logistic(V @ u[S : S + 2]) - np.eye(2)[batch.target[0, b]]) / cfg.batch
        for c in range(2):
            right += e[c] * out[c] * (1 - h[c] ** 2) / 2 * ds[c]
            right[c] += e[c] * h[c] * out[c] * (1 - out[c]) * last
    _, grads = stub.error_and_grad(cfg, params, batch, truncated)
    np.testing.assert_allclose(np.hstack((grads["I"].T, grads["U"])), right, rtol=1e-8, atol=1e-10)
    params["U"][:] = 0  # without recurrent weights truncation changes nothing
    full, cut = stub.loss_and_grad(cfg, params, batch)[1], stub.error_and_grad(cfg, params, batch, truncated)[1]
    np.testing.assert_allclose(cut["I"], full["I"], rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("K", [1, 5])
def test_sums_by_symbol_are_the_product_with_one_hot_vectors(K):
    rng = np.random.default_rng(5)
    symbols, values = rng.integers(11, size=(30, 4)), rng.normal(size=(30, 4, K))
    one_hot = symbols[..., None] == np.arange(13)  # symbols 11 and 12 do not occur
    dense = np.tensordot(one_hot, values, ((0, 1), (0, 1)))
    np.testing.assert_allclose(stub.sum_by_symbol(symbols, values, 13), dense, rtol=1e-12, atol=1e-12)


def test_a_net_built_by_hand_holds_x_or_y_for_10000_steps():
    """The gates are shut for all but x and y, which charge the first cell to opposite sides; e opens the output."""
    cfg = stub.Config(task="2c", p=5, q=10_000)
    I, U = np.zeros((9, 6)), np.zeros((6, 6))
    I[:, 2:4] = -30  # input gates
    I[7:, 2] = 30
    I[7, 4], I[8, 4] = 30, -30  # g is 2 for x, -2 for y
    I[:, 0], I[5, 0] = -30, 30  # output gate
    V = np.array([[9.0, 0], [-9, 0]])
    test = stub.sample(cfg, np.random.default_rng(6), np.arange(4) % 2)
    metrics = stub.evaluate(cfg, {"I": I, "U": U, "V": V}, [test])
    assert metrics["wrong"] == 0 and metrics["error"] < 0.01
