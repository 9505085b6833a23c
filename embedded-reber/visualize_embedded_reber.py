"""Figures of embedded-reber."""

import argparse
import json
import os
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

import embedded_reber as stub
from memory_cell import kinds
from reber_grammar import REBER, SYMBOLS, Batch, draw_strings, encode

NEEDS = ("lstm",)
PAPER, PAPER_RANGE = 8_440, (3_800, 24_100)  # strings until success, 3 blocks of 2 cells, rate 0.5 (table 1)
PLACES = ((0, 0), (1.5, 1), (1.5, -1), (3.5, 1), (3.5, -1), (5, 0))  # of the states in the diagram


def outputs(snapshot: stub.Snapshot, batch: Batch) -> np.ndarray:
    """Outputs (T - 1, B, 7) of the headline's net at a snapshot."""
    cfg = stub.Config()
    return stub.read_out(cfg, snapshot.params, stub.run(cfg, snapshot.params, batch.symbols[:-1])[1])[0]


def halfway(snapshots: list) -> stub.Snapshot:
    """The snapshot nearest to half of the training."""
    return min(snapshots, key=lambda s: abs(s.step - snapshots[-1].step / 2))


def hit_rates(snapshot: stub.Snapshot) -> dict[tuple[int, str], float]:
    """How often the symbol of each arrow (state, symbol) is among the k highest outputs in its state."""
    strings = draw_strings(np.random.default_rng(0), 1000)
    batch, hits = encode(strings), {}
    output = outputs(snapshot, batch)
    for b, string in enumerate(strings):
        state = 0
        for t, symbol in enumerate(string[3:-3], start=2):
            highest = np.argsort(output[t, b])[-len(REBER[state]) :]
            for arrow in REBER[state]:
                hits.setdefault((state, arrow), []).append(SYMBOLS.index(arrow) in highest)
            state = REBER[state][symbol]
    return {arrow: float(np.mean(hit)) for arrow, hit in hits.items()}


