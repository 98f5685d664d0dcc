"""The first step: checks the inputs, installs privacy_gate into the caller's Python, verifies it.

An installed torch is never replaced, and onnxruntime and onnxruntime-gpu never meet: a second one
would silently overwrite the files of the first. With ``--report-only`` nothing that opens a model
is installed, torch neither.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from inputs import Refused, read, refuse, write_outputs

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
# -P keeps the working directory, the candidate's checkout, from standing in for pip's own modules.
PIP = (sys.executable, "-P", "-m", "pip", "install", "--disable-pip-version-check", "--no-input")
NEEDED = {"privacy_gate": "privacy-gate", "github": "PyGithub", "jinja2": "Jinja2"}
"""Module -> distribution of everything that later steps import."""
OTHER_PYTHON = "Use actions/setup-python or a virtual environment; the input python names it."


def main(arguments: list[str]) -> None:
    """Install where it is wanted; then say in one sentence what is there."""
    report_only = "--report-only" in arguments
    given = read(os.environ)
    check_python()
    torch = installed("torch")
    if given.install:
        for command in commands(report_only):
            pip(command)
    print(verified(torch), flush=True)
    write_outputs(
        python=sys.executable,
        artifact=given.artifact,
        sarif="true" if given.sarif else "false",
    )


def check_python() -> None:
    """Raises ``Refused`` where this Python cannot run the package."""
    if sys.version_info < OLDEST:
        here = ".".join(map(str, sys.version_info[:3]))
        raise Refused(f"privacy_gate needs Python 3.11 or newer; this is {here}. {OTHER_PYTHON}")


# ---------------------------------------------------------------------------------- what to install


def commands(report_only: bool) -> list[list[str]]:
    """The pip command lines, in order."""
    if report_only:
        return [list(without_models()), ["--no-deps", str(ROOT)]]
    extras = ["github", "html", *onnx_extra()]
    return [["--constraint", str(torch_constraint()), f"{ROOT}[{','.join(extras)}]"]]


def torch_constraint() -> Path:
    """A constraints file that holds torch at the installed version, or else at the tested one."""
    exact = installed("torch")
    if exact is None and find_spec("torch") is not None:
        raise Refused(
            "torch can be imported, but pip does not know it and would replace it."
            " Install privacy_gate yourself and set install: false."
        )
    pinned = re.search(r"^torch==\S+$", (ROOT / "constraints.txt").read_text("utf-8"), re.M)
    assert pinned is not None, "constraints.txt pins torch"
    line = pinned[0] if exact is None else f"torch=={exact}"
    file = Path(tempfile.mkdtemp(dir=os.environ.get("RUNNER_TEMP"))) / "torch.txt"
    file.write_text(line + "\n", encoding="utf-8")
    return file


def onnx_extra() -> list[str]:
    """``onnx`` or ``onnx-gpu``; neither where another build of ONNX Runtime is already there."""
    if installed("onnxruntime-gpu"):
        return ["onnx-gpu"]
    if installed("onnxruntime"):
        return ["onnx"]
    if find_spec("onnxruntime") is not None:
        print("onnxruntime is there under another name (a vendor's build) and is left as it is.")
        return []
    return ["onnx-gpu" if nvidia_gpu() else "onnx"]


def nvidia_gpu() -> bool:
    """Whether the driver lists at least one GPU."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return False
    try:
        done = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0 and "GPU " in done.stdout


def without_models() -> list[str]:
    """The requirements of reporting: those of the package without torch, and two extras."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    every = [*project["dependencies"], *extras["github"], *extras["html"]]
    return [line for line in every if re.split(r"[^A-Za-z0-9._-]", line)[0].lower() != "torch"]


def pip(arguments: list[str]) -> None:
    """Run ``pip install``, its output folded away in the log."""
    if find_spec("pip") is None:
        raise Refused(f"The Python at {sys.executable} has no pip. {OTHER_PYTHON}")
    print("::group::pip install", flush=True)
    code = subprocess.run([*PIP, *arguments]).returncode
    print("::endgroup::", flush=True)
    if code != 0:
        torch = installed("torch")
        kept = f" The installed torch {torch} is not replaced." if torch else ""
        raise Refused(
            f"pip could not install privacy_gate (exit code {code}); its last lines say why."
            f"{kept} {OTHER_PYTHON}"
        )


# ------------------------------------------------------------------------------------ what is there


def installed(distribution: str) -> str | None:
    """The version that is installed, ``None`` if it is not."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def verified(torch_before: str | None) -> str:
    """One sentence that says what the gate will run with; raises ``Refused`` where it cannot."""
    found = look()
    missing = [name for module, name in NEEDED.items() if not found[module]]
    if missing:
        raise Refused(
            f"Not installed: {', '.join(missing)}."
            " Run pip install 'privacy-gate[github,html]', or leave out install: false."
        )
    if found["onnxruntime"] and found["onnxruntime-gpu"]:
        raise Refused(
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other."
            " Uninstall both, then install the one that is meant."
        )
    if torch_before is not None and found["torch"] != torch_before:
        raise Refused(
            f"torch {torch_before} was replaced by {found['torch'] or 'nothing'}. That must not"
            " happen: install privacy_gate yourself and set install: false."
        )
    left = " (left as it was)" if torch_before else ""
    parts = [f"Python {found['python']}"]
    parts += [f"torch {found['torch']}{left}"] if found["torch"] else []
    parts += [f"{name} {found[name]}" for name in ("onnxruntime", "onnxruntime-gpu") if found[name]]
    return f"privacy_gate {found['privacy_gate']} is ready with {', '.join(parts)}."


def look() -> dict[str, str]:
    """What a new process of this Python finds: name -> version, empty if it is not there."""
    script = (
        "import json, platform, sys\n"
        "from importlib.metadata import PackageNotFoundError, version\n"
        "from importlib.util import find_spec\n"
        "def known(name):\n"
        "    try: return version(name)\n"
        "    except PackageNotFoundError: return ''\n"
        "found = {n: known(n) for n in ('torch', 'onnxruntime', 'onnxruntime-gpu')}\n"
        f"found.update({{m: m if find_spec(m) else '' for m in {list(NEEDED)!r}}})\n"
        "if found['privacy_gate']:\n"
        "    found['privacy_gate'] = __import__('privacy_gate').__version__\n"
        "print(json.dumps({**found, 'python': platform.python_version()}))\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", script], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Refused("privacy_gate is installed, but cannot be imported; the log says why.")
    found: dict[str, str] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Refused as error:
        refuse(error)
