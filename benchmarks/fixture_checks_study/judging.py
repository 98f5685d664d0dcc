"""What the product's checks say of dealt sides."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from fixture_checks_study.pools import Records, Sides
from privacy_gate.domain import Boolean, FixtureCheck, Float, Integer, Outputs
from privacy_gate.errors import PrivacyGateError
from privacy_gate.fixture_checks.accuracy import fitted
from privacy_gate.fixture_checks.direction import direction
from privacy_gate.fixture_checks.features import described
from privacy_gate.fixture_checks.running import model_free
from privacy_gate.fixture_checks.ties import saturated
from privacy_gate.guards import accuracy, refuse_swapped_sides
from privacy_gate.ranking import break_ties, independent_records, sides
from privacy_gate.registry import SUITES
from privacy_gate.tasks.classification import Classification
from privacy_gate.verdict import wrong_directions


def without_model(dealt: Sides, generator: np.random.Generator) -> tuple[FixtureCheck, ...]:
    """The checks that need no model."""
    fixtures = dealt.fixtures(generator)
    keys = generator.integers(0, 2**63, fixtures.is_member.size).astype(np.uint64)
    independent = independent_records(fixtures, keys)
    return model_free(fixtures, keys, independent, int(generator.integers(2**31))).checks


def logits_of(known: Records, asked: Records) -> Float:
    """(n, classes) answers to ``asked`` of a ridge classifier that learned ``known``: with more
    features than records it knows its records by heart."""
    learned, queries = (described({"x": part.inputs}).astype(float) for part in (known, asked))
    centre, spread = learned.mean(axis=0), learned.std(axis=0)
    spread = np.where(spread > 0, spread, np.inf)
    learned, queries = (np.clip((part - centre) / spread, -8, 8) for part in (learned, queries))
    wanted = np.eye(int(max(known.labels.max(), asked.labels.max())) + 1)[known.labels]
    kernel = learned @ learned.T
    kernel[np.diag_indices(len(kernel))] += 1e-2 * np.trace(kernel) / len(kernel)
    return 8 * (queries @ (learned.T @ np.linalg.solve(kernel, wanted)))


def with_model(
    logits: Float, labels: Integer, is_member: Boolean, generator: np.random.Generator
) -> tuple[FixtureCheck, ...]:
    """The checks that need a model's answers, of the threshold attacks on evaluation records."""
    task = Classification()
    signals = task.signals(Outputs(logits, "logits"), labels)
    evaluation = np.flatnonzero(generator.choice(3, labels.size, p=[0.15, 0.25, 0.6]) == 2)
    keys = generator.integers(0, 2**63, labels.size).astype(np.uint64)
    wrong = wrong_directions(
        {name: sides(break_ties(signals[name], keys), evaluation, is_member)
         for name in SUITES["threshold"]}
    )  # fmt: skip
    correct = logits.argmax(axis=1) == labels
    read = [name for name in SUITES["threshold"] if name != "correctness"]
    return (
        fitted(correct, is_member),
        direction(len(SUITES["threshold"]), wrong),
        saturated({name: signals[name][evaluation] for name in read}),
    )


def exchanged(logits: Float, labels: Integer, is_member: Boolean, wrong: bool) -> str:
    """The name of the check that refuses exchanged sides, if it does."""
    correct = logits.argmax(axis=1) == labels
    found = [accuracy(correct[side], 0.95) for side in (is_member, ~is_member)]
    try:
        if wrong:
            refuse_swapped_sides(*found, 1 / max(2, np.unique(labels).size))
    except PrivacyGateError as error:
        return error.check or ""
    return ""


def alarms(checks: Iterable[FixtureCheck]) -> set[str]:
    """Names of the checks that found something; that the blind baseline cannot tell is none."""
    return {
        check.name
        for check in checks
        if check.blocking or (check.verdict != "pass" and check.name != "blind-baseline")
    }
