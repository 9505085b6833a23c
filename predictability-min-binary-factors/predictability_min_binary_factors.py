"""Code units that make each other unpredictable find binary factorial codes, and superfluous units switch off.

Paper: J. Schmidhuber, "Learning factorial codes by predictability minimization", Neural Computation 4(6):863-879, 1992;
also technical report CU-CS-565-91, University of Colorado, 1991.

Task: 4 or 16 patterns, given as bits or one-hot, are to be coded by units that are binary, independent of each other
and together tell the patterns apart. Nothing but the patterns is given: no target, no reconstruction error.

Method: every code unit has a predictor that guesses it from the other units. Predictors descend and code units ascend
the same squared error V, also along the path through the predictors' inputs. It is largest for factorial codes.

Differs: predictors see the other units as random bits with probabilities y_j, and the mean over these bits is exact.
Adam replaces plain gradients. A run is a population of independent nets. Tasks "mixture" and the blind predictors are
not from the paper.

Symbols: y = code, q(c | p) = prod_j y_j^c_j (1 - y_j)^(1 - c_j) probability of bits c for pattern p, P_i(c) =
prediction of unit i, V = sum over patterns p, bits c and units i of P(p) q(c | p) (P_i(c) - y_i(p))^2;
R = nets, N = patterns, M = code units, S = inputs of the predictors (with bits all 2^M).
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from code_quality import correct_bits, ideal_V, information, judge
from unpredictability_game import all_bits, code_loss_and_grad, encode, look, others, predictor_grad

NOISE = 0.05  # standard deviation in every pixel of a mixture
TEST, PART = 20_000, 4_000  # mixtures in the test set, and those of them that V is computed from
EVERY = 20  # updates between two looks for a solution
BITS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
FACTORIAL, OTHER = BITS, BITS[[0, 1, 3, 2]]  # invertible codes of the patterns with unequal odds


@dataclass(frozen=True)
class Config:
    inputs: str = "bits"  # or "local": one-hot; "mixture": of random signs with random weights, and noise
    patterns: int = 16  # N, a power of 2
    odds: str = "equal"  # of the patterns, or "unequal": 1/9, 2/9, 2/9, 4/9
    pixels: int = 8  # of a mixture
    units: int = 4  # M
    hidden: int = 8  # units that the code units share; 0: none
    predictor_hidden: int = 6  # of every predictor
    sees: str = "bits"  # what predictors know of other units: random bits, their "values" y_j (paper), or "nothing"
    batch: int = 0  # random patterns per update; 0: all patterns with their probabilities (off-line)
    init: float = 0.5  # standard deviation of initial weights of the code net
    predictor_init: float = 0.3  # and of the predictors
    code_lr: float = 0.02  # Adam, falling to 0 linearly
    predictor_lr: float = 0.05  # Adam
    predictor_steps: int = 3  # updates of the predictors per update of the code net
    beta1: float = 0.5  # Adam
    beta2: float = 0.9  # Adam
    updates: int = 600  # of the code net
    nets: int = 40  # R, independent
    group: int = 8  # nets from which the one with the largest V is kept
    snapshots: int = 20  # about how many looks at the run

    def __post_init__(self) -> None:
        words = {
            "inputs": ("bits", "local", "mixture"),
            "odds": ("equal", "unequal"),
            "sees": ("bits", "values", "nothing"),
        }
        for name, allowed in words.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be {' or '.join(allowed)}, got {getattr(self, name)!r}")
        least = {"patterns": 2, "pixels": 1, "units": 2, "hidden": 0, "predictor_hidden": 1, "batch": 0}
        least |= {"predictor_steps": 1, "updates": 0, "nets": 1, "group": 1, "snapshots": 1}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise ValueError(f"{name} must be at least {bound}, got {getattr(self, name)}")
        if self.patterns & (self.patterns - 1):
            raise ValueError(f"patterns must be a power of 2, got {self.patterns}")
        if self.odds == "unequal" and self.patterns != 4:
            raise ValueError(f"patterns must be 4 if odds are unequal, got {self.patterns}")
        if self.units > 10:
            raise ValueError(f"units must be at most 10, as 2^units bit strings are summed over, got {self.units}")
        if self.nets % self.group:
            raise ValueError(f"nets must be a multiple of group, got {self.nets} and {self.group}")
        if self.inputs == "mixture" and not self.batch:
            raise ValueError("batch must be at least 1 for mixtures, got 0")
        for name in ("init", "predictor_init", "code_lr", "predictor_lr"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ValueError(f"{name} must be at least 0 and finite, got {getattr(self, name)}")
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 0 and less than 1, got {getattr(self, name)}")


PRESETS: dict[str, dict] = {
    "e4": {},
    "e1": {"inputs": "local", "patterns": 4, "units": 2, "hidden": 4, "predictor_hidden": 3},
    "e2": {"patterns": 4, "units": 2, "hidden": 4, "predictor_hidden": 2},
    "e3": {"inputs": "local", "hidden": 16, "predictor_hidden": 3, "nets": 64, "group": 32},
    "o1": {"inputs": "local", "patterns": 4, "units": 3, "hidden": 4, "predictor_hidden": 3},
    "o2": {"inputs": "local", "patterns": 4, "hidden": 4, "predictor_hidden": 3},
    "o3": {"patterns": 4, "hidden": 4, "predictor_hidden": 3},
    "n1": {"patterns": 4, "odds": "unequal", "units": 2, "hidden": 2, "predictor_hidden": 1, "updates": 2000},
    "n2": {
        "patterns": 4,
        "odds": "unequal",
        "units": 3,
        "hidden": 2,
        "predictor_hidden": 1,
        "beta2": 0.97,
        "updates": 2000,
    },
    "e2_online": {
        "patterns": 4,
        "units": 2,
        "hidden": 4,
        "predictor_hidden": 2,
        "batch": 1,
        "code_lr": 0.015,
        "beta1": 0.95,
        "beta2": 0.99,
        "updates": 3000,
        "nets": 16,
    },
    "e4_online": {"batch": 1, "code_lr": 0.015, "beta1": 0.95, "beta2": 0.99, "updates": 4000, "nets": 16},
    "e4_values": {"sees": "values"},
    "o3_values": {"patterns": 4, "hidden": 4, "predictor_hidden": 3, "sees": "values"},
    "mixture": {
        "inputs": "mixture",
        "hidden": 0,
        "predictor_hidden": 8,
        "batch": 128,
        "code_lr": 0.05,
        "updates": 400,
        "nets": 8,
    },
    "mixture_blind": {
        "inputs": "mixture",
        "hidden": 0,
        "predictor_hidden": 8,
        "sees": "nothing",
        "batch": 128,
        "code_lr": 0.05,
        "updates": 400,
        "nets": 8,
    },
    "mixture8": {
        "inputs": "mixture",
        "pixels": 16,
        "units": 8,
        "hidden": 0,
        "predictor_hidden": 16,
        "batch": 64,
        "code_lr": 0.05,
        "updates": 400,
        "nets": 8,
        "snapshots": 8,
    },
    "smoke": {"updates": 400},
}

SEEDS = 10

CLAIMS = (
    ("C1", "E4: 16 patterns as bits, nets with a factorial code", "9 of 10 runs", "mean(e4.factorial) >= 0.85"),
    ("C1b", "E1: 4 patterns, one-hot", "8 of 10 runs", "mean(e1.factorial) >= 0.7"),
    ("C1c", "E2: 4 patterns, as bits", "10 of 10 runs", "mean(e2.factorial) >= 0.9"),
    ("C1d", "E3: 16 patterns, one-hot", "1 of 10 runs", "mean(e3.factorial) >= 0.08"),
    ("C2", "E3: at least 15 different outputs", "5 of 10 runs", "mean(e3.near) >= 0.45"),
    ("C3", "O1: E1 with 3 units, factorial", "7 of 10 runs", "mean(o1.factorial) >= 0.6"),
    ("C3b", "O2: E1 with 4 units, factorial", "5 of 10 runs", "mean(o2.factorial) >= 0.45"),
    ("C3c", "O3: E2 with 4 units, factorial", "10 of 10 runs", "mean(o3.factorial) >= 0.95"),
    ("C4", "O1: outputs all different", "10 of 10 runs", "mean(o1.invertible) >= 0.95"),
    ("C4b", "O2: outputs all different", "10 of 10 runs", "mean(o2.invertible) >= 0.95"),
    ("C5", "N1: unequal odds, 2 units, factorial", "7 of 10 runs", "mean(n1.factorial) >= 0.65"),
    ("C5b", "N2: the same with 3 units", "9 of 10 runs", "mean(n2.factorial) >= 0.8"),
    ("C6", "E2, one pattern at a time: presentations", "less than 3000", "max(e2_online.slow) <= 3000"),
    ("C6b", "E4, one pattern at a time: presentations", "less than 4000", "max(e4_online.slow) <= 4000"),
    ("C6c", "E2, one pattern at a time: factorial", "10 of 10 runs", "mean(e2_online.factorial) >= 0.9"),
    ("C6d", "E4, one pattern at a time: factorial", "9 of 10 runs", "mean(e4_online.factorial) >= 0.85"),
    ("C7", "E1, net with the largest V of 8: factorial", "ours", "mean(e1.best_of_group) >= 0.98"),
    ("C7b", "E2, the same", "ours", "mean(e2.best_of_group) >= 0.98"),
    ("C7c", "E3, of 32", "ours", "mean(e3.best_of_group) >= 0.8"),
    ("C7d", "E4, of 8", "ours", "mean(e4.best_of_group) >= 0.98"),
    ("C7e", "O1, of 8", "ours", "mean(o1.best_of_group) >= 0.98"),
    ("C7f", "O2, of 8", "ours", "mean(o2.best_of_group) >= 0.98"),
    ("C7g", "O3, of 8", "ours", "mean(o3.best_of_group) >= 0.98"),
    ("C7h", "N1, of 8", "ours", "mean(n1.best_of_group) >= 0.98"),
    ("C7i", "N2, of 8", "ours", "mean(n2.best_of_group) >= 0.98"),
    ("C8", "N1: objective of a factorial code, squared error", "2", "max((n1.V_factorial - 2) ** 2) <= 1e-24"),
    ("C8b", "and of another invertible code", "19/10", "max((n1.V_other - 1.9) ** 2) <= 1e-24"),
    ("C9", "mixture of 4 bits, best of 8: bits recovered", "ours", "min(mixture.bits) >= 0.999"),
    ("C10", "the same if predictors see nothing", "ours", "max(mixture_blind.bits) <= 0.96"),
    ("C10b", "gain from seeing", "ours", "min(mixture.bits - mixture_blind.bits) > 0"),
    ("C10c", "single nets whose predictors see nothing", "ours", "max(mixture_blind.bits_of_all) <= 0.96"),
    ("C11", "V per unit, squared distance to 1/4", "ours", "max((mixture.V_per_unit - 0.25) ** 2) <= 4e-6"),
    ("C11b", "mutual information of two units, nats", "ours", "max(mixture.information) <= 5e-4"),
    ("C12", "mixture of 8 bits, best of 8: all recovered", "ours", "mean(mixture8.bits >= 0.999) >= 0.9"),
    ("C14", "O3 if predictors see real values: fewer", "ours", "mean(o3.factorial - o3_values.factorial) >= 0.2"),
)

SMOKE = "factorial >= 0.8"


class Snapshot(NamedTuple):
    step: int  # updates of the code net
    metrics: dict[str, float]
    params: dict[str, np.ndarray]  # of the code nets and, as predictor_w and so on, of the predictors
    y: np.ndarray  # (R, N, M) code of every pattern; of the first PART mixtures
    V: np.ndarray  # (R,) of perfect predictors


# Tasks


def table(cfg: Config) -> tuple[np.ndarray, np.ndarray]:
    """Patterns (N, D) and their probabilities (N,)."""
    n = cfg.patterns
    odds = np.array([1, 2, 2, 4]) if cfg.odds == "unequal" else np.ones(n)
    return np.eye(n) if cfg.inputs == "local" else all_bits(n.bit_length() - 1), odds / odds.sum()


def mix(weights: np.ndarray, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Random signs b (n, M) and noisy linear mixtures of them (n, D); weights (M, D)."""
    b = rng.choice([-1.0, 1.0], (n, len(weights)))
    return b, b @ weights + NOISE * rng.normal(size=(n, weights.shape[1]))


