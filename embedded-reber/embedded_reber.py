"""Predicting the next symbol of an embedded Reber grammar with the LSTM cell of 1997.

Paper: S. Hochreiter & J. Schmidhuber, Long Short-Term Memory, Neural Computation 9(8):1735-1780, 1997,
experiment 1 (section 5.1, table 1); the grammar is that of Cleeremans, Servan-Schreiber & McClelland 1989.

Task: a net reads a random string B o B inner E o E, where o is T or P and B inner E comes from the Reber grammar, and
says after every symbol which ones may come next. For the last o it has to remember the first. A trial has succeeded as
soon as all of 256 training and 256 test strings are right: at every step the k possible next symbols have the k highest
outputs.

Method: memory cells without forget gate, in blocks that share an input and an output gate, trained by backpropagation
through time and Adam until success. The paper's recipe, online steepest descent with a gradient that is cut where the
error would leave a cell through a gate or a cell input, is `paper_literal`. Controls are the same net with all output
gates open, and tanh RNNs.

Differs: the headline has the paper's rule of success, but 8 blocks of 1 cell (the paper's nets are `three_blocks` and
`four_blocks`), softmax outputs with cross entropy, the exact gradient, Adam with a falling rate, mini-batches and
larger initial weights; `paper_literal` has none of these changes.
"""

import argparse
import re
import sys
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from memory_cell import Trace, bptt, lstm_forward, rnn_bptt, rnn_forward, truncated, tying, weight_grad
from reber_grammar import SYMBOLS, Batch, draw_strings, encode


