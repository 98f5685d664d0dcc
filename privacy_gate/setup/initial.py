"""From a directory to the text of its first configuration: look, try the model, write down."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from privacy_gate.config import Config, load_config
from privacy_gate.config.overrides import find_overrides
from privacy_gate.config.paths import find_root
from privacy_gate.errors import PrivacyGateError
from privacy_gate.models.fitting import fitting_arguments
from privacy_gate.models.loaded import LoadedModel
from privacy_gate.models.model_file import file_sha256
from privacy_gate.models.opening import open_model
from privacy_gate.setup.drafting import Draft, Factory, TaskName
from privacy_gate.setup.factories import Candidate, candidates
from privacy_gate.setup.fixture_facts import FixtureFacts, fixture_facts
from privacy_gate.setup.matching import best, matches
from privacy_gate.setup.model_files import ModelFile, choose_output, describe
from privacy_gate.setup.safetensors_header import receipt_model
from privacy_gate.setup.search import Found
from privacy_gate.setup.sections import known
from privacy_gate.setup.text import Line, block
from privacy_gate.setup.trial import Measured, measure

_CLASSES = {"classes", "num_classes", "n_classes", "num_labels", "n_labels", "out_features"}
_SAVED = "the arguments that the checkpoint was saved with"
_NOWHERE = (
    "its records lie elsewhere; PRIVACY_GATE_FIXTURES_ROOT=DIR privacy-gate init says where, for"
    " this and every run"
)
_MOST_NAMED = 5
_MOST_CHANGED = 2
"""Arguments with a default, at most, that are given other values at once."""
_ONLY_FIT = "with no other value do the weights fit"


def draft(
    found: Found, model: Path | None, fixtures: Path, home: Path, task: TaskName, top: Path
) -> Draft:
    """What files and code say, without running any. Raises ``PrivacyGateError`` for fixtures or a
    model that are not what they should be."""
    named = next((o.path() for o in find_overrides(None, None, None) if o.key == "root"), None)
    places = (fixtures, *found.directories)
    facts = fixture_facts(fixtures, places if named is None else (named, *places))
    file = None if model is None else describe(model)
    return Draft(
        home=home,
        root=find_root(home),
        task=task,
        fixtures=facts,
        model=file,
        factory=_factory(file, candidates(found.sources, top), facts),
        output=choose_output(() if file is None else file.outputs, facts.class_count),
        label=facts.label,
        receipt=_receipt(found, model),
        named_root=named,
    )


def tried(start: Draft) -> Draft:
    """The draft with what running the model shows. The user's factory is run for it, as the gate
    itself runs it; an error of any kind leaves the draft as it is, with the reason."""
    if start.task == "custom":
        return replace(start, obstacle="a custom task has no accuracy")
    found = _with_arguments(start, start.factory.unknown) or start
    section = known(found)
    if section is None:
        return replace(found, obstacle="it cannot be run before the TODOs are filled in")
    try:
        opened = open_model(_config(found, section, found.label))
    except PrivacyGateError as error:
        other = _with_other_defaults(found)
        return _refuted(found, _reason(error)) if other is None else tried(other)
    with closing(opened):
        return _measured(found, section, opened)


def _measured(found: Draft, section: dict[str, Any], opened: LoadedModel) -> Draft:
    """The draft with the label column that the model fits best, and its accuracy there."""
    if found.fixtures.references is not None and found.fixtures.references.root is None:
        return replace(found, obstacle=_NOWHERE)
    results: dict[str, Measured] = {}
    obstacle = ""
    for label in (found.fixtures.label, *found.fixtures.alternatives):
        try:
            config = _config(found, section, label)
            results[label] = measure(config, opened, found.wanted, found.whole)
        except PrivacyGateError as error:
            obstacle = obstacle or _reason(error)
    if not results:
        return replace(found, obstacle=obstacle)
    label = max(results, key=lambda name: _fit(results[name]))
    return replace(found, label=label, measured=results[label])


def _fit(found: Measured) -> float:
    return max(share for _, share in found.tried)


def _with_arguments(start: Draft, names: Sequence[str]) -> Draft | None:
    """The draft with the whole numbers for the arguments ``names`` that make the factory build the
    weights exactly; ``None`` unless there is one such choice."""
    factory, model = start.factory, start.model
    if factory.match is None or not names or model is None or not model.shapes:
        return None
    candidate, prefix = factory.match.candidate, factory.match.prefix
    numbers = {p.name for p in (*candidate.parameters, *candidate.optional) if p.number}
    unknown = tuple(name for name in factory.unknown if name not in names)
    section = known(replace(start, factory=replace(factory, unknown=unknown)))
    if section is None or not numbers >= set(names):
        return None
    shapes = {name.removeprefix(prefix): shape for name, shape in model.shapes.items()}
    try:
        fitting = fitting_arguments(_config(start, section, start.label), names, shapes)
    except PrivacyGateError:
        return None  # what is wrong is said when the model is opened
    if fitting is None:
        return None
    kwargs = {**factory.kwargs, **fitting}
    found = replace(factory, kwargs=kwargs, unknown=unknown, source=_ONLY_FIT, fitted=True)
    return replace(start, factory=found)


def _with_other_defaults(found: Draft) -> Draft | None:
    """The draft with other values for as few arguments with a default as make the weights fit."""
    match = found.factory.match
    if match is None or found.factory.fitted:
        return None
    names = [parameter.name for parameter in match.candidate.optional if parameter.number]
    for count in range(1, _MOST_CHANGED + 1):
        chosen = itertools.combinations(names, count)
        fitting = [other for some in chosen if (other := _with_arguments(found, some)) is not None]
        if fitting:
            return fitting[0] if len(fitting) == 1 else None
    return None


def _refuted(found: Draft, reason: str) -> Draft:
    """A factory that does not build the model is none; other formats stay as they are."""
    match = found.factory.match
    if match is None:
        return replace(found, obstacle=reason)
    why = f"{match.candidate.target} was tried: {reason}"
    return replace(found, factory=Factory(why=why), obstacle=reason)


def _config(found: Draft, section: dict[str, Any], label: str) -> Config:
    """The configuration to try the model with, from a file beside the one to be written, so that
    everything is looked up in the same places."""
    assert found.model is not None
    match, references = found.factory.match, found.fixtures.references
    code = found.home if match is None else match.candidate.python_path
    root = None if references is None else references.root
    lines = [
        Line("version", 1),
        Line("name", found.name),
        Line("python_path", [os.path.relpath(code, found.home)]),
        Line("model", section),
        Line("fixtures", {"label": label, **({"root": str(root)} if root else {})}),
        Line("attacks", ["correctness"]),
        Line("budgets", [{"metric": "auc", "max": 0.99}]),
    ]
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=found.home, prefix=".privacy_gate-", suffix=".yaml"
    ) as stream:
        stream.write(block(lines))
        stream.flush()
        return load_config(
            stream.name,
            model=found.model.path,
            fixtures=found.fixtures.path,
            allow_roots=[code, *([root] if root else [])],
        )


def _reason(error: PrivacyGateError) -> str:
    """What is wrong and what to do, without the place in a file that is gone."""
    return " ".join(f"{error.message} {error.hint or ''}".split()).rstrip(".")


def _factory(file: ModelFile | None, found: tuple[Candidate, ...], facts: FixtureFacts) -> Factory:
    if file is None or file.format != "torch":
        return Factory()
    likely = matches(found, file.shapes)
    chosen = best(likely)
    if chosen is None:
        names = [match.candidate.target for match in likely[:_MOST_NAMED]]
        fitting = f"several may build it: {', '.join(names)}" if names else "no code here builds it"
        return Factory(why=f"the function that returns the nn.Module; {fitting}")
    candidate, classes = chosen.candidate, facts.class_count
    required = [parameter.name for parameter in candidate.parameters]
    saved = {
        parameter.name: file.arguments[parameter.name]
        for parameter in (*candidate.parameters, *candidate.optional)
        if parameter.name in file.arguments
    }
    counted = {name: classes for name in required if name in _CLASSES and classes is not None}
    kwargs = {**counted, **saved}
    unknown = tuple(name for name in required if name not in kwargs)
    return Factory(chosen, kwargs, unknown, source=_SAVED if saved else "")


def _receipt(found: Found, model: Path | None) -> Path | None:
    """The only receipt, or the only one beside the model, or the one that names the model."""
    beside = [path for path in found.receipts if model is not None and path.parent == model.parent]
    near = beside or list(found.receipts)
    if len(near) > 1 and model is not None and model.is_file():
        digest = file_sha256(model)
        near = [path for path in near if receipt_model(path) == digest]
    return near[0] if len(near) == 1 else None
