"""The stricter of two terms, and how they differ: known answers, and what must hold for any two."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from privacy_gate.domain import Metric, Sizes
from privacy_gate.statistics.scores import SortedScores
from privacy_gate.terms import (
    PlannedCheck,
    Terms,
    Waiver,
    changes,
    number,
    stricter,
    waiver_cautions,
    waiver_facts,
)
from privacy_gate.verdict import apply_waivers, judge, outcome, tolerated

TODAY = date(2026, 11, 22)
AUC = PlannedCheck("loss", Metric("auc"), 0.6, line=9)
TPR = PlannedCheck("loss", Metric("tpr_at_fpr", 0.01), 0.1, line=8)
GROWTH = PlannedCheck("loss", Metric("auc"), 0.02, line=9, increase=True)
PINNED = {
    "model.trust": "weights",
    "model.factory": "project.models:build",
    "model.format": "torch",
    "model.kwargs": '{"classes": 10}',
    "fixtures.path": "data",
    "splits": '{"evaluation": 0.6}',
    "statistics.seed": "0",
    "attacks.loss": "no options",
}


def terms(**changed):
    """Terms of one configuration with two checks."""
    content = {
        "name": "digits",
        "path": "privacy_gate.yaml",
        "checks": (TPR, AUC),
        "singly": (),
        "confidence": 0.95,
        "fixtures_sha256": "a" * 64,
        "pinned": PINNED,
    }
    return Terms(**{**content, **changed})


def waiver(check="loss/auc", until=TODAY, **changed):
    content = {"reason": "Old canaries.", "approved_by": "privacy@example.org", **changed}
    return Waiver(check=check, until=until, **content)


def with_budget(check, budget):
    return replace(check, budget=budget)


def pins(**changed):
    """``PINNED`` with dots in the keys as underscores; ``None`` removes."""
    found = {**PINNED, **{key.replace("__", "."): value for key, value in changed.items()}}
    return {key: value for key, value in found.items() if value is not None}


def the_change(base, head):
    (found,) = changes(base, head)
    return found


# --------------------------------------------------------------------------------- the stricter


def test_the_smaller_budget_counts_and_says_where_it_stands():
    base = terms(path="base.yaml", checks=(with_budget(TPR, 0.05), with_budget(AUC, 0.7)))
    tpr, auc = stricter(base, terms()).checks
    assert (tpr.budget, tpr.path, tpr.line) == (0.05, "base.yaml", 8)
    assert (auc.budget, auc.path, auc.line) == (0.6, None, 9)


def test_a_check_of_the_base_that_the_candidate_dropped_is_still_made():
    found = stricter(terms(), terms(checks=(AUC,)))
    assert [check.id for check in found.checks] == ["loss/auc", "loss/tpr_at_fpr[0.01]"]
    assert found.checks[1].path == "privacy_gate.yaml"


def test_a_budget_from_the_policy_keeps_the_name_of_its_file():
    of_policy = replace(AUC, budget=0.55, path="privacy_policy.yaml", line=3)
    found = stricter(terms(checks=(of_policy,)), terms())
    assert {(check.id, check.path, check.line) for check in found.checks} == {
        ("loss/auc", "privacy_policy.yaml", 3),
        ("loss/tpr_at_fpr[0.01]", None, 8),
    }


@pytest.mark.parametrize(
    ("base", "head", "wanted"),
    [
        ((0.6, None), (0.6, 0.55), 0.55),
        ((0.6, 0.5), (0.6, 0.55), 0.5),
        ((0.52, None), (0.6, 0.55), None),  # a warning above the budget would never come
        ((0.6, 0.55), (0.52, None), None),
    ],
)
def test_the_lower_warning_counts_while_it_lies_below_the_budget(base, head, wanted):
    def side(values):
        return terms(checks=(replace(AUC, budget=values[0], warn_at=values[1]),))

    assert stricter(side(base), side(head)).checks[0].warn_at == wanted


@pytest.mark.parametrize(
    ("base", "head", "wanted"),
    [
        (None, TODAY, None),
        (TODAY, None, None),
        (TODAY, TODAY + timedelta(9), TODAY),
        (TODAY + timedelta(9), TODAY, TODAY),
    ],
)
def test_inconclusive_checks_are_tolerated_where_both_do_and_until_the_earlier_day(
    base, head, wanted
):
    found = stricter(
        terms(warn_until=base, warn_reason="b"), terms(warn_until=head, warn_reason="h")
    )
    assert found.warn_until == wanted
    assert bool(found.warn_reason) == (wanted is not None)


def test_a_waiver_counts_where_both_have_it_and_until_the_earlier_day():
    later = TODAY + timedelta(30)
    base = terms(waivers=(waiver("loss/auc", later), waiver("loss/tpr_at_fpr[0.01]")))
    head = terms(waivers=(waiver("loss/auc", reason="Another."), waiver("margin/auc")))
    (found,) = stricter(base, head).waivers
    assert (found.check, found.until, found.reason) == ("loss/auc", TODAY, "Old canaries.")


def test_trust_is_the_stricter_and_the_rest_that_of_the_base():
    base = terms(pinned=pins(model__trust="weights", statistics__seed="1"), owner="office")
    head = terms(pinned=pins(model__trust="code"), fixtures_sha256="b" * 64)
    for found in (stricter(base, head), stricter(head, base)):
        assert found.pinned["model.trust"] == "weights"
    found = stricter(base, head)
    assert (found.pinned["statistics.seed"], found.fixtures_sha256) == ("1", "a" * 64)
    assert found.owner == "office"
    assert stricter(terms(fixtures_sha256=None), head).fixtures_sha256 == "b" * 64


def test_an_attack_that_one_of_both_names_singly_must_run():
    assert stricter(terms(singly=("loss",)), terms(singly=("margin",))).singly == ("margin", "loss")


# ---------------------------------------------------------------------------------- differences


def test_a_loosened_budget_names_both_values_and_the_remedy():
    found = the_change(
        terms(owner="privacy@example.org"), terms(checks=(TPR, with_budget(AUC, 0.9)))
    )
    assert (found.key, found.kind, found.base, found.head) == (
        "budgets: loss/auc", "loosened", "0.6", "0.9",
    )  # fmt: skip
    assert (found.blocking, found.line) == (True, 9)
    assert found.message == (
        "The budget of loss/auc is 0.6 on the base branch and 0.9 here: merge the change of the"
        " terms first, with the approval of privacy@example.org."
    )


BLOCKING = {
    "a larger max_increase": ({"checks": (GROWTH,)}, {"checks": (with_budget(GROWTH, 0.05),)}),
    "a dropped check": ({}, {"checks": (AUC,)}),
    "an attack that may be left out": ({"singly": ("loss",)}, {}),
    "lower confidence": ({}, {"confidence": 0.9}),
    "other fixtures": ({}, {"fixtures_sha256": "b" * 64}),
    "no fixtures": ({}, {"fixtures_sha256": None}),
    "other unknown fixtures": (
        {"fixtures_sha256": None},
        {"fixtures_sha256": None, "pinned": pins(fixtures__path="other")},
    ),
    "trust": ({}, {"pinned": pins(model__trust="code")}),
    "factory": ({}, {"pinned": pins(model__factory="project.models:other")}),
    "new factory": ({"pinned": pins(model__factory=None)}, {}),
    "signals": ({}, {"pinned": pins(signals="project.gate:signals")}),
    "loader": ({}, {"pinned": pins(fixtures__loader="project.data:load")}),
    "label": ({}, {"pinned": pins(fixtures__label="y")}),
    "task": ({}, {"pinned": pins(task="custom")}),
    "splits": ({}, {"pinned": pins(splits='{"evaluation": 0.2}')}),
    "seed": ({}, {"pinned": pins(statistics__seed="17")}),
    "attack options": ({}, {"pinned": pins(attacks__loss='{"draws": 1}')}),
    "a function that preprocesses": ({}, {"pinned": pins(model__preprocess="project.data:noise")}),
    "the baseline": (
        {"checks": (AUC, GROWTH), "pinned": pins(baseline__sha256="a")},
        {"checks": (AUC, GROWTH), "pinned": pins(baseline__sha256="b")},
    ),
    "no baseline any more": (
        {"checks": (AUC, GROWTH), "pinned": pins(baseline__sha256="a")},
        {"checks": (AUC, GROWTH)},
    ),
}
SHOWN = {
    "a smaller budget": ({}, {"checks": (TPR, with_budget(AUC, 0.55))}, "tightened"),
    "a new check": ({}, {"checks": (TPR, AUC, GROWTH)}, "added"),
    "higher confidence": ({}, {"confidence": 0.99}, "tightened"),
    "less trust": ({"pinned": pins(model__trust="code")}, {}, "tightened"),
    "another format": ({}, {"pinned": pins(model__format="onnx")}, "changed"),
    "no factory": ({}, {"pinned": pins(model__factory=None)}, "dropped"),
    "declared preprocessing": ({}, {"pinned": pins(model__preprocess='{"scale": 2.0}')}, "added"),
    "arguments of the model": ({}, {"pinned": pins(model__kwargs=None)}, "dropped"),
    "another path of the same fixtures": ({}, {"pinned": pins(fixtures__path="other")}, "changed"),
    "a first baseline": (
        {"checks": (GROWTH,)},
        {"checks": (GROWTH,), "pinned": pins(baseline__sha256="a")},
        "added",
    ),
    "a baseline that nothing is held against": (
        {"pinned": pins(baseline__sha256="a")},
        {"pinned": pins(baseline__sha256="b")},
        "changed",
    ),
    "a new waiver": ({}, {"waivers": (waiver(),)}, "loosened"),
    "a longer waiver": (
        {"waivers": (waiver(),)},
        {"waivers": (waiver(until=TODAY + timedelta(1)),)},
        "loosened",
    ),
    "no waiver any more": ({"waivers": (waiver(),)}, {}, "tightened"),
    "a tolerance": ({}, {"warn_until": TODAY}, "loosened"),
    "a longer tolerance": (
        {"warn_until": TODAY},
        {"warn_until": TODAY + timedelta(1)},
        "loosened",
    ),
    "no tolerance any more": ({"warn_until": TODAY}, {}, "tightened"),
}  # fmt: skip


@pytest.mark.parametrize(("base", "head"), BLOCKING.values(), ids=BLOCKING)
def test_what_would_let_more_pass_blocks(base, head):
    found = the_change(terms(**base), terms(**head))
    assert found.blocking
    assert found.message.endswith("with the approval of those who own the budgets.")
    assert not the_change(terms(**base, on_changed_terms="show"), terms(**head)).blocking


@pytest.mark.parametrize(("base", "head", "kind"), SHOWN.values(), ids=SHOWN)
def test_what_belongs_to_the_model_ends_on_a_day_or_is_stricter_is_shown(base, head, kind):
    found = the_change(terms(**base), terms(**head))
    assert (found.kind, found.blocking) == (kind, False)
    assert "merge the change" not in found.message
    permission = found.key.startswith(("waivers", "statistics.on"))
    assert ("counts once it is merged" in found.message) == (permission and kind == "loosened")


def test_the_candidate_cannot_turn_blocking_off():
    head = terms(confidence=0.9, on_changed_terms="show")
    assert the_change(terms(), head).blocking
    assert stricter(terms(), head).on_changed_terms == "fail"


def test_the_blocking_changes_come_first():
    head = terms(checks=(TPR, AUC, GROWTH), confidence=0.9, waivers=(waiver(),))
    assert [change.blocking for change in changes(terms(), head)] == [True, False, False]


def test_options_of_a_dropped_attack_are_no_further_change():
    head = terms(checks=(), pinned=pins(attacks__loss=None))
    assert {change.kind for change in changes(terms(), head)} == {"dropped"}
    assert len(changes(terms(), head)) == 2


def test_unknown_fixtures_on_the_base_branch_are_no_change():
    assert changes(terms(fixtures_sha256=None), terms()) == ()


@pytest.mark.parametrize(
    ("value", "text"), [(0.1, "0.1"), (0.00001, "0.00001"), (0.1234567, "0.1234567")]
)
def test_numbers_are_written_so_that_different_ones_look_different(value, text):
    assert number(value) == text


# -------------------------------------------------------------------------------------- waivers


@pytest.mark.parametrize(
    ("verdict", "wanted"),
    [
        ("fail", "waived"),
        ("inconclusive", "waived"),
        ("pass", "pass"),
        ("not_run", "not_run"),
    ],
)
def test_a_waiver_covers_what_failed_or_is_undecided_until_its_last_day(verdict, wanted):
    check = AUC.undecided(verdict, "AUC is at least 0.7.", "Train again.")
    (found,) = apply_waivers([check], [waiver()], TODAY)
    assert (found.verdict, found.message, found.advice) == (wanted, check.message, check.advice)
    assert found.waiver == (waiver().facts() if wanted == "waived" else None)
    assert apply_waivers([check], [waiver()], TODAY + timedelta(1)) == [check]
    assert apply_waivers([check], [waiver("margin/auc")], TODAY) == [check]
    assert apply_waivers([check], [waiver()], TODAY, {"loss"}) == [check]


@pytest.mark.parametrize(
    ("verdicts", "inconclusive", "wanted"),
    [
        (["pass"], True, False),  # there is nothing to tolerate
        (["pass", "waived"], False, True),
        (["waived", "inconclusive"], False, False),
        (["waived", "inconclusive"], True, True),
        (["fail", "inconclusive"], True, True),  # the verdict is fail whatever this says
    ],
)
def test_only_what_is_waived_or_undecided_for_a_time_is_tolerated(verdicts, inconclusive, wanted):
    checks = [AUC.undecided(verdict, "message") for verdict in verdicts]
    assert tolerated(checks, inconclusive) is wanted


def test_an_attack_in_the_wrong_direction_is_never_tolerated():
    checks = [AUC.undecided("inconclusive", "message")]
    assert not tolerated(checks, True, {"loss"})


def test_a_blocking_change_fails_whatever_was_measured():
    (change,) = changes(terms(), terms(confidence=0.9))
    assert outcome([AUC.undecided("pass", "message")], [change]) == "fail"
    assert outcome([AUC.undecided("pass", "message")], [replace(change, blocking=False)]) == "pass"


def test_waivers_and_tolerance_in_the_report():
    found = terms(
        waivers=(waiver("loss/auc", TODAY - timedelta(1)), waiver("los/auc")),
        warn_until=TODAY,
        warn_reason="More records are coming.",
    )
    assert [(entry["check"], entry["expired"]) for entry in waiver_facts(found, TODAY)] == [
        ("loss/auc", True), ("los/auc", False), ("inconclusive checks", False),
    ]  # fmt: skip
    assert list(waiver_cautions(found, TODAY)) == [
        "The waiver of loss/auc ended on 2026-11-21: it has no effect any more.",
        "The waiver of los/auc has no effect: there is no such check. Is loss/auc meant?",
    ]


# ----------------------------------------------------------------------------- for any two terms

LEVELS = st.sampled_from([0.52, 0.6, 0.75, 0.9])
METRICS = st.sampled_from([Metric("auc"), Metric("tpr_at_fpr", 0.1), Metric("advantage")])
DAYS = st.sampled_from([TODAY - timedelta(1), TODAY, TODAY + timedelta(9)])
IDENTITIES = st.tuples(st.sampled_from(["loss", "margin"]), METRICS)
NAMES = [f"{attack}/{metric}" for attack in ("loss", "margin") for metric in ("auc", "advantage")]


@st.composite
def some_terms(draw):
    chosen = draw(st.lists(IDENTITIES, min_size=1, max_size=4, unique=True))
    budgets = draw(st.lists(LEVELS, min_size=len(chosen), max_size=len(chosen)))
    waived = draw(st.dictionaries(st.sampled_from(NAMES), DAYS, max_size=2))
    return terms(
        path=draw(st.sampled_from(["privacy_gate.yaml", "privacy_policy.yaml"])),
        checks=tuple(
            PlannedCheck(attack, metric, budget)
            for (attack, metric), budget in zip(chosen, budgets, strict=True)
        ),
        singly=tuple(draw(st.lists(st.sampled_from(["loss", "margin"]), max_size=2, unique=True))),
        confidence=draw(st.sampled_from([0.9, 0.95, 0.99])),
        warn_until=draw(st.none() | DAYS),
        waivers=tuple(waiver(name, day) for name, day in waived.items()),
        fixtures_sha256=draw(st.sampled_from([None, "a" * 64, "b" * 64])),
        pinned=pins(model__trust=draw(st.sampled_from(["weights", "code"]))),
        on_changed_terms=draw(st.sampled_from(["fail", "show"])),
    )


def substance(found):
    """What a model is held against, in a form that can be compared."""
    return (
        {check.id: check.budget for check in found.checks},
        set(found.singly),
        found.confidence,
        found.warn_until,
        {entry.check: entry.until for entry in found.waivers},
        found.pinned["model.trust"],
    )


@given(some_terms(), some_terms())
def test_the_stricter_does_not_depend_on_the_order(one, other):
    assert substance(stricter(one, other)) == substance(stricter(other, one))


@given(some_terms(), some_terms(), some_terms())
def test_the_strictest_of_three_does_not_depend_on_how_they_are_taken(one, two, three):
    first = stricter(stricter(one, two), three)
    assert substance(first) == substance(stricter(one, stricter(two, three)))


@given(some_terms())
def test_the_stricter_of_equal_terms_is_themselves_and_there_is_no_change(found):
    assert stricter(found, found) == found
    assert changes(found, found) == ()


@given(some_terms(), some_terms())
def test_the_stricter_is_never_looser_than_either(base, head):
    found = stricter(base, head)
    budgets = {check.id: check.budget for check in found.checks}
    for side in (base, head):
        assert all(budgets[check.id] <= check.budget for check in side.checks)
        assert found.confidence >= side.confidence
        assert set(found.singly) >= set(side.singly)
        until = {entry.check: entry.until for entry in side.waivers}
        assert all(entry.until <= until[entry.check] for entry in found.waivers)
        if found.warn_until is not None:
            assert found.warn_until <= side.warn_until


@given(some_terms(), some_terms())
def test_every_loosening_is_reported_and_blocks_unless_the_base_says_otherwise(base, head):
    found = changes(base, head)
    reported = {change.key for change in found if change.kind in ("loosened", "dropped", "changed")}
    here = {check.id: check.budget for check in head.checks}
    looser = {
        f"budgets: {check.id}"
        for check in base.checks
        if check.id not in here or here[check.id] > check.budget
    }
    if head.confidence < base.confidence:
        looser.add("statistics.confidence")
    if base.fixtures_sha256 not in (None, head.fixtures_sha256):
        looser.add("fixtures")
    if (base.pinned["model.trust"], head.pinned["model.trust"]) == ("weights", "code"):
        looser.add("model.trust")
    blocking = {change.key for change in found if change.blocking}
    assert reported >= looser
    if base.on_changed_terms == "show":
        assert blocking == set()
    else:
        assert blocking >= looser
        left_out = {key for key in blocking - looser if not key.startswith("attacks: ")}
        assert left_out == set()


@given(some_terms(), some_terms())
def test_where_nothing_blocks_the_candidate_is_held_against_its_own_terms(base, head):
    assume(base.on_changed_terms == "fail")
    if not any(change.blocking for change in changes(base, head)):
        budgets, _, confidence, *_ = substance(stricter(base, head))
        assert (budgets, confidence) == substance(head)[::2][:2]


@given(some_terms(), some_terms())
def test_what_is_loosened_one_way_is_tightened_the_other(base, head):
    opposite = {
        "loosened": "tightened", "tightened": "loosened", "dropped": "added", "added": "dropped",
        "changed": "changed",
    }  # fmt: skip
    known = replace(base, fixtures_sha256="c" * 64, singly=()), replace(head, singly=())
    there = {(change.key, change.kind) for change in changes(*known)}
    back = {(change.key, opposite[change.kind]) for change in changes(*known[::-1])}
    assert there - {("fixtures", "changed")} == back - {("fixtures", "changed")}


def passes(found, scores):
    """Whether a model with these scores gets the exit code 0, tolerance aside: more checks make a
    single fail harder to prove, and what is undecided would be tolerated."""
    checks = judge(found.checks, scores, Sizes(90, 90), confidence=found.confidence)
    checks = apply_waivers(checks, found.waivers, TODAY)
    verdict = outcome(checks)
    return verdict == "pass" or (verdict == "inconclusive" and tolerated(checks, False))


@st.composite
def judged_terms(draw):
    """Terms whose checks overlap, with budgets near what the scores below show."""
    attacks = draw(st.sampled_from([["loss"], ["loss", "margin"]]))
    waived = draw(st.sampled_from([(), (), (waiver("loss/auc"),)]))
    return terms(
        checks=tuple(
            PlannedCheck(attack, Metric("auc"), draw(st.sampled_from([0.6, 0.68, 0.76, 0.84])))
            for attack in attacks
        ),
        confidence=draw(st.sampled_from([0.6, 0.95, 0.999])),
        waivers=waived,
    )


@settings(max_examples=150, deadline=None)
@given(judged_terms(), judged_terms(), st.sampled_from([0.0, 0.3, 0.6]), st.integers(0, 2))
def test_no_model_passes_by_the_stricter_terms_that_fails_by_either(base, head, leak, seed):
    random = np.random.default_rng(seed)
    scores = {
        attack: SortedScores.of(random.normal(leak, 1, 90), random.normal(0, 1, 90))
        for attack in ("loss", "margin")
    }
    if passes(stricter(base, head), scores):
        assert passes(base, scores)
        assert passes(head, scores)
