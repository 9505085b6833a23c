"""Figures of two-sequence-noise."""

import argparse
import json
import os
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

import two_sequence_noise as stub
from memory_cell import kinds

NEEDS = ("task3c", "task3c_n1", "task3a", "rnn")
PAPER = {  # sequences to the stop rule (ST2 for 3a and 3b), tables 4 to 6
    "task3a": ("3a, N = 3", 39_850),
    "task3a_n1": ("3a, N = 1", 64_330),
    "paper_t1000": ("3a, N = 3, T = 1000", 452_460),
    "task3b": ("3b, N = 3", 43_250),
    "task3b_n1": ("3b, N = 1", 78_430),
    "paper_3b_t1000": ("3b, N = 1, T = 1000", 485_080),
    "task3c": ("3c, N = 3", 269_650),
    "task3c_n1": ("3c, N = 1", 565_640),
}


def cost_of_every_task(runs: dict[str, list]) -> Figure:
    """Sequences to the stop rule: every recorded seed, the paper's means, and its whole recipe on 3a."""
    figure, axes = plt.subplots(figsize=(7.2, 4))
    for row, (name, (_, paper)) in enumerate(PAPER.items()):
        cost = [metrics["presentations"] for metrics in recorded(name) if np.isfinite(metrics["presentations"])]
        axes.semilogx(
            cost, [row] * len(cost), "C0o", alpha=0.6, label="this folder, one dot a seed" if row == 0 else None
        )
        axes.semilogx(paper, row, "C3x", ms=10, mew=2, label="the paper's mean" if row == 0 else None)
    cost = [metrics["presentations"] for metrics in recorded("paper_literal")]
    axes.semilogx(cost, [0] * len(cost), "C5d", alpha=0.6, label="this folder, the paper's recipe")
    axes.set_yticks(range(len(PAPER)), [label for label, _ in PAPER.values()])
    axes.invert_yaxis()
    axes.set(xlabel="training sequences to the stop rule", title="What the tasks cost", xlim=(800, 1.2e6))
    axes.legend(loc="upper center", bbox_to_anchor=(0.4, -0.16), ncols=3)
    return figure


def outputs_by_class(runs: dict[str, list]) -> Figure:
    """Task 3c: outputs on the test set after training, the noisy targets behind them, and the bands of +-0.1."""
    figure, panels = plt.subplots(2, 1, figsize=(7.2, 4.4), sharex=True)
    last = runs["task3c"][-1]
    for axes, clean, label in zip(panels, (0.2, 0.8), ("class 1, target 0.2", "class 2, target 0.8"), strict=True):
        member, bins = last.test.clean == clean, np.linspace(-0.8, 1.8, 131)
        axes.axvspan(clean - 0.1, clean + 0.1, color="C3", alpha=0.1, lw=0)
        axes.hist(last.test.target[member], bins, color="C2", alpha=0.7)
        axes.hist(last.output[member], bins, color="C0", alpha=0.8)
        axes.set(yscale="log", ylabel="test sequences")
        axes.set_title(label)
    panels[0].text(1.78, 60, "grey: targets with noise\nas in training", color="C2", ha="right")
    panels[0].text(0.33, 300, "blue: outputs", color="C0")
    panels[1].set_xlabel("output after the last value")
    return figure


def distance_to_target(runs: dict[str, list]) -> Figure:
    """Task 3c: mean distance to the noise-free target while training; the rings are the final values of all seeds."""
    figure, axes = plt.subplots()
    for name, label, colour in (("task3c", "N = 3", "C0"), ("task3c_n1", "N = 1", "C4")):
        snapshots = runs[name]
        axes.semilogy(
            [s.step / 1000 for s in snapshots], [s.metrics["distance"] for s in snapshots], colour, label=label
        )
        final = [metrics["distance"] for metrics in recorded(name)]
        axes.semilogy([snapshots[-1].step / 1000] * len(final), final, "o", color=colour, mfc="none", alpha=0.7)
    axes.axhline(0.015, color="C3", ls="--")
    axes.text(0.01, 0.0157, "stop rule, 0.015", transform=axes.get_yaxis_transform())
    axes.axhline(0.3, color="C2", lw=1)
    axes.text(0.99, 0.29, "always 0.5", color="C2", ha="right", va="top", transform=axes.get_yaxis_transform())
    axes.set(xlabel="training sequences (thousands)", ylabel="mean distance to the noise-free target")
    axes.set_title("Learning an expectation from single noisy samples")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0.94))
    return figure


