"""Values of a report as a page shows them: read with care, rounded so that no verdict looks wrong.

A report may come from a file that somebody else wrote, so loosely typed values are taken only for
what they are: text is cleaned, a number that is not finite counts as none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

NOTHING = "–"
_REPLACED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\ud800-\udfff\ufff9-\uffff]"
)
_NAMES = {"auc": "AUC", "advantage": "Advantage", "tpr_at_fpr": "TPR at FPR"} | {
    "tnr_at_fnr": "TNR at FNR",
    "log_mia": "Log-MIA",
    "ood_fpr": "False alarms on",
    "ece": "Calibration error",
}
_MOST_DIGITS = 10


def clean(value: Any) -> str:
    """The text of a value. What no file can hold, what no reader sees and what turns the direction
    of writing becomes U+FFFD."""
    return _REPLACED.sub("\ufffd", str(value))


def section(content: Mapping[str, Any] | None, key: str) -> Mapping[str, Any]:
    """The mapping under ``key``; empty where there is none."""
    found = (content or {}).get(key)
    return found if isinstance(found, Mapping) else {}


def entries(content: Mapping[str, Any] | None, key: str) -> list[Mapping[str, Any]]:
    """The mappings of a list; what is none is left out."""
    found = (content or {}).get(key)
    return (
        [entry for entry in found if isinstance(entry, Mapping)]
        if isinstance(found, list | tuple)
        else []
    )


def text(content: Mapping[str, Any] | None, key: str) -> str:
    """The clean text, number or truth value under ``key``; empty where there is none."""
    found = (content or {}).get(key)
    return clean(found) if isinstance(found, str | int | float) else ""


def number(value: Any) -> float | None:
    """A finite number, else ``None``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def numbers(content: Mapping[str, Any] | None, key: str) -> list[float | None]:
    """The numbers of the list under ``key``; empty where there is none."""
    found = (content or {}).get(key)
    return [number(value) for value in found] if isinstance(found, list | tuple) else []


def figure(value: Any, digits: int = 3) -> str:
    """A number with three decimals; two significant digits where these would hide it."""
    found = number(value)
    if found is None:
        return NOTHING
    tiny = found != 0 and abs(found) < 10**-digits
    shown = f"{found:.2g}" if tiny or abs(found) >= 1e4 else f"{found:.{digits}f}"
    return _minus(shown)


def exact(value: Any) -> str:
    """A number as it was written: a budget, a rate, a count."""
    found = number(value)
    return NOTHING if found is None else _minus(f"{found:.12g}")


def bound(value: Any, budget: Any) -> str:
    """A bound beside its budget: as many digits as it takes to stand on its own side of it."""
    found, limit = number(value), number(budget)
    if found is None or limit is None:
        return figure(found)
    for digits in range(3, _MOST_DIGITS):
        shown = figure(found, digits)
        read = float(shown.replace("−", "-"))
        if (read < limit, read > limit) == (found < limit, found > limit):
            return shown
    return _minus(repr(found))


def interval(estimate: Any, low: Any, high: Any, budget: Any = None) -> str:
    """``0.031 [0.012, 0.048]``, or that nothing was measured."""
    if number(estimate) is None:
        return "not measured"
    shown = f"{bound(estimate, budget)} [{bound(low, budget)}, {bound(high, budget)}]"
    return shown.replace(" ", "\u00a0")


def signed(value: Any) -> str:
    """A difference, with its sign."""
    found = number(value)
    plus = "+" if found is not None and found > 0 else ""
    return plus + figure(found)


def p_value(value: Any) -> str:
    """A probability of chance, two significant digits."""
    found = number(value)
    if found is None:
        return NOTHING
    return "< 1e−300" if found == 0 else _minus(f"{found:.2g}")


def chance(value: Any) -> str:
    """A probability to two decimals that says 0 and 1 only where it is."""
    found = number(value)
    if found is None:
        return NOTHING
    if 0 < found < 0.005:
        return "< 0.01"
    return "> 0.99" if 0.995 < found < 1 else f"{found:.2f}"


def share(content: Mapping[str, Any]) -> str:
    """``{estimate, low, high}`` as one text."""
    return interval(content.get("estimate"), content.get("low"), content.get("high"))


def metric_words(metric: str, arguments: Mapping[str, Any], increase: bool = False) -> str:
    """``TPR at FPR 0.01``: a metric as it reads in a sentence."""
    argument = next(iter(arguments.values()), None)
    words = [_NAMES.get(metric, clean(metric))]
    if isinstance(argument, str):
        words.append(clean(argument).upper() if metric == "log_mia" else clean(argument))
    elif argument is not None:
        words.append(exact(argument))
    return " ".join(words) + (", increase over the baseline" if increase else "")


def counted(count: int, one: str, many: str | None = None) -> str:
    """``1 check``, ``3 checks``."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def tail(path: str) -> str:
    """The last part of a path."""
    return path.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]


def run_link(facts: Mapping[str, Any] | None, repository: str) -> str:
    """The address of the workflow run, only if it is one: an https address of exactly this
    repository's runs. Empty otherwise."""
    address = text(facts, "run_url")
    if not re.fullmatch(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+", repository):
        return ""
    expected = (
        r"https://[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?(?::[0-9]{1,5})?/"
        + re.escape(repository)
        + r"/actions/runs/[0-9]{1,20}"
    )
    return address if re.fullmatch(expected, address) else ""


def _minus(shown: str) -> str:
    return shown.replace("-", "−")
