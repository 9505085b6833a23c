"""Linear attention is a fast-weight memory: how much it holds, and how the delta rule lets it change its mind.

Paper: I. Schlag, K. Irie, J. Schmidhuber, Linear Transformers Are Secretly Fast Weight Programmers, ICML 2021
(arXiv 2102.11174), sections 2-4 and the synthetic experiments of section 6.1.

Task: Associative retrieval. A sequence of (key, value) pairs drawn from S keys and S values is written into a memory;
then every key that occurred is asked for its most recent value. In Setting 1 every key occurs once, in Setting 2 keys
and values are drawn with replacement, so that values get updated. A third, small task (biased_keys.py) compares the
write rules on random vectors stored under nearly parallel keys.

Method: The memory is a matrix W of fast weights, written by outer products of a value v and features f = phi(k) of a
key, and read with features of a query. The sum rule W += v f^T, read as W f_q / (z . f_q) with z the sum of all f, is
linear attention. The delta rule W += beta (v - W f) f^T first reads what the key holds and writes only the
difference. Keys k, queries q and write strengths beta are learned by gradient through the memory (Adam).

Differs: Keys are free vectors (no embedding of sampled tokens), values are one-hot and fixed, and Setting 1 uses its
exact expected loss instead of samples; no language modelling or translation; README.md has the rest.

Symbols: k_i, q_i in R^d_key are tables with a row for each of the S keys, phi maps them to d_dot non-negative features,
f = phi / sum(phi), A is the attention matrix, U the changes that the delta rule writes, y an answer.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import NamedTuple

import numpy as np

import biased_keys
import linear_attention as memory


@dataclass(frozen=True)
class Config:
    setting: str = "updates"  # "unique" (Setting 1: every key once), "updates" (Setting 2) or "biased" (biased_keys.py)
    S: str = "20"  # numbers of keys (and of values); several, as in "40 60", are learned one after the other
    d_key: int = 64  # dimensions of keys and queries (paper: 64)
    phi: str = "dpfp"  # features "dpfp" or "elu" (elu+1); "softmax" is ordinary attention, Setting 1 only
    nu: int = 1  # DPFP's capacity parameter: d_dot = 2 d_key nu
    rule: str = "delta"  # how Setting 2 writes: "delta" or "sum"; Setting 1 always sums
    beta: str = "learned"  # write strength of the delta rule: "learned" (for each key; biased: for all), or "one"
    normalise: str = "sum"  # the delta rule's features: "sum" (divided by their sum) or "none"
    key_std: float = 1.0  # standard deviation of the keys at the start
    sweeps: int = 5  # how often the delta rule goes over the pairs of an episode under biased keys
    updates: int = 200  # at most, for each S
    batch: int = 16  # sequences of 2S pairs in an update of Setting 2; episodes of S pairs under biased keys
    lr: float = 0.1  # falls linearly to 0 over the updates
    beta1: float = 0.5  # Adam; short memories keep the steps lively, which parts keys that have run into one
    beta2: float = 0.9  # another (with 0.9 and 0.999 a few such pairs stay together for good)
    goal: float = 0.001  # Setting 1 stops this close to the smallest loss that the rank allows (paper: loss 0.001)
    tests: int = 100  # test sequences of Setting 2, of either length; test episodes under biased keys
    snapshots: int = 20  # about how many looks at the run

    def __post_init__(self):
        for name in ("d_key", "nu", "sweeps", "updates", "batch", "tests", "snapshots"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        words = {
            "setting": ("unique", "updates", "biased"),
            "phi": ("dpfp", "elu", "softmax"),
            "rule": ("delta", "sum"),
            "beta": ("learned", "one"),
            "normalise": ("sum", "none"),
        }
        for name, allowed in words.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)}")
        if not self.S.split() or any(not size.isdigit() or int(size) < 2 for size in self.S.split()):
            raise ValueError(f"S must be integers of at least 2, got {self.S!r}")
        if self.phi == "softmax" and self.setting != "unique":
            raise ValueError(f"phi softmax has no finite features to write, setting must be unique, got {self.setting}")

    @property
    def sizes(self) -> list[int]:
        """The numbers of keys to learn, in order."""
        return [int(size) for size in self.S.split()]

    @property
    def d_dot(self) -> float:
        """Dimensions of phi, and so the largest rank of the attention matrix."""
        return {"dpfp": 2 * self.d_key * self.nu, "elu": self.d_key, "softmax": np.inf}[self.phi]

    @property
    def rank_bound(self) -> float:
        """Smallest loss in Setting 1 of the first S: |I - A|_F^2 >= S - d_dot for every A of rank d_dot."""
        return max(0.0, 0.5 * (1 - self.d_dot / self.sizes[0]))


PRESETS: dict[str, dict] = {
    "delta": {},
    "sum": {"rule": "sum"},
    "beta_one": {"beta": "one"},
    "unnormalised": {"normalise": "none", "key_std": 0.8},
    "unnormalised_short": {"normalise": "none", "key_std": 0.2},
    "delta_more": {"S": "40 60"},
    "elu": {"setting": "unique", "phi": "elu", "S": "48 60 80 100", "updates": 4000, "lr": 0.3},
    "dpfp1": {"setting": "unique", "S": "96 112 120 128 192 256", "updates": 1500},
    "dpfp2": {"setting": "unique", "nu": 2, "S": "192 384 512", "updates": 1500},
    "dpfp3": {"setting": "unique", "nu": 3, "S": "288 576", "updates": 1500, "beta2": 0.95},
    "softmax": {"setting": "unique", "phi": "softmax", "S": "200", "updates": 1500},
    "d_key16": {"setting": "unique", "d_key": 16, "S": "24 28 30 32 48 64", "updates": 1500},
    "d_key32": {"setting": "unique", "d_key": 32, "S": "48 56 60 64 96 128", "updates": 1500},
    "d_key48": {"setting": "unique", "d_key": 48, "S": "72 84 90 96 144 192", "updates": 1500},
    "biased": {"setting": "biased", "S": "6 8 16", "d_key": 8, "tests": 2000},
    "biased_beta_one": {"setting": "biased", "S": "6 8 16", "d_key": 8, "tests": 2000, "beta": "one"},
    "smoke": {"S": "10"},
}

SEEDS = 10

CLAIMS = (
    ("C7", "delta rule, 20 keys, 40 writes", "<= 0.001 (authors' logs)", "mean(delta.loss_20 <= 0.002) >= 0.9"),
    ("C7b", "20 keys, 20 writes", "<= 0.001 (authors' logs)", "mean(delta.loss_20_short <= 0.002) >= 0.9"),
    ("C7c", "40 keys, 80 writes", "<= 0.001 (authors' logs)", "max(delta_more.loss_40) <= 0.002"),
    ("C7d", "40 keys, 40 writes", "<= 0.001 (authors' logs)", "max(delta_more.loss_40_short) <= 0.002"),
    ("C11", "60 keys, 60 writes", "0.005 (authors' logs)", "max(delta_more.loss_60_short) <= 0.005"),
    ("C8", "sum rule against its floor, 20 keys, 40 writes", "ours", "max(sum.loss_20 / sum.floor_20) <= 1.15"),
    ("C8b", "20 keys, 20 writes", "about 0.10 (authors' logs)", "max(sum.loss_20_short / sum.floor_20_short) <= 1.15"),
    ("C9", "loss of sum rule / delta rule", "about 100 (authors' logs)", "min(sum.loss_20 / delta.loss_20) >= 50"),
    ("C10", "delta rule with write strength 1", "ours", "max(beta_one.loss_20) <= 0.002"),
    ("C10b", "without normalised phi it is unstable", "so (section 4.2)", "min(unnormalised.loss_20) >= 0.1"),
    ("C10c", "but not if features start short", "ours", "max(unnormalised_short.loss_20) <= 0.002"),
    ("C1", "attention = fast weights: relative gap", "equal (section 3)", "max(delta.gap) <= 1e-12"),
    ("C2", "Setting 1: elu+1 keeps 48 keys", "0.0008 at 40 (authors' logs)", "mean(elu.loss_48 <= 0.001) >= 0.9"),
    ("C2b", "DPFP-1 keeps 96", "0.0002 at 100 (authors' logs)", "mean(dpfp1.loss_96 <= 0.001) >= 0.9"),
    ("C2c", "DPFP-2 keeps 192", "0.0004 at 200 (authors' logs)", "mean(dpfp2.loss_192 <= 0.001) >= 0.9"),
    ("C2d", "DPFP-3 keeps 288", "0.0003 at 300 (authors' logs)", "mean(dpfp3.loss_288 <= 0.001) >= 0.9"),
    ("C3", "S = 1.5 d_dot: excess over the rank bound, DPFP-1", "ours", "max(dpfp1.excess_192) <= 0.005"),
    ("C3b", "S = 2 d_dot, DPFP-1", "ours", "max(dpfp1.excess_256) <= 0.005"),
    ("C3c", "S = 2 d_dot, DPFP-2", "ours", "max(dpfp2.excess_512) <= 0.005"),
    ("C3d", "S = 1.5 d_dot, DPFP-3", "ours", "max(dpfp3.excess_576) <= 0.005"),
    (
        "C4",
        "capacity (largest S with loss <= 0.01) against d_dot = 32, 64, 96, 128: slope of the regression line",
        "at most d_dot associations (section 4.1)",
        "median((48 * (dpfp1.capacity - d_key16.capacity) + 16 * (d_key48.capacity - d_key32.capacity)) / 5120) >= 0.8",
    ),
    (
        "C4b",
        "the same slope",
        "at most d_dot associations (section 4.1)",
        "median((48 * (dpfp1.capacity - d_key16.capacity) + 16 * (d_key48.capacity - d_key32.capacity)) / 5120) <= 1",
    ),
    ("C5", "elu+1 (d_dot 64) fails step by step: S = 60", "0.0245 (authors' logs)", "median(elu.loss_60) <= 0.07"),
    ("C5b", "S = 80", "0.108 (authors' logs)", "median(elu.loss_80) <= 0.13"),
    ("C5c", "S = 100", "0.164 (authors' logs)", "median(elu.loss_100) <= 0.19"),
    ("C6", "softmax attention: S = 200", "<= 0.0001 (authors' logs)", "max(softmax.loss_200) <= 0.001"),
    (
        "C12",
        "biased keys, 8 pairs: cosine of the delta rule (5 sweeps) minus that of the sum rule",
        "+0.05 at N = 6, -0.05 at N = 16 (second-hand)",
        "min(biased.cos_delta_minus_sum_8) >= 0.05",
    ),
    ("C12b", "8 pairs, one sweep", "ours", "min(biased.cos_once_minus_sum_8) >= 0"),
    ("C12c", "16 pairs", "ours", "min(biased.cos_delta_minus_sum_16) >= 0"),
    ("C12d", "16, beta 1", "-0.05 (second-hand)", "max(biased_beta_one.cos_delta_minus_sum_16) <= -0.05"),
)

SMOKE = "loss_10 < 0.005"


class Snapshot(NamedTuple):
    step: int  # updates done, over all S
    metrics: dict[str, float]
    A: np.ndarray  # (S, S) attention of query i to key j when every key has been written once; biased: overlaps G
    beta: np.ndarray  # (S,) write strength of every key (Setting 2)
    sequence: np.ndarray  # (2, 2S) keys and values of the first test sequence (Setting 2)
    recall: np.ndarray  # (2S, S) loss of asking for each key after each write of it; nan before its first


# Task


class Batch(NamedTuple):
    keys: np.ndarray  # (B, T) numbers of keys, 0..S-1
    values: np.ndarray  # (B, T) numbers of values


def sample(cfg: Config, rng: np.random.Generator, count: int | None = None, length: int | None = None) -> tuple:
    """Sequences for the first S of cfg.

    Setting 1: one sequence that pairs every key with a value of its own. Setting 2: `count` sequences of `length` keys
    and values drawn with replacement; by default cfg.batch of 2S. Biased keys: episodes with a bias of their own.
    """
    S = cfg.sizes[0]
    if cfg.setting == "biased":
        return biased_keys.sample(biased_keys.draw_bias(cfg.d_key, rng), S, cfg.batch, rng)
    if cfg.setting == "unique":
        return Batch(rng.permutation(S)[None], rng.permutation(S)[None])
    return Batch(*rng.integers(S, size=(2, count or cfg.batch, length or 2 * S)))


# Model


def init(cfg: Config, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Tables for the first S of cfg: keys k and queries q start equal, (S, d_key); b are the logits of beta, (S,)."""
    if cfg.setting == "biased":
        return biased_keys.init(cfg.d_key, cfg.beta == "learned")
    k = rng.normal(0, cfg.key_std, (cfg.sizes[0], cfg.d_key)).astype(np.float32)
    params = {"k": k, "q": k.copy()}
    if cfg.setting == "updates" and cfg.rule == "delta" and cfg.beta == "learned":
        params["b"] = np.zeros(len(k), np.float32)
    return params


