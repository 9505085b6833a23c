"""Film of rs_tomita: nets are drawn and rejected until one fits, language after language, search after search."""

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from PIL import Image

import rs_tomita as stub
from string_nets import descend, unpack, verdicts
from tomita_languages import LANGUAGES, all_strings, prefix_tree, tomita_strings
from visualize_rs_tomita import NAMES, PAPER_TRIALS, SYMBOL_COLORS

SNAPSHOTS = 60
FILMED = tuple(name for name in stub.PRESETS if name not in ("four_units", "automaton", "tanh", "count"))
REJECTED = 8  # draws shown before the first fit of a language
STATE_COLORS = ("C0", "C6", "C7", "#444444")  # of Tomita's automata; the last language has four states
RIGHT, WRONG, UNREAD = "C0", "C1", "#BBBBBB"


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


def in_reading_order(language: int) -> list[str]:
    """Tomita's strings in the order in which a draw reads them."""
    return sorted(tomita_strings(language), key=lambda string: (len(string), string[-1], string))


def reading(weights: np.ndarray, language: int) -> list[str]:
    """Colour of every training string: a draw is not run on strings behind its first error."""
    tree = prefix_tree(tomita_strings(language), language)
    says = verdicts(unpack("second_order", 3, weights[:, None]), tree)[:, 0]
    right = says == np.concatenate([level.labels for level in tree])
    read = int(np.logical_and.accumulate(right).sum())
    return [RIGHT if k < read else WRONG if k == read else UNREAD for k in range(len(right))]


def draw_states(ax: Axes, weights: np.ndarray, language: int) -> None:
    """Activations after all strings of up to six symbols in the cube of three units, the output upwards.

    The colour of a dot is the state of Tomita's automaton after the same string; lines are steps from state to state.
    """
    net, automaton = unpack("second_order", 3, weights[:, None]), LANGUAGES[language]
    cube = np.array([[0, 1.3], [1, 0], [0.6, 0.45]])  # where the three edges of the cube point in the picture
    h, states = net.h0[None, :, None], [0]
    places = h[..., 0] @ cube
    for level in prefix_tree(all_strings(6), language):
        h = descend(net, level, h)
        before, places = places, h[..., 0] @ cube
        origins = [(parent, symbol) for symbol in (0, 1) for parent in level.parents[symbol]]
        states = [automaton.delta[states[parent]][symbol] for parent, symbol in origins]
        steps = np.stack([before[[parent for parent, _ in origins]], places], axis=1)
        colors = [SYMBOL_COLORS[symbol] for _, symbol in origins]
        ax.add_collection(LineCollection(steps, colors=colors, linewidths=0.6, alpha=0.4))
        ax.scatter(*places.T, s=24, color=[STATE_COLORS[q] for q in states], zorder=3)
    ax.set(xlim=(-0.2, 1.8), ylim=(-0.15, 1.9))


def scenes(snapshots: list[stub.Snapshot]) -> list[tuple[stub.Snapshot, str, np.ndarray]]:
    """Frames: a snapshot, the language being searched, the weights on show. Some rejected draws come before a fit."""
    frames = []
    for before, now in zip(snapshots, snapshots[1:], strict=False):
        for language in now.params:
            count = now.params[language].shape[1]
            if language not in before.params:
                frames += [(before, language, w) for w in now.tried[language].T[:REJECTED]]
            if count > (before.params[language].shape[1] if language in before.params else 0):
                frames.append((now, language, now.params[language][:, -1]))
    return frames


def film(snapshots: list[stub.Snapshot], path: Path) -> None:
    """Above, the strings of each language as the draw of the moment reads them; below, its states and the trials."""
    figure, axes = plt.subplots(3, 3, figsize=(8.8, 6.6), height_ratios=(2.2, 1.5, 0.55))
    texts, dots = {}, {}
    for (top, middle, bottom), (language, name) in zip(axes.T, NAMES.items(), strict=True):
        strings = in_reading_order(int(language))
        top.set(xlim=(0, 1), ylim=(19.5, -0.5), title=name, xticks=(), yticks=())
        top.spines[:].set_visible(False)
        texts[language] = []
        for k, string in enumerate(strings):
            kind = "in" if LANGUAGES[int(language)].accepts(string) else "out"
            top.text(0.12, k, kind, ha="right", va="center", fontsize=7)
            texts[language].append(top.text(0.16, k, string, va="center", fontsize=8, family="monospace"))
        middle.axis("off")
        dots[language] = bottom.plot([], [], "|", color="C0", markersize=14, alpha=0.7)[0]
        bottom.axvline(PAPER_TRIALS[language][0], color="C3", linestyle="--", linewidth=1)
        bottom.set(xscale="log", xlim=(0.7, 500_000), ylim=(-1, 1), yticks=(), xlabel="draws per search")
    legend = {"string is right": RIGHT, "first error": WRONG, "not read": UNREAD}
    legend |= {"line: reads 0": SYMBOL_COLORS[0], "line: reads 1": SYMBOL_COLORS[1], "dashed: paper's mean": "C3"}
    for k, (meaning, color) in enumerate(legend.items()):
        axes[0, 0].text(0.56, 1.3 * k, meaning, color=color, fontsize=8, va="center")
    frames = scenes(snapshots)

    def draw(k: int) -> None:
        snapshot, shown, weights = frames[k]
        for (_, middle, bottom), language in zip(axes.T, NAMES, strict=True):
            found = snapshot.params.get(language, np.zeros((18, 0)))
            if language == shown:
                colors = reading(weights, int(language))
            else:
                colors = [RIGHT if found.shape[1] else UNREAD] * len(texts[language])
            for text, color in zip(texts[language], colors, strict=True):
                text.set_color(color)
            middle.clear()
            middle.axis("off")
            if language == shown or found.shape[1]:
                draw_states(middle, weights if language == shown else found[:, -1], int(language))
            trials = snapshot.trials.get(language, np.zeros(0))
            dots[language].set_data(trials, np.zeros(len(trials)))
            bottom.set_title(f"{len(trials)} searches, mean {trials.mean():,.0f}" if len(trials) else "no fit yet")

    draw(len(frames) - 1)
    figure.canvas.draw()
    figure.set_layout_engine("none")  # from here on the axes stay where they are
    write_gif(figure, draw, len(frames), path, ms=150)


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
