"""Figures of rs_tomita: how many draws a search takes, what it costs in strings, and what was found."""

import argparse
import json
import os
import sys
from collections import Counter, defaultdict
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import rs_tomita as stub
from string_nets import descend, unpack
from tomita_languages import LANGUAGES, all_strings, prefix_tree

NEEDS = ("second_order", "four_units", "saturated", "short", "exact", "learn", "count")
NAMES = {"1": "1: only 1s", "2": "2: (10)*", "4": "4: no 000"}
PAPER_TRIALS = {"1": (182, 288), "2": (1511, 17953), "4": (13833, 35610)}  # mean trials, two sizes of net
PUBLISHED = {"1": 23_000, "2": 77_000, "4": 46_000}  # strings read by the fastest published learners (unsure)
SYMBOL_COLORS = ("C4", "C5")  # arrows for 0 and for 1


def recorded(preset: str) -> list[dict]:
    """The final metrics of every recorded run of `preset`, in order of seed; a metric that is null was infinite."""
    path = Path(__file__).with_name("runs.jsonl")
    runs = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [
        {name: np.inf if value is None else value for name, value in run["metrics"].items()}
        for run in sorted(runs, key=lambda run: run["seed"])
        if run["preset"] == preset
    ]


def finals(runs: dict[str, list[stub.Snapshot]], preset: str) -> list[dict]:
    """The final metrics of all recorded runs of a preset, or of the run just made if none is recorded."""
    return recorded(preset) or [runs[preset][-1].metrics]