def scores(cfg: Config, params: dict[str, np.ndarray]) -> tuple[np.ndarray, Callable]:
    """Unnormalised attention of query i to key j, (S, S), and its pullback to the gradients of k and q."""
    k, q = params["k"], params["q"]
    if cfg.phi == "softmax":
        return memory.softmax_scores(k, q)
    (phi_k, pull_k), (phi_q, pull_q) = memory.features(cfg.phi, cfg.nu, k), memory.features(cfg.phi, cfg.nu, q)
    return phi_q @ phi_k.T, lambda dG: {"k": pull_k(dG.T @ phi_q), "q": pull_q(dG @ phi_k)}


def memory_features(cfg: Config, x: np.ndarray) -> tuple[np.ndarray, memory.Pullback]:
    """What the memory of Setting 2 is written and read with: phi, divided by its sum for the delta rule; pullback.

    With non-negative features that sum to 1, I - beta f f^T never stretches W, whatever the keys (section 4.2).
    """
    phi, pull_phi = memory.features(cfg.phi, cfg.nu, x)
    if cfg.rule == "sum" or cfg.normalise == "none":
        return phi, pull_phi
    f, pull_f = memory.normalise(phi)
    return f, lambda g: pull_phi(pull_f(g))


def write_strengths(params: dict[str, np.ndarray]) -> np.ndarray:
    """beta of every key, (S,)."""
    return memory.sigmoid(params["b"]) if "b" in params else np.ones_like(params["k"][:, 0])


