"""The second step: ``privacy-gate run`` into a new directory, its exit code kept for the last one.

The candidate's code runs in that process. It is not handed the runner's tokens and command files,
and what it prints is not read as workflow commands. That is tidiness and no wall: docs/github.md.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import tempfile
from collections.abc import Mapping

from inputs import Inputs, Refused, options, privacy_gate, read, refuse, write_outputs

WITHHELD = (
    "GITHUB_ENV",
    "GITHUB_OUTPUT",
    "GITHUB_PATH",
    "GITHUB_STATE",
    "GITHUB_STEP_SUMMARY",
    "GITHUB_TOKEN",
    "GH_TOKEN",
)
"""Variables that the measuring process does not get; nor any that begins with ``ACTIONS_``."""


def main() -> None:
    """Measure every configuration; the step itself succeeds whatever the verdict is."""
    given = read(os.environ)
    # A new directory: a report that an earlier run left behind must never be taken for this one's.
    folder = tempfile.mkdtemp(prefix="privacy-gate-", dir=os.environ.get("RUNNER_TEMP"))
    write_outputs(reports=folder)
    end = secrets.token_hex(16)
    print(f"::stop-commands::{end}", flush=True)
    done = subprocess.run(command(given, folder), env=environment(os.environ))
    print(f"\n::{end}::", flush=True)
    print(f"privacy-gate run ended with exit code {done.returncode}.", flush=True)
    write_outputs(code=str(done.returncode))


def command(given: Inputs, folder: str) -> list[str]:
    """The command line of ``privacy-gate run``."""
    return privacy_gate(
        "run",
        *options(
            output=folder,
            model=given.model,
            fixtures=given.fixtures,
            policy_ref=given.policy_ref,
            reuse=given.reuse,
        ),
        "--",
        *given.configs,
    )


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of the measuring process."""
    withheld = {*WITHHELD}
    if environ.get("GITHUB_EVENT_NAME") == "workflow_run":
        withheld |= {"GITHUB_REF", "GITHUB_SHA"}  # the default branch's, not the candidate's
    return {
        name: value
        for name, value in environ.items()
        if name not in withheld and not name.startswith(("ACTIONS_", "INPUT_"))
    }


if __name__ == "__main__":
    try:
        main()
    except Refused as error:
        refuse(error)
