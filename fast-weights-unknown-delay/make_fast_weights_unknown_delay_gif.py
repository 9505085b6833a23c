"""Film of fast_weights_unknown_delay: one system learns from its stream, then keeps an A in mind through many Cs."""

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

import fast_weights_unknown_delay as stub

SNAPSHOTS = 60
FILMED = tuple(name for name in stub.PRESETS if not name.startswith("recall"))  # presets the film can show
WINDOW = 40  # steps in view
FRAMES = 64
COLORS = ("C5", "C0", "C2")  # of A, B, C
TEST = "CABBC" + "A" + 45 * "C" + "BB" + 10 * "C" + "A" + 60 * "C" + "B" + 12 * "C"  # for the frozen system


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


def continued(cfg: stub.Config, life: stub.Life) -> stub.Life:
    """The life of system 0 with the test after it, in which S is frozen."""
    events = np.array(["ABC".index(letter) for letter in TEST])
    y, w = stub.respond(cfg, life.S[-1:], events[:, None])
    test = (events, stub.targets(events[:, None])[:, 0], y[:, 0], w[1:, 0], np.repeat(life.S[-1:], len(events), axis=0))
    return stub.Life(*(np.concatenate(pair) for pair in zip(life, test, strict=True)))


def film(snapshots: list[stub.Snapshot], path: Path) -> None:
    """Top: the stream with answers and targets; below: the fast weights and the slow weights."""
    learnt = len(snapshots[-1].life.event)
    memory = {3: "direct", 4: "fromto", 1: "none"}[snapshots[-1].params["S"].shape[1]]
    event, d, y, w, S = continued(stub.Config(memory=memory), snapshots[-1].life)
    figure = plt.figure(figsize=(7.8, 4.3))
    figure.get_layout_engine().set(w_pad=0.12)
    grid = figure.add_gridspec(2, 3, width_ratios=(1.5, 1, 1.2), height_ratios=(1.2, 1))
    stream, history = figure.add_subplot(grid[0, :]), figure.add_subplot(grid[1, 0])
    bars, slow = figure.add_subplot(grid[1, 1]), figure.add_subplot(grid[1, 2])
    ends = np.linspace(3, len(event), FRAMES).astype(int)
    ticks = {"xticks": range(3), "xticklabels": "ABC"}

    def draw(k: int) -> None:
        end = ends[k]
        start = max(0, end - WINDOW)
        t = np.arange(start, end)
        for ax in (stream, history, bars, slow):
            ax.clear()
        right = np.abs(y[t] - d[t]) <= stub.TOLERANCE
        stream.bar(t, d[t], width=0.8, color="C2", alpha=0.35)
        stream.scatter(t, y[t], c=np.where(right, "C0", "C1"), s=28, zorder=3)
        for step in t:
            stream.text(step, -0.42, "ABC"[event[step]], color=COLORS[event[step]], ha="center", weight="bold")
        stream.set(xlim=(start - 1, start + WINDOW), ylim=(-0.55, 1.35), yticks=(0, 1), xlabel="step")
        for place, color, text in ((0, "C2", "wanted"), (0.12, "C0", "right answer"), (0.32, "C1", "wrong answer")):
            stream.text(place, 1.04, text, color=color, weight="bold", transform=stream.transAxes)
        history.plot(t, w[t, stub.B], color="C0")
        history.set(xlim=(start - 1, start + WINDOW), ylim=(-0.05, 1.05), xlabel="step", title="Fast weight from B")
        bars.bar(range(3), w[end - 1], color=COLORS)
        bars.set(**ticks, ylim=(0, 1.05), title="Fast weights now")
        slow.imshow(S[end - 1], cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
        slow.set(**ticks, yticks=range(S.shape[1]), title="Slow weights")
        slow.set_yticklabels(("w_A", "w_B", "w_C") if S.shape[1] == 3 else range(S.shape[1]))
        slow.grid(False)
        phase = f"Learning, step {end}" if end <= learnt else f"S frozen, test step {end - learnt}"
        figure.suptitle(phase, x=0.01, ha="left")

    draw(FRAMES - 1)
    figure.canvas.draw()
    figure.set_layout_engine("none")  # from here on the axes stay where they are
    write_gif(figure, draw, FRAMES, path, ms=220)


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
