"""``extends``: a configuration completed by the file it names, one level deep."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from privacy_gate.config.problems import Path as Place
from privacy_gate.config.problems import Problem, config_error, shown
from privacy_gate.config.source import Source
from privacy_gate.config.unfinished import is_todo
from privacy_gate.config.validation import against
from privacy_gate.config.values import Section, Version

KEY = ("extends",)
_REFUSED = {
    "name": "belongs into the files that extend this one: no two may have the same",
    "extends": "is one level deep: a file that is extended extends none",
}
_OWN = {"version", *_REFUSED}
_FILES = {
    ("policy",),
    ("baseline",),
    ("baseline", "model"),
    ("model", "path"),
    ("fixtures",),
    ("fixtures", "path"),
    ("fixtures", "root"),
    ("fixtures", "receipt"),
}
"""Where text is a path relative to the file that it stands in; and each of ``python_path``."""


class _Extended(Section):
    """What must hold for an extended file by itself; all else, once it is completed."""

    model_config = ConfigDict(extra="allow")

    version: Version


def completed(source: Source, find: Callable[[str], Source]) -> Source:
    """A configuration together with the file that it extends; as it is if it extends none.

    Mappings are merged key by key, and the extending file wins; lists and single values are
    replaced as a whole. Paths of the extended file become relative to the extending one, so that
    equal text means an equal place. ``find`` reads the file at a path relative to ``source``, and
    raises ``ValueError`` with a sentence if there is none to be read. Raises ``ConfigError`` then.
    """
    text = source.data.get("extends")
    if not isinstance(text, str) or not text.strip() or is_todo(text):
        return source  # the grammar says what is wrong, if it is there
    try:
        extended = find(text)
    except ValueError as error:
        problem = source.problem(KEY, f"{shown(text)} {error}")
        raise config_error(source.file, [*source.problems, problem]) from None
    step = Path(os.path.relpath(extended.path.parent, source.path.parent)).as_posix()
    theirs = {key: value for key, value in extended.data.items() if key not in _OWN}
    inherited = frozenset(
        place
        for place in extended.values
        if place[0] not in _OWN and _is_inherited(place, source.data, theirs)
    )
    keys = {place: mark for place, mark in extended.keys.items() if place in inherited}
    values = {place: mark for place, mark in extended.values.items() if place in inherited}
    return replace(
        source,
        data=_merged(source.data, _moved(theirs, step)),
        problems=(*source.problems, *_problems(extended)),
        keys={**source.keys, **keys},
        values={**source.values, **values},
        extended=extended,
        inherited=inherited,
    )


def _problems(extended: Source) -> Iterator[Problem]:
    """What is wrong with the extended file whichever file extends it."""
    yield from against(_Extended, extended)[1]
    for key, sentence in _REFUSED.items():
        if key in extended.data:
            yield extended.problem((key,), sentence, key=True)


def _merged(own: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**theirs, **own}
    for key in own.keys() & theirs.keys():
        if isinstance(own[key], Mapping) and isinstance(theirs[key], Mapping):
            merged[key] = _merged(own[key], theirs[key])
    return merged


def _is_inherited(place: Place, own: Any, theirs: Any) -> bool:
    """Whether ``_merged`` has the value at this place of ``theirs`` from there."""
    for part in place:
        if not (isinstance(own, Mapping) and isinstance(theirs, Mapping)):
            return False
        if part not in own:
            return True
        own, theirs = own[part], theirs[part]
    return False


def _moved(value: Any, step: str, place: Place = ()) -> Any:
    """The values with their relative paths led by ``step``, the way to where they stand."""
    if isinstance(value, Mapping):
        return {key: _moved(part, step, (*place, key)) for key, part in value.items()}
    if isinstance(value, list) and place == ("python_path",):
        return [_led(part, step) for part in value]
    return _led(value, step) if place in _FILES else value


def _led(text: Any, step: str) -> Any:
    """What is no relative path (a mistake, a home directory, ``TODO``) stays recognisable."""
    relative = isinstance(text, str) and text.strip() and not os.path.isabs(text)
    if not relative or step == "." or text.startswith("~") or is_todo(text):
        return text
    rest = text.removeprefix("./")
    return step if rest in ("", ".") else f"{step}/{rest}"
