"""Every figure draws and every film is a GIF, from two smoke snapshots."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

import behaviour
from catalog import stubs
from conftest import ROOT


@pytest.fixture(autouse=True)
def style():
    with matplotlib.rc_context(fname=str(ROOT / "matplotlibrc")):
        yield
    plt.close("all")


def test_pictures(stub, tmp_path):
    module = stubs.load(stub)
    first, *_, last = module.train(behaviour.config(module, snapshots=2), np.random.default_rng(0))
    figures = stubs.load(stub, f"visualize_{stub.module}")
    runs = {name: [first, last] for name in figures.NEEDS}
    assert figures.FIGURES
    for draw in figures.FIGURES:
        path = tmp_path / f"{draw.__name__}.png"
        draw(runs).savefig(path)
        assert path.stat().st_size > 3000, f"{draw.__name__} drew nothing"
    film, maker = tmp_path / "film.gif", stubs.load(stub, f"make_{stub.module}_gif")
    assert maker.FILMED[0] == next(iter(module.PRESETS)) and set(maker.FILMED) <= set(module.PRESETS)
    maker.film([first, last], film)
    with Image.open(film) as image:
        assert image.format == "GIF" and image.n_frames >= 2
    assert sorted(p.suffix for p in tmp_path.iterdir()) == sorted([".gif"] + [".png"] * len(figures.FIGURES))
