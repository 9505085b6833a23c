"""Film of nbb_moving_light: a net watches the light go both ways, at successive stages of its training."""

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from PIL import Image

import nbb_moving_light as stub
from visualize_nbb_moving_light import example

SNAPSHOTS = 125
STAGES = 16  # of training; the film shows a presentation of each direction at each of them
FILMED = tuple(p for p, c in stub.PRESETS.items() if not {"answer", "cells"} & c.keys())  # what the film can show
CFG = stub.Config(nets=1)  # of the net in the film
OFF, ON, WRONG, LIGHT, LIGHT_BEFORE = "#D0D0D0", "C0", "C1", "#E69F00", "#F7DFB0"


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


def film(snapshots: list[stub.Snapshot], path: Path) -> None:
    """Top: one net at each tick of both directions; bottom: shares of its population. Stages are dense at first."""
    figure = plt.figure(figsize=(8.8, 5.2))
    grid = figure.add_gridspec(2, 2, height_ratios=(2.2, 1))
    net_axes, share_ax = [figure.add_subplot(grid[0, d]) for d in (0, 1)], figure.add_subplot(grid[1, :])
    steps, net = [s.step for s in snapshots], example(snapshots[-1])
    stages = np.unique(np.geomspace(1, len(snapshots), STAGES).round().astype(int)) - 1
    curves = []
    for name, color, key, height in (("held for 5 tests", "C4", "held_8", 0.6), ("right now", "C0", "solved_now", 0.3)):
        values = [s.metrics[key] for s in snapshots]
        curves.append((share_ax.plot([], [], color=color)[0], values))
        share_ax.text(0.8, height, name, color=color, transform=share_ax.transAxes, fontsize=9)
    share_ax.set(xlim=(0, steps[-1]), ylim=(-0.03, 1.05), xlabel="presentations", title="Share of the population")

    def draw(k: int) -> None:
        stage, tick = stages[k // CFG.cells], k % CFG.cells
        w = snapshots[stage].params[..., [net]]
        out = stub.respond(CFG, w)[..., 0]  # (T, 2, 2)
        for direction, ax in enumerate(net_axes):
            draw_net(ax, w[..., 0], out[..., direction], direction, tick)
        for line, values in curves:
            line.set_data(steps[: stage + 1], values[: stage + 1])
        figure.suptitle(f"After {steps[stage]} presentations, tick {tick + 1}", x=0.01, ha="left")

    draw(0)
    figure.canvas.draw()
    figure.set_layout_engine("none")  # from here on the axes stay where they are
    write_gif(figure, draw, len(stages) * CFG.cells, path, ms=220)


def draw_net(ax: Axes, w: np.ndarray, out: np.ndarray, direction: int, tick: int) -> None:
    """A net with weights w (S, 2) and winners out (T, 2), at a tick counted from 0; line widths are relative weights.

    Coloured lines made the winner win: they come from what was on one tick before.
    """
    ax.clear()
    ax.axis("off")
    ax.set(xlim=(-2.5, 3.7), ylim=(-0.45, 2.75))
    right = out[:, direction].all()
    ax.set_title(("Left to right", "Right to left")[direction], color=ON if right else WRONG)
    sweep = stub.frames(replace(CFG, answer="after"))[..., direction]
    light = np.concatenate([np.zeros((1, CFG.cells + 1)), sweep])  # at ticks -1, 0, 1, ...
    on = np.concatenate([np.zeros((2, 2)), out])  # outputs at ticks -1, 0, 1, ...; none at the first two
    source, wins = np.concatenate([light[tick], on[tick]]), on[tick + 1]
    color = ON if wins[direction] else WRONG
    places = [*((x, 0) for x in range(-2, 3)), (3.2, 0), (-0.9, 2), (0.9, 2)]
    for i, j in np.ndindex(*w.shape):
        used = source[i] and wins[j]
        draw_connection(ax, places[i], places[-2 + j], 4.5 * w[i, j] / w.max(), color if used else OFF)
    retina = np.where(light[tick + 1], LIGHT, np.where(light[tick], LIGHT_BEFORE, "white"))
    fills = [*retina, *np.where(wins, color, "white")]
    ax.scatter(*np.transpose(places), s=150, c=fills, edgecolors="C3", zorder=4)
    for (x, y), name in (((3.2, -0.3), "always on"), ((-1.9, 1.95), "output 1"), ((1.9, 1.95), "output 2")):
        ax.text(x, y, name, ha="center", va="center", fontsize=8)


def draw_connection(ax: Axes, start: tuple, end: tuple, width: float, color: str) -> None:
    """A straight line from an input, an arc between the outputs, a loop from an output to itself."""
    bend = 0.0 if start[1] == 0 else 0.35
    if start == end:
        start, end, bend = (start[0] - 0.2, start[1]), (end[0] + 0.2, end[1]), -2.2
    line = FancyArrowPatch(start, end, connectionstyle=f"arc3,rad={bend}", arrowstyle="-", linewidth=width, color=color)
    line.set_zorder(1 + (color != OFF))
    ax.add_patch(line)


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
