"""The comments in ``docs/reports.md``. ``python tests/pasted_reports.py`` writes them anew."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import report_samples

from privacy_gate.domain import Report
from privacy_gate.report.markdown import render

PAGE = Path(__file__).parent.parent / "docs" / "reports.md"
NAMES = ("failing", "passing", "inconclusive")
_BLOCK = r"(?s)(?<=<!-- begin: {name} -->\n).*?(?=<!-- end: {name} -->)"
ENVIRONMENT = {
    "python": "3.12.3",
    "versions": {"torch": "2.13.0", "numpy": "2.4.6", "scipy": "1.17.1", "safetensors": "0.8.0"},
    "platform": "Linux x86_64",
    "device_name": "x86_64",
    "seed": 0,
}


def comment(name: str) -> str:
    """The comment of a sample, on one machine with one version, wherever it is made."""
    report: Report = getattr(report_samples, name)()
    run = {**report.run, "tool_version": "0.1.0"}
    return render(replace(report, run=run, environment=ENVIRONMENT))


def pasted(page: str, name: str) -> str:
    """The comment that the page holds now."""
    (found,) = re.findall(_BLOCK.format(name=name), page)
    return found.strip("\n") + "\n"


def renewed(page: str) -> str:
    """The page with every comment as it is generated."""
    for name in NAMES:
        text = f"\n{comment(name)}\n"
        page = re.sub(_BLOCK.format(name=name), lambda _, text=text: text, page)
    return page


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} is written\n")
