"""A repository on the fake GitHub with the bundled digits, a pull request, and its reports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from click.testing import CliRunner, Result
from fake_github import FakeGitHub, Repository, job, outputs, pull_request_event, workflow_run_event
from gate_project import DIGITS
from report_samples import passing

from privacy_gate.cli import main
from privacy_gate.domain import Report
from privacy_gate.github.client import connect
from privacy_gate.github.event import Job, read_job

NAME = "octo/digits"
BASE, HEAD, MERGE = "a" * 40, "b" * 40, "5" * 40


def config_path(case: str = "private") -> str:
    """Where the bundled configuration lies, as its reports say."""
    return str(PurePosixPath(passing().config["path"]).with_name(f"{case}.yaml"))


def tree(*, case: str = "private", **edits: str) -> dict[str, bytes]:
    """The files that the terms of the bundled configuration come from; ``edits``: text to replace
    in the configuration, as ``old="…", new="…"``."""
    path = PurePosixPath(config_path(case))
    text = (DIGITS / f"{case}.yaml").read_text()
    if edits:
        assert edits["old"] in text
        text = text.replace(edits["old"], edits["new"])
    manifest = (DIGITS / "manifest.json").read_bytes()
    return {str(path): text.encode(), str(path.with_name("manifest.json")): manifest}


def pull_request(
    github: FakeGitHub,
    *,
    base: Mapping[str, bytes] | None = None,
    head: Mapping[str, bytes] | None = None,
    fork: bool = False,
) -> Repository:
    """Pull request 7 of a topic branch into ``main``."""
    repository = github.repository(NAME)
    repository.commit(BASE, tree() if base is None else base, branch="main")
    repository.commit(HEAD, tree() if head is None else head)
    name = "someone/digits" if fork else NAME
    repository.pull(7, head_sha=HEAD, base_sha=BASE, head_repository=name)
    return repository


def environment(
    github: FakeGitHub,
    folder: Path,
    name: str = "pull_request",
    *,
    event: Mapping[str, Any] | None = None,
    enterprise: bool = False,
    **more: Any,
) -> dict[str, str]:
    """The variables of a step, for pull request 7 unless ``event`` is another one."""
    of_name = workflow_run_event if name == "workflow_run" else pull_request_event
    content = of_name(github.repository(NAME), 7) if event is None else event
    url = github.enterprise_url if enterprise else github.url
    return job(folder / "step", url, NAME, name, content, **more)


def job_of(github: FakeGitHub, folder: Path, name: str = "pull_request", **more: Any) -> Job:
    """The same as the gate reads it."""
    return read_job(environment(github, folder, name, **more))


def connected(github: FakeGitHub, folder: Path, **more: Any) -> Any:
    """A client that does not wait between its requests."""
    return connect(job_of(github, folder, **more), pause=0, backoff=0)


def save(folder: Path, *reports: Report) -> Path:
    """The reports as a job leaves them: ``report.json``, or a folder each."""
    for number, report in enumerate(reports):
        own = folder / f"part-{number}" if len(reports) > 1 else folder
        own.mkdir(parents=True, exist_ok=True)
        (own / "report.json").write_text(json.dumps(report.to_dict()), encoding="utf-8")
    return folder


class Step:
    """``privacy-gate github …`` in a working copy below ``folder``; what it printed and wrote."""

    def __init__(self, github: FakeGitHub, folder: Path, monkeypatch: Any) -> None:
        self.github, self.folder, self._monkeypatch = github, folder, monkeypatch
        self.checkout = folder / "checkout"
        self.reports = folder / "reports"
        self.checkout.mkdir()
        (self.checkout / ".git").mkdir()

    def check_out(self, files: Mapping[str, bytes]) -> None:
        """Put files into the working copy."""
        for path, content in files.items():
            target = self.checkout / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

    def run(self, *arguments: str, name: str = "pull_request", **more: Any) -> Result:
        """The command with the reports that were saved, for the bundled configuration."""
        variables = environment(self.github, self.folder, name, **more)
        for key in ("GITHUB_REPOSITORY", "GITHUB_TOKEN", "PRIVACY_GATE_POLICY_REF"):
            self._monkeypatch.delenv(key, raising=False)
        for key, value in variables.items():
            self._monkeypatch.setenv(key, value)
        self._monkeypatch.chdir(self.checkout)
        return self.call(*arguments)

    def call(self, *arguments: str) -> Result:
        """The command in the environment as it is."""
        given = list(arguments)
        if "--config" not in given:
            given += ["--config", config_path()]
        return CliRunner().invoke(main, ["github", *given, str(self.reports)])

    @property
    def outputs(self) -> dict[str, str]:
        return outputs(self.folder / "step" / "output.txt")

    @property
    def summary(self) -> str:
        return (self.folder / "step" / "summary.md").read_text(encoding="utf-8")
