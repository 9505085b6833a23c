"""A self-referential weight matrix: a net that rewrites all of its own weights, and so learns to learn.

Paper: J. Schmidhuber, A 'self-referential' weight matrix, ICANN-93, Amsterdam, pp. 446-451, 1993. The trainable form:
K. Irie, I. Schlag, R. Csordas, J. Schmidhuber, A modern self-referential weight matrix that learns to modify itself,
ICML 2022 (arXiv 2202.05780).

Task: An episode has a hidden Boolean function of two bits. It is shown at the four patterns, then asked at the four.
All activations are reset before every pattern, so what was shown can only be in the weights. Variants: functions never
seen in training; no labels, only the news whether the last guess was right.

Method: A matrix W computes, besides its outputs y, a key k, a query q and a write strength beta, and by these rewrites
itself, including the rows that compute k, q and beta. Two such layers are stacked. Gradient descent through all
rewrites finds their initial matrices; there are no other weights. introspective_net.py is the net of 1993.

Differs: The paper of 1993 has no experiment that we know of; the tasks are ours. Two layers of 12 outputs and 1 output
without slow embeddings, normalisation or feedforward blocks in between; one beta for all rows (2022: four).

Symbols: x input of a layer, u = phi(x) its features, n of them; W (R, n) with R = outputs + 2 n + 1 rows;
[y, k, q, b] = W u; e = W (phi(q) - phi(k)); W' = W + sigmoid(b) e phi(k)^T; T patterns in an episode, B episodes.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np

import elman_control as elman
import hidden_function as task
import introspective_net as introspective
from introspective_net import sigmoid

GAIN = 4  # from the last layer's output to a logit


@dataclass(frozen=True)
class Config:
    net: str = "srwm"  # "srwm" (2022), "introspective" (1993, with a task of its own) or "elman" (a recurrent control)
    task: str = "all"  # "all" 16 functions, "four" of them, "unseen" (12 to learn, 4 to test), "feedback" (on the four)
    writes: str = "all"  # what an episode changes: "all" weights, the rows of the "outputs" y, or "none"
    hidden: int = 12  # outputs of the first layer (other nets: hidden units)
    sharpness: float = 3.0  # phi(x) = softmax(sharpness x)
    steps: int = 2  # introspective: steps per pattern
    kappa: float = 16.0  # introspective: sharpness of g(d) = exp(-kappa d^2) at the end
    kappa_start: float = 0.3  # introspective: and at the start; it grows exponentially until 60 % of the updates
    batch: int = 48  # episodes per update (introspective: all 8 there are)
    updates: int = 800  # weight updates
    rate: float = 0.02  # of Adam; falls linearly to 0 in the second half of the updates
    tests: int = 1200  # test episodes
    snapshots: int = 20  # about how many looks at the run

    def __post_init__(self) -> None:
        words = {
            "net": ("srwm", "introspective", "elman"),
            "task": ("all", "four", "unseen", "feedback"),
            "writes": ("all", "outputs", "none"),
        }
        for name, allowed in words.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        for name, low in {"hidden": 1, "steps": 1, "batch": 1, "updates": 1, "tests": 16, "snapshots": 1}.items():
            if getattr(self, name) < low:
                raise ValueError(f"{name} must be at least {low}, got {getattr(self, name)}")
        for name in ("sharpness", "kappa", "kappa_start", "rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if self.net == "introspective" and self.writes == "outputs":
            raise ValueError("writes must be all or none for net introspective, got 'outputs'")
        if self.net == "elman" and self.task == "feedback":
            raise ValueError("task must be all, four or unseen for net elman, got 'feedback'")


PRESETS: dict[str, dict] = {
    "all16": {},
    "all16_no_writes": {"writes": "none"},
    "all16_outputs_only": {"writes": "outputs"},
    "all16_elman": {"net": "elman", "hidden": 20, "updates": 8000, "rate": 0.005},
    "four": {"task": "four"},
    "four_no_writes": {"task": "four", "writes": "none"},
    "unseen": {"task": "unseen"},
    "feedback": {"task": "feedback", "updates": 1500},
    "feedback_no_writes": {"task": "feedback", "updates": 1500, "writes": "none"},
    "introspective": {"net": "introspective", "hidden": 4, "updates": 2000, "rate": 0.01},
    "introspective_no_writes": {"net": "introspective", "hidden": 4, "updates": 2000, "rate": 0.01, "writes": "none"},
    "smoke": {"task": "four", "updates": 400},
}

SEEDS = 10

CLAIMS = (
    ("C3", "16 functions, right answers", "few-shot learning (2022)", "mean(all16.query_acc >= 0.995) >= 0.9"),
    ("C4", "the same without writes, at most: guessing is 0.5", "ours", "max(all16_no_writes.query_acc) <= 0.54"),
    ("C4b", "at least", "ours", "min(all16_no_writes.query_acc) >= 0.46"),
    ("C1", "4 functions", "ours", "min(four.query_acc) >= 0.999"),
    ("C2", "the same without writes, at most: 0.6875 is possible", "ours", "max(four_no_writes.query_acc) <= 0.7"),
    ("C2b", "at least", "ours", "min(four_no_writes.query_acc) >= 0.64"),
    ("C5", "functions never seen in training", "few-shot learning (2022)", "median(unseen.query_acc) >= 0.9"),
    ("C6", "share of weights that an episode changes", "in reach (1993)", "min(all16.reach) >= 0.99"),
    ("C6b", "relative change of rows that write: key", "these included (1993)", "min(all16.change_k) >= 0.01"),
    ("C6c", "query", "these included (1993)", "min(all16.change_q) >= 0.01"),
    ("C6d", "write strength", "these included (1993)", "min(all16.change_beta) >= 0.01"),
    ("C7", "better than rewriting y's rows only", "ours", "median(all16.query_acc - all16_outputs_only.query_acc) > 0"),
    ("C8", "no labels, only news of errors", "errors as inputs (1993)", "mean(feedback.query_acc >= 0.9) >= 0.7"),
    ("C8b", "without writes: 0.711 is possible", "ours", "max(feedback_no_writes.query_acc) <= 0.72"),
    ("C9", "net of 1993 on its task of 1 bit", "possible (1993)", "mean(introspective.query_acc >= 0.95) >= 0.5"),
    ("C9b", "the same without writes", "ours", "max(introspective_no_writes.query_acc) <= 0.55"),
    ("C9c", "writes: the largest peak / all", "ours", "median(introspective.write_focus) >= 0.5"),
    ("C10", "gradient, form of 2022: relative error", "exact gradient (1993)", "max(all16.gradient_error) <= 1e-6"),
    ("C10b", "net of 1993", "exact gradient (1993)", "max(introspective.gradient_error) <= 1e-6"),
    ("C12", "an Elman net that keeps its activations", "ours", "mean(all16_elman.query_acc >= 0.95) >= 0.5"),
)

SMOKE = "query_acc >= 0.97"


class Snapshot(NamedTuple):
    step: int  # updates
    metrics: dict[str, float]
    params: dict[str, np.ndarray]
    by_function: np.ndarray  # (16,) share of right answers for every function, nan if it is not tested


# Task


def sample(
    cfg: Config, rng: np.random.Generator, functions: np.ndarray | None = None, count: int | None = None
) -> task.Batch | introspective.Episodes:
    """`count` (default cfg.batch) episodes of some functions (default: those of the task that one learns from)."""
    if cfg.net == "introspective":
        return introspective.all_episodes()
    functions = task.split(cfg.task, rng)[0] if functions is None else functions
    return task.draw(cfg.task, functions, count or cfg.batch, rng)


# Model: a layer that rewrites itself


def softmax(x: np.ndarray) -> np.ndarray:
    """Softmax over the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_back(p: np.ndarray, dp: np.ndarray) -> np.ndarray:
    """Gradient by the argument of p = softmax(...), from that by p."""
    return p * (dp - (dp * p).sum(axis=-1, keepdims=True))


