"""``privacy-gate evidence``: what belongs together is bundled, and nothing else is."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import report_samples
from click.testing import CliRunner
from fixture_sets import KEY
from gate_project import DIGITS, colours, run, save_onnx, write_config, write_fixtures
from hypothesis import given
from hypothesis import strategies as st

from privacy_gate.cli import main
from privacy_gate.config import load_config
from privacy_gate.evidence.page import page
from privacy_gate.faces import rendered

ROOT = load_config(DIGITS / "private.yaml").root


def saved(tmp_path, report, name="report.json"):
    path = tmp_path / name
    path.write_text(rendered(report, "json"), encoding="utf-8")
    return path


def invoke(*arguments, code=0):
    result = CliRunner().invoke(main, ["evidence", *map(str, arguments)])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def bundled(tmp_path, report, *options, root=ROOT):
    """Files of the archive by name, and what the command printed."""
    target = tmp_path / "evidence.zip"
    result = invoke(saved(tmp_path, report), "-o", target, "--root", root, *options)
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
        files = {name: archive.read(name) for name in archive.namelist()}
    return files, result.stdout


def refusal(tmp_path, report, *options, root=ROOT):
    """Why there is no archive."""
    target = tmp_path / "evidence.zip"
    result = invoke(saved(tmp_path, report), "-o", target, "--root", root, *options, code=2)
    assert not target.exists()
    assert result.stdout == ""
    return result.stderr


# --------------------------------------------------------------------------------- what is in it


@pytest.mark.parametrize("sample", report_samples.ALL, ids=lambda sample: sample.__name__)
def test_every_report_is_bundled_and_only_a_pass_says_so(tmp_path, sample):
    report = sample()
    files, printed = bundled(tmp_path, report)
    terms = files["TERMS.md"].decode()
    assert files["report.json"] == rendered(report, "json").encode()
    passed = report.verdict == "pass"
    for text in (printed, terms):
        assert ("The test was passed" in text) == passed
        assert ("The test was not passed" in text) != passed
    read = report.config["sha256"] is not None
    assert ("configuration.yaml" in files) == ("fixtures.json" in files) == read
    assert ("Left out: configuration.yaml" in printed) != read
    for check in report.checks:
        assert f"`{check.id}`" in terms
        assert check.verdict.replace("_", " ") in terms


def test_the_page_says_what_the_evidence_is_not(tmp_path):
    terms = bundled(tmp_path, report_samples.failing())[0]["TERMS.md"].decode()
    for words in (
        "evidence of a test at a stated confidence",
        "It is not a finding of anonymity",
        "GDPR",
        "AI Act",
        "95 % confidence",
        "What was not tested",
        "sha256sum -c CHECKSUMS",
        report_samples.failing().model["sha256"],
    ):
        assert words in " ".join(terms.split())
    incomplete = replace(report_samples.inconclusive(), complete=False)
    assert "The report is incomplete" in bundled(tmp_path, incomplete, "--force")[1]


def test_waivers_changes_and_errors_are_on_the_page(tmp_path):
    waived = bundled(tmp_path, report_samples.waived())[0]["TERMS.md"].decode()
    assert "Old canary set, retired in January." in waived
    assert "tolerated for a time, by the policy or by waivers, not passed" in waived
    loosened = bundled(tmp_path, report_samples.loosened(), "--force")[0]["TERMS.md"].decode()
    assert "Its terms were loosened: 2 blocking changes." in loosened
    assert "is not made any more" in loosened
    broken = bundled(tmp_path, report_samples.broken(), "--force")[0]["TERMS.md"].decode()
    assert "it ended in an error, and nothing was judged" in broken
    assert "The model file is not in the safetensors format." in broken


def test_checksums_hold_and_one_changed_byte_is_found(tmp_path):
    files, _ = bundled(tmp_path, report_samples.passing())
    folder = tmp_path / "unpacked"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    check = ["sha256sum", "--strict", "-c", "CHECKSUMS"]
    done = subprocess.run(check, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": OK") == len(files) - 1
    (folder / "TERMS.md").write_bytes(files["TERMS.md"] + b" ")
    assert subprocess.run(check, cwd=folder, capture_output=True).returncode == 1


def test_the_archive_is_the_same_wherever_and_whenever_it_is_made(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    copied = second / "copy"
    first.mkdir()
    shutil.copytree(DIGITS, copied / "fixtures" / "digits")
    bundled(first, report_samples.passing())
    bundled(second, report_samples.passing(), root=copied)
    content = (first / "evidence.zip").read_bytes()
    assert content == (second / "evidence.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o100644}


def test_every_format_is_rendered_and_one_that_is_not_installed_is_named(tmp_path):
    report = report_samples.passing()
    files, printed = bundled(tmp_path, report)
    for form, name in {
        "markdown": "report.md",
        "html": "report.html",
        "sarif": "report.sarif",
    }.items():
        assert files[name] == rendered(report, form).encode()
    assert "Left out" not in printed
    script = (
        "import sys\nsys.modules['jinja2'] = None\nfrom privacy_gate.cli import main\n"
        "main(['evidence', *sys.argv[1:]])"
    )
    options = (tmp_path / "report.json", "-o", tmp_path / "less.zip", "--root", ROOT)
    command = [sys.executable, "-c", script, *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Left out: report.html" in done.stdout
    with zipfile.ZipFile(tmp_path / "less.zip") as archive:
        assert set(files) - set(archive.namelist()) == {"report.html"}
        assert b"report.html: this format is not installed" in archive.read("TERMS.md")


# ------------------------------------------------------------------------- what is never in it


def test_nothing_of_a_record_is_in_the_archive(tmp_path):
    def named(side, seed):
        records = colours(700, seed)
        numbers = np.arange(700)
        return {
            **records,
            "patient": np.array([f"SECRET-{side}-{number}" for number in numbers]),
            "ward": np.array([f"WARD-{side}-{number % 350}" for number in numbers]),
        }

    write_fixtures(
        tmp_path,
        named("in", 0),
        named("out", 1),
        identifier="patient",
        group="ward",
        provenance="HOSPITAL-RECORDS of a named ward",
    )
    manifest = (tmp_path / "data" / "manifest.json").read_text()
    assert KEY.hex() in manifest
    assert "members.npz" in manifest
    save_onnx(tmp_path / "model.onnx")
    config = write_config(tmp_path)
    (report,) = run(config).reports
    assert report.error is None
    files, _ = bundled(tmp_path, report, root=tmp_path)
    content = (tmp_path / "evidence.zip").read_bytes()  # stored, so that it can be searched
    assert files["TERMS.md"] in content
    for secret in ("SECRET", "WARD-", "HOSPITAL", KEY.hex(), "members.npz"):
        assert secret.encode() not in content
    excerpt = json.loads(files["fixtures.json"])
    assert excerpt["manifest_sha256"] == report.fixtures["sha256"]
    assert excerpt["sides"]["members"]["count"] == 700
    assert excerpt["columns_by_role"] == {"identifier": "patient", "group": "ward", "date": None}
    assert excerpt["sides"]["members"]["columns"]["x"] == {"dtype": "uint8", "shape": [8, 8, 3]}
    digest = hashlib.sha256((tmp_path / "data" / "members.npz").read_bytes()).hexdigest()
    assert excerpt["sides"]["members"]["files"] == [{"sha256": digest}]


def test_what_a_report_does_not_define_is_refused(tmp_path):
    content = report_samples.passing().to_dict()
    for place in (content, content["checks"][3], content["attacks"][0]["auc"]):
        place["records"] = ["SECRET"]
        path = tmp_path / "report.json"
        path.write_text(json.dumps(content))
        stderr = invoke(path, "-o", tmp_path / "e.zip", "--root", ROOT, code=2).stderr
        assert "entries that this version does not know" in stderr
        assert "SECRET" not in stderr
        del place["records"]
    path.write_text(json.dumps(content))
    invoke(path, "-o", tmp_path / "e.zip", "--root", ROOT)


# --------------------------------------------------------------------------- what belongs together


@pytest.fixture
def digits(tmp_path):
    """A copy of the bundled project that can be changed."""
    root = tmp_path / "project"
    shutil.copytree(DIGITS, root / "fixtures" / "digits")
    return root


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("private.yaml", "The configuration is not the one that the report was made with"),
        ("manifest.json", "not the fixtures that the report was made with"),
    ],
)
def test_a_changed_file_is_refused(tmp_path, digits, file, words):
    report = report_samples.passing()
    bundled(tmp_path, report, root=digits)
    (tmp_path / "evidence.zip").unlink()
    changed = digits / "fixtures" / "digits" / file
    changed.write_text(changed.read_text() + "\n")
    assert words in refusal(tmp_path, report, root=digits)
    changed.unlink()
    assert "here." in refusal(tmp_path, report, root=digits)


def test_the_policy_is_bundled_and_verified_too(tmp_path, digits):
    policy = digits / "privacy_policy.yaml"
    policy.write_text("owner: privacy-office\n")
    facts = {
        "path": "privacy_policy.yaml",
        "sha256": hashlib.sha256(policy.read_bytes()).hexdigest(),
    }
    report = replace(report_samples.passing(), policy=facts)
    files, _ = bundled(tmp_path, report, root=digits)
    assert files["policy.yaml"] == policy.read_bytes()
    assert facts["sha256"] in files["TERMS.md"].decode()
    policy.write_text("owner: somebody else\n")
    (tmp_path / "evidence.zip").unlink()
    assert "The policy is not the one" in refusal(tmp_path, report, root=digits)


def test_fixtures_that_have_moved_are_found_by_digest(tmp_path, digits):
    report, moved = report_samples.passing(), tmp_path / "elsewhere"
    moved.mkdir()
    (digits / "fixtures" / "digits" / "manifest.json").rename(moved / "manifest.json")
    assert "There is no manifest.json here" in refusal(tmp_path, report, root=digits)
    assert "fixtures.json" in bundled(tmp_path, report, "--fixtures", moved, root=digits)[0]


def test_a_pass_that_the_checks_do_not_support_is_refused(tmp_path):
    passing = report_samples.passing()
    failed = replace(passing.checks[0], verdict="fail")
    words = "it passes although a c"
    edited = replace(passing, checks=(failed, *passing.checks[1:]))
    assert words in refusal(tmp_path, edited)
    assert words in refusal(tmp_path, replace(passing, checks=()))
    assert words in refusal(tmp_path, replace(passing, complete=False))
    assert words in refusal(tmp_path, replace(report_samples.loosened(), verdict="pass"))


@pytest.mark.parametrize("path", ["a\nb", "\x1b[2J", "", "absent.yaml", "fixtures", "/dev/zero"])
def test_a_path_that_leads_nowhere_is_refused(tmp_path, path):
    report = report_samples.passing()
    config = {**report.config, "path": path}
    stderr = refusal(tmp_path, replace(report, config=config))
    assert stderr.startswith("privacy-gate: error: ")
    assert len(stderr.splitlines()) == 1
    assert "\x1b" not in stderr


BAD_REPORTS = {
    "not JSON": (b"verdict: pass", "not JSON"),
    "not text": (b"\xff\xfe{}", "not UTF-8"),
    "nothing": (b"", "not JSON"),
    "deeply nested": (b"[" * 100_000, "nested too deeply"),
    "another schema": (b'{"schema": "privacy-gate.measure/1"}', "no report of the schema"),
    "a list": (b"[]", "no report of the schema"),
    "several": (
        b'{"schema": "privacy-gate.reports/1", "reports": [], "missing": []}',
        "several reports",
    ),
    "half a report": (b'{"schema": "privacy-gate.report/1", "verdict": "pass"}', "damaged"),
}


@pytest.mark.parametrize("case", BAD_REPORTS)
def test_a_bad_report_is_an_error(tmp_path, case):
    content, words = BAD_REPORTS[case]
    path = tmp_path / "report.json"
    path.write_bytes(content)
    assert words in invoke(path, "-o", tmp_path / "e.zip", code=2).stderr
    assert "not here" in invoke(tmp_path / "absent.json", "-o", tmp_path / "e.zip", code=2).stderr
    assert "not here" in invoke(tmp_path, "-o", tmp_path / "e.zip", code=2).stderr
    assert not (tmp_path / "e.zip").exists()


def test_a_number_that_is_none_is_refused(tmp_path):
    text = rendered(report_samples.passing(), "json").replace('"budget": 0.1,', '"budget": NaN,')
    path = tmp_path / "report.json"
    path.write_text(text)
    assert "damaged" in invoke(path, "-o", tmp_path / "e.zip", code=2).stderr


# ------------------------------------------------------------------------------------- writing it


def test_nothing_is_overwritten_unless_that_is_asked_for(tmp_path):
    path = saved(tmp_path, report_samples.passing())
    target = tmp_path / "evidence.zip"
    target.write_text("mine")
    options = (path, "-o", target, "--root", ROOT)
    assert "exists. Give --force" in invoke(*options, code=2).stderr
    assert target.read_text() == "mine"
    invoke(*options, "--force")
    assert zipfile.is_zipfile(target)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["evidence.zip", "report.json"]


def test_a_place_that_cannot_be_written(tmp_path):
    path = saved(tmp_path, report_samples.passing())
    for target in (path / "evidence.zip", path / "deeper" / "evidence.zip"):
        assert "Cannot write" in invoke(path, "-o", target, "--root", ROOT, code=2).stderr
    assert "exists" in invoke(path, "-o", tmp_path, "--root", ROOT, code=2).stderr
    assert "Cannot" in invoke(path, "-o", tmp_path, "--root", ROOT, "--force", code=2).stderr
    assert "Nothing to write" in invoke(path, code=2).stderr


# ---------------------------------------------------------------------------------- the predicate


def predicate(tmp_path, report, code=0):
    target = tmp_path / "predicate.json"
    result = invoke(saved(tmp_path, report), "--predicate", target, code=code)
    return (json.loads(target.read_text()) if target.exists() else None), result


def test_the_predicate_states_the_verdict_about_the_models_digest(tmp_path):
    report = report_samples.passing()
    stated, result = predicate(tmp_path, report)
    model = (DIGITS / "private.safetensors").read_bytes()
    assert result.stdout == (
        "subject-name=private.safetensors\n"
        f"subject-digest=sha256:{hashlib.sha256(model).hexdigest()}\n"
    )
    assert stated["schema"] == "privacy-gate.predicate/1"
    assert (stated["verdict"], stated["complete"], stated["tolerated"]) == ("pass", True, False)
    assert stated["confidence"] == 0.95
    assert stated["run"] == report.run
    assert stated["digests"] == {
        "config": hashlib.sha256((DIGITS / "private.yaml").read_bytes()).hexdigest(),
        "extended": None,
        "policy": None,
        "fixtures": hashlib.sha256((DIGITS / "manifest.json").read_bytes()).hexdigest(),
        "report": hashlib.sha256((tmp_path / "report.json").read_bytes()).hexdigest(),
    }
    assert len(stated["checks"]) == len(report.checks)
    check = report.checks[0]
    assert stated["checks"][0] == {
        "id": check.id,
        "budget": check.budget,
        "estimate": check.estimate,
        "low": check.low,
        "high": check.high,
        "verdict": "pass",
    }


@pytest.mark.parametrize("name", ["failing", "inconclusive", "broken", "loosened"])
def test_a_report_that_lets_no_model_pass_has_no_predicate(tmp_path, name):
    report = getattr(report_samples, name)()
    stated, result = predicate(tmp_path, report, code=2)
    assert stated is None
    assert result.stdout == ""
    incomplete = replace(report_samples.passing(), complete=False)
    assert predicate(tmp_path, incomplete, code=2)[0] is None


def test_what_is_tolerated_is_stated_as_such(tmp_path):
    stated, _ = predicate(tmp_path, report_samples.waived())
    assert (stated["verdict"], stated["tolerated"]) == ("inconclusive", True)
    assert "waived" in {check["verdict"] for check in stated["checks"]}


@pytest.mark.parametrize("name", ["x\nsubject-digest=sha256:0", "-rf", "", "a b", "…", "a%0Ab"])
def test_a_models_name_cannot_add_a_line(tmp_path, name):
    report = report_samples.passing()
    hostile = replace(report, model={**report.model, "path": f"models/{name}"})
    lines = predicate(tmp_path, hostile)[1].stdout.splitlines()
    assert lines[0] in ("subject-name=model", "subject-name=models")
    assert len(lines) == 2


def test_without_the_models_digest_there_is_nothing_to_attest(tmp_path):
    report = report_samples.passing()
    unread = replace(report, model={key: report.model[key] for key in ("path", "format")})
    assert "nothing to attest" in predicate(tmp_path, unread, code=2)[1].stderr
    damaged = replace(report, model={**report.model, "sha256": "g" * 64})
    assert "damaged at model.sha256" in predicate(tmp_path, damaged, code=2)[1].stderr


# ----------------------------------------------------------------------------------- hostile text


@given(st.text(min_size=1, max_size=60) | st.text("`<!-|[]()#*_ \n>@a", min_size=1))
def test_no_text_of_a_report_becomes_markup_of_the_page(text):
    """The words of the page are its own; what a report says stands in code spans or is escaped."""
    plain = page(hostile("word"), ())
    shown = page(hostile(text), ())
    assert shown.count("\n") == plain.count("\n")
    own = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", shown)
    assert re.findall(r"^#+ ", own, re.MULTILINE) == re.findall(r"^#+ ", plain, re.MULTILINE)
    for mark in ("<", "@", "](", "\N{WHITE HEAVY CHECK MARK}"):
        assert mark not in own


def hostile(text):
    """A report that says ``text`` wherever it can."""
    report = report_samples.broken()
    return replace(
        report,
        name=text,
        cautions=(text,),
        config={"path": text, "sha256": text},
        model={"path": text, "format": text},
        run={**report.run, "commit": text},
        error={**report.error, "message": text},
        waivers=({"check": text, "until": text, "reason": text},),
    )
