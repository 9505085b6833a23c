"""One run in one process: `python3 -m catalog.worker ROOT SLUG PRESET SEED` trains and adds the record."""

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ[variable] = "1"  # before numpy is imported: small matrices are fastest on one thread

import json
import math
import platform
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from catalog import runs
from catalog.stubs import CatalogError, Stub, load


def execute(stub: Stub, preset: str, seed: int, look: Callable | None = None) -> dict:
    """Train one preset at one seed and return its record; `look` is called with every snapshot."""
    module = load(stub)
    stub.check_preset(preset)
    code = stub.code(preset)
    cpu, wall = time.process_time(), time.perf_counter()
    for snapshot in module.train(module.Config(**stub.presets[preset]), np.random.default_rng(seed)):
        if look:
            look(snapshot)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    for name, value in snapshot.metrics.items():
        if not isinstance(value, float) or math.isnan(value):
            raise ValueError(f"final metric {name} is {value!r}, which is no measured number")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return {
        "preset": preset,
        "seed": seed,
        "metrics": snapshot.metrics,
        "step": int(snapshot.step),
        "cpu_s": round(cpu, 3),
        "wall_s": round(wall, 3),
        "peak_mb": round(peak, 1),
        "code": code,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": runs.machine(),
    }


def main() -> int:
    """Run and record; with a fifth argument `print`, print the record as JSON instead."""
    root, slug, preset, seed, *mode = sys.argv[1:]
    stub = Stub(Path(root), slug)
    try:
        record = execute(stub, preset, int(seed))
        if mode:
            print(json.dumps(record))
        else:
            runs.add(stub, record)
    except CatalogError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
