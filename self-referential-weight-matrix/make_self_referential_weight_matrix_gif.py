"""Film of self-referential-weight-matrix: one episode, XOR, and what it does to the matrices, at six stages."""

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

import hidden_function as task
import self_referential_weight_matrix as stub

SNAPSHOTS = 40
FILMED = tuple(name for name in stub.PRESETS if stub.PRESETS[name].get("net", "srwm") == "srwm")
STAGES = (0, 0.025, 0.05, 0.1, 0.3, 1)  # shares of the training
XOR, HELD = 6, 3  # a function, and for how many frames the end of an episode is shown
KINDS = ("y", "k", "q", "beta")


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
    """Left the truth table with labels and answers; right the matrices, this step's change and all changes so far."""
    stages = [snapshots[round(share * (len(snapshots) - 1))] for share in STAGES]
    batch = task.draw("all", np.array([XOR]), 1, np.random.default_rng(1))
    pattern = [int(np.flatnonzero((x[0, task.BITS] == task.PATTERNS).all(axis=1))[0]) for x in batch.x]
    traces = [stub.run(stub.Config(), s.params, batch) for s in stages]
    frames = [(stage, min(t, 7)) for stage in range(len(STAGES)) for t in range(8 + HELD)]
    figure, axes = plt.subplots(1, 5, figsize=(8.6, 4.4), width_ratios=(1.7, 0.8, 0.8, 1.2, 1.2))
    table, maps = axes[0], axes[1:]

    def draw(frame: int) -> None:
        stage, t = frames[frame]
        trace, y, z = traces[stage], batch.y[:, 0], traces[stage].z[:, 0]
        for ax in axes:
            ax.clear()
            ax.grid(False)
        draw_table(table, pattern, y, z, t)
        for layer in (0, 1):
            W = [s.W[0] for s in trace.layers[layer]] + [trace.W[layer][0]]
            now, so_far = W[t + 1] - W[t], W[t + 1] - W[0]
            for ax, change, title in zip(maps[2 * layer :], (now, so_far), ("this step", "so far"), strict=False):
                show_change(ax, change, title)
        maps[0].set_ylabel("rows of the first matrix")
        maps[2].set_ylabel("rows of the second matrix")
        accuracy = stages[stage].metrics["query_acc"]
        figure.suptitle(
            f"After {stages[stage].step} updates ({accuracy:.0%} right on test episodes): an episode of XOR",
            x=0.01,
            ha="left",
        )

    draw(0)
    figure.canvas.draw()
    figure.set_layout_engine("none")  # from here on the axes stay where they are
    write_gif(figure, draw, len(frames), path, ms=400)
    plt.close(figure)


def draw_table(ax: plt.Axes, pattern: list[int], y: np.ndarray, z: np.ndarray, t: int) -> None:
    """The truth table: labels shown up to step t, answers given up to step t as probabilities of 1."""
    ax.axis("off")
    ax.set(xlim=(-0.3, 4.6), ylim=(-1.1, 5))
    ax.text(0, 4.5, "bits")
    ax.text(1.4, 4.5, "label")
    ax.text(2.8, 4.5, "answer")
    for p in range(4):
        row = 3.5 - p
        if p == pattern[t]:
            ax.add_patch(plt.Rectangle((-0.15, row - 0.35), 4.7, 0.95, color="C6", alpha=0.3, linewidth=0))
        ax.text(0, row, f"{p >> 1} {p & 1}", fontsize=12)
        shown, asked = pattern.index(p), 4 + pattern[4:].index(p)
        if shown <= t:
            ax.text(1.4, row, "1" if y[shown] > 0 else "0", fontsize=12, alpha=1 if t < 4 else 0.3)
        if asked <= t:
            right = task.is_right(z[asked], y[asked])
            ax.text(2.8, row, f"{stub.sigmoid(z[asked]):.2f}", fontsize=12, color="C0" if right else "C1")
    ax.text(0, -0.6, "the function is shown" if t < 4 else "the function is asked", weight="bold")


def show_change(ax: plt.Axes, change: np.ndarray, title: str) -> None:
    """A change of a matrix in red (up) and blue (down), with lines between the rows for y, k, q and beta."""
    rows, n = change.shape
    ax.imshow(change, cmap="RdBu_r", vmin=-2, vmax=2, aspect="auto")
    cuts = (rows - 2 * n - 1, rows - n - 1, rows - 1)
    for cut in cuts:
        ax.axhline(cut - 0.5, color="C3", linewidth=0.5)
    ax.set_title(title, fontsize=9)
    ax.set(xticks=[], yticks=[(cuts[0] - 1) / 2, cuts[0] + n / 2, cuts[1] + n / 2, cuts[2]], yticklabels=KINDS)


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
