"""Film of pipe_symbolic_regression: the best program's curve, and how sure the prototype tree is of its nodes."""

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

import pipe_symbolic_regression as stub

SNAPSHOTS = 90
FILMED = tuple(stub.PRESETS)  # presets the film can show
TERMINAL, ARITHMETIC, FUNCTION = "C2", "C0", "C1"  # colours of instructions


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


def layout(program: np.ndarray, arity: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places x, levels y and parents (the root is its own) of the nodes of a program in postfix order."""
    x, y, parent = np.zeros(len(program)), np.zeros(len(program)), np.zeros(len(program), int)
    leaves, open_nodes = 0, []
    for node, i in enumerate(program):
        arguments = open_nodes[len(open_nodes) - arity[i] :]
        del open_nodes[len(open_nodes) - arity[i] :]
        x[node] = np.mean(x[arguments]) if arguments else leaves
        leaves += not arguments
        parent[arguments] = node
        open_nodes.append(node)
    parent[-1] = len(program) - 1
    for node in range(len(program) - 2, -1, -1):
        y[node] = y[parent[node]] + 1
    return x, y, parent


def draw_elite(ax: Axes, task: stub.Task, snapshot: stub.Snapshot) -> None:
    """The elite as a tree; a node is the more opaque the more probable its instruction is there."""
    program = np.array(snapshot.program.instructions)
    x, y, parent = layout(program, task.arity)
    x = x / x.max() if x.max() else x + 0.5
    ax.clear()
    ax.axis("off")
    ax.set(xlim=(-0.04, 1.04), ylim=(6.7, -0.5))
    for node in range(len(program) - 1):
        ax.plot([x[node], x[parent[node]]], [y[node], y[parent[node]]], color="#BBBBBB", linewidth=0.7, zorder=1)
    colours = [(TERMINAL, FUNCTION, ARITHMETIC)[task.arity[i]] for i in program]
    sure = np.ones(len(program))
    if len(snapshot.params):
        sure = snapshot.params[np.arange(len(program)), program]
    ax.scatter(x, y, s=60, color="white", zorder=2)
    ax.scatter(x, y, s=60, color=colours, alpha=np.clip(sure, 0.08, 1), linewidths=0, zorder=3)
    crowded = len(program) > 45
    for node, i in enumerate(program):
        if task.arity[i] or not crowded:
            ax.text(x[node], y[node] + 0.2, task.names[i], ha="center", va="top", fontsize=7)


def film(snapshots: list[stub.Snapshot], path: Path) -> None:
    """Left the function and the elite, right the elite as a tree; opaque nodes are those the tree is sure of."""
    figure, (curve_ax, tree_ax) = plt.subplots(1, 2, figsize=(8.8, 4.0), width_ratios=(1, 1.25))
    first = snapshots[0]
    problem = "salustowicz" if len(first.x) == 101 else "koza"
    task = stub.Task(stub.Config(problem=problem), np.random.default_rng(0))
    curve_ax.plot(first.x, first.target, color="C3", linewidth=3, alpha=0.3)
    (line,) = curve_ax.plot(first.x, first.output, color="C0", linewidth=1.4)
    low, high = first.target.min(), first.target.max()
    margin = 0.15 * (high - low)
    curve_ax.set(xlabel="x", ylabel="f(x)", ylim=(low - margin, high + margin))

    def draw(k: int) -> None:
        snapshot = snapshots[k]
        line.set_ydata(np.clip(snapshot.output, low - 1, high + 1))
        curve_ax.set_title(f"Error {snapshot.metrics['error']:.2f}")
        draw_elite(tree_ax, task, snapshot)
        title = f"Best of {snapshot.step:,}; opaque: probable"
        tree_ax.set_title(title if snapshot.step else "Before the search: the constant 0")

    draw(len(snapshots) - 1)
    figure.canvas.draw()
    figure.set_layout_engine("none")  # from here on the axes stay where they are
    write_gif(figure, draw, len(snapshots), path, ms=150)


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
