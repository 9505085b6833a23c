"""Figures of chunker-22-symbol."""

import argparse
import json
import os
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

import chunker_22_symbol as stub
from truncated_net import error_signals

NEEDS = ("chunker", "no_collapse", "conventional", "small", "small_no_collapse")


def events_against_training(runs: dict[str, list]) -> Figure:
    """Which inputs of every training word A passed on to C."""
    figure, axes = plt.subplots()
    passed = runs["chunker"][-1].passed
    axes.imshow(~passed.T, cmap="gray", aspect="auto", vmin=0, vmax=1, extent=(0, len(passed), 20.5, -0.5))
    axes.set_yticks([0, 1, 5, 10, 15, 20], ["a or x", "b1", "b5", "b10", "b15", "b20 and target"])
    axes.set(xlabel="training sequences (words)", title="What the chunker gets to see (black)")
    axes.grid(False)
    return figure


def accuracy_curves(runs: dict[str, list]) -> Figure:
    """Share of targets right on test words against training words."""
    figure, axes = plt.subplots()
    curves = (
        ("no_collapse", "pair_acc", "C4", "A and C, no collapse"),
        ("chunker", "a_acc", "C0", "A alone, with collapse"),
        ("conventional", "a_acc", "C1", "conventional, 20-step error flow"),
        ("no_collapse", "a_acc", "C5", "A alone, no collapse"),
    )
    for name, metric, colour, label in curves:
        steps = [max(s.step, 20) for s in runs[name]]
        axes.semilogx(steps, [s.metrics[metric] for s in runs[name]], colour, label=label)
    axes.axhline(0.5, color="C2", lw=1)
    axes.text(21, 0.51, "chance", color="C2", va="bottom")
    axes.set(xlabel="training sequences (words)", ylabel="share of test targets right", ylim=(0.4, 1.04))
    axes.set_title("Who knows how the word began, 20 symbols later")
    axes.legend(loc="center right")
    return figure


def sequences_to_solve(runs: dict[str, list]) -> Figure:
    """Share of recorded runs solved after so many words, beside what the paper says about its 17 runs."""
    figure, axes = plt.subplots()
    for name, colour, label in (
        ("chunker", "C0", "C predicts targets"),
        ("whole_input", "C4", "C predicts symbols, too"),
        ("conventional_lag5", "C1", "conventional, lag 5"),
    ):
        words = np.sort([metrics["sequences"] for metrics in recorded(name)])
        share = np.arange(1, len(words) + 1) / max(len(words), 1)
        axes.step(words[np.isfinite(words)], share[np.isfinite(words)], colour, where="post", marker="o", label=label)
    axes.plot([5000, 35000], [13 / 17, 1], "C3x", ms=9, mew=2, label="the paper: at least")
    axes.set(xscale="log", xlim=(100, 50000), ylim=(0, 1.05), xlabel="training sequences (words)")
    axes.set(ylabel="share of runs solved", title="Words until A is right 100 times in succession")
    axes.legend(loc="lower right")
    return figure


def error_signals_along_word(runs: dict[str, list]) -> Figure:
    """Size of the error signals of A's hidden units at each step of a word, just before the collapse sets in."""
    figure, axes = plt.subplots()
    for name, colour, label in (("chunker", "C0", "with imitation"), ("no_collapse", "C1", "without")):
        run = runs[name]
        taught = [s for s in run if s.step and s.metrics["pair_acc"] > 0.9]  # C knows the target
        now = taught[0] if taught else run[-1]
        A, x, inputs = now.params["A"], now.test[:, None], now.test.shape[1]
        h = stub.run(A, x[:-1], np.zeros((1, len(A["W"]))))
        y = stub.outputs(A, x[:-1], h)
        dy = stub.prediction_errors(y, x[1:])
        dy[..., : inputs - 1] = 0  # the target's error and that of imitating C
        if name == "chunker":
            dy[..., inputs:] = 2 * (y[..., inputs:] - now.code[1:, None])
        size = np.linalg.norm(error_signals(A, x[:-1], h, dy, 3), axis=(1, 2))
        by_step = size[19:].reshape(-1, 21).mean(axis=0)  # from the second word on
        axes.semilogy(
            range(21), np.where(by_step > 0, by_step, np.nan), colour + "o-", label=f"{label}, after {now.step} words"
        )
    axes.set_xticks([0, 5, 10, 15, 20], ["a or x", "b5", "b10", "b15", "b20"])
    axes.set(xlabel="input to be predicted", ylabel="size of the error signals", ylim=(1e-4, 10))
    axes.set_title("What tells A to hold the first symbol")
    axes.legend(loc="center left")
    return figure


def latch_of_a_small_net(runs: dict[str, list]) -> Figure:
    """Recurrent weights of an A with 4 hidden units, and how far apart the two words keep its states."""
    figure, panels = plt.subplots(1, 3, figsize=(8.6, 3.6), width_ratios=[1, 1, 1.7])
    both = np.concatenate([np.repeat(stub.words(20)[:1], 2, axis=0), stub.words(20)], axis=1).swapaxes(0, 1)
    last = {name: runs[name][-1].params["A"] for name in ("small", "small_no_collapse")}
    reach = max(np.abs(net["W"][:, -len(net["W"]) :]).max() for net in last.values())
    for axes, (name, net), title in zip(panels, last.items(), ("with collapse", "without"), strict=False):
        recurrent = net["W"][:, -len(net["W"]) :]
        axes.imshow(recurrent, cmap="RdBu_r", vmin=-reach, vmax=reach)
        for i, j in np.ndindex(*recurrent.shape) if len(recurrent) <= 4 else ():
            dark = abs(recurrent[i, j]) > 0.6 * reach
            weight = "bold" if i == j else "normal"
            axes.text(
                j, i, f"{recurrent[i, j]:.1f}", ha="center", va="center", color="w" if dark else "k", weight=weight
            )
        axes.set(title=title, xlabel="from unit", ylabel="to unit" if name == "small" else None, xticks=[], yticks=[])
        axes.grid(False)
        h = stub.run(net, both, np.zeros((2, len(net["W"]))))
        apart = np.linalg.norm(h[22:, 0] - h[22:, 1], axis=1)
        colour = "C0" if name == "small" else "C1"
        panels[2].semilogy(range(21), np.maximum(apart, 1e-12), colour + "o-", ms=3.5, label=title)
    panels[2].set_xticks([0, 5, 10, 15, 20], ["a or x", "b5", "b10", "b15", "b20"])
    panels[2].set(xlabel="input just read", title="Distance of the two words' states")
    panels[2].legend(loc="lower left")
    return figure


FIGURES = (
    events_against_training,
    accuracy_curves,
    sequences_to_solve,
    error_signals_along_word,
    latch_of_a_small_net,
)


def recorded(preset: str) -> list[dict]:
    """The final metrics of every recorded run of `preset`, in order of seed; a metric that is null was infinite."""
    path = Path(__file__).with_name("runs.jsonl")
    runs = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [
        {name: np.inf if value is None else value for name, value in run["metrics"].items()}
        for run in sorted(runs, key=lambda run: run["seed"])
        if run["preset"] == preset
    ]


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
