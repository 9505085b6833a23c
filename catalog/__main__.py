"""Command line of the catalogue: python3 -m catalog COMMAND."""

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from catalog.stubs import ROOT, TOTAL, CatalogError, Stub, eras, find, get

# numpy, tabulate and tqdm are imported inside the commands that need them, so that `list` is immediate.


def seeds(text: str) -> list[int]:
    """Parse `3`, `0-9` or `0-2,7`."""
    found = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if not match or int(match[2] or match[1]) < int(match[1]):
            raise argparse.ArgumentTypeError(f"{text!r} is no list of seeds; write 3, 0-9 or 0-2,7")
        found += range(int(match[1]), int(match[2] or match[1]) + 1)
    return found


def whole(least: int) -> Callable[[str], int]:
    """A parser of whole numbers of at least `least`."""

    def parse(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least {least}")
        return int(text)

    return parse


def chosen(args: argparse.Namespace) -> list[Stub]:
    """The experiments named on the command line, or all of them with --all."""
    if bool(args.slugs) == args.all:
        raise CatalogError("name one or more experiments, or --all")
    return find(args.root) if args.all else [get(slug, args.root) for slug in args.slugs]


def report(problems: list[str]) -> int:
    """Print problems, one a line; the exit status they mean."""
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def list_command(args: argparse.Namespace) -> int:
    """every folder with its title and how many runs it has recorded"""
    for era, papers in eras(args.root):
        print(f"\n{era}")
        for stub in (stub for _, stubs in papers for stub in stubs):
            record = stub.folder / "runs.jsonl"
            count = record.read_bytes().count(b"\n") if record.exists() else 0
            print(f"  {stub.slug:<34} {count:>4} runs  {stub.title}")
    print(f"\n{len(find(args.root))} of {TOTAL} folders are in")
    return 0


def run_command(args: argparse.Namespace) -> int:
    """train every preset (or one) at one seed, then judge the claims on these runs"""
    from catalog import render, worker

    for stub in [get(slug, args.root) for slug in args.slugs]:
        if args.preset:
            stub.check_preset(args.preset)
        presets = [args.preset] if args.preset else [preset for preset, seed in stub.planned() if seed == 0][:-1]
        found = {}
        for preset in presets:
            print(f"\n{stub.slug}: {preset}, seed {args.seed}", flush=True)
            record = worker.execute(stub, preset, args.seed, look=show_snapshot)
            found[preset] = {args.seed: record["metrics"]}
            print(f"{record['cpu_s']:.1f} s of CPU time", flush=True)
        print(f"\nClaims on seed {args.seed} alone (RESULTS.md judges them over the recorded seeds):\n")
        head = [*render.CLAIM_HEAD[:4], "this run", "seeds", "holds"]
        rows = [[str(cell).strip("`") for cell in row] for row in render.claim_rows(stub, found)]
        print(render.table(head, rows))
    return 0 if args.slugs else list_command(args)


def show_snapshot(snapshot) -> None:
    line = "  ".join(f"{name} {value:.4g}" for name, value in snapshot.metrics.items())
    print(f"step {snapshot.step:>7}  {line}", flush=True)


def sweep_command(args: argparse.Namespace) -> int:
    """record runs of the folders; finished and fresh ones are not repeated"""
    from catalog.sweep import sweep

    jobs = []
    for stub in chosen(args):
        if args.preset:
            stub.check_preset(args.preset)
        usual = stub.planned()
        for preset in [args.preset] if args.preset else dict(usual):
            numbers = [seed for name, seed in usual if name == preset] or [0]
            if args.seeds is not None:
                numbers = args.seeds if preset != "smoke" else [0]
            jobs += [(stub, preset, seed) for seed in numbers]
    return sweep(jobs, args.jobs)


def verify_command(args: argparse.Namespace) -> int:
    """check that records are complete and fresh and that the pages say what the records say"""
    from catalog import render, runs

    problems = []
    for stub in find(args.root):
        fresh = runs.fresh(stub).keys()
        stale = {(r["preset"], r["seed"]) for r in runs.load(stub)} - fresh
        for word, keys in (("stale", stale), ("missing", set(stub.planned()) - fresh - stale)):
            for preset in sorted({preset for preset, _ in keys}):
                numbers = ", ".join(str(seed) for name, seed in sorted(keys) if name == preset)
                problems.append(f"{stub.slug} {preset}: {word} record of seed {numbers}; sweep {stub.slug}")
    problems += render.differences(args.root) + (rerun(args.root) if args.rerun else [])
    print(f"{len(problems)} problems" if problems else "all records and pages agree")
    return report(problems)


def rerun(root: Path) -> list[str]:
    """Run seed 0 of every preset but the paper_ ones again: on the same machine and versions metrics must be equal."""
    from tqdm import tqdm

    from catalog import runs, sweep

    problems = []
    for stub, preset in tqdm([(s, p) for s in find(root) for p, seed in s.planned() if seed == 0], unit="run"):
        process = sweep.worker(stub, preset, 0, "print")
        out, err = process.communicate()
        recorded = runs.fresh(stub).get((preset, 0))
        if process.returncode:
            problems.append(f"{stub.slug} {preset} seed 0: {sweep.failure(process, err)}")
        elif recorded and (again := json.loads(out))["metrics"] != recorded["metrics"]:
            difference = f"{stub.slug} {preset} seed 0: recorded {recorded['metrics']}, now {again['metrics']}"
            same = all(again[key] == recorded[key] for key in ("machine", "python", "numpy"))
            problems += [difference] if same else tqdm.write(f"other machine or versions, {difference}") or []
    return problems


def render_command(args: argparse.Namespace) -> int:
    """write every generated page, or with --check only tell which ones are out of date"""
    from catalog import render, runs

    if args.check:
        return report(render.differences(args.root))
    for path, text in render.pages(args.root).items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            runs.write_atomically(path, text)
            print(path)
    return 0


def figures_command(args: argparse.Namespace) -> int:
    """draw the figures and the film of the folders"""
    for stub in chosen(args):
        for script in (f"visualize_{stub.module}.py", f"make_{stub.module}_gif.py"):
            if status := subprocess.run([sys.executable, stub.folder / script]).returncode:
                raise CatalogError(f"{stub.slug}/{script} ended with status {status}")
    return 0


def canon_command(args: argparse.Namespace) -> int:
    """show, or with --write mend, functions that differ from their canonical text"""
    from catalog import canon

    drifted = [(path, node) for stub in find(args.root) for path, node in canon.drifted(stub)]
    for stub in find(args.root) if args.write else ():
        canon.write(stub)
    lines = [f"{p}:{n.lineno}: {n.name} differs from catalog/canonical/{canon.role(p)}.txt" for p, n in drifted]
    return report(lines) and not args.write


def new_command(args: argparse.Namespace) -> int:
    """make a folder that runs and passes the contract test apart from its TODOs"""
    from catalog.new import create

    create(args.root, args.slug)
    print(f"{args.slug}/ is made. Replace its TODOs, then: python3 -m catalog sweep, figures, render, verify")
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line; whatever is wrong with it is one line on stderr and exit status 2."""

    class OneLine(argparse.ArgumentParser):
        def error(self, message: str) -> None:
            self.exit(2, f"{self.prog}: {message} (see --help)\n")

    top = OneLine(prog="python3 -m catalog", description=__doc__, allow_abbrev=False)
    top.add_argument("--root", type=Path, default=ROOT, help="folder that holds the experiments (default: this one)")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(function: Callable, slugs: bool = False) -> Callable:
        name = function.__name__.removesuffix("_command")
        made = commands.add_parser(name, help=function.__doc__, description=function.__doc__, allow_abbrev=False)
        made.set_defaults(function=function)
        if slugs:
            made.add_argument("slugs", nargs="*", metavar="SLUG", help="experiments")
        return made.add_argument

    command(list_command)
    option = command(run_command, slugs=True)
    option("--seed", type=whole(0), default=0, metavar="N", help="default 0")
    option("--preset", metavar="P", help="one preset (default: all but smoke and paper_ ones)")
    option = command(sweep_command, slugs=True)
    option("--all", action="store_true", help="every experiment")
    option("--seeds", type=seeds, metavar="0-9", help="default: as many as the folder's SEEDS")
    option("--preset", metavar="P", help="one preset only; the way to record a paper_ preset")
    option("--jobs", type=whole(1), default=os.cpu_count(), metavar="N", help="runs at once (default: cores)")
    option = command(verify_command)
    option("--rerun", action="store_true", help="also run seed 0 of every preset again and compare")
    option = command(render_command)
    option("--check", action="store_true", help="write nothing, exit with 1 if a page is out of date")
    option = command(figures_command, slugs=True)
    option("--all", action="store_true", help="every experiment")
    option = command(canon_command)
    option("--write", action="store_true", help="put the canonical text in place of what differs")
    option = command(new_command)
    option("slug", metavar="SLUG", help="lower-case words with hyphens")
    return top


def main(argv: list[str] | None = None) -> int:
    """Run a command; 0 is success, 1 a finding, 2 wrong input, 130 Ctrl-C."""
    args = parser().parse_args(argv)
    try:
        return args.function(args)
    except CatalogError as error:
        print(f"catalog: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ninterrupted; what is recorded is kept, the same command goes on from there", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
