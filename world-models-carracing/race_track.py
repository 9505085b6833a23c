"""Top-view car racing in pure numpy: random closed tracks, many cars driven at once, binary views, CarRacing's score.

Lengths are in units of which a car at full speed covers 1.5 per step. Angles are in radians, anticlockwise.
"""

from typing import NamedTuple, Protocol

import numpy as np

TILES = 200  # per track, at equal arc length
AMPLITUDES = np.array([1.6, 1.4, 0.9, 0.6, 0.4])  # largest radial wave of k = 2..6 bumps per lap
STRAY = 6.0  # an episode ends when the car is further than this from the centre line
PIXEL = 0.225  # side of a raster pixel
SIDE = 256  # pixels; +-28.8 covers whatever a car can see before it has strayed
VIEW = 16  # pixels of an observation, each way
HEADINGS = 128  # views exist for so many headings; the nearest is taken
WINDOW = np.arange(-10, 11)  # the nearest tile is sought so far around the last one
NEARBY = (np.arange(TILES)[:, None] + WINDOW) % TILES  # (TILES, 21) the tiles of the window around each tile
PASSED = (WINDOW * np.sign(WINDOW)[:, None] > 0) & (abs(WINDOW) <= abs(WINDOW)[:, None])  # [to, by way of], from 0


class Tracks(NamedTuple):
    """`n` tracks of equal width."""

    centre: np.ndarray  # (n, TILES, 2) x, y of the tiles in the order of driving
    heading: np.ndarray  # (n,) direction of the road at tile 0, where cars start
    road: np.ndarray  # (n, SIDE, SIDE) uint8 raster [y, x], 1 on the road
    half_width: float


class Result(NamedTuple):
    """What became of each of n cars."""

    score: np.ndarray  # (n,) 1000 for all tiles, less 1 for every 3 steps
    laps: np.ndarray  # (n,) share of the tiles visited
    steps: np.ndarray  # (n,)


class Policy(Protocol):
    """Anything that drives a batch of cars."""

    def act(self, cars: "Cars") -> np.ndarray:
        """(n, 2) steering (positive to the left) and throttle (negative brakes), each in [-1, 1]."""

    def keep(self, alive: np.ndarray) -> None:
        """Forget the cars where the Boolean array `alive` (n,) is false."""


def random_tracks(n: int, half_width: float, rng: np.random.Generator) -> Tracks:
    """`n` tracks r(phi) = 10 + sum_k U(-a_k, a_k) cos(k phi + U(0, 2 pi)), about half of them driven clockwise."""
    amplitude = rng.uniform(-AMPLITUDES, AMPLITUDES, (n, len(AMPLITUDES)))
    phase = rng.uniform(0, 2 * np.pi, (n, len(AMPLITUDES)))
    return lay_tracks(amplitude, phase, rng.random(n) < 0.5, half_width)


def fixed_tracks(n: int, half_width: float) -> Tracks:
    """`n` copies of one track."""
    amplitude, phase = np.array([1.2, -0.8, 0.6, 0.3, -0.2]), np.array([0.5, 1.0, 2.0, 0.0, 3.0])
    return lay_tracks(np.tile(amplitude, (n, 1)), np.tile(phase, (n, 1)), np.zeros(n, bool), half_width)


def lay_tracks(amplitude: np.ndarray, phase: np.ndarray, clockwise: np.ndarray, half_width: float) -> Tracks:
    """Tracks from their harmonics: `amplitude` and `phase` (n, 5) for k = 2..6, `clockwise` (n,) Boolean."""
    phi = np.linspace(0, 2 * np.pi, 1001)
    k = np.arange(2, 2 + len(AMPLITUDES))
    r = 10 + np.einsum("nk,nkp->np", amplitude, np.cos(k[:, None] * phi + phase[..., None]))
    curve = r[..., None] * np.stack([np.cos(phi), np.sin(phi)], axis=-1)
    curve[clockwise] = curve[clockwise, ::-1]
    lengths = np.linalg.norm(np.diff(curve, axis=1), axis=-1)
    arc = np.concatenate([np.zeros((len(curve), 1)), lengths.cumsum(axis=1)], axis=1)
    centre = np.empty((len(curve), TILES, 2))
    for i, s in enumerate(arc):
        at = np.arange(TILES) / TILES * s[-1]
        centre[i, :, 0], centre[i, :, 1] = np.interp(at, s, curve[i, :, 0]), np.interp(at, s, curve[i, :, 1])
    ahead = centre[:, 1] - centre[:, 0]
    return Tracks(centre, np.arctan2(ahead[:, 1], ahead[:, 0]), rasterise(centre, half_width), half_width)


