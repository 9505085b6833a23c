"""Fast weights bind variables to values: a car to its slot, and keys to values.

Paper: J. Schmidhuber, Learning to control fast-weight memories: an alternative to dynamic recurrent networks, Neural
Computation 4(1):131-139, 1992, second experiment, "Learning temporary variable binding".

Task: a car drives about, parks in one of 3 slots for an unknown time, and drives again, without end. While it is parked
the owner asks at times where it is, and the answer must be its slot, which was seen once, when it stopped. A second
task, not from the paper, stores several key/value pairs and retrieves a value by its key (key_value_memory.py).

Method: two linear feedforward nets. The fast net F has an input per name (WHERE-IS-MY-CAR?) and an output per slot; the
slow net S sees the slots and random bits and changes F's weights. S learns on-line from F's errors by gradient descent;
the derivatives of the fast weights with respect to the slow ones are carried forward and never reset.

Differs: a run is a population of 200 systems, each with its own car. Every entry of the gradient is clipped and the
learning rate is 0.3: with the plain rule (preset `plain`) nearly all systems get stuck with fast weights at 0 or 1.

Symbols: x input of S; s = S x its outputs; w_a fast weights, D_a changes of them that s asks for, d targets;
w_a(t) = sig(w_a(t-1) + D_a(t)); p_a,ij = d w_a / d S_ij; N systems, on the first axis of most arrays.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

import key_value_memory as kv

Rng = np.random.Generator
T = 10.0  # steepness of sig
PARK = 0.25  # probability per step that a driving car parks
ASK = 0.5  # probability per step of the question for a car, if it is parked
TOLERANCE = 0.05  # an answer is right if no output is further off
STREAK = 100  # solved after so many right answers in a row; loosely solved after so many steps without a wrong answer
TESTED = ("accuracy", "error", "clean", "accuracy_p5", "accuracy_min", "long_p5", "long_min", "sensitivity")
LONG_LEAVE = 0.01  # in the second test: probability per step that a parked car leaves


@dataclass(frozen=True)
class Config:
    task: str = "parking"  # "parking" (the paper's) or "retrieval" (key/value pairs)
    memory: str = "direct"  # parking: "direct", "fromto" or "none" (F alone, with weights that learn)
    cars: int = 1  # and so names
    slots: int = 3  # a car takes any of them; cars do not hinder each other
    bits: int = 3  # random inputs of S
    products: int = 1  # fromto: outer products per step
    leave: float = 0.25  # probability per step that a parked car leaves
    systems: int = 200  # N, independent systems
    steps: int = 12000  # systems that have not solved the task by then have failed
    eta: float = 0.3  # learning rate of S
    clip: float = 0.2  # bound on every entry of the gradient
    test_steps: int = 20000  # with S frozen
    pairs: int = 5  # retrieval: pairs per training episode
    batch: int = 64  # retrieval: episodes per update
    updates: int = 600  # retrieval
    rate: float = 0.04  # retrieval: learning rate of Adam, falls linearly to 0
    tests: int = 2000  # retrieval: test episodes for every number of pairs
    snapshots: int = 20  # about how many looks at the run

    def __post_init__(self) -> None:
        for name, allowed in {"task": ("parking", "retrieval"), "memory": ("direct", "fromto", "none")}.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        least = {"cars": 1, "slots": 2, "bits": 0, "products": 1, "systems": 1, "steps": 1, "test_steps": 1000}
        for name, low in (least | {"pairs": 1, "batch": 1, "updates": 1, "tests": 1, "snapshots": 1}).items():
            if getattr(self, name) < low:
                raise ValueError(f"{name} must be at least {low}, got {getattr(self, name)}")
        for name in ("eta", "clip", "rate", "leave"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")


PRESETS: dict[str, dict] = {
    "direct": {},
    "plain": {"clip": 1e9, "eta": 0.02, "systems": 100},
    "fromto": {"memory": "fromto", "systems": 100},
    "none": {"memory": "none", "systems": 20, "steps": 6000},
    "three_cars": {
        "memory": "fromto",
        "cars": 3,
        "slots": 4,
        "bits": 5,
        "products": 6,
        "systems": 1,
        "steps": 60000,
        "clip": 0.1,
    },
    "retrieval": {"task": "retrieval"},
    "smoke": {"systems": 30, "test_steps": 4000},
}

SEEDS = 10

CLAIMS = (
    ("C1", "share of systems within 6000 steps (strictly)", "6000 (unsure)", "mean(direct.within_6000) >= 0.95"),
    ("C2", "steps to 100 right answers in a row", "ours", "median(direct.steps_median) <= 4500"),
    ("C2b", "steps to 100 steps without a wrong answer", "6000 (unsure)", "median(direct.loose_median) <= 3000"),
    ("C2c", "FROM/TO: the same", "ours", "median(fromto.loose_median) <= 6000"),
    ("C3", "frozen, they know the slot: 5th percentile", "learned (task)", "min(direct.accuracy_p5) >= 0.999"),
    ("C3b", "also through stays of 100 steps on average", "learned (task)", "min(direct.long_p5) >= 0.999"),
    ("C4", "exactly one weight is large when asked", "easy to read", "median(direct.clean) >= 0.99"),
    ("C5", "slow weights of random bits over detectors'", "bits without effect", "median(direct.sensitivity) <= 0.15"),
    ("C6", "F alone: chance is 1/3", "ours", "max(none.accuracy) <= 0.4"),
    ("C7", "the plain rule within 6000 steps: half of the systems", "6000 (unsure)", "median(plain.loose_6000) >= 0.5"),
    ("C8", "3 cars, 4 slots, FROM/TO", "ours", "mean(three_cars.accuracy >= 0.95) >= 0.8"),
    ("C9", "5 pairs, sum rule, learned projection: cosine", "ours", "min(retrieval.cos_linear_5) >= 0.765"),
    ("C9b", "less the exact one's", "ours", "min(retrieval.cos_linear_5 - retrieval.cos_closed_form_5) >= -0.02"),
    ("C10", "without learning", "ours", "max(retrieval.cos_untrained_5) <= 0.52"),
    ("C10b", "gain by learning", "ours", "min(retrieval.cos_linear_5 - retrieval.cos_untrained_5) >= 0.25"),
    ("C11", "DPFP-3 features, delta rule, 5 pairs", "ours", "median(retrieval.cos_dpfp_5) >= 0.92"),
    ("C11b", "and 8 pairs", "ours", "median(retrieval.cos_dpfp_8) >= 0.87"),
    ("C12", "linear features, 5 sweeps of the delta rule", "ours", "median(retrieval.cos_sweeps_5) >= 0.94"),
    ("C13", "how much of the bias is left, sum rule", "ours", "median(retrieval.bias_linear) <= 0.1"),
    ("C13b", "DPFP-3, delta rule", "ours", "median(retrieval.bias_dpfp) <= 0.1"),
)

SMOKE = "within_6000 >= 0.9"


class Life(NamedTuple):
    """What system 0 went through up to its solution; t steps."""

    x: np.ndarray  # (t, J) inputs of S
    slot: np.ndarray  # (t, cars) where each car was parked, -1 if it drove
    asked: np.ndarray  # (t,) the car that was asked for, -1 if none was
    w: np.ndarray  # (t, W) when the question was answered


NOTHING = np.empty(0)


class Snapshot(NamedTuple):
    step: int  # of the stream; retrieval: updates
    metrics: dict[str, float]
    params: dict[str, np.ndarray]  # parking: "S", (N, R, J); retrieval: a projection (D, D) for every method
    solved_at: np.ndarray = NOTHING  # (2, N) steps to the strict and the loose criterion, inf if not met
    life: Life | None = None  # parking: in the final snapshot
    cosines: dict[str, np.ndarray] = {}  # retrieval: by method, mean cosine for the numbers of pairs tested
    keys: np.ndarray = NOTHING  # retrieval: (pairs, D) keys of a test episode


# The car park


class Stream(NamedTuple):
    x: np.ndarray  # (steps, N, J) inputs of S, 0 or 1: a detector for every car and slot, then the random bits
    slot: np.ndarray  # (steps, N, cars) where each car is parked, -1 if it drives
    asked: np.ndarray  # (steps, N) the car asked for, -1 if none is


def drive(cfg: Config, steps: int, leave: float, rng: Rng) -> Stream:
    """The cars of all systems drive and park; a detector is on only in the step in which its car comes to its slot."""
    shape = (steps, cfg.systems, cfg.cars)
    chance, aim = rng.random(shape, np.float32), rng.integers(cfg.slots, size=shape, dtype=np.int8)
    arrival, stays = np.where(chance < PARK, aim, -1), chance >= leave
    slot, now = np.empty(shape, np.int8), np.full(shape[1:], -1, np.int8)
    for t in range(steps):
        now = slot[t] = np.where(now < 0, arrival[t], np.where(stays[t], now, -1))
    before = np.concatenate([np.full((1, *shape[1:]), -1, np.int8), slot[:-1]])
    detectors = (slot[..., None] == np.arange(cfg.slots)) & (before < 0)[..., None]
    bits = rng.integers(2, size=(*shape[:2], cfg.bits), dtype=np.int8)
    x = np.concatenate([detectors.reshape(*shape[:2], -1), bits], axis=2)
    car = rng.integers(cfg.cars, size=shape[:2], dtype=np.int8)
    parked = np.take_along_axis(slot, car[..., None], axis=2)[..., 0] >= 0
    return Stream(x, slot, np.where(parked & (rng.random(shape[:2], np.float32) < ASK), car, -1))


# The two nets


class Systems(NamedTuple):
    S: np.ndarray  # (N, R, J) slow weights; R outputs: W changes, or FROM and TO of every product, or F's weights (1)
    w: np.ndarray  # (N, W) fast weights, for every car the weights to all slots
    p: np.ndarray  # (N, W, R, J) d w / d S


def init(cfg: Config, rng: Rng) -> Systems:
    """Slow weights from [-0.1, 0.1], fast weights 0."""
    W = cfg.cars * cfg.slots
    R = {"direct": W, "fromto": cfg.products * (cfg.cars + cfg.slots), "none": 1}[cfg.memory]
    J = W if cfg.memory == "none" else W + cfg.bits
    S, p = rng.uniform(-0.1, 0.1, (cfg.systems, R, J)), np.zeros((cfg.systems, W, R, J))
    if cfg.memory == "none":
        p[:, range(W), 0, range(W)] = 1
        return Systems(S, S[:, 0], p)
    return Systems(S, np.zeros((cfg.systems, W)), p)


def sig(z: np.ndarray) -> np.ndarray:
    """Keeps fast weights in (0, 1): 1 / (1 + exp(-T (z - 1/2))); it holds 0.0072.. and 0.9928.., not 1/2."""
    return 0.5 + 0.5 * np.tanh(0.5 * T * (z - 0.5))


def factors(cfg: Config, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """FROM (..., products, cars) and TO (..., products, slots) in outputs s (..., R) of S."""
    s = s.reshape(*s.shape[:-1], cfg.products, cfg.cars + cfg.slots)
    return s[..., : cfg.cars], s[..., cfg.cars :]


def change(cfg: Config, s: np.ndarray) -> np.ndarray:
    """The change D (..., W) of the fast weights that outputs s (..., R) ask for: s, or a sum of outer products."""
    if cfg.memory == "direct":
        return s
    FROM, TO = factors(cfg, s)
    return np.einsum("...rc,...rm->...cm", FROM, TO).reshape(*s.shape[:-1], -1)


def change_gradient(cfg: Config, s: np.ndarray) -> np.ndarray:
    """dD / ds, (N, W, R), at s (N, R)."""
    if cfg.memory == "direct":
        return np.broadcast_to(np.eye(s.shape[1]), (len(s), s.shape[1], s.shape[1]))
    FROM, TO = factors(cfg, s)
    gradient = np.zeros((len(s), cfg.cars, cfg.slots, cfg.products, cfg.cars + cfg.slots))
    gradient[:, range(cfg.cars), :, :, range(cfg.cars)] = TO.swapaxes(1, 2)
    gradient[:, :, range(cfg.slots), :, range(cfg.cars, cfg.cars + cfg.slots)] = FROM.swapaxes(1, 2)
    return gradient.reshape(len(s), cfg.cars * cfg.slots, -1)


def write(cfg: Config, systems: Systems, x: np.ndarray) -> Systems:
    """S sees x (N, J), the fast weights change, and so do their derivatives (real-time gradient, exact for fixed S):

    p_a,ij(t) = T w_a(t) (1 - w_a(t)) (p_a,ij(t-1) + dD_a(t)/dS_ij),  dD_a/dS_ij = dD_a/ds_i x_j.
    """
    if cfg.memory == "none":
        return systems._replace(w=systems.S[:, 0])
    s = (systems.S @ x[:, :, None])[..., 0]
    w = sig(systems.w + change(cfg, s))
    slope = (T * w * (1 - w))[:, :, None, None]
    return Systems(systems.S, w, slope * (systems.p + change_gradient(cfg, s)[..., None] * x[:, None, None]))


def error_and_grad(cfg: Config, systems: Systems, slot: np.ndarray, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Errors (N, W) of the answers, 0 where nothing was asked, and gradient (N, R, J) of half their squared sums.

    slot: (N, cars); asked: (N,). To the name of car c the answer is w_c, the weights to all slots.
    """
    d = slot[:, :, None] == np.arange(cfg.slots)
    q = asked[:, None] == np.arange(cfg.cars)
    error = systems.w * np.repeat(q, cfg.slots, axis=1) - (d & q[:, :, None]).reshape(systems.w.shape)
    p = systems.p
    return error, (error[:, None] @ p.reshape(*p.shape[:2], -1)).reshape(systems.S.shape)


