"""Figures of pipe_symbolic_regression: errors over evaluations, all recorded runs, the best programs."""

import argparse
import json
import os
import sys
from math import erf, sqrt
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

import pipe_symbolic_regression as stub

NEEDS = ("pipe", "gp", "random", "koza")
NAMES = {"pipe": "PIPE", "gp": "genetic programming", "random": "random search"}
COLOURS = {"pipe": "C0", "gp": "C1", "random": "C2"}


def recorded(preset: str) -> list[dict]:
    """The final metrics of every recorded run of `preset`, in order of seed; a metric that is null was infinite."""
    path = Path(__file__).with_name("runs.jsonl")
    runs = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [
        {name: np.inf if value is None else value for name, value in run["metrics"].items()}
        for run in sorted(runs, key=lambda run: run["seed"])
        if run["preset"] == preset
    ]


def error_over_evaluations(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Least error so far in one run of each search."""
    figure, ax = plt.subplots()
    for preset, name in NAMES.items():
        last = runs[preset][-1]
        evaluations, error = np.append(last.progress, [[last.step, last.metrics["error"]]], axis=0).T
        ax.step(np.maximum(evaluations, 1), error, where="post", color=COLOURS[preset])
        ax.text(evaluations[-1] * 1.12, error[-1], name, color=COLOURS[preset], va="center")
    ax.set(xscale="log", xlim=(1, 6e6), ylim=(0, 22))
    ax.set(xlabel="programs evaluated", ylabel="sum of absolute errors of the best program")
    ax.set_title("One run of each search on the paper's function")
    return figure


def rank_sum_test(first: np.ndarray, second: np.ndarray) -> float:
    """Two-sided p of the Mann-Whitney test, by its normal approximation."""
    wins = (first[:, None] < second).sum() + 0.5 * (first[:, None] == second).sum()
    n, m = len(first), len(second)
    z = (wins - n * m / 2) / sqrt(n * m * (n + m + 1) / 12)
    return 1 - erf(abs(z) / sqrt(2))


def all_runs(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Final errors on the paper's function, and when Koza's quartic was hit, in all recorded runs."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 4))
    errors = {preset: np.array([run["error"] for run in recorded(preset)]) for preset in NAMES}
    jitter = np.random.default_rng(0)
    for place, (preset, values) in enumerate(errors.items()):
        left.plot(place + jitter.uniform(-0.15, 0.15, len(values)), values, "o", color=COLOURS[preset], alpha=0.6)
        if len(values):
            left.plot([place - 0.3, place + 0.3], [np.median(values)] * 2, color=COLOURS[preset])
    left.set(xticks=range(3), xticklabels=["PIPE", "GP", "random"], xlim=(-0.6, 2.6), ylim=(0, 22))
    left.set(ylabel="sum of absolute errors")
    left.set_title("Paper's function, 100,000 programs")
    if len(errors["pipe"]) and len(errors["gp"]):
        p = rank_sum_test(errors["pipe"], errors["gp"])
        left.text(0.5, 15.5, f"PIPE against GP:\np = {p:.2g} (rank sum)", ha="center", fontsize=9)

    names = (
        ("koza", "C0", "PIPE", "top"),
        ("koza_gp", "C1", "GP", "bottom"),
        ("koza_random", "C2", "random", "center"),
    )
    for preset, colour, name, side in names:
        hit_at = np.sort([run["hit_at"] for run in recorded(preset)])
        number = int(np.isfinite(hit_at).sum())
        share = np.arange(number + 1) / max(1, len(hit_at))
        end = stub.Config(**stub.PRESETS[preset]).evaluations
        right.step([100, *hit_at[:number], end], [*share, share[-1]], where="post", color=colour)
        right.text(end * 1.1, share[-1], name, color=colour, va=side)
    right.plot(30_000, 0.3, "D", color="C5")
    right.text(38_000, 0.3, "reference, PIPE", color="C5", va="center", fontsize=9)
    right.set(xscale="log", xlim=(100, 1e6), ylim=(-0.03, 1.1), xlabel="programs evaluated")
    right.set(ylabel="share of runs that have hit all points")
    right.set_title("Koza's quartic")
    return figure


def best_programs(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """The paper's function and the best programs of one PIPE and one GP run."""
    figure, ax = plt.subplots()
    last = runs["pipe"][-1]
    ax.plot(last.x, last.target, color="C3", linewidth=3, alpha=0.35)
    for place, preset in enumerate(("pipe", "gp")):
        end = runs[preset][-1]
        ax.plot(end.x, end.output, color=COLOURS[preset], linewidth=1.4)
        text = f"{NAMES[preset]}: {end.metrics['size']:.0f} nodes, error {end.metrics['error']:.3g}"
        ax.text(0.99, 0.16 - 0.07 * place, text, color=COLOURS[preset], transform=ax.transAxes, ha="right")
    ax.text(0.99, 0.02, "the function", color="C2", transform=ax.transAxes, ha="right")
    low, high = last.target.min(), last.target.max()
    ax.set(xlabel="x", ylabel="f(x)", ylim=(low - 0.6 * (high - low), high + 0.1 * (high - low)))
    ax.set_title("The paper's function and the best programs")
    return figure


def probability_of_the_elite(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """How probable the prototype tree makes the elite, over evaluations, on both problems."""
    figure, ax = plt.subplots()
    for preset, colour, name, side in (
        ("pipe", "C0", "paper's function", "top"),
        ("koza", "C6", "Koza's quartic", "bottom"),
    ):
        steps = [max(1, s.step) for s in runs[preset]]
        values = [s.metrics["log10_joint"] for s in runs[preset]]
        ax.plot(steps, values, "o-", color=colour)
        ax.text(steps[-1] * 1.2, values[-1], name, color=colour, va=side)
    ax.axhline(np.log10(0.3), color="C5", linestyle=":", linewidth=1.2)
    ax.text(1, 1.5, "probability 0.3 (claim C8)", color="C5", fontsize=9)
    ax.set_ylim(top=8)
    ax.set(xscale="log", xlim=(0.8, 3e6), xlabel="programs evaluated", ylabel="log10 of the joint probability")
    ax.set_title("Probability of drawing the elite again")
    return figure


FIGURES = (error_over_evaluations, all_runs, best_programs, probability_of_the_elite)


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
