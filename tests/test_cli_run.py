"""``privacy-gate run`` and the rest of the command line: options, files written, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import jsonschema
import pytest
from click.testing import CliRunner
from gate_project import (
    DIGITS,
    onnx_project,
    save_onnx,
    write_config,
    write_module,
)

from privacy_gate import __version__
from privacy_gate.cli import main
from privacy_gate.config import config_schema
from privacy_gate.report.schema import report_schema

UNDECIDABLE = [{"metric": "tpr_at_fpr", "fpr": 0.001, "max": 0.002}]
COMMAND = [sys.executable, "-c", "from privacy_gate.cli import main; main()"]


@pytest.fixture
def colours(tmp_path, monkeypatch):
    """A project that passes, as the working directory, in which nothing of the user's is set."""
    for name in ("CONFIG", "MODEL", "FIXTURES", "DEVICE", "ROOTS", "KEY", "DEBUG"):
        monkeypatch.delenv(f"PRIVACY_GATE_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    onnx_project(tmp_path)
    return tmp_path


def invoke(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def read(path):
    content = json.loads(Path(path).read_text())
    jsonschema.validate(content, report_schema())
    return content


# ------------------------------------------------------------------------------------------- run


def test_the_default_configuration(colours):
    text = invoke("run").stdout
    assert text.splitlines()[0].endswith("PASS")
    assert "privacy_gate  colours" in text


def test_the_report_is_written(colours):
    invoke("run", "--output", "deep/reports")
    content = read("deep/reports/report.json")
    assert (content["verdict"], content["complete"], content["name"]) == ("pass", True, "colours")
    endings = ("html", "json", "md", "sarif")
    assert sorted(os.listdir("deep/reports")) == [f"report.{ending}" for ending in endings]


def test_json_alone_goes_to_standard_output(colours):
    content = json.loads(invoke("run", "--json", "-").stdout)
    assert content["verdict"] == "pass"
    assert "PASS" in invoke("run", "--json", "there/r.json", "--output", "here").stdout
    assert read("there/r.json")["checks"] == read("here/report.json")["checks"]


@pytest.mark.parametrize(
    ("changes", "code", "verdict"),
    [
        ({"budgets": UNDECIDABLE}, 3, "inconclusive"),
        ({"model": {"path": "absent.onnx"}}, 2, "error"),
        ({"typo": 1}, 2, "error"),
        ({"fixtures": "absent"}, 2, "error"),
    ],
)
def test_reports_are_written_whatever_happens(colours, changes, code, verdict):
    write_config(colours, **changes)
    result = invoke("run", "--output", "out", "--json", "r.json", code=code)
    assert verdict.upper() in result.stdout
    for path in ("out/report.json", "r.json"):
        content = read(path)
        assert (content["verdict"], content["complete"]) == (verdict, False)
        assert all(check["verdict"] != "pass" for check in content["checks"])


def test_no_configuration(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = invoke("run", "--output", "out", code=2)
    assert "privacy_gate.yaml" in result.stdout
    assert read("out/report.json")["verdict"] == "error"


def test_several_configurations(colours):
    write_config(colours, "other.yaml", name="other", budgets=UNDECIDABLE)
    write_config(colours, "broken.yaml", name="broken", model={"path": "absent.onnx"})
    result = invoke("run", "privacy_gate.yaml", "other.yaml", "--output", "out", code=3)
    assert "PASS" in result.stdout
    assert "INCONCLUSIVE" in result.stdout
    together = {"reports.json", "report.md", "report.html", "report.sarif"}
    assert set(os.listdir("out")) == {"colours", "other", *together}
    assert read("out/colours/report.json")["verdict"] == "pass"
    invoke("run", "broken.yaml", "privacy_gate.yaml", "other.yaml", "--output", "all", code=2)
    names = [path.parent.name for path in Path("all").glob("*/report.json")]
    verdicts = {name: read(f"all/{name}/report.json")["verdict"] for name in names}
    assert verdicts == {"broken": "error", "colours": "pass", "other": "inconclusive"}


def test_a_name_given_twice_loses_no_report(colours):
    (colours / "same.yaml").write_text((colours / "privacy_gate.yaml").read_text())
    invoke("run", "privacy_gate.yaml", "same.yaml", "--output", "out", code=2)
    assert read("out/colours/report.json")["verdict"] == "pass"
    assert read("out/colours-2/report.json")["verdict"] == "error"


def test_one_json_file_for_several_configurations(colours):
    (colours / "same.yaml").write_text((colours / "privacy_gate.yaml").read_text())
    result = invoke("run", "privacy_gate.yaml", "same.yaml", "--json", "r.json", code=2)
    assert "--output DIR" in result.stderr
    assert not Path("r.json").exists()


@pytest.mark.parametrize("option", ["--output", "--json"])
def test_a_place_that_cannot_be_written(colours, option):
    Path("taken").write_text("a file")
    result = invoke("run", option, "taken/r.json", code=2)
    assert "Cannot write taken/r.json" in result.stderr


def test_overrides(colours):
    save_onnx(colours / "other.onnx")
    invoke(
        "run", "--model", "other.onnx", "--fixtures", "data", "--device", "cpu", "--output", "out"
    )
    content = read("out/report.json")
    assert {entry["key"] for entry in content["overrides"]} == {
        "model.path", "fixtures.path", "model.device",
    }  # fmt: skip
    assert content["model"]["path"] == "other.onnx"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--device", "gpu"], "Unknown device 'gpu'"),
        (["--model", ""], "The value is empty"),
        (["--model", "absent.onnx"], "absent.onnx"),
        (["--fixtures", "absent"], "absent"),
        (["--allow-root", "absent"], "is not a directory"),
    ],
)
def test_overrides_that_cannot_be_used(colours, arguments, words):
    result = invoke("run", *arguments, "--output", "out", code=2)
    assert words in result.stdout.replace("\n     ", " ")
    assert read("out/report.json")["verdict"] == "error"


def test_an_allowed_root(colours, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    save_onnx(elsewhere / "model.onnx")
    write_config(colours, model={"path": os.path.relpath(elsewhere / "model.onnx", colours)})
    assert "outside the project" in invoke("run", code=2).stdout.replace("\n     ", " ")
    assert "PASS" in invoke("run", "--allow-root", elsewhere).stdout


def test_the_unforeseen_outside_a_run(colours, monkeypatch):
    def broken(*arguments, **options):
        raise RuntimeError("secret 123")

    monkeypatch.setattr("privacy_gate.report.terminal.render", broken)
    result = invoke("run", code=2)
    assert "internal error (RuntimeError)" in result.stderr
    assert "secret" not in result.output


# ------------------------------------------------------------------------------- schema and help


@pytest.mark.parametrize(("name", "schema"), [("config", config_schema), ("report", report_schema)])
def test_schemas_are_printed(name, schema):
    assert json.loads(invoke("schema", name).stdout) == json.loads(json.dumps(schema()))


def test_a_schema_that_does_not_exist():
    assert "'config', 'policy', 'report'" in invoke("schema", "manifest", code=2).stderr


def commands(group, path=()):
    yield path
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            yield from commands(group.get_command(context, name), (*path, name))


@pytest.mark.parametrize("path", list(commands(main)), ids=" ".join)
def test_every_command_explains_itself(path):
    text = invoke(*path, "--help").stdout
    assert text.startswith("Usage: ")
    assert invoke(*path, "-h").stdout == text
    described = [line for line in text.splitlines() if line.startswith("  -")]
    assert described


def test_the_commands_there_are():
    assert set(main.list_commands(click.Context(main))) >= {"run", "measure", "fixtures", "schema"}
    assert __version__ in invoke("--version").stdout


@pytest.mark.parametrize(
    "arguments", [["--nonsense"], ["nonsense"], ["run", "--nonsense"], ["run", "--output"], []]
)
def test_bad_usage(arguments):
    invoke(*arguments, code=2)


# ---------------------------------------------------------------------------- as a real process


def process(*arguments, cwd=None, **options):
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, **options
    )


def installed():
    """The command that installation put beside this Python."""
    return Path(sys.executable).with_name("privacy-gate")


@pytest.mark.skipif(not installed().exists(), reason="the package is not installed as a command")
def test_the_installed_command(tmp_path):
    done = subprocess.run(
        [installed(), "run", DIGITS / "leaky-onnx.yaml", "--output", tmp_path / "out"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[0].endswith("FAIL")
    assert done.stderr == ""
    assert read(tmp_path / "out" / "report.json")["verdict"] == "fail"


def test_exit_codes_reach_the_shell(colours):
    write_config(colours, "open.yaml", name="open", budgets=UNDECIDABLE)
    for name, code in (("privacy_gate", 0), ("open", 3)):
        assert process("run", f"{name}.yaml", cwd=colours).returncode == code
    assert process("nonsense").returncode == 2


def test_code_of_the_user_that_exits_is_no_pass(colours):
    """``sys.exit(0)`` in the user's preprocessing must not become the exit code of the command."""
    code = "import sys\n\n\ndef prepare(images):\n    sys.exit(0)\n"
    write_config(colours, model={"preprocess": f"{write_module(colours, code)}:prepare"})
    done = process("run", cwd=colours)
    assert done.returncode == 2
    assert "SystemExit" in done.stdout


def test_an_interrupt_is_neither_a_pass_nor_an_error(colours):
    code = (
        "import pathlib, time\n\n\ndef prepare(images):\n"
        "    pathlib.Path(__file__).with_name('started').touch()\n    time.sleep(60)\n"
    )
    write_config(colours, model={"preprocess": f"{write_module(colours, code)}:prepare"})
    running = subprocess.Popen(
        [*COMMAND, "run"], cwd=colours, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not (colours / "started").exists() and time.monotonic() < deadline:
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "interrupted" in err
    assert "PASS" not in out
    assert "Traceback" not in err


def test_a_reader_that_leaves_early_is_no_pass(colours):
    """``privacy-gate run | head -0`` cannot show a verdict, so it does not claim one."""
    running = subprocess.Popen(
        [*COMMAND, "run"], cwd=colours, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    running.stdout.close()
    running.wait(timeout=60)
    running.stderr.close()
    assert running.returncode == 2
