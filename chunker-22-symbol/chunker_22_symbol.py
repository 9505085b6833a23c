"""Two nets compress history: a chunker learns a 20-step lag, and its states teach the net below to do without it.

Paper: J. Schmidhuber, Learning complex, extended sequences using the principle of history compression, Neural
Computation 4(2):234-242, 1992, section "An experiment"; first in Neural sequence chunkers, TR FKI-148-91, TU Munich,
1991.

Task: an endless stream of two words, a b1 ... b20 and x b1 ... b20, in random order, without a mark between them. Two
things are to be predicted from what came before: the next symbol, and at every b20 a target that tells whether the word
began with a or with x.

Method: the automatizer A, a recurrent net, predicts every input. The chunker C, another one, reads and predicts only
the inputs that A failed to predict, so for C the target comes right after the a or the x. Besides, A has to imitate
the state and the outputs of C at every step (the collapse). This gives A an error at every step of the lag, and so A
learns to hold the first symbol although no error flows back more than three steps.

Differs: tanh units, softmax and Adam in place of logistic units and steepest descent; weights change once per word; the
paper's conventional net had more than 1,000,000 sequences, ours has 20,000.

Symbols: i(t) input, the symbol (one of 22) and the target d (+1, -1, or 0 where there is none); h hidden units, o
outputs of a net; q the outputs of A that imitate h and o of C. Arrays of a sequence have the axes (step, stream, unit).
"""

import argparse
import copy
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from truncated_net import Net, gradient, init, outputs, prediction_errors, probability, run


