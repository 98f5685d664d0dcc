"""Models that torch runs: a factory with weights, TorchScript, and exported programs."""

from __future__ import annotations

import inspect
import warnings
import zipfile
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate.errors import ModelError, PrivacyGateError
from privacy_gate.models.factory import build_module
from privacy_gate.models.features import (
    Features,
    layer_features,
    output_features,
    wrapped_module,
)
from privacy_gate.models.loaded import LoadedModel, short
from privacy_gate.models.selection import as_array, listing, select
from privacy_gate.models.strict_loading import adopt, load_strictly
from privacy_gate.models.torch_device import exact_arithmetic, resolve_device, resolve_precision
from privacy_gate.models.weights import read_weights

if TYPE_CHECKING:
    import torch
    from torch import nn

    from privacy_gate.config import Config


class TorchModel(LoadedModel):
    """A module in evaluation mode on one device. Runs under ``inference_mode`` and in exact float32
    unless a lower precision was asked for."""

    def __init__(
        self,
        config: Config,
        module: nn.Module,
        device: torch.device,
        input_names: tuple[str, ...],
        positional: tuple[str, ...],
        features: Features | None,
        raw: tuple[nn.Module, str | None] | None = None,
    ) -> None:
        super().__init__(
            config,
            device=str(device),
            precision=config.model.precision,
            input_names=input_names,
        )
        self._module = module
        self._device = device
        self._dtype = resolve_precision(config.model.precision)
        self._output = config.model.output.name
        self._output_location = config.location("model", "output")
        self._positional = positional
        self._features = features
        self._raw = raw

    @property
    def has_raw(self) -> bool:
        """Whether a wrapped module is named in ``model.output.raw``."""
        return self._raw is not None

    def seed(self, seed: int) -> None:
        """Seed torch's own generators, which wrappers and dropout draw from."""
        import torch

        torch.manual_seed(seed)

    def _answer_raw(self, inputs: Mapping[str, NDArray[Any]]) -> tuple[Any, NDArray[Any] | None]:
        if self._raw is None:
            return self._answer(inputs)
        import torch

        with torch.inference_mode(), exact_arithmetic():
            tensors = self.tensors(inputs)
            arguments = [tensors.pop(name) for name in self._positional]
            module, part = self._raw
            returned = module(*arguments, **tensors)
            return as_array(select(returned, part, self._output_location)), None

    def _answer(self, inputs: Mapping[str, NDArray[Any]]) -> tuple[Any, NDArray[Any] | None]:
        import torch

        with torch.inference_mode(), exact_arithmetic():
            tensors = self.tensors(inputs)
            arguments = [tensors.pop(name) for name in self._positional]
            returned = self._module(*arguments, **tensors)
            features = None if self._features is None else as_array(self._features(returned))
            return as_array(select(returned, self._output, self._output_location)), features

    def parameters(self) -> dict[str, torch.Tensor]:
        """Floating-point weights by name."""
        return {
            name: weight
            for name, weight in self._module.named_parameters()
            if weight.is_floating_point()
        }

    @property
    def weight_count(self) -> int:
        """How many numbers ``parameters`` hold."""
        return sum(weight.numel() for weight in self.parameters().values())

    def tensors(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, torch.Tensor]:
        """Preprocessed inputs on the model's device and in its precision."""
        return {name: self._tensor(array) for name, array in inputs.items()}

    def functional(
        self, weights: Mapping[str, torch.Tensor], inputs: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        """The judged output (b, classes) of the module with these weights in place of its own."""
        import torch

        rest = dict(inputs)
        arguments = tuple(rest.pop(name) for name in self._positional)
        returned = torch.func.functional_call(self._module, dict(weights), arguments, rest)
        output: torch.Tensor = select(returned, self._output, self._output_location)
        return output

    def _tensor(self, array: NDArray[Any]) -> torch.Tensor:
        import torch

        array = np.ascontiguousarray(array)
        if not array.flags.writeable:  # torch has no read-only tensors
            array = array.copy()
        tensor = torch.from_numpy(array)
        wanted = self._dtype if tensor.is_floating_point() else tensor.dtype
        return tensor.to(self._device, wanted)

    def _is_out_of_memory(self, error: Exception) -> bool:
        import torch

        if isinstance(error, torch.OutOfMemoryError):
            torch.cuda.empty_cache()
            return True
        return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)

    def close(self) -> None:
        """Free the device; the model cannot be used afterwards."""
        import torch

        del self._module, self._raw
        self._features = None
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


