"""JSON that nobody vouches for: bounded in size, depth and numbers, every key there once."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from privacy_gate.errors import UsageError

LARGEST = 20_000_000
"""Characters of a text."""
_DEEPEST = 16
_LONGEST = 10_000
_MOST = 5_000
_LARGEST_INTEGER = 2**53


def load(text: str) -> Any:
    """The plain values of a JSON text.

    Raises ``UsageError`` for one that is too long, no JSON, or holds a key twice, NaN or Infinity,
    a number beyond 2^53 or that no float holds, half a surrogate pair, or too much of anything.
    """
    if len(text) > LARGEST:
        raise UsageError(f"The report is longer than {LARGEST:,} characters.")
    try:
        content = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_no_number,
            parse_float=_float,
            parse_int=_integer,
        )
    except ValueError as error:
        where = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise UsageError(f"The report is not JSON{where}.") from None
    except RecursionError:
        raise UsageError("The report is nested too deeply.") from None
    for place, problem in _problems(content):
        raise UsageError(f"The report is damaged at {place or 'the top'}: {problem}.")
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise UsageError("The report is damaged: a key is there twice.")
    return found


def _no_number(text: str) -> Any:
    raise UsageError(f"The report is damaged: {text} is no number of JSON.")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise UsageError("The report is damaged: a number is too large.")
    return value


def _integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > _LARGEST_INTEGER:
        raise UsageError("The report is damaged: a number is too large.")
    return int(text)


def _problems(content: Any) -> Iterator[tuple[str, str]]:
    """Place and problem of what is too deep, too long or no text."""
    pending: list[tuple[Any, str, int]] = [(content, "", 0)]
    while pending:
        value, place, depth = pending.pop()
        if depth > _DEEPEST:
            yield place, "it is nested too deeply"
        elif isinstance(value, str):
            if len(value) > _LONGEST:
                yield place, f"it is longer than {_LONGEST:,} characters"
            if not _is_text(value):
                yield place, "it is no Unicode text"
        elif isinstance(value, dict | list):
            if len(value) > _MOST:
                yield place, f"it has more than {_MOST:,} entries"
            if isinstance(value, dict):
                if any(len(key) > 200 or not _is_text(key) for key in value):
                    yield place, "a key is longer than 200 characters or no text"
                pending += [
                    (own, f"{place}.{_plain(key)}", depth + 1) for key, own in value.items()
                ]
            else:
                pending += [(own, f"{place}[{n}]", depth + 1) for n, own in enumerate(value)]


def _is_text(value: str) -> bool:
    """Whether it can be written as UTF-8: half a surrogate pair cannot."""
    return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)


def _plain(key: str) -> str:
    """A key as it may be shown; what is no plain word might be made to mislead."""
    return key if key.isascii() and key.isidentifier() and len(key) < 40 else "?"
