"""Figures of rs_parity: how many guesses it takes, and what the nets do that were guessed."""

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import rs_parity as stub
from parity_net import Weights, step, take

NEEDS = ("a2_no_self", "paper_200_searches", "paper_a2_60_searches")
CORNERS = ((-1, 0), (-1, 1), (1, 0), (1, 1))  # input x and output o before the step


def recorded(preset: str) -> list[dict]:
    """The final metrics of every recorded run of `preset`, in order of seed; a metric that is null was infinite."""
    path = Path(__file__).with_name("runs.jsonl")
    runs = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [
        {name: np.inf if value is None else value for name, value in run["metrics"].items()}
        for run in sorted(runs, key=lambda run: run["seed"])
        if run["preset"] == preset
    ]


def outputs_over_time(nets: Weights, x: np.ndarray) -> np.ndarray:
    """Outputs (T, nets) after every step of one sequence x (T,), of nets with output feedback."""
    w = {name: p[..., None, :] for name, p in nets.items()}
    h, o, outputs = np.zeros((len(nets["b"]), 1, nets["e"].size)), np.zeros((1, nets["e"].size)), []
    for value in x:
        h, o = step(w, value.reshape(1, 1), h, o)
        outputs.append(o[0])
    return np.array(outputs)


def one_step_maps(nets: Weights) -> np.ndarray:
    """New outputs (nets, 2, 2) for output 0, 1 (rows) and input -1, 1 (columns)."""
    w = {name: p[..., None, :] for name, p in nets.items()}
    x, o = np.array(CORNERS, float).T[:, :, None]
    size = nets["e"].size
    _, o_next = step(w, x, np.zeros((len(nets["b"]), 4, size)), np.broadcast_to(o, (4, size)))
    return o_next.T.reshape(size, 2, 2).transpose(0, 2, 1)


def draw_trials(ax: Axes, trials: np.ndarray, paper: float, title: str) -> None:
    """Histogram of the trials of many searches beside the geometric law with their mean."""
    trials = trials[np.isfinite(trials)]
    ax.set(xlabel="trials of a search", ylabel="searches", title=title)
    if not len(trials):
        return
    mean, edges = trials.mean(), np.linspace(0, max(trials.max(), paper), 25)
    ax.hist(trials, edges, color="C0", alpha=0.7)
    law = len(trials) * -np.diff((1 - 1 / mean) ** edges)
    ax.plot((edges[1:] + edges[:-1]) / 2, law, color="C4")
    ax.axvline(mean, color="C0")
    ax.axvline(paper, color="C3", linestyle="--")
    lines = (("C0", f"mean of {len(trials)} searches: {mean:.0f}"), ("C4", "geometric law of this mean"))
    for row, (color, text) in enumerate((*lines, ("C3", f"mean in the paper: {paper:,}"))):
        ax.text(0.98, 0.95 - 0.09 * row, text, color=color, transform=ax.transAxes, ha="right", va="top")


