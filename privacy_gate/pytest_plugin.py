"""pytest hooks only. Loaded at every start of pytest, so nothing heavy is imported here.

``--privacy-gate`` turns the gate on; ``pytest_items`` holds what happens then.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from privacy_gate.pytest_fixture import PrivacyGate

CONFIG_NAME = "privacy_gate.yaml"
SUFFIXES = (".yaml", ".yml")


def pytest_addoption(parser: pytest.Parser) -> None:
    """https://docs.pytest.org/en/stable/reference/reference.html#std-hook-pytest_addoption"""
    group = parser.getgroup("privacy-gate", "privacy gate")
    group.addoption(
        "--privacy-gate",
        action="store_true",
        default=False,
        help="Run the privacy gate: one test item per configured check.",
    )
    group.addoption(
        "--privacy-gate-config",
        action="append",
        default=[],
        metavar="PATH",
        help=f"Configuration file; repeatable; turns the gate on (default: {CONFIG_NAME}).",
    )
    group.addoption(
        "--privacy-gate-only",
        action="store_true",
        default=False,
        help="Run the privacy gate and no other test.",
    )
    group.addoption(
        "--privacy-gate-report",
        metavar="DIR",
        help="Write every report format here, and one sub-directory per configuration if several.",
    )
    for name, help_text in (
        ("model", "Judge this model file instead of the configured one."),
        ("fixtures", "Use these fixtures instead of the configured ones."),
        ("device", "auto, cpu, cuda or cuda:N."),
    ):
        group.addoption(f"--privacy-gate-{name}", metavar=name.upper(), help=help_text)
    group.addoption(
        "--privacy-gate-cache",
        metavar="DIR",
        help="Keep signals in this directory; off keeps none.",
    )
    parser.addini(
        "privacy_gate_config",
        type="paths",
        default=[],
        help="Configuration files of the privacy gate, used when it is turned on.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """https://docs.pytest.org/en/stable/reference/reference.html#std-hook-pytest_configure"""
    config.addinivalue_line("markers", "privacy_gate: a check of the privacy gate.")
    option = config.option
    named = any(Path(a.partition("::")[0]).name == CONFIG_NAME for a in config.args)
    if named or option.privacy_gate or option.privacy_gate_only or option.privacy_gate_config:
        from privacy_gate.pytest_session import activate

        activate(config)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the configurations of the gate, if it is on.

    https://docs.pytest.org/en/stable/reference/reference.html#std-hook-pytest_collect_file
    """
    if file_path.suffix not in SUFFIXES:
        return None
    from privacy_gate.pytest_session import session_of  # light: pytest and the standard library

    gate = session_of(parent.config)
    if gate is None or file_path not in gate.paths:
        return None
    from privacy_gate.pytest_items import PrivacyGateFile

    # pytest would give every file outside the root the same node id
    nodeid = None if file_path.is_relative_to(parent.config.rootpath) else file_path.as_posix()
    file: pytest.Collector = PrivacyGateFile.from_parent(parent, path=file_path, nodeid=nodeid)
    return file


@pytest.fixture
def privacy_gate() -> PrivacyGate:
    """Statistics and budgets in a test: ``measure``, ``assert_within_budget``, ``run``."""
    from privacy_gate.pytest_fixture import PrivacyGate

    return PrivacyGate()