# Learning


def init(cfg: Config, inputs: int, rng: np.random.Generator) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Parameters of the code nets (hidden layer W, a; code layer U, b) and of the predictors (the same, lower case)."""
    R, M, h, k = cfg.nets, cfg.units, cfg.hidden, cfg.predictor_hidden
    layers = {"W": (inputs, h), "a": (1, h), "U": (h, M), "b": (1, M)} if h else {"U": (inputs, M), "b": (1, M)}
    code = {name: rng.normal(0, cfg.init, (R, *shape)) for name, shape in layers.items()}
    predictor = {
        "w": rng.normal(0, cfg.predictor_init, (R, M, M, k)) * others(M, cfg.sees),
        "a": np.zeros((R, M, 1, k)),
        "u": rng.normal(0, cfg.predictor_init, (R, M, k, 1)),
        "b": np.zeros((R, M, 1, 1)),
    }
    return code, predictor


class Adam:
    """Adam (Kingma & Ba 2015, algorithm 1), updating a dict of arrays in place."""

    def __init__(self, params: dict[str, np.ndarray], beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8):
        self.beta1, self.beta2, self.eps, self.t = beta1, beta2, eps, 0
        self.m = {name: np.zeros_like(p) for name, p in params.items()}
        self.v = {name: np.zeros_like(p) for name, p in params.items()}

    def step(self, params: dict[str, np.ndarray], grads: dict[str, np.ndarray], lr: float) -> None:
        """One update of every array in `params` along `grads` (same keys and shapes) at rate `lr`."""
        self.t += 1
        lr_t = lr * np.sqrt(1 - self.beta2**self.t) / (1 - self.beta1**self.t)
        for name, g in grads.items():
            m, v = self.m[name], self.v[name]
            m += (1 - self.beta1) * (g - m)
            v += (1 - self.beta2) * (g * g - v)
            params[name] -= lr_t * m / (np.sqrt(v) + self.eps)


def kept(cfg: Config, V: np.ndarray) -> np.ndarray:
    """The net (R / group,) with the largest V (R,) of every group; V needs no knowledge of the right code."""
    return V.reshape(-1, cfg.group).argmax(axis=1) + np.arange(0, cfg.nets, cfg.group)


def evaluate_table(
    cfg: Config, y: np.ndarray, weight: np.ndarray, V: np.ndarray, first: np.ndarray
) -> dict[str, float]:
    """Shares of the nets; `first` (R,) is the update with the first factorial code.

    slow: the update by which 90 % of the nets that had a factorial code had found it.
    """
    codes, done = judge(y, weight), np.isfinite(first)
    metrics = {
        "factorial": codes.factorial.mean(),
        "best_of_group": codes.factorial[kept(cfg, V)].mean(),
        "invertible": (codes.outputs == cfg.patterns).mean(),
        "near": (codes.outputs >= cfg.patterns - 1).mean(),
        "constant": codes.constant.sum(axis=1).mean(),
        "found": done.mean(),
        "slow": np.quantile(first[done], 0.9) if done.any() else np.inf,
        "V": np.median(V),
    }
    if cfg.odds == "unequal":
        presentations = 9 / 2  # the paper's objective is half of the sum over nine of them
        metrics["V_factorial"], metrics["V_other"] = presentations * ideal_V(np.stack([FACTORIAL, OTHER]), weight)
    return {name: float(value) for name, value in metrics.items()}


def evaluate_mixture(cfg: Config, y: np.ndarray, b: np.ndarray, V: np.ndarray) -> dict[str, float]:
    """Of the first net that is kept: correct bits, V per unit, mutual information (nats) of the most dependent pair."""
    net = kept(cfg, V)[0]
    metrics = {"bits": correct_bits(y[net], b), "V_per_unit": float(V[net]) / cfg.units}
    metrics["information"] = float(information(y[net])[np.triu_indices(cfg.units, 1)].max())
    metrics["bits_of_all"] = float(np.mean([correct_bits(code, b) for code in y]))
    return metrics


def train(cfg: Config, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Let the players play: the untrained nets, about cfg.snapshots looks, the nets at the end."""
    init_rng, data_rng, probe_rng = rng.spawn(3)
    if cfg.inputs == "mixture":
        mixing = init_rng.normal(size=(cfg.units, cfg.pixels))
        mixing /= np.linalg.norm(mixing, axis=1, keepdims=True)
        b, test = mix(mixing, probe_rng, TEST)
    else:
        test, weight = table(cfg)
    code, predictor = init(cfg, test.shape[1], init_rng)
    mask = others(cfg.units, cfg.sees)
    code_adam = Adam(code, cfg.beta1, cfg.beta2)
    predictor_adam = Adam(predictor, cfg.beta1, cfg.beta2)
    first = np.full(cfg.nets, np.inf)
    looks = set(np.linspace(0, cfg.updates, cfg.snapshots + 1).astype(int))
    for n in range(cfg.updates + 1):
        if cfg.inputs != "mixture" and n % EVERY == 0:
            solved = judge(encode(code, test)[1], weight).factorial
            first = np.minimum(first, np.where(solved, n, np.inf))
        if n in looks:
            y = encode(code, test)[1]
            if cfg.inputs == "mixture":
                V = ideal_V(y[:, :PART], np.full(PART, 1 / PART))
                metrics = evaluate_mixture(cfg, y, b, V)
            else:
                V = ideal_V(y, weight)
                metrics = evaluate_table(cfg, y, weight, V, first)
            params = code | {f"predictor_{name}": p for name, p in predictor.items()}
            yield Snapshot(n, metrics, {name: p.copy() for name, p in params.items()}, y[:, :PART].copy(), V)
        if n == cfg.updates:
            return
        if cfg.inputs == "mixture":
            x = mix(mixing, data_rng, cfg.batch)[1]
        elif cfg.batch:
            x = test[data_rng.choice(cfg.patterns, size=(cfg.nets, cfg.batch), p=weight)]
        else:
            x = test
        odds = np.full(cfg.batch, 1 / cfg.batch) if cfg.batch else weight
        views, _ = look(encode(code, x)[1], odds, cfg.sees)
        for _ in range(cfg.predictor_steps):
            predictor_adam.step(predictor, predictor_grad(predictor, views, mask), cfg.predictor_lr)
        _, grads = code_loss_and_grad(code, predictor, x, odds, cfg.sees)
        for g in grads.values():
            np.negative(g, out=g)  # ascent
        code_adam.step(code, grads, cfg.code_lr * (1 - n / cfg.updates))


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
