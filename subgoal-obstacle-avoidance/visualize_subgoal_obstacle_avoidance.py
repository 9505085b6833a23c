"""Figures of subgoal-obstacle-avoidance."""

import argparse
import os
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle

import obstacle_arena as arena
import subgoal_obstacle_avoidance as stub

NEEDS = ("fixed", "single_list", "constant", "varied", "learned_evaluator", "recurrent", "one_swamp", "three_swamps")
SHADE = "#CFCFCF"


def draw_arena(axes: plt.Axes, discs: np.ndarray, radius: float = arena.RADIUS) -> None:
    """The square and its discs."""
    for c in discs:
        axes.add_patch(Circle((c.real, c.imag), radius, facecolor=SHADE, edgecolor="none"))
    axes.set(xlim=(-0.2, arena.SIDE + 0.2), ylim=(-0.2, arena.SIDE + 0.2), aspect="equal", xticks=(), yticks=())
    axes.spines[:].set_visible(True)
    axes.grid(False)


def draw_path(axes: plt.Axes, path: np.ndarray, *style: str, **more) -> None:
    axes.plot(path.real, path.imag, *style, **more)


def chosen(snapshot: stub.Snapshot) -> np.ndarray:
    """The paths (60, n + 2) that E picks."""
    return snapshot.paths[np.arange(len(snapshot.paths)), snapshot.costs.argmin(axis=1)]


def shortest(arenas: stub.Arenas, start: np.ndarray) -> np.ndarray:
    """Lengths (B,) of the shortest clear paths that a dense random search finds, beginning with paths `start`."""
    rng, best = np.random.default_rng(0), start.copy()
    lengths = np.where(arena.succeeds(best, arenas.discs), arena.length(best), np.inf)
    for k in range(600):
        trial = np.repeat(best[:, None], 16, axis=1)
        trial[:, :, 1:-1] += arena.uniform(rng, -1, 1, trial[:, :, 1:-1].shape) * (1.5 * 0.99**k)
        clear = arena.succeeds(trial, arenas.discs[:, None])
        way = np.where(clear, arena.length(trial), np.inf)
        row, k_best = np.arange(len(best)), way.argmin(axis=1)
        better = way[row, k_best] < lengths
        best[better], lengths[better] = trial[row, k_best][better], way[row, k_best][better]
    return lengths


def proposals(runs: dict[str, list]) -> Figure:
    """Twelve test arenas: all lists thin, the chosen one bold; in the upper ones the constant detour dotted."""
    figure, panels = plt.subplots(3, 4, figsize=(7.8, 6.2))
    names = {
        "fixed": "start and goal fixed\n(dotted: constant)",
        "varied": "start and goal vary",
        "recurrent": "recurrent S,\n4 sub-goals, 5 discs",
    }
    for row, (preset, name) in zip(panels, names.items(), strict=True):
        last = runs[preset][-1]
        row[0].set_ylabel(name)
        for k, axes in enumerate(row):
            draw_arena(axes, last.arenas.discs[k])
            for path in last.paths[k]:
                draw_path(axes, path, color="#8A8A8A", lw=0.8)
            draw_path(axes, chosen(last)[k], "o-", color="C0", ms=4, lw=2.2)
            if preset == "fixed":
                draw_path(axes, runs["constant"][-1].paths[k, 0], ":", color="C1", lw=1.8)
            for place, name in ((last.arenas.start[k], "S"), (last.arenas.goal[k], "G")):
                axes.text(place.real, place.imag, name, weight="bold", ha="center", va="center", fontsize=11)
    return figure


