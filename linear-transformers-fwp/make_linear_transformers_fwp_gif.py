"""Film of linear-transformers-fwp: what the delta rule's memory knows during one sequence, as its keys are learned."""

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from PIL import Image

import linear_transformers_fwp as stub

SNAPSHOTS = 60
FILMED = ("delta", "sum", "beta_one", "unnormalised", "unnormalised_short", "delta_more", "smoke")


def film(snapshots: list, path: Path) -> None:
    """Left: loss of every key after every write of a test sequence; middle: attention matrix; right: test loss."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9, 3.3), width_ratios=(1.7, 1, 1))
    last = snapshots[-1]
    S, (keys, _) = len(last.A), last.sequence
    known = [np.maximum(s.recall.T, 1e-5) for s in snapshots]
    recall = left.imshow(known[-1], cmap="magma_r", norm=LogNorm(1e-5, 0.5), aspect="auto", origin="lower")
    figure.colorbar(recall, ax=left)
    again = np.array([k in keys[:t] for t, k in enumerate(keys)])
    t = np.arange(len(keys))
    left.plot(t[~again], keys[~again], "o", color="C4", ms=3)
    left.plot(t[again], keys[again], "s", color="C6", ms=3)
    left.set(xlabel="writes (square: a key gets a new value)", ylabel="key", title="loss of each key, after each write")
    attention = middle.imshow(last.A, vmin=0, vmax=1)
    middle.set(xlabel="key", ylabel="query", title="attention")
    for axes in (left, middle):
        axes.grid(False)
        axes.set_yticks(range(0, S, 5))
    steps = [s.step for s in snapshots]
    loss = [s.metrics[f"loss_{S}"] for s in snapshots]
    floor = last.metrics[f"floor_{S}"]
    right.axhline(floor, color="C3", ls="--", lw=1.2)
    right.annotate(
        "sum rule's floor",
        (1, floor),
        (0, 3),
        xycoords=("axes fraction", "data"),
        ha="right",
        textcoords="offset points",
        color="C3",
        fontsize=9,
    )
    (curve,) = right.semilogy([], [], color="C0")
    right.set(xlim=(0, max(steps[-1], 1)), ylim=(min(loss) / 2, 1), xlabel="updates", title="test loss per key")

    def draw(k: int) -> None:
        recall.set_data(known[k])
        attention.set_data(snapshots[k].A)
        curve.set_data(steps[: k + 1], loss[: k + 1])
        figure.suptitle(f"Delta rule, {S} keys: after {steps[k]:3d} updates", x=0.01, ha="left", fontweight="bold")

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
