"""The HTML report: what it shows and in which order, and that nothing in a report can break it."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise

import pytest
import report_samples
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy_gate.domain import (
    AttackResult,
    Change,
    Characteristic,
    Check,
    FixtureCheck,
    Interval,
    Report,
    ReportSet,
)
from privacy_gate.errors import UsageError
from privacy_gate.report import html
from privacy_gate.report.html import render, render_set
from privacy_gate.report.page.checks import checks_view
from privacy_gate.report.page.detection import detections
from privacy_gate.report.page.plots import histogram
from privacy_gate.report.page.roc import roc
from privacy_gate.report.page.steps import next_steps
from privacy_gate.report.page.svg import Scale
from privacy_gate.report.page.values import bound, clean, figure, run_link
from privacy_gate.report.parse import report_from_dict

VOID = {"meta", "br", "hr", "img", "input", "link", "base"}
INLINE = {"span", "strong", "code", "a"}
LARGEST = 450_000
samples = pytest.mark.parametrize("sample", report_samples.ALL, ids=lambda make: make.__name__)


class Page(HTMLParser):
    """Elements of a page in order: (tag, attributes, text inside); raises on bad nesting."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.open, self.css = [], [], ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        assert len(dict(attributes)) == len(attributes), (tag, attributes)
        entry = (tag, dict(attributes), [])
        self.elements.append(entry)
        if tag not in VOID:
            self.open.append(entry)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes), []))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag
        if tag not in INLINE:
            self.handle_data(" ")

    def handle_data(self, data):
        for _, _, text in self.open:
            text.append(data)

    def all(self, tag, **wanted):
        return [
            (attributes, words("".join(text)))
            for name, attributes, text in self.elements
            if name == tag
            and all(value in attributes.get(key, "").split() for key, value in wanted.items())
        ]

    def one(self, tag, **wanted):
        (found,) = self.all(tag, **wanted)
        return found[1]

    def row(self, identifier):
        """The row of a check in the table of checks."""
        rows = [text for _, text in self.all("tr", role="row") if f" {identifier} " in f" {text} "]
        assert len(rows) == 1, (identifier, rows)
        return rows[0]

    @property
    def title(self):
        return self.all("title")[0][1]

    @property
    def text(self):
        return words("".join(self.elements[0][2]))

    @property
    def structure(self):
        return [(tag, tuple(sorted(attributes))) for tag, attributes, _ in self.elements]


def words(text):
    return " ".join(text.split())


@cache
def page(make):
    return Page(render(make()))


@cache
def group():
    return ReportSet(
        (report_samples.failing(), report_samples.passing(), report_samples.broken()), ("absent",)
    )


# --------------------------------------------------------------------------- one file, no scripts


@samples
def test_a_page_runs_nothing_and_loads_nothing(sample):
    found = page(sample)
    forbidden = {"script", "link", "img", "iframe", "object", "embed", "form", "base", "image"}
    assert not forbidden & {tag for tag, _, _ in found.elements}
    run_url = sample().run["run_url"]
    for tag, attributes, _ in found.elements:
        assert not [name for name in attributes if name.startswith("on")]
        assert "src" not in attributes
        assert "xlink:href" not in attributes
        address = attributes.get("href", "#")
        assert address.startswith("#") or (tag == "a" and address == run_url), address
    css = found.one("style")
    assert set(re.findall(r"url\(([^)]*)\)", css)) == {"#hatch", "#grey", "#dots", "#cross"}
    assert "@import" not in css
    assert "http" not in css


