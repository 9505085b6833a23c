"""Figures of pipe_6_bit_parity: how the searches get on, how many succeed, and what a solution looks like."""

import argparse
import json
import os
import sys
from math import comb
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import pipe_6_bit_parity as stub

NEEDS = ("pipe", "gp", "random", "per_node")
NAMES = {"pipe": "PIPE", "gp": "genetic programming", "random": "random search", "per_node": "node by node"}
COLOURS = {"pipe": "C0", "gp": "C1", "random": "C2", "per_node": "C4"}
INSTRUCTION_COLOURS = {"IF": "C0", "NOT": "C1", "AND": "C4", "OR": "C7"}  # inputs are grey


def recorded(preset: str) -> list[dict]:
    """The final metrics of every recorded run of `preset`, in order of seed; a metric that is null was infinite."""
    path = Path(__file__).with_name("runs.jsonl")
    runs = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [
        {name: np.inf if value is None else value for name, value in run["metrics"].items()}
        for run in sorted(runs, key=lambda run: run["seed"])
        if run["preset"] == preset
    ]


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


def draw_program(ax: Axes, program: np.ndarray, bits: int, certainty: np.ndarray) -> None:
    """The program as a tree; a node is the more opaque the larger its entry of `certainty` (nodes,) in [0, 1]."""
    task = stub.Task(bits)
    x, y, parent = layout(program, task.arity)
    x = x / max(1, x.max())
    ax.axis("off")
    ax.set(xlim=(-0.03, 1.03), ylim=(max(y.max(), 4) + 0.6, -0.6))
    for node in range(len(program) - 1):
        ax.plot([x[node], x[parent[node]]], [y[node], y[parent[node]]], color="#BBBBBB", linewidth=0.7, zorder=1)
    names = [task.names[i] for i in program]
    colours = [INSTRUCTION_COLOURS.get(name, "C2") for name in names]
    size = np.clip(5000 / len(program), 25, 120)
    ax.scatter(x, y, s=size, color="white", zorder=2)
    ax.scatter(x, y, s=size, color=colours, alpha=np.clip(certainty, 0.08, 1), linewidths=0, zorder=3)
    for node, name in enumerate(names):
        if not task.arity[program[node]]:
            ax.text(x[node], y[node] + 0.35, name[1:], ha="center", va="top", fontsize=7)


def label_instructions(ax: Axes, y: float) -> None:
    """The colours of the instructions, in words, at height y in units of the axes."""
    for k, (name, colour) in enumerate([*INSTRUCTION_COLOURS.items(), ("x (number below)", "C2")]):
        ax.text(0.14 * k, y, f"● {name}", color=colour, transform=ax.transAxes, fontsize=9)


def error_over_evaluations(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Least error so far in one run of each search."""
    figure, ax = plt.subplots()
    labels = []
    for preset, snapshots in runs.items():
        last = snapshots[-1]
        evaluations, error = np.append(last.progress, [[last.step, last.metrics["wrong"]]], axis=0).T
        ax.step(np.maximum(evaluations, 1), error, where="post", color=COLOURS[preset])
        labels.append((error[-1], evaluations[-1], preset))
    for rank, (error, evaluations, preset) in enumerate(sorted(labels)):
        ax.text(evaluations * 1.12, max(error, 2.2 * rank), NAMES[preset], color=COLOURS[preset], va="center")
    ax.axhline(32, color="C2", linestyle=":", linewidth=1)
    ax.text(1.2, 32.6, "any program that ignores an input", color="C2", fontsize=9)
    ax.axhline(18, color="C5", linestyle=":", linewidth=1)
    ax.text(1.2, 18.6, "reference catalogue, seed 0, 420,000 evaluations", color="C5", fontsize=9)
    ax.set(xscale="log", xlim=(1, 2e7), ylim=(-1, 36), yticks=range(0, 33, 8))
    ax.set(xlabel="programs evaluated", ylabel="wrong patterns of the best program")
    ax.set_title("One run of each search on parity of six bits")
    return figure


def fisher(a: int, b: int, runs: int) -> float:
    """One-sided exact test: how probable a successes or more of `runs` are, if both methods succeed equally often."""
    return sum(comb(runs, k) * comb(runs, a + b - k) for k in range(a, min(runs, a + b) + 1)) / comb(2 * runs, a + b)


def solved_over_evaluations(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Share of the recorded runs that have solved the task, over evaluations."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 4), sharey=True)
    panels = (
        (left, {"pipe": ("C0", "PIPE"), "gp": ("C1", "GP"), "random": ("C2", "random search")}),
        (right, {"pipe": ("C0", "6 bits"), "five_bits": ("C6", "5 bits"), "four_bits": ("C4", "4 bits")}),
    )
    for ax, presets in panels:
        for preset, (colour, name) in presets.items():
            solved_at = np.sort([run["evaluations"] for run in recorded(preset)])
            number = int(np.isfinite(solved_at).sum())
            share = np.arange(number + 1) / max(1, len(solved_at))
            end = stub.Config(**stub.PRESETS[preset]).evaluations
            ax.step([1000, *solved_at[:number], end], [*share, share[-1]], where="post", color=colour)
            if number:
                ax.text(solved_at[number // 2] * 0.8, share[number // 2], name, color=colour, ha="right")
            else:
                ax.text(1200, 0.015, name, color=colour)
        ax.set(xscale="log", xlim=(1000, 6e5), ylim=(-0.03, 1.06), xlabel="programs evaluated")
    for share, name, place in ((0.7, "PIPE", 1100), (0.6, "GP", 1100)):
        left.axhline(share, color="C3", linestyle="--", linewidth=1)
        left.text(place, share + 0.012, f"paper, {name} (unsure)", color="C3", fontsize=8)
    left.set(ylabel="share of runs that have solved it")
    wins = [sum(run["wrong"] == 0 for run in recorded(preset)) for preset in ("pipe", "gp")]
    count = len(recorded("pipe"))
    if count and count == len(recorded("gp")):
        left.set_title(f"PIPE {wins[0]}, GP {wins[1]} of {count} (Fisher: p = {fisher(*wins, count):.2g})")
    right.set_title("PIPE with fewer bits")
    return figure


def solution(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """The best program of the run as a tree."""
    last = runs["pipe"][-1]
    figure, ax = plt.subplots(figsize=(8.6, 4.4))
    draw_program(ax, last.program, int(np.log2(len(last.answers))), np.ones(len(last.program)))
    label_instructions(ax, -0.03)
    ax.set_title(f"The best program: {len(last.program)} nodes, {last.metrics['wrong']:.0f} wrong")
    return figure


def probability_of_the_elite(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """How probable the prototype tree makes the elite, over evaluations."""
    figure, ax = plt.subplots()
    snapshots = runs["pipe"]
    ax.plot([max(1, s.step) for s in snapshots], [s.metrics["log10_joint"] for s in snapshots], "o-", color="C0")
    ax.set(xscale="log", xlabel="programs evaluated", ylabel="log10 of the joint probability")
    ax.set_title("The tree leaves old elites behind")
    return figure


FIGURES = (error_over_evaluations, solved_over_evaluations, solution, probability_of_the_elite)


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
