"""Small models, saved in every format, and a stand-in for the configuration they need."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from torch import nn

CLASSES = 10
SHAPE = (1, 8, 8)
VARIANTS = ("safetensors", "pt", "torchscript", "exported", "onnx")


class Classifier(nn.Module):
    """``body`` makes the features, ``head`` the logits."""

    def __init__(self, body: nn.Sequential, width: int, classes: int) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


class WithEmbedding(nn.Module):
    """The same with the features as a second output, for formats without layers."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.body = classifier.body
        self.head = classifier.head

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        embedding = self.body(x)
        return {"logits": self.head(embedding), "embedding": embedding}


def cnn(classes: int = CLASSES) -> Classifier:
    body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten())
    return Classifier(body, 4 * 6 * 6, classes)


def mlp(classes: int = CLASSES) -> Classifier:
    return Classifier(nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU()), 16, classes)


def two_inputs() -> nn.Module:
    class TwoInputs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(20, 4)
            self.head = nn.Linear(6, 3)

        def forward(self, token: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
            return self.head(torch.cat([self.embedding(token), numbers], dim=1))

    return TwoInputs()


def not_a_module() -> dict[str, int]:
    return {"classes": CLASSES}


def failing_factory() -> nn.Module:
    raise KeyError("width")


FACTORIES = {"cnn": cnn, "mlp": mlp}


def seeded(name: str) -> Classifier:
    """The model with weights that depend on nothing."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        return FACTORIES[name]().eval()


def images(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, *SHAPE)).astype(np.float32)


def reference(module: Classifier, array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logits and features of the plain forward pass."""
    with torch.no_grad():
        embedding = module.body(torch.from_numpy(array))
        return module.head(embedding).numpy(), embedding.numpy()


def configuration(path: Path, task: str = "classification", **model: Any) -> SimpleNamespace:
    """A stand-in for ``Config`` whose model section has the documented defaults."""
    section: dict[str, Any] = {
        "format": "torch", "path": str(path), "sha256": None, "factory": None, "kwargs": {},
        "weights_key": None, "strip_prefix": None, "inputs": None,
        "output": output(), "labels": None, "features": None,
        "preprocess": None, "device": "auto", "precision": "float32", "batch_size": "auto",
        "trust": "weights",
    }  # fmt: skip
    unknown = set(model) - set(section)
    assert not unknown, unknown
    return SimpleNamespace(
        model=SimpleNamespace(**{**section, **model}),
        model_path=path,
        task=task,
        location=lambda *keys: f"privacy_gate.yaml:{'.'.join(map(str, keys))}:1",
        load_callable=_load_callable,
    )


def output(name: str | int | None = None, kind: str = "auto") -> SimpleNamespace:
    return SimpleNamespace(name=name, kind=kind, raw=None)


def _load_callable(name: str, *_keys: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def saved(name: str, variant: str, directory: Path, **model: Any) -> SimpleNamespace:
    """The configuration of the model ``name``, saved in ``directory`` as ``variant``.

    The same names work in all formats: output ``logits`` and features ``body`` or ``embedding``.
    """
    module = seeded(name)
    settings: dict[str, Any] = {}
    path = directory / f"{name}.{variant}"
    if variant == "safetensors":
        save_file(module.state_dict(), path)
    elif variant == "pt":
        torch.save(module.state_dict(), path)
    elif variant == "torchscript":
        save_torchscript(WithEmbedding(module), path)
    elif variant == "exported":
        save_exported(WithEmbedding(module), path)
    else:
        onnx.save(onnx_classifier(module), path)
    if variant in ("safetensors", "pt"):
        settings |= {"factory": f"model_zoo:{name}", "features": SimpleNamespace(name="body")}
    else:
        settings |= {
            "format": variant,
            "output": output("logits"),
            "features": SimpleNamespace(name="embedding"),
            "trust": "weights" if variant == "onnx" else "code",
        }
    return configuration(path, **{**settings, **model})


def save_torchscript(module: nn.Module, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(module), str(path))


def save_exported(module: nn.Module, path: Path, shapes: Any = "dynamic") -> None:
    if shapes == "dynamic":
        shapes = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(module, (torch.zeros(3, *SHAPE),), dynamic_shapes=shapes)
    with path.open("wb") as stream:
        torch.export.save(program, stream)


def onnx_classifier(module: Classifier, batch: str | int = "batch") -> onnx.ModelProto:
    """The classifier layer by layer, with the outputs ``logits`` and ``embedding``."""
    nodes, weights = [], []
    current = "x"
    layers = [*module.body, module.head]
    for number, layer in enumerate(layers):
        last = number == len(layers) - 1
        result = "logits" if last else "embedding" if number == len(layers) - 2 else f"h{number}"
        inputs = [current]
        for parameter, tensor in layer.named_parameters():
            inputs.append(f"{number}.{parameter}")
            weights.append(numpy_helper.from_array(tensor.detach().numpy(), inputs[-1]))
        operator, attributes = {
            nn.Linear: ("Gemm", {"transB": 1}),
            nn.Conv2d: ("Conv", {}),
            nn.ReLU: ("Relu", {}),
            nn.Flatten: ("Flatten", {"axis": 1}),
        }[type(layer)]
        nodes.append(helper.make_node(operator, inputs, [result], **attributes))
        current = result
    return onnx_model(
        nodes, {"x": (TensorProto.FLOAT, [batch, *SHAPE])}, ["logits", "embedding"], weights
    )


def onnx_model(
    nodes: list[Any],
    inputs: dict[str, tuple[int, list[Any]]],
    outputs: list[str],
    weights: list[Any] | None = None,
    **graph: Any,
) -> onnx.ModelProto:
    """A model of these nodes; outputs are float tensors of any shape."""
    graph_proto = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(name, *kind) for name, kind in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        weights or [],
        **graph,
    )
    return helper.make_model(graph_proto, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


class ArrayRecords:
    """Records held in memory, as ``domain.Records``."""

    def __init__(self, **columns: np.ndarray) -> None:
        self.columns = tuple(columns)
        self._arrays = columns

    slow = False

    def take(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        return {name: array[indices] for name, array in self._arrays.items()}
