"""The final reports as files: of one report its forms, of several one text of all and a folder
each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from privacy_gate.domain import Report, ReportSet
from privacy_gate.errors import PrivacyGateError
from privacy_gate.registry import RENDERERS, SET_RENDERERS, resolve

FORMS = {"json": "json", "markdown": "md", "html": "html", "sarif": "sarif"}
"""Form -> what its file name ends in."""

_SAFE = re.compile(r"[A-Za-z0-9][\w.-]{0,99}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Artifact:
    """``path`` is relative and stays below the directory it is written to. ``text`` is ``None``
    where the form cannot be made here, and ``problem`` says why."""

    path: str
    text: str | None
    problem: str = ""


def artifacts(reports: ReportSet) -> Iterator[Artifact]:
    """Every file of the reports; those at the top stand for all of them."""
    if len(reports.reports) == 1 and not reports.missing:
        yield from forms(RENDERERS, reports.reports[0], "")
        return
    yield from forms(SET_RENDERERS, reports, "")
    for report, folder in zip(reports.reports, _folders(reports), strict=True):
        yield from forms(RENDERERS, report, f"{folder}/")


def _folders(reports: ReportSet) -> list[str]:
    """A folder per report: its name, or a number where that is no plain name of a folder."""
    folders: list[str] = []
    for name in reports.folders:
        numbers = (f"report-{number}" for number in count(1))
        free = (one for one in numbers if one not in folders and one not in reports.folders)
        folders.append(name if _SAFE.fullmatch(name) else next(free))
    return folders


def forms(targets: dict[str, str], content: Report | ReportSet, folder: str) -> Iterator[Artifact]:
    """Every form of one text; ``targets``: what renders each."""
    for form, ending in FORMS.items():
        path = f"{folder}report.{ending}"
        try:
            render: Callable[[Any], str] = resolve(targets[form])
            yield Artifact(path, render(content))
        except PrivacyGateError as error:  # an extra that is not installed
            yield Artifact(path, None, str(error))
