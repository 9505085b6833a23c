"""Film of two-sequence-noise: one test sequence of either class, what the cells do with it, and all answers."""

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

import two_sequence_noise as stub

SNAPSHOTS = 60
FILMED = tuple(stub.PRESETS)  # presets the film can show


def film(snapshots: list, path: Path) -> None:
    """Values, cell states and the output over time for either class, and the outputs on the whole test set."""
    last, task, N = snapshots[-1], stub.TASKS["3c"], stub.Config().informative
    test, figure = last.test, plt.figure(figsize=(7.6, 6.4), constrained_layout=True)
    grid = figure.add_gridspec(4, 2, height_ratios=[1, 1.2, 0.9, 1.3])
    reach, lines, answers = 1.1 * max(np.abs(s.state).max() for s in snapshots), [], []
    for k, colour in enumerate(("C0", "C5")):
        top, cells, answer = (figure.add_subplot(grid[row, k]) for row in range(3))
        b = int(np.argmax(test.clean == task.targets[k]))
        end = test.length[b]
        top.vlines(range(end), 0, test.x[:end, 0, b], "C2", lw=1)
        top.vlines(range(N), 0, test.x[:N, 0, b], "C7", lw=3)
        top.set(xlim=(-2, end), ylim=(-1.8, 1.8), title=f"class {k + 1}: target {task.targets[k]}")
        lines.append([cells.plot([], [], c, lw=1.6)[0] for c in ("C0", "C4", "C6")])
        cells.set(xlim=(-2, end), ylim=(-reach, reach))
        answer.axhspan(task.targets[k] - task.tolerance, task.targets[k] + task.tolerance, color="C3", alpha=0.12, lw=0)
        answers.append(answer.plot([], [], colour)[0])
        answer.set(xlim=(-2, end), ylim=(0, 1), yticks=[0.2, 0.8], xlabel="step")
        if k == 0:
            top.set_ylabel("values")
            cells.set_ylabel("cell states")
            answer.set_ylabel("output")
    score, bins = figure.add_subplot(grid[3, :]), np.linspace(-0.8, 1.8, 105)
    bars = []
    for target, colour in zip(task.targets, ("C0", "C5"), strict=True):
        score.axvspan(target - task.tolerance, target + task.tolerance, color="C3", alpha=0.12, lw=0)
        score.hist(test.target[test.clean == target], bins, color="C2", alpha=0.5, density=True)
        bars.append(score.hist([], bins, color=colour, alpha=0.8)[2])
    score.set(yscale="log", ylim=(0.02, 60), xlim=(-0.8, 1.8), ylabel="density")
    score.set_xlabel("coloured: outputs after the last value; grey: targets with the noise of training")

    def draw(frame: int) -> None:
        now = snapshots[frame]
        for k in range(2):
            end = test.length[int(np.argmax(test.clean == task.targets[k]))]
            for c, line in enumerate(lines[k]):
                line.set_data(range(end), now.state[:end, c % now.state.shape[1], k])
            answers[k].set_data(range(end), now.answer[:end, k])
            density, _ = np.histogram(now.output[now.test.clean == task.targets[k]], bins, density=True)
            for bar, height in zip(bars[k], density, strict=True):
                bar.set_height(height)
        distance = now.metrics["distance"]
        figure.suptitle(f"after {now.step:,} sequences: mean distance to the target {distance:.3f}", weight="bold")

    write_gif(figure, draw, len(snapshots), path, ms=150)
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
