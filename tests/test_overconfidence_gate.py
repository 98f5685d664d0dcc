"""The overconfidence audit in whole runs: fixtures, model, report, every renderer."""

from __future__ import annotations

import copy
import json
from functools import cache

import numpy as np
import pytest
import report_samples
from fixture_sets import KEY
from gate_project import colours, onnx_project, refused, run, save_torch, write_config
from gate_project import write_fixtures as write
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy_gate.domain import TRANSFORMS
from privacy_gate.errors import UsageError
from privacy_gate.registry import RENDERERS, resolve
from privacy_gate.report.parse import read_untrusted

CODE = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, classes, above):
        super().__init__()
        self.head = nn.Linear(3, classes)
        self.above = above

    def forward(self, x):
        out = self.head(x.mean(dim=(2, 3)))
        if self.above == "nan":
            return torch.where(x.amax(dim=(1, 2, 3))[:, None] > 2, torch.inf, out)
        if self.above == "raise" and x.max() > 2:
            raise ValueError("expected an argument of another shape")
        return out


def build(classes=4, above="nan"):
    return Net(classes, above)


def double(columns, count, seed):
    return columns["x"][:count] // 2
"""


def strangers(count, seed, low=0):
    """Uniform noise, which no class of the colours looks like."""
    x = np.random.default_rng(seed).integers(low, 256, (count, 8, 8, 3)).astype(np.uint8)
    return {"x": x}


def project(directory, above="nan", **changes):
    from gate_project import MODEL_CODE  # noqa: F401  (the torch module below stands in for it)

    ood = {"far": strangers(60, 5), "labelled": {**strangers(40, 6), "y": np.resize(range(4), 40)}}
    write(directory, ood=ood)
    model = save_torch(directory)
    (directory / f"{model['factory'].split(':')[0]}.py").write_text(CODE)
    model["kwargs"] = {"classes": 4, "above": above}
    model["preprocess"] = {"scale": 1 / 255, "layout": "NCHW"}
    model["output"] = {"kind": "logits"}
    return write_config(directory, model=model, **changes)


def audited(report):
    """Set -> attack -> counts."""
    found = {tried["name"]: {} for tried in report.overconfidence["sets"]}
    for attack in report.overconfidence["attacks"]:
        for one in attack["sets"]:
            found[one["name"]][attack["name"]] = (one["called"], one["total"])
    return found


# --------------------------------------------------------------------------------- a run on digits


def test_a_plain_network_calls_scaled_inputs_members():
    """Hintersdorf et al.: a ReLU network is surest of what is far away; x255 is flagged always."""
    found = report_samples.failing().overconfidence
    attack = next(one for one in found["attacks"] if one["name"] == "confidence")
    rates = {one["name"]: one["fpr"]["estimate"] for one in attack["sets"]}
    assert rates["nonmembers"] < 0.03
    assert rates["scaled"] > 0.95
    assert rates["inverted"] > 0.5
    assert attack["evidence"] == "no"
    assert "so a single verdict is not evidence" in attack["sentence"]
    assert all(one["mmps"]["fp"] is None or one["mmps"]["fp"] > 0.999 for one in attack["sets"])


def test_the_threshold_is_that_of_the_operating_point():
    report = report_samples.failing()
    points = {
        one.name: one.operating_point["global"] for one in report.attacks if one.operating_point
    }
    for attack in report.overconfidence["attacks"]:
        (own,) = [one for one in attack["sets"] if one["name"] == "nonmembers"]
        assert own["called"] == points[attack["name"]]["false_positives"]
        assert attack["target_fpr"] == points[attack["name"]]["target_fpr"]


def test_calibration_and_what_was_left_out():
    report = report_samples.failing()
    found = report.overconfidence
    errors = found["ece"]
    assert errors["members"]["records"] == report.fixtures["evaluation"]["members"]
    assert errors["nonmembers"]["estimate"] > 0.5 > 0.05 > errors["members"]["estimate"]
    assert (
        found["overconfidence_error"]["nonmembers"]["high"] <= errors["nonmembers"]["high"] + 0.05
    )
    left = {one["name"] for one in found["left_out"]}
    assert left == {"correctness", "anchored-5", "simple-shot-5", "laplacian-shot-5"}
    assert found["queries"] == 500 * (len(TRANSFORMS) + 1)
    generated = next(one for one in found["sets"] if one["name"] == "generated")
    own = next(one for one in found["sets"] if one["name"] == "nonmembers")
    assert abs(generated["mean_confidence"] - own["mean_confidence"]) < 0.2
    assert report.timing["forward_passes_per_record"] == 1


@pytest.mark.parametrize("name", sorted(RENDERERS))
def test_every_renderer_shows_it(name):
    report = report_samples.failing()
    text = " ".join(resolve(RENDERERS[name])(report).split()).replace("\\", "")
    if name == "sarif":
        return  # results of checks only
    sentences = [attack["sentence"] for attack in report.overconfidence["attacks"]]
    if name == "terminal":
        assert "overconfidence:" in text
        assert "single verdict is not evidence" in text
        assert "calibration: ECE" in text
    else:
        assert all(sentence in text for sentence in sentences)
        assert "unnormalised" in text


# --------------------------------------------------------------------------------- a whole project


def test_ood_sets_transforms_and_a_generator_in_one_run(tmp_path):
    path = project(tmp_path, overconfidence={"records": 80, "generator": "project:double"})
    module = next(tmp_path.glob("project_code_*.py"))
    path.write_text(path.read_text().replace("project:double", f"{module.stem}:double"))
    (report,) = run(path).reports
    assert report.error is None, report.error
    assert report.fixtures["ood"] == {"far": 60, "labelled": 40}
    sets = {one["name"]: one for one in report.overconfidence["sets"]}
    assert set(sets) == {"nonmembers", *TRANSFORMS, "generated", "far", "labelled"}
    assert [sets[name]["kind"] for name in ("noise", "generated", "far")] == [
        "transform", "generated", "ood",
    ]  # fmt: skip
    assert {name: sets[name]["records"] for name in sets if name != "nonmembers"} == {
        **dict.fromkeys((*TRANSFORMS, "generated"), 80), "far": 60, "labelled": 40,
    }  # fmt: skip
    labels = {name: one["labels"] for name, one in sets.items()}
    assert labels["far"] == labels["noise"] == labels["generated"] == "predicted"
    assert labels["labelled"] == labels["inverted"] == labels["nonmembers"] == "own"
    # inputs above 2 have infinite answers: scaled ones all, and raw ones without their scale
    assert {name for name, one in sets.items() if one["not_finite"]} == {"scaled", "unnormalised"}
    for attack in report.overconfidence["attacks"]:
        scaled = next(one for one in attack["sets"] if one["name"] == "scaled")
        assert (scaled["called"], scaled["not_finite"], scaled["fpr"]["high"]) == (0, 80, 1.0)
        assert scaled["mmps"] == {"fp": None, "tn": None}
    for name, renderer in RENDERERS.items():
        text = resolve(renderer)(report)
        if name in ("markdown", "html"):
            assert "no finite answer to 80 of 80" in text
            assert "labelled" in text
    (again,) = read_untrusted(resolve(RENDERERS["json"])(report))
    assert again.to_dict() == report.to_dict()


def test_the_same_run_gives_the_same_audit_in_any_batches(tmp_path):
    path = project(tmp_path, above="none", overconfidence={"records": 60})
    first, again = (run(path).reports[0] for _ in range(2))
    assert first.overconfidence == again.overconfidence
    text = path.read_text().replace("  format: torch", "  format: torch\n  batch_size: 7")
    path.write_text(text)
    (small,) = run(path).reports
    assert small.model["batch_size"] == 7
    assert audited(small) == audited(first)
    other = run(write_config_like(path, seed=1)).reports[0]
    assert other.overconfidence["sets"] != first.overconfidence["sets"]


def write_config_like(path, seed):
    copied = path.with_name("other.yaml")
    copied.write_text(path.read_text() + f"statistics: {{seed: {seed}}}\n")
    return copied


def test_a_set_the_model_cannot_answer_is_named_and_stops_nothing(tmp_path):
    (report,) = run(project(tmp_path, above="raise", overconfidence={"records": 20})).reports
    assert report.error is None
    missing = {one["name"]: one["reason"] for one in report.overconfidence["missing"]}
    assert set(missing) == {"scaled", "unnormalised"}
    assert "The model raised ValueError" in missing["scaled"]
    assert "far" in {one["name"] for one in report.overconfidence["sets"]}
    assert "scaled: not tried" in resolve(RENDERERS["markdown"])(report)


def test_a_generator_learns_from_calibration_nonmembers_only(tmp_path, monkeypatch):
    from privacy_gate.fixtures import load_fixtures
    from privacy_gate.overconfidence import sets

    seen = []

    def spy(training, count, seed):
        seen.append(training["x"])
        return {"x": training["x"][:count]}

    monkeypatch.setattr(sets, "generate", spy)
    section = {"transforms": [], "generator": "builtin", "records": 50}
    path = onnx_project(tmp_path, overconfidence=section)
    (report,) = run(path).reports
    assert {one["name"] for one in report.overconfidence["sets"]} == {"nonmembers", "generated"}
    data = load_fixtures(tmp_path / "data", root=tmp_path)
    calibration = np.flatnonzero((data.split == 1) & ~data.is_member)
    allowed = {row.tobytes() for row in data.records.take(calibration)["x"]}
    assert {row.tobytes() for row in seen[-1]} == allowed


def test_a_cached_audit_is_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv("PRIVACY_GATE_CACHE", str(tmp_path / "kept"))
    path = project(tmp_path, overconfidence={"records": 60, "generator": "builtin"})
    first, again = (run(path).reports[0] for _ in range(2))
    assert set(again.run["cached"]) >= {"audit", "generator", "signals"}
    assert again.overconfidence == first.overconfidence
    path.write_text(path.read_text().replace("records: 60", "records: 61"))
    (other,) = run(path).reports
    assert "audit" in other.run["cached"]  # the ood sets are the same
    assert audited(other)["noise"]["loss"][1] == 61


def test_tasks_and_models_without_class_scores(tmp_path):
    (report,) = run(
        onnx_project(tmp_path, overconfidence={"transforms": []}, attacks=["correctness"])
    ).reports
    found = report.overconfidence
    assert (found["sets"], found["attacks"], found["queries"]) == ([], [], 0)
    assert found["ece"]["members"]["estimate"] >= 0


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"transforms": ["mirrored"]}, "transforms"),
        ({"generator": "vae"}, "expected none, builtin, or a function"),
        ({"records": 1}, "records"),
        ({"fpr": 0}, "fpr"),
        ({"generators": "none"}, "generator"),
        ({"generator": "no_such_module:make"}, "no_such_module"),
    ],
)
def test_a_wrong_section_is_one_error(tmp_path, section, message):
    assert message in refused(onnx_project(tmp_path, overconfidence=section))


def test_too_few_calibration_nonmembers_give_no_threshold(tmp_path):
    (report,) = run(onnx_project(tmp_path, overconfidence={"fpr": 0.001, "records": 20})).reports
    for attack in report.overconfidence["attacks"]:
        assert (attack["threshold"], attack["sets"]) == (None, [])
        assert "at least 999 calibration non-members" in attack["sentence"]


def test_copies_of_calibration_records_are_no_ood_set(tmp_path):
    """The whole way from build: a set that holds a record of a side cannot be built."""
    from privacy_gate.errors import FixtureError

    members, nonmembers = colours(40, 0), colours(40, 1)
    with pytest.raises(FixtureError, match="in common: 1"):
        write(tmp_path, members, nonmembers, ood={"far": {"x": nonmembers["x"][:1].repeat(2, 0)}})
    assert KEY


# --------------------------------------------------------------------------------- hostile reports


@cache
def small():
    """A report with an audit of one attack on two sets."""
    content = report_samples.failing().to_dict()
    found = copy.deepcopy(content["overconfidence"])
    found["attacks"] = found["attacks"][:1]
    found["sets"] = found["sets"][:2]
    found["attacks"][0]["sets"] = found["attacks"][0]["sets"][:2]
    return {**content, "overconfidence": found}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("target_fpr",), 0),
        (("queries",), -1),
        (("sets", 0, "name"), "../x"),
        (("sets", 0, "name"), "permuted"),
        (("sets", 0, "records"), 0),
        (("sets", 0, "kind"), "members"),
        (("sets", 0, "mean_confidence"), 1.5),
        (("sets", 0, "words"), "x" * 2001),
        (("attacks", 0, "name"), "a/b"),
        (("attacks", 0, "threshold"), "0"),
        (("attacks", 0, "evidence"), "maybe"),
        (("attacks", 0, "sentence"), "x" * 2001),
        (("attacks", 0, "groups", "tp"), 2),
        (("attacks", 0, "sets", 0, "called"), 10**6),
        (("attacks", 0, "sets", 0, "called"), 3),
        (("attacks", 0, "sets", 0, "total"), 548),
        (("attacks", 0, "sets", 0, "not_finite"), 547),
        (("attacks", 0, "sets", 0, "name"), "noise"),
        (("attacks", 0, "sets", 1, "name"), "nonmembers"),
        (("attacks", 0, "sets", 0, "fpr", "low"), 0.9),
        (("ece", "members"), None),
        (("ece", "members", "estimate"), -0.1),
        (("missing",), None),
        (("attacks",), [{}] * 101),
    ],
)
def test_what_no_run_writes_is_not_read(place, value):
    content = copy.deepcopy(small())
    target = content["overconfidence"]
    for key in place[:-1]:
        target = target[key]
    assert target[place[-1]] != value
    target[place[-1]] = value
    with pytest.raises(UsageError, match=r"damaged at overconfidence"):
        read_untrusted(json.dumps(content))


def test_an_honest_one_is_read():
    (report,) = read_untrusted(json.dumps(small()))
    assert report.to_dict() == json.loads(json.dumps(small()))


junk = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(("name", "sets", "attacks", "fpr", "ece", "members", "groups")), inner
        ),
    ),
    max_leaves=12,
)


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(("sets", "attacks", "missing", "left_out", "ece", "target_fpr", "bins")),
        junk,
    )
)
def test_renderers_survive_any_mapping(found):
    from dataclasses import replace

    report = replace(report_samples.broken(), overconfidence=found)
    for name in ("terminal", "markdown", "html"):
        assert resolve(RENDERERS[name])(report)
