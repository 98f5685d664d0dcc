"""A run beside its baseline: a file of aggregates, a model, or none yet."""

from __future__ import annotations

import shutil
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from baseline_project import AUC, LEAKY, project, records, rewrite, save_model
from gate_project import (
    MODEL_CODE,
    bayes,
    digits_project,
    onnx_project,
    refused,
    run,
    save_onnx,
    save_torch,
    write_config,
    write_fixtures,
    write_module,
)

from privacy_gate.baseline.file import read_baseline
from privacy_gate.cli import main
from privacy_gate.config import load_config
from privacy_gate.recount import recount
from privacy_gate.report.schema import report_schema

INCREASES = ["score/auc:increase", "score/tpr_at_fpr[0.05]:increase"]


def update(path, *options):
    from click.testing import CliRunner

    result = CliRunner().invoke(main, ["baseline", "update", str(path), *options])
    assert "Traceback" not in result.output
    return result


def only(path, **overrides):
    (report,) = run(path, **overrides).reports
    jsonschema.validate(report.to_dict(), report_schema())
    return report


def by_id(report):
    return {check.id: check for check in report.checks}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project with a baseline file of its private model."""
    directory = tmp_path_factory.mktemp("project")
    path = project(directory)
    assert update(path).exit_code == 0
    return directory


@pytest.fixture
def with_file(made, tmp_path):
    """That project's configuration; whatever a test changes is put back."""
    shutil.copytree(made, tmp_path / "kept")
    yield made / "privacy_gate.yaml"
    shutil.rmtree(made / "data")
    shutil.copytree(tmp_path / "kept", made, dirs_exist_ok=True)


# ------------------------------------------------------------------------------------ no baseline


def test_no_baseline_yet_is_a_normal_state(tmp_path):
    report = only(project(tmp_path))
    assert (report.verdict, report.complete) == ("pass", True)
    assert [check.id for check in report.checks] == ["score/auc", "score/tpr_at_fpr[0.05]"]
    assert report.baseline["kind"] == "none"
    assert "No baseline yet" in report.baseline["message"]
    assert any("privacy-gate baseline update" in caution for caution in report.cautions)
    assert {check.baseline for check in report.checks} == {None}


def test_a_configuration_without_a_baseline_says_nothing_of_one(tmp_path):
    report = only(project(tmp_path, baseline=None, budgets=[{"metric": "auc", "max": 0.9}]))
    assert report.baseline is None
    assert not any("baseline" in caution for caution in report.cautions)


def test_increases_alone_are_no_pass_until_there_is_a_baseline(tmp_path):
    path = project(tmp_path, budgets=[{"metric": "auc", "max_increase": 0.12}])
    finished = run(path)
    assert int(finished.exit_code) == 3
    assert finished.reports[0].checks == ()
    assert update(path).exit_code == 0
    assert only(path).verdict == "pass"


# ------------------------------------------------------------------------------------- aggregates


def test_the_same_model_has_not_changed(with_file):
    report = only(with_file)
    assert (report.verdict, report.complete) == ("pass", True)
    for check in report.checks:
        assert (check.baseline.difference, check.baseline.low, check.baseline.high) == (0, 0, 0)
    for name in INCREASES:
        check = by_id(report)[name]
        assert (check.verdict, check.estimate, check.high) == ("pass", 0.0, 0.0)
    facts = report.baseline
    assert (facts["kind"], facts["path"], facts["judged"]) == ("aggregates", "baseline.json", 0)
    assert facts["model_sha256"] == report.model["sha256"]
    assert "this very model" in facts["message"]


def test_aggregates_give_conservative_unpaired_differences(with_file):
    save_model(with_file.parent / "between.onnx", (1.0, 0.12, 0.0))
    report = only(with_file, model=str(with_file.parent / "between.onnx"))
    assert report.verdict == "inconclusive"
    check = by_id(report)["score/auc:increase"]
    assert not check.baseline.paired
    assert check.counts["paired"] == 0
    own, file = by_id(report)["score/auc"], read_baseline(with_file.parent / "baseline.json", "b")
    known = file.attacks["score"].metrics["auc"]
    assert check.estimate == own.estimate - known.estimate
    # both at half of the error, so wider than the intervals of the two at the whole
    assert check.low < own.low - known.estimate
    assert check.high > own.high - known.low
    assert "{model: PATH}" in check.advice
    assert report.baseline["judged"] == 1
    assert "1 other model judged" in report.baseline["message"]
    similar = only(with_file, model=str(with_file.parent / "similar.onnx"))
    assert similar.verdict == "pass"


