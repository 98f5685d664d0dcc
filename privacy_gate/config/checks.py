"""Rules that span several keys. They hold for every part of a file that can be read, so that the
author learns of all problems at once, whatever else is wrong."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from privacy_gate import registry
from privacy_gate.config.budgets import Budget, BudgetBase
from privacy_gate.config.problems import Path, Problem, nearest, shown
from privacy_gate.config.schema import ModelSection, PreprocessSection, Splits
from privacy_gate.config.source import Source
from privacy_gate.domain import decimal

_Section = TypeVar("_Section", bound=BaseModel)
_BUDGET: TypeAdapter[BudgetBase] = TypeAdapter(Budget)
_SPLITS = TypeAdapter(Splits)
_MODEL = TypeAdapter(ModelSection)
_CODE_FORMATS = ("torchscript", "exported")
_TORCH_ONLY = ("factory", "kwargs", "weights_key", "strip_prefix")
_CLASSES_ONLY = (("model", "output", "kind"), ("model", "labels"), ("model", "expected"))
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
    budgets = {}
    for index, item in enumerate(_list(data.get("budgets"))):
        budget = _section(_BUDGET, item, ("budgets", index), wrong)
        if budget is not None and not _below(("budgets", index, "attacks"), wrong):
            budgets[index] = budget
    splits = _section(_SPLITS, data.get("splits", {}), ("splits",), wrong)
    model = _section(_MODEL, data.get("model"), ("model",), wrong)
    return Readable(
        model=None if _below(("model", "trust"), wrong) else model,
        splits=None if _below(("splits",), wrong) else splits,
        attacks={
            index: name
            for index, item in enumerate(_list(data.get("attacks", _DEFAULT_ATTACKS)))
            if isinstance(name := _name(item), str) and not _below(("attacks", index), wrong)
        },
        budgets=budgets,
        attacks_complete=not _below(("attacks",), wrong),
    )


def _name(item: Any) -> Any:
    return item.get("name") if isinstance(item, Mapping) else item


def _below(path: Path, wrong: Iterable[Path]) -> bool:
    return any(place[: len(path)] == path for place in wrong)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _section(
    adapter: TypeAdapter[_Section], value: Any, path: Path, wrong: set[Path]
) -> _Section | None:
    if not isinstance(value, Mapping):
        return None
    spoilt = {place[len(path)] for place in wrong if place != path and _below(path, [place])}
    try:
        return adapter.validate_python({k: v for k, v in value.items() if k not in spoilt})
    except ValidationError:
        return None


def cross_checks(source: Source, problems: Iterable[Problem]) -> list[Problem]:
    """The problems between keys: formats, shares, attacks, budgets, signals."""
    parts = readable(source, problems)
    return [
        *_model(source, parts.model),
        *_signals(source),
        *_splits(source, parts.splits),
        *_attacks(source, parts.attacks),
        *_budgets(source, parts),
    ]


def expand(names: Iterable[str]) -> tuple[str, ...]:
    """Attack names in order, suites replaced by their attacks, each once."""
    singles = [single for name in names for single in registry.SUITES.get(name, (name,))]
    return tuple(dict.fromkeys(singles))


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
    preprocess = model.preprocess
    if isinstance(preprocess, PreprocessSection):
        yield from _preprocess(source, preprocess)


def _preprocess(source: Source, preprocess: PreprocessSection) -> Iterable[Problem]:
    path = ("model", "preprocess")
    mean, std = preprocess.mean, preprocess.std
    if not preprocess.model_fields_set:
        yield source.problem(path, "needs scale, mean, std or layout")
    if mean is not None and std is not None and len(mean) != len(std):
        sentence = f"has {len(std)} channels where mean has {len(mean)}"
        yield source.problem((*path, "std"), sentence)


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
    names = _known_names(source, attacks.values())
    seen: dict[str, int] = {}
    for index, name in attacks.items():
        path = ("attacks", index)
        if name in seen:
            lines = [source.mark(("attacks", place))[0] for place in (seen[name], index)]
            yield source.problem(path, f"{shown(name)} is listed twice, on lines {_both(lines)}")
        seen.setdefault(name, index)
        if custom and name in registry.SUITES:
            yield source.problem(path, f"the suite {name!r} reads class scores{_NAME_SIGNALS}")
        elif custom and re.fullmatch(_SIGNAL, name) is None:
            yield source.problem(path, "expected a signal's name, in lower case as in my-signal_2")
        elif name not in names:
            yield source.problem(path, _unknown(name, names))
        elif (*path, "paper_episodes") in source.values and not registry.split_family(name):
            yield source.problem((*path, "paper_episodes"), "is for few-shot attacks only")
        elif name in registry.SUITES and not registry.SUITES[name]:
            yield source.problem(path, f"the suite {name!r} contains no attack")


_NAME_SIGNALS = "; list the names of the signals that your function returns"


def _known_names(source: Source, written: Collection[str]) -> Collection[str]:
    """The names that may be used; of task custom only the user knows the signals."""
    if source.data.get("task") == "custom":
        return written
    few_shot = [name for name in written if registry.split_family(name) is not None]
    examples = [f"{family}-5" for family in registry.FAMILIES]
    return (*registry.SUITES, *registry.attack_targets(), *examples, *few_shot)


def _unknown(name: str, names: Iterable[str]) -> str:
    return f"unknown attack {shown(name)}. {nearest(name, names)}"


def _both(lines: list[int]) -> str:
    return " and ".join(str(line) for line in lines)


def _budgets(source: Source, parts: Readable) -> Iterable[Problem]:
    restricted = [name for budget in parts.budgets.values() for name in budget.attacks or ()]
    custom = source.data.get("task") == "custom"
    listed = parts.attacks.values()
    names = _known_names(source, [*listed] if custom else [*listed, *restricted])
    written = [name for name in parts.attacks.values() if name in names]
    complete = parts.attacks_complete and len(written) == len(parts.attacks)
    configured = expand(written)
    first: dict[str, int] = {}
    for index, budget in parts.budgets.items():
        yield from _levels(source, index, budget)
        yield from _restriction(source, index, budget, configured if complete else None, names)
        chosen = [name for name in expand(budget.attacks or configured) if name in configured]
        checks = [f"{name}/{budget.metric_key}" for name in chosen]
        taken = next((check for check in checks if check in first), None)
        if taken is not None:
            lines = [source.mark(("budgets", place))[0] for place in (first[taken], index)]
            sentence = f"the check {taken!r} has two budgets, on lines {_both(lines)}"
            yield source.problem(("budgets", index), sentence)
        for check in checks:
            first.setdefault(check, index)


def _levels(source: Source, index: int, budget: BudgetBase) -> Iterable[Problem]:
    key = budget.metric_key
    chance = 0.5 if key.name == "auc" else key.argument
    if isinstance(chance, float) and (
        budget.max < chance or (budget.max == chance and key.name == "auc")
    ):
        sentence = (
            f"a budget of {budget.max:g} can never pass: without any leakage {key} is {chance:g}"
        )
        yield source.problem(("budgets", index, "max"), sentence)
    if budget.warn_at is not None and budget.warn_at >= budget.max:
        sentence = f"must be less than max, {budget.max:g}"
        yield source.problem(("budgets", index, "warn_at"), sentence)


def _restriction(
    source: Source,
    index: int,
    budget: BudgetBase,
    configured: Iterable[str] | None,
    names: Collection[str],
) -> Iterable[Problem]:
    for place, name in enumerate(budget.attacks or ()):
        path = ("budgets", index, "attacks", place)
        if name not in names:
            yield source.problem(path, _unknown(name, names))
        elif configured is not None and set(expand([name])).isdisjoint(configured):
            yield source.problem(path, f"{shown(name)} matches no attack listed under 'attacks'")
