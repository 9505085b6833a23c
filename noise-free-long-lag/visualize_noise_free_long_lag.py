"""Figures of noise-free-long-lag."""

import argparse
import json
import os
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

import noise_free_long_lag as stub

NEEDS = ("a_100", "c_1000", "rnn_c_100", "rnn_c_uniform")
# The paper's table 3: lag q and number of distractor symbols p, and how many sequences it took.
LAGS = {"c_50": (50, 30), "c_100": (100, 31), "paper_c_200": (200, 33), "paper_c_500": (500, 38), "c_1000": (1000, 49)}
SYMBOLS = {
    "c_1000": (1000, 49),
    "paper_c_1000_500": (500, 49),
    "paper_c_1000_200": (200, 75),
    "paper_c_1000_100": (100, 135),
    "paper_c_1000_50": (50, 203),
}


def table_3(runs: dict[str, list]) -> Figure:
    """Sequences until 2c is learnt, against the lag and against the number of distractor symbols."""
    figure, panels = plt.subplots(1, 2, figsize=(7.2, 3.9), sharey=True)
    for axes, rows in zip(panels, (LAGS, SYMBOLS), strict=True):
        for name, (size, _) in rows.items():
            cost = [metrics["presentations"] for metrics in recorded(name) if metrics["solved"]]
            axes.loglog([size] * len(cost), cost, "C0o", alpha=0.4)
        axes.loglog(*zip(*[(size, 1000 * thousands) for size, thousands in rows.values()], strict=True), "C3x--", mew=2)
        axes.set_xticks([50, 100, 200, 500, 1000], ["50", "100", "200", "500", "1000"])
        axes.minorticks_off()
    panels[0].set(xlabel="lag q = number of symbols p", ylabel="sequences until learnt", ylim=(900, 400_000))
    panels[0].set_title("Longer lags, more symbols")
    panels[1].set(xlabel="number of distractor symbols p", title="Lag 1000, fewer symbols")
    panels[0].text(55, 65_000, "the paper (table 3)", color="C3")
    panels[0].text(55, 6500, "this folder, a dot a seed", color="C0")
    return figure


def share_of_seeds(runs: dict[str, list]) -> Figure:
    """Share of the recorded seeds that learn a task, against its lag: memory cells and tanh units."""
    figure, axes = plt.subplots()
    rows = {
        "LSTM, 2c": (tuple(LAGS), "C0o-"),
        "RNN, 2c, orthogonal start": (("rnn_c_100", "paper_rnn_c_200"), "C1s-"),
        "RNN, 2c, small random start": (("rnn_c_uniform",), "C4D-"),
        "LSTM, 2a": (("a_50", "a_100"), "C6o-"),
        "RNN, 2a, orthogonal start": (("rnn_a_4", "rnn_a_10", "paper_rnn_a_100"), "C7s-"),
    }
    for k, (label, (presets, style)) in enumerate(rows.items()):
        points = []
        for preset in presets:
            cfg, solved = stub.Config(**stub.PRESETS[preset]), [metrics["solved"] for metrics in recorded(preset)]
            if solved:
                points.append((cfg.q if cfg.task == "2c" else cfg.p, np.mean(solved)))
        axes.semilogx(*(zip(*points, strict=True) if points else ([], [])), style, label=label, ms=13 - 2 * k)
    axes.semilogx([4, 4, 4, 10, 100], [0.78, 0.56, 0.22, 0, 0], "C3x", mew=2, label="paper, 2a: RTRL (BPTT at 100)")
    axes.set_xticks([4, 10, 50, 100, 200, 500, 1000], ["4", "10", "50", "100", "200", "500", "1000"])
    axes.minorticks_off()
    axes.set(xlabel="lag: p in 2a, q in 2c", ylabel="share of seeds that learn it", ylim=(-0.05, 1.05), xlim=(3, 1300))
    axes.set_title("Who bridges which lag")
    axes.legend(loc="center right", bbox_to_anchor=(1, 0.55))
    return figure


