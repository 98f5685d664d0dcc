"""Models that ONNX Runtime runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from privacy_gate.errors import ModelError, missing_extra
from privacy_gate.models.external_data import external_files, read_structure
from privacy_gate.models.features import feature_name
from privacy_gate.models.loaded import LoadedModel, short
from privacy_gate.models.selection import ambiguous_output, as_array, listing, unknown_output

if TYPE_CHECKING:
    from privacy_gate.config import Config

TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int8)": np.int8,
    "tensor(int16)": np.int16,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(uint8)": np.uint8,
    "tensor(uint16)": np.uint16,
    "tensor(uint32)": np.uint32,
    "tensor(uint64)": np.uint64,
    "tensor(bool)": np.bool_,
}
CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"
SILENT = 4
CONFIG_FROM_MODEL = "ORT_LOAD_CONFIG_FROM_MODEL"


class OnnxModel(LoadedModel):
    """A session on one device, asked for the output to judge and, if wanted, the features."""

    def __init__(
        self,
        config: Config,
        session: Any,
        device: str,
        output: str,
        features: str | None,
        raw: str | None = None,
    ) -> None:
        types = {entry.name: np.dtype(_numpy_type(config, entry)) for entry in session.get_inputs()}
        half = any(dtype == np.float16 for dtype in types.values())
        super().__init__(
            config,
            device=device,
            precision="float16" if half else "float32",
            input_names=tuple(types),
            input_types=types,
        )
        self.providers = tuple(session.get_providers())
        self._session = session
        self._wanted = [output] if features is None else [output, features]
        self._raw = raw
        self._fixed_batch = {
            entry.name: entry.shape[0]
            for entry in session.get_inputs()
            if entry.shape and isinstance(entry.shape[0], int)
        }

    def _answer(self, inputs: Mapping[str, NDArray[Any]]) -> tuple[Any, NDArray[Any] | None]:
        returned = self._session.run(self._wanted, dict(inputs))
        features = as_array(returned[1]) if len(returned) == 2 else None
        return returned[0], features

    @property
    def has_raw(self) -> bool:
        """Whether another output is named in ``model.output.raw``."""
        return self._raw is not None

    def _answer_raw(self, inputs: Mapping[str, NDArray[Any]]) -> tuple[Any, NDArray[Any] | None]:
        if self._raw is None:
            return self._answer(inputs)
        return self._session.run([self._raw], dict(inputs))[0], None

    def _hint(self, inputs: Mapping[str, NDArray[Any]]) -> str:
        for name, size in self._fixed_batch.items():
            if name in inputs and len(inputs[name]) != size:
                return (
                    f"The model was exported for batches of exactly {size}: export it with a "
                    "dynamic first dimension"
                    + (", or set model.batch_size: 1." if size == 1 else ".")
                )
        return super()._hint(inputs)

    def _is_out_of_memory(self, error: Exception) -> bool:
        message = str(error).lower()
        signs = ("failed to allocate memory", "bad allocation", "bad_alloc", "out of memory")
        return any(sign in message for sign in signs)

    def close(self) -> None:
        """Free the device; the model cannot be used afterwards."""
        del self._session


def open_onnx(config: Config, features: bool) -> OnnxModel:
    """The model of ``model.path`` in a session of ONNX Runtime.

    ``ModelError`` when the file or its external data is refused, an operator is unknown, an output
    does not exist or is not named where there are several, or the device is not there.
    """
    settings, path = config.model, config.model_path
    where = config.location("model", "path")
    external_files(read_structure(path, where), path, where)
    if settings.precision != "float32":
        raise ModelError(
            f"An ONNX model cannot be changed to {settings.precision}: its file fixes that.",
            hint="Export the model in that precision and remove model.precision.",
            location=config.location("model", "precision"),
        )
    if os.environ.get(CONFIG_FROM_MODEL, "0") != "0":
        raise ModelError(
            f"{CONFIG_FROM_MODEL} is set, which lets a model file configure its own session.",
            hint="Unset it.",
        )
    session, device = _open_session(config)
    names = [entry.name for entry in session.get_outputs()]
    wanted = _feature_output(config, names) if features else None
    raw = _raw_output(config, names)
    output = _judged_output(config, names, {wanted, raw})
    return OnnxModel(config, session, device, output, wanted, raw)


def _open_session(config: Config) -> tuple[Any, str]:
    try:
        import onnxruntime
    except ImportError:
        raise missing_extra("ONNX models", "onnx") from None
    wanted = config.model.device
    if wanted == "cpu" or (wanted == "auto" and CUDA not in onnxruntime.get_available_providers()):
        return _session(config, [CPU]), "cpu"
    index = int(wanted.partition(":")[2] or 0) if wanted != "auto" else 0
    options = {"device_id": index, "use_tf32": 0, "cudnn_conv_algo_search": "DEFAULT"}
    if CUDA in onnxruntime.get_available_providers():
        session = _session(config, [(CUDA, options), CPU])
        if CUDA in session.get_providers():
            return session, f"cuda:{index}"
    if wanted == "auto":
        return _session(config, [CPU]), "cpu"
    raise ModelError(
        f"model.device is {wanted}, but ONNX Runtime cannot use CUDA here ({_installed()}).",
        hint="CUDA needs onnxruntime-gpu alone (not beside onnxruntime), matching CUDA libraries "
        "and a GPU; or set model.device to auto or cpu.",
        location=config.location("model", "device"),
    )


def _session(config: Config, providers: list[Any]) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.use_deterministic_compute = True
    options.log_severity_level = SILENT
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        # Without its fallback, ONNX Runtime raises instead of printing and going on elsewhere.
        return onnxruntime.InferenceSession(
            str(config.model_path), options, providers=providers, enable_fallback=0
        )
    except Exception as error:
        raise ModelError(
            f"ONNX Runtime cannot open {config.model_path.name} ({short(error)}).",
            hint="Only operators built into ONNX Runtime are run; custom operators are not loaded.",
            location=config.location("model", "path"),
        ) from error


def _installed() -> str:
    found = []
    for package in ("onnxruntime", "onnxruntime-gpu"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"no {package}")
    return ", ".join(found) + " installed"


def _raw_output(config: Config, names: list[str]) -> str | None:
    raw = config.model.output.raw
    if raw is not None and raw not in names:
        raise unknown_output(raw, names, config.location("model", "output", "raw"))
    return raw


def _judged_output(config: Config, names: list[str], others: set[str | None]) -> str:
    """The output named, or the only one that is not among the ``others``."""
    wanted = config.model.output.name
    location = config.location("model", "output")
    candidates = [name for name in names if name not in others]
    if wanted is None:
        if len(candidates) != 1:
            raise ambiguous_output(names, location)
        return candidates[0]
    if wanted in names:
        return str(wanted)
    if isinstance(wanted, int) and 0 <= wanted < len(names):
        return names[wanted]
    raise unknown_output(wanted, names, location)


def _feature_output(config: Config, names: list[str]) -> str:
    name, location = feature_name(config)
    if name not in names:
        raise ModelError(
            f"The model has no output {name!r} to take features from; it has {listing(names)}.",
            hint="Export it once more with that layer's result as a further named output.",
            location=location,
        )
    return name


def _numpy_type(config: Config, entry: Any) -> Any:
    if entry.type not in TYPES:
        raise ModelError(
            f"Input {entry.name!r} of the ONNX model has the type {entry.type}, which is not "
            "supported.",
            hint="Export the model with inputs of numbers.",
            location=config.location("model", "path"),
        )
    return TYPES[entry.type]
