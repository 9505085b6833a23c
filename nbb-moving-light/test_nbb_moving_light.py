"""Facts about the neural bucket brigade with a memory: its task, its rule unit by unit, and what it conserves."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

import nbb_moving_light as stub

NETS = 3


def plain_presentation(cfg, w, x, target):
    """The rule for one net, one connection at a time; changes the weights (a list) and returns per tick
    (winner, weight paid in from outside, weight paid by connections from the inputs)."""
    senders = cfg.cells + 3
    history, c_before, winner_before = [], None, None
    for t in range(len(x)):
        source = list(x[t]) + [float(winner_before == j) for j in (0, 1)]
        c = [[source[i] * w[i][k] for k in (0, 1)] for i in range(senders)]
        net = [sum(c[i][k] for i in range(senders)) for k in (0, 1)]
        winner = max((0, 1), key=lambda k: net[k])
        paid_in = 0.0
        if winner_before is not None:
            income = cfg.lam * c[cfg.cells + 1 + winner_before][winner]
            total = sum(c_before[h][winner_before] for h in range(senders))
            for i in range(senders):
                w[i][winner_before] += income * c_before[i][winner_before] / total
        for i in range(senders):
            w[i][winner] -= cfg.lam * c[i][winner]
            if winner == target and (cfg.answer == "during" or t == len(x) - 1):
                w[i][winner] += cfg.eta * c[i][winner]
                paid_in += cfg.eta * c[i][winner]
        history.append((winner, paid_in, cfg.lam * sum(c[i][winner] for i in range(cfg.cells + 1))))
        c_before, winner_before = c, winner
    return history


def configs():
    for preset in ("nbb", "no_recurrence", "after", "cells_10"):
        yield replace(stub.Config(**stub.PRESETS[preset]), nets=NETS, init_low=0.2, lam=0.02, eta=0.015)


def test_a_sweep_lights_one_cell_after_the_other_and_the_other_direction_is_its_mirror():
    for cells in (2, 5, 8):
        after = stub.frames(stub.Config(cells=cells, answer="after"))
        retina = after[:, :cells]
        assert after.shape == (cells, cells + 1, 2)
        assert (after[:, cells] == 1).all()
        assert (retina.sum(axis=1) == 1).all()
        assert (retina[:, :, 0].argmax(axis=1) == np.arange(cells)).all()
        assert (retina[:, :, 1] == retina[:, ::-1, 0]).all()
        assert (stub.frames(stub.Config(cells=cells)) == after[:-1]).all()
    for schedule in ("pairs", "alternating"):
        drawn = stub.directions(stub.Config(schedule=schedule, presentations=9), np.random.default_rng(0))
        assert (drawn[0:8:2] + drawn[1:9:2] == 1).all()
        assert (drawn[1:8:2] + drawn[2:9:2] == 1).all() == (schedule == "alternating")
    blocks = stub.directions(stub.Config(schedule="alternating", block=3, presentations=9), np.random.default_rng(0))
    assert (blocks[:3] == blocks[6:]).all() and (blocks[:3] + blocks[3:6] == 1).all()


def test_population_learns_as_single_units_do_and_weights_stay_positive():
    for cfg in configs():
        rng = np.random.default_rng(0)
        w, light = stub.init(cfg, rng), stub.frames(cfg)
        singles = [w[..., n].tolist() for n in range(NETS)]
        for target in rng.integers(2, size=(50, NETS)):
            stub.present(cfg, w, light[..., target], target)
            for single, d in zip(singles, target, strict=True):
                plain_presentation(cfg, single, light[..., d].tolist(), d)
        np.testing.assert_allclose(w, np.stack(singles, axis=-1), rtol=1e-12)
        existing = np.arange(len(w)) < cfg.cells + (1 if cfg.recurrence == "off" else 3)
        assert ((w > 0) == existing[:, None, None]).all()
        winning = stub.respond(cfg, w)
        for single, n, d in ((single, n, d) for n, single in enumerate(singles) for d in (0, 1)):
            history = plain_presentation(replace(cfg, lam=0, eta=0), single, light[..., d].tolist(), d)
            assert winning[:, :, d, n].argmax(axis=1).tolist() == [winner for winner, _, _ in history]


@pytest.mark.parametrize("ticks", range(1, 6))
def test_weight_comes_from_payoff_only_and_leaves_by_the_inputs_only(ticks):
    """Over a presentation: change of all weights = payoffs - payments of connections from the inputs."""
    for cfg in configs():
        rng = np.random.default_rng(1)
        w, target = stub.init(cfg, rng), rng.integers(2, size=NETS)
        x = stub.frames(cfg)[:ticks, :, target]
        singles = [w[..., n].tolist() for n in range(NETS)]
        before = w.sum(axis=(0, 1))
        stub.present(cfg, w, x, target)
        for n in range(NETS):
            history = plain_presentation(cfg, singles[n], x[..., n].tolist(), target[n])
            balance = sum(paid_in - paid_by_inputs for _, paid_in, paid_by_inputs in history)
            np.testing.assert_allclose(w[..., n].sum() - before[n], balance, atol=1e-12)


def test_mirrored_nets_learn_mirrored_sweeps():
    for cfg in configs():
        rng = np.random.default_rng(2)
        w, light = stub.init(cfg, rng), stub.frames(cfg)
        swap = [*range(cfg.cells - 1, -1, -1), cfg.cells, cfg.cells + 2, cfg.cells + 1]
        mirrored = w[swap, ::-1]
        for target in rng.integers(2, size=(60, NETS)):
            stub.present(cfg, w, light[..., target], target)
            stub.present(cfg, mirrored, light[..., 1 - target], 1 - target)
            np.testing.assert_allclose(mirrored, w[swap, ::-1], rtol=1e-12)
            assert (stub.solves(cfg, mirrored) == stub.solves(cfg, w)).all()


def test_without_recurrence_a_sweep_can_be_told_by_its_end_only():
    """Brute force over all nets in which each cell prefers one of the outputs."""
    for cells, solvable in ((2, True), (3, False), (5, False), (7, False)):
        prefers = np.array(list(product((0, 1), repeat=cells))).T  # (cells, nets)
        w = np.zeros((cells + 3, 2, 2**cells))
        w[:cells] = 1 + (prefers[:, None] == np.arange(2)[:, None])
        w[cells] = 1
        cfg = stub.Config(cells=cells, nets=2**cells, recurrence="off")
        assert stub.solves(cfg, w).any() == solvable
        by_the_end = (prefers[-1] == 0) & (prefers[0] == 1)
        assert (stub.solves(replace(cfg, answer="after"), w) == by_the_end).all()


def test_end_cells_that_decide_and_outputs_that_keep_themselves_on_solve_the_task():
    for cells in (3, 5, 20):
        cfg = stub.Config(cells=cells, nets=1)
        w, light = np.ones((cells + 3, 2, 1)), stub.frames(cfg)
        w[0, 0] = w[cells - 1, 1] = w[-2, 0] = w[-1, 1] = 2
        assert stub.solves(cfg, w).all()
        assert (stub.respond(cfg, w).sum(axis=1) == 1).all()  # one winner at every tick
        assert not stub.respond(cfg, -w).any()  # none if no net input is positive
        for target in (0, 1, 1, 0):
            stub.present(cfg, w, light[..., [target]], np.array([target]))
        assert stub.solves(cfg, w).all()