@np.errstate(over="ignore", invalid="ignore")  # the delta rule explodes if features are too long
def loss_and_grad(cfg: Config, params: dict[str, np.ndarray], batch: Batch) -> tuple[float, dict[str, np.ndarray]]:
    """Mean of 0.5 |y - one-hot value|^2 over all keys asked (biased keys: cosines instead), and its gradient."""
    if cfg.setting == "biased":
        return biased_keys.loss_and_grad(params, batch, cfg.sweeps)
    if cfg.setting == "unique":
        return unique_loss_and_grad(cfg, params)
    if cfg.rule == "sum":
        G, pull = scores(cfg, params)
        y, pull_y = memory.sum_rule(G, batch.keys, batch.values)
        loss, dy = memory.answer_loss(y, batch.keys, batch.values)
        return loss, pull(pull_y(dy))
    (f_k, pull_k), (f_q, pull_q) = memory_features(cfg, params["k"]), memory_features(cfg, params["q"])
    beta = write_strengths(params)
    y, pull_y = memory.delta_rule(f_k, f_q, beta, batch.keys, batch.values)
    loss, dy = memory.answer_loss(y, batch.keys, batch.values)
    df_k, df_q, dbeta = pull_y(dy)
    grads = {"k": pull_k(df_k), "q": pull_q(df_q)}
    return loss, grads | ({"b": dbeta * beta * (1 - beta)} if "b" in params else {})


