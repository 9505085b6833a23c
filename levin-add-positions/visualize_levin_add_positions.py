"""Figures of levin_add_positions: the space of fits, the weights they write, and what finding them costs."""

import argparse
import json
import os
import sys
import textwrap
from itertools import combinations
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

import levin_add_positions as stub
from ramp_machine import INPUTS, INSTRUCTIONS, Machine, load

NEEDS = ("systematic", "adapted", "random", "delta_rule", "delta_rule_random")
FIT, TRIED, WRONG = "C0", "C2", "C1"  # programs that fit and generalise, that do not fit, that fit but fail elsewhere


def recorded(preset: str) -> list[dict]:
    """The final metrics of every recorded run of `preset`, in order of seed; a metric that is null was infinite."""
    path = Path(__file__).with_name("runs.jsonl")
    runs = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [
        {name: np.inf if value is None else value for name, value in run["metrics"].items()}
        for run in sorted(runs, key=lambda run: run["seed"])
        if run["preset"] == preset
    ]


def listing(program: np.ndarray) -> list[str]:
    """The program's cells as instructions, read from its start; for the machine with a weight pointer."""
    words, ip = [], 0
    while ip < len(program):
        name, kinds = INSTRUCTIONS[program[ip]]
        words.append(f"{name}({', '.join(map(str, program[ip + 1 : ip + 1 + len(kinds)]))})")
        ip += 1 + len(kinds)
    return words


def space_of_fits(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Bits and steps of the programs tried by systematic search, and of all fits of at most 26 bits."""
    figure, ax = plt.subplots(figsize=(7.2, 4.4))
    bits, steps = runs["systematic"][-1].tried
    fits = runs["random"][-1].fits
    spread = np.random.default_rng(0)
    few = spread.choice(len(bits), min(len(bits), 8000), replace=False)
    ax.scatter(bits[few], steps[few] * 2 ** spread.uniform(-0.1, 0.1, len(few)), s=3, color=TRIED, alpha=0.35, lw=0)
    right = (fits.weights == stub.RAMP).all(axis=1)
    for mask, colour in ((right, FIT), (~right, WRONG)):
        ax.scatter(np.log2(fits.space[mask]), fits.steps[mask], s=28, color=colour, lw=0, zorder=3)
    for phase in (23, 27, 31, 34):
        x = np.array([3, 28])
        ax.plot(x, 2.0 ** (phase - x), color="C4", linewidth=0.8)
        ax.text(phase - 11.2, 2.0**11.4, f"$k$={phase}", color="C4", fontsize=8)
    ax.set_yscale("log", base=2)
    ax.set(xlabel="space: $-\\log_2 SP$ [bits]", ylabel="time [steps]", xlim=(3, 28), ylim=(0.8, 2**12.3))
    ax.set_title("Programs tried, and those that fit")
    ax.text(24.7, 2**7.4, f"{right.sum()} fits", color=FIT, ha="center")
    ax.text(4.0, 2**6.5, "programs tried\n(a sample)", color=TRIED)
    ax.text(4.0, 2**10.3, "time limit: 1024", color=TRIED)
    return figure


def weight_vectors(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """The weights found by search and by gradient descent on the same three examples."""
    names = {
        "systematic": "program found",
        "delta_rule": "delta rule from 0",
        "delta_rule_random": "delta rule from N(0, 0.1)",
    }
    figure, axes = plt.subplots(3, 1, figsize=(7.2, 5.4), sharex=True, sharey=True)
    for ax, (preset, name), colour in zip(axes, names.items(), ("C0", "C1", "C1"), strict=True):
        last = runs[preset][-1]
        bars = ax.bar(np.arange(INPUTS), last.weights, color=colour, alpha=0.4)
        for i in np.ravel(stub.PAPER_BITS):
            bars[i].set_alpha(1)
        ax.set(ylabel="weight", xlim=(-1, INPUTS), ylim=(-5, 104))
        ax.set_title(f"{name}: {100 * last.metrics['accuracy']:.3g} % of the unseen inputs right")
    axes[-1].set_xlabel("position; those that are on in the training examples are darker")
    return figure


def outputs(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Output of the unit against its target, for all inputs."""
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 3.9), sharex=True, sharey=True)
    triples = np.array(list(combinations(range(INPUTS), 3)))
    for ax, preset, name in zip(axes, ("systematic", "delta_rule"), ("Program", "Delta rule"), strict=True):
        ax.hexbin(
            triples.sum(axis=1),
            runs[preset][-1].weights[triples].sum(axis=1),
            gridsize=45,
            bins="log",
            cmap="Blues" if preset == "systematic" else "Oranges",
            extent=(0, 300, 0, 300),
            linewidths=0.1,
        )
        x = np.array(stub.PAPER_BITS)
        ax.plot(x.sum(axis=1), runs[preset][-1].weights[x].sum(axis=1), "o", color="C3", markersize=5)
        ax.plot((0, 300), (0, 300), color="C3", linewidth=0.7)
        ax.set(title=name, xlabel="target: sum of the positions", ylim=(-8, 300), xlim=(-4, 300))
    axes[0].set_ylabel("output of the unit")
    axes[0].text(8, 265, "black: three examples")
    return figure


