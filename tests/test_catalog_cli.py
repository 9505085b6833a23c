"""The command line: wrong input, listing, running, canonical texts."""

import subprocess
import sys
import time

import pytest

from catalog import new
from catalog.__main__ import main
from conftest import ROOT, edit


def catalog(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "catalog", *words], capture_output=True, text=True, cwd=ROOT)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["run", "adding-problm"], "did you mean 'adding-problem'"),
        (["run", "adding-problem", "--preset", "best"], "it has lstm"),
        (["run", "adding-problem", "--seed", "one"], "'one' is no whole number of at least 0"),
        (["run", "adding-problem", "--seed", "0-9"], "'0-9' is no whole number of at least 0"),
        (["sweep", "adding-problem", "--seeds", "9-0"], "write 3, 0-9 or 0-2,7"),
        (["sweep", "adding-problem", "--jobs", "0"], "'0' is no whole number of at least 1"),
        (["sweep"], "name one or more experiments, or --all"),
        (["figures", "nothing"], "no experiment 'nothing'"),
        (["new", "Not A Slug"], "lower-case words with hyphens"),
        (["new", "adding-problem"], "exists already"),
        (["paint"], "invalid choice"),
        (["list", "--colour"], "unrecognized arguments"),
    ],
)
def test_wrong_input_is_one_line_and_status_2(words, hint):
    done = catalog(*words)
    assert done.returncode == 2
    assert hint in done.stderr and len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("broken", "hint"),
    [
        (("import numpy as np\n", "import numpy as np\nimport missing_module\n"), "ModuleNotFoundError"),
        (("SEEDS = 10", "SEEDS = max(9, 10)"), "SEEDS must be a literal"),
        (("SEEDS = 10", "SEEDZ = 10"), "SEEDS is missing"),
        (("class Config:", "class Config"), "expected ':'"),
    ],
)
def test_a_folder_that_cannot_be_used_is_one_line(toy, broken, hint):
    stub = toy(broken)
    done = catalog("--root", str(stub.root), "run", stub.slug)
    assert done.returncode == 2
    assert hint in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_list_is_fast_and_imports_no_numpy(tmp_path):
    for number in range(60):
        new.create(tmp_path, f"toy-{number}")
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        done = catalog("--root", str(tmp_path), "list")
        seconds.append(time.perf_counter() - start)
    assert done.stdout.count("toy-") == 60
    assert min(seconds) < 0.3
    probe = "import sys; from catalog.__main__ import main; main(['list']); sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", probe], cwd=ROOT, stdout=subprocess.DEVNULL).returncode == 0


def test_run_shows_learning_and_judges_every_claim(toy):
    stub = toy()
    done = catalog("--root", str(stub.root), "run", stub.slug, "--seed", "4")
    assert done.returncode == 0
    assert done.stdout.count("\nstep ") == 42  # 21 looks at each of two presets
    table = done.stdout[done.stdout.index("Claims on seed 4") :]
    assert "| C1" in table and "| C2" in table and table.count("yes") == 2
    assert not (stub.folder / "runs.jsonl").exists()


def test_run_without_a_name_lists():
    assert catalog("run").stdout == catalog("list").stdout


def test_canon_mends_what_drifted(toy, capsys):
    stub = toy(('"interrupted"', '"stopped"'))
    edit(stub.folder / f"make_{stub.module}_gif.py", ("quantize(64)", "quantize(8)"))
    right = toy().path.read_text().partition("def main")[2]
    assert main(["--root", str(stub.root), "canon"]) == 1
    assert "write_gif differs" in capsys.readouterr().err
    assert main(["--root", str(stub.root), "canon", "--write"]) == 0
    assert main(["--root", str(stub.root), "canon"]) == 0
    assert stub.path.read_text().partition("def main")[2] == right


def test_ctrl_c_is_one_line_and_status_130(monkeypatch, capsys):
    monkeypatch.setattr("catalog.__main__.find", lambda root: (_ for _ in ()).throw(KeyboardInterrupt))
    assert main(["verify"]) == 130
    assert "interrupted" in capsys.readouterr().err
