"""Writes the pages from the recorded runs. Pure functions from declarations and records to text."""

import re
import statistics
from itertools import zip_longest
from pathlib import Path

from tabulate import tabulate

from catalog import claims, runs
from catalog.stubs import TOTAL, CatalogError, Stub, eras, find

GENERATED = "<!-- Written by `python3 -m catalog render` from the recorded runs; do not edit. -->"
HOLDS = {True: "yes", False: "no", None: "not measured"}
CLAIM_HEAD = ["claim", "says", "the paper", "must hold", "measured (range over seeds)", "seeds", "holds"]
RERUN = """## Run it again

    python3 -m catalog sweep --all      # records what is missing or stale
    python3 -m catalog render           # writes this page
    python3 -m catalog verify --rerun   # checks the records, the pages and seed 0 of every preset"""


def table(header: list[str], rows: list[list]) -> str:
    """A Markdown table; a pipe inside a cell is escaped."""
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    return tabulate(cells, header, tablefmt="pipe", disable_numparse=True)


def read(path: Path) -> str:
    """The file's text; CatalogError if there is no such file."""
    if not path.exists():
        raise CatalogError(f"{path} is missing")
    return path.read_text(encoding="utf-8")


def between(path: Path, name: str, block: str) -> str:
    """The file's text with `block` between the marks <!-- name:begin --> and <!-- name:end -->."""
    pattern = re.compile(rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
    text, replaced = pattern.subn(lambda match: f"{match[1]}{block}\n{match[2]}", read(path))
    if replaced != 1:
        raise CatalogError(f"{path} needs the marks <!-- {name}:begin --> and <!-- {name}:end --> once each")
    return text


def claim_rows(stub: Stub, found: runs.Table) -> list[list]:
    """One row per claim, to go under CLAIM_HEAD."""
    judged = [(claim, claims.evaluate(claim[3], found)) for claim in stub.claims]
    return [[*c[:3], f"`{c[3]}`", verdict.measured, verdict.seeds or "", HOLDS[verdict.holds]] for c, verdict in judged]


def machines(stubs: list[Stub]) -> str:
    """Every machine and version the records come from."""
    records = [record for stub in stubs for record in runs.fresh(stub).values()]
    found = {f"{r['machine']}, Python {r['python']}, numpy {r['numpy']}" for r in records}
    return f"Measured on: {'; '.join(sorted(found)) or 'nothing yet'}."


def results_block(stub: Stub) -> str:
    """The generated part of a folder's README: claims, then cost per preset and the machine."""
    found = runs.table(stub)
    word, held, made = claims.verdict(stub, found)
    ours = len(stub.claims) - made
    tally = f"Reproduced: **{word}**, {held} of {made} claims of the paper hold. Controls of our own: {ours}."
    costs = []
    for preset in stub.presets:
        mine = [record for (name, _), record in runs.fresh(stub).items() if name == preset]
        if mine:
            cpu, wall = (f"{statistics.median(r[key] for r in mine):.2f}" for key in ("cpu_s", "wall_s"))
            costs.append([f"`{preset}`", len(mine), cpu, wall, f"{max(r['peak_mb'] for r in mine):.0f}"])
    cost_head = ["preset", "recorded runs", "CPU s (median)", "wall clock s (median)", "peak MB"]
    parts = [GENERATED, tally, table(CLAIM_HEAD, claim_rows(stub, found)), table(cost_head, costs), machines([stub])]
    return "\n\n".join(parts)


def link(stub: Stub) -> str:
    return f"[{stub.slug}]({stub.slug}/README.md)"


def results_row(stub: Stub) -> list[str]:
    """A folder's row of RESULTS.md; tests/test_smoke.py reads the smoke condition from it."""
    found, (_, says, said, holds), condition = runs.table(stub), stub.claims[0], stub.declared["SMOKE"]
    word, held, made = claims.verdict(stub, found)
    smoke = claims.show(claims.smoke(condition, found["smoke"][0])[1]) if "smoke" in found else "not measured"
    cpu = [r["cpu_s"] for (preset, _), r in runs.fresh(stub).items() if preset == next(iter(stub.presets))]
    seconds = f"{statistics.median(cpu):.2f}" if cpu else "not measured"
    headline = [f"{says}: `{holds}`", claims.evaluate(holds, found).measured, said]
    return [link(stub), word, *headline, f"{held} of {made}", f"`{condition}`: {smoke}", seconds]


def results_page(root: Path) -> str:
    """RESULTS.md: a row per folder under its era and paper, the tally, the machine, how to run it again."""
    words = [claims.verdict(stub, runs.table(stub))[0] for stub in find(root)]
    tally = ", ".join(f"{words.count(word)} {word}" for word in ("yes", "partly", "no"))
    intro = f"""# Results

{GENERATED}

{len(words)} of {TOTAL} folders are in. Reproduced: {tally}. A folder is *yes* if every claim of its paper holds over
the recorded seeds, *partly* if some do, *no* if none does; controls of our own do not count. Every number comes from
a `runs.jsonl`, every verdict from `catalog/claims.py`. CPU seconds are the median of the headline preset."""
    head = ["folder", "reproduced", "headline claim", "measured (range over seeds)", "the paper", "claims held"]
    parts = [intro]
    for era, papers in eras(root):
        parts.append(f"## {era}")
        for cite, stubs in papers:
            rows = [results_row(stub) for stub in stubs]
            parts.append(f"### {cite}\n\n" + table([*head, "smoke check: value", "CPU s"], rows))
    return "\n\n".join([*parts, RERUN, machines(find(root))]) + "\n"


def paragraph(stub: Stub, heading: str) -> str:
    """First prose paragraph of a section of the README, or the last one of its header if heading is empty."""
    path = stub.folder / "README.md"
    header, *sections = read(path).split("\n## ")
    text = next((s for s in sections if s.startswith(heading)), "") if heading else header
    prose = [p.strip() for p in text.split("\n\n")[1:] if p.strip() and p.strip()[0] not in "#!<|-"]
    if not prose:
        raise CatalogError(f"{path} has no prose in {heading or 'its header'}")
    return prose[0 if heading else -1]


def tour_page(root: Path) -> str:
    """VISUAL_TOUR.md: picture first, then what to look at and why it matters."""
    parts = [f"# Visual tour\n\n{GENERATED}\n\nOne film per experiment, in the order of history."]
    for era, papers in eras(root):
        parts.append(f"## {era}")
        for stub in (stub for _, stubs in papers for stub in stubs):
            film = f"![{stub.title}]({stub.slug}/{stub.module}.gif)"
            parts += [f"### {link(stub)}", film, paragraph(stub, "Visualizations"), paragraph(stub, "")]
    return "\n\n".join(parts) + "\n"


def catalogue_block(root: Path) -> str:
    """The catalogue tables of the root README."""
    parts = [GENERATED, f"**{len(find(root))} of {TOTAL} folders are in.**"]
    for era, papers in eras(root):
        rows = []
        for cite, stub in ((cite, stub) for cite, stubs in papers for stub in stubs):
            word, held, made = claims.verdict(stub, runs.table(stub))
            rows.append([link(stub), stub.title, cite.partition(" — ")[0], f"{word} ({held} of {made})"])
        parts.append(f"### {era}\n\n" + table(["folder", "experiment", "paper", "reproduced (claims held)"], rows))
    return "\n\n".join(parts)


def pages(root: Path) -> dict[Path, str]:
    """Every page with generated content, by path, as it should be."""
    written = {root / "RESULTS.md": results_page(root), root / "VISUAL_TOUR.md": tour_page(root)}
    written[root / "README.md"] = between(root / "README.md", "catalogue", catalogue_block(root))
    for stub in find(root):
        path = stub.folder / "README.md"
        written[path] = between(path, "results", results_block(stub))
    return written


def differences(root: Path) -> list[str]:
    """A line for every page that is not what the records say, naming the first line that differs."""
    found = []
    for path, text in pages(root).items():
        there = path.read_text(encoding="utf-8") if path.exists() else ""
        lines = enumerate(zip_longest(there.split("\n"), text.split("\n")), 1)
        if differing := [number for number, (is_, should) in lines if is_ != should]:
            found.append(f"{path}:{differing[0]}: differs from the recorded runs; python3 -m catalog render writes it")
    return found
