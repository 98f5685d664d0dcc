"""Reports that nobody vouches for: read if ``run`` could have written them, else refused."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from functools import cache

import pytest
import report_samples as samples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recounting import KINDS, genuine, places, value_at, with_value

from privacy_gate.domain import ReportSet, exit_code
from privacy_gate.errors import UsageError
from privacy_gate.faces import rendered
from privacy_gate.recount import recount
from privacy_gate.registry import RENDERERS, SET_RENDERERS, resolve
from privacy_gate.report.json_report import dumps, render, render_set
from privacy_gate.report.parse import read_set, read_untrusted

WRITTEN = [*samples.ALL, *(lambda kind=kind: genuine(kind)[0] for kind in KINDS)]
HOSTILE = ["\u202e", "\x1b[31m", "<script>", "|", "`", "@everyone", "\x00", "../../x", "-->", "\n"]


def read(report):
    (found,) = read_untrusted(render(report))
    return found


def refused(content):
    """The sentence about JSON values, or a text, that must not be read."""
    text = content if isinstance(content, str) else json.dumps(content)
    with pytest.raises(UsageError) as caught:
        read_untrusted(text)
    assert len(caught.value.message) < 400
    return caught.value.message


@cache
def plain():
    """A small genuine report as JSON values, with a baseline, a waiver, a change and an error's
    absence."""
    report = genuine("few-shot beside threshold")[0]
    change = samples.loosened().changes[0]
    waivers = samples.waived().waivers
    return replace(report, changes=(change,), waivers=waivers).to_dict()


def with_at(path, value):
    return with_value(plain(), path, lambda _: value)


# ----------------------------------------------------------------------------------- what is read


@pytest.mark.parametrize("written", WRITTEN)
def test_what_run_writes_is_read_and_written_again_byte_for_byte(written):
    report = written()
    assert render(read(report)) == render(report)


@pytest.mark.parametrize("written", [samples.passing, samples.failing, samples.broken])
def test_every_format_of_a_saved_report_is_the_same(written):
    report = written()
    for form in RENDERERS:
        assert rendered(read(report), form) == rendered(report, form), form


def test_every_format_of_saved_reports_is_the_same():
    reports = ReportSet((samples.passing(), samples.broken()), missing=("gone",))
    again = read_set(render_set(reports))
    assert again.missing == ("gone",)
    assert read_untrusted(render_set(reports)) == again.reports
    for form, target in SET_RENDERERS.items():
        assert resolve(target)(again) == resolve(target)(reports), form


def test_fields_of_a_later_version_are_left_out_and_counted():
    content = copy.deepcopy(plain())
    content["later"] = {"deep": [1, 2, 3]}
    content["checks"][0]["later"] = "x"
    content["attacks"][1]["later"] = None
    (report,) = read_untrusted(json.dumps(content))
    assert report.cautions[-1].startswith("3 field(s)")
    assert "later" not in render(report)
    assert plain()["cautions"] == list(report.cautions[:-1])


# -------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("{", "not JSON at line 1"),
        ("[]", "no report of the schema"),
        ("null", "no report of the schema"),
        ('{"schema": "privacy-gate.report/2"}', "no report of the schema"),
        ('{"schema": "privacy-gate.report/1", "schema": "privacy-gate.report/1"}', "twice"),
        ('{"schema": NaN}', "NaN is no number"),
        ('{"schema": -Infinity}', "Infinity is no number"),
        ('{"schema": 1e999}', "too large"),
        ('{"schema": 9007199254740993}', "too large"),
        ('{"schema": ' + "9" * 5000 + "}", "too large"),
        ('{"schema": ' + "[" * 40 + "]" * 40 + "}", "nested too deeply"),
        ("[" * 200_000, "nested too deeply"),
        ('{"schema": "' + "x" * 10_001 + '"}', "schema: it is longer than 10,000"),
        ('{"schema": "\\ud800"}', "schema: it is no Unicode text"),
        ('{"\\ud800": 1}', "the top: a key"),
        ('{"' + "x" * 201 + '": 1}', "the top: a key"),
        ('{"schema": [' + "1," * 5000 + "1]}", "more than 5,000 entries"),
        (" " * 20_000_001, "longer than 20,000,000"),
    ],
)
def test_json_out_of_bounds_is_refused(text, words):
    assert words in refused(text)


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        (("name",), "x" * 201, "name"),
        (("name",), "../../etc", "name"),
        (("name",), "..", "name"),
        (("name",), "two\nlines", "name"),
        (("name",), "", "name"),
        (("name",), 5, "name"),
        (("verdict",), "passed", "verdict"),
        (("complete",), 1, "complete"),
        (("run",), None, "run"),
        (("run", "ref"), 5, "run.ref"),
        (("run", "commit"), "x" * 201, "run.commit"),
        (("model", "path"), ["x"], "model.path"),
        (("model", "sha256"), "AB", "model.sha256"),
        (("model",), {"sha256": "ab" * 32}, "model: path or format is missing"),
        (
            ("model", "accuracy"),
            {"members": {"estimate": 0.5, "low": 0.1, "high": 0.9}},
            "accuracy: one side is missing",
        ),
        (("fixtures", "members"), -1, "fixtures.members"),
        (("fixtures", "evaluation"), {"members": 3}, "fixtures.evaluation.nonmembers"),
        (("fixtures", "evaluation", "members"), 10**9 + 1, "fixtures.evaluation.members"),
        (("fixtures", "evaluation", "members"), 3.0, "fixtures.evaluation.members"),
        (("checks", 0, "budget"), 0.0, "checks[0].budget"),
        (("checks", 0, "budget"), 1.5, "checks[0].budget"),
        (("checks", 0, "verdict"), "PASS", "checks[0].verdict"),
        (("checks", 0, "high"), 1.01, "checks[0].high"),
        (("checks", 0, "low"), -0.5, "checks[0]: a rate is negative"),
        (("checks", 0, "p_value"), -1e-9, "checks[0].p_value"),
        (("checks", 0, "id"), "margin/auc", "checks[0]: its id is not"),
        (("checks", 0, "increase"), True, "checks[0]: its id is not"),
        (("checks", 0, "metric"), "unheard_of", "checks[0]: its metric is not known"),
        (("checks", 0, "arguments"), {"fpr": 0.07}, "checks[0]: its id is not"),
        (("checks", 0, "arguments"), {"a": 0.1, "b": 0.2}, "checks[0].arguments"),
        (("checks", 0, "counts", "members"), 10**10, "checks[0].counts.members"),
        (("checks", 0, "counts", "members"), "3", "checks[0].counts.members"),
        (("checks", 0, "counts", "level"), 1e10, "checks[0].counts.level"),
        (("checks", 0, "message"), "x" * 2001, "checks[0].message"),
        (("checks", 0, "line"), 0, "checks[0].line"),
        (("checks", 0, "characteristic", "pass"), [0.5], "checks[0].characteristic"),
        (("attacks", 0, "name"), "a/b", "attacks[0].name"),
        (("attacks", 0, "auc", "low"), 0.99, "attacks[0].auc"),
        (("attacks", 0, "roc", "fpr"), [0.5] * 513, "attacks[0].roc.fpr"),
        (("attacks", 0, "roc", "low"), [], "attacks[0].roc: its columns"),
        (("attacks", 0, "histogram", "edges"), [0.0] * 41, "attacks[0].histogram: its edges"),
        (("attacks", 0, "tpr_at_fpr", 0, "k_hi"), "many", "attacks[0].tpr_at_fpr[0].k_hi"),
        (("attacks", 0, "tpr_at_fpr", 0, "high"), 2.0, "attacks[0].tpr_at_fpr[0].high"),
        (("attacks", 0, "few_shot"), {"title": "x"}, "attacks[0].few_shot"),
        (("attacks", 0, "operating_point"), {"global": {}}, "attacks[0].operating_point"),
        (("cautions",), ["x" * 2001], "cautions[0]"),
        (("cautions",), [None], "cautions[0]"),
        (("changes", 0, "blocking"), "yes", "changes[0].blocking"),
        (("waivers", 0, "expired"), None, "waivers[0].expired"),
        (("environment",), {"versions": {"torch": 2}}, "environment.versions"),
        (("error",), {"type": "x", "message": "y"}, "the top: verdict and error"),
        (("verdict",), "error", "the top: verdict and error"),
        (("verdict",), "pass", "the top: it passes although a check does not"),
    ],
)
def test_a_value_out_of_place_is_refused_where_it_stands(path, value, place):
    assert place in refused(with_at(path, value))


def test_what_contradicts_itself_in_plain_sight_is_refused():
    passing = genuine("no leak")[0].to_dict()
    change = {**plain()["changes"][0], "blocking": True}
    twice = {**passing, "checks": [*passing["checks"], passing["checks"][0]]}
    assert "a check is there twice" in refused(twice)
    assert "a change of the terms blocks it" in refused({**passing, "changes": [change]})
    assert "it passes although" in refused({**passing, "complete": False})
    assert "it passes although" in refused({**passing, "checks": []})
    above = with_value(passing, ("checks", 0, "high"), lambda _: 0.9)
    assert "its upper bound is not within the budget" in refused(above)
    undone = with_value(passing, ("checks", 0, "verdict"), lambda _: "not_run")
    assert "it is not complete" in refused({**undone, "verdict": "inconclusive"})


def test_sets_are_bounded_too():
    one = plain()
    several = {"schema": "privacy-gate.reports/1", "missing": [], "reports": [one]}
    assert len(read_untrusted(json.dumps(several))) == 1
    assert "no list" in refused({**several, "reports": {}})
    assert "no list" in refused({"schema": "privacy-gate.reports/1"})
    assert "missing name" in refused({**several, "missing": [5]})
    assert "no report of the schema" in refused({**several, "reports": [{}]})
    assert "more than 500" in refused({**several, "reports": [{}] * 501})


def test_no_value_is_quoted():
    for word in HOSTILE:
        for path in (("verdict",), ("checks", 0, "verdict"), ("name",), ("model", "sha256")):
            message = refused(with_at(path, f"secret{word}secret/"))
            assert "secret" not in message
            assert message.isprintable()
        message = refused(with_at(("checks", 0, "counts"), {f"secret{word}": "x"}))
        assert "secret" not in message or word in ("-->",)
        assert message.isprintable()


# --------------------------------------------------------------------------------- hostile reports


@cache
def short(kind):
    """A report without its longest columns, and the places in it."""
    content = genuine(kind)[0].to_dict()
    for attack in content["attacks"]:
        attack["histogram"] = {}
        attack["roc"] = {name: column[:4] for name, column in attack["roc"].items()}
    return content, [path for path in places(content) if path]


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10**9),
    st.floats(0, 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(HOSTILE),
    st.text(max_size=20),
    st.sampled_from(["pass", "fail", "inconclusive", "error", "waived", "not_run"]),
    st.just([]),
    st.just({}),
    st.dictionaries(st.text(max_size=5), st.integers(0, 5), max_size=3),
)


@settings(max_examples=700, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_is_read_can_be_judged_and_rendered(data):
    kind = data.draw(st.sampled_from(sorted(KINDS)))
    content, known = short(kind)
    for _ in range(data.draw(st.integers(1, 3))):
        path, value = data.draw(st.sampled_from(known)), data.draw(values)
        try:
            value_at(content, path)
            content = with_value(content, path, lambda _, value=value: value)
        except (KeyError, IndexError, TypeError):
            continue
    try:
        (report,) = read_untrusted(json.dumps(content))
    except UsageError:
        return
    again = recount(report, genuine(kind)[1])
    assert exit_code(again) != 0 or genuine(kind)[0].verdict == "pass"
    assert read_untrusted(dumps(report.to_dict())) == (report,)
    for form in ("terminal", "markdown", "sarif", "json"):
        assert rendered(again, form)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(HOSTILE), st.sampled_from(sorted(KINDS)))
def test_hostile_texts_are_read_as_texts_and_rendered(word, kind):
    content = copy.deepcopy(short(kind)[0])
    for path in short(kind)[1]:
        if isinstance(value_at(content, path), str) and path[-1] in ("message", "advice", "note"):
            content = with_value(content, path, lambda text: word + text)
    content["cautions"] = [word, word * 200]
    (report,) = read_untrusted(json.dumps(content))
    for form in RENDERERS:
        assert rendered(report, form) == rendered(report, form)
