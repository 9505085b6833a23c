"""Figures of multiplication-problem."""

import argparse
import json
import os
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

import multiplication_problem as stub

NEEDS = ("lstm", "fine", "rnn")
LEVELS = {"first check": 0.0223, "second check": 0.0139}  # the paper's table 8, where it is called MSE
CHANCE = 0.0595**0.5  # root mean square error of the best constant


def learning_curves(runs: dict[str, list]) -> Figure:
    """Root mean square test error against training sequences, and the final errors of all recorded seeds."""
    figure, axes = plt.subplots()
    labels = {"lstm": ("LSTM", "C0"), "fine": ("LSTM, longer", "C4"), "rnn": ("tanh RNN", "C1")}
    end = max(snapshots[-1].step for snapshots in runs.values()) / 1000
    for name, (label, colour) in labels.items():
        steps, errors = zip(*((s.step / 1000, s.metrics["rmse"]) for s in runs[name]), strict=True)
        axes.semilogy(steps, errors, colour, label=label)
        final = [metrics["rmse"] for metrics in recorded(name)]
        axes.plot([steps[-1]] * len(final), final, "o", color=colour, alpha=0.4)
    for label, error, colour in (("chance", CHANCE, "C2"), ("the best sum of X1 and X2", 1 / 12, "C2")):
        axes.axhline(error, color=colour, lw=1)
        axes.text(end, error * 0.97, label, color=colour, ha="right", va="top")
    for label, error in LEVELS.items():
        axes.axhline(error, color="C3", ls="--", lw=1)
        axes.text(end, error * 1.03, f"the paper, {label}", ha="right", va="bottom")
    axes.set(xlabel="training sequences (thousands)", ylabel="root mean square test error", ylim=(0.003, 0.4))
    axes.set_title("A drop, then long polishing (dots: all seeds)")
    axes.legend(loc="lower left")
    return figure


def product_against_target(runs: dict[str, list]) -> Figure:
    """Outputs on the test set against the products, with the band that counts as right."""
    figure, panels = plt.subplots(1, 2, figsize=(7.2, 3.9), sharey=True)
    for axes, name, colour in zip(panels, ("lstm", "rnn"), ("C0", "C1"), strict=True):
        last = runs[name][-1]
        axes.fill_between([0, 1], [-0.04, 0.96], [0.04, 1.04], color="0.85")
        axes.plot(last.test.target, last.output, ".", color=colour, ms=2, alpha=0.5)
        axes.set(xlabel="product", title=f"{name.upper()}: {last.metrics['wrong']:.0f} wrong", aspect="equal")
    panels[0].set_ylabel("output after the last pair")
    return figure


def error_surface(runs: dict[str, list]) -> Figure:
    """Mean absolute error over the two factors; the pairs whose first one is marked have a factor of 1."""
    last = runs["lstm"][-1]
    bins = np.minimum((last.test.values * 10).astype(int), 9)
    error, count = np.zeros((10, 10)), np.zeros((10, 10))
    np.add.at(error, tuple(bins), np.abs(last.output - last.test.target))
    np.add.at(count, tuple(bins), 1)
    figure, axes = plt.subplots(figsize=(5.6, 4.4))
    image = axes.imshow((error / np.maximum(count, 1)).T, origin="lower", extent=(0, 1, 0, 1))
    figure.colorbar(image, label="mean absolute error")
    axes.grid(False)
    axes.set(xlabel="X1", ylabel="X2", title="Where is it least exact?")
    return figure


def probe(params: dict[str, np.ndarray], first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, ...]:
    """Outputs (N,), states (106, n, N) and shares V y (n, N) in the output's net input for one sequence of 105 pairs.

    Its pairs 6 and 31 are marked and have the values first (N,) and second (N,).
    """
    x = np.zeros((105, 2, first.size), np.float32)
    x[:, 0] = np.random.default_rng(0).uniform(0, 1, (105, 1))
    x[[0, -1], 1] = -1
    x[[5, 30], 1] = 1
    x[[5, 30], 0] = first, second
    trace = stub.run(stub.Config(), params, x)[1]
    output, y = stub.read_out(params, trace, np.full(first.size, 105))
    return output, trace.s, params["V"][:, None] * y


def fan(runs: dict[str, list]) -> Figure:
    """Output against the second value for some first values, all else the same: ideally straight lines through 0."""
    first, second = np.meshgrid(np.linspace(0, 1, 6), np.linspace(0, 1, 21), indexing="ij")
    figure, panels = plt.subplots(1, 2, figsize=(7.2, 3.9), sharey=True)
    for axes, which, title in zip(panels, (0, -1), ("untrained", "trained (dashed: X1 X2)"), strict=True):
        output = probe(runs["lstm"][which].params, first.ravel(), second.ravel())[0].reshape(first.shape)
        for k, row in enumerate(output):
            axes.plot(second[k], second[k] * first[k], "C3--", lw=0.8)
            axes.plot(second[k], row, "C0")
            axes.text(1.02, row[-1], f"{first[k, 0]:.1f}" if which else "", va="center", size=8)
        axes.set(xlabel="X2", title=title, xlim=(0, 1.12))
    panels[0].set_ylabel("output")
    panels[1].text(1.02, 1.06, "X1", va="center")
    return figure


def stored_at_marks(runs: dict[str, list]) -> Figure:
    """What the cell that moves the output most adds to its state at a mark, against the marked value."""
    params, values = runs["lstm"][-1].params, np.linspace(0, 1, 41)
    figure, axes = plt.subplots()
    first, second = np.meshgrid([0, 0.5, 1], values, indexing="ij")
    _, s, share = probe(params, first.ravel(), second.ravel())
    cell = int(np.argmax(np.ptp(share, axis=1)))
    added = (s[36, cell] - s[30, cell]).reshape(first.shape)  # from before the mark to five steps after it
    for row, X1, colour in zip(added, first[:, 0], ("C6", "C4", "C5"), strict=True):
        axes.plot(values, row, colour, label=f"second mark, X1 = {X1:g}")
    s = probe(params, values, values)[1]
    axes.plot(values, s[11, cell] - s[5, cell], "C0", lw=2.5, label="first mark")
    axes.set(xlabel="marked value", ylabel=f"change of the state of cell {cell + 1}")
    axes.set_title("What a mark adds to a cell: the steps are no straight lines")
    axes.legend()
    return figure


def checks(runs: dict[str, list]) -> Figure:
    """Sequences until the two checks of the paper: every recorded seed that passed, and the paper's means."""
    figure, axes = plt.subplots(figsize=(7.2, 3))
    rows = {"first check": ("presentations_140", 482_000), "second check": ("presentations_13", 1_273_000)}
    for row, (name, paper) in enumerate(rows.values()):
        cost = [metrics[name] for metrics in recorded("fine") if np.isfinite(metrics[name])]
        axes.semilogx(cost, [row] * len(cost), "C0o", alpha=0.6, label="seeds that pass it" if row == 0 else None)
        axes.plot(paper, row, "C3x", ms=10, mew=2, label="the paper's mean" if row == 0 else None)
    axes.set_yticks(range(2), rows)
    axes.set(xlabel="training sequences", ylim=(1.5, -0.5), xlim=(8000, 3e6), title="Cost of the two checks")
    axes.legend(loc="lower left")
    return figure


FIGURES = (learning_curves, product_against_target, error_surface, fan, stored_at_marks, checks)


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
