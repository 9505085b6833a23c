"""Figures of oops_towers_of_hanoi: what the tasks cost, the frozen code, and how boosting shifts the search."""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import oops_towers_of_hanoi as stub
from oops_machine import INSTRUCTIONS, MOVES, PEGS, Cell, listing
from oops_search import Oops

NEEDS = ("oops", "hanoi_only", "no_boost", "oops_12", "fresh_12")
ANBN = (("emit1", None), ("rec", ()), ("emit2", None), ("ret", None))
SOLVER = (("rec", (0, 2, 1)), ("mv", None), ("rec", (1, 0, 2)), ("ret", None))
SHARED, MOVING, BOOST, OTHER, IDLE = "C0", "C4", "C5", "C2", "#DDDDDD"  # colours of instructions


def recorded(preset: str) -> list[dict]:
    """The final metrics of every recorded run of `preset`, in order of seed; a metric that is null was infinite."""
    path = Path(__file__).with_name("runs.jsonl")
    runs = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [
        {name: np.inf if value is None else value for name, value in run["metrics"].items()}
        for run in sorted(runs, key=lambda run: run["seed"])
        if run["preset"] == preset
    ]


def colour(name: str) -> str:
    """Colour of an instruction: control that both solvers share, moves, boostq, the rest."""
    if name in ("rec", "ret"):
        return SHARED
    return MOVING if name in MOVES else BOOST if name == "boostq" else OTHER if name in INSTRUCTIONS else IDLE


def trace(
    cells: tuple[Cell, ...], n: int, args: tuple[int, ...], pegs: list[int], calls: tuple = ()
) -> Iterator[tuple[int, tuple, tuple[int, ...]]]:
    """Every move of a Hanoi program: its cell, the active calls (n, args) from the outermost on, the pegs after it."""
    calls = (*calls, (n, args))
    for i, (name, operand) in enumerate(cells):
        if name == "ret":
            return
        if name == "rec" and n > 1:
            yield from trace(cells, n - 1, tuple([args[k] for k in operand]), pegs, calls)
        if name in MOVES:
            source, target = (args[k] for k in MOVES[name])
            pegs[pegs.index(source)] = target
            yield i, calls, tuple(pegs)


