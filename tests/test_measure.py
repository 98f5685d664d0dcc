"""``privacy_gate.measure``: its JSON, its verdicts, and every input it must refuse."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy_gate.domain import Metric
from privacy_gate.errors import ExitCode, SignalError, UsageError
from privacy_gate.measurement import MeasureResult, measure, parse_budget

GENERATOR = np.random.default_rng(0)
LEAKY, QUIET = GENERATOR.normal(2, 1, 600), GENERATOR.normal(0, 1, 600)
FRESH = GENERATOR.normal(0, 1, 600)

BAD_SCORES = {
    "bool": [True, False, True],
    "complex": [1 + 2j, 3.0],
    "objects": np.array([1.0, None], dtype=object),
    "text": ["0.1", "0.2"],
    "bytes": [b"1", b"2"],
    "dates": np.array(["2024-01-01", "2024-01-02"], dtype="datetime64[D]"),
    "two-dimensional": np.zeros((5, 2)),
    "column": np.zeros((5, 1)),
    "scalar": 3.0,
    "nothing": None,
    "ragged": [[1.0], [2.0, 3.0]],
    "huge integers": [2**70, 1],
    "mapping": {"a": 1.0},
    "nan": [0.1, math.nan, 0.3],
    "infinite": [0.1, math.inf, 0.3],
    "minus infinite": [0.1, -math.inf, 0.3],
    "one record": [0.5],
    "empty": [],
}


@pytest.mark.parametrize("side", ["members", "non-members"])
@pytest.mark.parametrize("values", BAD_SCORES.values(), ids=BAD_SCORES.keys())
def test_unusable_scores(values, side):
    sides = (values, [0.1, 0.2, 0.3]) if side == "members" else ([0.1, 0.2, 0.3], values)
    with pytest.raises(SignalError) as caught:
        measure(*sides)
    assert caught.value.exit_code == ExitCode.ERROR == 2
    assert caught.value.hint
    assert side.replace("-", "") in caught.value.message


@pytest.mark.parametrize("kind", ["int8", "uint64", "int64", "float16", "float32", "float64"])
def test_every_real_type_is_accepted(kind):
    members, nonmembers = np.array([3, 2, 5], dtype=kind), np.array([1, 2], dtype=kind)
    found = measure(members, nonmembers).to_dict()
    assert found["auc"]["estimate"] == pytest.approx(5.5 / 6)
    assert (found["members"], found["nonmembers"]) == (3, 2)


def test_scores_are_not_changed():
    members, nonmembers = np.array([3.0, 1.0, 2.0]), np.array([5.0, 4.0])
    measure(members, nonmembers, lower_is_member=True)
    assert members.tolist() == [3, 1, 2]
    assert nonmembers.tolist() == [5, 4]


BAD_OPTIONS = {
    "rate 0": {"fpr": [0]},
    "rate 1": {"fpr": [0.1, 1.0]},
    "negative rate": {"fpr": [-0.1]},
    "rate above 1": {"fnr": [1.5]},
    "bool rate": {"fpr": [True]},
    "numpy bool rate": {"fpr": [np.True_]},
    "nan rate": {"fnr": [math.nan]},
    "infinite rate": {"fpr": [math.inf]},
    "text rate": {"fpr": ["0.1"]},
    "text of rates": {"fpr": "0.1"},
    "no rate": {"fpr": [None]},
    "one rate, no list": {"fpr": 0.1},
    "confidence 1": {"confidence": 1.0},
    "confidence 0.4": {"confidence": 0.4},
    "confidence percent": {"confidence": 95},
    "nan confidence": {"confidence": math.nan},
    "bool confidence": {"confidence": True},
    "text confidence": {"confidence": "0.95"},
    "episode 4": {"episode_size": 4},
    "episode 301": {"episode_size": 301},
    "episode 15.0": {"episode_size": 15.0},
    "episode bool": {"episode_size": True},
    "episode text": {"episode_size": "15"},
    "one budget, no list": {"budgets": "auc<=0.6"},
    "budget not text": {"budgets": [0.6]},
    "no budget": {"budgets": None},
}


@pytest.mark.parametrize("options", BAD_OPTIONS.values(), ids=BAD_OPTIONS.keys())
def test_unusable_options(options):
    with pytest.raises(UsageError) as caught:
        measure(LEAKY, QUIET, **options)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "budget",
    [
        "",
        "auc",
        "auc<0.6",
        "auc=0.6",
        "auc<=",
        "<=0.6",
        "auc<=x",
        "auc<=0.6<=0.7",
        "auc<=nan",
        "auc<=inf",
        "auc<=0",
        "auc<=1",
        "auc<=-0.5",
        "auc<=60%",
        "auc>=0.6",
        "AUC<=0.6",
        "auc[0.1]<=0.6",
        "tpr<=0.1",
        "tpr_at_fpr<=0.1",
        "tpr_at_fpr[]<=0.1",
        "tpr_at_fpr[0]<=0.1",
        "tpr_at_fpr[1]<=0.1",
        "tpr_at_fpr[nan]<=0.1",
        "tpr_at_fpr[1%]<=0.1",
        "tpr_at_fpr(0.01)<=0.1",
        "tpr_at_fpr[0.01<=0.1",
        "tpr_at_fpr[0.01][0.1]<=0.1",
        "tnr_at_fnr[a]<=0.1",
        "log_mia<=0.3",
        "log_mia[c]<=0.3",
        "log_mia[A]<=0.3",
        "log_mia[0.01]<=0.3",
    ],
)
def test_malformed_budgets(budget):
    with pytest.raises(UsageError) as caught:
        measure(LEAKY, QUIET, budgets=[budget])
    assert caught.value.exit_code == 2


def test_duplicate_budgets():
    for again in ("tpr_at_fpr[0.01]<=0.2", "tpr_at_fpr[0.010]<=0.2", "tpr_at_fpr[1e-2] <= 0.2"):
        with pytest.raises(UsageError, match=r"Two budgets for tpr_at_fpr\[0.01\]"):
            measure(LEAKY, QUIET, budgets=["tpr_at_fpr[0.01]<=0.1", again])
    both = measure(LEAKY, QUIET, budgets=["log_mia[a]<=0.4", "log_mia[b]<=0.8"])
    assert len(both.checks) == 2


def test_options_are_checked_before_scores():
    with pytest.raises(UsageError):
        measure([], [], budgets=["nonsense"])


metrics = st.one_of(
    st.sampled_from([Metric("auc"), Metric("advantage"), Metric("log_mia", "a")]),
    st.builds(
        Metric,
        st.sampled_from(["tpr_at_fpr", "tnr_at_fnr"]),
        st.floats(0, 1, exclude_min=True, exclude_max=True),
    ),
)


@given(metrics, st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_budgets_round_trip(metric, limit):
    assert Metric.parse(str(metric)) == metric
    assert parse_budget(f"{metric}<={limit!r}") == (metric, limit)
    assert parse_budget(f"  {metric}  <=  {limit!r} ") == (metric, limit)


@given(st.text(max_size=30))
def test_no_text_does_more_than_a_usage_error(text):
    try:
        metric, limit = parse_budget(text)
    except UsageError:
        return
    assert 0 < limit < 1
    assert parse_budget(f"{metric}<={limit!r}") == (metric, limit)


def test_the_result_is_plain_json():
    result = measure(LEAKY, QUIET, budgets=["tpr_at_fpr[0.01]<=0.1"])
    assert isinstance(result, MeasureResult)
    found = result.to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == json.loads(json.dumps(found))
    assert list(found) == [
        "schema",
        "members",
        "nonmembers",
        "confidence",
        "auc",
        "advantage",
        "tpr_at_fpr",
        "tnr_at_fnr",
        "log_mia",
        "ties",
        "cautions",
        "verdict",
        "checks",
    ]
    assert found["schema"] == "privacy-gate.measure/1"
    assert [row["fpr"] for row in found["tpr_at_fpr"]] == [0.001, 0.01, 0.05, 0.1]
    assert found["tpr_at_fpr"][0]["observable"] is False
    assert found["tpr_at_fpr"][1]["observable"] is True
    assert found["checks"][0]["id"] == "scores/tpr_at_fpr[0.01]"
    assert set(found["checks"][0]["characteristic"]) == {"leak", "pass", "fail", "inconclusive"}


@pytest.mark.parametrize(
    ("members", "budgets", "verdict", "code"),
    [
        (LEAKY, [], None, 0),
        (FRESH, ["tpr_at_fpr[0.05]<=0.2", "auc<=0.65", "log_mia[a]<=0.4"], "pass", 0),
        (LEAKY, ["tpr_at_fpr[0.05]<=0.2", "auc<=0.99"], "fail", 1),
        (FRESH, ["tpr_at_fpr[0.05]<=0.051", "auc<=0.65"], "inconclusive", 3),
    ],
)
def test_exit_codes(members, budgets, verdict, code):
    result = measure(members, QUIET, budgets=budgets)
    assert (result.verdict, result.exit_code) == (verdict, code)
    assert result.to_dict()["verdict"] == verdict


def test_rates_of_one_side_serve_both():
    found = measure(LEAKY, QUIET, fpr=[0.2, 0.02, 0.2]).to_dict()
    assert [row["fpr"] for row in found["tpr_at_fpr"]] == [0.2, 0.02]
    assert [row["fnr"] for row in found["tnr_at_fnr"]] == [0.2, 0.02]
    found = measure(LEAKY, QUIET, fpr=[0.2], fnr=[0.3]).to_dict()
    assert [row["fnr"] for row in found["tnr_at_fnr"]] == [0.3]


def test_losses():
    budgets = ["tpr_at_fpr[0.05]<=0.2"]
    assert (
        measure(-LEAKY, -QUIET, lower_is_member=True, budgets=budgets).to_dict()
        == measure(LEAKY, QUIET, budgets=budgets).to_dict()
    )


def test_scores_that_point_the_wrong_way_never_pass():
    result = measure(-LEAKY, -QUIET, budgets=["tpr_at_fpr[0.05]<=0.2", "auc<=0.6"])
    assert (result.verdict, result.exit_code) == ("inconclusive", 3)
    assert "lower_is_member" in result.cautions[0]
    assert measure(LEAKY, QUIET).cautions == ()


scores = st.lists(st.integers(-8, 8), min_size=2, max_size=40)


@settings(max_examples=30, deadline=None)
@given(scores, scores, st.randoms(use_true_random=False))
def test_order_and_monotone_changes_do_not_matter(members, nonmembers, order):
    budgets = ["tpr_at_fpr[0.1]<=0.5", "auc<=0.7"]
    first = measure(members, nonmembers, budgets=budgets).to_dict()
    shuffled = list(members), list(nonmembers)
    for side in shuffled:
        order.shuffle(side)
    assert measure(*shuffled, budgets=budgets).to_dict() == first
    cubes = [np.array(side, dtype=float) ** 3 - 5 for side in (members, nonmembers)]
    assert measure(*cubes, budgets=budgets).to_dict() == first


@settings(max_examples=30, deadline=None)
@given(scores, scores)
def test_both_directions_mirror_each_other(members, nonmembers):
    one = measure(members, nonmembers).to_dict()
    other = measure([-s for s in nonmembers], [-s for s in members]).to_dict()
    for row, mirrored in zip(one["tnr_at_fnr"], other["tpr_at_fpr"], strict=True):
        assert list(row.values()) == list(mirrored.values())
    assert one["auc"]["estimate"] == pytest.approx(other["auc"]["estimate"], abs=1e-12)
    assert one["advantage"] == pytest.approx(other["advantage"], abs=1e-12)
