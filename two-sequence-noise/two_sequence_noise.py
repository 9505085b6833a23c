"""Telling two classes by the first values of a long noisy signal with the LSTM cell of 1997.

Paper: S. Hochreiter & J. Schmidhuber, Long Short-Term Memory, Neural Computation 9(8):1735-1780, 1997,
experiment 3 (section 5.3, tables 4 to 6); task 3a after Y. Bengio, P. Simard & P. Frasconi, 1994.

Task: a net reads T to 1.1 T values. The first N are 1 or -1 and tell the class, all others are noise with variance 0.2
on the same line. After the last value the net says which class it was: 1 or 0 in task 3a; the same in 3b, where the
first values are noisy, too; 0.2 or 0.8 in 3c, which have to be learnt as the expectation of noisy training targets.

Method: three memory cells without forget gate, trained by backpropagation through time and Adam. `truncated` uses the
paper's gradient, cut where the error would leave a cell through a gate or a cell input; `paper_literal` is the paper's
whole recipe, with online steepest descent. The controls are a tanh RNN (`rnn`) and guessed weights (`guess_3a` ...).

Differs: the headline has the paper's net of 102 weights and its start, but cross entropy, the exact gradient, Adam with
a falling rate and mini-batches, and trains on after the stop rule is met. `task3a_n1` and the presets with T = 1000
start with other gate biases, too; `paper_literal` has none of these changes.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np

from memory_cell import Trace, bptt, kinds, lstm_forward, rnn_bptt, rnn_forward, truncated, weight_grad
from noisy_tasks import TASKS, rate_outputs, stop_rules
from weight_guessing import search


@dataclass(frozen=True)
class Config:
    task: str = "3c"  # a key of TASKS
    lag: int = 100  # T, minimal sequence length
    informative: int = 3  # N, first values that tell the class
    method: str = "gradient"  # "gradient", or "guess" the weights of one tanh unit
    cell: str = "lstm"  # "lstm" (1997, no forget gate) or "rnn" (tanh units)
    blocks: int = 3  # memory blocks of one cell each (units of the RNN)
    loss: str = "cross"  # "cross" entropy, or half the "squared" error (paper)
    gradient: str = "full"  # "full" backpropagation through time or "truncated" as in the paper's appendix
    optimizer: str = "adam"  # "adam", or "sgd": steepest descent with constant rate and no clipping
    rate: float = 0.02  # learning rate
    batch: int = 64  # sequences per update
    updates: int = 600  # weight updates; guesses are run on at most updates * batch sequences
    init_range: float = 0.1  # initial weights are uniform on [-init_range, init_range]
    guess_range: float = 100.0  # the same for guessed weights
    in_bias: float = -1.0  # bias of the first input gate
    out_bias: float = -2.0  # bias of the first output gate
    bias_step: float = -2.0  # added to both for every further block (paper: -1, -3, -5 and -2, -4, -6)
    check: int = 640  # sequences between two checks of the stop rules
    stop: str = "never"  # "rule": stop as soon as the stop rule is met (paper)
    tests: int = 2560  # test sequences
    snapshots: int = 20

    def __post_init__(self):
        words = {
            "task": tuple(TASKS),
            "method": ("gradient", "guess"),
            "cell": ("lstm", "rnn"),
            "loss": ("cross", "squared"),
            "gradient": ("full", "truncated"),
            "optimizer": ("adam", "sgd"),
            "stop": ("never", "rule"),
        }
        for name, allowed in words.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        for name in ("informative", "blocks", "batch", "updates", "check", "tests", "snapshots"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.lag < self.informative:
            raise ValueError(f"lag must be at least informative {self.informative}, got {self.lag}")
        for name in ("rate", "init_range", "guess_range"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if self.gradient == "truncated" and self.cell != "lstm":
            raise ValueError(f"gradient can be truncated for cell lstm only, got cell {self.cell!r}")


PRESETS: dict[str, dict] = {
    "task3c": {},
    "task3c_n1": {"informative": 1, "loss": "squared", "rate": 0.05},
    "task3a": {"task": "3a", "batch": 32, "updates": 1000},
    "task3a_n1": {
        "task": "3a",
        "informative": 1,
        "loss": "squared",
        "rate": 0.05,
        "batch": 128,
        "updates": 500,
        "in_bias": -3.0,
        "out_bias": 0.0,
    },
    "task3b": {"task": "3b", "batch": 32},
    "task3b_n1": {"task": "3b", "informative": 1, "loss": "squared", "rate": 0.05, "batch": 32, "updates": 2000},
    "rnn": {"task": "3a", "cell": "rnn", "blocks": 8, "batch": 32, "rate": 0.003, "updates": 1000},
    "truncated": {"gradient": "truncated", "updates": 1000},
    "guess_3a": {"task": "3a", "method": "guess", "updates": 1000},
    "guess_3b": {"task": "3b", "method": "guess", "updates": 4000},
    "guess_3c": {"method": "guess", "updates": 1000},
    "reference": {"task": "reference", "informative": 10},
    "paper_t1000": {
        "task": "3a",
        "lag": 1000,
        "loss": "squared",
        "rate": 0.05,
        "batch": 256,
        "updates": 1500,
        "in_bias": -5.0,
        "out_bias": 0.0,
    },
    "paper_3b_t1000": {
        "task": "3b",
        "lag": 1000,
        "informative": 1,
        "rate": 0.03,
        "batch": 256,
        "updates": 1200,
        "in_bias": -5.0,
        "out_bias": 0.0,
        "stop": "rule",
    },
    "paper_literal": {
        "task": "3a",
        "loss": "squared",
        "gradient": "truncated",
        "optimizer": "sgd",
        "rate": 1.0,
        "batch": 1,
        "updates": 100000,
        "stop": "rule",
    },
    "smoke": {"lag": 50},
}

SEEDS = 10

CLAIMS = (
    ("C1", "3c, N = 3: sequences to the stop rule", "269,650 (table 6)", "mean(task3c.presentations) <= 100000"),
    ("C1b", "3c, N = 3: every trial meets it", "10 of 10 (table 6)", "max(task3c.presentations) <= 269650"),
    ("C2", "3c, N = 3: mean distance to the target", "0.014 (table 6)", "mean(task3c.distance) <= 0.014"),
    ("C2b", "3c, N = 3: share wrong", "0.00558 (table 6)", "mean(task3c.wrong) <= 0.00558"),
    ("C3", "3c, N = 1: sequences to the stop rule", "565,640 (table 6)", "mean(task3c_n1.presentations) <= 565640"),
    ("C3b", "3c, N = 1: share wrong", "0.00441 (table 6)", "mean(task3c_n1.wrong) <= 0.00441"),
    ("C3c", "3c, N = 1: mean distance to the target", "0.012 (table 6)", "mean(task3c_n1.distance) <= 0.012"),
    ("C3d", "3c: truncated gradient suffices", "10 of 10 (table 6)", "mean(truncated.presentations <= 269650) >= 0.8"),
    ("C4", "3a, N = 3: sequences to ST2", "39,850 (table 4)", "mean(task3a.presentations) <= 39850"),
    ("C4b", "3a, N = 3: sequences to ST1", "27,380 (table 4)", "mean(task3a.st1) <= 27380"),
    ("C4c", "3a, N = 1: sequences to ST2", "64,330 (table 4)", "mean(task3a_n1.presentations) <= 64330"),
    ("C5", "3a, N = 3: share wrong", "0.000195 (table 4)", "mean(task3a.wrong) <= 0.000195"),
    ("C5b", "3a, N = 1: share wrong", "0.000117 (table 4)", "mean(task3a_n1.wrong) <= 0.000117"),
    ("C6", "3b, N = 3: sequences to ST2", "43,250 (table 5)", "mean(task3b.presentations) <= 43250"),
    ("C6b", "3b, N = 3: share wrong", "0.00828 (table 5)", "mean(task3b.wrong) <= 0.00828"),
    ("C6c", "3b, N = 1: sequences to ST2", "78,430 (table 5)", "mean(task3b_n1.presentations) <= 78430"),
    ("C6d", "3b, N = 1: share wrong", "0.01500 (table 5)", "mean(task3b_n1.wrong) <= 0.015"),
    ("C6e", "3b, N = 1: right side, at best 0.9873", "ours", "mean(task3b_n1.side) >= 0.985"),
    ("C7", "3a, N = 3, T = 1000: sequences to ST2", "452,460 (table 4)", "mean(paper_t1000.presentations) <= 452460"),
    ("C7b", "3a, N = 3, T = 1000: share wrong", "0.000078 (table 4)", "mean(paper_t1000.wrong) <= 0.000078"),
    ("C8", "3b, N = 1, T = 1000: to ST2", "485,080 (table 5)", "mean(paper_3b_t1000.presentations) <= 485080"),
    ("C8b", "3b, N = 1, T = 1000: share wrong", "0.01207 (table 5)", "mean(paper_3b_t1000.wrong) <= 0.01207"),
    ("C9", "guessing on 3a: fewer than the paper's LSTM", "39,850 (table 4)", "mean(guess_3a.presentations) < 39850"),
    ("C9b", "guessing on 3b: fewer than the paper's LSTM", "43,250 (table 5)", "mean(guess_3b.presentations) < 43250"),
    ("C9c", "... not on 3c", "not quickly solved (5.3)", "min(guess_3c.presentations) > max(task3c.presentations)"),
    ("C9d", "on 3a fewer than our LSTM", "ours", "mean(guess_3a.presentations) < mean(task3a.presentations)"),
    ("C9e", "on 3b fewer than our LSTM", "ours", "mean(guess_3b.presentations) < mean(task3b.presentations)"),
    ("C10", "3a, N = 3: a tanh RNN stays near chance", "ours", "max(rnn.side) <= 0.7"),
    ("C10b", "... in nine of ten trials", "ours", "mean(rnn.side <= 0.7) >= 0.9"),
    ("C11", "the reference's task: all on the right side", "ours", "min(reference.side) >= 1"),
    ("C11b", "the reference's task: its mean distance", "ours", "median(reference.distance) <= 0.0146"),
    ("C12", "the paper's recipe, 3a: to ST2", "39,850 (table 4)", "mean(paper_literal.presentations) <= 60000"),
    ("C12b", "... by nine of ten trials", "10 of 10 (table 4)", "mean(paper_literal.presentations <= 100000) >= 0.9"),
    ("C12c", "... share wrong", "0.000195 (table 4)", "mean(paper_literal.wrong) <= 0.000195"),
)

SMOKE = "distance <= 0.05"


class Snapshot(NamedTuple):
    step: int  # training sequences presented
    metrics: dict[str, float]
    params: dict[str, np.ndarray]
    state: np.ndarray  # (T, n, 2) cell states (RNN: hidden units) on the first test sequence of either class
    in_gate: np.ndarray  # (T, n, 2) input gates on them (RNN: empty)
    answer: np.ndarray  # (T, 2) the output on them, had the sequences ended there
    test: "Batch"  # the test set; in looks on the way the first 256 sequences of it
    output: np.ndarray  # (B,) outputs on them


# Task


class Batch(NamedTuple):
    x: np.ndarray  # (T_max, 1, B) values; what follows a sequence's end is noise nobody reads
    length: np.ndarray  # (B,) number of values
    clean: np.ndarray  # (B,) target of the class, without noise
    target: np.ndarray  # (B,) what the net is trained on


def sample(cfg: Config, rng: np.random.Generator, count: int | None = None) -> Batch:
    """Draw `count` (default cfg.batch) sequences of section 5.3 of the paper, in float32."""
    B, task = count or cfg.batch, TASKS[cfg.task]
    longest = round(task.longest * cfg.lag)
    length = rng.integers(cfg.lag, longest + 1, size=B)
    second = rng.integers(2, size=B)
    x = rng.normal(0, np.sqrt(task.noise_variance), size=(longest, 1, B)).astype(np.float32)
    x[: cfg.informative] = 1 - 2 * second + rng.normal(0, np.sqrt(task.signal_variance), size=(cfg.informative, 1, B))
    clean = np.array(task.targets)[second]
    return Batch(x, length, clean, clean + rng.normal(0, np.sqrt(task.target_variance), size=B))


# Model


def init(cfg: Config, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Weights W (units, sources), and V (cells), c (1) of the output, in float32; an LSTM's output has no bias c.

    Rows of an LSTM's W: output gates, input gates, cell inputs. Columns: the constant 1, the input, the cell outputs,
    the output and input gates of the step before.
    """
    n = cfg.blocks
    units = {"lstm": 3 * n, "rnn": n}[cfg.cell]
    shapes = {"W": (units, 2 + units), "V": (n,)} | ({"c": (1,)} if cfg.cell == "rnn" else {})
    params = {name: rng.uniform(-cfg.init_range, cfg.init_range, shape) for name, shape in shapes.items()}
    if cfg.cell == "rnn":
        params["W"][:, 2:] = np.linalg.qr(rng.normal(size=(n, n)))[0]
    else:
        params["W"][: 2 * n, 0] = np.add.outer((cfg.out_bias, cfg.in_bias), cfg.bias_step * np.arange(n)).ravel()
    return {name: p.astype(np.float32) for name, p in params.items()}


