"""Figures of chunker-very-deep-1200."""

import argparse
import json
import os
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

import chunker_very_deep_1200 as stub

NEEDS = ("flat", "nested", "single", "single_small", "single_large")
SINGLE = {"single": ("orthogonal", "C1"), "single_small": ("small", "C5"), "single_large": ("large", "C7")}


def length_per_level(runs: dict[str, list]) -> Figure:
    """Mean length of what each level reads, over the recorded runs."""
    figure, axes = plt.subplots()
    presets = {"nested": "C0", "flat": "C4", "noise_400": "C5", "noise_100": "C6", "noise_40": "C7"}
    for name, colour in presets.items():
        finals = recorded(name) or [s.metrics for s in runs.get(name, [])[-1:]]
        if not finals:
            continue
        full = 1202 if name == "nested" else 1200
        lengths = [full] + [np.mean([m[f"length_{k}"] for m in finals]) for k in (1, 2, 3)]
        lengths = [n for n in lengths if n > 0]
        axes.semilogy(range(len(lengths)), lengths, colour + "o-", label=name.replace("_", ", 1 in "))
    axes.set_xticks(range(4), ["raw text", "level 0", "level 1", "level 2"])
    axes.set(xlabel="passed on by", ylabel="symbols (mean)", title="How the levels shrink a text of 1,200 symbols")
    axes.legend()
    return figure


def recall_curves(runs: dict[str, list]) -> Figure:
    """Recall of the trigger against sequences presented: hierarchies and single nets."""
    figure, axes = plt.subplots()
    for name, colour, label in (
        ("flat", "C4", "hierarchy, flat"),
        ("nested", "C0", "hierarchy, nested"),
        *((name, colour, f"single net, {init}") for name, (init, colour) in SINGLE.items()),
    ):
        axes.plot([s.step for s in runs[name]], [s.metrics["recall"] for s in runs[name]], colour, label=label)
    axes.axhline(0.5, color="C2", lw=1)
    axes.text(0.99, 0.51, "chance", color="C2", ha="right", va="bottom", transform=axes.get_yaxis_transform())
    axes.set(xlabel="training sequences presented", ylabel="recall of the trigger", ylim=(0.3, 1.03))
    axes.set_title("1,200 steps: who recalls the first symbol")
    axes.legend(loc="center right")
    return figure


def error_against_distance(runs: dict[str, list]) -> Figure:
    """Size of the last error of trained single nets at earlier steps, against the distance to be bridged."""
    figure, axes = plt.subplots()
    for name, (init, colour) in SINGLE.items():
        reach = runs[name][-1].reach
        size = reach / reach[0]
        axes.semilogy(
            np.arange(1, len(size) + 1), np.where(size > 1e-12, size, np.nan), colour, label=f"single, {init}"
        )
    axes.axvline(1, color="C0", lw=2)
    axes.text(1.08, 1e-6, "hierarchy: one step", color="C0", rotation=90, va="center")
    axes.axvline(1199, color="C3", ls="--")
    axes.text(1100, 1e-6, "trigger", color="C3", rotation=90, ha="right", va="center")
    axes.set(xscale="log", ylim=(1e-12, 10), xlabel="steps back from the last prediction")
    axes.set(ylabel="size of its error, relative", title="How far an error reaches in trained nets")
    axes.legend(loc="upper center")
    return figure


def length_against_noise(runs: dict[str, list]) -> Figure:
    """Symbols left after level 0 against the number of noise symbols expected."""
    figure, axes = plt.subplots()
    presets = {"flat": 0.0, "noise_400": 0.0025, "noise_100": 0.01, "noise_40": 0.025}
    dots = [(eps * 1198, m["length_1"]) for name, eps in presets.items() for m in recorded(name)]
    if len(dots) > 1:
        noise, length = np.array(dots).T
        axes.plot(noise, length, "C0o", alpha=0.6)
        slope, r = np.polyfit(noise, length, 1)[0], np.corrcoef(noise, length)[0, 1]
        axes.text(1, 29, f"slope {slope:.2f}, r² = {r**2:.4f}", va="top")
    axes.plot([0, 30], [2, 32], "C2", lw=1)
    axes.text(29, 21, "one event per noise symbol", color="C2", ha="right", va="top")
    axes.set(xlabel="noise symbols expected in 1,200", ylabel="symbols left after level 0")
    axes.set_title("The length follows the surprises in the text")
    return figure


def surprises_of_a_text(runs: dict[str, list]) -> Figure:
    """What each level of the nested hierarchy reads of one text, and what it fails to predict."""
    last = runs["nested"][-1]
    figure, panels = plt.subplots(
        len(last.texts), 1, figsize=(7.2, 1.3 * len(last.texts) + 0.6), sharex=True, squeeze=False
    )
    for level, (axes, times, given) in enumerate(zip(panels[:, 0], last.times, last.given, strict=True)):
        surprise = -np.log2(np.maximum(given, 2**-12))
        axes.vlines(times, 0, surprise, "C2", lw=0.6)
        critical = given < 0.8
        axes.vlines(times[critical], 0, surprise[critical], "C0", lw=1.6)
        axes.set(ylabel="bits", ylim=(0, 12.5), yticks=[0, 12])
        axes.set_title(f"level {level} reads {len(times)} symbols, passes on {critical.sum()}", fontsize=10)
    panels[-1, 0].set_xlabel("time step of the text")
    return figure


FIGURES = (length_per_level, recall_curves, error_against_distance, length_against_noise, surprises_of_a_text)


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