def trials_of_searches(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Trials up to the first success, without and with self-connections of the hidden units."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.8))
    draw_trials(axes[0], runs["paper_200_searches"][-1].trials, 250, "A2 without self-connections")
    draw_trials(axes[1], runs["paper_a2_60_searches"][-1].trials, 2797, "A2")
    return figure


def output_and_parity(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """The output of the first net found, after every step of the last 120 of a new sequence of 600."""
    net = take(runs["a2_no_self"][-1].params, [0])
    x = stub.sample(replace(stub.Config(), min_length=600), np.random.default_rng(0), 2).x[:, 0]
    parity, t = (x > 0).cumsum() % 2, np.arange(481, 601)
    figure, axes = plt.subplots(3, 1, figsize=(9, 3.6), sharex=True, height_ratios=(1, 1.6, 1.6))
    axes[0].bar(t, x[480:], color="C2", width=0.8)
    axes[1].step(t, parity[480:], where="mid", color="C4")
    axes[2].step(t, outputs_over_time(net, x)[480:, 0], where="mid", color="C0")
    axes[0].set(yticks=(-1, 1), xlim=(480, 601), title="Input")
    axes[1].set(yticks=(0, 1), title="Parity so far")
    axes[2].set(yticks=(0, 1), xlabel="step", title="Output of a net that was guessed")
    return figure


def search_against_bptt(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Test accuracy of nets trained by backpropagation through time, against the length of the sequences."""
    figure, ax = plt.subplots(figsize=(7.2, 3.8))
    jitter = np.geomspace(0.9, 1.1, stub.SEEDS)
    conditions = {
        "bptt_4": (3, "C1"),
        "bptt_10": (11, "C1"),
        "bptt_50": (45, "C1"),
        "bptt_50_wide": (72, "C5"),
        "bptt_500": (550, "C1"),
        "short": (55, "C0"),
        "a2_no_self": (550, "C0"),
    }
    for preset, (length, color) in conditions.items():
        accuracy = [metrics["test_accuracy"] for metrics in recorded(preset)]
        ax.scatter(length * jitter[: len(accuracy)], accuracy, color=color, s=18, alpha=0.7)
    ax.axhline(0.5, color="C2", linewidth=1)
    ax.text(2.1, 0.515, "chance", color="C2")
    ax.text(180, 0.99, "random search", color="C0", ha="center")
    ax.text(5, 0.9, "BPTT, weights\nfrom [-3, 3]", color="C1")
    ax.text(80, 0.75, "BPTT, weights\nfrom [-100, 100]", color="C5")
    ax.set_xscale("log")
    ax.set(xlabel="length of the sequences", ylabel="test accuracy", xlim=(2, 900), ylim=(0.4, 1.05))
    ax.set(xticks=(3, 11, 55, 550), xticklabels=("2 to 4", "10 to 12", "50 to 60", "500 to 600"))
    ax.minorticks_off()
    ax.set_title("One dot per seed")
    return figure


def ten_solutions(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """What every unit contributes to the output's net input at the four corners, in the nets found."""
    found = runs["a2_no_self"][-1].params
    figure, axes = plt.subplots(2, 5, figsize=(9, 4.4), sharex=True, sharey=True)
    x, o = np.array(CORNERS, float).T[:, :, None]
    for k, ax in enumerate(axes.flat[: found["e"].size]):
        w = {name: p[..., None, [k]] for name, p in found.items()}
        h, _ = step(w, x, np.zeros((len(w["b"]), 4, 1)), o)
        from_hidden = (w["v"] * h)[..., 0].T
        order = np.argsort(-np.ptp(from_hidden, axis=0))  # units that tell corners apart come first
        direct = w["q"] * x + w["r"] * o + w["e"]
        net_o = from_hidden.sum(axis=1, keepdims=True) + direct
        image = ax.imshow(
            np.hstack((from_hidden[:, order], direct, net_o)), cmap="RdBu_r", vmin=-150, vmax=150, aspect="auto"
        )
        for border in (len(order) - 0.5, len(order) + 0.5):
            ax.axvline(border, color="black", linewidth=1)
        ax.grid(False)
        ax.set(yticks=range(4), yticklabels=[f"{a:+d}, {b}" for a, b in CORNERS], title=f"net {k + 1}")
        ax.set(xticks=(4.5, 10, 11), xticklabels=("hidden", "d", "Σ"))
    for ax in axes[:, 0]:
        ax.set_ylabel("input, output")
    figure.colorbar(image, ax=axes, label="contribution to net input of output")
    return figure


def success_density(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Share of random nets whose step is XOR, by weight range and number of hidden units."""
    ranges, units, guesses = (3, 10, 30, 100, 300, 1000), (1, 2, 4, 10, 20), 20_000
    figure, ax = plt.subplots(figsize=(7.2, 3.8))
    for hidden, color in zip(units, ("C4", "C5", "C6", "C0", "C7"), strict=True):
        density = []
        for r in ranges:
            cfg = stub.Config(hidden=hidden, weight_range=float(r))
            maps = one_step_maps(stub.guess(cfg, np.random.default_rng(1), guesses))
            error = abs(maps - np.array([[0, 1], [1, 0]])).max(axis=(1, 2))
            density.append((error < cfg.tolerance).mean())
        ax.plot(ranges, density, "o-", color=color)
        ax.text(1080, density[-1], f"{hidden} hidden", color=color, va="center", fontsize=9)
    ax.axhline(1 / 250, color="C3", linestyle="--")
    ax.text(3, 1 / 250, "1 of 250 (paper: 10 hidden units, range 100)", va="bottom", fontsize=9)
    ax.set_xscale("log")
    ax.set(xlabel="range of the weights", ylabel="share of nets that compute XOR", xlim=(2.8, 2000))
    ax.set_title(f"A2 without self-connections, {guesses:,} nets per dot")
    return figure


FIGURES = (trials_of_searches, output_and_parity, search_against_bptt, ten_solutions, success_density)


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
