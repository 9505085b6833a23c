"""Facts about the tasks, the levels and the code between them that hold without training."""

import re

import numpy as np
import pytest

import chunker_very_deep_1200 as stub
import history_level as level


def random_level(cfg: stub.Config, length: int, count: int = 2):
    rng = np.random.default_rng(1)
    net = stub.init(cfg, rng)
    symbols = rng.integers(stub.alphabet(cfg), size=(length, count))
    symbols[-2:, 0] = -1  # the first stream is shorter
    return net, level.Streams(symbols, np.sort(rng.integers(200, size=(length, count)), axis=0))


@pytest.mark.parametrize(("flow", "emphasis"), [(11, 0.0), (50, 0.7)])
def test_gradient_without_truncation(flow, emphasis):
    """Central differences of the loss, with symbols, elapsed time and padding."""
    net, streams = random_level(stub.Config(hidden=5), 12)
    loss, grads = level.level_loss_and_grad(net, streams, flow, emphasis)
    last = -np.log(level.given(net, streams)[[9, 11], [0, 1]]).mean()  # the first stream ends two steps earlier
    assert loss == pytest.approx(level.level_loss_and_grad(net, streams, flow)[0] + emphasis * last)
    for name, array in net.items():
        for place in np.ndindex(*array.shape):
            kept, losses = array[place], []
            for shift in (1e-5, -1e-5):
                array[place] = kept + shift
                losses.append(level.level_loss_and_grad(net, streams, flow, emphasis)[0])
            array[place] = kept
            assert grads[name][place] == pytest.approx((losses[0] - losses[1]) / 2e-5, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("flow", [0, 1, 3])
def test_truncated_errors_are_those_of_unrolled_windows(flow):
    """The error of every step sent back by itself, `flow` steps and no further."""
    net, streams = random_level(stub.Config(hidden=5), 12)
    h, dh = level.run(net, streams), np.random.default_rng(2).normal(size=(12, 2, 5))
    expected = np.zeros_like(dh)
    for t, b in np.ndindex(12, 2):
        error = dh[t, b]
        for back in range(min(flow, t) + 1):
            delta = error * (1 - h[t - back + 1, b] ** 2)
            expected[t - back, b] += delta
            error = net["R"] @ delta
    assert np.allclose(level.error_signals(net, h, dh, flow), expected, rtol=1e-10, atol=1e-12)


def test_pieces_side_by_side_end_in_the_states_of_one_run():
    """Streams long enough to be cut, through one net that forgets and one that hardly does, step by step."""
    for gain in (0.5, 1.5):
        net, streams = random_level(stub.Config(hidden=5), 209)
        net["R"] *= gain
        h, gap = np.zeros((2, 5)), level.elapsed(streams.times)
        for t, state in enumerate(level.run(net, streams)[1:]):
            h = np.tanh(net["X"][streams.symbols[t]] + gap[t][:, None] * net["e"] + net["b"] + h @ net["R"])
            assert np.allclose(state, h, rtol=0, atol=1e-9)


@pytest.mark.parametrize("task", ["flat", "nested", "noise", "variable"])
def test_nothing_is_lost(task):
    """What the upper of two levels passes on, and the places, decode to the sequence."""
    cfg = stub.Config(task=task, length=1202 if task == "nested" else 60, noise=0.1 if task == "noise" else 0.0)
    rng = np.random.default_rng(5)
    streams = stub.sample(cfg, rng, 6)
    nets = [stub.init(cfg, rng) for _ in range(2)]
    for net in nets:
        net["V"] *= 40  # untrained, but sure of itself: sometimes it is right
    readings = level.climb(nets, streams, 0.5, [])
    for read, *_ in readings:
        assert (np.diff(np.where(read.symbols >= 0, read.times, 10**6), axis=0) >= 0).all()
    decoded = readings[-1].passed.symbols
    assert 6 < (decoded >= 0).sum() < (streams.symbols >= 0).sum()
    for net, (read, own, _) in zip(nets[::-1], readings[::-1], strict=True):
        decoded = level.expand(net, decoded, own < 0.5, read.times)
    assert (decoded == streams.symbols)[streams.symbols >= 0].all()


def test_levels_that_know_the_truth_find_the_three_time_scales(monkeypatch):
    """With the frequencies of pairs in place of nets: words, then sentences, then the two triggers are left."""

    def frequency(_net, streams):
        pairs = streams.symbols[:-1] * 32 + streams.symbols[1:]
        times = np.bincount(pairs.ravel(), minlength=32 * 32).reshape(32, 32)
        known = (times / np.maximum(times.sum(axis=1, keepdims=True), 1)).ravel()[pairs]
        return np.concatenate((np.zeros((1, pairs.shape[1])), known))

    monkeypatch.setattr(level, "given", frequency)
    streams = stub.sample(stub.Config(), np.random.default_rng(3), 40)
    words = np.arange(1, 1202, 10)  # starts of words, and the last symbol
    expected = np.append(0, words[1:]), np.append(0, words[10::10]), np.array([0, 1201])
    for reading, times in zip(level.climb([{}] * 3, streams, 0.8, []), expected, strict=True):
        assert (reading.passed.times == times[:, None]).all()


def test_tasks_are_accepted_by_recognisers():
    """Regular expressions for all four tasks; the trigger is fair and shows at both ends only."""
    letters = [chr(ord("A") + k) for k in range(32)]  # triggers A and B, C ... K (flat: CDEFG), starts L ... T, heads
    words, heads = "".join(letters[2:11]), letters[20:]
    nested = "".join(start + words for head in heads for start in [head, *letters[11:20]])
    for task, noise in (("flat", 0.0), ("nested", 0.0), ("noise", 0.2), ("variable", 0.0)):
        cfg = stub.Config(task=task, length=1202 if task == "nested" else 50, noise=noise)
        batch = stub.sample(cfg, np.random.default_rng(4), 200).symbols
        assert 70 < (batch[0] == 0).sum() < 130
        for column in batch.T:
            text = "".join(letters[k] for k in column[column >= 0])
            middle = re.fullmatch(r"([AB])(.*)\1", text)[2]
            if task == "nested":
                assert middle == nested
            else:
                cycle = ("CDEFG" * 10)[: len(middle)]
                assert all(a == b or a in "HIJKL" for a, b in zip(middle, cycle, strict=True))
                assert (middle == cycle) == (task != "noise")
                assert (25 if task == "variable" else 50) <= len(text) <= 50


def test_reach_is_the_derivative_by_earlier_states():
    """Sizes from the recursion against differences: a change of h some steps back, carried on to the end."""
    net, streams = random_level(stub.Config(hidden=5), 9, 1)
    stream = level.pick(streams, np.array([0]))
    sizes, h, last = level.reach(net, stream), level.run(net, stream), stream.symbols[-1, 0]
    T = len(stream.symbols)
    drive = np.arctanh(h[1:, 0]) - h[:-1, 0] @ net["R"]
    for back in range(T - 1):
        slopes = []
        for unit in range(5):
            losses = []
            for shift in (1e-6, -1e-6):
                state = h[T - 1 - back, 0].copy()
                state[unit] += shift
                for t in range(T - 1 - back, T - 1):
                    state = np.tanh(state @ net["R"] + drive[t])
                losses.append(-np.log(level.softmax(state @ net["V"] + net["c"])[last]))
            slopes.append((losses[0] - losses[1]) / 2e-6)
        assert sizes[back] == pytest.approx(np.linalg.norm(slopes), rel=1e-5)
