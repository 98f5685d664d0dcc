"""What is registered exists, keeps its protocol, and is what the configuration offers."""

from __future__ import annotations

import inspect
import typing

import numpy as np
import pytest

from privacy_gate import registry
from privacy_gate.config.model_section import ModelSection
from privacy_gate.config.schema import Settings
from privacy_gate.domain import Outputs, Report
from privacy_gate.registry import ATTACKS, FAMILIES, MODELS, RENDERERS, TASKS, resolve

TARGETS = {
    f"{kind}: {name}": target
    for kind, table in (
        ("model", MODELS),
        ("task", TASKS),
        ("attack", ATTACKS),
        ("family", FAMILIES),
        ("renderer", RENDERERS),
    )
    for name, target in table.items()
}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_every_target_exists_and_is_documented(target):
    found = resolve(target)
    assert inspect.getdoc(found)


def test_a_target_that_is_missing_is_no_silent_none():
    with pytest.raises(AttributeError):
        resolve("privacy_gate.attacks.threshold:NOTHING")
    with pytest.raises(ModuleNotFoundError):
        resolve("privacy_gate.nowhere:x")


def test_the_configuration_offers_what_is_registered():
    formats = typing.get_args(typing.get_type_hints(ModelSection)["format"])
    assert set(formats) == set(MODELS)
    tasks = typing.get_args(typing.get_type_hints(Settings)["task"])
    assert set(tasks) == set(TASKS)


def test_third_parties_add_attacks_but_replace_none(monkeypatch):
    points = [
        type("Point", (), {"name": "theirs", "value": "their_module:THEIRS"}),
        type("Point", (), {"name": "loss", "value": "their_module:FAKE"}),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    targets = registry.attack_targets()
    assert targets["theirs"] == "their_module:THEIRS"
    assert targets["loss"] == ATTACKS["loss"]


# ---------------------------------------------------------------------------- every task


def double(outputs, labels):
    return {"sum": outputs.sum(axis=1), "label": labels}


TASK_CASES = {
    "classification": (lambda: resolve(TASKS["classification"])(3), "logits"),
    "custom": (lambda: resolve(TASKS["custom"])(double), "raw"),
}


def test_every_task_is_tried_here():
    assert set(TASK_CASES) == set(TASKS)


@pytest.fixture(params=sorted(TASK_CASES))
def case(request):
    make, kind = TASK_CASES[request.param]
    return make(), kind


def batch(count, kind, seed=0):
    random = np.random.default_rng(seed)
    return Outputs(random.normal(0, 2, (count, 3)), kind), random.integers(0, 3, count)


def test_every_task_gives_finite_float64_columns(case):
    task, kind = case
    outputs, labels = batch(20, kind)
    signals = task.signals(outputs, labels)
    assert signals
    for name, values in signals.items():
        assert (values.dtype, values.shape) == (np.float64, (20,)), name
        assert np.isfinite(values).all(), name
    predicted = task.predicted(outputs)
    assert predicted is None or (predicted.dtype, predicted.shape) == (np.int64, (20,))


def test_no_task_depends_on_the_batch(case):
    task, kind = case
    outputs, labels = batch(20, kind)
    whole = task.signals(outputs, labels)
    for row in range(20):
        part = Outputs(outputs.values[row : row + 1], kind)
        alone = task.signals(part, labels[row : row + 1])
        assert alone.keys() == whole.keys()
        for name, values in alone.items():
            assert values[0] == pytest.approx(whole[name][row], rel=1e-12), name


def test_no_task_changes_what_it_is_given(case):
    task, kind = case
    outputs, labels = batch(20, kind)
    before = outputs.values.copy(), labels.copy()
    task.signals(outputs, labels)
    np.testing.assert_array_equal(outputs.values, before[0])
    np.testing.assert_array_equal(labels, before[1])


def test_every_renderer_takes_a_report_and_gives_text():
    for target in RENDERERS.values():
        hints = typing.get_type_hints(resolve(target))
        assert list(hints.values()) == [Report, str]
