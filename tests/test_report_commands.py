"""``privacy-gate report render | merge``, and every format that ``run`` and pytest write."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
import report_samples as samples
import yaml
from click.testing import CliRunner
from gate_project import DIGITS, digits_project, onnx_project, write_config
from recounting import genuine

from privacy_gate.cli import main
from privacy_gate.domain import ReportSet
from privacy_gate.faces import rendered
from privacy_gate.registry import SET_RENDERERS, resolve
from privacy_gate.report.json_report import render, render_set

FILES = {
    "json": "report.json",
    "markdown": "report.md",
    "html": "report.html",
    "sarif": "report.sarif",
}
MERGED = {"report.json", "report.md", "report.html", "report.sarif"}
UNDECIDABLE = [{"metric": "tpr_at_fpr", "fpr": 0.001, "max": 0.002}]


def invoke(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("CONFIG", "MODEL", "FIXTURES", "DEVICE", "ROOTS", "KEY", "DEBUG", "POLICY_REF"):
        monkeypatch.delenv(f"PRIVACY_GATE_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def save(report, name="report.json"):
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(render(report))
    return name


def contents(folder):
    """Relative path -> bytes of every file."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }


# ------------------------------------------------------------------------------------------ render


def test_a_rendered_report_is_what_run_wrote_byte_for_byte(folder):
    config = digits_project(folder, "private-onnx")
    printed = invoke("run", config, "--output", "run").stdout
    assert set(contents("run")) == MERGED
    invoke("report", "render", "run/report.json", "--output", "again")
    assert contents("again") == contents("run")
    assert invoke("report", "render", "run/report.json").stdout == printed
    for form, file in FILES.items():
        invoke("report", "render", "run/report.json", f"--{form}", f"single/{file}")
        printed = invoke("report", "render", "run/report.json", f"--{form}", "-").stdout_bytes
        assert printed == contents("run")[file]
    assert contents("single") == contents("run")


def test_rendered_reports_of_several_are_what_run_wrote(folder):
    onnx_project(folder)
    write_config(folder, "other.yaml", name="other", budgets=UNDECIDABLE)
    invoke("run", "privacy_gate.yaml", "other.yaml", "--output", "run", code=3)
    written = contents("run")
    parts = {f"{name}/{file}" for name in ("colours", "other") for file in MERGED}
    assert set(written) == parts | MERGED - {"report.json"} | {"reports.json"}
    invoke("report", "render", "run/reports.json", "--output", "again")
    assert contents("again") == written
    assert "INCONCLUSIVE" in invoke("report", "render", "run/reports.json").stdout
    invoke("report", "render", "run/reports.json", "--markdown", "all.md")
    assert Path("all.md").read_bytes() == written["report.md"]
    missing = invoke("run", "privacy_gate.yaml", "other.yaml", "--html", "x.html", code=2)
    assert "--html writes one file" in missing.stderr


@pytest.mark.parametrize("sample", [samples.failing, samples.broken, samples.waived])
def test_rendering_is_no_judging(folder, sample):
    """The exit code says that it is written; the verdict is in it."""
    report = sample()
    save(report)
    for form in FILES:
        invoke("report", "render", "report.json", f"--{form}", "file")
        assert Path("file").read_text() == rendered(report, form)
    assert report.verdict.upper() in invoke("report", "render", "report.json").stdout


