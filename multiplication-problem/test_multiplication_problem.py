"""Oracles of multiplication-problem: facts that need no training."""

from dataclasses import replace

import numpy as np

import multiplication_problem as stub
from memory_cell import truncated

HEADLINE = stub.Config()
PAPER = stub.Config(**stub.PRESETS["paper_literal"])


def test_the_papers_net_has_93_weights():
    assert sum(p.size for p in stub.init(PAPER, np.random.default_rng(0)).values()) == 93


def test_sequences_are_those_of_the_text():
    """Follow sections 5.4 and 5.5 sequence by sequence."""
    T, count = 40, 1000
    batch = stub.sample(replace(HEADLINE, lag=T), np.random.default_rng(1), count)
    for b in range(count):
        value, mark, end = batch.x[:, 0, b], batch.x[:, 1, b], batch.length[b]
        marked = np.flatnonzero(mark == 1)
        assert T <= end <= T + T // 10 and len(marked) == 2
        assert marked[0] < 10 and marked[1] <= T // 2 - 1  # so the lag to the end is at least T/2
        assert mark[end - 1] == -1 and (marked[0] == 0 or mark[0] == -1)
        assert set(np.delete(mark[1 : end - 1], marked[marked > 0] - 1)) == {0}
        X1, X2 = (1 if k == 0 else value[k] for k in marked)
        assert np.isclose(batch.target[b], X1 * X2) and sorted(batch.values[:, b]) == sorted((X1, X2))
    assert batch.x[:, 0].min() >= 0 and batch.x[:, 0].max() <= 1


def test_constants_of_the_task():
    """Errors of the best constant and of the best sum a + b X1 + c X2."""
    batch = stub.sample(HEADLINE, np.random.default_rng(2), 50_000)
    plain = batch.values.max(axis=0) < 1  # the first pair is not marked
    target, values = batch.target[plain], batch.values[:, plain]
    assert abs(target.var() - (1 / 9 - 1 / 16)) < 0.001
    assert abs(batch.target.var() - 0.0595) < 0.001
    sums = np.column_stack((np.ones(len(target)), *values))
    rest = target - sums @ np.linalg.lstsq(sums, target, rcond=None)[0]
    assert abs(np.mean(rest**2) - 1 / 144) < 0.0003


def test_errors_of_a_net_that_says_a_quarter_whatever_it_reads():
    params = {name: np.zeros_like(p) for name, p in stub.init(HEADLINE, np.random.default_rng(0)).items()}
    params["c"][:] = -np.log(3)
    n = HEADLINE.tests
    metrics, output, _ = stub.evaluate(HEADLINE, params, stub.sample(HEADLINE, np.random.default_rng(3), n))
    np.testing.assert_allclose(output, 0.25, rtol=1e-6)
    assert 0.88 < metrics["wrong"] / n < 0.92
    # Outputs and targets are in [0, 1], so the number wrong bounds the MSE; the figures of table 8 break the bound.
    assert metrics["mse"] <= 0.0016 + metrics["wrong"] / n
    assert 0.0139 > 0.0016 + 14 / 2560 > 0.0139**2


def test_truncated_gradient_is_the_papers_step_by_step_rule():
    """Appendix A.1: carry ds/dw forward for every cell, one sequence at a time."""
    cfg = replace(PAPER, lag=24, batch=3, in_bias=-1.0)
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
        o = 1 / (1 + np.exp(-V @ u[3:7] - params["c"][0]))
        e = (o - batch.target[b]) * o * (1 - o) / cfg.batch
        for c in range(4):
            right += e * V[c] * out[c // 2] * (1 - h[c] ** 2) / 2 * ds[c]
            right[c // 2] += e * V[c] * h[c] * out[c // 2] * (1 - out[c // 2]) * last
    _, grads = stub.error_and_grad(cfg, params, batch, truncated)
    np.testing.assert_allclose(grads["W"], right, rtol=1e-9, atol=1e-14)


def test_without_recurrent_weights_truncation_changes_nothing():
    cfg = replace(PAPER, lag=24)
    rng = np.random.default_rng(4)
    params = {name: p.astype(float) for name, p in stub.init(cfg, rng).items()}
    params["W"][:, 3:] = 0
    batch = stub.sample(cfg, rng)
    full, cut = stub.loss_and_grad(cfg, params, batch)[1], stub.error_and_grad(cfg, params, batch, truncated)[1]
    np.testing.assert_allclose(cut["W"], full["W"], rtol=1e-8, atol=1e-15)