def test_a_leak_fails_against_aggregates_and_absolute_budgets_still_apply(with_file):
    rewrite(with_file, budgets=[{**AUC, "max": 0.7}])
    report = only(with_file, model=str(with_file.parent / "leaky.onnx"))
    found = by_id(report)
    assert (report.verdict, found["score/auc"].verdict) == ("fail", "fail")
    assert found["score/auc:increase"].verdict == "fail"
    assert found["score/auc"].baseline.word == "higher"
    assert "over the baseline" in found["score/auc:increase"].message


def test_the_private_model_is_told_that_it_got_better(with_file):
    leaky = str(with_file.parent / "leaky.onnx")
    assert update(with_file, "--model", leaky, "--even-if-failing").exit_code == 0
    report = only(with_file)
    check = by_id(report)["score/auc"]
    assert (check.verdict, check.baseline.word) == ("pass", "lower")
    assert check.advice.startswith("Got better: tighten the budget to 0.5")
    assert {by_id(report)[name].verdict for name in INCREASES} == {"pass"}


def test_a_metric_the_baseline_does_not_know_is_undecided(with_file):
    rewrite(with_file, budgets=[AUC, {"metric": "advantage", "max": 0.9, "max_increase": 0.5}])
    report = only(with_file, model=str(with_file.parent / "similar.onnx"))
    found = by_id(report)
    assert found["score/auc:increase"].verdict == "pass"
    assert found["score/advantage"].baseline is None
    check = found["score/advantage:increase"]
    assert (check.verdict, check.estimate) == ("inconclusive", None)
    assert "has no advantage" in check.message
    assert report.verdict == "inconclusive"


def test_another_fixture_digest_is_an_error(with_file):
    shutil.rmtree(with_file.parent / "data")
    write_fixtures(with_file.parent, records(1200, 5, 2.0), records(1200, 6, 0.0))
    said = refused(with_file)
    assert "made on other fixtures" in said
    assert "privacy-gate baseline update" in said
    similar = str(with_file.parent / "similar.onnx")
    result = update(with_file, "--model", similar)
    assert result.exit_code == 0
    assert "other fixtures: nothing is compared" in result.output
    assert len(read_baseline(with_file.parent / "baseline.json", "b").judged) == 1
    assert only(with_file, model=similar).verdict == "pass"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"statistics": {"confidence": 0.9}}, "made at confidence 0.95, not 0.9"),
        ({"statistics": {"seed": 1}}, "another setting of statistics.seed"),
        (
            {"splits": {"support": 0.1, "calibration": 0.1, "evaluation": 0.8}},
            "another setting of splits",
        ),
    ],
)
def test_another_way_to_measure_is_an_error(with_file, changed, words):
    said = refused(rewrite(with_file, **changed))
    assert words in said
    assert said.startswith("baseline.json ")


def test_a_hand_edited_baseline_is_an_error(with_file):
    file = with_file.parent / "baseline.json"
    file.write_text(file.read_text().replace('"checks": 4', '"checks": 4 '))  # spaces may change
    assert only(with_file).verdict == "pass"
    file.write_text(file.read_text().replace('"name": "scores"', '"name": "others"'))
    said = refused(with_file)
    assert "edited by hand" in said
    assert "baseline update" in said


def test_an_increase_that_cannot_be_certified_stops_the_run_early(with_file):
    rewrite(with_file, budgets=[{**AUC, "max_increase": 0.02}])
    (report,) = run(with_file).reports
    assert (report.verdict, report.complete, report.model.get("sha256")) == (
        "inconclusive", False, None,
    )  # fmt: skip
    check = by_id(report)["score/auc:increase"]
    assert check.verdict == "inconclusive"
    assert "cannot be certified" in check.message
    assert "{model: PATH}" in check.message
    assert by_id(report)["score/auc"].verdict == "not_run"
    assert report.baseline["kind"] == "aggregates"


# ------------------------------------------------------------------------------------------ model


