"""Film of pole-balance-markov-vac: one learner at four ages, with the four pains that its critic predicts."""

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
import pole_balance_markov_vac as stub

SNAPSHOTS = 60
FILMED = ("vector", "smoke")  # presets the film can show
FRAMES, STRIDE = 90, 3  # time steps in a frame
AGES = (0, 10, 40)  # failures; the fourth age is the end of training
LETTERS = ("left\nend", "right\nend", "left\nfall", "right\nfall")


class Scene:
    """One column: a trial that the first learner lives at the age of a snapshot, and what its critic predicts."""

    def __init__(self, snapshot: stub.Snapshot, stage: plt.Axes, below: plt.Axes):
        cfg, rng = stub.Config(), np.random.default_rng(1)
        w, v = (snapshot.params[name][..., :1] for name in ("w", "v"))
        self.states, self.V, self.right = [cart_pole.start(rng, 1)], [], []
        while len(self.right) < FRAMES * STRIDE and not cart_pole.failed(self.states[-1])[0]:
            state, moved = stub.act(cfg, v, self.states[-1], rng.random(1))
            self.V.append(stub.predict(w, moved.phi)[:, 0])
            self.right.append(bool(moved.right[0]))
            self.states.append(state)
        self.kind = stub.kind_of_failure(self.states[-1])[:, 0].argmax()
        self.fell = bool(cart_pole.failed(self.states[-1])[0])
        stage.plot([-2.4, 2.4], [0, 0], color="C2", lw=1)
        (self.cart,) = stage.plot([], [], color="C3", lw=7, solid_capstyle="butt")
        (self.pole,) = stage.plot([], [], color="C0", lw=3)
        (self.force,) = stage.plot([], [], color="C7", lw=2)
        self.text = stage.text(0, -0.75, "", ha="center")
        stage.set(xlim=(-2.9, 2.9), ylim=(-1, 1.4), aspect="equal", xticks=(), yticks=())
        stage.set_title(f"trial {snapshot.failures[0] + 1}", loc="center")
        stage.grid(False)
        for spine in stage.spines.values():
            spine.set_visible(False)
        self.bars = below.bar(range(4), [0] * 4, color="C0")
        below.set(ylim=(0, 1), xlim=(-0.6, 3.6))
        below.set_xticks(range(4), LETTERS, fontsize=8)

    def draw(self, frame: int) -> None:
        now = min(frame * STRIDE, len(self.right))
        x, _, theta, _ = self.states[now][:, 0]
        last = min(now, len(self.right) - 1)
        self.cart.set_data([x - 0.25, x + 0.25], [0.1, 0.1])
        self.pole.set_data([x, x + np.sin(theta)], [0.15, 0.15 + np.cos(theta)])
        self.force.set_data([x, x + (0.9 if self.right[last] else -0.9)], [-0.15, -0.15])
        down = self.fell and now == len(self.right)
        self.text.set_text(f"{stub.KINDS[self.kind]}, step {now}" if down else f"step {now}")
        self.text.set_color("C1" if down else "C3")
        for k, bar in enumerate(self.bars):
            bar.set_height(self.V[last][k])
            bar.set_color("C1" if down and k == self.kind else "C0")


def film(snapshots: list, path: Path) -> None:
    """Columns: ages. Top: a trial; middle: predicted pains; bottom: length of every trial of this learner."""
    failures = np.array([snapshot.failures[0] for snapshot in snapshots])
    chosen = sorted({*(int(np.abs(failures - age).argmin()) for age in AGES), len(snapshots) - 1})
    figure = plt.figure(figsize=(8.8, 5.4))
    stages, belows, (progress,) = (
        part.subplots(1, n, sharey=n > 1, squeeze=False)[0]
        for part, n in zip(
            figure.subfigures(3, 1, height_ratios=(1.2, 1.1, 1.1)), (len(chosen), len(chosen), 1), strict=True
        )
    )
    scenes = [Scene(snapshots[k], *axes) for k, *axes in zip(chosen, stages, belows, strict=True)]
    belows[0].set_ylabel("predicted pain")
    lengths = snapshots[-1].lengths[: failures[-1] + 1, 0].clip(1)
    progress.plot(np.arange(1, len(lengths) + 1), lengths, color="C0", lw=1)
    ages = failures[chosen]
    progress.plot(ages + 1, lengths[ages], "o", color="C0")
    progress.axhline(30_000, color="C3", ls="--", lw=1.2)
    progress.text(1, 24_000, "paper: 30,000 steps", color="C3", va="top", fontsize=8)
    progress.set(yscale="log", ylim=(4, 60_000), xlabel="trial of this learner; dots: the ages above", ylabel="steps")

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
