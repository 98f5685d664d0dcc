"""Stored scores of the baseline: a sharper comparison without its model, only if asked for."""

from __future__ import annotations

import hashlib
import shutil

import numpy as np
import pytest
from baseline_project import AUC, project, records, rewrite
from click.testing import CliRunner
from gate_project import refused, run, write_fixtures

from privacy_gate.baseline.file import read_baseline, write_baseline
from privacy_gate.cli import main

SHARP = [{**AUC, "max_increase": 0.06}]
"""Out of reach of aggregates at these sizes."""


def update(path, *options):
    result = CliRunner().invoke(main, ["baseline", "update", str(path), *options])
    assert result.exit_code == 0, result.output
    return result.output


def increase(report):
    return next(check for check in report.checks if check.increase)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = project(tmp_path_factory.mktemp("project"), budgets=SHARP)
    return path, update(path, "--include-scores")


@pytest.fixture
def path(made, tmp_path):
    """The project's configuration; whatever a test changes is put back."""
    directory = made[0].parent
    shutil.copytree(directory, tmp_path / "kept")
    yield made[0]
    shutil.rmtree(directory / "data")
    shutil.copytree(tmp_path / "kept", directory, dirs_exist_ok=True)


def similar(path):
    return str(path.parent / "similar.onnx")


def test_the_user_is_warned_of_what_the_file_holds(made):
    path, said = made
    assert "holds a membership score of every record: never publish it" in said
    assert "add it to .gitignore" in said
    assert (path.parent / "baseline.scores.npy").exists()
    assert (path.parent / "baseline.scores.npy").stat().st_mode & 0o777 == 0o600


def test_stored_scores_compare_as_the_model_itself_would(path):
    (stored,) = run(path, model=similar(path)).reports
    assert stored.verdict == "pass"
    assert increase(stored).baseline.paired
    assert "with its stored scores" in stored.baseline["message"]
    rewrite(path, baseline={"model": "private.onnx"})
    (scored,) = run(path, model=similar(path)).reports
    assert stored.checks == scored.checks


def test_without_the_file_only_aggregates_are_compared(path):
    (path.parent / "baseline.scores.npy").unlink()
    rewrite(path, budgets=[{**AUC, "max_increase": 0.12}])
    (report,) = run(path, model=similar(path)).reports
    assert not increase(report).baseline.paired
    assert "aggregates only" in report.baseline["message"]


def test_the_same_model_has_not_changed(path):
    (report,) = run(path).reports
    assert (increase(report).estimate, increase(report).high) == (0.0, 0.0)


def test_scores_are_kept_only_when_asked_for(path):
    said = update(path)
    assert "never publish" not in said
    assert not (path.parent / "baseline.scores.npy").exists()
    assert read_baseline(path.parent / "baseline.json", "b").scores_sha256 is None


def test_no_identifier_is_in_the_file(path):
    content = (path.parent / "baseline.scores.npy").read_bytes()
    from privacy_gate.config import load_config
    from privacy_gate.preparation import prepare

    for row in prepare(load_config(path), compared=False).data.identifiers:
        assert row.tobytes()[:8] not in content


def test_other_scores_are_refused(path):
    file = path.parent / "baseline.scores.npy"
    file.write_bytes(file.read_bytes()[:-8] + b"\0" * 8)
    said = refused(path)
    assert "not those that were written with it" in said
    assert "baseline update" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table[:-1], "not of these records and attacks"),
        (lambda table: table[:, :-1], "not of these records and attacks"),
        (lambda table: table.astype(np.float64), "not of these records and attacks"),
        (lambda table: table[::-1], "of other records"),
        (lambda table: np.where(np.arange(3) == 2, 7, table).astype(np.uint64), "no ranks"),
    ],
)
def test_scores_that_are_no_ranks_of_these_records_are_refused(path, change, words):
    file = path.parent / "baseline.scores.npy"
    np.save(file, change(np.load(file)))
    _accept(path, file)
    assert words in refused(path)


def test_what_is_no_array_is_refused(path):
    file = path.parent / "baseline.scores.npy"
    file.write_bytes(b"no array")
    _accept(path, file)
    assert "are no array" in refused(path)


def test_fixtures_that_changed_are_an_error_before_any_score_is_read(path):
    shutil.rmtree(path.parent / "data")
    write_fixtures(path.parent, records(1200, 5, 2.0), records(1200, 6, 0.0))
    assert "made on other fixtures" in refused(path)


def _accept(path, file):
    """Write the digest of the scores into the baseline, as someone who edits both would."""
    place = path.parent / "baseline.json"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    old = read_baseline(place, "b")
    write_baseline(place, old.model_copy(update={"scores_sha256": digest}), "b")
