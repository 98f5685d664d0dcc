"""What a step writes to the runner: commands, text between them, summary and outputs."""

from __future__ import annotations

import io
import re
import sys
from dataclasses import replace

import pytest
from fake_github import outputs
from hypothesis import given
from hypothesis import strategies as st
from report_samples import ALL, broken, failing, passing

from privacy_gate.domain import ReportSet
from privacy_gate.errors import UsageError
from privacy_gate.github import publish, workflow
from privacy_gate.github.annotations import Annotation
from privacy_gate.github.artifacts import artifacts
from privacy_gate.github.event import read_job
from privacy_gate.github.text import plain


def annotation(level="failure", **changes):
    facts = {"path": "gate.yaml", "line": 3, "title": "a title", "message": "a message"}
    return Annotation(level=level, **{**facts, **changes})


def runner_reads(line):
    """A workflow command as the runner of GitHub takes it apart; ``None`` if it is none."""
    if not line.lstrip().startswith("::"):
        return None
    name, separator, data = line.lstrip()[2:].partition("::")
    if not separator:
        return None
    name, _, listed = name.partition(" ")
    found = {}
    for pair in listed.split(",") if listed else []:
        key, _, value = pair.partition("=")
        for code, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ",")):
            value = value.replace(code, character)
        found[key] = value.replace("%25", "%")
    data = data.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
    return name, found, data


# ------------------------------------------------------------------------------------- annotations


def test_an_annotation_is_one_command():
    (line,) = workflow.command_lines([annotation()])
    assert line == "::error file=gate.yaml,line=3,title=a title::a message"


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_no_text_breaks_out_of_its_command(path, title, message):
    texts = (plain(text, 60) for text in (path, title, message))
    path, title, message = texts
    (line,) = workflow.command_lines([annotation(path=path, title=title, message=message)])
    assert len(line.splitlines()) == 1
    name, properties, data = runner_reads(line)
    assert (name, set(properties)) == ("error", {"file", "line", "title"})
    assert (properties["file"], properties["title"], properties["line"]) == (path, title, "3")
    assert data == message


def test_properties_and_data_are_escaped():
    (line,) = workflow.command_lines([annotation(title="a:b,c%", message="100%\n::warning::x")])
    assert "title=a%3Ab%2Cc%25::100%25%0A::warning::x" in line


def test_at_most_eight_of_each_type_are_shown_and_the_last_counts_the_rest():
    many = [annotation(title=f"f{i}") for i in range(20)]
    many += [annotation("warning", title=f"w{i}") for i in range(8)]
    lines = workflow.command_lines(many)
    errors = [line for line in lines if line.startswith("::error")]
    assert len(errors) == 8
    assert [f"title=f{i}:" in line for i, line in enumerate(errors[:7])] == [True] * 7
    assert errors[-1] == "::error::13 more, see the report"
    assert len([line for line in lines if line.startswith("::warning")]) == 8


# ---------------------------------------------------------------------------------- printed text


@given(st.text(max_size=80))
def test_text_of_a_report_cannot_command_the_runner(text):
    stream = io.StringIO()
    workflow.show(f"::error::x\n##[error]y\n{text}", stream, in_actions=True)
    first, *_, last = stream.getvalue().rstrip("\n").split("\n")
    word = re.fullmatch(r"::stop-commands::([0-9a-f]{32})", first)[1]
    assert last == f"::{word}::"
    assert stream.getvalue().count(word) == 2


def test_the_word_that_ends_the_pause_is_a_new_one_each_time():
    words = set()
    for _ in range(3):
        stream = io.StringIO()
        workflow.show("text", stream, in_actions=True)
        words.add(stream.getvalue().splitlines()[0])
    assert len(words) == 3


def test_outside_of_a_job_text_is_printed_as_it_is():
    stream = io.StringIO()
    workflow.show("a\n", stream, in_actions=False)
    assert stream.getvalue() == "a\n"


# ------------------------------------------------------------------------------ summary and outputs


def step(tmp_path):
    return read_job(
        {
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
            "GITHUB_OUTPUT": str(tmp_path / "output.txt"),
        }
    )


def test_the_summary_is_added_to_what_is_there(tmp_path):
    (tmp_path / "summary.md").write_text("Before.\n")
    publish.write_summary(step(tmp_path), ReportSet((failing(),)), pytest.fail)
    text = (tmp_path / "summary.md").read_text()
    assert text.startswith("Before.\n")
    assert "FAIL" in text


