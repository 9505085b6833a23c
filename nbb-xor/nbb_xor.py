"""The neural bucket brigade learns XOR: connections trade weight, and only correct outputs bring in new weight.

Paper: J. Schmidhuber, "A local learning algorithm for dynamic feedforward and recurrent networks", Connection Science
1(4):403-412, 1989; also technical report FKI-124-90, TU Munich, and "The neural bucket brigade", in Pfeifer et al.
(eds.), Connectionism in Perspective, Elsevier, 439-446, 1989.

Task: two bits and a unit that is always on are clamped for six ticks; of two output units the one for x1 XOR x2 is to
win. Nothing tells the net the target: a payoff reaches the connections into an output unit that is on and correct.

Method: in each winner-take-all subset the unit with the largest positive net input is on. A connection that helped a
unit to win pays the fraction lam of its contribution to the connections that had switched on its sender one tick
before. Every quantity is local in space and time.

Differs: a run is a population of independent nets, all with their own weights and their own random patterns. Nets
that hold a solution are counted beside those that only reach one.

Symbols: c_ij(t) = x_i(t-1) w_ij contribution of unit i to unit j; lam, eta = fractions paid and paid off; N = nets.
Weights and activations have the nets on the last axis; rows of `out` are the three inputs, then the hidden units.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

PATTERNS = np.array([[0, 0, 1, 1], [0, 1, 0, 1], [1, 1, 1, 1]])  # (3, 4): x1, x2, always on; columns are patterns
TARGETS = PATTERNS[0] ^ PATTERNS[1]  # the output unit that should win
TICKS = 6  # of a presentation
CHECK_EVERY = 4  # presentations between two tests with frozen weights
HELD = (20, 100, 400)  # presentations for which a solution must hold


@dataclass(frozen=True)
class Config:
    nets: int = 200  # N, independent nets
    subsets: int = 1  # hidden winner-take-all subsets
    units: int = 3  # units in each of them
    wiring: str = "direct"  # inputs to hidden and to output units (paper), or "layered": to hidden units only
    redistribution: str = "on"  # "off": what connections pay is lost
    lam: float = 0.005  # fraction of its contribution that a connection pays
    eta: float = 0.005  # fraction of it that a connection to a correct output gets as payoff
    learn_from: int = 1  # first tick of a presentation at which weights change
    init_low: float = 0.999  # initial weights are uniform from here
    init_high: float = 1.001  # to here
    presentations: int = 3000  # per net
    snapshots: int = 20  # about how many looks at the run

    def __post_init__(self) -> None:
        for name, least in {"nets": 1, "subsets": 1, "units": 1, "presentations": 0, "snapshots": 1}.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        for name, words in {"wiring": ("direct", "layered"), "redistribution": ("on", "off")}.items():
            if getattr(self, name) not in words:
                raise ValueError(f"{name} must be {' or '.join(words)}, got {getattr(self, name)}")
        for name in ("lam", "eta"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 0 and less than 1, got {getattr(self, name)}")
        if not 1 <= self.learn_from <= TICKS:
            raise ValueError(f"learn_from must be between 1 and {TICKS}, got {self.learn_from}")
        if not 0 < self.init_low <= self.init_high:
            raise ValueError(f"init_low must be positive and at most init_high, got {self.init_low}")


PRESETS: dict[str, dict] = {
    "nbb": {},
    "tuned": {"lam": 0.008, "eta": 0.008},
    "two_hidden": {"units": 2},
    "two_subsets": {"subsets": 2, "units": 2},
    "layered": {"wiring": "layered"},
    "no_redistribution": {"redistribution": "off"},
    "no_payoff": {"eta": 0.0},
    "late": {"learn_from": 2},
    "late_two_hidden": {"learn_from": 2, "units": 2},
    "chance": {"nets": 1000, "presentations": 0},
    "smoke": {"nets": 20, "presentations": 1500},
}
SEEDS = 10

CLAIMS = (
    ("C1", "nets that solve XOR within 3000 presentations", "solves XOR", "min(nbb.solved) >= 0.98"),
    ("C2", "presentations to the first solution, lam = eta = 0.005", "ours", "median(nbb.first_mean) <= 760"),
    ("C3", "the same with 0.008", "about 619 (second-hand)", "mean(tuned.first_mean <= 619) >= 0.9"),
    ("C4", "nets that hold a solution for 100 presentations", "ours", "mean(nbb.held_100 >= 0.55) >= 0.9"),
    ("C4b", "presentations to a held solution", "about 674 (second-hand)", "median(nbb.held_100_mean) <= 674"),
    ("C4c", "all hold one if they learn from the second tick on", "ours", "min(late.held_100) >= 0.95"),
    ("C4d", "presentations to it", "ours", "median(late.held_100_mean) <= 674"),
    ("C5", "two hidden units find a solution", "yes (second-hand)", "mean(two_hidden.solved >= 0.95) >= 0.9"),
    ("C5b", "but do not hold it", "not stable (second-hand)", "mean(two_hidden.held_100 <= 0.05) >= 0.9"),
    ("C5c", "presentations to it, within 10 %", "about 640 (second-hand)", "median(two_hidden.first_mean) <= 704"),
    ("C5d", "but would if they learned from the second tick on", "ours", "min(late_two_hidden.held_100) >= 0.95"),
    ("C6", "two subsets of 2 solve XOR", "8 of 10 runs (second-hand)", "mean(two_subsets.solved >= 0.95) >= 0.9"),
    ("C6b", "presentations", "about 1052 (second-hand)", "mean(two_subsets.first_mean <= 1052) >= 0.9"),
    ("C7", "nothing holds without payoff", "ours", "max(no_payoff.held_100) <= 0.02"),
    ("C8", "nor if payments are lost", "ours", "max(no_redistribution.held_100) <= 0.05"),
    ("C9", "slower without direct wiring", "ours", "mean(layered.first_mean / nbb.first_mean >= 1.8) >= 0.9"),
    ("C10", "untrained nets that solve XOR by chance", "ours", "max(chance.solved) <= 0.01"),
)

SMOKE = "solved >= 0.85"


class Weights(NamedTuple):
    hidden: np.ndarray  # (3, H, N) from the inputs
    out: np.ndarray  # (3 + H, 2, N) from the inputs and the hidden units


class Snapshot(NamedTuple):
    step: int  # presentations per net
    metrics: dict[str, float]
    weights: Weights
    first: np.ndarray  # (N,) presentations up to the first solution, inf if there was none
    held: np.ndarray  # (len(HELD), N) presentations up to the start of the first solution held that long


# The net


def init(cfg: Config, rng: np.random.Generator) -> Weights:
    """Random positive weights; a connection that does not exist has weight 0, contributes 0 and so stays 0."""
    h = cfg.subsets * cfg.units
    hidden = rng.uniform(cfg.init_low, cfg.init_high, (3, h, cfg.nets))
    out = rng.uniform(cfg.init_low, cfg.init_high, (3 + h, 2, cfg.nets))
    if cfg.wiring == "layered":
        out[:3] = 0
    return Weights(hidden, out)


def winners(net: np.ndarray, subsets: int) -> np.ndarray:
    """Activations (units, N) of winner-take-all subsets of equal size: 1 for the largest net input if it is > 0."""
    net = net.reshape(subsets, -1, net.shape[-1])
    best = net.argmax(axis=1, keepdims=True)
    wins = (best == np.arange(net.shape[1])[:, None]) & (net > 0)
    return wins.reshape(-1, net.shape[-1])


def present(cfg: Config, w: Weights, x: np.ndarray, target: np.ndarray) -> None:
    """Clamp patterns x (3, N) for six ticks and let the nets learn, in place; target (N,) is used for the payoff only.

    For every j that wins at t:  dw_ij = -lam c_ij(t) + Ext_ij(t);  Ext_ij = eta c_ij(t) at the correct output, else 0;
    for every hidden j that won at t - 1:  dw_ij += c_ij(t-1) / sum_h c_hj(t-1) * (what j's successors are paid at t).
    """
    correct = np.arange(2)[:, None] == target
    hidden = np.zeros(w.hidden.shape[1:])
    share = np.zeros(w.hidden.shape)  # of the connections into each hidden unit in its net input at t - 1
    for t in range(1, TICKS + 1):
        lam, eta = (cfg.lam, cfg.eta) if t >= cfg.learn_from else (0.0, 0.0)
        c_hidden = x[:, None] * w.hidden
        c_out = np.concatenate([x, hidden])[:, None] * w.out  # from the hidden units that were on at t - 1
        net = c_hidden.sum(axis=0)
        hidden, out = winners(net, cfg.subsets), winners(c_out.sum(axis=0), 1)
        paid = lam * c_out * out
        w.hidden[...] -= lam * c_hidden * hidden
        if cfg.redistribution == "on":
            w.hidden[...] += share * paid[3:].sum(axis=1)
        w.out[...] += eta * c_out * (out & correct) - paid
        share = c_hidden / net  # net > 0: weights are positive and the third input is always on


def respond(cfg: Config, w: Weights) -> tuple[np.ndarray, np.ndarray]:
    """Winning hidden (4, H, N) and output units (4, 2, N) for all patterns, weights frozen.

    With clamped inputs the hidden winners are the same from the first tick on and the outputs from the second, so one
    pass gives the last three ticks, which count.
    """
    hidden, out = [], []
    for x in PATTERNS.T[:, :, None]:
        hidden.append(winners((x[:, None] * w.hidden).sum(axis=0), cfg.subsets))
        source = np.concatenate([np.broadcast_to(x, (3, cfg.nets)), hidden[-1]])
        out.append(winners((source[:, None] * w.out).sum(axis=0), 1))
    return np.stack(hidden), np.stack(out)


def solves(cfg: Config, w: Weights) -> np.ndarray:
    """Which nets (N,) have the right output unit on for all four patterns."""
    return respond(cfg, w)[1][range(4), TARGETS].all(axis=0)


# Learning


def evaluate(w: Weights, solved: np.ndarray, first: np.ndarray, held: np.ndarray) -> dict[str, float]:
    """Shares of the population and mean numbers of presentations.

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
    metrics["substance"] = float((w.hidden.sum(axis=(0, 1)) + w.out.sum(axis=(0, 1))).mean())
    return metrics


def train(cfg: Config, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Train the population: the untrained nets, about cfg.snapshots looks, the nets at the end."""
    init_rng, data_rng, _ = rng.spawn(3)
    w = init(cfg, init_rng)
    patterns = data_rng.integers(4, size=(cfg.presentations, cfg.nets))
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
            copy = Weights(*(array.copy() for array in w))
            yield Snapshot(n, evaluate(w, solved, first, held), copy, first.copy(), held.copy())
        if n < cfg.presentations:
            present(cfg, w, PATTERNS[:, patterns[n]], TARGETS[patterns[n]])


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