def run_frozen(cfg: Config, S: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Fast weights (steps, N, W) of systems with frozen S, at first 0, that see x (steps, N, J); in float32."""
    if cfg.memory == "none":
        return np.broadcast_to(S[:, 0].astype(np.float32), (*x.shape[:2], S.shape[2]))
    s = x.transpose(1, 0, 2).astype(np.float32) @ S.transpose(0, 2, 1).astype(np.float32)
    D = change(cfg, s).transpose(1, 0, 2)
    w = np.zeros((len(D) + 1, *D.shape[1:]), np.float32)
    for t in range(len(D)):
        w[t + 1] = sig(w[t] + D[t])
    return w[1:]


# Learning


def test(cfg: Config, S: np.ndarray, stream: Stream) -> np.ndarray:
    """Of frozen systems, (3, N): share of questions to which the right slot has the largest output; share with clean
    weights, above 0.9 to the right slot and below 0.1 to all others; mean over the questions of the largest error."""
    w = run_frozen(cfg, S, stream.x).reshape(*stream.slot.shape, cfg.slots)
    sums, questions = np.zeros((3, len(S))), (stream.asked >= 0).sum(axis=0)
    for car in range(cfg.cars):
        asked, scores = stream.asked == car, np.zeros((3, *stream.asked.shape), np.float32)
        slot, answer = stream.slot[asked, car], w[asked, car]
        is_slot = slot[:, None] == np.arange(cfg.slots)
        clean = np.where(is_slot, answer > 0.9, answer < 0.1).all(axis=1)
        scores[:, asked] = answer.argmax(axis=1) == slot, clean, np.abs(answer - is_slot).max(axis=1)
        sums += scores.sum(axis=1)
    return sums / questions


def evaluate(cfg: Config, S: np.ndarray, solved: np.ndarray, streams: list[Stream]) -> dict[str, float]:
    """Metrics of frozen systems on test streams with usual and with long stays; solved (N,) are those that met C1.

    accuracy, error: means over all systems; _p5, _min: 5th percentile and minimum over those that solved the task, 0 if
    none did; clean: median; sensitivity: largest |S| of a random bit over the mean |S| of the detectors, median.
    """
    (right, clean, error), (long_right, _, _) = (test(cfg, S, stream) for stream in streams)
    metrics = {"accuracy": float(right.mean()), "error": float(error.mean()), "clean": float(np.median(clean))}
    for name, share in (("accuracy", right[solved]), ("long", long_right[solved])):
        metrics[f"{name}_p5"] = float(np.percentile(share, 5)) if len(share) else 0.0
        metrics[f"{name}_min"] = float(share.min()) if len(share) else 0.0
    detectors = cfg.cars * cfg.slots
    bits = np.abs(S[..., detectors:]).max(axis=(1, 2), initial=0)
    metrics["sensitivity"] = float(np.median(bits / np.abs(S[..., :detectors]).mean(axis=(1, 2))))
    return metrics


def learn_parking(cfg: Config, init_rng: Rng, data_rng: Rng, test_rng: Rng) -> Iterator[Snapshot]:
    """All systems side by side; one that has solved the task is frozen and learns no more."""
    systems = init(cfg, init_rng)
    stream = drive(cfg, cfg.steps, cfg.leave, data_rng)
    tests = [drive(cfg, cfg.test_steps, leave, test_rng) for leave in (cfg.leave, LONG_LEAVE)]
    S, solved_at = systems.S.copy(), np.full((2, cfg.systems), np.inf)
    learning, streaks = np.arange(cfg.systems), np.zeros((2, cfg.systems), int)
    life: list[tuple] = []
    looks = {cfg.steps * k // cfg.snapshots for k in range(cfg.snapshots)}

    def look(step: int) -> Snapshot:
        strict, loose = solved_at
        metrics = {
            "solved": float(np.isfinite(strict).mean()),
            "within_6000": float((strict <= 6000).mean()),
            "steps_median": float(np.median(strict)),
            "loose_6000": float((loose <= 6000).mean()),
            "loose_median": float(np.median(loose)),
        }
        last = step == cfg.steps or not len(learning)
        tested = evaluate(cfg, S, np.isfinite(strict), tests) if last else dict.fromkeys(TESTED, np.nan)
        lived = Life(*map(np.array, zip(*life, strict=True))) if last else None
        return Snapshot(step, metrics | tested, {"S": S.copy()}, solved_at.copy(), lived)

    yield look(0)
    for t in range(cfg.steps):
        x, slot, asked = (a[t, learning] for a in stream)
        systems = write(cfg, systems, x)
        error, grad = error_and_grad(cfg, systems, slot, asked)
        systems = systems._replace(S=systems.S - cfg.eta * np.clip(grad, -cfg.clip, cfg.clip))
        S[learning] = systems.S
        if learning[0] == 0:
            life.append((x[0], slot[0], asked[0], systems.w[0]))
        right = np.abs(error).max(axis=1) <= TOLERANCE
        streaks = np.where(right, streaks + [asked >= 0, np.ones_like(right)], 0)
        for at, streak in zip(solved_at, streaks, strict=True):
            np.minimum.at(at, learning[streak == STREAK], t + 1)
        going = streaks[0] < STREAK
        if not going.all():
            systems, learning, streaks = Systems(*(a[going] for a in systems)), learning[going], streaks[:, going]
        if t + 1 in looks or t + 1 == cfg.steps or not len(learning):
            yield look(t + 1)
        if not len(learning):
            return


def learn_retrieval(cfg: Config, init_rng: Rng, data_rng: Rng, test_rng: Rng) -> Iterator[Snapshot]:
    """Key/value pairs: a projection of the keys for every method, from the same episodes, with the same Adam."""
    b = kv.draw_bias(init_rng)
    params = {name: np.eye(kv.D) for name in kv.METHODS}
    tests = {N: kv.sample(b, N, cfg.tests, test_rng) for N in kv.PAIRS_TESTED}
    few = {N: kv.Episodes(*(part[:250] for part in tests[N])) for N in (5, 8)}  # for looks on the way
    adam = kv.Adam(params)
    looks = {cfg.updates * k // cfg.snapshots for k in range(cfg.snapshots)}
    for update in range(cfg.updates + 1):
        if update in looks or update == cfg.updates:
            scores = {N: kv.compare(params, b, e) for N, e in (few if update < cfg.updates else tests).items()}
            cosines = {name: np.array([scores[N][name].cos for N in scores]) for name in scores[5]}
            copies = {name: P.copy() for name, P in params.items()}
            yield Snapshot(update, kv.metrics(scores, params, b), copies, cosines=cosines, keys=tests[5].k[0])
        if update < cfg.updates:
            episodes = kv.sample(b, cfg.pairs, cfg.batch, data_rng)
            grads = {name: kv.loss_and_grad(method, params[name], episodes)[1] for name, method in kv.METHODS.items()}
            adam.step(params, grads, cfg.rate * (1 - update / cfg.updates))


def train(cfg: Config, rng: Rng) -> Iterator[Snapshot]:
    """Learn the task of cfg: the untrained state, about cfg.snapshots looks, the final state."""
    init_rng, data_rng, test_rng = rng.spawn(3)
    yield from (learn_parking if cfg.task == "parking" else learn_retrieval)(cfg, init_rng, data_rng, test_rng)


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
