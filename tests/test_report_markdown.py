"""The Markdown of comments and job summaries: what it shows and leaves out, what stays text."""

from __future__ import annotations

import re
from dataclasses import replace

import pasted_reports
import pytest
import report_samples
from github_markdown import contained, read
from hypothesis import given
from hypothesis import strategies as st

from privacy_gate.domain import Check, FixtureCheck, Report, ReportSet
from privacy_gate.report.comment.escape import clean, code, text
from privacy_gate.report.comment.parts import parts
from privacy_gate.report.comment.plot import COLUMNS, reversed_plot, roc_plot
from privacy_gate.report.markdown import fit, render, render_set
from privacy_gate.report.parse import report_from_dict
from privacy_gate.report.sarif_rules import RULES

LINK = "https://github.com/octo-org/digits/actions/runs/42"


def check(name="loss", verdict="pass", **more):
    content = {
        "id": f"{name}/auc", "attack": name, "metric": "auc", "arguments": {}, "budget": 0.6,
        "line": 3, "verdict": verdict, "message": f"what {name} says", "estimate": 0.5,
        "low": 0.4, "high": 0.55,
    }  # fmt: skip
    return Check(**{**content, **more})


def report(*checks, **more):
    content = {
        "name": "digits", "verdict": "pass", "complete": True, "run": {}, "model": {}, "task": "",
        "config": {"path": "privacy_gate.yaml"}, "fixtures": {}, "checks": checks or (check(),),
    }  # fmt: skip
    return Report(**{**content, **more})


# ---------------------------------------------------------------------------------- what it shows


@pytest.mark.parametrize("sample", report_samples.ALL, ids=lambda sample: sample.__name__)
def test_every_sample_is_markup_of_ours_only(sample):
    found = render(sample())
    page = contained(found, link=LINK)
    assert page.links == [LINK]
    assert len(page.headings) == 1
    assert render(report_from_dict(sample().to_dict())) == found


@pytest.mark.parametrize(
    ("sample", "title"),
    [
        ("passing", "✅ PASS: privacy gate for digits-private"),
        ("failing", "❌ FAIL: privacy gate for digits-leaky"),
        ("inconclusive", "⚠️ INCONCLUSIVE: privacy gate for digits-private"),
        ("waived", "⚠️ INCONCLUSIVE, TOLERATED: privacy gate for digits-private"),
        ("broken", "🛑 ERROR: privacy gate for digits"),
        ("loosened", "❌ FAIL: privacy gate for digits-private"),
    ],
)
def test_the_title_is_the_verdict(sample, title):
    assert read(render(getattr(report_samples, sample)())).headings == [title]


def test_the_worst_check_of_each_budget_stands_at_the_top_with_its_interval():
    top = render(report_samples.failing()).partition("<details>")[0]
    lines = [line for line in top.splitlines() if line.startswith(("| ❌", "| ⚠"))]
    assert len(lines) == 6  # six budgets
    assert "`modified-entropy/tnr_at_fnr[0.01]` | 0.965 \\[0.941, 0.983\\] | ≤ 0.1 |" in lines[0]
    assert lines[0].endswith("| 6 fail, 3 inconclusive |")
    assert "| 0.914 \\[0.835, 0.957\\]; null 0.178 | ≤ 0.35 |" in top  # Log-MIA beside its null
    assert "TNR at FNR 0.01 is at least 0.941, above the budget 0.1" in top
    assert "Train with less memorisation" in top


def test_every_check_is_somewhere():
    found = render(report_samples.failing())
    for item in report_samples.failing().checks:
        assert found.count(f"| `{item.id}` |") == 1


def test_blocking_changes_come_before_everything_else():
    found = render(report_samples.loosened())
    assert found.index("2 blocking changes") < found.index("worst check of each budget")
    assert "| loosened | `budgets: loss/auc` | `0.6` | `0.9` |" in found
    assert "| dropped | `budgets: margin/auc` | `0.6` | (none) |" in found
    assert "the stricter term counts" in found


def test_changes_that_do_not_block_are_folded():
    sample = report_samples.loosened()
    changes = tuple(replace(change, blocking=False) for change in sample.changes)
    found = render(replace(sample, changes=changes, verdict="pass"))
    assert "blocking change" not in found
    assert "<summary>Other changes of the terms (2)</summary>" in found


