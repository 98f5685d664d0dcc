"""The Markdown that is ours: tables and folded parts. What a report says is escaped before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

ICONS = {
    "pass": "✅",
    "fail": "❌",
    "inconclusive": "⚠️",
    "waived": "⏸️",
    "error": "🛑",
    "not_run": "🛑",
    "missing": "🛑",
}
"""An icon per verdict, always beside its word."""


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the cells are Markdown without a raw ``|`` or a line break."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def folded(title: str, body: str) -> str:
    """A part to open; the title is ours. Empty if the body is."""
    if not body:
        return ""
    return f"<details>\n<summary>{title}</summary>\n\n{body}\n\n</details>"


def joined(parts: Iterable[str]) -> str:
    """Paragraphs, the empty ones left out."""
    return "\n\n".join(part for part in parts if part)
