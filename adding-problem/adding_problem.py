"""Adding two marked numbers across a long time lag with the LSTM cell of 1997.

Paper: S. Hochreiter & J. Schmidhuber, Long Short-Term Memory, Neural Computation 9(8):1735-1780, 1997,
experiment 4 (section 5.4, table 7).

Task: a net reads T to 1.1 T pairs (value, mark). Two values in the first half are marked; after the last pair the
net must output 0.5 + (X1 + X2) / 4, so it has to hold two real numbers for T/2 steps or more. A sequence counts as
right if the output is less than 0.04 off.

Method: memory cells without forget gate, in blocks that share an input and an output gate, trained by backpropagation
through time and Adam. The preset `truncated` uses the paper's gradient, which is cut where the error would leave a cell
through a gate or a cell input; `paper_literal` is the paper's whole recipe, with online steepest descent. The control
`rnn` is a tanh RNN with the same data, optimiser and number of updates.

Differs: the headline has the paper's net of 93 weights and its gate biases, but a linear output unit, the exact
gradient, Adam with a falling rate, mini-batches of 16 and normal initial weights; `paper_literal` has none of these
changes.
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
    lag: int = 100  # T, minimal sequence length; the marks are at least T/2 steps before the end
    marks: str = "paper"  # "paper", or "halves": fixed length, one mark in each half (an easier variant)
    cell: str = "lstm"  # "lstm" (1997, no forget gate), "forget" (2000, one cell per block) or "rnn" (tanh units)
    blocks: int = 2  # memory blocks (units of the RNN)
    cells: int = 2  # memory cells per block
    output: str = "linear"  # output unit, "linear" or "sigmoid" (paper)
    gradient: str = "full"  # "full" backpropagation through time or "truncated" as in the paper's appendix
    optimizer: str = "adam"  # "adam", or "sgd": steepest descent with constant rate and no clipping
    rate: float = 0.06  # learning rate
    batch: int = 16  # sequences per update
    updates: int = 3600  # weight updates
    init: str = "normal"  # "normal": N(0, 0.3); "uniform": U[-0.1, 0.1] (paper)
    in_bias: float = -3.0  # bias of the first input gate
    in_bias_step: float = -3.0  # added for every further block (paper: -3, -6)
    stop: str = "never"  # "criterion": stop as soon as the paper's criterion is met
    tests: int = 2560  # test sequences (table 7)
    snapshots: int = 20

    def __post_init__(self):
        words = {
            "marks": ("paper", "halves"),
            "cell": ("lstm", "forget", "rnn"),
            "output": ("linear", "sigmoid"),
            "gradient": ("full", "truncated"),
            "optimizer": ("adam", "sgd"),
            "init": ("normal", "uniform"),
            "stop": ("never", "criterion"),
        }
        for name, allowed in words.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        for name, least in {
            "lag": 24,
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
        if self.gradient == "truncated" and self.cell != "lstm":
            raise ValueError(f"gradient can be truncated for cell lstm only, got cell {self.cell!r}")
        if self.cell == "forget" and self.cells != 1:
            raise ValueError(f"cells must be 1 for cell forget, got {self.cells}")


PRESETS: dict[str, dict] = {
    "lstm": {},
    "rnn": {"cell": "rnn", "blocks": 8, "cells": 1, "rate": 0.01},
    "truncated": {"gradient": "truncated"},
    "forget": {"cell": "forget", "blocks": 4, "cells": 1, "in_bias_step": 0.0, "updates": 4500},
    "halves": {"marks": "halves"},
    "paper_literal": {
        "output": "sigmoid",
        "gradient": "truncated",
        "optimizer": "sgd",
        "rate": 0.5,
        "batch": 1,
        "updates": 250000,
        "init": "uniform",
        "stop": "criterion",
    },
    "paper_linear": {  # paper_literal with a linear output unit
        "gradient": "truncated",
        "optimizer": "sgd",
        "rate": 0.5,
        "batch": 1,
        "updates": 250000,
        "init": "uniform",
        "stop": "criterion",
    },
    "paper_t500": {"lag": 500, "updates": 6000, "in_bias": -4.0},
    "paper_t1000": {"lag": 1000, "updates": 8000, "in_bias": -4.0},
    "smoke": {"lag": 50, "updates": 1000},
}

SEEDS = 10

CLAIMS = (
    ("C4", "T = 100: at most 3 of 2560 wrong in every trial", "never more than 3 (5.4)", "max(lstm.wrong) <= 3"),
    ("C4b", "T = 100: 1 of 2560 wrong", "1 (table 7)", "median(lstm.wrong) <= 1"),
    ("C1", "T = 100: small squared error", "mean error below 0.01 (5.4)", "median(lstm.mse) <= 5.6e-5"),
    ("C2", "T = 100: 13 wrong or fewer, 9 of 10 trials", "ours", "mean(lstm.wrong <= 13) >= 0.9"),
    ("C3", "T = 100: most outputs less than 0.01 off", "ours", "median(lstm.within_001) >= 0.86"),
    ("C5", "T = 100: sequences to the stop criterion", "74,000 (table 7)", "mean(lstm.presentations) <= 74000"),
    ("C6", "T = 500: at most 3 of 2560 wrong", "0 (table 7)", "max(paper_t500.wrong) <= 3"),
    ("C6b", "T = 500: sequences to it", "209,000 (table 7)", "mean(paper_t500.presentations) <= 209000"),
    ("C7", "T = 1000: at most 3 of 2560 wrong", "1 (table 7)", "max(paper_t1000.wrong) <= 3"),
    ("C7b", "T = 1000: sequences to it", "853,000 (table 7)", "mean(paper_t1000.presentations) <= 853000"),
    ("C8", "a tanh RNN stays at chance", "BPTT and RTRL fail at such lags (5.2)", "min(rnn.wrong) >= 1900"),
    ("C9", "stored values hardly drift", "no harmful drift (5.4)", "median(lstm.state_drift) <= 0.01"),
    ("C10", "the truncated gradient suffices", "ours", "mean(truncated.wrong <= 130) >= 0.8"),
    ("O1", "forget gates do no harm, 9 of 10 trials", "ours", "mean(forget.wrong <= 3) >= 0.9"),
    ("O2", "the reference's easier task, its error 4.4e-5", "ours", "max(halves.mse) <= 4.4e-5"),
    ("C11", "the paper's recipe: at most 3 wrong", "never more than 3 (5.4)", "max(paper_literal.wrong) <= 3"),
    ("C11b", "the paper's recipe: sequences", "74,000 (table 7)", "mean(paper_literal.presentations) <= 150000"),
    ("C11c", "with a linear output it meets the criterion", "ours", "max(paper_linear.presentations) <= 250000"),
)

SMOKE = "wrong <= 400"


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
    target: np.ndarray  # (B,) 0.5 + (X1 + X2) / 4


def sample(cfg: Config, rng: np.random.Generator, count: int | None = None) -> Batch:
    """Draw `count` (default cfg.batch) sequences of section 5.4 of the paper, in float32."""
    B, T, each = count or cfg.batch, cfg.lag, np.arange(count or cfg.batch)
    if cfg.marks == "paper":
        length = rng.integers(T, T + T // 10 + 1, size=B)
        first = rng.integers(10, size=B)
        second = rng.integers(T // 2 - 1, size=B)
        second += second >= first  # one of the first T/2 - 1 pairs that are still unmarked
    else:
        length = np.full(B, T)
        first = rng.integers(T // 2, size=B)
        second = rng.integers(T // 2, T, size=B)
    x = np.zeros((T + T // 10, 2, B), dtype=np.float32)
    x[:, 0] = rng.uniform(-1, 1, size=(len(x), B))
    if cfg.marks == "paper":
        x[0, 1] = x[length - 1, 1, each] = -1
    x[first, 1, each] = x[second, 1, each] = 1
    X1, X2 = x[first, 0, each], x[second, 0, each]
    if cfg.marks == "paper":  # a marked first pair counts as 0
        X1, X2 = np.where(first == 0, 0, X1), np.where(second == 0, 0, X2)
    return Batch(x, length, 0.5 + (X1 + X2) / 4)


# Model

GATES = {"lstm": (2, 2), "forget": (3, 0), "rnn": (0, 0)}  # kinds of gates a block has, and how many are fed back


def init(cfg: Config, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Weights W (units, sources), and V (cells), c (1) of the output, in float32.

    Rows of an LSTM's W: output gates, input gates, forget gates if any, cell inputs. Columns: the constant 1, the two
    inputs, the cell outputs and, in the cell of 1997, the output and input gates of the step before.
    """
    J, n = cfg.blocks, cfg.blocks * cfg.cells
    units = {"lstm": 2 * J + n, "forget": 3 * J + n, "rnn": n}[cfg.cell]
    shapes = {"W": (units, 3 + (units if cfg.cell == "lstm" else n)), "V": (n,), "c": (1,)}
    if cfg.init == "normal":
        params = {name: rng.normal(0, 0.3, shape) for name, shape in shapes.items()}
    else:
        params = {name: rng.uniform(-0.1, 0.1, shape) for name, shape in shapes.items()}
    if cfg.cell == "rnn":
        params["W"][:, 3:] = np.linalg.qr(rng.normal(size=(n, n)))[0]
    else:
        params["W"][J : 2 * J, 0] = cfg.in_bias + cfg.in_bias_step * np.arange(J)
    if cfg.cell == "forget":
        params["W"][2 * J : 3 * J, 0] = 5  # remembers from the start
    return {name: p.astype(np.float32) for name, p in params.items()}