def input_gates(runs: dict[str, list]) -> Figure:
    """Mean input gate of every block against the step, untrained and trained."""
    figure, panels = plt.subplots(1, 2, figsize=(7.2, 3.6), sharey=True)
    for axes, name, title in zip(panels, ("task3c", "task3a"), ("3c, N = 3", "3a, N = 3"), strict=True):
        test = runs[name][-1].test
        for snapshot, style in ((runs[name][0], ":"), (runs[name][-1], "-")):
            cfg = stub.Config(**stub.PRESETS[name])
            trace = stub.run(cfg, snapshot.params, test.x[: test.length.min(), :, :500])
            gate = kinds(trace.unit, cfg.blocks)[1][1:].mean(axis=2)
            for j, colour in enumerate(("C0", "C4", "C5")):
                label = f"block {j + 1}" if style == "-" else None
                axes.semilogx(np.arange(1, len(gate) + 1), gate[:, j], colour + style, label=label)
        axes.axvspan(0.9, 3.5, color="C7", alpha=0.15, lw=0)
        axes.set_xticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
        axes.minorticks_off()
        axes.set(xlabel="step", title=title, xlim=(0.9, 110), ylim=(-0.03, 1.03))
    panels[0].set_ylabel("mean input gate")
    panels[1].legend(loc="center right")
    return figure


def guessing_against_learning(runs: dict[str, list]) -> Figure:
    """Share of the recorded seeds that have met the stop rule, against the sequences that were run."""
    figure, axes = plt.subplots()
    labels = {
        "guess_3a": ("guessing, 3a", "C1", "-"),
        "guess_3b": ("guessing, 3b", "C1", "--"),
        "guess_3c": ("guessing, 3c", "C1", ":"),
        "task3a": ("LSTM, 3a", "C0", "-"),
        "task3b": ("LSTM, 3b", "C0", "--"),
        "task3c": ("LSTM, 3c", "C0", ":"),
    }
    for name, (label, colour, style) in labels.items():
        cost = np.array([metrics["presentations"] for metrics in recorded(name)])
        done = np.sort(cost[np.isfinite(cost)])
        share = np.arange(len(done) + 1) / max(len(cost), 1)
        axes.step([100, *done, 1e5], [*share, share[-1]], colour, ls=style, where="post", label=label)
    axes.set(xscale="log", xlabel="sequences run", ylabel="share of seeds that met the stop rule", ylim=(-0.04, 1.04))
    axes.set_title("N = 3: where guessing wins, and where it cannot")
    axes.legend(loc="upper left")
    return figure


def rnn_forgets(runs: dict[str, list]) -> Figure:
    """Task 3a: share of test sequences on the right side of 0.5 while training, LSTM and tanh RNN."""
    figure, axes = plt.subplots()
    for name, label, colour in (("task3a", "LSTM", "C0"), ("rnn", "tanh RNN", "C1")):
        axes.plot([s.step / 1000 for s in runs[name]], [s.metrics["side"] for s in runs[name]], colour, label=label)
        final = [metrics["side"] for metrics in recorded(name)]
        axes.plot([runs[name][-1].step / 1000] * len(final), final, "o", color=colour, mfc="none", alpha=0.7)
    axes.axhline(0.5, color="C2", lw=1)
    axes.text(0.99, 0.49, "chance", color="C2", ha="right", va="top", transform=axes.get_yaxis_transform())
    axes.set(xlabel="training sequences (thousands)", ylabel="share on the right side of 0.5", ylim=(0.4, 1.03))
    axes.set_title("Task 3a, N = 3: one bit over 100 noisy steps")
    axes.legend(loc="center right")
    return figure


FIGURES = (
    cost_of_every_task,
    outputs_by_class,
    distance_to_target,
    input_gates,
    guessing_against_learning,
    rnn_forgets,
)


def recorded(preset: str) -> list[dict]:
    """The final metrics of every recorded run of `preset`, in order of seed; a metric that is null was infinite."""
    path = Path(__file__).with_name("runs.jsonl")
    runs = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [
        {name: np.inf if value is None else value for name, value in run["metrics"].items()}
        for run in sorted(runs, key=lambda run: run["seed"])
        if run["preset"] == preset
    ]


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
