"""Records many runs, each in a process of its own, several at a time; what is recorded and fresh is not repeated."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed

from tqdm import tqdm

from catalog import runs
from catalog.stubs import ROOT, Stub

Job = tuple[Stub, str, int]


def pending(jobs: list[Job]) -> list[Job]:
    """The jobs that have no fresh record."""
    done = {stub.slug: runs.fresh(stub) for stub, _, _ in {job[0].slug: job for job in jobs}.values()}
    return [(stub, preset, seed) for stub, preset, seed in jobs if (preset, seed) not in done[stub.slug]]


def worker(stub: Stub, preset: str, seed: int, *mode: str) -> subprocess.Popen:
    """Start the process of one run; it adds its record itself, so a finished run outlives a killed sweep."""
    command = [sys.executable, "-m", "catalog.worker", str(stub.root.resolve()), stub.slug, preset, str(seed), *mode]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def failure(process: subprocess.Popen, stderr: str) -> str:
    """Why a run failed, in one line."""
    if process.returncode < 0:
        return f"killed by signal {-process.returncode}"
    return (stderr.strip().splitlines() or [f"exit status {process.returncode}"])[-1]


def sweep(jobs: list[Job], at_once: int) -> int:
    """Run all pending jobs; returns 0, or 1 if any failed, after a line for each failure. Ctrl-C stops the workers."""
    for stub in {stub.slug: stub for stub, _, _ in jobs}.values():
        runs.add(stub)  # only drops what is left of presets that are gone
    todo = pending(jobs)
    print(f"{len(jobs) - len(todo)} of {len(jobs)} runs are recorded and fresh, {len(todo)} to do")
    running, stopped, failures = set(), threading.Event(), []

    def run(job: Job) -> str | None:
        if stopped.is_set() or not pending([job]):  # another sweep may have done it in the meantime
            return None
        process = worker(*job)
        running.add(process)
        _, stderr = process.communicate()
        running.discard(process)
        return failure(process, stderr) if process.returncode else None

    with ThreadPoolExecutor(at_once) as pool, tqdm(total=len(todo), unit="run", smoothing=0.1) as bar:
        futures = {pool.submit(run, job): job for job in todo}
        try:
            for future in as_completed(futures):
                stub, preset, seed = futures[future]
                if reason := future.result():
                    failures.append(f"FAILED {stub.slug} {preset} seed {seed}: {reason}")
                    bar.write(failures[-1])
                bar.set_postfix_str(f"{stub.slug} {preset} {seed}", refresh=False)
                bar.update()
        except KeyboardInterrupt:
            stopped.set()
            for process in list(running):
                process.terminate()
            raise
    if failures:
        print(f"{len(failures)} of {len(todo)} runs failed:", *failures, sep="\n", file=sys.stderr)
    return 1 if failures else 0
