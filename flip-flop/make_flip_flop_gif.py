"""Film of flip-flop: one unseen stream, lived by the controller at growing age."""

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

import flip_flop as stub

SNAPSHOTS = 60
FILMED = tuple(stub.PRESETS)  # presets the film can show


def film(snapshots: list, path: Path) -> None:
    """Top: events, wanted and actual output; middle: pain felt and predicted; bottom: right decisions so far."""
    world = stub.sample(np.random.default_rng(3), 150, 1, 0.03, 0.03, 0.15)
    t = np.arange(150)
    figure, (top, middle, bottom) = plt.subplots(3, 1, figsize=(7.2, 5), height_ratios=(1.5, 1, 1))
    for kind, colour in enumerate(("C1", "C0", "C2")):
        for step in np.flatnonzero(world.events[:, 0, kind]):
            top.text(step, 1.2, "ABX"[kind], color=colour, ha="center", fontsize=9 if kind < 2 else 6)
    top.plot(t, world.d[:, 0], color="C3", ls="--", lw=1.2, label="wanted")
    (output,) = top.plot(t, 0 * t, color="C0", label="output")
    top.set(xlim=(0, 149), ylim=(-0.08, 1.45), yticks=(0, 1), ylabel="output")
    (felt,) = middle.plot(t, 0 * t, color="C1", label="felt")
    (expected,) = middle.plot(t, 0 * t, color="C0", lw=1.2, label="predicted by M")
    middle.set(xlim=(0, 149), ylim=(-0.05, 1.1), yticks=(0, 1), ylabel="pain", xlabel="time step of an unseen stream")
    for axes in (top, middle):
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    steps = [s.step / 1000 for s in snapshots]
    accuracy = [s.metrics["accuracy"] for s in snapshots]
    (curve,) = bottom.plot([], [], color="C0")
    bottom.axhline(snapshots[-1].metrics["baseline"], color="C2", lw=1)
    bottom.text(
        1.01,
        snapshots[-1].metrics["baseline"],
        "best constant",
        color="C2",
        fontsize=9,
        va="center",
        transform=bottom.get_yaxis_transform(),
    )
    bottom.set(xlim=(0, steps[-1]), ylim=(0.4, 1.03), xlabel="1000 time steps of training", ylabel="right decisions")

    def draw(k: int) -> None:
        life = stub.live(snapshots[k].C, world)
        output.set_ydata(life.y[:, 0])
        felt.set_ydata(life.pain[:, 0])
        inputs = stub.model_inputs(world, life.action, life.pain)
        expected.set_ydata(stub.predict(snapshots[k].M, inputs)[1][:, 0])
        curve.set_data(steps[: k + 1], accuracy[: k + 1])
        top.set_title(f"after {snapshots[k].step:,} time steps")

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
