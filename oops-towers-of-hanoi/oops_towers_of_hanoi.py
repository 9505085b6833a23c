"""OOPS, the Optimal Ordered Problem Solver, learns 1^n 2^n and then, helped by it, the Towers of Hanoi.

Paper: J. Schmidhuber, "Optimal Ordered Problem Solver", TR IDSIA-12-02, 2002, arXiv:cs/0207097; Machine Learning
54:211-254, 2004; short version "Bias-optimal incremental problem solving", NIPS 15, 2003.

Task: print 1^n 2^n for n = 1, ..., 30; then move a tower of n disks, n = 1, ..., 30. Task n of a family is solved by
one program that is right on all instances 1, ..., n.

Method: search through all programs by backtracking; a prefix of probability P may be run for P T time steps, and the
limit T doubles until a program solves the task. It is frozen then. For the next task half the time goes to going on
with the newest frozen program, the other half to fresh programs; these can call frozen code (callq) and make its
instructions more probable for what follows (boostq).

Differs: another and smaller language; a finished call is remembered and not executed again; instances are run one
after another, not in parallel (see README).

Symbols: P probability of a prefix, T time limit of a phase, q number of a frozen program.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

import reference_words
from move_stream import Stream
from oops_machine import INSTRUCTIONS, Cell, Instance
from oops_search import Oops, Solved


@dataclass(frozen=True)
class Config:
    method: str = "oops"  # or "fresh": every Hanoi task by a search of its own; "words": the reference's four words
    curriculum: str = "both"  # families of tasks: 1^n 2^n, then Hanoi; or "hanoi" alone
    largest_n: int = 30  # tasks of each family
    vocabulary: int = 24  # instructions of the language: 12 that act in these tasks, others that do not
    without: str = ""  # instruction removed from the language
    max_steps: int = 50_000_000  # of the whole search; then it gives up
    stream_n: int = 22  # disks for which every move of the solver is checked at the end
    snapshots: int = 20  # about how many looks at the run

    def __post_init__(self) -> None:
        for name, allowed in (("method", tuple(METHODS)), ("curriculum", ("both", "hanoi"))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)}")
        if self.vocabulary < len(INSTRUCTIONS):
            raise ValueError(f"vocabulary must be at least {len(INSTRUCTIONS)}, got {self.vocabulary}")
        if self.without not in ("", *INSTRUCTIONS):
            raise ValueError(f"without must be one of {', '.join(INSTRUCTIONS)}, got {self.without}")
        for name in ("largest_n", "max_steps", "stream_n", "snapshots"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


PRESETS: dict[str, dict] = {
    "oops": {},
    "hanoi_only": {"curriculum": "hanoi"},
    "no_boost": {"without": "boostq"},
    "oops_12": {"vocabulary": 12},
    "hanoi_only_12": {"vocabulary": 12, "curriculum": "hanoi"},
    "fresh_12": {"vocabulary": 12, "method": "fresh"},
    "no_rec_12": {"vocabulary": 12, "curriculum": "hanoi", "without": "rec", "max_steps": 3_000_000},
    "oops_16": {"vocabulary": 16},
    "hanoi_only_16": {"vocabulary": 16, "curriculum": "hanoi"},
    "no_boost_16": {"vocabulary": 16, "without": "boostq"},
    "oops_32": {"vocabulary": 32},
    "hanoi_only_32": {"vocabulary": 32, "curriculum": "hanoi", "max_steps": 4_000_000},
    "no_boost_32": {"vocabulary": 32, "without": "boostq", "max_steps": 4_000_000},
    "oops_60": {"vocabulary": 60},
    "words": {"method": "words", "largest_n": 15},
    "paper_stream": {"stream_n": 30},
    "paper_no_boost_32": {"vocabulary": 32, "without": "boostq"},
    "paper_no_rec_12": {"vocabulary": 12, "curriculum": "hanoi", "without": "rec", "max_steps": 30_000_000},
    "smoke": {"vocabulary": 12, "stream_n": 16},
}
SEEDS = 5

CLAIMS = (
    ("C2", "one program solves Hanoi for 1 to 30 disks", "30", "min(oops.hanoi_n) == 30"),
    ("C2b", "in 2^n - 1 moves on every task it is used for", "optimal", "max(oops.sharing - oops.optimal) == 0"),
    (
        "C3",
        "every single move right, 22 disks (paper_stream: 30)",
        "30, all moves executed",
        "min(oops.stream_n) >= 22",
    ),
    ("C4", "tasks of the 30 that this one program is the answer to", "all from then on", "min(oops.sharing) >= 25"),
    ("C1", "1^n 2^n solved for n = 1 to 30", "30", "min(oops.anbn_n) == 30"),
    ("C1b", "by one program from n = 2 on; it is right for n = 1", "from n = 6 on", "min(oops.anbn_sharing) >= 25"),
    (
        "C8",
        "non-general code first, extended for the next task",
        "n = 1 to 5 (for 1^n 2^n)",
        "min(oops.extensions) >= 1",
    ),
    (
        "C5",
        "with 1^n 2^n first, Hanoi takes fewer steps (32 instructions)",
        "about 1,000 times fewer (about 60 instructions)",
        "min(hanoi_only_32.hanoi_spent / oops_32.hanoi_spent) >= 2",
    ),
    ("C5b", "boostq makes the solver so much more probable", "about 1,000 times", "median(oops_60.gain) >= 500"),
    (
        "C5c",
        "steps saved as predicted by probability within a factor 3, 12 instructions",
        "ours",
        "median(hanoi_only_12.work / oops_12.work + oops_12.work / hanoi_only_12.work) <= 10 / 3",
    ),
    (
        "C5d",
        "the same, 16 instructions",
        "ours",
        "median(hanoi_only_16.work / oops_16.work + oops_16.work / hanoi_only_16.work) <= 10 / 3",
    ),
    (
        "C5e",
        "the same, 24 instructions",
        "ours",
        "median(hanoi_only.work / oops.work + oops.work / hanoi_only.work) <= 10 / 3",
    ),
    ("C5f", "without boostq 32 take more steps", "ours", "min(no_boost_32.hanoi_spent / oops_32.hanoi_spent) >= 2"),
    ("C5g", "24 too", "ours", "min(no_boost.hanoi_spent / oops.hanoi_spent) > 1"),
    (
        "C5h",
        "but 16 fewer: boosting pays in large languages",
        "ours",
        "max(no_boost_16.hanoi_spent / oops_16.hanoi_spent) < 1",
    ),
    (
        "C6",
        "a new search for each task takes more steps",
        "ours",
        "min(fresh_12.hanoi_steps / oops_12.hanoi_steps) >= 8",
    ),
    ("C7", "steps until success <= 8 t / P, every task", "bias-optimal up to a factor", "max(oops.bias_ratio) <= 8"),
    ("C11", "without rec, 10 times the steps find no code for n = 3", "ours", "max(no_rec_12.hanoi_n) < 3"),
    ("C11b", "nor for n = 4", "ours", "max(no_rec_12.hanoi_n) < 4"),
    ("C9", "the reference's words solve up to n = 15", "ours", "min(words.hanoi_n) == 15"),
    ("C9b", "the word for n = 2 is number 2,461", "ours", "min(words.words_2) == 2461"),
    ("C9c", "the word for n = 3 is number 3,232", "ours", "min(words.words_3) == 3232"),
)

SMOKE = "hanoi_n == 30"


# The tasks


def anbn(n: int) -> Instance:
    """Print 1^n 2^n and end."""
    return Instance((), n, "1" * n + "2" * n, ())


def hanoi(n: int) -> Instance:
    """Bring n disks from S to D."""
    return Instance((0, 1, 2), n, "", (0,) * n)


# The runs


def vocabulary(cfg: Config) -> list[str]:
    """The instructions of the language; those beyond INSTRUCTIONS do nothing."""
    idle = [f"idle{i}" for i in range(cfg.vocabulary - len(INSTRUCTIONS))]
    return [name for name in (*INSTRUCTIONS, *idle) if name != cfg.without]


class Snapshot(NamedTuple):
    step: int  # time steps of the search so far
    metrics: dict[str, float]
    code: tuple[Cell, ...] = ()  # the storage
    programs: tuple[tuple[int, int], ...] = ()  # first cell and end of every frozen program
    solved: tuple[Solved, ...] = ()  # the tasks solved so far, in order


def measure(cfg: Config, oops: Oops, solved: list[Solved], final: bool) -> dict[str, float]:
    """The metrics of a run; every single move is checked at the end only."""
    anbn_tasks, hanoi_tasks = ([s for s in solved if s.family == family] for family in ("anbn", "hanoi"))
    anbn_steps, hanoi_steps = (sum(s.steps for s in tasks) for tasks in (anbn_tasks, hanoi_tasks))
    sharing = [s for s in hanoi_tasks if s.cells == hanoi_tasks[-1].cells]  # tasks of the newest program
    stream_n = np.nan
    if final:
        right = sharing and Stream(oops.code, oops.programs, oops.programs[-1][0]).is_optimal(cfg.stream_n)
        stream_n = float(cfg.stream_n) if right else 0.0
    return {
        "anbn_n": float(len(anbn_tasks)),
        "hanoi_n": float(len(hanoi_tasks)),
        "sharing": float(len(sharing)),
        "optimal": float(sum(s.moves == 2**s.n - 1 for s in sharing)),
        "stream_n": stream_n,
        "anbn_steps": float(anbn_steps),
        "hanoi_steps": float(hanoi_steps) if len(hanoi_tasks) == cfg.largest_n else np.inf,
        "hanoi_spent": float(oops.steps - anbn_steps),  # also if it gave up
        "anbn_sharing": float(sum(s.cells == anbn_tasks[-1].cells for s in anbn_tasks)),
        "anbn_programs": float(len({s.program for s in anbn_tasks})),
        "extensions": float(sum(s.extends and s.new_cells > 0 for s in solved)),
        "probability": sharing[0].probability if sharing else 0.0,
        "work": float(oops.steps - anbn_steps) * (sharing[0].probability if sharing else 0.0),
        "gain": sharing[0].gain if sharing else 0.0,
        "limit": sharing[0].limit if sharing else np.inf,
        "bias_ratio": max((s.steps * s.probability / s.time for s in solved), default=0.0),
    }


def incremental_search(cfg: Config, instructions: list[str]) -> Iterator[Snapshot]:
    """OOPS on all tasks in order, or with method "fresh" a new search for each task."""
    families = {"anbn": anbn, "hanoi": hanoi}
    if cfg.curriculum == "hanoi" or cfg.method == "fresh":
        del families["anbn"]
    tasks = [(family, n) for family in families for n in range(1, cfg.largest_n + 1)]
    shown = set(np.linspace(0, len(tasks), min(cfg.snapshots, len(tasks) + 1)).astype(int))
    oops, solved = Oops(instructions, cfg.max_steps), []
    for number, (family, n) in enumerate(tasks):
        if number in shown:
            yield look(cfg, oops, solved, final=False)
        if cfg.method == "fresh":
            oops = Oops(instructions, cfg.max_steps, oops.steps)
        result = oops.solve(family, [families[family](i) for i in range(1, n + 1)])
        if result is None:
            break
        solved.append(result)
    yield look(cfg, oops, solved, final=True)


def look(cfg: Config, oops: Oops, solved: list[Solved], final: bool) -> Snapshot:
    """A snapshot of the searcher."""
    now = tuple(oops.code), tuple(oops.programs), tuple(solved)
    return Snapshot(oops.steps, measure(cfg, oops, solved, final), *now)


def word_search(cfg: Config, _: list[str]) -> Iterator[Snapshot]:
    """The reference's search (reference_words.py), for comparison."""
    metrics = {"hanoi_n": 0.0, "words_2": np.inf, "words_3": np.inf, "words_later": 0.0}
    total = 0
    yield Snapshot(0, dict(metrics))
    for words, tried in reference_words.search(cfg.largest_n):
        n, total = len(words), total + tried
        metrics["hanoi_n"] = float(n)
        if n > 1:
            metrics[f"words_{n}" if n <= 3 else "words_later"] = float(tried)
        yield Snapshot(total, dict(metrics))


METHODS = {"oops": incremental_search, "fresh": incremental_search, "words": word_search}


def train(cfg: Config, rng: np.random.Generator) -> Iterator[Snapshot]:
    """Search for programs that solve all tasks; the seed decides in which order instructions are tried."""
    (order_rng,) = rng.spawn(1)
    instructions = [str(name) for name in order_rng.permutation(vocabulary(cfg))]
    yield from METHODS[cfg.method](cfg, instructions)


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