def test_a_baseline_model_is_compared_record_by_record(tmp_path):
    path = project(tmp_path, baseline={"model": "similar.onnx"})
    report = only(path)
    assert (report.verdict, report.complete) == ("pass", True)
    for check in report.checks:
        assert check.baseline.paired
        assert check.baseline.word == "within noise"
    rate = by_id(report)["score/tpr_at_fpr[0.05]:increase"]
    assert rate.verdict == "pass"
    assert rate.high - rate.low < 0.15  # far narrower than aggregates could be
    assert 0 <= rate.counts["candidate_only"] < 40
    assert 0 < rate.counts["mcnemar_p"] <= 1
    facts = report.baseline
    assert (facts["kind"], facts["path"], facts["judged"]) == ("model", "similar.onnx", None)
    assert facts["model_sha256"] != report.model["sha256"]
    assert len(facts["model_sha256"]) == 64
    assert run(path).reports[0].checks == report.checks


def test_increases_survive_a_recount(tmp_path):
    path = project(tmp_path, baseline={"model": "similar.onnx"})
    terms = load_config(path).terms
    for name, verdict in (("private", "pass"), ("leaky", "fail")):
        report = only(path, model=str(tmp_path / f"{name}.onnx"))
        again = recount(report, terms)
        assert again.verdict == verdict
        assert [check.verdict for check in again.checks] == [c.verdict for c in report.checks]
        assert [check.message for check in again.checks] == [c.message for c in report.checks]
    without = replace(report, checks=tuple(c for c in report.checks if not c.increase))
    assert recount(without, terms).complete is False


def test_a_leak_over_the_baseline_model_fails(tmp_path):
    path = project(tmp_path, baseline={"model": "private.onnx"})
    report = only(path, model=str(tmp_path / "leaky.onnx"))
    assert {check.verdict for check in report.checks if check.increase} == {"fail"}
    rate = by_id(report)["score/tpr_at_fpr[0.05]:increase"]
    assert rate.counts["candidate_only"] > 10 * max(1, rate.counts["baseline_only"])
    assert rate.counts["mcnemar_p"] < 1e-6
    assert rate.p_value < 1e-3


def test_a_model_that_is_its_own_baseline_passes_any_budget(tmp_path):
    tiny = [{**AUC, "max_increase": 0.001}]
    path = project(tmp_path, baseline={"model": "private.onnx"}, budgets=tiny)
    report = only(path)
    check = by_id(report)["score/auc:increase"]
    assert (check.verdict, check.estimate, check.low, check.high) == ("pass", 0.0, 0.0, 0.0)
    assert "this very model" in report.baseline["message"]


def test_equal_scores_of_another_file_are_no_proof_of_equality(tmp_path):
    """The same ranking by other weights: zero change in every resample, and no pass from that."""
    tiny = [{"metric": "tpr_at_fpr", "fpr": 0.05, "max": 0.9, "max_increase": 0.01}]
    path = project(tmp_path, baseline={"model": "double.onnx"}, budgets=tiny)
    save_model(tmp_path / "double.onnx", (2.0, 0.0, 0.0))
    check = by_id(only(path))["score/tpr_at_fpr[0.05]:increase"]
    assert (check.estimate, check.verdict) == (0.0, "inconclusive")
    assert check.low < 0 < check.high


def test_a_baseline_model_that_cannot_be_used_is_an_error(tmp_path):
    path = project(tmp_path, baseline={"model": "absent.onnx"})
    said = refused(path)
    assert "The baseline model:" in said
    assert "does not exist" in said
    assert "privacy_gate.yaml:" in said
    (tmp_path / "absent.onnx").write_bytes(b"no model")
    assert "The baseline model:" in refused(path)
    save_model(tmp_path / "absent.onnx", (0.0, 0.0, 0.0))
    assert "is the same for" in refused(path)


