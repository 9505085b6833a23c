"""Command line of the catalogue: python3 -m catalog COMMAND."""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

from catalog.stubs import ROOT, CatalogError, Stub, eras, find, get, total


def seeds(text: str) -> list[int]:
    """Parse `3`, `0-9` or `0-2,7`."""
    found = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if not match or int(match[2] or match[1]) < int(match[1]):
            raise argparse.ArgumentTypeError(f"{text!r} is no list of seeds; write 3, 0-9 or 0-2,7")
        found += range(int(match[1]), int(match[2] or match[1]) + 1)
    return found


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def chosen(args: argparse.Namespace) -> list[Stub]:
    """The experiments named on the command line, or all of them with --all."""
    if bool(args.slugs) == args.all:
        raise CatalogError("name one or more experiments, or --all")
    return find(args.root) if args.all else [get(slug, args.root) for slug in args.slugs]


def list_command(args: argparse.Namespace) -> int:
    """Every folder with its title and how many runs it has recorded."""
    for era, papers in eras(args.root):
        print(f"\n{era}")
        for _, stubs in papers:
            for stub in stubs:
                record = stub.folder / "runs.jsonl"
                count = record.read_bytes().count(b"\n") if record.exists() else 0
                print(f"  {stub.slug:<34} {count:>4} runs  {stub.title}")
    print(f"\n{len(find(args.root))} of {total()} folders are in")
    return 0


def run_command(args: argparse.Namespace) -> int:
    """Train every preset (or one) of the folders at one seed, then judge the claims on these runs."""
    if not args.slugs:
        return list_command(args)
    from catalog import render, runs, worker  # numpy and tabulate are loaded only where they are needed

    for stub in [get(slug, args.root) for slug in args.slugs]:
        if args.preset:
            stub.check_preset(args.preset)
        everyday = [name for name in stub.presets if name != "smoke" and not name.startswith("paper_")]
        records = []
        for preset in [args.preset] if args.preset else everyday:
            print(f"\n{stub.slug}: {preset}, seed {args.seed}", flush=True)
            records.append(worker.execute(stub, preset, args.seed, look=show_snapshot))
            print(f"{records[-1]['cpu_s']:.1f} s of CPU time", flush=True)
        head = ["claim", "says", "the paper", "must hold", "this run", "seeds", "holds"]
        print(f"\nClaims on seed {args.seed} alone (RESULTS.md judges them over the recorded seeds):\n")
        print(render.table(head, render.claim_rows(stub, runs.table(records))).replace("**", "").replace("`", ""))
    return 0


def show_snapshot(snapshot) -> None:
    line = "  ".join(f"{name} {value:.4g}" for name, value in snapshot.metrics.items())
    print(f"step {snapshot.step:>7}  {line}", flush=True)


def sweep_command(args: argparse.Namespace) -> int:
    """Record runs of the folders; finished and fresh ones are not repeated."""
    from catalog.sweep import sweep

    jobs = []
    for stub in chosen(args):
        if args.preset:
            stub.check_preset(args.preset)
        planned = [job for job in stub.planned() if args.preset in (None, job[0])]
        if args.seeds is not None:
            names = [args.preset] if args.preset else [name for name in stub.presets if (name, 0) in planned]
            planned = [(preset, seed) for preset in names for seed in args.seeds if preset != "smoke" or seed == 0]
        elif args.preset and not planned:  # a paper_ preset
            planned = [(args.preset, 0)]
        jobs += [(stub, preset, seed) for preset, seed in planned]
    return sweep(jobs, args.jobs)


def verify_command(args: argparse.Namespace) -> int:
    """Check that records are complete and fresh and that the pages say what the records say."""
    from catalog import render, runs

    problems = []
    for stub in find(args.root):
        there, fresh = runs.load(stub), runs.fresh(stub)
        stale = {(r["preset"], r["seed"]) for r in there} - fresh.keys()
        missing = set(stub.planned()) - fresh.keys() - stale
        for word, keys in (("stale", stale), ("missing", missing)):
            for preset in sorted({preset for preset, _ in keys}):
                numbers = ", ".join(str(seed) for name, seed in sorted(keys) if name == preset)
                problems.append(f"{stub.slug} {preset}: {word} record of seed {numbers}; sweep {stub.slug}")
    problems += render.differences(args.root)
    if args.rerun:
        problems += rerun(args.root)
    print(*problems, sep="\n", end="\n" if problems else "", file=sys.stderr)
    print(f"{len(problems)} problems" if problems else "all records and pages agree")
    return 1 if problems else 0