def steps_per_task(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Time steps of the search for every task."""
    figure, axes = plt.subplots(1, 2, figsize=(8.8, 4.2), sharey=True)
    left = (("oops", "OOPS", "C0"), ("hanoi_only", "no $1^n2^n$ before", "C1"), ("no_boost", "no boostq", "C4"))
    right = (("oops_12", "OOPS", "C0"), ("fresh_12", "a new search for every task", "C1"))
    for ax, conditions, size in zip(axes, (left, right), (24, 12), strict=True):
        for k, (preset, name, line) in enumerate(conditions):
            solved = runs[preset][-1].solved
            x = [s.n + (30 if s.family == "hanoi" else 0) for s in solved]
            ax.plot(x, [s.steps for s in solved], "o-", color=line, markersize=3, linewidth=1)
            ax.text(0.03, 0.95 - 0.06 * k, name, color=line, transform=ax.transAxes)
        ax.axvline(30.5, color="C2", linewidth=0.8)
        ax.set_yscale("log")
        ax.set(xticks=[1, 15, 30, 31, 45, 60], xticklabels=["1", "15", "30", "\n1", "\n15", "\n30"], ylim=(0.7, 3e8))
        ax.set_xlabel("n of $1^n2^n$, then disks of Hanoi")
        ax.set_title(f"{size} instructions")
    axes[0].set_ylabel("time steps of the search for the task")
    return figure


def boosted_probabilities(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Probability of each instruction before and after the boost of the program that solves 1^n 2^n."""
    instructions = stub.vocabulary(stub.Config(**stub.PRESETS["oops"]))
    oops = Oops(instructions, 1)
    oops.code, oops.programs = list(ANBN), [(0, len(ANBN))]
    names = [name for name in instructions if name in INSTRUCTIONS]
    figure, ax = plt.subplots(figsize=(8.2, 4))
    for shift, boosted, line, label in ((-0.2, frozenset(), "C1", "before"), (0.2, frozenset({1}), "C0", "after")):
        weights = oops.weights(boosted)
        total = sum(weights.values())
        heights = [weights[name] / total for name in names]
        heights.append(sum(weights[name] for name in instructions if name not in names) / total)
        ax.bar(np.arange(len(heights)) + shift, heights, 0.38, color=line)
        ax.text(6.0 if line == "C1" else 8.2, 0.235, label, color=line, fontsize=11)
    solver = {name for name, _ in SOLVER}
    ax.set_xticks(range(len(names) + 1), [*names, f"{len(instructions) - len(names)} idle"], rotation=45, ha="right")
    for tick, name in zip(ax.get_xticklabels(), names, strict=False):
        tick.set_fontweight("bold" if name in solver else "normal")
    ax.set(ylabel="probability", ylim=(0, 0.26))
    ax.set_title(f"boostq of the program {listing(ANBN)}; bold: in the Hanoi solver")
    return figure


def frozen_code(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """The storage: which task wrote which cells, and what they extend."""
    last = runs["oops"][-1]
    writers = [s for s in last.solved if s.new_cells]
    figure, ax = plt.subplots(figsize=(8.8, 0.75 * len(writers) + 1.2))
    for row, s in enumerate(writers):
        start = last.programs[s.program - 1][0]
        for k, (name, operand) in enumerate(s.cells):
            old = k < len(s.cells) - s.new_cells
            box = plt.Rectangle((k, row), 0.94, 0.7, color=colour(name), alpha=0.25 if old else 0.9, lw=0)
            ax.add_patch(box)
            text = listing([(name, operand)]).replace(" ", "\n")
            ax.text(k + 0.47, row + 0.35, text, ha="center", va="center", fontsize=8, color="black" if old else "white")
            ax.text(k + 0.02, row - 0.02, start + k, fontsize=7, color="C2", va="bottom")
        family = "$1^n2^n$" if s.family == "anbn" else "Hanoi"
        later = [t.n for t in last.solved if t.family == s.family and t.cells == s.cells]
        tasks = f"n = {later[0]}" + (f" to {later[-1]}" if len(later) > 1 else "")
        ax.text(-0.15, row + 0.35, f"program {s.program}: {family}, {tasks}", ha="right", va="center", fontsize=9)
    ax.set(xlim=(-2.9, max([len(s.cells) for s in writers], default=1) + 0.2), ylim=(len(writers), -0.3))
    ax.axis("off")
    ax.set_title("Frozen code, with addresses; pale: cells that were there before and are extended")
    return figure


def call_tree(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """The calls that the solver makes for four disks, and the moves between them."""
    figure, ax = plt.subplots(figsize=(8.8, 4))
    moves = list(trace(SOLVER, 4, (0, 1, 2), [0] * 4))
    places: dict[tuple, list[int]] = {}
    for t, (_, calls, _) in enumerate(moves):
        path: tuple = ()
        for n, args in calls:
            path = (*path, args)
            places.setdefault((n, path), []).append(t)
    for (n, path), times in places.items():
        x = (times[0] + times[-1]) / 2
        if n < 4:
            above = places[n + 1, path[:-1]]
            ax.plot([(above[0] + above[-1]) / 2, x], [4 - n - 1, 4 - n], color="C2", linewidth=0.8, zorder=1)
        name = "".join(PEGS[i] for i in path[-1])
        style = {"boxstyle": "round", "facecolor": "white", "edgecolor": "C0"}
        ax.text(x, 4 - n, f"n={n}\n{name}", ha="center", va="center", fontsize=8, bbox=style)
    for t, (_, calls, _) in enumerate(moves):
        args = calls[-1][1]
        ax.text(t, 3.75, f"{PEGS[args[0]]}{PEGS[args[2]]}", ha="center", fontsize=9, color="C4")
    ax.set(xlim=(-0.7, len(moves) - 0.3), ylim=(4, -0.45))
    ax.axis("off")
    ax.set_title(f"{listing(SOLVER)}: calls with their pegs in order, and the moves they make (bottom)")
    return figure


def cost_against_vocabulary(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Steps for Hanoi against the number of instructions; and by how much boosting makes the solver more probable."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.8, 4))
    for k, (prefix, name, line) in enumerate(
        (("oops", "OOPS", "C0"), ("hanoi_only", "no $1^n2^n$ before", "C1"), ("no_boost", "no boostq", "C4"))
    ):
        medians = {}
        for size in (12, 16, 24, 32, 60):
            found = recorded(prefix if size == 24 else f"{prefix}_{size}")
            for run in found:
                gave_up = np.isinf(run["hanoi_steps"])
                x = size * (0.97 + 0.03 * k)  # side by side
                left.plot(x, run["hanoi_spent"], "^" if gave_up else "o", color=line, alpha=0.6, markersize=4)
                if not gave_up:
                    medians[x] = np.median([run["hanoi_spent"] for run in found])
        left.plot(list(medians), list(medians.values()), color=line, linewidth=0.8)
        left.text(0.04, 0.93 - 0.07 * k, name, color=line, transform=left.transAxes)
    left.text(0.04, 0.72, "▲ gave up there", color="C2", transform=left.transAxes, fontsize=9)
    left.set(
        xlabel="instructions", ylabel="time steps for all Hanoi tasks", xscale="log", yscale="log", ylim=(1e5, 3e7)
    )
    left.set_xticks([12, 16, 24, 32, 60], ["12", "16", "24", "32", "60"], minor=False)
    left.minorticks_off()

    last = runs["oops"][-1]
    solver = last.solved[-1].cells if last.solved else ()
    sizes, gains = np.arange(12, 81, 4), []
    for size in sizes:
        oops = Oops(stub.vocabulary(stub.Config(vocabulary=int(size))), 1)
        oops.code, oops.programs = list(last.code), list(last.programs[:-1])
        plain = [cell for cell in solver if cell[0] != "boostq"]
        gains.append(oops.probability(list(solver), 3) / oops.probability(plain, 3))
    right.plot(sizes, gains, color="C0")
    right.axhline(1000, color="C3", linestyle="--", linewidth=1)
    right.text(12, 1080, "paper: about 1,000,\nabout 60 instructions", fontsize=9, va="bottom")
    right.set(xlabel="instructions", ylabel="gain in probability by boostq", yscale="log", ylim=(3, 3e3))
    right.set_title("The Hanoi solver, boosted")
    left.set_title("Cost of Hanoi, every seed")
    return figure


def draw_pegs(ax: Axes, pegs: tuple[int, ...]) -> None:
    """Disks on three pegs, smallest first in `pegs`."""
    ax.clear()
    n = len(pegs)
    for peg in range(3):
        ax.plot([peg, peg], [0, n + 0.4], color="C2", linewidth=2, zorder=1)
        ax.text(peg, -0.25, PEGS[peg], ha="center", va="top", fontsize=11)
        stack = [disk for disk in range(n - 1, -1, -1) if pegs[disk] == peg]
        for height, disk in enumerate(stack):
            width = 0.28 + 0.6 * disk / max(n - 1, 1)
            ax.add_patch(plt.Rectangle((peg - width / 2, height), width, 0.85, color="C0", zorder=2))
    ax.set(xlim=(-0.55, 2.55), ylim=(-0.8, n + 0.6))
    ax.axis("off")


FIGURES = (steps_per_task, boosted_probabilities, frozen_code, call_tree, cost_against_vocabulary)


def main(argv: list[str] | None = None) -> int:
    """Train the conditions in NEEDS and save every figure as <out>/<name of its function>.png."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.error = lambda message: parser.exit(2, f"{parser.prog}: {message} (see --help)\n")
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    parser.add_argument(
        "--preset",
        choices=stub.PRESETS,
        default=next(iter(stub.PRESETS)),
        help="laid over every condition, e.g. smoke for a quick look (default %(default)s)",
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("viz"), help="folder (default viz)")
    args = parser.parse_args(argv)
    style = Path(__file__).parents[1] / "matplotlibrc"
    if style.exists():
        matplotlib.rc_file(style)
    runs = {}
    for name in NEEDS:
        print(f"training {name}, seed {args.seed}", flush=True)
        cfg = stub.Config(**{**stub.PRESETS[name], **stub.PRESETS[args.preset]})
        runs[name] = list(stub.train(cfg, np.random.default_rng(args.seed)))
    args.out.mkdir(parents=True, exist_ok=True)
    for draw in FIGURES:
        path = args.out / f"{draw.__name__}.png"
        draw(runs).savefig(path.with_suffix(".tmp"), format="png")
        os.replace(path.with_suffix(".tmp"), path)
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