def run(cfg: Config, params: dict[str, np.ndarray], x: np.ndarray) -> Trace:
    """All activations of the net over x (T, 1, B)."""
    return (rnn_forward if cfg.cell == "rnn" else lstm_forward)(params["W"], x, cfg.blocks)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logistic function of an array of any shape; the tanh form cannot overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def read_out(params: dict[str, np.ndarray], trace: Trace, length: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outputs (B,) after each sequence's last value, and the cell outputs (n, B) they are read from."""
    y = trace.y[length, :, np.arange(len(length))].T
    return sigmoid(params["V"] @ y + params.get("c", 0)), y


def error_and_grad(
    cfg: Config, params: dict[str, np.ndarray], batch: Batch, backward: Callable
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Outputs (B,), and the gradient of the mean loss by bptt, truncated or rnn_bptt.

    Cross entropy and half the squared error have nearly the same derivative at the net input of the output: the error,
    for the squared error times the slope of the sigmoid.
    """
    trace = run(cfg, params, batch.x)
    output, y = read_out(params, trace, batch.length)
    error = (output - batch.target).astype(output.dtype)
    delta = error / len(error) * (output * (1 - output) if cfg.loss == "squared" else 1)
    dy = np.zeros((len(batch.x), *y.shape), y.dtype)
    dy[batch.length - 1, :, np.arange(len(delta))] = np.outer(delta, params["V"])
    dz = backward(params["W"], trace, dy)
    grads = {"W": weight_grad(dz, trace), "V": y @ delta, "c": delta.sum(keepdims=True)}
    return output, {name: grads[name] for name in params}


def loss_and_grad(cfg: Config, params: dict[str, np.ndarray], batch: Batch) -> tuple[float, dict[str, np.ndarray]]:
    """Mean loss of a batch, and its exact gradient."""
    o, grads = error_and_grad(cfg, params, batch, rnn_bptt if cfg.cell == "rnn" else bptt)
    if cfg.loss == "squared":
        return float(((o - batch.target) ** 2).mean()) / 2, grads
    return -float((batch.target * np.log(o) + (1 - batch.target) * np.log(1 - o)).mean()), grads


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


def look(cfg: Config, params: dict[str, np.ndarray], test: Batch, step: int, costs: dict[str, float]) -> Snapshot:
    """The net after `step` training sequences, with the metrics of rate_outputs and `costs`."""
    trace = run(cfg, params, test.x)
    output, _ = read_out(params, trace, test.length)
    metrics = rate_outputs(TASKS[cfg.task], output, test.clean) | costs
    two = [int(np.argmax(test.clean == target)) for target in TASKS[cfg.task].targets]
    state, y = trace.s[1:, :, two], trace.y[1:, :, two]
    in_gate = kinds(trace.unit, cfg.blocks)[1][1:, :, two]
    answer = sigmoid(np.tensordot(y, params["V"], (1, 0)) + params.get("c", 0))
    copies = {name: p.copy() for name, p in params.items()}
    return Snapshot(step, metrics, copies, state, in_gate, answer, test, output)


def learn(
    cfg: Config, init_rng: np.random.Generator, data_rng: np.random.Generator
) -> Iterator[tuple[int, dict[str, np.ndarray], dict[str, float]]]:
    """Yield before every update, and at the end, the sequences presented, the weights, and the costs: the sequences
    presented until ST1 and the stop rule, ST2, were first met on 256 fresh ones."""
    params, costs = init(cfg, init_rng), {"st1": np.inf, "presentations": np.inf}
    backward = truncated if cfg.gradient == "truncated" else rnn_bptt if cfg.cell == "rnn" else bptt
    optimizer = Adam(params)
    for update in range(cfg.updates):
        yield update * cfg.batch, params, costs
        _, grads = error_and_grad(cfg, params, sample(cfg, data_rng), backward)
        if cfg.optimizer == "adam":
            progress = update / cfg.updates
            rate = cfg.rate * min(1, 1 - 0.98 * (progress - 0.3) / 0.7)  # constant, then linearly down to 2 %
            clip_norm(grads, 1.0)
            optimizer.step(params, grads, rate)
        else:
            for name, grad in grads.items():
                params[name] -= cfg.rate * grad
        if (update + 1) % max(1, cfg.check // cfg.batch) == 0:
            fresh = sample(cfg, data_rng, 256)
            output, _ = read_out(params, run(cfg, params, fresh.x), fresh.length)
            met = stop_rules(TASKS[cfg.task], output, fresh.clean)
            for rule, is_met in zip(costs, met, strict=True):
                costs[rule] = min(costs[rule], float((update + 1) * cfg.batch) if is_met else np.inf)
            if cfg.stop == "rule" and met[1]:
                break
    yield (update + 1) * cfg.batch, params, costs


def train(cfg: Config, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Train one net, or guess one; the metrics are those of rate_outputs on the test set, and the costs of learn."""
    init_rng, data_rng, test_rng = rng.spawn(3)
    test, budget, due = sample(cfg, test_rng, cfg.tests), cfg.updates * cfg.batch, 0
    few = Batch(*(part[..., :256] for part in test))  # looks on the way are at some of the sequences
    if cfg.method == "guess":
        course = search(init_rng, lambda: sample(cfg, data_rng, 256), TASKS[cfg.task], cfg.guess_range, budget)
        cfg = replace(cfg, cell="rnn", blocks=1, stop="rule")  # the net that is guessed, until it meets the rule
    else:
        course = learn(cfg, init_rng, data_rng)
    for step, params, costs in course:
        last = step == budget or (cfg.stop == "rule" and costs["presentations"] < np.inf)
        if last or step >= due:
            yield look(cfg, params, test if last else few, step, costs)
            due = step + budget / cfg.snapshots


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
