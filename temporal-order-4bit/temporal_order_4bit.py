"""Telling the temporal order of three widely separated symbols with the LSTM cell of 1997.

Paper: S. Hochreiter & J. Schmidhuber, Long Short-Term Memory, Neural Computation 9(8):1735-1780, 1997,
experiment 6, task 6b (section 5.6, table 9).

Task: a net reads 100 to 110 symbols: random letters a b c d, but E at the start, B at the end, and three symbols X or
Y, at least 13, 23 and 24 steps from what comes next. At the end it names the class, XXX, XXY, ... or YYY. A sequence
counts as right if every output is less than 0.3 off.

Method: memory cells without forget gate, in blocks that share an input and an output gate, trained by backpropagation
through time and Adam until the paper's stop criterion is met. The preset `truncated` uses the paper's gradient, which
is cut where the error would leave a cell through a gate or a cell input, in smaller batches and with a larger epsilon;
`paper_literal` is the paper's whole recipe, with online steepest descent. The control `rnn` is a tanh RNN with the same
data and optimiser, and more updates; `two_symbols` is task 6a with the paper's net for it.

Differs: the headline has the paper's net of 308 weights and its stop criterion, but softmax outputs with cross entropy,
the exact gradient, Adam with a falling rate, mini-batches of 16, and a wider range of initial weights; `paper_literal`
has none of these changes.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from memory_cell import Trace, bptt, kinds, lstm_forward, rnn_bptt, rnn_forward, truncated, tying, weight_grad

SYMBOLS = "abcdXYEB"  # four distractors, two relevant symbols, start, end

# First and last possible position, counted from 1, of the end and then of every relevant symbol.
TASKS = {
    "6b": ((100, 110), (10, 20), (33, 43), (66, 76)),
    "6a": ((100, 110), (10, 20), (50, 60)),  # two relevant symbols
    "reference": ((50, 50), (3, 9), (18, 26), (33, 40)),  # the easier task of the reference catalogue
}


@dataclass(frozen=True)
class Config:
    task: str = "6b"  # where the relevant symbols stand, a key of TASKS
    cell: str = "lstm"  # "lstm" (1997, no forget gate) or "rnn" (tanh units)
    blocks: int = 3  # memory blocks (units of the RNN)
    cells: int = 2  # memory cells per block
    output: str = "softmax"  # "softmax" with cross entropy, or "sigmoid" with squared error (paper)
    gradient: str = "full"  # "full" backpropagation through time or "truncated" as in the paper's appendix
    optimizer: str = "adam"  # "adam", or "sgd": steepest descent with constant rate and no clipping
    rate: float = 0.03  # learning rate
    epsilon: float = 1e-8  # added to the root mean square that Adam divides a gradient by
    batch: int = 16  # sequences per update
    updates: int = 2000  # most weight updates
    in_a_row: int = 2000  # training sequences that must be right before training stops (paper: 2000)
    init_range: float = 0.5  # initial weights are uniform on [-init_range, init_range] (paper: 0.1)
    in_bias: float = -5.0  # bias of the first input gate
    in_bias_step: float = 0.0  # added for every further block
    tests: int = 2560  # test sequences (table 9)
    snapshots: int = 20

    def __post_init__(self):
        words = {
            "task": tuple(TASKS),
            "cell": ("lstm", "rnn"),
            "output": ("softmax", "sigmoid"),
            "gradient": ("full", "truncated"),
            "optimizer": ("adam", "sgd"),
        }
        for name, allowed in words.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        for name in ("blocks", "cells", "batch", "updates", "tests", "snapshots"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.in_a_row < 2000:
            raise ValueError(f"in_a_row must be at least the paper's 2000, got {self.in_a_row}")
        for name in ("rate", "epsilon", "init_range"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if self.gradient == "truncated" and self.cell != "lstm":
            raise ValueError(f"gradient can be truncated for cell lstm only, got cell {self.cell!r}")


PRESETS: dict[str, dict] = {
    "lstm": {},
    "rnn": {"cell": "rnn", "blocks": 8, "cells": 1, "rate": 0.003},
    "truncated": {"gradient": "truncated", "epsilon": 1e-3, "batch": 4, "updates": 16000},
    "two_symbols": {"task": "6a", "blocks": 2},
    "reference": {"task": "reference", "in_a_row": 10000},
    "paper_literal": {
        "output": "sigmoid",
        "gradient": "truncated",
        "optimizer": "sgd",
        "rate": 0.1,
        "batch": 1,
        "updates": 600000,
        "init_range": 0.1,
        "in_bias": -2.0,
        "in_bias_step": -2.0,
    },
    "smoke": {"updates": 1000},
}

SEEDS = 10

CLAIMS = (
    ("C4", "at most 3 of 2560 wrong in every trial", "never more than 3 (5.6)", "max(lstm.wrong) <= 3"),
    ("C2", "at most 3 of 2560 wrong, 9 trials of 10", "ours", "mean(lstm.wrong <= 3) >= 0.9"),
    ("C1", "2 of 2560 wrong", "2 (table 9)", "median(lstm.wrong) <= 2"),
    ("C4b", "sequences to the stop criterion", "571,100 (table 9)", "mean(lstm.presentations) <= 571100"),
    ("C4c", "mean test error below 0.1 in every trial", "always below 0.1 (5.6)", "max(lstm.error) < 0.1"),
    ("C3", "sequences to the stop criterion, most trials", "ours", "median(lstm.presentations) <= 34000"),
    ("C5", "truncated gradient: at most 3 wrong", "never more than 3 (5.6)", "max(truncated.wrong) <= 3"),
    ("C5b", "truncated gradient: sequences", "571,100 (table 9)", "mean(truncated.presentations) <= 571100"),
    ("C6", "the paper's recipe: at most 3 wrong", "never more than 3 (5.6)", "mean(paper_literal.wrong <= 3) >= 0.8"),
    ("C6b", "the paper's recipe: sequences", "571,100 (table 9)", "mean(paper_literal.presentations) <= 571100"),
    ("C7", "a tanh RNN stays near chance", "ours", "max(rnn.accuracy) <= 0.2"),
    (
        "C8",
        "three symbols cost more sequences than two",
        "18 times as many (table 9)",
        "median(lstm.presentations) / median(two_symbols.presentations) > 1",
    ),
    ("C9", "the reference's easier task is solved", "ours", "min(reference.accuracy) >= 0.999"),
    ("C9b", "... sequences until 95 % are right", "ours", "median(reference.to_95) <= 8000"),
    ("C10", "every class is told", "ours", "min(lstm.worst_class) >= 0.99"),
)

SMOKE = "wrong <= 128"


class Snapshot(NamedTuple):
    step: int  # training sequences presented
    metrics: dict[str, float]
    params: dict[str, np.ndarray]
    state: np.ndarray  # (T, n, classes) cell states (RNN: hidden units) on the first test sequence of every class
    in_gate: np.ndarray  # (T, n, classes) input gates on them (RNN: empty)
    test: "Batch"  # the test set
    output: np.ndarray  # (tests, classes) outputs on the test set


# Task


class Batch(NamedTuple):
    symbols: np.ndarray  # (T_max, B) indices into SYMBOLS; what follows a sequence's end is noise nobody reads
    length: np.ndarray  # (B,) number of symbols
    label: np.ndarray  # (B,) class: the relevant symbols as a binary number, X = 0, Y = 1, the first one leading


def sample(cfg: Config, rng: np.random.Generator, count: int | None = None, stretch: int = 1) -> Batch:
    """Draw `count` (default cfg.batch) sequences of section 5.6 of the paper, with all positions times `stretch`."""
    B, each = count or cfg.batch, np.arange(count or cfg.batch)
    length, *places = (rng.integers(stretch * low, stretch * high + 1, size=B) for low, high in TASKS[cfg.task])
    symbols = rng.integers(4, size=(stretch * TASKS[cfg.task][0][1], B))
    symbols[0], symbols[length - 1, each] = SYMBOLS.index("E"), SYMBOLS.index("B")
    label = np.zeros(B, int)
    for place in places:
        is_y = rng.integers(2, size=B)
        symbols[place - 1, each] = SYMBOLS.index("X") + is_y
        label = 2 * label + is_y
    return Batch(symbols, length, label)


# Model

GATES = {"lstm": (2, 2), "rnn": (0, 0)}  # kinds of gates a block has, and how many of them are fed back


def init(cfg: Config, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Weights W (units, sources), and V (classes, cells), c (classes,) of the outputs, in float32.

    Rows of an LSTM's W: output gates, input gates, cell inputs. Columns: the constant 1, the symbols, the cell outputs,
    the output and input gates of the step before.
    """
    J, n, classes = cfg.blocks, cfg.blocks * cfg.cells, 2 ** (len(TASKS[cfg.task]) - 1)
    units = GATES[cfg.cell][0] * J + n
    shapes = {"W": (units, 1 + len(SYMBOLS) + units), "V": (classes, n), "c": (classes,)}
    params = {name: rng.uniform(-cfg.init_range, cfg.init_range, shape) for name, shape in shapes.items()}
    if cfg.cell == "rnn":
        params["W"][:, -n:] = np.linalg.qr(rng.normal(size=(n, n)))[0]
    else:
        params["W"][J : 2 * J, 0] = cfg.in_bias + cfg.in_bias_step * np.arange(J)
    return {name: p.astype(np.float32) for name, p in params.items()}


