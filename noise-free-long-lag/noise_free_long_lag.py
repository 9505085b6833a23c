"""Recalling the first symbol of a noise-free sequence after 100 to 1000 steps with the LSTM cell of 1997.

Paper: S. Hochreiter & J. Schmidhuber, Long Short-Term Memory, Neural Computation 9(8):1735-1780, 1997,
experiment 2, tasks 2a, 2b and 2c (section 5.2, tables 2 and 3).

Task: the last symbol of a sequence repeats the first one (2a, 2b) or the second one (2c), x or y; what lies between
does not matter. 2a: p - 1 symbols that are always the same; the net predicts every next symbol. 2b: p - 1 random
symbols; only the last prediction counts. 2c: q + k random symbols out of p, k >= 0 random, then a trigger e, after
which two outputs tell x from y. A net has learnt the task if no output is ever more than 0.25 off (2c: 0.2).

Method: in 2a and 2b every symbol has direct weights to the outputs, and one memory cell with an input gate carries the
first symbol: its state is a plain sum over time. 2c has two memory blocks of one cell each, fully connected, with the
paper's gradient, which is cut where the error would leave a cell through a gate or a cell input. The controls `rnn_...`
have tanh units in place of memory cells and backpropagation through time.

Differs: cross entropy of logistic outputs in place of the squared error, Adam in place of steepest descent,
mini-batches of 16 in 2c, cell inputs squashed to [-2, 2] in 2a and 2b too, and in 2b an error at the last step only.

Symbols: z net input; in = input gate, g = squashed cell input, s = cell state,
y = what the outputs see; n hidden units, T steps, B sequences. Arrays are (time, unit, sequence) as in memory_cell.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import chain
from typing import NamedTuple

import numpy as np

from bare_cell import bare_errors, bare_forward
from memory_cell import Trace, bptt, lstm_forward, rnn_bptt, rnn_forward, truncated


@dataclass(frozen=True)
class Config:
    task: str = "2a"  # "2a", "2b" or "2c"
    p: int = 100  # 2a, 2b: steps from the first symbol to the last; 2c: number of distractor symbols
    q: int = 100  # 2c: least number of distractors in a sequence
    cell: str = "lstm"  # "lstm": memory cells as the paper has them in this task; "rnn": tanh units
    units: int = 16  # tanh units of the RNN
    recurrent: str = "orthogonal"  # initial recurrent weights of the RNN, or "uniform" like all others
    rate: float = 0.1  # learning rate
    batch: int = 1  # sequences per update
    updates: int = 10000  # most weight updates
    cell_from: int = 300  # 2a, 2b: updates of the direct weights alone before the hidden units begin to learn
    init_range: float = 0.2  # initial weights are uniform on [-init_range, init_range]
    in_bias: float = 0.0  # added to the initial weights from all symbols to the input gates; acts like a bias
    streak: int = 50  # training sequences right in succession before the criterion is checked
    tests: int = 10000  # sequences of the criterion, and test sequences (in 2a there are only two)
    snapshots: int = 20

    def __post_init__(self):
        words = {"task": ("2a", "2b", "2c"), "cell": ("lstm", "rnn"), "recurrent": ("orthogonal", "uniform")}
        for name, allowed in words.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        at_least_1 = dict.fromkeys(("q", "units", "batch", "updates", "streak", "snapshots"), 1)
        for name, least in ({"p": 2, "cell_from": 0, "tests": 2} | at_least_1).items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        for name in ("rate", "init_range"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")


PRESETS: dict[str, dict] = {
    "a_100": {},
    "a_50": {"p": 50},
    "b_100": {"task": "2b", "in_bias": -3.0, "cell_from": 0},
    "c_50": {"task": "2c", "p": 50, "q": 50, "in_bias": -5.0, "rate": 0.02, "batch": 16},
    "c_100": {"task": "2c", "in_bias": -5.0, "rate": 0.02, "batch": 16},
    "c_1000": {"task": "2c", "p": 1000, "q": 1000, "in_bias": -5.0, "rate": 0.02, "batch": 16},
    "rnn_a_4": {"p": 4, "cell": "rnn", "rate": 0.01, "batch": 10, "updates": 6000, "cell_from": 3000},
    "rnn_a_10": {"p": 10, "cell": "rnn", "rate": 0.01, "batch": 10, "updates": 6000, "cell_from": 3000},
    "rnn_c_100": {"task": "2c", "cell": "rnn", "rate": 0.001, "batch": 16, "updates": 2000},
    "rnn_c_uniform": {"task": "2c", "cell": "rnn", "recurrent": "uniform", "rate": 0.001, "batch": 16, "updates": 2000},
    "paper_c_200": {"task": "2c", "p": 200, "q": 200, "in_bias": -5.0, "rate": 0.02, "batch": 16},
    "paper_c_500": {"task": "2c", "p": 500, "q": 500, "in_bias": -5.0, "rate": 0.02, "batch": 16},
    "paper_c_1000_500": {"task": "2c", "p": 500, "q": 1000, "in_bias": -5.0, "rate": 0.02, "batch": 16},
    "paper_c_1000_200": {"task": "2c", "p": 200, "q": 1000, "in_bias": -5.0, "rate": 0.02, "batch": 16},
    "paper_c_1000_100": {"task": "2c", "p": 100, "q": 1000, "in_bias": -5.0, "rate": 0.02, "batch": 16},
    "paper_c_1000_50": {"task": "2c", "p": 50, "q": 1000, "in_bias": -5.0, "rate": 0.02, "batch": 16},
    "paper_rnn_a_100": {"cell": "rnn", "rate": 0.003, "batch": 4, "updates": 8000, "cell_from": 3000},
    "paper_rnn_c_200": {"task": "2c", "p": 200, "q": 200, "cell": "rnn", "rate": 0.001, "batch": 16, "updates": 2000},
    "smoke": {"p": 30},
}

SEEDS = 18

CLAIMS = (
    ("C2", "2a, p = 100: learnt in every trial", "100 % of 18 (table 2)", "min(a_100.solved) == 1"),
    ("C2b", "... after this many sequences", "5,040 (table 2)", "mean(a_100.presentations) <= 5040"),
    ("C1", "... at least in 9 trials of 10", "ours", "mean(a_100.solved) >= 0.9"),
    ("C3", "2a, p = 50: learnt in every trial", "ours", "min(a_50.solved) == 1"),
    ("C3b", "... after this many sequences", "ours", "median(a_50.presentations) <= 2000"),
    ("C4", "2a, p = 100: RNN at chance", "0 % (table 2)", "max(paper_rnn_a_100.accuracy) <= 0.65"),
    ("C5", "2a, p = 4: RNN learns it", "22 to 78 % (table 2)", "mean(rnn_a_4.solved) > 0"),
    ("C5b", "2a, p = 10: RNN fails", "0 % (table 2)", "max(rnn_a_10.solved) == 0"),
    ("C6", "2b, p = 100: learnt in every trial", "always (5.2)", "min(b_100.solved) == 1"),
    ("C6b", "... after this many sequences", "5,680 (5.2)", "mean(b_100.presentations) <= 5680"),
    ("C7", "2c, q = p = 100: learnt by 9 of 10", "ours", "mean(c_100.solved) >= 0.9"),
    ("C7b", "... after this many sequences", "31,000 (table 3)", "mean(c_100.presentations) <= 31000"),
    ("C7c", "2c, q = p = 50: sequences", "30,000 (table 3)", "mean(c_50.presentations) <= 30000"),
    ("C8", "2c, q = p = 1000: learnt by 9 of 10", "ours", "mean(c_1000.solved) >= 0.9"),
    ("C8b", "... after this many sequences", "49,000 (table 3)", "mean(c_1000.presentations) <= 49000"),
    ("C8c", "2c, q = p = 200: sequences", "33,000 (table 3)", "mean(paper_c_200.presentations) <= 33000"),
    ("C8d", "2c, q = p = 500: sequences", "38,000 (table 3)", "mean(paper_c_500.presentations) <= 38000"),
    ("C9", "2c, q = 1000, p = 500: sequences", "49,000 (table 3)", "mean(paper_c_1000_500.presentations) <= 49000"),
    ("C9b", "2c, q = 1000, p = 200: sequences", "75,000 (table 3)", "mean(paper_c_1000_200.presentations) <= 75000"),
    ("C9c", "2c, q = 1000, p = 100: sequences", "135,000 (table 3)", "mean(paper_c_1000_100.presentations) <= 135000"),
    ("C9d", "2c, q = 1000, p = 50: sequences", "203,000 (table 3)", "mean(paper_c_1000_50.presentations) <= 203000"),
    (
        "C9e",
        "2c, q = 1000: p = 50 takes twice as many sequences as p = 500",
        "203,000 / 49,000 (table 3)",
        "mean(paper_c_1000_50.presentations) / mean(paper_c_1000_500.presentations) >= 2",
    ),
    ("C10", "growth, lag 50 to 1000", "1.6 (table 3)", "mean(c_1000.presentations) / mean(c_50.presentations) <= 5"),
    ("C11", "2c, q = p = 100: RNN near chance, orthogonal start", "ours", "max(rnn_c_100.accuracy) <= 0.6"),
    ("C11b", "... small random start", "ours", "max(rnn_c_uniform.accuracy) <= 0.6"),
    ("C11c", "2c, q = p = 200: RNN near chance, orthogonal start", "ours", "max(paper_rnn_c_200.accuracy) <= 0.6"),
    ("O1", "2c, q = p = 1000: wrong on 10,000 test sequences", "ours", "max(c_1000.wrong) <= 0.001"),
)

SMOKE = "solved == 1"


class Snapshot(NamedTuple):
    step: int  # training sequences presented
    metrics: dict[str, float]
    params: dict[str, np.ndarray]
    pair: "Batch"  # two test sequences, the first begins with x, the second with y (2c: second symbol x, y)
    state: np.ndarray  # (T, n, 2) cell states (RNN: hidden units) on them
    output: np.ndarray  # (E, 2, outputs) outputs on them at the steps with a target


# Task

TOLERANCE = {"2a": 0.25, "2b": 0.25, "2c": 0.2}  # how far an output of a right sequence may be off


class Batch(NamedTuple):
    symbols: np.ndarray  # (T, B) indices of symbols; what follows a sequence's e is noise nobody reads
    at: np.ndarray  # (E, B) the steps with a target
    target: np.ndarray  # (E, B) which output must be 1 there; all others must be 0


def symbol_count(cfg: Config) -> int:
    """Size of the alphabet. Its last two symbols are x and y, in 2c preceded by e and b; the others are distractors."""
    return cfg.p + (4 if cfg.task == "2c" else 1)


def sample(cfg: Config, rng: np.random.Generator, key: np.ndarray | None = None) -> Batch:
    """Draw cfg.batch sequences of section 5.2, or one for every entry of `key` (0: x, 1: y)."""
    if key is None:
        key = rng.integers(2, size=cfg.batch)
    B, p = len(key), cfg.p
    if cfg.task == "2c":
        middle = cfg.q + rng.geometric(0.1, size=B) - 1  # q + k distractors, P(k) = 0.1 * 0.9^k
        symbols = rng.integers(p, size=(middle.max() + 3, B))
        end = middle + 2
        symbols[0], symbols[1], symbols[end, np.arange(B)] = p + 1, p + 2 + key, p
        return Batch(symbols, end[None], key[None])
    middle = np.tile(np.arange(p - 1)[:, None], B) if cfg.task == "2a" else rng.integers(p - 1, size=(p - 1, B))
    whole = np.vstack((p - 1 + key, middle, p - 1 + key))
    first = 0 if cfg.task == "2a" else p - 1  # the first step with a target
    return Batch(whole[:-1], np.tile(np.arange(first, p)[:, None], B), whole[first + 1 :])


def test_batches(cfg: Config, rng: np.random.Generator) -> Iterator[Batch]:
    """cfg.tests random sequences in batches of at most 500; in 2a the only two there are."""
    if cfg.task == "2a":
        yield sample(cfg, rng, np.arange(2))
        return
    for done in range(0, cfg.tests, 500):
        yield sample(cfg, rng, np.arange(min(500, cfg.tests - done)) % 2)


# Model


def hidden(cfg: Config) -> tuple[str, int]:
    """Kind and number n of the hidden units: "bare" cells in 2a and 2b, "lstm" blocks in 2c, or "rnn"."""
    return ("rnn", cfg.units) if cfg.cell == "rnn" else ("lstm", 2) if cfg.task == "2c" else ("bare", 1)


def init(cfg: Config, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Weights in float32, none of them a bias: I (symbols, rows) from symbols to units, U (rows, sources) from units to
    units, V (outputs, n) from units to outputs, D (symbols, outputs) from symbols to outputs.

    Rows are the output gates, input gates and cell inputs of the n cells (a bare cell has no output gate), or n tanh
    units. The sources of U are the cell outputs, output gates and input gates, or the tanh units; a bare cell has no U.
    Only 2a and 2b have direct weights D.
    """
    (kind, n), S = hidden(cfg), symbol_count(cfg)
    rows, outputs = {"bare": 2, "lstm": 3, "rnn": 1}[kind] * n, 2 if cfg.task == "2c" else S
    shapes = {"I": (S, rows), "V": (outputs, n)}
    if kind != "bare":
        shapes["U"] = (rows, rows)
    if cfg.task != "2c":
        shapes["D"] = (S, outputs)
    params = {name: rng.uniform(-cfg.init_range, cfg.init_range, shape) for name, shape in shapes.items()}
    if kind != "rnn":
        params["I"][:, -2 * n : -n] += cfg.in_bias
    elif cfg.recurrent == "orthogonal":
        params["U"] = np.linalg.qr(rng.normal(size=(n, n)))[0]
    return {name: p.astype(np.float32) for name, p in params.items()}


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logistic function of an array of any shape; the tanh form cannot overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def run(cfg: Config, params: dict[str, np.ndarray], symbols: np.ndarray) -> tuple[np.ndarray, Trace]:
    """Run the hidden units over symbols (T, B); returns their weights W and all activations.

    A symbol is a one-hot vector, so its weights are looked up, and what they contribute is fed to memory_cell as if it
    were the input, with the identity for a weight matrix.
    """
    drive, (kind, n) = np.ascontiguousarray(params["I"][symbols].transpose(0, 2, 1)), hidden(cfg)
    if kind == "bare":
        return np.empty(0), bare_forward(drive)
    rows = drive.shape[1]
    W = np.hstack((np.zeros((rows, 1)), np.eye(rows), params["U"])).astype(drive.dtype)
    return W, (rnn_forward if kind == "rnn" else lstm_forward)(W, drive, n)


