"""The terms of a configuration, read from a working tree or from any other tree of files."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path, PurePosixPath

from privacy_gate.config.available import available
from privacy_gate.config.budgets import BudgetBase
from privacy_gate.config.extending import completed
from privacy_gate.config.names import chosen_attacks
from privacy_gate.config.pinned import pinned
from privacy_gate.config.policy import Policy, open_policy
from privacy_gate.config.problems import config_error, shown
from privacy_gate.config.schema import OnInconclusive, Settings
from privacy_gate.config.source import Source, parse_source
from privacy_gate.config.validation import validate
from privacy_gate.errors import ConfigError
from privacy_gate.registry import learns
from privacy_gate.terms import PlannedCheck, Terms, Waiver, stricter

MANIFEST = "manifest.json"
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/[^\n]*\noid sha256:([0-9a-f]{64})\n"
)

Reader = Callable[[str], bytes | None]
"""Path relative to the top of a repository, with forward slashes -> content, ``None`` if there is
no such file."""


def read_terms(read: Reader, path: str, ref: str | None = None) -> Terms | None:
    """The terms of the configuration at ``path`` in a tree, the file that it extends and its policy
    included.

    ``None`` if there is no such file. ``ref`` names the tree in messages. Raises ``ConfigError`` if
    one of the three is broken, or is named and missing or outside of the tree.
    """
    content = read(path)
    if content is None:
        return None
    source = completed(
        _source(content, path, ref), lambda text: _source(*_named(read, path, text), ref)
    )
    settings, problems = validate(source)
    if problems or settings is None:
        raise config_error(source.file, problems)
    baseline = settings.baseline
    file = baseline if baseline is None or isinstance(baseline, str) else baseline.model
    fixtures = settings.fixtures
    manifest = None if fixtures is None else fixtures.path
    return terms_of(
        settings,
        source,
        name=settings.name or PurePosixPath(path).parent.name,
        path=path,
        extended=None if source.extended is None else source.extended.path.as_posix(),
        policy=_policy_in(read, source, settings, path, ref),
        fixtures_sha256=(fixtures and fixtures.sha256) or _manifest_in(read, path, manifest),
        baseline_sha256=None if file is None else _digest_in(read, path, file),
    )


def terms_of(
    settings: Settings,
    source: Source,
    *,
    name: str,
    path: str,
    extended: str | None,
    policy: Policy | None,
    fixtures_sha256: str | None,
    baseline_sha256: str | None,
) -> Terms:
    """The terms of a valid configuration as written, the stricter of its own and its policy's.

    ``path`` and ``extended`` are the names of the configuration and of the file that it extends in
    reports. Raises ``ConfigError`` for an attack that must run and cannot, or a budget without an
    attack.
    """
    names = available(settings, source)
    listed = {attack.name for attack in settings.attacks}
    until, reason = _tolerance(settings.statistics.on_inconclusive)
    place = None if source.holder(("budgets",)) is source else extended
    checks, informational = _planned(settings.budgets, source, names, place)
    own = Terms(
        name=name,
        path=path,
        checks=checks,
        singly=tuple(attack for attack in names if attack in listed),
        confidence=settings.statistics.confidence,
        warn_until=until,
        warn_reason=reason,
        fixtures_sha256=fixtures_sha256,
        pinned=pinned(settings, baseline_sha256),
        accepted=settings.accept.reasons,
        informational=informational,
    )
    if policy is None:
        return own
    theirs = _terms_of_policy(policy, own, names)
    return stricter(theirs, replace(own, waivers=theirs.waivers))


def _terms_of_policy(policy: Policy, own: Terms, names: Sequence[str]) -> Terms:
    """What the policy says; where it says nothing, what the configuration says."""
    written, source = policy.settings, policy.source
    until, reason = _tolerance(written.statistics.on_inconclusive)
    waivers = [
        Waiver(
            check=waiver.check,
            reason=waiver.reason,
            until=waiver.until,
            approved_by=waiver.approved_by,
            line=source.mark(("waivers", position))[0],
            path=policy.path,
        )
        for position, waiver in enumerate(written.waivers)
    ]
    checks, informational = _planned(written.budgets, source, names, policy.path)
    return Terms(
        name=own.name,
        path=policy.path,
        checks=checks,
        singly=(),
        confidence=written.statistics.confidence or own.confidence,
        warn_until=until,
        warn_reason=reason,
        waivers=tuple(waivers),
        on_changed_terms=written.on_changed_terms,
        owner=written.owner,
        accepted=own.accepted,  # a policy says nothing about fixtures
        informational=informational,
    )


def _planned(
    budgets: Sequence[BudgetBase], source: Source, names: Sequence[str], path: str | None
) -> tuple[tuple[PlannedCheck, ...], tuple[PlannedCheck, ...]]:
    """Every check of every budget, in the order of the file: those that decide, and the others."""
    found: dict[bool, list[PlannedCheck]] = {True: [], False: []}
    for position, budget in enumerate(budgets):
        chosen = chosen_attacks(budget, names)
        if not chosen:
            raise ConfigError(
                "This budget matches no attack that runs.",
                hint=f"These run: {', '.join(names) or 'none'}.",
                location=source.location(("budgets", position)),
            )
        found[budget.decides] += [
            PlannedCheck(
                attack=name,
                metric=budget.metric_key,
                budget=limit,
                warn_at=None if ending else budget.warn_at,
                line=source.mark(("budgets", position))[0],
                path=path,
                learned=learns(name),
                increase=bool(ending),
            )
            for name in chosen
            for ending, limit in budget.limits.items()
        ]
    return tuple(found[True]), tuple(found[False])


def _tolerance(written: OnInconclusive) -> tuple[date | None, str]:
    return (None, "") if isinstance(written, str) else (written.warn_until, written.reason)


# ------------------------------------------------------------------------------- files in a tree


def _source(content: bytes, path: str, ref: str | None) -> Source:
    return parse_source(content, Path(path), f"{ref}:{path}" if ref else path)


def _policy_in(
    read: Reader, source: Source, settings: Settings, path: str, ref: str | None
) -> Policy | None:
    if settings.policy is None:
        return None
    try:
        content, place = _named(read, path, settings.policy)
    except ValueError as error:
        written = shown(source.written(("policy",)))
        problem = source.problem(("policy",), f"{written} {error}")
        raise config_error(source.file, [problem]) from None
    return open_policy(_source(content, place, ref), place, settings)


def _named(read: Reader, path: str, text: str) -> tuple[bytes, str]:
    """The content and the place of a file that the configuration at ``path`` names.

    Raises ``ValueError`` with a sentence if there is none in the tree.
    """
    place = _beside(path, text)
    if place is None:
        raise ValueError("lies outside the repository")
    content = read(place)
    if content is None:
        raise ValueError("is not there")
    return content, place


def _manifest_in(read: Reader, path: str, fixtures: str | None) -> str | None:
    """The digest of the manifest of a fixture directory, or of the manifest that is named."""
    if fixtures is None:
        return None
    named = posixpath.basename(fixtures) == MANIFEST
    return _digest_in(read, path, fixtures if named else posixpath.join(fixtures, MANIFEST))


def _digest_in(read: Reader, path: str, text: str) -> str | None:
    place = _beside(path, text)
    content = None if place is None else read(place)
    return None if content is None else digest(content)


def digest(content: bytes) -> str:
    """SHA-256; of the file that a Git LFS pointer stands for, if the content is one."""
    pointer = _POINTER.match(content[:1024])
    return pointer[1].decode() if pointer else hashlib.sha256(content).hexdigest()


def _beside(path: str, text: str) -> str | None:
    """A path relative to the configuration as one relative to the top; ``None`` if it leaves it."""
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(path), text))
    outside = joined.startswith(("/", "../", "~")) or joined in ("..", ".")
    return None if outside else joined
