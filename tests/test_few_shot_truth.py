"""What few-shot attackers find where the truth is known: everything, or nothing."""

from __future__ import annotations

import numpy as np
import pytest
from few_shot_evidence import LEARNERS, METHODS, build, evidence, with_membership, with_signals
from scipy import stats

from privacy_gate.attacks.few_shot.attack import anchored, laplacian_shot, simple_shot
from privacy_gate.attacks.few_shot.draws import membership_labels
from privacy_gate.attacks.few_shot.laplacian_shot import LaplacianShot
from privacy_gate.attacks.few_shot.paper import paper_protocol
from privacy_gate.attacks.few_shot.selection import auc
from privacy_gate.attacks.few_shot.simple_shot import SimpleShot
from privacy_gate.domain import Split
from privacy_gate.ranking import break_ties
from privacy_gate.statistics.log_mia import false_positive_cap, log_mia
from privacy_gate.statistics.null import null_p_value

NULL_MEANS = {"a": 0.178, "b": 0.588}
LEVELS = (0.01, 0.05, 0.1, 0.5)


def ranked(scores, random):
    """(R, N) ranks, tied scores in random order, as the gate ranks them by key."""
    keys = random.integers(0, 2**64, scores.shape, dtype=np.uint64)
    return np.stack([break_ties(*row) for row in zip(scores, keys, strict=True)])


def hits(ranks, is_member, false_positives):
    """Members above all but ``false_positives`` of the non-members."""
    return int((ranks[is_member] > np.sort(ranks[~is_member])[-1 - false_positives]).sum())


def consistent(values, truth):
    """Whether the mean is within four standard errors."""
    values = np.asarray(values)
    return abs(values.mean() - truth) < 4 * values.std(ddof=1) / np.sqrt(values.size)


# --------------------------------------------------------------------------------------- everything


@pytest.mark.parametrize("shots", [1, 2, 5, 8])
@pytest.mark.parametrize(("learner", "features"), LEARNERS)
def test_a_feature_that_separates_is_found(learner, features, shots):
    found, is_member = evidence(shots, leak=12.0)
    scores = build(learner, features, shots, draws=4).score(found)
    rows = found.split == Split.EVALUATION
    members, nonmembers = scores.values[rows & is_member], scores.values[rows & ~is_member]
    assert members.min() > nonmembers.max()
    single = scores.single_draws[:, rows]
    assert (single[:, is_member[rows]].min(axis=1) > single[:, ~is_member[rows]].max(axis=1)).all()


@pytest.mark.parametrize("learner", METHODS)
def test_the_papers_protocol_finds_it_too(learner):
    found, is_member = evidence(1, leak=12.0)
    for measured in paper_protocol(learner(5), found, is_member, 30).values():
        assert (measured.mean, measured.half_width) == (1.0, 0.0)


# ------------------------------------------------------------------------------------------ nothing


@pytest.mark.parametrize("shots", [1, 5, 10])
@pytest.mark.parametrize(
    ("attacker", "episodes"),
    [(SimpleShot(), 3000), (LaplacianShot((3, 7), (1.5, 2.9)), 600)],
    ids=["simple-shot", "laplacian-shot"],
)
def test_episodes_without_leakage_have_the_exact_null_means(attacker, episodes, shots):
    random = np.random.default_rng(shots)
    sizes = (2 * shots, 30, 30)
    scores = attacker.score(*(random.normal(size=(episodes, size, 3)) for size in sizes))
    ranks, labels = ranked(scores, random), membership_labels(15)
    for regime, truth in NULL_MEANS.items():
        cap = false_positive_cap(regime, 30)
        found = [log_mia(hits(row, labels == 1, cap), 15) for row in ranks]
        assert consistent(found, truth)
    assert consistent(auc(ranks, labels), 0.5)


@pytest.mark.parametrize(("learner", "count"), list(zip(METHODS, (400, 400, 100), strict=True)))
def test_data_without_leakage_have_the_exact_null_means(learner, count):
    random = np.random.default_rng(2)
    measured = {"a": [], "b": [], "auc": []}
    for seed in range(count):
        found, is_member = evidence(seed, evaluation=(15, 15), support=(5, 5))
        rows = found.split == Split.EVALUATION
        ranks = ranked(learner(5, draws=1).score(found).values[None, rows], random)[0]
        for regime in NULL_MEANS:
            cap = false_positive_cap(regime, 30)
            measured[regime].append(log_mia(hits(ranks, is_member[rows], cap), 15))
        measured["auc"].append(auc(ranks, is_member[rows].astype(int)))
    for name, truth in {**NULL_MEANS, "auc": 0.5}.items():
        assert consistent(measured[name], truth)


def odd_records():
    """Records quite unlike independent normal ones: classes, outliers, copies, saturation."""
    found, is_member = evidence(
        3, support=(18, 18), calibration=(30, 30), evaluation=(30, 25), classes=4, leak=2.0
    )
    random = np.random.default_rng(4)
    columns = {name: values.copy() for name, values in found.signals.columns.items()}
    saturated = random.random(is_member.size) < 0.3
    for values in columns.values():
        values *= np.exp(found.labels)
        values[saturated] = values.max()
    return with_signals(found, columns=columns), is_member


def null_p_values(attack, permutations, seed, cheat=0.0):
    """(2, permutations) exact p-values in both Log-MIA regimes, with everything refitted.

    Membership is permuted over the records of all splits. ``cheat`` adds that much of the
    evaluation records' membership to their scores.
    """
    found, truth = odd_records()
    random = np.random.default_rng(seed)
    keys = random.integers(0, 2**64, truth.size, dtype=np.uint64)
    rows = found.split == Split.EVALUATION
    result = np.empty((2, permutations))
    for number in range(permutations):
        is_member = random.permutation(truth)
        scores = attack.score(with_membership(found, is_member)).values
        scores = scores + cheat * scores.std() * is_member
        ranks, side = break_ties(scores[rows], keys[rows]), is_member[rows]
        members, nonmembers = int(side.sum()), int((~side).sum())
        for row, regime in enumerate(NULL_MEANS):
            cap = false_positive_cap(regime, side.size)
            count = hits(ranks, side, cap)
            result[row, number] = null_p_value(count, cap, members, nonmembers)
    return result


def superuniform(p_values):
    """Whether small values are not more frequent than they may be, up to chance (1 in 10 000)."""
    return all(
        (row <= level).sum() <= stats.binom.isf(1e-4, row.size, level)
        for row in p_values
        for level in LEVELS
    )


every_attack = pytest.mark.parametrize(
    "attack",
    [
        anchored(5, draws=3),
        simple_shot(5, draws=3),
        simple_shot(1, features="penultimate", draws=1),
        laplacian_shot(2, draws=1),
    ],
    ids=["anchored-5", "simple-shot-5", "simple-shot-1", "laplacian-shot-2"],
)


@every_attack
def test_null_p_is_superuniform_when_membership_is_permuted(attack):
    assert superuniform(null_p_values(attack, 300, seed=5))


@pytest.mark.slow
@every_attack
def test_null_p_is_superuniform_in_thousands_of_permutations(attack):
    p_values = null_p_values(attack, 2500, seed=6)
    assert superuniform(p_values)
    assert (p_values <= 0.5).mean() > 0.2  # and not merely because nothing is ever small


def test_an_attack_that_peeks_is_caught():
    assert not superuniform(null_p_values(anchored(5, draws=3), 300, seed=7, cheat=1.0))
