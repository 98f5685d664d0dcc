"""The whole configuration as a page of plain text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from privacy_gate.config.available import available
from privacy_gate.config.paths import shown_path
from privacy_gate.errors import FixtureError
from privacy_gate.explanation.attacks import looks_at
from privacy_gate.explanation.limits import limit_sentence, shares, warning_sentence
from privacy_gate.fixtures.manifest import read_manifest
from privacy_gate.registry import MODEL
from privacy_gate.terms import PlannedCheck

if TYPE_CHECKING:
    from privacy_gate.config import Config

_WIDTH = 96


def explain(config: Config, today: date) -> str:
    """What is tested, what is tolerated, how the verdict is reached, and what it does not mean.

    ``today`` decides which waivers and tolerances have expired.
    """
    sections = {
        f"{config.terms.name}: what this configuration means": _introduction(config),
        "What is tested": _tested(config),
        "What is tolerated": _tolerated(config),
        "Which attacks are tried": _attacks(config),
        "How the verdict is reached": _verdicts(config, today),
        "Who sets the limits": _owners(config, today),
        "What a pass means, and what it does not": _meaning(),
    }
    return "\n\n".join("\n".join(_section(title, body)) for title, body in sections.items()) + "\n"


def _section(title: str, paragraphs: Iterable[str]) -> Iterator[str]:
    yield title
    yield "-" * len(title)
    for paragraph in paragraphs:
        yield textwrap.fill(
            paragraph,
            _WIDTH,
            subsequent_indent="  " if paragraph.startswith("- ") else "",
            break_long_words=False,
            break_on_hyphens=False,
        )


def _introduction(config: Config) -> Iterator[str]:
    extended = f", which extends {config.extends['path']}," if config.extends else ""
    yield (
        f"This page says in sentences what {config.terms.path}{extended} asks for. Members are"
        " records that the model was trained on, outsiders are records that it has never seen. A"
        " model leaks if an attacker can tell from its answers who is which."
    )


def _tested(config: Config) -> Iterator[str]:
    model = config.model
    yield (
        f"- The model file {shown_path(config.model_path, config.root)} ({model.format})."
        + (f" Only the file with the SHA-256 {model.sha256} is accepted." if model.sha256 else "")
        + (" The file may run code when it is loaded." if model.trust == "code" else "")
    )
    where = shown_path(config.fixtures_path, config.root)
    try:
        manifest, _, _ = read_manifest(config.fixtures_path)
    except FixtureError:
        yield f"- The records in {where}, which are not there or cannot be read."
        return
    sides = manifest.sides
    yield (
        f"- The records in {where}: {sides.members.count:,} members and"
        f" {sides.nonmembers.count:,} outsiders. {shares(config.splits.evaluation)} of them decide"
        " the verdict; from the others, attacks may learn and choose their thresholds."
    )
    if manifest.assignment == "randomized":
        yield (
            "- Who is a member was decided by coin flips, so members and outsiders differ in"
            " nothing else, if that is what training kept to."
        )
    else:
        yield (
            "- Who is a member was not decided by chance. Members and outsiders may differ in other"
            " ways, too, which can look like leakage or hide it."
        )


def _tolerated(config: Config) -> Iterator[str]:
    yield from _limits(config, config.terms.checks)
    for line in _limits(config, config.terms.informational):
        yield line.replace("- ", "- For information only, deciding nothing: ", 1)


def _limits(config: Config, checks: Iterable[PlannedCheck]) -> Iterator[str]:
    attacks = (check.attack for check in config.terms.checks if not check.metric.audited)
    everyone = tuple(dict.fromkeys(attacks))
    alike: dict[PlannedCheck, list[str]] = {}
    for check in checks:
        alike.setdefault(replace(check, attack="", learned=False), []).append(check.attack)
    for common, names in alike.items():
        check = replace(common, attack=names[0])
        whom = "every attack" if tuple(names) == everyone else _list(names)
        sentences = [
            limit_sentence(check, config.terms.confidence),
            warning_sentence(check),
            f"This holds for {whom if names != [MODEL] else 'the model itself'}"
            f" ({_place(config, check)}).",
            *_looser(config, check),
        ]
        yield "- " + " ".join(sentence for sentence in sentences if sentence)


def _place(config: Config, check: PlannedCheck) -> str:
    path = check.path or config.terms.path
    line = "" if check.line is None else f", line {check.line}"
    # the files of the base branch have the same paths: they are named where they are the stricter
    branch = f" on {config.base['ref']}" if config.base and not _is_own(config, check) else ""
    return f"{path}{branch}{line}"


def _is_own(config: Config, check: PlannedCheck) -> bool:
    """Whether the limit stands in a file of the candidate; a policy is taken for its own."""
    if check.path is None or (config.policy and check.path == config.policy["path"]):
        return True
    inherited = config.extends is not None and check.path == config.extends["path"]
    return inherited and any(limit == check.budget for limit, _ in _own_limits(config, check))


def _looser(config: Config, check: PlannedCheck) -> Iterator[str]:
    """The configuration's own limit where a stricter one from elsewhere counts instead."""
    for limit, position in _own_limits(config, check):
        if check.path is not None and limit > check.budget:
            place = ("budgets", position)
            yield (
                f"It is stricter than the {limit:g} in {config.file_of(*place)}, line"
                f" {config.line_of(*place)}, which does not count."
            )


