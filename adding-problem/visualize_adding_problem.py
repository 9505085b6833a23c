"""Figures of adding-problem."""

import argparse
import json
import os
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

import adding_problem as stub

NEEDS = ("lstm", "rnn", "truncated")
PAPER = {"lstm": (100, 74_000), "paper_t500": (500, 209_000), "paper_t1000": (1000, 853_000)}  # table 7
REFERENCE_MSE = np.array([7, 7, 46, 9, 9]) * 1e-4 / 16  # reference catalogue, target in [-2, 2] there


def learning_curves(runs: dict[str, list]) -> Figure:
    """Wrong test sequences against training sequences: LSTM with both gradients, and the RNN."""
    figure, axes = plt.subplots()
    labels = {"lstm": ("LSTM, full gradient", "C0"), "truncated": ("LSTM, truncated", "C4"), "rnn": ("tanh RNN", "C1")}
    for name, (label, colour) in labels.items():
        steps = [s.step / 1000 for s in runs[name]]
        wrong = [max(s.metrics["wrong"], 0.5) for s in runs[name]]
        axes.semilogy(steps, wrong, colour, label=label)
    axes.axhline(3, color="C3", ls="--")
    axes.text(0.99, 3.4, "the paper: never more than 3", ha="right", transform=axes.get_yaxis_transform())
    axes.set_yticks([0.5, 1, 10, 100, 1000], ["0", "1", "10", "100", "1000"])
    axes.set(xlabel="training sequences (thousands)", ylabel="wrong of 2560 test sequences")
    axes.set(title="T = 100: who can hold two numbers for 50 steps", ylim=(0.4, 4000))
    axes.legend(loc="center right")
    return figure


def cost_against_lag(runs: dict[str, list]) -> Figure:
    """Sequences to the stop criterion for T = 100, 500, 1000: every recorded seed, and the paper's means."""
    figure, axes = plt.subplots()
    for name, (T, paper) in PAPER.items():
        cost = [metrics["presentations"] for metrics in recorded(name) if np.isfinite(metrics["presentations"])]
        axes.loglog([T] * len(cost), cost, "C0o", alpha=0.6, label="this folder, one dot a seed" if T == 100 else None)
        axes.loglog(T, paper, "C3x", ms=10, mew=2, label="the paper's mean (table 7)" if T == 100 else None)
    axes.set_xticks([100, 500, 1000], ["100", "500", "1000"], minor=False)
    axes.minorticks_off()
    axes.set(xlabel="T, least length of a sequence", ylabel="sequences to the stop criterion", xlim=(80, 1300))
    axes.set_title("Cost of ever longer lags")
    axes.legend(loc="upper left")
    return figure


def prediction_against_target(runs: dict[str, list]) -> Figure:
    """Outputs on the test set: the LSTM on the diagonal, the RNN a band."""
    figure, panels = plt.subplots(1, 2, figsize=(7.2, 3.9), sharey=True)
    for axes, name, colour in zip(panels, ("lstm", "rnn"), ("C0", "C1"), strict=True):
        last = runs[name][-1]
        axes.plot([0, 1], [0, 1], "C3--", lw=1)
        axes.plot(last.test.target, last.output, ".", color=colour, ms=2, alpha=0.5)
        axes.set(xlabel="target", title=f"{name.upper()}: {last.metrics['wrong']:.0f} wrong", aspect="equal")
    panels[0].set_ylabel("output after the last pair")
    return figure


def gate_around_mark(runs: dict[str, list]) -> Figure:
    """Mean input gate against the time since a mark, of the blocks of the untrained and the trained net."""
    figure, axes = plt.subplots()
    window = np.arange(-8, 13)
    for snapshot, style in ((runs["lstm"][0], ":"), (runs["lstm"][-1], "-")):
        gates = snapshot.in_gate
        marks = np.argwhere(snapshot.test.x[:, 1, : gates.shape[2]] == 1)
        marks = marks[(marks[:, 0] >= 8) & (marks[:, 0] < len(gates) - 13)]
        around = np.mean([gates[t + window, :, b] for t, b in marks], axis=0)
        for unit, colour in ((0, "C0"), (-1, "C4")):
            age = "trained" if style == "-" else "untrained"
            block = "first" if unit == 0 else "second"
            axes.plot(window, around[:, unit], colour + style, label=f"{block} block, {age}")
    axes.set_xticks(range(-8, 13, 4))
    axes.set(xlabel="steps since a mark", ylabel="input gate", ylim=(-0.03, 1.03), title="The gate opens on marks")
    axes.legend()
    return figure


def state_over_1000_steps(runs: dict[str, list]) -> Figure:
    """Cell states while 1000 unmarked pairs pass after two marked ones."""
    rng = np.random.default_rng(0)
    x = np.zeros((1040, 2, 1))
    x[:, 0, 0] = rng.uniform(-1, 1, len(x))
    x[0, 1] = -1
    x[[5, 30], 1] = 1
    _, trace = stub.run(stub.Config(), runs["lstm"][-1].params, x)
    figure, axes = plt.subplots()
    for c, colour in enumerate(("C0", "C4", "C5", "C6")):
        axes.plot(trace.s[1:, c, 0], colour, lw=1.3)
        axes.text(1045, trace.s[-1, c, 0], f"cell {c + 1}", color=colour, va="center")
    axes.plot([5, 30], [axes.get_ylim()[0]] * 2, "C7^", clip_on=False)
    axes.text(40, axes.get_ylim()[0], "marks", color="C7", va="bottom")
    axes.set(xlabel="step (trained on at most 110)", ylabel="cell state", xlim=(0, 1040))
    axes.set_title("Ten times longer than in training: what the cells still hold")
    return figure


def final_errors(runs: dict[str, list]) -> Figure:
    """Final test error of every recorded seed."""
    figure, axes = plt.subplots(figsize=(7.2, 3.4))
    rows = {"forget": "with forget gates", "truncated": "truncated gradient", "lstm": "LSTM of 1997", "rnn": "tanh RNN"}
    for row, name in enumerate(rows):
        errors = [metrics["mse"] for metrics in recorded(name)]
        axes.semilogx(errors, [row] * len(errors), "o", color="C1" if name == "rnn" else "C0", alpha=0.6)
    axes.semilogx(REFERENCE_MSE, [len(rows)] * len(REFERENCE_MSE), "C7s", alpha=0.7)
    axes.set_yticks(range(len(rows) + 1), [*rows.values(), "reference (easier task)"])
    axes.axvline((2 - 0.1 - 0.9 / 49) / 48, color="C2")
    axes.text(0.036, len(rows) + 0.45, "chance", color="C2", ha="right", va="top")
    axes.set(
        xlabel="mean squared test error, target in [0, 1]", ylim=(-0.5, len(rows) + 0.5), title="Every seed, T = 100"
    )
    return figure


FIGURES = (
    learning_curves,
    cost_against_lag,
    prediction_against_target,
    gate_around_mark,
    state_over_1000_steps,
    final_errors,
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
