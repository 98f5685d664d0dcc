"""Reports of a pull request judged again: nothing that they say about themselves counts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from github_project import BASE, config_path, save, tree
from report_samples import broken, failing, passing

from privacy_gate.domain import ReportSet
from privacy_gate.errors import ExitCode, UsageError
from privacy_gate.github.judging import Source, find_files, judge, read_files

CONFIG, LEAKY = config_path(), config_path("leaky")
MAIN = {"ref": "main", "commit": BASE}
LOOSE = {"old": "metric: auc, max: 0.65", "new": "metric: auc, max: 0.95"}


def judged(*reports, base="same", head=None, configs=(CONFIG,), run=None, pages=()):
    """The reports by the bundled configuration on both sides, unless told otherwise."""
    head = tree() if head is None else head
    base = tree() if base == "same" else base
    source = Source(None if base is None else base.get, head.get, MAIN, run or {}, pages)
    return judge(ReportSet(tuple(reports)), configs, source)


def summary(found):
    reports = found.reports
    return reports.verdict, int(reports.exit_code), reports.complete, reports.missing


def claiming_pass(report, *, with_numbers=True):
    """The report with every verdict set to pass by hand, and the intervals to suit."""

    def passed(check):
        numbers = {"estimate": 0.8, "low": 0.7, "high": 0.9} if with_numbers else {}
        numbers = {name: share * check.budget for name, share in numbers.items()}
        return replace(check, verdict="pass", message="All is well.", advice="", **numbers)

    checks = tuple(passed(check) for check in report.checks)
    return replace(report, verdict="pass", complete=True, checks=checks)


# ------------------------------------------------------------------------------------ the verdict


def test_a_report_that_holds_is_kept():
    found = judged(passing())
    (report,) = found.reports.reports
    assert summary(found) == ("pass", 0, True, ())
    assert report.base == MAIN
    assert [check.id for check in report.checks] == [check.id for check in passing().checks]
    assert found.configs == {"digits-private": CONFIG}


@pytest.mark.parametrize("with_numbers", [False, True])
def test_a_failing_report_that_was_edited_to_pass_still_fails(with_numbers):
    files = tree(case="leaky")
    edited = claiming_pass(failing(), with_numbers=with_numbers)
    found = judged(edited, base=files, head=files, configs=[LEAKY])
    assert found.reports.verdict == "fail"
    assert found.reports.exit_code == ExitCode.FAIL
    assert "All is well." not in json.dumps(found.reports.to_dict())


def test_a_loosened_budget_fails_whatever_was_measured():
    (report,) = judged(passing(), head=tree(**LOOSE)).reports.reports
    assert report.verdict == "fail"
    blocking = [change for change in report.changes if change.blocking]
    assert {change.kind for change in blocking} == {"loosened"}
    assert "0.65" in blocking[0].message
    assert "0.95" in blocking[0].message
    assert {check.budget for check in report.checks if check.metric == "auc"} == {0.65}


def test_changes_that_a_report_claims_itself_are_dropped():
    report = replace(passing(), base={"ref": "mine", "commit": "f" * 40})
    (found,) = judged(report, base=None).reports.reports
    assert (found.base, found.changes) == (None, ())


def test_a_tightened_budget_counts_at_once():
    tight = {"old": LOOSE["old"], "new": "metric: auc, max: 0.505"}
    (report,) = judged(passing(), head=tree(**tight)).reports.reports
    assert report.verdict != "pass"
    assert not any(change.blocking for change in report.changes)


def test_other_fixtures_than_those_of_the_base_branch_fail():
    head = tree()
    manifest = next(path for path in head if path.endswith("manifest.json"))
    head[manifest] += b"\n"
    (report,) = judged(passing(), head=head).reports.reports
    assert report.verdict == "fail"
    assert "fixtures" in {change.key for change in report.changes if change.blocking}


def test_the_first_configuration_has_no_base_branch_to_compare_with_and_says_so():
    found = judged(passing(), base={})
    assert summary(found) == ("pass", 0, True, ())
    (report,) = found.reports.reports
    assert report.cautions[0].startswith(f"The base branch has no {CONFIG} yet")


def test_a_configuration_that_was_removed_fails_and_its_report_is_judged_by_the_old_terms():
    (report,) = judged(passing(), head={}).reports.reports
    assert report.verdict == "fail"
    assert [(change.kind, change.blocking) for change in report.changes] == [("dropped", True)]
    assert len(report.checks) == len(passing().checks)


# ------------------------------------------------------------------- configurations and reports


def test_a_configuration_without_a_report_is_missing_and_fails():
    files = {**tree(), **tree(case="leaky")}
    found = judged(passing(), base=files, head=files, configs=[CONFIG, LEAKY])
    assert summary(found) == ("fail", 1, False, ("digits-leaky",))
    assert found.configs["digits-leaky"] == LEAKY


def test_no_report_at_all_is_missing_and_fails():
    assert summary(judged()) == ("fail", 1, False, ("digits-private",))


def test_a_report_that_no_configuration_asks_for_is_shown_and_never_passes():
    found = judged(passing(), replace(passing(), name="other"))
    assert summary(found)[:3] == ("error", 2, False)
    other = found.reports.reports[1]
    assert other.name == "other"
    assert other.error["message"].startswith("No configuration that was asked for")
    assert "--config" in other.error["hint"]


def test_a_report_cannot_stand_for_a_configuration_by_its_name_alone():
    elsewhere = replace(passing(), config={**passing().config, "path": "lax.yaml"})
    assert summary(judged(elsewhere)) == ("error", 2, False, ("digits-private",))


def test_every_report_of_a_configuration_counts():
    worse = replace(failing(), name=passing().name, config=passing().config)
    found = judged(passing(), worse)
    assert found.reports.verdict == "fail"
    assert len(found.reports.reports) == 2


def test_the_same_report_found_twice_counts_once():
    assert len(judged(passing(), passing()).reports.reports) == 1


def test_an_error_keeps_its_own_message():
    report = replace(broken(), config={"path": f"/elsewhere/{CONFIG}", "sha256": None})
    found = judged(report)
    assert summary(found) == ("error", 2, False, ())
    assert found.reports.reports[0].error == broken().error


def test_a_report_that_hides_its_error_does_not_pass():
    report = replace(passing(), error={"type": "ModelError", "message": "Broken."})
    assert judged(report).reports.exit_code == ExitCode.ERROR


def test_a_configuration_that_nobody_has_is_an_error():
    found = judged(passing(), head={}, base={})
    assert summary(found)[:2] == ("error", 2)
    assert found.reports.reports[0].error["message"] == f"There is no configuration {CONFIG}."


def test_a_base_branch_whose_configuration_is_broken_lets_nothing_pass():
    found = judged(passing(), base={**tree(), CONFIG: b"version: 1\nbudget: []\n"})
    assert summary(found)[:3] == ("error", 2, False)
    (report,) = found.reports.reports
    assert len(report.checks) == len(passing().checks)
    assert report.error["type"] == "ConfigError"


def test_terms_that_cannot_be_read_let_nothing_pass():
    def unreadable(path):
        raise UsageError("GitHub's rate limit is used up.")

    for source in (Source(unreadable, tree().get, MAIN), Source(tree().get, unreadable, MAIN)):
        found = judge(ReportSet((passing(),)), [CONFIG], source)
        assert summary(found)[:3] == ("error", 2, False)
        (report,) = judge(ReportSet(()), [CONFIG], source).reports.reports
        assert (report.name, report.verdict) == (CONFIG, "error")
        assert report.error["message"] == "GitHub's rate limit is used up."


def test_the_run_that_measured_is_what_github_says_and_not_what_the_report_says():
    run, pages = {"repository": "octo/digits", "commit": "b" * 40}, ("runs/77", "runs/42")
    for claimed, expected in (("runs/666", "runs/77"), ("runs/42", "runs/42")):
        lies = {"repository": "evil/evil", "commit": "0" * 40, "run_url": claimed}
        lying = replace(passing(), run={**passing().run, **lies})
        (report,) = judged(lying, run=run, pages=pages).reports.reports
        assert report.run == {**passing().run, **run, "run_url": expected}


# ------------------------------------------------------------------------------------------ files


def test_directories_are_searched_and_links_are_not_followed(tmp_path):
    save(tmp_path / "reports", passing(), failing())
    (tmp_path / "reports" / "other.json").write_text("{}")
    (tmp_path / "elsewhere").mkdir()
    save(tmp_path / "elsewhere", broken())
    (tmp_path / "reports" / "link").symlink_to(tmp_path / "elsewhere")
    found = find_files([tmp_path / "reports"])
    assert [path.parent.name for path in found] == ["part-0", "part-1"]
    assert [report.name for report in read_files(found).reports] == [passing().name, failing().name]


def test_a_link_in_place_of_a_report_is_an_error_and_is_not_read(tmp_path):
    save(tmp_path / "elsewhere", passing())
    (tmp_path / "report.json").symlink_to(tmp_path / "elsewhere" / "report.json")
    (report,) = read_files([tmp_path / "report.json"]).reports
    assert (report.verdict, report.error["message"]) == ("error", "A report is a link or no file.")


def test_a_path_that_does_not_exist_holds_no_report(tmp_path):
    assert find_files([tmp_path / "nothing"]) == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The report is not JSON"),
        (b"\xff\xfe", "A report is not UTF-8 text."),
        (b"[1, 2", "The report is not JSON"),
        (b'{"schema": "privacy-gate.report/1"}', "The report is damaged"),
        (b'{"schema": "other"}', "This is no report"),
    ],
)
def test_a_file_that_is_no_report_is_an_error_beside_the_others(tmp_path, content, sentence):
    save(tmp_path / "a", passing())
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "report.json").write_bytes(content)
    found = judged(*read_files(find_files([tmp_path])).reports)
    assert summary(found)[:2] == ("error", 2)
    assert found.reports.reports[1].error["message"].startswith(sentence)


def test_a_file_that_is_too_large_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr("privacy_gate.github.judging.LARGEST", 100)
    (report,) = read_files([save(tmp_path, passing()) / "report.json"]).reports
    assert report.error["message"] == "A report is larger than 100 bytes."


def test_what_a_merged_report_says_is_missing_stays_missing(tmp_path):
    content = ReportSet((passing(),), ("resnet", passing().name)).to_dict()
    (tmp_path / "report.json").write_text(json.dumps(content))
    source = Source(tree().get, tree().get, MAIN)
    found = judge(read_files([tmp_path / "report.json"]), [CONFIG], source)
    assert summary(found) == ("fail", 1, False, ("resnet",))
