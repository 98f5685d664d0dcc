"""One model scored: opened, run over all records, attacked, and refused if that means nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from privacy_gate import provenance
from privacy_gate.attacks.few_shot.paper import EpisodeAttack, paper_protocol
from privacy_gate.domain import Evidence, Float, Interval, Scores, Signals, Split, Tuning
from privacy_gate.errors import LimitError, SignalError
from privacy_gate.guards import (
    accuracy,
    refuse_constant,
    refuse_guessing,
    refuse_random,
    refuse_swapped_sides,
    refuse_unexpected,
)
from privacy_gate.models.forward import stream
from privacy_gate.models.loaded import LoadedModel
from privacy_gate.models.opening import open_model
from privacy_gate.models.preprocess import Preprocess, open_preprocess
from privacy_gate.preparation import Prepared, shown
from privacy_gate.protocols import Task
from privacy_gate.ranking import attack_scores, break_ties
from privacy_gate.registry import TASKS, resolve
from privacy_gate.signals import Progress, canonical_order, collect_signals
from privacy_gate.tasks.labels import label_positions


@dataclass(frozen=True, eq=False)
class Scored:
    """What came of one model: ``facts`` for the report, ``signals`` and ``labels`` (records,), and
    by attack the ``scores``, the ``ranks`` (records,) without ties and the ``seconds`` it took.
    ``tuned``: whether an attack trained the model further."""

    facts: Mapping[str, Any]
    signals: Signals
    labels: NDArray[Any]
    scores: Mapping[str, Scores]
    ranks: Mapping[str, Float]
    seconds: Mapping[str, float]
    tuned: bool


def score_model(prepared: Prepared, progress: Progress | None, *, paper: bool = True) -> Scored:
    """Open the model of ``prepared.config`` and attack it; with ``paper`` the published few-shot
    protocols run, too, where they are asked for. Raises ``PrivacyGateError``."""
    config, data, timed = prepared.config, prepared.data, prepared.stopwatch.step
    task, labels = _task(prepared), _labels(prepared)
    # the anchored attack does without features where the configuration names none
    features = config.model.features is not None and prepared.programme.reads("features")
    with timed("load"):
        opened = open_model(config, features=features)
    with closing(opened) as model:
        preprocess = open_preprocess(config, data.records.columns, model)
        signals, facts = _signals(prepared, model, preprocess, task, labels, progress)
        _refuse_unnamed(prepared, signals)
        with timed("attacks"):
            evidence = _evidence(prepared, signals, labels, _tuning(prepared, model, preprocess))
            scores, seconds = _scores(prepared, evidence, paper=paper)
    return Scored(
        facts=facts,
        signals=signals,
        labels=labels,
        scores=scores,
        ranks={name: break_ties(found.values, prepared.keys) for name, found in scores.items()},
        seconds=seconds,
        tuned=evidence.tuning is not None,
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
) -> tuple[Signals, dict[str, Any]]:
    """The signals of all records, and the report's facts about the model."""
    config, data, stopwatch = prepared.config, prepared.data, prepared.stopwatch
    limit = config.limits.seconds
    with stopwatch.step("forward"):
        batches = stream(
            model, preprocess, data.records, canonical_order(data), config.model.batch_size
        )
        signals = collect_signals(
            batches,
            task,
            labels,
            keep_outputs=prepared.programme.reads("outputs"),
            deadline=None if limit is None else stopwatch.started + limit,
            progress=progress,
        )
        first = canonical_order(data)[: batches.batch_size]
        again = stream(model, preprocess, data.records, first, batches.batch_size)
        refuse_random(signals, again, task, labels, config.location("model"))
    return signals, {
        "path": shown(config, config.model_path),
        "format": config.model.format,
        "sha256": model.sha256,
        "device": model.device,
        "device_name": provenance.device_name(model.device),
        "precision": model.precision,
        "batch_size": batches.batch_size,
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


def _evidence(
    prepared: Prepared, signals: Signals, labels: NDArray[Any], tuning: Tuning | None
) -> Evidence:
    """What attacks see: who of the evaluation records is a member stays hidden."""
    data = prepared.data
    membership = data.is_member.astype(np.int8)
    membership[(data.split == Split.EVALUATION) | ~prepared.independent] = -1
    return Evidence(
        signals=signals,
        labels=labels,
        split=data.split,
        membership=membership,
        seed=prepared.config.statistics.seed,
        keys=prepared.keys,
        tuning=tuning,
    )


def _tuning(prepared: Prepared, model: LoadedModel, preprocess: Preprocess) -> Tuning | None:
    """Fine-tuning of the model, for attacks that have access to its gradients."""
    if all(attack.access != "gradients" for attack in prepared.programme.attacks):
        return None
    from privacy_gate.models.torch_model import TorchModel
    from privacy_gate.models.transductive_tuning import Tuner

    if not isinstance(model, TorchModel):
        return None
    return Tuner(model, preprocess, prepared.data.records).tune


def _scores(
    prepared: Prepared, evidence: Evidence, *, paper: bool
) -> tuple[Mapping[str, Scores], Mapping[str, float]]:
    """Attack name -> scores, and seconds."""
    scores, seconds = {}, {}
    limit = prepared.config.limits.seconds
    for attack in prepared.programme.attacks:
        clock = time.monotonic()
        if limit is not None and clock > prepared.stopwatch.started + limit:
            raise LimitError(
                f"limits.seconds is used up before the attack {attack.name!r}.",
                hint="Raise limits.seconds, or name fewer attacks.",
            )
        found = attack_scores(attack, evidence)
        episodes = prepared.config.attack_section(attack.name).paper_episodes
        if paper and episodes is not None:
            is_member = prepared.data.is_member
            means = paper_protocol(cast(EpisodeAttack, attack), evidence, is_member, episodes)
            found = replace(found, paper={name: asdict(mean) for name, mean in means.items()})
        scores[attack.name] = found
        seconds[attack.name] = time.monotonic() - clock
    return scores, seconds
