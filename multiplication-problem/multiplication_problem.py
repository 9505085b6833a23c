"""Multiplying two marked numbers across a long time lag with the LSTM cell of 1997.

Paper: S. Hochreiter & J. Schmidhuber, Long Short-Term Memory, Neural Computation 9(8):1735-1780, 1997,
experiment 5 (section 5.5, table 8).

Task: a net reads T to 1.1 T pairs (value, mark). Two values in the first half, between 0 and 1, are marked; after the
last pair the net must output their product, so it has to hold two real numbers for T/2 steps or more and to use one
as a factor of the other. A sequence counts as right if the output is less than 0.04 off.

Method: memory cells without forget gate, each with an input and an output gate of its own, trained by backpropagation
through time and Adam. The control `rnn` is a tanh RNN with the same data, optimiser and number of updates; in `sum` the
same net has to add; `fine` trains longer, for the paper's second check. The preset `truncated` uses the paper's net and
its gradient, which is cut where the error would leave a cell through a gate or a cell input; `paper_literal` is the
paper's whole recipe, with online steepest descent.

Differs: the headline has eight cells, each a block of its own, in place of two blocks of two, units that see the cells
but not the gates of the step before, the exact gradient, Adam with a falling rate, mini-batches of 16, input gates that
start closed, and wider initial weights; `paper_literal` has none of these changes.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from memory_cell import Trace, bptt, kinds, lstm_forward, rnn_bptt, rnn_forward, truncated, tying, weight_grad


@dataclass(frozen=True)
class Config:
    task: str = "product"  # target: "product", or "sum" (half the sum of the marked values)
    lag: int = 100  # T, minimal sequence length; the marks are at least T/2 steps before the end
    marks: str = "paper"  # "paper", or "reference": T to 1.5 T pairs, tested at 1.5 T, the second mark nearly fixed
    cell: str = "lstm"  # "lstm" (1997, no forget gate) or "rnn" (tanh units)
    blocks: int = 8  # memory blocks (units of the RNN)
    cells: int = 1  # memory cells per block
    fed_back: int = 0  # kinds of gates that all units see: 0, 1 (output gates) or 2 (and input gates, paper)
    gradient: str = "full"  # "full" backpropagation through time or "truncated" as in the paper's appendix
    optimizer: str = "adam"  # "adam", or "sgd": steepest descent with constant rate and no clipping
    rate: float = 0.06  # learning rate
    batch: int = 16  # sequences per update
    updates: int = 2800  # weight updates
    init: str = "normal"  # "normal": N(0, 0.5); "uniform": U[-0.1, 0.1] (paper)
    in_bias: float = -6.0  # added to the initial biases of the input gates (paper: 0)
    tests: int = 2560  # test sequences (table 8)
    snapshots: int = 20

    def __post_init__(self):
        words = {
            "task": ("product", "sum"),
            "marks": ("paper", "reference"),
            "cell": ("lstm", "rnn"),
            "gradient": ("full", "truncated"),
            "optimizer": ("adam", "sgd"),
            "init": ("normal", "uniform"),
        }
        for name, allowed in words.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        for name, least in {
            "lag": 20,
            "blocks": 1,
            "cells": 1,
            "batch": 1,
            "updates": 1,
            "tests": 1,
            "snapshots": 1,
        }.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if not self.rate > 0:
            raise ValueError(f"rate must be positive, got {self.rate}")
        if self.fed_back not in ((0, 1, 2) if self.cell == "lstm" else (0,)):
            raise ValueError(f"fed_back must be 0, or with cell lstm 1 or 2, got {self.fed_back}")
        if self.gradient == "truncated" and self.cell != "lstm":
            raise ValueError(f"gradient can be truncated for cell lstm only, got cell {self.cell!r}")


PRESETS: dict[str, dict] = {
    "lstm": {},
    "rnn": {"cell": "rnn", "rate": 0.005},
    "sum": {"task": "sum"},
    "fine": {"batch": 32, "updates": 7000},
    "reference": {"marks": "reference", "lag": 20, "batch": 32, "updates": 3000},
    "truncated": {"blocks": 2, "cells": 2, "fed_back": 2, "gradient": "truncated", "batch": 32, "updates": 12000},
    "paper_literal": {
        "blocks": 2,
        "cells": 2,
        "fed_back": 2,
        "gradient": "truncated",
        "optimizer": "sgd",
        "rate": 0.1,
        "batch": 1,
        "updates": 482000,
        "init": "uniform",
        "in_bias": 0.0,
    },
    "smoke": {"lag": 50, "updates": 1000},
}

SEEDS = 10

CLAIMS = (
    ("C2", "139 of 2560 wrong or fewer, 9 trials of 10", "139 (table 8)", "mean(lstm.wrong <= 139) >= 0.9"),
    ("C1", "root mean square error", "0.0223, called MSE (table 8)", "median(lstm.rmse) <= 0.0223"),
    ("C3", "every trial leaves the plateau", "all trials succeed (5.5)", "max(lstm.mse) < 0.005"),
    ("C4", "sequences to the first check", "482,000 (table 8)", "mean(fine.presentations_140) <= 482000"),
    ("C4b", "wrong test sequences at that time", "never more than 170 (5.5)", "max(fine.wrong_140) <= 170"),
    ("C5", "sequences to the second check", "1,273,000 (table 8)", "mean(fine.presentations_13) <= 1273000"),
    ("C5b", "wrong test sequences at that time", "never more than 15 (5.5)", "max(fine.wrong_13) <= 15"),
    ("C6", "root mean square error, longer training", "0.0139, called MSE (table 8)", "median(fine.rmse) <= 0.0139"),
    ("C7", "a tanh RNN stays at chance", "ours", "min(rnn.wrong) >= 2000"),
    ("C8", "the reference's easier task, its best error 0.0028", "ours", "median(reference.mse) <= 0.0028"),
    ("C9", "the truncated gradient suffices, half the trials", "ours", "mean(truncated.mse < 0.005) >= 0.5"),
    (
        "C9b",
        "the paper's recipe leaves the plateau, half the trials",
        "all trials, 482,000 to the first check (table 8)",
        "mean(paper_literal.mse < 0.005) >= 0.5",
    ),
    (
        "C10",
        "a product takes more sequences than a sum",
        "ours",
        "median(lstm.presentations_140 / sum.presentations_140) > 1",
    ),
)

SMOKE = "wrong <= 1500"


class Snapshot(NamedTuple):
    step: int  # training sequences presented
    metrics: dict[str, float]
    params: dict[str, np.ndarray]
    state: np.ndarray  # (T, n, 8) cell states (RNN: hidden units) on the first 8 test sequences
    in_gate: np.ndarray  # (T, n, 8) input gates on them (RNN: empty)
    test: "Batch"  # the test set; in looks on the way the first 256 sequences of it
    output: np.ndarray  # (B,) outputs on them


# Task


class Batch(NamedTuple):
    x: np.ndarray  # (T_max, 2, B) pairs (value, mark); what follows a sequence's end is noise nobody reads
    length: np.ndarray  # (B,) number of pairs
    values: np.ndarray  # (2, B) X1, X2
    target: np.ndarray  # (B,) X1 X2, or (X1 + X2) / 2


def sample(cfg: Config, rng: np.random.Generator, count: int | None = None) -> Batch:
    """Draw `count` (default cfg.batch) sequences of section 5.5 of the paper, in float32."""
    B, T, each = count or cfg.batch, cfg.lag, np.arange(count or cfg.batch)
    if cfg.marks == "paper":
        longest = T + T // 10
        first = rng.integers(10, size=B)
        second = rng.integers(T // 2 - 1, size=B)
        second += second >= first  # one of the first T/2 - 1 pairs that are still unmarked
        length = rng.integers(T, longest + 1, size=B)
    else:
        longest = T + T // 2
        length = rng.integers(T, longest + 1, size=B) if count is None else np.full(B, longest)
        first, second = rng.integers(1, 10, size=B), rng.integers(10, np.maximum(11, length // 2))
    x = np.zeros((longest, 2, B), dtype=np.float32)
    x[:, 0] = rng.uniform(0, 1, size=(longest, B))
    x[0, 1] = x[length - 1, 1, each] = -1
    x[first, 1, each] = x[second, 1, each] = 1
    values = np.where([first == 0, second == 0], 1, x[[first, second], 0, each])  # a marked first pair counts as 1
    return Batch(x, length, values, values.prod(axis=0) if cfg.task == "product" else values.mean(axis=0))


# Model


def init(cfg: Config, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Weights W (units, sources), and V (cells), c (1) of the output, in float32.

    Rows of an LSTM's W: output gates, input gates, cell inputs. Columns: the constant 1, the two inputs, the cell
    outputs and, as far as they are fed back, the output and input gates of the step before.
    """
    J, n = cfg.blocks, cfg.blocks * cfg.cells
    units = n if cfg.cell == "rnn" else 2 * J + n
    shapes = {"W": (units, 3 + n + cfg.fed_back * J), "V": (n,), "c": (1,)}
    if cfg.init == "normal":
        params = {name: rng.normal(0, 0.5, shape) for name, shape in shapes.items()}
    else:
        params = {name: rng.uniform(-0.1, 0.1, shape) for name, shape in shapes.items()}
    if cfg.cell == "rnn":
        params["W"][:, 3:] = np.linalg.qr(rng.normal(size=(n, n)))[0]
    else:
        params["W"][J : 2 * J, 0] += cfg.in_bias
    return {name: p.astype(np.float32) for name, p in params.items()}


