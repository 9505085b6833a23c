"""Random weight guessing learns three of Tomita's regular languages from about twenty strings each.

Paper: S. Hochreiter & J. Schmidhuber, "LSTM can solve hard long time lag problems", NIPS 9, 473-479, 1997; also
"Bridging long time lags by weight guessing and 'Long Short-Term Memory'", 1996, and J. Schmidhuber, S. Hochreiter &
Y. Bengio, "Evaluating benchmark problems by random guessing", 2001.

Task: Tomita (1982) gives for each of seven regular languages about twenty strings of 0s and 1s with the word in or out.
A recurrent net reads a string symbol by symbol and then accepts or rejects it. The paper takes languages 1 (only 1s),
2 (repetitions of 10) and 4 (no 000).

Method: draw all weights of a small second-order net (Miller & Giles 1993) at random, again and again, until a net is
right on all training strings. A draw is rejected after the first string length on which it errs. The first net that
fits is tested once, on strings that it was not guessed with. Contrasts: random automata, a first-order net, and the
same second-order net trained by backpropagation through time ("learn").

Differs: the weight range and the initial state are our choice, since we do not know the paper's; the nets with about
the paper's numbers of trials are second-order nets. The empty string is left out. The preset `exact` asks for all 254
strings of up to seven symbols instead of Tomita's.

Symbols: N units, h their activations, W[x] the weight matrix that the symbol x selects, D nets side by side. The nets
are the last axis of every array.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from string_nets import accepts, accuracies, descend, size, unpack
from tomita_languages import Level, all_strings, prefix_tree, random_strings, tomita_strings, walk_strings

BATCH = 8192  # draws that are judged side by side
SHOWN = 20  # draws of a batch that a snapshot keeps
TEST_LENGTH = 12  # all strings up to here are the test set, without the training strings
LONG_STRINGS, LONG_LENGTH = 1000, 50  # per class


@dataclass(frozen=True)
class Config:
    method: str = "guess"  # "guess"; "count" the fits among max_trials draws; "learn" by gradient
    languages: str = "124"  # numbers of Tomita's languages
    net: str = "second_order"  # or "tanh" (first-order), "automaton" (random transitions and accepting states)
    units: int = 3  # N, hidden units including the output; states of the automaton
    weight_range: float = 10.0  # weights are uniform between minus this and this
    training: str = "tomita"  # or "short": all strings of 1 to 7 symbols, "random": 8 + 8 of 1 to 10 symbols
    searches: int = 50  # independent searches per language; nets that learn
    max_trials: int = 20_000_000  # draws per language, for all its searches together
    rate: float = 0.3  # learn: step size of Adam
    epochs: int = 500  # learn: passes through the training set
    snapshots: int = 20  # about how many looks at the run

    def __post_init__(self) -> None:
        words = {
            "method": ("guess", "count", "learn"),
            "net": ("second_order", "tanh", "automaton"),
            "training": ("tomita", "short", "random"),
        }
        for name, allowed in words.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)}")
        if not self.languages or len(set(self.languages) & set("1234567")) < len(self.languages):
            raise ValueError(f"languages must be different digits from 1 to 7, got {self.languages!r}")
        if self.method == "learn" and self.net != "second_order":
            raise ValueError(f"net must be second_order for the method learn, got {self.net}")
        if self.net == "automaton" and self.weight_range != 1:
            raise ValueError(f"weight_range must be 1 for the net automaton, got {self.weight_range}")
        for name in ("units", "searches", "max_trials", "epochs", "snapshots"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("weight_range", "rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")


PRESETS: dict[str, dict] = {
    "second_order": {},
    "four_units": {"units": 4},
    "saturated": {"weight_range": 100.0},
    "short": {"training": "short"},
    "exact": {"training": "short", "weight_range": 100.0},
    "automaton": {"net": "automaton", "units": 4, "weight_range": 1.0},
    "tanh": {"net": "tanh", "units": 5, "weight_range": 2.0, "training": "random", "searches": 5},
    "learn": {"method": "learn"},
    "learn_slower": {"method": "learn", "rate": 0.1},
    "learn_slowest": {"method": "learn", "rate": 0.03},
    "count": {"method": "count", "languages": "1234567", "max_trials": 2_000_000},
    "smoke": {"searches": 10},
}
SEEDS = 10

CLAIMS = (
    ("C1", "language 1: trials, 3 units, at most", "182", "mean(second_order.trials_1) <= 364"),
    ("C1b", "and at least", "182", "mean(second_order.trials_1) >= 90"),
    ("C2", "language 2: trials, at most", "1,511", "mean(second_order.trials_2) <= 3000"),
    ("C2b", "and at least", "1,511", "mean(second_order.trials_2) >= 750"),
    ("C3", "language 4: trials, at most", "13,833", "mean(second_order.trials_4) <= 35610"),
    ("C3b", "and at least", "13,833", "mean(second_order.trials_4) >= 7000"),
    ("C4", "language 1: trials, larger net, 4 units", "288", "mean(four_units.trials_1) <= 288 * 1.5"),
    ("C4b", "language 2: trials, 4 units", "17,953", "mean(four_units.trials_2) <= 17953 * 1.5"),
    ("C4c", "language 4: trials, 4 units", "35,610", "mean(four_units.trials_4) <= 35610 * 1.5"),
    ("C5", "language 1: all searches end in time", "solved", "max(second_order.longest_1) <= 20 * 182"),
    ("C5b", "language 2", "solved", "max(second_order.longest_2) <= 20 * 1511"),
    ("C5c", "language 4", "solved", "max(second_order.longest_4) <= 20 * 13833"),
    ("C6", "language 1: accuracy on all new strings", "ours", "median(second_order.accuracy_1) >= 0.97"),
    ("C6b", "language 2", "ours", "median(second_order.accuracy_2) >= 0.9"),
    ("C6c", "language 4", "ours", "median(second_order.accuracy_4) >= 0.75"),
    ("C6d", "language 1: balanced accuracy", "ours", "median(second_order.balanced_1) >= 0.97"),
    ("C6e", "language 2", "ours", "median(second_order.balanced_2) >= 0.9"),
    ("C6f", "language 4", "ours", "median(second_order.balanced_4) >= 0.75"),
    ("C7", "language 1: exact nets, larger training set and weights", "ours", "mean(exact.exact_1) >= 0.8"),
    ("C7b", "language 2", "ours", "mean(exact.exact_2) >= 0.8"),
    ("C7c", "language 4", "ours", "mean(exact.exact_4) >= 0.8"),
    ("C8", "language 1: they are right on strings of 50 symbols", "ours", "median(exact.long_1) >= 0.99"),
    ("C8b", "language 2", "ours", "median(exact.long_2) >= 0.99"),
    ("C8c", "language 4", "ours", "median(exact.long_4) >= 0.99"),
    ("C10", "tanh net: more trials, language 4", "ours", "median(tanh.trials_4 / second_order.trials_4) > 1"),
    ("C10b", "and worse on new strings", "ours", "median(tanh.balanced_4 - second_order.balanced_4) < 0"),
    ("C11", "language 1: strings read", "others: 23,000 (unsure)", "mean(second_order.read_1) <= 23000"),
    ("C11b", "language 2", "others: 77,000 (unsure)", "mean(second_order.read_2) <= 77000"),
    ("C11c", "language 4", "others: 46,000 (unsure)", "mean(second_order.read_4) <= 46000"),
    ("C11d", "language 1: BPTT reads more", "ours", "median(learn.read_median_1 / second_order.read_median_1) >= 1"),
    ("C11e", "language 4: 10 times less", "ours", "median(second_order.read_median_4 / learn.read_median_4) >= 10"),
    ("C12", "language 3 is harder than 4", "much harder (in spirit)", "mean(count.fits_3 / count.fits_4) <= 0.1"),
    ("C12b", "so is language 5", "much harder (in spirit)", "mean(count.fits_5 / count.fits_4) <= 0.1"),
)

SMOKE = "trials_4 <= 150000"


class Snapshot(NamedTuple):
    step: int  # draws up to the latest fit, in all languages together; learn: epochs
    metrics: dict[str, float]
    params: dict[str, np.ndarray]  # language: (weights, searches) the weights found so far
    trials: dict[str, np.ndarray]  # language: (searches,) draws that each of them took
    tried: dict[str, np.ndarray]  # language: (weights, up to SHOWN) some of the latest draws, whether they fit or not


class Found(NamedTuple):
    """What the searches in one language have found so far."""

    weights: np.ndarray  # (weights, searches)
    trials: np.ndarray  # (searches,) draws up to and with the fit; learn: weight vectors up to and with the fit
    strings: np.ndarray  # (searches,) training strings read for this
    tried: np.ndarray  # (weights, up to SHOWN)
    step: int  # draws up to the latest fit; learn: epochs


# Guessing


def draw(cfg: Config, number: int, rng: np.random.Generator) -> np.ndarray:
    """Weights (size(cfg.net, cfg.units), number) of so many nets, uniform between -weight_range and weight_range."""
    return (2 * rng.random((size(cfg.net, cfg.units), number), dtype=np.float32) - 1) * cfg.weight_range


def judge(cfg: Config, weights: np.ndarray, tree: list[Level]) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the nets that are right on all strings, and (D,) how many strings each reads up to its first error.

    Strings are read in the order of their length; a net that errs at one length is not run on longer strings.
    """
    alive, read = np.arange(weights.shape[1]), np.zeros(weights.shape[1], int)
    net = unpack(cfg.net, cfg.units, weights)
    h = net.h0[None, :, None]
    for level in tree:
        h = descend(net, level, h)
        right = accepts(net, h[level.ends]) == level.labels[:, None]
        fits = right.all(axis=0)
        read[alive] += np.logical_and.accumulate(right).sum(axis=0) + ~fits
        alive, weights, h = alive[fits], weights[:, fits], h[..., fits]
        net = unpack(cfg.net, cfg.units, weights)
    return alive, read