def run(cfg: Config, params: dict[str, np.ndarray], x: np.ndarray) -> tuple[np.ndarray, Trace]:
    """Run the net over x (T, 2, B); returns W with gates of its own for every cell, and all activations."""
    E, F = tying(2, cfg.blocks, cfg.cells, *GATES[cfg.cell])
    W = E @ params["W"] @ F
    return W, (rnn_forward if cfg.cell == "rnn" else lstm_forward)(W, x, len(params["V"]))


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logistic function of an array of any shape; the tanh form cannot overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def read_out(
    cfg: Config, params: dict[str, np.ndarray], trace: Trace, length: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Outputs (B,) after each sequence's last pair, and the cell outputs (n, B) they are read from."""
    y = trace.y[length, :, np.arange(len(length))].T
    net = params["V"] @ y + params["c"]
    return sigmoid(net) if cfg.output == "sigmoid" else net, y


def error_and_grad(
    cfg: Config, params: dict[str, np.ndarray], batch: Batch, backward: Callable
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Errors (B,) of the outputs, and the gradient of half their mean square by bptt, truncated or rnn_bptt."""
    W, trace = run(cfg, params, batch.x)
    output, y = read_out(cfg, params, trace, batch.length)
    error = (output - batch.target).astype(output.dtype)
    delta = error / len(error) * (output * (1 - output) if cfg.output == "sigmoid" else 1)
    dy = np.zeros((len(batch.x), *y.shape), y.dtype)
    dy[batch.length - 1, :, np.arange(len(delta))] = np.outer(delta, params["V"])
    dz = backward(W, trace, dy)
    E, F = tying(2, cfg.blocks, cfg.cells, *GATES[cfg.cell])
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

    mse; wrong: outputs off by 0.04 or more, as a number out of cfg.tests; within_001: share less than 0.01 off;
    state_drift: mean |s(t) - s(t-1)| over the unmarked steps of the sequences.
    """
    _, trace = run(cfg, params, test.x)
    output, _ = read_out(cfg, params, trace, test.length)
    error = np.abs(output - test.target)
    step = np.arange(len(test.x))[:, None]
    unmarked = (test.x[:, 1] == 0) & (step < test.length)
    drift = np.abs(np.diff(trace.s, axis=0)).mean(axis=1)[unmarked].mean()
    metrics = {
        "mse": float((error**2).mean()),
        "wrong": float((error >= 0.04).sum() * cfg.tests / len(error)),
        "within_001": float((error < 0.01).mean()),
        "state_drift": float(drift),
    }
    return metrics, output, trace


def train(cfg: Config, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Train one net; `presentations` is the number of sequences seen when the paper's stop criterion was first met.

    The criterion (section 5.4): the mean absolute training error is below 0.01 and the 2000 latest training sequences
    were all right, where each error is measured before the update it causes.
    """
    init_rng, data_rng, test_rng = rng.spawn(3)
    params, test = init(cfg, init_rng), sample(cfg, test_rng, cfg.tests)
    backward = truncated if cfg.gradient == "truncated" else rnn_bptt if cfg.cell == "rnn" else bptt
    optimizer = Adam(params, beta2=0.99)  # after a long calm, 0.999 lets one larger gradient make a jump
    latest, presentations = np.full(2000, np.inf), np.inf  # absolute errors of the latest training sequences
    looks = {cfg.updates * k // cfg.snapshots for k in range(cfg.snapshots)}
    few = Batch(*(part[..., :256] for part in test))  # looks on the way are at some of the sequences

    def look(update: int, test: Batch) -> Snapshot:
        metrics, output, trace = evaluate(cfg, params, test)
        metrics["presentations"] = presentations
        copies = {name: p.copy() for name, p in params.items()}
        state, in_gate = (a[1:, :, :8].copy() for a in (trace.s, kinds(trace.unit, len(params["V"]))[1]))
        return Snapshot(update * cfg.batch, metrics, copies, state, in_gate, test, output)

    for update in range(cfg.updates):
        if update in looks:
            yield look(update, few)
        batch = sample(cfg, data_rng)
        error, grads = error_and_grad(cfg, params, batch, backward)
        if cfg.optimizer == "adam":
            progress = update / cfg.updates
            rate = cfg.rate * min(1, 1 - 0.98 * (progress - 0.3) / 0.7)  # constant, then linearly down to 2 %
            clip_norm(grads, 1.0)
            optimizer.step(params, grads, rate)
        else:
            for name, grad in grads.items():
                params[name] -= cfg.rate * grad
        latest = np.concatenate((latest, np.abs(error)))[-2000:]
        if np.isinf(presentations) and latest.max() < 0.04 and latest.mean() < 0.01:
            presentations = float((update + 1) * cfg.batch)
            if cfg.stop == "criterion":
                break
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
