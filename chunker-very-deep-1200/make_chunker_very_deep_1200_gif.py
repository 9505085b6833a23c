"""Film of chunker-very-deep-1200: a text as a ribbon that fades level by level as the levels learn."""

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

import chunker_very_deep_1200 as stub

SNAPSHOTS = 60
FILMED = tuple(stub.PRESETS)  # presets the film can show


def film(snapshots: list, path: Path) -> None:
    """What every level reads of one text, in colour where it is passed on; below, the lengths over training."""
    last = snapshots[-1]
    T, levels, top = int(last.times[0][-1]) + 1, len(last.texts), max(text.max() for text in last.texts)
    figure, panels = plt.subplots(levels + 1, 1, figsize=(7.4, 1.15 * levels + 2.4), height_ratios=[1] * levels + [2])
    for level, axes in enumerate(panels[:-1]):
        axes.set(xlim=(-10, T + 10), ylim=(0, 1), yticks=[], ylabel=f"level {level}")
        axes.grid(False)
        if level < levels - 1:
            axes.set_xticks([])
    panels[-2].set_xlabel("time step of the text")
    lines = [panels[-1].plot([], [], f"C{c}", label=f"after level {k}")[0] for k, c in enumerate((0, 4, 1))]
    panels[-1].set(xlim=(0, last.step), ylim=(0.7, 30000), yscale="log", xlabel="training sequences, all levels")
    panels[-1].set_ylabel("symbols left")
    panels[-1].legend(loc="upper right", ncols=3)

    def draw(k: int) -> None:
        now = snapshots[k]
        for axes in panels[:-1]:
            for old in list(axes.collections):
                old.remove()
        for axes, text, times, given in zip(panels, now.texts, now.times, now.given, strict=False):
            critical = given < 0.8
            axes.vlines(times, 0.3, 0.7, "0.88", lw=0.8)
            colours = plt.cm.turbo(text[critical] / top)
            axes.vlines(times[critical], 0, 1, colours, lw=np.clip(300 / len(times), 0.8, 5))
        for level, line in enumerate(lines):
            past = [s for s in snapshots[: k + 1] if s.metrics[f"length_{level + 1}"] > 0]
            line.set_data([s.step for s in past], [s.metrics[f"length_{level + 1}"] for s in past])
        recall = now.metrics["recall"]
        panels[0].set_title(
            f"{now.step} sequences: level {len(now.texts) - 1} learns, trigger recalled in {recall:.0%}"
        )

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
