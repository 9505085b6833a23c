"""Figures of saccadic-target-detection."""

import argparse
import json
import os
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

import fovea
import saccadic_target_detection as stub

NEEDS = ("learnt_model", "poor_model", "random_model", "off_centre", "rotation", "rotation_large_model")
COLOURS = {"learnt_model": "C0", "poor_model": "C6", "random_model": "C2", "off_centre": "C4"}
LABELS = {
    "learnt_model": "learnt model",
    "poor_model": "model of less training",
    "random_model": "random model",
    "off_centre": "off-centre target",
}
SHADE = "#D8D8D8"


def world_of(preset: str, turn: float = 0.0) -> fovea.World:
    cfg = stub.Config(**stub.PRESETS[preset])
    return fovea.World((cfg.target_x, cfg.target_y), cfg.reach, turn)


def draw_plane(axes: plt.Axes, preset: str, reach: float) -> None:
    """The triangle, and a cross at the target point, which is the origin."""
    cfg = stub.Config(**stub.PRESETS[preset])
    corners = np.array(fovea.TRIANGLE) - (cfg.target_x, cfg.target_y)
    axes.add_patch(Polygon(corners, facecolor=SHADE, edgecolor="none"))
    axes.plot(0, 0, "x", color="C3", ms=8, mew=2, zorder=4)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="px")
    axes.grid(False)


def draw_view(axes: plt.Axes, f: np.ndarray) -> None:
    """Inputs f (40,) as grey squares, coarse ones below finer ones."""
    order = np.argsort(-fovea.LEVELS, kind="stable")
    sides = np.array(fovea.SIZES)[fovea.LEVELS]
    squares = [Rectangle(fovea.CENTRES[k] - sides[k] / 2, sides[k], sides[k]) for k in order]
    shades = plt.get_cmap("Greys")(f[order])
    axes.add_collection(PatchCollection(squares, facecolors=shades, edgecolors="#BBBBBB", linewidths=0.4))
    axes.set(xlim=(-57, 57), ylim=(-57, 57), aspect="equal", xticks=(), yticks=())


def trajectories(runs: dict[str, list]) -> Figure:
    """Paths of 40 test starts: before learning, after it, and after it with a target point off centre."""
    figure, panels = plt.subplots(1, 3, figsize=(10.5, 3.9))
    parts = (
        ("learnt_model", 0, "Untrained"),
        ("learnt_model", -1, "Trained"),
        ("off_centre", -1, "Trained, target off centre"),
    )
    for axes, (preset, k, title) in zip(panels, parts, strict=True):
        draw_plane(axes, preset, 95)
        paths = runs[preset][k].paths[:, :40]
        axes.plot(paths[..., 0], paths[..., 1], color=COLOURS[preset], lw=0.9, marker=".", ms=3)
        axes.plot(*paths[0, :, :2].T, "o", color="C1", ms=4)
        axes.set_title(title)
    panels[0].set_ylabel("px")
    panels[0].text(-92, 88, "start", color="C1", va="top")
    return figure


def learning(runs: dict[str, list]) -> Figure:
    """Distance at the end against updates of C, one seed; below it the number of saccades of its trajectories."""
    figure, (axes, below) = plt.subplots(2, 1, figsize=(7.6, 5), sharex=True, gridspec_kw={"height_ratios": (3, 1)})
    for preset, colour in COLOURS.items():
        before = stub.Config(**stub.PRESETS[preset]).model_updates
        looks = [s for s in runs[preset] if s.step >= before] or runs[preset]
        x = [s.step - before for s in looks]
        axes.plot(x, [s.metrics["median_end_error_px"] for s in looks], "o-", color=colour, label=LABELS[preset])
        below.plot(x, [s.T for s in looks], ".", color=colour)
    axes.axhline(5, color="C3", lw=1, ls=":")
    axes.text(1, 5, "5 px", transform=axes.get_yaxis_transform(), ha="right", va="bottom", color="C3", fontsize=9)
    axes.set(yscale="log", ylabel="px from the target\nafter 20 saccades (median)", title="What the controller learns")
    axes.legend(ncols=2, loc="lower left")
    below.set(xlabel="updates of the controller", ylabel="T", ylim=(0, 9))
    return figure


def prediction(runs: dict[str, list]) -> Figure:
    """The next input after one full pull of each motor, true and as M predicts it."""
    figure, panels = plt.subplots(2, 5, figsize=(10, 4.5))
    M, here = runs["learnt_model"][-1].params["M"], world_of("learnt_model")
    pose = np.array([[22.0, -14.0, 0.0]])
    now = here.look(pose)
    draw_view(panels[0, 0], now[0])
    panels[0, 0].set_title("before", loc="center")
    panels[1, 0].set_axis_off()
    for motor, name in enumerate(("right", "left", "up", "down")):
        a = np.zeros((1, 4))
        a[0, motor] = 1
        true, guess = here.look(here.move(pose, a)), stub.forward(M, np.concatenate([now, a], axis=1))[1]
        for axes, f in zip(panels[:, motor + 1], (true, guess), strict=True):
            draw_view(axes, f[0])
        panels[0, motor + 1].set_title(f"20 px {name}", loc="center")
    panels[0, 1].set_ylabel("true")
    panels[1, 1].set_ylabel("predicted by M")
    return figure