def learning(runs: dict[str, list]) -> Figure:
    """Failures and length of path over updates, one seed, and the constant sub-goals as a line."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.4, 3.8))
    floor = 1 / (2 * stub.Config().tests)  # where no failure at all is drawn

    def failures(snapshot: stub.Snapshot) -> float:
        return max(1 - snapshot.metrics["success"], floor)

    for preset, colour, name in (("fixed", "C0", "four lists"), ("single_list", "C4", "one list")):
        steps = [s.step for s in runs[preset]]
        left.plot(steps, [failures(s) for s in runs[preset]], "o-", ms=3, color=colour, label=name)
        right.plot(steps, [s.metrics["path_length"] for s in runs[preset]], "o-", ms=3, color=colour)
    constant = runs["constant"][-1]
    left.axhline(failures(constant), color="C1", lw=1.2, label="constant sub-goals")
    right.axhline(constant.metrics["path_length"], color="C1", lw=1.2)
    left.axhline(0.015, color="C3", lw=1.2, ls="--", label="reference")
    right.axhline(15.7, color="C3", lw=1.2, ls="--")
    right.axhline(11.5, color="C2", lw=1.2, ls=":")
    right.text(1, 11.45, "shortest", transform=right.get_yaxis_transform(), ha="right", va="top", color="C2")
    left.set(xlabel="updates", ylabel="share of test arenas (lowest: none)", yscale="log", title="Failures")
    right.set(xlabel="updates", ylabel="length of successful paths", title="Length")
    left.legend()
    return figure


def landscape(runs: dict[str, list]) -> Figure:
    """Predicted cost of a test path over the place of its first sub-goal: formula and net, with descent directions."""
    figure, panels = plt.subplots(1, 2, figsize=(9.2, 4.3))
    last = runs["learned_evaluator"][-1]
    discs, path, x = last.arenas.discs[2], chosen(last)[2], np.linspace(0, arena.SIDE, 121)
    paths = np.tile(path, (x.size, x.size, 1))
    paths[:, :, 1] = x + 1j * x[:, None]
    E = last.params.get("E")
    evaluators = [("Formula", stub.hinge_cost, 1)]
    if E is not None:
        evaluators.append(("Learned net", lambda p, d: stub.learned_cost(E, p, d), len(discs)))
    for axes, (name, evaluate, copies) in zip(panels, evaluators, strict=False):
        cost, grad = evaluate(paths, discs)
        shown = axes.pcolormesh(x, x, cost / copies, vmin=11, vmax=30, shading="nearest", rasterized=True)
        some = slice(6, None, 12)
        down = -grad[some, some, 1]
        down = down / np.maximum(np.abs(down), 1e-9)
        axes.quiver(x[some], x[some], down.real, down.imag, color="w", scale=28, width=0.004)
        for c in discs:
            axes.add_patch(Circle((c.real, c.imag), arena.RADIUS, fill=False, edgecolor="w", lw=1.2))
        draw_path(axes, path[[0, 2, 3]], "o", color="w", ms=5)
        axes.plot(path[1].real, path[1].imag, "*", color="C1", ms=12)
        axes.set(aspect="equal", title=name, xlim=(0, arena.SIDE), ylim=(0, arena.SIDE))
        axes.grid(False)
    figure.colorbar(shown, ax=panels, label="predicted cost of the path", extend="max")
    return figure


def lengths(runs: dict[str, list]) -> Figure:
    """Distribution over test arenas of the length of the path, relative to the direct way."""
    figure, axes = plt.subplots(figsize=(7.4, 4))
    last = runs["fixed"][-1]
    direct = np.abs(last.arenas.goal - last.arenas.start)
    rows = [("shortest clear path\n(random search)", "C2", shortest(last.arenas, chosen(last)) / direct)]
    names = {"fixed": "four lists", "learned_evaluator": "learned E", "single_list": "one list", "constant": "constant"}
    for (preset, name), colour in zip(names.items(), ("C0", "C6", "C4", "C1"), strict=True):
        snapshot = runs[preset][-1]
        paths = chosen(snapshot)
        clear = arena.succeeds(paths, snapshot.arenas.discs)
        rows.append((name, colour, (arena.length(paths) / direct)[clear]))
    rng = np.random.default_rng(0)
    for k, (_, colour, ratio) in enumerate(reversed(rows)):
        axes.plot(ratio, k + rng.uniform(-0.25, 0.25, len(ratio)), "o", color=colour, ms=4, alpha=0.6, mew=0)
    axes.set_yticks(range(len(rows)), [name for name, _, _ in reversed(rows)])
    axes.set(xlabel="length of path / direct way", title="How long the detours are, fixed start and goal")
    return figure


def swamps(runs: dict[str, list]) -> Figure:
    """Plain gradient descent in one arena with cones: paths of all inits, at the beginning and at the end."""
    figure, panels = plt.subplots(1, 4, figsize=(10.4, 3))
    for pair, preset, name in ((panels[:2], "one_swamp", "One swamp"), (panels[2:], "three_swamps", "Three swamps")):
        radius = stub.Config(**stub.PRESETS[preset]).cone
        for axes, snapshot in zip(pair, (runs[preset][0], runs[preset][-1]), strict=True):
            draw_arena(axes, snapshot.arenas.discs[0], radius)
            for paths, cost in zip(snapshot.paths, snapshot.costs, strict=True):
                for path, c in zip(paths, cost, strict=True):
                    draw_path(axes, path, "o-", color="C0" if c == 0 else "C1", ms=2.5, lw=0.9)
            axes.set_title(f"{name}, iteration {snapshot.step}", fontsize=9.5)
    panels[0].text(0.1, 0.1, "orange: cost > 0", color="C1", fontsize=8.5)
    return figure


FIGURES = (proposals, learning, landscape, lengths, swamps)


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
