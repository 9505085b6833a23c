"""Figures of predictability-min-binary-factors: how often it succeeds, what V tells, and which units are left."""

import argparse
import json
import os
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

import predictability_min_binary_factors as stub
from code_quality import information, judge

NEEDS = ("e4", "e3", "n1", "o3", "mixture", "mixture_blind")
PAPER = {"e1": 0.8, "e2": 1.0, "e3": 0.1, "e4": 0.9, "o1": 0.7, "o2": 0.5, "o3": 1.0, "n1": 0.7, "n2": 0.9}


def wilson(share: float, n: int) -> tuple[float, float]:
    """95 % interval of a probability, if `share` of n tries have succeeded (Wilson 1927)."""
    z = 1.96
    center, spread = share + z * z / (2 * n), z * np.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    return (center - spread) / (1 + z * z / n), (center + spread) / (1 + z * z / n)


def rates(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Shares of factorial codes over all recorded nets, and of the nets that are kept by V, beside ten runs of 1992."""
    figure, axes = plt.subplots(figsize=(8.2, 4.2))
    for x, (preset, stated) in enumerate(PAPER.items()):
        metrics = recorded(preset) or [run[-1].metrics for name, run in runs.items() if name == preset]
        if metrics:
            cfg = stub.Config(**stub.PRESETS[preset])
            share = np.mean([m["factorial"] for m in metrics])
            low, high = wilson(share, cfg.nets * len(metrics))
            axes.errorbar(x - 0.12, share, [[share - low], [high - share]], fmt="o", color="C0", capsize=3)
            axes.plot(x + 0.2, np.mean([m["best_of_group"] for m in metrics]), "D", color="C4")
        low, high = wilson(stated, 10)
        axes.errorbar(
            x + 0.04, stated, [[stated - low], [high - stated]], fmt="s", color="C3", mfc="w", capsize=3, lw=0.8
        )
    names = {"single nets": ("C0", 0.42), "paper, ten runs": ("C3", 0.33), "largest V of 8 (E3: of 32)": ("C4", 0.24)}
    for name, (color, height) in names.items():
        axes.text(2.5, height, name, color=color)
    axes.set(xticks=range(len(PAPER)), xticklabels=[name.upper() for name in PAPER], ylim=(0, 1.04))
    axes.set_ylabel("share of factorial codes")
    return figure


def objective(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """V of every net during learning: those that end with a factorial code, and the others."""
    figure, panels = plt.subplots(1, 3, figsize=(9.6, 3.7))
    maxima = {"e4": (1.0,), "e3": (1.0,), "n1": (4 / 9, 1.9 / 4.5)}
    names = {1.0: "factorial", 4 / 9: "factorial: 2", 1.9 / 4.5: "invertible: 19/10"}
    for axes, (preset, lines) in zip(panels, maxima.items(), strict=True):
        last = runs[preset][-1]
        N = last.y.shape[1]
        weight = stub.table(stub.Config(**stub.PRESETS[preset]))[1]
        good = judge(last.y, weight if len(weight) == N else np.full(N, 1 / N)).factorial
        steps, V = [s.step for s in runs[preset]], np.array([s.V for s in runs[preset]])
        for which, color, z in ((~good, "C1", 1), (good, "C0", 2)):
            axes.plot(steps, V[:, which], color=color, lw=0.7, alpha=0.6, zorder=z)
        for value in lines:
            axes.axhline(value, color="C3", ls="--", lw=1)
            below = value == 1.9 / 4.5
            place = (0.98, value - 0.004) if below else (0.98, value + 0.004)
            axes.text(
                *place,
                names[value],
                color="C3",
                ha="right",
                va="top" if below else "bottom",
                fontsize=8,
                transform=axes.get_yaxis_transform(),
                bbox={"facecolor": "w", "alpha": 0.8, "linewidth": 0, "pad": 0.5},
            )
        axes.set(title=preset.upper(), xlabel="epochs", xlim=(0, last.step), ylim=(0, 1.1 * max(lines)))
    panels[0].set_ylabel("V of perfect predictors")
    panels[0].text(0.97, 0.16, "ends factorial", color="C0", ha="right", transform=panels[0].transAxes)
    panels[0].text(0.97, 0.08, "does not", color="C1", ha="right", transform=panels[0].transAxes)
    return figure


def occam(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """O3: final codes of the first ten nets; rows are patterns, columns units; constant units are hatched grey."""
    figure, panels = plt.subplots(2, 5, figsize=(8.4, 4.0))
    y = runs["o3"][-1].y
    constant = judge(y, np.full(y.shape[1], 1 / y.shape[1])).constant
    for net, axes in enumerate(panels.ravel()):
        axes.imshow(y[net], cmap="Blues", vmin=0, vmax=1.4, aspect="auto")
        for p, i in np.ndindex(*y.shape[1:]):
            if constant[net, i]:
                axes.add_patch(plt.Rectangle((i - 0.5, p - 0.5), 1, 1, color="0.86"))
            if len(y[net]) == 4:
                color = "C2" if constant[net, i] else "w" if y[net, p, i] > 0.6 else "k"
                axes.text(i, p, f"{y[net, p, i]:.2f}", ha="center", va="center", fontsize=7, color=color)
        axes.grid(False)
        axes.set(xticks=(), yticks=())
        axes.set_title(f"net {net + 1}", fontsize=9)
    figure.supxlabel("4 units (grey: constant)", fontsize=10)
    figure.supylabel("patterns", fontsize=10)
    return figure


def dependence(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Mixture: mutual information of all pairs of units of the net with the largest V, without and with the game."""
    figure, panels = plt.subplots(1, 2, figsize=(7.6, 3.6))
    titles = {"mixture_blind": "Predictors see nothing", "mixture": "Predictors see the other units"}
    for axes, (preset, title) in zip(panels, titles.items(), strict=True):
        last = runs[preset][-1]
        table = information(last.y[last.V.argmax()])
        np.fill_diagonal(table, np.nan)
        image = axes.imshow(table, cmap="Blues", vmin=0, vmax=0.15)
        for i, j in np.ndindex(*table.shape):
            if i != j:
                color = "w" if table[i, j] > 0.09 else "k"
                axes.text(j, i, f"{table[i, j]:.3f}", ha="center", va="center", fontsize=8, color=color)
        axes.grid(False)
        units = range(len(table))
        axes.set(title=title, xticks=units, yticks=units, xticklabels=[i + 1 for i in units], xlabel="unit")
        axes.set_yticklabels([i + 1 for i in units])
    panels[0].set_ylabel("unit")
    figure.colorbar(image, ax=panels, label="mutual information, nats", shrink=0.85)
    return figure


FIGURES = (rates, objective, occam, dependence)


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