def test_what_is_known_of_the_candidate_is_not_asked_of_the_baseline(tmp_path):
    """Its digest and its accuracy are those of another model."""
    path = onnx_project(tmp_path, budgets=[{"metric": "auc", "max": 0.8}])
    (report,) = run(path).reports
    accuracy = report.model["accuracy"]["nonmembers"]
    weight, bias = bayes()
    save_onnx(tmp_path / "worse.onnx", weight * np.array([1.0, 1.0, 0.0]), bias)
    pins = {
        "sha256": report.model["sha256"],
        "expected": {"nonmember_accuracy": accuracy["estimate"], "tolerance": 0.02},
    }
    changed = {"model": pins, "attacks": ["loss"], "baseline": {"model": "worse.onnx"}}
    budgets = [{"metric": "auc", "max": 0.8, "max_increase": 0.2}]
    (report,) = run(write_config(tmp_path, budgets=budgets, **changed)).reports
    assert report.error is None, report.error
    assert by_id(report)["loss/auc:increase"].verdict == "pass"
    worse = str(tmp_path / "worse.onnx")
    assert "pinned" in refused(path, model=worse)
    del pins["sha256"]
    write_config(tmp_path, budgets=budgets, **changed)
    assert "is expected" in refused(path, model=worse)


def test_the_baseline_model_may_have_code_of_its_own(tmp_path):
    """The same weights in another module are another model."""
    write_fixtures(tmp_path)
    section = save_torch(tmp_path)
    code = MODEL_CODE + (
        "\n\ndef sharper(classes, factor):\n"
        "    model = Colours(classes)\n"
        "    forward = model.forward\n"
        "    model.forward = lambda x: {k: factor * v for k, v in forward(x).items()}\n"
        "    return model\n"
    )
    baseline = {
        "model": "model.safetensors",
        "factory": f"{write_module(tmp_path, code)}:sharper",
        "kwargs": {"classes": 4, "factor": 3.0},
    }
    budgets = [{"metric": "auc", "max": 0.8, "max_increase": 0.2}]
    path = write_config(
        tmp_path, model=section, baseline=baseline, attacks=["entropy"], budgets=budgets
    )
    (report,) = run(path).reports
    assert report.error is None, report.error
    assert report.baseline["model_sha256"] == report.model["sha256"]
    assert "this very model" not in report.baseline["message"]
    check = by_id(report)["entropy/auc:increase"]
    assert (check.verdict, check.baseline.paired) == ("pass", True)
    assert check.low < 0 < check.high


def test_a_baseline_that_points_the_wrong_way_is_told(tmp_path):
    path = project(tmp_path, baseline={"model": "reversed.onnx"})
    save_model(tmp_path / "reversed.onnx", tuple(-weight for weight in LEAKY))
    report = only(path)
    assert any("On the baseline, score scored non-members" in c for c in report.cautions)
    assert by_id(report)["score/auc:increase"].verdict == "fail"


def test_a_small_increase_over_a_model_is_a_caution_only(tmp_path):
    path = project(tmp_path, baseline={"model": "similar.onnx"}, budgets=[
        {"metric": "tpr_at_fpr", "fpr": 0.05, "max": 0.9, "max_increase": 0.02}
    ])  # fmt: skip
    report = only(path)
    assert report.model["sha256"]
    (caution,) = [c for c in report.cautions if "over the baseline cannot be certified" in c]
    assert "correlate 0.5" in caution


def test_learned_attacks_are_fitted_on_the_baseline_itself(tmp_path):
    """Few-shot attacks on the bundled digits: the private model, and one that memorised."""
    path = digits_project(tmp_path, "leaky")
    text = path.read_text()
    start = text.index("attacks:")
    path.write_text(
        text[:start]
        + "attacks: [loss, {name: simple-shot-5, draws: 20}]\n"
        + "baseline: {model: copy.safetensors}\n"
        + "budgets:\n  - {metric: auc, max: 0.99, max_increase: 0.1}\n"
    )
    shutil.copy(tmp_path / "leaky.safetensors", tmp_path / "copy.safetensors")
    _nudge(tmp_path / "copy.safetensors")
    report = only(path)
    assert report.error is None, report.error
    found = by_id(report)
    for attack in ("loss", "simple-shot-5"):
        check = found[f"{attack}/auc:increase"]
        assert (check.verdict, check.baseline.paired) == ("pass", True), check
        assert abs(check.estimate) < 0.02
    assert report.baseline["model_sha256"] != report.model["sha256"]


def _nudge(path):
    """Other weights that answer all but the same."""
    from safetensors.torch import load_file, save_file

    save_file({key: value * 1.0001 for key, value in load_file(path).items()}, path)
