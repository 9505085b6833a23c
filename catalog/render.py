"""Writes the pages from the recorded runs. Pure functions from declarations and records to text."""

import re
import statistics
from pathlib import Path

from tabulate import tabulate

from catalog import claims, runs
from catalog.stubs import CatalogError, Stub, eras, find, total

GENERATED = "<!-- Written by `python3 -m catalog render` from the recorded runs; do not edit. -->"
HOLDS = {True: "**yes**", False: "no", None: "not measured"}


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; a pipe inside a cell is escaped."""
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    return tabulate(cells, header, tablefmt="pipe", disable_numparse=True)


def between(text: str, name: str, block: str, path: Path) -> str:
    """`text` with what stands between the marks <!-- name:begin --> and <!-- name:end --> replaced by `block`."""
    pattern = re.compile(rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise CatalogError(f"{path} needs the marks <!-- {name}:begin --> and <!-- {name}:end --> once each")
    return pattern.sub(lambda match: f"{match[1]}{block}\n{match[2]}", text)


def claim_rows(stub: Stub, found: runs.Table) -> list[list[str]]:
    """One row per claim: id, what it says, the paper's number, what had to hold, measured, seeds, verdict."""
    rows = []
    for name, says, said, holds in stub.claims:
        verdict = claims.evaluate(holds, found)
        rows.append([name, says, said, f"`{holds}`", verdict.measured, verdict.seeds or "", HOLDS[verdict.holds]])
    return rows


def results_block(stub: Stub) -> str:
    """The generated part of a folder's README: claims, then cost per preset and the machine."""
    records = list(runs.fresh(stub).values())
    found = runs.table(records)
    word, held, made = claims.verdict(stub, found)
    head = ["claim", "says", "the paper", "must hold", "measured (range over seeds)", "seeds", "holds"]
    costs = []
    for preset in stub.presets:
        mine = [r for r in records if r["preset"] == preset]
        if mine:
            cpu, wall = (statistics.median(r[key] for r in mine) for key in ("cpu_s", "wall_s"))
            costs.append(
                [f"`{preset}`", len(mine), f"{cpu:.2f}", f"{wall:.2f}", f"{max(r['peak_mb'] for r in mine):.0f}"]
            )
    return "\n\n".join(
        [
            GENERATED,
            f"Reproduced: **{word}**, {held} of the paper's {made} claims hold ({len(stub.claims) - made} controls of our own).",
            table(head, claim_rows(stub, found)),
            table(["preset", "recorded runs", "CPU s (median)", "wall clock s (median)", "peak MB"], costs),
            f"Measured on: {machines(records)}.",
        ]
    )


def machines(records: list[dict]) -> str:
    """Every machine and version the records come from."""
    return (
        "; ".join(sorted({f"{r['machine']}, Python {r['python']}, numpy {r['numpy']}" for r in records})) or "nothing"
    )


def link(stub: Stub, base: str = "") -> str:
    return f"[{stub.slug}]({base}{stub.slug}/README.md)"


def cpu_seconds(stub: Stub, records: list[dict]) -> str:
    """Median CPU seconds of the headline preset."""
    headline = [r["cpu_s"] for r in records if r["preset"] == next(iter(stub.presets))]
    return f"{statistics.median(headline):.2f}" if headline else "not measured"


def smoke_cell(stub: Stub, found: runs.Table) -> str:
    """The smoke condition and its recorded value; tests/test_smoke.py reads the condition from here."""
    condition = stub.declared["SMOKE"]
    if 0 not in found.get("smoke", {}):
        return f"`{condition}`: not measured"
    return f"`{condition}`: {claims.show(claims.smoke(condition, found['smoke'][0])[1])}"


