"""The self-test: what it permutes, what it counts, that it finds a gate that cries wolf."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from plugin_project import AUC, DIGITS, LOG_MIA, SMALL
from scipy import stats

from privacy_gate.cli import main
from privacy_gate.config import load_config
from privacy_gate.domain import Scores, Split
from privacy_gate.errors import ConfigError
from privacy_gate.preparation import prepare
from privacy_gate.scoring import score_model
from privacy_gate.selftest import drawing
from privacy_gate.selftest.drawing import Drawn, permuted, slow, visible
from privacy_gate.selftest.findings import ERROR, LEVELS, findings
from privacy_gate.selftest.running import selftest, without_asking
from privacy_gate.selftest.words import selftest_text

TPR = {"metric": "tpr_at_fpr", "fpr": 0.05, "max": 0.2}


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    path = tmp_path_factory.mktemp("selftest") / "digits"
    shutil.copytree(DIGITS, path)
    return path


def configured(directory, attacks=("loss", "correctness", "anchored-5"), budgets=(AUC, TPR)):
    content = {**SMALL, "attacks": list(attacks), "budgets": list(budgets)}
    path = directory / "privacy_gate.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def scored(path):
    prepared, _ = without_asking(prepare(load_config(path), compared=False))
    return prepared, score_model(prepared, None, whole=False)


# -------------------------------------------------------------------------------------- permuting


def test_membership_is_dealt_out_over_all_splits_among_the_records_that_count():
    truth = np.arange(300) < 150
    independent = np.arange(300) % 3 != 0
    dealt = permuted(truth, independent, 0, 1)
    assert dealt[independent].sum() == truth[independent].sum()
    assert (dealt[~independent] == truth[~independent]).all()
    assert (dealt != truth).sum() > 50
    assert (dealt == permuted(truth, independent, 0, 1)).all()
    assert (dealt != permuted(truth, independent, 0, 2)).any()
    assert (dealt != permuted(truth, independent, 1, 1)).any()


def test_attacks_do_not_see_who_of_the_judged_records_is_a_member():
    split = np.repeat([Split.SUPPORT, Split.CALIBRATION, Split.EVALUATION], 4).astype(np.int8)
    member = np.tile([True, True, False, False], 3)
    independent = np.arange(12) != 1
    assert list(visible(member, split, independent)) == [1, -1, 0, 0, 1, 1, 0, 0, -1, -1, -1, -1]


# --------------------------------------------------------------------------------------- counting


def drawn(p_values, fails=0):
    return [
        Drawn("fail" if n < fails else "pass", {"loss/auc": "pass"}, {"loss/log_mia[a]": p})
        for n, p in enumerate(p_values)
    ]


def test_allowances_are_exact():
    found = findings(drawn(np.linspace(0, 1, 200)), 0.025)
    error = ERROR / (1 + len(LEVELS))
    assert found.fails.allowed == stats.binom.isf(error, 200, 0.025)
    assert [c.allowed for c in found.null_p] == [stats.binom.isf(error, 200, a) for a in LEVELS]
    assert not found.exceeded
    assert found.to_dict()["pass_share"] == 1.0


def test_one_more_fail_than_chance_allows_is_found():
    uniform = np.linspace(0, 1, 200)
    allowed = findings(drawn(uniform), 0.025).fails.allowed
    assert not findings(drawn(uniform, allowed), 0.025).exceeded
    (found,) = findings(drawn(uniform, allowed + 1), 0.025).exceeded
    assert found.what == "runs fail"


def test_probabilities_that_are_too_small_are_found():
    found = findings(drawn(np.linspace(0, 1, 200) ** 2), 0.025)
    assert {count.what for count in found.exceeded} == {"loss/log_mia[a]"}
    text = selftest_text(found, {})
    assert "TOO OFTEN: loss/log_mia[a]" in text
    assert "does not cry wolf" not in text


# ---------------------------------------------------------------------------------------- running


def test_a_sound_gate_is_sound_with_one_process_or_two(directory):
    prepared, model = scored(configured(directory))
    alone = selftest(prepared, model, 20, jobs=1)
    assert not alone.exceeded
    assert alone.draws == 20
    assert sum(alone.runs.values()) == 20
    assert selftest(prepared, model, 20, jobs=2) == alone


def test_an_attack_that_knows_too_much_is_found(directory, monkeypatch):
    """The members to be judged leak into what the attack sees: each run fails."""
    prepared, model = scored(configured(directory, ["anchored-5"], [TPR]))
    monkeypatch.setattr(drawing, "visible", lambda member, *_: member.astype(np.int8))
    monkeypatch.setattr(
        drawing, "attack_scores", lambda _, evidence: Scores(evidence.membership.astype(float))
    )
    found = selftest(prepared, model, 20, jobs=1)
    assert found.runs == {"fail": 20}
    assert {count.what for count in found.exceeded} == {"runs fail", "anchored-5/tpr_at_fpr[0.05]"}


def test_slow_attacks_take_part_rarely(directory):
    path = configured(directory, ["loss", "laplacian-shot-5"], [TPR])
    prepared, model = scored(path)
    assert [slow(attack) for attack in prepared.programme.attacks] == [False, True]
    found = selftest(prepared, model, 2, jobs=1)
    assert found.checks["loss/tpr_at_fpr[0.05]"] == {"pass": 2}
    assert found.checks["laplacian-shot-5/tpr_at_fpr[0.05]"] == {"pass": 1}


def test_attacks_that_ask_the_model_are_named_as_left_out(directory):
    path = configured(directory, ["loss", "noise-robustness"], [AUC])
    prepared, left_out = without_asking(prepare(load_config(path), compared=False))
    assert [attack.name for attack in prepared.programme.attacks] == ["loss"]
    assert [check.id for check in prepared.programme.checks] == ["loss/auc"]
    assert "asks the model again" in left_out["noise-robustness"]
    none = configured(directory, ["noise-robustness"], [AUC])
    with pytest.raises(ConfigError, match="None of the configured checks can be tested"):
        without_asking(prepare(load_config(none), compared=False))


# ---------------------------------------------------------------------------------------- command


def test_the_command_says_what_it_found(directory, monkeypatch):
    path = str(configured(directory, ["loss"], [AUC, LOG_MIA]))
    run = CliRunner().invoke
    text = run(main, ["selftest", path, "--draws", "40", "--jobs", "1"])
    assert text.exit_code == 0, text.output
    assert "40 runs with membership dealt out by lot: 100.0% pass" in text.stdout
    assert "does not cry wolf" in text.stdout
    found = json.loads(run(main, ["selftest", path, "--draws", "40", "--json"]).stdout)
    assert found["sound"] is True
    assert found["draws"] == 40
    assert len(found["null_p"]) == 5
    monkeypatch.setattr(drawing, "outcome", lambda _: "fail")
    wolf = run(main, ["selftest", path, "--draws", "40", "--jobs", "1"])
    assert wolf.exit_code == 1
    assert "TOO OFTEN: runs fail: 40 of 40" in wolf.stdout


def test_what_cannot_run_ends_with_2(tmp_path):
    result = CliRunner().invoke(main, ["selftest", str(tmp_path / "none.yaml")])
    assert result.exit_code == 2
