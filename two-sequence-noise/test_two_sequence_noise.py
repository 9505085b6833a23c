"""Oracles of two-sequence-noise: facts that need no training."""

from dataclasses import replace
from math import erf, log, sqrt

import numpy as np
import pytest

import two_sequence_noise as stub
from memory_cell import truncated
from weight_guessing import as_params, judge

PAPER = stub.Config()


def test_the_papers_net_has_102_weights():
    params = stub.init(PAPER, np.random.default_rng(0))
    assert sum(p.size for p in params.values()) == 102
    assert params["W"].shape == (9, 1 + 1 + 3 + 6) and set(params) == {"W", "V"}
    assert params["W"][:6, 0].tolist() == [-2, -4, -6, -1, -3, -5]


@pytest.mark.parametrize(("task", "target_variance"), [("3a", 0), ("3b", 0), ("3c", 0.1)])
def test_sequences_have_the_moments_of_the_text(task, target_variance):
    batch = stub.sample(replace(PAPER, task=task, lag=40), np.random.default_rng(1), 20_000)
    first, rest = batch.x[:3, 0], batch.x[3:, 0]
    class_1 = batch.clean == stub.TASKS[task].targets[0]
    assert abs(class_1.mean() - 0.5) < 0.015
    assert batch.length.min() == 40 and np.all(abs(np.bincount(batch.length)[40:] - 4000) < 250)
    assert abs(rest.var() / 0.2 - 1) < 0.01 and abs(rest.mean()) < 0.002
    signal = np.where(class_1, 1, -1)
    assert abs((first * signal).mean() - 1) < 0.01
    assert np.isclose((first - signal).var(), 0.2 if task == "3b" else 0, atol=0.005)
    assert np.abs((rest * signal).mean(axis=1)).max() < 4.5 * sqrt(0.2 / 20_000)
    noise = batch.target - batch.clean
    assert abs(noise.var() - target_variance) < 0.005 and abs(noise.mean()) < 0.01


@pytest.mark.parametrize("N", [1, 3])
def test_noise_on_the_signal_sets_limits_to_task_3b(N):
    """A sum x of the first values has log odds 2 x / 0.2; the least squares answer p is wrong, too, below 0.8."""
    cfg, task = replace(PAPER, task="3b", informative=N, lag=3), stub.TASKS["3b"]
    batch = stub.sample(cfg, np.random.default_rng(2), 400_000)
    p = stub.sigmoid(10 * batch.x[:N, 0].sum(axis=0))
    score = stub.rate_outputs(task, p, batch.clean)

    def below(x: float) -> float:  # distribution of the sum of the first values in class 1
        return (1 + erf((x - N) / sqrt(2 * N * 0.2))) / 2

    for share, limit in ((1 - score["side"], below(0)), (score["wrong"], below(log(4) / 10))):
        assert abs(share - limit) < 4 * sqrt(limit / 400_000)
    if N == 1:
        assert np.allclose((below(0), below(log(4) / 10)), (0.0127, 0.0270), atol=1e-4)


def test_the_best_constant_answers_of_task_3c_are_the_clean_targets():
    batch, task = stub.sample(replace(PAPER, lag=3), np.random.default_rng(3), 100_000), stub.TASKS["3c"]
    for target in (0.2, 0.8):
        assert abs(batch.target[batch.clean == target].mean() - target) < 0.006
    constant = stub.rate_outputs(task, np.full(100_000, 0.5), batch.clean)
    assert constant["wrong"] == 1 and abs(constant["distance"] - 0.3) < 1e-9
    assert stub.rate_outputs(task, np.array([0.51, 0.49, 0.51]), np.array([0.8, 0.2, 0.8]))["side"] == 1