def rasterise(centre: np.ndarray, half_width: float) -> np.ndarray:
    """Raster (n, SIDE, SIDE) of roads: every pixel within `half_width` of a tile centre (n, TILES, 2) is road."""
    reach = int(half_width / PIXEL) + 1
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
    road = np.zeros((len(centre), SIDE, SIDE), np.uint8)
    for picture, tiles in zip(road, centre, strict=True):
        ix, iy = pixel_of(tiles)
        x, y = ix[:, None] + dx, iy[:, None] + dy
        off_x, off_y = position_of(x) - tiles[:, :1], position_of(y) - tiles[:, 1:]
        near = off_x**2 + off_y**2 <= half_width**2
        picture[y[near], x[near]] = 1
    return road


def pixel_of(position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Integer column and row of the raster pixel that contains `position` (..., 2)."""
    pixel = np.floor(position / PIXEL).astype(np.intp) + SIDE // 2
    return pixel[..., 0], pixel[..., 1]


def position_of(pixel: np.ndarray) -> np.ndarray:
    """Coordinate of the middle of raster column or row `pixel`."""
    return (pixel - SIDE // 2 + 0.5) * PIXEL


def view_offsets() -> np.ndarray:
    """Flat raster offsets (HEADINGS, VIEW * VIEW) of the pixels seen: 0.5 behind to 6.5 ahead, 3.5 to each side."""
    cell = 7 / VIEW
    ahead = 6.5 - cell * (np.arange(VIEW) + 0.5)[:, None]  # top row of the picture: furthest ahead
    left = 3.5 - cell * (np.arange(VIEW) + 0.5)[None, :]
    heading = np.arange(HEADINGS)[:, None, None] * 2 * np.pi / HEADINGS
    x = np.cos(heading) * ahead - np.sin(heading) * left
    y = np.sin(heading) * ahead + np.cos(heading) * left
    return (np.rint(y / PIXEL) * SIDE + np.rint(x / PIXEL)).astype(np.intp).reshape(HEADINGS, -1)


OFFSETS = view_offsets()


class Cars:
    """A batch of n cars, each on one of the tracks, all started at rest on tile 0."""

    def __init__(self, tracks: Tracks, which: np.ndarray, grip: float):
        """Put car i on track `which[i]`; `grip` bounds the lateral acceleration."""
        self.tracks, self.which, self.grip = tracks, which, grip
        self.position = tracks.centre[which, 0]
        self.heading = tracks.heading[which]
        self.speed = np.zeros(len(which))
        self.tile = np.zeros(len(which), np.intp)
        self.visited = np.zeros((len(which), TILES), bool)

    def observe(self) -> np.ndarray:
        """(n, VIEW * VIEW) float32, 1 where the car sees road; the rows run from far to near."""
        column, row = pixel_of(self.position)
        heading = np.rint(self.heading * (HEADINGS / (2 * np.pi))).astype(np.intp) % HEADINGS
        at = (self.which * SIDE + row) * SIDE + column
        return self.tracks.road.ravel()[at[:, None] + OFFSETS[heading]].astype(np.float32)

    def step(self, action: np.ndarray) -> np.ndarray:
        """Move by one step under `action` (n, 2) = steering, throttle; returns (n,): has the episode ended?"""
        steer, throttle = np.clip(action, -1, 1).T
        force = np.where(throttle > 0, 0.06, 0.15) * throttle  # the brake is stronger than the engine
        self.speed = np.clip(self.speed + force - 0.02 * self.speed, 0, 1.5)
        self.heading = self.heading + steer * np.minimum(0.45 * self.speed, self.grip / np.maximum(self.speed, 1e-9))
        velocity = np.stack([np.cos(self.heading), np.sin(self.heading)], axis=-1) * self.speed[:, None]
        self.position = self.position + velocity

        nearby = NEARBY[self.tile]
        away = self.tracks.centre[self.which[:, None], nearby] - self.position[:, None]
        distance2 = away[..., 0] ** 2 + away[..., 1] ** 2
        nearest = distance2.argmin(axis=1)
        on_road = distance2.min(axis=1) <= self.tracks.half_width**2
        self.speed = np.where(on_road, self.speed, 0.9 * self.speed)
        car, passed = np.nonzero(PASSED[nearest] & on_road[:, None])  # in either direction
        self.visited[car, nearby[car, passed]] = True
        self.tile = nearby[np.arange(len(nearest)), nearest]
        finished = np.count_nonzero(self.visited, axis=1) >= 0.995 * TILES
        return finished | (distance2.min(axis=1) > STRAY**2)

    def keep(self, alive: np.ndarray) -> None:
        """Take all cars off the road where the Boolean array `alive` (n,) is false."""
        for name in ("which", "position", "heading", "speed", "tile", "visited"):
            setattr(self, name, getattr(self, name)[alive])


def drive(policy: Policy, cars: Cars, limit: int) -> Result:
    """Let `policy` drive until every car has finished its lap, has strayed, or `limit` steps are over."""
    running = np.arange(len(cars.which))
    laps, steps = np.zeros(len(running)), np.zeros(len(running))
    for t in range(1, limit + 1):
        over = cars.step(policy.act(cars)) | (t == limit)
        if over.any():
            laps[running[over]], steps[running[over]] = cars.visited[over].mean(axis=1), t
            running = running[~over]
            cars.keep(~over)
            policy.keep(~over)
        if not len(running):
            break
    return Result(1000 * laps - steps / 3, laps, steps)


class Recorder:
    """A policy that writes down what another one sees and does; rows are valid for the first `length[i]` steps."""

    def __init__(self, policy: Policy, n: int, limit: int):
        self.policy, self.running, self.length = policy, np.arange(n), np.zeros(n, np.intp)
        self.frames = np.zeros((n, limit, VIEW * VIEW), np.float32)  # seen before the action
        self.actions = np.zeros((n, limit, 2), np.float32)
        self.position = np.zeros((n, limit, 2))
        self.heading, self.speed = np.zeros((n, limit)), np.zeros((n, limit))

    def act(self, cars: Cars) -> np.ndarray:
        """The other policy's action (n, 2)."""
        at = self.running, self.length[self.running]
        self.frames[at], self.position[at] = cars.observe(), cars.position
        self.heading[at], self.speed[at] = cars.heading, cars.speed
        self.actions[at] = action = self.policy.act(cars)
        self.length[self.running] += 1
        return action

    def valid(self) -> np.ndarray:
        """(n, limit) Boolean: does the row belong to its episode?"""
        return np.arange(self.speed.shape[1]) < self.length[:, None]

    def extend(self, other: "Recorder") -> None:
        """Append the episodes of another recorder with the same limit."""
        for name in ("length", "frames", "actions", "position", "heading", "speed"):
            setattr(self, name, np.concatenate([getattr(self, name), getattr(other, name)]))

    def keep(self, alive: np.ndarray) -> None:
        """Forget the cars that are not `alive` (n,)."""
        self.running = self.running[alive]
        self.policy.keep(alive)


class RandomPolicy:
    """Smoothed random actions a <- 0.8 a + 0.2 N([0, 0.35], [1.5, 0.8])."""

    def __init__(self, n: int, rng: np.random.Generator):
        self.action, self.rng = np.zeros((n, 2)), rng

    def act(self, cars: Cars) -> np.ndarray:
        """(n, 2) actions that depend on nothing seen."""
        noise = self.rng.normal([0, 0.35], [1.5, 0.8], self.action.shape)
        self.action = 0.8 * self.action + 0.2 * noise
        return np.clip(self.action, -1, 1)

    def keep(self, alive: np.ndarray) -> None:
        """Forget the cars that are not `alive` (n,)."""
        self.action = self.action[alive]


class ConstantPolicy:
    """The same action for every car at every step."""

    def __init__(self, steer: float, throttle: float):
        self.action = np.array([steer, throttle])

    def act(self, cars: Cars) -> np.ndarray:
        """(n, 2) copies of the action."""
        return np.tile(self.action, (len(cars.which), 1))

    def keep(self, alive: np.ndarray) -> None:
        """Nothing to forget."""


class PurePursuit:
    """Hand-written driver that knows position, speed and track: chase a point ahead, brake for the bends to come."""

    def act(self, cars: Cars) -> np.ndarray:
        """(n, 2): the curvature that leads to the point ahead, and the speed every bend within sight allows."""
        ahead = cars.tile[:, None] + np.arange(0, 41)
        road = cars.tracks.centre[cars.which[:, None], ahead % TILES]
        rows = np.arange(len(road))
        spacing = np.linalg.norm(road[:, 1] - road[:, 0], axis=-1)
        look = np.rint((1.2 + 1.5 * cars.speed) / spacing).astype(np.intp)
        target = road[rows, look] - cars.position
        angle = np.arctan2(target[:, 1], target[:, 0]) - cars.heading
        curvature = 2 * np.sin(angle) / np.linalg.norm(target, axis=-1)
        most = np.minimum(0.45 * cars.speed, cars.grip / np.maximum(cars.speed, 1e-9))
        steer = curvature * cars.speed / np.maximum(most, 1e-9)

        direction = np.unwrap(np.arctan2(*np.moveaxis(np.diff(road, axis=1), -1, 0)[::-1]), axis=1)
        bend = np.abs(direction[:, 6:] - direction[:, :-6]) / (6 * spacing[:, None])
        way = spacing[:, None] * np.arange(3, 3 + bend.shape[1])
        # v^2 curvature <= grip in every bend, and v^2 falls by 2 * 0.1 per unit of way under the brake
        allowed = np.sqrt((0.8 * cars.grip / np.maximum(bend, 1e-3) + 0.2 * way).min(axis=1))
        return np.clip(np.stack([steer, 10 * (allowed - cars.speed)], axis=-1), -1, 1)

    def keep(self, alive: np.ndarray) -> None:
        """Nothing to forget."""