def last_step(runs: dict[str, list]) -> Figure:
    """2a: the outputs for x and y at the last step, and the state the cell has then, over training."""
    looks = runs["a_100"]
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(7.2, 5), sharex=True)
    steps = [s.step for s in looks]
    for key, name, colour in ((0, "x", "C0"), (1, "y", "C4")):
        other = "yx"[key]
        top.plot(steps, [s.output[-1, key, key - 2] for s in looks], colour + "o-", label=f"{name} in {name}-sequence")
        top.plot(steps, [s.output[-1, key, -1 - key] for s in looks], colour + "o:", label=f"{other} in it")
        bottom.plot(steps, [s.state[s.pair.at[-1, key], 0, key] for s in looks], colour + "o-")
        last = looks[-1]
        bottom.text(1.01 * last.step, last.state[last.pair.at[-1, key], 0, key], f"{name}-sequence", color=colour)
    for axes in (top, bottom):
        axes.axvline(stub.Config().cell_from, color="C2", lw=1)
    top.text(stub.Config().cell_from, 0.98, " the cell begins to learn", color="C2", va="top")
    top.axhline(0.75, color="C3", ls="--", lw=1)
    top.axhline(0.25, color="C3", ls="--", lw=1)
    top.set(ylabel="outputs at the last step", ylim=(-0.02, 1.02), title="2a, p = 100: right above 0.75 or below 0.25")
    top.legend(loc="center right")
    bottom.set(xlabel="training sequences", ylabel="cell state at the last step", xlim=(0, 1.35 * steps[-1]))
    return figure


def input_gates(runs: dict[str, list]) -> Figure:
    """How far each symbol opens an input gate, before and after training."""
    figure, panels = plt.subplots(1, 2, figsize=(7.2, 3.9))
    for axes, name, title in zip(panels, ("a_100", "c_1000"), ("2a, p = 100", "2c, q = p = 1000"), strict=True):
        for snapshot, marker, age in ((runs[name][0], "C2.", "untrained"), (runs[name][-1], "C0.", "trained")):
            n = snapshot.params["V"].shape[1]
            gate = stub.sigmoid(snapshot.params["I"][:, -2 * n : -n])
            axes.plot(np.arange(len(gate)), gate[:, 0], marker, ms=3, label=age)
        keys = np.arange(len(gate) - 2, len(gate))
        axes.plot(keys, gate[keys, 0], "C7o", ms=6, label="x and y, trained")
        axes.set(xlabel="symbol", title=title, ylim=(-0.03, 1.03))
    panels[0].set_ylabel("input gate of the first cell")
    panels[0].legend(loc="upper left", bbox_to_anchor=(0.05, 0.93))
    return figure


def error_going_back(runs: dict[str, list]) -> Figure:
    """Norm of the error at the units of an RNN, that many steps before the end, relative to the end."""
    figure, axes = plt.subplots()
    rows = {"rnn_c_uniform": ("small random start", "C1"), "rnn_c_100": ("orthogonal start", "C4")}
    for name, (label, colour) in rows.items():
        for snapshot, style, age in ((runs[name][0], ":", "untrained"), (runs[name][-1], "-", "end of training")):
            axes.semilogy(error_norms(snapshot), colour + style, label=f"RNN, {label}, {age}")
    axes.axhline(1, color="C0")
    axes.text(1, 1.6, "memory cell: constant, by construction", color="C0")
    axes.set(xlabel="steps before the end", ylabel="error, relative to the end", ylim=(1e-14, 1e4))
    axes.set_title("2c, q = p = 100: what is left of an error that flows back")
    axes.legend(loc="lower right")
    return figure


def error_norms(snapshot: stub.Snapshot) -> list[float]:
    """Norm of the error of tanh units at all steps up to the end of an x-sequence, last step first."""
    end, wish = snapshot.pair.at[-1, 0], np.zeros(snapshot.output.shape[-1])
    wish[snapshot.pair.target[-1, 0]] = 1
    e = (snapshot.output[-1, 0] - wish) @ snapshot.params["V"]
    U = snapshot.params.get("U", np.eye(len(e)))  # a cell feeds back to itself with weight 1
    norms = []
    for y in snapshot.state[end::-1, :, 0]:
        norms.append(float(np.linalg.norm(e)))
        e = ((1 - y * y) * e) @ U
    return np.array(norms) / norms[0]


def states_over_1000_steps(runs: dict[str, list]) -> Figure:
    """2c at lag 1000: the states of both cells on an x- and a y-sequence, before, during and after training."""
    looks = runs["c_1000"]
    figure, panels = plt.subplots(1, 3, figsize=(7.2, 3.4))
    for axes, snapshot in zip(panels, (looks[0], looks[len(looks) // 2], looks[-1]), strict=True):
        for key, name, colour in ((0, "x", "C0"), (1, "y", "C7")):
            end = snapshot.pair.at[-1, key] + 1
            for cell, style in zip(range(snapshot.state.shape[1]), ("-", "--"), strict=False):
                label = f"{name}, {('first', 'second')[cell]} cell"
                axes.plot(snapshot.state[:end, cell, key], colour + style, lw=1.3, label=label)
        axes.set(xlabel="step", title=f"{snapshot.step:,} sequences")
    panels[0].set_ylabel("cell state")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


FIGURES = (table_3, share_of_seeds, last_step, input_gates, error_going_back, states_over_1000_steps)


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