def run(cfg: Config, params: dict[str, np.ndarray], x: np.ndarray) -> tuple[np.ndarray, Trace]:
    """Run the net over x (T, 2, B); returns W with gates of its own for every cell, and all activations."""
    E, F = tying(2, cfg.blocks, cfg.cells, 0 if cfg.cell == "rnn" else 2, cfg.fed_back)
    W = E @ params["W"] @ F
    return W, (rnn_forward if cfg.cell == "rnn" else lstm_forward)(W, x, len(params["V"]))


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logistic function of an array of any shape; the tanh form cannot overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def read_out(params: dict[str, np.ndarray], trace: Trace, length: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outputs (B,) after each sequence's last pair, and the cell outputs (n, B) they are read from."""
    y = trace.y[length, :, np.arange(len(length))].T
    return sigmoid(params["V"] @ y + params["c"]), y


def error_and_grad(
    cfg: Config, params: dict[str, np.ndarray], batch: Batch, backward: Callable
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Errors (B,) of the outputs, and the gradient of half their mean square by bptt, truncated or rnn_bptt."""
    W, trace = run(cfg, params, batch.x)
    output, y = read_out(params, trace, batch.length)
    error = (output - batch.target).astype(output.dtype)
    delta = error / len(error) * output * (1 - output)
    dy = np.zeros((len(batch.x), *y.shape), y.dtype)
    dy[batch.length - 1, :, np.arange(len(delta))] = np.outer(delta, params["V"])
    dz = backward(W, trace, dy)
    E, F = tying(2, cfg.blocks, cfg.cells, 0 if cfg.cell == "rnn" else 2, cfg.fed_back)
    return error, {"W": E.T @ weight_grad(dz, trace) @ F.T, "V": y @ delta, "c": delta.sum(keepdims=True)}


def loss_and_grad(cfg: Config, params: dict[str, np.ndarray], batch: Batch) -> tuple[float, dict[str, np.ndarray]]:
    """Half the mean squared error of a batch, and its exact gradient."""
    error, grads = error_and_grad(cfg, params, batch, rnn_bptt if cfg.cell == "rnn" else bptt)
    return float(error @ error) / len(error) / 2, grads


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


def evaluate(cfg: Config, params: dict[str, np.ndarray], test: Batch) -> tuple[dict[str, float], np.ndarray, Trace]:
    """Metrics on test sequences, the outputs (B,) and all activations.

    mse; rmse, its root (what table 8 seems to call MSE); wrong: outputs off by 0.04 or more, as a number out of
    cfg.tests.
    """
    _, trace = run(cfg, params, test.x)
    output, _ = read_out(params, trace, test.length)
    error = output - test.target
    mse, wrong = float((error**2).mean()), float((np.abs(error) >= 0.04).sum() * cfg.tests / len(error))
    return {"mse": mse, "rmse": mse**0.5, "wrong": wrong}, output, trace


def train(cfg: Config, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Train one net, and note when it passes the paper's two checks.

    The checks (section 5.5): fewer than 140, and fewer than 13, of the 2000 latest training sequences were off by 0.04
    or more, each error measured before the update it takes part in. For both, presentations_140 and presentations_13
    are the training sequences until then, wrong_140 and wrong_13 the wrong test sequences at that time.
    """
    init_rng, data_rng, test_rng = rng.spawn(3)
    params, test = init(cfg, init_rng), sample(cfg, test_rng, cfg.tests)
    backward = truncated if cfg.gradient == "truncated" else rnn_bptt if cfg.cell == "rnn" else bptt
    optimizer = Adam(params, beta2=0.99)  # after a long calm, 0.999 lets one larger gradient make a jump
    latest = np.full(2000, np.inf)  # absolute errors of the latest training sequences
    checks = {f"{what}_{limit}": np.inf for limit in (140, 13) for what in ("presentations", "wrong")}
    looks = {cfg.updates * k // cfg.snapshots for k in range(cfg.snapshots)}
    few = Batch(*(part[..., :256] for part in test))  # looks on the way are at some of the sequences

    def look(update: int, test: Batch) -> Snapshot:
        metrics, output, trace = evaluate(cfg, params, test)
        copies = {name: p.copy() for name, p in params.items()}
        state, in_gate = (a[1:, :, :8].copy() for a in (trace.s, kinds(trace.unit, len(params["V"]))[1]))
        return Snapshot(update * cfg.batch, metrics | checks, copies, state, in_gate, test, output)

    for update in range(cfg.updates):
        if update in looks:
            yield look(update, few)
        batch = sample(cfg, data_rng)
        error, grads = error_and_grad(cfg, params, batch, backward)
        latest = np.concatenate((latest, np.abs(error)))[-2000:]
        for limit in (140, 13):
            if np.isinf(checks[f"presentations_{limit}"]) and (latest >= 0.04).sum() < limit:
                checks[f"presentations_{limit}"] = float((update + 1) * cfg.batch)
                checks[f"wrong_{limit}"] = evaluate(cfg, params, test)[0]["wrong"]
        if cfg.optimizer == "adam":
            progress = update / cfg.updates
            rate = cfg.rate * min(1, 1 - 0.98 * (progress - 0.3) / 0.7)  # constant, then linearly down to 2 %
            clip_norm(grads, 1.0)
            optimizer.step(params, grads, rate)
        else:
            for name, grad in grads.items():
                params[name] -= cfg.rate * grad
    yield look(update + 1, test)


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
