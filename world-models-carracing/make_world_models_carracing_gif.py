"""Film of one unseen track after 1, 5, 20 and all generations: the drive, what C is given, and what V makes of it."""

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from PIL import Image

import race_track as rt
import vision_memory as vm
import world_models_carracing as stub

SNAPSHOTS = 41
FILMED = tuple(name for name in stub.PRESETS if name != "fixed_track")  # presets the film can show
SHOWN = (1, 5, 20)  # generations, and the last
FRAMES = 22  # of each drive
TRACK = 2  # of the test tracks


def film(snapshots: list[stub.Snapshot], path: Path) -> None:
    """Write the GIF: four drives on the same test track, one after another."""
    steps = [s.step for s in snapshots]
    chosen = list(dict.fromkeys([int(np.searchsorted(steps, k)) for k in SHOWN if k < steps[-1]] + [len(steps) - 1]))
    drives = [record(snapshots[k]) for k in chosen]
    figure, axes = plt.subplot_mosaic(
        [["road", "seen", "restored"], ["road", "z", "z"], ["road", "h", "h"]],
        figsize=(7.6, 4.0),
        width_ratios=[1.9, 1, 1],
        height_ratios=[1.7, 1, 1],
    )
    last = snapshots[-1]
    centre = last.tests.centre[TRACK]
    axes["road"].plot(*np.vstack([centre, centre[:1]]).T, color="0.87", lw=15, zorder=0)
    axes["road"].set(aspect="equal", xlim=(-15, 15), ylim=(-16, 15))
    axes["road"].axis("off")
    trail = axes["road"].add_collection(LineCollection([], cmap="plasma", lw=2.5, clip_on=False))
    trail.set_clim(0, 1.5)
    figure.colorbar(trail, ax=axes["road"], location="bottom", label="speed", shrink=0.6, aspect=30)
    car = axes["road"].plot([], [], "o", color="k", ms=6, clip_on=False)[0]
    title = axes["road"].set_title(" ")
    views = {}
    for name, label in (("seen", "what the car sees"), ("restored", "restored from z")):
        views[name] = axes[name].imshow(np.zeros((rt.VIEW, rt.VIEW)), cmap="gray", vmin=0, vmax=1)
        axes[name].set_title(label, fontsize=9, weight="normal")
        axes[name].set(xticks=[], yticks=[])
        axes[name].grid(False)
    bars = {}
    for name, limit, colour in (("z", 3, "C1"), ("h", 1, "C0")):
        bars[name] = axes[name].bar(range(drives[-1][name].shape[1]), 0, color=colour)
        axes[name].set(ylim=(-limit, limit), xticks=[])
        axes[name].set_ylabel(name, rotation=0, va="center")
    axes["h"].set_xlabel("z: code of the frame; h: memory of M", fontsize=9)

    def draw(k: int) -> None:
        drive, generation = drives[k // FRAMES], steps[chosen[k // FRAMES]]
        t = round((k % FRAMES + 1) / FRAMES * (len(drive["speed"]) - 1))
        points = drive["position"][: t + 1]
        trail.set_segments(np.stack([points[:-1], points[1:]], axis=1))
        trail.set_array(drive["speed"][1 : t + 1])
        car.set_data(*points[-1:].T)
        title.set_text(f"generation {generation}, step {t + 1}" + drive["end"] * (k % FRAMES == FRAMES - 1))
        views["seen"].set_data(drive["seen"][t])
        views["restored"].set_data(drive["restored"][t])
        for name, rectangles in bars.items():
            for rectangle, height in zip(rectangles, drive[name][t], strict=True):
                rectangle.set_height(height)

    write_gif(figure, draw, FRAMES * len(drives), path, 90)
    plt.close(figure)


def record(snapshot: stub.Snapshot) -> dict:
    """The drive of a snapshot's C on the film's track: per step position, speed, frames, z, h; at the end the score."""
    cfg, n = snapshot.cfg, len(snapshot.tests.centre)
    weights = np.tile(snapshot.weights, (n, 1))
    recorder = rt.Recorder(stub.Controller(cfg, snapshot.v, snapshot.m, weights), n, cfg.limit)
    score = stub.drive_all(cfg, recorder, snapshot.tests).score[TRACK]
    own = slice(TRACK, TRACK + 1), slice(recorder.length[TRACK])
    frames = recorder.frames[own]
    z = vm.encode(snapshot.v, frames)
    return {
        "position": recorder.position[own][0],
        "speed": recorder.speed[own][0],
        "seen": frames[0].reshape(-1, rt.VIEW, rt.VIEW),
        "restored": vm.decode(snapshot.v, z)[0].reshape(-1, rt.VIEW, rt.VIEW),
        "z": z[0],
        "h": vm.remember(snapshot.m, z, recorder.actions[own])[0],
        "end": f": score {score:.0f}",
    }


def write_gif(figure: Figure, draw: Callable[[int], None], frames: int, path: Path, ms: int) -> None:
    """Write a looping GIF: draw(k) updates the figure to frame k, shown for `ms` milliseconds, the last for 2 s."""
    images = []
    for k in range(frames):
        draw(k)
        figure.canvas.draw()
        images.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()))
    sample = np.concatenate([np.asarray(images[k]) for k in (0, frames // 2, -1)])
    palette = Image.fromarray(sample).quantize(64)
    first, *rest = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    unfinished = path.with_suffix(".tmp")
    durations = [ms] * (frames - 1) + [2000]
    first.save(unfinished, format="GIF", save_all=True, append_images=rest, duration=durations, loop=0)
    os.replace(unfinished, path)


def main(argv: list[str] | None = None) -> int:
    """Train one preset, keep SNAPSHOTS looks at it, and write the film."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.error = lambda message: parser.exit(2, f"{parser.prog}: {message} (see --help)\n")
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    parser.add_argument("--preset", choices=FILMED, default=FILMED[0], help="default %(default)s")
    default_out = Path(__file__).with_name(f"{stub.__name__}.gif")
    parser.add_argument("--out", type=Path, default=default_out, help=f"file (default {default_out.name})")
    args = parser.parse_args(argv)
    style = Path(__file__).parents[1] / "matplotlibrc"
    if style.exists():
        matplotlib.rc_file(style)
    cfg = replace(stub.Config(**stub.PRESETS[args.preset]), snapshots=SNAPSHOTS)
    print(f"training {args.preset}, seed {args.seed}", flush=True)
    film(list(stub.train(cfg, np.random.default_rng(args.seed))), args.out)
    print(args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
