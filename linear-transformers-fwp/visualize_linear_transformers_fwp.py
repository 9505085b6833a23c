"""Figures of linear-transformers-fwp."""

import argparse
import json
import os
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

import linear_attention as memory
import linear_transformers_fwp as stub

NEEDS = ("delta", "sum", "beta_one", "unnormalised", "unnormalised_short", "dpfp1")

# Best evaluation losses of Setting 1 in the authors' published logs, {S: loss}.
AUTHORS = {
    "elu": {20: 0.0009, 40: 0.0008, 60: 0.0245, 80: 0.108, 100: 0.164},
    "dpfp1": {100: 0.0002, 120: 0.0083, 200: 0.173},
    "dpfp2": {200: 0.0004, 260: 0.0084, 500: 0.276},
    "dpfp3": {300: 0.0003, 380: 0.0045, 600: 0.198},
}
LABELS = {"elu": "elu+1", "dpfp1": "DPFP-1", "dpfp2": "DPFP-2", "dpfp3": "DPFP-3"}


def final(runs: dict[str, list], preset: str) -> list[dict]:
    """Final metrics of the recorded runs, or of the run just trained, if there is any."""
    return recorded(preset) or [run[-1].metrics for run in [runs.get(preset)] if run]


def capacity(runs: dict[str, list]) -> Figure:
    """Setting 1: loss against the number of keys, with the rank bounds and the authors' losses."""
    figure, axes = plt.subplots()
    for colour, (preset, label) in zip(("C4", "C0", "C5", "C7"), LABELS.items(), strict=True):
        d_dot = stub.Config(**stub.PRESETS[preset]).d_dot
        S = np.geomspace(20, 900, 400)
        bound = np.maximum(0, 0.5 * (1 - d_dot / S))
        axes.plot(S, bound, color=colour, lw=1)
        axes.text(d_dot / 0.92, 0.02, f"{label}\n({d_dot})", color=colour, fontsize=8)
        axes.plot(AUTHORS[preset].keys(), AUTHORS[preset].values(), "x", color="C3", ms=7, mew=1.5)
        for metrics in final(runs, preset):
            sizes = [int(name.removeprefix("excess_")) for name in metrics if name.startswith("excess_")]
            axes.plot(sizes, [metrics[f"loss_{S}"] for S in sizes], "o", color=colour, alpha=0.5, mew=0)
    axes.plot([], [], "ko", alpha=0.5, label="measured, all seeds")
    axes.plot([], [], "x", color="C3", ms=7, mew=1.5, label="authors' logs")
    axes.plot([], [], "k", lw=1, label="rank bound 0.5 (1 - d_dot / S), (d_dot)")
    axes.set_xscale("log")
    ticks = [20, 40, 60, 100, 200, 300, 400, 600, 900]
    axes.set_xticks(ticks, ticks)
    axes.minorticks_off()
    axes.set(
        xlabel="keys S, each written once",
        ylabel="loss per key",
        ylim=(-0.01, 0.42),
        title="Linear attention holds d_dot associations",
    )
    axes.legend(loc="upper left")
    return figure


def slope(runs: dict[str, list]) -> Figure:
    """Capacity (largest tested S with loss at most 0.01) against d_dot."""
    figure, axes = plt.subplots(figsize=(5, 4))
    for preset in ("d_key16", "d_key32", "d_key48", "dpfp1"):
        cfg = stub.Config(**stub.PRESETS[preset])
        found = [metrics["capacity"] for metrics in final(runs, preset) if "capacity" in metrics]
        values, counts = np.unique(found, return_counts=True)
        axes.scatter([cfg.d_dot] * len(values), values, s=25 * counts, color="C0", alpha=0.6, lw=0)
    axes.plot([0, 140], [0, 140], color="C3", ls="--", lw=1.2)
    axes.annotate("d_dot: the most possible", (100, 100), (-4, 6), textcoords="offset points", ha="right", color="C3")
    axes.plot([0, 140], [0, 105], color="C2", lw=1)
    axes.annotate(
        "0.75 d_dot: the fewest tested",
        (70, 52),
        (6, -4),
        textcoords="offset points",
        ha="left",
        va="top",
        color="C2",
    )
    axes.set(
        xlabel="feature dimensions d_dot",
        ylabel="keys kept with loss at most 0.01",
        xlim=(0, 145),
        ylim=(0, 145),
        title="Capacity of DPFP-1 (area: seeds)",
    )
    return figure


