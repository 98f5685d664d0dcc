"""One model scored: opened, run over all records, attacked, and refused if that means nothing."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate import provenance
from privacy_gate.attacking import open_tuning, run_attacks, visible_evidence
from privacy_gate.calibration_lens.inputs import lens_inputs
from privacy_gate.calibration_lens.lens import LensInputs
from privacy_gate.domain import Evidence, Float, Interval, Scores, Signals
from privacy_gate.errors import SignalError
from privacy_gate.guards import (
    accuracy,
    refuse_constant,
    refuse_guessing,
    refuse_random,
    refuse_swapped_sides,
    refuse_unexpected,
)
from privacy_gate.kept_signals import signals_of
from privacy_gate.models.forward import stream
from privacy_gate.models.loaded import LoadedModel
from privacy_gate.models.opening import open_model
from privacy_gate.models.preprocess import Preprocess, open_preprocess
from privacy_gate.models.querying import Asking
from privacy_gate.overconfidence import Asker, Audit, audit
from privacy_gate.preparation import Prepared, shown
from privacy_gate.protocols import Task
from privacy_gate.ranking import break_ties
from privacy_gate.registry import TASKS, resolve
from privacy_gate.signals import Progress, canonical_order, collect_signals
from privacy_gate.surfaces import SHOWN, open_surfaces
from privacy_gate.tasks.labels import label_positions


@dataclass(frozen=True, eq=False)
class Scored:
    """What came of one model: ``facts`` for the report, the ``evidence`` that attacks saw of what
    is shown, the signals ``seen`` on each surface after ``shared_queries``, the
    ``passes_per_answer`` that is shown, and by attack the ``scores``, the ``ranks`` (records,)
    without ties and the ``seconds`` it took.

    ``tuned``: whether an attack trained the model further; ``cached``: whether the signals were
    found in the cache; ``audit``: that of overconfidence, and ``lens``: what the calibration lens
    needs, if they were asked for."""

    facts: Mapping[str, Any]
    evidence: Evidence
    seen: Mapping[str, Signals]
    shared_queries: int
    passes_per_answer: int
    scores: Mapping[str, Scores]
    ranks: Mapping[str, Float]
    seconds: Mapping[str, float]
    tuned: bool
    cached: bool
    audit: Audit | None = None
    lens: LensInputs | None = None

    @property
    def signals(self) -> Signals:
        """The signals of all records."""
        return self.evidence.signals

    @property
    def labels(self) -> NDArray[Any]:
        """(records,) class positions; those of a custom task as they are stored."""
        return self.evidence.labels

    @property
    def forward_passes(self) -> int | None:
        """The most passes that attacks took any record through the model in this run, changed
        copies of it included; ``None`` where nobody counted. The overconfidence audit counts its
        own."""
        if self.tuned:
            return None
        asked = sum((s.asked for s in self.scores.values() if s.asked is not None), np.zeros(1))
        shared = 0 if self.cached else self.shared_queries
        return shared + self.passes_per_answer * int(asked.max())


def score_model(prepared: Prepared, progress: Progress | None, *, whole: bool = True) -> Scored:
    """Open the model of ``prepared.config`` and attack it; on the ``whole`` with what no verdict
    rests on: the published few-shot protocols, where they are asked for, and the overconfidence
    audit. Raises ``PrivacyGateError``."""
    config, data, timed = prepared.config, prepared.data, prepared.stopwatch.step
    task, labels = _task(prepared), _labels(prepared)
    # the anchored attack does without features where the configuration names none
    features = prepared.reads_features
    with timed("load"):
        opened = open_model(config, features=features)
    with closing(opened) as model:
        preprocess = open_preprocess(config, data.records.columns, model)
        surfaces = open_surfaces(prepared, preprocess)
        seen: dict[str, Signals] = {}
        for name in (*config.model.output.surfaces, SHOWN):  # what is shown stays on
            model.surface = surfaces[name]
            seen[name], batch_size, cached = signals_of(
                prepared,
                model,
                features=features and name == SHOWN,
                surface=name,
                make=partial(_signals, prepared, model, preprocess, task, labels, progress, name),
            )
        signals = seen[SHOWN]
        _refuse_unnamed(prepared, signals)
        model.seed(config.statistics.seed)  # whether or not the signals come from the cache
        with timed("attacks"):
            evidence = visible_evidence(
                prepared, signals, labels, open_tuning(prepared, model, preprocess)
            )
            asking = _asking(prepared, model, preprocess, batch_size)
            scores, seconds = run_attacks(prepared, evidence, seen, asking, task, paper=whole)
        with timed("overconfidence"):
            asker = Asker(model, preprocess, task, batch_size, asking.deadline)
            audited = audit(prepared, asker, labels, signals) if whole else None
        lens = None
        if whole and prepared.looks_through_lens:
            with timed("calibration"):
                lens = lens_inputs(prepared, asking, signals)
    return Scored(
        facts=_facts(prepared, model, batch_size),
        evidence=replace(evidence, tuning=None),  # the model is closed by now
        seen=seen,
        shared_queries=config.model.output.queries,
        passes_per_answer=config.model.output.passes,
        scores=scores,
        ranks={name: break_ties(found.values, prepared.keys) for name, found in scores.items()},
        seconds=seconds,
        tuned=evidence.tuning is not None,
        cached=cached,
        audit=audited,
        lens=lens,
    )


def guarded_accuracies(
    prepared: Prepared, scored: Scored, wrong_direction: bool
) -> dict[str, Interval]:
    """The accuracy on both sides; raises when the model cannot run as it is meant to, or when
    exchanged sides make it look so."""
    signals, labels = scored.signals, scored.labels
    if signals.predicted is None:
        refuse_constant(signals)
        return {}
    config, member = prepared.config, prepared.data.is_member
    correct = signals.predicted == labels
    found = {
        "members": accuracy(correct[member], config.statistics.confidence),
        "nonmembers": accuracy(correct[~member], config.statistics.confidence),
    }
    if wrong_direction:
        chance = 1 / max(2, np.unique(labels).size)
        refuse_swapped_sides(found["members"], found["nonmembers"], chance)
    refuse_guessing(signals.predicted[member], labels[member], config.location("model"))
    behind = scored.seen.get("raw")
    if behind is not None and behind.predicted is not None:  # else a leak would go unseen there
        place = config.location("model", "output", "raw")
        refuse_guessing(behind.predicted[member], labels[member], place)
    expected = config.model.expected
    if expected is not None:
        refuse_unexpected(
            found["nonmembers"],
            expected.nonmember_accuracy,
            expected.tolerance,
            config.location("model", "expected"),
        )
    return found


def _task(prepared: Prepared) -> Task:
    config = prepared.config
    kind = resolve(TASKS[config.task])
    if config.task == "custom":
        task: Task = kind(config.load_callable(config.signals or "", "signals"))
    else:
        task = kind(prepared.data.classes if config.model.labels is None else None)
    return task


def _labels(prepared: Prepared) -> NDArray[Any]:
    """(records,) class positions; a custom task gets the labels as they are stored."""
    if prepared.config.task == "custom":
        return prepared.data.labels
    settings = prepared.config.model.labels
    order = None if settings is None else list(settings.order)
    return label_positions(prepared.data.labels, order, prepared.data.classes)


def _signals(
    prepared: Prepared,
    model: LoadedModel,
    preprocess: Preprocess,
    task: Task,
    labels: NDArray[Any],
    progress: Progress | None,
    surface: str,
) -> tuple[Signals, int]:
    """The signals of all records on a surface, and the records per batch."""
    config, data, stopwatch = prepared.config, prepared.data, prepared.stopwatch
    limit = config.limits.seconds
    model.seed(config.statistics.seed)
    with stopwatch.step("forward"):
        batches = stream(
            model, preprocess, data.records, canonical_order(data), config.model.batch_size
        )
        signals = collect_signals(
            batches,
            task,
            labels,
            keep_outputs=prepared.reads_outputs and surface == SHOWN,
            deadline=None if limit is None else stopwatch.started + limit,
            progress=progress,
        )
        if config.model.output.repeats is None or surface == "raw":
            first = canonical_order(data)[: batches.batch_size]
            again = stream(model, preprocess, data.records, first, batches.batch_size)
            refuse_random(signals, again, task, labels, config.location("model"))
    return signals, batches.batch_size


def _facts(prepared: Prepared, model: LoadedModel, batch_size: int) -> dict[str, Any]:
    """What the report says about the model."""
    config = prepared.config
    return {
        "path": shown(config, config.model_path),
        "format": config.model.format,
        "sha256": model.sha256,
        "device": model.device,
        "device_name": provenance.device_name(model.device),
        "precision": model.precision,
        "batch_size": batch_size,
    }


def _refuse_unnamed(prepared: Prepared, signals: Signals) -> None:
    """A signal of a custom task that no attack is named after would go unjudged."""
    if prepared.config.task != "custom":
        return
    names = {attack.name for attack in prepared.programme.attacks}
    left_out = sorted(set(signals.columns) - names)
    if left_out and names <= set(signals.columns):  # else the attack that finds none complains
        raise SignalError(
            f"The function named in signals returns {', '.join(left_out)}, which is not judged.",
            hint="List it under attacks, or do not return it.",
            location=prepared.config.location("attacks"),
        )


def _asking(
    prepared: Prepared, model: LoadedModel, preprocess: Preprocess, batch_size: int
) -> Asking:
    """The model, to be asked about changed records until the time is up."""
    limit = prepared.config.limits.seconds
    deadline = None if limit is None else prepared.stopwatch.started + limit
    return Asking(model, preprocess, prepared.data.records, batch_size, deadline)
