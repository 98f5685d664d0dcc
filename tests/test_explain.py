"""``privacy-gate explain``: the configuration in sentences, true to what the gate does."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import date

import pytest
from click.testing import CliRunner
from gate_project import BUDGETS, DIGITS, write_config, write_fixtures, write_module
from hypothesis import given
from hypothesis import strategies as st

from privacy_gate.cli import main
from privacy_gate.config import load_config
from privacy_gate.domain import Metric
from privacy_gate.explanation.attacks import looks_at
from privacy_gate.explanation.limits import limit_sentence, shares, warning_sentence
from privacy_gate.explanation.page import explain
from privacy_gate.registry import ATTACKS, FAMILIES
from privacy_gate.terms import PlannedCheck

TODAY = date(2026, 11, 22)


@pytest.fixture(autouse=True)
def _working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def page(path, today=TODAY, **options):
    """The page with every run of white space as one space, so that line breaks do not matter."""
    return " ".join(explain(load_config(path, **options), today).split())


def sentence(metric, budget, confidence=0.95, **more):
    return limit_sentence(PlannedCheck("loss", Metric.parse(metric), budget, **more), confidence)


# ---------------------------------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ("metric", "budget", "words"),
    [
        (
            "tpr_at_fpr[0.01]",
            0.05,
            "When 1 in 100 outsiders is wrongly called a member, at most 5 in 100 members may be"
            " recognised; confidence 95 %.",
        ),
        (
            "tpr_at_fpr[0.0005]",
            0.125,
            "When 5 in 10,000 outsiders are wrongly called a member, at most 125 in 1,000 members"
            " may be recognised; confidence 95 %.",
        ),
        (
            "tnr_at_fnr[0.1]",
            0.3,
            "When 10 in 100 members are wrongly called an outsider, at most 30 in 100 outsiders may"
            " be recognised as such; confidence 95 %.",
        ),
        (
            "auc",
            0.6,
            "Shown one member and one outsider, an attack may tell which is which in at most 60 in"
            " 100 cases; confidence 95 %. Guessing gives 50 in 100.",
        ),
        ("advantage", 0.2, "calls members by at most 20 in 100; confidence 95 %."),
        ("log_mia[a]", 0.35, "before the first outsider may reach 0.35 on average"),
        ("log_mia[a]", 0.35, "Without any leakage it is 0.18."),
        ("log_mia[b]", 0.7, "before the fifth outsider may reach 0.7 on average"),
        ("log_mia[b]", 0.7, "Without any leakage it is 0.59."),
    ],
)
def test_what_a_budget_tolerates(metric, budget, words):
    assert words in sentence(metric, budget)


@pytest.mark.parametrize("metric", ["tpr_at_fpr[0.01]", "tnr_at_fnr[0.01]", "log_mia[b]", "auc"])
def test_what_an_increase_may_be(metric):
    words = sentence(metric, 0.02, confidence=0.9, increase=True)
    assert words.startswith("Compared with the baseline, the ")
    amount = "0.02" if metric.startswith("log_mia") else "2 in 100"
    assert words.endswith(f"may grow by at most {amount}; confidence 90 %.")


def test_from_where_on_a_warning_is_shown():
    check = PlannedCheck("loss", Metric("auc"), 0.6, warn_at=0.55)
    assert "above 55 in 100 is shown as a warning" in warning_sentence(check)
    assert warning_sentence(PlannedCheck("loss", Metric("auc"), 0.6)) == ""


@given(st.integers(1, 10**6 - 1), st.integers(2, 6))
def test_shares_are_exactly_the_number_that_was_written(count, digits):
    rate = float(f"{count % 10**digits or 1}e-{digits}")
    part, whole = re.fullmatch(r"([\d,]+) in ([\d,]+)", shares(rate)).groups()
    assert int(part.replace(",", "")) / int(whole.replace(",", "")) == rate
    assert int(whole.replace(",", "")) <= 10**digits


def test_every_attack_is_described():
    described = {looks_at(name, custom=False) for name in ATTACKS}
    assert len(described) == len(ATTACKS)
    for family in FAMILIES:
        assert "shown 7 members and 7 outsiders" in looks_at(f"{family}-7", custom=False)
    assert "another installed package" in looks_at("of-a-third-party", custom=False)
    assert "the project's own function" in looks_at("loss", custom=True)


# ------------------------------------------------------------------------------------------ page


def test_the_page_of_the_bundled_example():
    shown = page(DIGITS / "private.yaml")
    for words in (
        "892 members and 905 outsiders",
        "60 in 100 of them decide the verdict",
        "decided by coin flips",
        "When 1 in 100 outsiders is wrongly called a member, at most 10 in 100 members may be"
        " recognised; confidence 95 %. This holds for every attack",
        "There are 54 checks",
        "There is no policy file",
        "It does not mean that the model is anonymous or lawful",
        "no guarantee of differential privacy",
    ):
        assert words in shown
    lines = (DIGITS / "private.yaml").read_text().splitlines()
    for number in map(int, re.findall(r"private\.yaml, line (\d+)", shown)):
        assert "metric:" in lines[number - 1]
    assert max(map(len, explain(load_config(DIGITS / "private.yaml"), TODAY).splitlines())) <= 96


def test_every_check_and_attack_is_accounted_for(tmp_path):
    budgets = [
        {"metric": "auc", "max": 0.6, "warn_at": 0.55, "attacks": ["loss", "margin"]},
        {"metric": "tpr_at_fpr", "fpr": 0.05, "max": 0.2, "attacks": ["entropy"]},
    ]
    shown = page(write_config(tmp_path, attacks=["threshold"], budgets=budgets))
    assert "This holds for loss and margin (privacy_gate.yaml, line" in shown
    assert "This holds for entropy (privacy_gate.yaml, line" in shown
    assert "There are 3 checks" in shown
    assert "A measured value above 55 in 100 is shown as a warning" in shown
    unlimited = re.findall(r"- ([\w-]+): [^.]*\. It is measured, and no limit is set", shown)
    assert unlimited == ["confidence", "modified-entropy", "correctness"]


def test_attacks_that_cannot_be_tried_are_named(tmp_path):
    budgets = [{"metric": "auc", "max": 0.65}]
    output = {"name": "logits", "kind": "labels"}
    shown = page(
        write_config(tmp_path, attacks=["threshold"], budgets=budgets, model={"output": output})
    )
    assert "Not tried: loss, confidence, entropy, modified-entropy and margin" in shown
    assert "There is one check." in shown


def test_signals_of_the_project(tmp_path):
    name = write_module(tmp_path, "def signals(outputs, labels):\n    raise SystemExit\n")
    path = write_config(
        tmp_path,
        task="custom",
        signals=f"{name}:signals",
        attacks=["my-loss"],
        model={"output": {"name": "logits"}},
    )
    assert "- my-loss: the score of this name that the project's own function computes" in page(
        path
    )


def test_fixtures_that_were_not_assigned_by_chance(tmp_path):
    assert "which are not there or cannot be read" in page(write_config(tmp_path))
    write_fixtures(tmp_path, assignment="natural")
    shown = page(tmp_path / "privacy_gate.yaml")
    assert "700 members and 700 outsiders" in shown
    assert "not decided by chance" in shown
    assert "coin flips" not in shown


def test_a_model_file_that_is_pinned_or_may_run_code(tmp_path):
    model = {"format": "torchscript", "path": "m.pt", "trust": "code", "sha256": "ab" * 32}
    shown = page(write_config(tmp_path, model={**model, "output": None, "preprocess": None}))
    assert f"Only the file with the SHA-256 {'ab' * 32} is accepted." in shown
    assert "may run code" in shown


def tolerating(tmp_path, **more):
    policy = {"warn_until": "2026-12-31", "reason": "collecting records"}
    return write_config(tmp_path, statistics={"on_inconclusive": policy}, **more)


def test_what_an_inconclusive_check_means(tmp_path):
    assert "That stops the pipeline as a failure does." in page(write_config(tmp_path))
    path = tolerating(tmp_path)
    words = 'tolerated until 2026-12-31, because "collecting records"'
    assert f"That is {words}" in page(path, date(2026, 12, 31))
    assert f"That was {words}; now it stops" in page(path, date(2027, 1, 1))


POLICY = """
version: 1
owner: privacy-office@example.org
budgets:
  - {metric: auc, max: 0.55}
