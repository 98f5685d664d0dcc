"""HAMP's answers: rankings stay, values come from random inputs, in torch and in ONNX Runtime."""

from __future__ import annotations

import copy
import itertools
import pickle

import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from privacy_gate.defenses import HampOutput, bernoulli, like, rank_matched, uniform
from privacy_gate.errors import ModelError, UsageError


def network(inputs=6, classes=5, seed=0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(inputs, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Linear(16, classes)
    ).eval()


def ranking(outputs: Tensor) -> Tensor:
    """Columns from the largest value to the smallest, of equal ones the first first."""
    return outputs.argsort(dim=1, descending=True, stable=True)


class Recorder:
    """A sampler that keeps the random inputs it made."""

    def __init__(self, sampler):
        self.sampler, self.inputs = sampler, []

    def __call__(self, noise: Tensor) -> Tensor:
        self.inputs.append(self.sampler(noise))
        return self.inputs[-1]


class Cast(nn.Module):
    """Takes inputs of any type."""

    def __init__(self, dtype: torch.dtype):
        super().__init__()
        self.dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        return x.to(self.dtype)


# ----------------------------------------------------------------------------------- rearranging

rows_with_ties = st.tuples(st.integers(1, 4), st.integers(2, 6)).flatmap(
    lambda shape: st.tuples(
        *[
            st.lists(
                st.integers(-2, 2), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]
            ).map(lambda values, shape=shape: torch.tensor(values, dtype=torch.float32).view(shape))
        ]
        * 2
    )
)


@settings(deadline=None)
@given(rows_with_ties)
def test_rows_are_permuted_into_the_order_asked_for_even_with_ties(pair):
    values, order = pair
    rearranged = rank_matched(values, order)
    assert torch.equal(rearranged.sort(dim=1).values, values.sort(dim=1).values)
    ahead = order[:, :, None] > order[:, None, :]
    assert (rearranged[:, :, None] >= rearranged[:, None, :])[ahead].all()
    largest = values.topk(2, dim=1).values
    decided = largest[:, 0] > largest[:, 1]
    assert torch.equal(rearranged.argmax(dim=1)[decided], order.argmax(dim=1)[decided])


@settings(deadline=None)
@given(rows_with_ties)
def test_distinct_values_keep_the_whole_ranking_even_of_tied_outputs(pair):
    order = pair[1]
    values = torch.rand(order.shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ranking(rank_matched(values, order)), ranking(order))


def test_a_row_that_is_not_a_number_stays_so():
    order = torch.tensor([[1.0, torch.nan, 0.0], [1.0, 2.0, 0.0]])
    rearranged = rank_matched(torch.rand(2, 3), order)
    assert rearranged[0].isnan().all()
    assert rearranged[1].isfinite().all()


# --------------------------------------------------------------------------------------- wrapper


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 20),
    classes=st.integers(2, 12),
    seed=st.integers(0, 2**32),
    name=st.sampled_from(["bernoulli", "uniform", "like"]),
)
def test_answers_keep_the_ranking_and_take_the_values_of_random_inputs(rows, classes, seed, name):
    samplers = {
        "bernoulli": bernoulli(0.3),
        "uniform": uniform(-2, 2),
        "like": like(torch.randn(9, 6)),
    }
    recorder = Recorder(samplers[name])
    model = network(classes=classes, seed=seed)
    x = torch.randn(rows, 6)
    answers = HampOutput(model, recorder, seed=seed)(x)
    real = model(x)
    assert torch.equal(answers.argmax(dim=1), real.argmax(dim=1))
    assert torch.equal(ranking(answers), ranking(real))
    assert answers.softmax(dim=1).sum(dim=1) == pytest.approx(1.0, abs=1e-5)
    (inputs,) = recorder.inputs  # one more forward pass
    assert inputs.shape == x.shape
    random = model(inputs).sort(dim=1).values
    assert torch.allclose(answers.sort(dim=1).values, random, atol=1e-6)
    assert not answers.requires_grad


def test_every_row_and_every_query_draws_its_own_input():
    defended = HampOutput(network(), uniform(), seed=0)
    x = torch.randn(1, 6).repeat(50, 1)
    answers = torch.cat([defended(x), defended(x)])
    assert len(answers.unique(dim=0)) == 100


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=6))
def test_answers_are_as_good_in_batches_of_any_size(sizes):
    model = network()
    defended = HampOutput(model, bernoulli(), seed=0)
    x = torch.randn(sum(sizes), 6)
    answers = torch.cat([defended(part) for part in x.split(sizes)])
    assert torch.equal(ranking(answers), ranking(model(x)))


def test_a_seed_makes_the_sequence_of_answers_reproducible():
    model, x = network(), torch.randn(8, 6)
    state = torch.get_rng_state()
    first, second, other = (HampOutput(model, uniform(), seed=seed) for seed in (7, 7, 8))
    one, two = [first(x), first(x)], [second(x), second(x)]
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert not torch.equal(one[0], one[1])
    assert not torch.equal(other(x), one[0])
    assert torch.equal(torch.get_rng_state(), state)  # a seed of its own, no draws from torch's