def test_a_change_against_the_baseline_is_told_from_noise():
    found = render(report_samples.compared())
    assert "| +0.002 \\[−0.008, +0.012\\], within noise |" in found
    assert "| −0.030 \\[−0.040, −0.020\\], **lower** |" in found
    assert "Against the baseline: 18 higher, 18 within noise, 18 lower." in found
    assert "Compared with `models/main.safetensors` on the same records." in found
    assert "against the baseline" not in render(report_samples.passing())


def test_a_waived_check_says_by_whom_and_is_no_pass():
    found = render(report_samples.waived())
    assert "| ⏸️ waived | `loss/tpr_at_fpr[0.01]` |" in found
    assert "until 2027-01-31, approved by `privacy-office@example.org`" in found
    assert "not a pass" in found
    assert "✅ PASS" not in found


def test_an_error_says_where_and_what_to_do():
    found = render(report_samples.broken())
    assert "**Error** in `privacy_gate.yaml:5:3`: The model file is not in" in found
    assert "1. Write it with safetensors" in found
    assert "| verdict |" not in found


def test_a_check_without_a_value_shows_none():
    found = render(report(check("loss", "not_run", estimate=None, low=None, high=None),
                          verdict="inconclusive"))  # fmt: skip
    assert "| 🛑 not run | `loss/auc` | not measured |" in found


def test_a_warning_is_said():
    assert "| ✅ pass, above `warn_at` |" in render(report(check(warned=True)))


def test_an_incomplete_report_is_never_a_pass():
    found = render(report(complete=False))
    assert found.startswith("## 🛑 ERROR: INCOMPLETE REPORT:")
    assert "PASS" not in found


@pytest.mark.parametrize(
    "broken",
    [
        {"checks": (check(), check("margin", "fail"))},
        {"checks": (check(verdict="not_run"),)},
        {"checks": ()},
        {"error": {"message": "It broke."}},
        {"changes": report_samples.loosened},
    ],
)
def test_a_report_that_contradicts_itself_is_never_a_pass(broken):
    if "changes" in broken:
        broken = {"changes": broken["changes"]().changes}
    assert render(report(**broken)).startswith("## 🛑 ERROR")


def test_fixture_checks_and_attacks_that_did_not_run_are_shown():
    sample = report_samples.passing()
    first, *others = sample.attacks
    attacks = (replace(first, status="not_run", reason="It needs features."), *others)
    audit = (FixtureCheck("blind baseline", "inconclusive", "Cannot tell with 540 records."),)
    found = render(replace(sample, attacks=attacks, fixture_checks=audit))
    assert "| `loss` | `threshold` | not run |" in found
    assert "- `loss`: not run: It needs features." in found
    assert "| ⚠️ inconclusive | `blind baseline` | Cannot tell with 540 records. |" in found


@pytest.mark.parametrize(
    ("address", "linked"),
    [
        (LINK, True),
        ("https://github.com/other/repo/actions/runs/42", False),
        ("https://evil.example/octo-org/digits/actions/runs/42", False),
        ("http://github.com/octo-org/digits/actions/runs/42", False),
        ("https://github.com.evil.example/octo-org/digits/actions/runs/42", False),
        ("https://github.com/octo-org/digits/actions/runs/42) ![x](https://e.example/x", False),
        ("javascript:alert(1)", False),
    ],
)
def test_only_a_run_of_the_repository_is_linked(address, linked):
    sample = report_samples.broken()
    page = contained(render(replace(sample, run={**sample.run, "run_url": address})), link=LINK)
    assert page.links == ([LINK] if linked else [])


def test_a_run_of_another_server_is_linked_only_where_that_server_is_known():
    server = "https://git.example.org"
    sample = report_samples.broken()
    address = f"{server}/octo-org/digits/actions/runs/42"
    sample = ReportSet((replace(sample, run={**sample.run, "run_url": address}),))
    assert contained(fit(sample)).links == []
    assert contained(fit(sample, server=server), link=address).links == [address]


# ------------------------------------------------------------------------------------ a small ROC