@samples
def test_the_policy_of_a_page_forbids_everything_else(sample):
    elements = page(sample).elements
    at = next(i for i, e in enumerate(elements) if "http-equiv" in e[1])
    assert elements[at][1]["http-equiv"] == "Content-Security-Policy"
    policy = elements[at][1]["content"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
    assert at < next(i for i, e in enumerate(elements) if e[0] == "style")


@samples
def test_a_page_is_of_moderate_size_and_ends_in_a_newline(sample):
    text = render(sample())
    assert len(text.encode()) < LARGEST
    assert text.startswith("<!doctype html>\n")
    assert text.endswith("</html>\n")


def ids(found):
    return [attributes["id"] for _, attributes, _ in found.elements if "id" in attributes]


def assert_references_hold(found):
    known = ids(found)
    assert len(known) == len(set(known))
    for _, attributes, _ in found.elements:
        for name in ("aria-labelledby", "aria-details"):
            assert set(attributes.get(name, "").split()) <= set(known)
        if attributes.get("href", "").startswith("#"):
            assert attributes["href"][1:] in known


@samples
def test_ids_are_unique_and_every_reference_finds_its_element(sample):
    assert_references_hold(page(sample))


@samples
def test_every_picture_has_a_name_a_description_and_a_table_twin(sample):
    found = page(sample)
    texts = {
        attributes["id"]: words("".join(text))
        for _, attributes, text in found.elements
        if "id" in attributes
    }
    tables = {attributes["id"] for attributes, _ in found.all("table") if "id" in attributes}
    pictures = [attributes for attributes, _ in found.all("svg") if "role" in attributes]
    for attributes in pictures:
        title, description = attributes["aria-labelledby"].split()
        assert texts[title]
        assert texts[description]
        assert attributes["aria-details"] in tables
        assert len(texts[attributes["aria-details"]].split()) > 8
    for attributes, _ in found.all("svg"):
        # strips stand beside their numbers in the same row; the patterns are no picture
        assert "role" in attributes or attributes["aria-hidden"] == "true"
    expected = 3 * sum(attack.status == "ran" for attack in sample().attacks)
    assert len(pictures) >= expected


# --------------------------------------------------------------------------- the same every time


@samples
def test_a_page_depends_on_the_report_only(sample):
    report = sample()
    again = report_from_dict(json.loads(json.dumps(report.to_dict())))
    assert render(report) == render(report) == render(again)


def test_rendering_needs_no_torch(tmp_path):
    (tmp_path / "report.json").write_text(json.dumps(report_samples.failing().to_dict()))
    script = (
        "import json, sys\n"
        "from privacy_gate.report.html import render\n"
        "from privacy_gate.report.parse import report_from_dict\n"
        "text = render(report_from_dict(json.load(open('report.json'))))\n"
        "assert 'digits' in text\n"
        "print(sorted({'torch', 'onnxruntime', 'scipy', 'github'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_without_jinja2_the_error_names_the_extra(monkeypatch):
    html._environment.cache_clear()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(UsageError) as caught:
        render(report_samples.broken())
    assert "The HTML report" in caught.value.message
    assert "privacy-gate[html]" in caught.value.hint
    monkeypatch.undo()
    assert render(report_samples.broken())


# ------------------------------------------------------------------------- what is shown, in order


def places(found, *identifiers):
    order = ids(found)
    return [order.index(identifier) for identifier in identifiers]


def test_the_verdict_stands_first_and_the_terms_before_the_measurement():
    text = page(report_samples.loosened).text
    head = text[: text.index("Closest to the budgets")]
    assert "Fail 2 changes of the terms block this candidate." in head
    assert "base branch 0.6 → here 0.9" in head
    assert "base branch 0.6 → here none" in head
    assert "main at fedcba987654" in head
    found = places(page(report_samples.loosened), "changes", "why", "next", "checks", "attacks")
    assert found == sorted(found)


def test_sections_follow_in_the_order_a_reader_needs_them():
    wanted = ("why", "next", "checks", "attacks", "detection", "cautions", "provenance")
    found = places(page(report_samples.failing), *wanted)
    assert found == sorted(found)


def test_an_error_says_what_where_and_what_to_do():
    text = page(report_samples.broken).text
    assert "Error The run ended in an error; this is no verdict on the model." in text
    error = report_samples.broken().error
    for part in (error["message"], error["location"], error["hint"]):
        assert part in text
    assert "checks" not in ids(page(report_samples.broken))


@samples
def test_every_check_has_one_row_with_its_verdict_and_its_numbers(sample):
    found = page(sample)
    for check in sample().checks:
        row = found.row(check.id)
        assert check.verdict.replace("_", " ") in row.split(check.id)[0]
        assert figure(check.estimate) in row
        assert f"{check.budget:g}" in row
        if check.metric in ("log_mia", "auc"):
            assert figure(check.null) in row
        assert check.method in row


def test_the_matrix_has_a_cell_for_every_check():
    found = page(report_samples.failing)
    cells = [attributes["class"] for attributes, _ in found.all("a", **{"class": "cell"})]
    assert len(cells) == 54
    for verdict, count in (("fail", 37), ("inconclusive", 13), ("pass", 4)):
        assert cells.count(f"cell is-{verdict}") == count


def test_only_the_worst_attack_is_open():
    attacks = page(report_samples.failing).all("details", **{"class": "attack"})
    assert ["open" in attributes for attributes, _ in attacks] == [True] + [False] * 8
    assert attacks[0][1].startswith("modified-entropy ✗ 5 fail ? 1 inconclusive")


def test_no_verdict_is_told_by_colour_alone():
    for attributes, text in page(report_samples.failing).all("span", **{"class": "chip"}):
        verdict = attributes["class"].split("is-")[1]
        sign = {"fail": "✗", "inconclusive": "?", "pass": "✓"}[verdict]
        assert text == f"{sign} {verdict}"


def test_what_is_waived_or_tolerated_is_never_shown_as_a_pass():
    found = page(report_samples.waived)
    assert "Inconclusive, tolerated" in found.one("section", **{"class": "verdict"})
    assert "1 is waived, 53 pass" in found.text
    assert "this is not a pass" in found.text
    check = report_samples.waived().checks[0]
    assert found.row(check.id).startswith("~ waived")
    for part in check.waiver.values():
        assert part in found.text
    assert "Pass" not in found.title


def test_a_change_against_the_baseline_is_named_noise_where_it_is():
    found = page(report_samples.compared)
    for check in report_samples.compared().checks:
        assert found.row(check.id).endswith(check.baseline.word)
    assert "Compared with models/main.safetensors on the same records." in found.text
    assert "+0.030 [+0.020, +0.040] higher" in found.text
    unpaired = replace(report_samples.compared().checks[0].baseline, paired=False)
    checks = (replace(report_samples.compared().checks[0], baseline=unpaired),)
    text = Page(render(replace(report_samples.compared(), checks=checks))).text
    assert "within noise, unpaired" in text


def test_a_repeated_report_says_so_and_links_its_run():
    reused = {
        "commit": "ab" * 20,
        "run_url": "https://github.com/octo-org/digits/actions/runs/41",
        "finished": "2026-11-20T08:00:00+00:00",
    }
    found = Page(render(replace(report_samples.passing(), reused=reused)))
    (banner,) = [text for _, text in found.all("aside") if "An earlier report" in text]
    assert "Nothing was measured in this run" in banner
    assert reused["commit"] in banner
    assert ({"href": reused["run_url"], "rel": "noopener noreferrer"}, reused["run_url"]) in (
        found.all("a")
    )


def test_provenance_names_hashes_versions_device_and_seed():
    report, text = report_samples.failing(), page(report_samples.failing).text
    for part in (
        report.model["sha256"], report.fixtures["sha256"], report.config["sha256"],
        report.run["commit"], report.run["tool_version"], report.environment["platform"],
        f"torch {report.environment['versions']['torch']}", "Seed 0", "declared, not verified",
    ):  # fmt: skip
        assert part in text
    assert report.cautions[0] in text


def test_overrides_waivers_and_fixture_checks_are_listed():
    report = replace(
        report_samples.passing(),
        overrides=({"key": "model.path", "from": "a.onnx", "to": "b.onnx", "source": "--model"},),
        waivers=({"check": "loss/auc", "reason": "r", "until": "2026-01-01", "expired": True},),
        fixture_checks=(FixtureCheck("sides", "inconclusive", "12 records are on both", 12.0),),
        policy={"path": "policy.yaml", "sha256": "cd" * 32},
    )
    text = Page(render(report)).text
    assert "model.path a.onnx b.onnx --model" in text
    assert "loss/auc r 2026-01-01 – expired" in text
    assert "? inconclusive sides: 12 records are on both" in text
    assert f"Policy policy.yaml Policy sha256 {'cd' * 32}" in text


def test_attacks_that_did_not_run_are_named_with_the_reason():
    absent = AttackResult("anchored-5", "few-shot", "features", "not_run", reason="no features")
    report = replace(report_samples.passing(), attacks=(absent,))
    assert "Not run anchored-5: no features" in Page(render(report)).text


# ------------------------------------------------------------------------------ never a false pass


def blocked(report):
    change = Change("budgets: loss/auc", "loosened", "0.6", "0.9", "Looser.", blocking=True)
    return replace(report, changes=(change,))


@pytest.mark.parametrize(
    "forge",
    [
        lambda report: replace(report, complete=False),
        lambda report: replace(report, checks=()),
        lambda report: replace(report, checks=report_samples.failing().checks),
        lambda report: replace(report, checks=report_samples.inconclusive().checks),
        lambda report: replace(report, checks=report_samples.waived().checks),
        lambda report: replace(report, error={"message": "It broke."}),
        blocked,
    ],
)
def test_a_report_that_claims_more_than_it_holds_is_an_error(forge):
    report = forge(report_samples.passing())
    assert report.verdict == "pass"
    found = Page(render(report))
    assert found.title.startswith("Error")
    ((attributes, _),) = found.all("section", **{"class": "verdict"})
    assert attributes["class"] == "verdict is-error"
    assert Page(render_set(ReportSet((report,)))).title.startswith("Error")


# ------------------------------------------------------------------------------- what to do next


def test_steps_come_in_the_order_of_what_they_are_worth():
    report = replace(
        blocked(report_samples.failing()),
        error={"message": "It broke.", "hint": "Mend it."},
        checks=(
            *report_samples.failing().checks[:12],
            replace(report_samples.passing().checks[0], verdict="not_run", message="Deselected."),
            *report_samples.compared().checks[:6],
        ),
    )
    actions = [step.action for step in next_steps(report)]
    expected = [
        "Mend it.", "Take these changes", "Run every configured check", "The model gives members",
        "More records alone would hardly", "If the estimate", "Tighten the budgets", "Read the",
    ]  # fmt: skip
    places = [next(i for i, a in enumerate(actions) if a.startswith(e)) for e in expected]
    assert places == sorted(places)


def test_cures_shared_by_most_checks_come_first_and_the_rest_is_counted():
    steps = [step for step in next_steps(report_samples.failing()) if "inconclusive" in step.why]
    assert [len(step.items) for step in steps] == [3, 3, 1, 1, 5]
    assert sum(len(step.items) for step in steps) == 13
    long = next_steps(report_samples.compared())[0]
    assert long.action.startswith("Tighten")
    assert len(long.items) == 18
    assert len(long.shown) == 7
    assert long.shown[-1] == "and 12 more"


def test_what_got_better_is_to_be_tightened_to_the_number_that_was_computed():
    first, *rest = report_samples.passing().checks
    advice = "Got better: tighten the budget to 0.057."
    report = replace(report_samples.passing(), checks=(replace(first, advice=advice), *rest))
    (step,) = [step for step in next_steps(report) if step.action.startswith("Tighten")]
    assert step.items == (f"{first.id}: {advice}",)
    assert f"{first.message} {advice}" in Page(render(report)).text


def test_a_waiver_of_a_check_that_passes_is_to_be_removed():
    name = report_samples.passing().checks[0].id
    waiver = {"check": name, "reason": "r", "until": "2027-01-31", "expired": False}
    steps = next_steps(replace(report_samples.passing(), waivers=(waiver,)))
    assert steps[0].action == f"Remove the waiver of {name}."
    tolerance = {"check": "inconclusive checks", "reason": "r", "until": "2027-01-31"}
    steps = next_steps(replace(report_samples.passing(), waivers=(tolerance,)))
    assert [step.action for step in steps] == ["Read the 3 cautions below."]
    steps = next_steps(replace(report_samples.inconclusive(), waivers=(tolerance,)))
    assert "See to inconclusive checks by 2027-01-31." in [step.action for step in steps]


def test_nothing_is_invented_where_nothing_is_left_to_do():
    report = replace(report_samples.passing(), cautions=())
    assert next_steps(report) == []
    assert "Nothing: every check passes, and no caution is recorded." in Page(render(report)).text


# -------------------------------------------------------------------------------------- pictures


def curve(**changes):
    content = {
        "fpr": (0.0, 0.01, 0.02, 0.5, 1.0),
        "tpr": (0.0, 0.1, 0.4, 0.9, 1.0),
        "low": (0.0, 0.05, 0.3, 0.8, 1.0),
        "high": (0.3, 0.3, 0.6, 0.95, 1.0),
    }
    return AttackResult("loss", "threshold", "scores", "ran", roc={**content, **changes})


def corners(drawing, style):
    (path,) = [a["d"] for a, _ in Page(drawing).all("path", **{"class": style})]
    return [tuple(map(float, point.split())) for point in path.strip("MZ").split("L")]


def budget(rate=0.01, limit=0.2, **changes):
    base = Check(
        id=f"loss/tpr_at_fpr[{rate}]", attack="loss", metric="tpr_at_fpr", arguments={"fpr": rate},
        budget=limit, line=1, verdict="pass", message="", estimate=0.1, low=0.05, high=0.15,
    )  # fmt: skip
    return replace(base, **changes)


def test_the_roc_curve_is_a_staircase_that_starts_at_one_false_positive():
    drawing = roc(curve(), (), "r").drawing
    zone = Page(drawing).all("rect", **{"class": "zone"})[0][0]
    edge = float(zone["x"]) + float(zone["width"])
    for style in ("curve", "band"):
        found = corners(drawing, style)
        assert min(x for x, _ in found) == pytest.approx(edge, abs=0.1)
        assert all(a[0] == b[0] or a[1] == b[1] for a, b in pairwise(found))
    stairs = corners(drawing, "curve")
    assert [x for x, _ in stairs] == sorted(x for x, _ in stairs)
    # log scale: FPR 0.01 -> 0.02 and TPR 0.1 -> 0.2 are equally long, and 0.5 -> 1 as well
    lengths = sorted({b[0] - a[0] for a, b in pairwise(stairs)} - {0})
    assert lengths[0] == pytest.approx(lengths[1], abs=0.15)
    height = {b[1] - a[1] for a, b in pairwise(stairs)} - {0}
    assert min(height) / -288 == pytest.approx(math.log10(4) / math.log10(250), abs=0.01)


def test_the_roc_twin_holds_the_points_and_names_what_cannot_be_observed():
    picture = roc(curve(), (), "r")
    assert picture.rows[0] == ("0 (no false positive)", "0.000", "0.000", "0.300")
    assert picture.rows[2] == ("0.0200", "0.400", "0.300", "0.600")
    assert "FPR below 0.0100 (one non-member) cannot be observed" in picture.notes[0]
    assert "not observable" in Page(picture.drawing).text


def test_budgets_of_tpr_checks_are_marked_at_their_rate():
    checks = (budget(), budget(0.001, 0.05), budget(0.5, 0.9, attack="loss", metric="auc"))
    drawing = roc(curve(), checks, "r").drawing
    found = Page(drawing)
    labels = [text for _, text in found.all("text", **{"class": "small"}) if "≤" in text]
    assert labels == ["≤ 0.2", "≤ 0.05"]
    assert "TPR at FPR 0.01: 0.100 [0.050, 0.150], budget 0.2." in words(found.one("desc"))
    zone = found.all("rect", **{"class": "zone"})[0][0]
    left, right = float(zone["x"]), float(zone["x"]) + float(zone["width"])
    middle = [
        (float(a["x1"]) + float(a["x2"])) / 2 for a, _ in found.all("line", **{"class": "budget"})
    ]
    assert middle[0] == pytest.approx(right, abs=0.2)  # at 1/m
    assert left < middle[1] < right  # below 1/m: a budget may stand there, a curve may not


def test_a_rate_below_one_record_never_looks_measured():
    check = replace(
        budget(0.001, 0.05, high=0.04),
        counts={"members": 2000, "nonmembers": 500, "level": 0.025},
    )
    text = Page(render(replace(report_samples.broken(), checks=(check,)))).text
    assert "not observable, at most 0.040" in text
    assert "0.100" not in text  # its estimate
    for rate, metric, argument, dots in (
        (0.001, "tpr_at_fpr", "fpr", 0),
        (0.002, "tpr_at_fpr", "fpr", 1),
        (0.001, "tnr_at_fnr", "fnr", 1),
    ):
        other = replace(check, metric=metric, arguments={argument: rate})
        (row,) = checks_view(replace(report_samples.broken(), checks=(other,)), "").rows
        assert len(Page(row.strip).all("circle")) == dots
        assert row.value.startswith("not observable") is (dots == 0)
    assert not Page(roc(curve(), (check,), "r").drawing).all("circle")
    assert Page(roc(curve(), (budget(),), "r").drawing).all("circle")


def test_the_histogram_is_mirrored_and_its_areas_are_the_shares():
    content = {"edges": (0.0, 1.0, 2.0), "members": (0.25, 0.75), "nonmembers": (0.5, 0.5)}
    attack = AttackResult("loss", "threshold", "scores", "ran", histogram=content)
    picture = histogram(attack, "h")
    up, down = (corners(picture.drawing, style) for style in ("members", "nonmembers"))
    base = up[0][1]
    assert down[0][1] == base
    assert (base - up[3][1]) / (base - up[1][1]) == pytest.approx(3, abs=0.02)
    assert (down[1][1] - base) / (base - up[3][1]) == pytest.approx(2 / 3, abs=0.01)
    assert picture.rows == (
        ("0.000", "1.000", "0.250", "0.500"),
        ("1.000", "2.000", "0.750", "0.500"),
    )


def test_log_mia_and_auc_stand_beside_their_null():
    text = page(report_samples.failing).text
    assert "Log-MIA is not 0 without leakage" in text
    entry = report_samples.failing().attacks[0].log_mia[1]
    row = " ".join(figure(entry[f"episode_{k}"]) for k in ("mean", "low", "high", "null_mean"))
    assert f"Log-MIA B {row} – {entry['word']}" in text


def characteristic(passes, fails):
    undecided = tuple(1 - p - f for p, f in zip(passes, fails, strict=True))
    return Characteristic((0.01, 0.1, 0.2, 0.3), passes, fails, undecided)


def test_what_a_gate_could_have_detected_is_said_in_words():
    seen = characteristic((0.99, 0.4, 0.05, 0.0), (0.0, 0.1, 0.8, 1.0))
    blind = characteristic((1.0, 0.9, 0.6, 0.3), (0.0, 0.0, 0.0, 0.001))
    checks = [
        budget(characteristic=seen),
        budget(characteristic=blind, attack="entropy"),
        budget(characteristic=seen, attack="margin"),
    ]
    first, second = detections(checks, "")
    assert first.attacks == ("loss", "margin")
    assert second.attacks == ("entropy",)
    assert first.words == (
        "No leakage (true value 0.010): passes with probability 0.99.",
        "From a true value of 0.200 on, it passes with probability 0.05 at most.",
        "From 0.200 on, it fails with probability 0.8 at least.",
    )
    assert second.words[1:] == (
        "Even a true value of 0.300 passes with probability 0.30.",
        "A true value of 0.300, the largest computed, fails with probability < 0.01 only.",
    )
    assert first.picture.rows[2] == ("0.200", "0.05", "0.15", "0.80")


def test_there_is_one_picture_per_distinct_budget_and_sizes():
    found = page(report_samples.failing)
    section = found.one("section", id="detection")
    assert section.count("As a table") == 10
    for check in report_samples.failing().checks:
        assert f"≤ {check.budget:g}" in section


# ---------------------------------------------------------------------------------------- values


@given(st.floats(0, 1), st.floats(0.001, 1))
def test_a_bound_is_never_shown_on_the_wrong_side_of_its_budget(value, limit):
    shown = float(bound(value, limit).replace("−", "-"))
    assert (shown < limit, shown > limit) == (value < limit, value > limit)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0.000"), (1.0, "1.000"), (0.0314, "0.031"), (0.000398, "0.0004"), (None, "–"),
        (-0.25, "−0.250"), (math.nan, "–"), (math.inf, "–"), (True, "–"), (10**400, "–"),
    ],
)  # fmt: skip
def test_numbers_are_shown_with_three_decimals_or_two_digits(value, shown):
    assert figure(value) == shown