def grammar(runs: dict[str, list]) -> Figure:
    """The Reber grammar with the hit rate of every arrow, on the way to it and at the end."""
    figure, panels = plt.subplots(2, 1, figsize=(7.2, 6.6))
    on_the_way = min(runs["lstm"], key=lambda s: abs(s.metrics["steps_right"] - 0.6))
    for axes, snapshot in zip(panels, (on_the_way, runs["lstm"][-1]), strict=True):
        for (state, symbol), share in hit_rates(snapshot).items():
            start, end = np.array(PLACES[state]), np.array(PLACES[REBER[state][symbol]])
            style = {"arrowstyle": "-|>", "color": "C0", "lw": 0.5 + 2.5 * share, "shrinkA": 13, "shrinkB": 13}
            place = 0.55 * start + 0.45 * end
            if (start == end).all():  # a loop, outside of the diagram
                side, lift = np.sign(start[1]), np.array((0, 0.05 * np.sign(start[1])))
                style |= {"connectionstyle": f"arc3,rad={1.4 * side}", "shrinkA": 0, "shrinkB": 0}
                start, end, place = start + (0.2, 4 * lift[1]), start + (-0.2, 4 * lift[1]), start + 17 * lift
            axes.annotate("", end, start, arrowprops=style)
            background = {"fc": "w", "ec": "none", "pad": 1}
            axes.text(*place, f"{symbol}  {100 * share:.0f} %", ha="center", va="center", bbox=background)
        for state, place in enumerate(PLACES):
            axes.plot(*place, "o", ms=24, mfc="w", mec="C2")
            axes.text(*place, state, ha="center", va="center")
        axes.text(-0.3, 0, "B", ha="right", va="center")
        axes.text(5.3, 0, "E", va="center")
        axes.set(xlim=(-0.6, 5.6), ylim=(-2, 2), xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        outer = snapshot.metrics["outer_right"]
        axes.set_title(f"after {snapshot.step:,} strings; the last o is right in {100 * outer:.0f} %")
    return figure


def two_strings(runs: dict[str, list]) -> Figure:
    """Cell states and output gates of the trained net on two strings that differ in o only."""
    cfg, last = stub.Config(), runs["lstm"][-1]
    inner = last.string[2:-2]
    strings = [f"BT{inner}TE", f"BP{inner}PE"]
    _, trace = stub.run(cfg, last.params, encode(strings).symbols)
    n, steps = cfg.blocks * cfg.cells, range(1, len(strings[0]) + 1)
    out_gate = kinds(trace.unit, n)[0][1:]
    cell = int(np.abs(trace.h[2:-1, :, 0] - trace.h[2:-1, :, 1]).mean(axis=0).argmax())  # tells the strings apart best
    figure, (top, middle, bottom) = plt.subplots(3, 1, figsize=(7.2, 6.4), sharex=True)
    for b, (o, colour) in enumerate((("T", "C0"), ("P", "C7"))):
        others = np.delete(trace.h[1:, :, b], cell, axis=1)
        top.plot(steps, trace.h[1:, cell, b], colour, label=f"o = {o}")
        middle.plot(steps, others, colour, lw=1, ls="-" if b == 0 else "--")
        bottom.plot(steps, out_gate[:, cell, b], colour, ls="-" if b == 0 else "--")
    for axes in (top, middle, bottom):
        axes.axvline(len(strings[0]) - 2, color="C3", lw=1)
    top.legend(loc="upper right", ncols=2)
    top.set(
        ylabel="squashed state h(s)",
        ylim=(-1.05, 1.35),
        title=f"Cell {cell + 1}, which differs most between the two strings",
    )
    middle.set(ylabel="squashed state h(s)", ylim=(-1.05, 1.05), title="The other cells")
    bottom.set(
        ylabel="output gate", ylim=(-0.03, 1.03), title=f"Output gate of cell {cell + 1}; black: the last o is due next"
    )
    bottom.set_xticks(steps, [*strings[0][:1], "o", *inner, "o", "E"])
    bottom.set(xlabel="symbol read")
    return figure


def presentations(runs: dict[str, list]) -> Figure:
    """Strings until success, every recorded seed."""
    figure, axes = plt.subplots(figsize=(7.2, 3.6))
    rows = {"lstm": "8 blocks of 1", "four_blocks": "4 blocks of 1", "three_blocks": "3 blocks of 2"}
    for row, name in enumerate(rows):
        cost = np.array([metrics["presentations"] for metrics in recorded(name)])
        done = np.sort(cost[np.isfinite(cost)])
        axes.plot(done, row + 0.3 * np.linspace(-1, 1, len(done)), "C0o", alpha=0.6)
        axes.text(
            1.01,
            row,
            f"{len(cost) - len(done)} of {len(cost)}\nnever",
            va="center",
            transform=axes.get_yaxis_transform(),
        )
    axes.set_yticks(range(3), list(rows.values()))
    axes.axvline(PAPER, color="C3", ls="--")
    axes.plot(PAPER_RANGE, [2.45] * 2, "C3--|", lw=1)
    axes.text(PAPER_RANGE[0], 2.5, "the paper's mean and range, 3 blocks of 2", va="bottom", size=9)
    axes.set(
        xlabel="training strings until all 512 strings are right", xlim=(900, 26_000), ylim=(-0.5, 2.85), xscale="log"
    )
    axes.set_xticks([1000, 2000, 4000, 8000, 16000], ["1,000", "2,000", "4,000", "8,000", "16,000"])
    axes.minorticks_off()
    axes.set_title("Every trial of the headline and of two nets of the paper", pad=12)
    return figure


def success_share(runs: dict[str, list]) -> Figure:
    """Share of the recorded seeds that have succeeded, against training strings."""
    figure, axes = plt.subplots(figsize=(9.0, 4.2))
    labels = {
        "lstm": ("LSTM, 8 blocks of 1", "C0"),
        "no_output_gate": ("... without output gates", "C4"),
        "three_blocks": ("LSTM, 3 blocks of 2", "C6"),
        "rnn": ("tanh RNN, 22 units", "C1"),
        "rnn_small": ("tanh RNN, 11 units", "C7"),
        "paper_literal": ("the paper's recipe", "C5"),
    }
    for name, (label, colour) in labels.items():
        cost = np.sort([metrics["presentations"] for metrics in recorded(name)])
        if len(cost):
            done = cost[np.isfinite(cost)]
            share = np.arange(len(done) + 1) / len(cost)
            axes.step([0, *done, 24_000], [*share, share[-1]], colour, where="post", label=label)
    axes.axvline(PAPER, color="C3", ls="--")
    axes.text(PAPER * 1.02, 0.02, "the paper's mean", va="bottom")
    axes.set(xlabel="training strings", ylabel="share of seeds", ylim=(-0.03, 1.03))
    axes.set_title("Who has all 512 strings right when")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def by_length(runs: dict[str, list]) -> Figure:
    """Share of strings right against their length: halfway and at the end."""
    figure, axes = plt.subplots()
    strings = draw_strings(np.random.default_rng(0), 5000)
    batch, length = encode(strings), np.minimum([len(string) for string in strings], 26)
    for snapshot, colour in ((halfway(runs["lstm"]), "C6"), (runs["lstm"][-1], "C0")):
        right = stub.steps_right(outputs(snapshot, batch), batch.legal).all(axis=0)
        lengths = np.unique(length)
        axes.plot(
            lengths,
            [right[length == T].mean() for T in lengths],
            colour,
            marker="o",
            label=f"after {snapshot.step:,} training strings",
        )
    axes.set_xticks([9, 12, 15, 18, 21, 26], ["9", "12", "15", "18", "21", "26 and more"])
    axes.set(xlabel="symbols of a string", ylabel="share of strings right", ylim=(-0.03, 1.03))
    axes.set_title("Long strings are the last to come right")
    axes.legend(loc="lower left")
    return figure


FIGURES = (grammar, two_strings, presentations, success_share, by_length)


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
