"""World models: a linear controller drives unseen race tracks from the codes of V and the memory of M.

Paper: D. Ha, J. Schmidhuber, Recurrent world models facilitate policy evolution, NeurIPS 2018 (arXiv:1809.01999; long
version: World models, arXiv:1803.10122).

Task: a top-view racer scored like CarRacing: 1000 points for a lap, less one for every three steps. The car sees 16 by
16 binary pixels of the road ahead, but not its speed. Every training and test episode has a random track, and the 100
test tracks are never trained on. Fast cars turn wide, so bends must be braked for.

Method: V, a variational autoencoder, compresses a frame to z. M, an LSTM with a mixture of Gaussians, learns to predict
the next z from z and the action; its memory h then holds what one frame lacks, above all speed. Both learn from
episodes of random driving, without reward. The controller a = tanh(W [z, h] + b) is found by CMA-ES; the fitness of a
candidate is its mean score on tracks that change with every generation and are common to all candidates.

Differs: our own racer instead of CarRacing-v0 (Box2D, 96 x 96 RGB); V is not convolutional (z 12 instead of 32), M has
48 cells instead of 256, and both see 400 instead of 10,000 episodes; M predicts the change of z; CMA-ES has population
32 instead of 64 and 40 generations instead of 1,800; the controller is given the mean of V's code, not a sample.

Symbols: z = code of a frame; a = action (steering, throttle); h, c = output and cells of M; W = weights of C.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

import race_track as rt
import vision_memory as vm
from cma_es import CMAES
from race_track import Cars, Recorder, Result, Tracks
from vision_memory import Params


@dataclass(frozen=True)
class Config:
    """Sizes of the experiment; the defaults are the headline run."""

    sees: str = "z+h"  # inputs of C: "z" (vision only) or "z+h" (vision and memory)
    memory: str = "trained"  # M: "trained" or "random" (left as initialised)
    hidden: int = 0  # tanh units in a hidden layer of C; 0: C is linear, as in the paper
    track: str = "random"  # "random" tracks, or one "fixed" track for training and test alike
    half_width: float = 1.6  # of the road
    grip: float = 0.16  # bound of speed * yaw rate
    limit: int = 300  # steps per episode
    pool: int = 200  # training tracks
    tests: int = 100  # test tracks
    episodes: int = 400  # of random driving, all that V and M ever see
    z: int = 12  # entries of V's code; paper 32
    units: int = 96  # in each hidden layer of V
    beta: float = 0.1  # weight of the KL divergence
    v_updates: int = 1500  # of V in each round
    v_batch: int = 128  # frames
    v_rate: float = 2e-3  # first learning rate of V; falls linearly to 0
    h: int = 48  # memory cells of M; paper 256
    mixture: int = 5  # Gaussians per entry of the code, as in the paper
    m_updates: int = 600  # of M in each round
    m_batch: int = 48  # windows of episodes
    window: int = 24  # steps of backpropagation through time
    m_rate: float = 1e-2  # first learning rate of M; falls linearly to 0
    rounds: int = 1  # of driving, training V and M and evolving C; the first drives at random
    generations: int = 40  # of C in each round; paper 1,800
    population: int = 32  # candidates per generation; paper 64
    trials: int = 16  # tracks per candidate, as in the paper
    sigma: float = 0.2  # first step size of CMA-ES
    temperature: float = 0.25  # of the dream
    snapshots: int = 20  # looks at the run

    def __post_init__(self) -> None:
        words = {"sees": ("z", "z+h"), "memory": ("trained", "random"), "track": ("random", "fixed")}
        for name, allowed in words.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        least = {"hidden": 0, "v_updates": 0, "m_updates": 0, "tests": 2, "population": 4}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type is int and value < least.get(field.name, 1):
                raise ValueError(f"{field.name} must be at least {least.get(field.name, 1)}, got {value}")
            if field.type is float and not value > 0:
                raise ValueError(f"{field.name} must be positive, got {value}")
        if self.trials > self.pool:
            raise ValueError(f"trials must be at most the pool of {self.pool} tracks, got {self.trials}")


PRESETS: dict[str, dict] = {
    "vision_memory": {},
    "vision": {"sees": "z"},
    "vision_hidden": {"sees": "z", "hidden": 16},
    "random_memory": {"memory": "random"},
    "fixed_track": {
        "track": "fixed",
        "pool": 1,
        "tests": 2,
        "trials": 1,
        "episodes": 60,
        "z": 16,
        "h": 32,
        "v_updates": 200,
        "m_updates": 50,
        "generations": 15,
    },
    "paper_second_round": {"rounds": 2},
    "paper_long": {"z": 16, "h": 64, "population": 64, "generations": 100},
    "paper_hard": {"half_width": 1.2, "grip": 0.13},
    "paper_hard_vision": {"half_width": 1.2, "grip": 0.13, "sees": "z"},
    "paper_hard_hidden": {"half_width": 1.2, "grip": 0.13, "sees": "z", "hidden": 16},
    "paper_hard_random": {"half_width": 1.2, "grip": 0.13, "memory": "random"},
    "smoke": {
        "limit": 150,
        "pool": 40,
        "tests": 20,
        "episodes": 80,
        "v_updates": 300,
        "m_updates": 60,
        "population": 16,
        "trials": 4,
        "generations": 15,
    },
}
SEEDS = 10
CLAIMS = (
    ("C1", "V, M, linear C: >= 900 on 100 unseen tracks", "906 +- 21", "mean(vision_memory.score >= 900) >= 0.9"),
    ("C1b", "the median run clears 900 by a margin", "ours", "median(vision_memory.score) >= 930"),
    (
        "C2",
        "98 parameters solve one fixed track (ours: returns on the reference's track have another unit)",
        "return 100 to 107, random 2 to 5, in 5 of 5 seeds (second-hand)",
        "mean(fixed_track.score >= 900) >= 1",
    ),
    ("C3", "memory adds to V alone", "906 against 632", "median(vision_memory.score - vision.score) >= 20"),
    ("C3b", "it adds in 8 of 10 runs", "ours", "mean(vision_memory.score > vision.score) >= 0.8"),
    ("C3c", "V alone is slower", "ours", "median(vision.lap_steps / vision_memory.lap_steps) >= 1.2"),
    (
        "C4",
        "memory makes driving reliable: standard deviation over tracks",
        "21 against 251",
        "median(vision_memory.score_sd / vision.score_sd) <= 0.6",
    ),
    (
        "C5",
        "close to a hand-written driver that knows state and track",
        "ours",
        "median(vision_memory.score / vision_memory.oracle) >= 0.95",
    ),
    ("C6", "M predicts better than copying", "ours", "mean(vision_memory.m_skill <= 0.6) >= 1"),
    (
        "C7",
        "training M helps: a random LSTM as memory scores less",
        "ours",
        "median(vision_memory.score - random_memory.score) >= 10",
    ),
    ("C8", "larger nets and search: the paper's score", "906 +- 21", "median(paper_long.score) >= 906"),
    ("C8b", "and its spread over tracks", "906 +- 21", "median(paper_long.score_sd) <= 25"),
    ("C9", "narrow slippery roads: V alone", "632 / 906", "median(paper_hard_vision.score / paper_hard.score) <= 0.8"),
    ("C9b", "a hidden layer helps", "788 / 632", "median(paper_hard_hidden.score / paper_hard_vision.score) > 1"),
    ("C9c", "but not like memory", "906 / 788", "median(paper_hard.score / paper_hard_hidden.score) > 1"),
    ("C9d", "there training M helps", "ours", "median(paper_hard.score - paper_hard_random.score) >= 10"),
    ("C10", "C's dreams keep a road in view", "pictures only", "mean(vision_memory.dream_road >= 0.9) >= 0.6"),
    ("C10b", "once C has driven for M, too", "pictures only", "mean(paper_second_round.dream_road >= 0.9) >= 0.6"),
    ("C10c", "a dreamer who only turns left loses it", "ours", "median(paper_second_round.dream_left) <= 0.5"),
)
SMOKE = "score > 500"


class Measured(NamedTuple):
    """What is measured once, after the last generation, on the test tracks; what concerns M describes M as it is."""

    score: float = np.nan  # of C, mean over the tracks
    score_sd: float = np.nan  # standard deviation over the tracks
    laps: float = np.nan  # share of the tiles visited
    lap_steps: float = np.nan  # steps driven over laps driven, all tracks together
    random: float = np.nan  # score of random actions
    constant: float = np.nan  # score of going straight at half throttle
    oracle: float = np.nan  # score of a hand-written driver that knows the state and the track
    v_wrong: float = np.nan  # share of pixels that V restores wrongly, in episodes of random driving
    m_skill: float = np.nan  # squared error of M's next code over that of repeating the last one, same episodes
    r2_z: float = np.nan  # R^2 of a linear read-out of the hand-written driver's speed from z
    r2_h: float = np.nan  # the same from h
    dream_road: float = np.nan  # share of 100 steps dreamed with C at the wheel that have a road in view
    dream_left: float = np.nan  # the same when the dreamer turns left at three quarter throttle whatever it sees


class Snapshot(NamedTuple):
    """The run after `step` generations of CMA-ES."""

    step: int
    metrics: dict[str, float]
    cfg: Config
    v: Params
    m: Params
    weights: np.ndarray  # of C: the mean of the search distribution
    tests: Tracks


class Controller:
    """V, M and C as a policy: a = tanh(W [z, h] + b), with weights of its own for every car."""

    def __init__(self, cfg: Config, v: Params, m: Params, weights: np.ndarray):
        """Car i of n is driven by C with `weights[i]`, cut into layers by layers_of_c."""
        n = len(weights)
        self.cfg, self.v, self.m, self.weights = cfg, v, m, weights.astype(np.float32)
        self.h, self.c = np.zeros((2, n, cfg.h), np.float32)

    def act(self, cars: Cars) -> np.ndarray:
        """(n, 2) actions for what the cars see."""
        return self.decide(vm.encode(self.v, cars.observe()))

    def decide(self, z: np.ndarray) -> np.ndarray:
        """(n, 2) actions for codes z (n, z); M, if it is in use, moves on to remember both."""
        a = z if self.cfg.sees == "z" else np.concatenate([z, self.h], axis=1)
        for W in layers_of_c(self.cfg, self.weights):
            a = np.tanh(np.einsum("ni,nio->no", a, W[:, :-1]) + W[:, -1])
        if self.cfg.sees == "z+h":
            x = np.concatenate([z, a], axis=1) @ self.m["W_x"]
            self.h, self.c, _, _ = vm.lstm_step(self.m, x, self.h, self.c)
        return a

    def keep(self, alive: np.ndarray) -> None:
        """Forget the cars that are not `alive` (n,)."""
        self.weights, self.h, self.c = self.weights[alive], self.h[alive], self.c[alive]


def shapes_of_c(cfg: Config) -> list[tuple[int, int]]:
    """(inputs + 1 for the bias, outputs) of each layer of C."""
    inputs = cfg.z + (cfg.h if cfg.sees == "z+h" else 0)
    return [(inputs + 1, cfg.hidden), (cfg.hidden + 1, 2)] if cfg.hidden else [(inputs + 1, 2)]


def layers_of_c(cfg: Config, weights: np.ndarray) -> list[np.ndarray]:
    """Cut rows of weights (n, all) into one array (n, inputs + 1, outputs) per layer, the bias in its last row."""
    shapes = shapes_of_c(cfg)
    ends = np.cumsum([rows * columns for rows, columns in shapes])
    pieces = np.split(weights, ends[:-1], axis=1)
    return [piece.reshape(-1, *shape) for piece, shape in zip(pieces, shapes, strict=True)]


def make_tracks(cfg: Config, n: int, rng: np.random.Generator) -> Tracks:
    """`n` tracks of the kind and width that the configuration asks for."""
    return rt.random_tracks(n, cfg.half_width, rng) if cfg.track == "random" else rt.fixed_tracks(n, cfg.half_width)


def explore(cfg: Config, policy: rt.Policy, tracks: Tracks, rng: np.random.Generator) -> Recorder:
    """Recorded episodes of at most 200 steps of `policy`, each on one of the tracks."""
    recorder = Recorder(policy, cfg.episodes, 200)
    rt.drive(recorder, Cars(tracks, rng.integers(len(tracks.centre), size=cfg.episodes), cfg.grip), 200)
    return recorder


def train_v(cfg: Config, v: Params, episodes: Recorder, rng: np.random.Generator) -> Params:
    """V after training on single frames of the episodes in random order."""
    v, frames = {name: p.copy() for name, p in v.items()}, episodes.frames[episodes.valid()]
    adam = vm.Adam(v)
    for k in range(cfg.v_updates):
        x = frames[rng.integers(len(frames), size=cfg.v_batch)]
        eps = rng.standard_normal((cfg.v_batch, cfg.z), np.float32)
        adam.step(v, vm.v_loss_and_grad(v, (x, eps), cfg.beta)[1], cfg.v_rate * (1 - k / cfg.v_updates))
    return vm.rescale(v, frames)


def train_m(cfg: Config, m: Params, v: Params, episodes: Recorder, rng: np.random.Generator) -> Params:
    """M after training on windows of the episodes; their codes are sampled anew for every update."""
    m = {name: p.copy() for name, p in m.items()}
    mu, sigma = vm.encode(v, episodes.frames), vm.spread(v, episodes.frames)
    windows = np.array([(i, t) for i, length in enumerate(episodes.length) for t in range(length - cfg.window)])
    steps = np.arange(cfg.window + 1)[:, None]
    adam = vm.Adam(m)
    for k in range(cfg.m_updates):
        i, t = windows[rng.integers(len(windows), size=cfg.m_batch)].T
        z = mu[i, t + steps]
        z = z + sigma[i, t + steps] * rng.standard_normal(z.shape, np.float32)
        a = episodes.actions[i, t + steps[:-1]]
        adam.step(m, vm.m_loss_and_grad(m, (z, a))[1], cfg.m_rate * (1 - k / cfg.m_updates))
    return m


def drive_all(cfg: Config, policy: rt.Policy, tracks: Tracks) -> Result:
    """One episode of `policy` on each of the tracks."""
    return rt.drive(policy, Cars(tracks, np.arange(len(tracks.centre)), cfg.grip), cfg.limit)


def dream(driver: Controller, z: np.ndarray, steps: int, temperature: float, rng: np.random.Generator) -> np.ndarray:
    """Let C drive in M's imagination: codes (steps, n, z), first the given z (n, z), then draws from M's density."""
    codes = [z]
    while len(codes) < steps:
        driver.decide(codes[-1])
        codes.append(codes[-1] + vm.sample_change(driver.m, driver.h, temperature, rng))
    return np.stack(codes)


def evaluate(
    cfg: Config, v: Params, m: Params, weights: np.ndarray, tests: Tracks, rng: np.random.Generator
) -> Measured:
    """Drive and dream on the test tracks with C's `weights` (all,), next to the policies it is compared with."""
    n = len(tests.centre)
    blind = np.where(np.arange(len(weights)) < len(weights) - 2, 0, 1)  # only the last two weights, the output biases
    driver, dreamer, lefty = (Controller(cfg, v, m, np.tile(w, (n, 1))) for w in (weights, weights, blind))
    expert = Recorder(rt.PurePursuit(), n, cfg.limit)
    result, oracle = drive_all(cfg, driver, tests), drive_all(cfg, expert, tests)
    z, driven = vm.encode(v, expert.frames), expert.valid()
    h = vm.remember(m, z, expert.actions)[:, :-1]
    others = explore(cfg, rt.RandomPolicy(cfg.episodes, rng), tests, rng)
    seen = others.frames[others.valid()]
    dreams = (vm.decode(v, dream(d, z[:, 0], 100, cfg.temperature, rng)) > 0.5 for d in (dreamer, lefty))
    dream_road, dream_left = (float((road.mean(axis=-1) > 0.1).mean()) for road in dreams)
    measured = Measured(
        score=result.score.mean(),
        score_sd=result.score.std(),
        laps=result.laps.mean(),
        lap_steps=result.steps.sum() / max(result.laps.sum(), 1 / rt.TILES),
        random=drive_all(cfg, rt.RandomPolicy(n, rng), tests).score.mean(),
        constant=drive_all(cfg, rt.ConstantPolicy(0, 0.5), tests).score.mean(),
        oracle=oracle.score.mean(),
        v_wrong=((vm.decode(v, vm.encode(v, seen)) > 0.5) != seen).mean(),
        m_skill=vm.copy_ratio(m, vm.encode(v, others.frames), others.actions, others.valid()),
        r2_z=vm.read_out(z[driven], expert.speed[driven]),
        r2_h=vm.read_out(h[driven], expert.speed[driven]),
        dream_road=dream_road,
        dream_left=dream_left,
    )
    return Measured(*map(float, measured))


