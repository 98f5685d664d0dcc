"""The baseline file: read strictly, written whole or not at all, nothing of a record in it."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from privacy_gate.baseline import file as module
from privacy_gate.baseline.file import (
    AttackEntry,
    BaselineFile,
    Entry,
    ModelEntry,
    Sides,
    read_baseline,
    write_baseline,
)
from privacy_gate.domain import Metric
from privacy_gate.errors import ConfigError, UsageError


def entry(estimate=0.52, **changes):
    numbers = {
        "estimate": estimate, "low": estimate - 0.03, "high": estimate + 0.03,
        "holm_low": estimate - 0.05, "holm_high": estimate + 0.05, "method": "asymptotic",
    }  # fmt: skip
    return Entry(**{**numbers, **changes})


def baseline(**changes):
    content = {
        "name": "digits",
        "date": "2026-11-22T08:00:07+00:00",
        "tool_version": "0.1.0",
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "model": ModelEntry(path="models/main.onnx", format="onnx", sha256="ab" * 32),
        "fixtures_sha256": "cd" * 32,
        "config_sha256": "ef" * 32,
        "evaluation": Sides(members=540, nonmembers=541),
        "settings": {"task": "classification", "statistics.seed": "0"},
        "confidence": 0.95,
        "checks": 4,
        "level": 0.0125,
        "holm_level": 0.003125,
        "attacks": {
            "loss": AttackEntry(
                ranks_sha256="12" * 32,
                metrics={
                    "auc": entry(),
                    "tpr_at_fpr[0.05]": entry(
                        0.06, method="exact", counts={"true_positives": 32, "false_positives": 27}
                    ),
                    "log_mia[a]": entry(0.2),
                },
            )
        },
        "judged": ("ab" * 32,),
    }  # fmt: skip
    return BaselineFile(**{**content, **changes})


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "baseline.json"
    write_baseline(path, baseline(), "baseline.json")
    return path


def refused(path):
    with pytest.raises(ConfigError) as caught:
        read_baseline(path, "baseline.json")
    assert caught.value.location == "baseline.json"
    return caught.value


def altered(path, change):
    content = json.loads(path.read_text())
    content.pop("digest")
    change(content)
    path.write_text(json.dumps({**content, "digest": module._digest(content)}))


def test_what_is_written_is_what_is_read(path):
    assert read_baseline(path, "baseline.json") == baseline()
    assert [item.name for item in path.parent.iterdir()] == ["baseline.json"]
    assert path.stat().st_mode & 0o777 == 0o644
    first = path.read_bytes()
    write_baseline(path, baseline(), "baseline.json")
    assert path.read_bytes() == first


def test_the_bounds_are_those_of_the_comparison():
    found = baseline().bounds("loss", Metric("tpr_at_fpr", 0.05))
    assert (found.estimate, found.low, found.high) == (0.06, 0.03, 0.09)
    assert (found.level, found.holm_level, found.method) == (0.0125, 0.003125, "exact")
    assert found.counts == {"true_positives": 32, "false_positives": 27}
    assert baseline().bounds("loss", Metric("tpr_at_fpr", 0.06)) is None
    assert baseline().bounds("margin", Metric("auc")) is None


def test_an_interrupted_write_leaves_the_old_file(path, monkeypatch):
    before = path.read_bytes()

    def interrupted(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(UsageError, match="No space left"):
        write_baseline(path, baseline(name="other"), "baseline.json")
    assert path.read_bytes() == before
    assert [item.name for item in path.parent.iterdir()] == ["baseline.json"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"The baseline file/b\.json cannot be written"):
        write_baseline(tmp_path / "file" / "b.json", baseline(), "file/b.json")


def test_any_number_changed_by_hand_is_noticed(path):
    text = path.read_text()
    assert '"estimate": 0.52' in text
    path.write_text(text.replace('"estimate": 0.52', '"estimate": 0.53'))
    assert "edited by hand" in refused(path).message


@settings(max_examples=150, deadline=None, suppress_health_check=[
    HealthCheck.function_scoped_fixture
])  # fmt: skip
@given(st.data())
def test_no_change_of_the_text_reads_as_another_baseline(path, data):
    write_baseline(path, baseline(), "baseline.json")
    text = path.read_text()
    place = data.draw(st.integers(0, len(text) - 1))
    character = data.draw(st.characters(codec="ascii"))
    path.write_text(text[:place] + character + text[place + 1 :])
    try:
        found = read_baseline(path, "baseline.json")
    except ConfigError:
        return
    assert found == baseline()  # spaces between values may change


def set_at(*place, value):
    def change(content):
        for key in place[:-1]:
            content = content[key]
        content[place[-1]] = value

    return change


LOSS = ("attacks", "loss", "metrics")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda content: content.pop("confidence"), "confidence"),
        (lambda content: content.update(extra=1), "extra"),
        (set_at("schema", value="privacy-gate.baseline/2"), "schema"),
        (set_at("checks", value="4"), "checks"),
        (set_at("checks", value=True), "checks"),
        (set_at("checks", value=0), "checks"),
        (set_at("checks", value=5), "levels are not those"),
        (set_at("level", value=0.2), "levels are not those"),
        (set_at("confidence", value=0.4), "confidence"),
        (set_at("fixtures_sha256", value="cd"), "fixtures_sha256"),
        (set_at("model", "sha256", value="AB" * 32), "model.sha256"),
        (set_at("name", value="a\nb"), "name"),
        (set_at("name", value="x" * 201), "name"),
        (set_at("attacks", value={}), "attacks"),
        (set_at("attacks", value=[]), "attacks"),
        (set_at("evaluation", "members", value=1), "evaluation.members"),
        (set_at(*LOSS, "auc", "estimate", value=1.5), "estimate"),
        (set_at(*LOSS, "auc", "estimate", value=None), "contradict each other"),
        (set_at(*LOSS, "auc", "high", value=0.1), "contradict each other"),
        (set_at(*LOSS, "auc", "holm_low", value=0.9), "contradict each other"),
        (set_at(*LOSS, "auc", "method", value="guess"), "method"),
        (set_at(*LOSS, "recall", value=entry().model_dump()), "metrics"),
        (set_at(*LOSS, "tpr_at_fpr[0.050]", value=entry().model_dump()), "metrics"),
        (set_at(*LOSS, "auc", "counts", value={"true_positives": -1}), "counts"),
        (set_at("judged", value=["no digest"]), "judged"),
        (set_at("judged", value="ab" * 32), "judged"),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_not_quoted(path, change, place):
    altered(path, change)
    error = refused(path)
    assert place in error.message
    assert "damaged" in error.message
    assert "baseline update" in error.hint


def test_values_of_the_file_never_reach_a_message(path):
    altered(path, set_at("attacks", "loss\x1b[31m<script>", value={"secret": "hunter2"}))
    message = refused(path).message
    assert "hunter2" not in message
    assert "\x1b" not in message
    assert "<script>" not in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[1, 2]", "no JSON object"),
        (b"[" * 100_000, "no JSON"),
        (b'{"a": NaN}', "no JSON"),
        (b'{"a": 1, "a": 2}', "no JSON"),
        (b" " * (5 << 20), "larger than"),
        (b"{}", "damaged"),
        (b'{"digest": 1}', "damaged"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\n", "LFS"),
    ],
)
def test_what_is_no_baseline_is_refused(path, content, words):
    path.write_bytes(content)
    assert words in refused(path).message


def test_a_directory_or_an_unreadable_file_is_refused(tmp_path):
    assert "cannot be read" in refused(tmp_path).message


def test_what_could_not_be_measured_stays_unknown(path):
    nothing = dict.fromkeys(("estimate", "low", "high", "holm_low", "holm_high"))
    metrics = {"log_mia[a]": Entry(**nothing, method="exact")}
    attacks = {"loss": AttackEntry(ranks_sha256="12" * 32, metrics=metrics)}
    write_baseline(path, baseline(attacks=attacks), "baseline.json")
    assert read_baseline(path, "b").bounds("loss", Metric("log_mia", "a")).low is None
