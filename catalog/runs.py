"""The recorded runs of an experiment: one JSON object per line in <folder>/runs.jsonl, written only here."""

import fcntl
import json
import math
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from catalog.stubs import CatalogError, Stub

KEYS = ("preset", "seed", "metrics", "step", "cpu_s", "wall_s", "peak_mb", "code", "numpy", "python", "machine")
Table = dict[str, dict[int, dict[str, float]]]  # preset -> seed -> metric -> value


def machine() -> str:
    """Processor model, number of cores and operating system."""
    model, info = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    return f"{model}, {os.cpu_count()} cores, {platform.system()}"


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


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder against other processes that add records; the lock ends with the process, even by kill -9."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def add(stub: Stub, record: dict) -> None:
    """Add a record, replacing an older one of the same preset and seed; safe against other writers and crashes."""
    with locked(stub.folder):
        kept = [r for r in load(stub) if (r["preset"], r["seed"]) != (record["preset"], record["seed"])]
        rows = sorted([*kept, record], key=lambda r: (r["preset"], r["seed"]))
        lines = [json.dumps({**row, "metrics": {k: finite(v) for k, v in row["metrics"].items()}}) for row in rows]
        write_atomically(stub.folder / "runs.jsonl", "".join(line + "\n" for line in lines))


def finite(value: float) -> float | None:
    """The value as JSON holds it: infinity (not solved) becomes null."""
    return None if math.isinf(value) else value


def fresh(stub: Stub) -> dict[tuple[str, int], dict]:
    """The records whose code is the code as it stands, by preset and seed."""
    codes = {preset: stub.code(preset) for preset in stub.presets}
    return {(r["preset"], r["seed"]): r for r in load(stub) if codes.get(r["preset"]) == r["code"]}


def table(records: list[dict]) -> Table:
    """Final metrics by preset and seed."""
    found: Table = {}
    for record in records:
        found.setdefault(record["preset"], {})[record["seed"]] = record["metrics"]
    return found
