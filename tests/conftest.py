"""Fixtures that several test files use."""

from __future__ import annotations

import pytest
from plugin_project import Project, load_libraries

pytest_plugins = ["pytester"]


@pytest.fixture(scope="session")
def libraries():
    """The heavy libraries, loaded before ``pytester`` takes note of what was."""
    load_libraries()


@pytest.fixture
def project(libraries, pytester, monkeypatch):
    """A throw-away project with the bundled digits, in which pytest is run."""
    for name in ("CONFIG", "MODEL", "FIXTURES", "DEVICE", "ROOTS", "KEY", "DEBUG"):
        monkeypatch.delenv(f"PRIVACY_GATE_{name}", raising=False)
    return Project(pytester)
