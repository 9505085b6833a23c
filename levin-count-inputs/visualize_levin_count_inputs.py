"""Figures of levin_count_inputs: the programs tried, what they cost, and the weights they write."""

import argparse
import os
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

import levin_count_inputs as stub
from levin_machine import ALLOCATE, HALTED, INSTRUCTIONS, JUMP, JUMP_LEQ, TIMEOUT, WAITING, WRITE_WEIGHT, Runs

NEEDS = ("systematic", "levin", "probabilistic", "delta_rule", "delta_rule_random")
FIT, ENDED, LOOPED, ASKED = "C0", "C2", "C1", "C6"  # colours of the outcomes of a run


def listing(program: np.ndarray) -> str:
    """The program's cells as instructions, read from its start."""
    words, ip = [], 0
    while ip < len(program):
        name, kinds = INSTRUCTIONS[program[ip]]
        words.append(f"{name}({', '.join(map(str, program[ip + 1 : ip + 1 + len(kinds)]))})")
        ip += 1 + len(kinds)
    return "; ".join(words)


def outcome_colours(runs: Runs, fit: np.ndarray) -> np.ndarray:
    """One colour name per run."""
    colours = np.array([""] * len(fit), dtype="<U2")
    for status, colour in ((HALTED, ENDED), (TIMEOUT, LOOPED), (WAITING, ASKED)):
        colours[runs.status == status] = colour
    colours[fit] = FIT
    return colours


def draw_tree(ax: Axes, runs: Runs, fit: np.ndarray) -> PolyCollection:
    """Programs of up to 4 cells as an icicle: one cell further down, one ending of a program further to the right.

    Each program is a box under the program it continues. The boxes are in the order of `runs`.
    """
    short = runs.size <= 4
    programs = [tuple(runs.memory[i, : runs.size[i]].tolist()) for i in np.flatnonzero(short)]
    prefixes = {program[:cells] for program in programs for cells in range(1, len(program))}
    ends = sorted(set(programs) - prefixes)
    boxes = []
    for program in programs:
        below = [x for x, end in enumerate(ends) if end[: len(program)] == program]
        top = max((cells for cells in range(1, len(program)) if program[:cells] in programs), default=0)
        left, right, bottom = below[0], below[-1] + 1, len(program)
        boxes.append([(left, top), (right, top), (right, bottom), (left, bottom)])
    colours = outcome_colours(runs, fit)[short]
    tree = ax.add_collection(PolyCollection(boxes, facecolors=colours, edgecolors="white", linewidths=0.3))
    ax.set(xlim=(0, len(ends)), ylim=(4, 0), xticks=[], ylabel="program cells", yticks=range(5))
    for opcode, y in ((JUMP_LEQ, 4.1), (WRITE_WEIGHT, 4.1), (JUMP, 4.35), (ALLOCATE, 4.1)):
        places = [x for x, end in enumerate(ends) if end[0] == opcode]
        ax.text(np.mean(places) + 0.5, y, f"{INSTRUCTIONS[opcode][0]} ...", ha="center", va="top", fontsize=9)
    ax.grid(False)
    return tree


def label_outcomes(ax: Axes, y: float) -> None:
    """The colours of the outcomes, in words, at height y in units of the axes."""
    names = ((ASKED, "asks for more"), (ENDED, "halts"), (LOOPED, "loops or time out"), (FIT, "fits the examples"))
    for x, (colour, name) in zip((0.0, 0.25, 0.42, 0.73), names, strict=True):
        ax.text(x, y, f"■ {name}", color=colour, transform=ax.transAxes, fontsize=9)


