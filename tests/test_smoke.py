"""Every folder learns: its smoke preset meets the check that RESULTS.md states, and running it is honest."""

import ast
import re
import subprocess
import sys

import pytest

import behaviour
from catalog import claims, stubs
from conftest import ROOT
from contract import top


def smoke_condition(slug: str) -> str:
    """The condition in the smoke column of RESULTS.md, e.g. `wrong < 400`."""
    for line in (ROOT / "RESULTS.md").read_text().splitlines():
        if line.startswith(f"| [{slug}]"):
            return re.search(r"\| `([^`]+)`: [^|]*\|[^|]*\|$", line)[1]
    raise AssertionError(f"RESULTS.md has no row for {slug}; python3 -m catalog render")


def printed_metrics(output: str) -> dict[str, float]:
    """The final metrics a stub's command line prints."""
    table = output.partition("\nfinal metric")[2].splitlines()[1:]
    return {line.split()[0]: float(line.split()[1]) for line in table}


def stream_names(stub: stubs.Stub) -> str:
    """What train calls the streams of rng.spawn."""
    train = top(stub.tree, "train")
    return ast.unparse(train.body[1 if ast.get_docstring(train) else 0].targets[0])


def test_smoke(stub, tmp_path):
    command = [sys.executable, str(stub.path), "--seed", "0", "--preset", "smoke"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir()), "a run writes nothing to disk"
    printed = printed_metrics(done.stdout)
    condition = smoke_condition(stub.slug)
    assert condition == stub.declared["SMOKE"], "RESULTS.md is out of date"
    held, value = claims.smoke(condition, printed)
    assert held, f"{condition} does not hold: {value}"
    metrics = behaviour.check_snapshots(stubs.load(stub))
    assert {name: f"{value:.6g}" for name, value in metrics.items()} == {
        name: f"{value:.6g}" for name, value in printed.items()
    }, "two runs of one seed differ"


def test_looking_changes_nothing_and_test_data_is_apart(stub):
    module = stubs.load(stub)
    metrics = behaviour.final(module, behaviour.np.random.default_rng(0)).metrics
    behaviour.check_looking_changes_nothing(module, metrics)
    behaviour.check_test_data(module, stream_names(stub))


@pytest.mark.parametrize(
    "words", [["--preset", "no-such"], ["--seed", "x"], ["--no-such-flag"], ["--snapshots", "0"], ["--seed", "-1"]]
)
def test_wrong_input_is_one_line_and_status_2(stub, words):
    done = subprocess.run([sys.executable, str(stub.path), *words], capture_output=True, text=True)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1 and not done.stdout


def test_snapshot_that_aliases_parameters_is_caught(toy):
    stub = toy(("{name: p.copy() for name, p in params.items()}", "params"))
    with pytest.raises(AssertionError, match="copies"):
        behaviour.check_snapshots(stubs.load(stub))


def test_test_data_that_is_training_data_is_caught(toy):
    stub = toy(("sample(cfg, test_rng, cfg.tests)", "sample(cfg, data_rng, cfg.tests)"))
    with pytest.raises(AssertionError, match="test_rng"):
        behaviour.check_test_data(stubs.load(stub), stream_names(stub))


def test_looking_that_draws_training_data_is_caught(toy):
    stub = toy(("            mse = 2 *", "            data_rng.random()\n            mse = 2 *"))
    module = stubs.load(stub)
    with pytest.raises(AssertionError, match="number of snapshots"):
        behaviour.check_looking_changes_nothing(module, behaviour.check_snapshots(module))


def test_training_that_stops_on_test_data_is_caught(toy):
    stub = toy(
        ("            yield Snapshot(update", "            yield Snapshot(update + int(1e6 * mse) * (update > 0)")
    )
    with pytest.raises(AssertionError, match="stops"):
        behaviour.check_test_data(stubs.load(stub), stream_names(stub))


def test_honest_toy_passes(toy):
    stub = toy()
    module = stubs.load(stub)
    behaviour.check_looking_changes_nothing(module, behaviour.check_snapshots(module))
    behaviour.check_test_data(module, stream_names(stub))
    behaviour.check_gradient(module, "headline")
