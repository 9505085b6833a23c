"""What must hold when an experiment runs: checks that raise AssertionError, used on every folder and on broken ones."""

import copy
import dataclasses
from collections.abc import Iterator
from types import ModuleType

import numpy as np


class Streams(np.random.Generator):
    """A generator whose spawned streams can be replaced: {index: another seed}."""

    def __init__(self, seed: int, replaced: dict[int, int]):
        super().__init__(np.random.PCG64(seed))
        self.replaced = replaced

    def spawn(self, n_children: int) -> list[np.random.Generator]:
        children = np.random.default_rng(self.bit_generator.seed_seq.entropy).spawn(n_children)
        return [np.random.default_rng(self.replaced[k]) if k in self.replaced else c for k, c in enumerate(children)]


def arrays(value) -> Iterator[np.ndarray]:
    """Every array inside nested tuples, lists and dicts."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from arrays(item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from arrays(item)


def config(module: ModuleType, **changes):
    """The smoke configuration with changes."""
    return dataclasses.replace(module.Config(**module.PRESETS["smoke"]), **changes)


def final(module: ModuleType, rng: np.random.Generator, **changes):
    *_, last = module.train(config(module, **changes), rng)
    return last


def check_snapshots(module: ModuleType) -> dict[str, float]:
    """Snapshots are copies with the same metrics all through; returns the final metrics."""
    kept, frozen = [], []
    for snapshot in module.train(config(module), np.random.default_rng(0)):
        kept.append(snapshot)
        frozen.append([array.copy() for array in arrays(tuple(snapshot[2:]))])
    assert len(kept) >= 2, "train must yield the untrained and the final state"
    assert kept[0].step == 0, "the first snapshot is the untrained state"
    for snapshot, before in zip(kept, frozen, strict=True):
        after = list(arrays(tuple(snapshot[2:])))
        same = all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(after, before, strict=True))
        assert same, f"the snapshot of step {snapshot.step} changed after it was taken: it needs copies"
        assert snapshot.metrics.keys() == kept[0].metrics.keys(), "every snapshot has the same metrics"
    for name, value in kept[-1].metrics.items():
        assert type(value) is float and value == value, f"final metric {name} is {value!r}, not a measured float"
    return kept[-1].metrics


def check_looking_changes_nothing(module: ModuleType, metrics: dict[str, float]) -> None:
    """Three times as many snapshots, the same metrics to the last bit."""
    more = final(module, np.random.default_rng(0), snapshots=3 * module.Config().snapshots + 1)
    assert more.metrics == metrics, "the number of snapshots changes the metrics"


def check_test_data(module: ModuleType, streams: str) -> None:
    """Other test data changes the metrics and nothing of the training.

    `streams` is how train names what rng.spawn returns; without a test_rng there is no test data to draw.
    """
    names = [name.strip(" ()") for name in streams.split(",")]
    if "test_rng" not in names:
        return
    usual, other = (final(module, Streams(0, r)) for r in ({}, {names.index("test_rng"): 12345}))
    assert usual.metrics != other.metrics, "the metrics do not depend on test_rng: is the test data the training data?"
    assert usual.step == other.step, "the test data decides when training stops"
    if hasattr(usual, "params"):
        pairs = zip(arrays(usual.params), arrays(other.params), strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs), "the test data changes what is learnt"


def check_gradient(module: ModuleType, preset: str, coordinates: int = 4) -> None:
    """loss_and_grad against central differences in float64, on some coordinates of every array."""
    cfg = module.Config(**module.PRESETS[preset])
    rng = np.random.default_rng(0)
    params, batch = double(module.init(cfg, rng)), double(module.sample(cfg, rng))
    _, grads = module.loss_and_grad(cfg, params, batch)
    assert grads.keys() == params.keys(), "every array of params needs a gradient"
    grads = copy.deepcopy(grads)
    for name, array in params.items():
        assert grads[name].shape == array.shape, f"gradient of {name} has shape {grads[name].shape}, not {array.shape}"
        for index in rng.choice(array.size, min(coordinates, array.size), replace=False):
            place = np.unravel_index(index, array.shape)
            losses, kept, eps = [], array[place], 1e-5
            for shift in (eps, -eps):
                array[place] = kept + shift
                losses.append(module.loss_and_grad(cfg, params, batch)[0])
            array[place] = kept
            numeric, analytic = (losses[0] - losses[1]) / (2 * eps), grads[name][place]
            scale = max(abs(numeric), abs(analytic), np.abs(grads[name]).max(), 1e-6)
            assert abs(numeric - analytic) < 1e-4 * scale, f"d loss / d {name}{place}: {analytic}, really {numeric}"


def double(value):
    """Nested tuples and dicts with every float array in float64."""
    if isinstance(value, np.ndarray):
        return value.astype(np.float64) if value.dtype.kind == "f" else value
    if isinstance(value, dict):
        return {name: double(item) for name, item in value.items()}
    if isinstance(value, tuple):
        items = [double(item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    return value