@given(st.floats(), st.floats(), st.floats(allow_nan=False, allow_infinity=False))
def test_coordinates_stay_inside_their_scale(low, high, value):
    if math.isfinite(low) and math.isfinite(high):
        assert 10 <= Scale(min(low, high), max(low, high), 10, 20)(value) <= 20


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("https://github.com/octo-org/digits/actions/runs/42", True),
        ("https://ghe.example.org:8443/octo-org/digits/actions/runs/42", True),
        ("http://github.com/octo-org/digits/actions/runs/42", False),
        ("javascript:alert(1)//https://github.com/octo-org/digits/actions/runs/42", False),
        ("https://github.com/octo-org/other/actions/runs/42", False),
        ("https://user@github.com/octo-org/digits/actions/runs/42", False),
        ("https://github.com/octo-org/digits/actions/runs/42?x=1", False),
        ("https://github.com/octo-org/digits/actions/runs/42\n", False),
        ('https://github.com/octo-org/digits/actions/runs/42" onclick="x', False),
        (42, False),
        (None, False),
    ],
)
def test_only_the_address_of_a_workflow_run_becomes_a_link(address, good):
    assert bool(run_link({"run_url": address}, "octo-org/digits")) is good
    report = replace(
        report_samples.broken(), run={**report_samples.broken().run, "run_url": address}
    )
    links = [a["href"] for a, _ in Page(render(report)).all("a") if not a["href"].startswith("#")]
    assert links == ([address] if good else [])


