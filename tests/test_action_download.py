"""The reporting action fetches artifacts that strangers made, over real HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from composite import read_outputs
from fake_artifacts import NAME, WithArtifacts, storage, zipped
from fake_github import job

DOWNLOAD = Path(__file__).parent.parent / "action" / "download.py"


@pytest.fixture
def download(tmp_path):
    """Run the step for the given artifacts: exit code, log, texts of the reports found."""

    def run(artifacts, *, sizes=None, fail=None, event_name="workflow_run", **inputs):
        with storage() as store, WithArtifacts(store, artifacts) as github:
            github.sizes = sizes or {}
            if fail is not None:
                github.fail("GET", "artifacts", fail)
            event = {"workflow_run": {"id": 77}} if event_name == "workflow_run" else {}
            variables = job(tmp_path / "job", github.url, NAME, event_name, event)
            done = subprocess.run(
                [sys.executable, str(DOWNLOAD)],
                cwd=tmp_path,
                env={
                    "PATH": os.environ["PATH"],
                    **variables,
                    **{f"INPUT_{name.upper()}": value for name, value in inputs.items()},
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=60,
            )
            run.storage_headers = store.headers
        outputs = read_outputs(Path(variables["GITHUB_OUTPUT"]).read_text())
        folder = Path(outputs["reports"]) if outputs["reports"] else tmp_path / "nowhere"
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        run.files = [str(path.relative_to(folder)) for path in files]
        return done.returncode, done.stdout, [path.read_text() for path in files]

    return run


def test_the_reports_of_every_id_are_taken_and_nothing_else(download):
    code, log, texts = download(
        [
            (1, "privacy-gate-report", zipped([("report.json", "a"), ("report.html", "x")])),
            (2, "privacy-gate-report-large", zipped([("b/report.json", "b")])),
            (3, "judged-privacy-gate-report", zipped([("report.json", "c")])),
            (4, "coverage", zipped([("report.json", "d")])),
        ]
    )
    assert code == 0, log
    assert texts == ["a", "b"]
    assert "uploaded 2 report(s)" in log


def test_with_an_id_only_its_own_report_is_taken(download):
    artifacts = [
        (1, "privacy-gate-report-a", zipped([("report.json", "a")])),
        (2, "privacy-gate-report-a-b", zipped([("report.json", "b")])),
    ]
    assert download(artifacts, id="a")[2] == ["a"]


def test_of_two_attempts_the_newer_counts(download):
    artifacts = [
        (8, "privacy-gate-report", zipped([("report.json", "new")])),
        (5, "privacy-gate-report", zipped([("report.json", "old")])),
    ]
    assert download(artifacts)[2] == ["new"]


def test_the_hundred_and_first_artifact_is_found(download):
    others = [(number, f"log-{number}", b"") for number in range(1, 101)]
    wanted = (200, "privacy-gate-report", zipped([("report.json", "late")]))
    assert download([*others, wanted])[2] == ["late"]


def test_the_token_stays_with_github(download):
    download([(1, "privacy-gate-report", zipped([("report.json", "a")]))])
    (headers,) = download.storage_headers
    assert "Authorization" not in headers


def test_no_artifact_is_no_report_and_no_error(download):
    code, log, texts = download([])
    assert (code, texts) == (0, [])
    assert "uploaded 0 report(s)" in log


def test_paths_of_the_archive_are_never_followed(download):
    names = ["../../report.json", "/etc/report.json", "a\\..\\report.json", "report.json/"]
    code, log, texts = download(
        [(1, "privacy-gate-report", zipped([(name, name) for name in names]))]
    )
    assert code == 0, log
    assert download.files == ["1/report.json", "2/report.json"]
    assert texts == names[:2]


BOMB = zipped([("report.json", b" " * (17 * 1024**2))])


@pytest.mark.parametrize(
    ("artifact", "sizes", "sentence"),
    [
        (b"no zip", {}, "no zip archive"),
        (BOMB, {}, "larger than"),
        (zipped([]), {1: 65 * 1024**2}, "larger than"),
        (zipped([(f"{n}/report.json", "x") for n in range(257)]), {}, "more than 256 reports"),
        (
            zipped([("report.json", "a" * 99)], zipfile.ZIP_STORED).replace(b"aaa", b"bbb", 1),
            {},
            "cannot be unpacked",
        ),
    ],
    ids=["no zip", "bomb", "too large", "too many", "damaged"],
)
def test_an_archive_that_is_no_honest_one_is_refused(download, artifact, sizes, sentence):
    code, log, _ = download([(1, "privacy-gate-report", artifact)], sizes=sizes)
    assert code == 2
    assert sentence in log
    assert "Traceback" not in log


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_refusal_of_github_names_the_permission(download, status):
    code, log, _ = download([], fail=status)
    assert code == 2
    assert f"(HTTP {status})" in log
    assert "actions: read" in log


def test_without_a_triggering_run_the_input_reports_is_asked_for(download):
    code, log, _ = download([], event_name="pull_request")
    assert code == 2
    assert "Set the input reports" in log


def test_reports_that_are_already_here_are_used_as_they_are(download, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "report.json").write_text(json.dumps({}))
    code, _, texts = download([], event_name="push", reports=str(tmp_path / "mine"))
    assert (code, texts) == (0, ["{}"])
