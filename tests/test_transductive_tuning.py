"""Fine-tuning against a slow, obvious twin: one episode and temperature at a time, plain copies."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from privacy_gate.models.transductive_tuning import (
    EPOCHS,
    LEARNING_RATE,
    PATIENCE,
    TEMPERATURES,
    Tuner,
)


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))

    def forward(self, x):
        return self.layers(x)


class Branching(Plain):
    """Its path depends on a value, which torch.vmap cannot take."""

    def forward(self, x):
        outputs = super().forward(x)
        return outputs * 2 if outputs.sum().item() > 1e9 else outputs


class Candidate:
    """The part of a torch model that fine-tuning uses, in float64."""

    def __init__(self, module):
        self.module = module

    @property
    def weight_count(self):
        return sum(weight.numel() for weight in self.module.parameters())

    def parameters(self):
        return dict(self.module.named_parameters())

    def tensors(self, inputs):
        return {name: torch.from_numpy(array) for name, array in inputs.items()}

    def functional(self, weights, inputs):
        return torch.func.functional_call(self.module, weights, (inputs["x"],))


class Table:
    columns = ("x",)

    def __init__(self, values):
        self.values = values

    slow = False

    def take(self, indices):
        return {"x": self.values[indices]}


def twin(module, x, support, validation, query, temperature):
    """Scores of the validation records and the queries of one episode."""
    model = copy.deepcopy(module)
    shots = len(support) // 2
    with torch.no_grad():
        base = model(x[support]).relu()
        means = [base[shots:].mean(0), base[:shots].mean(0)]
        columns = [mean / max(float(mean.norm()), 1e-6) for mean in means]
    head = torch.stack(columns, dim=1).requires_grad_()
    bias = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([*model.parameters(), head, bias], lr=LEARNING_RATE)

    def logits(rows):
        return model(x[rows]).relu() @ head + bias

    def loss(rows):
        target = torch.tensor([1] * (len(rows) // 2) + [0] * (len(rows) // 2))
        return nn.functional.cross_entropy(logits(rows), target)

    best, waited = float("inf"), 0
    for _ in range(EPOCHS):
        optimiser.zero_grad()
        loss(support).backward()
        optimiser.step()
        p = (logits(query) / temperature).softmax(1)
        optimiser.zero_grad()
        (-(p * p.log()).sum(1).mean()).backward()
        optimiser.step()
        with torch.no_grad():
            scores = [logits(rows).softmax(1)[:, 1].numpy() for rows in (validation, query)]
            now = float(loss(validation))
        if now < best:
            best, waited = now, 0
        else:
            waited += 1
        if waited >= PATIENCE:
            break
    return scores


@pytest.fixture
def episodes():
    random = np.random.default_rng(0)
    rows = [random.permutation(60) for _ in range(4)]
    support, validation, query = (
        np.stack([row[start:stop] for row in rows]) for start, stop in ((0, 6), (6, 16), (16, 28))
    )
    return random.normal(size=(60, 6)), support, validation, query


@pytest.mark.parametrize("kind", [Plain, Branching])
def test_tuning_equals_its_twin(episodes, kind):
    values, *rows = episodes
    torch.manual_seed(0)
    module = kind().double().eval()
    before = copy.deepcopy(module.state_dict())
    tuner = Tuner(Candidate(module), lambda columns: columns, Table(values))
    validation, query = tuner.tune(*rows)
    assert validation.shape == (len(TEMPERATURES), 4, 10)
    assert query.shape == (len(TEMPERATURES), 4, 12)
    x = torch.from_numpy(values)
    for index, temperature in enumerate(TEMPERATURES):
        for episode in range(4):
            wanted = twin(module, x, *(part[episode] for part in rows), temperature)
            assert np.allclose(validation[index, episode], wanted[0], rtol=0, atol=1e-9)
            assert np.allclose(query[index, episode], wanted[1], rtol=0, atol=1e-9)
    # no state between episodes, temperatures or runs: the candidate is as it was
    assert all(torch.equal(before[name], weight) for name, weight in module.state_dict().items())


def test_episodes_do_not_touch_each_other(episodes):
    values, *rows = episodes
    torch.manual_seed(0)
    tuner = Tuner(Candidate(Plain().double().eval()), lambda columns: columns, Table(values))
    together = tuner.tune(*rows)[1]
    alone = tuner.tune(*(part[2:3] for part in rows))[1]
    assert np.allclose(together[:, 2], alone[:, 0], rtol=0, atol=1e-12)