@pytest.mark.parametrize(
    ("task", "clean", "wrong", "allowed", "mean"),
    [("3a", 1, 0.2, 0, 0.01), ("3b", 0, 0.2, 5, 0.04), ("3c", 0.8, 0.1, 0, 0.015)],
)
def test_stop_rules_at_their_edges(task, clean, wrong, allowed, mean):
    def rules(error: float, how_many_wrong: int) -> tuple[bool, bool]:
        errors = np.full(256, error)
        errors[:how_many_wrong] = wrong + 1e-6
        output = clean + errors * np.random.default_rng(4).choice([-1, 1], 256)
        return stub.stop_rules(stub.TASKS[task], output, np.full(256, clean))

    assert rules(mean - 0.001 - allowed * 0.2 / 256, allowed) == (True, True)
    assert rules(mean + 0.001, allowed) == (True, False)
    assert rules(0.0, allowed + 1) == (False, False)
    assert (
        stub.rate_outputs(stub.TASKS[task], np.array([clean + wrong - 1e-6] * 3 + [clean - wrong - 1e-6]), clean)[
            "wrong"
        ]
        == 0.25
    )


def test_truncated_gradient_is_the_papers_step_by_step_rule():
    """Appendix A.1: carry ds/dw forward for every cell, one sequence at a time."""
    cfg = replace(PAPER, loss="squared", lag=24, batch=3)
    rng = np.random.default_rng(5)
    params = {name: p.astype(float) for name, p in stub.init(cfg, rng).items()}
    params["W"][:, 1:] *= 10
    batch, W, V = stub.sample(cfg, rng), params["W"], params["V"]
    right = np.zeros_like(W)
    for b in range(cfg.batch):
        u, s, ds = np.zeros(11), np.zeros(3), np.zeros((3, *W.shape))
        u[0] = 1
        for t in range(batch.length[b]):
            u[1] = batch.x[t, 0, b]
            z = W @ u
            out, in_, g = 1 / (1 + np.exp(-z[:3])), 1 / (1 + np.exp(-z[3:6])), 4 / (1 + np.exp(-z[6:])) - 2
            for c in range(3):
                ds[c, 3 + c] += g[c] * in_[c] * (1 - in_[c]) * u
                ds[c, 6 + c] += in_[c] * (1 - g[c] ** 2 / 4) * u
            s += in_ * g
            h, last = 2 / (1 + np.exp(-s)) - 1, u.copy()
            u[2:] = np.concatenate((out * h, out, in_))
        o = 1 / (1 + np.exp(-V @ u[2:5]))
        e = (o - batch.target[b]) * o * (1 - o) * V / cfg.batch
        for c in range(3):
            right += e[c] * out[c] * (1 - h[c] ** 2) / 2 * ds[c]
            right[c] += e[c] * h[c] * out[c] * (1 - out[c]) * last
    _, grads = stub.error_and_grad(cfg, params, batch, truncated)
    np.testing.assert_allclose(grads["W"], right, rtol=1e-6, atol=1e-12)  # inputs are rounded to float32


def test_without_recurrent_weights_truncation_changes_nothing():
    cfg = replace(PAPER, lag=24)
    rng = np.random.default_rng(6)
    params = {name: p.astype(float) for name, p in stub.init(cfg, rng).items()}
    params["W"][:, 2:] = 0
    batch = stub.sample(cfg, rng)
    full, cut = stub.loss_and_grad(cfg, params, batch)[1], stub.error_and_grad(cfg, params, batch, truncated)[1]
    np.testing.assert_allclose(cut["W"], full["W"], rtol=1e-8, atol=1e-15)


def test_guesses_are_judged_as_their_nets_would_be_one_by_one():
    cfg, task = replace(PAPER, lag=20, cell="rnn", blocks=1), stub.TASKS["3b"]
    rng = np.random.default_rng(7)
    guesses, batch = rng.uniform(-10, 10, (5, 300)), stub.sample(replace(cfg, task="3b"), rng, 256)
    guesses[:, 7] = 0, 20, 60, 20, 0  # latches the first value
    seen, error = judge(guesses, batch.x[:, 0], batch.length, batch.clean, task.tolerance, task.most_wrong)
    for k in range(300):
        params = as_params(guesses[:, k])
        output, _ = stub.read_out(params, stub.run(cfg, params, batch.x), batch.length)
        wrong = np.abs(output - batch.clean) >= 0.2
        dropped = np.flatnonzero(np.cumsum(wrong) == 6)
        assert seen[k] == (dropped[0] + 1 if len(dropped) else 256)
        assert (error[k] < np.inf, error[k] < task.mean_error) == stub.stop_rules(task, output, batch.clean)
    assert error[7] < task.mean_error
