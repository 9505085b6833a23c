"""Film of fast_weights_key_value: a car park, the fast weights and F's answer, early, later and after learning."""

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

import fast_weights_key_value as stub

SNAPSHOTS = 20
FILMED = tuple(name for name in stub.PRESETS if name != "retrieval")  # presets the film can show
SHOWN = 25  # steps of each part of the film
SLOT_COLORS = ("C0", "C4", "C5")


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


def scenes(last: stub.Snapshot) -> list[tuple[str, stub.Life]]:
    """What each frame shows: the first steps of system 0, steps from the middle of its life, and a test."""
    life, frames = last.life, []
    parts = [("Learning", life, start) for start in (0, len(life.w) // 3)]
    cfg = stub.Config(systems=1)
    stream = stub.drive(cfg, 200, 0.08, np.random.default_rng(1))
    w = stub.run_frozen(cfg, last.params["S"][:1], stream.x)
    test = stub.Life(stream.x[:, 0], stream.slot[:, 0], stream.asked[:, 0], w[:, 0])
    for title, moments, start in [*parts, ("S frozen, long stays", test, 0)]:
        for t in range(start, start + SHOWN):
            frames.append((f"{title}, step {t + 1}", stub.Life(*(a[t] for a in moments))))
    return frames


def film(snapshots: list[stub.Snapshot], path: Path) -> None:
    """Left the car park and what S sees besides; right the fast weights, lit when F is asked for the car."""
    frames = scenes(snapshots[-1])
    figure, (park, bars) = plt.subplots(1, 2, figsize=(7.6, 3.9), width_ratios=(1.1, 1))
    figure.get_layout_engine().set(w_pad=0.12)

    def draw(k: int) -> None:
        title, now = frames[k]
        slot, asked = now.slot[0], now.asked >= 0
        park.clear()
        bars.clear()
        park.axis("off")
        park.set(xlim=(0, 3), ylim=(0, 3))
        for s, color in enumerate(SLOT_COLORS):
            park.add_patch(plt.Rectangle((s + 0.08, 1.7), 0.84, 1.1, facecolor="white", edgecolor=color, linewidth=2))
            park.text(s + 0.5, 2.62, f"slot {s + 1}", color=color, ha="center", fontsize=9)
        x, y = (slot + 0.25, 1.95) if slot >= 0 else (0.3 + 0.9 * (k % 3), 1.05)
        seen = slot >= 0 and now.x[slot]
        park.add_patch(plt.Rectangle((x, y), 0.5, 0.3, color="C7" if seen or slot < 0 else "C2"))
        what = "just seen by S" if seen else "parked, unseen" if slot >= 0 else "driving"
        park.text(0, 0.72, f"car: {what}", fontsize=10)
        park.text(0, 0.4, "random bits: " + " ".join(str(bit) for bit in now.x[3:]), fontsize=10)
        park.text(0, 0.08, "WHERE IS MY CAR?" if asked else "", fontsize=11, weight="bold")
        bars.bar(range(3), now.w, color=SLOT_COLORS, alpha=1.0 if asked else 0.35)
        if slot >= 0:
            bars.plot([slot - 0.4, slot + 0.4], [1, 1], color="C3", linestyle="--")
        bars.set(xticks=range(3), xticklabels=("slot 1", "slot 2", "slot 3"), ylim=(0, 1.25), yticks=(0, 0.5, 1))
        bars.set_title("Fast weights")
        if asked:
            right = np.abs(now.w - (np.arange(3) == slot)).max() <= stub.TOLERANCE
            bars.text(
                0.02, 1.13, f"answer: {'right' if right else 'wrong'}", color="C0" if right else "C1", fontsize=11
            )
        figure.suptitle(title, x=0.01, ha="left")

    draw(len(frames) - 1)
    figure.canvas.draw()
    figure.set_layout_engine("none")  # from here on the axes stay where they are
    write_gif(figure, draw, len(frames), path, ms=300)


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