def unique_loss_and_grad(cfg: Config, params: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
    """Setting 1: query i returns sum_j A_ij v_j, so that with one-hot values |y_i - v_i|^2 = |A_i - e_i|^2.

    The pairing of keys with values drops out: one evaluation is exact for all sequences.
    """
    G, pull = scores(cfg, params)
    A, pull_A = memory.normalise(G)
    error = A - np.eye(len(A), dtype=A.dtype)
    return 0.5 * float(np.vdot(error, error)) / len(A), pull(pull_A(error / len(A)))


# Learning


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


def evaluate(cfg: Config, params: dict[str, np.ndarray], tests: tuple[Batch, ...]) -> dict[str, float]:
    """Metrics of the first S of cfg: losses (infinite if the memory overflowed) and what to hold them against.

    Setting 1: the loss, and its excess over the smallest that the rank of A allows.
    Setting 2: the loss on unseen sequences of 2S pairs, and of S ("short"), and the floors of the sum rule.
    Biased keys: cosines on unseen episodes.
    """
    S = cfg.sizes[0]
    if cfg.setting == "biased":
        return {f"{name}_{S}": value for name, value in biased_keys.evaluate(params, tests[0], cfg.sweeps).items()}
    losses = [loss_and_grad(cfg, params, test)[0] for test in tests]
    losses = [loss if np.isfinite(loss) else np.inf for loss in losses]
    if cfg.setting == "unique":
        return {f"loss_{S}": losses[0], f"excess_{S}": losses[0] - cfg.rank_bound}
    floors = {f"floor_{S}": memory.sum_rule_floor(S, 2 * S), f"floor_{S}_short": memory.sum_rule_floor(S, S)}
    return {f"loss_{S}": losses[0], f"loss_{S}_short": losses[1]} | floors


def look(cfg: Config, params: dict[str, np.ndarray], tests: tuple[Batch, ...], step: int, metrics: dict) -> Snapshot:
    """What there is to see while the first S of cfg is learned."""
    if cfg.setting == "biased":
        A = biased_keys.overlaps(params["P_delta"], tests[0].k[:1])[0][0]
    else:
        A = memory.normalise(scores(cfg, params)[0])[0]
    if cfg.setting != "updates":
        return Snapshot(step, metrics, A, np.empty(0), np.empty((2, 0), int), np.empty((0, len(A))))
    sequence = np.array([tests[0].keys[0], tests[0].values[0]])
    (f_k, _), (f_q, _), beta = *(memory_features(cfg, params[name]) for name in "kq"), write_strengths(params)
    recall = memory.replay(f_k, f_q, None if cfg.rule == "sum" else beta, *sequence)
    return Snapshot(step, metrics, A, beta, sequence, recall)


def learn(cfg: Config, params: dict[str, np.ndarray], draw: Callable, look_every: int) -> Iterator[int]:
    """Learn the first S of cfg from the batches of draw(), changing params in place; yield the updates at each look."""
    adam = Adam(params, cfg.beta1, cfg.beta2)
    for update in range(cfg.updates + 1):
        loss, grads = loss_and_grad(cfg, params, draw())
        solved = cfg.setting == "unique" and loss <= cfg.rank_bound + cfg.goal
        done = solved or update == cfg.updates or not np.isfinite(loss)
        if done or update % look_every == 0:
            yield update
        if done:
            return
        adam.step(params, grads, cfg.lr * (1 - update / cfg.updates))


def train(cfg: Config, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Learn each S of cfg, one after the other and from scratch."""
    init_rng, data_rng, test_rng = rng.spawn(3)
    metrics = {"gap": float(max(gap.max() for gap in memory.equivalence(test_rng).values()))}
    runs = []
    for S in cfg.sizes:
        one = replace(cfg, S=str(S))
        if cfg.setting == "biased":  # the same bias in training and test
            episodes = partial(biased_keys.sample, biased_keys.draw_bias(cfg.d_key, init_rng), S)
            draw, tests = partial(episodes, cfg.batch, data_rng), (episodes(cfg.tests, test_rng),)
        else:
            draw = partial(sample, one, data_rng)
            tests = (sample(one, test_rng, cfg.tests), sample(one, test_rng, cfg.tests, S))
        runs.append((one, init(one, init_rng), tests, draw))
    look_every, step = max(1, cfg.updates * len(runs) // cfg.snapshots), 0
    for one, params, tests, _ in runs:
        metrics |= evaluate(one, params, tests)
    for one, params, tests, draw in runs:
        for update in learn(one, params, draw, look_every):
            metrics |= evaluate(one, params, tests)
            if cfg.setting == "unique":
                metrics["capacity"] = float(max((S for S in cfg.sizes if metrics[f"loss_{S}"] <= 0.01), default=0))
            yield look(one, params, tests, step + update, dict(metrics))
        step += update


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