def test_the_curve_is_drawn_at_the_rates_that_were_measured():
    """A step function, drawn by hand: 1000 non-members, TPR 0.1 at FPR 0, 1 from FPR 0.1 on."""
    roc = {"fpr": (0.0, 0.1, 1.0), "tpr": (0.1, 1.0, 1.0), "low": (0.01, 0.5, 1.0),
           "high": (0.5, 1.0, 1.0)}  # fmt: skip
    plot = roc_plot(roc, 1000, [(0.01, 0.01)])
    rows = [line[10:].ljust(COLUMNS) for line in plot.splitlines()[1:14]]
    drawn = {column: row for row, line in enumerate(rows) for column, cell in enumerate(line)
             if cell == "o"}  # fmt: skip
    assert drawn == {column: 0 if column >= 32 else 4 for column in range(COLUMNS)}
    assert rows[8][16] == "#"  # FPR 0.01 and budget 0.01, two of three decades down
    assert rows[12][0] == "/"  # chance from corner
    assert rows[0][48] == "o"  # to corner
    assert rows[2][5] == "."
    assert "FPR below 0.001 cannot be observed" in plot
    assert [line[:8].strip() for line in plot.splitlines()[1:14] if line[:8].strip()] == [
        "1", "0.1", "0.01", "0.001",
    ]  # fmt: skip


def test_nothing_is_drawn_below_one_record():
    roc = {"fpr": (0.0, 1.0), "tpr": (0.5, 1.0), "low": (0.1, 1.0), "high": (0.9, 1.0)}
    plot = roc_plot(roc, 20)  # 0.05 is the lowest observable rate, the axis begins at 0.01
    columns = {at for line in plot.splitlines()[1:14] for at, cell in enumerate(line[10:])
               if cell in "o."}  # fmt: skip
    lowest = 10 ** (2 * (min(columns) / (COLUMNS - 1) - 1))
    assert 0.05 <= lowest < 0.06


def test_the_other_side_is_the_curve_turned_round():
    roc = {"fpr": (0.0, 0.1, 0.9, 1.0), "tpr": (0.0, 0.9, 0.99, 1.0)}
    turned = {"fpr": (0.0, 0.01, 0.1, 1.0), "tpr": (0.0, 0.1, 0.9, 1.0)}
    there = [line[10:] for line in reversed_plot(roc, 100).splitlines()[1:14]]
    here = [line[10:] for line in roc_plot(turned, 100).splitlines()[1:14]]
    assert there == here


@pytest.mark.parametrize(
    "roc", [{}, {"fpr": (), "tpr": ()}, {"fpr": (2.0,), "tpr": (0.5,)}, {"fpr": (0.5,)}]
)
def test_no_curve_no_picture(roc):
    assert roc_plot(roc, 100) is None


def test_a_tnr_budget_is_drawn_from_its_own_side():
    found = render(report_samples.failing())  # the worst check is a TNR at a low FNR
    assert "TNR\n       1 |" in found
    assert "TPR\n       1 |" in render(report_samples.passing())


# ----------------------------------------------------------------------------------- several models


def samples():
    return ReportSet(
        tuple(replace(sample(), name=sample.__name__) for sample in report_samples.ALL),
        missing=("absent",),
    )


def test_a_set_begins_with_one_table_worst_first():
    found = render_set(samples())
    page = contained(found, link=LINK)
    assert page.headings[0] == "🛑 ERROR: privacy gate for 8 models"
    top = found[: found.index("\n### ")]
    rows = re.findall(r"^\| (\S+ [A-Z, ]+) \| `(\w+)` \|", top, re.MULTILINE)
    assert [name for _, name in rows] == [
        "absent", "broken", "failing", "loosened", "inconclusive", "waived", "passing", "compared",
    ]  # fmt: skip
    assert rows[0][0] == "🛑 MISSING"
    assert "| 🛑 MISSING | `absent` | no report |  |" in top
    assert "2 blocking changes; 54 pass" in top
    assert len(page.headings) == 1 + len(report_samples.ALL)


def test_nothing_at_all_is_an_error():
    assert render_set(ReportSet(())).startswith("## 🛑 ERROR: privacy gate for 0 models")
    assert contained(render_set(ReportSet((), ("a",)))).headings == [
        "❌ FAIL: privacy gate for 1 model"
    ]


# ------------------------------------------------------------------------------------ short of room


@pytest.mark.parametrize("most", [100_000, 40_000, 20_000, 8_000, 3_000, 1_500, 700])
def test_a_text_that_is_too_long_loses_whole_parts(most):
    found = fit(samples(), characters=most)
    assert len(found) <= most
    page = contained(found, link=LINK)
    whole = render_set(samples())
    missing = [part for part in found.split("\n\n") if part not in whole]
    assert len(missing) <= 2  # the sentence that says what was left out, or the short forms
    assert "ERROR" in found.splitlines()[0]
    assert page.tags.count("details") < read(whole).tags.count("details") or most == 100_000


