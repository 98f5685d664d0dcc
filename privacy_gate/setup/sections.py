"""A draft as the lines of a configuration: what is not known is ``TODO``, with what was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from privacy_gate.config.unfinished import is_todo
from privacy_gate.setup.drafting import Draft
from privacy_gate.setup.preprocessing import Preprocessing
from privacy_gate.setup.starting_budgets import budgets_section
from privacy_gate.setup.text import Line, block, flow

TODO = "TODO"
_MOST_SHOWN = 20
_HEADER = """\
# Written by `privacy-gate init`. `privacy-gate explain` says in sentences what it asks for,
# `privacy-gate doctor` what is wrong with it.
"""


def written(draft: Draft) -> str:
    """The whole file. Raises ``UsageError`` for names that no configuration can hold."""
    attacks: tuple[str, ...] | None = None
    if draft.task == "custom":
        attacks = ("my-signal",)
    elif draft.labels_only:
        attacks = ("correctness",)
    budgets = budgets_section(draft.fixtures.records, attacks)
    return _HEADER + block(list(_lines(draft))) + "\n" + budgets


def known(draft: Draft) -> dict[str, Any] | None:
    """The model section of the draft as plain values, to run the model with: without what a trial
    finds out. ``None`` where something is missing that no trial finds out."""
    section = {line.key: line.value for line in _model(draft) if line.active}
    for key in ("path", "preprocess", "expected"):
        section.pop(key, None)
    if not draft.fixtures.numbered and draft.fixtures.labels is not None:
        section["labels"] = {"order": list(draft.fixtures.labels)}
    return None if _any_todo(section) else section


def _any_todo(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_any_todo, value.values()))
    return any(map(_any_todo, value)) if isinstance(value, list | tuple) else is_todo(value)


def _lines(draft: Draft) -> Iterator[Line]:
    yield Line("version", 1)
    yield Line("name", draft.name, "in reports and test ids")
    match = draft.factory.match
    if match is not None and match.candidate.python_path != draft.home:
        place = draft.relative(match.candidate.python_path) or TODO
        yield Line("python_path", [place], "where module names are looked up")
    yield Line("model", list(_model(draft)))
    if draft.task == "custom":
        yield Line("task", "custom")
        yield Line("signals", TODO, "a function of outputs and labels: {name: one number a record}")
    yield _fixtures(draft)
    if draft.task == "custom":
        yield Line("attacks", [TODO], "the names of the signals that the function returns")
    elif draft.labels_only:
        yield Line("attacks", ["correctness"], "the model returns labels only")
    else:
        yield Line("attacks", ["threshold", "few-shot"])


def _fixtures(draft: Draft) -> Line:
    facts = draft.fixtures
    classes = "" if facts.class_count is None else f", {facts.class_count} classes"
    counts = (
        f"{facts.counts.members} members, {facts.counts.nonmembers} non-members,"
        f" {facts.assignment}; label {draft.label}{classes}"
    )
    if draft.label != facts.label:
        counts += f"; the model fits it better than {facts.label}"
    elif facts.alternatives:
        counts += f"; or {', '.join(facts.alternatives)}"
    path = draft.relative(facts.path)
    section: dict[str, Any] = {} if path is None else {"path": path}
    if draft.label != facts.label:
        section["label"] = draft.label
    places = facts.references
    if places is not None and places.root != facts.path:
        root = None if places.root is None else draft.relative(places.root)
        if root is None and places.root is not None and places.root == draft.named_root:
            counts += "; records where PRIVACY_GATE_FIXTURES_ROOT says"
        else:
            section["root"] = TODO if root is None else root
    if places is not None and places.loader:
        section["loader"] = TODO
    receipt = None if draft.receipt is None else draft.relative(draft.receipt)
    if receipt is not None:
        section["receipt"] = receipt
    if path is None:
        outside = "outside the project: give --fixtures, or PRIVACY_GATE_FIXTURES"
        return Line("fixtures", section or None, outside)
    return Line("fixtures", path if len(section) == 1 else section, counts)


def _model(draft: Draft) -> Iterator[Line]:
    model = draft.model
    if model is None:
        yield Line("format", TODO, "no model was found: torch, torchscript, exported or onnx")
        yield Line("path", TODO, "safetensors or ONNX are read without running any code")
        yield Line("factory", TODO, "torch only: the function that returns the nn.Module")
    else:
        yield Line("format", model.format)
        path = draft.relative(model.path)
        outside = "outside the project: give --model, or PRIVACY_GATE_MODEL"
        yield Line("path", path) if path else Line("path", None, outside)
        if model.format in ("torchscript", "exported"):
            yield Line("trust", TODO, "this format can run code; write code if you trust the file")
        if model.format == "torch":
            yield from _factory(draft)
    yield from _inputs(draft)
    yield from _output(draft)
    if draft.task == "classification":
        yield from _order(draft)
    if draft.output.features is not None:
        name = {"name": draft.output.features.name}
        yield Line("features", name, "what few-shot attacks may look at, too")
    yield _preprocess(draft)
    if draft.task == "classification":
        yield _expected(draft)


def _factory(draft: Draft) -> Iterator[Line]:
    factory, model = draft.factory, draft.model
    assert model is not None
    if factory.match is None:
        yield Line("factory", TODO, factory.why)
    else:
        candidate = factory.match.candidate
        place = f"{draft.relative(candidate.file) or candidate.file.name}:{candidate.line}"
        found = f"found in {place}" + ("" if draft.measured else f"; {factory.why or 'not run'}")
        yield Line("factory", candidate.target, found)
        arguments = {**factory.kwargs, **dict.fromkeys(factory.unknown, TODO)}
        if arguments:
            yield Line("kwargs", arguments, factory.source)
    if model.weights_key is not None:
        yield Line("weights_key", model.weights_key)
    if factory.match is not None and factory.match.prefix:
        yield Line("strip_prefix", factory.match.prefix, "the names of all weights begin with it")


def _inputs(draft: Draft) -> Iterator[Line]:
    """Which column feeds which input, where there is not one of each."""
    columns = list(draft.fixtures.inputs)
    ports = () if draft.model is None else draft.model.inputs
    if ports and (len(ports) > 1 or len(columns) > 1):
        names = {port.name: port.name if port.name in columns else TODO for port in ports}
        yield Line("inputs", names, f"model input: column, one of {', '.join(columns)}")
    elif len(columns) > 1:
        yield Line("inputs", TODO, f"{{model input: column}}, for the columns {', '.join(columns)}")


def _output(draft: Draft) -> Iterator[Line]:
    ports = () if draft.model is None else draft.model.outputs
    names = ", ".join(port.name for port in ports)
    found, measured = draft.output, draft.measured
    section: dict[str, Any] = {}
    if len(ports) > 1:
        section["name"] = TODO if found.judged is None else found.judged.name
    elif measured is not None and measured.output is not None:
        section["name"] = measured.output
    kind = found.kind if measured is None else measured.kind
    if draft.task == "classification" and kind != "auto":
        section["kind"] = kind
    if section:
        yield Line("output", section, f"the outputs are {names}" if len(ports) > 1 else "")


def _order(draft: Draft) -> Iterator[Line]:
    facts = draft.fixtures
    if facts.numbered:
        return
    if facts.labels is None or facts.few or len(facts.labels) > _MOST_SHOWN:
        yield Line("labels", {"order": TODO}, "the label value of each output position")
        return
    order = list(facts.labels)
    if draft.measured is not None and draft.measured.labels_fit:
        why = "output position -> label; the model's answers fit this order"
        yield Line("labels", {"order": order}, why)
    else:
        why = f"the label value of each output position; in order of name: {flow(order)}"
        yield Line("labels", {"order": TODO}, why)


def _preprocess(draft: Draft) -> Line:
    measured, found = draft.measured, draft.preprocessings
    if found is None:
        return Line("preprocess", TODO, "a function, module:function, if training scales anything")
    if measured is not None:
        tried = _tried(draft)
        if measured.standardised is not None:
            why = (
                f"right on {measured.standardised:.3f} of the members with every column"
                f" standardised by them, on {tried}: name a function that scales as training does,"
                " module:function; or keep the scaling in the model"
            )
            return Line("preprocess", TODO, why)
        if measured.guesses:
            why = f"with nothing that was tried does the model do better than guessing ({tried})"
            return Line("preprocess", TODO, f"{why}; also check model.output and fixtures.label")
        if measured.preprocess is None:
            return Line("preprocess", TODO, f"several could be meant; right on members: {tried}")
        if len(measured.tried) == 1:
            return _preprocess_line(measured.preprocess, "")
        why = f"inferred, compare it with the training code; right on members: {tried}"
        return _preprocess_line(measured.preprocess, why)
    if not found:
        (entry,) = draft.fed.values()
        held = "text" if entry.dtype == "text" else list(entry.shape)
        why = f"records are {held}, the model takes {list(draft.wanted or ())}"
        return Line("preprocess", TODO, f"{why}: name a function, module:function")
    if len({flow(one) for one in found}) == 1:
        return _preprocess_line(found[0], "")
    return Line("preprocess", TODO, "what training does to raw records, or remove the key")


def _preprocess_line(preprocess: Preprocessing, why: str) -> Line:
    if preprocess:
        return Line("preprocess", dict(preprocess), why)
    none = f"none, {why or 'records are passed as they are; if training scales them, say so here'}"
    return Line("preprocess", None, none)


def _tried(draft: Draft) -> str:
    assert draft.measured is not None
    ordered = sorted(draft.measured.tried, key=lambda pair: -pair[1])
    return ", ".join(f"{share:.3f} {_brief(how)}" for how, share in ordered)


def _brief(how: Preprocessing) -> str:
    rounded = {key: float(f"{v:.3g}") if isinstance(v, float) else v for key, v in how.items()}
    return f"with {flow(rounded)}" if how else "raw"


def _expected(draft: Draft) -> Line:
    measured = draft.measured
    if measured is None or measured.nonmembers is None:
        why = "yours, as training reported: catches a wrong scale, channel or label order"
        return Line("expected", {"nonmember_accuracy": 0.84}, why, active=False)
    why = "measured by init; compare it with what training reported"
    return Line("expected", {"nonmember_accuracy": round(measured.nonmembers.estimate, 3)}, why)