def open_torch(config: Config, features: bool) -> TorchModel:
    """The module that ``model.factory`` builds, with the weights of ``model.path``.

    ``features`` come from the submodule ``model.features.name``. ``ModelError`` when the factory
    fails, the weights do not fit exactly, or the submodule does not exist.
    """
    settings = config.model
    device = resolve_device(settings.device, config.location("model", "device"))
    state = read_weights(
        config.model_path,
        trusted=settings.trust == "code",
        weights_key=settings.weights_key,
        strip_prefix=settings.strip_prefix,
        location=config.location,
    )
    module = adopt(config, state)
    if module is None:
        module = build_module(config)
        load_strictly(module, state, config.location("model", "path"))
    module = module.to(device, resolve_precision(settings.precision)).eval()
    caught = layer_features(config, module) if features else None
    names = _parameters(config, module.forward)
    positional = names if len(names) == 1 and not settings.inputs else ()
    raw = wrapped_module(config, module)
    return TorchModel(config, module, device, names, positional, caught, raw)


def open_torchscript(config: Config, features: bool) -> TorchModel:
    """A TorchScript program; ``features`` come from the output ``model.features.name``."""
    import torch

    _check_trust(config)
    device = resolve_device(config.model.device, config.location("model", "device"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            module: Any = torch.jit.load(  # type: ignore[no-untyped-call]
                str(config.model_path), map_location=device
            )
    except (RuntimeError, ValueError) as error:
        raise _unreadable(config, "TorchScript program", error) from error
    module = module.to(device, resolve_precision(config.model.precision)).eval()
    arguments = module.forward.schema.arguments[1:]  # the first is the module itself
    required = [a.name for a in arguments if not a.has_default_value()]
    names = _inputs(config, required, [a.name for a in arguments])
    return TorchModel(config, module, device, names, (), _outputs(config, features))


def open_exported(config: Config, features: bool) -> TorchModel:
    """A program saved by ``torch.export.save``; ``features`` come from the output
    ``model.features.name``. Its precision was fixed by the export."""
    import torch
    from torch.export.passes import move_to_device_pass

    _check_trust(config)
    device = resolve_device(config.model.device, config.location("model", "device"))
    if config.model.precision != "float32":
        raise ModelError(
            f"An exported program cannot be changed to {config.model.precision}.",
            hint="Export the model in that precision, or use format: torch.",
            location=config.location("model", "precision"),
        )
    try:
        _check_archive(config)
        with config.model_path.open("rb") as stream:
            program = torch.export.load(stream)
        if device.type != "cpu":
            program = move_to_device_pass(program, device)
        module = program.module()
    except PrivacyGateError:
        raise
    except Exception as error:
        raise _unreadable(config, "exported program", error) from error
    shape = program.call_spec.in_spec
    _, keywords = shape.unflatten(range(shape.num_leaves))
    names = tuple(inspect.signature(module.forward).parameters)
    positional = tuple(name for name in names if name not in keywords)
    return TorchModel(config, module, device, names, positional, _outputs(config, features))


def _parameters(config: Config, forward: Callable[..., Any]) -> tuple[str, ...]:
    parameters = list(inspect.signature(forward).parameters.values())
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if any(p.kind is p.VAR_KEYWORD for p in parameters) and config.model.inputs:
        return tuple(config.model.inputs)
    required = [p.name for p in named if p.default is p.empty]
    return _inputs(config, required, [p.name for p in named]) or ("input",)


def _inputs(config: Config, required: list[str], known: list[str]) -> tuple[str, ...]:
    """The inputs to fill: those the configuration names, else those that must be filled."""
    given = config.model.inputs
    if not given:
        return tuple(required or known)
    if not set(required) <= set(given) <= set(known):
        raise ModelError(
            f"model.inputs fills {listing([*given])}, but the model takes {listing(known)} and "
            f"needs {listing(required)}.",
            location=config.location("model", "inputs"),
        )
    return tuple(given)


def _outputs(config: Config, features: bool) -> Features | None:
    return output_features(config) if features else None


def _check_trust(config: Config) -> None:
    if config.model.trust != "code":
        raise ModelError(
            f"A model of format {config.model.format} can run code when it is loaded.",
            hint="Use safetensors or ONNX, or write trust: code if you trust who made the file.",
            location=config.location("model", "format"),
        )


def _check_archive(config: Config) -> None:
    # torch logs a long traceback before it fails, so that other files are sorted out beforehand.
    if zipfile.is_zipfile(config.model_path):
        with zipfile.ZipFile(config.model_path) as archive:
            names = archive.namelist()
        if any(
            name.endswith(("archive_format", "serialized_exported_program.json")) for name in names
        ):
            return
    raise ModelError(
        f"{config.model_path.name} is no complete program of torch.export.",
        hint="Save it with torch.export.save.",
        location=config.location("model", "path"),
    )


def _unreadable(config: Config, what: str, error: Exception) -> ModelError:
    return ModelError(
        f"{config.model_path.name} is no complete {what} ({short(error)}).",
        hint="Check model.format, and save the model again.",
        location=config.location("model", "path"),
    )
