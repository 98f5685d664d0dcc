"""What pydantic found, as problems with a position and a sentence for the author of the file."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from datetime import date
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from privacy_gate.config.problems import Path, Problem, nearest, shown
from privacy_gate.config.schema import Settings
from privacy_gate.config.source import Source
from privacy_gate.domain import Metric

_EXPECTED = {
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "text",
    "date_type": "a date as YYYY-MM-DD",
    "dict_type": "a mapping of keys",
    "model_type": "a mapping of keys",
    "model_attributes_type": "a mapping of keys",
    "tuple_type": "a list",
    "finite_number": "a finite number",
}
_BOUNDS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def schema_problems(
    error: ValidationError, source: Source, grammar: type[BaseModel] = Settings
) -> list[Problem]:
    """One problem for each error, except those that only follow from another at the same place."""
    problems = []
    for detail in error.errors(include_url=False):
        kind = detail["type"]
        if kind == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"]:
            continue  # pydantic counts the valid entries; each invalid one has its own error
        path = _path(detail["loc"], source.data)
        if kind in ("missing_metric", "unknown_metric"):
            path = (*path, "metric")
        unknown = kind == "extra_forbidden"
        problems.append(source.problem(path, _sentence(detail, grammar), key=unknown))
    return problems


def _path(loc: tuple[str | int, ...], data: Any) -> Path:
    """The place in the file: pydantic also names the branch of a union it took."""
    path: list[str | int] = []
    for position, part in enumerate(loc):
        if part in _keys(data):
            path.append(part)
            data = data[part]
        elif position == len(loc) - 1 and isinstance(data, dict) and not _is_branch(part):
            path.append(part)  # a key that is missing
    return tuple(path)


def _keys(data: Any) -> Collection[str | int]:
    if isinstance(data, dict):
        return data
    return range(len(data)) if isinstance(data, list) else ()


def _is_branch(part: str | int) -> bool:
    return isinstance(part, str) and part[:1] in ("<", "[")


def _sentence(detail: ErrorDetails, grammar: type[BaseModel]) -> str:
    kind, value = detail["type"], detail["input"]
    context: Mapping[str, Any] = detail.get("ctx", {})
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}, not {_described(value)}{_quoting(kind, value)}"
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"must be {words} {context[name]:g}, not {value:g}"
    if kind == "extra_forbidden":
        known = valid_keys(detail["loc"][:-1], grammar)
        return f"unknown key. {nearest(str(detail['loc'][-1]), known)}"
    if kind == "literal_error":
        return f"expected {context['expected']}, not {_described(value)}{_near_literal(detail)}"
    if kind == "unknown_metric":
        metric = value["metric"]
        near = nearest(str(metric), Metric.ARGUMENTS)
        return f"expected a metric, not {_described(metric)}. {near}"
    plain = {
        "missing": "is required",
        "missing_metric": "is required",
        "too_short": "needs at least one entry",
    }
    return plain.get(kind, detail["msg"])


def _near_literal(detail: ErrorDetails) -> str:
    options = re.findall("'([^']+)'", detail["ctx"]["expected"])
    match = difflib.get_close_matches(str(detail["input"]), options, n=1)
    return f". Did you mean {match[0]!r}?" if match else ""


def _described(value: Any) -> str:
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, (int, float)):
        return f"the number {value:g}"
    names = {str: "the text", dict: "a mapping", list: "a list", date: "a date"}
    words = names.get(type(value), "nothing")
    return f"{words} {shown(value)}" if isinstance(value, str) else words


def _quoting(kind: str, value: Any) -> str:
    if kind == "string_type" and isinstance(value, (bool, int, float, date)):
        return "; quote it"
    return ""


def valid_keys(loc: tuple[str | int, ...], grammar: type[BaseModel] = Settings) -> list[str]:
    """The keys that the grammar knows at this place."""
    models: list[type[BaseModel]] = [grammar]
    for part in loc:
        if isinstance(part, int):
            continue
        if part.startswith("<"):
            models = [model for model in models if part in ("<mapping>", _tag(model))]
            continue
        fields = [model.model_fields[part] for model in models if part in model.model_fields]
        models = [model for field in fields for model in _models_in(field.annotation)]
    return list(dict.fromkeys(key for model in models for key in model.model_fields))


def _tag(model: type[BaseModel]) -> str | None:
    field = model.model_fields.get("metric")
    return None if field is None else f"<{get_args(field.annotation)[0]}>"


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]
