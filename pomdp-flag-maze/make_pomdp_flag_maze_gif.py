"""Film of pomdp-flag-maze: the same controller with either cue, at several ages."""

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

import pomdp_flag_maze as stub
from flag_maze import Maze, live
from maze_controller import actor, greedy, policy

SNAPSHOTS = 60
FILMED = ("recurrent", "memoryless", "through_model", "uniform", "smoke")  # presets the film can show
AGES = (0, 0.65, 0.67, 0.7, 0.8, 1)  # shares of the looks; before 0.64 only M learns
STEPS = 12  # of every episode
MOVES = np.array([[0, 1], [1, 0], [0, -1], [-1, 0]])  # N, E, S, W in the picture


class Scene:
    """One column: the maze with one cue, the agent with its policy, and C's hidden units."""

    def __init__(self, maze: Maze, cue: float, stage: plt.Axes, below: plt.Axes):
        self.cells = np.array([(column, -row) for row, column in maze.cells])
        for (x, y), walls in zip(self.cells, maze.walls, strict=True):
            stage.add_patch(plt.Rectangle((x - 0.5, y - 0.5), 1, 1, color="#EEEEEE", lw=0))
            for (dx, dy), wall in zip(MOVES / 2, walls, strict=True):
                if wall:
                    stage.plot([x + dx - dy, x + dx + dy], [y + dy - dx, y + dy + dx], color="C3", lw=1.5)
        for flag, name in ((1, "right" if cue > 0 else "wrong"), (-1, "wrong" if cue > 0 else "right")):
            x, y = self.cells[np.flatnonzero(maze.flag == flag)[0]]
            colour = "C4" if name == "right" else "C1"
            stage.text(x - 0.6, y, name, ha="right", va="center", color=colour, fontsize=9)
        self.cue = stage.text(0, 1.2, "", ha="center", fontsize=12, color="C0")
        self.word = stage.text(0, -3.9, "", ha="left", fontsize=9)
        self.arrows = [stage.plot([], [], color="C0", lw=2)[0] for _ in MOVES]
        (self.agent,) = stage.plot([], [], "o", color="C0", ms=12)
        stage.set(xlim=(-0.7, 4.7), ylim=(-4.7, 0.7), aspect="equal", xticks=(), yticks=())
        stage.set_title(f"cue: the {'upper' if cue > 0 else 'lower'} flag is right", fontsize=10)
        stage.grid(False)
        for spine in stage.spines.values():
            spine.set_visible(False)
        self.below = below
        self.sign = cue

    def show(self, t: int, cell: int, over: bool, pi: np.ndarray, h: np.ndarray, right: float) -> None:
        x, y = self.cells[cell]
        self.agent.set_data([x], [y])
        self.cue.set_position((0, -1.2))
        self.cue.set_text(("cue: up" if self.sign > 0 else "cue: down") if t == 0 else "")
        self.word.set_text({1: "at the right flag", -1: "at the wrong flag"}[right] if over else f"step {t}")
        self.word.set_color({True: "C4" if right > 0 else "C1", False: "C3"}[over])
        for (dx, dy), p, arrow in zip(MOVES, pi, self.arrows, strict=True):
            reach = 0 if over else 0.9 * p
            arrow.set_data([x, x + dx * reach], [y, y + dy * reach])
        for bar, height in zip(self.bars, h, strict=True):
            bar.set_height(height)


def film(snapshots: list, path: Path) -> None:
    """Columns: the two cues, and progress. Top: the maze; below: C's hidden units; frames: ages, then steps."""
    chosen = np.unique(np.round(np.array(AGES) * (len(snapshots) - 1)).astype(int))
    figure = plt.figure(figsize=(8.8, 4.8))
    grid = figure.add_gridspec(2, 3, height_ratios=(2.6, 1), width_ratios=(1, 1, 0.9))
    maze, cues = Maze(5), np.array([1.0, -1.0])
    scenes = [Scene(maze, cue, *(figure.add_subplot(grid[row, k]) for row in (0, 1))) for k, cue in enumerate(cues)]
    n = len(snapshots[0].params["C"]["w"])
    for scene in scenes:
        scene.bars = scene.below.bar(range(n), np.zeros(n), color="C0")
        scene.below.set(ylim=(-1, 1), xticks=(), xlabel="hidden units of C")
    lives = []
    for k in chosen:
        C = snapshots[k].params["C"]
        life = live(maze, cues, STEPS, actor(C, 2, greedy))
        source, pi = policy(C, life.o)
        lives.append((life, pi, source[1:, :, stub.OBSERVATION + 1 :]))
    step = [s.step for s in snapshots]
    panels = [figure.add_subplot(grid[0, 2]), figure.add_subplot(grid[1, 2])]
    panels[0].plot(step, [s.metrics["flag_error"] for s in snapshots], color="C5")
    panels[0].set(yscale="log", title="M: error at flags", xticklabels=())
    panels[1].plot(step, [s.metrics["sampled_success"] for s in snapshots], color="C0")
    panels[1].set(ylim=(-0.05, 1.05), title="C: right flag", xlabel="updates of M, then of C")
    marks = [panel.axvline(0, color="C3", lw=1) for panel in panels]

    def draw(frame: int) -> None:
        age, t = divmod(frame, STEPS + 1)
        life, pi, h = lives[age]
        for k, scene in enumerate(scenes):
            over = bool(t >= life.length[k] and life.right[k])
            scene.show(t, life.cell[t, k], over, pi[t, k], h[t, k], life.right[k])
        for mark in marks:
            mark.set_xdata([step[chosen[age]]] * 2)
        figure.suptitle(f"after {step[chosen[age]]} updates", x=0.01, ha="left", fontsize=11)

    write_gif(figure, draw, len(chosen) * (STEPS + 1), path, ms=200)
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
