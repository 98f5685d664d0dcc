"""The inputs of the action, as its steps read them; the one place of their rules and defaults.

An input that is empty is not given: the option is then not passed on, and the default of
``privacy-gate`` itself holds. Only what the action itself needs has a default here. Standard
library only, and no syntax that an older Python could not read: it is to say so in a sentence.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

ARTIFACT = "privacy-gate-report"
"""Name under which the reports are uploaded, without the id."""
COMMENTS = ("always", "on-change", "on-failure", "never")
NAMES = (
    "CHECK_RUN", "COMMENT", "CONFIG", "FIXTURES", "ID", "INSTALL", "MODEL", "OUTPUT",
    "POLICY_REF", "REUSE", "SARIF",
)  # fmt: skip
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Refused(Exception):
    """What is wrong and what to do, in one or two sentences."""


@dataclass(frozen=True)
class Inputs:
    """The inputs of the action, checked. Empty text and ``None`` mean: not given."""

    configs: tuple[str, ...]
    model: str
    fixtures: str
    id: str
    output: str
    comment: str
    check_run: bool | None
    sarif: bool
    policy_ref: str
    install: bool
    reuse: str

    @property
    def artifact(self) -> str:
        """The name under which the reports are uploaded."""
        return f"{ARTIFACT}-{self.id}" if self.id else ARTIFACT


def read(environ: Mapping[str, str]) -> Inputs:
    """The inputs from ``INPUT_*``; a variable that a step does not get counts as not given.

    Raises ``Refused`` for a value that nothing could be done with.
    """
    given = {name: environ.get(f"INPUT_{name}", "").strip() for name in NAMES}
    if given["ID"] and not ID.fullmatch(given["ID"]):
        raise Refused(
            "The input id must be 1 to 64 letters, digits, dots, dashes or underscores,"
            " and begin with a letter or digit."
        )
    if given["OUTPUT"] and Path(given["OUTPUT"]).exists():
        raise Refused(
            "The directory of the input output exists already, and could hold another report."
            " Name a new one for each gate, or leave it out."
        )
    if given["COMMENT"] and given["COMMENT"] not in COMMENTS:
        raise Refused(f"The input comment must be one of {', '.join(COMMENTS)}.")
    lines = (line.strip() for line in given["CONFIG"].splitlines())
    return Inputs(
        configs=tuple(dict.fromkeys(line for line in lines if line)),
        model=given["MODEL"],
        fixtures=given["FIXTURES"],
        id=given["ID"],
        output=given["OUTPUT"],
        comment=given["COMMENT"],
        check_run=_switch("check-run", given["CHECK_RUN"]),
        sarif=_switch("sarif", given["SARIF"]) or False,
        policy_ref=given["POLICY_REF"],
        install=_switch("install", given["INSTALL"]) is not False,
        reuse=given["REUSE"],
    )


def _switch(name: str, text: str) -> bool | None:
    """``true`` or ``false`` in any case; ``None`` if not given."""
    if text.lower() not in ("", "true", "false"):
        raise Refused(f"The input {name} must be true or false.")
    return {"true": True, "false": False}.get(text.lower())


def options(**values: str) -> list[str]:
    """``name=value`` as ``--name=value`` for every value that is given.

    One word per option: a value that begins with a dash cannot become an option of its own.
    """
    return [f"--{name.replace('_', '-')}={value}" for name, value in values.items() if value]


def privacy_gate(*arguments: str) -> list[str]:
    """The command line of ``privacy-gate`` under this Python.

    ``-P`` keeps the working directory, which is the candidate's checkout, out of the import path.
    """
    start = "from privacy_gate.cli import main; main(prog_name='privacy-gate')"
    return [sys.executable, "-P", "-c", start, *arguments]


def write_outputs(**values: str) -> None:
    """Append step outputs to ``GITHUB_OUTPUT``. Raises ``Refused`` for a value of several lines."""
    for name, value in values.items():
        if "\n" in value or "\r" in value:
            raise Refused(f"The output {name} has more than one line.")
    with open(os.environ["GITHUB_OUTPUT"], "a", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{name}={value}\n" for name, value in values.items())


def refuse(error: Refused) -> NoReturn:
    """Show the sentence in the log and as an annotation, and end the step with exit code 2."""
    text = str(error).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    print(f"::error title=privacy_gate::{text}", flush=True)
    sys.exit(2)
