"""Transductive Tuning: fine-tune the candidate itself to tell members from non-members.

After FeS-MIA (Jiménez-López et al. 2025). A two-way head ``z = Wᵀ relu(g(x)) + b`` sits on the
candidate's output g; W starts from the class means of the support records, b at 0. Each epoch takes
one step on the cross-entropy of the support records and one on the entropy of ``softmax(z/t)`` of
the unlabelled queries; all weights move. Tuning stops when the validation loss has not fallen for
two epochs. Every episode starts from the candidate's own weights, with a fresh optimiser;
normalisation layers stay in evaluation mode, so that no query is normalised by the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate.domain import Float, Integer, Records
from privacy_gate.models.forward import PreprocessFunction

if TYPE_CHECKING:
    import torch

    from privacy_gate.models.torch_model import TorchModel

TEMPERATURES = (7.0, 8.0, 9.0, 10.0, 11.0, 13.0)
EPOCHS = 30
PATIENCE = 2
LEARNING_RATE = 5e-5

_WEIGHTS = 50_000_000
"""Weights tuned side by side; more episodes are tuned one group after another."""

Tensors = Mapping[str, "torch.Tensor"]


@dataclass(frozen=True, slots=True, eq=False)
class Tuner:
    """Fine-tunes copies of a candidate on records given by row number."""

    model: TorchModel
    preprocess: PreprocessFunction
    records: Records

    def tune(self, support: Integer, validation: Integer, query: Integer) -> tuple[Float, Float]:
        """Scores of the validation records (T, R, V) and of the queries (T, R, Q), one per
        temperature: the probability of membership after tuning.

        Rows ``support`` (R, 2K) and ``validation`` (R, V), members first; ``query`` (R, Q).
        """
        size = max(1, _WEIGHTS // max(1, self.model.weight_count))
        parts = [slice(start, start + size) for start in range(0, len(support), size)]
        validation_scores, query_scores = [], []
        for temperature in TEMPERATURES:
            tuned = [
                self._tune(support[part], validation[part], query[part], temperature)
                for part in parts
            ]
            validation_scores.append(np.concatenate([scores for scores, _ in tuned]))
            query_scores.append(np.concatenate([scores for _, scores in tuned]))
        return np.stack(validation_scores), np.stack(query_scores)

    def _tune(
        self, support: Integer, validation: Integer, query: Integer, temperature: float
    ) -> tuple[Float, Float]:
        import torch

        episodes = _Episodes(self.model, len(support))
        labelled, held, asked = (self._inputs(rows) for rows in (support, validation, query))
        episodes.start_head(labelled, support.shape[1] // 2)
        optimiser = torch.optim.Adam(episodes.parameters(), lr=LEARNING_RATE)
        best = torch.full((len(support),), torch.inf)
        waited = torch.zeros(len(support), dtype=torch.int64)
        scores = _scores(episodes, held), _scores(episodes, asked)
        for _ in range(EPOCHS):
            _step(optimiser, episodes.cross_entropy(labelled).sum())
            _step(optimiser, episodes.entropy(asked, temperature).sum())
            active = waited < PATIENCE
            for kept, inputs in zip(scores, (held, asked), strict=True):
                kept[active] = _scores(episodes, inputs)[active]
            with torch.no_grad():
                loss = episodes.cross_entropy(held).cpu()
            waited = torch.where(loss < best, 0, waited + 1)
            waited = torch.where(active, waited, PATIENCE)
            best = torch.minimum(best, loss)
            if bool((waited >= PATIENCE).all()):
                break
        return scores[0].double().numpy(), scores[1].double().numpy()

    def _inputs(self, rows: Integer) -> dict[str, torch.Tensor]:
        """Model inputs of shape (R, S, …)."""
        arrays = self.preprocess(self.records.take(rows.reshape(-1)))
        return {
            name: tensor.reshape(*rows.shape, *tensor.shape[1:])
            for name, tensor in self.model.tensors(_writable(arrays)).items()
        }


def _writable(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name: np.array(array) for name, array in arrays.items()}


def _step(optimiser: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


def _scores(episodes: _Episodes, inputs: Tensors) -> torch.Tensor:
    import torch

    with torch.no_grad():
        return episodes.logits(inputs).softmax(-1)[..., 1].cpu()


class _Episodes:
    """R copies of the candidate's weights and heads, stacked, so that one pass serves all.

    The losses of the episodes are summed: no weight is shared, so each gets its own gradient, and
    Adam works element by element.
    """

    def __init__(self, model: TorchModel, episodes: int) -> None:
        self._model = model
        self._weights = {
            name: weight.detach().expand(episodes, *weight.shape).clone().requires_grad_()
            for name, weight in model.parameters().items()
        }
        self._episodes = episodes
        self._together = True
        self._head: torch.Tensor
        self._bias: torch.Tensor

    def start_head(self, labelled: Tensors, shots: int) -> None:
        """Heads from the class means of the support records; class 1 is "member"."""
        import torch

        with torch.no_grad():
            base = self._base(labelled)
            means = torch.stack([base[:, shots:].mean(1), base[:, :shots].mean(1)], dim=-1)
            norms = means.norm(dim=1, keepdim=True).clamp_min(1e-6)
        self._head = (means / norms).requires_grad_()
        self._bias = torch.zeros(self._episodes, 1, 2, device=base.device, requires_grad=True)

    def parameters(self) -> list[torch.Tensor]:
        """Everything that is tuned."""
        return [*self._weights.values(), self._head, self._bias]

    def logits(self, inputs: Tensors) -> torch.Tensor:
        """(R, S, 2)."""
        return self._base(inputs) @ self._head + self._bias

    def cross_entropy(self, inputs: Tensors) -> torch.Tensor:
        """(R,) mean loss of labelled records, members first."""
        import torch

        logits = self.logits(inputs)
        half = logits.shape[1] // 2
        target = torch.tensor([1] * half + [0] * half, device=logits.device)
        return -logits.log_softmax(-1)[:, torch.arange(2 * half), target].mean(1)

    def entropy(self, inputs: Tensors, temperature: float) -> torch.Tensor:
        """(R,) mean entropy of the tempered predictions."""
        log_p = (self.logits(inputs) / temperature).log_softmax(-1)
        return -(log_p.exp() * log_p).sum(-1).mean(1)

    def _base(self, inputs: Tensors) -> torch.Tensor:
        """(R, S, classes) relu of the candidate's output: all episodes at once, or one by one for
        a module that ``vmap`` cannot take, such as one whose path depends on its values."""
        import torch

        if self._together:
            try:
                return torch.vmap(self._model.functional)(self._weights, dict(inputs)).relu()
            except torch.OutOfMemoryError:
                raise
            except RuntimeError:
                self._together = False
        outputs = [
            self._model.functional(
                {name: weight[episode] for name, weight in self._weights.items()},
                {name: tensor[episode] for name, tensor in inputs.items()},
            )
            for episode in range(self._episodes)
        ]
        return torch.stack(outputs).relu()
