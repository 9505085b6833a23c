"""The pages: written from the records alone, and any edit by hand is noticed."""

import math

import pytest

from catalog import claims, render, runs, stubs
from catalog.__main__ import main
from conftest import ROOT, edit


@pytest.fixture
def swept(toy):
    """A toy with two recorded seeds and rendered pages."""
    stub = toy(("SEEDS = 10", "SEEDS = 2"))
    for words in (["sweep", stub.slug], ["render"]):
        assert main(["--root", str(stub.root), *words]) == 0
    return stub


def test_the_catalogues_own_pages_are_up_to_date():
    assert render.differences(ROOT) == []


def test_rendered_pages_agree_and_rendering_again_changes_nothing(swept):
    assert main(["--root", str(swept.root), "verify"]) == 0
    before = {path: path.stat().st_mtime_ns for path in render.pages(swept.root)}
    main(["--root", str(swept.root), "render"])
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.parametrize("page", ["RESULTS.md", "README.md", "folder"])
def test_an_edit_by_hand_is_noticed(swept, page, capsys):
    path = swept.folder / "README.md" if page == "folder" else swept.root / page
    text = path.read_text()
    assert "yes" in text
    path.write_text(text.replace("yes", "no"))
    capsys.readouterr()
    for words in (["verify"], ["render", "--check"]):
        assert main(["--root", str(swept.root), *words]) == 1
        assert f"{path}:" in capsys.readouterr().err


def test_a_verdict_that_flips_is_noticed_in_either_direction(swept):
    edit(swept.path, ("median(headline.mse) <= 0.02", "median(headline.mse) <= 0.001"))
    assert main(["--root", str(swept.root), "verify"]) == 1
    main(["--root", str(swept.root), "render"])
    assert "| no " in (swept.root / "RESULTS.md").read_text()
    edit(swept.path, ("median(headline.mse) <= 0.001", "median(headline.mse) <= 0.02"))
    assert main(["--root", str(swept.root), "verify"]) == 1


def test_controls_of_our_own_do_not_count_for_the_verdict(swept):
    found = runs.table(swept)
    assert claims.verdict(swept, found) == ("yes", 1, 1)
    found["headline"] = {0: {"mse": math.inf}}
    assert claims.verdict(swept, found) == ("no", 0, 1)


def test_pages_show_measured_numbers(swept):
    values = [r["metrics"]["mse"] for r in runs.load(swept) if r["preset"] == "headline"]
    for path in (swept.root / "RESULTS.md", swept.folder / "README.md"):
        assert claims.show(min(values)) in path.read_text()
    assert f"**1 of {stubs.TOTAL} folders" in (swept.root / "README.md").read_text()


def test_marks_that_are_missing_are_named(swept, capsys):
    edit(swept.folder / "README.md", ("<!-- results:end -->", ""))
    assert main(["--root", str(swept.root), "render"]) == 2
    assert "results:end" in capsys.readouterr().err
