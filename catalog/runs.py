"""The recorded runs of an experiment: one JSON object per line in <folder>/runs.jsonl, written only here."""

import fcntl
import json
import math
import os
import platform
import re
from pathlib import Path

from catalog.stubs import CatalogError, Stub

KEYS = ("preset", "seed", "metrics", "step", "cpu_s", "wall_s", "peak_mb", "code", "numpy", "python", "machine")
Table = dict[str, dict[int, dict[str, float]]]  # preset -> seed -> metric -> value


def machine() -> str:
    """Processor model, number of cores and operating system."""
    info = Path("/proc/cpuinfo")
    model = re.search(r"^model name\s*: (.*)$", info.read_text(), re.MULTILINE) if info.exists() else None
    return f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores, {platform.system()}"


def load(stub: Stub) -> list[dict]:
    """All records, a null metric read as infinity; CatalogError names a damaged line."""
    path = stub.folder / "runs.jsonl"
    records = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines() if path.exists() else (), 1):
        try:
            record = json.loads(line)
            if tuple(record) != KEYS:
                raise ValueError
            record["metrics"] = {k: math.inf if v is None else float(v) for k, v in record["metrics"].items()}
        except (ValueError, TypeError, AttributeError):
            raise CatalogError(f"{path}:{number}: not a run record; delete that line and sweep again") from None
        records.append(record)
    return records


def write_atomically(path: Path, text: str) -> None:
    """Replace a file's content so that no reader and no crash ever meets half of it."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, path)


def add(stub: Stub, *new: dict) -> None:
    """Add records in place of older ones, and drop those of presets that are gone; others may do so meanwhile."""
    folder = os.open(stub.folder, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # ends with the process, even by kill -9
        rows = {(r["preset"], r["seed"]): r for r in [*load(stub), *new] if r["preset"] in stub.presets}
        lines = []
        for _, row in sorted(rows.items()):
            metrics = {name: None if math.isinf(value) else value for name, value in row["metrics"].items()}
            lines.append(json.dumps({**row, "metrics": metrics}) + "\n")
        write_atomically(stub.folder / "runs.jsonl", "".join(lines))
    finally:
        os.close(folder)


def fresh(stub: Stub) -> dict[tuple[str, int], dict]:
    """The records whose code is the code as it stands, by preset and seed."""
    codes = {preset: stub.code(preset) for preset in stub.presets}
    return {(r["preset"], r["seed"]): r for r in load(stub) if codes.get(r["preset"]) == r["code"]}


def table(stub: Stub) -> Table:
    """Final metrics of the fresh records by preset and seed."""
    found: Table = {}
    for (preset, seed), record in fresh(stub).items():
        found.setdefault(preset, {})[seed] = record["metrics"]
    return found
