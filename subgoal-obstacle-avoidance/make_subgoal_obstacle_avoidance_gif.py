"""Film of subgoal-obstacle-avoidance: the proposals of S for two arenas while it learns."""

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
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from PIL import Image

import obstacle_arena as arena
import subgoal_obstacle_avoidance as stub

SNAPSHOTS = 400  # most is learned early: the film shows 64 of them, the first ones almost all
FILMED = (
    "fixed",
    "varied",
    "single_list",
    "learned_evaluator",
    "recurrent",
    "five_discs",
    "smoke",
)  # it can show these
FRAMES = 64
SCALE = matplotlib.colors.Normalize(1, 2)  # colours of a leg by its predicted cost / its length
COLOURS = LinearSegmentedColormap.from_list("cost", ["#0072B2", "#E69F00", "#D55E00"])


class Scene:
    """One arena: the chosen list bold and coloured by the predicted cost of its legs, the others thin."""

    def __init__(self, axes: plt.Axes):
        self.axes, self.dots = axes, axes.plot([], [], "o", color="C0", ms=6, zorder=4)[0]
        self.thin = axes.add_collection(LineCollection([], colors="#9A9A9A", linewidths=0.9))
        self.bold = axes.add_collection(LineCollection([], cmap=COLOURS, norm=SCALE, linewidths=3, zorder=3))
        self.circles = []
        self.ends = [axes.text(0, 0, name, ha="center", va="center", weight="bold", zorder=5) for name in "SG"]
        axes.set(xlim=(0, arena.SIDE), ylim=(0, arena.SIDE), aspect="equal", xticks=(), yticks=())
        axes.spines[:].set_visible(True)

    def draw(self, snapshot: stub.Snapshot, which: int) -> None:
        """Show what S proposes in test arena number `which`."""
        for circle in self.circles:
            circle.remove()
        discs = snapshot.arenas.discs[which]
        self.circles = [
            self.axes.add_patch(Circle((c.real, c.imag), arena.RADIUS, facecolor="#BBBBBB", edgecolor="none"))
            for c in discs
        ]
        paths, best = snapshot.paths[which], snapshot.costs[which].argmin()
        self.thin.set_segments([np.column_stack([path.real, path.imag]) for path in paths])
        chosen = np.column_stack([paths[best].real, paths[best].imag])
        self.bold.set_segments(np.stack([chosen[:-1], chosen[1:]], axis=1))
        legs = np.stack([paths[best, :-1], paths[best, 1:]], axis=1)
        cost, _ = stub.hinge_cost(legs, discs)
        self.bold.set_array(cost / np.maximum(arena.length(legs), 0.1))
        self.dots.set_data(*chosen[1:-1].T)
        for text, place in zip(self.ends, chosen[[0, -1]], strict=True):
            text.set_position(place)
        word = "clear" if arena.succeeds(paths[best], discs) else "fails"
        self.axes.set_xlabel(f"{word}, length {arena.length(paths[best]):.2f}")


def film(snapshots: list, path: Path) -> None:
    """Left one arena all through, right a fresh one from time to time; below, the success in all test arenas."""
    figure, (one, other, curve) = plt.subplots(1, 3, figsize=(8.1, 3.3), width_ratios=(1, 1, 0.75))
    scenes = Scene(one), Scene(other)
    one.set_title("One arena", loc="center")
    steps, success = [max(s.step, 1) for s in snapshots], [s.metrics["success"] for s in snapshots]
    (line,) = curve.plot([], [], color="C0")
    curve.set(xscale="log", xlim=(1, 1.1 * steps[-1]), ylim=(0, 1.02), xlabel="updates", title="Success")
    colours = figure.colorbar(scenes[0].bold, ax=curve, location="bottom", ticks=(1, 1.5, 2))
    colours.set_label("predicted cost / length", fontsize=9)
    shown = np.geomspace(1, len(snapshots), FRAMES).astype(int) - 1

    def draw(frame: int) -> None:
        k = shown[frame]
        fresh = 1 + frame // 4 % (len(snapshots[0].paths) - 1)
        scenes[0].draw(snapshots[k], 0)
        scenes[1].draw(snapshots[k], fresh)
        other.set_title(f"Arena {fresh + 1}, update {snapshots[k].step}", loc="center")
        line.set_data(steps[: k + 1], success[: k + 1])

    draw(0)
    for _ in range(2):  # settles the layout, which then stays
        figure.draw_without_rendering()
    figure.set_layout_engine("none")
    write_gif(figure, draw, FRAMES, path, ms=220)
    plt.close(figure)


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