def rerun(root: Path) -> list[str]:
    """Run seed 0 of every preset but the paper_ ones again; on the same machine and versions each metric must be equal."""
    import json

    from tqdm import tqdm

    from catalog import runs, sweep

    todo = [(s, preset) for s in find(root) for preset, seed in s.planned() if seed == 0]
    problems = []
    for stub, preset in tqdm(todo, unit="run"):
        recorded = runs.fresh(stub).get((preset, 0))
        process = sweep.worker(stub, preset, 0, "print")
        out, err = process.communicate()
        if process.returncode:
            problems.append(f"{stub.slug} {preset} seed 0: {sweep.failure(process, err)}")
        elif recorded:
            again = json.loads(out)
            same = all(again[key] == recorded[key] for key in ("machine", "python", "numpy"))
            if same and again["metrics"] != recorded["metrics"]:
                problems.append(f"{stub.slug} {preset} seed 0: recorded {recorded['metrics']}, now {again['metrics']}")
            elif not same and again["metrics"] != recorded["metrics"]:
                tqdm.write(f"{stub.slug} {preset}: other machine or version, metrics differ: {again['metrics']}")
    return problems


def render_command(args: argparse.Namespace) -> int:
    """Write every generated page, or with --check only tell which ones are out of date."""
    from catalog import render, runs

    found = render.differences(args.root)
    if args.check:
        print(*found, sep="\n", end="\n" if found else "", file=sys.stderr)
        return 1 if found else 0
    for path, text in render.pages(args.root).items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            runs.write_atomically(path, text)
            print(path)
    return 0


def figures_command(args: argparse.Namespace) -> int:
    """Draw the figures and the film of the folders."""
    for stub in chosen(args):
        for script in (f"visualize_{stub.module}.py", f"make_{stub.module}_gif.py"):
            status = subprocess.run([sys.executable, stub.folder / script]).returncode
            if status:
                raise CatalogError(f"{stub.slug}/{script} ended with status {status}")
    return 0


def canon_command(args: argparse.Namespace) -> int:
    """Show, or with --write mend, functions that differ from their canonical text."""
    from catalog import canon

    drifted = 0
    for stub in find(args.root):
        for path, node in canon.drifted(stub):
            drifted += 1
            print(f"{path}:{node.lineno}: {node.name} differs from catalog/canonical/{canon.role(path)}.py")
        if args.write:
            for path in canon.write(stub):
                print(f"{path}: canonical text written")
    return 1 if drifted and not args.write else 0


def new_command(args: argparse.Namespace) -> int:
    """Make a folder that runs and passes the contract test apart from its TODOs."""
    from catalog.new import create

    for line in create(args.root, args.slug):
        print(line)
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python3 -m catalog", description=__doc__, allow_abbrev=False)
    made.add_argument("--root", type=Path, default=ROOT, help="folder that holds the experiments (default: this one)")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(function, name: str) -> argparse.ArgumentParser:
        text = function.__doc__
        sub = commands.add_parser(name, help=text.splitlines()[0], description=text, allow_abbrev=False)
        sub.set_defaults(function=function)
        return sub

    command(list_command, "list")
    run = command(run_command, "run")
    run.add_argument("slugs", nargs="*", metavar="SLUG", help="experiments; none prints the list")
    run.add_argument("--seed", type=lambda text: seeds(text)[0], default=0, metavar="N", help="default 0")
    run.add_argument("--preset", metavar="P", help="one preset instead of all but smoke and paper_ ones")
    sweep = command(sweep_command, "sweep")
    sweep.add_argument("slugs", nargs="*", metavar="SLUG")
    sweep.add_argument("--all", action="store_true", help="every experiment")
    sweep.add_argument("--seeds", type=seeds, metavar="0-9", help="default: as many as the folder's SEEDS")
    sweep.add_argument("--preset", metavar="P", help="one preset only; the way to record a paper_ preset")
    sweep.add_argument(
        "--jobs", type=positive, default=os.cpu_count(), metavar="N", help="runs at once (default: cores)"
    )
    verify = command(verify_command, "verify")
    verify.add_argument("--rerun", action="store_true", help="also run seed 0 of every preset again and compare")
    render = command(render_command, "render")
    render.add_argument("--check", action="store_true", help="write nothing, exit with 1 if a page is out of date")
    figures = command(figures_command, "figures")
    figures.add_argument("slugs", nargs="*", metavar="SLUG")
    figures.add_argument("--all", action="store_true", help="every experiment")
    canon = command(canon_command, "canon")
    canon.add_argument("--write", action="store_true", help="put the canonical text in place of what differs")
    new = command(new_command, "new")
    new.add_argument("slug", metavar="SLUG", help="lower-case words with hyphens")
    return made


def main(argv: list[str] | None = None) -> int:
    """Run a command; 0 is success, 1 a finding, 2 wrong input, 130 Ctrl-C."""
    top = parser()
    for sub in [top, *next(a for a in top._actions if isinstance(a, argparse._SubParsersAction)).choices.values()]:
        sub.error = lambda message, sub=sub: sub.exit(2, f"{sub.prog}: {message} (see --help)\n")
    args = top.parse_args(argv)
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