waivers:
  - check: loss/tpr_at_fpr[0.05]
    reason: Old canaries
    until: 2027-01-31
    approved_by: Ada
"""


def test_the_policy_and_its_waivers(tmp_path):
    (tmp_path / "privacy_policy.yaml").write_text(POLICY)
    path = write_config(tmp_path, policy="privacy_policy.yaml", attacks=["loss"])
    line = next(
        number
        for number, text in enumerate(path.read_text().splitlines(), 1)
        if "metric: auc" in text
    )
    shown = page(path)
    assert "in at most 55 in 100 cases" in shown
    assert "This holds for every attack (privacy_policy.yaml, line 5)." in shown
    assert (
        f"It is stricter than the 0.65 in privacy_gate.yaml, line {line}, which does not" in shown
    )
    assert shown.count("stricter than the") == 1
    assert "The policy privacy_policy.yaml, for which privacy-office@example.org answers" in shown
    waiver = (
        "Waived: loss/tpr_at_fpr[0.05] need not pass until 2027-01-31, because"
        ' "Old canaries" (approved by Ada).'
    )
    assert waiver in shown
    assert "expired" not in page(path, date(2027, 1, 31))
    assert f"{waiver} This has expired: the check counts again." in page(path, date(2027, 2, 1))


def git(directory, *arguments):
    command = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *arguments]
    subprocess.run(command, cwd=directory, check=True, capture_output=True)


def test_the_limits_of_the_base_branch(tmp_path):
    git(tmp_path, "init", "-b", "main")
    write_config(tmp_path, attacks=["loss"])
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "terms")
    looser = [budget for budget in BUDGETS if budget["metric"] != "auc"]
    path = write_config(
        tmp_path, attacks=["loss"], budgets=[*looser, {"metric": "auc", "max": 0.9}]
    )
    shown = page(path, policy_ref="main")
    assert "in at most 65 in 100 cases" in shown
    assert "(privacy_gate.yaml on main, line" in shown
    assert "It is stricter than the 0.9 in privacy_gate.yaml" in shown
    assert "The limits on main (commit" in shown
    assert "A change that loosens them fails." in shown
    assert "- Changed: " in shown
    result = CliRunner().invoke(main, ["explain", "--policy-ref", "main"])
    assert result.exit_code == 0
    assert " ".join(result.stdout.split()) == shown


# --------------------------------------------------------------------------------------- command


def test_no_model_is_opened_and_no_code_of_the_project_runs(tmp_path):
    name = write_module(tmp_path, "raise SystemExit('ran')\n")
    model = {"format": "torch", "path": "absent.safetensors", "factory": f"{name}:build"}
    write_config(tmp_path, model={**model, "output": None})
    script = (
        "import sys\nfrom privacy_gate.cli import main\n"
        "try:\n    main(['explain'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        f"assert not {{'torch', 'onnxruntime', {name!r}}} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("colours: what this configuration means")


def test_a_broken_configuration_is_an_error(tmp_path):
    result = CliRunner().invoke(main, ["explain"])
    assert result.exit_code == 2
    write_config(tmp_path, budgets=[{"metric": "auc", "max": 1.5}])
    result = CliRunner().invoke(main, ["explain"])
    assert result.exit_code == 2
    assert "never bind" in result.stderr
    assert result.stdout == ""