class Rewrite(NamedTuple):
    W: np.ndarray  # (B, R, n) the matrix before it
    u: np.ndarray  # (B, n) features of the input
    kq: np.ndarray  # (B, 2, n) features of the key and of the query
    beta: np.ndarray  # (B, 1) write strength
    e: np.ndarray  # (B, R) what is written: W q - W k


def rewrite(W: np.ndarray, u: np.ndarray, sharpness: float, open_rows: np.ndarray) -> tuple:
    """Outputs y (B, outputs), the next matrix, and how it came about.

    open_rows: (R,) 1 where an episode may change the matrix.
    """
    B, n = u.shape
    o = (W @ u[:, :, None])[..., 0]
    y, beta = o[:, : -2 * n - 1], sigmoid(o[:, -1:])
    kq = softmax(sharpness * o[:, -2 * n - 1 : -1].reshape(B, 2, n))
    e = open_rows * (W @ (kq[:, 1] - kq[:, 0])[:, :, None])[..., 0]
    return y, W + np.einsum("br,bn->brn", beta * e, kq[:, 0]), Rewrite(W, u, kq, beta, e)


def rewrite_back(
    s: Rewrite, sharpness: float, open_rows: np.ndarray, dy: np.ndarray, dW: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Gradients by u and by W, from those by y and by the next matrix, dW."""
    k, q = s.kq[:, 0], s.kq[:, 1]
    dW_k = (dW @ k[:, :, None])[..., 0]
    a = open_rows * s.beta * dW_k  # by W q - W k
    dq = (a[:, None] @ s.W)[:, 0]
    dk = s.beta * (s.e[:, None] @ dW)[:, 0] - dq
    db = (s.e * dW_k).sum(axis=1, keepdims=True) * s.beta * (1 - s.beta)
    dkq = sharpness * softmax_back(s.kq, np.stack([dk, dq], axis=1))
    do = np.concatenate([dy, dkq.reshape(len(dy), -1), db], axis=1)
    return (do[:, None] @ s.W)[:, 0], dW + np.stack([a, do], axis=2) @ np.stack([q - k, s.u], axis=1)


# Model: two of them


def init(cfg: Config, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Initial weights: N(0, 1), in float32 (introspective: N(0, 1/4), in float64; elman: see there)."""
    if cfg.net == "introspective":
        return {"w": rng.normal(0, 0.5, len(introspective.layout(cfg.hidden).adr))}
    H, n = cfg.hidden, task.INPUTS
    if cfg.net == "elman":
        return elman.init(H, n, rng)
    shapes = {"W1": (H + 2 * n + 1, n), "W2": (1 + 2 * H + 1, H)}
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


class Trace(NamedTuple):
    z: np.ndarray  # (T, B) answers as logits
    layers: tuple[list[Rewrite], list[Rewrite]]  # of T rewrites
    W: tuple[np.ndarray, np.ndarray]  # the matrices after the episode


def open_rows(cfg: Config, params: dict[str, np.ndarray]) -> list[np.ndarray]:
    """For both layers, 1 for the rows that an episode may change, 0 for the others."""
    masks = []
    for W, outputs in zip(params.values(), (cfg.hidden, 1), strict=True):
        rows = {"all": len(W), "outputs": outputs, "none": 0}[cfg.writes]
        masks.append((np.arange(len(W)) < rows).astype(W.dtype))
    return masks


def run(cfg: Config, params: dict[str, np.ndarray], batch: task.Batch) -> Trace:
    """Present all patterns of all episodes. From one pattern to the next only the two matrices are kept."""
    c, rows, x = cfg.sharpness, open_rows(cfg, params), batch.x.astype(params["W1"].dtype)
    W1, W2 = (np.broadcast_to(W, (x.shape[1], *W.shape)) for W in (params["W1"], params["W2"]))
    z, first, second = np.zeros(x.shape[:2], x.dtype), [], []
    for t in range(len(x)):
        hidden, W1, s1 = rewrite(W1, softmax(c * x[t]), c, rows[0])
        out, W2, s2 = rewrite(W2, softmax(c * hidden), c, rows[1])
        z[t] = GAIN * out[:, 0]
        first.append(s1)
        second.append(s2)
        if cfg.task == "feedback" and t + 1 < len(x):  # all that the net hears: was the guess right?
            task.give_feedback(x[t + 1], task.is_right(z[t], batch.y[t]))
    return Trace(z, (first, second), (W1, W2))


def loss_and_grad(cfg: Config, params: dict[str, np.ndarray], batch: task.Batch) -> tuple[float, dict[str, np.ndarray]]:
    """Cross-entropy of the answers, and its gradient by the initial weights, through all rewrites.

    The net does not see through its own guesses: what they cause is an input like others.
    """
    if cfg.net == "introspective":
        net, writes = introspective.layout(cfg.hidden), float(cfg.writes == "all")
        loss, grad = introspective.loss_and_grad(net, params["w"], batch, cfg.steps, cfg.kappa, writes)
        return loss, {"w": grad}
    if cfg.net == "elman":
        z, saw, became = elman.run(params, batch.x)
        loss, dz = task.cross_entropy(z, batch.y)
        return loss, elman.back(params, saw, became, dz)
    c, rows, trace = cfg.sharpness, open_rows(cfg, params), run(cfg, params, batch)
    loss, dz = task.cross_entropy(trace.z, batch.y)
    dW1, dW2 = (np.zeros_like(W) for W in trace.W)
    for t in reversed(range(len(dz))):
        s1, s2 = (layer[t] for layer in trace.layers)
        du, dW2 = rewrite_back(s2, c, rows[1], GAIN * dz[t][:, None], dW2)
        _, dW1 = rewrite_back(s1, c, rows[0], c * softmax_back(s2.u, du), dW1)
    return loss, {"W1": dW1.sum(axis=0), "W2": dW2.sum(axis=0)}


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


def annealed(cfg: Config, update: int) -> Config:
    """The net of 1993 starts with wide peaks, as sharp ones give no gradient; other nets do not use kappa."""
    progress = min(1.0, update / (0.6 * cfg.updates))
    return replace(cfg, kappa=cfg.kappa_start * (cfg.kappa / cfg.kappa_start) ** progress)


def gradient_error(cfg: Config, params: dict[str, np.ndarray], batch: task.Batch, rng: np.random.Generator) -> float:
    """Largest difference to central differences along 5 random directions, in float64, over the gradient's length."""
    params = {name: p.astype(float) for name, p in params.items()}
    _, grads = loss_and_grad(cfg, params, batch)
    errors, length = [], np.sqrt(sum((g**2).sum() for g in grads.values()))
    for _ in range(5):
        d = {name: rng.normal(size=p.shape) for name, p in params.items()}
        moved = [{name: p + h * d[name] for name, p in params.items()} for h in (1e-6, -1e-6)]
        up, down = (loss_and_grad(cfg, p, batch)[0] for p in moved)
        errors.append(abs(sum(np.vdot(grads[name], d[name]) for name in d) - (up - down) / 2e-6) / length)
    return float(max(errors))


def reach(params: dict[str, np.ndarray], trace: Trace) -> dict[str, float]:
    """What an episode changed; each number is the smallest over both layers, reach also over the kinds of rows.

    reach: share of entries whose float32 value differs after it; change_y, _k, _q, _beta: Euclidean length of the
    difference over that of the initial weights of these rows, mean over episodes.
    """
    shares, changes = [], []
    for W0, W in zip(params.values(), trace.W, strict=True):
        n = W0.shape[1]
        for rows in np.split(np.arange(len(W0)), [len(W0) - 2 * n - 1, len(W0) - n - 1, len(W0) - 1]):
            difference = W[:, rows] - W0[rows]
            shares.append((difference != 0).mean())
            changes.append(np.linalg.norm(difference, axis=(1, 2)).mean() / np.linalg.norm(W0[rows]))
    smaller = np.min(np.reshape(changes, (2, 4)), axis=0)
    by_rows = {f"change_{rows}": float(c) for rows, c in zip(("y", "k", "q", "beta"), smaller, strict=True)}
    return {"reach": float(min(shares))} | by_rows


def evaluate(cfg: Config, params: dict[str, np.ndarray], test: task.Batch) -> tuple[dict[str, float], np.ndarray]:
    """Metrics on test episodes, and the share of right answers for each of the 16 functions (nan: not tested).

    query_acc: share of right answers; worst_function: the same for the function with the fewest.
    """
    by_function = np.full(16, np.nan)
    if cfg.net == "introspective":
        net, writes = introspective.layout(cfg.hidden), float(cfg.writes == "all")
        return introspective.evaluate(net, params["w"], test, cfg.steps, cfg.kappa, writes), by_function
    if cfg.net == "elman":
        z, extra = elman.run(params, test.x)[0], {}
    else:
        trace = run(cfg, params, test)
        z, extra = trace.z, reach(params, trace)
    right = task.is_right(z, test.y)[-task.ASKED :].mean(axis=0)
    for f in np.unique(test.f):
        by_function[f] = right[test.f == f].mean()
    scores = {"query_acc": float(right.mean()), "worst_function": float(np.nanmin(by_function))}
    return scores | extra, by_function


def train(cfg: Config, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Train the initial weights of one net."""
    init_rng, data_rng, test_rng = rng.spawn(3)
    params = init(cfg, init_rng)
    seen, tested = task.split(cfg.task, init_rng)
    test = sample(cfg, test_rng, tested, cfg.tests)
    few = test if cfg.net == "introspective" else task.first(test, 240)  # for looks on the way
    constant = {"gradient_error": gradient_error(annealed(cfg, 0), params, sample(cfg, init_rng, seen), init_rng)}
    adam = Adam(params)
    looks = {cfg.updates * k // cfg.snapshots for k in range(cfg.snapshots)}
    for update in range(cfg.updates + 1):
        if update in looks or update == cfg.updates:
            metrics, by_function = evaluate(annealed(cfg, update), params, test if update == cfg.updates else few)
            copies = {name: p.copy() for name, p in params.items()}
            yield Snapshot(update, metrics | constant, copies, by_function)
        if update < cfg.updates:
            _, grads = loss_and_grad(annealed(cfg, update), params, sample(cfg, data_rng, seen))
            clip_norm(grads, 1.0)
            adam.step(params, grads, cfg.rate * min(1.0, 2 * (1 - update / cfg.updates)))


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