def test_rendering_loads_no_model_library(folder):
    save(samples.passing())
    code = (
        "import sys\nfrom privacy_gate.cli import main\n"
        "try:\n    main(['report', 'render', 'report.json', '--output', 'out'])\n"
        "except SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "print(*{'torch', 'onnxruntime', 'github', 'matplotlib'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "Cannot read report.json: No such file"),
        (b"\xff", "is not UTF-8"),
        (b"{", "report.json: The report is not JSON at line 1"),
        (b'{"schema": "privacy-gate.report/1"}', "report.json: The report is damaged at name"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(folder, text, words):
    if text is not None:
        Path("report.json").write_bytes(text)
    result = invoke("report", "render", "report.json", "--output", "out", code=2)
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not Path("out").exists()


def test_two_formats_cannot_both_be_printed(folder):
    save(samples.broken())
    arguments = ("report", "render", "report.json", "--json", "-", "--html", "-")
    assert "Only one format" in invoke(*arguments, code=2).stderr


# ----------------------------------------------------------------------------- without html's extra


@pytest.fixture
def without_jinja2(monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    known = importlib.util.find_spec

    def find_spec(name, *arguments):
        return None if name == "jinja2" else known(name, *arguments)

    monkeypatch.setattr("privacy_gate.commands.report_files.find_spec", find_spec)
    # the module that renderers will find: pytester forgets some, so that there may be several
    html = importlib.import_module("privacy_gate.report.html")
    html._environment.cache_clear()
    yield
    html._environment.cache_clear()


def test_without_jinja2_the_other_formats_are_written_and_it_is_said_once(folder, without_jinja2):
    onnx_project(folder)
    write_config(folder, "other.yaml", name="other")
    result = invoke("run", "privacy_gate.yaml", "other.yaml", "--output", "out")
    assert not list(Path("out").rglob("*.html"))
    assert len(list(Path("out").rglob("*.sarif"))) == 3
    (line,) = result.stderr.splitlines()
    assert "report.html is not written" in line
    assert "privacy-gate[html]" in line
    failed = invoke("run", "--html", "x.html", code=2)
    assert "privacy-gate[html]" in failed.stderr
    assert failed.stdout == ""  # refused before the model is run


# -------------------------------------------------------------------------------------------- merge


def test_a_matrix_becomes_one_report(folder):
    passing, failing = samples.passing(), samples.failing()
    save(passing, "jobs/a/report.json")
    save(failing, "jobs/b/deep/report.json")
    result = invoke("report", "merge", "jobs", "-o", "out", code=1)
    assert "2 reports, 0 missing: fail" in result.stdout
    assert "digits-private" in result.stdout
    reports = ReportSet((passing, failing))
    assert set(contents("out")) == MERGED
    for form, file in FILES.items():
        assert Path("out", file).read_text() == resolve(SET_RENDERERS[form])(reports), form
    content = json.loads(Path("out/report.json").read_text())
    assert content["schema"] == "privacy-gate.reports/1"
    assert (content["verdict"], content["complete"]) == ("fail", True)
    invoke("report", "merge", save(passing), "-o", "out", code=0)


def test_merging_again_changes_nothing(folder):
    save(samples.passing(), "jobs/a/report.json")
    save(samples.broken(), "jobs/b/report.json")
    invoke("report", "merge", "jobs", "--expect", "gone", "-o", "jobs/all", code=2)
    first = contents("jobs/all")
    invoke("report", "merge", "jobs", "-o", "jobs/all", code=2)
    assert contents("jobs/all") == first
    assert json.loads(first["report.json"])["missing"] == ["gone"]
    save(genuine("no leak")[0], "late/report.json")
    late = json.loads(Path("late/report.json").read_text())
    Path("late/report.json").write_text(json.dumps({**late, "name": "gone"}))
    invoke("report", "merge", "jobs/all", "late", "-o", "out", code=2)
    assert json.loads(Path("out/report.json").read_text())["missing"] == []


def test_an_expected_model_without_a_report_is_missing_and_fails(folder):
    save(samples.passing())
    Path("other.yaml").write_text(yaml.safe_dump({"name": "other", "no": "matter"}))
    Path("unnamed").mkdir()
    Path("unnamed/privacy_gate.yaml").write_text("version: 1\n")
    arguments = ["--expect", "digits-private", "--config", "other.yaml"]
    arguments += ["--config", "unnamed/privacy_gate.yaml", "--expect", "third"]
    result = invoke("report", "merge", "report.json", *arguments, "-o", "out", code=1)
    content = json.loads(Path("out/report.json").read_text())
    assert content["missing"] == ["third", "other", "unnamed"]
    assert (content["verdict"], content["complete"]) == ("fail", False)
    assert "other: there is no report" in result.stdout
    assert "other" in Path("out/report.md").read_text()
    known = ("--expect", "digits-private", "--config", DIGITS / "private.yaml")
    invoke("report", "merge", "report.json", *known, "-o", "out")
    assert "does not exist" in (
        invoke("report", "merge", "report.json", "--config", "no.yaml", "-o", "out", code=2).stderr
    )


def test_missing_alone_fails_and_nothing_at_all_is_an_error(folder):
    Path("empty").mkdir()
    invoke("report", "merge", "empty", "absent", "--expect", "digits", "-o", "out", code=1)
    assert json.loads(Path("out/report.json").read_text())["reports"] == []
    assert "There is no report" in invoke("report", "merge", "empty", "-o", "o", code=2).stderr


def test_two_reports_of_one_name(folder):
    save(samples.passing(), "a/report.json")
    save(samples.passing(), "b/report.json")
    invoke("report", "merge", "a", "b", "-o", "out")
    assert len(json.loads(Path("out/report.json").read_text())["reports"]) == 1
    save(samples.inconclusive(), "b/report.json")
    result = invoke("report", "merge", "a", "b", "-o", "out", code=2)
    assert "two different reports of 'digits-private'" in result.stderr


def test_one_damaged_report_is_an_error(folder):
    save(samples.passing(), "a/report.json")
    Path("a/b").mkdir()
    Path("a/b/report.json").write_text(render(samples.failing()).replace('"fail"', '"pass"'))
    result = invoke("report", "merge", "a", "-o", "out", code=2)
    assert "a/b/report.json: The report is damaged" in result.stderr


def test_a_set_given_to_merge_counts_with_its_missing_ones(folder):
    Path("set.json").write_text(render_set(ReportSet((samples.passing(),), ("x", "\x1b[31m"))))
    result = invoke("report", "merge", "set.json", "-o", "out", code=1)
    assert "\x1b" not in result.stdout
    assert json.loads(Path("out/report.json").read_text())["missing"] == ["x", "\x1b[31m"]


# ------------------------------------------------------------------------------------------- pytest


def test_pytest_writes_every_format(project):
    project.configure()
    project.run("--privacy-gate", "--privacy-gate-report=report")
    assert set(contents(project.path / "report")) == MERGED
    again = invoke("report", "render", project.path / "report/report.json", "--html", "-")
    assert again.stdout_bytes == (project.path / "report/report.html").read_bytes()


def test_pytest_writes_several_configurations_like_run(project):
    paths = [project.configure(f"{name}.yaml", name=name) for name in ("one", "two")]
    options = [f"--privacy-gate-config={path.name}" for path in paths]
    project.run(*options, "--privacy-gate-report=report")
    parts = {f"{name}/{file}" for name in ("one", "two") for file in MERGED}
    together = MERGED - {"report.json"} | {"reports.json"}
    assert set(contents(project.path / "report")) == parts | together