def test_a_repository_that_is_none_gives_no_link():
    for repository in ("", "digits", "a/b/c", "octo org/digits", "octo-org/.*", "../digits\n"):
        address = f"https://github.com/{repository}/actions/runs/1"
        assert run_link({"run_url": address}, repository) == ""


# --------------------------------------------------------------------------------------- sets


def test_a_set_shows_every_report_and_what_is_missing():
    found = Page(render_set(group()))
    assert_references_hold(found)
    assert found.title.startswith("Error")
    index = found.all("ul", **{"class": "index"})[0][1]
    assert "! missing absent: this configuration must have a report and has none" in index
    for part in ("✗ fail digits-leaky", "✓ pass digits-private", "! error digits:"):
        assert part in index
    assert len(found.all("article", **{"class": "one"})) == 3
    assert [text for _, text in found.all("h2")] == ["digits-leaky", "digits-private", "digits"]


def test_a_set_is_no_better_than_its_worst_report():
    passing, failing = report_samples.passing(), report_samples.failing()
    title = lambda *reports, missing=(): Page(render_set(ReportSet(reports, missing))).title  # noqa: E731
    assert title(passing).startswith("Pass")
    assert title(passing, missing=("other",)).startswith("Fail")
    assert title(passing, failing).startswith("Fail")
    assert title(passing, report_samples.inconclusive()).startswith("Inconclusive:")
    assert title(passing, report_samples.waived()).startswith("Inconclusive, tolerated")
    assert title().startswith("Error")
    assert title(missing=("other",)).startswith("Fail")


