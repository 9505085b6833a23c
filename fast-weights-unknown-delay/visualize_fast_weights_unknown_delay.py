"""Figures of fast_weights_unknown_delay: how fast systems learn, what they learn, and how long a pattern is kept."""

import argparse
import os
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import fast_weights_unknown_delay as stub

NEEDS = ("direct", "direct_plain", "fromto", "fromto_plain", "recall", "recall_ungated", "recall_rnn")
EVENTS = ("A", "B", "C")


def steps_to_solution(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Share of the systems that have solved the task, against steps, for both architectures and both rules."""
    figure, axes = plt.subplots(1, 2, sharey=True, figsize=(8.6, 3.8))
    rows = ((axes[0], "direct", 300, "One output per fast weight"), (axes[1], "fromto", 800, "FROM/TO: outer product"))
    for ax, preset, paper, title in rows:
        longest = 5 * paper
        for name, color, label, height in (
            (preset, "C0", "clipped", 1.03),
            (f"{preset}_plain", "C1", "plain rule", 0.72),
        ):
            solved_at = runs[name][-1].solved_at
            solved_at = np.sort(solved_at[solved_at <= longest])
            share = np.arange(len(solved_at) + 1) / len(runs[name][-1].solved_at)
            ax.step([0, *solved_at, longest], [*share, share[-1]], where="post", color=color)
            ax.text(0.97 * longest, height, label, color=color, ha="right", va="bottom", fontsize=9)
        ax.axvline(paper, color="C3", linestyle="--", linewidth=1)
        ax.text(1.06 * paper, 0.04, f"paper: within {paper}", fontsize=9)
        ax.set(xlabel="steps, the 100 right answers included", title=title, ylim=(0, 1.15), xlim=(0, longest))
    axes[0].set_ylabel("share of systems that solved the task")
    return figure


def push(ax: Axes, w: float, D: float, color: str, text: str, side: float) -> None:
    """An arrow from weight w to what one event makes of it: along to w + D, then up or down to sig(w + D)."""
    ax.plot([w, w + D, w + D], [w, w, stub.sig(w + D)], color=color)
    ax.plot(w + D, stub.sig(w + D), "o", color=color)
    ax.text(w + D / 2, w + side, text, color=color, ha="center", va="center", fontsize=9)


def stable_weights(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """The map w -> sig(w), and where A and B push the fast weight from B; slow weights are medians over systems."""
    S = np.median(runs["direct"][-1].params["S"], axis=0)
    figure, ax = plt.subplots(figsize=(7.2, 4.6))
    z = np.linspace(-1.9, 2.5, 400)
    ax.plot(z, stub.sig(z), color="C2", label="sig(z)")
    ax.plot([0, 1], [0, 1], color="C3", linewidth=1, linestyle=":", label="w")
    low, high = 0.0072, 0.9928
    ax.plot([low, high], [low, high], "s", color="C3", label="held by sig when nothing is added")
    ax.plot(0.5, 0.5, "s", markerfacecolor="white", markeredgecolor="C3", label="not held")
    push(ax, low, S[stub.B, stub.A], "C0", "A adds to it", -0.06)
    push(ax, high, S[stub.B, stub.B], "C1", "B takes from it", 0.06)
    ax.text(1.3, 0.5, f"C adds {S[stub.B, stub.C]:+.2f}:\nit stays where it is", color="C4", fontsize=9)
    ax.set(xlabel="z = w + D", ylabel="next w", title="The fast weight from B as a switch (medians over systems)")
    ax.legend(loc="upper left", bbox_to_anchor=(0, 0.8))
    ax.set_ylim(-0.15, 1.15)
    return figure


def slow_weights(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Slow weights at the end, medians over the systems that solved the task."""
    figure, axes = plt.subplots(1, 2, figsize=(7.8, 3.9), width_ratios=(3, 4))
    titles = ("Changes of w, direct", "FROM and TO")
    rows = ([f"w_{event}" for event in EVENTS], [*(f"FROM_{event}" for event in EVENTS), "TO"])
    for ax, preset, title, names in zip(axes, ("direct", "fromto"), titles, rows, strict=True):
        last = runs[preset][-1]
        S = last.params["S"][np.isfinite(last.solved_at)]
        if preset == "fromto" and S.shape[1] == 4:  # FROM and TO may both change their signs
            S = S * np.sign(S[:, [3], stub.A])[:, None]
        S = np.median(S, axis=0)
        image = ax.imshow(S, cmap="RdBu_r", vmin=-1, vmax=1)
        for (i, j), value in np.ndenumerate(S):
            ax.text(j, i, f"{value:.2f}", ha="center", va="center", color="white" if abs(value) > 0.6 else "black")
        ax.set(xticks=range(3), xticklabels=EVENTS, yticks=range(len(S)), yticklabels=names[: len(S)], title=title)
        ax.set_xlabel("event that S sees")
        ax.grid(False)
    figure.colorbar(image, ax=axes, label="slow weight (median)")
    return figure


RECALL = (("recall", "C0", "fast weights"), ("recall_ungated", "C4", "without gate"), ("recall_rnn", "C1", "Elman net"))


def recall_by_delay(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Bits right and squared error of one run against the number of distractors."""
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 3.8))
    for preset, color, label in RECALL:
        last = runs[preset][-1]
        K = np.arange(1, len(last.accuracy) + 1)
        axes[0].plot(K, last.accuracy, color=color, label=label)
        axes[1].plot(K, last.mse, color=color, label=label)
    for ax in axes:
        ax.axvspan(5, stub.Config().delay, color="C2", alpha=0.15, linewidth=0)
        ax.set(xscale="log", xlabel="distractors before the question (grey: in training)", xlim=(1, stub.LONGEST))
    axes[0].axhline(0.5, color="C2", linewidth=1)
    axes[0].set(ylabel="share of bits right", ylim=(0.3, 1.05), title="Recall")
    axes[1].set(yscale="log", ylim=(1e-7, 10), ylabel="squared error", title="Error")
    axes[0].legend(loc="center left", bbox_to_anchor=(0.02, 0.62))
    return figure


def what_protects(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Gate, overlap of key and query, and size of the value along one episode, with and without a learned gate."""
    figure, axes = plt.subplots(1, 2, sharex=True, sharey=True, figsize=(8.6, 3.8))
    for ax, preset, title in ((axes[0], "recall", "Learned gate"), (axes[1], "recall_ungated", "Gate always open")):
        for values, color, label in zip(
            runs[preset][-1].episode, ("C7", "C0", "C5"), ("gate g", "overlap |k . q|", "mean |v|"), strict=False
        ):
            ax.plot(values, "o-", color=color, markersize=3, label=label)
        ax.set(xlabel="step (0: the pattern to store)", yscale="log", ylim=(1e-5, 10), title=title)
    axes[0].set_ylabel("gate, overlap, value")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


FIGURES = (steps_to_solution, stable_weights, slow_weights, recall_by_delay, what_protects)


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
