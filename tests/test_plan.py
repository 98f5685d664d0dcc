"""``privacy-gate plan``: records for budgets, budgets for records, and no empty promise."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest
import yaml
from click.testing import CliRunner
from gate_project import write_config
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from privacy_gate.cli import main
from privacy_gate.config import load_config
from privacy_gate.domain import Metric, Sizes
from privacy_gate.feasibility import feasibility
from privacy_gate.planner.question import Question, default_question, question
from privacy_gate.planner.records import chances, plan_records
from privacy_gate.terms import PlannedCheck


@pytest.fixture(autouse=True)
def _working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def invoke(*arguments, code=0):
    result = CliRunner().invoke(main, ["plan", *map(str, arguments)])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def printed(*arguments, code=0):
    return json.loads(invoke(*arguments, "--json", code=code).stdout)


def at(found, size):
    """What the checks of a JSON plan for the default budgets decide at another size."""
    assert found["for"] == "the default budgets"
    return chances(default_question(), Sizes(size, size))


# --------------------------------------------------------------------------------------- records


def test_the_records_that_are_named_suffice_and_fewer_do_not():
    found = printed()
    size = found["evaluation_records"]
    assert found["checks"] == 54
    for factor in (1, 1.1, 2, 5):
        enough = at(found, math.ceil(factor * size))
        assert min(enough.run_passes[0], enough.run_fails[0]) >= 0.95
    fewer = at(found, round(0.95 * size))
    assert min(fewer.run_passes[0], fewer.run_fails[0]) < 0.95
    assert found["run"]["passes_without_leakage"] == list(at(found, size).run_passes)
    assert found["run"]["fails_at_planted_leak"] == list(at(found, size).run_fails)


def test_the_planted_leak_is_four_times_the_first_tpr_budget():
    leak = printed()["run"]["planted_leak"]
    assert leak["metric"] == "tpr_at_fpr[0.01]"
    assert leak["value"] == pytest.approx(0.2)


def test_a_lower_power_needs_fewer_records_and_a_higher_one_more():
    sizes = [printed("--power", power)["evaluation_records"] for power in (0.5, 0.8, 0.95, 0.999)]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 4


def test_the_bounds_of_a_run_are_those_of_all_checks_and_of_the_worst():
    found = printed()
    passes = [row["passes"] for row in found["budgets"] for _ in row["attacks"]]
    low, high = found["run"]["passes_without_leakage"]
    assert low == pytest.approx(1 - sum(1 - chance for chance in passes))
    assert high == min(passes)
    fails = [row["fails"] for row in found["budgets"]]
    assert found["run"]["fails_at_planted_leak"][0] == max(fails)


def test_text_and_json_say_the_same():
    found, shown = printed(), invoke("--bytes", 3072).stdout
    assert f"{found['evaluation_records']:,} evaluation records" in shown
    assert f"{found['fixture_records']:,} fixture records" in shown
    total = 2 * found["fixture_records"] * 3072
    assert f"{total / 1e6:.3g} MB for both sides, at 3,072 bytes a record" in shown
    assert printed("--bytes", 3072)["fixture_bytes"] == total
    for row in found["budgets"]:
        (line,) = [line for line in shown.splitlines() if line.startswith(row["metric"])]
        assert f"<= {row['max']:g}" in line
        assert f"{row['alone']:,}" in line


def test_each_budget_says_what_it_would_need_alone(tmp_path):
    budgets = [{"metric": "tpr_at_fpr", "fpr": 0.05, "max": 0.15}]
    many = printed()
    one = printed(write_config(tmp_path, attacks=["loss"], budgets=budgets))
    (row,) = [row for row in many["budgets"] if row["metric"] == "tpr_at_fpr[0.05]"]
    assert row["alone"] == one["budgets"][0]["alone"] == one["evaluation_records"]
    assert many["evaluation_records"] > row["alone"]


def test_a_check_that_too_few_records_can_never_fail_is_marked(tmp_path):
    budgets = [
        {"metric": "tpr_at_fpr", "fpr": 0.01, "max": 0.1},
        {"metric": "auc", "max": 0.65},
    ]
    shown = invoke(write_config(tmp_path, attacks=["threshold"], budgets=budgets)).stdout
    (line,) = [line for line in shown.splitlines() if line.startswith("tpr_at_fpr[0.01]")]
    assert " never " in line
    assert "never:  these few records cannot fail it" in shown
    (line,) = [line for line in shown.splitlines() if line.startswith("auc")]
    assert "never" not in line


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 5000), st.floats(0.05, 0.95))
def test_the_coins_of_the_split_leave_enough(evaluation, share):
    rest = (1 - share) / 2
    asked = Question("x", (PlannedCheck("loss", Metric("auc"), 0.6),), 0.95, (rest, rest, share))
    records = asked.fixture_records(evaluation)
    assert stats.binom.sf(evaluation - 1, records, share) >= 0.99 - 1e-9
    assert stats.binom.sf(evaluation - 1, records - 1, share) < 0.99 + 1e-9
    left = asked.evaluation_records(records)
    assert left >= evaluation
    assert stats.binom.sf(left - 1, records, share) >= 0.99 - 1e-9
    assert stats.binom.sf(left, records, share) < 0.99 + 1e-9


def test_attacks_that_learn_need_records_to_learn_from(tmp_path):
    budgets = [{"metric": "auc", "max": 0.65}]
    few = printed(write_config(tmp_path, attacks=["anchored-5"], budgets=budgets))
    many = printed(write_config(tmp_path, attacks=["anchored-500"], budgets=budgets))
    assert many["evaluation_records"] == few["evaluation_records"]
    assert stats.binom.sf(499, many["fixture_records"], 0.15) >= 0.99
    assert many["fixture_records"] > few["fixture_records"]


def test_attacks_judged_by_different_budgets(tmp_path):
    budgets = [
        {"metric": "auc", "max": 0.6, "attacks": ["loss"]},
        {"metric": "auc", "max": 0.7, "attacks": ["margin", "entropy"]},
        {"metric": "tpr_at_fpr", "fpr": 0.05, "max": 0.2, "max_increase": 0.1},
    ]
    baseline = {"model": "baseline.onnx"}
    path = write_config(tmp_path, attacks=["threshold"], budgets=budgets, baseline=baseline)
    found = printed(path)
    assert found["checks"] == 3 + 12
    assert [(row["metric"], row["max"], row["attacks"]) for row in found["budgets"]][:2] == [
        ("auc", 0.6, ["loss"]),
        ("auc", 0.7, ["entropy", "margin"]),
    ]
    assert "6 of the checks bound an increase" in invoke(path).stdout
    asked = question(load_config(path))
    (row,) = [row for row in asked.rows if row.increase is not None]
    assert (row.budget, row.increase, len(row.attacks)) == (0.2, 0.1, 6)


def test_budgets_on_the_audit_are_corrected_for_and_not_planned(tmp_path):
    own = {"metric": "auc", "max": 0.65}
    audited = {"metric": "ood_fpr", "set": "scaled", "max": 0.5, "informational": False}
    few = question(load_config(write_config(tmp_path, budgets=[own])))
    more = question(load_config(write_config(tmp_path, budgets=[own, audited])))
    assert more.checks == tuple(few.checks)
    assert (few.corrected, more.corrected) == (6, 11)  # five attacks on scores
    sizes = Sizes(200, 200)
    assert chances(more, sizes).fails < chances(few, sizes).fails


def test_the_policy_is_planned_for_where_it_is_stricter(tmp_path):
    (tmp_path / "privacy_policy.yaml").write_text(
        "version: 1\nbudgets:\n  - {metric: auc, max: 0.55}\nstatistics: {confidence: 0.99}\n"
    )
    budgets = [{"metric": "auc", "max": 0.65}]
    loose = printed(write_config(tmp_path, attacks=["loss"], budgets=budgets))
    strict = printed(
        write_config(tmp_path, attacks=["loss"], budgets=budgets, policy="privacy_policy.yaml")
    )
    assert strict["budgets"][0]["max"] == 0.55
    assert strict["confidence"] == 0.99
    assert strict["evaluation_records"] > 4 * loose["evaluation_records"]


def test_the_shares_of_the_splits_count(tmp_path):
    most = {"support": 0.05, "calibration": 0.05, "evaluation": 0.9}
    usual, more = (printed(write_config(tmp_path, **c)) for c in ({}, {"splits": most}))
    assert usual["evaluation_records"] == more["evaluation_records"]
    assert usual["fixture_records"] > more["fixture_records"]


@pytest.mark.parametrize(
    "budget",
    [
        {"metric": "tpr_at_fpr", "fpr": 0.05, "max": 0.05000001},
        {"metric": "auc", "max": 0.5000001},
        {"metric": "log_mia", "regime": "b", "max": 0.588},
    ],
    ids=lambda budget: budget["metric"],
)
def test_a_budget_at_chance_is_never_decided(tmp_path, budget):
    path = write_config(
        tmp_path, attacks=["loss"], budgets=[budget, {"metric": "advantage", "max": 0.5}]
    )
    shown = invoke(path, code=3).stdout
    assert "No number of records decides all of these checks" in shown
    assert shown.count("too near") == 1
    found = printed(path, code=3)
    assert found["evaluation_records"] is None
    assert found["run"] is None
    assert [row["alone"] is None for row in found["budgets"]] == [True, False]


# --------------------------------------------------------------------------------------- budgets


def certified(*arguments, code=0):
    return yaml.safe_load(invoke(*arguments, "--yaml", code=code).stdout)["budgets"]


@pytest.mark.parametrize("sizes", [(892, 905), (3000, 400), (150, 160)])
def test_the_smallest_budgets_can_be_passed_and_smaller_ones_cannot(tmp_path, sizes):
    """The gate itself finds nothing to say against them, and something against tighter ones."""
    options = ("--members", sizes[0], "--nonmembers", sizes[1])
    budgets = certified(*options)
    assert budgets
    asked = question(load_config(write_config(tmp_path, budgets=budgets)))
    whole = default_question()
    evaluation = Sizes(*(whole.evaluation_records(size) for size in sizes))
    assert feasibility(asked.checks, evaluation, 0.95).impossible == {}
    assert chances(asked, evaluation).run_passes[0] >= 0.95
    again = printed("privacy_gate.yaml", *options)
    assert all(row["configured_passes"] >= 1 - 0.05 / 54 for row in again["budgets"])
    for budget in budgets:
        tighter = [other for other in budgets if other is not budget]
        tighter.append({**budget, "max": round(0.95 * budget["max"], 4)})
        path = write_config(tmp_path, "tighter.yaml", budgets=tighter)
        each = chances(question(load_config(path)), evaluation).passes
        assert min(each) < 1 - 0.05 / 54


def test_the_yaml_is_a_configurations_budgets(tmp_path):
    text = invoke("--members", 2000, "--nonmembers", 2000, "--yaml").stdout
    assert text.startswith("# Fixtures of 2,000 members and 2,000 non-members leave")
    path = write_config(tmp_path)
    content = path.read_text()
    before = content.index("budgets:")
    path.write_text(content[:before] + text)
    assert [str(budget.metric_key) for budget in load_config(path).budgets] == [
        "tpr_at_fpr[0.01]",
        "tpr_at_fpr[0.05]",
        "tnr_at_fnr[0.01]",
        "tnr_at_fnr[0.05]",
        "log_mia[a]",
        "auc",
    ]


def test_budgets_that_small_fixtures_cannot_certify_are_left_out():
    """Line-ups of 15 need more than 15 records a side."""
    text = invoke("--members", 24, "--nonmembers", 24, "--yaml").stdout
    assert "  # {metric: log_mia, regime: a}: these fixtures certify no budget below 1" in text
    assert [budget["metric"] for budget in yaml.safe_load(text)["budgets"]][-1] == "auc"
    shown = invoke("--members", 24, "--nonmembers", 24).stdout
    (line,) = [line for line in shown.splitlines() if line.startswith("log_mia")]
    assert "none below 1" in line


def test_budgets_that_let_leaks_through_are_called_so(tmp_path):
    weak = invoke("--members", 60, "--nonmembers", 60).stdout
    assert "what passes here may leak unnoticed" in weak
    assert "unnoticed" in invoke("--members", 60, "--nonmembers", 60, "--yaml").stdout
    assert "unnoticed" not in invoke("--members", 2000, "--nonmembers", 2000).stdout


def test_attacks_increases_and_small_numbers_survive_as_yaml(tmp_path):
    budgets = [
        {"metric": "tpr_at_fpr", "fpr": 0.00001, "max": 0.5, "attacks": ["loss"]},
        {"metric": "tpr_at_fpr", "fpr": 0.02, "max": 0.5, "max_increase": 0.03},
    ]
    path = write_config(
        tmp_path, attacks=["loss", "margin"], budgets=budgets, baseline={"model": "b.onnx"}
    )
    found = certified(path, "--members", 10_000_000, "--nonmembers", 10_000_000)
    assert found[0]["fpr"] == 1e-5
    assert isinstance(found[0]["fpr"], float)
    assert found[0]["attacks"] == ["loss"]
    assert "attacks" not in found[1]
    assert found[1]["max_increase"] == 0.03
    assert 0.02 < found[1]["max"] < 0.022


def test_nothing_to_certify_is_no_success(tmp_path):
    path = write_config(tmp_path, budgets=[{"metric": "log_mia", "regime": "a", "max": 0.4}])
    options = (path, "--members", 20, "--nonmembers", 20)
    assert "certify nothing: add records" in invoke(*options, code=3).stdout
    assert certified(*options, code=3) == []
    assert "too small" in invoke("--members", 3, "--nonmembers", 5, code=2).stderr


# ---------------------------------------------------------------------------------- the command


def test_the_configuration_of_the_directory_is_planned_for(tmp_path):
    assert printed()["for"] == "the default budgets"
    write_config(tmp_path)
    assert printed()["for"] == "privacy_gate.yaml"


def test_neither_model_nor_fixtures_need_to_exist_and_torch_is_not_loaded(tmp_path):
    write_config(tmp_path)
    script = (
        "import sys\nfrom privacy_gate.cli import main\n"
        "try:\n    main(['plan'])\nexcept SystemExit as end:\n    assert end.code == 0, end.code\n"
        "assert not {'torch', 'onnxruntime', 'github'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Plan for privacy_gate.yaml")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--members", "100"], "Both --members and --nonmembers"),
        (["--nonmembers", "100"], "Both --members and --nonmembers"),
        (["--members", "1", "--nonmembers", "100"], "--members"),
        (["--yaml"], "--yaml needs --members and --nonmembers"),
        (["--members", "100", "--nonmembers", "100", "--bytes", "8"], "--bytes needs"),
        (["--members", "100", "--nonmembers", "100", "--yaml", "--json"], "cannot both"),
        (["--power", "1"], "--power"),
        (["--power", "0.4"], "--power"),
        (["--power", "nan"], "--power"),
        (["--bytes", "0"], "--bytes"),
        (["absent.yaml"], "absent.yaml"),
    ],
)
def test_mistakes_are_usage_errors(options, words):
    result = invoke(*options, code=2)
    assert words in result.stderr
    assert result.stdout == ""


def test_budgets_of_increase_alone_cannot_be_planned(tmp_path):
    path = write_config(
        tmp_path,
        attacks=["loss"],
        budgets=[{"metric": "auc", "max_increase": 0.02}],
        baseline={"model": "b.onnx"},
    )
    assert "nothing to plan" in invoke(path, code=2).stderr


def test_the_plan_of_the_python_function_is_the_commands(tmp_path):
    config = load_config(write_config(tmp_path))
    assert plan_records(question(config), 0.9).to_dict() == printed("--power", 0.9)
