"""The first step of the action, as a real process: what it installs, and what it leaves alone.

pip is a stand-in that writes down what it was asked; tests/test_action_torch.py uses the real one.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest
from composite import read_outputs

ROOT = Path(__file__).parent.parent
INSTALL = ROOT / "action" / "install.py"
PINNED = re.search(r"^torch==\S+$", (ROOT / "constraints.txt").read_text(), re.M)[0]

PIP = """
import json, os, pathlib, sys
here = pathlib.Path(os.environ["STAND_IN"])
plan = json.loads((here / "plan.json").read_text())
words = sys.argv[1:]
file = words[words.index("--constraint") + 1] if "--constraint" in words else None
entry = {"words": words, "constraint": pathlib.Path(file).read_text() if file else None}
with (here / "pip.jsonl").open("a") as record:
    record.write(json.dumps(entry) + "\\n")
for name, version in plan["installs"].items():
    for old in here.glob(f"{name}-*.dist-info"):
        (old / "METADATA").unlink(), old.rmdir()
    (here / f"{name}-{version}.dist-info").mkdir()
    text = f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n"
    (here / f"{name}-{version}.dist-info" / "METADATA").write_text(text)
for module in plan["modules"]:
    (here / f"{module}.py").write_text("__version__ = '0.1.0'\\n")
sys.exit(plan["code"])
"""
MODULES = ("privacy_gate", "github", "jinja2")


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory):
    """A Python without any package, not even pip."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False, symlinks=True)
    return folder / "bin" / "python"


@dataclass
class Done:
    code: int
    log: str
    outputs: dict[str, str]
    asked: list[dict]

    @property
    def refusal(self) -> str:
        """The one annotation of a step that ended with exit code 2."""
        assert self.code == 2, self.log
        (line,) = [line for line in self.log.splitlines() if line.startswith("::error")]
        return line.removeprefix("::error title=privacy_gate::")

    @property
    def requirement(self) -> str:
        (asked,) = self.asked
        return asked["words"][-1]


