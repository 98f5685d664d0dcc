"""Types, ranges and lengths of single values in a report that nobody vouches for."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Short = Annotated[str, Field(max_length=200)]
Words = Annotated[str, Field(max_length=2_000)]
Message = Annotated[str, Field(max_length=10_000)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Shift = Annotated[float, Field(ge=-1, le=1)]
Budget = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=0, le=10**9)]
Number = Annotated[float, Field(ge=-1e9, le=1e9)]
Seconds = Annotated[float, Field(ge=0, le=1e9)]
Line = Annotated[int, Field(ge=1, le=10**7)]
Method = Literal["exact", "asymptotic"]
POINTS = 512


def _name(text: str) -> str:
    """Names become folders: no separator, nothing invisible."""
    if not text.strip() or not text.isprintable() or set(text) & set("/\\") or text in (".", ".."):
        raise ValueError("a name is one line of printable characters without / and \\")
    return text


Name = Annotated[Short, AfterValidator(_name)]


class Part(BaseModel):
    """A part of a report; more fields than these may be there."""

    model_config = ConfigDict(strict=True, protected_namespaces=())


class Interval(Part):
    """An estimate within its bounds."""

    estimate: Share
    low: Share
    high: Share

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= self.estimate <= self.high:
            raise ValueError("the estimate lies outside its interval")
        return self


class Sides(Part):
    """One number for members, one for non-members."""

    members: Count
    nonmembers: Count
