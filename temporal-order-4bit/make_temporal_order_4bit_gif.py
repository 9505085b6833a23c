"""Film of temporal-order-4bit: cell states and outputs on a sequence of every class, as training goes on."""

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

import temporal_order_4bit as stub

SNAPSHOTS = 90  # looks are dense at first, and the stop criterion is met before the second half of them
FILMED = tuple(name for name in stub.PRESETS if name != "two_symbols")  # presets the film can show
CLASSES = ("XXX", "XXY", "XYX", "XYY", "YXX", "YXY", "YYX", "YYY")


def film(snapshots: list, path: Path) -> None:
    """For every class a sequence, the squashed cell states over time, and the outputs after its last symbol."""
    last, rows = snapshots[-1], len(CLASSES) // 2
    test, firsts = last.test, [int(np.argmax(last.test.label == k)) for k in range(len(CLASSES))]
    figure = plt.figure(figsize=(7.2, 2 + 1.1 * rows), constrained_layout=True)
    grid = figure.add_gridspec(rows + 1, 4, width_ratios=[3, 1, 3, 1], height_ratios=[1] * rows + [1.1])
    maps, bars = [], []
    for k, b in enumerate(firsts):
        row, column = divmod(k, 2)
        heat, answer = (figure.add_subplot(grid[row, 2 * column + part]) for part in (0, 1))
        end, text = test.length[b], "".join(stub.SYMBOLS[s] for s in test.symbols[:, b])
        maps.append(
            heat.imshow(
                np.tanh(last.state[:end, :, k].T / 2), cmap=plt.get_cmap("RdBu", 11), vmin=-1, vmax=1, aspect="auto"
            )
        )
        for place in [t for t in range(end) if text[t] in "XY"]:
            heat.axvline(place, color="C3", lw=0.8)
            heat.annotate(text[place], (place, 0), (place, -0.6), annotation_clip=False, ha="center", weight="bold")
        heat.set(yticks=[], ylabel="h(s) of cells", ylim=(last.state.shape[1] - 0.5, -0.5))
        heat.set_xlabel("step" if row == rows - 1 else "")
        bars.append(
            answer.bar(
                range(len(CLASSES)), last.output[b], color=["C0" if j == k else "C2" for j in range(len(CLASSES))]
            )
        )
        answer.set_xticks(range(len(CLASSES)), CLASSES, size=7, rotation=90 * (len(CLASSES) > 4))
        answer.set(ylim=(0, 1.05), yticks=[0.7])
        for axes in (heat, answer):
            axes.grid(False)
    score = figure.add_subplot(grid[rows, :])
    (curve,) = score.plot([], [], "C0")
    score.set(xlabel="training sequences", ylabel=f"wrong of {len(test.label)}", xlim=(0, last.step))
    score.set_ylim(0, 1.04 * len(test.label))

    def draw(frame: int) -> None:
        now = snapshots[frame]
        for k, b in enumerate(firsts):
            maps[k].set_data(np.tanh(now.state[: test.length[b], :, k].T / 2))  # h(s)
            for bar, height in zip(bars[k], now.output[b], strict=True):
                bar.set_height(height)
        figure.suptitle(f"after {now.step:,} training sequences", weight="bold")
        curve.set_data([s.step for s in snapshots[: frame + 1]], [s.metrics["wrong"] for s in snapshots[: frame + 1]])

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
