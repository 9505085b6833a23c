"""Figures: the drives, the scores on unseen tracks, learning curves, the ablation, the speed in M's memory, dreams."""

import argparse
import json
import os
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

import race_track as rt
import vision_memory as vm
import world_models_carracing as stub

NEEDS = ("vision_memory", "vision", "vision_hidden", "random_memory")
NAMES = {
    "vision_memory": "V + M",
    "vision": "V only",
    "vision_hidden": "V only,\nhidden layer",
    "random_memory": "V + untrained M",
}
COLOURS = {"vision_memory": "C0", "vision": "C1", "vision_hidden": "C7", "random_memory": "C4"}
Runs = dict[str, list[stub.Snapshot]]


def recorded(preset: str) -> list[dict]:
    """The final metrics of every recorded run of `preset`, in order of seed; a metric that is null was infinite."""
    path = Path(__file__).with_name("runs.jsonl")
    runs = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [
        {name: np.inf if value is None else value for name, value in run["metrics"].items()}
        for run in sorted(runs, key=lambda run: run["seed"])
        if run["preset"] == preset
    ]


def controller(snapshot: stub.Snapshot) -> stub.Controller:
    """The snapshot's C on as many cars as there are test tracks."""
    weights = np.tile(snapshot.weights, (len(snapshot.tests.centre), 1))
    return stub.Controller(snapshot.cfg, snapshot.v, snapshot.m, weights)


def drive(snapshot: stub.Snapshot, policy: rt.Policy) -> tuple[rt.Result, rt.Recorder]:
    """`policy` on the snapshot's test tracks, recorded."""
    recorder = rt.Recorder(policy, len(snapshot.tests.centre), snapshot.cfg.limit)
    return stub.drive_all(snapshot.cfg, recorder, snapshot.tests), recorder


def drives(runs: Runs) -> Figure:
    """Three test tracks and the one where V alone gets stuck first; the trail is coloured by speed."""
    figure, axes = plt.subplots(2, 4, figsize=(9, 4.9))
    driven = {name: drive(runs[name][-1], controller(runs[name][-1])) for name in ("vision", "vision_memory")}
    laps = driven["vision"][0].laps
    worst = int(np.where(laps > 0, laps, np.inf).argmin())
    tracks = [*[k for k in range(4) if k != worst][:3], worst]
    for row, (name, (result, recorder)) in zip(axes, driven.items(), strict=True):
        for axis, k in zip(row, tracks, strict=True):
            centre = runs[name][-1].tests.centre[k]
            axis.plot(*np.vstack([centre, centre[:1]]).T, color="0.88", lw=9, solid_capstyle="butt", zorder=0)
            path = recorder.position[k, : recorder.length[k]]
            trail = LineCollection(np.stack([path[:-1], path[1:]], axis=1), cmap="plasma", lw=1.8)
            trail.set_array(recorder.speed[k, 1 : recorder.length[k]])
            trail.set_clim(0, 1.5)
            axis.add_collection(trail)
            axis.plot(*path[0], "o", color="k", ms=4)
            if result.laps[k] < 0.995:
                axis.plot(*path[-1], "x", color="k", ms=9, mew=2.5)
            axis.set(aspect="equal", xticks=[], yticks=[])
            axis.grid(False)
            axis.axis("off")
            axis.set_title(f"{result.score[k]:.0f}, {result.steps[k]:.0f} steps", fontsize=9, loc="center")
        row[0].text(-0.12, 0.5, NAMES[name], transform=row[0].transAxes, rotation=90, va="center", weight="bold")
    axes[0, 3].text(
        0.5, 1.2, "V only stops here", transform=axes[0, 3].transAxes, ha="center", fontsize=9, style="italic"
    )
    figure.colorbar(trail, ax=axes, label="speed (units per step)", shrink=0.7)
    figure.suptitle("Unseen tracks: score and steps of the final controllers", weight="bold", fontsize=11)
    return figure


def scores(runs: Runs) -> Figure:
    """One dot per test track for every kind of driver, one seed."""
    figure, axis = plt.subplots(figsize=(7.2, 3.8))
    last, rng = runs["vision_memory"][-1], np.random.default_rng(0)
    n = len(last.tests.centre)
    drivers = [("random actions", "C2", drive(last, rt.RandomPolicy(n, rng))[0].score)]
    for name in ("vision", "vision_hidden", "random_memory", "vision_memory"):
        drivers.append((NAMES[name], COLOURS[name], drive(runs[name][-1], controller(runs[name][-1]))[0].score))
    drivers.append(("knows the track", "C5", drive(last, rt.PurePursuit())[0].score))
    for y, (_, colour, score) in enumerate(drivers):
        axis.plot(score, y + rng.uniform(-0.28, 0.28, len(score)), ".", color=colour, alpha=0.55, ms=5)
        axis.plot([score.mean()] * 2, [y - 0.38, y + 0.38], color=colour, lw=2.5)
        axis.annotate(f"{score.mean():.0f} ± {score.std():.0f}", (1035, y), va="center", annotation_clip=False)
    axis.axvline(900, color="C3", ls="--", lw=1)
    axis.set_yticks(range(len(drivers)), [name for name, _, _ in drivers])
    axis.set(xlabel="score on a test track; bars and numbers: mean over the tracks; dashed: solved", xlim=(-150, 1020))
    axis.set_title(f"{n} unseen tracks, one dot each")
    axis.grid(False, axis="y")
    return figure


