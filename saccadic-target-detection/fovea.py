"""An artificial fovea above a white plane with one dark triangle: where it is, how it moves, what it sees.

The pose (B, 3) of a batch of foveas says where each one's centre is relative to the target point, x to the right and
y upwards in pixels, and its heading in rad, counterclockwise.
"""

import numpy as np

TRIANGLE = ((-50, 35), (55, 20), (-10, -50))  # corners in px
SIZES = (8, 16, 28)  # px, sides of the square receptive fields, which form nested 4 x 4 lattices
RANGE = 128  # px: beyond this no field sees any of the object
OVERLAP = 0.3  # least sum of a fovea's inputs where a trajectory may start


def receptive_fields() -> tuple[np.ndarray, np.ndarray]:
    """Centres (40, 2) in px and levels (40,), indices into SIZES: all 16 squares of the finest lattice, of the others
    the outer 12, for their middle belongs to finer ones."""
    places = np.array([(x, y) for y in (-1.5, -0.5, 0.5, 1.5) for x in (-1.5, -0.5, 0.5, 1.5)])
    ring = places[np.abs(places).max(axis=1) > 1]
    parts = [places, *[ring] * (len(SIZES) - 1)]
    centres = np.concatenate([size * part for size, part in zip(SIZES, parts, strict=True)])
    return centres, np.repeat(np.arange(len(SIZES)), [len(part) for part in parts])


CENTRES, LEVELS = receptive_fields()


def draw(target: tuple[float, float]) -> np.ndarray:
    """Darkness (2 RANGE, 2 RANGE), 0 or 1, of the pixels around the target; row = y, column = x, both growing."""
    corners = np.array(TRIANGLE, float) - target
    middle = np.arange(-RANGE, RANGE) + 0.5
    x, y = np.meshgrid(middle, middle)
    inside = np.zeros(x.shape, bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, 1, axis=0), strict=True):
        if y0 != y1:  # even-odd rule: a ray to the right crosses this edge
            inside ^= ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside.astype(float)


def square_means(image: np.ndarray) -> np.ndarray:
    """Mean darkness (3, N, N) of the square of each size around every corner of a pixel, from the integral image."""
    wide = max(SIZES) // 2
    total = np.pad(np.pad(image, wide).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    N, means = len(image) + 1, []
    for size in SIZES:
        low, high = (slice(wide + side, wide + side + N) for side in (-size // 2, size // 2))
        means.append((total[high, high] - total[low, high] - total[high, low] + total[low, low]) / size**2)
    return np.array(means)


class World:
    """The plane with its object. With `turn` = 0 foveas keep the heading 0 and have four motor units, else six."""

    def __init__(self, target: tuple[float, float], reach: float, turn: float):
        self.reach, self.turn = reach, np.deg2rad(turn)
        self.motors = 6 if turn else 4
        means = square_means(draw(target))
        self.N = means.shape[1]
        self.means = means.ravel()
        self.goal = self.look(np.zeros((1, 3)))[0]  # (40,) what is to be seen at the end

    def look(self, pose: np.ndarray) -> np.ndarray:
        """Inputs (B, 40) of foveas: mean darkness of each receptive field, in between pixels by bilinear interpolation.

        The centres of the fields turn with the fovea, the squares around them stay upright.
        """
        x, y, heading = pose.T[..., None]
        cos, sin = np.cos(heading), np.sin(heading)
        x = (x + cos * CENTRES[:, 0] - sin * CENTRES[:, 1] + RANGE).clip(0, self.N - 2)
        y = (y + sin * CENTRES[:, 0] + cos * CENTRES[:, 1] + RANGE).clip(0, self.N - 2)
        column, row = x.astype(int), y.astype(int)
        x, y, k = x - column, y - row, (LEVELS * self.N + row) * self.N + column
        below, above = self.means.take(k), self.means.take(k + self.N)
        below += x * (self.means.take(k + 1) - below)
        above += x * (self.means.take(k + self.N + 1) - above)
        return below + y * (above - below)

    def move(self, pose: np.ndarray, a: np.ndarray) -> np.ndarray:
        """Poses after one saccade with motor activities a (B, motors) in 0..1, each as the fovea is turned.

        Motors 0 to 3 pull right, left, up and down by at most `reach` px; 4 and 5 turn by at most `turn` either way.
        """
        ahead, aside = self.reach * (a[:, 0] - a[:, 1]), self.reach * (a[:, 2] - a[:, 3])
        cos, sin = np.cos(pose[:, 2]), np.sin(pose[:, 2])
        turn = self.turn * (a[:, 4] - a[:, 5]) if self.turn else 0.0
        return pose + np.stack((cos * ahead - sin * aside, sin * ahead + cos * aside, 0 * ahead + turn), axis=1)

    def start(self, rng: np.random.Generator, B: int, spread: float) -> np.ndarray:
        """Poses at random, within +-spread px of the target in x and y, where the fovea sees a part of the object."""
        found = np.empty((0, 3))
        while len(found) < B:
            pose = np.concatenate([rng.uniform(-spread, spread, (B, 2)), rng.uniform(-np.pi, np.pi, (B, 1))], axis=1)
            if not self.turn:
                pose[:, 2] = 0
            found = np.concatenate([found, pose[self.look(pose).sum(axis=1) >= OVERLAP]])
        return found[:B]
