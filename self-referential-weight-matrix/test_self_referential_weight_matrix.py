"""Facts about self-referential weight matrices: gradients, what a rewrite is, what cannot be known without memory."""

import time
from itertools import permutations

import numpy as np
import pytest

import hidden_function as task
import introspective_net as introspective
import self_referential_weight_matrix as stub


def double(params):
    return {name: p.astype(float) for name, p in params.items()}


def episodes(name="all", count=16, seed=0):
    rng = np.random.default_rng(seed)
    return task.draw(name, task.split(name, rng)[0], count, rng)


@pytest.mark.parametrize(
    "net, writes",
    [("srwm", "all"), ("srwm", "outputs"), ("elman", "all"), ("introspective", "all"), ("introspective", "none")],
)
def test_gradient_by_central_differences_and_the_forward_gradient_of_1993(net, writes):
    cfg = stub.Config(net=net, writes=writes, hidden=2, steps=3, kappa=0.7, batch=3)
    rng = np.random.default_rng(1)
    params, batch = double(stub.init(cfg, rng)), stub.sample(cfg, rng)
    _, grads = stub.loss_and_grad(cfg, params, batch)
    for name, p in params.items():
        for index in rng.permutation(p.size)[:50]:
            losses, place = [], np.unravel_index(index, p.shape)
            for h in (1e-5, -1e-5):
                moved = params | {name: p.copy()}
                moved[name][place] += h
                losses.append(stub.loss_and_grad(cfg, moved, batch)[0])
            assert abs((losses[0] - losses[1]) / 2e-5 - grads[name][place]) < 1e-6 * np.abs(grads[name]).max()
    if net == "introspective":
        one_by_one = [introspective.Episodes(batch.x[:, [b]], batch.label[:, [b]], batch.y[[b]]) for b in range(8)]
        settings = (cfg.steps, cfg.kappa, float(writes == "all"))
        forward = [
            introspective.real_time_gradient(introspective.layout(2), params["w"], e, *settings) for e in one_by_one
        ]
        np.testing.assert_allclose(np.mean(forward, axis=0), grads["w"], atol=1e-12)


def test_a_rewrite_is_a_delta_rule_whose_target_is_what_the_query_reads():
    rng = np.random.default_rng(2)
    H, n = 3, 4
    W, u = rng.normal(size=(2, H + 2 * n + 1, n)), stub.softmax(rng.normal(size=(2, n)))
    y, W_next, _ = stub.rewrite(W, u, 2.0, np.ones(W.shape[1]))
    for b in range(2):
        o = W[b] @ u[b]
        np.testing.assert_allclose(y[b], o[:H])
        k, q, beta = stub.softmax(2 * o[H : H + n]), stub.softmax(2 * o[H + n : H + 2 * n]), stub.sigmoid(o[-1])
        v = W[b] @ q
        np.testing.assert_allclose(W_next[b] - W[b], beta * np.outer(v - W[b] @ k, k))
        np.testing.assert_allclose(W_next[b] @ k - W[b] @ k, beta * (k @ k) * (v - W[b] @ k))
    W[:, H + n : H + 2 * n] = W[:, H : H + n]  # query = key: nothing to write
    np.testing.assert_array_equal(stub.rewrite(W, u, 2.0, np.ones(W.shape[1]))[1], W)


def test_without_writes_the_shown_labels_leave_no_trace_and_with_them_they_do():
    batch = episodes()
    other = batch._replace(x=batch.x.copy())
    other.x[:4] = batch.x[[2, 0, 3, 1]]
    other.x[:4, :, [task.LABEL, task.LABEL + 3]] *= -1
    for writes in ("none", "outputs", "all"):
        cfg = stub.Config(writes=writes, hidden=5)
        params = stub.init(cfg, np.random.default_rng(3))
        trace, changed = stub.run(cfg, params, batch), stub.run(cfg, params, other)
        assert (trace.z[4:] == changed.z[4:]).all() == (writes == "none")
        for W0, W, outputs in zip(params.values(), trace.W, (5, 1), strict=True):
            assert (W[:, :outputs] == W0[:outputs]).all() == (writes == "none")
            assert (W[:, outputs:] == W0[outputs:]).all() == (writes != "all")


def test_without_writes_the_net_of_1993_knows_nothing_of_what_was_shown():
    net, shown = introspective.layout(3), introspective.all_episodes()
    w = np.random.default_rng(7).normal(size=len(net.adr))
    for writes in (0.0, 1.0):
        trace = introspective.run(net, w, shown, 3, 0.7, writes)
        answers = [trace[-1].o[shown.x[1] == asked] for asked in (-1, 1)]
        assert all(np.ptp(o) < 1e-12 for o in answers) == (writes == 0)
        assert (trace[-1].w == w).all() == (writes == 0)
    assert set(zip(*shown.x, shown.label[0], shown.y, strict=True)) == {
        (a, b, f * a, f * b) for f in (-1, 1) for a in (-1, 1) for b in (-1, 1)
    }


