"""Film of chunker-22-symbol: four test words, what A expects, what C sees, and how A comes to copy C."""

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

import chunker_22_symbol as stub

SNAPSHOTS = 48
FILMED = tuple(name for name in stub.PRESETS if name != "conventional_lag5")  # presets the film can show


def film(snapshots: list, path: Path) -> None:
    """Probability of each input, events, C's state, A's copy of it and both target units, over four words."""
    shown = slice(20, 20 + 4 * 21)  # the stream begins with a word that does not count
    test, last = snapshots[-1].test[shown], snapshots[-1]
    figure, (expects, events, state, imitated, units, score) = plt.subplots(
        6, 1, figsize=(7.2, 6.8), height_ratios=[1.2, 0.35, 0.8, 0.8, 1.2, 1.2]
    )
    bars = expects.bar(range(84), np.zeros(84), width=1, color="C0")
    expects.set(ylabel="A gives it", ylim=(0, 1), yticks=[0, 0.8, 1])
    dots = events.eventplot([[]], colors="C3", linelengths=0.8, lineoffsets=0, linewidths=2)[0]
    events.set(ylim=(-0.5, 0.5), yticks=[0], yticklabels=["to C"])
    events.grid(False)
    images = []
    for axes, label in ((state, "C's state\nand output"), (imitated, "A's copy")):
        images.append(axes.imshow(np.zeros((last.code.shape[1], 84)), cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto"))
        axes.set(ylabel=label, yticks=[])
        axes.grid(False)
    (line_c,) = units.plot([], [], "C7", lw=1.4)
    (line_a,) = units.plot([], [], "C0", lw=1.8)
    due = np.flatnonzero(test[:, -1])
    units.plot(due, test[due, -1] > 0, "C3o", ms=7, mfc="none", clip_on=False)
    units.set(ylabel="target units", ylim=(-0.05, 1.05), xlim=(-0.5, 83.5))
    for text, colour, place in (("A", "C0", 0.9), ("C", "C7", 0.55), ("target", "C3", 0.2)):
        units.text(1.01, place, text, color=colour, transform=units.transAxes, va="center")
    for axes in (expects, events, state, imitated, units):
        axes.set(xlim=(-0.5, 83.5), xticks=[])
    ticks = [k + d for k in range(0, 84, 21) for d in (0, 5, 10, 15)]
    units.set_xticks(ticks, [f"b{k % 21}" if k % 21 else "a" if test[k, 0] else "x" for k in ticks])
    (pair,) = score.plot([], [], "C7", lw=1.4)
    (alone,) = score.plot([], [], "C0", lw=1.8)
    score.set(xlim=(0, last.step), ylim=(0, 1.05), xlabel="training words", ylabel="targets right")
    score.text(0.99, 0.4, "A and C", color="C7", ha="right", transform=score.transAxes)
    score.text(0.99, 0.15, "A alone", color="C0", ha="right", transform=score.transAxes)

    def draw(k: int) -> None:
        now = snapshots[k]
        for bar, height in zip(bars, now.probability[shown], strict=True):
            bar.set_height(height)
        dots.set_positions(np.flatnonzero(now.critical[shown]))
        for image, values in zip(images, (now.code, now.copy), strict=True):
            image.set_data(values[shown].T)
        line_a.set_data(range(84), now.label[shown, 0])
        line_c.set_data(range(84), now.label[shown, 1])
        past = snapshots[: k + 1]
        pair.set_data([s.step for s in past], [s.metrics["pair_acc"] for s in past])
        alone.set_data([s.step for s in past], [s.metrics["a_acc"] for s in past])
        expects.set_title(f"after {now.step} training words: {now.metrics['surprises']:.1f} surprises a word")

    write_gif(figure, draw, len(snapshots), path, ms=180)
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
