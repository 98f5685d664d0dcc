"""Fixtures that several test files use."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
from plugin_project import Project, load_libraries

pytest_plugins = ["pytester"]

os.environ["PRIVACY_GATE_CACHE"] = "off"  # what a test sees was computed in that test


@pytest.fixture(scope="session", autouse=True)
def _fixture_checks_once():
    """Fixtures that many tests share are checked once in this process: their checks depend on them
    alone. Tests of the checks themselves use fixtures of their own."""
    from privacy_gate.fixture_checks import running

    made, known = running.model_free, {}

    def once(data, keys, independent, seed):
        arrays = (data.labels, data.split, keys, independent)
        key = (data.sha256, seed, *(np.asarray(array).tobytes() for array in arrays))
        if key not in known:
            known[key] = made(data, keys, independent, seed)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "model_free", once)
        yield


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