@dataclass(frozen=True)
class Config:
    cell: str = "lstm"  # "lstm" (1997, no forget gate), "no_output_gate" (they are always open) or "rnn" (tanh units)
    blocks: int = 8  # memory blocks (units of the RNN)
    cells: int = 1  # memory cells per block
    output: str = "softmax"  # "softmax" with cross entropy, or "sigmoid" with squared error (paper)
    gradient: str = "full"  # "full" backpropagation through time or "truncated" as in the paper's appendix
    optimizer: str = "adam"  # "adam", or "sgd": steepest descent with constant rate and no clipping
    rate: float = 0.06  # learning rate
    batch: int = 8  # strings per update
    updates: int = 3000  # most weight updates
    check: int = 16  # updates from one look at all strings to the next
    init_range: float = 0.5  # initial weights are uniform on [-init_range, init_range] (paper: 0.2)
    out_bias: float = -1.0  # bias of the first output gate
    out_bias_step: float = -0.5  # added for every further block (paper: -1)
    strings: int = 256  # training strings; there are as many test strings
    fresh: int = 40  # batches of 256 strings that are seen after training only
    snapshots: int = 20

    def __post_init__(self):
        words = {
            "cell": ("lstm", "no_output_gate", "rnn"),
            "output": ("softmax", "sigmoid"),
            "gradient": ("full", "truncated"),
            "optimizer": ("adam", "sgd"),
        }
        for name, allowed in words.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        for name in ("blocks", "cells", "batch", "updates", "check", "strings", "fresh", "snapshots"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("rate", "init_range"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if self.gradient == "truncated" and self.cell == "rnn":
            raise ValueError(f"gradient can be truncated for memory cells only, got cell {self.cell!r}")


PRESETS: dict[str, dict] = {
    "lstm": {},
    "three_blocks": {"blocks": 3, "cells": 2, "init_range": 1.0, "out_bias_step": -1.0},
    "four_blocks": {"blocks": 4, "init_range": 1.0, "out_bias_step": -1.0},
    "no_output_gate": {"cell": "no_output_gate"},
    "three_blocks_open": {"cell": "no_output_gate", "blocks": 3, "cells": 2, "init_range": 1.0},
    "rnn": {"cell": "rnn", "blocks": 22, "rate": 0.01},
    "rnn_small": {"cell": "rnn", "blocks": 11, "init_range": 1.0, "rate": 0.02},
    "paper_literal": {
        "blocks": 3,
        "cells": 2,
        "output": "sigmoid",
        "gradient": "truncated",
        "optimizer": "sgd",
        "rate": 0.5,
        "batch": 1,
        "updates": 24100,
        "check": 100,
        "init_range": 0.2,
        "out_bias_step": -1.0,
    },
    "paper_softmax": {  # paper_literal with softmax outputs and the smallest of the paper's rates
        "blocks": 3,
        "cells": 2,
        "gradient": "truncated",
        "optimizer": "sgd",
        "rate": 0.1,
        "batch": 1,
        "updates": 65000,
        "check": 100,
        "init_range": 0.2,
        "out_bias_step": -1.0,
    },
    "smoke": {"updates": 500},
}

SEEDS = 30

CLAIMS = (
    ("C1", "all 512 strings right in every trial", "100 % of 30 trials (table 1)", "mean(lstm.solved) >= 1"),
    ("C1b", "... after so many strings", "8,440 (table 1)", "mean(lstm.presentations) <= 8440"),
    ("C2", "within 24,000 strings, 9 of 10 trials", "ours", "mean(lstm.presentations <= 24000) >= 0.9"),
    ("C3", "the reference's looser rule is met in every trial", "ours", "mean(lstm.loose_presentations <= 24000) >= 1"),
    ("C3b", "... after so many strings", "ours", "mean(lstm.loose_presentations) <= 4800"),
    ("C4", "the paper's 3 blocks of 2 cells", "100 % of 30 trials (table 1)", "mean(three_blocks.solved) >= 1"),
    ("C4b", "... strings, failures at the budget", "8,440 (table 1)", "mean(three_blocks.presented) <= 8440"),
    ("C5", "the paper's 4 blocks of 1 cell", "97 % of 30 trials (table 1)", "mean(four_blocks.solved) >= 29 / 30"),
    ("C5b", "... strings, failures at the budget", "9,500 (table 1)", "mean(four_blocks.presented) <= 9500"),
    ("C6", "an RNN of 286 weights succeeds less often", "Elman net: 0 % (table 1)", "mean(rnn_small.solved) <= 0.5"),
    ("C6b", "... than memory cells of 276", "ours", "mean(rnn_small.solved) < mean(three_blocks.solved)"),
    ("C6c", "... and one of 814 than 8 cells of 816", "ours", "mean(rnn.solved) < mean(lstm.solved)"),
    ("C7", "slower without output gates", "not fast (5.1)", "median(no_output_gate.presented / lstm.presented) >= 1.5"),
    (
        "C7b",
        "... with the paper's 3 blocks of 2",
        "not fast (5.1)",
        "median(three_blocks_open.presented / three_blocks.presented) >= 1.5",
    ),
    ("C8", "the paper's recipe succeeds", "100 % of 30 trials (table 1)", "mean(paper_literal.solved) >= 0.9"),
    ("C8b", "with softmax outputs, rate 0.1", "100 % of 30 trials (table 1)", "mean(paper_softmax.solved) >= 0.9"),
    ("C8c", "... strings, failures at the budget", "21,730 (table 1)", "mean(paper_softmax.presented) <= 21730"),
    ("C9", "the last o is right in fresh strings", "ours", "median(lstm.fresh_outer) >= 0.99"),
)

SMOKE = "strings_right >= 0.5"


class Snapshot(NamedTuple):
    step: int  # training strings presented
    metrics: dict[str, float]
    params: dict[str, np.ndarray]
    string: str  # the longest test string
    output: np.ndarray  # (T - 1, 7) outputs on it


# Task


def sample(cfg: Config, rng: np.random.Generator) -> Batch:
    """cfg.batch random strings of the embedded Reber grammar."""
    return encode(draw_strings(rng, cfg.batch))


# Model

GATES = {"lstm": (2, 2), "no_output_gate": (2, 2), "rnn": (0, 0)}  # kinds of gates, and how many of them are fed back


def init(cfg: Config, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Weights W (units, 7 + units) of the hidden layer, b of its biases and V (7, cells) of the outputs, in float32.

    Rows of an LSTM's W: output gates, input gates, cell inputs; only the gates have a bias. Columns: the symbols, the
    cell outputs, the output and input gates of the step before. Without output gates their rows and columns are gone.
    """
    J, n = cfg.blocks, cfg.blocks * cfg.cells
    gates = {"lstm": 2 * J, "no_output_gate": J, "rnn": 0}[cfg.cell]
    shapes = {"W": (gates + n, len(SYMBOLS) + n + gates), "b": (gates or n,), "V": (len(SYMBOLS), n)}
    params = {name: rng.uniform(-cfg.init_range, cfg.init_range, shape) for name, shape in shapes.items()}
    if cfg.cell == "rnn":
        params["W"][:, -n:] = np.linalg.qr(rng.normal(size=(n, n)))[0]
    if cfg.cell == "lstm":
        params["b"][:J] = cfg.out_bias + cfg.out_bias_step * np.arange(J)
    return {name: p.astype(np.float32) for name, p in params.items()}


def spread(cfg: Config) -> tuple[np.ndarray, np.ndarray]:
    """Matrices E, F: E [b W] F gives every cell gates of its own, zeros for the output gates if there are none."""
    E, F = tying(len(SYMBOLS), cfg.blocks, cfg.cells, *GATES[cfg.cell])
    if cfg.cell == "no_output_gate":
        first = len(F) - 2 * cfg.blocks
        E, F = E[:, cfg.blocks :], np.delete(F, slice(first, first + cfg.blocks), axis=0)
    return E, F


def run(cfg: Config, params: dict[str, np.ndarray], symbols: np.ndarray) -> tuple[np.ndarray, Trace]:
    """Run the net over symbols (T, B); returns the weights as memory_cell has them, and all activations."""
    n, (E, F) = cfg.blocks * cfg.cells, spread(cfg)
    bias = np.pad(params["b"], (0, len(params["W"]) - len(params["b"])))  # cell inputs have none
    W = E @ np.column_stack((bias, params["W"])) @ F
    if cfg.cell == "no_output_gate":
        W[:n, 0] = 30  # an open gate
    x = (symbols[:, None] == np.arange(len(SYMBOLS))[:, None]).astype(W.dtype)  # one-hot (T, 7, B)
    return W, (rnn_forward if cfg.cell == "rnn" else lstm_forward)(W, x, n)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logistic function of an array of any shape; the tanh form cannot overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def softmax(x: np.ndarray) -> np.ndarray:
    """Softmax over the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def read_out(cfg: Config, params: dict[str, np.ndarray], trace: Trace) -> tuple[np.ndarray, np.ndarray]:
    """Outputs (T, B, 7) after each symbol, and the cell outputs (T, B, n) they are read from."""
    y = trace.y[1:].transpose(0, 2, 1)
    net = y @ params["V"].T
    return sigmoid(net) if cfg.output == "sigmoid" else softmax(net), y


def error_and_grad(
    cfg: Config, params: dict[str, np.ndarray], symbols: np.ndarray, backward: Callable
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Outputs and errors (T - 1, B, 7) on symbols (T, B), and the gradient by bptt, truncated or rnn_bptt.

    The target of a step is the symbol that follows; after the end of a string there is no error. The loss of a string
    is the sum over its steps, that of a batch the mean over its strings. Cross entropy of a softmax and half the
    squared error of sigmoids have nearly the same derivative at the net input: the error, for sigmoids times their
    slope.
    """
    W, trace = run(cfg, params, symbols[:-1])
    output, y = read_out(cfg, params, trace)
    following = symbols[1:, :, None]
    error = (output - (following == np.arange(len(SYMBOLS)))) * (following >= 0)
    delta = error / len(symbols[0]) * (output * (1 - output) if cfg.output == "sigmoid" else 1)
    dz = backward(W, trace, np.ascontiguousarray((delta @ params["V"]).transpose(0, 2, 1)))
    E, F = spread(cfg)
    G = E.T @ weight_grad(dz, trace) @ F.T
    return output, error, {"W": G[:, 1:], "b": G[: len(params["b"]), 0], "V": np.tensordot(delta, y, ((0, 1), (0, 1)))}


def loss_and_grad(cfg: Config, params: dict[str, np.ndarray], batch: Batch) -> tuple[float, dict[str, np.ndarray]]:
    """Loss of a batch, and its exact gradient."""
    backward = rnn_bptt if cfg.cell == "rnn" else bptt
    output, error, grads = error_and_grad(cfg, params, batch.symbols, backward)
    if cfg.output == "sigmoid":
        return float(np.vdot(error, error)) / batch.symbols.shape[1] / 2, grads
    given = batch.symbols[1:, :, None] == np.arange(len(SYMBOLS))
    return -float(np.log(output[given]).sum()) / batch.symbols.shape[1], grads


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


def steps_right(output: np.ndarray, legal: np.ndarray) -> np.ndarray:
    """Whether the k legal symbols have the k highest outputs (T, B); True after the end of a string."""
    return np.where(legal, output, np.inf).min(axis=2) > np.where(legal, -np.inf, output).max(axis=2)


def evaluate(cfg: Config, params: dict[str, np.ndarray], batch: Batch) -> tuple[dict[str, float], bool]:
    """Shares of strings, of steps and of last o that are right, and whether the reference's rule is met.

    That rule asks that the highest output be legal in 999 of 1000 steps and in all steps where the last o comes next.
    """
    output, _ = read_out(cfg, params, run(cfg, params, batch.symbols[:-1])[1])
    right, inside = steps_right(output, batch.legal), batch.symbols[1:] >= 0
    last_o = inside.sum(axis=0) - 2, np.arange(len(inside[0]))  # before the E that ends the string
    metrics = {
        "strings_right": float(right.all(axis=0).mean()),
        "steps_right": float(right[inside].mean()),
        "outer_right": float(right[last_o].mean()),
    }
    legal_first = np.take_along_axis(batch.legal, output.argmax(axis=2)[:, :, None], axis=2)
    return metrics, metrics["outer_right"] == 1 and legal_first[inside].mean() >= 0.999


def fresh_scores(
    cfg: Config, params: dict[str, np.ndarray], rng: np.random.Generator, known: Container[str]
) -> dict[str, float]:
    """Shares of strings and of last o that are right in cfg.fresh batches of 256 strings that are not `known`."""
    strings = draw_strings(rng, 256 * cfg.fresh, known, ahead=10_000)
    strings.sort(key=len)  # batches of strings of like length have few steps
    batches = [encode(strings[k : k + 256]) for k in range(0, len(strings), 256)]
    scores = [evaluate(cfg, params, batch)[0] for batch in batches]
    return {
        f"fresh_{which}": float(np.mean([score[f"{which}_right"] for score in scores]))
        for which in ("strings", "outer")
    }


def train(cfg: Config, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Train one net until all training and test strings are right, or for cfg.updates updates.

    Metrics beside those of evaluate on all these strings: solved (1 or 0); presentations, the training strings until
    success; presented, the same with the budget in place of infinity; loose_presentations, those until the reference's
    rule was met; and, at the end only, fresh_strings and fresh_outer, the shares of strings and of last o
    right among strings that are in neither set.
    """
    init_rng, data_rng, test_rng = rng.spawn(3)
    params = init(cfg, init_rng)
    training = draw_strings(data_rng, cfg.strings)
    test = draw_strings(data_rng, cfg.strings, known=set(training))
    both, length = encode(training + test), np.array([len(string) for string in training])
    backward = truncated if cfg.gradient == "truncated" else rnn_bptt if cfg.cell == "rnn" else bptt
    optimizer, loose, string = Adam(params, beta2=0.99), np.inf, max(test, key=len)
    looks = {cfg.updates * k**2 // cfg.snapshots**2 for k in range(cfg.snapshots)}  # denser at first

    def look(update: int, metrics: dict[str, float], last: bool) -> Snapshot:
        presented, solved = float(update * cfg.batch), metrics["strings_right"] == 1
        metrics |= {"solved": float(solved), "presentations": presented if solved else np.inf, "presented": presented}
        metrics |= {"loose_presentations": loose, "fresh_strings": np.nan, "fresh_outer": np.nan}
        if last:
            metrics |= fresh_scores(cfg, params, test_rng, known={*training, *test})
        copies = {name: p.copy() for name, p in params.items()}
        output, _ = read_out(cfg, params, run(cfg, params, encode([string]).symbols[:-1])[1])
        return Snapshot(update * cfg.batch, metrics, copies, string, output[:, 0])

    for update in range(cfg.updates + 1):
        check = update % cfg.check == 0 or update == cfg.updates
        if check or update in looks:
            metrics, by_reference = evaluate(cfg, params, both)
        if check:
            if by_reference:
                loose = min(loose, float(update * cfg.batch))
            if metrics["strings_right"] == 1 or update == cfg.updates:
                break
        if update in looks:
            yield look(update, metrics, last=False)
        picks = data_rng.integers(cfg.strings, size=cfg.batch)
        _, _, grads = error_and_grad(cfg, params, both.symbols[: length[picks].max(), picks], backward)
        if cfg.optimizer == "adam":
            progress = update / cfg.updates
            rate = cfg.rate * min(1, 1 - 0.98 * (progress - 0.1) / 0.9)  # constant, then linearly down to 2 %
            clip_norm(grads, 10.0)
            optimizer.step(params, grads, rate)
        else:
            for name, grad in grads.items():
                params[name] -= cfg.rate * grad
    yield look(update, metrics, last=True)


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
