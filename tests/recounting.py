"""Genuine reports of every kind, made from scores as a run makes them, and ways to forge them."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cache

import numpy as np

from privacy_gate.domain import AttackResult, Interval, Metric, Report, Sizes
from privacy_gate.registry import split_family
from privacy_gate.statistics.roc import histogram, roc_curve
from privacy_gate.statistics.scores import SortedScores
from privacy_gate.statistics.summary import summary
from privacy_gate.terms import PlannedCheck, Terms
from privacy_gate.verdict import judge, outcome, wrong_directions

CONFIDENCE = 0.95
DIGEST = "ab" * 32
BUDGETS = {
    Metric("tpr_at_fpr", 0.05): 0.15,
    Metric("tnr_at_fnr", 0.05): 0.15,
    Metric("log_mia", "a"): 0.35,
    Metric("auc"): 0.6,
    Metric("advantage"): 0.3,
}


def terms(attacks, **changes):
    """Terms with every budget for each attack."""
    checks = tuple(
        PlannedCheck(attack, metric, budget, line=3, learned=split_family(attack) is not None)
        for metric, budget in BUDGETS.items()
        for attack in attacks
    )
    given = {
        "name": "made", "path": "privacy_gate.yaml", "checks": checks, "singly": (),
        "confidence": CONFIDENCE, "fixtures_sha256": DIGEST,
    }  # fmt: skip
    return Terms(**{**given, **changes})


def attack_result(name, scores, sizes, level):
    sizes = replace(sizes, population=None) if split_family(name) else sizes
    found = summary(scores, sizes, fpr=(0.05,), fnr=(0.05,), level=level, episode_size=15)
    area = found["auc"]
    return AttackResult(
        name=name,
        family="few-shot" if split_family(name) else "threshold",
        access="scores",
        status="ran",
        queries_per_record=1,
        ties={"largest_block": 1, "at_top": 1},
        auc=Interval(area["estimate"], area["low"], area["high"]),
        tpr_at_fpr=tuple(found["tpr_at_fpr"]),
        tnr_at_fnr=tuple(found["tnr_at_fnr"]),
        log_mia=tuple(found["log_mia"]),
        roc=roc_curve(scores, sizes, level),
        histogram=histogram(scores.members, scores.nonmembers),
    )


def made(separations, members, nonmembers, population=None, confidence=CONFIDENCE):
    """The report and terms of attacks (name -> separation of the sides) on so many records."""
    random = np.random.default_rng(7)
    scores = {}
    for name, separation in separations.items():
        ranks = np.concatenate(
            [random.normal(separation, 1, members), random.normal(0, 1, nonmembers)]
        )
        ranks = ranks.argsort().argsort().astype(float)
        scores[name] = SortedScores.of(ranks[:members], ranks[members:])
    sizes = Sizes(members, nonmembers, population)
    own = terms(tuple(separations), confidence=confidence)
    wrong = wrong_directions(scores)
    checks = tuple(judge(own.checks, scores, sizes, confidence=confidence, wrong_direction=wrong))
    level = (1 - confidence) / 2
    run = {
        "started": "2026-11-22T08:00:00+00:00", "finished": "2026-11-22T08:00:07+00:00",
        "tool_version": "0.1.0", "commit": None, "ref": None, "repository": None, "run_url": None,
    }  # fmt: skip
    report = Report(
        name="made",
        verdict=outcome(checks),
        complete=True,
        run=run,
        model={
            "path": "model.onnx",
            "format": "onnx",
            "sha256": "cd" * 32,
            "device": "cpu",
            "accuracy": {},
        },
        task="custom",
        config={"path": "privacy_gate.yaml", "sha256": "ef" * 32},
        fixtures={
            "path": "data",
            "sha256": DIGEST,
            "members": members,
            "nonmembers": nonmembers,
            "evaluation": {"members": members, "nonmembers": nonmembers},
            "training_records": population,
            "member_sampling": "all",
            "assignment": "randomized",
            "receipt": None,
            "ood": {},
        },
        checks=checks,
        attacks=tuple(attack_result(name, found, sizes, level) for name, found in scores.items()),
    )
    return report, own


KINDS = {
    "no leak": ({"loss": 0.0, "margin": 0.05}, 900, 800, None),
    "no leak, known population": ({"loss": 0.0}, 300, 250, 320),
    "slight leak": ({"loss": 0.5}, 300, 250, None),
    "leak": ({"loss": 3.0}, 300, 250, 500),
    "few-shot beside threshold": ({"loss": 0.1, "simple-shot-5": 1.2}, 300, 250, 320),
    "few records": ({"loss": 0.4}, 25, 20, None),
    "fewer than an episode": ({"loss": 0.4}, 12, 10, 12),
    "wrong direction": ({"loss": -0.8, "margin": 0.0}, 300, 250, None),
    "perfect leak": ({"loss": 99.0}, 300, 250, None),
    "perfectly wrong": ({"loss": -99.0}, 300, 250, None),
}


@cache
def genuine(kind):
    """One of ``KINDS``."""
    return made(*KINDS[kind])


# ---------------------------------------------------------------------------------------- forging


def places(content, path=()):
    """Paths of all values in nested lists and dicts, inner ones too."""
    yield path
    if isinstance(content, dict):
        for key, inner in content.items():
            yield from places(inner, (*path, key))
    elif isinstance(content, list):
        for index, inner in enumerate(content):
            yield from places(inner, (*path, index))


def value_at(content, path):
    for part in path:
        content = content[part]
    return content


def with_value(content, path, change):
    """``content`` with ``change`` of the value at ``path``; what lies beside it is shared."""
    if not path:
        return change(content)
    copied = copy.copy(content)
    copied[path[0]] = with_value(content[path[0]], path[1:], change)
    return copied
