"""The reports of a run, found, read as untrusted data, and judged again.

Whoever wrote a report may have run any code before. So nothing it says about itself counts: its
verdicts are made anew from its counts, by the stricter of the terms of the base branch and its own,
and every configuration that was asked for must have one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from privacy_gate.config.terms_reader import Reader, read_terms
from privacy_gate.domain import Change, Report, ReportSet
from privacy_gate.errors import PrivacyGateError, UsageError, described
from privacy_gate.recount import recount
from privacy_gate.report.parse import read_set
from privacy_gate.terms import Terms, changes, stricter

FILE = "report.json"
LARGEST = 64_000_000
MOST_FILES = 300


@dataclass(frozen=True, slots=True)
class Source:
    """Where the terms come from: the files of the base branch (``None`` where the event has none)
    and of the judged commit. ``facts``: ``ref`` and ``commit`` of the base, as in reports. ``run``:
    what GitHub itself says about the run, in place of what the report says; ``pages``: of the runs
    that can have measured, the likelier first."""

    base: Reader | None
    head: Reader
    facts: Mapping[str, str | None] | None = None
    run: Mapping[str, str | None] = field(default_factory=dict)
    pages: tuple[str, ...] = ()

    def known(self, report: Report) -> Report:
        """The report with what is known about its run in place of what it says."""
        claimed = report.run.get("run_url")
        page = claimed if claimed in self.pages or not self.pages else self.pages[0]
        return replace(report, run={**report.run, **self.run, "run_url": page})


@dataclass(frozen=True, slots=True)
class Judged:
    """The reports as they count. ``configs``: the path of the configuration by the name of its
    report or missing report."""

    reports: ReportSet
    configs: Mapping[str, str]


def find_files(paths: Iterable[Path]) -> list[Path]:
    """The files given, and every ``report.json`` below the directories given, in order.

    A path that does not exist holds none: an artifact that was never written looks like that.
    Links are not followed, for they could point at anything on this machine.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            for folder, folders, files in os.walk(path):
                folders.sort()
                found += [Path(folder, FILE)] if FILE in files else []
        elif path.exists() or path.is_symlink():
            found.append(path)
    if len(found) > MOST_FILES:
        raise UsageError(f"There are more than {MOST_FILES} reports.")
    return found


def read_files(paths: Iterable[Path]) -> ReportSet:
    """The reports in the files, and what merged ones say is missing. A file that cannot be read
    becomes an error, never nothing."""
    reports: list[Report] = []
    missing: list[str] = []
    for path in paths:
        try:
            found = read_set(_content(path))
        except PrivacyGateError as error:
            reports.append(_unreadable(error))
        else:
            reports += found.reports
            missing += found.missing
    return ReportSet(tuple(reports), tuple(dict.fromkeys(missing)))


def _content(path: Path) -> str:
    try:
        if path.is_symlink() or not path.is_file():
            raise UsageError("A report is a link or no file.")
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise UsageError(f"A report is larger than {LARGEST} bytes.")
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError("A report is not UTF-8 text.") from None
    except OSError as error:
        raise UsageError(f"A report cannot be read: {error.strerror}.") from None


def judge(found: ReportSet, configs: Sequence[str], source: Source) -> Judged:
    """The reports by the terms of ``configs``, paths relative to the repository.

    A report that none of them asks for, and one whose terms cannot be read, is an error.
    """
    left: list[Report] = []
    for report in found.reports:
        known = source.known(report)
        if known not in left:  # a merged report and its parts can lie in one directory
            left.append(known)
    judged: list[Report] = []
    missing: list[str] = []
    paths: dict[str, str] = {}
    for path in configs:
        asked = _Asked(path, source)
        own = [report for report in left if asked.is_for(report)]
        left = [report for report in left if report not in own]
        judged += [asked.judged(report) for report in own]
        if not own and asked.error is not None:
            judged.append(_unreadable(asked.error, path))
        elif not own:
            missing.append(asked.name)
        paths.update({report.name: path for report in own} or {asked.name: path})
    judged += [_unasked(report) for report in left]
    names = {report.name for report in judged} | set(missing)
    missing += [name for name in found.missing if name not in names]
    return Judged(ReportSet(tuple(judged), tuple(missing)), paths)


class _Asked:
    """One configuration that was asked for, with its terms on both sides."""

    def __init__(self, path: str, source: Source) -> None:
        self._path, self._facts = path, source.facts
        self._base: Terms | None = None
        self._head: Terms | None = None
        self.error: PrivacyGateError | None = None
        self._has_base = source.base is not None
        try:
            if source.base is not None:
                ref = (source.facts or {}).get("ref")
                self._base = read_terms(source.base, path, ref)
            self._head = read_terms(source.head, path)
        except PrivacyGateError as error:
            self.error = error
        else:
            if self._base is None and self._head is None:
                self.error = UsageError(
                    f"There is no configuration {path}.", hint="Correct --config."
                )

    @property
    def name(self) -> str:
        """The name that its report must have, its path where that is unknown."""
        terms = self._head or self._base
        return self._path if terms is None else terms.name or self._path

    def is_for(self, report: Report) -> bool:
        """Whether the report says that it is of this configuration. A run that failed early names
        the path as it was typed, and may not know the name."""
        path = str(report.config.get("path") or "").replace("\\", "/").removeprefix("./")
        if report.verdict == "error" or self.error is not None:
            absolute = path.startswith("/") or path[1:3] == ":/"
            return path == self._path or (absolute and path.endswith(f"/{self._path}"))
        names = {terms.name for terms in (self._base, self._head) if terms is not None}
        # at the top of a repository an unnamed configuration has the name of the checkout
        return path == self._path and (report.name in names or "" in names)

    def judged(self, report: Report) -> Report:
        """The report by these terms."""
        if self.error is not None:
            return _as_error(report, self.error)
        if self._base is None:
            return self._without_base(report)
        if self._head is None:
            return recount(report, self._base, (self._removed(),), self._facts)
        terms = stricter(self._base, self._head)
        return recount(report, terms, changes(self._base, self._head), self._facts)

    def _without_base(self, report: Report) -> Report:
        assert self._head is not None
        counted = recount(report, self._head)
        if not self._has_base:
            return counted
        caution = f"The base branch has no {self._path} yet: judged by the terms proposed here."
        return replace(counted, cautions=(caution, *counted.cautions))

    def _removed(self) -> Change:
        return Change(
            key="configuration",
            kind="dropped",
            base=self._path,
            head=None,
            message=f"The configuration {self._path} of the base branch does not exist here.",
            blocking=True,
        )


def _as_error(report: Report, error: PrivacyGateError) -> Report:
    return replace(report, verdict="error", complete=False, tolerated=False, error=described(error))


def _unasked(report: Report) -> Report:
    """A report that nobody asked for; an error keeps its own message."""
    if report.verdict == "error":
        return report
    return _as_error(
        report,
        UsageError(
            "No configuration that was asked for has this name and path, so the report counts for"
            " none.",
            hint="Name its configuration with --config, relative to the repository.",
        ),
    )


def _unreadable(error: PrivacyGateError, path: str | None = None) -> Report:
    """What stands for a report that cannot be read, or whose terms at ``path`` cannot."""
    return Report(
        name=path or "unreadable",
        verdict="error",
        complete=False,
        run={},
        model={},
        task="",
        config={} if path is None else {"path": path, "sha256": None},
        fixtures={},
        checks=(),
        error=described(error),
    )
