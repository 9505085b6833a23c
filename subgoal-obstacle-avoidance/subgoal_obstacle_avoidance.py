"""A net learns where to put sub-goals between start and goal, by the gradient of what the moves between them will cost.

Paper: J. Schmidhuber, "Learning to generate sub-goals for action sequences", ICANN-91, 967-972, 1991; J. Schmidhuber,
R. Wahnsiedler, "Planning simple trajectories using neural subgoal generators", SAB-92, 196-202, 1992.

Task: a square arena of side 10 has three discs, one of them in the direct way from start to goal. The executer can only
move straight. Two sub-goals are wanted so that all three moves miss the discs, in arenas never seen, on a short path.

Method: an evaluator E predicts the cost of a move, by a formula or by a net that has learned from moves. The sub-goal
generator S maps start, goal and discs to sub-goals and descends the sum of predicted costs; its gradient goes through E
into the sub-goals and into S. S proposes several lists, and E picks the one to use.

Differs: many arenas in place of one or a few, several lists, Adam; the formula is a hinge with a margin, and S sees
the discs. The cones and the plain gradient descent of the paper are presets of their own.

Symbols: J = summed cost of a path, B = arenas, H = lists, n = sub-goals, D = discs; points and gradients are complex
numbers, see obstacle_arena.py.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import partial
from itertools import chain
from typing import NamedTuple

import numpy as np

from obstacle_arena import SIDE, Arenas, length, points, reals, sample_arenas, succeeds, uniform
from path_evaluators import Evaluator, cone_cost, evaluator_loss_and_grad, hinge_cost, learned_cost, random_moves
from relu_net import Adam, Net, backward, forward, init


@dataclass(frozen=True)
class Config:
    task: str = "fixed"  # start (1, 1) and goal (9, 9); "varied": anywhere, at least 6 apart
    discs: int = 3  # obstacles of an arena
    evaluator: str = "hinge"  # E is a formula; "learned": a net; "cone": the area over swamps, one arena to learn
    generator: str = "static"  # S puts out all sub-goals at once; "recurrent": one by one; "constant": learns nothing
    subgoals: int = 2  # n
    lists: int = 4  # H, alternatives of which E picks one
    hidden: int = 96  # units of each hidden layer of S
    layers: int = 2  # hidden layers of S
    scale: float = 0.5  # of the initial weights to the outputs of S
    updates: int = 1800  # of S
    batch: int = 96  # arenas in an update of S
    rate: float = 0.008  # of Adam at the beginning, falls linearly to 0; of the plain descent for cones
    share: float = 0.05  # of the gradient that all lists get; the rest is for the best one
    evaluator_hidden: int = 64  # units of each of the two hidden layers of the learned E
    evaluator_updates: int = 10_000  # of the learned E, 256 moves each
    moves: int = 200_000  # that the learned E learns from
    toll: float = 4.0  # cost of a step within the margin of a disc, in these moves
    trials: int = 4000  # random lists that the constant S is chosen from
    inits: int = 20  # initial S that learn from one arena with cones
    cone: float = 1.5  # radius of the swamps
    tests: int = 2000  # test arenas
    snapshots: int = 20  # about how many looks at the run

    def __post_init__(self) -> None:
        words = {
            "task": ("fixed", "varied"),
            "evaluator": ("hinge", "learned", "cone"),
            "generator": ("static", "recurrent", "constant"),
        }
        for name, allowed in words.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be {', '.join(allowed)}, got {getattr(self, name)!r}")
        for field in fields(self):
            if field.type is int and getattr(self, field.name) < 1:
                raise ValueError(f"{field.name} must be at least 1, got {getattr(self, field.name)}")
        if self.discs > 6:
            raise ValueError(f"discs must be at most 6, got {self.discs}")
        for name in ("scale", "rate", "toll", "cone"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if self.evaluator == "cone" and self.generator == "constant":
            raise ValueError("generator must be static or recurrent if evaluator is cone, got 'constant'")
        if not 0 <= self.share <= 1:
            raise ValueError(f"share must be between 0 and 1, got {self.share}")


PRESETS: dict[str, dict] = {
    "fixed": {},
    "single_list": {"lists": 1},
    "constant": {"generator": "constant"},
    "varied": {"task": "varied", "updates": 4000},
    "varied_constant": {"task": "varied", "generator": "constant"},
    "learned_evaluator": {"evaluator": "learned", "updates": 600, "batch": 64},
    "recurrent": {"generator": "recurrent", "discs": 5, "subgoals": 4, "scale": 1.0, "updates": 600},
    "five_discs": {"discs": 5, "subgoals": 4, "updates": 1000},
    "five_discs_constant": {"generator": "constant", "discs": 5, "subgoals": 4},
    "one_swamp": {
        "evaluator": "cone",
        "generator": "recurrent",
        "discs": 1,
        "lists": 1,
        "hidden": 40,
        "layers": 1,
        "scale": 0.1,
        "updates": 400,
        "rate": 0.03,
    },
    "three_swamps": {
        "evaluator": "cone",
        "lists": 1,
        "hidden": 40,
        "layers": 1,
        "scale": 0.1,
        "updates": 400,
        "rate": 0.002,
        "cone": 1.05,
    },
    "smoke": {"updates": 600, "tests": 500},
}

SEEDS = 10

CLAIMS = (
    ("C1", "new arenas with a clear path, fixed start and goal", "99 % (reference)", "min(fixed.success) >= 0.99"),
    (
        "C2",
        "its length; the direct way is 11.31, the shortest clear one 11.50",
        "ours",
        "max(fixed.path_length) <= 12.0",
    ),
    ("C3", "C1 for new starts and goals", "meant to generalise", "min(varied.success) >= 0.97"),
    ("C4", "length / direct way, for new starts and goals", "meant to generalise", "max(varied.path_ratio) <= 1.12"),
    ("C5", "C1 without sub-goals", "ours", "max(fixed.success_direct) <= 0.05"),
    ("C6", "C1 for the same two sub-goals in every arena", "ours", "median(constant.success) >= 0.98"),
    (
        "C6b",
        "by how much their paths are longer than those of C2",
        "ours",
        "min(constant.path_length - fixed.path_length) >= 3",
    ),
    ("C6c", "C3 for the same two sub-goals in every arena", "ours", "max(varied_constant.success) <= 0.6"),
    (
        "C7",
        "by how much paths are longer if S has one list",
        "ours",
        "min(single_list.path_length - fixed.path_length) > 0",
    ),
    ("C8", "C1 if E is a net", "works, ICANN-91", "mean(learned_evaluator.success >= 0.95) >= 0.9"),
    ("C8b", "length of these paths", "ours", "mean(learned_evaluator.path_length <= 12.8) >= 0.9"),
    ("C9", "one swamp: iterations, median over 20 inits", "about 20", "median(one_swamp.iterations) <= 100"),
    ("C9b", "three swamps, static S: iterations", "22, several swamps", "median(three_swamps.iterations) <= 100"),
    ("C10", "5 discs, recurrent S with 4 sub-goals: success", "both kinds work", "min(recurrent.success) >= 0.9"),
    ("C10b", "the same with a static S", "both kinds work", "min(five_discs.success) >= 0.9"),
    ("C10c", "for the same four sub-goals in every arena", "ours", "max(five_discs_constant.success) <= 0.95"),
)

SMOKE = "success >= 0.985"


class Snapshot(NamedTuple):
    step: int  # updates of E and S
    metrics: dict[str, float]
    arenas: Arenas  # the first of the test arenas, at most 60
    paths: np.ndarray  # (60, H, n + 2) proposals for these
    costs: np.ndarray  # (60, H) what E says about them
    params: dict[str, Net]  # weights of S and, if it is a net, of E


# The sub-goal generator. Its frame has the start as origin and the goal on the real axis


class Frame(NamedTuple):
    origin: np.ndarray  # (B,)
    direction: np.ndarray  # (B,) of length 1
    distance: np.ndarray  # (B,) from start to goal
    seen: np.ndarray  # (B, 5 + 2 D) what S knows: distance, origin, direction, discs in the order along the line


def frame(arenas: Arenas) -> Frame:
    """How each arena looks from its start, turned towards its goal."""
    way = arenas.goal - arenas.start
    distance = np.abs(way)
    direction = way / distance
    discs = np.sort((arenas.discs - arenas.start[:, None]) * direction.conj()[:, None], axis=1)  # by real part
    seen = np.concatenate([arenas.start[:, None] / 5 - (1 + 1j), direction[:, None], discs / 5], axis=1)
    return Frame(arenas.start, direction, distance, np.concatenate([distance[:, None] / 5, reals(seen)], axis=1))


def new_generator(cfg: Config, rng: np.random.Generator) -> Net:
    """Weights of S; a recurrent one also sees the number of the list (one of H inputs is 3) and the last sub-goal."""
    if cfg.generator == "constant":
        return {"subgoals": uniform(rng, 0, SIDE, (cfg.subgoals,))}
    inputs, outputs = 5 + 2 * cfg.discs, 2 * cfg.lists * cfg.subgoals
    if cfg.generator == "recurrent":
        inputs, outputs = inputs + 2 + cfg.lists, 2
    return init(rng, [inputs, *[cfg.hidden] * cfg.layers, outputs], cfg.scale)


def constant_paths(arenas: Arenas, subgoals: np.ndarray) -> np.ndarray:
    """Paths (B, n + 2) with the same sub-goals (n,) in every arena."""
    middle = np.broadcast_to(subgoals, (len(arenas.start), len(subgoals)))
    return np.concatenate([arenas.start[:, None], middle, arenas.goal[:, None]], axis=1)


def propose(cfg: Config, S: Net, arenas: Arenas) -> tuple[np.ndarray, list]:
    """Paths (B, H, n + 2) from start over sub-goals to goal, and the activities of S, once for each use of it.

    Outputs are offsets from the points that divide the line from start to goal into equal parts.
    """
    if cfg.generator == "constant":
        return constant_paths(arenas, S["subgoals"])[:, None], []
    here, B, H, n = frame(arenas), len(arenas.start), cfg.lists, cfg.subgoals
    path = np.tile(np.arange(n + 2) / (n + 1) * here.distance[:, None, None], (1, H, 1)).astype(complex)
    if cfg.generator == "static":
        uses = [forward(S, here.seen)]
        path[:, :, 1:-1] += points(uses[0][-1]).reshape(B, H, n)
    else:
        number = 3 * np.tile(np.eye(H), (B, 1))  # large, so that lists differ from the beginning
        uses, known = [], np.concatenate([np.repeat(here.seen, H, axis=0), number], axis=1)
        for k in range(1, n + 1):
            last = reals(path[:, :, k - 1].reshape(-1, 1)) / 5
            uses.append(forward(S, np.concatenate([known, last], axis=1)))
            path[:, :, k] += points(uses[-1][-1]).reshape(B, H)
    return here.origin[:, None, None] + here.direction[:, None, None] * path, uses


def propose_backward(cfg: Config, S: Net, arenas: Arenas, uses: list, dpath: np.ndarray) -> Net:
    """Gradients of the weights of S from that of the paths, dpath (B, H, n + 2)."""
    local = dpath * frame(arenas).direction.conj()[:, None, None]
    if cfg.generator == "static":
        return backward(S, uses[0], reals(local[:, :, 1:-1]).reshape(len(dpath), -1))[0]
    total, dlast = {}, 0
    for k in reversed(range(1, cfg.subgoals + 1)):
        dy = reals(local[:, :, k].reshape(-1, 1)) + dlast
        grads, dx = backward(S, uses[k - 1], dy)
        dlast = dx[:, -2:] / 5
        total = {name: grad + total.get(name, 0) for name, grad in grads.items()}
    return total


def generator_loss_and_grad(cfg: Config, S: Net, arenas: Arenas, evaluate: Evaluator) -> tuple[float, Net]:
    """Weighted sum of J over lists, mean over arenas: the best list has weight 1 - share, all together have share."""
    path, uses = propose(cfg, S, arenas)
    J, dpath = evaluate(path, arenas.discs[:, None])
    best = J.argmin(axis=1)[:, None] == np.arange(J.shape[1])
    weight = (cfg.share / cfg.lists + (1 - cfg.share) * best) / len(J)
    grads = propose_backward(cfg, S, arenas, uses, dpath * weight[:, :, None])
    return float((weight * J).sum()), grads


# Learning


def learn_evaluator(cfg: Config, E: Net, rng: np.random.Generator) -> Iterator[None]:
    """Adam on random moves, updating E in place; yields after every update."""
    chunks = [random_moves(rng, min(5000, cfg.moves - k), cfg.toll) for k in range(0, cfg.moves, 5000)]
    x, cost = (np.concatenate(parts).astype(np.float32) for parts in zip(*chunks, strict=True))
    adam = Adam(E)
    for k in range(cfg.evaluator_updates):
        some = rng.integers(cfg.moves, size=256)
        _, grads = evaluator_loss_and_grad(E, x[some], cost[some])
        adam.step(E, grads, 0.003 * (1 - k / cfg.evaluator_updates))
        yield


def learn_generator(cfg: Config, S: Net, evaluate: Evaluator, rng: np.random.Generator) -> Iterator[None]:
    """Adam on fresh arenas, updating S in place; yields after every update."""
    adam = Adam(S)
    for k in range(cfg.updates):
        if k % 20 == 0:  # one large sample is cheaper than many small ones
            block = sample_arenas(rng, 20 * cfg.batch, cfg.task, cfg.discs)
        batch = Arenas(*(array[k % 20 :: 20] for array in block))
        _, grads = generator_loss_and_grad(cfg, S, batch, evaluate)
        adam.step(S, grads, cfg.rate * (1 - k / cfg.updates))
        yield


def search_constant(cfg: Config, S: Net, rng: np.random.Generator) -> Iterator[None]:
    """Set S to the random sub-goals that succeed in most of 1500 arenas; yields after every trial."""
    arenas, most = sample_arenas(rng, 1500, cfg.task, cfg.discs), -1
    for _ in range(cfg.trials):
        trial = uniform(rng, 0, SIDE, (cfg.subgoals,))
        count = succeeds(constant_paths(arenas, trial), arenas.discs).sum()
        if count > most:
            most, S["subgoals"][:] = count, trial
        yield


def look(cfg: Config, nets: dict[str, Net], evaluate: Evaluator, tests: Arenas, moves: tuple, step: int) -> Snapshot:
    """Measure the paths that S proposes and E picks in the test arenas, and copy the nets."""
    paths, _ = propose(cfg, nets["S"], tests)
    costs, _ = evaluate(paths, tests.discs[:, None])
    chosen = paths[np.arange(len(paths)), costs.argmin(axis=1)]
    success, way, direct = succeeds(chosen, tests.discs), length(chosen), np.abs(tests.goal - tests.start)
    metrics = {
        "success": success.mean(),
        "path_length": way[success].mean() if success.any() else np.inf,  # of those that succeed
        "path_ratio": (way / direct)[success].mean() if success.any() else np.inf,  # to the direct way
        "success_direct": succeeds(np.stack([tests.start, tests.goal], axis=1), tests.discs).mean(),
    }
    if "E" in nets:
        x, cost = moves
        metrics["evaluator_error"] = ((forward(nets["E"], x)[-1][:, 0] - cost) ** 2).mean() / cost.var()
    shown = Arenas(*(array[:60].copy() for array in tests))
    metrics = {name: float(value) for name, value in metrics.items()}
    return Snapshot(step, metrics, shown, paths[:60].copy(), costs[:60].copy(), copied(nets))


def copied(nets: dict[str, Net]) -> dict[str, Net]:
    """The nets with arrays of their own."""
    return {name: {key: array.copy() for key, array in net.items()} for name, net in nets.items()}


def learn_swamps(cfg: Config, rng: np.random.Generator, arena: Arenas, looks: set[int]) -> Iterator[Snapshot]:
    """Plain gradient descent in one arena, from several initial S, each until its path crosses no swamp any more."""
    nets = {str(k): new_generator(cfg, rng) for k in range(cfg.inits)}
    evaluate = partial(cone_cost, radius=cfg.cone)
    iterations = dict.fromkeys(nets, np.inf)
    shown = Arenas(*(np.repeat(array, cfg.inits, axis=0) for array in arena))
    for step in range(cfg.updates + 1):
        paths = np.concatenate([propose(cfg, S, arena)[0] for S in nets.values()])
        costs, _ = evaluate(paths, shown.discs[:, None])
        for name, cost in zip(nets, costs.min(axis=1), strict=True):
            if cost == 0:
                iterations[name] = min(step, iterations[name])
        counts = np.array(list(iterations.values()))
        done = np.isfinite(counts).all() or step == cfg.updates
        if done or step in looks:
            metrics = {"iterations": float(np.median(counts)), "most_iterations": float(counts.max())}
            metrics["solved"] = float(np.isfinite(counts).mean())
            yield Snapshot(step, metrics, shown, paths, costs, copied(nets))
        if done:
            return
        for S in nets.values():
            _, grads = generator_loss_and_grad(cfg, S, arena, evaluate)
            for key, grad in grads.items():
                S[key] -= cfg.rate * grad


def train(cfg: Config, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Learn (E, and then) S from arenas of its own, and measure in others; for cones, learn in one arena."""
    init_rng, data_rng, test_rng = rng.spawn(3)
    if cfg.evaluator == "cone":
        looks = {cfg.updates * k // cfg.snapshots for k in range(cfg.snapshots)}
        yield from learn_swamps(cfg, init_rng, sample_arenas(data_rng, 1, cfg.task, cfg.discs), looks)
        return
    tests, moves = sample_arenas(test_rng, cfg.tests, cfg.task, cfg.discs), random_moves(test_rng, 2000, cfg.toll)
    nets, evaluate, total = {"S": new_generator(cfg, init_rng)}, hinge_cost, cfg.updates
    learning = learn_generator(cfg, nets["S"], evaluate, data_rng)
    if cfg.generator == "constant":
        total, learning = cfg.trials, search_constant(cfg, nets["S"], data_rng)
    elif cfg.evaluator == "learned":
        sizes = [4, cfg.evaluator_hidden, cfg.evaluator_hidden, 1]
        nets["E"] = {name: w.astype(np.float32) for name, w in init(init_rng, sizes, 1.0).items()}
        evaluate, total = partial(learned_cost, nets["E"]), cfg.evaluator_updates + cfg.updates
        learn_S = learn_generator(cfg, nets["S"], evaluate, data_rng)
        learning = chain(learn_evaluator(cfg, nets["E"], data_rng), learn_S)
    looks = {total * k // cfg.snapshots for k in range(1, cfg.snapshots)}
    yield look(cfg, nets, evaluate, tests, moves, 0)
    for step, _ in enumerate(learning, 1):
        if step in looks and step < total:
            yield look(cfg, nets, evaluate, tests, moves, step)
    yield look(cfg, nets, evaluate, tests, moves, total)


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
