"""Film of predictability-min-binary-factors: codes of all patterns, their predictions, and how many nets succeed."""

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import predictability_min_binary_factors as stub
from unpredictability_game import all_bits, predict, probabilities

SNAPSHOTS = 200
FILMED = ("e4", "e1", "e2", "e3", "o1", "o2", "o3", "n1", "n2")  # presets the film can show: tables
AFTER = 1.5  # the film ends when this multiple of the time that nine of ten successes take is over


def write_gif(figure: Figure, draw: Callable[[int], None], frames: int, path: Path, ms: int) -> None:
    """Write a looping GIF: draw(k) updates the figure to frame k, shown for `ms` milliseconds, the last for 2 s."""
    images = []
    for k in range(frames):
        draw(k)
        figure.canvas.draw()
        images.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()))
    sample = np.concatenate([np.asarray(images[k]) for k in (0, frames // 2, -1)])
    palette = Image.fromarray(sample).quantize(64)
    first, *rest = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    unfinished = path.with_suffix(".tmp")
    durations = [ms] * (frames - 1) + [2000]
    first.save(unfinished, format="GIF", save_all=True, append_images=rest, duration=durations, loop=0)
    os.replace(unfinished, path)


def predictions(snapshot: stub.Snapshot, net: int) -> np.ndarray:
    """Mean prediction (N, M) of every unit for every pattern, over the bits that the predictors see of the others."""
    names = [name for name in snapshot.params if name.startswith("predictor_")]
    predictor = {name.removeprefix("predictor_"): snapshot.params[name][net : net + 1] for name in names}
    y = snapshot.y[net]
    return probabilities(y) @ predict(predictor, all_bits(y.shape[1]))[1][0].T


def film(snapshots: list[stub.Snapshot], path: Path) -> None:
    """Inputs and code of all patterns, y and its predictions for every unit, V of all nets, and their success."""
    end = snapshots[-1]
    shown = [s for s in snapshots if s.step <= max(AFTER * end.metrics["slow"], snapshots[1].step)]
    shown = shown[:: -(-len(shown) // 100)]
    (_, N, M), D, net = end.y.shape, end.params["W"].shape[1], int(end.V[:8].argmax())
    figure, panels = plt.subplot_mosaic(
        [["inputs", "code", "units", "V"], ["inputs", "code", "units", "share"]],
        figsize=(8.8, 5.0),
        width_ratios=(0.24 * D**0.5, 0.5, 2.6, 2.2),
    )
    panels["inputs"].imshow(np.eye(N) if D == N else all_bits(D), cmap="Greys", vmin=0, vmax=1.3, aspect="auto")
    panels["inputs"].set(title="Input", xticks=(), yticks=(), ylabel="patterns")
    code = panels["code"].imshow(np.zeros((N, M)), cmap="Greys", vmin=0, vmax=1.3, aspect="auto")
    panels["code"].set(title="Code", xticks=(), yticks=())
    height = np.arange(M)[:, None] + np.linspace(-0.38, 0.38, N)  # one line for every unit and pattern
    gaps = panels["units"].hlines(height.ravel(), 0, 1, color="C2", lw=0.8)
    (ticks,) = panels["units"].plot([], [], "|", color="C1", ms=60 / N + 5, mew=2)
    (dots,) = panels["units"].plot([], [], "o", color="C0", ms=4)
    panels["units"].set(xlim=(-0.03, 1.03), ylim=(M - 0.5, -0.5), yticks=range(M), xticks=(0, 0.5, 1))
    panels["units"].set(xlabel="output of the unit", yticklabels=[f"unit {i + 1}" for i in range(M)])
    panels["units"].set_title("Unit (dots)", color="C0")
    panels["units"].set_title("its prediction (bars)", color="C1", loc="right", fontsize=10)
    for name, axis in {"inputs": "both", "code": "both", "units": "y"}.items():
        panels[name].grid(False, axis=axis)
    steps, V = [s.step for s in shown], np.array([s.V for s in shown])
    others = panels["V"].plot(steps[:1], V[:1], color="C2", lw=0.6)
    (own,) = panels["V"].plot([], [], color="C0")
    panels["V"].set(title="V of all nets", ylim=(0, 1.08 * V.max()), xlim=(0, steps[-1]))
    panels["V"].text(0.97 * steps[-1], 0.05 * V.max(), "blue: the net shown", color="C0", ha="right", fontsize=9)
    (share,) = panels["share"].plot([], [], color="C0")
    panels["share"].set(title="Share of factorial codes", ylim=(0, 1.03), xlim=(0, steps[-1]), xlabel="epochs")

    def draw(k: int) -> None:
        y, P = shown[k].y[net], predictions(shown[k], net)
        code.set_data(y)
        gaps.set_segments([[(a, h), (b, h)] for a, b, h in zip(P.T.ravel(), y.T.ravel(), height.ravel(), strict=True)])
        ticks.set_data(P.T.ravel(), height.ravel())
        dots.set_data(y.T.ravel(), height.ravel())
        for line, values in zip([*others, own], [*V.T, V[:, net]], strict=True):
            line.set_data(steps[: k + 1], values[: k + 1])
        share.set_data(steps[: k + 1], [s.metrics["factorial"] for s in shown[: k + 1]])
        figure.suptitle(f"Epoch {steps[k]}", x=0.99, ha="right")

    draw(len(shown) - 1)
    figure.canvas.draw()
    figure.set_layout_engine("none")  # from here on the axes stay where they are
    write_gif(figure, draw, len(shown), path, ms=150)
    plt.close(figure)


def main(argv: list[str] | None = None) -> int:
    """Train one preset, keep SNAPSHOTS looks at it, and write the film."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.error = lambda message: parser.exit(2, f"{parser.prog}: {message} (see --help)\n")
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    parser.add_argument("--preset", choices=FILMED, default=FILMED[0], help="default %(default)s")
    default_out = Path(__file__).with_name(f"{stub.__name__}.gif")
    parser.add_argument("--out", type=Path, default=default_out, help=f"file (default {default_out.name})")
    args = parser.parse_args(argv)
    style = Path(__file__).parents[1] / "matplotlibrc"
    if style.exists():
        matplotlib.rc_file(style)
    cfg = replace(stub.Config(**stub.PRESETS[args.preset]), snapshots=SNAPSHOTS)
    print(f"training {args.preset}, seed {args.seed}", flush=True)
    film(list(stub.train(cfg, np.random.default_rng(args.seed))), args.out)
    print(args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