def test_addresses_of_1993_point_at_single_connections():
    net = introspective.layout(4)
    n_conn, m = net.adr.shape
    assert len(np.unique(net.adr, axis=0)) == n_conn <= 2**m < 2 * n_conn
    np.testing.assert_allclose(introspective.peak(net.adr, net.adr, 200.0), np.eye(n_conn), atol=1e-12)
    w = np.random.default_rng(4).normal(size=n_conn)
    np.testing.assert_allclose(introspective.peak(net.adr, net.adr, 200.0) @ w, w)  # val = w_ij
    pointers = np.random.default_rng(5).random((50, m))
    per_bit = np.exp(-3 * pointers**2) + np.exp(-3 * (1 - pointers) ** 2)  # peaks at all 2^m addresses: a product
    assert (introspective.peak(pointers, net.adr, 3.0).sum(axis=1) <= per_bit.prod(axis=1)).all()
    assert set(np.concatenate([W.ravel() for W in net.matrices(np.arange(n_conn))])) == set(range(n_conn))


def best_score_without_memory(functions):
    """Try all 16 maps from pattern to answer."""
    table = np.array(functions)[:, None] >> np.arange(4) & 1
    return max((table == (guess >> np.arange(4) & 1)).mean() for guess in range(16))


def best_score_from_feedback_alone():
    """Try all guesses g(pattern, was the last guess right), and all first guesses, without any further memory."""
    orders, score = list(permutations(range(4))), np.zeros((16, 256))
    first, g = (np.arange(2**bits)[:, None] >> np.arange(bits) & 1 for bits in (4, 8))
    for f in task.FOUR:
        value = f >> np.arange(4) & 1
        after_wrong, after_right = g[:, :4] == value, g[:, 4:] == value
        p_right = None  # chance that the last guess was right
        for round_ in range(3):
            ends = []
            for order in orders:
                p = p_right
                for pattern in order:
                    if p is None:
                        p = np.repeat(first[:, [pattern]] == value[pattern], 256, axis=1).astype(float)
                    else:
                        p = p * after_right[:, pattern] + (1 - p) * after_wrong[:, pattern]
                    score += p / (4 * 24 * 4) if round_ == 2 else 0
                ends.append(p)
            p_right = np.mean(ends, axis=0)
    return score.max()


def test_what_is_possible_without_memory():
    assert best_score_without_memory(task.FOUR) == 0.6875
    assert best_score_without_memory(range(16)) == 0.5
    assert best_score_from_feedback_alone() == pytest.approx(0.7109375)
    for name in ("all", "four"):  # and labels, functions and patterns are what they should be
        batch = episodes(name, 48)
        counts = np.bincount(batch.f, minlength=16)
        assert set(counts[counts > 0]) == {48 // len(np.unique(batch.f))}
        p = ((batch.x[..., :2] + 1) / 2 @ [2, 1]).astype(int)
        assert (np.sort(p[:4], axis=0) == np.arange(4)[:, None]).all() and (np.sort(p[4:], axis=0)[3] == 3).all()
        assert (batch.y == 2 * (batch.f >> p & 1) - 1).all() and (batch.x[:4, :, task.LABEL] == batch.y[:4]).all()
        assert (batch.x[4:, :, [task.LABEL, task.LABEL + 3, 6]] == 0).all()
    seen, unseen = task.split("unseen", np.random.default_rng(6))
    assert sorted([*seen, *unseen]) == list(range(16)) and len(unseen) == 4


def test_cost_of_a_step_in_the_net_of_1993():
    """It does not grow with the episode, and with the connections at most like (n_conn log n_conn)^1.2."""

    def seconds(hidden: int, steps: int) -> float:
        net, batch, best = introspective.layout(hidden), introspective.all_episodes(), np.inf
        for _ in range(5):
            start = time.process_time()
            introspective.loss_and_grad(net, np.full(len(net.adr), 0.1), batch, steps, 1.0, 1.0)
            best = min(best, time.process_time() - start)
        return best / (2 * steps)

    assert seconds(4, 256) <= 1.3 * seconds(4, 4)  # episodes of 512 and 8 steps
    small, large = (len(net.adr) * net.m for net in map(introspective.layout, (32, 96)))
    assert seconds(96, 4) / seconds(32, 4) <= (large / small) ** 1.2
