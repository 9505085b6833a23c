"""Film of levin_count_inputs: the programs tried one after another, then the solution at work."""

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

import levin_count_inputs as stub
from visualize_levin_count_inputs import draw_tree, label_outcomes, listing, outcome_colours

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
    """Left the tree of programs as far as explored; right the program of the moment and the weights it writes."""
    figure = plt.figure(figsize=(8.8, 4.2))
    grid = figure.add_gridspec(3, 2, width_ratios=(1.7, 1), height_ratios=(1, 2.6, 0.1))
    tree_ax, legend_ax = figure.add_subplot(grid[:2, 0]), figure.add_subplot(grid[2, 0])
    tape_ax, weight_ax = figure.add_subplot(grid[0, 1]), figure.add_subplot(grid[1:, 1])
    runs, fit = snapshots[-1].runs, snapshots[-1].fit
    tree = draw_tree(tree_ax, runs, fit)
    colours = outcome_colours(runs, fit)[: len(tree.get_paths())]
    legend_ax.axis("off")
    label_outcomes(legend_ax, 0)
    tape_ax.set(xlim=(-0.1, 5.2), ylim=(-1.3, 2))
    tape_ax.axis("off")
    cells = [tape_ax.text(i + 0.5, 0.5, "", ha="center", va="center", fontsize=11) for i in range(4)]
    for i in range(4):
        tape_ax.add_patch(plt.Rectangle((i, 0), 1, 1, fill=False))
    pointer = tape_ax.text(0.5, -0.1, "▲ IP", ha="center", va="top", color="C1")
    tape_ax.text(0, 1.2, "program", color="C2")
    words = tape_ax.set_title("")
    image = weight_ax.imshow(np.zeros((10, 10)), vmin=-2, vmax=2, cmap="RdBu")
    weight_ax.set(xticks=[], yticks=[])
    weight_ax.grid(False)
    numbers = [weight_ax.text(i % 10, i // 10, "", ha="center", va="center", fontsize=8) for i in range(100)]

    def draw(k: int) -> None:
        snapshot = snapshots[k]
        tree.set_facecolors(np.where(np.arange(len(colours)) < snapshot.step, colours, "#EEEEEE"))
        tree_ax.set_title(f"Programs tried: {snapshot.step}")
        words.set_text(listing(snapshot.program) or "empty program")
        for i, cell in enumerate(cells):
            cell.set_text(snapshot.program[i] if i < len(snapshot.program) else "")
        pointer.set_x(min(snapshot.ip, 4) + 0.5)
        image.set_data(snapshot.weights.reshape(10, 10))
        for number, w in zip(numbers, snapshot.weights, strict=True):
            number.set_text(f"{w:.0f}")
        weight_ax.set_title(f"Weights: {100 * snapshot.metrics['accuracy']:.0f} % of unseen right")

    draw(len(snapshots) - 1)
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
