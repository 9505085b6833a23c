"""Figures of nbb_moving_light: when nets learn to remember where the light began, and when they lose it again."""

import argparse
import os
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import nbb_moving_light as stub

SIZES = {5: "nbb", 10: "cells_10", 15: "cells_15", 20: "cells_20"}  # cells of the retina: preset
CONDITIONS = {
    "during": {
        "nbb": ("C0", "full rule"),
        "no_recurrence": ("C1", "no recurrence"),
        "no_payoff": ("C4", "no payoff"),
    },
    "after": {
        "after": ("C0", "full rule"),
        "after_no_recurrence": ("C1", "no recurrence"),
        "after_no_payoff": ("C4", "no payoff"),
        "after_double": ("C6", "double payoff"),
        "after_double_no_recurrence": ("C7", "double payoff,\nno recurrence"),
    },
}
SCHEDULES = {
    "nbb": ("C0", "random"),
    "pairs": ("C1", "pairs"),
    "alternating": ("C5", "alternating"),
    "alternating_2": ("C6", "in blocks of 2"),
    "alternating_3": ("C4", "in blocks of 3"),
}
NEEDS = tuple(
    dict.fromkeys((*CONDITIONS["during"], *CONDITIONS["after"], *SCHEDULES, *SIZES.values(), "cells_20_pairs"))
)


def draw_share(ax: Axes, times: np.ndarray, last: int, color: str, name: str, lift: float = 0) -> None:
    """Share of the population whose time has come, against presentations; its name at the end, moved by `lift`."""
    ordered = np.sort(times[np.isfinite(times)])
    share = np.arange(len(ordered) + 1) / len(times)
    ax.step(np.append(ordered, last), np.append(share[1:], share[-1]), where="post", color=color)
    ax.text(last * 1.01, share[-1] + lift, name, color=color, va="center", fontsize=9)


def example(last: stub.Snapshot) -> int:
    """The first net that has held a solution for the longest time asked for; net 0 if there is none."""
    return int(np.isfinite(last.held[-1]).argmax())


