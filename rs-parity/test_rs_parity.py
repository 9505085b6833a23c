"""Oracles of rs-parity: facts that need no training."""

from dataclasses import replace
from itertools import product
from math import exp

import numpy as np
import pytest

import rs_parity as stub
from parity_net import NETS, Sequences, Weights, bptt_loss_and_grad, outputs, step, take

SHORT = replace(stub.Config(), min_length=50, max_length=60)


def logistic(z: float) -> float:
    return 1 / (1 + exp(-z)) if z > -700 else 0.0


def plain_output(net: Weights, x: list[float]) -> float:
    """Output of one net after one sequence, unit by unit."""
    w = {name: p[..., 0].tolist() for name, p in net.items()}
    n = len(w["b"])
    h, o, none = [0.0] * n, 0.0, [0.0] * n
    for u in x:
        if "W" in w:
            h = [np.tanh(sum(w["W"][i][j] * h[j] for j in range(n)) + w["a"][i] * u + w["b"][i]) for i in range(n)]
        else:
            c, d = w.get("c", none), w.get("d", none)
            h = [logistic(w["a"][i] * u + w["b"][i] + c[i] * o + d[i] * h[i]) for i in range(n)]
        o = logistic(sum(w["v"][i] * h[i] for i in range(n)) + w.get("q", 0) * u + w.get("r", 0) * o + w["e"])
    return o


@pytest.mark.parametrize("net", [*NETS, "tanh"])
def test_outputs_are_those_of_a_plain_net_for_any_lengths(net):
    cfg = replace(stub.Config(), net=net, hidden=3, weight_range=3.0, min_length=1, max_length=9, noise=0.2)
    nets, sequences = stub.guess(cfg, np.random.default_rng(0), 5), stub.sample(cfg, np.random.default_rng(1), 20)
    expected = [
        [plain_output(take(nets, [k]), sequences.x[: sequences.length[s], s].tolist()) for k in range(5)]
        for s in range(20)
    ]
    np.testing.assert_allclose(outputs(nets, sequences), expected, atol=2e-6)  # they are computed in float32


def test_search_finds_what_trying_one_net_after_the_other_finds():
    cfg = replace(SHORT, min_length=8, max_length=12)
    for seed in range(4):
        train = stub.sample(cfg, np.random.default_rng(seed), 100)
        rng = np.random.default_rng(seed)
        trials, wrong = 0, True
        while wrong and trials < 3000:
            net, trials = stub.guess(cfg, rng, 1), trials + 1
            wrong = (abs(outputs(net, train)[:, 0] - train.target) >= cfg.tolerance).any()
        found = stub.search(cfg, np.random.default_rng(seed), train)
        assert found.trials == trials
        assert all(np.array_equal(found.guesses[name][..., -1], net[name][..., 0]) for name in net)


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_sequences_are_balanced_and_their_targets_their_parities(noise):
    cfg = replace(SHORT, noise=noise)
    x, length, target = stub.sample(cfg, np.random.default_rng(2), 2000)
    assert target.mean() == 0.5 and set(length) == set(range(50, 61))
    for s in range(2000):
        odd = False
        for value in x[: length[s], s]:
            assert 1 - noise <= abs(value) <= 1 + noise
            odd ^= bool(value > 0)
        assert odd == target[s]
    assert abs((x > 0).mean() - 0.5) < 0.01


def test_one_step_of_every_right_net_is_xor_and_hardly_any_other_net_computes_xor():
    """The output holds the parity: o' must be XOR(x, o) at the four corners. With small errors there it also stays."""
    nets = stub.guess(SHORT, np.random.default_rng(3), 20_000)
    right = np.zeros(20_000, bool)
    right[stub.right_nets(SHORT, nets, stub.sample(SHORT, np.random.default_rng(4), 100))] = True
    w = {name: p[..., None, :] for name, p in nets.items()}
    is_xor = np.ones(20_000, bool)
    for x, o in product((-1, 1), (0, 1)):
        _, o_next = step(w, np.full((1, 1), x), np.zeros((10, 1, 20_000)), np.full((1, 20_000), o))
        is_xor &= abs(o_next[0] - (o ^ (x == 1))) < SHORT.tolerance
    assert right.sum() > 30
    assert not (right & ~is_xor).any()
    assert (right == is_xor).mean() >= 0.999 and right.sum() > 0.8 * is_xor.sum()


def test_a_net_found_holds_the_parity_at_every_step_of_every_sequence():
    found = stub.search(SHORT, np.random.default_rng(5), stub.sample(SHORT, np.random.default_rng(6), 100))
    net = take(found.guesses, [-1])
    bits = np.array(list(product((0, 1), repeat=12))).T
    sequences = Sequences(2.0 * bits - 1, np.full(2**12, 12), bits.sum(axis=0) % 2)
    assert ((outputs(net, sequences)[:, 0] > 0.5) == sequences.target).all()
    long = stub.sample(replace(SHORT, min_length=500, max_length=500), np.random.default_rng(7), 20)
    w = {name: p[..., None, :] for name, p in net.items()}
    h, o = np.zeros((10, 20, 1)), np.zeros((20, 1))
    for x, parity in zip(long.x, (long.x > 0).cumsum(axis=0) % 2, strict=True):
        h, o = step(w, x[:, None], h, o)
        assert ((o[:, 0] > 0.5) == parity).all()


@pytest.mark.parametrize("net", ["a2", "a2_no_self"])
def test_gradient_is_that_of_central_differences(net):
    cfg = replace(SHORT, net=net, hidden=3, weight_range=2.0, min_length=3, max_length=8, batch=6, noise=0.1)
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
