"""Figures of rs_two_sequence: how many guesses it takes, and how the nets found remember."""

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import rs_two_sequence as stub
from latch_net import Weights, step, take

NEEDS = ("a2", "paper_a1_200_searches", "paper_a2_60_searches", "paper_latch_200_searches")


def recorded(preset: str) -> list[dict]:
    """The final metrics of every recorded run of `preset`, in order of seed; a metric that is null was infinite."""
    path = Path(__file__).with_name("runs.jsonl")
    runs = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [
        {name: np.inf if value is None else value for name, value in run["metrics"].items()}
        for run in sorted(runs, key=lambda run: run["seed"])
        if run["preset"] == preset
    ]


def activity(net: Weights, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hidden units (T, hidden, S) and outputs (T, S) of one net with output feedback, on inputs x (T, S)."""
    w = {name: p[..., None, :] for name, p in net.items()}
    h, o = np.zeros((len(net["b"]), x.shape[1], 1)), np.zeros((x.shape[1], 1))
    hidden, outputs = [], []
    for values in x:
        h, o = step(w, values[:, None], h, o)
        hidden.append(h[..., 0])
        outputs.append(o[:, 0])
    return np.array(hidden), np.array(outputs)


def draw_trials(ax: Axes, trials: np.ndarray, paper: float, title: str) -> None:
    """Histogram of the trials of many searches beside the geometric law with their mean."""
    trials = trials[np.isfinite(trials)]
    ax.set(xlabel="trials of a search", ylabel="searches", title=title)
    if not len(trials):
        return
    mean, edges = trials.mean(), np.linspace(0, max(trials.max(), paper), 25)
    ax.hist(trials, edges, color="C0", alpha=0.7)
    law = len(trials) * -np.diff((1 - 1 / mean) ** edges)
    ax.plot((edges[1:] + edges[:-1]) / 2, law, color="C4")
    ax.axvline(mean, color="C0")
    ax.axvline(paper, color="C3", linestyle="--")
    lines = (("C0", f"mean of {len(trials)} searches: {mean:.0f}"), ("C4", "geometric law of this mean"))
    for row, (color, text) in enumerate((*lines, ("C3", f"mean in the paper: {paper:,}"))):
        ax.text(0.98, 0.95 - 0.09 * row, text, color=color, transform=ax.transAxes, ha="right", va="top")


def trials_of_searches(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Trials up to the first success of the three nets."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.6))
    conditions = {
        "paper_a1_200_searches": (1247, "A1, one hidden unit"),
        "paper_a2_60_searches": (718, "A2, ten hidden units"),
        "paper_latch_200_searches": (22, "Latch, three weights"),
    }
    for ax, (preset, (paper, name)) in zip(axes, conditions.items(), strict=True):
        draw_trials(ax, runs[preset][-1].trials, paper, name)
    return figure


def success_density(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Share of random nets that have 100 training sequences right, by the range of their weights."""
    ranges, guesses = (0.3, 1, 3, 10, 30, 100, 300), 10_000
    figure, ax = plt.subplots(figsize=(7.2, 3.8))
    for preset, color, name in (("a1", "C0", "A1"), ("a2", "C4", "A2"), ("latch", "C5", "latch")):
        density = []
        for r in ranges:
            cfg = stub.Config(**{**stub.PRESETS[preset], "weight_range": float(r), "min_length": 50, "max_length": 60})
            train = stub.sample(cfg, np.random.default_rng(0), 100)
            nets = stub.guess(cfg, np.random.default_rng(1), guesses)
            density.append(len(stub.right_nets(cfg, nets, train)) / guesses)
        ax.plot(ranges, np.maximum(density, 1e-4), "o-", color=color)
        ax.text(ranges[-1] * 1.15, max(density[-1], 1e-4), name, color=color, va="center")
    ax.set(xscale="log", yscale="log", xlim=(0.25, 800), ylim=(0.8e-4, 0.3))
    ax.set_yticks((1e-4, 1e-3, 1e-2, 1e-1), labels=("none", "0.001", "0.01", "0.1"))
    ax.set(xlabel="range of the weights (paper: 100)", ylabel="share of nets that solve the task")
    ax.set_title(f"50 to 60 steps, {guesses:,} nets per dot")
    return figure


def search_against_bptt(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Test accuracy of nets trained by backpropagation through time, against the length of the sequences."""
    figure, ax = plt.subplots(figsize=(7.2, 3.8))
    jitter = np.geomspace(0.95, 1.05, stub.SEEDS)
    conditions = {
        "bptt_10": (11, "C1"),
        "bptt_50": (55, "C1"),
        "bptt_500_small": (380, "C7"),
        "bptt_500": (500, "C1"),
        "bptt_500_wide": (650, "C5"),
        "a1_50": (60, "C0"),
        "a1": (520, "C0"),
        "a2": (600, "C0"),
    }
    for preset, (length, color) in conditions.items():
        accuracy = [metrics["test_accuracy"] for metrics in recorded(preset)]
        ax.scatter(length * jitter[: len(accuracy)], accuracy, color=color, s=18, alpha=0.7)
    ax.axhline(0.5, color="C2", linewidth=1)
    ax.text(7.2, 0.51, "chance", color="C2")
    ax.text(180, 0.985, "random search", color="C0", ha="center")
    ax.text(8, 0.85, "BPTT from weights in [-6, 6]", color="C1")
    ax.text(8, 0.79, "in [-0.1, 0.1]", color="C7")
    ax.text(8, 0.73, "in [-100, 100]", color="C5")
    ax.set_xscale("log")
    ax.set(xlabel="length of the sequences", ylabel="test accuracy", xlim=(7, 900), ylim=(0.4, 1.05))
    ax.set_xticks((11, 55, 550), labels=("10 to 12", "50 to 60", "500 to 600"))
    ax.minorticks_off()
    ax.set_title("One dot per seed")
    return figure


def latch_of_a_found_net(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Hidden units and output of the first A2 net found, on two sequences of 500 steps."""
    net = take(runs["a2"][-1].params, [0])
    x = stub.sample(replace(stub.Config(), max_length=500), np.random.default_rng(0), 2).x
    hidden, output = activity(net, x)
    t, figure = np.arange(1, 501), plt.figure(figsize=(9, 4.8))
    axes = figure.subplots(3, 2, sharex=True, height_ratios=(1, 1.4, 1))
    for s, name in enumerate(("First input 1", "First input -1")):
        axes[0, s].plot(t, x[:, s], color="C2", linewidth=0.6)
        axes[0, s].plot(1, x[0, s], "o", color="C2")
        edges = (0.5, 500.5, len(net["b"]) + 0.5, 0.5)
        image = axes[1, s].imshow(hidden[:, :, s].T, aspect="auto", cmap="Blues", vmin=0, vmax=1, extent=edges)
        axes[2, s].plot(t, output[:, s], color="C0")
        axes[0, s].set(ylim=(-1.2, 1.2), title=name)
        axes[1, s].grid(False)
        axes[2, s].set(ylim=(-0.1, 1.1), xlabel="step")
    for ax, name in zip(axes[:, 0], ("input", "hidden unit", "output"), strict=True):
        ax.set_ylabel(name)
    figure.colorbar(image, ax=axes[1, :], label="activation")
    return figure


def weights_of_latches(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Weights of the latches among 20,000 random ones that have all 100 training sequences right."""
    cfg = stub.Config(**{**stub.PRESETS["latch"], "min_length": 50, "max_length": 60})
    nets = stub.guess(cfg, np.random.default_rng(1), 20_000)
    right = take(nets, stub.right_nets(cfg, nets, stub.sample(cfg, np.random.default_rng(0), 100)))
    figure, ax = plt.subplots(figsize=(7.2, 4.6))
    ax.scatter(nets["W"][0, 0, :2000], nets["a"][0, :2000], s=2, color="C2", alpha=0.35, linewidths=0)
    dots = ax.scatter(right["W"][0, 0], right["a"][0], c=right["b"][0], s=10, cmap="coolwarm", vmin=-60, vmax=60)
    figure.colorbar(dots, label="bias b")
    ax.set(xlabel="weight from the unit to itself", ylabel="weight from the input")
    ax.set_title("Latches that work (coloured) among those tried (grey)")
    return figure


FIGURES = (trials_of_searches, success_density, search_against_bptt, latch_of_a_found_net, weights_of_latches)


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
