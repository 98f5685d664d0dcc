"""The files of one report, verified against its digests, as reproducible bytes.

Nothing enters the archive that the report does not vouch for by digest, so reading a path that a
report names can at most bundle what whoever wrote the report knew already.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privacy_gate import __version__
from privacy_gate.domain import Report
from privacy_gate.errors import FixtureError, UsageError
from privacy_gate.evidence.page import page
from privacy_gate.faces import rendered
from privacy_gate.fixtures.manifest import read_manifest
from privacy_gate.fixtures.schema import Manifest, SideEntry
from privacy_gate.report.json_report import dumps
from privacy_gate.report.parse import SCHEMA, read_untrusted

_MAX_BYTES = 64 * 2**20
_RENDERED = {"markdown": "report.md", "html": "report.html", "sarif": "report.sarif"}
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest moment that an archive can hold: the files' own times would change its bytes."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """Name in the archive -> content, and what had to be left out, in words."""

    files: Mapping[str, bytes]
    left_out: tuple[str, ...]


def read_report(path: Path) -> tuple[Report, bytes]:
    """The report in a ``report.json``, and its bytes.

    Raises ``UsageError`` if it is none, if it contradicts itself, and if it holds what this version
    does not know: that would be bundled without anybody having looked at it.
    """
    content = _read(path, "The report")
    try:
        reports = read_untrusted(content.decode("utf-8"))
    except UnicodeDecodeError:
        raise UsageError("The report is not UTF-8 text.", location=str(path)) from None
    except UsageError as error:
        raise UsageError(error.message, hint=error.hint, location=str(path)) from None
    values = json.loads(content)
    if len(reports) != 1 or values.get("schema") != SCHEMA:
        raise UsageError(
            "This holds several reports.",
            hint="Bundle them one by one: each has a report.json of its own.",
            location=str(path),
        )
    if not _contained(values, reports[0].to_dict()):
        raise UsageError(
            "The report holds entries that this version does not know, so they may be anything.",
            hint="Use the version of privacy-gate that wrote it (run.tool_version).",
            location=str(path),
        )
    return reports[0], content


def bundle(report: Report, content: bytes, *, root: Path, fixtures: Path | None = None) -> Bundle:
    """Gather everything. ``content`` are the bytes of ``report.json``.

    Paths in the report are relative to ``root``; ``fixtures`` says where the fixtures are if they
    have moved. Raises ``UsageError`` or ``FixtureError`` where a file is missing or is not the one
    that the report was made with.
    """
    files: dict[str, bytes] = {"report.json": content}
    left_out: list[str] = []
    for form, name in _RENDERED.items():
        try:
            files[name] = rendered(report, form).encode()
        except UsageError:  # an extra that is not installed here
            left_out.append(f"{name}: this format is not installed where the bundle was made")
    for name, entry, what in (
        ("configuration.yaml", report.config, "The configuration"),
        ("extended.yaml", report.config.get("extends"), "The extended configuration"),
        ("policy.yaml", report.policy, "The policy"),
    ):
        if entry is None:
            continue
        if not entry.get("sha256"):
            left_out.append(f"{name}: the report was made without reading it")
            continue
        files[name] = _verified(_place(root, entry), str(entry["sha256"]), what)
    if report.fixtures.get("sha256"):
        place = fixtures if fixtures is not None else _place(root, report.fixtures)
        files["fixtures.json"] = _excerpt(place, str(report.fixtures["sha256"]))
    else:
        left_out.append("fixtures.json: the report was made without reading the fixtures")
    environment = {
        "environment": report.environment,
        "run": report.run,
        "bundled_by": f"privacy-gate {__version__}",
    }
    files["environment.json"] = dumps(environment).encode()
    files["TERMS.md"] = page(report, left_out).encode()
    files["CHECKSUMS"] = checksums(files).encode()
    return Bundle(files, tuple(left_out))


def checksums(files: Mapping[str, bytes]) -> str:
    """The digests as ``sha256sum`` writes and checks them, sorted by name."""
    return "".join(f"{_sha256(files[name])}  {name}\n" for name in sorted(files))


def archive(files: Mapping[str, bytes]) -> bytes:
    """A zip of the files: the same files give the same bytes on every machine."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            # stored, not compressed: the output of compressors differs between their versions
            target.writestr(entry, files[name], compress_type=zipfile.ZIP_STORED)
    return buffer.getvalue()


def _place(root: Path, entry: Mapping[str, Any]) -> Path:
    path = str(entry.get("path") or "")
    if not path or not path.isprintable():  # it is printed in messages
        raise UsageError("The report names a file by a path that cannot be one.")
    return root / path


def _excerpt(place: Path, sha256: str) -> bytes:
    """The manifest in counts, digests and columns: a list of what may be told, so that nothing
    that a later manifest holds slips in."""
    manifest, directory, found = read_manifest(place)
    if found != sha256:
        raise FixtureError(
            "These are not the fixtures that the report was made with: the manifest has another"
            " SHA-256.",
            hint="Give the directory of the right ones with --fixtures.",
            location=str(directory),
        )
    return dumps({"manifest_sha256": found, **_told(manifest)}).encode()


def _told(manifest: Manifest) -> dict[str, Any]:
    roles = {"identifier": manifest.identifier, "group": manifest.group, "date": manifest.date}
    return {
        "schema": manifest.schema_name,
        "assignment": manifest.assignment,
        "member_sampling": manifest.member_sampling,
        "training_records": manifest.training_records,
        "split_key": {"fingerprint": manifest.split_key.fingerprint},
        "labels": {
            "column": manifest.labels.column,
            "classes": manifest.labels.classes,
            "alternatives": list(manifest.labels.alternatives),
        },
        "columns_by_role": {name: role and role.column for name, role in roles.items()},
        "sides": {
            "members": _side(manifest.sides.members),
            "nonmembers": _side(manifest.sides.nonmembers),
        },
        "ood": {name: _side(side) for name, side in manifest.ood.items()},
    }


def _side(side: SideEntry) -> dict[str, Any]:
    return {
        "count": side.count,
        "files": [{"sha256": entry.sha256} for entry in side.files],
        "columns": {
            name: {"dtype": column.dtype, "shape": list(column.shape)}
            for name, column in side.columns.items()
        },
    }


def _verified(path: Path, sha256: str, what: str) -> bytes:
    content = _read(path, what)
    if _sha256(content) != sha256:
        raise UsageError(
            f"{what} is not the one that the report was made with: its SHA-256 differs.",
            hint="Check out the commit of the report (run.commit), or run the gate again.",
            location=str(path),
        )
    return content


def _read(path: Path, what: str) -> bytes:
    try:
        if not path.is_file():
            raise UsageError(
                f"{what} is not here.",
                hint="Paths are relative to the project: give its directory with --root.",
                location=str(path),
            )
        with path.open("rb") as stream:
            content = stream.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise UsageError(f"{what} cannot be read: {reason}.", location=str(path)) from None
    if len(content) > _MAX_BYTES:
        raise UsageError(f"{what} is larger than {_MAX_BYTES >> 20} MiB.", location=str(path))
    return content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _contained(part: Any, whole: Any) -> bool:
    """Whether every entry of ``part`` is in ``whole``, at any depth."""
    if isinstance(part, Mapping):
        return isinstance(whole, Mapping) and all(
            key in whole and _contained(value, whole[key]) for key, value in part.items()
        )
    if isinstance(part, Sequence) and not isinstance(part, str):
        return len(part) == len(whole) and all(map(_contained, part, whole))
    return bool(part == whole)
