"""Figures of pole-balance-non-markov."""

import argparse
import json
import os
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

import cart_pole
import pole_balance_non_markov as stub
import pole_model
import pole_trials

NEEDS = ("recurrent", "longer", "perfect", "memoryless", "pain")
COLOURS = {"recurrent": "C0", "longer": "C6", "perfect": "C4", "memoryless": "C1", "pain": "C5"}
LABELS = {
    "recurrent": "recurrent",
    "longer": "recurrent, all cycles",
    "perfect": "perfect model, all cycles",
    "memoryless": "memoryless",
    "pain": "cost = predicted pain",
}


def learning(runs: dict[str, list]) -> Figure:
    """Steps a test trial lasts against real trials lived, one seed; crosses: the ends of all recorded runs."""
    figure, axes = plt.subplots(figsize=(8, 4.6))
    for preset in ("recurrent", "pain", "memoryless"):
        ends = {s.lived: s for s in runs[preset]}.values()  # the last look at each number of trials
        lived, steps = [s.lived for s in ends], np.array([np.percentile(s.steps, (25, 50, 75)) for s in ends])
        axes.plot(lived, steps[:, 1], color=COLOURS[preset], marker="o", label=LABELS[preset])
        axes.fill_between(lived, steps[:, 0], steps[:, 2], color=COLOURS[preset], alpha=0.2, lw=0)
        ends = [m for m in recorded(preset) if np.isfinite(m["trials"])]
        axes.plot([m["trials"] for m in ends], [m["steps"] for m in ends], "x", color=COLOURS[preset], ms=6)
    for steps, text in ((25, "before learning"), (1000, "within a few hundred trials"), (3000, "from friendly starts")):
        axes.axhline(steps, color="C3", ls="--", lw=1.2)
        axes.annotate(
            f"paper: about {steps}, {text}" if steps == 25 else f"paper: more than {steps}, {text}",
            (1, steps),
            (0, 3 if steps == 3000 else -3),
            ha="right",
            va="bottom" if steps == 3000 else "top",
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            color="C3",
            fontsize=8,
        )
    axes.set(
        xlabel="real trials (the first 100 with random actions)",
        ylabel="steps until failure, 5000 at most",
        yscale="log",
        ylim=(8, 7000),
        xlim=(-5, 435),
        title="How long an unseen trial lasts",
    )
    axes.legend(loc="lower right", ncols=3)
    return figure


