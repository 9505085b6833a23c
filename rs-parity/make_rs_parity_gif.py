"""Film of rs_parity: nets are guessed until one step of a net is XOR; then its output follows the parity."""

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

import rs_parity as stub
from parity_net import take
from visualize_rs_parity import one_step_maps, outputs_over_time

SNAPSHOTS = 60
FILMED = tuple(name for name in stub.PRESETS if name != "reference" and not name.startswith("bptt"))
COLUMNS, WINDOW, FOLLOW = 25, 60, 36  # past nets per row; steps shown; frames that follow the solution


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


def mosaic(maps: np.ndarray, shown: int) -> np.ndarray:
    """The first maps as an image of small squares; the others are blank (nan)."""
    rows = -(-len(maps) // COLUMNS)
    image = np.full((3 * rows + 1, 3 * COLUMNS + 1), np.nan)
    for k, square in enumerate(maps[:shown]):
        top, left = 3 * (k // COLUMNS) + 1, 3 * (k % COLUMNS) + 1
        image[top : top + 2, left : left + 2] = square
    return image


def film(snapshots: list[stub.Snapshot], path: Path) -> None:
    """The guesses of the first search, then its solution on a new sequence."""
    search = next(s for s in snapshots if s.guesses is not None)
    maps, count = one_step_maps(search.guesses), search.guesses["e"].size
    before = search.step - count  # trials whose weights are not kept
    tries = np.unique(np.linspace(1, count, 56).astype(int))
    x = stub.sample(replace(stub.Config(), min_length=600), np.random.default_rng(0), 2).x[:, 0]
    parity = (x > 0).cumsum() % 2

    figure = plt.figure(figsize=(8.6, 4.6))
    grid = figure.add_gridspec(2, 2, width_ratios=(1, 1.9), height_ratios=(1.5, 1))
    square_ax, mosaic_ax = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
    curve_ax = figure.add_subplot(grid[1, :])
    square = square_ax.imshow(maps[0], vmin=0, vmax=1, cmap="Blues")
    words = [square_ax.text(i, o, "", ha="center", va="center") for o in (0, 1) for i in (0, 1)]
    square_ax.set(xticks=(0, 1), xticklabels=("-1", "1"), yticks=(0, 1), xlabel="input", ylabel="output before")
    past = mosaic_ax.imshow(mosaic(maps, 0), vmin=0, vmax=1, cmap="Blues", aspect="auto")
    mosaic_ax.set(xticks=[], yticks=[], facecolor="#F3EFE6")
    for ax in (square_ax, mosaic_ax):
        ax.grid(False)
    t = np.arange(WINDOW)
    (truth,) = curve_ax.step(t, t, where="mid", color="C4", linewidth=4, alpha=0.45)
    (output,) = curve_ax.step(t, t, where="mid", color="C0")
    curve_ax.set(ylim=(-0.15, 1.5), yticks=(0, 1), xlabel="step")
    curve_ax.text(0.01, 0.97, "parity so far", color="C4", transform=curve_ax.transAxes, va="top")
    curve_ax.text(0.14, 0.97, "output of the net", color="C0", transform=curve_ax.transAxes, va="top")

    def draw(k: int) -> None:
        tried = tries[min(k, len(tries) - 1)]
        start = (600 - WINDOW) * max(0, k - len(tries) + 1) // FOLLOW
        solved = tried == count and np.isfinite(search.trials[0])
        square.set_data(maps[tried - 1])
        for text, value in zip(words, maps[tried - 1].ravel(), strict=True):
            text.set(text=f"{value:.2f}", color="white" if value > 0.5 else "black")
        square_ax.set_title("One step of it: XOR!" if solved else "One step of this net")
        past.set_data(mosaic(maps, tried))
        mosaic_ax.set_title(f"Trial {before + tried}" + (": all 100 training sequences right" if solved else ""))
        outputs = outputs_over_time(take(search.guesses, [tried - 1]), x[: start + WINDOW])[start:, 0]
        shown = t + start + 1
        truth.set_data(shown, parity[start : start + WINDOW])
        output.set_data(shown, outputs)
        curve_ax.set_xlim(shown[0] - 0.5, shown[-1] + 0.5)
        curve_ax.set_title("A new sequence of 600 steps")

    draw(len(tries) - 1)
    figure.canvas.draw()
    figure.set_layout_engine("none")  # from here on the axes stay where they are
    write_gif(figure, draw, len(tries) + FOLLOW, path, ms=130)


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
