"""What a model file is: its format, and what it says about itself without being run."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from privacy_gate.errors import ModelError
from privacy_gate.models.model_file import check_model_path, weight_files
from privacy_gate.models.onnx_signature import Port, signature
from privacy_gate.models.weights import read_beside, read_weights
from privacy_gate.setup.matching import Shapes
from privacy_gate.setup.safetensors_header import read_header, shapes_in

_WEIGHTS_KEYS = (None, "state_dict", "model_state_dict", "model")
_ARGUMENTS = "hyper_parameters"
"""Where a Lightning checkpoint keeps the arguments of its module (``save_hyperparameters``)."""
_SCORES = ("logits", "probabilities", "output_probability", "probs", "scores", "output")
_FEATURES = ("features", "embedding", "embeddings", "penultimate", "hidden")

Kind = Literal["logits", "probabilities", "labels", "auto"]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """``shapes``: of the weights of a torch file, by name, ``None`` if ``obstacle`` says why they
    cannot be read; ``weights_key``: where in the file they are; ``arguments``: those that built the
    module, where the file says so. ``inputs`` and ``outputs``: those that an ONNX file declares.
    """

    path: Path
    format: Literal["torch", "torchscript", "exported", "onnx"]
    shapes: Shapes | None = None
    weights_key: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    obstacle: str = ""


@dataclass(frozen=True, slots=True)
class OutputChoice:
    """The output to judge, ``None`` where the file does not show which; the output that attacks may
    take for features, if one is called so."""

    judged: Port | None
    kind: Kind
    features: Port | None


def describe(path: Path) -> ModelFile:
    """Read what a model file says about itself. Raises ``ModelError`` where there is none, or where
    it is not the model (empty, a Git LFS pointer, no ONNX); ``UsageError`` without the ``onnx``
    extra."""
    if path.suffix == ".onnx":
        check_model_path(path, "onnx", None)
        inputs, outputs = signature(path)
        return ModelFile(path, "onnx", inputs=inputs, outputs=outputs)
    check_model_path(path, "torch", None)
    program = None if path.is_dir() else _program(path)
    if program is not None:
        return ModelFile(path, program)
    if path.is_dir() or path.suffix == ".safetensors":
        files = weight_files(path) if path.is_dir() else [path]
        headers = [read_header(file) for file in files]
        whole = {name: size for header in headers for name, size in shapes_in(header or {}).items()}
        damaged = "" if all(headers) else f"{path.name} is no complete safetensors file."
        return ModelFile(path, "torch", whole or None, obstacle=damaged)
    return _pickled(path)


def choose_output(outputs: Sequence[Port], classes: int | None) -> OutputChoice:
    """Which output holds the class scores, by name and shape."""
    named = {port.name.lower(): port for port in outputs}
    features = next((named[name] for name in _FEATURES if name in named), None)
    rest = [port for port in outputs if port is not features]
    scores = [port for port in rest if _may_be_scores(port, classes)]
    likely = [port for name in _SCORES for port in scores if port.name.lower() == name]
    judged = scores[0] if len(scores) == 1 else next(iter(likely), None)
    if judged is None and len(rest) == 1 and rest[0].dtype is not None and not rest[0].floating:
        return OutputChoice(rest[0], "labels", None)
    return OutputChoice(judged, _kind(judged), features if judged is not None else None)


def _may_be_scores(port: Port, classes: int | None) -> bool:
    """One number per class, or one for two classes; a size that is not declared may be any. What is
    no tensor is a dictionary for each record, as scikit-learn's probabilities are by default."""
    if port.dtype is None:
        return "prob" in port.name.lower()
    if not port.floating:
        return False
    if port.shape is None:
        return True
    size = port.shape[1] if len(port.shape) == 2 else None
    one = len(port.shape) == 1 or size == 1
    if one:
        return classes in (None, 2)
    return len(port.shape) == 2 and (size is None or classes is None or size == classes)


def _kind(port: Port | None) -> Kind:
    name = "" if port is None else port.name.lower()
    if name == "logits":
        return "logits"
    return "probabilities" if "prob" in name else "auto"


def _program(path: Path) -> Literal["torchscript", "exported"] | None:
    """The kind of program in a file that could run code, by the names in its archive."""
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if any(name.endswith(("archive_format", "serialized_exported_program.json")) for name in names):
        return "exported"
    return "torchscript" if any(name.endswith("/constants.pkl") for name in names) else None


def _pickled(path: Path) -> ModelFile:
    obstacle = ""
    for key in _WEIGHTS_KEYS:
        try:
            weights = read_weights(path, weights_key=key)
        except ModelError as error:
            obstacle = obstacle or error.message
            continue
        shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
        beside = {} if key is None else read_beside(path, _ARGUMENTS)
        arguments = {str(name): value for name, value in beside.items() if _is_plain(value)}
        return ModelFile(path, "torch", shapes, key, arguments)
    return ModelFile(path, "torch", obstacle=obstacle)


def _is_plain(value: Any) -> bool:
    """Whether a configuration can hold the value."""
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, str):
        return value.isprintable() and bool(value.strip())
    return isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value))
