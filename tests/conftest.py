"""What the tests share: the experiments, and a catalogue of one small experiment to break on purpose."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog import new, stubs

sys.path.insert(0, str(Path(__file__).parent))
ROOT = stubs.ROOT
README = "# Catalogue\n\n<!-- catalogue:begin -->\n<!-- catalogue:end -->\n"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with an argument `stub` runs once for every folder there is."""
    if "stub" in metafunc.fixturenames:
        found = stubs.find(ROOT)
        metafunc.parametrize("stub", found, ids=[stub.slug for stub in found], scope="session")


@pytest.fixture
def toy(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., stubs.Stub]:
    """toy((old, new), ...) makes a catalogue of one working folder with these replacements in its main file.

    Every toy has a module name of its own, because Python keeps imported modules.
    """
    made = []

    def make(*replacements: tuple[str, str]) -> stubs.Stub:
        slug = f"toy-{abs(hash(request.node.nodeid)) % 10**8}-{len(made)}x"
        new.create(tmp_path, slug)
        (tmp_path / "README.md").write_text(README)
        shutil.copy(ROOT / "matplotlibrc", tmp_path)
        made.append(stubs.Stub(tmp_path, slug))
        edit(made[-1].path, *replacements)
        return made[-1]

    yield make
    for stub in made:
        if str(stub.folder) in sys.path:
            sys.path.remove(str(stub.folder))


def edit(path: Path, *replacements: tuple[str, str]) -> None:
    """Replace texts in a file; each must be there, so that a test cannot break nothing unnoticed."""
    text = path.read_text()
    for old, replacement in replacements:
        assert old in text, f"{old!r} is not in {path}"
        text = text.replace(old, replacement)
    path.write_text(text)
