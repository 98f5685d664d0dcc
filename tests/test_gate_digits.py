"""The bundled digits end to end: known verdicts, one answer from both back-ends, and a report from
which every verdict can be computed again."""

from __future__ import annotations

import json
import math
import sys

import numpy as np
import pytest
import twins
import yaml
from fixture_sets import read_manifest, sha256, write_manifest
from gate_project import DIGITS, digits_project, run

import privacy_gate
from privacy_gate.domain import exit_code
from privacy_gate.errors import ExitCode
from privacy_gate.registry import SUITES

CASES = {"private": 0, "leaky": 1, "private-onnx": 0, "leaky-onnx": 1}


@pytest.fixture(scope="module")
def reports():
    """The report of every bundled configuration, as JSON values."""
    sys.modules.pop("digits_model", None)  # another test may have loaded a copy
    finished = run(*(DIGITS / f"{case}.yaml" for case in CASES))
    sys.modules.pop("digits_model", None)
    assert finished.exit_code == ExitCode.FAIL
    return dict(zip(CASES, finished.reports, strict=True))


@pytest.fixture(scope="module")
def contents(reports):
    return {case: report.to_dict() for case, report in reports.items()}


@pytest.mark.parametrize(("case", "code"), CASES.items())
def test_the_known_verdict(reports, case, code):
    report = reports[case]
    assert (report.verdict, report.complete) == ("fail" if code else "pass", True)
    assert exit_code(report) == code
    ran = [attack.name for attack in report.attacks if attack.status == "ran"]
    assert set(SUITES["threshold"]) <= set(ran)
    assert len(report.checks) == 6 * len(ran)  # six budgets
    assert report.error is None
    if not code:
        assert {check.verdict for check in report.checks} == {"pass"}


@pytest.mark.parametrize("case", ["leaky", "leaky-onnx"])
def test_the_leaky_candidate_fails_on_several_grounds(reports, case):
    failed = {check.metric for check in reports[case].checks if check.verdict == "fail"}
    assert "log_mia" in failed
    assert failed & {"tpr_at_fpr", "tnr_at_fnr"}
    assert "auc" in failed
    loss = {check.verdict for check in reports[case].checks if check.attack == "loss"}
    assert "fail" in loss


@pytest.mark.parametrize("case", ["private", "leaky"])
def test_torch_and_onnx_agree(contents, case):
    def essence(content):
        return [
            (check["id"], check["verdict"], check["counts"], check["estimate"])
            for check in content["checks"]
        ]

    torch, onnx = contents[case], contents[f"{case}-onnx"]
    assert essence(torch) == essence(onnx)
    assert torch["model"]["accuracy"] == onnx["model"]["accuracy"]
    assert (torch["model"]["format"], onnx["model"]["format"]) == ("torch", "onnx")


# ------------------------------------------------------------- verdicts from the report alone


def bounds(check):
    """Low, high and p-value of a TPR or TNR check, from its counts and ``scipy.stats``."""
    c, (rate,) = check["counts"], check["arguments"].values()
    swap = check["metric"] == "tnr_at_fnr"
    counted, setting = (c["nonmembers"], c["members"]) if swap else (c["members"], c["nonmembers"])
    counted_of = None if swap else c["population"]
    setting_of = c["population"] if swap else None
    level, low, high, p = c["level"], 0.0, 1.0, 1.0
    if c["k_hi"] is not None:
        miss = twins.miss_above(c["k_hi"], setting, rate, setting_of)
        rest = (level - miss) / (1 - miss)
        low = twins.proportion_low(c["above_k_hi"], counted, rest, counted_of)
    if c["k_lo"] is not None:
        miss = twins.miss_below(c["k_lo"], setting, rate, setting_of)
        rest = (level - miss) / (1 - miss)
        high = twins.proportion_high(c["at_or_above_k_lo"], counted, rest, counted_of)
    if c["k_holm"] is not None:
        miss = twins.miss_above(c["k_holm"], setting, rate, setting_of)
        hits, budget = c["above_k_holm"], check["budget"]
        if counted_of is None:
            tail = twins.stats.binom.sf(hits - 1, counted, budget)
        else:
            marked = twins.exact_floor(budget, counted_of)
            tail = twins.stats.hypergeom.sf(hits - 1, counted_of, marked, counted)
        p = miss + (1 - miss) * tail
    return low, high, p


@pytest.mark.parametrize("case", ["private", "leaky"])
def test_rates_and_verdicts_can_be_recomputed_from_the_counts(contents, case):
    checks = contents[case]["checks"]
    rates = [check for check in checks if check["metric"] in ("tpr_at_fpr", "tnr_at_fnr")]
    assert len(rates) == len(checks) * 4 // 6
    p_values = {check["id"]: check["p_value"] for check in checks}
    for check in rates:
        low, high, p = bounds(check)
        assert check["low"] == pytest.approx(low, rel=1e-6, abs=1e-12), check["id"]
        assert check["high"] == pytest.approx(high, rel=1e-6), check["id"]
        assert check["p_value"] == pytest.approx(p, rel=1e-5, abs=1e-300), check["id"]
        counted = "nonmembers" if check["metric"] == "tnr_at_fnr" else "members"
        assert check["estimate"] == check["counts"]["true_positives"] / check["counts"][counted]
    level = rates[0]["counts"]["level"]
    assert level == pytest.approx(0.025)
    assert rates[0]["counts"]["holm_level"] == pytest.approx(level / len(checks))
    rejected = dict(zip(p_values, twins.holm(list(p_values.values()), level), strict=True))
    for check in checks:
        expected = "inconclusive"
        if check["high"] <= check["budget"]:
            expected = "pass"
        elif check["low"] > check["budget"] and rejected[check["id"]]:
            expected = "fail"
        assert check["verdict"] == expected, check["id"]


