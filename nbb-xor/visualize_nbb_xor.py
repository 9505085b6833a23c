"""Figures of nbb_xor: which nets solve XOR and which hold the solution, and how winners and weights change."""

import argparse
import os
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

import nbb_xor as stub

NEEDS = ("nbb", "tuned", "two_hidden", "two_subsets", "layered", "no_redistribution", "no_payoff", "late")
HELD = 100  # presentations for which a solution must hold in the figures
PATTERN_NAMES = [f"{x1} {x2}" for x1, x2, _ in stub.PATTERNS.T]


def draw_share(ax: Axes, times: np.ndarray, last: int, color: str, name: str, lift: float = 0) -> None:
    """Share of the population whose time has come, against presentations; its name at the end, moved by `lift`."""
    ordered = np.sort(times[np.isfinite(times)])
    share = np.arange(len(ordered) + 1) / len(times)
    ax.step(np.append(ordered, last), np.append(share[1:], share[-1]), where="post", color=color)
    ax.text(last * 1.01, share[-1] + lift, name, color=color, va="center", fontsize=9)


def example(last: stub.Snapshot) -> int:
    """The first net that has held a solution for the longest time asked for; net 0 if there is none."""
    return int(np.isfinite(last.held[-1]).argmax())


def solved_and_held(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Share of nets that have solved the task once, and that have held a solution, by condition."""
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 3.8), sharex=True, sharey=True)
    conditions = {
        "nbb": ("C0", "full rule", 0.0),
        "layered": ("C1", "layered", 0.0),
        "no_payoff": ("C4", "no payoff", 0.045),
        "no_redistribution": ("C5", "no redistribution", -0.02),
    }
    for preset, (color, name, lift) in conditions.items():
        last = runs[preset][-1]
        draw_share(axes[0], last.first, last.step, color, name, lift if preset != "layered" else -0.06)
        held = last.held[stub.HELD.index(HELD)] + HELD
        draw_share(axes[1], held, last.step, color, name, lift)
    axes[0].axvline(619, color="C3", linestyle="--", linewidth=1)
    axes[0].text(640, -0.05, "paper's mean: about 619", fontsize=9)
    axes[0].set(xlabel="presentations", ylabel="share of nets", ylim=(-0.08, 1.05), title="Solved once")
    axes[1].set(xlabel="presentations", title=f"Held for {HELD} presentations")
    axes[0].set_xlim(0, max(runs["nbb"][-1].step * 1.45, 1500))
    return figure


def length_of_holding(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Share of nets that hold a solution, by how long."""
    figure, ax = plt.subplots(figsize=(8.6, 3.8))
    conditions = {
        "nbb": ("C0", "1 subset of 3"),
        "tuned": ("C6", "1 subset of 3, higher rate"),
        "two_subsets": ("C4", "2 subsets of 2"),
        "two_hidden": ("C5", "1 subset of 2"),
        "layered": ("C1", "1 subset of 3, layered"),
        "late": ("C7", "1 subset of 3, late learning"),
    }
    for preset, (color, name) in conditions.items():
        last = runs[preset][-1]
        shares = [np.isfinite(times).mean() for times in (last.first, *last.held)]
        ax.plot(range(4), shares, "o-", color=color, label=name)
    ax.set(xticks=range(4), xticklabels=["solved once", *(str(length) for length in stub.HELD)], ylim=(-0.03, 1.03))
    ax.set(xlabel="presentations for which the solution is held", ylabel="share of nets")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    ax.set_title("A solution that is reached is not always kept")
    return figure


def first_solutions(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Times of the first solution in three architectures, with the means of the paper."""
    figure, axes = plt.subplots(3, 1, sharex=True, figsize=(7.2, 5.2))
    conditions = {
        "tuned": ("1 subset of 3 (lam = eta = 0.008)", 619),
        "two_hidden": ("1 subset of 2", 640),
        "two_subsets": ("2 subsets of 2", 1052),
    }
    for ax, (preset, (name, paper)) in zip(axes, conditions.items(), strict=True):
        first = runs[preset][-1].first
        first = first[np.isfinite(first)]
        ax.hist(first, np.arange(0, 1601, 50), color="C0", alpha=0.75)
        if len(first):
            ax.axvline(first.mean(), color="C0")
        ax.axvline(paper, color="C3", linestyle="--")
        ax.set_ylabel("nets")
        ax.set_title(f"{name}; the paper's mean: about {paper}")
    axes[-1].set_xlabel("presentations up to the first solution; solid line: mean, dashed: the paper's")
    return figure


def who_wins(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Winners of the hidden and of the output subset for each pattern, in one net."""
    snapshots = runs["nbb"]
    net = example(snapshots[-1])
    figure, axes = plt.subplots(2, 1, sharex=True, figsize=(7.2, 3.8))
    hidden, out = [], []
    for s in snapshots:
        w = stub.Weights(*(array[..., [net]] for array in s.weights))
        h, o = stub.respond(stub.Config(nets=1), w)
        hidden.append(h[..., 0].argmax(axis=1))
        out.append(o[..., 0].argmax(axis=1) == stub.TARGETS)
    last = snapshots[-1].step
    for ax, winner, colors, title in (
        (axes[0], hidden, ("C4", "C7", "C6"), "Winning hidden unit: one colour per unit"),
        (axes[1], out, ("white", "C0"), "Output: blue where the right unit wins"),
    ):
        image = np.array(winner).T
        cmap = ListedColormap(colors)
        ax.imshow(image, aspect="auto", cmap=cmap, vmin=0, vmax=len(colors) - 1, extent=(0, last, 4, 0))
        ax.set(yticks=np.arange(4) + 0.5, yticklabels=PATTERN_NAMES, ylabel="pattern", title=title)
        ax.grid(False)
    axes[1].set_xlabel("presentations")
    return figure


def weight_trajectories(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """All weights of one net."""
    snapshots = runs["nbb"]
    net = example(snapshots[-1])
    steps = [s.step for s in snapshots]
    figure, axes = plt.subplots(1, 3, sharey=True, figsize=(8.6, 3.6))
    groups = {
        "input to hidden": [s.weights.hidden[..., net].ravel() for s in snapshots],
        "input to output": [s.weights.out[:3, :, net].ravel() for s in snapshots],
        "hidden to output": [s.weights.out[3:, :, net].ravel() for s in snapshots],
    }
    for ax, (name, weights), color in zip(axes, groups.items(), ("C4", "C7", "C0"), strict=True):
        ax.plot(steps, weights, color=color, linewidth=1.2)
        ax.set(title=name, xlabel="presentations")
    axes[0].set_ylabel("weight")
    return figure


FIGURES = (solved_and_held, length_of_holding, first_solutions, who_wins, weight_trajectories)


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