def run(cfg: Config, params: dict[str, np.ndarray], symbols: np.ndarray) -> tuple[np.ndarray, Trace]:
    """Run the net over symbols (T, B); returns W with gates of its own for every cell, and all activations."""
    E, F = tying(len(SYMBOLS), cfg.blocks, cfg.cells, *GATES[cfg.cell])
    W = E @ params["W"] @ F
    x = (symbols[:, None] == np.arange(len(SYMBOLS))[:, None]).astype(W.dtype)  # one-hot (T, symbols, B)
    return W, (rnn_forward if cfg.cell == "rnn" else lstm_forward)(W, x, cfg.blocks * cfg.cells)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logistic function of an array of any shape; the tanh form cannot overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def softmax(x: np.ndarray) -> np.ndarray:
    """Softmax over the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def read_out(
    cfg: Config, params: dict[str, np.ndarray], trace: Trace, length: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Outputs (B, classes) after each sequence's last symbol, and the cell outputs (B, n) they are read from."""
    y = trace.y[length, :, np.arange(len(length))]
    net = y @ params["V"].T + params["c"]
    return sigmoid(net) if cfg.output == "sigmoid" else softmax(net), y


def output_error(output: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Output minus target (B, classes); the target of a class is 1 for its own output, 0 for the others."""
    return output - np.eye(output.shape[1], dtype=output.dtype)[label]


def error_and_grad(
    cfg: Config, params: dict[str, np.ndarray], batch: Batch, backward: Callable
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Outputs and errors (B, classes), and the gradient of the mean loss by bptt, truncated or rnn_bptt.

    Cross entropy of a softmax and half the squared error of sigmoids have nearly the same derivative at the net input:
    the error, for sigmoids times their slope.
    """
    W, trace = run(cfg, params, batch.symbols)
    output, y = read_out(cfg, params, trace, batch.length)
    error = output_error(output, batch.label)
    delta = error / len(error) * (output * (1 - output) if cfg.output == "sigmoid" else 1)
    dy = np.zeros((len(batch.symbols), *y.T.shape), y.dtype)
    dy[batch.length - 1, :, np.arange(len(delta))] = delta @ params["V"]
    dz = backward(W, trace, dy)
    E, F = tying(len(SYMBOLS), cfg.blocks, cfg.cells, *GATES[cfg.cell])
    return output, error, {"W": E.T @ weight_grad(dz, trace) @ F.T, "V": delta.T @ y, "c": delta.sum(axis=0)}


def loss_and_grad(cfg: Config, params: dict[str, np.ndarray], batch: Batch) -> tuple[float, dict[str, np.ndarray]]:
    """Mean loss of a batch, and its exact gradient."""
    output, error, grads = error_and_grad(cfg, params, batch, rnn_bptt if cfg.cell == "rnn" else bptt)
    if cfg.output == "sigmoid":
        return float(np.vdot(error, error)) / len(error) / 2, grads
    return -float(np.log(output[np.arange(len(output)), batch.label]).mean()), grads


# Learning


def clip_norm(grads: dict[str, np.ndarray], limit: float) -> None:
    """Scale all gradients in place so that their joint Euclidean norm is at most `limit`."""
    norm = np.sqrt(sum(float(np.vdot(g, g)) for g in grads.values()))
    if norm > limit:
        for g in grads.values():
            g *= limit / norm


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


def falling_rate(cfg: Config, progress: float) -> float:
    """Learning rate when a share `progress` of all updates is done: constant up to 0.3, then linearly down to 2 %."""
    return cfg.rate * min(1, 1 - 0.98 * (progress - 0.3) / 0.7)


def only_block(cfg: Config, params: dict[str, np.ndarray], block: int) -> dict[str, np.ndarray]:
    """Weights of a net in which no unit hears anything of the memory blocks but `block`."""
    of_cells, fed_back = np.repeat(np.arange(cfg.blocks), cfg.cells), GATES[cfg.cell][1]
    of_sources = [np.full(1 + len(SYMBOLS), block), of_cells, np.tile(np.arange(cfg.blocks), fed_back)]
    W, V = params["W"] * (np.concatenate(of_sources) == block), params["V"] * (of_cells == block)
    return {"W": W, "V": V, "c": params["c"]}


def evaluate(cfg: Config, params: dict[str, np.ndarray], test: Batch) -> tuple[dict[str, float], np.ndarray]:
    """Metrics on the test set, and the outputs (tests, classes).

    wrong: sequences with an output off by 0.3 or more; error: mean over the sequences of the output that is farthest
    off; accuracy: share whose largest output is that of the class; worst_class: least share of a class that is right.
    """
    _, trace = run(cfg, params, test.symbols)
    output, _ = read_out(cfg, params, trace, test.length)
    error = np.abs(output_error(output, test.label)).max(axis=1)
    of_class = test.label == np.arange(output.shape[1])[:, None]  # (classes, tests)
    metrics = {
        "wrong": float((error >= 0.3).sum()),
        "error": float(error.mean()),
        "accuracy": float((output.argmax(axis=1) == test.label).mean()),
        "worst_class": float(min((error[member] < 0.3).mean() for member in of_class if member.any())),
    }
    return metrics, output


def train(cfg: Config, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Train one net until the paper's stop criterion is met, or longer, but for cfg.updates updates at most.

    The criterion (section 5.6): the 2000 latest training sequences were right, and their mean error is below 0.1. Every
    sequence is judged before it is learnt from, by the output farthest off. Training goes on until the latest
    cfg.in_a_row were right. Metrics beside those of evaluate: presentations, the sequences until the criterion was met;
    to_95, those until the largest output was right on 95 % of the latest 500; and, at the end only, one_block, the best
    accuracy with one memory block alone, and accuracy_x4, that on sequences four times as long.
    """
    init_rng, data_rng, test_rng = rng.spawn(3)
    params, test = init(cfg, init_rng), sample(cfg, test_rng, cfg.tests)
    long = sample(cfg, test_rng, 512, stretch=4)
    firsts = [int(np.argmax(test.label == k)) for k in range(len(params["c"]))]
    backward = truncated if cfg.gradient == "truncated" else rnn_bptt if cfg.cell == "rnn" else bptt
    optimizer = Adam(params, beta2=0.99, eps=cfg.epsilon)  # after a long calm, 0.999 lets one gradient make a jump
    latest, hits, presentations, to_95 = np.ones(cfg.in_a_row), np.zeros(500), np.inf, np.inf
    looks = {cfg.updates * k**2 // cfg.snapshots**2 for k in range(cfg.snapshots)}  # denser at first: most stop early

    def look(batches: int, last: bool) -> Snapshot:
        metrics, output = evaluate(cfg, params, test)
        metrics |= {"presentations": presentations, "to_95": to_95, "one_block": np.nan, "accuracy_x4": np.nan}
        if last:
            alone = [evaluate(cfg, only_block(cfg, params, j), test)[0]["accuracy"] for j in range(cfg.blocks)]
            metrics |= {"one_block": max(alone), "accuracy_x4": evaluate(cfg, params, long)[0]["accuracy"]}
        _, trace = run(cfg, params, test.symbols[:, firsts])
        copies = {name: p.copy() for name, p in params.items()}
        in_gate = kinds(trace.unit, cfg.blocks * cfg.cells)[1][1:]
        return Snapshot(batches * cfg.batch, metrics, copies, trace.s[1:], in_gate, test, output)

    for update in range(cfg.updates):
        if update in looks:
            yield look(update, last=False)
        batch = sample(cfg, data_rng)
        output, error, grads = error_and_grad(cfg, params, batch, backward)
        seen = float((update + 1) * cfg.batch)
        hits = np.concatenate((hits, output.argmax(axis=1) == batch.label))[-500:]
        if hits.mean() >= 0.95:
            to_95 = min(to_95, seen)
        latest = np.concatenate((latest, np.abs(error).max(axis=1)))[-cfg.in_a_row :]
        if latest[-2000:].max() < 0.3 and latest[-2000:].mean() < 0.1:
            presentations = min(presentations, seen)
            if latest.max() < 0.3:
                break  # before the update: the net tested is the one that met the criterion
        if cfg.optimizer == "adam":
            clip_norm(grads, 1.0)
            optimizer.step(params, grads, falling_rate(cfg, update / cfg.updates))
        else:
            for name, grad in grads.items():
                params[name] -= cfg.rate * grad
    yield look(update + 1, last=True)


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
