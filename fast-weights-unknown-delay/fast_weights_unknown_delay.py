"""A slow net writes short-term memory for unknown times into the weights of a fast net, without any recurrence.

Paper: J. Schmidhuber, Learning to control fast-weight memories: an alternative to dynamic recurrent networks, Neural
Computation 4(1):131-139, 1992 (also TR FKI-147-91, TU Munich, 1991), "An experiment with unknown time delays".

Task: an endless stream of events A, B, C. The output must be 1 the first time that B occurs after an A, and 0 at all
other times. Any number of events may lie in between, and nothing marks a beginning or an end. A second task, not from
the paper, is to store a pattern and to recall it after distractors (store_recall.py).

Method: two linear feedforward nets. The fast net F answers y = w . x, so by itself it has no memory. The slow net S
sees each event after F has answered, and changes w. S learns on-line by gradient descent; the derivatives of the fast
weights with respect to the slow weights are carried forward from step to step and never reset.

Differs: a run is a population of 200 systems, each with its own stream. Every entry of the gradient is clipped,
because with the plain rule (presets `direct_plain`, `fromto_plain`) many systems get stuck with fast weights at 0 or 1.

Symbols: x one-hot event; w_a fast weight from event a; s = S x outputs of S; D_a change of w_a that they ask for;
w_a(t) = sig(w_a(t-1) + D_a(t)); p_a,ij = d w_a / d S_ij; d target. All arrays have the N systems on their first axis,
or on their second one if they begin with time.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

import store_recall

A, B, C = range(3)  # events
T = 10.0  # steepness of sig
TOLERANCE = 0.05  # an answer is right if it is not further off
STREAK = 100  # a system has solved the task after so many right answers in a row
LONGEST = 3000  # recall: most distractors before the question in the test


@dataclass(frozen=True)
class Config:
    task: str = "stream"  # "stream" (the paper's) or "recall" (store and recall)
    memory: str = "direct"  # "direct", "fromto" or "none" (F alone, with weights that learn); recall: "slow" or "rnn"
    systems: int = 200  # N of the stream, independent systems
    steps: int = 5000  # of the stream; systems that have not solved the task by then have failed
    eta: float = 1.0  # stream: learning rate of S; recall: how strongly it writes
    clip: float = 0.4  # stream: bound on every entry of the gradient
    test_steps: int = 10000  # of the stream with S frozen
    test_c: float = 0.99  # probability of C in it (in training: 1/3)
    bits: int = 4  # recall: of a pattern
    gate: str = "learned"  # recall: "learned", or "one" (always open)
    hidden: int = 32  # recall: hidden units, of S or of the RNN
    delay: int = 30  # recall: most distractors of a training episode (the fewest are 5)
    updates: int = 2000  # recall: of the weights
    batch: int = 32  # recall: training episodes per update
    rate: float = 0.03  # recall: learning rate of Adam, falls linearly to 0
    tests: int = 200  # recall: test episodes
    snapshots: int = 20  # about how many looks at the run

    def __post_init__(self) -> None:
        memories = {"stream": ("direct", "fromto", "none"), "recall": ("slow", "rnn")}
        words = {"task": tuple(memories), "memory": memories.get(self.task, ()), "gate": ("learned", "one")}
        for name, allowed in words.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        least = {"systems": 1, "steps": 1, "test_steps": 1000, "bits": 1, "hidden": 1, "delay": 5, "updates": 1}
        for name, low in (least | {"batch": 1, "tests": 1, "snapshots": 1}).items():
            if getattr(self, name) < low:
                raise ValueError(f"{name} must be at least {low}, got {getattr(self, name)}")
        for name in ("eta", "clip", "rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if not 0 <= self.test_c < 1:
            raise ValueError(f"test_c must be at least 0 and less than 1, got {self.test_c}")


PRESETS: dict[str, dict] = {
    "direct": {},
    "direct_plain": {"clip": 1e9},
    "fromto": {"memory": "fromto", "eta": 2.0, "clip": 0.1},
    "fromto_plain": {"memory": "fromto", "clip": 1e9},
    "none": {"memory": "none"},
    "recall": {"task": "recall", "memory": "slow", "eta": 0.5},
    "recall_ungated": {"task": "recall", "memory": "slow", "eta": 0.5, "gate": "one"},
    "recall_rnn": {"task": "recall", "memory": "rnn", "hidden": 25},
    "recall_16_bits": {"task": "recall", "memory": "slow", "eta": 0.5, "bits": 16},
    "smoke": {"systems": 50, "test_steps": 2000},
}

SEEDS = 10

CLAIMS = (
    ("C1", "steps to 100 right answers in a row, these included", "300", "max(direct.steps_median) <= 300"),
    ("C1b", "steps before the 100 right answers", "ours", "max(direct.before_median) <= 200"),
    ("C1c", "C1 with the plain rule", "300", "median(direct_plain.steps_median) <= 300"),
    ("C2", "share of systems within 300 steps", "ours", "mean(direct.within_300) >= 0.85"),
    ("C3", "share within 5000 steps", "ours", "mean(direct.solved) >= 0.99"),
    ("C4", "FROM/TO: steps to 100 right answers, these included", "800", "max(fromto.steps_median) <= 800"),
    ("C4b", "FROM/TO with the plain rule", "800", "median(fromto_plain.steps_median) <= 800"),
    ("C4c", "FROM/TO: share within 800 steps", "ours", "mean(fromto.within_800) >= 0.9"),
    ("C5", "FROM/TO: share within 5000 steps", "ours", "mean(fromto.solved) >= 0.98"),
    ("C6", "frozen, they stay right through long delays", "any delay (task)", "mean(direct.kept) >= 0.93"),
    ("C6b", "FROM/TO as well", "any delay (task)", "mean(fromto.kept) >= 0.93"),
    ("C7", "F alone cannot tell the first B from others", "ours", "max(none.balanced_accuracy) <= 0.55"),
    ("C8", "A sets w_B, B resets it, C leaves it", "the typical solution", "mean(direct.signature) >= 0.95"),
    ("C8b", "FROM/TO as well", "the typical solution", "mean(fromto.signature) >= 0.95"),
    ("C9", "recall: bits right after 1 to 60 distractors", "ours", "min(recall.acc_1_60) >= 1"),
    ("C9b", "after 100", "ours", "min(recall.acc_100) >= 1"),
    ("C9c", "after 1000", "ours", "min(recall.acc_1000) >= 1"),
    ("C9d", "after 3000", "ours", "min(recall.acc_3000) >= 0.999"),
    ("C10", "recall: squared error after 30", "ours", "median(recall.mse_30) <= 1e-4"),
    ("C10b", "after 1000", "ours", "median(recall.mse_1000) <= 0.02"),
    ("C11", "bits right, fast weights minus RNN", "ours", "min(recall.acc_5_30 - recall_rnn.acc_5_30) >= 0"),
    ("C12", "nothing is recalled if nothing is written", "ours", "mean((recall.no_write_acc - 0.5) ** 2) <= 0.0009"),
    ("C13", "patterns of 16 bits", "ours", "mean(recall_16_bits.acc_5_30 >= 0.99) >= 0.9"),
)

SMOKE = "solved >= 0.95"


class Life(NamedTuple):
    """What system 0 went through up to its solution; t steps."""

    event: np.ndarray  # (t,)
    d: np.ndarray  # (t,)
    y: np.ndarray  # (t,)
    w: np.ndarray  # (t, 3) after S has changed them
    S: np.ndarray  # (t, R, 3) after learning


NOTHING = np.empty(0)


class Snapshot(NamedTuple):
    step: int  # events seen by each system; recall: updates
    metrics: dict[str, float]
    params: dict[str, np.ndarray]  # stream: "S", (N, R, 3); recall: weights of the net
    solved_at: np.ndarray = NOTHING  # (N,) steps up to the last of 100 right answers in a row, inf if there are none
    life: Life | None = None
    accuracy: np.ndarray = NOTHING  # recall: (K,) bits right if asked after 1, 2, .. K distractors
    mse: np.ndarray = NOTHING  # recall: (K,) squared error
    episode: np.ndarray = NOTHING  # recall: (3, K + 1) gate, |k . q| and mean |v| along a test episode


# The stream


def draw_events(steps: int, systems: int, p_c: float, rng: np.random.Generator) -> np.ndarray:
    """Events (steps, systems): C with probability p_c, A and B equally likely."""
    p_a = (1 - p_c) / 2
    return rng.choice(3, size=(steps, systems), p=(p_a, p_a, p_c))


def targets(events: np.ndarray) -> np.ndarray:
    """d for events (steps, N): 1 where B occurs and an A has occurred since the last B, else 0."""
    d = np.zeros(events.shape)
    waiting = np.zeros(events.shape[1], bool)  # for the first B after an A
    for t, event in enumerate(events):
        d[t] = waiting & (event == B)
        waiting = (event == A) | waiting & (event == C)
    return d


# The two nets


class Systems(NamedTuple):
    S: np.ndarray  # (N, R, 3) slow weights; R outputs: 3 changes, or FROM (3) and TO (1), or F's own weights (1)
    w: np.ndarray  # (N, 3) fast weights
    p: np.ndarray  # (N, 3, R, 3) d w_a / d S_ij


def init(cfg: Config, rng: np.random.Generator) -> Systems:
    """Slow weights from [-0.1, 0.1], fast weights 0."""
    R = {"direct": 3, "fromto": 4, "none": 1}[cfg.memory]
    S, p = rng.uniform(-0.1, 0.1, (cfg.systems, R, 3)), np.zeros((cfg.systems, 3, R, 3))
    if cfg.memory == "none":
        p[:, range(3), 0, range(3)] = 1
        return Systems(S, S[:, 0], p)
    return Systems(S, np.zeros((cfg.systems, 3)), p)


def sig(z: np.ndarray) -> np.ndarray:
    """Keeps fast weights in (0, 1): 1 / (1 + exp(-T (z - 1/2))); it holds 0.0072.. and 0.9928.., not 1/2."""
    return 0.5 + 0.5 * np.tanh(0.5 * T * (z - 0.5))


def change(cfg: Config, S: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The change D (N, 3) of w that S asks for when it sees x (N, 3), and dD_a / ds_i, (N, 3, R)."""
    s = np.einsum("nij,nj->ni", S, x)
    if cfg.memory == "direct":
        return s, np.broadcast_to(np.eye(3), (len(s), 3, 3))
    FROM, TO = s[:, :3], s[:, 3:]
    return FROM * TO, np.concatenate([TO[:, :, None] * np.eye(3), FROM[:, :, None]], axis=2)