def test_two_reports_of_one_name_stay_apart():
    reports = ReportSet((report_samples.broken(), report_samples.broken()))
    assert_references_hold(Page(render_set(reports)))
    assert render_set(reports) == render_set(reports)


# ---------------------------------------------------------------------------------- hostile reports


FIXED = {"verdict", "method", "status", "kind", "schema", "word"}
"""Keys whose values the schema enumerates: a report with another value is not read."""


def replaced(value, text, key=""):
    """The JSON values with every text, and the keys of free mappings, replaced."""
    if isinstance(value, dict):
        free = key in ("versions", "ood", "ppv", "single_draw", "paper", "timing")
        return {
            (f"{name}{text}" if free else name): replaced(inner, text, name)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [replaced(inner, text, key) for inner in value]
    return text if isinstance(value, str) and key not in FIXED else value


@cache
def everything():
    """A small report in which every field of text is there."""
    compared, failing = report_samples.compared(), report_samples.failing()
    attacks = (
        failing.attacks[0],
        failing.attacks[6],
        replace(failing.attacks[1], status="not_run"),
    )
    waived = report_samples.waived().checks[0]
    few_shot = {**attacks[1].few_shot, "note": "n", "paper": {"auc": {"mean": 0.5}}}
    report = replace(
        failing,
        checks=(*failing.checks[:3], waived, *compared.checks[3:6]),
        attacks=(attacks[0], replace(attacks[1], few_shot=few_shot), attacks[2]),
        fixture_checks=(FixtureCheck("sides", "fail", "bad", 1.0),),
        policy={"path": "p", "sha256": "s"},
        overrides=({"key": "k", "from": "a", "to": "b", "source": "c"},),
        waivers=report_samples.waived().waivers,
        changes=report_samples.loosened().changes,
        base=report_samples.loosened().base,
        baseline=compared.baseline,
        reused={"commit": "c", "run_url": "u", "finished": "f"},
        error={"type": "E", "message": "m", "hint": "h", "location": "l"},
        fixtures={**failing.fixtures, "receipt": "r", "ood": {"cats": 3}},
        run={**failing.run, "run_url": None},
    )
    return report.to_dict()


@cache
def harmless():
    return Page(render(report_from_dict(replaced(everything(), "x")))).structure


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style></svg></title></textarea><!--",
    "]]>&lt;script&gt;{{ 7*7 }}{% raw %}{#",
    "javascript:alert(1)",
    "a\x00b\x1b[31m\u202egnp.exe\u2066\ufeff\x85",
    "\u0430" * 3000,
    "=cmd|' /C calc'!A0\t\r\n",
)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_in_every_field_stays_text(text):
    assert_stays_text(text)


