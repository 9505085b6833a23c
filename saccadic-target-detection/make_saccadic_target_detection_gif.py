"""Film of saccadic-target-detection: the same start at three ages of the controller, and what the fovea sees."""

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle
from PIL import Image

import fovea
import saccadic_target_detection as stub

SNAPSHOTS = 60
FILMED = ("learnt_model", "poor_model", "random_model", "smoke")  # presets the film can show
STARTS, SACCADES, PARTS = (0, 3), 12, 4  # test starts shown one after the other; frames of a saccade
ORDER = np.argsort(-fovea.LEVELS, kind="stable")  # coarse fields first
SIDES = np.array(fovea.SIZES)[fovea.LEVELS][ORDER, None]


def squares(axes: plt.Axes, edge: str) -> PatchCollection:
    """The receptive fields around the origin, to be coloured later."""
    corners = fovea.CENTRES[ORDER] - SIDES / 2
    collection = PatchCollection([Rectangle(c, s, s) for c, s in zip(corners, SIDES[:, 0], strict=True)])
    collection.set(edgecolor=edge, linewidth=0.4)
    return axes.add_collection(collection)


def shade(f: np.ndarray) -> np.ndarray:
    """Greys of inputs (40,) in the order in which the fields are drawn."""
    return plt.get_cmap("Greys")(f[ORDER])


class Scene:
    """One column: on top the plane, below what the fovea of this age sees and what M predicts it will see next."""

    def __init__(self, snapshot: stub.Snapshot, stage: plt.Axes, seen: plt.Axes, predicted: plt.Axes):
        self.world, self.M = fovea.World((0.0, 0.0), 20.0, 0.0), snapshot.params["M"]
        starts = snapshot.paths[0, [k % snapshot.paths.shape[1] for k in STARTS]]
        self.f, self.a, self.poses = stub.rollout(snapshot.params["C"], self.world, starts, SACCADES)
        stage.add_patch(Polygon(np.array(fovea.TRIANGLE), facecolor="#C8C8C8", edgecolor="none"))
        stage.plot(0, 0, "x", color="C3", ms=7, mew=2)
        (self.path,) = stage.plot([], [], ".-", color="C0", lw=2, ms=9)
        self.frame = stage.add_patch(Rectangle((0, 0), 112, 112, fill=False, edgecolor="C0", lw=1.5))
        self.inner = stage.add_patch(Rectangle((0, 0), 32, 32, fill=False, edgecolor="C0", lw=0.8))
        stage.set(xlim=(-130, 130), ylim=(-130, 130), aspect="equal", xticks=(), yticks=())
        stage.grid(False)
        self.text = stage.text(-124, -124, "", fontsize=9)
        self.views = [squares(axes, "#BBBBBB") for axes in (seen, predicted)]
        for axes, title in ((seen, "seen"), (predicted, "M: next")):
            axes.set(xlim=(-57, 57), ylim=(-57, 57), aspect="equal", xticks=(), yticks=())
            axes.set_title(title, fontsize=9, loc="center", weight="normal")

    def draw(self, start: int, time: float) -> None:
        """Show the fovea `time` saccades after a start; fractions are on the way."""
        t = int(time)
        path = self.poses[: t + 1, start, :2]
        here = path[-1] + (time - t) * (self.poses[min(t + 1, SACCADES), start, :2] - path[-1])
        self.path.set_data(*np.vstack([path, here]).T)
        for box, side in ((self.frame, 112), (self.inner, 32)):
            box.set_xy(here - side / 2)
        self.text.set_text(f"saccade {t}   {np.hypot(*here):.0f} px from the target")
        seen = self.world.look(np.array([[*here, 0.0]]))[0]
        k = min(t, SACCADES - 1)  # M predicts the end of this saccade
        guess = stub.forward(self.M, np.concatenate([self.f[k, start], self.a[k, start]]))[1]
        for view, f in zip(self.views, (seen, guess), strict=True):
            view.set_facecolor(shade(f))


def film(snapshots: list, path: Path) -> None:
    """Columns: ages of the nets, all from the same starts."""
    ready = max(k for k, s in enumerate(snapshots) if s.T == 0)  # M has learnt, C has not
    early = min(ready + 2, len(snapshots) - 1)
    chosen = sorted({0, early, len(snapshots) - 1})
    figure = plt.figure(figsize=(3 * len(chosen), 4.9))
    for_planes, for_views = figure.subfigures(2, 1, height_ratios=(2.9, 1.7))
    planes = for_planes.subplots(1, len(chosen), squeeze=False)[0]
    views = for_views.subplots(1, 2 * len(chosen), squeeze=False)[0]
    scenes = [Scene(snapshots[k], planes[n], *views[2 * n : 2 * n + 2]) for n, k in enumerate(chosen)]
    for axes, k in zip(planes, chosen, strict=True):
        updates = snapshots[k].step - snapshots[ready].step
        axes.set_title(f"C: {updates} updates" if k else "untrained", loc="center")
    length = SACCADES * PARTS

    def draw(frame: int) -> None:
        for scene in scenes:
            scene.draw(frame // (length + 1), frame % (length + 1) / PARTS)

    draw(0)
    for _ in range(2):  # settles the layout, which then stays
        figure.draw_without_rendering()
    figure.set_layout_engine("none")
    write_gif(figure, draw, len(STARTS) * (length + 1), path, ms=90)
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
