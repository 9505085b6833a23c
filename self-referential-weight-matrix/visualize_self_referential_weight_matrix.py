"""Figures of self-referential-weight-matrix: learning with and without writes, and what is written where."""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

import hidden_function as task
import introspective_net as introspective
import self_referential_weight_matrix as stub

NEEDS = ("all16", "all16_no_writes", "all16_outputs_only", "all16_elman", "four", "four_no_writes", "unseen")
NEEDS += ("feedback", "feedback_no_writes", "introspective")
KINDS = ("y", "k", "q", "beta")


def recorded(preset: str) -> list[dict]:
    """The final metrics of every recorded run of `preset`, in order of seed; a metric that is null was infinite."""
    path = Path(__file__).with_name("runs.jsonl")
    runs = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [
        {name: np.inf if value is None else value for name, value in run["metrics"].items()}
        for run in sorted(runs, key=lambda run: run["seed"])
        if run["preset"] == preset
    ]


def truth_table(f: int) -> str:
    """Values of function f at the patterns 00, 01, 10, 11."""
    return "".join(str(f >> p & 1) for p in range(4))


def episodes(snapshot: stub.Snapshot, functions: range, each: int) -> tuple[task.Batch, stub.Trace]:
    """`each` episodes of every function, and what the net does in them."""
    batch = task.draw("all", np.array(functions), each * len(functions), np.random.default_rng(0))
    return batch, stub.run(stub.Config(), snapshot.params, batch)


