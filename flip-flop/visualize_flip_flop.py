"""Figures of flip-flop."""

import argparse
import json
import os
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

import flip_flop as stub

NEEDS = ("parallel", "sequential", "memoryless", "untrained_model", "deterministic")
COLOURS = {"parallel": "C0", "sequential": "C4", "memoryless": "C1", "untrained_model": "C2", "deterministic": "C5"}


def solved(runs: dict[str, list]) -> Figure:
    """Share of runs that have solved the task, against time steps; all recorded seeds."""
    figure, axes = plt.subplots()
    for preset in ("parallel", "sequential"):
        metrics = recorded(preset) or [runs[preset][-1].metrics]
        steps = np.sort([m["steps_to_solve"] / 1000 for m in metrics if np.isfinite(m["steps_to_solve"])])
        end = runs[preset][-1].step / 1000
        axes.step(
            [0, *steps, end],
            np.array([0, *range(1, len(steps) + 1), len(steps)]) / len(metrics),
            where="post",
            color=COLOURS[preset],
            label=f"{preset} ({len(metrics)} seeds)",
        )
    axes.axhline(20 / 30, color="C3", ls="--", lw=1.2)
    axes.annotate(
        "paper, parallel: 20 of 30 within 1,000,000 steps",
        (1, 20 / 30),
        (0, 4),
        ha="right",
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        color="C3",
    )
    axes.axhline(0.6, color="C3", ls=":", lw=1.2)
    axes.annotate(
        "sequential: 6 of 10 (second-hand)",
        (1, 0.6),
        (0, -4),
        ha="right",
        va="top",
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        color="C3",
    )
    axes.set(
        xlabel="time steps of training / 1000",
        ylabel="share of runs solved",
        ylim=(-0.02, 1.05),
        xlim=(0, None),
        title="Runs with 99.9 % right decisions on rare events",
    )
    axes.legend(loc="center left")
    return figure


def learning(runs: dict[str, list]) -> Figure:
    """Decisions and the model's slope over training, one seed of each condition."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
    for preset, colour in COLOURS.items():
        steps = [s.step / 1000 for s in runs[preset]]
        left.plot(steps, [s.metrics["accuracy"] for s in runs[preset]], color=colour, label=preset.replace("_", " "))
        right.plot(steps, [s.metrics["cosine"] for s in runs[preset]], color=colour)
    left.axhline(runs["parallel"][-1].metrics["baseline"], color="C3", ls="--", lw=1.2)
    left.annotate(
        "best constant answer",
        (1, runs["parallel"][-1].metrics["baseline"]),
        (0, -4),
        ha="right",
        va="top",
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        color="C3",
        fontsize=9,
    )
    left.set(xlabel="time steps / 1000", ylabel="right decisions", title="Controller")
    left.legend(loc="center right", bbox_to_anchor=(1, 0.6), fontsize=8)
    right.set(xlabel="time steps / 1000", ylabel="cosine with the true slope", title="Model: slope of the pain")
    return figure


def bowls(runs: dict[str, list]) -> Figure:
    """Pain that the trained model predicts for every action, after five stories."""
    figure, axes = plt.subplots()
    action = np.linspace(-0.5, 1.5, 81)
    M = runs["parallel"][-1].M
    for story, colour in (("A", "C0"), ("A" + 12 * ".X", "C6"), ("B", "C1"), ("B" + 12 * ".X", "C7"), ("BXA", "C4")):
        events = np.array([[letter == kind for kind in "ABX"] for letter in "." + story], float)
        d = np.array([story[:t].rfind("B") > story[:t].rfind("A") for t in range(len(events))], float)
        world = stub.World(*(np.repeat(part[:, None], len(action), axis=1) for part in (events, d, d)))
        acted = world.d.copy()  # no pain so far
        acted[-1] = action
        predicted = stub.predict(M, stub.model_inputs(world, acted, stub.hurt(acted, world.d)))[1][-1]
        name = story if len(story) < 5 else f"{story[:5]}.. ({len(story)} steps)"
        axes.plot(action, predicted, color=colour, label=f"after {name}: want {d[-1]:.0f}")
    for want in (0, 1):
        axes.plot(action, stub.hurt(action, np.array(want)), color="C3", ls="--", lw=1)
    axes.annotate("true pain", (-0.42, 1.3), color="C3")
    axes.set(xlabel="action", ylabel="predicted pain", ylim=(-0.03, 1.5), title="What the model believes hurts")
    axes.legend(loc="upper center", fontsize=8)
    return figure


def lags(runs: dict[str, list]) -> Figure:
    """Right decisions against the time since the last A or B, in unseen streams."""
    figure, axes = plt.subplots()
    world = stub.sample(np.random.default_rng(0), 1000, 100, 0.005, 0.005, 0.3)
    edges = np.array([0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512])
    rows = [
        ("parallel", 1.0, "C0", "-", "parallel"),
        ("parallel", 0.0, "C6", "--", "parallel, pain input cut"),
        ("sequential", 1.0, "C4", ":", "sequential"),
        ("memoryless", 1.0, "C1", "-", "memoryless"),
    ]
    for preset, feels, colour, style, label in rows:
        life = stub.live(runs[preset][-1].C, world, feels=feels, memoryless=preset == "memoryless")
        right = (life.y > 0.5) == (world.d > 0.5)
        share = [
            right[(lo <= world.since) & (world.since < hi)].mean() for lo, hi in zip(edges[:-1], edges[1:], strict=True)
        ]
        axes.plot(edges[:-1] + 1, share, color=colour, ls=style, marker="o", label=label)
    axes.set_xscale("log", base=2)
    axes.set_xticks(edges[:-1] + 1, edges[:-1])
    axes.minorticks_off()
    axes.set(
        xlabel="steps since the last A or B (bins begin here)",
        ylabel="right decisions",
        ylim=(0, 1.05),
        title="How long the event is remembered",
    )
    axes.legend(loc="lower left")
    return figure


def latch(runs: dict[str, list]) -> Figure:
    """Hidden units of the trained controller along an unseen stream, the best latch on top."""
    world = stub.sample(np.random.default_rng(3), 200, 1, 0.02, 0.02, 0.2)
    life = stub.live(runs["parallel"][-1].C, world)
    h, d, t = life.h[:, 0], world.d[:, 0], np.arange(200)
    match = [abs(np.corrcoef(np.r_[unit, 1], np.r_[d, 0])[0, 1]) for unit in h.T]
    order = np.argsort(match)[::-1]
    figure, (top, bottom) = plt.subplots(2, 1, sharex=True, figsize=(8, 4.6), height_ratios=(1, 1.6))
    top.plot(t, d, color="C3", ls="--", lw=1.2, label="wanted")
    top.plot(t, life.y[:, 0], color="C0", label="output")
    for kind, colour in ((0, "C1"), (1, "C0"), (2, "C2")):
        for step in np.flatnonzero(world.events[:, 0, kind]):
            top.text(step, 1.25, "ABX"[kind], color=colour, ha="center", fontsize=8 if kind < 2 else 5)
    top.set(ylim=(-0.1, 1.5), yticks=(0, 1), title="A controller that has become a flip-flop")
    top.legend(loc="center right")
    image = bottom.imshow(h[:, order].T, aspect="auto", cmap="RdBu", vmin=-1, vmax=1, extent=(0, 200, len(order), 0))
    bottom.grid(False)
    bottom.set(xlabel="time step", ylabel="hidden unit, sorted by\nlikeness to the latch")
    figure.colorbar(image, ax=[top, bottom], label="activation")
    return figure


FIGURES = (solved, learning, bowls, lags, latch)


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
