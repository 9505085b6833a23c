"""Film of oops_towers_of_hanoi: the searcher freezes programs, boosts one, and the solver it finds moves the disks."""

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

import oops_towers_of_hanoi as stub
from oops_machine import PEGS, Cell, listing
from oops_search import Oops
from visualize_oops_towers_of_hanoi import colour, draw_pegs, trace

SNAPSHOTS = 60
FILMED = tuple(stub.PRESETS)  # presets the film can show
DISKS = 5
LEVELS = 2  # of the tree of programs


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


def draw_tree(ax: Axes, oops: Oops, prefix: tuple[Cell, ...]) -> None:
    """The most probable continuations of a prefix: a cell's width is its probability, the next cell is below it."""
    ax.clear()
    start = frozenset(q for name, q in prefix if name == "boostq")
    level = [(0.0, 1.0, start)]
    for depth in range(LEVELS):
        below = []
        for left, width, boosted in level:
            for (name, operand), p in oops.choices(boosted, 3):
                if width * p > 0.002:
                    box = (left, depth), width * p, 0.96
                    ax.add_patch(plt.Rectangle(*box, facecolor=colour(name), edgecolor="white", linewidth=0.5))
                    if width * p > 0.07:
                        text = listing([(name, operand)])
                        ax.text(
                            left + width * p / 2, depth + 0.5, text, ha="center", va="center", fontsize=7, color="w"
                        )
                    below.append((left, width * p, boosted | {operand} if name == "boostq" else boosted))
                left += width * p
        level = below
    for x, name, words in (
        (0, "rec", "rec, ret"),
        (0.17, "mv", "moves"),
        (0.3, "boostq", "boostq"),
        (0.44, "emit1", ""),
    ):
        ax.text(x, LEVELS + 0.08, f"■ {words or 'emit1, emit2, callq'}", color=colour(name), fontsize=8, va="top")
    ax.text(0.73, LEVELS + 0.08, "■ idle", color=colour("idle"), fontsize=8, va="top")
    ax.set(xlim=(0, 1), ylim=(LEVELS + 0.35, 0))
    ax.axis("off")


def draw_tape(ax: Axes, cells: tuple[Cell, ...], active: int | None) -> None:
    """The cells of a program; the active one has a frame."""
    ax.clear()
    for k, (name, operand) in enumerate(cells[:9]):
        edge = "black" if k == active else "white"
        ax.add_patch(plt.Rectangle((k, 0), 0.94, 0.8, facecolor=colour(name), edgecolor=edge, linewidth=2.5))
        text = listing([(name, operand)]).replace(" ", "\n")
        ax.text(k + 0.47, 0.4, text, ha="center", va="center", fontsize=8, color="white")
    ax.set(xlim=(-0.05, 9), ylim=(1, -0.1))
    ax.axis("off")


def draw_cost(axes: plt.Axes, solved: tuple[stub.Solved, ...]) -> None:
    """Time steps that the search for every task has cost."""
    axes.clear()
    for family, first in (("anbn", 0), ("hanoi", 30)):
        tasks = [s for s in solved if s.family == family]
        axes.plot([first + s.n for s in tasks], [s.steps for s in tasks], "o", color="C0", markersize=3.5)
    axes.axvline(30.5, color="C2", linewidth=0.8)
    axes.set_yscale("log")
    axes.set(xlim=(0, 61), ylim=(1, 1e7), ylabel="time steps", xticks=[1, 15, 30, 45, 60])
    axes.set_xticklabels(["1", "$1^n2^n$", "30", "Hanoi", "30 disks"])


def film(snapshots: list[stub.Snapshot], path: Path) -> None:
    """Left the tree of programs, the tape and the cost of each task; right the disks and the active calls."""
    figure = plt.figure(figsize=(8.8, 5))
    grid = figure.add_gridspec(3, 2, width_ratios=(1.6, 1), height_ratios=(1.5, 0.55, 1.5))
    tree_ax, tape_ax, cost_ax = (figure.add_subplot(grid[row, 0]) for row in range(3))
    pegs_ax, calls_ax = figure.add_subplot(grid[:2, 1]), figure.add_subplot(grid[2, 1])
    last = snapshots[-1]
    solver = last.solved[-1].cells if last.solved else ()
    moves = list(trace(solver, DISKS, (0, 1, 2), [0] * DISKS)) if last.solved and last.solved[-1].moves else []
    boosts = tuple(cell for cell in solver if cell[0] == "boostq")
    instructions = stub.vocabulary(stub.Config())
    # Every second look at the search, then the solver cell by cell, then its moves.
    looks = [("search", s) for s in snapshots[::2]]
    frames = looks + [("found", k) for k in range(len(solver) + 1)] + [("runs", k) for k in range(len(moves))]

    def draw(k: int) -> None:
        stage, value = frames[k]
        solved = value.solved if stage == "search" else last.solved
        prefix = solver[:value] if stage == "found" else boosts if stage == "runs" else ()
        shown = solved[-1].cells if stage == "search" and solved else solver[:value] if stage == "found" else solver
        oops = Oops(instructions, 1)
        now, programs = (value, value.programs) if stage == "search" else (last, last.programs[:-1])
        oops.code, oops.programs = list(now.code), list(programs)
        draw_tree(tree_ax, oops, prefix)
        tree_ax.set_title(f"What can follow {listing(prefix)}" if prefix else "The next two cells, by probability")
        draw_tape(tape_ax, shown if k else (), moves[value][0] if stage == "runs" else None)
        newest = (
            f"{len(solved)} of 60 tasks solved, the last by program {solved[-1].program}" if solved else "No program"
        )
        tape_ax.set_title(newest if stage == "search" else "The solver")
        draw_cost(cost_ax, solved)
        draw_pegs(pegs_ax, moves[value][2] if stage == "runs" else (0,) * DISKS)
        pegs_ax.set_title(f"Move {value + 1} of {len(moves)}" if stage == "runs" else f"{DISKS} disks")
        calls_ax.clear()
        for depth, (n, args) in enumerate(moves[value][1] if stage == "runs" else ()):
            calls_ax.text(0.08 * depth, 0.85 - 0.17 * depth, f"n={n} {''.join(PEGS[i] for i in args)}", fontsize=10)
        calls_ax.set_title("Active calls, with their pegs")
        calls_ax.axis("off")

    draw(len(frames) - 1)
    figure.canvas.draw()
    figure.set_layout_engine("none")  # from here on the axes stay where they are
    write_gif(figure, draw, len(frames), path, ms=200)


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
