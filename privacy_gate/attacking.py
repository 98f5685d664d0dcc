"""The attacks of a run on what a model answered: who sees what, one attack after the other."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from privacy_gate.attacks.few_shot.paper import EpisodeAttack, paper_protocol
from privacy_gate.domain import Evidence, Scores, Signals, Split, Tuning
from privacy_gate.errors import LimitError
from privacy_gate.models.loaded import LoadedModel
from privacy_gate.models.preprocess import Preprocess
from privacy_gate.models.querying import Asking, CountedQueries
from privacy_gate.preparation import Prepared
from privacy_gate.protocols import Attack, Task
from privacy_gate.ranking import attack_scores
from privacy_gate.registry import split_surface


def visible_evidence(
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


def open_tuning(prepared: Prepared, model: LoadedModel, preprocess: Preprocess) -> Tuning | None:
    """Fine-tuning of the model, for attacks that have access to its gradients."""
    if all(attack.access != "gradients" for attack in prepared.programme.attacks):
        return None
    from privacy_gate.models.torch_model import TorchModel
    from privacy_gate.models.transductive_tuning import Tuner

    if not isinstance(model, TorchModel):
        return None
    return Tuner(model, preprocess, prepared.data.records).tune


def _attacked(attack: Attack, evidence: Evidence, asking: Asking, task: Task) -> Scores:
    """The attack's scores; one that asks about changed records gets labels, and is counted."""
    if "queries" not in attack.reads:
        return attack_scores(attack, evidence)
    queries = CountedQueries(asking, task, evidence.split.size, attack.queries_per_record)
    return replace(attack_scores(attack, replace(evidence, queries=queries)), asked=queries.asked)


def run_attacks(
    prepared: Prepared,
    evidence: Evidence,
    seen: Mapping[str, Signals],
    asking: Asking,
    task: Task,
    *,
    paper: bool,
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
        signals = seen[split_surface(attack.name)[1]]
        found = _attacked(attack, replace(evidence, signals=signals), asking, task)
        episodes = prepared.config.attack_section(attack.name).paper_episodes
        if paper and episodes is not None:
            is_member = prepared.data.is_member
            means = paper_protocol(cast(EpisodeAttack, attack), evidence, is_member, episodes)
            found = replace(found, paper={name: asdict(mean) for name, mean in means.items()})
        scores[attack.name] = found
        seconds[attack.name] = time.monotonic() - clock
    return scores, seconds
