"""Film of embedded-reber: the outputs on one long test string, and what is right, as training goes on."""

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
from matplotlib.patches import Rectangle
from PIL import Image

import embedded_reber as stub
from reber_grammar import SYMBOLS, encode

SNAPSHOTS = 240  # looks are dense at first, and most nets succeed in the first tenth of the budget
FILMED = tuple(stub.PRESETS)  # presets the film can show


def film(snapshots: list, path: Path) -> None:
    """Outputs after every symbol of the longest test string, legal ones framed; three shares of what is right."""
    string, last = snapshots[-1].string, snapshots[-1]
    legal = encode([string]).legal[:, 0]
    steps, kinds = len(legal), len(SYMBOLS)
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(7.8, 5.2), height_ratios=[1.3, 1], constrained_layout=True)
    image = top.imshow(last.output.T, cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    for t, k in np.argwhere(legal):
        colour = "C7" if t == steps - 2 else "0.25"
        top.add_patch(Rectangle((t - 0.42, k - 0.42), 0.84, 0.84, fill=False, ec=colour, lw=2 if t == steps - 2 else 1))
    top.set_xticks(range(steps), string[:-1])
    top.set_yticks(range(kinds), SYMBOLS)
    top.grid(False)
    top.set(xlabel="symbol read (orange frame: now the second symbol must be recalled)", ylabel="output")
    shares = {"steps_right": ("steps", "C6"), "outer_right": ("last o", "C7"), "strings_right": ("whole strings", "C0")}
    lines = {name: bottom.plot([], [], colour, label=label)[0] for name, (label, colour) in shares.items()}
    bottom.set(xlabel="training strings", ylabel="share right", xlim=(0, last.step), ylim=(-0.03, 1.05))
    bottom.legend(loc="lower right")

    def draw(k: int) -> None:
        image.set_data(snapshots[k].output.T)
        right = stub.steps_right(snapshots[k].output[:, None], legal[:, None])[:, 0]
        top.set_title(f"after {snapshots[k].step:,} strings: {right.sum()} of {steps} predictions right")
        for tick, fine in zip(top.get_xticklabels(), right, strict=True):
            tick.set_color("black" if fine else "C1")
        for name, line in lines.items():
            line.set_data([s.step for s in snapshots[: k + 1]], [s.metrics[name] for s in snapshots[: k + 1]])

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
