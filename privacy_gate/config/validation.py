"""A file that was read, held against its grammar: everything that is wrong with it at once."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from privacy_gate.config.checks import cross_checks
from privacy_gate.config.messages import schema_problems
from privacy_gate.config.problems import Problem
from privacy_gate.config.schema import Settings
from privacy_gate.config.source import Source
from privacy_gate.config.unfinished import unfinished

_Grammar = TypeVar("_Grammar", bound=BaseModel)


def validate(source: Source) -> tuple[Settings | None, list[Problem]]:
    """The settings of a configuration if the schema holds, and all problems of notation, schema and
    across keys."""
    settings, problems = against(Settings, source)
    return settings, problems + cross_checks(source, problems)


def against(grammar: type[_Grammar], source: Source) -> tuple[_Grammar | None, list[Problem]]:
    """The file as an object of the grammar if it is one, and the problems of notation and
    schema."""
    problems = [*source.problems, *_nothing(source), *unfinished(source)]
    try:
        return grammar.model_validate(source.data), problems
    except ValidationError as error:
        # A place whose notation is wrong has no value yet that could be judged.
        noted = {(problem.file, problem.path) for problem in problems}
        found = schema_problems(error, source, grammar)
        return None, problems + [item for item in found if (item.file, item.path) not in noted]


def _nothing(source: Source) -> list[Problem]:
    """Keys without a value; only arguments of the user's own function may be null."""
    noted = {problem.path for problem in source.problems}
    return [
        source.problem(place, "has no value; write one, or remove the key")
        for place in source.values
        if place[1:2] != ("kwargs",) and place not in noted
        if source.value(place) is None
    ]
