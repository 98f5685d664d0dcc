"""Which of the factories found in source code builds the weights of a file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from privacy_gate.setup.factories import Candidate

Shapes = Mapping[str, tuple[int, ...]]

_DOES_MORE = re.compile(r"(train|fit|run|main|evaluate|test|load)(_|$)")
_WRAPPERS = {"module", "_orig_mod"}
"""What DistributedDataParallel and torch.compile put in front of every name."""
_MOST_PREFIXES = 3


@dataclass(frozen=True, slots=True)
class Match:
    """A factory and the prefix to take off the names of the weights (empty: none). ``fits``:
    whether the code shows the first parts of these names."""

    candidate: Candidate
    prefix: str
    fits: bool


def matches(candidates: Sequence[Candidate], shapes: Shapes | None) -> tuple[Match, ...]:
    """The factories that may build the weights, the likeliest first; those that certainly do not
    are left out. ``shapes`` are ``None`` where the file could not be read."""
    found = [match for candidate in candidates for match in _matched(candidate, shapes or {})]
    return tuple(sorted(found, key=_rank))


def best(found: Sequence[Match]) -> Match | None:
    """The match that is likelier than all others, or ``None``."""
    if not found or (len(found) > 1 and _rank(found[0]) == _rank(found[1])):
        return None
    return found[0]


def _matched(candidate: Candidate, shapes: Shapes) -> Iterator[Match]:
    """The candidate with the first prefix that makes it fit; without one where that is unknown."""
    if candidate.children is None or not shapes:
        wrapper = next((p for p in _prefixes(shapes) if p.rstrip(".") in _WRAPPERS), "")
        yield Match(candidate, wrapper, fits=False)
        return
    for prefix in _prefixes(shapes):
        tops = {name.removeprefix(prefix).partition(".")[0] for name in shapes}
        if tops <= candidate.children:
            yield Match(candidate, prefix, fits=True)
            return


def _prefixes(shapes: Shapes) -> Iterator[str]:
    """None, then the parts that all names begin with: ``model.``, ``model.net.``, …"""
    yield ""
    prefix = ""
    for _ in range(_MOST_PREFIXES):
        tops = {name.removeprefix(prefix).partition(".")[::2] for name in shapes}
        if len({top for top, _ in tops}) != 1 or not all(rest for _, rest in tops):
            return
        prefix += f"{next(iter(tops))[0]}."
        yield prefix


def _rank(match: Match) -> tuple[int, ...]:
    """Smaller is likelier: seen to fit, no script, only builds, needs little, is a function."""
    candidate = match.candidate
    unknown = sum(not parameter.number for parameter in candidate.parameters)
    name = candidate.target.rpartition(":")[2]
    return (
        not match.fits,
        candidate.script,
        bool(_DOES_MORE.match(name)),
        unknown,
        candidate.is_class,
    )