def _own_limits(config: Config, check: PlannedCheck) -> Iterator[tuple[float, int]]:
    """What the configuration's own budgets say about a check, and their positions."""
    ending = ":increase" if check.increase else ""
    for position, budget in enumerate(config.budgets):
        same = budget.metric_key == check.metric and check.attack in config.attacks_for(budget)
        if same and ending in budget.limits:
            yield budget.limits[ending], position


def _attacks(config: Config) -> Iterator[str]:
    limited = {check.attack for check in config.terms.checks}
    running = available(config.settings, config.source)
    for name in running:
        aside = "" if name in limited else " It is measured, and no limit is set for it."
        yield f"- {name}: {looks_at(name, config.task == 'custom')}.{aside}"
    left_out = [name for name in config.attack_names if name not in running]
    if left_out:
        yield (
            f"- Not tried: {_list(left_out)}, because the configuration does not let an attacker"
            " see what it takes."
        )


def _verdicts(config: Config, today: date) -> Iterator[str]:
    count, terms = len(config.terms.checks), config.terms
    wrong = shares(round((1 - terms.confidence) / 2, 12))
    yield (
        f"There are {count} checks: one limit for one attack each."
        if count > 1
        else "There is one check."
    )
    yield (
        "- Pass: for every check, even the upper end of what the records leave plausible lies"
        f" within the limit. A check lets a model pass that exceeds its limit with a chance of at"
        f" most {wrong}."
    )
    yield (
        "- Fail: for at least one check, even the lower end lies above the limit, also when it is"
        f" taken into account that {count} checks were made. No model within all its limits fails"
        f" with a larger chance than {wrong}."
    )
    if {check.metric.name for check in terms.checks} & {"auc", "log_mia"}:
        yield "- These chances are approximate for line-ups (Log-MIA) and for pairs (AUC)."
    yield f"- Inconclusive: the records cannot decide. {_inconclusive(config, today)}"
    yield "- Error: something could not be read or run. That is never a pass."


def _inconclusive(config: Config, today: date) -> str:
    terms = config.terms
    if terms.warn_until is None:
        return "That stops the pipeline as a failure does."
    reason = f'until {terms.warn_until.isoformat()}, because "{terms.warn_reason}"'
    if today > terms.warn_until:
        return f"That was tolerated {reason}; now it stops the pipeline as a failure does."
    return f"That is tolerated {reason}; it is shown as inconclusive, not as a pass."


def _owners(config: Config, today: date) -> Iterator[str]:
    terms, policy = config.terms, config.policy
    if policy is None:
        yield "- There is no policy file: whoever may change the configuration sets the limits."
    else:
        owner = f", for which {terms.owner} answers" if terms.owner else ""
        yield (
            f"- The policy {policy['path']}{owner}. Of its limits and those of the configuration,"
            " the stricter count."
        )
    for waiver in terms.waivers:
        expired = today > waiver.until
        yield (
            f"- Waived: {waiver.check} need not pass until {waiver.until.isoformat()}, because"
            f' "{waiver.reason}" (approved by {waiver.approved_by}).'
            + (" This has expired: the check counts again." if expired else "")
        )
    if config.base is not None:
        ref, commit = config.base["ref"], config.base["commit"][:12]
        fate = "fails" if terms.on_changed_terms == "fail" else "is shown"
        yield (
            f"- The limits on {ref} (commit {commit}) count, too. A change that loosens them"
            f" {fate}."
        )
        yield from (f"- Changed: {change.message}" for change in config.changes)
    yield from (f"- {caution}" for caution in config.cautions)


def _meaning() -> Iterator[str]:
    yield (
        "- A pass means: these attacks, on this model, with records like these, stay within the"
        " limits above, at the stated confidence."
    )
    yield (
        "- It does not mean that the model is anonymous or lawful, that other or better informed"
        " attacks would fail, or that another model trained in the same way would pass. It is no"
        " guarantee of differential privacy."
    )
    yield (
        "- Only membership is tested: not whether records can be reconstructed, or attributes of"
        " people be inferred."
    )


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
