"""An earlier report in the place of a new run, where nothing that its verdict rests on has changed.

Whoever can write the earlier report's file can make it say anything, so it must come from where
pull requests cannot write: a cache or an artifact of the default branch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from privacy_gate import provenance
from privacy_gate.domain import Report
from privacy_gate.models.model_file import check_model_path, model_sha256
from privacy_gate.preparation import Prepared
from privacy_gate.recount import recount

REASON = (
    "Model, fixtures, code, configuration, policy and tool are those of the earlier run, which"
    " passed on the default branch."
)


@dataclass(frozen=True)
class Earlier:
    """Reports of earlier runs, and the name of the ``default_branch`` if it is known. ``say`` is
    told in one line of each configuration whether its report is repeated, and else why not."""

    reports: tuple[Report, ...]
    default_branch: str | None
    say: Callable[[str], None]

    def instead_of(self, prepared: Prepared) -> Report | None:
        """The report to give instead of running; ``None`` if a run is needed.

        The fixtures have been verified file by file by then; the model is read for its digest only.
        Raises ``ModelError`` where it cannot be.
        """
        name = prepared.config.name
        own = [report for report in self.reports if report.name == name]
        if len(own) != 1:
            self.say(f"{name}: not reused: the earlier reports have {len(own)} of this name.")
            return None
        (report,) = own
        obstacle = next(self._obstacles(report, prepared), None)
        if obstacle is not None:
            self.say(f"{name}: not reused: {obstacle}.")
            return None
        self.say(f"{name}: reused from commit {str(report.run.get('commit'))[:12]}.")
        return _repeated(report, prepared)

    def _obstacles(self, report: Report, prepared: Prepared) -> Iterator[str]:
        """Why the report cannot be repeated, the costly conditions last."""
        config, facts = prepared.config, prepared.facts()
        run, here = report.run, facts["run"]
        if self.default_branch is None:
            yield "the default branch is not known; give --default-branch"
        if run.get("ref") != f"refs/heads/{self.default_branch}":
            yield "it is not of the default branch"
        if run.get("repository") != here["repository"]:
            yield "it is of another repository"
        if config.changes:
            yield "the terms differ from those of the base branch"
        if run.get("tool_version") != here["tool_version"]:
            yield "another version of the tool made it"
        for key, words in _CONDITIONS.items():
            if getattr(report, key) != facts[key]:
                yield words
        if report.fixtures.get("sha256") != prepared.data.sha256:
            yield "the fixtures differ"
        again = recount(report, config.terms, config.changes)
        if {report.verdict, again.verdict} != {"pass"} or not again.complete:
            yield "it is not a complete pass by the present terms"
        yield from self._differing_models(report, prepared)

    @staticmethod
    def _differing_models(report: Report, prepared: Prepared) -> Iterator[str]:
        config = prepared.config
        check_model_path(config.model_path, config.model.format, config.location("model", "path"))
        if report.model.get("sha256") != model_sha256(config.model_path, config.model.format):
            yield "the model differs"
        if config.baseline_model is not None:
            known = (report.baseline or {}).get("model_sha256")
            if known != model_sha256(config.baseline_model, config.model.format):
                yield "the baseline's model differs"


_CONDITIONS = {
    "config": "the configuration, the code it names or the baseline differs",
    "policy": "the policy differs",
    "overrides": "other options replace what the configuration says",
}
"""Field of a report -> what is said where it is not that of this run."""


def _repeated(report: Report, prepared: Prepared) -> Report:
    """The report as this run's, with the earlier run it repeats; of a repeated one, the first."""
    config = prepared.config
    source = report.reused or {
        key: report.run.get(key) for key in ("commit", "run_url", "finished")
    }
    again = recount(report, config.terms, config.changes, config.base)
    run = provenance.run_facts(prepared.started, config.directory)
    run["cached"] = report.run.get("cached", [])
    return replace(again, run=run, reused={**source, "reason": REASON})