def learning(runs: Runs) -> Figure:
    """Mean training score of each generation of CMA-ES."""
    figure, axis = plt.subplots()
    ends = []
    for name in NEEDS:
        steps, fitness = zip(*[(s.step, s.metrics["fitness"]) for s in runs[name]], strict=True)
        axis.plot(steps, fitness, color=COLOURS[name])
        ends.append((fitness[-1], steps[-1], name))
    for rank, (_, step, name) in enumerate(sorted(ends)):
        label = NAMES[name].replace("\n", " ")
        axis.annotate(
            label, (step, 80 + 85 * rank), (4, 0), textcoords="offset points", color=COLOURS[name], ha="right"
        )
    axis.axhline(900, color="C3", ls="--", lw=1)
    axis.annotate("solved", (0, 900), (2, 4), textcoords="offset points")
    axis.set(xlabel="generation", ylabel="mean score of the candidates", ylim=(-120, 1000))
    axis.set_title("Evolution of C on the training tracks")
    return figure


def ablation(runs: Runs) -> Figure:
    """Recorded test scores of every seed, on normal and on hard roads, beside the paper's."""
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 4), sharey=True)
    hard = {
        "vision": "paper_hard_vision",
        "vision_hidden": "paper_hard_hidden",
        "random_memory": "paper_hard_random",
        "vision_memory": "paper_hard",
    }
    paper = {"vision": 632, "vision_hidden": 788, "vision_memory": 906}
    for axis, title in zip(axes, ("Normal roads", "Narrow, slippery roads"), strict=True):
        for x, (name, other) in enumerate(hard.items()):
            rows = recorded(name if axis is axes[0] else other)
            rows = rows or ([runs[name][-1].metrics] if axis is axes[0] else [])
            points = [row["score"] for row in rows]
            spread = np.linspace(-0.2, 0.2, len(points)) if len(points) > 1 else np.zeros(len(points))
            axis.plot(x + spread, points, "o", color=COLOURS[name], alpha=0.8, ms=4)
            if points:
                axis.plot([x - 0.3, x + 0.3], [np.median(points)] * 2, color=COLOURS[name], lw=2.5)
            if name in paper:
                axis.plot([x - 0.3, x + 0.3], [paper[name]] * 2, color="C3", ls="--", lw=1.2)
                axis.annotate(f"{paper[name]}", (x, paper[name]), (0, -12), textcoords="offset points", ha="center")
        axis.set_xticks(range(4), [NAMES[name].replace(" + untrained", " +\nuntrained") for name in hard])
        axis.set_title(title)
        axis.grid(False, axis="x")
    axes[0].set(ylabel="mean score on the test tracks", ylim=(600, 1000))
    axes[1].annotate("dashed: the paper's\nscores in CarRacing-v0", (0.98, 0.05), xycoords="axes fraction", ha="right")
    return figure


def speed(runs: Runs) -> Figure:
    """Linear read-outs of the true speed from the code, from M's memory and from that of an untrained M."""
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.4), sharey=True)
    for axis, (name, source) in zip(
        axes, (("vision_memory", "z"), ("random_memory", "h"), ("vision_memory", "h")), strict=True
    ):
        last = runs[name][-1]
        recorder = drive(last, rt.PurePursuit())[1]
        z, driven = vm.encode(last.v, recorder.frames), recorder.valid()
        features = z if source == "z" else vm.remember(last.m, z, recorder.actions)[:, :-1]
        x, y = features[driven], recorder.speed[driven]
        x, half = np.column_stack([x, np.ones(len(x))]), len(y) // 2
        guess = x[half:] @ np.linalg.lstsq(x[:half], y[:half])[0]
        axis.plot(y[half:], guess, ".", ms=2, alpha=0.3, color="C1" if source == "z" else COLOURS[name])
        axis.plot([0, 1.5], [0, 1.5], color="0.4", lw=1)
        title = "z, one frame" if source == "z" else "h, untrained M" if name == "random_memory" else "h, trained M"
        axis.set_title(f"{title}: R² = {vm.read_out(features[driven], y):.2f}")
        axis.set(xlabel="true speed", xlim=(0, 1.55), ylim=(0, 1.7))
    axes[0].set_ylabel("linear read-out")
    return figure


def dreams(runs: Runs) -> Figure:
    """Film strips: a real drive as seen and as V restores it, C's dream, and a dream of turning left."""
    figure, axes = plt.subplots(4, 10, figsize=(9, 4.1))
    last = runs["vision_memory"][-1]
    seen = drive(last, controller(last))[1].frames[0]
    start = vm.encode(last.v, seen[None, 0])
    blind = np.where(np.arange(len(last.weights)) < len(last.weights) - 2, 0, 1)
    strips = {"seen": seen, "restored by V": vm.decode(last.v, vm.encode(last.v, seen))}
    for name, weights in (("dream of C", last.weights), ("dream of\nturning left", blind)):
        driver = stub.Controller(last.cfg, last.v, last.m, weights[None])
        codes = stub.dream(driver, start, 60, last.cfg.temperature, np.random.default_rng(0))
        strips[name] = vm.decode(last.v, codes[:, 0])
    for row, (name, frames) in zip(axes, strips.items(), strict=True):
        for k, axis in enumerate(row):
            axis.imshow(frames[6 * k].reshape(rt.VIEW, rt.VIEW), cmap="gray", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[])
            axis.grid(False)
        row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for k, axis in enumerate(axes[0]):
        axis.set_title(f"step {6 * k}", fontsize=8, weight="normal", loc="center")
    return figure


FIGURES = (drives, scores, learning, ablation, speed, dreams)


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
