"""The report on one screen."""

from __future__ import annotations

import dataclasses

import pytest

from privacy_gate.domain import Change, Check, Report
from privacy_gate.report.terminal import WIDTH, render, worst_first

INTERVAL = {"estimate": 0.9, "low": 0.85, "high": 0.93}


def check(name, verdict="pass", *, estimate=0.1, low=0.05, high=0.2, budget=0.25, **more):
    return Check(
        id=f"{name}/auc",
        attack=name,
        metric="auc",
        arguments={},
        budget=budget,
        line=1,
        verdict=verdict,
        message=more.pop("message", f"what {name} says."),
        estimate=estimate,
        low=low,
        high=high,
        **more,
    )


def report(*checks, verdict="pass", **changes):
    content = {
        "name": "digits",
        "verdict": verdict,
        "complete": True,
        "run": {},
        "model": {
            "path": "models/some/candidate.onnx",
            "format": "onnx",
            "device": "cpu",
            "sha256": "ab" * 32,
            "accuracy": {"members": INTERVAL, "nonmembers": INTERVAL},
        },
        "task": "classification",
        "config": {},
        "fixtures": {
            "members": 900,
            "nonmembers": 880,
            "evaluation": {"members": 540, "nonmembers": 530},
            "assignment": "randomized",
        },
        "checks": checks,
    }
    return Report(**{**content, **changes})


def test_the_verdict_stands_on_the_first_line():
    first = render(report(check("a"), verdict="fail")).splitlines()[0]
    assert first.startswith("privacy_gate  digits")
    assert first.endswith("FAIL")
    assert len(first) == WIDTH


def test_facts_are_shown():
    text = render(report(check("a")))
    assert "candidate.onnx (onnx, cpu, sha256 abababababab)" in text
    assert "members 0.900 [0.850, 0.930]" in text
    assert "540 members + 530 non-members judged, of 900 + 880; randomized" in text


def test_the_worst_checks_come_first_and_the_rest_is_counted():
    checks = [check(f"pass{number:02}", high=number / 100) for number in range(20)]
    bad = [
        check("worse", "fail", low=0.9, high=1.0),
        check("bad", "fail", low=0.5, high=0.7),
        check("open", "inconclusive", high=0.9),
        check("unrun", "not_run", estimate=None, low=None, high=None),
    ]
    ordered = [item.attack for item in worst_first((*checks, *bad))]
    assert ordered[:5] == ["worse", "bad", "open", "unrun", "pass19"]
    text = render(report(*checks, *bad, verdict="fail"))
    assert text.index("worse/auc") < text.index("bad/auc") < text.index("open/auc")
    # of what passed, one check a budget is enough: the one that came closest to it
    assert "PASS         pass19/auc" in text
    assert "pass18" not in text
    assert "and 19 more: 19 pass" in text


def test_the_bar_shows_interval_estimate_and_budget():
    (line,) = [
        line
        for line in render(report(check("a", estimate=0.5, low=0.25, high=0.75, budget=0.9)))
        .splitlines()
        if "a/auc" in line and "[" in line
    ]  # fmt: skip
    bar = line[line.index("[") + 1 : line.index("]")]
    assert len(bar) == 24
    assert (bar[12], bar[6], bar[18], bar[21]) == ("o", "-", "-", "|")
    assert set(bar[:6]) == {"."}
    assert "0.500 [0.250, 0.750]  budget 0.9" in line


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_the_bar_holds_values_at_its_ends(value):
    item = check("a", estimate=value, low=value, high=value, budget=0.999)
    assert "a/auc" in render(report(item))


def test_advice_is_given_once():
    checks = [check(name, "fail", advice="Train otherwise.") for name in "abc"]
    assert render(report(*checks, verdict="fail")).count("-> Train otherwise.") == 1


def test_a_pass_says_what_it_means():
    assert "Every check passes" in render(report(check("a")))


def test_a_check_without_numbers_shows_none():
    text = render(report(check("a", "not_run", estimate=None, low=None, high=None)))
    assert "not measured" in text
    assert "0.000" not in text


def test_an_error_is_one_sentence_with_place_and_hint():
    error = {"type": "X", "message": "It broke.", "hint": "Mend it.", "location": "gate.yaml:3:1"}
    text = render(report(verdict="error", error=error, model={}, fixtures={}))
    assert "error: gate.yaml:3:1: It broke." in text
    assert "Mend it." in text
    assert "Every check passes" not in text


def test_tolerated_is_not_passed():
    item = check("a", "inconclusive")
    first = render(report(item, verdict="inconclusive", tolerated=True)).splitlines()[0]
    assert first.endswith("INCONCLUSIVE (tolerated)")
    assert not render(report(check("a"), tolerated=True)).splitlines()[0].endswith("(tolerated)")


def test_cautions_are_shown():
    text = render(report(check("a"), cautions=("Preprocessing not verified.",)))
    assert "note: Preprocessing not verified." in text


def test_no_line_is_wider_than_the_screen():
    words = "a sentence that goes on and on " * 10
    item = dataclasses.replace(check("a", "fail"), message=words, advice=words)
    text = render(report(item, verdict="fail", cautions=(words,)))
    assert max(len(line) for line in text.splitlines()) <= WIDTH


def test_what_blocks_stands_above_the_checks():
    loosened = Change(
        key="budgets: a/auc", kind="loosened", base="0.2", head="0.25",
        message="The budget was 0.2.", blocking=True,
    )  # fmt: skip
    text = render(report(check("a"), verdict="fail", changes=(loosened,)))
    assert "BLOCKING: budgets: a/auc: The budget was 0.2." in text
    assert text.index("BLOCKING") < text.index("a/auc  ")


def test_an_incomplete_report_is_not_shown_as_passed():
    first, *_ = render(report(check("a"), complete=False)).splitlines()
    assert first.endswith("ERROR: INCOMPLETE REPORT")


def test_a_waived_check_says_by_whom_and_until_when():
    waiver = {"reason": "Known.", "until": "2027-01-31", "approved_by": "the owner"}
    item = check("a", "waived", waiver=waiver)
    text = render(report(item, verdict="inconclusive", tolerated=True))
    assert "Waived until 2027-01-31 by the owner: Known." in " ".join(text.split())


def test_control_characters_do_not_reach_the_terminal():
    hostile = "a\x1b[2J\x07b\u202ec\nd"
    item = dataclasses.replace(check("a", "fail"), id=hostile, message=hostile, advice=hostile)
    text = render(report(item, verdict="fail", name=hostile, cautions=(hostile,), model={}))
    assert all(line.isprintable() for line in text.splitlines())


def test_a_budget_of_0_is_shown():
    assert "budget 0" in render(report(check("a", "fail", budget=0.0), verdict="fail"))