def test_without_a_seed_torchs_generator_draws():
    defended, x = HampOutput(network(), uniform()), torch.randn(8, 6)
    torch.manual_seed(3)
    first = defended(x)
    assert not torch.equal(defended(x), first)
    torch.manual_seed(3)
    assert torch.equal(defended(x), first)


def test_copies_go_on_where_the_original_was():
    defended, x = HampOutput(network(), like(torch.randn(4, 6)), seed=1), torch.randn(8, 6)
    defended(x)
    copies = copy.deepcopy(defended), pickle.loads(pickle.dumps(defended))
    expected = defended(x)
    assert all(torch.equal(each(x), expected) for each in copies)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=6), st.integers(-5, 2**40))
def test_a_repeatable_answer_depends_on_seed_and_input_alone(sizes, seed):
    model = network()
    x = torch.randn(sum(sizes), 6)
    answers = HampOutput(model, uniform(), seed, repeatable=True)(x)
    again = HampOutput(model, uniform(), seed, repeatable=True)
    backwards = torch.cat([again(part) for part in x.flip(0).split(sizes)]).flip(0)
    assert torch.allclose(backwards, answers, atol=1e-6)
    assert torch.equal(ranking(answers), ranking(model(x)))
    assert len(answers.sort(dim=1).values.unique(dim=0)) == len(x)  # an input of its own each
    other = HampOutput(model, uniform(), seed + 1, repeatable=True)(x)
    assert not torch.isclose(other, answers).all(dim=1).any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.int64])
def test_repeatable_answers_of_other_types(dtype):
    torch.manual_seed(0)
    x = torch.randint(0, 9, (200, 6)).to(dtype)
    model = nn.Linear(6, 40).bfloat16()
    pipeline = nn.Sequential(Cast(torch.bfloat16), model)
    defended = HampOutput(pipeline, uniform(0, 9), 3, repeatable=True)
    answers = defended(x)
    assert torch.equal(defended(x), answers)
    assert torch.equal(answers.argmax(dim=1), pipeline(x).argmax(dim=1))


@pytest.mark.parametrize("options", [{}, {"seed": 1}, {"seed": 1, "repeatable": True}])
def test_an_empty_batch_has_no_answers(options):
    assert HampOutput(network(), uniform(), **options)(torch.zeros(0, 6)).shape == (0, 5)


def test_repeatable_needs_a_seed():
    with pytest.raises(UsageError, match="repeatable=True needs a seed"):
        HampOutput(network(), uniform(), repeatable=True)


def test_how_sure_the_model_is_does_not_show():
    """Two models with equal rankings, one a thousand times surer, answer alike."""
    x, draws = torch.randn(20, 6), torch.rand(20, 6)

    class Scaled(nn.Module):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def forward(self, x):
            return x if torch.equal(x, draws) else self.factor * x

    sure, unsure = (HampOutput(Scaled(factor), lambda noise: draws) for factor in (1000.0, 1.0))
    assert torch.equal(sure(x), unsure(x))


def test_predictions_survive_half_precision():
    """In bfloat16 the two largest values of a random row are often equal."""
    torch.manual_seed(0)
    model, x = nn.Linear(20, 70).bfloat16(), torch.randn(3000, 20).bfloat16()
    answers = HampOutput(model, bernoulli(), seed=0)(x)
    assert answers.dtype == torch.bfloat16
    assert torch.equal(answers.argmax(dim=1), model(x).argmax(dim=1))


def test_a_model_that_always_ties_gets_an_answer():
    class Constant(nn.Module):
        def forward(self, x):
            return torch.ones(len(x), 4)

    assert torch.equal(HampOutput(Constant(), bernoulli())(torch.zeros(3, 2)), torch.ones(3, 4))


def test_probabilities_stay_probabilities():
    model = nn.Sequential(network(), nn.Softmax(dim=1))
    x = torch.randn(10, 6)
    answers = HampOutput(model, uniform())(x)
    assert answers.sum(dim=1) == pytest.approx(1.0, abs=1e-6)
    assert torch.equal(answers.argmax(dim=1), model(x).argmax(dim=1))


def test_two_classes_leave_the_prediction_and_a_number_that_says_nothing():
    model, x = network(classes=2), torch.randn(30, 6)
    answers = HampOutput(model, uniform(), seed=0)(x)
    assert torch.equal(answers.argmax(dim=1), model(x).argmax(dim=1))


def test_it_is_for_deployment_only():
    model = network().train()
    defended = HampOutput(model, bernoulli())
    assert not model.training
    before = copy.deepcopy(model.state_dict())
    defended(torch.randn(8, 6))
    for module in (defended, model):
        module.train()
        with pytest.raises(UsageError, match="is for deployment"):
            defended(torch.randn(8, 6))
        defended.eval()
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda x: (x, x), "returned a tuple"),
        (lambda x: {"logits": x}, "returned a dict"),
        (lambda x: x[:, 0], r"shape \(3,\)"),
        (lambda x: x[:, :1], r"shape \(3, 1\)"),
        (lambda x: x[:, :, None], r"shape \(3, 6, 1\)"),
        (lambda x: x.argmax(dim=1, keepdim=True).repeat(1, 2), "torch.int64"),
    ],
)
def test_other_outputs_are_refused(answer, message):
    class Model(nn.Module):
        def forward(self, x):
            return answer(x)

    with pytest.raises(ModelError, match=message):
        HampOutput(Model(), uniform())(torch.rand(3, 6))