def train(cfg: Config, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Drive at random, train V, then M, then evolve C: a snapshot before it all and every few generations of C."""
    init_rng, data_rng, test_rng = rng.spawn(3)
    drive_rng, v_rng, m_rng, trial_rng, es_rng = data_rng.spawn(5)
    pool, tests = make_tracks(cfg, cfg.pool, drive_rng), make_tracks(cfg, cfg.tests, test_rng)
    v = vm.v_init(init_rng, rt.VIEW**2, cfg.units, cfg.z)
    m = vm.m_init(init_rng, cfg.z, cfg.h, cfg.mixture)
    size, last = sum(rows * columns for rows, columns in shapes_of_c(cfg)), cfg.rounds * cfg.generations
    es = CMAES(np.zeros(size), cfg.sigma, cfg.population)

    def look(generation: int, fitness: float) -> Snapshot:
        measured = evaluate(cfg, v, m, es.mean, tests, test_rng) if generation == last else Measured()
        return Snapshot(generation, {"fitness": fitness} | measured._asdict(), cfg, v, m, es.mean, tests)

    parked = rt.drive(rt.ConstantPolicy(0, 0), Cars(pool, np.arange(cfg.trials), cfg.grip), cfg.limit)
    yield look(0, float(parked.score.mean()))  # what C does while its weights are 0
    episodes = explore(cfg, rt.RandomPolicy(cfg.episodes, drive_rng), pool, drive_rng)
    looks = set(np.linspace(0, last, max(cfg.snapshots, 2)).astype(int))
    for generation in range(1, last + 1):
        if generation % cfg.generations == 1 % cfg.generations:  # a new round
            if generation > 1:  # candidates of the round before drive the new episodes
                weights = np.resize(es.ask(es_rng), (cfg.episodes, size))
                episodes.extend(explore(cfg, Controller(cfg, v, m, weights), pool, drive_rng))
            v = train_v(cfg, v, episodes, v_rng)
            if cfg.sees == "z+h" and cfg.memory == "trained":
                m = train_m(cfg, m, v, episodes, m_rng)
            es = CMAES(np.zeros(size), cfg.sigma, cfg.population)
        candidates = es.ask(es_rng)
        which = np.tile(trial_rng.choice(cfg.pool, cfg.trials, replace=False), cfg.population)
        controller = Controller(cfg, v, m, np.repeat(candidates, cfg.trials, axis=0))
        score = rt.drive(controller, Cars(pool, which, cfg.grip), cfg.limit).score
        fitness = score.reshape(cfg.population, cfg.trials).mean(axis=1)
        es.tell(candidates, -fitness)
        if generation in looks:
            yield look(generation, float(fitness.mean()))


def main(argv: list[str] | None = None) -> int:
    """Run one preset at one seed: a line per snapshot, then the final metrics beside the paper's numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.error = lambda message: parser.exit(2, f"{parser.prog}: {message} (see --help)\n")
    parser.add_argument("--seed", type=int, default=0, help="seed of every random number (default 0)")
    parser.add_argument("--preset", choices=PRESETS, default=next(iter(PRESETS)), help="default %(default)s")
    for field in fields(Config):
        flag = "--" + field.name.replace("_", "-")
        parser.add_argument(flag, type=field.type, default=argparse.SUPPRESS, help=f"default {field.default}")
    overrides = vars(parser.parse_args(argv))
    seed, preset = overrides.pop("seed"), overrides.pop("preset")
    try:
        cfg, rng = Config(**{**PRESETS[preset], **overrides}), np.random.default_rng(seed)
    except ValueError as error:
        parser.error(str(error))
    title, paper = __doc__.strip().split("\n\n")[:2]
    print(f"{title}\n{paper}\n\npreset {preset}, seed {seed}", flush=True)
    try:
        for snapshot in train(cfg, rng):
            line = "  ".join(f"{name} {value:.4g}" for name, value in snapshot.metrics.items())
            print(f"step {snapshot.step:>7}  {line}", flush=True)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    print("\nfinal metric                      value  the paper (claim)")
    for name, value in snapshot.metrics.items():
        stated = [f"{said} ({id})" for id, _, said, holds in CLAIMS if re.search(rf"\b{preset}\.{name}\b", holds)]
        print(f"{name:<28} {value:>10.6g}  {'; '.join(stated)}".rstrip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
