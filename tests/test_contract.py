"""Every folder keeps every rule of contract.py, and every rule notices when it is broken."""

import subprocess
import sys

import pytest

from catalog import stubs
from catalog.__main__ import main
from conftest import ROOT, edit
from contract import RULES, todo


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_folder_keeps_the_rule(stub, rule):
    assert rule(stub) == []


def test_there_are_folders():
    assert stubs.find(ROOT)


def test_new_folder_lacks_nothing_but_its_todos_once_swept_and_drawn(toy):
    stub = toy()
    for command in (["sweep", stub.slug], ["figures", stub.slug], ["render"], ["verify"]):
        assert main(["--root", str(stub.root), *command]) == 0
    wrong = {rule.__name__: rule(stub) for rule in RULES}
    assert wrong.pop("todo")
    assert not any(wrong.values()), wrong
    oracles = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(stub.folder)]
    assert subprocess.run(oracles, cwd=stub.root).returncode == 0


BREAKS = {
    "docstring": ("\nTask: ", "\nChore: "),
    "config": ("rate: float = 0.1 ", "rate: float = 1 "),
    "literals": ('"untrained": {"rate"', '"untrained": {"speed"'),
    "imports": ("import numpy as np\n", "import numpy as np\nimport matplotlib\n"),
    "training": ("rng.spawn(3)", "[rng, rng, rng]"),
    "purity": ("rng.normal(0, 1, 1)", "np.random.default_rng(0).normal(0, 1, 1)"),
    "sizes": ("# Task\n", "# Task\n" + "\n" * 400),
    "canonical": ('"interrupted"', '"stopped"'),
}


@pytest.mark.parametrize("name", BREAKS)
def test_rule_notices_the_break(toy, name):
    rule = next(rule for rule in RULES if rule.__name__ == name)
    assert rule(toy()) == []
    assert rule(toy(BREAKS[name]))


def test_rules_notice_missing_files_and_empty_tests(toy):
    stub = toy()
    rules = {rule.__name__: rule for rule in RULES}
    assert f"{stub.module}.gif is missing" in rules["files"](stub)
    edit(stub.folder / f"test_{stub.module}.py", ("    assert abs(2 * loss - 0.01)", "    abs(2 * loss - 0.01)"))
    assert any("asserts nothing" in line for line in rules["oracles"](stub))
    edit(stub.folder / "README.md", ("## Files", "## Things"))
    assert any("sections" in line for line in rules["readme"](stub))
    assert todo(stub)


def test_the_tool_stays_small():
    assert sum(len(path.read_text().splitlines()) for path in (ROOT / "catalog").glob("*.py")) < 1000