def results_page(root: Path) -> str:
    """RESULTS.md: a row per folder under its era and paper, the tally, the machine, how to run it again."""
    parts, words, all_records = [], [], []
    for era, papers in eras(root):
        parts.append(f"## {era}")
        for cite, stubs in papers:
            rows = []
            for stub in stubs:
                records = list(runs.fresh(stub).values())
                found = runs.table(records)
                all_records += records
                word, held, made = claims.verdict(stub, found)
                words.append(word)
                _, says, said, holds = stub.claims[0]
                measured = claims.evaluate(holds, found).measured
                cells = [link(stub), word, f"{says}: `{holds}`", measured, said, f"{held} of {made}"]
                rows.append([*cells, smoke_cell(stub, found), cpu_seconds(stub, records)])
            head = ["folder", "reproduced", "headline claim", "measured, median (range)", "the paper", "claims held"]
            parts.append(f"### {cite}\n\n" + table([*head, "smoke check: value", "CPU s"], rows))
    tally = ", ".join(f"{words.count(word)} {word}" for word in ("yes", "partly", "no"))
    intro = f"""# Results

{GENERATED}

{len(words)} of {total()} folders are in. Reproduced: {tally}. A folder is *yes* if every claim of its paper holds over
the recorded seeds, *partly* if some do, *no* if none does; controls of our own do not count. Every number comes from a
`runs.jsonl`; the claims are judged from it by `catalog/claims.py`. CPU seconds are the median of the headline preset."""
    rerun = f"""## Run it again

Measured on: {machines(all_records)}.

    python3 -m catalog sweep --all      # records what is missing or stale
    python3 -m catalog render           # writes this page
    python3 -m catalog verify --rerun   # checks the records, the pages and seed 0 of every preset"""
    return "\n\n".join([intro, *parts, rerun]) + "\n"


def paragraph(stub: Stub, heading: str | None) -> str:
    """First prose paragraph of the README's header (heading None) or of one of its sections."""
    text = (stub.folder / "README.md").read_text(encoding="utf-8")
    part = text.split("\n## ")[0] if heading is None else text.partition(f"\n## {heading}\n")[2].split("\n## ")[0]
    prose = [p for p in part.split("\n\n") if p.strip() and p.lstrip()[0] not in "#!<|-"]
    if not prose:
        raise CatalogError(f"{stub.folder / 'README.md'} has no prose in {heading or 'its header'}")
    return (prose[-1] if heading is None else prose[0]).strip()


def tour_page(root: Path) -> str:
    """VISUAL_TOUR.md: picture first, then what it is and what to look at."""
    parts = [f"# Visual tour\n\n{GENERATED}\n\nOne film per experiment, in the order of history."]
    for era, papers in eras(root):
        parts.append(f"## {era}")
        for _, stubs in papers:
            for stub in stubs:
                film = f"![{stub.title}]({stub.slug}/{stub.module}.gif)"
                parts.append(
                    f"### {link(stub)}\n\n{film}\n\n{paragraph(stub, 'Visualizations')}\n\n{paragraph(stub, None)}"
                )
    return "\n\n".join(parts) + "\n"


def catalogue_block(root: Path) -> str:
    """The catalogue tables of the root README."""
    parts = [f"{GENERATED}\n\n**{len(find(root))} of {total()} folders are in.**"]
    for era, papers in eras(root):
        rows = []
        for cite, stubs in papers:
            for stub in stubs:
                found = runs.table(list(runs.fresh(stub).values()))
                word, held, made = claims.verdict(stub, found)
                rows.append([link(stub), stub.title, cite.partition(" — ")[0], f"{word} ({held} of {made})"])
        parts.append(f"### {era}\n\n" + table(["folder", "experiment", "paper", "reproduced (claims held)"], rows))
    return "\n\n".join(parts)


def pages(root: Path) -> dict[Path, str]:
    """Every page with generated content, by path, as it should be."""
    written = {root / "RESULTS.md": results_page(root), root / "VISUAL_TOUR.md": tour_page(root)}
    readme = root / "README.md"
    written[readme] = between(readme.read_text(encoding="utf-8"), "catalogue", catalogue_block(root), readme)
    for stub in find(root):
        path = stub.folder / "README.md"
        written[path] = between(path.read_text(encoding="utf-8"), "results", results_block(stub), path)
    return written


def differences(root: Path) -> list[str]:
    """A line for every page that is not what the records say, naming the first line that differs."""
    found = []
    for path, text in pages(root).items():
        there = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        for number, (is_, should) in enumerate(zip([*there, None], [*text.splitlines(), None], strict=False), 1):
            if is_ != should:
                found.append(f"{path}:{number}: differs from the recorded runs; python3 -m catalog render writes it")
                break
    return found