def test_parts_are_left_out_in_a_fixed_order():
    sample = ReportSet((report_samples.failing(),))
    whole = fit(sample)
    parts = [
        "Provenance", "Attacks (9)", "Cautions (3)", "The other checks (48)",
        "ROC of the attack with the worst check",
    ]  # fmt: skip
    gone = []
    for most in range(len(whole), 500, -250):
        found = fit(sample, characters=most)
        now = [part for part in parts if f"<summary>{part}</summary>" not in found]
        assert now[: len(gone)] == gone
        assert now == parts[: len(now)]
        gone = now
        if now:
            assert "Left out for length" in found
            assert "`report.html`" in found
    assert gone == parts


def test_what_is_left_out_is_said():
    found = fit(ReportSet((report_samples.failing(),)), characters=6000)
    assert "Left out for length, in part or whole: the other checks, the cautions, the" in found


def test_the_last_resorts_are_a_line_a_model_and_then_counts():
    many = ReportSet(tuple(replace(report(), name=f"model-{n}") for n in range(300)), ("absent",))
    lines = fit(many, characters=20_000)
    assert "- ✅ PASS: `model-299`, 1 pass" in lines
    assert "- 🛑 MISSING: `absent`" in lines
    assert "<details>" not in lines
    counts = fit(many, characters=600)
    assert "model-" not in counts
    assert counts.startswith("**❌ FAIL: privacy gate.** 300 reports: 300 pass, 1 missing.")
    with pytest.raises(ValueError, match="short"):
        fit(many, characters=20)


def test_bytes_are_counted_as_utf_8():
    sample = ReportSet((replace(report_samples.failing(), cautions=("å" * 500,) * 40),))
    whole = fit(sample)
    assert len(whole) < len(whole.encode()) - 19_000
    assert fit(sample, characters=len(whole)) == whole
    shorter = fit(sample, bytes=len(whole))
    assert len(shorter.encode()) <= len(whole)
    assert "å" not in shorter


def test_a_full_set_of_models_fits_into_a_job_summary():
    sample = report_samples.failing()
    many = ReportSet(tuple(replace(sample, name=f"model-{n}") for n in range(120)))
    found = fit(many, bytes=1_000_000)
    assert 900_000 < len(found.encode()) <= 1_000_000
    for n in range(120):
        assert f"### ❌ FAIL: `model-{n}`" in found


# ------------------------------------------------------------------------------- text stays text

NASTY = [
    "a | b || c",
    "a \\| b",
    "a\\",
    "trailing \\| pipe \\",
    "`",
    "``` fence ```",
    "`" * 200,
    "a`b``c```d",
    "</details></td></table>",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!-- privacy-gate:default -->",
    "--> out",
    "<!--",
    "&lt;script&gt; &amp; &#64;octocat &#x3c;b&#x3e;",
    "@octocat please look",
    "mail me at a.b@example.org, or (a@b.co)",
    "#1 and octo-org/repo#2 and GH-3 and gh-4",
    "octo-org/repo@0123456789abcdef0123456789abcdef01234567",
    "0123456789abcdef0123456789abcdef01234567",
    "https://evil.example/?a=b www.evil.example ftp://e.example mailto:a@b.example",
    "[click](https://evil.example) ![i](https://evil.example/x.png)",
    "[click][1]\n\n[1]: https://evil.example",
    "[x] done [^1] [[wiki]]",
    "**bold** _it_ __b__ ~~gone~~ ~x~ *i*",
    "# heading\n## heading\n> quote\n- list\n\n1. list\n```\ncode",
    "---",
    "===",
    "- - - list",
    "1. 2. 3.",
    "+ item",
    "    indented",
    "\ttab\rreturn\x0bvertical\x0cform",
    "line\u2028separator\u2029paragraph\x85next",
    "\x1b[31mred\x1b[0m\x07\x00",
    "right\u202eleft\u2066isolate\u2069",
    "zero\u200bwidth\u200djoin\u2060er\ufeff\u00ad",
    "lone \ud800 surrogate",
    "✅ PASS ❌ ⚠️ 🛑",
    ":white_check_mark: :+1:",
    "$a$ $$\\unicode{x263a}$$ $`x`$",
    "Z̡͖̜͍̱͟͟͞a͙̭̩͉l̞g̖̺̰o͖̦̮̗",
    "e = mc^2^ {% raw %} {{ x }}",
    "\u3164\u115f\u2800",
    "",
    " ",
]


