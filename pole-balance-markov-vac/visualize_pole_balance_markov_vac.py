"""Figures of pole-balance-markov-vac."""

import argparse
import json
import os
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

import pole_balance_markov_vac as stub

NEEDS = ("vector", "scalar", "no_critic")
COLOURS = {"vector": "C0", "scalar": "C1", "no_critic": "C4"}
LABELS = {"vector": "vector critic", "scalar": "scalar critic", "no_critic": "no critic"}


def trials(runs: dict[str, list]) -> Figure:
    """Length of every trial of the first eight learners of one run; dots where learners of the run reached the goal."""
    figure, panels = plt.subplots(1, 3, figsize=(8.8, 3.7), sharex=True, sharey=True)
    for axes, preset in zip(panels, NEEDS, strict=True):
        last = runs[preset][-1]
        for n, (failures, column) in enumerate(zip(last.failures, last.lengths.T, strict=True)):
            lived = column[: failures + 1].clip(1)
            if n < 8:
                axes.plot(np.arange(1, len(lived) + 1), lived, color=COLOURS[preset], lw=0.6, alpha=0.6)
            if lived[-1] == last.lengths.max():
                axes.plot(len(lived), lived[-1], "o", color=COLOURS[preset])
        axes.axhline(30_000, color="C3", ls="--", lw=1.2)
        for failures in (750, 7000):
            axes.axvline(failures, color="C3", ls="--", lw=1.2)
        axes.set(xlabel="trial", title=LABELS[preset].capitalize(), xscale="log", yscale="log")
    panels[0].set(ylabel="steps without failure", xlim=(0.9, 12_000), ylim=(4, 90_000))
    panels[0].annotate("paper: 30,000 steps", (1, 30_000), (0, 5), textcoords="offset points", color="C3", fontsize=8)
    for failures, text in ((750, "paper: at most 750 failures"), (7000, "Anderson: more than 7000")):
        panels[0].annotate(
            text,
            (failures, 5),
            (-4, 0),
            textcoords="offset points",
            color="C3",
            fontsize=8,
            rotation=90,
            ha="right",
            va="bottom",
        )
    return figure


def maps(runs: dict[str, list]) -> Figure:
    """Pain that a critic predicts over the states of the pole and of the cart, where the other one is at rest."""
    figure, panels = plt.subplots(2, 4, figsize=(10.5, 5), sharey="row")
    vector, scalar = (runs[preset][-1].params["w"][..., 0] for preset in ("vector", "scalar"))
    planes = (  # first row of the state, largest value on either axis, unit, labels
        (2, np.deg2rad(12), np.rad2deg(1), "angle (degrees)", "angular velocity (rad/s)"),
        (0, 2.4, 1, "position (m)", "velocity (m/s)"),
    )
    for row, (first, widest, unit, xlabel, ylabel) in zip(panels, planes, strict=True):
        x, y = np.meshgrid(np.linspace(-widest, widest, 61), np.linspace(-2, 2, 61))
        state = np.zeros((4, x.size))
        state[first], state[first + 1] = x.ravel(), y.ravel()
        phi = stub.features(state)
        V, V_scalar = stub.sigmoid(vector.T @ phi), stub.sigmoid(scalar.T @ phi)
        values = (V[first], V[first + 1], V.sum(axis=0), V_scalar[0])
        names = (*stub.KINDS[first : first + 2], "sum of all four", "scalar critic")
        for axes, value, name in zip(row, values, names, strict=True):
            shown = axes.contourf(x * unit, y, value.reshape(x.shape), levels=12)
            figure.colorbar(shown, ax=axes)
            axes.set(xlabel=xlabel, title=name.capitalize())
            axes.grid(False)
        row[0].set(ylabel=ylabel)
    return figure


def failures(runs: dict[str, list]) -> Figure:
    """Failures before the trial of 30,000 steps: learners of one run, and medians of all recorded runs."""
    figure, axes = plt.subplots(figsize=(7.6, 4.4))
    never = 1000  # height at which those stand who never got there
    for place, preset in enumerate(NEEDS):
        last, colour = runs[preset][-1], COLOURS[preset]
        needed = stub.failures_before(last.lengths, last.lengths.max())
        shown = np.minimum(needed, never)
        axes.boxplot(
            shown,
            positions=[place],
            widths=0.5,
            showfliers=False,
            medianprops={"color": colour},
            boxprops={"color": colour},
            whiskerprops={"color": colour},
            capprops={"color": colour},
        )
        axes.plot(place + np.linspace(-0.2, 0.2, len(shown)), shown, "o", color=colour, alpha=0.6)
        medians = [m["failures"] for m in recorded(preset)]
        axes.plot([place + 0.38] * len(medians), np.minimum(medians, never), "x", color=colour, ms=5)
    axes.axhline(750, color="C3", ls="--", lw=1.2)
    axes.text(-0.45, 690, "paper: at most 750", color="C3", va="top")
    axes.text(-0.45, never, "never", color="C2", va="center")
    axes.text(0.5, 0.06, ratio(), transform=axes.transAxes, ha="center")
    axes.set_xticks(range(len(NEEDS)), [LABELS[preset] for preset in NEEDS])
    axes.set(yscale="log", xlim=(-0.5, 2.5), ylim=(8, 1300), ylabel="failures before 30,000 steps")
    axes.set_title("What learning costs: one run (dots), medians of all runs (crosses)")
    return figure


def ratio() -> str:
    """Median failures with the vector critic over those with the scalar one, with a bootstrap interval over runs."""
    vector, scalar = (np.array([m["failures"] for m in recorded(preset)]) for preset in ("vector", "scalar"))
    if len(vector) < 2 or len(vector) != len(scalar):
        return ""
    drawn = np.random.default_rng(0).integers(len(vector), size=(2000, len(vector)))
    low, high = np.percentile(np.median((vector / scalar)[drawn], axis=1), (2.5, 97.5))
    return f"vector / scalar: {np.median(vector / scalar):.2f} (95 % interval {low:.2f} to {high:.2f})"


def switching(runs: dict[str, list]) -> Figure:
    """Lines where twelve actors of one run are undecided, in the plane of the pole and in that of the cart."""
    figure, panels = plt.subplots(1, 2, figsize=(8.4, 3.8))
    v = runs["vector"][-1].params["v"]
    for axes, first, widest, unit, xlabel, ylabel in (
        (panels[0], 2, np.deg2rad(12), np.rad2deg(1), "angle (degrees)", "angular velocity (rad/s)"),
        (panels[1], 0, 2.4, 1, "position (m)", "velocity (m/s)"),
    ):
        x, y = np.meshgrid(np.linspace(-widest, widest, 61), np.linspace(-2, 2, 61))
        state = np.zeros((4, x.size))
        state[first], state[first + 1] = x.ravel(), y.ravel()
        net = (v.T @ stub.features(state)).reshape(-1, *x.shape)
        P = stub.sigmoid(net).mean(axis=0)
        right = axes.contourf(x * unit, y, P, levels=np.linspace(0, 1, 6), cmap="RdBu")
        for own in net[:12]:
            if own.min() < 0 < own.max():
                axes.contour(x * unit, y, own, levels=[0], colors="C3", linewidths=0.8)
        axes.set(xlabel=xlabel, ylabel=ylabel)
        axes.grid(False)
    panels[0].set_title("Cart in the middle, at rest")
    panels[1].set_title("Pole upright, at rest")
    figure.colorbar(right, ax=panels, label="probability of pushing to the right, mean")
    return figure


FIGURES = (trials, maps, failures, switching)


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
