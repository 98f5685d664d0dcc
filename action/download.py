"""Fetches the measured reports of the workflow run that triggered this one.

The artifact was made by a job that ran the code of a pull request: every byte of it is the
author's to choose. Only files named ``report.json`` are taken, to paths made here and not read from
the archive, within limits on number and size. What they say is judged by ``privacy-gate github``.
"""

from __future__ import annotations

import io
import json
import os
import re
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from inputs import ID, Inputs, Refused, read, refuse, write_outputs

LARGEST_ARCHIVE = 64 * 1024**2
LARGEST_REPORT = 16 * 1024**2
MOST_REPORTS = 256
MOST_PAGES = 10
"""Limits in bytes, files, and pages of 100 artifacts; a matrix has at most 256 jobs."""
SECONDS = 60


def main() -> None:
    """Write the reports below a new directory; none at all is for the next step to report."""
    given = read(os.environ)
    folder = os.environ.get("INPUT_REPORTS", "").strip()
    if folder:
        write_outputs(reports=folder)
        return
    new = Path(tempfile.mkdtemp(prefix="privacy-gate-", dir=os.environ.get("RUNNER_TEMP")))
    write_outputs(reports=str(new))
    taken = 0
    for artifact in artifacts(triggering_run(), given):
        for text in report_files(archive(artifact)):
            taken += 1
            if taken > MOST_REPORTS:
                raise Refused(f"The run uploaded more than {MOST_REPORTS} reports.")
            (new / str(taken)).mkdir()
            (new / str(taken) / "report.json").write_bytes(text)
    print(f"The run that triggered this one uploaded {taken} report(s).", flush=True)


def triggering_run() -> int:
    """The id of the run whose end triggered this workflow."""
    event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text("utf-8"))
    run = event.get("workflow_run")
    if os.environ.get("GITHUB_EVENT_NAME") != "workflow_run" or not isinstance(run, dict):
        raise Refused(
            "Nothing says which reports are meant. Set the input reports to a directory, or use"
            " this action in a workflow that is triggered by workflow_run."
        )
    return int(run["id"])


def artifacts(run: int, given: Inputs) -> list[dict[str, Any]]:
    """The run's artifacts that hold reports: of ``id`` if there is one, else of every id.

    Of several with one name (attempts of the run) the newest counts.
    """
    wanted = re.escape(given.artifact) + ("" if given.id else f"(-{ID.pattern})?")
    newest: dict[str, dict[str, Any]] = {}
    for page in range(1, MOST_PAGES + 1):
        path = f"actions/runs/{run}/artifacts?per_page=100&page={page}"
        listed = json.loads(get(f"{api()}/{path}", LARGEST_REPORT))["artifacts"]
        for each in listed:
            if re.fullmatch(wanted, each["name"]) and not each.get("expired"):
                before = newest.get(each["name"])
                if before is None or each["id"] > before["id"]:
                    newest[each["name"]] = each
        if len(listed) < 100:
            break
    return [newest[name] for name in sorted(newest)]


def archive(artifact: dict[str, Any]) -> zipfile.ZipFile:
    """The artifact's content, held in memory."""
    if int(artifact["size_in_bytes"]) > LARGEST_ARCHIVE:
        raise Refused(f"An artifact of reports is larger than {LARGEST_ARCHIVE} bytes.")
    content = get(f"{api()}/actions/artifacts/{int(artifact['id'])}/zip", LARGEST_ARCHIVE)
    try:
        return zipfile.ZipFile(io.BytesIO(content))
    except zipfile.BadZipFile:
        raise Refused("An artifact of reports is no zip archive.") from None


def report_files(content: zipfile.ZipFile) -> Iterator[bytes]:
    """The bytes of every ``report.json``; raises ``Refused`` for one that is too large."""
    for entry in content.infolist():
        if entry.is_dir() or PurePosixPath(entry.filename).name != "report.json":
            continue
        try:
            with content.open(entry) as file:
                text = file.read(LARGEST_REPORT + 1)  # the size that is stated may be a lie
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError):
            raise Refused("An artifact of reports cannot be unpacked.") from None
        if len(text) > LARGEST_REPORT:
            raise Refused(f"A report is larger than {LARGEST_REPORT} bytes.")
        yield text


# ----------------------------------------------------------------------------------------- requests


def api() -> str:
    """The address of this repository in the API, GitHub's or an Enterprise server's."""
    server = os.environ.get("GITHUB_API_URL", "https://api.github.com").rstrip("/")
    return f"{server}/repos/{os.environ['GITHUB_REPOSITORY']}"


def get(address: str, largest: int) -> bytes:
    """The answer's body, at most ``largest`` bytes."""
    if not address.startswith(("https://", "http://")):
        raise Refused("GITHUB_API_URL is no web address.")
    request = urllib.request.Request(address)  # noqa: S310  (the scheme is checked above)
    request.add_header("Accept", "application/vnd.github+json")
    # Not repeated at the storage that GitHub redirects to: the token is for GitHub alone.
    request.add_unredirected_header("Authorization", f"Bearer {os.environ['GITHUB_TOKEN']}")
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
            content: bytes = answer.read(largest + 1)
    except (urllib.error.URLError, OSError) as error:
        code = getattr(error, "code", None)
        raise Refused(
            "The reports of the run could not be fetched"
            + (f" (HTTP {code})." if code else ".")
            + " The job needs the permission actions: read."
        ) from None
    if len(content) > largest:
        raise Refused(f"An answer of GitHub is larger than {largest} bytes.")
    return content


if __name__ == "__main__":
    try:
        main()
    except Refused as error:
        refuse(error)
