"""Sweeping: records, crashes, kill -9, two sweeps at once, stale code, damaged files."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from catalog import runs, stubs
from catalog.__main__ import main
from conftest import ROOT, edit

SLOW = (
    "init_rng, data_rng, test_rng = rng.spawn(3)",
    "init_rng, data_rng, test_rng = rng.spawn(3)\n    __import__('time').sleep(0.3)",
)


def command(stub, *words: str) -> list[str]:
    return [sys.executable, "-m", "catalog", "--root", str(stub.root), *words]


def catalog(stub, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run(command(stub, *words), capture_output=True, text=True, cwd=ROOT)


def recorded(stub) -> set[tuple[str, int]]:
    return {(r["preset"], r["seed"]) for r in runs.load(stub)}


def test_sweep_records_every_planned_run_once_and_again_does_nothing(toy):
    stub = toy()
    assert catalog(stub, "sweep", stub.slug).returncode == 0
    assert recorded(stub) == set(stub.planned()) and len(stub.planned()) == 21
    before = (stub.folder / "runs.jsonl").read_bytes()
    assert "21 of 21 runs are recorded and fresh, 0 to do" in catalog(stub, "sweep", "--all").stdout
    assert (stub.folder / "runs.jsonl").read_bytes() == before
    assert not list(stub.folder.glob(".*"))


def test_a_crashing_run_is_reported_and_the_others_go_on(toy):
    crash = (
        "    params, test =",
        "    if cfg.updates == 100: raise RuntimeError('smoke went out')\n    params, test =",
    )
    stub = toy(crash)
    done = catalog(stub, "sweep", stub.slug, "--seeds", "0-1")
    assert done.returncode == 1
    assert "RuntimeError: smoke went out" in done.stderr and "Traceback" not in done.stdout + done.stderr
    assert recorded(stub) == {(p, s) for p in ("headline", "untrained") for s in (0, 1)}


def test_a_metric_that_is_not_a_number_is_a_failure(toy):
    stub = toy(('{"mse": mse}', '{"mse": float("nan")}'))
    done = catalog(stub, "sweep", stub.slug, "--preset", "smoke")
    assert done.returncode == 1 and "mse is nan" in done.stderr


def test_killed_in_the_middle_it_loses_and_repeats_nothing(toy):
    stub = toy(SLOW)
    process = subprocess.Popen(
        command(stub, "sweep", stub.slug, "--jobs", "2"), cwd=ROOT, start_new_session=True, stderr=subprocess.DEVNULL
    )
    while len(recorded(stub)) < 3:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept = runs.load(stub)
    assert 3 <= len(kept) < 21
    assert catalog(stub, "sweep", stub.slug).returncode == 0
    after = {(r["preset"], r["seed"]): r for r in runs.load(stub)}
    assert after.keys() == set(stub.planned())
    assert all(after[r["preset"], r["seed"]] == r for r in kept), "a finished run was repeated"


def test_two_sweeps_at_once_leave_one_whole_file(toy):
    stub = toy(SLOW)
    both = [subprocess.Popen(command(stub, "sweep", stub.slug), cwd=ROOT, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert recorded(stub) == set(stub.planned()) and len(runs.load(stub)) == 21


def test_rewording_keeps_records_and_changing_the_experiment_makes_them_stale(toy, capsys):
    stub = toy()
    main(["--root", str(stub.root), "sweep", stub.slug, "--seeds", "0"])
    assert len(runs.fresh(stub)) == 3
    edit(stub.path, ("what is learnt", "what is learned"), ("# gradient steps\n", "# steps\n"), ('"ours"', '"our own"'))
    edit(stub.path, ('"untrained": {"rate": 1e-9}', '"untrained": {"rate": 1e-8}'))
    again = stubs.Stub(stub.root, stub.slug)
    assert {preset for preset, _ in runs.fresh(again)} == {"headline", "smoke"}
    edit(stub.path, ("rng.normal(0, 0.1", "rng.normal(0, 0.2"))
    again = stubs.Stub(stub.root, stub.slug)
    assert not runs.fresh(again)
    main(["--root", str(stub.root), "render"])
    capsys.readouterr()
    assert main(["--root", str(stub.root), "verify"]) == 1
    assert "headline: stale record of seed 0" in capsys.readouterr().err


def test_a_sweep_drops_records_of_presets_that_are_gone(toy):
    stub = toy()
    main(["--root", str(stub.root), "sweep", stub.slug, "--seeds", "0-1"])
    edit(stub.path, ('"untrained": {"rate": 1e-9}', '"unmoved": {"rate": 1e-9}'))
    main(["--root", str(stub.root), "sweep", stub.slug, "--preset", "smoke"])
    assert recorded(stub) == {("headline", 0), ("headline", 1), ("smoke", 0)}


@pytest.mark.parametrize("damage", ["{half a rec", '{"preset": "headline"}', "[]", "null", '{"seed": 1e999}'])
def test_a_damaged_line_is_named(toy, damage):
    stub = toy()
    assert catalog(stub, "sweep", stub.slug, "--seeds", "0").returncode == 0
    path = stub.folder / "runs.jsonl"
    path.write_text(path.read_text() + damage + "\n")
    for words in (["sweep", stub.slug], ["verify"], ["render"]):
        done = catalog(stub, *words)
        assert done.returncode == 2 and f"{path}:4: not a run record" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_infinity_survives_the_record(toy):
    stub = toy(('{"mse": mse}', '{"mse": mse, "steps": float("inf")}'))
    assert catalog(stub, "sweep", stub.slug, "--preset", "smoke").returncode == 0
    assert json.loads((stub.folder / "runs.jsonl").read_text())["metrics"]["steps"] is None
    assert runs.load(stub)[0]["metrics"]["steps"] == float("inf")


def test_rerun_notices_a_record_that_was_not_measured(toy):
    stub = toy()
    for words in (["sweep", stub.slug], ["render"], ["verify", "--rerun"]):
        assert catalog(stub, *words).returncode == 0
    path = stub.folder / "runs.jsonl"
    record = json.loads(path.read_text().splitlines()[0])
    forged = json.dumps({**record, "metrics": {"mse": 0.001}})
    path.write_text(path.read_text().replace(json.dumps(record), forged))
    assert catalog(stub, "render").returncode == 0
    done = catalog(stub, "verify", "--rerun")
    assert done.returncode == 1 and "headline seed 0: recorded {'mse': 0.001}" in done.stderr
