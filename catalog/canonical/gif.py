"""Canonical texts of the make_<slug>_gif.py files; `stub` is the experiment's module."""

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image


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
    parser.add_argument("--preset", choices=stub.PRESETS, default=next(iter(stub.PRESETS)), help="default %(default)s")
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
