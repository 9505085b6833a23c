"""Oracles of saccadic-target-detection: facts about the fovea, the task and the gradients that need no training."""

import numpy as np

import fovea
import saccadic_target_detection as stub


def world(turn: float = 0.0) -> fovea.World:
    return fovea.World((0.0, 0.0), 20.0, turn)


def test_receptive_fields_are_means_of_the_pixels_they_cover():
    """Against sums over pixels, each weighted by the part of it that a square covers; starts far out included."""
    image, here = fovea.draw((0.0, 0.0)), world()
    pixels = np.arange(-fovea.RANGE, fovea.RANGE)

    def covered(low, high):
        return (np.minimum(high, pixels + 1) - np.maximum(low, pixels)).clip(0)

    for x, y in ((0.0, 0.0), (-31.0, 12.0), (17.3, -40.7), (68.9, 70.0)):
        seen = here.look(np.array([[x, y, 0.0]]))[0]
        for (cx, cy), level, f in zip(fovea.CENTRES, fovea.LEVELS, seen, strict=True):
            side = fovea.SIZES[level]
            columns = covered(x + cx - side / 2, x + cx + side / 2)
            rows = covered(y + cy - side / 2, y + cy + side / 2)
            np.testing.assert_allclose(f, rows @ image @ columns / side**2, atol=1e-12)
    (x0, y0), (x1, y1), (x2, y2) = fovea.TRIANGLE
    area = abs((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)) / 2
    assert abs(image.sum() / area - 1) < 0.01


def test_the_fovea_moves_and_turns_with_the_plane():
    """Shifting the object shifts what is seen; a fovea turned by 90 degrees sees the same fields in another order."""
    rng, here = np.random.default_rng(0), world(50.0)
    pose = np.concatenate([rng.uniform(-60, 60, (20, 2)), np.zeros((20, 1))], axis=1)
    shifted = fovea.World((7.0, -4.0), 20.0, 0.0)
    np.testing.assert_allclose(shifted.look(pose - (7, -4, 0)), here.look(pose), atol=1e-12)
    turned = np.array([[-y, x] for x, y in fovea.CENTRES])
    same = (turned[:, None] == fovea.CENTRES).all(axis=2) & (fovea.LEVELS[:, None] == fovea.LEVELS)
    assert (same.sum(axis=1) == 1).all()
    np.testing.assert_allclose(here.look(pose + (0, 0, np.pi / 2)), here.look(pose)[:, same.argmax(axis=1)], atol=1e-9)
    a = np.array([[1.0, 0, 0.75, 0.25, 1, 0]])  # 20 px ahead and 10 to the left, then turn left
    after = here.move(here.move(np.array([[1.0, 2.0, np.pi / 2]]), a), a)[0]
    tilt = np.deg2rad(50)
    ahead, left = np.array([-np.sin(tilt), np.cos(tilt)]), np.array([-np.cos(tilt), -np.sin(tilt)])
    expected = [*((1 - 10, 2 + 20) + 20 * ahead + 10 * left), np.pi / 2 + 2 * tilt]
    np.testing.assert_allclose(after, expected)


def test_nets_have_the_sizes_of_the_paper():
    """40 inputs; M 44-40-40, C 40-20-4; with turns M has 46 inputs and C 6 outputs; 1 input is the bias."""
    for preset, motors in (("learnt_model", 4), ("rotation", 6)):
        cfg = stub.Config(**stub.PRESETS[preset])
        M, C = stub.new_nets(cfg, world(cfg.turn), np.random.default_rng(0)).values()
        assert (M["W"].shape, M["V"].shape) == ((40 + motors + 1, 40), (40 + motors + 1 + 40, 40))
        assert (C["W"].shape, C["V"].shape) == ((41, 20), (61, motors))
    assert (len(fovea.CENTRES), fovea.CENTRES[:, 0].max() + 14) == (40, 56)


def test_only_the_target_looks_like_the_target():
    here = world()
    assert not ((here.look(np.zeros((1, 3))) - here.goal) ** 2).any()
    grid = np.arange(-70, 75, 5.0)
    places = np.array([(x, y, 0) for x in grid for y in grid if (x, y) != (0, 0)])
    seen = here.look(places)
    assert ((seen - here.goal) ** 2).sum(axis=1).min() > 1e-3
    starts = here.start(np.random.default_rng(1), 500, 70.0)
    assert (here.look(starts).sum(axis=1) >= 0.3).all() and (np.abs(starts[:, :2]) <= 70).all()


def numeric(loss, net: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Central differences of loss() in the weights net[name]."""
    grad, array = np.empty_like(net[name]), net[name]
    for i in np.ndindex(array.shape):
        kept, losses = array[i], []
        for shift in (1e-5, -1e-5):
            array[i] = kept + shift
            losses.append(loss())
        array[i] = kept
        grad[i] = (losses[0] - losses[1]) / 2e-5
    return grad


class Imagined:
    """A world that is M: the pose of a fovea is what it sees."""

    def __init__(self, M: dict[str, np.ndarray]):
        self.M = M

    def look(self, pose: np.ndarray) -> np.ndarray:
        return pose

    def move(self, pose: np.ndarray, a: np.ndarray) -> np.ndarray:
        return stub.forward(self.M, np.concatenate([pose, a], axis=1))[1]


def test_gradients_where_the_world_is_the_model():
    rng = np.random.default_rng(2)
    M, C = stub.init(rng, 5 + 4, 6, 5, 2.0), stub.init(rng, 5, 3, 4, 2.0)
    f, goal, a = rng.random((7, 5)), rng.random(5), rng.random((7, 4))

    def run(limit=np.inf):
        inputs, motors, _ = stub.rollout(C, Imagined(M), f, 4)
        return stub.controller_loss_and_grad(C, M, inputs, motors, goal, limit)

    x, after = np.concatenate([f, a], axis=1), rng.random((7, 5))
    for name in ("W", "V"):
        np.testing.assert_allclose(run()[1][name], numeric(lambda: run()[0], C, name), rtol=1e-6, atol=1e-9)
        expected = numeric(lambda: stub.model_loss_and_grad(M, x, after)[0], M, name)
        np.testing.assert_allclose(stub.model_loss_and_grad(M, x, after)[1][name], expected, rtol=1e-6, atol=1e-9)
    short = run(1e-3)[1]["V"]
    assert 0 < np.linalg.norm(short) < 0.01 * np.linalg.norm(run()[1]["V"])
