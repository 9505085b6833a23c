"""Oracles of temporal-order-4bit: facts that need no training."""

from dataclasses import replace

import numpy as np

import temporal_order_4bit as stub
from memory_cell import truncated

PAPER = stub.Config()


def test_the_papers_net_has_308_weights():
    params = stub.init(stub.Config(**stub.PRESETS["paper_literal"]), np.random.default_rng(0))
    assert sum(p.size for p in params.values()) == 308
    assert params["W"][3:6, 0].tolist() == [-2, -4, -6]


def test_an_independent_reader_agrees_with_every_sequence():
    batch = stub.sample(PAPER, np.random.default_rng(1), 10_000)
    for b in range(10_000):
        text = "".join(stub.SYMBOLS[k] for k in batch.symbols[: batch.length[b], b])
        order = [(place, letter) for place, letter in enumerate(text, start=1) if letter in "XY"]
        assert batch.label[b] == ["XXX", "XXY", "XYX", "XYY", "YXX", "YXY", "YYX", "YYY"].index(
            "".join(letter for _, letter in order)
        )
        assert (
            10 <= order[0][0] <= 20 and 33 <= order[1][0] <= 43 and 66 <= order[2][0] <= 76 and 100 <= len(text) <= 110
        )
        assert text[0] == "E" and text[-1] == "B" and set(text[1:-1]) == set("abcdXY") & set(text)
    assert np.abs(np.bincount(batch.label) / 10_000 - 1 / 8).max() < 0.02


def test_truncated_gradient_is_the_papers_step_by_step_rule():
    """Appendix A.1: carry ds/dw forward for every cell, one sequence at a time."""
    cfg = replace(PAPER, task="reference", output="sigmoid", batch=2, in_bias=-1.0)
    rng = np.random.default_rng(2)
    params = {name: p.astype(float) for name, p in stub.init(cfg, rng).items()}
    batch, W, V = stub.sample(cfg, rng), params["W"], params["V"]
    J, n = cfg.blocks, cfg.blocks * cfg.cells
    right = np.zeros_like(W)
    for b in range(cfg.batch):
        u, s, ds = np.zeros(W.shape[1]), np.zeros(n), np.zeros((n, *W.shape))
        u[0] = 1
        for t in range(batch.length[b]):
            u[1:9] = np.arange(8) == batch.symbols[t, b]
            z = W @ u
            out, in_ = 1 / (1 + np.exp(-z[:J])), 1 / (1 + np.exp(-z[J : 2 * J]))
            g = 4 / (1 + np.exp(-z[2 * J :])) - 2
            for c in range(n):
                j = c // cfg.cells
                ds[c, J + j] += g[c] * in_[j] * (1 - in_[j]) * u
                ds[c, 2 * J + c] += in_[j] * (1 - g[c] ** 2 / 4) * u
                s[c] += in_[j] * g[c]
            h, last = 2 / (1 + np.exp(-s)) - 1, u.copy()
            u[9:] = np.concatenate((np.repeat(out, cfg.cells) * h, out, in_))
        o = 1 / (1 + np.exp(-V @ u[9 : 9 + n] - params["c"]))
        e = V.T @ ((o - (np.arange(len(o)) == batch.label[b])) * o * (1 - o)) / cfg.batch
        for c in range(n):
            j = c // cfg.cells
            right += e[c] * out[j] * (1 - h[c] ** 2) / 2 * ds[c]
            right[j] += e[c] * h[c] * out[j] * (1 - out[j]) * last
    _, _, grads = stub.error_and_grad(cfg, params, batch, truncated)
    np.testing.assert_allclose(grads["W"], right, rtol=1e-9, atol=1e-14)


def test_a_cell_built_by_hand_tells_all_orders_at_length_1000():
    """Solution type 2 of the paper: feeding its output back to its input, one cell writes a binary number.

    The input gate opens on X and Y only. There g is about s + d for X and s - d for Y, so the state becomes 2 s + d or
    2 s - d, and after k symbols it is one of 2^k equidistant values.
    """
    cfg, d = replace(PAPER, blocks=1, cells=1), 0.05
    W = np.zeros((3, 12))  # rows out, in, g; columns 1, a b c d X Y E B, y, out, in
    X, Y, y = 1 + stub.SYMBOLS.index("X"), 1 + stub.SYMBOLS.index("Y"), 9
    W[0, 0] = 20
    W[1, [0, X, Y]] = -30, 60, 60
    W[2, [X, Y, y]] = d, -d, 2  # y = h(s), about s / 2
    classes = len(stub.init(PAPER, np.random.default_rng(0))["c"])
    expected = d / 2 * (classes - 1 - 2 * np.arange(classes))  # y of class k
    gain = 20 / d**2
    params = {"W": W, "V": 2 * gain * expected[:, None], "c": -gain * expected**2}  # nearest expected y
    test = stub.sample(cfg, np.random.default_rng(3), 400, stretch=10)
    metrics, _ = stub.evaluate(cfg, params, test)
    assert test.length.min() >= 1000 and metrics["wrong"] == 0


def test_a_class_counts_as_right_if_every_output_is_less_than_03_off():
    """With V = 0 the outputs are those that the biases c say, whatever is read."""
    cfg = replace(PAPER, output="sigmoid")
    params = stub.init(cfg, np.random.default_rng(4))
    test, classes = stub.sample(cfg, np.random.default_rng(4), 40), len(params["c"])
    others = float((test.label != 0).sum())
    for first, rest, wrong in ((0.71, 0.29, others), (0.69, 0.29, 40), (0.71, 0.31, 40)):
        p = np.array([first] + (classes - 1) * [rest])
        params |= {"V": np.zeros_like(params["V"]), "c": np.log(p / (1 - p))}
        assert stub.evaluate(cfg, params, test)[0]["wrong"] == wrong
    # Of softmax outputs, which sum to 1, only that of the class matters.
    for first, wrong in ((0.71, others), (0.69, 40)):
        params["c"] = np.log([first] + (classes - 1) * [(1 - first) / (classes - 1)])
        assert stub.evaluate(PAPER, params, test)[0]["wrong"] == wrong


def test_a_block_alone_hears_nothing_of_the_others():
    cfg = replace(PAPER, tests=50)
    params = stub.init(cfg, np.random.default_rng(5))
    alone = stub.only_block(cfg, params, 0)
    others = {name: p.copy() for name, p in params.items()}
    others["W"][[1, cfg.blocks + 1]] = 1  # gates of the second block
    others["V"][:, cfg.cells : 2 * cfg.cells] = 1
    changed = stub.only_block(cfg, others, 0)
    test = stub.sample(cfg, np.random.default_rng(6), 50)
    outputs = [stub.evaluate(cfg, p, test)[1] for p in (alone, changed, params, others)]
    assert np.array_equal(outputs[0], outputs[1]) and not np.allclose(outputs[2], outputs[3])
