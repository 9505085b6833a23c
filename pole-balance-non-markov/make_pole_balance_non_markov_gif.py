"""Film of pole-balance-non-markov: the same start, lived by the controller at four ages, and as it imagined it."""

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

import cart_pole
import pole_balance_non_markov as stub
import pole_model
import pole_trials

SNAPSHOTS = 60
FILMED = tuple(stub.PRESETS)  # presets the film can show
FRAMES, STRIDE, PRIME = 90, 4, 8  # time steps in a frame; recorded steps that begin the imagined trial


class Scene:
    """One column: the cart-pole of one snapshot, and its angle, real and imagined by its own C and M."""

    def __init__(self, snapshot: stub.Snapshot, start: np.ndarray, stage: plt.Axes, below: plt.Axes):
        T = FRAMES * STRIDE
        C, M = snapshot.params["C"], snapshot.params["M"]
        life = pole_trials.live(C, start, None, T)
        self.states, self.u, self.length = life.states[..., 0], life.u[:, 0], int(life.length[0])
        self.fell = bool(cart_pole.failed(life.states[-1])[0])
        z = pole_trials.observe(life.states)
        model = pole_model.LearntModel(M, z[:PRIME], life.u[:PRIME], T - PRIME)
        imagined = stub.imagine(C, model, z[: PRIME + 1], T - PRIME)[0][:, 1, 0]
        self.angles = z[:, 1, 0] * 12
        stage.plot([-2.4, 2.4], [0, 0], color="C2", lw=1)
        (self.cart,) = stage.plot([], [], color="C3", lw=7, solid_capstyle="butt")
        (self.pole,) = stage.plot([], [], color="C0", lw=3)
        (self.force,) = stage.plot([], [], color="C1", lw=2)
        self.text = stage.text(0, -0.75, "", ha="center", fontsize=10)
        stage.set(xlim=(-2.6, 2.6), ylim=(-1, 1.5), aspect="equal", xticks=(), yticks=())
        stage.set_title(f"{snapshot.lived} trials, {snapshot.step} updates", fontsize=9, loc="center")
        stage.grid(False)
        for spine in stage.spines.values():
            spine.set_visible(False)
        below.plot(imagined * 12, color="C1", lw=1.2)
        (self.real,) = below.plot([], [], color="C0")
        below.set(xlim=(0, T), ylim=(-14, 14), yticks=(-12, 0, 12), xlabel="time step")

    def draw(self, frame: int) -> None:
        now = min(frame * STRIDE, self.length)
        x, _, theta, _ = self.states[now]
        u = self.u[min(now, self.length - 1)]
        self.cart.set_data([x - 0.25, x + 0.25], [0.1, 0.1])
        self.pole.set_data([x, x + np.sin(theta)], [0.15, 0.15 + np.cos(theta)])
        self.force.set_data([x, x + 1.5 * u], [-0.15, -0.15])
        down = self.fell and now == self.length
        self.text.set_text(f"failed at step {now}" if down else f"step {now}")
        self.text.set_color("C1" if down else "C3")
        self.real.set_data(range(now + 1), self.angles[: now + 1])


def film(snapshots: list, path: Path) -> None:
    """Columns: ages of the controller. Top: the trial; middle: its angle, real and imagined; bottom: progress."""
    chosen = np.unique(np.linspace(0, len(snapshots) - 1, 4).round().astype(int))
    figure = plt.figure(figsize=(8.8, 5.2))
    stages, belows, (progress,) = (
        part.subplots(1, n, sharey=n > 1, squeeze=False)[0]
        for part, n in zip(
            figure.subfigures(3, 1, height_ratios=(1.35, 1.1, 1.1)), (len(chosen), len(chosen), 1), strict=True
        )
    )
    start = cart_pole.start(np.random.default_rng(8), 1)
    scenes = [Scene(snapshots[k], start, *axes) for k, *axes in zip(chosen, stages, belows, strict=True)]
    belows[0].set_ylabel("angle (degrees)")
    belows[0].text(0.98, 0.9, "real", color="C0", ha="right", va="top", transform=belows[0].transAxes)
    belows[0].text(0.98, 0.1, "imagined", color="C1", ha="right", transform=belows[0].transAxes)
    updates, steps = [s.step for s in snapshots], [s.metrics["steps_1000"] for s in snapshots]
    progress.plot(updates, steps, color="C0")
    progress.plot([updates[k] for k in chosen], [steps[k] for k in chosen], "o", color="C0")
    progress.axhline(1000, color="C3", ls="--", lw=1.2)
    progress.set(ylim=(0, 1100), xlabel="updates of the controller; dots: the ages above", ylabel="mean steps\nof 1000")

    def draw(frame: int) -> None:
        for scene in scenes:
            scene.draw(frame)

    write_gif(figure, draw, FRAMES, path, ms=80)
    plt.close(figure)


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