@pytest.mark.parametrize("nasty", NASTY)
def test_nasty_text_stays_text_everywhere(nasty):
    sample = report_samples.loosened()
    item = replace(
        sample.checks[0], id=nasty, attack=nasty, message=nasty, advice=nasty, verdict="fail",
        waiver={"reason": nasty, "until": nasty, "approved_by": nasty},
    )  # fmt: skip
    change = replace(sample.changes[0], key=nasty, base=nasty, head=nasty, message=nasty)
    hostile = replace(
        sample, name=nasty, checks=(item, replace(item, verdict="waived"), *sample.checks[1:]),
        changes=(change, replace(change, blocking=False)), cautions=(nasty,),
        attacks=tuple(replace(attack, name=nasty, family=nasty) for attack in sample.attacks),
        waivers=({"check": nasty, "reason": nasty, "until": nasty, "expired": True},),
        error={"message": nasty, "hint": nasty, "location": nasty},
        run={key: nasty for key in sample.run}, model={**sample.model, "path": nasty},
        config={"path": nasty, "sha256": nasty}, base={"ref": nasty, "commit": nasty},
        baseline={"kind": nasty, "message": nasty, "path": nasty},
        reused={"commit": nasty, "finished": nasty, "run_url": nasty},
        fixture_checks=(FixtureCheck(nasty, "fail", nasty),),
        overrides=({"key": nasty, "from": nasty, "to": nasty, "source": nasty},),
        environment={"versions": {nasty: nasty}}, fixtures={**sample.fixtures, "ood": {nasty: 1}},
    )  # fmt: skip
    whole = ReportSet((hostile, report_samples.passing()), missing=(nasty,))
    for found in (render(hostile), render_set(whole), fit(whole, characters=2500)):
        contained(found, link=LINK)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("loss/tpr_at_fpr[0.01] is fine.", "`loss/tpr_at_fpr[0.01]` is fine."),
        ("a <= b & c | d", "a &lt;= b &amp; c &#124; d"),
        ("see (PR #12), please", "see \\(PR `#12`\\), please"),
        ("p = 3.2e-10 [0.1, 0.2]", "p = 3.2e-10 \\[0.1, 0.2\\]"),
        ("line one\n\n  line two", "line one line two"),
        ("a\u202eb", "a\ufffdb"),
        ("✅ PASS", "\ufffd PASS"),
        ("- item", "\\- item"),
        ("2. item", "2\\. item"),
        ("", ""),
        (None, ""),
        (["a"], ""),
    ],
)
def test_running_text(value, shown):
    assert text(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("loss/auc", "`loss/auc`"),
        ("a`b", "``a`b``"),
        ("`a`", "`` `a` ``"),
        ("a|b", "`a`&#124;`b`"),
        ("<!-- x -->", "&lt;`!-- x --`&gt;"),
        ("", "(none)"),
        (None, "(none)"),
        ("x" * 300, f"`{'x' * 59}…{'x' * 59}`"),
    ],
)
def test_code(value, shown):
    assert code(value) == shown


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=60))
def test_any_text_is_shown_and_nothing_else(value):
    """Read by GitHub's parser, text and code give back the words that came in."""
    words = re.sub("`{8,}", "`" * 8, clean(value, 60))
    for escaped, before in ((text(value), words), (code(value), words or "(none)")):
        page = contained(f"- **x** {escaped}\n")
        assert set(page.tags) <= {"ul", "li", "strong", "code"}
        assert "".join(page.words).split() == ["x", *before.split()]


# -------------------------------------------------------------------------------------------- docs


@pytest.mark.parametrize("name", pasted_reports.NAMES)
def test_the_comments_in_the_docs_are_the_generated_ones(name):
    page = pasted_reports.PAGE.read_text(encoding="utf-8")
    assert pasted_reports.pasted(page, name) == pasted_reports.comment(name), (
        "python tests/pasted_reports.py"
    )


def test_the_docs_name_every_rule_and_every_part():
    page = " ".join(pasted_reports.PAGE.read_text(encoding="utf-8").split())
    assert [rule.id for rule in RULES] == re.findall(r"\| (PG\d+) \|", page)
    sample = report_samples.loosened()
    audit = (FixtureCheck("x", "pass", "y"),)
    shown = sample.checks[:1]
    full = replace(sample, error={"message": "z"}, fixture_checks=audit, informational=shown)
    order = [part.name.removeprefix("the ") for part in parts(full)]
    assert len(order) == 15
    listed = page[page.index("in this order: ") : page.index("the models one by one;")]
    places = [
        listed.index(name.replace("fixture checks", "checks of the fixtures")) for name in order
    ]
    assert places == sorted(places, reverse=True)
