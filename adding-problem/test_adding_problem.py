"""Oracles of adding-problem: facts that need no training."""

from dataclasses import replace

import numpy as np
import pytest

import adding_problem as stub
from memory_cell import truncated

PAPER = stub.Config()


def test_the_papers_net_has_93_weights():
    params = stub.init(PAPER, np.random.default_rng(0))
    assert sum(p.size for p in params.values()) == 93
    assert params["W"][2:4, 0].tolist() == [-3, -6]


def test_sequences_are_those_of_the_text():
    """Follow section 5.4 sequence by sequence."""
    T, count = 40, 4000
    batch = stub.sample(replace(PAPER, lag=T), np.random.default_rng(1), count)
    firsts = 0
    for b in range(count):
        value, mark, end = batch.x[:, 0, b], batch.x[:, 1, b], batch.length[b]
        marked = np.flatnonzero(mark == 1)
        assert T <= end <= T + T // 10 and len(marked) == 2
        assert marked[0] < 10 and marked[1] <= T // 2 - 1  # so the lag to the end is at least T/2
        assert mark[end - 1] == -1 and (marked[0] == 0 or mark[0] == -1)
        assert set(np.delete(mark[1 : end - 1], marked[marked > 0] - 1)) == {0}
        assert np.isclose(batch.target[b], 0.5 + sum(value[k] for k in marked if k > 0) / 4)
        firsts += marked[0] == 0
    assert np.abs(batch.x[:, 0]).max() <= 1
    # The first mark falls on the first pair in 1 of 10 sequences, the second in 1 of 19 of the others.
    assert abs(firsts / count - (0.1 + 0.9 / 19)) < 0.02


def test_predicting_the_mean_is_chance():
    batch = stub.sample(PAPER, np.random.default_rng(2), 100_000)
    error = batch.target - 0.5
    first_pair = 0.1 + 0.9 / 49  # probability that the first pair is marked and one value counts as 0
    assert abs(np.mean(error**2) - (2 - first_pair) / 48) < 5e-4
    assert 0.83 < np.mean(np.abs(error) >= 0.04) < 0.85


def test_truncated_gradient_is_the_papers_step_by_step_rule():
    """Appendix A.1: carry ds/dw forward for every cell, one sequence at a time."""
    cfg = replace(PAPER, lag=24, batch=3, in_bias=-1.0, in_bias_step=-0.5)
    rng = np.random.default_rng(3)
    params = {name: p.astype(float) for name, p in stub.init(cfg, rng).items()}
    batch, W, V = stub.sample(cfg, rng), params["W"], params["V"]
    right = np.zeros_like(W)
    for b in range(cfg.batch):
        u, s, ds = np.zeros(11), np.zeros(4), np.zeros((4, *W.shape))
        u[0] = 1
        for t in range(batch.length[b]):
            u[1:3] = batch.x[t, :, b]
            z = W @ u
            out, in_ = 1 / (1 + np.exp(-z[:2])), 1 / (1 + np.exp(-z[2:4]))
            g = 4 / (1 + np.exp(-z[4:])) - 2
            for c in range(4):
                ds[c, 2 + c // 2] += g[c] * in_[c // 2] * (1 - in_[c // 2]) * u
                ds[c, 4 + c] += in_[c // 2] * (1 - g[c] ** 2 / 4) * u
                s[c] += in_[c // 2] * g[c]
            h, last = 2 / (1 + np.exp(-s)) - 1, u.copy()
            u[3:7], u[7:9], u[9:11] = np.repeat(out, 2) * h, out, in_
        error = (V @ u[3:7] + params["c"][0] - batch.target[b]) / cfg.batch
        for c in range(4):
            right += error * V[c] * out[c // 2] * (1 - h[c] ** 2) / 2 * ds[c]
            right[c // 2] += error * V[c] * h[c] * out[c // 2] * (1 - out[c // 2]) * last
    _, grads = stub.error_and_grad(cfg, params, batch, truncated)
    np.testing.assert_allclose(grads["W"], right, rtol=1e-6, atol=1e-12)  # inputs are rounded to float32


@pytest.mark.parametrize("cells", [1, 2])
def test_without_recurrent_weights_truncation_changes_nothing(cells):
    cfg = replace(PAPER, lag=24, cells=cells)
    rng = np.random.default_rng(4)
    params = {name: p.astype(float) for name, p in stub.init(cfg, rng).items()}
    params["W"][:, 3:] = 0
    batch = stub.sample(cfg, rng)
    full, cut = stub.loss_and_grad(cfg, params, batch)[1], stub.error_and_grad(cfg, params, batch, truncated)[1]
    np.testing.assert_allclose(cut["W"], full["W"], rtol=1e-8, atol=1e-15)


def test_a_net_built_by_hand_solves_the_task():
    """One cell: the input gate opens on a mark, but not at the first step, when the output gate was not yet open."""
    cfg = replace(PAPER, blocks=1, cells=1)
    W = np.zeros((3, 6))  # rows out, in, g; columns 1, value, mark, y, out, in
    W[0, 0] = 10
    W[1, [0, 2, 4]] = -30, 20, 20
    W[2, 1] = 0.1  # g = 0.1 value, nearly linear; h(s) = s / 2
    params = {"W": W, "V": np.array([5.0]), "c": np.array([0.5])}
    test = stub.sample(cfg, np.random.default_rng(5), 2560)
    metrics, output, _ = stub.evaluate(cfg, params, test)
    assert metrics["wrong"] == 0 and np.abs(output - test.target).max() < 0.01
    assert metrics["state_drift"] < 1e-5