def read_out(params: dict[str, np.ndarray], trace: Trace, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """Outputs (E, B, outputs) at the steps with a target, and the hidden units (E, B, n) they are read from."""
    y = trace.y[batch.at + 1, :, np.arange(batch.at.shape[1])]
    net = y @ params["V"].T
    if "D" in params:
        net += params["D"][np.take_along_axis(batch.symbols, batch.at, axis=0)]
    return sigmoid(net), y


def output_error(output: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Output minus target (E, B, outputs); the target is 1 for one output and 0 for the others."""
    error = output.copy()
    E, B = target.shape
    error[np.arange(E)[:, None], np.arange(B), target] -= 1
    return error


def sum_by_symbol(symbols: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """Row k (of `count`) is the sum of the rows of `values` (..., K) whose entry in `symbols` (...) is k."""
    K = values.shape[-1]
    place = symbols[..., None] * K + np.arange(K)
    return np.bincount(place.ravel(), values.ravel(), count * K).reshape(count, K).astype(values.dtype)


def error_and_grad(
    cfg: Config, params: dict[str, np.ndarray], batch: Batch, backward: Callable
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Errors (E, B, outputs), and the gradient of the mean cross entropy, with hidden errors by `backward`."""
    W, trace = run(cfg, params, batch.symbols)
    output, y = read_out(params, trace, batch)
    error = output_error(output, batch.target)
    delta = error / error.shape[1]
    dy = np.zeros_like(trace.y[1:])
    dy[batch.at, :, np.arange(error.shape[1])] = delta @ params["V"]
    dz = backward(W, trace, dy)
    S = len(params["I"])
    grads = {"I": sum_by_symbol(batch.symbols, dz.transpose(0, 2, 1), S), "V": np.tensordot(delta, y, ((0, 1), (0, 1)))}
    if "U" in params:
        grads["U"] = np.tensordot(dz, trace.source[:-1, -len(W) :], ((0, 2), (0, 2)))
    if "D" in params:
        grads["D"] = sum_by_symbol(np.take_along_axis(batch.symbols, batch.at, axis=0), delta, S)
    return error, grads


def loss_and_grad(cfg: Config, params: dict[str, np.ndarray], batch: Batch) -> tuple[float, dict[str, np.ndarray]]:
    """Cross entropy of the outputs, summed over outputs and steps, mean over sequences, and its exact gradient."""
    backward = {"bare": bare_errors, "lstm": bptt, "rnn": rnn_bptt}[hidden(cfg)[0]]
    error, grads = error_and_grad(cfg, params, batch, backward)
    return -float(np.log1p(-np.abs(error)).sum()) / error.shape[1], grads


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


def evaluate(cfg: Config, params: dict[str, np.ndarray], batches: Iterable[Batch]) -> dict[str, float]:
    """Metrics on test sequences.

    wrong: share with any output farther off than the task allows; error: mean of the output farthest off; accuracy:
    share whose largest output at the end is the right one.
    """
    worst, hit = [], []
    for batch in batches:
        output, _ = read_out(params, run(cfg, params, batch.symbols)[1], batch)
        worst.append(np.abs(output_error(output, batch.target)).max(axis=(0, 2)))
        hit.append(output[-1].argmax(axis=-1) == batch.target[-1])
    worst, hit = np.concatenate(worst), np.concatenate(hit)
    wrong = worst > TOLERANCE[cfg.task]
    return {"wrong": float(wrong.mean()), "error": float(worst.mean()), "accuracy": float(hit.mean())}


def train(cfg: Config, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Train one net until it meets the paper's criterion, or for cfg.updates updates.

    The criterion: cfg.tests fresh sequences in succession right (in 2a: both sequences). It is checked whenever
    cfg.streak training sequences in succession were right, each measured before the update it takes part in.
    Metrics beside those of evaluate: solved, 1 if the criterion was met; presentations, the training sequences until
    then. The test sequences are others than those of the criterion; all are used at the end, the first 500 before.
    """
    init_rng, data_rng, check_rng, unseen_rng = rng.spawn(4)
    params, tests = init(cfg, init_rng), test_batches(cfg, unseen_rng)
    few = next(tests)
    pair = Batch(few.symbols[:, :2].copy(), few.at[:, :2].copy(), few.target[:, :2].copy())
    backward = {"bare": bare_errors, "lstm": truncated, "rnn": rnn_bptt}[hidden(cfg)[0]]
    optimizer = Adam(params)
    presentations, streak = np.inf, 0
    looks = {cfg.updates * k**2 // cfg.snapshots**2 for k in range(cfg.snapshots)}  # denser at first: most stop early

    def look(batches: int, seen: Iterable[Batch]) -> Snapshot:
        metrics = evaluate(cfg, params, seen)
        metrics |= {"solved": float(presentations < np.inf), "presentations": presentations}
        copies = {name: p.copy() for name, p in params.items()}
        trace = run(cfg, params, pair.symbols)[1]
        return Snapshot(batches * cfg.batch, metrics, copies, pair, trace.s[1:], read_out(params, trace, pair)[0])

    for update in range(cfg.updates):
        if update in looks:
            yield look(update, [few])
        batch = sample(cfg, data_rng)
        error, grads = error_and_grad(cfg, params, batch, backward)
        streak = streak + cfg.batch if np.abs(error).max() <= TOLERANCE[cfg.task] else 0
        if streak >= cfg.streak:
            if all(evaluate(cfg, params, [fresh])["wrong"] == 0 for fresh in test_batches(cfg, check_rng)):
                presentations = float((update + 1) * cfg.batch)
                break  # before the update: the net tested is the one that met the criterion
            streak = 0
        if update < cfg.cell_from and "D" in grads:
            grads = {"D": grads["D"]}
        optimizer.step(params, grads, cfg.rate)
    yield look(update + 1, chain([few], tests))


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
