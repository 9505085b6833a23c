"""Film of nbb_xor: one net on all four patterns while its connections trade weight, and its population."""

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

import nbb_xor as stub
from visualize_nbb_xor import example

SNAPSHOTS = 75
FILMED = tuple(stub.PRESETS)  # presets the film can show
OFF, ON, WRONG = "#D0D0D0", "C0", "C1"


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
    """Left one net with each pattern; right the shares of its population and the mean substance of a net."""
    figure = plt.figure(figsize=(8.8, 4.8))
    grid = figure.add_gridspec(2, 3, width_ratios=(1, 1, 1.15))
    net_axes = [figure.add_subplot(grid[row, column]) for row in (0, 1) for column in (0, 1)]
    share_ax, substance_ax = figure.add_subplot(grid[0, 2]), figure.add_subplot(grid[1, 2])
    steps, net = [s.step for s in snapshots], example(snapshots[-1])
    curves = []
    for name, color, key, height in (("solved once", "C7", "solved", 0.8), ("solved now", "C0", "solved_now", 0.25)):
        values = [s.metrics[key] for s in snapshots]
        curves.append((share_ax.plot([], [], color=color)[0], values))
        share_ax.text(0.42, height, name, color=color, transform=share_ax.transAxes, fontsize=9)
    substance = [s.metrics["substance"] for s in snapshots]
    curves.append((substance_ax.plot([], [], color="C4")[0], substance))
    share_ax.set(xlim=(0, steps[-1]), ylim=(-0.03, 1.03), title="Share of the population")
    substance_ax.set(xlim=(0, steps[-1]), ylim=(0, 1.05 * max(substance)), title="Sum of the weights of a net")
    substance_ax.set_xlabel("presentations")

    def draw(k: int) -> None:
        w = stub.Weights(*(array[..., [net]] for array in snapshots[k].weights))
        hidden, out = stub.respond(stub.Config(nets=1), w)
        for p, ax in enumerate(net_axes):
            draw_net(ax, w, stub.PATTERNS[:, p], hidden[p, :, 0], out[p, :, 0], stub.TARGETS[p])
        for line, values in curves:
            line.set_data(steps[: k + 1], values[: k + 1])
        figure.suptitle(f"After {steps[k]} presentations", x=0.01, ha="left")

    draw(len(snapshots) - 1)
    figure.canvas.draw()
    figure.set_layout_engine("none")  # from here on the axes stay where they are
    write_gif(figure, draw, len(snapshots), path, ms=140)


def draw_net(ax: Axes, w: stub.Weights, x: np.ndarray, hidden: np.ndarray, out: np.ndarray, target: int) -> None:
    """A net with its winners lit; lines are as wide as weights, coloured where both ends are on."""
    ax.clear()
    ax.axis("off")
    ax.set(xlim=(-1.45, 1.75), ylim=(-0.35, 2.35))
    places = [np.column_stack([np.linspace(-1, 1, n), np.full(n, y)]) for n, y in ((3, 0), (len(hidden), 1), (2, 2))]
    right = out[target]
    ax.set_title(f"{x[0]} XOR {x[1]} = {target}", color=ON if right else WRONG)
    groups = ((0, 1, w.hidden, x, hidden), (0, 2, w.out[:3], x, out), (1, 2, w.out[3:], hidden, out))
    for lower, upper, weights, sends, wins in groups:
        for i, start in enumerate(places[lower]):
            for j, end in enumerate(places[upper]):
                color = (ON if right else WRONG) if sends[i] and wins[j] else OFF
                width = 1.6 * weights[i, j, 0]
                ax.plot(*zip(start, end, strict=True), color=color, linewidth=width, zorder=1 + (color != OFF))
    for layer, units, names in ((0, x, ("x1", "x2", "1")), (1, hidden, ()), (2, out, ("0", "1"))):
        color = (ON if right else WRONG) if layer == 2 else ON
        ax.scatter(*places[layer].T, s=110, c=[color if on else "white" for on in units], edgecolors="C3", zorder=4)
        for place, name in zip(places[layer], names, strict=False):
            ax.text(place[0] + 0.15, place[1], name, va="center", fontsize=9)


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