def model_error(runs: dict[str, list]) -> Figure:
    """Left: angle in real trials and in M, which goes on alone after 8 recorded steps; right: errors of both."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.9))
    C, M = (runs["recurrent"][-1].params[net] for net in "CM")
    prime, ahead, B = 8, 60, 200
    rng = np.random.default_rng(0)
    life = pole_trials.live(C, cart_pole.start(rng, B), rng.normal(0, 0.3, (prime + ahead, B)), prime + ahead)
    z, ahead = pole_trials.observe(life.states), len(life.u) - prime
    model = pole_model.LearntModel(M, z[:prime], life.u[:prime], ahead)
    guessed = life.states[prime].copy()
    guessed[1::2] = np.diff(life.states[prime - 1 : prime + 1, ::2], axis=0)[0] / cart_pole.DT
    equations = pole_model.PerfectModel(guessed)
    imagined, computed = [z[prime]], [z[prime]]
    for u in life.u[prime:]:
        imagined.append(model.step(imagined[-1], u))
        computed.append(equations.step(computed[-1], u))
    imagined, computed, real, steps = np.array(imagined), np.array(computed), z[prime:], np.arange(ahead + 1)
    lasting = (steps[:, None] + prime <= life.length)[:, None]
    for b, colour in enumerate(("C0", "C1", "C4", "C5")):
        left.plot(steps, np.where(lasting[:, 0, b], real[:, 1, b], np.nan) * 12, color=colour)
        left.plot(steps, np.where(lasting[:, 0, b], imagined[:, 1, b], np.nan) * 12, color=colour, ls=":")
    left.set(xlabel="steps ahead", ylabel="angle of the pole (degrees)", title="Real (solid) and imagined (dotted)")
    left.set(ylim=(-13, 13))
    for guess, colour, name in (
        (imagined, "C0", "M"),
        (computed, "C4", "true equations"),
        (real[:1] + 0 * real, "C2", "nothing moves"),
    ):
        rms = np.sqrt((lasting * (guess - real) ** 2).sum(axis=2) / lasting.sum(axis=2))
        for row, style, what, unit in ((1, "-", "angle", 12), (0, "--", "cart", 2.4)):
            scaled = rms[1:, row] * unit
            right.plot(steps[1:], scaled, color=colour, ls=style, label=f"{name}: {what}")
    right.set(xlabel="steps ahead", ylabel="r.m.s. error (degrees, metres)", yscale="log", title="Open-loop prediction")
    right.legend(fontsize=8, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.17))
    return figure


def hidden_velocity(runs: dict[str, list]) -> Figure:
    """Angular velocity, which C never sees, against what a linear read-out finds in its hidden units."""
    figure, panels = plt.subplots(1, 2, figsize=(8.4, 3.9), sharex=True, sharey=True)
    rng = np.random.default_rng(0)
    starts, noise = cart_pole.start(rng, 40), rng.normal(0, 0.3, (100, 40))
    for axes, preset in zip(panels, ("recurrent", "memoryless"), strict=True):
        C = runs[preset][-1].params["C"]
        life = pole_trials.live(C, starts, noise, 100)
        T = len(life.u)
        h = pole_model.elman(C, pole_trials.observe(life.states[:T]))[1:, 2:]
        h[:, 0] = 1
        counted = (np.arange(T)[:, None] >= 4) & (np.arange(T)[:, None] < life.length)
        omega = np.rad2deg(life.states[:T, 3])
        fit, test = slice(20), slice(20, None)
        X, X_test = (h[..., side].transpose(0, 2, 1)[counted[:, side]] for side in (fit, test))
        read = X_test @ np.linalg.lstsq(X, omega[:, fit][counted[:, fit]], rcond=None)[0]
        axes.plot(omega[:, test][counted[:, test]], read, ".", color=COLOURS[preset], ms=3, alpha=0.5)
        axes.axline((0, 0), slope=1, color="C3", lw=1)
        axes.set(xlabel="true angular velocity (degrees/s)", title=LABELS[preset].capitalize())
    panels[0].set(ylabel="read from C's hidden units", xlim=(-80, 80), ylim=(-80, 80))
    return figure


def survival(runs: dict[str, list]) -> Figure:
    """Share of the test trials that still last, one seed of every condition."""
    figure, axes = plt.subplots(figsize=(8, 4.4))
    for preset in NEEDS:
        steps, cap = np.sort(runs[preset][-1].steps), stub.Config(**stub.PRESETS[preset]).test_steps
        ended = steps[steps < cap]
        x, over = [1, *ended, steps[-1]], [*range(len(ended) + 1), len(ended)]
        axes.step(x, 1 - np.array(over) / len(steps), where="post", color=COLOURS[preset], label=LABELS[preset])
    axes.set(
        xscale="log",
        xlim=(10, 12000),
        ylim=(-0.02, 1.05),
        xlabel="steps (tests end after 5000, after all cycles 10,000)",
        ylabel="share of 30 test trials still going",
        title="How long it stays up",
    )
    axes.legend(loc="lower left")
    return figure


def all_seeds(runs: dict[str, list]) -> Figure:
    """Mean length of the test trials at the end of every recorded run."""
    figure, axes = plt.subplots(figsize=(8, 4.2))
    for place, preset in enumerate(NEEDS):
        steps = np.array([m["steps"] for m in recorded(preset)] or [runs[preset][-1].metrics["steps"]])
        x = place + np.linspace(-0.18, 0.18, len(steps)) if len(steps) > 1 else [place]
        axes.plot(x, steps, "o", color=COLOURS[preset])
        axes.plot([place - 0.28, place + 0.28], [np.median(steps)] * 2, color=COLOURS[preset])
    axes.axhline(1000, color="C3", ls="--", lw=1.2)
    axes.annotate("paper: more than 1000", (3.45, 1000), (0, 4), ha="right", textcoords="offset points", color="C3")
    axes.set_xticks(range(len(NEEDS)), [LABELS[p].replace(", ", ",\n").replace("= ", "=\n") for p in NEEDS])
    axes.set(yscale="log", ylabel="mean steps until failure", title="Ends of all recorded runs, with medians")
    return figure


FIGURES = (learning, model_error, hidden_velocity, survival, all_seeds)


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
