"""Facts that need no training: the gradients of both players, what V is, and which codes are factorial."""

from dataclasses import replace

import numpy as np
import pytest

import code_quality as quality
import predictability_min_binary_factors as stub
import unpredictability_game as game

SMALL = stub.Config(units=3, hidden=4, predictor_hidden=3, nets=2, group=1, init=1.0, predictor_init=1.0)


def players(cfg: stub.Config) -> tuple:
    """A code net and a predictor with random parameters, all inputs, and unequal weights for them."""
    rng = np.random.default_rng(0)
    x, _ = stub.table(cfg)
    weight = rng.random(len(x))
    code, predictor = stub.init(cfg, x.shape[1], rng)
    for name in ("a", "b"):
        predictor[name] += rng.normal(size=predictor[name].shape)
    return code, predictor, x, weight / weight.sum()


def numerical(V, array: np.ndarray) -> np.ndarray:
    """Central differences of V() (R,) with respect to array (R, ...), whose nets do not affect each other."""
    slope = np.empty_like(array)
    for index in np.ndindex(array.shape[1:]):
        here, kept = (slice(None), *index), array[(slice(None), *index)].copy()
        array[here] = kept + 1e-5
        above = V()
        array[here] = kept - 1e-5
        slope[here] = (above - V()) / 2e-5
        array[here] = kept
    return slope


@pytest.mark.parametrize("change", [{}, {"hidden": 0}, {"sees": "values"}, {"sees": "nothing"}])
def test_gradients_of_both_players(change):
    """Also through the inputs of the predictors; the weight from a unit to its own predictor does not exist."""
    cfg = replace(SMALL, **change)
    code, predictor, x, weight = players(cfg)

    def V() -> np.ndarray:
        return game.code_loss_and_grad(code, predictor, x, weight, cfg.sees)[0]

    _, grads = game.code_loss_and_grad(code, predictor, x, weight, cfg.sees)
    assert grads.keys() == code.keys()
    for name, g in grads.items():
        np.testing.assert_allclose(g, numerical(V, code[name]), atol=1e-8)
    mask = game.others(cfg.units, cfg.sees)
    views, _ = game.look(game.encode(code, x)[1], weight, cfg.sees)
    for name, g in game.predictor_grad(predictor, views, mask).items():
        slope = numerical(V, predictor[name]) * (mask if name == "w" else 1.0)
        np.testing.assert_allclose(g, slope, atol=1e-8)


def test_V_is_the_mean_over_the_bits_that_the_predictors_see():
    """Brute force over patterns and bit strings; and no prediction depends on the unit that is predicted."""
    code, predictor, x, weight = players(SMALL)
    _, y = game.encode(code, x)
    z = game.all_bits(3)
    _, P = game.predict(predictor, z)
    V = np.zeros(2)
    for net, p, s in np.ndindex(2, len(x), 8):
        q = np.prod(np.where(z[s] == 1, y[net, p], 1 - y[net, p]))
        V[net] += weight[p] * q * ((P[net, :, s] - y[net, p]) ** 2).sum()
    np.testing.assert_allclose(game.code_loss_and_grad(code, predictor, x, weight, "bits")[0], V)
    for i in range(3):
        np.testing.assert_allclose(P[:, i], P[:, i][:, np.arange(8) ^ 2 ** (2 - i)])


def test_perfect_predictors_leave_the_conditional_variance():
    """Of binary codes: the mean over the other bits of the variance of a bit given these; no predictor does better."""
    rng = np.random.default_rng(1)
    weight = rng.dirichlet(np.ones(8))
    codes = rng.integers(2, size=(50, 8, 3)).astype(float)
    for y, V in zip(codes, quality.ideal_V(codes, weight), strict=True):
        left = 0.0
        for i in range(3):
            rest = np.delete(y, i, axis=1)
            for c in np.unique(rest, axis=0):
                same = (rest == c).all(axis=1)
                on = np.average(y[same, i], weights=weight[same])
                left += weight[same].sum() * on * (1 - on)
        np.testing.assert_allclose(V, left)
    code, predictor, x, weight = players(SMALL)
    _, y = game.encode(code, x)
    assert (quality.ideal_V(y, weight) < game.code_loss_and_grad(code, predictor, x, weight, "bits")[0]).all()
    np.testing.assert_allclose(
        quality.ideal_V(1 - y[:, :, ::-1], weight), quality.ideal_V(y, weight)
    )  # names do not matter


