"""The third step: ``privacy-gate github all`` on the measured reports, its exit code kept.

That command judges the reports again, from their counts and by the base branch's terms, and posts
what it finds. The step itself succeeds whatever the verdict is; the last step decides.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from inputs import Inputs, Refused, options, privacy_gate, read, refuse, write_outputs


def main() -> None:
    """Judge and post the reports in ``INPUT_REPORTS``."""
    given = read(os.environ)
    # A new directory in either case: nothing in it can be of another run.
    folder = given.output or tempfile.mkdtemp(
        prefix="privacy-gate-report-", dir=os.environ.get("RUNNER_TEMP")
    )
    write_outputs(directory=folder)
    reports = os.environ["INPUT_REPORTS"]
    done = subprocess.run(command(given, reports, folder))
    write_outputs(code=str(done.returncode))
    keep_measured(Path(reports), Path(folder))


def keep_measured(reports: Path, output: Path) -> None:
    """Where nothing could be judged, keep what was measured: another job may be able to."""
    if reports.is_dir() and not (output / "report.json").exists():
        shutil.copytree(reports, output / "measured", dirs_exist_ok=True)


def command(given: Inputs, reports: str, folder: str) -> list[str]:
    """The command line of ``privacy-gate github all``."""
    switch = {None: [], True: ["--check-run"], False: ["--no-check-run"]}[given.check_run]
    return privacy_gate(
        "github",
        "all",
        *(f"--config={path}" for path in given.configs),
        *options(
            comment=given.comment,
            id=given.id,
            output=folder,
            policy_ref=given.policy_ref,
        ),
        *switch,
        "--",
        reports,
    )


if __name__ == "__main__":
    try:
        main()
    except Refused as error:
        refuse(error)
