"""Rules that span several keys. They hold for every part of a file that can be read, so that the
author learns of all problems at once, whatever else is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from privacy_gate import registry
from privacy_gate.config.budget_rules import Configured, both, budget_problems, readable_budgets
from privacy_gate.config.budgets import BudgetBase
from privacy_gate.config.model_section import ModelSection, PreprocessSection
from privacy_gate.config.names import known_names, unknown_attack
from privacy_gate.config.parts import below, entries, section
from privacy_gate.config.problems import Problem, shown
from privacy_gate.config.schema import Splits
from privacy_gate.config.source import Source
from privacy_gate.domain import decimal

_SPLITS = TypeAdapter(Splits)
_MODEL = TypeAdapter(ModelSection)
_CODE_FORMATS = ("torchscript", "exported")
_TORCH_ONLY = ("factory", "kwargs", "weights_key", "strip_prefix")
_BASELINE_TORCH_ONLY = ("factory", "kwargs")
_CLASSES_ONLY = (
    ("model", "output", "kind"),
    ("model", "output", "transforms"),
    ("model", "output", "raw"),
    ("model", "output", "repeats"),
    ("model", "labels"),
    ("model", "expected"),
    ("overconfidence",),
    ("calibration_lens",),
)
_SIGNAL = r"[a-z0-9][a-z0-9_-]*"
_DEFAULT_ATTACKS = ["threshold", "few-shot"]


@dataclass(frozen=True, slots=True)
class Readable:
    """The parts of a file that are valid by themselves; what is not is ``None`` or left out."""

    model: ModelSection | None
    splits: Splits | None
    attacks: dict[int, str]
    budgets: dict[int, BudgetBase]
    attacks_complete: bool


def readable(source: Source, problems: Iterable[Problem]) -> Readable:
    """What can be checked further: sections without the keys that already have a problem.

    Where a default in the place of such a key would cause a further complaint, the whole section
    is left out.
    """
    wrong = {problem.path for problem in problems}
    data = source.data
    splits = section(_SPLITS, data.get("splits", {}), ("splits",), wrong)
    model = section(_MODEL, data.get("model"), ("model",), wrong)
    return Readable(
        model=None if below(("model", "trust"), wrong) else model,
        splits=None if below(("splits",), wrong) else splits,
        attacks={
            index: name
            for index, item in enumerate(entries(data.get("attacks", _DEFAULT_ATTACKS)))
            if isinstance(name := _name(item), str) and not below(("attacks", index), wrong)
        },
        budgets=readable_budgets(source, wrong),
        attacks_complete=not below(("attacks",), wrong),
    )


def _name(item: Any) -> Any:
    return item.get("name") if isinstance(item, Mapping) else item


def cross_checks(source: Source, problems: Iterable[Problem]) -> list[Problem]:
    """The problems between keys: formats, shares, attacks, budgets, signals."""
    parts = readable(source, problems)
    return [
        *_model(source, parts.model),
        *_baseline(source, parts.model),
        *_signals(source),
        *_splits(source, parts.splits),
        *_attacks(source, parts.attacks),
        *_budgets(source, parts),
    ]


def _model(source: Source, model: ModelSection | None) -> Iterable[Problem]:
    written = source.data.get("model")
    if model is None or not isinstance(written, Mapping):
        return
    if model.format == "torch":
        if "factory" not in written:
            sentence = "is required for format torch, which stores weights but no architecture"
            yield source.problem(("model", "factory"), sentence)
    else:
        for key in _TORCH_ONLY:
            if key in written:
                sentence = f"is read for format torch only, not for {model.format}"
                yield source.problem(("model", key), sentence, key=True)
    if model.format in _CODE_FORMATS and model.trust != "code":
        sentence = (
            f"format {model.format} can run code when it is loaded; write 'trust: code' under "
            "'model' if you trust the file, or use format torch or onnx"
        )
        yield source.problem(("model", "format"), sentence)
    yield from _output(source, model)
    preprocess = model.preprocess
    if isinstance(preprocess, PreprocessSection):
        yield from _preprocess(source, preprocess)


def _output(source: Source, model: ModelSection) -> Iterable[Problem]:
    """What lies behind an output, or is done to it, is scores, and costs queries."""
    limits = source.data.get("limits")
    most = limits.get("max_queries") if isinstance(limits, Mapping) else None
    if type(most) is int and most < model.output.queries:
        sentence = f"is less than the {model.output.queries} queries that model.output alone needs"
        yield source.problem(("limits", "max_queries"), sentence)
    output, path = model.output, ("model", "output")
    if output.kind == "labels":
        for key in ("transforms", "raw", "repeats"):
            if getattr(output, key):
                sentence = "is about scores, but kind is labels"
                yield source.problem((*path, key), sentence, key=True)
    if output.raw is not None and model.format in _CODE_FORMATS:
        sentence = f"is read for the formats torch and onnx only, not for {model.format}"
        yield source.problem((*path, "raw"), sentence, key=True)


def _preprocess(source: Source, preprocess: PreprocessSection) -> Iterable[Problem]:
    path = ("model", "preprocess")
    mean, std = preprocess.mean, preprocess.std
    if not preprocess.model_fields_set:
        yield source.problem(path, "needs scale, mean, std or layout")
    if mean is not None and std is not None and len(mean) != len(std):
        sentence = f"has {len(std)} channels where mean has {len(mean)}"
        yield source.problem((*path, "std"), sentence)


def _baseline(source: Source, model: ModelSection | None) -> Iterable[Problem]:
    """A baseline model is opened as the candidate is, from a file of the same format."""
    written = source.data.get("baseline")
    if model is None or model.format == "torch" or not isinstance(written, Mapping):
        return
    for key in _BASELINE_TORCH_ONLY:
        if key in written:
            sentence = f"is read for format torch only, not for {model.format}"
            yield source.problem(("baseline", key), sentence, key=True)


def _signals(source: Source) -> Iterable[Problem]:
    task = source.data.get("task", "classification")
    if task == "custom" and "signals" not in source.data:
        yield source.problem(("signals",), "is required for task custom")
    if task == "classification" and source.data.get("signals") is not None:
        yield source.problem(("signals",), "is read for task custom only", key=True)
    if task == "custom":
        for place in _CLASSES_ONLY:
            if place in source.values:
                yield source.problem(place, "is read for task classification only", key=True)


def _splits(source: Source, splits: Splits | None) -> Iterable[Problem]:
    if splits is None:
        return
    shares = (splits.support, splits.calibration, splits.evaluation)
    total = sum(decimal(share) for share in shares)
    if total != 1:
        texts = " + ".join(f"{decimal(share):f}" for share in shares)
        sentence = f"support + calibration + evaluation must be 1; {texts} is {total:f}"
        yield source.problem(("splits",), sentence)


def _attacks(source: Source, attacks: Mapping[int, str]) -> Iterable[Problem]:
    custom = source.data.get("task") == "custom"
    if custom and "attacks" not in source.data:
        yield source.problem(("attacks",), f"is required for task custom{_NAME_SIGNALS}")
        return
    names = known_names(custom, attacks.values())
    seen: dict[str, int] = {}
    for index, name in attacks.items():
        path = ("attacks", index)
        if name in seen:
            lines = [source.mark(("attacks", place))[0] for place in (seen[name], index)]
            yield source.problem(path, f"{shown(name)} is listed twice, on lines {both(lines)}")
        seen.setdefault(name, index)
        if custom and name in registry.SUITES:
            yield source.problem(path, f"the suite {name!r} reads class scores{_NAME_SIGNALS}")
        elif custom and re.fullmatch(_SIGNAL, name) is None:
            yield source.problem(path, "expected a signal's name, in lower case as in my-signal_2")
        elif name not in names:
            yield source.problem(path, unknown_attack(name, names))
        elif (*path, "paper_episodes") in source.values and not registry.split_family(name):
            yield source.problem((*path, "paper_episodes"), "is for few-shot attacks only")
        elif name in registry.SUITES and not registry.SUITES[name]:
            yield source.problem(path, f"the suite {name!r} contains no attack")


_NAME_SIGNALS = "; list the names of the signals that your function returns"


def _budgets(source: Source, parts: Readable) -> Iterable[Problem]:
    listed = parts.attacks.values()
    custom = source.data.get("task") == "custom"
    names = known_names(custom, listed)
    written = [name for name in listed if name in names]
    complete = parts.attacks_complete and len(written) == len(parts.attacks)
    has_baseline = "baseline" in source.data
    if parts.budgets and not any(budget.decides for budget in parts.budgets.values()):
        sentence = "are informational only, so nothing could ever fail; add one that decides"
        yield source.problem(("budgets",), sentence)
    yield from budget_problems(
        source, parts.budgets, Configured(tuple(written), complete, custom, has_baseline)
    )