def trials_to_fit(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Distribution of the number of draws that a search takes, against the geometric law and the paper's means."""
    figure, axes = plt.subplots(1, 3, sharey=True, figsize=(9, 3.6))
    for ax, (language, name) in zip(axes, NAMES.items(), strict=True):
        for preset, color in (("second_order", "C0"), ("four_units", "C6")):
            trials = np.sort(runs[preset][-1].trials[language])
            ax.step(trials, np.arange(1, len(trials) + 1) / len(trials), where="post", color=color)
            mean = np.mean([m[f"trials_{language}"] for m in finals(runs, preset)])
            x = np.geomspace(mean / 100, mean * 10)
            ax.plot(x, 1 - np.exp(-x / mean), ":", color=color, linewidth=1.2)
        small, large = PAPER_TRIALS[language]
        ax.axvline(small, color="C3", linestyle="--", linewidth=1)
        ax.axvline(large, color="C3", linestyle="--", linewidth=1)
        ax.text(small, 1, f"small net: {small:,} ", fontsize=8, rotation=90, ha="right", va="top")
        ax.text(large, 0, f"large net: {large:,} ", fontsize=8, rotation=90, ha="left", va="bottom")
        ax.set(xscale="log", xlabel="draws", title=name)
    axes[0].set_ylabel("share of searches that have ended")
    axes[0].text(0.03, 0.97, "3 units", color="C0", transform=axes[0].transAxes, va="top")
    axes[0].text(0.03, 0.89, "4 units", color="C6", transform=axes[0].transAxes, va="top")
    axes[0].text(0.03, 0.81, "dashed: the\npaper's means", transform=axes[0].transAxes, va="top", fontsize=8)
    return figure


def strings_read(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Training strings read until the training set is right: guessing, gradient descent, published learners."""
    figure, ax = plt.subplots(figsize=(8.2, 3.6))
    for row, language in enumerate(NAMES):
        for preset, metric, color, lift in (
            ("second_order", f"read_{language}", "C0", 0.12),
            ("learn", f"read_median_{language}", "C1", -0.12),
        ):
            values = [m[metric] for m in finals(runs, preset)]
            ax.plot(values, np.full(len(values), -row + lift), "o", color=color, alpha=0.6)
        ax.plot([PUBLISHED[language]] * 2, [-row - 0.3, -row + 0.3], color="C3", linestyle="--")
    ax.text(PUBLISHED["1"] * 1.1, 0, "published learners\n(unsure)", fontsize=9, va="center")
    ax.text(0.02, 0.95, "guessing (mean of a seed)", color="C0", transform=ax.transAxes, va="top", fontsize=9)
    ax.text(0.02, 0.88, "BPTT with Adam (median of a seed)", color="C1", transform=ax.transAxes, va="top", fontsize=9)
    ax.set(xscale="log", xlim=(100, 300_000), ylim=(-2.5, 1.1), yticks=(0, -1, -2), yticklabels=list(NAMES.values()))
    ax.set_xlabel("training strings read until all are right")
    ax.set_title("Guessing against learning")
    return figure


def exact_nets(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Share of searches whose net is right on every string of up to 12 symbols, by training set and weight range."""
    figure, ax = plt.subplots(figsize=(8.2, 3.6))
    conditions = {
        "learn": ("Tomita's strings, BPTT", "C1"),
        "second_order": ("Tomita's strings, weights up to 10", "C0"),
        "saturated": ("Tomita's strings, up to 100", "C6"),
        "short": ("all 254 short strings, up to 10", "C7"),
        "exact": ("all 254 short strings, up to 100", "C4"),
    }
    for k, (preset, (label, color)) in enumerate(conditions.items()):
        shares = [np.mean([m[f"exact_{language}"] for m in finals(runs, preset)]) for language in NAMES]
        bars = ax.bar(np.arange(3) + (k - 2) * 0.17, shares, 0.16, color=color, label=label)
        ax.bar_label(bars, [f"{share:.2f}" for share in shares], fontsize=8, padding=1)
    ax.set(xticks=range(3), xticklabels=list(NAMES.values()), ylim=(0, 1.08), ylabel="share of exact nets")
    ax.grid(axis="x", visible=False)
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    ax.set_title("How many of the nets found have the language itself")
    return figure


def seven_languages(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Fits per million draws for all of Tomita's languages, with 95 % Poisson intervals."""
    figure, ax = plt.subplots(figsize=(8.2, 3.6))
    records = finals(runs, "count")
    draws = len(records) * stub.PRESETS["count"]["max_trials"] / 1e6
    for language in map(str, LANGUAGES):
        n = sum(m.get(f"fits_{language}", 0.0) for m in records)
        low, high = poisson_interval(n)
        color = "C0" if language in NAMES else "C4"
        ax.plot([language] * 2, [low / draws, high / draws], color=color, linewidth=2.5)
        ax.plot([language], [n / draws], "o", color=color, markersize=7)
        text = f"{n / draws:,.0f}" if n > 100 * draws else f"{n / draws:.2g}"
        ax.annotate(text, (language, n / draws), xytext=(9, 0), textcoords="offset points", va="center")
    ax.set(yscale="log", xlabel="Tomita's language", ylabel="fits per million draws", xlim=(-0.5, 6.9))
    ax.set_title("The paper's languages 1, 2 and 4 (blue) have the most fits")
    return figure


def poisson_interval(n: float) -> tuple[float, float]:
    """95 % interval of the expected number of events where n happened (Byar's approximation)."""
    low = n * (1 - 1 / (9 * n) - 1.96 / (3 * np.sqrt(n))) ** 3 if n else 0.0
    return max(low, 0.0), (n + 1) * (1 - 1 / (9 * (n + 1)) + 1.96 / (3 * np.sqrt(n + 1))) ** 3


# Automata


def extract(weights: np.ndarray, language: int, longest: int = 8) -> tuple[dict, dict]:
    """The automaton of a second-order net of three units whose activations are rounded to 0 or 1.

    Returns arrows {(corner, symbol): corner} and names {corner: state of Tomita's automaton that is met there}, both
    by the majority of all strings of up to `longest` symbols; what these arrows do not reach is left out. A corner is a
    tuple of three bits, first the output's.
    """
    net, automaton = unpack("second_order", 3, weights[:, None]), LANGUAGES[language]
    corner, state, h = [(1, 0, 0)], [0], net.h0[None, :, None]
    arrows, names = defaultdict(Counter), defaultdict(Counter)
    names[1, 0, 0][0] += 1
    for level in prefix_tree(all_strings(longest), language):
        h = descend(net, level, h)
        new = [tuple(bits) for bits in (h[..., 0] > 0.5).astype(int).tolist()]
        origin = [(parent, symbol) for symbol in (0, 1) for parent in level.parents[symbol]]
        state = [automaton.delta[state[parent]][symbol] for parent, symbol in origin]
        for (parent, symbol), after, q in zip(origin, new, state, strict=True):
            arrows[corner[parent], symbol][after] += 1
            names[after][q] += 1
        corner = new
    arrows = {key: counts.most_common(1)[0][0] for key, counts in arrows.items()}
    reached = {(1, 0, 0)}
    while (more := reached | {after for (before, _), after in arrows.items() if before in reached}) != reached:
        reached = more
    return (
        {key: after for key, after in arrows.items() if key[0] in reached},
        {corner: names[corner].most_common(1)[0][0] for corner in sorted(reached)},
    )


def draw_automaton(ax: Axes, places: dict, names: dict, accepting: set, arrows: dict) -> None:
    """States as circles, filled if they accept; one arrow per symbol, or a ring if it leaves the state as it is."""
    for (node, symbol), after in arrows.items():
        if node == after:
            ax.plot(*places[node], "o", markersize=23 + 5 * symbol, mfc="none", mec=SYMBOL_COLORS[symbol], mew=1.6)
        else:
            style = {"arrowstyle": "-|>", "color": SYMBOL_COLORS[symbol], "lw": 1.4, "shrinkA": 13, "shrinkB": 13}
            style["connectionstyle"] = f"arc3,rad={0.12 + 0.16 * symbol}"
            ax.annotate("", places[after], places[node], arrowprops=style)
    for node, name in names.items():
        face, ink = ("C0", "white") if node in accepting else ("white", "black")
        ax.plot(*places[node], "o", markersize=18, mfc=face, mec="C0", zorder=3)
        ax.text(*places[node], name, ha="center", va="center", color=ink, fontsize=9, zorder=4)
    ax.set(xlim=(-0.35, 1.95), ylim=(-0.35, 2.1), xticks=(), yticks=())
    ax.grid(False)
    ax.spines[:].set_visible(False)


def draw_net(ax: Axes, weights: np.ndarray, language: int) -> None:
    """The automaton extracted from a net, on the corners of the cube of its activations; the output goes up."""
    arrows, names = extract(weights, language)
    places = {corner: (corner[1] + 0.6 * corner[2], 1.3 * corner[0] + 0.45 * corner[2]) for corner in names}
    draw_automaton(ax, places, names, {corner for corner in names if corner[0]}, arrows)


def automata(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Above, what the first net found for each language does; below, Tomita's automaton."""
    figure, axes = plt.subplots(2, 3, figsize=(9, 6), height_ratios=(1.3, 1))
    for (upper, lower), (language, name) in zip(axes.T, NAMES.items(), strict=True):
        automaton = LANGUAGES[int(language)]
        draw_net(upper, runs["exact"][-1].params[language][:, 0], int(language))
        upper.set_title(f"{name}, net")
        accepting = [q for q in range(len(automaton.delta)) if q in automaton.accepting]
        rejecting = [q for q in range(len(automaton.delta)) if q not in automaton.accepting]
        places = {q: (0.75 * k, 1.3) for k, q in enumerate(accepting)}
        places |= {q: (0.75 * k, 0.2) for k, q in enumerate(rejecting)}
        arrows = {(q, x): automaton.delta[q][x] for q in places for x in (0, 1)}
        draw_automaton(lower, places, {q: q for q in places}, set(accepting), arrows)
        lower.set(title="Tomita's automaton", ylim=(-0.1, 1.7))
    for symbol in (0, 1):
        axes[1, 2].text(1.9, 0.3 - 0.2 * symbol, f"reads {symbol}", color=SYMBOL_COLORS[symbol], ha="right")
    return figure


FIGURES = (trials_to_fit, strings_read, exact_nets, automata, seven_languages)


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
