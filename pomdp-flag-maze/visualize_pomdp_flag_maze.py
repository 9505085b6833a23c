"""Figures of pomdp-flag-maze."""

import argparse
import json
import os
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

import pomdp_flag_maze as stub
from flag_maze import Episodes, Maze, live
from maze_controller import policy
from maze_model import follow

NEEDS = ("recurrent", "memoryless", "through_model", "uniform")
COLOURS = {
    "recurrent": "C0",
    "memoryless": "C1",
    "through_model": "C4",
    "uniform": "C5",
    "long": "C0",
    "long_random": "C6",
}
LABELS = {
    "recurrent": "values of\nall actions",
    "memoryless": "without\nmemory",
    "through_model": "gradient\nthrough M",
    "uniform": "M learns from\nany episodes",
    "long": "long corridor,\nin cycles",
    "long_random": "long corridor,\nrandom life",
}
STEPS = ("E", "E", "E", "E", "N or S", "N or S")  # the shortest way


def shortest_ways() -> Episodes:
    """The ways to the right flag for the cues 1 and -1."""
    north, east, south = 0, 1, 2
    actions = iter(np.array([[east] * 4 + [north] * 2, [east] * 4 + [south] * 2]).T)
    return live(Maze(5), np.array([1.0, -1.0]), len(STEPS), lambda o: next(actions))


def memory_of_the_model(runs: dict[str, list]) -> Figure:
    """Error of the rewards M predicts at flags while it learns, with and without the soonest ones first."""
    figure, axes = plt.subplots()
    for preset, text in (("recurrent", "soon reached flags first"), ("uniform", "any episodes")):
        updates = stub.Config(**stub.PRESETS[preset]).model_updates
        looks = [s for s in runs[preset] if s.step <= updates]
        x, y = [s.step for s in looks], [s.metrics["flag_error"] for s in looks]
        axes.plot(x, y, color=COLOURS[preset])
        axes.annotate(text, (x[-1], y[-1]), (0, 24), textcoords="offset points", color=COLOURS[preset], ha="right")
    axes.axhline(1, color="C2", ls=":")
    axes.annotate(
        "cue forgotten: 1", (1, 1), (0, -13), ("axes fraction", "data"), "offset points", color="C2", ha="right"
    )
    axes.set(
        xlabel="updates of M", ylabel="mean squared error", yscale="log", title="M's predictions of the flags' reward"
    )
    return figure


def hidden_difference(runs: dict[str, list]) -> Figure:
    """What the cue leaves in the hidden units of M and C along the shortest way: activation with cue 1 minus -1."""
    figure, panels = plt.subplots(1, 3, figsize=(9, 4), width_ratios=(32, 24, 24))
    ways = shortest_ways()
    for axes, (preset, net, title) in zip(
        panels,
        (("recurrent", "M", "M"), ("recurrent", "C", "C"), ("memoryless", "C", "C without memory")),
        strict=True,
    ):
        weights = runs[preset][-1].params[net]
        source = follow(weights, ways) if net == "M" else policy(weights, ways.o)[0]
        h = source[1 : len(STEPS) + 1, :, stub.OBSERVATION + 1 :]
        difference = h[:, 0] - h[:, 1]
        order = np.argsort(difference[3])  # by what is left at the junction
        image = axes.imshow(difference[:, order], vmin=-2, vmax=2, cmap="RdBu", aspect="auto")
        axes.set(xlabel="hidden units, sorted", title=title)
        axes.set_yticks(range(len(STEPS)), [f"{t + 1}: {a}" for t, a in enumerate(STEPS)] if axes is panels[0] else [])
        axes.grid(False)
    panels[0].set_ylabel("step and action")
    figure.colorbar(image, ax=panels, label="difference of activations")
    return figure


def values_of_actions(runs: dict[str, list]) -> Figure:
    """What M and the critic say each action is worth along the shortest way, and how probable C makes it."""
    figure, panels = plt.subplots(2, 2, figsize=(8, 5), sharex=True, sharey="row")
    final, ways = runs["recurrent"][-1], shortest_ways()
    Q = stub.action_values(stub.Config(), final.params["M"], final.params["V"], follow(final.params["M"], ways)[:-1])
    pi = policy(final.params["C"], ways.o[:-1])[1]
    for k, cue in enumerate(("up", "down")):
        for row, what in ((0, Q), (1, pi)):
            for a, (name, colour) in enumerate(zip("NESW", ("C0", "C4", "C1", "C2"), strict=True)):
                panels[row, k].plot(range(1, 7), what[:, k, a], "o-", color=colour, label=name)
        panels[0, k].set(title=f"Cue: {cue}")
        panels[1, k].set(xlabel="step on the shortest way (the junction is at 5)", ylim=(-0.05, 1.05))
    panels[0, 0].set(ylabel="Q(h, a)")
    panels[1, 0].set(ylabel="policy")
    panels[1, 0].legend(loc="center left", title="action")
    return figure


def all_runs(runs: dict[str, list]) -> Figure:
    """Share of episodes that end at the right flag, actions drawn from the policy, in every recorded run."""
    figure, axes = plt.subplots(figsize=(8, 4.2))
    for place, preset in enumerate(COLOURS):
        ends = recorded(preset) or ([runs[preset][-1].metrics] if preset in runs else [])
        share = np.sort([m["sampled_success"] for m in ends])
        axes.plot(place + np.linspace(-0.25, 0.25, len(share)), share, "o", color=COLOURS[preset], clip_on=False)
    axes.axhline(0.5, color="C2", ls=":")
    axes.annotate(
        "guessing at the junction", (0.01, 0.5), (0, 3), ("axes fraction", "data"), "offset points", color="C2"
    )
    axes.set_xticks(range(len(COLOURS)), LABELS.values())
    axes.set(ylim=(-0.03, 1.03), ylabel="share of test episodes at the right flag", title="Ends of all recorded runs")
    return figure


FIGURES = (memory_of_the_model, hidden_difference, values_of_actions, all_runs)


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