def test_V_is_largest_for_factorial_codes_among_all_binary_codes_of_four_patterns():
    """V <= M / 4 with equality for the 24 factorial ones; with unequal odds 2 and 19/10 are the two largest values."""
    codes = game.all_bits(8).reshape(256, 4, 2)
    factorial = quality.judge(codes, np.full(4, 0.25)).factorial
    V = quality.ideal_V(codes, np.full(4, 0.25))
    assert factorial.sum() == 24 and (abs(V - 0.5) < 1e-12).tolist() == factorial.tolist() and V.max() < 0.5 + 1e-12
    _, odds = stub.table(replace(SMALL, patterns=4, odds="unequal"))
    V = 4.5 * quality.ideal_V(codes, odds)
    assert (abs(V - 2) < 1e-12).tolist() == quality.judge(codes, odds).factorial.tolist()
    np.testing.assert_allclose(sorted(set(V.round(9)))[-2:], [1.9, 2])
    metrics = stub.evaluate_table(replace(SMALL, nets=256, patterns=4, odds="unequal"), codes, odds, V, V)
    np.testing.assert_allclose((metrics["V_factorial"], metrics["V_other"]), (2, 1.9), rtol=1e-12)


def test_constant_units_are_left_out_and_half_binary_ones_refused():
    equal = np.full(4, 0.25)
    code = np.concatenate([stub.BITS, [[0.46], [0.53], [0.46], [0.53]]], axis=1)  # the third unit is no bit
    leaky = code + [0, 0, 0.05] * np.arange(4)[:, None]  # the third unit tells the patterns apart
    same = np.concatenate([stub.BITS, stub.BITS[:, :1]], axis=1)  # the third repeats the first
    codes = quality.judge(np.stack([code, leaky, same, 0.92 * code]), equal)
    assert codes.factorial.tolist() == [True, False, False, True]
    assert codes.constant[0].tolist() == [False, False, True] and (codes.outputs == 4).all()


def test_recovered_bits_need_a_unit_each():
    rng = np.random.default_rng(2)
    b = rng.choice([-1.0, 1.0], (4000, 4))
    assert quality.correct_bits((1 - b * [1, -1, 1, 1])[:, [2, 0, 3, 1]] / 2, b) == 1
    twice = quality.correct_bits((1 + b[:, [0, 0, 2, 3]]) / 2, b)
    np.testing.assert_allclose(twice, 7 / 8, atol=0.01)
    assert abs(quality.correct_bits(rng.random((4000, 4)), b) - 0.5) < 0.05


def test_mutual_information_of_probable_bits():
    """0 between independent units, ln 2 between equal fair ones; probabilities of 1/2 tell nothing."""
    y = np.concatenate([stub.BITS, stub.BITS[:, :1], np.full((4, 1), 0.5)], axis=1)
    expected = np.zeros((4, 4))
    expected[[0, 1, 2, 0, 2], [0, 1, 2, 2, 0]] = np.log(2)
    np.testing.assert_allclose(quality.information(y), expected, atol=1e-12)


def test_majorities_of_three_signs_are_as_factorial_as_the_signs():
    """V cannot tell them apart, and units without a hidden layer can compute both; but each has a quarter wrong."""
    bits = game.all_bits(3)
    b, equal = 2 * bits - 1, np.full(8, 1 / 8)
    majorities = (b @ np.array([[1, 1, 1], [-1, 1, 1], [1, 1, -1]]).T > 0).astype(float)
    assert quality.judge(np.stack([bits, majorities]), equal).factorial.all()
    np.testing.assert_allclose(quality.ideal_V(np.stack([bits, majorities]), equal), 3 / 4)
    assert (quality.correct_bits(bits, b), quality.correct_bits(majorities, b)) == (1, 3 / 4)
