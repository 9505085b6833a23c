"""Film of multiplication-problem: a test sequence, what the cells make of it, and the test error, during training."""

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

import multiplication_problem as stub

SNAPSHOTS = 60
FILMED = tuple(stub.PRESETS)  # presets the film can show


def film(snapshots: list, path: Path) -> None:
    """Values with marks, cell states over time, output beside product, error over training."""
    test, last = snapshots[-1].test, snapshots[-1]
    spread = [np.ptp(np.flatnonzero(test.x[:, 1, b] == 1)) for b in range(8)]
    b = int(np.argmax(spread))  # the sequence whose marks are farthest apart
    end = test.length[b]
    value, marked = test.x[:end, 0, b], np.flatnonzero(test.x[:end, 1, b] == 1)
    figure = plt.figure(figsize=(7.6, 6.2), constrained_layout=True)
    grid = figure.add_gridspec(3, 2, width_ratios=[4, 1], height_ratios=[0.8, 1.4, 1.1])
    top, cells = (figure.add_subplot(grid[row, 0]) for row in (0, 1))
    answer, score = figure.add_subplot(grid[:2, 1]), figure.add_subplot(grid[2, :])
    top.vlines(range(end), 0, value, "C2", lw=1)
    top.vlines(marked, 0, value[marked], "C7", lw=3)
    top.plot(marked, value[marked], "C7o")
    top.set(ylabel="value", ylim=(0, 1.1), xlim=(-1, end))
    top.set_title("One test sequence: multiply the two marked values")
    steps = np.abs(np.diff(last.state, axis=0)).swapaxes(1, 2)  # (T - 1, 8, n) changes of the states
    rank = np.argsort(steps[test.x[1:, 1, :8] == 1].mean(axis=0))  # the cells that react most to marks are drawn last
    lines = [cells.plot([], [], "C2", lw=1)[0] for _ in rank]
    lines[-2].set(color="C4", lw=1.8)
    lines[-1].set(color="C0", lw=2.4)
    reach = 1.1 * max(np.abs(s.state[:end, :, b]).max() for s in snapshots)
    cells.set(xlabel="step", ylabel="cell states", ylim=(-reach, reach), xlim=(-1, end))
    bars = answer.bar(["output", "product"], [0, test.target[b]], color=["C0", "C7"])
    answer.set(ylim=(0, 1), yticks=[0, 0.5, 1])
    answer.grid(False)
    (curve,) = score.semilogy([], [], "C0")
    score.axhline(0.0223, color="C3", ls="--")
    score.text(0.99, 0.024, "the paper, first check", ha="right", transform=score.get_yaxis_transform())
    score.set(xlabel="training sequences", ylabel="rms error", xlim=(0, last.step), ylim=(0.008, 0.5))

    def draw(k: int) -> None:
        now = snapshots[k]
        for line, cell in zip(lines, rank, strict=True):
            line.set_data(range(end), now.state[:end, cell, b])
        bars[0].set_height(now.output[b])
        answer.set_title(f"{now.output[b]:.3f}  {test.target[b]:.3f}", loc="center")
        cells.set_title(f"after {now.step:,} training sequences")
        curve.set_data([s.step for s in snapshots[: k + 1]], [s.metrics["rmse"] for s in snapshots[: k + 1]])

    write_gif(figure, draw, len(snapshots), path, ms=120)
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