def test_the_summary_stays_below_what_github_takes(tmp_path):
    (tmp_path / "summary.md").write_text("é" * 510_000)
    many = tuple(replace(failing(), name=f"modèle-{number}") for number in range(12))
    publish.write_summary(step(tmp_path), ReportSet(many), pytest.fail)
    size = (tmp_path / "summary.md").stat().st_size
    assert 1_020_000 < size <= workflow.LARGEST_SUMMARY


def test_a_full_summary_is_left_alone_and_said(tmp_path):
    (tmp_path / "summary.md").write_text("x" * (workflow.LARGEST_SUMMARY - 3000))
    said = []
    publish.write_summary(step(tmp_path), ReportSet((failing(),)), said.append)
    assert (tmp_path / "summary.md").stat().st_size == workflow.LARGEST_SUMMARY - 3000
    assert said[0].startswith("no summary:")


def test_a_summary_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "summary.md").mkdir()
    said = []
    publish.write_summary(step(tmp_path), ReportSet((failing(),)), said.append)
    assert said == ["no summary: Cannot write summary.md: Is a directory."]


def test_a_file_of_the_step_that_cannot_be_written_is_one_sentence(tmp_path):
    with pytest.raises(UsageError, match=r"Cannot write summary\.md"):
        workflow.append(tmp_path / "nothing" / "summary.md", "x")


ONE_LINE = st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])


@given(st.dictionaries(st.sampled_from(["a", "b"]), st.text(ONE_LINE, max_size=60)))
def test_outputs_come_back_as_they_were(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("step") / "output.txt"
    values = {**values, "evil": "x\nEND\nverdict=pass\nverdict<<END\npass\nEND"}
    workflow.append(path, workflow.outputs_text(values))
    assert outputs(path) == values


def test_the_outputs_name_the_worst_check_and_how_much_of_its_budget_it_uses():
    found = publish.outputs(ReportSet((passing(), failing())), {}, changed=True)
    worst = next(check for check in failing().checks if check.id == found["worst_check"])
    assert worst.verdict == "fail"
    assert float(found["worst_ratio"]) == pytest.approx(worst.low / worst.budget, rel=1e-3)
    assert all(
        check.low / check.budget <= worst.low / worst.budget
        for check in failing().checks
        if check.verdict == "fail"
    )
    assert (found["verdict"], found["complete"], found["changed"]) == ("fail", "true", "true")
    assert found["report_json"] == found["html"] == found["sarif"] == ""


def test_a_pass_uses_up_less_than_its_budget():
    found = publish.outputs(ReportSet((passing(),)), {}, changed=False)
    assert 0 < float(found["worst_ratio"]) <= 1


def test_without_a_verdict_there_is_no_worst_check():
    found = publish.outputs(ReportSet((broken(),), ("resnet",)), {}, changed=False)
    assert (found["verdict"], found["complete"]) == ("error", "false")
    assert found["worst_check"] == found["worst_ratio"] == ""


# ------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("sample", ALL)
def test_one_report_is_written_in_every_form(sample):
    found = {artifact.path: artifact.text for artifact in artifacts(ReportSet((sample(),)))}
    assert set(found) == {"report.json", "report.md", "report.html", "report.sarif"}
    assert all(found.values())


def test_several_reports_are_written_together_and_a_folder_each():
    reports = ReportSet((passing(), failing()), ("resnet",))
    found = {artifact.path: artifact.text for artifact in artifacts(reports)}
    folders = {path.rpartition("/")[0] for path in found}
    assert folders == {"", "digits-private", "digits-leaky"}
    assert '"resnet"' in found["report.json"]


def test_a_missing_report_is_in_the_files_of_the_only_other_one():
    (first, *_) = artifacts(ReportSet((passing(),), ("resnet",)))
    assert '"resnet"' in first.text


@pytest.mark.parametrize("name", ["../../x", "/etc", ".git", "a/b", "a\nb", "x" * 200, "..", ""])
def test_no_name_of_a_report_leaves_the_directory(name):
    other = replace(passing(), name=name)
    reports = ReportSet((other, replace(other, name="report-1"), other))
    folders = {artifact.path.rpartition("/")[0] for artifact in artifacts(reports)}
    assert folders == {"", "report-1", "report-2", "report-3"}


def test_a_form_that_needs_an_extra_is_said_and_the_others_are_written(monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.delitem(sys.modules, "privacy_gate.report.html", raising=False)
    found = {artifact.path: artifact for artifact in artifacts(ReportSet((passing(),)))}
    assert found["report.html"].text is None
    assert "privacy-gate[html]" in found["report.html"].problem
    assert found["report.json"].text