def updates(runs: dict[str, list]) -> Figure:
    """Setting 2: test loss against updates for both rules."""
    figure, axes = plt.subplots()
    rows = [
        ("unnormalised", "C7", "delta, phi not normalised"),
        ("sum", "C1", "sum rule"),
        ("delta", "C0", "delta rule"),
        ("unnormalised_short", "C6", "delta, not normalised, short start"),
        ("beta_one", "C4", "delta, write strength 1"),
    ]
    for preset, colour, label in rows:
        run = runs[preset]
        S = len(run[0].A)
        loss = [s.metrics[f"loss_{S}"] for s in run]
        axes.semilogy([s.step for s in run], np.clip(loss, 1e-10, 1e3), color=colour, label=label)
        if preset == "sum":
            floor = run[-1].metrics[f"floor_{S}"]
            axes.axhline(floor, color="C3", ls="--", lw=1.2)
            axes.annotate(
                "floor of every memory that cannot forget",
                (0.99, floor),
                (0, -4),
                ha="right",
                va="top",
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                color="C3",
                fontsize=9,
            )
    axes.set(
        xlabel="updates",
        ylabel="test loss per key (at most 1000 shown)",
        ylim=(1e-10, 2e3),
        title=f"{S} keys, {2 * S} writes: the sum rule cannot forget",
    )
    axes.legend(loc="lower left")
    return figure


def singular_values(runs: dict[str, list]) -> Figure:
    """Singular values of the attention matrix A that DPFP-1 learned below and above its capacity."""
    figure, axes = plt.subplots()
    last = {len(s.A): s.A for s in runs["dpfp1"]}
    sizes = [S for S in (96, 128, 192, 256) if S in last] or list(last)
    for colour, S in zip(("C0", "C4", "C1", "C7"), sizes, strict=False):
        values = np.linalg.svd(last[S], compute_uv=False)
        axes.plot(np.arange(1, S + 1), values, color=colour, label=f"S = {S}")
    d_dot = stub.Config(**stub.PRESETS["dpfp1"]).d_dot
    axes.axvline(d_dot, color="C3", ls="--", lw=1.2)
    axes.annotate(f"d_dot = {d_dot}", (d_dot, 1.25), (4, 0), textcoords="offset points", color="C3")
    axes.set(
        xlabel="number of the singular value",
        ylabel="singular value of A",
        ylim=(-0.05, 1.4),
        title="Beyond d_dot the attention matrix cannot be the identity",
    )
    axes.legend(loc="lower left")
    return figure


def one_sequence(runs: dict[str, list]) -> Figure:
    """What both memories know while one test sequence is written: loss of every key after every write."""
    figure, (left, right) = plt.subplots(1, 2, sharey=True, figsize=(9, 4.2))
    for axes, preset, title in ((left, "sum", "sum rule"), (right, "delta", "delta rule")):
        s = runs[preset][-1]
        image = axes.imshow(s.recall.T, cmap="magma_r", vmin=0, vmax=0.5, aspect="auto", origin="lower")
        keys, values = s.sequence
        first = np.array([k not in keys[:t] for t, k in enumerate(keys)])
        t = np.arange(len(keys))
        axes.plot(t[first], keys[first], "o", color="C4", ms=4, label="first write of the key")
        axes.plot(t[~first], keys[~first], "s", color="C6", ms=4, label="new value for it")
        axes.set(xlabel="writes", title=title, yticks=range(0, len(s.A), 5))
        axes.grid(False)
    left.set_ylabel("key")
    left.legend(loc="upper center", bbox_to_anchor=(1.0, -0.14), ncol=2)
    figure.colorbar(image, ax=[left, right], label="loss when asked for its last value")
    return figure


def equivalence(runs: dict[str, list]) -> Figure:
    """Relative difference of attention and fast weights at every prefix of one random sequence."""
    figure, axes = plt.subplots()
    styles = {"identity": "C5", "elu": "C4", "dpfp": "C0"}
    for name, gap in memory.equivalence(np.random.default_rng(0)).items():
        phi, kind = name.split(", ")
        axes.semilogy(
            np.arange(1, 65), np.maximum(gap, 1e-19), color=styles[phi], ls="-" if kind == "plain" else ":", label=name
        )
    axes.axhline(np.finfo(float).eps, color="C3", ls="--", lw=1.2)
    axes.annotate("machine precision", (64, 3e-15), (0, 0), textcoords="offset points", ha="right", color="C3")
    axes.set(
        xlabel="prefix length",
        ylabel="|attention - fast weights| / max |attention|",
        ylim=(1e-19, 1e-11),
        title="Linear attention is a fast-weight memory",
    )
    axes.legend(ncol=2, loc="upper left")
    return figure


FIGURES = (capacity, slope, updates, singular_values, one_sequence, equivalence)


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
