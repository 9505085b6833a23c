"""Film of pipe_6_bit_parity: the best program so far, its answers, and how sure the prototype tree is of it."""

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from PIL import Image

import pipe_6_bit_parity as stub
from visualize_pipe_6_bit_parity import draw_program, label_instructions

SNAPSHOTS = 90
FILMED = tuple(stub.PRESETS)  # presets the film can show


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


def gray(bits: int) -> list[int]:
    """All numbers of so many bits, each differing from the last in one bit."""
    return [k ^ (k >> 1) for k in range(2**bits)]


def karnaugh(answers: np.ndarray) -> np.ndarray:
    """Wrong answers (1) as a map whose neighbours differ in one input; rows are the first half of the inputs."""
    bits = int(np.log2(len(answers)))
    rows, columns = gray(bits // 2), gray(bits - bits // 2)
    pattern = np.array([[row | column << bits // 2 for column in columns] for row in rows])
    target = np.array([row.bit_count() % 2 == 0 for row in range(2**bits)])
    return (answers != target)[pattern].astype(float)


def film(snapshots: list[stub.Snapshot], path: Path) -> None:
    """Left the patterns that the elite gets right, right the elite; opaque nodes are those the tree is sure of."""
    figure, (map_ax, tree_ax) = plt.subplots(1, 2, figsize=(8.8, 4.0), width_ratios=(1, 2))
    bits = int(np.log2(len(snapshots[0].answers)))
    image = map_ax.imshow(karnaugh(snapshots[0].answers), vmin=0, vmax=1, cmap=ListedColormap(["#009E73", "#F0E0D6"]))
    map_ax.set(xticks=[], yticks=[], xlabel=f"inputs {bits // 2} to {bits - 1}", ylabel=f"inputs 0 to {bits // 2 - 1}")
    map_ax.grid(False)

    def draw(k: int) -> None:
        snapshot = snapshots[k]
        image.set_data(karnaugh(snapshot.answers))
        wrong = snapshot.metrics["wrong"]
        map_ax.set_title(f"{len(snapshot.answers) - wrong:.0f} of {len(snapshot.answers)} right")
        tree_ax.clear()
        sure = np.ones(len(snapshot.program))
        if len(snapshot.params):
            sure = snapshot.params[np.arange(len(sure)), snapshot.program]
        draw_program(tree_ax, snapshot.program, bits, sure)
        label_instructions(tree_ax, -0.06)
        title = f"Best of {snapshot.step:,} programs; opaque: probable in its node"
        tree_ax.set_title(title if snapshot.step else "Before the search")

    draw(len(snapshots) - 1)
    figure.canvas.draw()
    figure.set_layout_engine("none")  # from here on the axes stay where they are
    write_gif(figure, draw, len(snapshots), path, ms=150)


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
