"""Figures of temporal-order-3bit."""

import argparse
import json
import os
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

import temporal_order_3bit as stub
from memory_cell import kinds

NEEDS = ("lstm", "truncated", "rnn")
PAPER = 31_390  # sequences to the stop criterion, table 9
CLASSES = ("XX", "XY", "YX", "YY")
COLOURS = ("C0", "C1", "C4", "C5", "C6", "C7", "C3", "C2")


def cost_to_criterion(runs: dict[str, list]) -> Figure:
    """Share of the recorded seeds that have met the stop criterion, against training sequences."""
    figure, axes = plt.subplots()
    labels = {
        "lstm": ("exact gradient", "C0"),
        "truncated": ("truncated", "C4"),
        "paper_literal": ("paper's recipe", "C5"),
        "rnn": ("tanh RNN", "C1"),
    }
    for name, (label, colour) in labels.items():
        cost = np.sort([metrics["presentations"] for metrics in recorded(name)])
        if len(cost):
            done = cost[np.isfinite(cost)]
            end = max(3 * PAPER, *done) if len(done) else 3 * PAPER
            share = np.arange(len(done) + 1) / len(cost)
            axes.step([1000, *done, end], [*share, share[-1]], colour, where="post", label=label)
    axes.axvline(PAPER, color="C3", ls="--")
    axes.text(PAPER * 1.05, 0.5, f"the paper's mean,\n{PAPER:,}", va="center")
    axes.set(xscale="log", xlabel="training sequences", ylabel="share of seeds", ylim=(-0.04, 1.04))
    axes.set_title("Who has met the stop criterion when")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper left")
    return figure


def letters(runs: dict[str, list]) -> Figure:
    """Share of test sequences in which the largest output has the first, second, ... letter right."""
    figure, axes = plt.subplots()
    snapshots = runs["lstm"]
    k, label = len(CLASSES[0]), snapshots[-1].test.label
    guess = np.array([s.output.argmax(axis=1) for s in snapshots])  # (snapshots, tests)
    for j in range(k):
        right = ((guess ^ label) >> (k - 1 - j)) & 1 == 0
        axes.plot([s.step for s in snapshots], right.mean(axis=1), COLOURS[j], label=f"letter {j + 1}", marker="o")
    axes.plot([s.step for s in snapshots], (guess == label).mean(axis=1), "C3", lw=1, label="all of them")
    axes.axhline(0.5, color="C2", lw=1)
    axes.text(0.99, 0.49, "chance for a letter", color="C2", ha="right", va="top", transform=axes.get_yaxis_transform())
    axes.set(xlabel="training sequences", ylabel="share of the test set right", ylim=(0, 1.03))
    axes.set_title("Letter by letter, on the way to the criterion")
    axes.legend(loc="lower right")
    return figure


def confusion(runs: dict[str, list]) -> Figure:
    """Classes against answers by the rule of 0.3; the last column counts the sequences without an answer."""
    figure, panels = plt.subplots(1, 2, figsize=(7.2, 4), sharey=True)
    for axes, name, title in zip(panels, ("lstm", "rnn"), ("LSTM", "tanh RNN"), strict=True):
        last = runs[name][-1]
        answer = np.where(last.output.max(axis=1) > 0.7, last.output.argmax(axis=1), len(CLASSES))
        table = np.zeros((len(CLASSES), len(CLASSES) + 1), int)
        np.add.at(table, (last.test.label, answer), 1)
        axes.imshow(table, cmap="Blues", vmin=0, vmax=table.sum() / len(CLASSES))
        for (row, column), count in np.ndenumerate(table):
            dark = count > 0.6 * table.sum() / len(CLASSES)
            axes.text(column, row, count or "", ha="center", va="center", size=8, color="white" if dark else "black")
        axes.set_xticks(range(len(CLASSES) + 1), [*CLASSES, "none"], rotation=45 * (len(CLASSES) > 4))
        axes.set_yticks(range(len(CLASSES)), CLASSES)
        axes.grid(False)
        axes.set(xlabel="answer", title=title)
    panels[0].set_ylabel("class")
    return figure