def tracking(runs: dict[str, list]) -> Figure:
    """A target on a line and on a circle with the path of the fovea; and the lag against the target's speed."""
    figure, (line, circle, lags) = plt.subplots(1, 3, figsize=(10.5, 3.7))
    C, here, T = runs["learnt_model"][-1].params["C"], world_of("learnt_model"), 40
    angle = np.arange(T + 1) * 5 / 40
    courses = {
        "Line, 5 px per step": np.outer(np.arange(T + 1) - T / 2, (4.0, 3.0)),
        "Circle, 5 px per step": 40 * np.stack([np.cos(angle), np.sin(angle)], axis=1),
    }
    for axes, (title, target) in zip((line, circle), courses.items(), strict=True):
        pose = np.array([[-30.0, 45.0, 0.0]])
        places = [target[0] + pose[0, :2]]
        for before, after in zip(target[:-1], target[1:], strict=True):
            pose = here.move(pose, stub.forward(C, here.look(pose))[1])
            pose[0, :2] -= after - before
            places.append(after + pose[0, :2])
        axes.plot(*target.T, ".-", color="C3", ms=4, lw=0.8, label="target")
        axes.plot(*np.transpose(places), ".-", color="C0", ms=4, lw=1.2, label="fovea")
        axes.set(title=title, aspect="equal", xlabel="px")
    line.legend(loc="lower right")
    speeds = np.arange(1, 16)
    rng = np.random.default_rng(0)
    start, direction = here.start(rng, 100, 70.0), rng.uniform(-np.pi, np.pi, 100)
    towards = np.stack([np.cos(direction), np.sin(direction), 0 * direction], axis=1)
    far = [stub.distance(stub.track(C, here, start, v * towards, T))[T // 2 :] for v in speeds]
    lags.plot(speeds, [np.median(d) for d in far], "o-", color="C0")
    lags.plot(speeds, speeds, color="C3", lw=1, ls=":")
    lags.text(9, 6, "dotted: one step\nof the target", color="C3", va="top")
    lags.set(xlabel="speed of the target, px per step", ylabel="median distance, px", ylim=(0, 18), title="Lag")
    return figure


def blob_rule(rng: np.random.Generator, n: int, T: int) -> np.ndarray:
    """Distance (T + 1, n) in px from Gaussian blobs in 16 x 16 px, where a 5 x 5 fovea moves by 8 x centroid."""
    blob, place = rng.uniform(3, 13, (n, 1, 2)), rng.uniform(2, 14, (n, 1, 2))
    offsets = np.array([(x, y) for y in range(-2, 3) for x in range(-2, 3)])
    far = [np.linalg.norm(place - blob, axis=2)]
    for _ in range(T):
        f = np.exp(-((place + offsets - blob) ** 2).sum(axis=2) / 32)
        centroid = f @ offsets / f.sum(axis=1, keepdims=True)
        place = (place + 8 * centroid[:, None]).clip(0, 16)
        far.append(np.linalg.norm(place - blob, axis=2))
    return np.array(far)[..., 0]


def centroid(runs: dict[str, list]) -> Figure:
    """A rule that learns nothing, a saccade to the centroid of what is seen, on three problems, beside C on ours."""
    figure, panels = plt.subplots(1, 3, figsize=(10.5, 3.7))
    far = blob_rule(np.random.default_rng(0), 300, 8)
    panels[0].plot(np.median(far, axis=1), "o-", color="C1")
    panels[0].set(title="A blob in 16 x 16 pixels", ylabel="median distance, px", ylim=(-0.3, 7))
    for axes, preset in zip(panels[1:], ("learnt_model", "off_centre"), strict=True):
        paths = runs[preset][-1].paths[:9]
        rule = stub.centroid_rule(world_of(preset), paths[0], len(paths) - 1)
        axes.plot(np.median(stub.distance(rule), axis=1), "o-", color="C1", label="to the centroid")
        axes.plot(np.median(stub.distance(paths), axis=1), "o-", color="C0", label="controller")
        axes.set(title="This triangle" if preset == "learnt_model" else "Target off centre", ylim=(-2, 70))
    panels[1].legend()
    for axes in panels:
        axes.set_xlabel("saccades")
    return figure


def rotation(runs: dict[str, list]) -> Figure:
    """Least error at each heading; and where the tests of a fovea that turns end: place and heading."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(10.5, 3.7))
    here, grid, headings = world_of("rotation", 50.0), np.arange(-48, 49, 4.0), np.arange(-180, 181, 10)
    places = np.array([(x, y, 0) for x in grid for y in grid])
    views = [here.look(places + (0, 0, np.deg2rad(h))) for h in headings]
    left.plot(headings, [((f - here.goal) ** 2).sum(axis=1).min() for f in views], color="C3")
    left.set(ylabel="least |f - goal|² at any place", title="Error by heading", xlabel="heading, degrees")
    for preset, colour, name in (("rotation", "C0", "M of 40 units"), ("rotation_large_model", "C4", "M of 120 units")):
        end = (np.rad2deg(runs[preset][-1].paths[-1, :, 2]) + 180) % 360 - 180
        middle.hist(end, bins=np.arange(-180, 181, 10), color=colour, alpha=0.8, label=name)
    middle.set(ylabel="tests", title="Headings at the end", xlabel="heading, degrees", ylim=(0, 200))
    middle.legend()
    for axes in (left, middle):
        axes.set_xticks((-180, -120, -60, 0, 60, 120, 180))
        axes.set_xlim(-180, 180)
    draw_plane(right, "rotation", 70)
    x, y, heading = runs["rotation_large_model"][-1].paths[-1, :60].T
    right.quiver(x, y, np.cos(heading), np.sin(heading), color="C4", scale=6, width=0.007, zorder=3)
    right.set_title("Places and headings (120 units)")
    return figure


FIGURES = (trajectories, learning, prediction, tracking, centroid, rotation)


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
