"""The last step: ends with the verdict, and only with a pass where every trace agrees on one.

An exit code alone is not believed. The report that was published must exist, be complete, hold a
verdict for every check of every configuration, and say what the outputs and exit codes say.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inputs import Refused, read, refuse

VERDICTS = {"0": "pass", "1": "fail", "2": "error", "3": "inconclusive"}
WORST_FIRST = ("2", "1", "3", "0")
PASSING = {"pass": {"pass"}, "inconclusive": {"pass", "inconclusive", "waived"}}
"""Verdict of a report that lets the job pass -> verdicts that its checks may have then."""

Json = dict[str, Any]


def main() -> int:
    """The exit code of the action: 0 pass, 1 fail, 2 error, 3 inconclusive."""
    configured = len(read(os.environ).configs) or 1
    codes = exit_codes(os.environ)
    published = document(os.environ)
    reports: list[Json] = published["reports"]
    worst = next(code for code in WORST_FIRST if code in codes)
    if worst == "0":
        refuse_doubt(published, configured)
    elif len(codes) > 1:
        print("Measuring and judging ended differently; the worse verdict counts.")
    tolerated = worst == "0" and any(report["verdict"] != "pass" for report in reports)
    judged = [check["verdict"] for report in reports for check in report["checks"]]
    counts = ", ".join(f"{judged.count(each)} {each}" for each in sorted(set(judged)))
    word = "tolerated, not passed" if tolerated else VERDICTS[worst]
    print(f"privacy_gate: {word}. Checks: {counts or 'none has a verdict'}.", flush=True)
    return int(worst)


def exit_codes(environ: Mapping[str, str]) -> set[str]:
    """How measuring (where this action measures) and judging ended."""
    codes = {environ[name] for name in ("MEASURE_CODE", "PUBLISH_CODE") if name in environ}
    for code in codes:
        if code not in VERDICTS:
            raise Refused(
                "There is no verdict: privacy-gate "
                + (f"ended with exit code {code}." if code else "was not run to its end.")
            )
    return codes


def document(environ: Mapping[str, str]) -> Json:
    """The published reports with ``verdict``, ``complete``, ``missing`` and ``reports``; raises
    ``Refused`` unless they are there and say what the outputs of their step say."""
    file = environ.get("REPORT_JSON", "")
    if not file or not Path(file).is_file():
        raise Refused("There is no verdict: no report was published. The log above says why.")
    try:
        content: Json = json.loads(Path(file).read_text(encoding="utf-8"))
        found = content if "reports" in content else {**content, "reports": [content]}
        announced = (found["verdict"], str(found["complete"]).lower())
        found = {"missing": [], **found}
        _ = [(each["verdict"], each["complete"]) for each in found["reports"]]
        _ = [check["verdict"] for each in found["reports"] for check in each["checks"]]
    except (ValueError, KeyError, TypeError):
        raise Refused("There is no verdict: the published report cannot be read.") from None
    if announced != (environ.get("VERDICT"), environ.get("COMPLETE")):
        raise Refused("There is no verdict: the published report and its outputs differ.")
    return found


def refuse_doubt(published: Json, configured: int) -> None:
    """Raises ``Refused`` if anything in the reports speaks against exit code 0."""
    reports = published["reports"]
    if published["missing"] or len(reports) != configured:
        raise Refused(
            f"{configured} configurations were asked for, {len(reports)} have a report."
            " A configuration without a report never passes."
        )
    for report in reports:
        checks = {check["verdict"] for check in report["checks"]}
        if report["complete"] is not True or not checks or "not_run" in checks:
            raise Refused("A report is not complete: not every configured check has a verdict.")
        tolerated = report["verdict"] == "pass" or report.get("tolerated") is True
        if not (tolerated and checks <= PASSING.get(report["verdict"], set())):
            raise Refused("The exit code says pass, the published report does not.")
        if any(change.get("blocking") is not False for change in report.get("changes", ())):
            raise Refused("The exit code says pass, but a changed term fails the run.")
    if published["verdict"] not in PASSING or published["complete"] is not True:
        raise Refused("The exit code says pass, the published reports do not.")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Refused as error:
        refuse(error)
