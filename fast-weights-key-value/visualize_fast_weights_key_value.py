"""Figures of fast_weights_key_value: what the fast and slow weights become, and how well memories retrieve."""

import argparse
import os
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

import fast_weights_key_value as stub
import key_value_memory as kv

NEEDS = ("direct", "plain", "retrieval")
SLOT_COLORS = ("C0", "C4", "C5")


def binding(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Fast weights of system 0 in the first and in the last 120 steps of its learning; stays are shaded."""
    life = runs["direct"][-1].life
    figure, axes = plt.subplots(2, 1, figsize=(8.6, 5), sharey=True)
    for ax, start, title in ((axes[0], 0, "First steps"), (axes[1], max(0, len(life.w) - 120), "Last steps")):
        t = np.arange(start, min(start + 120, len(life.w)))
        for slot, color in enumerate(SLOT_COLORS):
            here = life.slot[t, 0] == slot
            ax.fill_between(t - 0.5, 0, 1, where=here, step="post", color=color, alpha=0.2, linewidth=0)
            ax.step(t, life.w[t, slot], where="mid", color=color, label=f"weight to slot {slot + 1}")
        asked = t[life.asked[t] >= 0]
        ax.plot(asked, np.full(len(asked), 1.06), "v", color="C3", markersize=3, label="question")
        ax.set(ylabel="fast weight", title=title, xlim=(start - 1, start + 120))
    axes[1].set_xlabel("step (shaded: the car is in the slot of that colour)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def slow_weights(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Slow weights at the start, in the middle and at the end of learning, medians over systems."""
    snapshots = runs["direct"]
    figure, axes = plt.subplots(1, 3, sharey=True, figsize=(8.6, 2.9))
    for ax, s in zip(axes, (snapshots[0], snapshots[len(snapshots) // 3], snapshots[-1]), strict=True):
        S = np.median(s.params["S"], axis=0)
        image = ax.imshow(S, cmap="RdBu_r", vmin=-1, vmax=1)
        for (i, j), value in np.ndenumerate(S):
            color = "white" if abs(value) > 0.6 else "black"
            ax.text(j, i, f"{round(value, 1) + 0:.1f}", ha="center", va="center", fontsize=8, color=color)
        ax.set(xticks=range(6), xticklabels=("P1", "P2", "P3", "r1", "r2", "r3"), title=f"step {s.step}")
        ax.set(yticks=range(3), yticklabels=("to slot 1", "to slot 2", "to slot 3"))
        ax.grid(False)
    axes[1].set_xlabel("inputs of S: detectors P, random bits r")
    figure.colorbar(image, ax=axes, label="slow weight", shrink=0.8)
    return figure


def steps_to_solution(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Share of the systems that have met the strict and the loose criterion, with and without clipping."""
    figure, ax = plt.subplots()
    rows = (("direct", 1, "C4", "100 steps without a wrong answer"), ("direct", 0, "C0", "100 right answers in a row"))
    rows += (("plain", 1, "C1", "plain rule, 100 steps without a wrong answer"),)
    longest = stub.Config().steps
    for preset, criterion, color, label in rows:
        times = runs[preset][-1].solved_at[criterion]
        done = np.sort(times[np.isfinite(times)])
        share = np.arange(len(done) + 1) / len(times)
        ax.step([0, *done, longest], [*share, share[-1]], where="post", color=color, label=label)
    ax.axvline(6000, color="C3", linestyle="--", linewidth=1)
    ax.text(6100, 0.12, "paper: within 6000 (unsure)", fontsize=9)
    ax.set(xlabel="steps", ylabel="share of systems", xlim=(0, longest), ylim=(-0.03, 1.05))
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=1)
    ax.set_title("Steps to solution")
    return figure


def retrieval_by_pairs(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Mean cosine between answer and value against the number of pairs stored."""
    figure, ax = plt.subplots(figsize=(8.2, 4.2))
    rows = {
        "softmax": ("C3", ":", "softmax attention, exact P"),
        "dpfp": ("C0", "-", "DPFP-3, delta rule"),
        "sweeps": ("C4", "-", "5 sweeps of the delta rule"),
        "linear": ("C6", "-", "sum rule, learned P"),
        "closed_form": ("C7", "--", "sum rule, exact P"),
        "untrained": ("C1", "-", "sum rule, raw keys"),
    }
    cosines = runs["retrieval"][-1].cosines
    for name, (color, style, label) in rows.items():
        if name in cosines:
            ax.plot(kv.PAIRS_TESTED, cosines[name], style, color=color, label=label)
    ax.axvline(stub.Config().pairs, color="C2", linewidth=1)
    ax.text(stub.Config().pairs + 0.15, 0.22, "pairs in training", color="C2", fontsize=9)
    ax.set(
        xlabel="pairs stored",
        ylabel="mean cosine",
        ylim=(0.15, 1.03),
        title="Retrieval of values by their keys",
    )
    figure.legend(*ax.get_legend_handles_labels(), loc="outside right center")
    return figure


def key_overlaps(runs: dict[str, list[stub.Snapshot]]) -> Figure:
    """Overlaps of the features of five keys, before learning and after it, as a share of the largest."""
    last = runs["retrieval"][-1]
    k = last.keys[None] if last.keys.ndim == 2 else np.eye(kv.D)[None] + 1  # (without retrieval runs: any keys)
    identity = np.eye(kv.D)
    panels = {"raw keys": ("identity", identity), "learned P": ("identity", last.params.get("linear", identity))}
    panels["learned P, DPFP-3"] = ("dpfp", last.params.get("dpfp", identity))
    figure, axes = plt.subplots(1, 3, figsize=(8.6, 3.2), sharey=True)
    for ax, (title, (kind, P)) in zip(axes, panels.items(), strict=True):
        f = kv.features(kind, k @ P.T)[0][0]
        G = f @ f.T
        image = ax.imshow(G / G.max(), cmap="RdBu_r", vmin=-1, vmax=1)
        ax.set(title=title, xlabel="key", xticks=range(len(G)), yticks=range(len(G)))
        ax.grid(False)
    axes[0].set_ylabel("key")
    figure.colorbar(image, ax=axes, label="overlap / largest", shrink=0.85)
    return figure


FIGURES = (binding, slow_weights, steps_to_solution, retrieval_by_pairs, key_overlaps)


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