def looks(last: int, number: int) -> np.ndarray:
    """About so many integers from 1 to last, evenly spread; last is always among them."""
    return np.unique(np.append(np.linspace(1, last, max(number, 1)), last).astype(int))


def guess(cfg: Config, tree: list[Level], rng: np.random.Generator) -> Iterator[Found]:
    """Draw nets until cfg.searches of them have fitted; every search begins with the draw after the last fit."""
    weights = np.zeros((size(cfg.net, cfg.units), 0), np.float32)
    ends, strings = np.zeros((2, 0), int)  # draws, and strings read, from the start up to each fit
    drawn = total_read = 0
    for n in looks(cfg.searches, cfg.snapshots // len(cfg.languages)):
        while len(ends) < n and drawn < cfg.max_trials:
            batch = draw(cfg, BATCH, rng)
            fits, read = judge(cfg, batch, tree)
            weights = np.append(weights, batch[:, fits], axis=1)
            ends = np.append(ends, drawn + fits + 1)
            strings = np.append(strings, total_read + read.cumsum()[fits])
            drawn, total_read = drawn + BATCH, total_read + read.sum()
        trials, read = np.diff(ends[:n], prepend=0), np.diff(strings[:n], prepend=0)
        yield Found(weights[:, :n].copy(), trials, read, batch[:, :SHOWN].copy(), int(trials.sum()))


def count_fits(cfg: Config, init_rng: np.random.Generator, data_rng: np.random.Generator) -> Iterator[Snapshot]:
    """How many of cfg.max_trials draws fit, for each language; no test."""
    metrics = {f"fits_{language}": 0.0 for language in cfg.languages}
    yield Snapshot(0, dict(metrics), {}, {}, {})
    for k, language in enumerate(cfg.languages, start=1):
        tree = sample(cfg, data_rng, int(language))
        for first in range(0, cfg.max_trials, BATCH):
            fits, _ = judge(cfg, draw(cfg, min(BATCH, cfg.max_trials - first), init_rng), tree)
            metrics[f"fits_{language}"] += len(fits)
        yield Snapshot(k * cfg.max_trials, dict(metrics), {}, {}, {})


# Learning by gradient, for comparison


class Adam:
    """Adam (Kingma & Ba 2015, algorithm 1), updating a dict of arrays in place."""

    def __init__(self, params: dict[str, np.ndarray], beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8):
        self.beta1, self.beta2, self.eps, self.t = beta1, beta2, eps, 0
        self.m = {name: np.zeros_like(p) for name, p in params.items()}
        self.v = {name: np.zeros_like(p) for name, p in params.items()}

    def step(self, params: dict[str, np.ndarray], grads: dict[str, np.ndarray], lr: float) -> None:
        """One update of every array in `params` along `grads` (same keys and shapes) at rate `lr`."""
        self.t += 1
        lr_t = lr * np.sqrt(1 - self.beta2**self.t) / (1 - self.beta1**self.t)
        for name, g in grads.items():
            m, v = self.m[name], self.v[name]
            m += (1 - self.beta1) * (g - m)
            v += (1 - self.beta2) * (g * g - v)
            params[name] -= lr_t * m / (np.sqrt(v) + self.eps)


def init(cfg: Config, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Small weights W (2, N, N, searches) of second-order nets, from which they learn."""
    return {"W": rng.uniform(-1, 1, (2, cfg.units, cfg.units, cfg.searches)).astype(np.float32)}


def loss_and_grad(cfg: Config, params: dict[str, np.ndarray], tree: list[Level]) -> tuple[float, dict[str, np.ndarray]]:
    """Half the squared error of the output unit at the ends of all strings, summed over nets, and its gradient.

    Backpropagation through time along the prefix tree: a prefix collects the errors of all strings that begin with it.
    """
    W = params["W"]
    net = unpack("second_order", cfg.units, W.reshape(-1, W.shape[-1]))
    hs = [np.broadcast_to(net.h0[None, :, None], (1, cfg.units, W.shape[-1]))]
    for level in tree:
        hs.append(descend(net, level, hs[-1]))
    loss, dW, dh = 0.0, np.zeros_like(W), np.zeros_like(hs[-1])
    for level, h, before in zip(reversed(tree), hs[:0:-1], hs[-2::-1], strict=True):
        error = h[level.ends, 0] - level.labels[:, None]
        loss += float((error * error).sum()) / 2
        dh[level.ends, 0] += error
        dz, dh = dh * h * (1 - h), np.zeros_like(before)
        for symbol, d in enumerate(np.split(dz, [len(level.parents[0])])):
            parents = level.parents[symbol]  # no prefix stands here twice, so += meets each of them once
            dW[symbol] += (d[:, :, None] * before[parents, None]).sum(axis=0)
            dh[parents] += (W[symbol] * d[:, :, None]).sum(axis=1)
    return loss, {"W": dW}


def learn(cfg: Config, tree: list[Level], rng: np.random.Generator) -> Iterator[Found]:
    """Train cfg.searches nets on the whole training set until each has been right on all strings once."""
    params, strings = init(cfg, rng), sum(len(level.labels) for level in tree)
    adam = Adam(params)
    flat = params["W"].reshape(size(cfg.net, cfg.units), cfg.searches)  # the same memory
    kept, updates = flat.copy(), np.full(cfg.searches, np.inf)
    wanted = looks(cfg.epochs, cfg.snapshots // len(cfg.languages))
    for epoch in range(cfg.epochs + 1):
        new = (accuracies(unpack(cfg.net, cfg.units, flat), tree)[0] == 1) & np.isinf(updates)
        updates[new], kept[:, new] = epoch, flat[:, new]
        solved = np.isfinite(updates)
        if epoch in wanted or solved.all():
            trials = updates[solved] + 1
            yield Found(kept[:, solved], trials, trials * strings, flat[:, :SHOWN].copy(), epoch)
        if solved.all():
            return
        adam.step(params, loss_and_grad(cfg, params, tree)[1], cfg.rate)


# The experiment


def training_strings(cfg: Config, language: int, rng: np.random.Generator) -> list[str]:
    """The training strings of a language; rng is needed for "random" only."""
    if cfg.training == "random":
        return random_strings(language, per_class=8, longest=10, rng=rng)
    return tomita_strings(language) if cfg.training == "tomita" else all_strings(7)


def sample(cfg: Config, rng: np.random.Generator, language: int = 0) -> list[Level]:
    """The labelled training strings of a language (by default the first of cfg.languages) as a prefix tree."""
    language = language or int(cfg.languages[0])
    return prefix_tree(training_strings(cfg, language, rng), language)


def costs(cfg: Config, found: Found | None) -> dict[str, float]:
    """Share of searches that have ended with a fit, and what a search costs; a search that has not ended costs inf."""
    trials, strings = np.full((2, cfg.searches), np.inf)
    if found is not None:
        trials[: len(found.trials)], strings[: len(found.trials)] = found.trials, found.strings
    return {
        "solved": float(np.isfinite(trials).mean()),
        "trials": float(trials.mean()),
        "longest": float(trials.max()),
        "read": float(strings.mean()),
        "read_median": float(np.median(strings)),
    }


def evaluate(
    cfg: Config, weights: np.ndarray, known: list[str], language: int, rng: np.random.Generator
) -> dict[str, float]:
    """Test the nets found, weights (size, n); medians over all searches, where one without a net counts as 0.

    accuracy, balanced: share right of all strings of up to 12 symbols that are not known from training, and mean of
    the shares of both classes. exact: share of searches whose net gets all of them right. long: balanced accuracy on
    random strings of 50 symbols.
    """
    net = unpack(cfg.net, cfg.units, weights)
    new = sorted(set(all_strings(TEST_LENGTH)) - set(known))
    walks = [s for label in (True, False) for s in walk_strings(language, label, LONG_STRINGS, LONG_LENGTH, rng)]
    values = np.zeros((3, cfg.searches))
    values[:2, : weights.shape[1]] = accuracies(net, prefix_tree(new, language))
    values[2, : weights.shape[1]] = accuracies(net, prefix_tree(walks, language))[1]
    accuracy, balanced, long = np.median(values, axis=1).tolist()
    return {"accuracy": accuracy, "balanced": balanced, "exact": float((values[0] == 1).mean()), "long": long}


def train(cfg: Config, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Search one language after the other; the nets found are tested at the end, once."""
    init_rng, data_rng, test_rng = rng.spawn(3)
    if cfg.method == "count":
        yield from count_fits(cfg, init_rng, data_rng)
        return
    strings = {language: training_strings(cfg, int(language), data_rng) for language in cfg.languages}
    found: dict[str, Found] = {}
    tests = {language: dict.fromkeys(("accuracy", "balanced", "exact", "long"), np.nan) for language in cfg.languages}

    def look() -> Snapshot:
        metrics = {}
        for language in cfg.languages:
            values = costs(cfg, found.get(language)) | tests[language]
            metrics |= {f"{name}_{language}": value for name, value in values.items()}
        weights, trials, _, tried, steps = ({k: f[i] for k, f in found.items()} for i in range(5))
        return Snapshot(sum(steps.values()), metrics, weights, trials, tried)

    yield look()
    search = guess if cfg.method == "guess" else learn
    for language in cfg.languages:
        for progress in search(cfg, prefix_tree(strings[language], int(language)), init_rng):
            found[language] = progress
            yield look()
    for language in cfg.languages:
        tests[language] = evaluate(cfg, found[language].weights, strings[language], int(language), test_rng)
    yield look()


def main(argv: list[str] | None = None) -> int:
    """Run one preset at one seed: a line per snapshot, then the final metrics beside the paper's numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.error = lambda message: parser.exit(2, f"{parser.prog}: {message} (see --help)\n")
    parser.add_argument("--seed", type=int, default=0, help="seed of every random number (default 0)")
    parser.add_argument("--preset", choices=PRESETS, default=next(iter(PRESETS)), help="default %(default)s")
    for field in fields(Config):
        flag = "--" + field.name.replace("_", "-")
        parser.add_argument(flag, type=field.type, default=argparse.SUPPRESS, help=f"default {field.default}")
    overrides = vars(parser.parse_args(argv))
    seed, preset = overrides.pop("seed"), overrides.pop("preset")
    try:
        cfg, rng = Config(**{**PRESETS[preset], **overrides}), np.random.default_rng(seed)
    except ValueError as error:
        parser.error(str(error))
    title, paper = __doc__.strip().split("\n\n")[:2]
    print(f"{title}\n{paper}\n\npreset {preset}, seed {seed}", flush=True)
    try:
        for snapshot in train(cfg, rng):
            line = "  ".join(f"{name} {value:.4g}" for name, value in snapshot.metrics.items())
            print(f"step {snapshot.step:>7}  {line}", flush=True)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    print("\nfinal metric                      value  the paper (claim)")
    for name, value in snapshot.metrics.items():
        stated = [f"{said} ({id})" for id, _, said, holds in CLAIMS if re.search(rf"\b{preset}\.{name}\b", holds)]
        print(f"{name:<28} {value:>10.6g}  {'; '.join(stated)}".rstrip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
