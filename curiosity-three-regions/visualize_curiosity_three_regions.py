"""Figures of curiosity-three-regions: how soon C is learned, where the agents are, and what interests them."""

import argparse
import json
import os
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

import curiosity_three_regions as stub

SIZES = {4: "small", 12: "", 36: "large"}  # cells of region C: how the presets of that size begin
NEEDS = (
    *("curious", "dyna5", "dyna20", "random", "error", "error_optimistic"),
    *("small", "small_dyna5", "small_random", "large", "large_dyna5", "large_random"),
)
REGIONS = {"A": ("C7", "A, always the same"), "B": ("C1", "B, coin tosses"), "C": ("C0", "C, learnable")}


def learning(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """E(t) of the explorers, median and middle 80 % of a population."""
    figure, axes = plt.subplots(figsize=(7.6, 4.4))
    shown = {
        "curious": ("C0", "curious"),
        "dyna20": ("C4", "curious,\n20 backups"),
        "random": ("C2", "random search"),
        "error": ("C1", "hunger for error"),
        "error_optimistic": ("C5", "hunger for error,\nvery optimistic"),
    }
    places = {"curious": (1330, 0.2), "dyna20": (60, 0.03), "random": (3900, 0.42)}
    places |= {"error": (6150, 0.9), "error_optimistic": (2500, 0.06)}
    for preset, (color, name) in shown.items():
        low, median, high = np.percentile(runs[preset][-1].E, (10, 50, 90), axis=1)[:, :8001]
        axes.plot(median, color=color)
        axes.fill_between(np.arange(len(median)), low, high, color=color, alpha=0.2, linewidth=0)
        axes.text(*places[preset], name, color=color)
    axes.axhline(0.1, color="C2", lw=1)
    axes.text(8000, 0.103, "learned", color="C2", ha="right", va="bottom")
    axes.set(yscale="log", xlim=(0, 8000), ylim=(0.01, 1.5), xlabel="steps", ylabel="E, mean squared error over C")
    return figure


def attention(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Share of a population in each region over time, and shares of the area; means over 50 steps."""
    figure, panels = plt.subplots(1, 2, figsize=(8.8, 3.8), sharey=True)
    world = stub.make_world(stub.Config())
    for axes, preset, title in zip(panels, ("curious", "error"), ("Curious", "Hunger for error"), strict=True):
        last = runs[preset][-1]
        region = world.region[last.path[:2500]]
        for r, (color, _) in enumerate(REGIONS.values()):
            share = np.convolve((region == r).mean(axis=1), np.full(50, 1 / 50), mode="valid")
            axes.plot(np.arange(len(share)) + 25, share, color=color)
            axes.axhline((world.region == r).mean(), color=color, lw=0.8, ls=":")
        learned_at = last.metrics["learn_steps"]
        if np.isfinite(learned_at):
            axes.axvline(learned_at, color="C2", lw=1)
            axes.text(learned_at + 30, 1.0, "half have\nlearned C", color="C2", va="top")
        axes.set(xlabel="steps", title=title, ylim=(0, 1.02), xlim=(0, 2500))
    panels[0].set_ylabel("share of the population")
    for height, (color, name) in zip((0.84, 0.76, 0.68), reversed(REGIONS.values()), strict=True):
        panels[1].text(2450, height, name, color=color, ha="right")
    panels[1].text(2450, 0.61, "dotted: shares of the area", color="C3", ha="right", fontsize=8)
    return figure


def speed_up(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """How many times sooner than by random search C is learned, against its size; bootstrap intervals over runs."""

    def steps(preset: str) -> np.ndarray:
        return np.array([m["learn_steps"] for m in recorded(preset) or [runs[preset][-1].metrics]])

    figure, axes = plt.subplots(figsize=(7.6, 4.2))
    rng = np.random.default_rng(0)
    curves = {
        "": ("C0", "plain Q-learning", 1.0, -6),
        "dyna5": ("C4", "5 backups more", 1.0, 6),
        "dyna20": ("C5", "20 backups more", 1.05, 4),
    }
    for kind, (color, name, shift, lift) in curves.items():
        points = []
        for size, prefix in SIZES.items():
            own = "_".join(part for part in (prefix, kind) if part) or "curious"
            if own not in runs:
                continue
            ratio = steps("_".join(part for part in (prefix, "random") if part)) / steps(own)
            ratio = ratio[np.isfinite(ratio)]
            drawn = np.median(ratio[rng.integers(len(ratio), size=(2000, len(ratio)))], axis=1) if len(ratio) else [1]
            points.append((size * shift, np.median(ratio) if len(ratio) else 1, *np.percentile(drawn, (2.5, 97.5))))
        x, y, low, high = np.array(points).T
        axes.errorbar(x, y, (y - low, high - y), fmt="o-", color=color, capsize=3)
        axes.annotate(
            name,
            (x[-1], y[-1]),
            (40 if kind == "dyna20" else 10, lift),
            textcoords="offset points",
            color=color,
            va="center",
        )
    x = np.array([3.5, 36])
    axes.plot(x, 100 / x, color="C2", lw=1)
    axes.text(13.5, 8.0, "all steps in C", color="C2")
    axes.axhline(10, color="C3", ls="--", lw=1.2)
    axes.text(60, 10.3, "paper: up to 10 times", color="C3", ha="right", va="bottom")
    axes.set(xscale="log", yscale="log", xlim=(3.5, 62), ylim=(1, 30), xlabel="cells of region C, of 100")
    axes.set(ylabel="times sooner than random search")
    axes.set_xticks(list(SIZES), [str(size) for size in SIZES])
    axes.set_yticks((1, 2, 5, 10, 20), ("1", "2", "5", "10", "20"))
    axes.minorticks_off()
    return figure


def signals(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Interest P of each arm after visits to nothing but this arm: mean over learners, and the middle 80 % of them."""
    figure, panels = plt.subplots(1, 3, figsize=(9.6, 3.6))
    titles = {"progress": "Progress c - e", "clipped": "Progress, clipped at 0", "error": "Error e"}
    for axes, (signal, title) in zip(panels, titles.items(), strict=True):
        cfg = stub.Config(**{**stub.PRESETS["arms"], "signal": signal, "start": 0.0, "learners": 200})
        world, rng = stub.make_world(cfg), np.random.default_rng(0)
        target, learners = stub.draw_targets(cfg, world, rng), stub.init(cfg, world, rng)
        for arm, (name, (color, _)) in enumerate(REGIONS.items()):
            here, P = np.full(cfg.learners, arm), []
            for _ in range(1500):
                context, y = stub.enter(cfg, world, target, here, rng)
                stub.observe(cfg, learners, here, context, y)
                P.append(learners.P[:, arm].copy())
            low, high = np.percentile(P, (10, 90), axis=1)
            axes.fill_between(np.arange(1500), low, high, color=color, alpha=0.2, linewidth=0)
            axes.plot(np.mean(P, axis=1), color=color, label=name)
        axes.set(title=title, xlabel="visits to the arm", xlim=(0, 1500))
    panels[0].set_ylabel("interest P")
    panels[2].legend(loc="center right", title="arm")
    return figure


FIGURES = (learning, attention, speed_up, signals)


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