def learning_curves(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Share of right answers against updates; dotted: the best that is possible without memory."""
    figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.6), sharey=True)
    titles = {
        "all16": ("All 16 functions", 0.5),
        "four": ("Four functions", 0.6875),
        "feedback": ("Feedback only", 0.711),
    }
    for ax, (name, (title, ceiling)) in zip(axes, titles.items(), strict=True):
        curves = [(name, "C0", "all writes"), (f"{name}_no_writes", "C1", "no writes")]
        if name == "all16":
            curves += [
                ("all16_outputs_only", "C4--", "rows of y only"),
                ("all16_elman", "C7", "Elman net (updates / 10)"),
            ]
        for preset, style, label in curves:
            steps = np.array([s.step for s in runs[preset]]) / (10 if preset == "all16_elman" else 1)
            ax.plot(steps, [s.metrics["query_acc"] for s in runs[preset]], style, label=label)
        ax.axhline(ceiling, color="C2", linestyle=":", label="best without memory")
        ax.set(title=title, xlabel="updates", ylim=(0.38, 1.03))
    axes[0].set_ylabel("share of right answers")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def change_by_function(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """What an episode has changed in the second matrix at its end, mean over episodes, for every function."""
    batch, trace = episodes(runs["all16"][-1], range(16), 100)
    change = trace.W[1] - runs["all16"][-1].params["W2"]
    means = [change[batch.f == f].mean(axis=0) for f in range(16)]
    n, most = change.shape[2], np.abs(means).max()
    figure, axes = plt.subplots(2, 8, figsize=(9.6, 5.6), sharex=True, sharey=True)
    for f in range(16):
        ax = axes.flat[f]
        image = ax.imshow(means[f], cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto")
        ax.set_title(truth_table(f), fontsize=10)
        ax.set(xticks=[], yticks=[0, n / 2 + 0.5, 1.5 * n + 0.5, 2 * n + 1], yticklabels=KINDS)
        for row in (0.5, n + 0.5, 2 * n + 0.5):
            ax.axhline(row, color="C3", linewidth=0.5)
        ax.grid(False)
    figure.colorbar(image, ax=axes, label="change of weight", shrink=0.7)
    figure.supylabel("rows of the second matrix")
    return figure


def change_projection(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """The changes of both matrices, one point per episode, in their first two principal components."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.2))
    for ax, snapshot, title in zip(axes, (runs["all16"][0], runs["all16"][-1]), ("Before", "After"), strict=True):
        batch, trace = episodes(snapshot, range(16), 40)
        changes = [(W - W0).reshape(len(W), -1) for W, W0 in zip(trace.W, snapshot.params.values(), strict=True)]
        change = np.concatenate(changes, axis=1)
        change -= change.mean(axis=0)
        xy = change @ np.linalg.svd(change, full_matrices=False)[2][:2].T
        for f in range(16):
            points = xy[batch.f == f]
            ax.plot(*points.T, ".", color=plt.cm.twilight(f / 16), markersize=3, alpha=0.5)
        for f in range(16):
            va = ("bottom", "top")[f % 2]  # functions that differ at the first pattern only may lie close together
            ax.text(*xy[batch.f == f].mean(axis=0), truth_table(f), fontsize=8, ha="center", va=va)
        ax.set(title=f"{title} training", xlabel="first component", ylabel="second component")
    return figure


def write_strength(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """How much every step of an episode changes the two matrices."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
    for ax, layer in zip(axes, (0, 1), strict=True):
        for snapshot, color, label in ((runs["all16"][0], "C2", "untrained"), (runs["all16"][-1], "C0", "trained")):
            _, trace = episodes(snapshot, range(16), 40)
            sizes = [
                np.linalg.norm(s.beta * s.e, axis=1) * np.linalg.norm(s.kq[:, 0], axis=1) for s in trace.layers[layer]
            ]
            ax.plot(range(1, 9), [size.mean() for size in sizes], "o-", color=color, label=label)
        ax.axvspan(0.5, 4.5, color="C6", alpha=0.15, linewidth=0)
        ax.text(0.7, 0.97, "function is shown", transform=ax.get_xaxis_transform(), va="top", fontsize=9)
        ax.text(4.7, 0.97, "function is asked", transform=ax.get_xaxis_transform(), va="top", fontsize=9)
        ax.set(title=("First matrix", "Second matrix")[layer], xlabel="pattern", xlim=(0.5, 8.5))
    axes[0].set(ylabel="length of the change", ylim=(0, 1.15 * axes[0].get_ylim()[1]))
    axes[1].legend(loc="center right")
    return figure


def unseen_functions(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Functions that were left out of training: all recorded seeds, and the four of this seed."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.6), sharey=True)
    final = recorded("unseen")
    for name, style, label in (
        ("query_acc", "C0o", "all four unseen functions"),
        ("worst_function", "C4v", "worst of them"),
    ):
        left.plot([run[name] for run in final], style, label=label)
    left.axhline(0.5, color="C2", linestyle=":", label="best without memory")
    left.set(xlabel="seed", ylabel="share of right answers", ylim=(0.25, 1.03), xticks=range(10), title="All seeds")
    snapshots = runs["unseen"]
    for f, color in zip(np.flatnonzero(np.isfinite(snapshots[-1].by_function)), ("C0", "C4", "C5", "C7"), strict=True):
        right.plot([s.step for s in snapshots], [s.by_function[f] for s in snapshots], color, label=truth_table(f))
    right.set(xlabel="updates", title="Each unseen function, one seed")
    right.legend(loc="lower right")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def introspective_addresses(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """The net of 1993 after training: which connections it reads and changes, at every step of its 8 episodes."""
    cfg = stub.Config(**stub.PRESETS["introspective"])
    net, shown = introspective.layout(cfg.hidden), introspective.all_episodes()
    w = runs["introspective"][-1].params.get("w", np.zeros(len(net.adr)))  # (zeros: another net was trained)
    trace = introspective.run(net, w, shown, cfg.steps, cfg.kappa, 1.0)
    reads, writes = (np.concatenate(rows) for rows in zip(*[(s.g_ana, s.Delta * s.g_mod) for s in trace], strict=True))
    figure, axes = plt.subplots(2, 1, figsize=(9, 5.6), sharex=True)
    most = np.abs(writes).max() + 1e-9
    top = axes[0].imshow(reads, aspect="auto", cmap="Blues", vmin=0, vmax=1)
    bottom = axes[1].imshow(writes, aspect="auto", cmap="RdBu_r", vmin=-most, vmax=most)
    figure.colorbar(top, ax=axes[0], label="share read, g")
    figure.colorbar(bottom, ax=axes[1], label="change, Δ g")
    lengths = np.array([net.h * (introspective.INPUTS + net.h), *(np.array([1, 1, net.m, net.m]) * (net.h + 1))])
    ends, steps = np.cumsum(lengths), [f"{word} {k + 1}" for word in ("shown", "asked") for k in range(cfg.steps)]
    for ax, title in zip(axes, ("Which connections are read", "Which connections are changed"), strict=True):
        ax.grid(False)
        ax.set(title=title, yticks=8 * np.arange(len(steps)) + 3.5, yticklabels=steps)
        for row in range(1, len(steps)):
            ax.axhline(8 * row - 0.5, color="C3", linewidth=0.6)
        for end in ends[:-1]:
            ax.axvline(end - 0.5, color="C3", linewidth=0.6)
    axes[1].set(xticks=ends - lengths / 2 - 0.5, xticklabels=("hidden", "o", "Δ", "ana", "mod"), xlabel="connection to")
    return figure


def seconds_per_step(hidden: int, steps: int) -> float:
    """CPU seconds of one gradient of the net of 1993, divided by its steps (two patterns of `steps` steps)."""
    net, batch = introspective.layout(hidden), introspective.all_episodes()
    w, best = np.random.default_rng(0).normal(0, 0.1, len(net.adr)), np.inf
    for _ in range(10):
        start = time.process_time()
        introspective.loss_and_grad(net, w, batch, steps, 1.0, 1.0)
        best = min(best, time.process_time() - start)
    return best / (2 * steps)


def cost_per_step(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Cost of the gradient of the net of 1993 per step, against the length of an episode and the number of weights."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.8, 3.4))
    lengths = np.array([4, 8, 16, 32, 64])
    left.plot(lengths, [1e6 * seconds_per_step(4, T // 2) for T in lengths], "o-", color="C0")
    left.set(xlabel="steps of an episode", ylabel="CPU time per step (µs)", title="112 connections", ylim=(0, None))
    left.set_xscale("log", base=2)
    sizes = (4, 8, 16, 32, 64, 96)
    work = [len(net.adr) * net.m for net in map(introspective.layout, sizes)]
    cost = [1e6 * seconds_per_step(h, 4) for h in sizes]
    right.loglog(work, cost, "o-", color="C0", label="measured")
    right.loglog(work, cost[-1] * np.array(work) / work[-1], "--", color="C2", label="proportional")
    right.set(xlabel="n_conn log n_conn (address bits)", ylabel="CPU time per step (µs)", title="8 steps")
    right.legend()
    return figure


FIGURES = (learning_curves, change_by_function, change_projection, write_strength, unseen_functions)
FIGURES += (introspective_addresses, cost_per_step)


def main(argv: list[str] | None = None) -> int:
    """Train the conditions in NEEDS and save every figure as <out>/<name of its function>.png."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.error = lambda message: parser.exit(2, f"{parser.prog}: {message} (see --help)\n")
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    parser.add_argument(
        "--preset",
        choices=stub.PRESETS,
        default=next(iter(stub.PRESETS)),
        help="laid over every condition, e.g. smoke for a quick look (default %(default)s)",
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("viz"), help="folder (default viz)")
    args = parser.parse_args(argv)
    style = Path(__file__).parents[1] / "matplotlibrc"
    if style.exists():
        matplotlib.rc_file(style)
    runs = {}
    for name in NEEDS:
        print(f"training {name}, seed {args.seed}", flush=True)
        cfg = stub.Config(**{**stub.PRESETS[name], **stub.PRESETS[args.preset]})
        runs[name] = list(stub.train(cfg, np.random.default_rng(args.seed)))
    args.out.mkdir(parents=True, exist_ok=True)
    for draw in FIGURES:
        path = args.out / f"{draw.__name__}.png"
        draw(runs).savefig(path.with_suffix(".tmp"), format="png")
        os.replace(path.with_suffix(".tmp"), path)
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