def runs_to_first_fit(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Number of programs tried up to the first fit, for each way to search."""
    address = [run["runs"] for run in recorded("address")]
    bars = {
        "systematic, after counting": (runs["adapted"][-1].metrics["runs"], "C4"),
        "systematic": (runs["systematic"][-1].metrics["runs"], "C0"),
        "systematic, explicit addresses": (np.median(address) if address else np.inf, "C5"),
        "random, as computed\nfor fits of <= 26 bits": (1 / runs["random"][-1].metrics.get("success", np.nan), "C2"),
    }
    figure, ax = plt.subplots(figsize=(7.2, 2.9))
    for y, (value, colour) in enumerate(bars.values()):
        if np.isfinite(value):
            ax.barh(y, value, color=colour, height=0.6)
            ax.text(value * 1.12, y, f"{value:,.0f}", va="center", color=colour)
    ax.axvline(6_902_963, color="C3", linestyle="--", linewidth=1.2)
    ax.text(6_902_963 * 0.88, 0, "paper, random: 6,902,963", color="C3", va="center", ha="right")
    ax.set_xscale("log")
    ax.set(yticks=range(len(bars)), yticklabels=bars, xlim=(5e3, 4e7), ylim=(3.5, -0.5))
    ax.set(xlabel="programs tried up to the first fit")
    ax.grid(axis="y", visible=False)
    ax.set_title("How many programs it takes")
    return figure


def traces(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """The first steps of the quickest fit and of a random one: where the instruction pointer is, what is written."""
    tried = runs["systematic"][-1]
    quickest = tried.fits.steps.argmin()
    programs = (tried.fits.memory[quickest, : tried.fits.size[quickest]], runs["random"][-1].program)
    figure, axes = plt.subplots(2, 1, figsize=(7.6, 5.6))
    for ax, program, name in zip(axes, programs, ("The quickest", "A fit of random search"), strict=True):
        if not len(program):
            continue
        replay = load(program[None].repeat(31, axis=0), np.arange(31))  # one copy for every number of steps
        Machine().run(replay)
        live = replay.steps == np.arange(31)
        ax.plot(replay.steps[live], replay.ip[live], "o-", color="C0", markersize=4, linewidth=1)
        for t in np.flatnonzero(np.diff(replay.wp) > 0):
            written = replay.weights[t + 1, replay.wp[t]]
            ax.text(t + 0.2, replay.ip[t] - 0.2, f"w[{replay.wp[t]}]={written}", color="C1", fontsize=8)
        cells = [f"{content}  [{address}]" for address, content in enumerate(program)]
        ax.set(yticks=range(len(cells)), yticklabels=cells, ylim=(len(cells) - 0.5, -1.2), ylabel="cell read as opcode")
        ax.set_title(textwrap.fill(f"{name}: {'; '.join(listing(program))}", 85), fontsize=9)
    axes[-1].set_xlabel("step")
    return figure


FIGURES = (space_of_fits, weight_vectors, outputs, runs_to_first_fit, traces)


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
