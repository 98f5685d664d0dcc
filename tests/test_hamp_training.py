"""HAMP's soft labels and loss: the published figures, slow twins, gradients, bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy_gate.defenses import HampLoss, label_smoothing, soft_labels, top_probability
from privacy_gate.errors import UsageError

PUBLISHED = [  # classes, gamma, exact p, p of the published grid, entropy reached / ln K
    pytest.param(100, 0.8, 0.33737, 0.33, 0.8062, id="Purchase100"),
    pytest.param(100, 0.6, 0.54851, 0.54, 0.6088, id="Texas100"),
    pytest.param(30, 0.5, 0.68092, 0.68, 0.5011, id="Location30"),
    pytest.param(10, 0.95, 0.26981, 0.26, 0.9550, id="CIFAR-10"),
    pytest.param(100, 0.5, 0.64098, 0.64, 0.5011, id="CIFAR-100"),
    pytest.param(100, 0.05, 0.97518, 0.97, 0.0592, id="smoothing-Purchase100"),
    pytest.param(100, 0.15, 0.91365, 0.91, 0.1555, id="smoothing-Texas100"),
    pytest.param(100, 0.01, 0.99584, 0.99, 0.0221, id="smoothing-CIFAR-100"),
]


def entropies(rows) -> np.ndarray:
    """Shannon entropy of each row, from the definition."""
    return np.array([-sum(p * math.log(p) for p in row if p > 0) for row in np.asarray(rows)])


# ------------------------------------------------------------------------------------ soft labels


@pytest.mark.parametrize(("classes", "gamma", "exact", "grid", "reached"), PUBLISHED)
def test_soft_labels_are_the_published_ones(classes, gamma, exact, grid, reached):
    assert top_probability(classes, gamma) == pytest.approx(exact, abs=1e-5)
    assert top_probability(classes, gamma, step=0.01) == pytest.approx(grid, abs=1e-9)
    rows = soft_labels(torch.tensor([3, 0]), classes, gamma, step=0.01)
    assert rows[0, 3] == rows[1, 0] == pytest.approx(grid, abs=1e-6)
    assert rows[0, 0] == pytest.approx((1 - grid) / (classes - 1), abs=1e-7)
    assert entropies(rows.double()) / math.log(classes) == pytest.approx(reached, abs=6e-5)


@settings(deadline=None)
@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=8),
    classes=st.integers(5, 60),
    gamma=st.floats(0.001, 0.999),
)
def test_soft_labels_are_distributions_of_the_wanted_entropy(labels, classes, gamma):
    y = torch.tensor(labels)
    rows = soft_labels(y, classes, gamma).double()
    assert rows.shape == (len(labels), classes)
    assert rows.sum(dim=1) == pytest.approx(1.0, abs=1e-5)
    assert torch.equal(rows.argmax(dim=1), y)
    assert entropies(rows) == pytest.approx(gamma * math.log(classes), abs=1e-4)


@settings(deadline=None)
@given(classes=st.integers(2, 200), gamma=st.floats(0.01, 0.9), step=st.sampled_from([0.01, 0.003]))
def test_the_grid_takes_its_largest_point_that_is_uncertain_enough(classes, gamma, step):
    def entropy(p):
        return entropies([[p] + [(1 - p) / (classes - 1)] * (classes - 1)])[0]

    target = gamma * math.log(classes)
    points = [1 - number * step for number in range(1, int(1 / step))]
    expected = next(p for p in points if p > 0 and entropy(p) >= target - 1e-12)
    assert top_probability(classes, gamma, step=step) == pytest.approx(expected, abs=1e-9)


def test_label_smoothing_is_the_classic_one_and_a_soft_label():
    y = torch.tensor([1, 2, 0])
    smoothed = label_smoothing(y, 3, 0.1)
    classic = torch.nn.functional.one_hot(y, 3) * 0.9 + 0.1 / 3
    assert torch.allclose(smoothed, classic)
    gamma = float(entropies(smoothed.double())[0] / math.log(3))
    assert torch.allclose(soft_labels(y, 3, gamma), smoothed, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.tensor([0]), 10, 0.0), "gamma must lie strictly between 0 and 1"),
        ((torch.tensor([0]), 10, 1.0), "1 would make all labels equal"),
        ((torch.tensor([0]), 10, math.nan), "gamma must lie"),
        ((torch.tensor([0]), 1, 0.5), "classes must be a whole number of at least 2"),
        ((torch.tensor([0, 7, -1]), 7, 0.5), "2 of 3 labels are not in 0..6"),
        ((torch.tensor([0.0]), 7, 0.5), "Labels must be integers of shape"),
        ((torch.tensor([[0]]), 7, 0.5), "Labels must be integers of shape"),
        ((torch.tensor([0]), 7, 0.5, 0.0), "step must lie"),
        ((torch.tensor([0]), 2, 0.999, 0.3), "No soft label on a grid of step 0.3"),
    ],
)
def test_soft_labels_refuse_what_makes_no_sense(arguments, message):
    with pytest.raises(UsageError, match=message):
        soft_labels(*arguments)


def test_label_smoothing_refuses_no_smoothing():
    with pytest.raises(UsageError, match="epsilon must lie strictly between 0 and 1"):
        label_smoothing(torch.tensor([0]), 10, 0.0)


# ------------------------------------------------------------------------------------------- loss


def slow_loss(logits, labels, gamma, alpha, divide_by_classes) -> float:
    """From the definition, one number at a time, in float64."""
    classes = logits.shape[1]
    p_top = top_probability(classes, gamma)
    total_kl = total_entropy = 0.0
    for row, label in zip(logits.double().tolist(), labels.tolist(), strict=True):
        normaliser = math.log(sum(math.exp(z - max(row)) for z in row)) + max(row)
        for position, z in enumerate(row):
            soft = p_top if position == label else (1 - p_top) / (classes - 1)
            total_kl += soft * (math.log(soft) - (z - normaliser))
            total_entropy -= math.exp(z - normaliser) * (z - normaliser)
    samples = len(labels)
    return total_kl / samples / (classes if divide_by_classes else 1) - alpha * (
        total_entropy / samples
    )


@pytest.mark.parametrize("normalise", ["per_sample", "authors"])
def test_the_loss_equals_its_slow_twin(normalise):
    random = torch.Generator().manual_seed(0)
    for classes in (2, 7, 30):
        logits = 4 * torch.randn(5, classes, generator=random)
        labels = torch.randint(0, classes, (5,), generator=random)
        loss = HampLoss(classes, 0.6, 0.3, normalise)(logits, labels)
        twin = slow_loss(logits, labels, 0.6, 0.3, normalise == "authors")
        assert loss.item() == pytest.approx(twin, abs=1e-5)


def test_the_scale_trap():
    """The published alpha is worth K times as much, at a K-th of the learning rate."""
    logits, labels = torch.randn(6, 30, dtype=torch.float64), torch.arange(6)
    authors = HampLoss(30, 0.5, 0.001, "authors")
    ours = HampLoss(30, 0.5, 0.03)
    assert authors.alpha_eff == pytest.approx(ours.alpha_eff) == pytest.approx(0.03)
    assert (30 * authors(logits, labels)).item() == pytest.approx(ours(logits, labels).item())
    assert "alpha=0.001, normalise='authors', alpha_eff=0.03" in repr(authors)
    assert "top_probability=0.680923" in repr(ours)


@pytest.mark.parametrize("normalise", ["per_sample", "authors"])
def test_the_gradient_is_right(normalise):
    logits = torch.randn(4, 5, dtype=torch.float64, requires_grad=True)
    loss = HampLoss(5, 0.7, 0.5, normalise)
    assert torch.autograd.gradcheck(lambda z: loss(z, torch.tensor([0, 4, 2, 2])), (logits,))


def test_without_alpha_the_soft_label_is_the_optimum():
    labels = torch.arange(4)
    logits = soft_labels(labels, 10, 0.9).log().requires_grad_()
    loss = HampLoss(10, 0.9, 0.0)(logits, labels)
    loss.backward()
    assert loss.item() == pytest.approx(0.0, abs=1e-6)
    assert logits.grad.abs().max() < 1e-6


@settings(max_examples=50, deadline=None)
@given(st.floats(-1e4, 1e4), st.sampled_from([torch.float16, torch.bfloat16, torch.float32]))
def test_no_logit_makes_loss_or_gradient_infinite(size, dtype):
    logits = torch.tensor([[size, 0.0, -size], [0.0, 0.0, size]], dtype=dtype, requires_grad=True)
    loss = HampLoss(3, 0.5, 1.0)(logits, torch.tensor([0, 1]))
    loss.backward()
    assert loss.isfinite()
    assert loss.dtype == torch.float32
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((10, 1.0, 0.1), "gamma must lie"),
        ((1, 0.5, 0.1), "classes must be"),
        ((10, 0.5, -0.1), "alpha must be finite and at least 0"),
        ((10, 0.5, math.inf), "alpha must be finite"),
        ((10, 0.5, 0.1, "mean"), "normalise must be 'per_sample' or 'authors'"),
    ],
)
def test_the_loss_refuses_what_makes_no_sense(arguments, message):
    with pytest.raises(UsageError, match=message):
        HampLoss(*arguments)


@pytest.mark.parametrize("shape", [(3, 9), (2, 10), (10,), (3, 10, 1)])
def test_the_loss_refuses_logits_that_do_not_fit(shape):
    with pytest.raises(UsageError, match="do not fit labels of shape"):
        HampLoss(10, 0.5, 0.1)(torch.zeros(shape), torch.zeros(3, dtype=torch.int64))


def test_the_loss_refuses_foreign_labels():
    with pytest.raises(UsageError, match=r"1 of 2 labels are not in 0\.\.9"):
        HampLoss(10, 0.5, 0.1)(torch.zeros(2, 10), torch.tensor([0, 10]))


def test_drop_in_training_learns_and_stays_uncertain():
    """A training loop in which only the loss is exchanged."""
    random = torch.Generator().manual_seed(0)
    x, y = torch.randn(60, 12, generator=random), torch.randint(0, 4, (60,), generator=random)
    answers = {}
    for name, criterion in {
        "plain": torch.nn.CrossEntropyLoss(),
        "hamp": HampLoss(4, 0.8, 0.1),
    }.items():
        torch.manual_seed(0)
        model = torch.nn.Sequential(
            torch.nn.Linear(12, 64), torch.nn.Tanh(), torch.nn.Linear(64, 4)
        )
        optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
        for _ in range(80):
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()
        answers[name] = model(x).softmax(dim=1).detach()
        assert (answers[name].argmax(dim=1) == y).float().mean() > 0.95
    assert entropies(answers["plain"]).mean() < 0.2
    assert entropies(answers["hamp"]).mean() > 0.8 * math.log(4)