def schedules(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Nets that hold a solution, and at which ticks the others go wrong, by order of the directions."""
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 3.8), sharey=True)
    axes[0].axhline(0.9, color="C3", linestyle="--", linewidth=1)
    for preset, (color, name) in SCHEDULES.items():
        last = runs[preset][-1]
        lift = {"nbb": -0.02, "alternating_3": 0.04}.get(preset, 0)
        draw_share(axes[0], last.held[0] + stub.HELD[0], last.step, color, name, lift)
        right = stub.respond(stub.Config(), last.params)[:, [0, 1], [0, 1]].all(axis=1)  # (T, N)
        axes[1].plot(np.arange(len(right)) + 2, right.mean(axis=1), "o-", color=color, label=name)
    last = runs["nbb"][-1].step
    axes[0].text(0.98 * last, 0.88, "the paper: 9 of 10 runs", ha="right", va="top", fontsize=9)
    axes[0].set(xlabel="presentations, both directions together", ylabel="share of nets", xlim=(0, 1.4 * last))
    axes[0].set(ylim=(-0.03, 1.08), title="Held a solution for five tests")
    axes[1].set(xlabel="tick of a presentation", xticks=range(2, 6), title="Right in both directions, at the end")
    axes[1].legend(loc="center right")
    return figure


def length_of_holding(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Share of nets that hold a solution, by how long, for both readings of the task."""
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 3.8), sharey=True)
    titles = {"during": "While the light moves", "after": "After it has arrived"}
    for ax, (answer, conditions) in zip(axes, CONDITIONS.items(), strict=True):
        for preset, (color, name) in conditions.items():
            last = runs[preset][-1]
            shares = [np.isfinite(times).mean() for times in (last.first, *last.held)]
            ax.plot(range(4), shares, "o-", color=color, label=name)
        ax.set(xticks=range(4), xticklabels=["once", *(str(length) for length in stub.HELD)])
        ax.set(xlabel="solved once, or held for ... presentations", title=titles[answer])
    axes[0].set(ylabel="share of nets", ylim=(-0.03, 1.05))
    axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def weights(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Median weights over the population, early and at the end."""
    snapshots = runs["nbb"]
    figure, axes = plt.subplots(2, 1, figsize=(7.2, 4.4))
    senders = [*(f"cell {i}" for i in range(1, 6)), "always on", "output 1", "output 2"]
    for ax, snapshot in zip(axes, (snapshots[min(2, len(snapshots) - 1)], snapshots[-1]), strict=True):
        median = np.median(snapshot.params, axis=-1).T
        ax.imshow(median, cmap="Blues", vmin=0, vmax=1.6 * median.max(), aspect="auto")
        for j, i in np.ndindex(*median.shape):
            ax.text(i, j, f"{median[j, i]:.2f}", ha="center", va="center")
        ax.set(xticks=range(8), xticklabels=senders, yticks=(0, 1), yticklabels=("output 1", "output 2"))
        ax.set_title(f"Weights after {snapshot.step} presentations, medians")
        ax.grid(False)
    return figure


def retina_size(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Share of nets that hold a solution, and the time they need for it, against the cells of the retina."""
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 3.6))
    held = [runs[preset][-1].held for preset in SIZES.values()]
    colors = ("C0", "C6", "C5")
    for k, (length, color, lift) in enumerate(zip(stub.HELD, colors, (0, 0.05, -0.01), strict=True)):
        shares = [np.isfinite(times[k]).mean() for times in held]
        axes[0].plot(list(SIZES), shares, "o-", color=color)
        axes[0].text(20.6, shares[-1] + lift, f"{length} presentations", color=color, va="center", fontsize=9)
    axes[0].set(xticks=list(SIZES), xlim=(4, 29), ylim=(-0.03, 1.05), ylabel="share of nets", title="Held for")
    for cells, times in zip(SIZES, held, strict=True):
        per_sequence = times[0][np.isfinite(times[0])] / 2
        axes[1].plot(np.full(len(per_sequence), cells), per_sequence, "o", color="C0", alpha=0.15, markeredgewidth=0)
        if len(per_sequence):
            axes[1].plot(cells, per_sequence.mean(), "_", color="C0", markersize=26, markeredgewidth=2)
    axes[1].axhline(223, color="C3", linestyle="--", linewidth=1)
    axes[1].text(20.8, 226, "the paper's mean, 5 cells", ha="right", va="bottom", fontsize=9)
    axes[1].set(xticks=list(SIZES), xlim=(4, 21), ylim=(0, None), ylabel="presentations per sequence")
    axes[1].set_title("To a solution held for five tests")
    for ax in axes:
        ax.set_xlabel("cells of the retina")
    return figure


def drift(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """How strongly end cells and always-on unit prefer one output; a net is right while the former are stronger."""
    figure, axes = plt.subplots(1, 3, figsize=(8.6, 3.6), sharey=True)
    panels = {"nbb": "5 cells, random", "cells_20": "20 cells, random", "cells_20_pairs": "20 cells, pairs"}
    for ax, (preset, title) in zip(axes, panels.items(), strict=True):
        w = np.stack([s.params for s in runs[preset]])  # (looks, S, 2, N)
        steps = [s.step for s in runs[preset]]
        prefers = w[:, :, 0] - w[:, :, 1]
        end_cells = np.minimum(prefers[:, 0], -prefers[:, -4])
        ax.plot(steps, np.median(end_cells, axis=-1), color="C0", label="end cells, the weaker one")
        ax.plot(steps, np.median(np.abs(prefers[:, -3]), axis=-1), color="C1", label="always-on unit, either way")
        ax.set(xlabel="presentations", title=title)
    axes[0].set_ylabel("difference of the weights to both outputs")
    axes[0].legend(loc="upper left")
    return figure


FIGURES = (schedules, length_of_holding, weights, retina_size, drift)


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
