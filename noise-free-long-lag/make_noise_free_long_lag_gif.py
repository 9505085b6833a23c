"""Film of noise-free-long-lag: the predictions, the state of the cell on both sequences, the error over training."""

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

import noise_free_long_lag as stub

SNAPSHOTS = 110
FILMED = tuple(stub.PRESETS)  # presets the film can show


def film(snapshots: list, path: Path) -> None:
    """Outputs over an x-sequence as an image, cell states on the x- and the y-sequence, last outputs, error."""
    last, pair, names = snapshots[-1], snapshots[-1].pair, ("x", "y")
    figure, panels = plt.subplot_mosaic(
        [["image", "state"], ["image", "final"], ["error", "error"]], figsize=(8, 6.4), height_ratios=[1.3, 1, 0.9]
    )
    image = panels["image"].imshow(last.output[:, 0], vmin=0, vmax=1, aspect="auto")
    panels["image"].grid(visible=False)
    panels["image"].set(xlabel="output (the last two are x and y)", ylabel="step with a target")
    panels["image"].set_title("Predictions, sequence that begins with x")
    state = panels["state"]
    lines = [state.plot([], [], colour, lw=1.8)[0] for colour in ("C0", "C7")]
    labels = [state.text(0, 0, f" {name}", color=line.get_color()) for name, line in zip(names, lines, strict=True)]
    reach = 1.15 * max(np.abs(s.state[: pair.at.max() + 1, 0]).max() for s in snapshots)
    state.set(xlim=(0, 1.06 * pair.at.max()), ylim=(-reach, reach), xlabel="step", ylabel="state of the cell")
    final, slots = panels["final"], np.array([0, 1, 3, 4])
    bars = final.bar(slots, np.zeros(4), color=["C0", "C7", "C0", "C7"])
    final.plot(slots, [1, 0, 0, 1], "C3_", ms=22, mew=2)
    final.set_xticks(slots, ["x", "y", "x", "y"])
    final.set(ylim=(0, 1.05), ylabel="last outputs", xlabel="x-sequence                    y-sequence")
    final.grid(visible=False)
    error = panels["error"]
    (curve,) = error.plot([], [], "C0")
    error.axhline(0.25, color="C3", ls="--")
    error.text(0.01, 0.28, "learnt in 2a (paper): 0.25", transform=error.get_yaxis_transform())
    error.set(xlim=(0, last.step), ylim=(0, 1.05), xlabel="training sequences", ylabel="largest error")

    def draw(k: int) -> None:
        now = snapshots[k]
        image.set_data(now.output[:, 0])
        for key, (line, label) in enumerate(zip(lines, labels, strict=True)):
            end = pair.at[-1, key]
            line.set_data(range(end + 1), now.state[: end + 1, 0, key])
            label.set_position((end, now.state[end, 0, key]))
        for bar, value in zip(bars, now.output[-1, :, -2:].ravel(), strict=True):
            bar.set_height(value)
        state.set_title(f"after {now.step:,} sequences")
        curve.set_data([s.step for s in snapshots[: k + 1]], [s.metrics["error"] for s in snapshots[: k + 1]])

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
