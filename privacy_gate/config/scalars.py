"""What an unquoted YAML word means, refusing every form that YAML 1.1 and 1.2 read differently.

PyYAML reads ``1e-3`` as text, ``010`` as eight, ``12:30`` as 750 and ``on`` as true; YAML 1.2 does
not. A budget must not depend on which of the two its author had in mind.
"""

from __future__ import annotations

import math
import re
from datetime import date
from decimal import Decimal

Scalar = str | int | float | bool | date | None

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+][0-9]+)?")
_EXPONENT = re.compile(r"([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))[eE]([-+]?)([0-9]+)")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_OTHER_NOTATION = re.compile(
    r"[-+]?(0[0-9_]+|0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+"  # octal, hexadecimal, binary
    r"|[0-9][0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?"  # digits grouped by underscores
    r"|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)"  # base sixty
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATE_AND_TIME = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt]|[ \t]+)[0-9]{1,2}:.*")
_NULLS = {"", "~", "null", "Null", "NULL"}
_BOOLEANS = {"true": True, "false": False}
_OTHER_BOOLEANS = {"yes": "true", "no": "false", "on": "true", "off": "false"}
_MOST_DIGITS = 30


class AmbiguousScalar(ValueError):
    """A word that must be written in another way; the text is the sentence for the user."""


def read_plain(text: str) -> Scalar:
    """The value of an unquoted word.

    Raises ``AmbiguousScalar`` for numbers, booleans and dates in notations that are read
    differently elsewhere, and for numbers that are not finite.
    """
    if text in _NULLS:
        return None
    lower = text.lower()
    if text in (lower, lower.capitalize(), lower.upper()):
        if lower in _BOOLEANS:
            return _BOOLEANS[lower]
        if lower in _OTHER_BOOLEANS:
            raise AmbiguousScalar(
                f"{text!r} is a boolean in one YAML version and text in the other; write "
                f"{_OTHER_BOOLEANS[lower]}, or quote it if text is meant"
            )
    if _DATE.fullmatch(text):
        return _date(text)
    if _DATE_AND_TIME.fullmatch(text):
        raise AmbiguousScalar("write a date as YYYY-MM-DD, or quote it if text is meant")
    return _number(text)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise AmbiguousScalar(f"{text} is not a day of the calendar") from None


def _number(text: str) -> int | float | str:
    if _NOT_FINITE.fullmatch(text):
        raise AmbiguousScalar(f"expected a finite number, not {text}")
    if _INTEGER.fullmatch(text):
        if len(text) > _MOST_DIGITS:
            raise AmbiguousScalar(f"a number of {len(text)} digits is too large")
        return int(text)
    if _FLOAT.fullmatch(text):
        value = float(text)
        if not math.isfinite(value):
            raise AmbiguousScalar("expected a finite number, this one is too large")
        return value
    if match := _EXPONENT.fullmatch(text):
        raise AmbiguousScalar(_exponent_sentence(match))
    if _OTHER_NOTATION.fullmatch(text):
        raise AmbiguousScalar(
            f"{text[:60]!r} is a number in one YAML version and not the same in the other; write "
            "a plain decimal number, or quote it if text is meant"
        )
    return text


def _exponent_sentence(match: re.Match[str]) -> str:
    text = match[0][:60]
    if len(match[0]) > _MOST_DIGITS or len(match[3]) > 3:
        return f"{text!r} is text to YAML, not a number; write it as a plain decimal number"
    mantissa = match[1] if "." in match[1] else f"{match[1]}.0"
    scientific = f"{mantissa}e{match[2] or '+'}{match[3]}"
    value = Decimal(match[0])
    plain = f"{value.normalize():f} or " if abs(value.adjusted()) < 12 else ""
    return f"{text!r} is text to YAML, not a number; write {plain}{scientific}"
