"""Film of curiosity-three-regions: where one agent goes, what interests it, and what its population has learned."""

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
from PIL import Image

import curiosity_three_regions as stub

SNAPSHOTS = 130
FILMED = ("curious", "dyna5", "dyna20")  # presets the film can show: those in the world of the headline
WINDOW = 300  # steps whose visits are shown


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
    """Top: visits and interest of the first learner; bottom: E(t) of all learners, and the time spent in C."""
    last = snapshots[-1]
    grid = stub.SIZE
    region = stub.make_world(stub.Config()).region.reshape(grid, grid)
    figure = plt.figure(figsize=(8.4, 6.4))
    layout = figure.add_gridspec(2, 2, height_ratios=(1.75, 1))
    visit_ax, interest_ax = figure.add_subplot(layout[0, 0]), figure.add_subplot(layout[0, 1])
    error_ax, share_ax = figure.add_subplot(layout[1, 0]), figure.add_subplot(layout[1, 1])
    maps = [
        visit_ax.imshow(np.zeros((grid, grid)), cmap=plt.get_cmap("Blues", 8), vmin=0, vmax=40),
        interest_ax.imshow(np.zeros((grid, grid)), cmap=plt.get_cmap("RdBu", 11), vmin=-0.22, vmax=0.22),
    ]
    for ax, image, name in zip(
        (visit_ax, interest_ax), maps, (f"Visits, last {WINDOW} steps", "Interest"), strict=True
    ):
        outline(ax, region)
        ax.set(title=name, xticks=(), yticks=())
        ax.grid(False)
        figure.colorbar(image, ax=ax, shrink=0.8, extend="max" if ax is visit_ax else "both")
    (agent,) = visit_ax.plot([], [], "o", color="C7", ms=11, mec="C3")
    median = np.median(last.E, axis=1)
    share = moving_mean((region.ravel()[last.path] == stub.C).mean(axis=1), 50)
    curves = []
    for ax, values, title in ((error_ax, median, "Error of the model in C"), (share_ax, share, "Share of time in C")):
        curves.append((ax.plot([], [], color="C0")[0], values))
        ax.set(title=title, xlim=(0, last.step), xlabel="steps", ylim=(0, 1.03))
    share_ax.axhline((region == stub.C).mean(), color="C2", lw=1)
    share_ax.text(0.01 * last.step, (region == stub.C).mean() + 0.03, "share of the area", color="C2", fontsize=8)
    error_ax.text(0.98 * last.step, 0.85, "all learners, median", color="C0", ha="right", fontsize=8)
    share_ax.text(0.98 * last.step, 0.85, "all learners, mean", color="C0", ha="right", fontsize=8)

    def draw(k: int) -> None:
        step, entered = snapshots[k].step, snapshots[k].path[:, 0]
        maps[0].set_data(np.bincount(entered[-WINDOW:], minlength=grid * grid).reshape(grid, grid))
        maps[1].set_data(snapshots[k].params["P"][0].reshape(grid, grid))
        here = entered[-1] if step else 0
        agent.set_data([here % grid], [here // grid])
        for line, values in curves:
            line.set_data(np.arange(len(values[: step + 1])), values[: step + 1])
        figure.suptitle(f"Step {step}", x=0.99, ha="right")

    draw(len(snapshots) - 1)
    figure.canvas.draw()
    figure.set_layout_engine("none")  # from here on the axes stay where they are
    write_gif(figure, draw, len(snapshots), path, ms=120)
    plt.close(figure)


def outline(ax: Axes, region: np.ndarray) -> None:
    """Borders and names of the regions (10, 10) on a picture of the grid."""
    for y, x in np.ndindex(*region.shape):
        if x + 1 < region.shape[1] and region[y, x] != region[y, x + 1]:
            ax.plot([x + 0.5, x + 0.5], [y - 0.5, y + 0.5], color="C3", lw=1.4)
        if y + 1 < region.shape[0] and region[y, x] != region[y + 1, x]:
            ax.plot([x - 0.5, x + 0.5], [y + 0.5, y + 0.5], color="C3", lw=1.4)
    for x, name in ((1.5, "A"), (4.5, "B"), (7.5, "C")):
        ax.text(x, 9.95, name, ha="center", va="center", weight="bold", color="C3")


def moving_mean(values: np.ndarray, width: int) -> np.ndarray:
    """Mean of each value (T,) and the width - 1 before it, of fewer at the beginning."""
    sums = np.concatenate([np.zeros(1), np.cumsum(values)])
    end = np.arange(1, len(values) + 1)
    start = np.maximum(end - width, 0)
    return (sums[end] - sums[start]) / (end - start)


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
