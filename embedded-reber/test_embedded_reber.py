"""Oracles of embedded-reber: facts that need no training."""

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

import embedded_reber as stub
import reber_grammar as grammar
from memory_cell import truncated

PAPER = stub.Config(**stub.PRESETS["paper_literal"])

# The inner language from its diagram: loops at s1 (S) and s2 (T), and the circle s2 -V-> s4 -P-> s3 -X-> s2.
CIRCLE = "T*V(PXT*V)*"  # from s2 to s4, any number of times round
INNER = f"(TS*X(S|X{CIRCLE}(PS|V))|P{CIRCLE}(PS|V))"
ARROWS = {(0, "T"): 1, (0, "P"): 2, (1, "S"): 1, (1, "X"): 3, (2, "T"): 2, (2, "V"): 4}
ARROWS |= {(3, "X"): 2, (3, "S"): 5, (4, "P"): 3, (4, "V"): 5}
STRING = re.compile(f"B([TP])B{INNER}E\\1E")


def double(params: dict) -> dict:
    return {name: p.astype(float) for name, p in params.items()}


def all_strings(longest: int) -> list[str]:
    """Every string of the grammar with at most `longest` symbols, by brute force."""
    done, open_ = [], [("", 0)]
    while open_:
        path, state = open_.pop()
        if state == 5:
            done += [f"B{o}B{path}E{o}E" for o in "TP"]
        elif len(path) < longest - 6:
            open_ += [(path + symbol, to) for (start, symbol), to in ARROWS.items() if start == state]
    return [string for string in done if len(string) <= longest]


@pytest.mark.parametrize(("preset", "weights"), [("three_blocks", 276), ("four_blocks", 264), ("paper_literal", 276)])
def test_the_papers_nets_have_276_and_264_weights(preset, weights):
    cfg = stub.Config(**stub.PRESETS[preset])
    params = stub.init(cfg, np.random.default_rng(0))
    assert sum(p.size for p in params.values()) == weights
    assert params["b"][: cfg.blocks].tolist() == [-1, -2, -3, -4][: cfg.blocks]


def test_strings_are_those_of_the_grammar():
    strings = grammar.draw_strings(np.random.default_rng(1), 15_000)
    assert all(STRING.fullmatch(string) for string in strings)
    other = {"T": "P", "P": "T"}
    assert not any(STRING.fullmatch(string[:-2] + other[string[-2]] + "E") for string in strings)
    assert set(all_strings(12)) == {string for string in strings if len(string) <= 12}
    assert min(map(len, strings)) == 9
    taken = Counter(string[1] for string in strings)
    for string in strings:
        state = 0
        for symbol in string[3:-3]:
            taken[state, symbol] += 1
            state = ARROWS[state, symbol]
    for one, two in ("TP", *([key for key in ARROWS if key[0] == state] for state in range(5))):
        assert abs(taken[one] / (taken[one] + taken[two]) - 0.5) < 0.02
    # the inner parts TXS and PVV, three branches each
    assert abs(np.mean([len(string) == 9 for string in strings]) - 2 / 8) < 0.015


def test_legal_symbols_are_those_of_brute_force():
    strings, follow = all_strings(16), {}
    for string in strings:
        for t in range(1, len(string)):
            follow.setdefault(string[:t], set()).add(string[t])
    for string in strings:
        for t, legal in enumerate(grammar.legal_next(string)[:9]):  # from there on 16 symbols may be too few
            assert set(legal) == follow[string[: t + 1]]


def test_no_test_string_is_a_training_string():
    rng = np.random.default_rng(2)
    training = set(grammar.draw_strings(rng, 256))
    assert not training & set(grammar.draw_strings(rng, 256, known=training))


@pytest.mark.parametrize("preset", ["lstm", "no_output_gate", "rnn", "paper_literal"])
def test_padding_changes_nothing(preset):
    cfg = stub.Config(**stub.PRESETS[preset])
    rng = np.random.default_rng(3)
    params, strings = double(stub.init(cfg, rng)), grammar.draw_strings(rng, 6)
    loss, grads = stub.loss_and_grad(cfg, params, grammar.encode(strings))
    single = [stub.loss_and_grad(cfg, params, grammar.encode([string])) for string in strings]
    assert np.isclose(loss, np.mean([one for one, _ in single]), rtol=1e-10)
    for name in grads:
        np.testing.assert_allclose(grads[name], np.mean([g[name] for _, g in single], axis=0), rtol=1e-9, atol=1e-12)


def test_truncated_gradient_is_the_papers_step_by_step_rule():
    """Appendix A.1: carry ds/dw forward for every cell, one string at a time, and add what every step's error says."""
    rng = np.random.default_rng(4)
    params, string = double(stub.init(PAPER, rng)), "BTBPVPXTVVETE"
    symbols, J, n = [grammar.SYMBOLS.index(symbol) for symbol in string], 3, 6
    W = np.column_stack((np.append(params["b"], np.zeros(n)), params["W"]))
    u, s, ds, right = np.zeros(20), np.zeros(n), np.zeros((n, *W.shape)), np.zeros_like(W)
    u[0] = 1
    for now, following in zip(symbols, symbols[1:], strict=False):
        u[1:8] = np.arange(7) == now
        z = W @ u
        out, in_ = 1 / (1 + np.exp(-z[:J])), 1 / (1 + np.exp(-z[J : 2 * J]))
        g = 4 / (1 + np.exp(-z[2 * J :])) - 2
        for c in range(n):
            j = c // 2
            ds[c, J + j] += g[c] * in_[j] * (1 - in_[j]) * u
            ds[c, 2 * J + c] += in_[j] * (1 - g[c] ** 2 / 4) * u
            s[c] += in_[j] * g[c]
        h, last = 2 / (1 + np.exp(-s)) - 1, u.copy()
        u[8:] = np.concatenate((np.repeat(out, 2) * h, out, in_))
        o = 1 / (1 + np.exp(-params["V"] @ u[8 : 8 + n]))
        e = params["V"].T @ ((o - (np.arange(7) == following)) * o * (1 - o))
        for c in range(n):
            j = c // 2
            right += e[c] * out[j] * (1 - h[c] ** 2) / 2 * ds[c]
            right[j] += e[c] * h[c] * out[j] * (1 - out[j]) * last
    _, _, grads = stub.error_and_grad(PAPER, params, grammar.encode([string]).symbols, truncated)
    np.testing.assert_allclose(grads["W"], right[:, 1:], rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(grads["b"], right[: 2 * J, 0], rtol=1e-9, atol=1e-14)


def test_a_step_is_right_if_the_legal_symbols_are_the_highest():
    batch = grammar.encode(grammar.draw_strings(np.random.default_rng(5), 300))
    assert stub.steps_right(batch.legal.astype(float), batch.legal).all()
    wrong = batch.legal.astype(float)
    illegal, legal = (~batch.legal[4, 7]).argmax(), batch.legal[4, 7].argmax()
    wrong[4, 7, [illegal, legal]] = 1, 0.5
    right = stub.steps_right(wrong, batch.legal)
    assert not right[4, 7] and right.sum() == right.size - 1
    assert not stub.steps_right(np.ones_like(wrong), batch.legal)[batch.symbols[1:] >= 0].any()  # a tie is not enough


def test_no_output_gate_means_that_they_are_open():
    cfg = replace(stub.Config(), cell="no_output_gate")
    rng = np.random.default_rng(6)
    _, trace = stub.run(cfg, stub.init(cfg, rng), stub.sample(cfg, rng).symbols)
    assert np.array_equal(trace.y[1:], trace.h[1:]) and (trace.unit[1:, :8] == 1).all()
