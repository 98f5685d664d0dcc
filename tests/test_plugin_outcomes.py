"""What a session of pytest ends with for each kind of model, budget and mistake."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from plugin_project import DIGITS, LEAKY, TORCH, UNDECIDED, verdicts

GATE = ("--privacy-gate", "--privacy-gate-report=report")


@pytest.mark.parametrize("name", ["private.yaml", "private-onnx.yaml"])
def test_the_private_candidate_passes(project, name):
    project.bundled(name, attacks=["threshold"])
    result = project.run(*GATE)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*privacy gate*", "privacy_gate  digits-private*PASS"])
    report = project.report()
    assert (report["verdict"], report["complete"]) == ("pass", True)
    assert set(verdicts(report).values()) == {"pass"}
    result.assert_outcomes(passed=len(report["checks"]))


@pytest.mark.parametrize("name", ["leaky.yaml", "leaky-onnx.yaml"])
def test_the_leaky_candidate_fails_with_verdict_and_numbers_in_the_short_summary(project, name):
    project.bundled(name, attacks=["threshold"])
    result = project.run(*GATE)
    assert result.ret == 1
    report = project.report()
    assert (report["verdict"], report["complete"]) == ("fail", True)
    check = next(check for check in report["checks"] if check["id"] == "loss/auc")
    assert check["verdict"] == "fail"
    result.stdout.fnmatch_lines(
        [f"FAILED privacy_gate.yaml::loss/auc - fail: AUC is at least {check['low']:.3g}*"]
    )
    outcomes = result.parseoutcomes()
    assert outcomes["failed"] == sum(verdict != "pass" for verdict in verdicts(report).values())


def test_an_undecided_check_is_a_failed_item(project):
    project.configure(**UNDECIDED)
    result = project.run(*GATE)
    assert result.ret == 1
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*inconclusive: AUC lies in *does not decide*budget 0.55*"])
    report = project.report()
    assert (report["verdict"], report["complete"]) == ("inconclusive", True)
    assert verdicts(report) == {"loss/auc": "inconclusive"}


@pytest.mark.parametrize(("days", "code"), [(1, 0), (0, 0), (-1, 1)])
def test_a_policy_tolerates_undecided_checks_until_its_date_and_never_calls_them_passed(
    project, days, code
):
    until = datetime.now(UTC).date() + timedelta(days=days)
    policy = {"on_inconclusive": {"warn_until": until, "reason": "more data in spring"}}
    project.configure(**UNDECIDED, statistics=policy)
    result = project.run(*GATE)
    assert result.ret == code
    report = project.report()
    assert verdicts(report) == {"loss/auc": "inconclusive"}
    assert report["verdict"] == "inconclusive"
    assert report["tolerated"] is (code == 0)
    assert report["waivers"][0]["reason"] == "more data in spring"
    assert report["waivers"][0]["expired"] is (code == 1)
    result.stdout.fnmatch_lines(["privacy_gate  digits*INCONCLUSIVE*"])


def test_a_policy_tolerates_no_failed_check(project):
    policy = {"on_inconclusive": {"warn_until": "2999-01-01", "reason": "x"}}
    project.configure(**LEAKY, statistics=policy)
    result = project.run("--privacy-gate")
    assert result.ret == 1
    result.assert_outcomes(failed=4)


def test_a_budget_out_of_reach_fails_every_item_before_the_model_is_opened(project):
    budgets = [{"metric": "tpr_at_fpr", "fpr": 0.01, "max": 0.02}, {"metric": "auc", "max": 0.65}]
    project.configure(attacks=["loss"], budgets=budgets, **{"model.path": "missing.onnx"})
    result = project.run(*GATE)
    assert result.ret == 1
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        ["*inconclusive: TPR at FPR 0.01 <= 0.02 cannot be certified with 536 + 547 *"]
    )
    result.stdout.no_fnmatch_line("*missing.onnx*")
    report = project.report()
    assert (report["verdict"], report["complete"]) == ("inconclusive", False)
    assert verdicts(report) == {"loss/tpr_at_fpr[0.01]": "inconclusive", "loss/auc": "not_run"}


def test_a_missing_model_fails_every_item_and_only_the_first_explains(project):
    project.configure(**{"model.path": "missing.onnx"})
    result = project.run(*GATE)
    assert result.ret == 1
    result.assert_outcomes(failed=4)
    sections = result.stdout.str().partition("FAILURES")[2].partition("privacy gate ==")[0]
    assert sections.count("missing.onnx") == 1
    assert sections.index("missing.onnx") < sections.index("correctness/auc")
    assert sections.count("not judged, see the first check: ModelError") == 3
    assert "Traceback" not in sections
    report = project.report()
    assert (report["verdict"], report["complete"]) == ("error", False)
    assert "missing.onnx" in report["error"]["message"] + str(report["error"]["location"])


def test_weights_that_are_not_numbers_fail_every_item(project):
    from safetensors.numpy import load_file, save_file

    weights = load_file(project.path / "private.safetensors")
    weights["classifier.bias"] = np.full_like(weights["classifier.bias"], np.nan)
    save_file(weights, project.path / "private.safetensors")
    project.configure(**TORCH)
    result = project.run(*GATE)
    assert result.ret == 1
    result.assert_outcomes(failed=4)
    assert project.report()["verdict"] == "error"
    assert "NaN" in project.report()["error"]["message"]


def test_a_model_that_cannot_be_opened_is_opened_once(project):
    project.configure(**TORCH)
    (project.path / "private.safetensors").write_bytes(
        DIGITS.joinpath("leaky.safetensors").read_bytes()
    )
    result = project.run(*GATE)
    result.assert_outcomes(failed=4)
    assert len(project.opened()) == 1


def test_a_model_that_guesses_fails_every_item(project):
    project.configure(**{"model.labels": {"order": [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]}})
    result = project.run(*GATE)
    assert result.ret == 1
    result.assert_outcomes(failed=4)
    result.stdout.fnmatch_lines(["*The model guesses: *"])


def test_an_unforeseen_exception_quotes_nothing_but_on_request(project, monkeypatch):
    def broken(prepared):
        raise ValueError("patient 4711")

    project.configure()
    monkeypatch.setattr("privacy_gate.pytest_items.run_prepared", broken)
    result = project.run(*GATE)
    assert result.ret == 1
    result.assert_outcomes(failed=4)
    result.stdout.fnmatch_lines(["Internal error (ValueError).*PRIVACY_GATE_DEBUG=1*"])
    result.stdout.no_fnmatch_line("*4711*")
    assert project.report()["verdict"] == "error"
    assert "4711" not in str(project.report())

    monkeypatch.setenv("PRIVACY_GATE_DEBUG", "1")
    result = project.run("--privacy-gate")
    result.stdout.fnmatch_lines(["*ValueError: patient 4711"])


def test_code_that_exits_is_no_pass(project):
    project.write("leaves.py", "def build(width):\n    raise SystemExit(0)\n")
    project.configure(**{**TORCH, "model.factory": "leaves:build"})
    result = project.run(*GATE)
    assert result.ret == 1
    result.assert_outcomes(failed=4)
    assert project.report()["verdict"] == "error"


def test_an_interrupt_is_not_swallowed(project):
    project.write("slow.py", "def build(width):\n    raise KeyboardInterrupt\n")
    project.configure(**{**TORCH, "model.factory": "slow:build"})
    result = project.run(*GATE, no_reraise_ctrlc=True)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    report = project.report()
    assert (report["verdict"], report["complete"]) == ("inconclusive", False)
    assert set(verdicts(report).values()) == {"not_run"}


def test_cuda_where_there_is_none_fails_every_item(project):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    project.configure(**TORCH)
    result = project.run(*GATE, "--privacy-gate-device=cuda")
    assert result.ret == 1
    result.assert_outcomes(failed=4)
    result.stdout.fnmatch_lines(["*cuda*"])
    assert project.report()["verdict"] == "error"


def test_model_and_fixtures_of_the_command_line_are_relative_to_where_pytest_starts(
    project, monkeypatch
):
    """Each points to a copy that only exists there; the report says so."""
    project.configure(**{"model.path": "missing.onnx", "fixtures.path": "missing"})
    work = project.path / "work"
    (work / "data").mkdir(parents=True)
    for name in ("manifest.json", "members.npz", "nonmembers.npz"):
        (project.path / name).rename(work / "data" / name)
    (project.path / "private.onnx").rename(work / "candidate.onnx")
    monkeypatch.chdir(work)
    result = project.run(
        "--privacy-gate-config=../privacy_gate.yaml",
        "--privacy-gate-model=candidate.onnx",
        "--privacy-gate-fixtures=data",
        "--privacy-gate-device=cpu",
        "--privacy-gate-report=report",
    )
    assert result.ret == 0
    report = project.report("work/report")
    changed = {
        item["key"]: (item["from"], item["to"], item["source"]) for item in report["overrides"]
    }
    assert changed == {
        "model.path": ("missing.onnx", str(work / "candidate.onnx"), "argument"),
        "fixtures.path": ("missing", str(work / "data"), "argument"),
        "model.device": (None, "cpu", "argument"),
    }


def test_an_unknown_device_is_a_collection_error(project):
    project.configure()
    result = project.run("--privacy-gate", "--privacy-gate-device=tpu")
    assert result.ret == 2
    result.stdout.fnmatch_lines(["*Unknown device 'tpu'*"])
