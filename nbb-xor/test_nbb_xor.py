"""Facts about the neural bucket brigade: its rule unit by unit, what it conserves, and what it leaves alone."""

from dataclasses import replace

import numpy as np
import pytest

import nbb_xor as stub

NETS = 3


def plain_presentation(cfg, w_hidden, w_out, x, target):
    """The rule for one net, one connection at a time; changes the weights (lists) and returns per tick
    (hidden winners, output winner, weight paid in from outside, weight paid by connections from the inputs)."""
    n_hidden = cfg.subsets * cfg.units
    history, on, c_before = [], [], None
    for t in range(1, stub.TICKS + 1):
        lam, eta = (cfg.lam, cfg.eta) if t >= cfg.learn_from else (0, 0)
        c_hidden = [[x[i] * w_hidden[i][j] for j in range(n_hidden)] for i in range(3)]
        source = list(x) + [float(j in on) for j in range(n_hidden)]
        c_out = [[source[i] * w_out[i][k] for k in range(2)] for i in range(3 + n_hidden)]
        on_before, on = on, []
        for first in range(0, n_hidden, cfg.units):
            on.append(max(range(first, first + cfg.units), key=lambda j: sum(c[j] for c in c_hidden)))
        winner = max((0, 1), key=lambda k: sum(c[k] for c in c_out))
        if sum(c[winner] for c in c_out) <= 0:
            winner = None
        paid_in = paid_by_inputs = 0.0
        for j in on:
            for i in range(3):
                w_hidden[i][j] -= lam * c_hidden[i][j]
                paid_by_inputs += lam * c_hidden[i][j]
        if winner is not None:
            for j in on_before:
                income = lam * c_out[3 + j][winner]
                if cfg.redistribution == "on":
                    for i in range(3):
                        w_hidden[i][j] += income * c_before[i][j] / sum(c[j] for c in c_before)
            for i in range(3 + n_hidden):
                w_out[i][winner] -= lam * c_out[i][winner]
                if winner == target:
                    w_out[i][winner] += eta * c_out[i][winner]
                    paid_in += eta * c_out[i][winner]
            paid_by_inputs += lam * sum(c_out[i][winner] for i in range(3))
        c_before = c_hidden
        history.append((on, winner, paid_in, paid_by_inputs))
    return history


def net(w, n):
    """The weights of net n as lists."""
    return w.hidden[..., n].tolist(), w.out[..., n].tolist()


def configs():
    for preset in ("nbb", "two_subsets", "layered", "no_redistribution", "late"):
        yield replace(stub.Config(**stub.PRESETS[preset]), nets=NETS, init_low=0.2, lam=0.02, eta=0.015)


def test_population_learns_as_single_units_do_and_weights_stay_positive():
    for cfg in configs():
        rng = np.random.default_rng(0)
        w = stub.init(cfg, rng)
        singles = [net(w, n) for n in range(NETS)]
        for pattern in rng.integers(4, size=(50, NETS)):
            stub.present(cfg, w, stub.PATTERNS[:, pattern], stub.TARGETS[pattern])
            for single, p in zip(singles, pattern, strict=True):
                plain_presentation(cfg, *single, stub.PATTERNS[:, p], stub.TARGETS[p])
        for n in range(NETS):
            np.testing.assert_allclose(w.hidden[..., n], singles[n][0], rtol=1e-12)
            np.testing.assert_allclose(w.out[..., n], singles[n][1], rtol=1e-12)
        assert (w.hidden > 0).all()
        assert (w.out >= 0).all()
        assert ((w.out == 0) == (np.arange(len(w.out)) < 3 * (cfg.wiring == "layered"))[:, None, None]).all()


@pytest.mark.parametrize("ticks", range(1, 7))
def test_weight_comes_from_payoff_only_and_leaves_by_the_inputs_only(monkeypatch, ticks):
    """Over a presentation: change of all weights = payoffs - payments of connections from the inputs."""
    monkeypatch.setattr(stub, "TICKS", ticks)
    cfg = next(configs())
    rng = np.random.default_rng(1)
    w = stub.init(cfg, rng)
    singles = [net(w, n) for n in range(NETS)]
    before = w.hidden.sum(axis=(0, 1)) + w.out.sum(axis=(0, 1))
    pattern = rng.integers(4, size=NETS)
    stub.present(cfg, w, stub.PATTERNS[:, pattern], stub.TARGETS[pattern])
    after = w.hidden.sum(axis=(0, 1)) + w.out.sum(axis=(0, 1))
    for n, p in enumerate(pattern):
        history = plain_presentation(cfg, *singles[n], stub.PATTERNS[:, p], stub.TARGETS[p])
        np.testing.assert_allclose(after[n] - before[n], sum(h[2] - h[3] for h in history), atol=1e-12)


def test_frozen_response_is_that_of_the_last_three_ticks():
    for cfg in configs():
        w = stub.init(replace(cfg, init_low=0.01, nets=40), np.random.default_rng(2))
        hidden, out = stub.respond(replace(cfg, nets=40), w)
        for n in range(40):
            for p in range(4):
                frozen = replace(cfg, lam=0, eta=0)
                history = plain_presentation(frozen, *net(w, n), stub.PATTERNS[:, p], stub.TARGETS[p])
                for on, winner, _, _ in history[-3:]:
                    assert np.flatnonzero(hidden[p, :, n]).tolist() == on
                    assert np.flatnonzero(out[p, :, n]).tolist() == [winner]


def solution() -> stub.Weights:
    """A layered net that solves XOR: hidden units for (1, 1), for (0, 0), and for one bit."""
    hidden = np.array([[1.2, 0.01, 0.8], [1.2, 0.01, 0.8], [0.05, 1.0, 0.6]])
    out = np.array([[0, 0], [0, 0], [0, 0], [1, 0.1], [1, 0.1], [0.1, 1]])
    return stub.Weights(hidden[..., None], out[..., None])


def test_payment_and_payoff_cancel_at_the_output_of_a_solved_layered_net():
    cfg, w = replace(stub.Config(), nets=1, wiring="layered"), solution()
    assert stub.solves(cfg, w).all()
    for p in range(4):
        stub.present(cfg, w, stub.PATTERNS[:, [p]], stub.TARGETS[[p]])
    np.testing.assert_allclose(w.out, solution().out, rtol=1e-14)
    assert stub.solves(cfg, w).all()


def test_at_most_one_unit_wins_in_each_subset():
    net_input = np.random.default_rng(3).normal(size=(6, 500)).round(1)  # with ties, and all of them negative at times
    wins = stub.winners(net_input, 2).reshape(2, 3, 500)
    net_input = net_input.reshape(2, 3, 500)
    best = net_input.max(axis=1)
    assert ((wins * net_input).sum(axis=1) == best.clip(min=0)).all()
    assert (wins.sum(axis=1) == (best > 0)).all()
