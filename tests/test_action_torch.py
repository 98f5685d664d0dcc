"""The action installs itself with the real pip, offline, beside a torch that nobody else has."""

from __future__ import annotations

import sys
import venv
import zipfile
from pathlib import Path

import pytest
from action_project import ActionProject
from fake_github import FakeGitHub


class Environment:
    """A virtual environment that finds the packages of this one, and a torch of its own."""

    def __init__(self, folder: Path, torch: str) -> None:
        venv.create(folder / "venv", with_pip=False, symlinks=True)
        self.python = folder / "venv" / "bin" / "python"
        (self.site,) = (folder / "venv" / "lib").glob("python*/site-packages")
        here = [path for path in sys.path if path.endswith("site-packages")]
        (self.site / "everything_else.pth").write_text("\n".join(here) + "\n")
        self.torch = self.site / f"torch-{torch}.dist-info"
        self.torch.mkdir()
        text = f"Metadata-Version: 2.1\nName: torch\nVersion: {torch}\n"
        (self.torch / "METADATA").write_text(text)
        (self.torch / "RECORD").touch()
        (self.torch / "INSTALLER").write_text("pip\n")
        self.index = folder / "index"
        self.index.mkdir()

    def offer(self, torch: str) -> None:
        """Put a torch where pip looks for packages."""
        name = f"torch-{torch}"
        with zipfile.ZipFile(self.index / f"{name}-py3-none-any.whl", "w") as wheel:
            metadata = f"Metadata-Version: 2.1\nName: torch\nVersion: {torch}\n"
            wheel.writestr(f"{name}.dist-info/METADATA", metadata)
            about = "Wheel-Version: 1.0\nGenerator: a\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            wheel.writestr(f"{name}.dist-info/WHEEL", about)
            wheel.writestr(f"{name}.dist-info/RECORD", "")

    @property
    def variables(self) -> dict[str, str]:
        """No network: packages come from a directory, and hatchling from this environment."""
        return {
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.index),
            "PIP_NO_BUILD_ISOLATION": "0",  # pip reads this variable as the option --no-…=0
        }

    @property
    def torches(self) -> list[str]:
        return sorted(path.name for path in self.site.glob("torch-*"))


@pytest.fixture
def project(tmp_path):
    with FakeGitHub() as github:
        yield ActionProject(tmp_path, github)


def test_an_odd_torch_is_left_alone_and_the_gate_runs(project, tmp_path):
    odd = Environment(tmp_path, "9.9.9+odd")
    odd.offer("9.9.10")
    run = project.run(python=str(odd.python), install="true", environ=odd.variables)
    assert run.outcome == "success", run.log
    assert run.outputs["verdict"] == "pass"
    assert "torch 9.9.9+odd (left as it was)" in run.log
    assert odd.torches == ["torch-9.9.9+odd.dist-info"]
    assert (odd.site / "privacy_gate" / "cli.py").is_file()


def test_a_torch_that_is_too_old_is_an_error_and_is_not_replaced(project, tmp_path):
    old = Environment(tmp_path, "2.5.1+odd")
    old.offer("2.13.0")
    run = project.run(python=str(old.python), install="true", environ=old.variables)
    assert run.outcome == "failure"
    assert run.outputs["verdict"] == "error"
    assert "The installed torch 2.5.1+odd is not replaced." in run.log
    assert old.torches == ["torch-2.5.1+odd.dist-info"]
