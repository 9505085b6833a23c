"""Film of rs_two_sequence: nets are guessed until the outputs of one remember the first input."""

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

import rs_two_sequence as stub
from latch_net import take
from visualize_rs_two_sequence import activity

SNAPSHOTS = 60
FILMED = tuple(name for name in stub.PRESETS if name != "reference" and "latch" not in name and "bptt" not in name)
FOLLOW = 24  # frames that follow the solution


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
    """The guesses of the first search on six new sequences, then its solution."""
    search = next(s for s in snapshots if s.guesses is not None)
    count = search.guesses["b"].shape[-1]
    before = search.step - count  # trials whose weights are not kept
    tries = np.unique(np.geomspace(1, count, 56).astype(int))
    x = stub.sample(replace(stub.Config(), min_length=600), np.random.default_rng(0), 6).x
    shown = np.arange(0, 600, 3)

    figure, (input_ax, output_ax, count_ax) = plt.subplots(3, 1, figsize=(8.6, 4.8), height_ratios=(1, 1.7, 0.35))
    colors = ["C0" if first == 1 else "C1" for first in x[0]]
    input_ax.plot(np.arange(1, 601), x[:, 1], color="C1", linewidth=0.7)
    input_ax.plot(np.arange(1, 601), x[:, 0], color="C0", linewidth=0.7)
    input_ax.plot([1, 1], x[0, :2], "o", color="C2")
    input_ax.set(xlim=(-8, 604), ylim=(-1.25, 1.25), title="Inputs of two new sequences: only the first one matters")
    lines = [output_ax.plot([], [], color=color, linewidth=1.4)[0] for color in colors]
    output_ax.set(xlim=(-8, 604), ylim=(-0.08, 1.08), xlabel="step", yticks=(0, 1))
    bar = count_ax.barh(0, 1, color="C0")[0]
    count_ax.set(xscale="log", xlim=(0.9, 1.3 * search.step + 1), yticks=[], xlabel="trials")

    def draw(k: int) -> None:
        tried = tries[min(k, len(tries) - 1)]
        solved = tried == count and np.isfinite(search.trials[-1])
        _, outputs = activity(take(search.guesses, [tried - 1]), x)
        last = 600 if k < len(tries) else 600 * (k - len(tries) + 1) // FOLLOW
        steps = shown[shown < last]
        for line, o, color in zip(lines, outputs.T, colors, strict=True):
            line.set_data(steps + 1, o[steps])
            line.set_color(color if solved else "C2")
        verdict = ": right on all training sequences" if solved else ""
        output_ax.set_title(f"Output of net {before + tried} on six sequences{verdict}")
        bar.set_width(before + tried)

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
