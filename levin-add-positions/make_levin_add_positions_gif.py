"""Film of levin_add_positions: programs are tried, then the one that fits counts its way through all weights."""

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import levin_add_positions as stub
from visualize_levin_add_positions import FIT, TRIED, listing

SNAPSHOTS = 80
FILMED = tuple(stub.PRESETS)  # presets the film can show


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
    """Left the programs tried so far, by bits and steps; right the program of the moment and the weights it writes."""
    figure = plt.figure(figsize=(8.8, 4.2))
    grid = figure.add_gridspec(2, 2, width_ratios=(1, 1.45), height_ratios=(1, 1.9))
    search_ax = figure.add_subplot(grid[:, 0])
    tape_ax, weight_ax = figure.add_subplot(grid[0, 1]), figure.add_subplot(grid[1, 1])
    last = snapshots[-1]
    bits, steps = last.tried
    place = np.linspace(0, last.step - 1, min(last.step, 4000)).astype(int)  # those shown: more would be one grey area
    y = steps[place] * 2 ** np.random.default_rng(0).uniform(-0.2, 0.2, len(place))
    dots = search_ax.scatter(bits[place], y, s=4, lw=0)
    (star,) = search_ax.plot([], [], "*", color=FIT, markersize=14)
    search_ax.set_yscale("log", base=2)
    search_ax.set(xlabel="bits of the program", ylabel="steps it runs", xlim=(3, 24), ylim=(0.7, 2**11))
    tape_ax.set(xlim=(-4.3, 9), ylim=(-1.6, 1.8))
    tape_ax.axis("off")
    squares = [tape_ax.add_patch(plt.Rectangle((i, 0), 1, 1, fill=False, linewidth=0.8)) for i in range(9)]
    cells = [tape_ax.text(i + 0.5, 0.45, "", ha="center", va="center", fontsize=11) for i in range(9)]
    pointer = tape_ax.text(0.5, -0.15, "", ha="center", va="top", color="C1")
    tape_ax.add_patch(plt.Rectangle((-3.2, 0), 1.6, 1, fill=False, linewidth=0.8, edgecolor=FIT))
    counter = tape_ax.text(-2.4, 0.45, "", ha="center", va="center", fontsize=11, color=FIT)
    tape_ax.text(-2.4, -0.15, "work cell -1", ha="center", va="top", color=FIT)
    words = tape_ax.text(-4.3, 1.75, "", va="center", fontsize=9)
    bars = weight_ax.bar(np.arange(100), np.zeros(100), color=FIT, width=0.9)
    weight_ax.plot(np.ravel(stub.PAPER_BITS), np.full(9, -4), "^", color="C1", markersize=5)
    weight_ax.text(1, 82, "triangles: the nine inputs\nof the three examples", color="C1", fontsize=9)
    weight_ax.set(xlim=(-1, 100), ylim=(-8, 103), xlabel="position", ylabel="weight")

    def draw(k: int) -> None:
        snapshot = snapshots[k]
        dots.set_color([TRIED if i < snapshot.step else "#EAEAEA" for i in place])
        search_ax.set_title(f"Programs tried: {snapshot.step:,}")
        if snapshot.step == last.step and np.isfinite(last.metrics["runs"]):
            star.set_data(bits[last.step - 1 : last.step], steps[last.step - 1 : last.step])
        words.set_text("; ".join(listing(snapshot.program)) or "empty program")
        for i, (cell, square) in enumerate(zip(cells, squares, strict=True)):
            cell.set_text(snapshot.program[i] if i < len(snapshot.program) else "")
            square.set_visible(i < len(snapshot.program))
        pointer.set_x(snapshot.ip + 0.5)
        pointer.set_text("▲ IP")
        counter.set_text(snapshot.work[0] if len(snapshot.work) else "")
        for bar, w in zip(bars, snapshot.weights, strict=True):
            bar.set_height(w)
        weight_ax.set_title(f"Weights: {100 * snapshot.metrics['accuracy']:.0f} % of unseen inputs right")

    draw(len(snapshots) - 1)
    star.set_data([], [])
    figure.canvas.draw()
    figure.set_layout_engine("none")  # from here on the axes stay where they are
    write_gif(figure, draw, len(snapshots), path, ms=120)


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