@pytest.fixture
def install(tmp_path, bare_python):
    """Run the step in an environment that has ``present`` (distribution -> version) installed."""
    here = tmp_path / "stand-in"
    (here / "pip").mkdir(parents=True)
    (here / "pip" / "__init__.py").touch()
    (here / "pip" / "__main__.py").write_text(PIP)

    def run(
        *words, present=None, modules=(), gpu=None, code=0, installs=None, start=None, **inputs
    ):
        for name, version in (present or {}).items():
            (here / f"{name}-{version}.dist-info").mkdir()
            text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            (here / f"{name}-{version}.dist-info" / "METADATA").write_text(text)
        for module in modules:
            (here / f"{module}.py").write_text("__version__ = '0.1.0'\n")
        plan = {"code": code, "installs": installs or {}, "modules": MODULES if not code else ()}
        (here / "plan.json").write_text(json.dumps(plan))
        programs = tmp_path / "programs"
        programs.mkdir()
        if gpu is not None:
            (programs / "nvidia-smi").write_text(f"#!/bin/sh\n{gpu}\n")
            (programs / "nvidia-smi").chmod(0o755)
        output = tmp_path / "output"
        output.touch()
        done = subprocess.run(
            [str(bare_python), *(start or [str(INSTALL)]), *words],
            cwd=tmp_path,
            env={
                "PATH": f"{programs}{os.pathsep}/usr/bin{os.pathsep}/bin",
                "PYTHONPATH": str(here),
                "PYTHONDONTWRITEBYTECODE": "1",
                "STAND_IN": str(here),
                "RUNNER_TEMP": str(tmp_path),
                "GITHUB_OUTPUT": str(output),
                **{f"INPUT_{name.upper()}": value for name, value in inputs.items()},
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        record = here / "pip.jsonl"
        asked = record.read_text().splitlines() if record.exists() else []
        return Done(
            done.returncode,
            done.stdout,
            read_outputs(output.read_text()),
            [json.loads(line) for line in asked],
        )

    return run


# -------------------------------------------------------------------------------------------- torch


def test_without_torch_the_tested_one_is_installed(install):
    done = install()
    assert done.code == 0, done.log
    (asked,) = done.asked
    assert asked["constraint"].split() == [PINNED]
    assert done.requirement == f"{ROOT}[github,html,onnx]"


@pytest.mark.parametrize("version", ["2.9.1+cu128", "2.11.0a0+git1234567.nv26.2", "2.6.0"])
def test_an_installed_torch_is_held_at_exactly_its_version(install, version):
    done = install(present={"torch": version})
    assert done.code == 0, done.log
    assert done.asked[0]["constraint"].split() == [f"torch=={version}"]
    assert f"torch {version} (left as it was)" in done.log.splitlines()[-1]


def test_a_torch_that_was_replaced_after_all_is_an_error(install):
    done = install(present={"torch": "2.9.1+cu128"}, installs={"torch": "2.13.0"})
    assert "torch 2.9.1+cu128 was replaced by 2.13.0" in done.refusal


def test_a_torch_that_pip_does_not_know_is_not_overwritten(install):
    done = install(modules=["torch"])
    assert "torch can be imported, but pip does not know it" in done.refusal
    assert done.asked == []


# ------------------------------------------------------------------------------------- ONNX Runtime

LISTED = "echo 'GPU 0: NVIDIA T4 (UUID: GPU-0)'"


@pytest.mark.parametrize(
    ("present", "gpu", "extra"),
    [
        ({}, None, "onnx"),
        ({}, LISTED, "onnx-gpu"),
        ({}, "echo 'NVIDIA-SMI has failed'; exit 9", "onnx"),
        ({}, "echo 'No devices were found'", "onnx"),
        ({"onnxruntime": "1.31.1"}, LISTED, "onnx"),
        ({"onnxruntime_gpu": "1.31.1"}, None, "onnx-gpu"),
        ({"onnxruntime_gpu": "1.31.1"}, LISTED, "onnx-gpu"),
    ],
)
def test_the_build_of_onnx_runtime_that_is_there_or_that_fits(install, present, gpu, extra):
    done = install(present=present, gpu=gpu)
    assert done.code == 0, done.log
    assert done.requirement == f"{ROOT}[github,html,{extra}]"


def test_a_vendors_build_of_onnx_runtime_is_left_alone(install):
    done = install(modules=["onnxruntime"], present={"onnxruntime_openvino": "1.24.1"}, gpu=LISTED)
    assert done.code == 0, done.log
    assert done.requirement == f"{ROOT}[github,html]"
    assert "left as it is" in done.log


def test_both_builds_at_once_are_refused(install):
    done = install(present={"onnxruntime": "1.31.1", "onnxruntime_gpu": "1.31.1"})
    assert "overwrite each other" in done.refusal


# ----------------------------------------------------------------------------------- what else ends


def test_a_step_that_went_well_ends_with_one_sentence(install):
    done = install(present={"torch": "2.13.0", "onnxruntime": "1.31.1"}, id="small", sarif="True")
    here = ".".join(map(str, sys.version_info[:3]))
    assert done.log.splitlines()[-1] == (
        f"privacy_gate 0.1.0 is ready with Python {here},"
        " torch 2.13.0 (left as it was), onnxruntime 1.31.1."
    )
    assert done.outputs["artifact"] == "privacy-gate-report-small"
    assert done.outputs["sarif"] == "true"


def test_a_failed_pip_is_explained(install):
    done = install(present={"torch": "2.9.1+cu128"}, code=1)
    assert "exit code 1" in done.refusal
    assert "torch 2.9.1+cu128 is not replaced" in done.refusal
    assert "actions/setup-python" in done.refusal


def test_install_false_takes_what_is_there(install):
    done = install(install="false", modules=MODULES, present={"torch": "2.9.1+cu128"})
    assert (done.code, done.asked) == (0, [])


def test_install_false_without_the_package_is_an_error(install):
    done = install(install="false", modules=["privacy_gate"])
    assert "Not installed: PyGithub, Jinja2." in done.refusal
    assert done.asked == []


def test_an_old_python_is_told_so(install):
    pretend = "import runpy, sys; sys.version_info = (3, 9, 1); sys.path.insert(0, sys.argv[1]);"
    start = ["-c", f"{pretend} runpy.run_path(sys.argv[1] + '/install.py', run_name='__main__')"]
    done = install(str(INSTALL.parent), start=start)
    assert "needs Python 3.11 or newer; this is 3.9.1" in done.refusal
    assert done.asked == []


@pytest.mark.parametrize("file", ["install.py", "inputs.py"])
def test_an_old_python_can_read_what_refuses_it(file):
    ast.parse((INSTALL.parent / file).read_text(), feature_version=(3, 8))


@pytest.mark.parametrize(
    ("inputs", "word"),
    [
        ({"install": "yes"}, "install"),
        ({"sarif": "1"}, "sarif"),
        ({"check_run": "on"}, "check-run"),
        ({"comment": "sometimes"}, "comment"),
        ({"id": "../x"}, "id"),
        ({"id": "a\nb"}, "id"),
        ({"id": "x" * 65}, "id"),
        ({"id": "-x"}, "id"),
        ({"output": "stand-in"}, "output"),
    ],
)
def test_inputs_that_cannot_be_meant_are_refused_before_anything_is_installed(
    install, inputs, word
):
    done = install(**inputs)
    assert re.search(rf"[Tt]he (directory of the )?input {word} ", done.refusal)
    assert done.asked == []


def test_reporting_installs_nothing_that_opens_a_model(install):
    done = install("--report-only")
    assert done.code == 0, done.log
    requirements, package = done.asked
    names = {re.split(r"[><=\[]", word)[0].lower() for word in requirements["words"][3:]}
    assert {"pygithub", "jinja2", "pydantic", "click", "numpy", "scipy"} <= names
    assert not {"torch", "onnx", "onnxruntime", "onnxruntime-gpu"} & names
    assert package["words"][-2:] == ["--no-deps", str(ROOT)]