@settings(max_examples=40, deadline=None)
@given(
    st.text(
        st.one_of(
            st.sampled_from("<>&\"'`={}%#/\\;:!-[]()\x00\x0b\x0c\r\n\t\u2028\u202e"),
            st.characters(codec="utf-8"),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_any_text_in_every_field_stays_text(text):
    assert_stays_text(text)


def assert_stays_text(text):
    shown = render(report_from_dict(replaced(everything(), text)))
    found = Page(shown)
    assert found.structure == harmless()
    assert words(clean(text)) in found.text
    for _, attributes, _ in found.elements:
        assert attributes.get("href", "#").startswith("#")
        assert set(attributes.get("style", "flex-grow:1")) <= set("flex-grow:0123456789")
    shown.encode()
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)


def test_half_a_character_does_not_stop_the_file_from_being_written():
    report = replace(report_samples.broken(), name="a\ud800b", cautions=("\udfff",))
    assert "a\ufffdb" in render(report)
    render(report).encode()


numbers = st.one_of(
    st.floats(), st.sampled_from([0.0, -0.0, 1.0, 5e-324, 1.7e308, -1.7e308, 1e-12]), st.none()
)
lists = st.lists(numbers, max_size=6).map(tuple)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_strange_numbers_neither_stop_a_page_nor_leave_a_picture(data):
    any_lists = {key: lists for key in ("fpr", "tpr", "low", "high")}
    bins = {key: lists for key in ("edges", "members", "nonmembers")}
    curve_of = data.draw(st.builds(Characteristic, lists, lists, lists, lists))
    value = lambda: data.draw(numbers)  # noqa: E731
    limit = value()
    checks = tuple(
        replace(
            budget(0.01, 0.1 if limit is None else limit),
            metric=metric,
            arguments=arguments,
            increase=data.draw(st.booleans()),
            estimate=value(),
            low=value(),
            high=value(),
            null=value(),
            p_value=value(),
            counts={"level": value()},
            characteristic=curve_of,
        )
        for metric, arguments in (
            ("tpr_at_fpr", {"fpr": data.draw(st.floats())}),
            ("auc", {}),
            ("log_mia", {"regime": "a"}),
        )
    )  # fmt: skip
    entry = {"regime": "a", "episode_mean": value(), "episode_low": value()}
    attack = AttackResult(
        "loss", "threshold", "scores", "ran",
        roc=data.draw(st.fixed_dictionaries(any_lists)),
        histogram=data.draw(st.fixed_dictionaries(bins)),
        log_mia=({**entry, "episode_high": value(), "episode_null_mean": value()},),
        auc=Interval(value(), value(), value()),
        tpr_at_fpr=({"fpr": value(), "estimate": value(), "null_p": value()},),
        operating_point={"global": {"tpr": value(), "ppv": {"0.1": value()}}},
        seconds=value(),
        ties={"largest_block": value()},
    )  # fmt: skip
    report = Report(
        name="x", verdict="fail", complete=True, run={}, model={"accuracy": 3}, task="", config={},
        fixtures={"evaluation": [1], "members": value()}, checks=checks, attacks=(attack,),
        timing={"total": value()}, environment={"versions": 4, "seed": value()},
    )  # fmt: skip
    found = Page(render(report))
    assert_references_hold(found)
    for tag, attributes, _ in found.elements:
        if tag in ("path", "line", "rect", "circle", "text", "svg"):
            for name in ("d", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height"):
                for part in re.findall(r"[^\sMLZ]+", attributes.get(name, "")):
                    assert -20 <= float(part) <= 400, (tag, attributes)