def input_gates(runs: dict[str, list]) -> Figure:
    """Mean input gate of every block at each symbol, untrained and trained."""
    figure, panels = plt.subplots(1, 2, figsize=(7.2, 3.4), sharey=True)
    cfg = stub.Config()
    for axes, which, title in zip(panels, (0, -1), ("untrained", "trained"), strict=True):
        snapshot = runs["lstm"][which]
        symbols = snapshot.test.symbols[:, :400]
        inside = np.arange(len(symbols))[:, None] < snapshot.test.length[:400]
        _, trace = stub.run(cfg, snapshot.params, symbols)
        gate = kinds(trace.unit, cfg.blocks * cfg.cells)[1][1:, :: cfg.cells]  # (T, blocks, 400)
        for j in range(cfg.blocks):
            means = [gate[:, j][inside & (symbols == k)].mean() for k in range(len(stub.SYMBOLS))]
            axes.plot(means, range(len(means)), "o", color=COLOURS[j], label=f"block {j + 1}", alpha=0.8)
        axes.set_yticks(range(len(stub.SYMBOLS)), stub.SYMBOLS)
        axes.set(xlabel="mean input gate", xlim=(-0.03, 1.03), title=title)
    panels[0].set_ylabel("symbol read")
    panels[0].legend(loc="center right")
    return figure


def state_tree(runs: dict[str, list]) -> Figure:
    """Squashed cell states 10 steps after each relevant symbol, on the two directions that matter most at the end."""
    k, last = len(CLASSES[0]), runs["lstm"][-1]
    _, trace = stub.run(stub.Config(), last.params, last.test.symbols[:, :500])
    relevant = np.isin(last.test.symbols[:, :500], [stub.SYMBOLS.index(letter) for letter in "XY"])
    places = np.argwhere(relevant.T)[:, 1].reshape(-1, k)
    states = [trace.h[places[:, j] + 11, :, np.arange(500)] for j in range(k)]  # each (500, n)
    centre = states[-1].mean(axis=0)
    directions = np.linalg.svd(states[-1] - centre, full_matrices=False)[2][:2].T
    figure, panels = plt.subplots(1, k, figsize=(7.2, 3.6), sharex=True, sharey=True)
    for j, axes in enumerate(panels):
        history = last.test.label[:500] >> (k - 1 - j)  # the letters so far, as a number
        for h in range(2 ** (j + 1)):
            x, y = ((states[j] - centre) @ directions)[history == h].T
            axes.plot(x, y, ".", color=COLOURS[h], ms=4, alpha=0.5)
            name = format(h, f"0{j + 1}b").replace("0", "X").replace("1", "Y")
            axes.text(x.mean(), y.mean(), name, weight="bold", ha="center", va="center")
        axes.set(title=f"after letter {j + 1}", xlabel="first direction")
        axes.margins(0.15)
    panels[0].set_ylabel("second direction")
    return figure


def stretched(runs: dict[str, list]) -> Figure:
    """Accuracy on sequences with all lags stretched, after training on lengths 100 to 110."""
    figure, axes = plt.subplots()
    cfg, factors = stub.Config(), (1, 2, 3, 4, 6, 8)
    for name, label, colour in (("lstm", "exact gradient", "C0"), ("truncated", "truncated gradient", "C4")):
        tests = [stub.sample(cfg, np.random.default_rng(0), 500, stretch=factor) for factor in factors]
        score = [stub.evaluate(cfg, runs[name][-1].params, test)[0]["accuracy"] for test in tests]
        axes.plot([100 * factor for factor in factors], score, colour, marker="o", label=label)
    four = [metrics["accuracy_x4"] for metrics in recorded("lstm")]
    axes.plot([400] * len(four), four, "o", color="C0", mfc="none", alpha=0.6, label="all seeds, exact gradient")
    axes.axhline(1 / len(CLASSES), color="C2")
    axes.text(800, 1 / len(CLASSES) - 0.02, "chance", color="C2", ha="right", va="top")
    axes.set(xlabel="least length of the test sequences", ylabel="accuracy", ylim=(0, 1.04))
    axes.set_title("Lags longer than in training")
    axes.legend()
    return figure


FIGURES = (cost_to_criterion, letters, confusion, input_gates, state_tree, stretched)


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