@pytest.mark.parametrize("case", list(CASES))
def test_no_number_contradicts_another(contents, case):
    for check in contents[case]["checks"]:
        assert 0 <= check["low"] <= check["estimate"] <= check["high"] <= 1, check["id"]
        chances = check["characteristic"]
        assert len({len(values) for values in chances.values()}) == 1
        assert chances["leak"] == sorted(chances["leak"])
        for row in zip(chances["pass"], chances["fail"], chances["inconclusive"], strict=True):
            assert math.isclose(sum(row), 1.0, abs_tol=2e-6)
            assert min(row) >= 0
    for attack in contents[case]["attacks"]:
        assert attack["status"] == "ran"
        roc = attack["roc"]
        assert len({len(values) for values in roc.values()}) == 1
        assert 2 <= len(roc["fpr"]) <= 512
        assert roc["fpr"] == sorted(roc["fpr"])
        assert roc["tpr"] == sorted(roc["tpr"])
        histogram = attack["histogram"]
        assert len(histogram["edges"]) == len(histogram["members"]) + 1
        size = contents[case]["fixtures"]["evaluation"]["members"]
        assert sum(histogram["members"]) in (pytest.approx(size), pytest.approx(1.0))


# ----------------------------------------------------------------------------- the same again


def reproducible(content):
    """Everything that must not change: no clock, no commit."""
    kept = {key: value for key, value in content.items() if key not in ("run", "timing")}
    kept["attacks"] = [{**attack, "seconds": None} for attack in kept["attacks"]]
    return json.dumps(kept)


def test_the_same_run_gives_the_same_report(contents):
    again = privacy_gate.run(DIGITS / "leaky-onnx.yaml").to_dict()
    assert reproducible(again) == reproducible(contents["leaky-onnx"])


def test_the_order_of_rows_does_not_matter(tmp_path, contents):
    config = digits_project(tmp_path, "private-onnx")
    manifest = read_manifest(tmp_path)
    for side in ("members", "nonmembers"):
        path = tmp_path / f"{side}.npz"
        columns = dict(np.load(path))
        order = np.random.default_rng(5).permutation(len(columns["y"]))
        np.savez(path, **{name: array[order] for name, array in columns.items()})
        manifest["sides"][side]["files"][0]["sha256"] = sha256(path)
    write_manifest(tmp_path, manifest)
    shuffled, original = privacy_gate.run(config).to_dict(), contents["private-onnx"]
    assert shuffled["fixtures"]["sha256"] != original["fixtures"]["sha256"]
    assert shuffled["checks"] == original["checks"]
    assert shuffled["model"]["accuracy"] == original["model"]["accuracy"]


def threshold_only(config, **changes):
    """The configuration with the threshold suite alone, which is quick, and with changes."""
    settings = {**yaml.safe_load(config.read_text()), "attacks": ["threshold"], **changes}
    config.write_text(yaml.safe_dump(settings))
    return privacy_gate.run(config).to_dict()


def test_the_size_of_batches_does_not_matter(tmp_path, contents):
    config = digits_project(tmp_path, "private-onnx")
    model = {**yaml.safe_load(config.read_text())["model"], "batch_size": 100}
    content = threshold_only(config, model=model)
    assert content["model"]["batch_size"] == 100
    before = {check["id"]: check for check in contents["private-onnx"]["checks"]}
    assert len(content["checks"]) == 36
    for check in content["checks"]:
        # another batch size may round a loss differently, and no more than that
        assert check["estimate"] == pytest.approx(before[check["id"]]["estimate"], abs=0.004)
        assert check["verdict"] == "pass"


def test_another_seed_breaks_ties_otherwise_and_leaves_the_rest(tmp_path, contents):
    config = digits_project(tmp_path, "private-onnx")
    content = threshold_only(config, statistics={"seed": 1})
    before = {check["id"]: check["estimate"] for check in contents["private-onnx"]["checks"]}
    after = {check["id"]: check["estimate"] for check in content["checks"]}
    assert after["correctness/auc"] != before["correctness/auc"]
    assert after["loss/auc"] == before["loss/auc"]
    assert content["environment"]["seed"] == 1


def test_facts_of_the_report(contents):
    content = contents["private"]
    assert content["fixtures"]["members"] == 892
    assert content["fixtures"]["evaluation"] == {"members": 536, "nonmembers": 547}
    assert content["model"]["sha256"] == sha256(DIGITS / "private.safetensors")
    assert content["fixtures"]["sha256"] == sha256(DIGITS / "manifest.json")
    assert content["config"]["sha256"] == sha256(DIGITS / "private.yaml")
    assert content["config"]["path"].endswith("private.yaml")
    assert not content["model"]["path"].startswith("/")
    assert content["run"]["tool_version"] == privacy_gate.__version__
    assert content["timing"]["forward_passes_per_record"] == 1
    assert content["environment"]["versions"]["numpy"]
    line = content["checks"][0]["line"]
    written = (DIGITS / "private.yaml").read_text().splitlines()[line - 1]
    assert "tpr_at_fpr" in written
