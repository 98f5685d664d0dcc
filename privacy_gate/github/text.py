"""Text that may come from a pull request, made safe for annotations and titles."""

from __future__ import annotations

from privacy_gate.report.comment.escape import clean

_LAST_OF_BASIC_PLANE = 0xFFFF


def plain(text: str, longest: int) -> str:
    """One line of at most ``longest`` characters that hides, reverses and controls nothing, and
    without characters outside the basic plane, which annotations cannot hold."""
    return "".join(
        character if ord(character) <= _LAST_OF_BASIC_PLANE else "\N{REPLACEMENT CHARACTER}"
        for character in clean(text, longest)
    )
