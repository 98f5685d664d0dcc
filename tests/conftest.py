"""Fixtures that several test files use."""

from __future__ import annotations

import sys

import pytest
from plugin_project import Project, load_libraries

pytest_plugins = ["pytester"]


@pytest.fixture(scope="session")
def libraries(tmp_path_factory):
    """The heavy libraries, loaded before ``pytester`` takes note of what was."""
    load_libraries(tmp_path_factory.mktemp("libraries"))


@pytest.fixture(scope="session")
def bytecode(tmp_path_factory):
    """Where the processes that tests start keep compiled modules, so that each compiles them once
    only, whatever this environment says about compiled modules."""
    return tmp_path_factory.mktemp("bytecode")


@pytest.fixture
def project(libraries, pytester, monkeypatch, bytecode):
    """A throw-away project with the bundled digits, in which pytest is run."""
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(bytecode))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.delitem(sys.modules, "digits_model", raising=False)  # each project has its own
    for name in (
        "CONFIG", "MODEL", "FIXTURES", "DEVICE", "ROOTS", "KEY", "DEBUG", "POLICY_REF",
    ):  # fmt: skip
        monkeypatch.delenv(f"PRIVACY_GATE_{name}", raising=False)
    return Project(pytester)
