"""The neural bucket brigade tells a light that moves to the right from one that moves to the left.

Paper: J. Schmidhuber, "A local learning algorithm for dynamic feedforward and recurrent networks", Connection Science
1(4):403-412, 1989; also technical report FKI-124-90, TU Munich, and "The neural bucket brigade", in Pfeifer et al.
(eds.), Connectionism in Perspective, Elsevier, 439-446, 1989.

Task: a point of light wanders over a retina of five cells in five ticks. Of two output units the first is to win if it
goes from left to right, the second if it goes from right to left. Nothing tells the net the target: a payoff reaches
the connections into an output unit that is on and correct.

Method: the retina, a unit that is always on, and the outputs themselves feed the two outputs, of which the one with the
largest positive net input is on. A connection that helped it to win pays the fraction lam of its contribution to the
connections that had switched on its sender one tick before. Every quantity is local in space and time.

Differs: a run is a population of independent nets, all with their own weights and their own random sweeps. An output
is paid and tested while the light moves or, the other reading of the task, one tick after it has arrived.

Symbols: c_ij(t) = x_i(t-1) w_ij contribution of unit i to unit j; lam, eta = fractions paid and paid off; N = nets;
T = frames that the outputs get to see. Weights and activations have the nets on the last axis; rows of the weights w
(S, 2, N) are the S = cells + 3 senders: the retina from left to right, the unit that is always on, the two outputs.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

CHECK_EVERY = 2  # presentations between two tests with frozen weights
HELD = (8, 100, 400)  # presentations for which a solution must hold; 8: five tests in succession


@dataclass(frozen=True)
class Config:
    nets: int = 100  # N, independent nets
    cells: int = 5  # of the retina
    answer: str = "during"  # paid and tested while the light moves, or "after": only when it has arrived
    recurrence: str = "on"  # "off": no connections from outputs to outputs
    schedule: str = "random"  # of directions; "pairs": each pair has both; "alternating": in blocks
    block: int = 1  # presentations of one direction in succession, if they alternate
    lam: float = 0.005  # fraction of its contribution that a connection pays
    eta: float = 0.005  # fraction of it that a connection to a correct output gets as payoff
    init_low: float = 0.999  # initial weights are uniform from here
    init_high: float = 1.001  # to here
    presentations: int = 1000  # per net, both directions together
    snapshots: int = 20  # about how many looks at the run

    def __post_init__(self) -> None:
        for name, least in {"nets": 1, "cells": 2, "block": 1, "presentations": 0, "snapshots": 1}.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        words = {
            "answer": ("during", "after"),
            "recurrence": ("on", "off"),
            "schedule": ("random", "pairs", "alternating"),
        }
        for name, allowed in words.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be {' or '.join(allowed)}, got {getattr(self, name)}")
        for name in ("lam", "eta"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 0 and less than 1, got {getattr(self, name)}")
        if not 0 < self.init_low <= self.init_high:
            raise ValueError(f"init_low must be positive and at most init_high, got {self.init_low}")


PRESETS: dict[str, dict] = {
    "nbb": {},
    "no_recurrence": {"recurrence": "off"},
    "no_payoff": {"eta": 0.0},
    "pairs": {"schedule": "pairs"},
    "alternating": {"schedule": "alternating"},
    "alternating_2": {"schedule": "alternating", "block": 2},
    "alternating_3": {"schedule": "alternating", "block": 3},
    "after": {"answer": "after"},
    "after_no_payoff": {"answer": "after", "eta": 0.0},
    "after_no_recurrence": {"answer": "after", "recurrence": "off"},
    "after_double": {"answer": "after", "eta": 0.01},
    "after_double_no_recurrence": {"answer": "after", "eta": 0.01, "recurrence": "off"},
    "cells_10": {"cells": 10},
    "cells_15": {"cells": 15},
    "cells_20": {"cells": 20},
    "cells_20_pairs": {"cells": 20, "schedule": "pairs"},
    "wide_init": {"init_low": 0.5, "init_high": 1.5},
    "smoke": {"nets": 30, "presentations": 400},
}
SEEDS = 10

CLAIMS = (
    ("C1", "nets that hold a solution for five tests", "9 of 10 runs (second-hand)", "min(nbb.held_8) >= 0.97"),
    ("C2", "presentations per sequence up to it", "223 (second-hand)", "max(nbb.held_8_mean / 2) <= 223"),
    ("C3", "C1 if only the end counts", "9 of 10 runs (second-hand)", "mean(after.held_8 >= 0.9) >= 0.9"),
    ("C3b", "but then they do not hold it for 100 presentations", "ours", "max(after.held_100) <= 0.05"),
    ("C3c", "and most pass C3's tests without any payoff", "ours", "min(after_no_payoff.held_8) >= 0.5"),
    ("C3d", "with double payoff they hold it", "ours", "min(after_double.held_100) >= 0.95"),
    ("C3e", "without payoff they do not", "ours", "max(after_no_payoff.held_100) <= 0.05"),
    ("C4", "no solution without recurrence", "ours", "max(no_recurrence.held_8) <= 0.02"),
    ("C4b", "unless only the end counts", "ours", "min(after_no_recurrence.held_8) >= 0.9"),
    ("C4c", "and with double payoff", "ours", "min(after_double_no_recurrence.held_100) >= 0.95"),
    ("C5", "nets right at the end, still learning", "ours", "mean(nbb.solved_now >= 0.9) >= 0.9"),
    ("C6", "many fail if directions come in pairs", "ours", "max(pairs.held_8) <= 0.6"),
    ("C6b", "or alternate", "ours", "max(alternating.held_8) <= 0.6"),
    ("C6c", "or alternate in blocks of two", "ours", "max(alternating_2.held_8) <= 0.6"),
    ("C6d", "but none in blocks of three", "ours", "min(alternating_3.held_8) >= 0.97"),
    ("C7", "nothing holds without payoff", "ours", "max(no_payoff.held_8) <= 0.02"),
    ("C7b", "though nearly all nets are right at some moment", "ours", "min(no_payoff.solved) >= 0.9"),
    ("C8", "C1 with 20 cells", "ours", "median(cells_20.held_8) >= 0.85"),
    ("C8b", "but they do not hold it for 100 presentations", "ours", "max(cells_20.held_100) <= 0.05"),
    ("C8c", "most do if directions come in pairs", "ours", "median(cells_20_pairs.held_100) >= 0.5"),
    ("C9", "C1 with wide initial weights", "ours", "median(wide_init.held_8) >= 0.9"),
    ("C9b", "which takes longer", "ours", "min(wide_init.held_8_mean - nbb.held_8_mean) > 0"),
)

SMOKE = "held_8 >= 0.93"


class Snapshot(NamedTuple):
    step: int  # presentations per net
    metrics: dict[str, float]
    params: np.ndarray  # (S, 2, N) weights
    first: np.ndarray  # (N,) presentations up to the first solution, inf if there was none
    held: np.ndarray  # (len(HELD), N) presentations up to the start of the first solution held that long


# The task


def frames(cfg: Config) -> np.ndarray:
    """What the outputs get to see, (T, cells + 1, 2): tick, retina and always-on unit, direction (0: left to right).

    They see each frame one tick after it is clamped: all but the last while the light moves, the last a tick later.
    """
    light = np.eye(cfg.cells)
    sweep = np.stack([light, light[:, ::-1]], axis=2)
    sweep = np.concatenate([sweep, np.ones((cfg.cells, 1, 2))], axis=1)
    return sweep[:-1] if cfg.answer == "during" else sweep


def counted(cfg: Config) -> slice:
    """Those of the T ticks at which outputs are paid and tested."""
    return slice(None) if cfg.answer == "during" else slice(-1, None)


def directions(cfg: Config, rng: np.random.Generator) -> np.ndarray:
    """The direction, which is also the target, of each presentation to each net: (presentations, N) of 0 and 1."""
    drawn = rng.integers(2, size=(cfg.presentations, cfg.nets))
    if cfg.schedule == "pairs":
        drawn[1::2] = 1 - drawn[:-1:2]
    elif cfg.schedule == "alternating":
        blocks = np.arange(cfg.presentations)[:, None] // cfg.block
        drawn = (drawn[:1] + blocks) % 2
    return drawn


# The net


def init(cfg: Config, rng: np.random.Generator) -> np.ndarray:
    """Random positive weights; a connection that does not exist has weight 0, contributes 0 and so stays 0."""
    w = rng.uniform(cfg.init_low, cfg.init_high, (cfg.cells + 3, 2, cfg.nets))
    if cfg.recurrence == "off":
        w[-2:] = 0
    return w


def winners(net: np.ndarray, subsets: int) -> np.ndarray:
    """Activations (units, N) of winner-take-all subsets of equal size: 1 for the largest net input if it is > 0."""
    net = net.reshape(subsets, -1, net.shape[-1])
    best = net.argmax(axis=1, keepdims=True)
    wins = (best == np.arange(net.shape[1])[:, None]) & (net > 0)
    return wins.reshape(-1, net.shape[-1])


def present(cfg: Config, w: np.ndarray, x: np.ndarray, target: np.ndarray) -> None:
    """Show frames x (T, cells + 1, N) and let the nets learn, in place; target (N,) is used for the payoff only.

    For the output j that wins at t:  dw_ij = -lam c_ij(t) + Ext_ij(t);  Ext_ij = eta c_ij(t) if j is correct, else 0;
    for the j that won at t - 1:  dw_ij += c_ij(t-1) / sum_h c_hj(t-1) * (what the connections from j pay at t).
    """
    correct = np.arange(2)[:, None] == target
    payoff_at = range(len(x))[counted(cfg)]
    out = np.zeros(w.shape[1:])
    share = np.zeros(w.shape)  # of the connections into each output in its net input at t - 1
    for t in range(len(x)):
        c = np.concatenate([x[t], out])[:, None] * w  # from the output that was on at t - 1
        net = c.sum(axis=0)
        out = winners(net, 1)
        paid = cfg.lam * c * out
        w += share * paid[-2:].sum(axis=1) - paid
        if t in payoff_at:
            w += cfg.eta * c * (out & correct)
        share = c / net  # net > 0: weights are positive and one input is always on


def respond(cfg: Config, w: np.ndarray) -> np.ndarray:
    """Winning outputs (T, 2, 2, N) at each tick, for each direction (third axis), weights frozen."""
    nets = w.shape[-1]
    both = np.concatenate([w, w], axis=-1)
    out = np.zeros(both.shape[1:])
    winning = []
    for x in frames(cfg).repeat(nets, axis=-1):
        out = winners((np.concatenate([x, out])[:, None] * both).sum(axis=0), 1)
        winning.append(out)
    return np.stack(winning).reshape(-1, 2, 2, nets)


def solves(cfg: Config, w: np.ndarray) -> np.ndarray:
    """Which nets (N,) have the right output on at every tick that counts, for both directions."""
    right = respond(cfg, w)[:, [0, 1], [0, 1]]
    return right[counted(cfg)].all(axis=(0, 1))


# Learning


def evaluate(w: np.ndarray, solved: np.ndarray, first: np.ndarray, held: np.ndarray) -> dict[str, float]:
    """Shares of the population and mean numbers of presentations, both directions together.

    The means are over the nets that have solved the task, and inf as long as these are not the majority.
    """

    def mean_of_most(presentations: np.ndarray) -> float:
        done = np.isfinite(presentations)
        return float(presentations[done].mean()) if 2 * done.sum() > len(done) else np.inf

    metrics = {"solved": float(np.isfinite(first).mean()), "first_mean": mean_of_most(first)}
    metrics["first_median"] = float(np.median(first))
    for length, start in zip(HELD, held, strict=True):
        metrics[f"held_{length}"] = float(np.isfinite(start).mean())
        metrics[f"held_{length}_mean"] = mean_of_most(start)
    metrics["solved_now"] = float(solved.mean())
    metrics["substance"] = float(w.sum(axis=(0, 1)).mean())
    return metrics


def train(cfg: Config, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Train the population: the untrained nets, about cfg.snapshots looks, the nets at the end."""
    init_rng, data_rng, _ = rng.spawn(3)
    w = init(cfg, init_rng)
    x, targets = frames(cfg), directions(cfg, data_rng)
    first, since = np.full((2, cfg.nets), np.inf)  # first solution; start of the solution held now
    held = np.full((len(HELD), cfg.nets), np.inf)
    looks = set(np.linspace(0, cfg.presentations, cfg.snapshots + 1).astype(int))
    for n in range(cfg.presentations + 1):
        if n % CHECK_EVERY == 0:
            solved = solves(cfg, w)
            first = np.minimum(first, np.where(solved, n, np.inf))
            since = np.where(solved, np.minimum(since, n), np.inf)
            for start, length in zip(held, HELD, strict=True):
                new = np.isinf(start) & (n - since >= length)
                start[new] = since[new]
        if n in looks:
            yield Snapshot(n, evaluate(w, solved, first, held), w.copy(), first.copy(), held.copy())
        if n < cfg.presentations:
            present(cfg, w, x[..., targets[n]], targets[n])


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