@dataclass(frozen=True)
class Config:
    lag: int = 20  # how many symbols b1, b2, ... follow the a or x
    hidden: int = 24  # hidden units of the automatizer A
    chunker: int = 4  # hidden units of the chunker C; 0: there is no chunker
    predicts: str = "target"  # what C learns to predict of an input passed on to it: "target", or "input": all of it
    imitation: float = 1.0  # weight of A's error in imitating C; 0: no collapse
    flow: int = 3  # steps that an error flows back at most, in A and in C
    confidence: float = 0.8  # an input goes to C if A gave its symbol or its target less probability
    rate: float = 0.005  # learning rate of A; all rates fall to 0 in the second half of the training
    chunker_rate: float = 0.01  # learning rate of C
    sequences: int = 1000  # training sequences, that is words
    tests: int = 1000  # test sequences
    snapshots: int = 20

    def __post_init__(self):
        for name in ("lag", "hidden", "sequences", "tests", "snapshots"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("chunker", "flow", "imitation"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")
        for name in ("rate", "chunker_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if not 0.5 <= self.confidence < 1:
            raise ValueError(f"confidence must be at least 0.5 and below 1, got {self.confidence}")
        if self.predicts not in ("target", "input"):
            raise ValueError(f"predicts must be one of target, input, got {self.predicts!r}")
        if self.imitation and not self.chunker:
            raise ValueError(f"imitation must be 0 where there is no chunker to imitate, got {self.imitation}")


PRESETS: dict[str, dict] = {
    "chunker": {},
    "no_collapse": {"imitation": 0.0},
    "whole_input": {"predicts": "input", "sequences": 2000},
    "conventional": {"chunker": 0, "imitation": 0.0, "flow": 20, "sequences": 20000},
    "conventional_slow": {"chunker": 0, "imitation": 0.0, "flow": 20, "sequences": 20000, "rate": 0.001},
    "conventional_fast": {"chunker": 0, "imitation": 0.0, "flow": 20, "sequences": 20000, "rate": 0.02},
    "conventional_lag5": {"chunker": 0, "imitation": 0.0, "flow": 5, "sequences": 20000, "lag": 5},
    "small": {"hidden": 4, "rate": 0.02, "sequences": 1500},
    "small_no_collapse": {"hidden": 4, "rate": 0.02, "sequences": 1500, "imitation": 0.0},
    "smoke": {"sequences": 800},
}

SEEDS = 10

CLAIMS = (
    (
        "C2",
        "A alone: every target right, 95 % of the runs",
        "A ends up right by itself",
        "mean(chunker.a_acc == 1) >= 0.95",
    ),
    ("C1", "A and C together get the target right", "in all 17 runs", "min(chunker.pair_acc) >= 0.995"),
    ("C3", "share of runs that need < 5,000 sequences", "13 of 17", "mean(chunker.sequences < 5000) >= 13 / 17"),
    ("C3b", "most sequences that a run needs", "< 35,000", "max(chunker.sequences) < 35000"),
    ("C4", "sequences until A is right by itself", "< 5,000 in 13 of 17", "median(chunker.sequences) <= 900"),
    ("C4b", "the same if C has to predict symbols, too", "< 5,000 in 13 of 17", "median(whole_input.sequences) < 5000"),
    ("C5", "no error flows back over more than 3 steps", "3", "max(chunker.error_steps) <= 3"),
    ("C6", "conventional net at chance, same rate", "> 1,000,000 sequences", "max(conventional.a_acc) <= 0.6"),
    ("C6b", "the same with a fifth of the rate", "various rates", "max(conventional_slow.a_acc) <= 0.6"),
    ("C6c", "the same with four times the rate", "various rates", "max(conventional_fast.a_acc) <= 0.6"),
    (
        "C6d",
        "four times the rate: never 100 targets right in succession",
        "> 1,000,000 sequences",
        "min(conventional_fast.sequences) > 20000",
    ),
    ("C11", "conventional net at a lag of 5", "learns it", "mean(conventional_lag5.a_acc >= 0.99) >= 0.8"),
    ("C7", "without imitation A stays at chance", "ours", "mean(no_collapse.a_acc <= 0.6) >= 0.9"),
    ("C7b", "while C knows the target", "ours", "mean(no_collapse.pair_acc >= 0.99) >= 0.9"),
    ("C8", "inputs per word that still surprise A: most", "ours", "mean(chunker.surprises <= 1.1) >= 0.95"),
    ("C8b", "inputs per word that still surprise A: least", "ours", "mean(chunker.surprises >= 0.95) >= 0.95"),
    ("C9", "A predicts b1 ... b20", "A quickly learns to", "min(chunker.symbol_acc) >= 0.999"),
    ("C10", "A's states keep the words apart", "hidden units bridge the lag", "median(chunker.latch) >= 0.8"),
    ("C10a", "without imitation they merge", "ours", "median(no_collapse.latch) <= 0.01"),
    (
        "C10b",
        "collapse makes a strong weight of a unit to itself, 4 units",
        "strong self-connections",
        "mean(small.self_weight > small_no_collapse.self_weight) >= 0.8",
    ),
    (
        "C12",
        "multiplications per step, over those of conventional training",
        "fewer",
        "mean(chunker.products / conventional.products) < 1",
    ),
)

SMOKE = "a_acc >= 0.99"

STREAMS = 200  # test streams


class Snapshot(NamedTuple):
    step: int  # training sequences
    metrics: dict[str, float]
    params: dict[str, Net]  # the automatizer "A" and the chunker "C"
    passed: np.ndarray  # (step, lag + 1) which inputs of the training sequences A passed on to C
    test: np.ndarray  # (T, lag + 3) the inputs of one test stream
    probability: np.ndarray  # (T,) that A gave them
    critical: np.ndarray  # (T,) whether A passes them on to C
    label: np.ndarray  # (T, 2) target units of A and C
    code: np.ndarray  # (T, chunker + 1) state and target unit of C
    copy: np.ndarray  # (T, chunker + 1) what A makes of them


# Task


def words(lag: int) -> np.ndarray:
    """The two words as inputs (2, lag + 1, lag + 3): symbols a, x, b1, b2, ... one-hot, then the target d.

    d is +1 at the end of the word that begins with a, -1 at the end of the other one, 0 (no target) elsewhere.
    """
    table = np.zeros((2, lag + 1, lag + 3))
    table[[0, 1], 0, [0, 1]] = 1
    table[:, np.arange(1, lag + 1), np.arange(2, lag + 2)] = 1
    table[:, -1, -1] = 1, -1
    return table


def sample(cfg: Config, rng: np.random.Generator, count: int, streams: int) -> np.ndarray:
    """Draw `count` words for each of `streams` streams; returns inputs (count (lag + 1), streams, lag + 3)."""
    x = words(cfg.lag)[rng.integers(2, size=(count, streams))]
    return x.swapaxes(1, 2).reshape(-1, streams, cfg.lag + 3)


# Learning


class Reader:
    """A net that reads one endless stream, predicts it, and learns from its errors."""

    def __init__(self, net: Net, inputs: int):
        self.net, self.optimizer = net, Adam(net)
        self.x = np.zeros((1, 1, inputs))  # the latest input, followed by those that read() has added
        self.h = np.zeros((3, 1, len(net["W"])))  # states before and after each of x

    def read(self, following: np.ndarray) -> np.ndarray:
        """Read n further inputs; returns n + 1 rows of outputs: the predictions of them and of what comes next."""
        self.x = np.concatenate((self.x[-1:], following))
        self.h = run(self.net, self.x, self.h[-2])
        return outputs(self.net, self.x, self.h)

    def learn(self, dy: np.ndarray, flow: int, rate: float) -> None:
        """Change the weights, given the derivatives dy (n, 1, outputs) of the loss by the n predictions."""
        grads = gradient(self.net, self.x[:-1], self.h[:-1], dy, flow)
        self.optimizer.step(self.net, grads, rate)


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


def products(cfg: Config, passed: float) -> float:
    """Multiplications per input if every step's errors flow back by themselves; C works at the share `passed`."""
    inputs, coded = cfg.lag + 3, cfg.chunker + 1 if cfg.chunker else 0

    def net(hidden: int, outputs: int) -> int:
        forward = (hidden + outputs) * (1 + inputs + hidden)
        return 2 * forward + outputs * hidden + cfg.flow * hidden**2

    return net(cfg.hidden, inputs + coded) + passed * (net(cfg.chunker, inputs) if cfg.chunker else 0)


def evaluate(cfg: Config, A: Net, C: Net, test: np.ndarray) -> tuple[dict[str, float], tuple[np.ndarray, ...]]:
    """Metrics on test words, weights frozen; the first word of a stream, read without a history, does not count.

    a_acc: share of targets that A's own unit gets right, C switched off; pair_acc: the same if A is asked where it
    gives its answer `confidence` or more, C elsewhere (A everywhere if there is no C); surprises: inputs per word that
    A passes on; symbol_acc: share of b1, b2, ... predicted right; latch: distance of A's mean states in the two words
    when the target is due, divided by that right after the a or x; self_weight: largest weight of a hidden unit of A to
    itself; error_steps: steps that an error flows back at most.
    Also what the fields of Snapshot from `test` on hold, of the first stream.
    """
    x, following, L, streams = test[:-1], test[1:], cfg.lag + 1, test.shape[1]
    h = run(A, x, np.zeros((streams, cfg.hidden)))
    y = outputs(A, x, h)
    given = probability(y, following)
    critical = np.concatenate((np.ones((1, streams), bool), given < cfg.confidence))  # nobody predicted the first input
    c = run(C, x, np.zeros((streams, cfg.chunker)), critical[:-1])
    latest = np.maximum.accumulate(np.where(critical[:-1], np.arange(len(x))[:, None], 0))  # C's latest input
    target_C = outputs(C, x[latest, np.arange(streams)], c)[..., -1]

    def by_word(array: np.ndarray) -> np.ndarray:
        return array[L - 1 :].reshape(-1, L, *array.shape[1:])  # (words, step of the word, streams, ...)

    first, due = by_word(following)[:, 0, :, 0] == 1, by_word(y)[:, -1, :, L + 1]  # began with a? A's target unit
    pair = np.where(np.maximum(due, 1 - due) >= cfg.confidence, due, by_word(target_C)[:, -1] if cfg.chunker else due)
    right = by_word(y[..., : L + 1]).argmax(axis=3) == by_word(following[..., : L + 1]).argmax(axis=3)
    states = by_word(h[1:])
    apart = [np.linalg.norm(states[:, k][first].mean(axis=0) - states[:, k][~first].mean(axis=0)) for k in (1, L - 1)]
    metrics = {
        "a_acc": float(((due > 0.5) == first).mean()),
        "pair_acc": float(((pair > 0.5) == first).mean()),
        "surprises": float(by_word(given < cfg.confidence).mean() * L),
        "symbol_acc": float(right[:, 1:].mean()),
        "latch": float(apart[1] / apart[0]),
        "self_weight": float(np.diag(A["W"][:, -cfg.hidden :]).max()),
        "error_steps": float(min(cfg.flow, cfg.lag)),
    }
    code = np.concatenate((c[1:], target_C[..., None]), axis=2)
    views = following, given, critical[1:], np.stack((y[..., L + 1], target_C), axis=2), code, y[..., L + 2 :]
    return metrics, tuple(view[:, 0].copy() for view in views)


def train(cfg: Config, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Train A and C on one endless stream, changing weights after every word.

    `sequences` is the number of words read when A's target unit had been right 100 times in succession.
    """
    init_rng, data_rng, test_rng = rng.spawn(3)
    inputs, coded = cfg.lag + 3, cfg.chunker + 1 if cfg.chunker else 0
    A = Reader(init(init_rng, inputs, cfg.hidden, inputs + coded), inputs)
    C = Reader(init(init_rng, inputs, cfg.chunker, inputs), inputs)
    test = sample(cfg, test_rng, 1 + -(-cfg.tests // STREAMS), STREAMS)
    few = test[:, :20]  # looks on the way are at some of the streams
    passed = np.zeros((cfg.sequences, cfg.lag + 1), bool)
    streak, sequences = 0, np.inf
    looks = {cfg.sequences * k // cfg.snapshots for k in range(cfg.snapshots)}

    def look(step: int, on: np.ndarray) -> Snapshot:
        metrics, views = evaluate(cfg, A.net, C.net, on)
        metrics |= {"sequences": sequences, "products": products(cfg, float(passed[: max(step, 1)].mean()))}
        params = {"A": copy.deepcopy(A.net), "C": copy.deepcopy(C.net)}
        return Snapshot(step, metrics, params, passed[:step].copy(), *views)

    table = words(cfg.lag)
    for step, first in enumerate(data_rng.integers(2, size=cfg.sequences)):
        if step in looks:
            yield look(step, few)
        word, fall = table[first][:, None], min(1, 2 - 2 * step / cfg.sequences)
        y = A.read(word)[:-1]
        dy = prediction_errors(y, word)
        streak = streak + 1 if abs(dy[-1, 0, inputs - 1]) < 0.5 else 0
        sequences = min(sequences, float(step + 1)) if streak == 100 else sequences
        if cfg.chunker:
            passed[step] = critical = probability(y, word)[:, 0] < cfg.confidence
            chunks = word[critical]
            chunker_y = C.read(chunks)
            code = np.concatenate((C.h[1:], chunker_y[..., -1:]), axis=2)  # of C after 0, 1, 2, ... of the chunks
            dy[..., inputs:] = 2 * cfg.imitation * (y[..., inputs:] - code[critical.cumsum() - critical])
            if len(chunks):
                chunker_dy = prediction_errors(chunker_y[:-1], chunks)
                chunker_dy[..., :-1] *= cfg.predicts == "input"
                C.learn(chunker_dy, cfg.flow, fall * cfg.chunker_rate)
        A.learn(dy, cfg.flow, fall * cfg.rate)
    yield look(cfg.sequences, test)


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
