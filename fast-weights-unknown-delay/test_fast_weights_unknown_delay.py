"""Facts about fast weights: both gradients, the target, what sig holds, a hand-built solution, a memory that sums."""

import re
from dataclasses import replace

import numpy as np
import pytest

import fast_weights_unknown_delay as stub
import store_recall

CONFIGS = [replace(stub.Config(**stub.PRESETS[name]), systems=2) for name in ("direct", "fromto")]


def total_error(cfg, S, events):
    """Sum over time of (y - d)^2 / 2 for systems S, (N,)."""
    y, _ = stub.respond(cfg, S, events)
    return 0.5 * ((y - stub.targets(events)) ** 2).sum(axis=0)


def unrolled_gradient(cfg, S, events):
    """Gradient of total_error for one system S (R, 3) and its events (steps,) by BPTT, with plain loops."""
    y, w = (a[:, 0] for a in stub.respond(cfg, S[None], events[:, None]))
    e = y - stub.targets(events[:, None])[:, 0]
    dS, dw = np.zeros_like(S), np.zeros(3)  # dw: by the fast weights after step t
    for t in reversed(range(len(events))):
        j = events[t]
        dD = dw * stub.T * w[t + 1] * (1 - w[t + 1])
        if cfg.memory == "direct":
            dS[:, j] += dD
        else:
            FROM, TO = S[:3, j], S[3, j]
            dS[:3, j] += dD * TO
            dS[3, j] += dD @ FROM
        dw = dD
        dw[j] += e[t]
    return dS


@pytest.mark.parametrize("cfg", CONFIGS, ids=lambda cfg: cfg.memory)
def test_real_time_gradient_is_that_of_the_unrolled_nets_and_of_finite_differences(cfg):
    rng = np.random.default_rng(0)
    systems = stub.init(cfg, rng)
    systems = systems._replace(S=rng.normal(0, 0.5, systems.S.shape))
    S, events = systems.S, stub.draw_events(50, cfg.systems, 1 / 3, rng)
    gradient = np.zeros_like(S)
    for event, d in zip(events, stub.targets(events), strict=True):
        x = np.eye(3)[event]
        gradient += stub.answer_and_grad(systems, x, d)[1]
        systems = stub.write(cfg, systems, x)
    for n in range(cfg.systems):
        np.testing.assert_allclose(gradient[n], unrolled_gradient(cfg, S[n], events[:, n]), atol=1e-12)
    for i, j in np.ndindex(S.shape[1:]):
        shift = np.zeros_like(S)
        shift[:, i, j] = 1e-5
        numeric = (total_error(cfg, S + shift, events) - total_error(cfg, S - shift, events)) / 2e-5
        np.testing.assert_allclose(gradient[:, i, j], numeric, atol=1e-6)


def test_targets_are_those_of_a_regular_expression():
    events = stub.draw_events(2000, 4, 0.6, np.random.default_rng(1))
    for column, d in zip(events.T, stub.targets(events).T, strict=True):
        text = "".join("ABC"[event] for event in column)
        expected = {match.end() - 1 for match in re.finditer("A[AC]*B", text)}
        assert set(np.flatnonzero(d)) == expected


def test_sig_stays_within_0_and_1_and_holds_low_and_high_weights_but_not_those_in_between():
    z = np.linspace(-1.5, 2.5, 1001)
    assert ((stub.sig(z) > 0) & (stub.sig(z) < 1)).all()
    np.testing.assert_allclose(stub.sig(z), 1 / (1 + np.exp(-10 * (z - 0.5))), atol=1e-12)
    for start, end in ((0.0, 0.0072), (0.49, 0.0072), (0.5, 0.5), (0.51, 0.9928), (1.0, 0.9928)):
        w = start
        for _ in range(100):
            w = stub.sig(w)
        assert w == pytest.approx(end, abs=1e-4)
        assert w == pytest.approx(np.log(w / (1 - w)) / 10 + 0.5, abs=1e-9)  # w = sig(w), solved for the argument


def test_hand_built_slow_weights_solve_the_task_and_fromto_with_to_1_equals_direct():
    """A makes w_B large, B makes it small again; the answer to B is read before B resets the weight."""
    direct, fromto = CONFIGS
    S = np.zeros((1, 3, 3))
    S[0, stub.B, [stub.A, stub.B]] = 1, -1
    events = stub.draw_events(5000, 1, 0.9, np.random.default_rng(2))
    y, w = stub.respond(direct, S, events)
    assert np.abs(y - stub.targets(events)).max() < stub.TOLERANCE
    metrics = stub.evaluate(direct, S, np.array([True]), events)
    assert metrics["kept"] == metrics["signature"] == metrics["balanced_accuracy"] == 1
    outer = np.concatenate([S, np.ones((1, 1, 3))], axis=1)
    np.testing.assert_array_equal(stub.respond(fromto, outer, events)[1], w)


def nets():
    rng = np.random.default_rng(3)
    for net in (store_recall.slow_net(3, 5, 0.5, "learned"), store_recall.slow_net(3, 5, 0.5, "one")):
        yield net, net.init(rng)
    net = store_recall.rnn(3, 5)
    yield net, net.init(rng)


def test_gradients_of_store_and_recall_by_central_differences():
    x, delay = store_recall.sample(3, 2, 6, 4, np.random.default_rng(4))
    episodes = store_recall.Episodes(x.astype(float), delay)
    for net, params in nets():
        params = {name: p.astype(float) for name, p in params.items()}
        loss, grads = net.loss_and_grad(params, episodes)
        answers = net.answers(params, episodes.x)[range(4), delay]
        assert loss == pytest.approx(((answers - episodes.target) ** 2).mean())
        for name, p in params.items():
            for place in np.ndindex(p.shape):
                kept, losses = p[place], []
                for p[place] in (kept + 1e-5, kept - 1e-5):
                    losses.append(net.loss_and_grad(params, episodes)[0])
                p[place] = kept
                assert grads[name][place] == pytest.approx((losses[0] - losses[1]) / 2e-5, abs=1e-8)


def test_answers_are_those_of_fast_weights_written_step_by_step_and_ignore_the_order_of_distractors():
    rng = np.random.default_rng(5)
    x = store_recall.sample(3, 9, 9, 1, rng).x.astype(float)
    net, params = next(nets())
    y = net.answers(params, x)[0]
    q = store_recall.program(params, store_recall.question(x), "learned").q
    W = np.zeros((3, store_recall.KEY))
    for step, answer in zip(x[0], y, strict=True):
        s = store_recall.program(params, step, "learned")
        W += 0.5 * s.g * np.outer(s.v, s.k)
        np.testing.assert_allclose(answer, W @ q, atol=1e-12)
    shuffled = np.concatenate([x[:, :1], rng.permutation(x[:, 1:], axis=1)], axis=1)
    np.testing.assert_allclose(net.answers(params, shuffled)[0, -1], y[-1], atol=1e-12)
