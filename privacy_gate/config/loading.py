"""Read, validate and resolve a configuration; every face of the product starts here."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from privacy_gate.config.configuration import Config
from privacy_gate.config.extending import completed
from privacy_gate.config.judged import judged, judged_settings
from privacy_gate.config.overrides import Override, find_overrides, find_policy_ref
from privacy_gate.config.paths import allowed_roots, find_root, resolve_inside, shown_path
from privacy_gate.config.policy import Policy, open_policy
from privacy_gate.config.problems import config_error
from privacy_gate.config.resolution import Resolver
from privacy_gate.config.schema import FixturesSection, Settings
from privacy_gate.config.source import Source, read_source
from privacy_gate.config.terms_reader import MANIFEST, digest, terms_of
from privacy_gate.config.validation import validate
from privacy_gate.terms import Terms


def load_config(
    path: str | os.PathLike[str],
    *,
    model: str | os.PathLike[str] | None = None,
    fixtures: str | os.PathLike[str] | None = None,
    device: str | None = None,
    allow_roots: Iterable[str | os.PathLike[str]] = (),
    policy_ref: str | None = None,
) -> Config:
    """Read a ``privacy_gate.yaml``.

    ``model``, ``fixtures`` and ``device`` replace what the file says; after them come
    ``PRIVACY_GATE_MODEL``, ``PRIVACY_GATE_FIXTURES`` and ``PRIVACY_GATE_DEVICE``. Such paths are
    relative to the working directory and may lie anywhere; paths in the file must lie inside the
    project, below one of ``allow_roots``, or below a directory in ``PRIVACY_GATE_ROOTS``.
    ``policy_ref`` (else ``PRIVACY_GATE_POLICY_REF``) names the commit or branch of this repository
    whose terms count, too.

    Raises ``ConfigError`` with all problems of the file, its policy or its counterpart on the base
    branch, ``UsageError`` for an argument or a variable that cannot be used.
    """
    overrides = find_overrides(model, fixtures, device)
    ref = find_policy_ref(policy_ref)
    permitted = allowed_roots(allow_roots)
    written = read_source(path)
    directory, root = written.path.parent, find_root(written.path.parent)
    roots = (root, *permitted)
    source = completed(written, lambda text: _extended(directory, text, roots))
    settings, problems = validate(source)
    resolver = Resolver(source, roots, overrides, {item.path for item in problems})
    name = resolver.name()
    python_path = resolver.python_path()
    model_path = resolver.path("model", "--model", "PRIVACY_GATE_MODEL")
    fixtures_path = resolver.path("fixtures", "--fixtures", "PRIVACY_GATE_FIXTURES")
    fixtures_root, receipt_path = resolver.fixtures_root(), resolver.receipt()
    baseline_path, baseline_model = resolver.baseline()
    policy_path = resolver.policy()
    problems += resolver.problems
    if problems or settings is None or model_path is None or fixtures_path is None:
        raise config_error(source.file, problems)
    policy = None if policy_path is None else _policy(policy_path, root, settings)
    extends = None if source.extended is None else _named(source.extended, root)
    baseline = baseline_path or baseline_model
    head = terms_of(
        settings,
        source,
        name=name,
        path=shown_path(source.path, root),
        extended=None if extends is None else extends["path"],
        policy=policy,
        fixtures_sha256=_digest(_manifest(fixtures_path)) or (settings.fixtures or _NO_PIN).sha256,
        # hashing a large model is worth it only where there is something to compare it with
        baseline_sha256=None if ref is None or baseline is None else _digest(baseline),
    )
    found = judged(head, path, ref)
    return Config(
        path=source.path,
        directory=directory,
        root=root,
        sha256=source.sha256,
        name=name,
        python_path=python_path,
        model_path=model_path,
        fixtures_path=fixtures_path,
        fixtures_root=fixtures_root,
        receipt_path=receipt_path,
        baseline_path=baseline_path,
        baseline_model=baseline_model,
        overrides=tuple(override.record(source.data) for override in overrides),
        settings=judged_settings(_overridden(settings, overrides), found.terms, source),
        source=source,
        extends=extends,
        terms=found.terms,
        changes=found.changes,
        base=found.base,
        policy=None if policy is None else _facts(policy),
        cautions=(*found.cautions, *_intolerance(settings, found.terms)),
    )


_NO_PIN = FixturesSection()


def _policy(path: Path, root: Path, settings: Settings) -> Policy:
    return open_policy(read_source(path, "policy"), shown_path(path, root), settings)


def _extended(directory: Path, text: str, roots: tuple[Path, ...]) -> Source:
    path = resolve_inside(text, directory, roots)
    if not os.path.exists(path):
        raise ValueError("does not exist")
    return read_source(path, "extended configuration")


def _named(source: Source, root: Path) -> dict[str, str]:
    return {"path": shown_path(source.path, root), "sha256": source.sha256}


def _facts(policy: Policy) -> dict[str, str | None]:
    owner = policy.settings.owner
    return {"path": policy.path, "sha256": policy.source.sha256, "owner": owner}


def _manifest(fixtures: Path) -> Path:
    return fixtures if fixtures.name == MANIFEST else fixtures / MANIFEST


def _digest(path: Path) -> str | None:
    """The digest of a file, as ``terms_reader.digest`` gives it; ``None`` if it cannot be read."""
    try:
        with path.open("rb") as stream:
            start = stream.read(_POINTER_BYTES)
            if len(start) < _POINTER_BYTES:
                return digest(start)
            stream.seek(0)
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None


_POINTER_BYTES = 1024


def _intolerance(settings: Settings, terms: Terms) -> Iterator[str]:
    wanted = settings.statistics.on_inconclusive
    if not isinstance(wanted, str) and terms.warn_until is None:
        yield (
            "The configuration tolerates inconclusive checks, and the policy or the base branch"
            " does not: they are not tolerated."
        )


def _overridden(settings: Settings, overrides: Iterable[Override]) -> Settings:
    sections = {"model": settings.model, "fixtures": settings.fixtures or FixturesSection()}
    for override in overrides:
        changed = sections[override.section].model_copy(update={override.key: override.value})
        sections[override.section] = changed
    return settings.model_copy(update=sections)
