"""HAMP's answers: the values of a random input, in the order of the real one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from privacy_gate.defenses.noise import Keyed, Stream
from privacy_gate.defenses.samplers import Sampler
from privacy_gate.errors import ModelError, UsageError

_REDRAWS = 16


def rank_matched(values: Tensor, order: Tensor) -> Tensor:
    """``values`` (N, K), each row rearranged so that its ranking is that of ``order`` (N, K).

    Every row is a permutation of the row of ``values``. Of equal entries of ``order`` the first
    gets the larger value, so the first of several largest stays the largest. A row of ``order``
    with a NaN becomes NaN: a broken model must not look like a healthy one.
    """
    ranked = values.sort(dim=1, descending=True).values
    rearranged = torch.zeros_like(ranked).scatter(1, _positions(order), ranked)
    return rearranged.masked_fill(order.isnan().any(dim=1, keepdim=True), float("nan"))


class HampOutput(nn.Module):
    """A deployed model that answers with the ranking of its outputs and nothing else (HAMP, section
    V-B): each row is the output for a fresh random input, rearranged as the real output is ordered.

    ``model``: takes one tensor (N, …) and returns logits or probabilities (N, K), K ≥ 2; what comes
    out is of the same kind, so predictions and rankings stay while confidences say nothing.
    ``sampler``: makes random inputs, see ``privacy_gate.defenses.samplers``. The device and the
    float type of inputs and model are kept. Costs one more forward pass a batch. With two classes
    the answer still tells the predicted one, beside a number that says nothing.

    ``seed``: makes the sequence of answers reproducible; without one, torch's own generator is
    used. ``repeatable`` (needs a seed): the random input depends on the seed and the input, so that
    asking again gives the same answer and nothing to average. The gate can judge such a model only.

    Only for deployment: construction switches the model to ``eval()``, and in training mode
    ``forward`` raises ``UsageError`` rather than show real outputs or put random inputs into batch
    statistics. Train ``model`` itself. No gradient flows through the answers.

    If the two largest values of a random row are equal, which half precision makes likely, they do
    not say which class is the first: such rows are drawn again. Elsewhere equal values stay equal.

    ``torch.onnx.export`` writes it, without a seed: the operator ``RandomUniformLike`` draws from
    the runtime's generator, at every query anew, and no row is drawn again.
    """

    def __init__(
        self,
        model: nn.Module,
        sampler: Sampler,
        seed: int | None = None,
        *,
        repeatable: bool = False,
    ) -> None:
        super().__init__()
        if repeatable and seed is None:
            raise UsageError("HampOutput with repeatable=True needs a seed.")
        self.model = model
        self.sampler = sampler
        self.seed = seed
        self.repeatable = repeatable
        self._noise = Keyed(seed) if repeatable and seed is not None else Stream(seed)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """``x`` (N, …) -> (N, K). Raises ``ModelError`` where the model returns anything else, and
        ``UsageError`` in training mode or when a seed would be exported."""
        if self.training or self.model.training:
            raise UsageError(
                "HampOutput is for deployment, but it or its model is in training mode.",
                hint="Train the model itself, and call eval() on the HampOutput before it is used.",
            )
        with torch.no_grad():
            order = _class_outputs(self.model(x))
            values = self._random_outputs(x, 0)
            if not _exporting():  # how many rows to draw again is no part of a graph
                for attempt in range(1, _REDRAWS + 1):
                    tied = _tied_at_the_top(values)
                    if not bool(tied.any()):
                        break
                    values[tied] = self._random_outputs(x[tied], attempt)
            return rank_matched(values, order)

    def extra_repr(self) -> str:
        """What ``print(model)`` shows."""
        return f"seed={self.seed}, repeatable={self.repeatable}"

    def _random_outputs(self, x: Tensor, attempt: int) -> Tensor:
        if self.seed is not None and _exporting():
            raise UsageError(
                "An exported model draws from the generator of its runtime: a seed is not written.",
                hint="Export HampOutput(model, sampler), and seed the runtime.",
            )
        random = self.sampler(self._noise(x, attempt))
        if random.shape != x.shape:
            raise UsageError(
                f"The sampler returned the shape {tuple(random.shape)} for inputs of"
                f" {tuple(x.shape)}."
            )
        return _class_outputs(self.model(random.to(x.dtype)))


def _positions(order: Tensor) -> Tensor:
    """(N, K) columns from the largest entry to the smallest, of equal ones the first first."""
    if _exporting():  # ONNX has no stable sort, but its TopK is one
        return order.topk(order.shape[1], dim=1).indices
    return order.argsort(dim=1, descending=True, stable=True)


def _exporting() -> bool:
    return torch.compiler.is_exporting() or torch.onnx.is_in_onnx_export()


def _tied_at_the_top(values: Tensor) -> Tensor:
    first, second = values.topk(2, dim=1).values.unbind(dim=1)
    return first == second


def _class_outputs(outputs: object) -> Tensor:
    if not isinstance(outputs, Tensor):
        raise ModelError(
            f"The model returned a {type(outputs).__name__}; HampOutput needs the tensor of logits"
            " or probabilities.",
            hint="Wrap the model so that it returns that tensor only.",
        )
    if outputs.ndim != 2 or outputs.shape[1] < 2 or not outputs.is_floating_point():
        raise ModelError(
            f"The model returned {outputs.dtype} of the shape {tuple(outputs.shape)}; HampOutput"
            " needs floating-point (records, classes) with at least two classes.",
            hint="A model with one output for two classes must return one column for each.",
        )
    return outputs
