"""Metrics, sizes and measurements, and the hashes that stand behind everything random."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Integer = NDArray[np.int64]
Boolean = NDArray[np.bool_]

Method = Literal["exact", "asymptotic"]

SET_NAME = r"[a-z0-9][a-z0-9_-]{0,63}"
"""Pattern of the names of sets of records: out-of-distribution sets, transforms, generated ones."""

Transform = Literal["permuted", "inverted", "noise", "scaled", "unnormalised"]
"""A change of non-members that the overconfidence audit can make."""

TRANSFORMS: tuple[Transform, ...] = get_args(Transform)

OWN_SETS = ("nonmembers", *TRANSFORMS, "generated")
"""Sets that the overconfidence audit makes itself: no ood set of the fixtures has such a name."""


def decimal(rate: float) -> Decimal:
    """The decimal number a user wrote: ``decimal(0.29) * 100`` is 29, ``0.29 * 100`` is not."""
    return Decimal(repr(float(rate)))


def keyed_hash(key: bytes, domain: str, message: bytes) -> bytes:
    """HMAC-SHA256 with a domain separator, so that no two uses of one key are correlated."""
    return hmac.digest(key, domain.encode() + b"\0" + message, hashlib.sha256)


def random_generator(seed: int, *labels: str) -> np.random.Generator:
    """A generator that depends on the seed and the labels only, never on the order of calls."""
    digest = keyed_hash(str(seed).encode(), "random", "\0".join(labels).encode())
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


@dataclass(frozen=True, slots=True, order=True)
class Metric:
    """A metric and its argument: ``tpr_at_fpr[0.01]``, ``log_mia[a]``, ``auc``."""

    name: str
    argument: float | str | None = None

    ARGUMENTS: ClassVar[dict[str, str | None]] = {
        "tpr_at_fpr": "fpr",
        "tnr_at_fnr": "fnr",
        "log_mia": "regime",
        "auc": None,
        "advantage": None,
        "ood_fpr": "set",
        "ece": None,
    }
    """Metric name -> the name of its argument in a budget."""

    AUDITS: ClassVar[frozenset[str]] = frozenset({"ood_fpr", "ece"})
    """Metrics of the overconfidence audit: what they say is not whether members are recognised, so
    no null, no plan and no comparison with a baseline belongs to them."""

    @property
    def audited(self) -> bool:
        """Whether the overconfidence audit measures it, instead of an attack on both sides."""
        return self.name in self.AUDITS

    def __str__(self) -> str:
        if self.argument is None:
            return self.name
        if isinstance(self.argument, str):
            return f"{self.name}[{self.argument}]"
        return f"{self.name}[{decimal(self.argument).normalize():f}]"

    @property
    def arguments(self) -> dict[str, float | str]:
        name = self.ARGUMENTS[self.name]
        return {} if name is None or self.argument is None else {name: self.argument}

    @classmethod
    def parse(cls, text: str) -> Metric:
        """Read ``name`` or ``name[argument]``; ``ValueError`` says what is wrong."""
        match = re.fullmatch(r"\s*([a-z_]+)\s*(?:\[\s*([^\]]*?)\s*\])?\s*", text)
        if match is None or match[1] not in cls.ARGUMENTS:
            raise ValueError(f"unknown metric {text!r}; one of {', '.join(cls.ARGUMENTS)}")
        name, argument = match[1], match[2]
        wanted = cls.ARGUMENTS[name]
        if (wanted is None) != (argument is None):
            examples = {"fpr": "[0.01]", "fnr": "[0.01]", "regime": "[a]", "set": "[NAME]"}
            example = "" if wanted is None else examples[wanted]
            raise ValueError(f"write {name}{example}, not {text.strip()!r}")
        if wanted is None:
            return cls(name)
        if wanted == "regime":
            if argument not in ("a", "b"):
                raise ValueError(f"log_mia has the regimes 'a' and 'b', not {argument!r}")
            return cls(name, argument)
        if wanted == "set":
            if re.fullmatch(SET_NAME, argument) is None:
                raise ValueError(f"ood_fpr needs the name of a set, not {argument!r}")
            return cls(name, argument)
        try:
            rate = float(argument)
        except ValueError:
            rate = float("nan")
        if not 0.0 < rate < 1.0:
            raise ValueError(f"{wanted} must lie strictly between 0 and 1, not {argument!r}")
        return cls(name, rate)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Records a verdict rests on: ``members`` and ``nonmembers``; ``population`` is the number of
    training records if the members are a uniform sample of a known number of them."""

    members: int
    nonmembers: int
    population: int | None = None

    @property
    def swapped(self) -> Sizes:
        """The same with the sides exchanged; a population is only ever known for the members."""
        return Sizes(self.nonmembers, self.members)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One metric measured on evaluation records.

    ``low`` and ``high`` are one-sided bounds at ``level`` each; ``null`` is the value expected
    without leakage, ``null_p`` the exact probability of a value at least this high without leakage
    (per check, uncorrected; ``None`` where no exact null exists). ``method`` says whether the
    bounds hold in finite samples. ``counts`` lets a reader recompute the bounds.
    """

    metric: Metric
    estimate: float | None
    low: float | None
    high: float | None
    level: float
    method: Method
    null: float | None = None
    null_p: float | None = None
    counts: Mapping[str, int | float | None] = field(default_factory=dict)
    note: str | None = None
