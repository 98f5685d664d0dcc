"""A repository with a gate, on a fake GitHub, in which the actions of this project are run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from composite import Run, run_action
from fake_github import FakeGitHub, job, pull_request_event, workflow_run_event
from gate_project import PLANTED, colours, onnx_project, write_fixtures

ROOT = Path(__file__).parent.parent
NAME = "octo/colours"
FORK = "stranger/colours"
NUMBER = 7
READ_ONLY = "read-only-token-of-a-fork"
BUDGETS = [
    {"metric": "tpr_at_fpr", "fpr": 0.05, "max": 0.2},
    {"metric": "auc", "max": 0.65},
]
ATTACKS = ["loss", "correctness"]


def leaky(directory: Path) -> None:
    """Fixtures whose non-members have random labels: the model knows the members only."""
    strangers = colours(700, 1)
    strangers["y"] = np.random.default_rng(2).permutation(strangers["y"])
    shutil.rmtree(directory / "data")
    write_fixtures(directory, nonmembers=strangers)


class ActionProject:
    """``main`` holds the base of pull request 7, ``topic`` its head, which is checked out."""

    def __init__(self, folder: Path, github: FakeGitHub) -> None:
        self.workspace, self.github = folder / "workspace", github
        self.elsewhere, self._folder, self._runs = folder / "elsewhere", folder, 0
        self.repository = github.repository(NAME)
        self.workspace.mkdir()
        onnx_project(self.workspace, attacks=ATTACKS, budgets=BUDGETS, accept=PLANTED)
        self.git("init", "-q", "-b", "main")
        self.base_sha = self.commit()
        self.git("checkout", "-q", "-b", "topic")
        self.head_sha = self.base_sha

    # --------------------------------------------------------------------------------- content

    def git(self, *words: str) -> str:
        """One git command, apart from the configuration of whoever runs the tests."""
        done = subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *words],
            cwd=self.workspace,
            env={"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "HOME": os.devnull},
            capture_output=True,
            check=True,
        )
        return done.stdout.decode().strip()

    def commit(self) -> str:
        """Commit everything; the API then serves the tree, too."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "work")
        sha, branch = self.git("rev-parse", "HEAD"), self.git("branch", "--show-current")
        names = self.git("ls-files").splitlines()
        tree = {name: (self.workspace / name).read_bytes() for name in names}
        self.repository.commit(sha, tree, branch=branch)
        return sha

    def base(self, **changes: Any) -> None:
        """Change the configuration on both sides."""
        self.git("checkout", "-q", "main")
        self.configure(**changes)
        self.base_sha = self.commit()
        self.git("checkout", "-q", "-B", "topic")

    def head(self, **changes: Any) -> None:
        """Change the configuration on the pull request's side."""
        self.configure(**changes)
        self.head_sha = self.commit()

    def configure(self, file: str = "privacy_gate.yaml", **changes: Any) -> None:
        """Replace keys of the configuration; ``None`` removes one."""
        path = self.workspace / file
        content = {**yaml.safe_load(path.read_text()), **changes}
        content = {key: value for key, value in content.items() if value is not None}
        path.write_text(yaml.safe_dump(content, sort_keys=False))

    def add_config(self, file: str, name: str) -> None:
        """A second configuration of the same model."""
        shutil.copy(self.workspace / "privacy_gate.yaml", self.workspace / file)
        self.configure(file, name=name)

    # ------------------------------------------------------------------------------------ runs

    def open_pull_request(self, *, fork: bool = False) -> None:
        """Pull request 7 as it is now."""
        self.repository.pull(
            NUMBER,
            head_sha=self.head_sha,
            base_sha=self.base_sha,
            head_repository=FORK if fork else "",
        )

    def run(
        self,
        *,
        fork: bool = False,
        event: str = "pull_request",
        after: Mapping[str, Callable[[Mapping[str, str]], None]] | None = None,
        stand_ins: Mapping[str, Callable[[Mapping[str, str]], Mapping[str, str]]] | None = None,
        environ: Mapping[str, str] | None = None,
        **inputs: str,
    ) -> Run:
        """The action on the checked-out commit: for the pull request, a push to ``main``, or in a
        workflow of the default branch that a run for the pull request triggered."""
        self.open_pull_request(fork=fork)
        content: dict[str, Any] = pull_request_event(self.repository, NUMBER)
        if event == "push":
            content = {"repository": content["repository"], "ref": "refs/heads/main"}
        elif event == "workflow_run":
            content = workflow_run_event(self.repository, NUMBER)
        variables = self._variables(event, content)
        return run_action(
            ROOT,
            {"python": sys.executable, "install": "false", **_named(inputs)},
            {**variables, "GITHUB_SHA": self.head_sha, **(environ or {})},
            self.workspace,
            token=READ_ONLY if fork else "token-of-the-job",
            stand_ins=stand_ins,
            after=after,
        )

    def report(
        self,
        *,
        head_sha: str | None = None,
        event: str = "pull_request",
        environ: Mapping[str, str] | None = None,
        **inputs: str,
    ) -> Run:
        """The reporting action after a run for ``event``, in an empty directory: nothing is checked
        out there."""
        content = workflow_run_event(self.repository, NUMBER, head_sha=head_sha, event=event)
        self.elsewhere.mkdir(exist_ok=True)
        variables = self._variables("workflow_run", content)
        variables["GITHUB_WORKSPACE"] = str(self.elsewhere)
        return self._report(inputs, {**variables, **(environ or {})}, self.elsewhere)

    def report_matrix(self, **inputs: str) -> Run:
        """The reporting action as the last job of a matrix, on the pull request itself."""
        variables = self._variables("pull_request", pull_request_event(self.repository, NUMBER))
        return self._report(inputs, variables, self.workspace)

    def _report(self, inputs: Mapping[str, str], environ: Mapping[str, str], cwd: Path) -> Run:
        given = {"python": sys.executable, "install": "false", **_named(inputs)}
        return run_action(ROOT / "action" / "report", given, environ, cwd)

    def _variables(self, event_name: str, event: Mapping[str, Any]) -> dict[str, str]:
        self._runs += 1
        folder = self._folder / f"run-{self._runs}"
        found = job(folder, self.github.url, NAME, event_name, event)
        if event_name != "pull_request":
            found["GITHUB_REF"] = "refs/heads/main"
        for name in ("GITHUB_TOKEN", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
            found.pop(name)  # a composite action gets no token by itself; files are the runner's
        return {
            **found,
            "GITHUB_WORKSPACE": str(self.workspace),
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "OMP_NUM_THREADS": "1",
        }

    # --------------------------------------------------------------------------------- results

    @property
    def comment(self) -> str:
        """The one comment on the pull request."""
        (found,) = self.repository.comments(NUMBER)
        return str(found["body"])

    @property
    def conclusions(self) -> list[str]:
        """Of the check runs on the head, oldest first."""
        assert {run["head_sha"] for run in self.repository.check_runs} <= {self.head_sha}
        return [run["conclusion"] for run in self.repository.check_runs]


def _named(inputs: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in inputs.items()}