def write(cfg: Config, systems: Systems, x: np.ndarray) -> Systems:
    """S sees x (N, 3), the fast weights change, and so do their derivatives (real-time gradient, exact for fixed S):

    p_a,ij(t) = T w_a(t) (1 - w_a(t)) (p_a,ij(t-1) + dD_a(t)/dS_ij),  dD_a/dS_ij = dD_a/ds_i x_j.
    """
    if cfg.memory == "none":
        return systems._replace(w=systems.S[:, 0])
    D, dD_ds = change(cfg, systems.S, x)
    w = sig(systems.w + D)
    slope = (T * w * (1 - w))[:, :, None, None]
    return Systems(systems.S, w, slope * (systems.p + dD_ds[..., None] * x[:, None, None]))


def answer_and_grad(systems: Systems, x: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F's answers y (N,) to x (N, 3) and the gradient (N, R, 3) of (y - d)^2 / 2 by the slow weights."""
    y = (systems.w * x).sum(axis=1)
    return y, np.einsum("n,na,naij->nij", y - d, x, systems.p)


def respond(cfg: Config, S: np.ndarray, events: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Answers (steps, N) of systems with frozen S to events (steps, N), and w (steps + 1, N, 3) from start to end."""
    w = np.zeros((len(events) + 1, len(S), 3))
    each = np.arange(len(S))
    if cfg.memory == "none":
        w[:] = S[:, 0]
    else:
        D = np.stack([change(cfg, S, np.tile(x, (len(S), 1)))[0] for x in np.eye(3)])  # (event, N, 3)
        for t, event in enumerate(events):
            w[t + 1] = sig(w[t] + D[event, each])
    return np.take_along_axis(w[:-1], events[..., None], axis=2)[..., 0], w


# Learning


def evaluate(cfg: Config, S: np.ndarray, solved: np.ndarray, events: np.ndarray | None) -> dict[str, float]:
    """Metrics of frozen systems S (N, R, 3) on test events (steps, N); nan without any. solved (N,) says who solved.

    kept: share of the solved systems that are never wrong; worst_error: median over them; mean_error: of all systems;
    signature: share of the solved ones in which w_B is above 0.9 after every A, below 0.1 after every B, and moved less
    than 0.05 by every C; balanced_accuracy: over all systems, the mean of two shares, of first Bs and of other Bs
    answered on the right side of 1/2.
    """
    if events is None:
        return dict.fromkeys(("kept", "worst_error", "mean_error", "signature", "balanced_accuracy"), np.nan)
    y, w = respond(cfg, S, events)
    d = targets(events)
    error = np.abs(y - d)
    worst = error.max(axis=0)[solved]
    w_B = w[..., B]
    marks = ((events != A) | (w_B[1:] > 0.9)) & ((events != B) | (w_B[1:] < 0.1))
    marks &= (events != C) | (np.abs(np.diff(w_B, axis=0)) < 0.05)
    first, other = d == 1, (events == B) & (d == 0)
    return {
        "kept": float((worst <= TOLERANCE).sum() / max(1, len(worst))),
        "worst_error": float(np.median(worst)) if len(worst) else np.inf,
        "mean_error": float(error.mean()),
        "signature": float(marks.all(axis=0)[solved].sum() / max(1, len(worst))),
        "balanced_accuracy": float(((y[first] > 0.5).mean() + (y[other] <= 0.5).mean()) / 2),
    }


def learn_stream(
    cfg: Config, init_rng: np.random.Generator, data_rng: np.random.Generator, test_rng: np.random.Generator
) -> Iterator[Snapshot]:
    """The stream: all systems side by side; one that has solved the task is frozen and learns no more."""
    systems = init(cfg, init_rng)
    events = draw_events(cfg.steps, cfg.systems, 1 / 3, data_rng)
    d = targets(events)
    test = draw_events(cfg.test_steps, cfg.systems, cfg.test_c, test_rng)
    S, solved_at = systems.S.copy(), np.full(cfg.systems, np.inf)
    learning, streak = np.arange(cfg.systems), np.zeros(cfg.systems, int)
    life: list[tuple] = []

    def look(step: int, last: bool) -> Snapshot:
        solved = np.isfinite(solved_at)
        metrics = {
            "solved": float(solved.mean()),
            "within_300": float((solved_at <= 300).mean()),
            "within_800": float((solved_at <= 800).mean()),
            "steps_median": float(np.median(solved_at)),
            "before_median": float(np.median(solved_at - STREAK)),
        } | evaluate(cfg, S, solved, test if last else None)
        lived = Life(*map(np.array, zip(*life, strict=True))) if life else None
        return Snapshot(step, metrics, {"S": S.copy()}, solved_at.copy(), lived)

    looks = set(np.geomspace(1, cfg.steps, cfg.snapshots).astype(int))
    yield look(0, False)
    for t in range(cfg.steps):
        x, d_t = np.eye(3)[events[t, learning]], d[t, learning]
        y, grad = answer_and_grad(systems, x, d_t)
        systems = systems._replace(S=systems.S - cfg.eta * np.clip(grad, -cfg.clip, cfg.clip))
        systems = write(cfg, systems, x)
        S[learning] = systems.S
        if learning[0] == 0:
            life.append((events[t, 0], d_t[0], y[0], systems.w[0], systems.S[0]))
        streak = np.where(np.abs(y - d_t) <= TOLERANCE, streak + 1, 0)
        solved_at[learning[streak == STREAK]] = t + 1
        going = streak < STREAK
        systems, learning, streak = Systems(*(a[going] for a in systems)), learning[going], streak[going]
        last = t + 1 == cfg.steps or not len(learning)
        if last or t + 1 in looks:
            yield look(t + 1, last)
        if last:
            return


def learn_recall(
    cfg: Config, init_rng: np.random.Generator, data_rng: np.random.Generator, test_rng: np.random.Generator
) -> Iterator[Snapshot]:
    """Store and recall: one net, mini-batches of episodes, Adam with a falling rate."""
    if cfg.memory == "rnn":
        net = store_recall.rnn(cfg.bits, cfg.hidden)
    else:
        net = store_recall.slow_net(cfg.bits, cfg.hidden, cfg.eta, cfg.gate)
    params = net.init(init_rng)
    test = store_recall.sample(cfg.bits, LONGEST, LONGEST, cfg.tests, test_rng)
    adam = store_recall.Adam(params)
    looks = {cfg.updates * k // cfg.snapshots for k in range(cfg.snapshots)}
    for update in range(cfg.updates + 1):
        if update in looks or update == cfg.updates:
            yield look_at_recall(cfg, net, params, test, update)
        if update < cfg.updates:
            batch = store_recall.sample(cfg.bits, 5, cfg.delay, cfg.batch, data_rng)
            adam.step(params, net.loss_and_grad(params, batch)[1], cfg.rate * (1 - update / cfg.updates))


def look_at_recall(
    cfg: Config, net: store_recall.Net, params: dict, test: store_recall.Episodes, update: int
) -> Snapshot:
    """Bits right and squared error if the question comes after K distractors; K > 60 in the final look only."""
    last = update == cfg.updates
    x = test.x if last else test.x[:, :61]
    y = net.answers(params, x)
    accuracy = store_recall.bits_right(y, test.target)
    mse = ((y - test.target[:, None]) ** 2).mean(axis=(0, 2))
    metrics = {"acc_1_60": accuracy[1:61].min(), "acc_5_30": accuracy[5:31].mean(), "mse_30": mse[30]}
    metrics |= {f"acc_{K}": accuracy[K] if last else np.nan for K in (100, 1000, LONGEST)}
    metrics["mse_1000"] = mse[1000] if last else np.nan
    episode = NOTHING
    if cfg.memory == "slow":
        unwritten = store_recall.slow_answers(params, x[:, :1], 0.0, cfg.gate)
        metrics["no_write_acc"] = store_recall.bits_right(unwritten, test.target)[0]
        episode = store_recall.protection(params, x[0, :31], cfg.gate)
    copies = {name: array.copy() for name, array in params.items()}
    metrics = {name: float(value) for name, value in metrics.items()}
    return Snapshot(update, metrics, copies, accuracy=accuracy[1:], mse=mse[1:], episode=episode)


def train(cfg: Config, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Learn the task of cfg: the untrained state, about cfg.snapshots looks, the final state."""
    init_rng, data_rng, test_rng = rng.spawn(3)
    yield from (learn_stream if cfg.task == "stream" else learn_recall)(cfg, init_rng, data_rng, test_rng)


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
