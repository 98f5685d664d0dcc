"""The types of single values in a configuration, and the base of all its sections."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from privacy_gate.domain import SET_NAME

TARGET = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*"
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
DEVICE = r"auto|cpu|cuda(:(0|[1-9][0-9]{0,2}))?"
SHA256 = r"[0-9a-fA-F]{64}"


def wrong(sentence: str) -> PydanticCustomError:
    """The error for a validator to raise."""
    # Pydantic formats the template, so a brace in a value must not look like a placeholder.
    return PydanticCustomError("privacy_gate", "{sentence}", {"sentence": sentence})


def _matching(pattern: str, expected: str) -> AfterValidator:
    def check(text: str) -> str:
        if re.fullmatch(pattern, text, re.ASCII) is None:
            raise wrong(f"expected {expected}")
        return text

    return AfterValidator(check)


def _json_text(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^({pattern})$"})


def _one_line(text: str) -> str:
    if not text.strip():
        raise wrong("must not be empty")
    if not text.isprintable():
        raise wrong("must be one line of printable characters")
    return text


def _maximum(value: float) -> float:
    if value <= 0:
        raise wrong("a budget of 0 or less can never pass")
    if value >= 1:
        raise wrong("a budget of 1 or more can never bind: no model exceeds it")
    return value


def _version(value: object) -> object:
    if type(value) is not int or value != 1:  # True and 1.0 equal 1
        raise wrong("expected 1, the version of the grammar this release reads")
    return value


def _batch_size(value: object) -> object:
    if value == "auto" or (type(value) is int and value > 0):
        return value
    raise wrong("expected auto or a positive whole number")


def _verify(value: object) -> object:
    if value in ("all", "none") or (type(value) is int and value > 0):
        return value
    raise wrong("expected all, none or a positive whole number")


def _output_name(value: object) -> object:
    if (type(value) is int and value >= 0) or (isinstance(value, str) and value.strip()):
        return value
    raise wrong("expected the output's name, or its index from 0")


def _label_order(value: object) -> object:
    if not isinstance(value, list):
        raise wrong("expected a list of label values")
    if len({type(label) for label in value}) != 1 or type(value[0]) not in (int, str):
        raise wrong("expected label values that are all whole numbers or all text")
    if len(value) < 2 or len(set(value)) != len(value):
        raise wrong("expected at least two label values, each given once")
    return tuple(value)


def _date(value: object) -> object:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise wrong("expected a date as YYYY-MM-DD") from None
    return value


def text_or_mapping(value: object) -> str:
    """The branch of a union of text and mapping; no key of the grammar looks like it."""
    return "<text>" if isinstance(value, str) else "<mapping>"


Text = Annotated[str, AfterValidator(_one_line), WithJsonSchema({"type": "string", "minLength": 1})]
Name = Annotated[
    str,
    _matching(NAME, "letters, digits, '.', '_' and '-', the first a letter or a digit"),
    _json_text(NAME),
]
Sha256 = Annotated[
    str,
    _matching(SHA256, "a SHA-256 digest of 64 hexadecimal digits"),
    AfterValidator(str.lower),
    _json_text(SHA256),
]
SetName = Annotated[
    str,
    _matching(SET_NAME, "the name of a set: lower-case letters, digits, '-' and '_'"),
    _json_text(SET_NAME),
]
Target = Annotated[
    str, _matching(TARGET, "a function as package.module:function"), _json_text(TARGET)
]
Generator = Annotated[
    str,
    _matching(f"none|builtin|{TARGET}", "none, builtin, or a function as package.module:function"),
    _json_text(f"none|builtin|{TARGET}"),
]
OutputTransform = Annotated[
    str,
    _matching(f"hamp|{TARGET}", "hamp, or a function as package.module:function"),
    _json_text(f"hamp|{TARGET}"),
]
Device = Annotated[str, _matching(DEVICE, "auto, cpu, cuda or cuda:N"), _json_text(DEVICE)]
Maximum = Annotated[
    float,
    AfterValidator(_maximum),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}),
]
Version = Annotated[Literal[1], BeforeValidator(_version)]
BatchSize = Annotated[int | Literal["auto"], BeforeValidator(_batch_size)]
Verify = Annotated[int | Literal["all", "none"], BeforeValidator(_verify)]
OutputName = Annotated[str | int, BeforeValidator(_output_name)]
LabelOrder = Annotated[tuple[int | str, ...], Field(min_length=2), BeforeValidator(_label_order)]
Day = Annotated[date, BeforeValidator(_date)]
Rate = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
# YAML has lists only; strictness would refuse them where an immutable tuple is wanted.
Texts = Annotated[tuple[Text, ...], Field(strict=False, min_length=1)]
Numbers = Annotated[tuple[float, ...], Field(strict=False, min_length=1)]
PositiveNumbers = Annotated[tuple[Positive, ...], Field(strict=False, min_length=1)]


class Section(BaseModel):
    """A mapping of the configuration: immutable, strict about types, closed to unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )
