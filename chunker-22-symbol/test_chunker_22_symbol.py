"""Facts about the two nets and their stream that hold without training."""

import re
from dataclasses import replace

import numpy as np
import pytest

import chunker_22_symbol as stub

SMALL = stub.Config(lag=6, hidden=5, chunker=3)


def net_and_stream(cfg: stub.Config, copies: int = 0):
    """A random net, two streams of three words, its states, and what it should copy."""
    rng = np.random.default_rng(1)
    net = stub.init(rng, cfg.lag + 3, cfg.hidden, cfg.lag + 3 + copies)
    x = stub.sample(cfg, rng, 3, 2)
    h = stub.run(net, x[:-1], rng.normal(size=(2, cfg.hidden)))
    return net, x, h, rng.normal(size=(len(x) - 1, 2, copies))


def loss(net, x, h0, code, weight):
    """Cross-entropy of symbols and targets plus the weighted squared error of the copy, term by term."""
    y = stub.outputs(net, x[:-1], stub.run(net, x[:-1], h0))
    symbols, total = x.shape[2] - 1, 0.0
    for t, b in np.ndindex(*y.shape[:2]):
        total -= np.log(y[t, b, np.argmax(x[t + 1, b, :symbols])])
        if x[t + 1, b, -1]:
            total -= np.log(y[t, b, symbols] if x[t + 1, b, -1] > 0 else 1 - y[t, b, symbols])
        total += weight * ((y[t, b, symbols + 1 :] - code[t, b]) ** 2).sum()
    return total


def output_errors(net, x, h, code, weight):
    y = stub.outputs(net, x[:-1], h)
    dy = stub.prediction_errors(y, x[1:])
    dy[..., x.shape[2] :] = 2 * weight * (y[..., x.shape[2] :] - code)
    return dy


def test_full_gradient_is_that_of_the_loss():
    """Central differences; an error flow of T steps or more cuts nothing."""
    net, x, h, code = net_and_stream(SMALL, copies=4)
    dy = output_errors(net, x, h, code, 0.7)
    for flow in (len(x) - 2, len(x)):
        grads = stub.gradient(net, x[:-1], h, dy, flow)
        rng = np.random.default_rng(2)
        for name, array in net.items():
            for place in zip(*(rng.integers(n, size=12) for n in array.shape), strict=True):
                kept, losses = array[place], []
                for shift in (1e-5, -1e-5):
                    array[place] = kept + shift
                    losses.append(loss(net, x, h[0], code, 0.7))
                array[place] = kept
                numeric = (losses[0] - losses[1]) / 2e-5
                assert grads[name][place] == pytest.approx(numeric, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("flow", [0, 1, 3, 18])
def test_truncated_gradient_is_that_of_unrolled_windows(flow):
    """The error of each step, sent back by itself through copies of the net for `flow` steps."""
    net, x, h, code = net_and_stream(SMALL, copies=4)
    dy, inputs = output_errors(net, x, h, code, 1.0), x.shape[2]
    expected = np.zeros_like(net["W"])
    for t, b in np.ndindex(*dy.shape[:2]):
        dh = net["V"][:, 1 + inputs :].T @ dy[t, b]
        for back in range(min(flow, t) + 1):
            dz = dh * (1 - h[t - back + 1, b] ** 2)
            expected += np.outer(dz, np.concatenate(([1], x[t - back, b], h[t - back, b])))
            dh = net["W"][:, 1 + inputs :].T @ dz
    assert np.allclose(stub.gradient(net, x[:-1], h, dy, flow)["W"], expected, rtol=1e-10, atol=1e-12)


def test_stream_has_two_words_and_targets_at_their_ends():
    """A regular expression over the last 21 symbols decides the target."""
    cfg = stub.Config()
    x = stub.sample(cfg, np.random.default_rng(3), 40, 3)
    letters = "ax" + "ABCDEFGHIJKLMNOPQRST"
    for b in range(3):
        text = "".join(letters[k] for k in x[:, b, :-1].argmax(axis=1))
        assert (x[:, b, :-1].sum(axis=1) == 1).all() and re.fullmatch(f"([ax]{letters[2:]})+", text)
        for t in range(len(text)):
            match = re.fullmatch(f"([ax]){letters[2:]}", text[max(0, t - 20) : t + 1])
            assert x[t, b, -1] == ({"a": 1, "x": -1}[match[1]] if match else 0)
    assert 30 < (x[::21, :, 0] == 1).sum() < 90


def test_true_probabilities_pass_on_the_choices_and_they_tell_everything():
    """An A that knows all but the choices passes on a, x and the targets; from these the stream can be rebuilt."""
    cfg = stub.Config()
    x = stub.sample(cfg, np.random.default_rng(4), 30, 1)
    y = x[1:].copy()  # probabilities of the next symbol, then of target +1
    y[..., -1] = 0.5
    y[20::21, :, :2] = 0.5
    critical = stub.probability(y, x[1:])[:, 0] < cfg.confidence
    assert set(np.flatnonzero(critical) % 21) == {19, 20} and critical.sum() == 29 + 30
    rebuilt, passed = [x[0, 0]], list(x[1:, 0][critical][::-1])
    for sure in ~critical:
        following = max(rebuilt[-1].argmax() + 1, 2)  # b1 after a and x alike, then b2, b3, ...
        rebuilt.append(np.eye(23)[following] if sure else passed.pop())
    assert np.array_equal(rebuilt, x[:, 0]) and not passed


def test_chunker_sleeps_between_events_and_automatizer_does_not_hear_it():
    """C's state is that of reading critical inputs only; A's answers depend neither on C nor on later targets."""
    cfg, rng = replace(SMALL, tests=1), np.random.default_rng(5)
    C, x = stub.init(rng, 9, 3, 9), stub.sample(cfg, rng, 4, 2)
    critical = rng.random(x.shape[:2]) < 0.3
    h = stub.run(C, x, np.zeros((2, 3)), critical)
    assert (h[1:][~critical] == h[:-1][~critical]).all()
    for b in range(2):
        assert np.allclose(h[-1, b], stub.run(C, x[critical[:, b], b : b + 1], np.zeros((1, 3)))[-1, 0])
    A = stub.init(rng, 9, 5, 13)
    y, later = stub.outputs(A, x, stub.run(A, x, np.zeros((2, 5)))), x.copy()
    later[13:, :, -1] *= -1
    changed = stub.outputs(A, later, stub.run(A, later, np.zeros((2, 5))))
    assert (changed[:13] == y[:13]).all() and (changed[13] != y[13]).any()
    words = stub.sample(cfg, rng, 2, stub.STREAMS)
    other = {"W": C["W"] + 1, "V": C["V"] - 1}
    assert stub.evaluate(cfg, A, C, words)[0]["a_acc"] == stub.evaluate(cfg, A, other, words)[0]["a_acc"]