def test_a_sampler_of_another_shape_is_refused():
    with pytest.raises(UsageError, match="sampler returned the shape"):
        HampOutput(network(), lambda noise: noise[:1])(torch.randn(4, 6))


# -------------------------------------------------------------------------------------- samplers


def test_what_the_samplers_draw():
    noise = torch.rand(5000, 4, generator=torch.Generator().manual_seed(0))
    bits = bernoulli(0.2)(noise)
    assert set(bits.unique().tolist()) == {0.0, 1.0}
    assert bits.mean().item() == pytest.approx(0.2, abs=0.01)
    low, high = torch.tensor([0.0, -1.0, 5.0, 2.0]), torch.tensor([1.0, 1.0, 6.0, 2.0])
    drawn = uniform(low, high)(noise)
    assert (drawn >= low).all()
    assert (drawn <= high).all()
    assert torch.allclose(drawn.mean(dim=0), (low + high) / 2, atol=0.02)
    known = torch.stack([low, (low + high) / 2, high])
    assert torch.equal(like(known)(noise), drawn)


def test_models_of_integers_get_integers():
    class Counting(nn.Module):
        def forward(self, tokens):
            assert tokens.dtype == torch.int64
            assert tokens.min() >= 0
            assert tokens.max() < 9
            return nn.functional.one_hot(tokens, 9).float().mean(dim=1) + torch.arange(9) * 1e-3

    tokens = torch.randint(0, 9, (40, 12))
    model = Counting()
    answers = HampOutput(model, uniform(0, 9))(tokens)
    assert torch.equal(answers.argmax(dim=1), model(tokens).argmax(dim=1))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: bernoulli(0.0), "probability must lie strictly between 0 and 1"),
        (lambda: uniform(1.0, 0.0), "low must not be above high"),
        (lambda: uniform(torch.tensor([0.0, float("nan")]), 1.0), "neither may be NaN"),
        (lambda: like(torch.zeros(3)), "at least two inputs"),
        (lambda: like(torch.zeros(1, 3)), "at least two inputs"),
    ],
)
def test_samplers_refuse_what_makes_no_sense(make, message):
    with pytest.raises(UsageError, match=message):
        make()


# ------------------------------------------------------------------------------------------ ONNX


def exported(model: nn.Module, sampler, path):
    """A function that opens the defended model of six numbers in ONNX Runtime and returns it."""
    torch.onnx.export(
        HampOutput(model, sampler),
        (torch.zeros(2, 6),),
        path,
        input_names=["x"],
        dynamic_shapes=({0: torch.export.Dim("records")},),
        dynamo=True,
        external_data=False,
        verbose=False,
    )

    def opened():
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return lambda x: torch.from_numpy(session.run(None, {"x": x.numpy()})[0])

    return opened


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_the_exported_model_answers_alike_in_onnx_runtime(tmp_path):
    model = network()
    opened = exported(model, bernoulli(), tmp_path / "defended.onnx")
    answer = opened()
    x = torch.randn(300, 6, generator=torch.Generator().manual_seed(0))
    answers = answer(x)
    assert torch.equal(ranking(answers), ranking(model(x)))
    assert torch.equal(ranking(answer(x[:1])), ranking(model(x[:1])))
    assert not torch.equal(answer(x), answers)

    # each row holds the outputs for one of the 64 inputs of six bits, nearly all of which occur
    bits = torch.tensor(list(itertools.product([0.0, 1.0], repeat=6)))
    possible = model(bits).detach().sort(dim=1).values
    distance = (answers.sort(dim=1).values[:, None] - possible[None]).abs().amax(dim=2)
    assert distance.amin(dim=1).max() < 1e-5
    assert len(distance.argmin(dim=1).unique()) > 50

    # the runtime owns the seed
    sequences = []
    for seed in (5, 5, 6):
        onnxruntime.set_seed(seed)
        sequences.append(opened()(x))
    assert torch.equal(sequences[0], sequences[1])
    assert not torch.equal(sequences[0], sequences[2])


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_ties_are_ordered_alike_in_onnx_runtime(tmp_path):
    answer = exported(nn.Identity(), uniform(), tmp_path / "identity.onnx")()
    x = torch.randint(0, 3, (400, 6), generator=torch.Generator().manual_seed(0)).float()
    x[0, 2] = torch.nan
    answers = answer(x)
    assert answers[0].isnan().all()
    assert torch.equal(ranking(answers[1:]), ranking(x[1:]))
    assert all(len(row.unique()) == 6 for row in answers[1:])


@pytest.mark.parametrize("repeatable", [False, True])
def test_a_seed_is_not_exported(repeatable):
    defended = HampOutput(network(), bernoulli(), seed=0, repeatable=repeatable)
    with pytest.raises(UsageError, match="a seed is not written"):
        torch.export.export(defended, (torch.zeros(2, 6),))
