"""Facts about curiosity that need no training: what progress adds up to, what the world pays, what Q converges to."""

from dataclasses import replace

import numpy as np

import curiosity_three_regions as stub

CFG = stub.Config(learners=4)


def progress_of_visits(cfg: stub.Config, reactions: np.ndarray) -> np.ndarray:
    """The signal (visits, N) for reactions (visits, N) that are met in the first place, always in its first context."""
    cfg = replace(cfg, tau=1.0, learners=reactions.shape[1])  # interest is then the latest signal
    world, here = stub.make_world(cfg), np.zeros(cfg.learners, int)
    learners = stub.init(cfg, world, np.random.default_rng(0))
    signals = []
    for y in reactions:
        stub.observe(cfg, learners, here, here, y)
        signals.append(learners.P[:, 0].copy())
    return np.array(signals)


def test_progress_adds_up_to_what_the_error_has_fallen_by():
    """With kappa = 1 to the first error minus the last one; in general to (first error - c in the end) / kappa."""
    rng = np.random.default_rng(1)
    for y in (rng.normal(0, 2, (40, 3)), np.ones((40, 3))):
        for kappa in (1.0, 0.2):
            cfg = replace(CFG, kappa=kappa, alpha=0.1)
            M, c, first = np.zeros(3), None, None
            for reaction in y:
                e = (reaction - M) ** 2
                first, c = (e, e) if c is None else (first, c)
                M, c = M + 0.1 * (reaction - M), c - kappa * (c - e)
            np.testing.assert_allclose(progress_of_visits(cfg, y).sum(axis=0), (first - c) / kappa)
            if kappa == 1:
                np.testing.assert_allclose(first - c, first - e)


def test_noise_makes_no_progress_on_average_unless_it_is_clipped():
    y = np.random.default_rng(2).normal(0, 2, (30, 5000))
    for signal in ("progress", "clipped", "error"):
        d = progress_of_visits(replace(CFG, alpha=0.0, signal=signal), y)[1:]
        per_learner = d.mean(axis=0)
        away_from_0 = abs(per_learner.mean()) / (per_learner.std() / np.sqrt(len(per_learner)))
        assert away_from_0 < 3 if signal == "progress" else away_from_0 > 100


def test_the_error_falls_by_visits_to_C_only_and_by_a_known_factor():
    """After n visits to each of its cells E = (1 - alpha)^2n; visits to A and B leave it alone."""
    world, rng = stub.make_world(CFG), np.random.default_rng(3)
    target, learners = stub.draw_targets(CFG, world, rng), stub.init(CFG, world, rng)
    assert [(world.region == r).sum() for r in (stub.A, stub.B, stub.C)] == [40, 48, 12]
    for n in range(3):
        for place in range(len(world.region)):
            before = stub.error_in_C(world, learners.M, target)
            entered = np.full(CFG.learners, place)
            context, y = stub.enter(CFG, world, target, entered, rng)
            stub.observe(CFG, learners, entered, context, y)
            changed = stub.error_in_C(world, learners.M, target) != before
            assert (changed == (world.region[place] == stub.C)).all()
        np.testing.assert_allclose(stub.error_in_C(world, learners.M, target), (1 - CFG.alpha) ** (2 * n + 2))
    assert (learners.M[:, world.region == stub.A] == 0).all()


def test_reactions_of_noise_have_the_error_that_C_has_at_first():
    rng = np.random.default_rng(4)
    for preset in ("curious", "arms"):
        cfg = replace(stub.Config(**stub.PRESETS[preset]), learners=20_000)
        world = stub.make_world(cfg)
        target = stub.draw_targets(cfg, world, rng)
        for region in (stub.B, stub.C):
            entered = np.full(cfg.learners, np.flatnonzero(world.region == region)[0])
            context, y = stub.enter(cfg, world, target, entered, rng)
            assert (world.region_of_context[context] == region).all()
            np.testing.assert_allclose((y**2).mean(), 1 if preset == "curious" else 4, rtol=0.06)


def test_backups_converge_to_the_values_of_value_iteration():
    rng = np.random.default_rng(5)
    for preset in ("curious", "arms"):
        cfg = replace(stub.Config(**stub.PRESETS[preset]), learners=2)
        world = stub.make_world(cfg)
        learners = stub.init(cfg, world, rng)
        learners.P[:] = rng.normal(size=learners.P.shape)
        places, actions = world.leads_to.shape
        V = np.zeros((2, places))
        for _ in range(300):
            Q = (learners.P + cfg.gamma * V)[:, world.leads_to]
            V = Q.max(axis=-1)
        for _ in range(2500):
            s, a = rng.integers(places, size=(2, 50)), rng.integers(actions, size=(2, 50))
            stub.backup(cfg, world, learners, s, a)
        np.testing.assert_allclose(learners.Q, Q, atol=1e-4)


def test_random_search_visits_all_cells_alike():
    """The moves are symmetric, so the uniform distribution is stationary; and the corner reaches every cell."""
    leads_to = stub.make_world(CFG).leads_to
    moves = np.zeros((100, 100))
    for a in range(4):
        moves[np.arange(100), leads_to[:, a]] += 0.25
    assert (moves == moves.T).all() and (moves.sum(axis=0) == 1).all()
    assert (np.linalg.matrix_power(moves, 18)[0] > 0).all()
    assert (np.diag(moves) > 0).sum() == 36  # walls stop
    greedy = stub.choose(CFG, np.eye(4)[None].repeat(4, axis=0), np.array([0, 1, 2, 3]), np.random.default_rng(6))
    assert (greedy == [0, 1, 2, 3]).all()
