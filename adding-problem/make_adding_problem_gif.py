"""Film of adding-problem: one test sequence, what the cells do with it, and the test error, as training goes on."""

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

import adding_problem as stub

SNAPSHOTS = 70
FILMED = tuple(name for name in stub.PRESETS if name != "rnn")  # presets the film can show


def film(snapshots: list, path: Path) -> None:
    """Values with marks, cell states and input gates over time, wrong sequences over training."""
    test, last = snapshots[-1].test, snapshots[-1]
    spread = [np.ptp(np.flatnonzero(test.x[:, 1, b] == 1)) for b in range(8)]
    b = int(np.argmax(spread))  # the sequence whose marks are farthest apart
    end = test.length[b]
    value, marked = test.x[:end, 0, b], np.flatnonzero(test.x[:end, 1, b] == 1)
    figure, (top, cells, gates, score) = plt.subplots(
        4, 1, figsize=(7.6, 7), height_ratios=[1, 1.5, 0.8, 1.1], constrained_layout=True
    )
    top.vlines(range(end), 0, value, "C2", lw=1)
    top.vlines(marked, 0, value[marked], "C7", lw=3)
    top.plot(marked, value[marked], "C7o")
    top.set(ylabel="value", ylim=(-1.15, 1.15), xlim=(-1, end))
    top.set_title("One test sequence: add the two marked values after the last step")
    lines = [cells.plot([], [], c, lw=1.8)[0] for c in ("C0", "C4", "C5", "C6")]
    reach = 1.1 * np.abs(last.state[:end, :, b]).max()
    cells.set(ylabel="cell states", ylim=(-reach, reach), xlim=(-1, end))
    openings = [gates.plot([], [], c, lw=1.5)[0] for c in ("C0", "C5")]
    gates.set(ylabel="input gates", ylim=(-0.05, 1.05), xlim=(-1, end), xlabel="step")
    (curve,) = score.semilogy([], [], "C0")
    score.axhline(3, color="C3", ls="--")
    score.text(0.99, 4, "the paper: at most 3", ha="right", transform=score.get_yaxis_transform())
    score.set(xlabel="training sequences", ylabel="wrong of 2560", xlim=(0, last.step), ylim=(0.4, 4000))
    score.set_yticks([0.5, 1, 10, 100, 1000], ["0", "1", "10", "100", "1000"])

    def draw(k: int) -> None:
        now = snapshots[k]
        for c, line in enumerate(lines):
            line.set_data(range(end), now.state[:end, c % now.state.shape[1], b])
        for c, line in zip((0, -1), openings, strict=True):
            line.set_data(range(end), now.in_gate[:end, c, b])
        cells.set_title(f"after {now.step:,} sequences: output {now.output[b]:.3f}, target {test.target[b]:.3f}")
        wrong = [max(s.metrics["wrong"], 0.5) for s in snapshots[: k + 1]]
        curve.set_data([s.step for s in snapshots[: k + 1]], wrong)

    write_gif(figure, draw, len(snapshots), path, ms=120)
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
