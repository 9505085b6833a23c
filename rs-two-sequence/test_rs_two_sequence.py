"""Oracles of rs-two-sequence: facts that need no training."""

from dataclasses import replace
from math import exp

import numpy as np
import pytest

import rs_two_sequence as stub
from latch_net import Weights, bptt_loss_and_grad, outputs, take

NETS = {
    "a1": stub.Config(),
    "a2": stub.Config(hidden=10),
    "tanh": stub.Config(net="tanh", hidden=5),
    "latch": stub.Config(net="latch"),
}


def logistic(z: float) -> float:
    return 1 / (1 + exp(-z)) if z > -700 else 0.0


def plain_output(net: Weights, x: list[float]) -> float:
    """Output of one net after one sequence, unit by unit."""
    w = {name: p[..., 0].tolist() for name, p in net.items()}
    n = len(w["b"])
    h, o = [0.0] * n, 0.0
    for u in x:
        if "W" in w:
            h = [np.tanh(sum(w["W"][i][j] * h[j] for j in range(n)) + w["a"][i] * u + w["b"][i]) for i in range(n)]
        else:
            h = [logistic(w["a"][i] * u + w["b"][i] + w["c"][i] * o + w["d"][i] * h[i]) for i in range(n)]
        if "v" not in w:
            o = (1 + h[0]) / 2
        else:
            o = logistic(sum(w["v"][i] * h[i] for i in range(n)) + w.get("q", 0) * u + w.get("r", 0) * o + w["e"])
    return o


@pytest.mark.parametrize("name", NETS)
def test_outputs_are_those_of_a_plain_net_for_any_lengths(name):
    cfg = replace(NETS[name], weight_range=3.0, min_length=1, max_length=9)
    nets, sequences = stub.guess(cfg, np.random.default_rng(0), 5), stub.sample(cfg, np.random.default_rng(1), 20)
    expected = [
        [plain_output(take(nets, [k]), sequences.x[: sequences.length[s], s].tolist()) for k in range(5)]
        for s in range(20)
    ]
    np.testing.assert_allclose(outputs(nets, sequences), expected, atol=1e-12)


@pytest.mark.parametrize("name", ["a1", "latch"])
def test_search_finds_what_trying_one_net_after_the_other_finds(name):
    cfg = replace(NETS[name], min_length=8, max_length=12)
    for seed in range(3):
        train = stub.sample(cfg, np.random.default_rng(seed), 100)
        rng = np.random.default_rng(seed)
        trials, wrong = 0, True
        while wrong and trials < 3000:
            net, trials = stub.guess(cfg, rng, 1), trials + 1
            wrong = (abs(outputs(net, train)[:, 0] - train.target) >= cfg.tolerance).any()
        found = stub.search(cfg, np.random.default_rng(seed), train)
        assert found.trials == trials
        assert all(np.array_equal(found.guesses[name][..., -1], net[name][..., 0]) for name in net)


def test_classes_are_balanced_and_only_the_first_input_tells_them_apart():
    x, length, target = stub.sample(stub.Config(), np.random.default_rng(2), 2000)
    assert target.mean() == 0.5 and set(length) == set(range(500, 601))
    assert ((x[0] == 1) == (target == 1)).all() and ((x[0] == -1) == (target == 0)).all()
    for c in (0, 1):
        noise = x[1:, target == c]
        assert abs(noise.mean()) < 0.002 and abs(noise.std() - 0.2) < 0.002
        assert abs((noise**4).mean() / 0.2**4 - 3) < 0.05


def test_trials_of_the_latch_are_geometric():
    """Mean and spread of 300 searches are those of a geometric law whose probability is the share of right nets."""
    cfg = replace(NETS["latch"], min_length=50, max_length=60)
    train = stub.sample(cfg, np.random.default_rng(3), 100)
    right, others = (stub.right_nets(cfg, stub.guess(cfg, np.random.default_rng(k), 10_000), train) for k in (4, 5))
    trials, share = np.diff(right[:300], prepend=-1), len(others) / 10_000
    assert abs(trials.mean() * share - 1) < 0.2
    for quantile in (0.25, 0.5, 0.75, 0.9):
        expected = 1 - (1 - share) ** np.quantile(trials, quantile)
        assert abs(expected - quantile) < 0.09


def test_a_latch_built_by_hand_remembers():
    """w > 1 makes tanh(w h) bistable; noise of 0.2 cannot push it over, the first input can."""
    latch = {"W": np.full((1, 1, 1), 5.0), "a": np.full((1, 1), 5.0), "b": np.zeros((1, 1))}
    test = stub.sample(stub.Config(), np.random.default_rng(6), 200)
    assert (abs(outputs(latch, test)[:, 0] - test.target) < 0.1).all()
    forgetful = latch | {"W": np.full((1, 1, 1), 0.9)}
    assert (abs(outputs(forgetful, test)[:, 0] - test.target) < 0.1).mean() < 0.6


def test_gradient_is_that_of_central_differences():
    cfg = replace(NETS["a2"], hidden=3, weight_range=2.0, min_length=3, max_length=8, batch=6)
    weights = stub.guess(cfg, np.random.default_rng(8), 4)
    sequences = stub.sample(cfg, np.random.default_rng(9))
    _, grads = bptt_loss_and_grad(weights, sequences)
    for name, w in weights.items():
        for index in np.ndindex(w.shape[:-1]):
            w[index] += 1e-5
            above = bptt_loss_and_grad(weights, sequences)[0]
            w[index] -= 2e-5
            below = bptt_loss_and_grad(weights, sequences)[0]
            w[index] += 1e-5
            np.testing.assert_allclose(grads[name][index], (above - below) / 2e-5, atol=1e-8)
