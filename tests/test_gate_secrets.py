"""Nothing taken from a record ever reaches a message, a report or a terminal."""

from __future__ import annotations

import numpy as np
import pytest
from fixture_sets import read_manifest, side_entry, write_manifest
from gate_project import (
    MODEL_CODE,
    colours,
    run,
    save_onnx,
    save_torch,
    write_config,
    write_fixtures,
    write_module,
)

from privacy_gate.faces import rendered
from privacy_gate.registry import RENDERERS

MARK = "zzpatientzz"
NUMBER = 918273645


def marked(count, seed):
    """Colours whose identifiers and groups carry the marker, and a text label that does, too."""
    columns = colours(count, seed)
    number = np.arange(count)
    columns["id"] = np.array([f"{MARK}-{seed}-{row}" for row in number])
    columns["patient"] = np.array([f"{MARK}-group-{seed}-{row // 2}" for row in number])
    names = np.array([f"{MARK}-{kind}" for kind in range(4)])
    columns["diagnosis"] = names[columns["y"]]
    return columns


@pytest.fixture
def project(tmp_path):
    """Groups halve the independent records, so there are twice as many."""
    options = {"identifier": "id", "group": "patient", "alternatives": ["diagnosis"]}
    write_fixtures(tmp_path, marked(1400, 0), marked(1400, 1), **options)
    save_onnx(tmp_path / "model.onnx")
    return tmp_path


def everything_shown(path, capfd):
    finished = run(path)
    shown = capfd.readouterr()
    (report,) = finished.reports
    texts = [rendered(report, form) for form in RENDERERS]
    return report, "\n".join([shown.out, shown.err, *texts])


def clean(text):
    assert MARK not in text.lower()
    assert str(NUMBER) not in text.replace("_", "").replace(",", "")


def test_a_run_that_ends_well_shows_no_record(project, capfd):
    report, text = everything_shown(write_config(project), capfd)
    assert report.error is None, report.error
    assert report.verdict == "pass"
    clean(text)


def replace_side(project, side, change):
    columns = marked(1400, ("members", "nonmembers").index(side))
    change(columns)
    manifest = read_manifest(project / "data")
    manifest["sides"][side] = side_entry(project / "data", side, columns)
    write_manifest(project / "data", manifest)


def put(column, row, value):
    def change(columns):
        columns[column] = columns[column].astype(object)
        columns[column][row] = value
        columns[column] = np.array(columns[column].tolist())

    return change


def nan_input(columns):
    columns["x"] = columns["x"].astype(np.float32)
    columns["x"][5] = np.nan


@pytest.mark.parametrize(
    "change",
    [
        put("y", 3, NUMBER),
        put("y", 3, -NUMBER),
        put("y", 3, NUMBER + 0.5),
        put("id", 3, f"{MARK}-1-4"),
        put("id", 3, f"{MARK}-0-4"),
        put("id", 3, ""),
        put("patient", 3, f"{MARK}-group-0-7"),
        nan_input,
    ],
)
def test_broken_fixtures_are_described_without_their_content(project, capfd, change):
    replace_side(project, "nonmembers", change)
    report, text = everything_shown(write_config(project), capfd)
    assert report.verdict == "error"
    clean(text)


@pytest.mark.parametrize("order", [None, ["a", "b", "c", "d"]])
def test_text_labels_are_not_quoted(project, capfd, order):
    changes = {"labels": {"order": order}} if order else {}
    path = write_config(project, fixtures={"path": "data", "label": "diagnosis"}, model=changes)
    report, text = everything_shown(path, capfd)
    assert report.verdict == "error"
    clean(text)


def test_a_signals_function_that_quotes_a_record(project, capfd):
    code = f"def signals(outputs, labels):\n    raise ValueError('{MARK} ' + str(labels[0]))\n"
    path = write_config(
        project,
        model={"output": {"name": "logits"}},
        task="custom",
        signals=f"{write_module(project, code)}:signals",
        attacks=["anything"],
    )
    report, text = everything_shown(path, capfd)
    assert "raised ValueError" in report.error["message"]
    clean(text)


def test_a_module_that_quotes_a_record_when_imported(project, capfd):
    code = f"raise ValueError('{MARK}')\n{MODEL_CODE}"
    section = {**save_torch(project), "factory": f"{write_module(project, code)}:build"}
    report, text = everything_shown(write_config(project, model=section), capfd)
    assert report.verdict == "error"
    clean(text)