def prefix_tree(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """All programs of up to 4 cells and what became of them."""
    last = runs["systematic"][-1]
    figure, ax = plt.subplots(figsize=(8.2, 3.6))
    draw_tree(ax, last.runs, last.fit)
    label_outcomes(ax, 1.02)
    ax.set_title("The first levels of the tree of programs\n")
    return figure


def space_and_time(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Bits and steps of every program that ended; runs in each phase of Levin search."""
    last = runs["systematic"][-1]
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 4))
    ended = last.runs.status == HALTED
    bits, steps = np.log2(last.runs.space), last.runs.steps
    jitter = np.random.default_rng(0).uniform(-0.15, 0.15, len(bits))  # many programs cost exactly the same
    for mask, colour, size in ((ended & ~last.fit, ENDED, 4), (last.fit, FIT, 12)):
        left.scatter(bits[mask] + jitter[mask], steps[mask], s=size, color=colour, linewidths=0, alpha=0.7)
    for phase in (13, 16, 19, 22):
        x = np.array([0, phase])
        left.plot(x, 2.0 ** (phase - x), color="C4", linewidth=0.8)
        left.text(phase - 11.2, 2.0**11.3, f"$k$={phase}", color="C4", fontsize=8)
    left.set_yscale("log", base=2)
    left.set(xlabel="space: $-\\log_2 SP$ [bits]", ylabel="time [steps]", ylim=(0.8, 2**12), xlim=(0, 29))
    left.set_title("Programs of up to 6 cells that halt")
    left.text(17, 2**8.7, "fits", color=FIT)
    left.text(20, 2**4.5, "does not fit", color=ENDED)

    phases = [s for s in runs["levin"] if s.runs is not None]
    numbers = np.arange(4, 4 + len(phases))
    for colour, name in ((ASKED, "ask for more"), (LOOPED, "time out"), (ENDED, "halt"), (FIT, "fit")):
        counts = np.array([(outcome_colours(s.runs, s.fit) == colour).sum() for s in phases])
        right.plot(numbers[counts > 0], counts[counts > 0], "o-", color=colour)
        if counts[-1]:
            right.text(numbers[-1] + 0.3, counts[-1], name, color=colour, va="center")
    right.set_yscale("log")
    right.set(xlabel="phase $k$", ylabel="programs run", xlim=(3, numbers[-1] + 6), xticks=numbers[::3])
    right.set_title("Phases of Levin search")
    return figure


def weight_vectors(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """The weights found by search and by gradient descent on the same three examples."""
    names = {
        "systematic": "program found",
        "delta_rule": "delta rule from 0",
        "delta_rule_random": "delta rule from N(0, 0.1)",
    }
    figure, axes = plt.subplots(3, 1, figsize=(7.2, 5.4), sharex=True, sharey=True)
    on = np.ravel(stub.PAPER_BITS)
    for ax, (preset, name), colour in zip(axes, names.items(), ("C0", "C1", "C1"), strict=True):
        last = runs[preset][-1]
        bars = ax.bar(np.arange(len(last.weights)), last.weights, color=colour, alpha=0.45)
        for i in on:
            bars[i].set_alpha(1)
        ax.set(ylabel="weight", xlim=(-1, 100), ylim=(-0.45, 1.4))
        ax.set_title(f"{name}: {100 * last.metrics['accuracy']:.3g} % of the unseen inputs right")
    axes[-1].set_xlabel("input; those that are on in the training examples are darker")
    return figure


def runs_to_first_fit(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """How many random programs a search takes, against the geometric law that enumeration predicts."""
    last = runs["probabilistic"][-1]
    figure, ax = plt.subplots()
    p = 1 / last.metrics.get("predicted_runs", last.runs_to_fit.mean())
    edges = np.linspace(0, max(last.runs_to_fit.max(initial=0), 4 / p), 25)
    ax.hist(last.runs_to_fit, edges, color="C0", alpha=0.7)
    expected = len(last.runs_to_fit) * -np.diff((1 - p) ** edges)
    ax.plot((edges[1:] + edges[:-1]) / 2, expected, color="C4")
    ax.text(edges[6], expected[3], f"geometric law with mean {1 / p:.0f}", color="C4")
    ax.text(edges[12], expected[8], f"{len(last.runs_to_fit)} probabilistic searches", color="C0")
    first = runs["systematic"][-1].metrics["runs"]
    if np.isfinite(first):
        ax.axvline(first, color="C1")
        ax.text(first + edges[-1] / 90, ax.get_ylim()[1] * 0.96, f"systematic search: {first:.0f}", color="C1")
    ax.set(xlabel="runs up to the first fit", ylabel="searches", xlim=(0, edges[-1]))
    ax.set_title("Runs of a probabilistic search")
    return figure


def storage(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """The program found, cell by cell: what its arguments point at."""
    program = runs["systematic"][-1].program
    figure, ax = plt.subplots(figsize=(7.2, 2.6))
    ax.axis("off")
    ax.set(xlim=(-1.1, max(len(program), 4) + 0.4), ylim=(-1.1, 2))
    for address, content in enumerate(program):
        ax.text(address + 0.5, 0, content, ha="center", va="center", fontsize=20)
        ax.text(address + 0.5, 0.62, address, ha="center", color=ENDED)
        ax.add_patch(plt.Rectangle((address, -0.5), 1, 1, fill=False))
    ax.text(-0.1, 0, "content", ha="right", va="center")
    ax.text(-0.1, 0.62, "address", ha="right", color=ENDED)
    ip = 0
    while ip < len(program):
        name, kinds = INSTRUCTIONS[program[ip]]
        ax.text(ip + 0.05, -0.85, name, color="C0")
        for place, kind in enumerate(kinds, start=ip + 1):
            target = program[place]
            colour, word = {"r": ("C1", "reads"), "j": ("C4", "jumps to")}.get(kind, ("C7", "uses"))
            ax.text(place + 0.05, -0.85, f"{word} {target}", color=colour)
            bend = {"arrowstyle": "->", "color": colour, "connectionstyle": f"arc3,rad={0.8 / max(place - target, 1)}"}
            if kind in "rj":
                ax.annotate("", (target + 0.5, 1), (place + 0.5, 1), arrowprops=bend)
        ip += 1 + len(kinds)
    if listing(program).startswith("WriteWeight(0)"):
        ax.add_patch(plt.Rectangle((0, -0.5), 1, 1, color="C0", alpha=0.2))
    ax.set_title("The solution: the 1 in the marked cell is opcode and weight at once")
    return figure


FIGURES = (prefix_tree, space_and_time, weight_vectors, runs_to_first_fit, storage)


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
