"""Hostile reports: no renderer crashes, nothing breaks out of its place, nothing becomes a pass."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import report_samples
from github_markdown import contained
from hostile_reports import is_pass, mutated, sets, written
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sarif_reader import read as read_sarif

from privacy_gate.domain import Report
from privacy_gate.faces import rendered
from privacy_gate.registry import SET_RENDERERS, resolve
from privacy_gate.report.comment.markup import ICONS
from privacy_gate.report.markdown import fit
from privacy_gate.report.page.values import run_link
from privacy_gate.report.parse import report_from_dict
from privacy_gate.report.sarif_rules import RULES


def many(examples):
    """So many examples, without a limit of time: the machine may be busy."""
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


# ---------------------------------------------------------------------------- what has to hold


def markdown_holds(report: Report) -> None:
    text = rendered(report, "markdown")
    page = contained(text, link=_link(report))
    assert len(page.headings) == 1
    verdict = text.splitlines()[0].partition(": privacy gate for ")[0]
    assert ("PASS" in verdict) == (ICONS["pass"] in verdict) == is_pass(report)


def _link(report: Report) -> str:
    repository = report.run.get("repository")
    return run_link(report.run, repository) if isinstance(repository, str) else ""


def terminal_holds(report: Report) -> None:
    text = rendered(report, "terminal")
    for character in set(text) - {"\n"}:
        assert unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    verdict = text.splitlines()[0].split()[-1]
    assert (verdict == "PASS") == is_pass(report)


def json_holds(report: Report) -> None:
    text = rendered(report, "json")
    text.encode()
    assert rendered(report_from_dict(json.loads(text)), "json") == text


def sarif_holds(report: Report) -> None:
    text = rendered(report, "sarif")
    text.encode()
    (run,) = _light(text)["runs"]
    assert run["results"] or is_pass(report)


def _light(text: str) -> dict:
    """The file read; the rules, which no report changes, are compared and not validated again."""
    content = json.loads(text)
    rules = [rule.to_dict() for rule in RULES]
    for run in content["runs"]:
        driver = run["tool"]["driver"]
        assert driver["rules"] == rules
        assert all(
            rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"]
        )
    return read_sarif(json.dumps(content))


class Elements(HTMLParser):
    """Elements of a page, its addresses, and the words of its title."""

    def __init__(self):
        super().__init__()
        self.tags, self.addresses, self.handlers = set(), set(), set()
        self.title, self.inside = "", False

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.inside = tag == "title"
        for key, value in attrs:
            if key in ("href", "src", "action", "srcset", "xlink:href"):
                self.addresses.add(value)
            if key.startswith("on"):
                self.handlers.add(key)

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.title += data


def html_holds(report: Report) -> None:
    text = rendered(report, "html")
    text.encode()
    page = Elements()
    page.feed(text)
    assert not page.tags & {"script", "img", "iframe", "object", "embed", "link", "base", "form"}
    assert not page.handlers
    foreign = {address for address in page.addresses if not address.startswith("#")}
    assert all(
        re.fullmatch(r"https://[\w.:-]+/[\w.-]+/[\w.-]+/actions/runs/\d+", a) for a in foreign
    )
    assert page.title.startswith("Pass:") == is_pass(report)


# -------------------------------------------------------------------------------------- properties


@many(1000)
@given(mutated)
def test_markdown_of_a_hostile_report(report):
    markdown_holds(report)


@many(800)
@given(mutated)
def test_terminal_and_json_of_a_hostile_report(report):
    terminal_holds(report)
    json_holds(report)


@many(600)
@given(mutated)
def test_sarif_of_a_hostile_report(report):
    sarif_holds(report)


@many(250)
@given(mutated)
def test_html_of_a_hostile_report(report):
    html_holds(report)


@many(250)
@given(written)
def test_every_form_of_a_report_that_is_hostile_throughout(report):
    markdown_holds(report)
    terminal_holds(report)
    sarif_holds(report)
    html_holds(report)


@many(250)
@given(sets, st.integers(600, 20_000), st.booleans())
def test_hostile_sets_stay_within_a_limit(reports, most, as_bytes):
    text = fit(reports, bytes=most) if as_bytes else fit(reports, characters=most)
    assert (len(text.encode()) if as_bytes else len(text)) <= most
    page = contained(text, link=next((_link(r) for r in reports.reports if _link(r)), ""))
    passes = bool(reports.reports) and not reports.missing and all(map(is_pass, reports.reports))
    verdict = text.splitlines()[0].partition("privacy gate")[0]
    assert ("PASS" in verdict) == (ICONS["pass"] in verdict) == passes
    for heading in page.headings[1:]:
        assert heading.startswith(tuple(ICONS.values()))


@many(100)
@given(sets)
def test_every_form_of_a_hostile_set(reports):
    for form in ("json", "markdown", "html"):
        text = resolve(SET_RENDERERS[form])(reports)
        text.encode()
        assert text.endswith("\n")
    _light(resolve(SET_RENDERERS["sarif"])(reports))


# ----------------------------------------------------------------------- numbers no JSON can hold


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_shown_as_none(value):
    """They come from no file, but a renderer that is handed one must not call it a value."""
    sample = report_samples.failing()
    check = replace(
        sample.checks[0], estimate=value, low=value, high=value, null=value, budget=value
    )
    report = replace(sample, checks=(check,))
    for form in ("markdown", "terminal", "sarif", "html"):
        found = rendered(report, form)
        assert not re.search(r"\bnan\b|\binf(inity)?\b", found, re.IGNORECASE)
    with pytest.raises(ValueError, match="JSON compliant"):
        rendered(report, "json")
