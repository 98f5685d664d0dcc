"""Which device torch runs on, and float32 arithmetic that is really float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from privacy_gate.errors import ModelError

if TYPE_CHECKING:
    import torch


def resolve_device(wanted: str, location: str | None = None) -> torch.device:
    """``auto``, ``cpu``, ``cuda`` or ``cuda:1`` as a device with its index.

    ``auto`` is CUDA where it is available. A device asked for by name is never replaced by another:
    ``ModelError`` when it is absent.
    """
    import torch

    available = torch.cuda.is_available()
    if wanted == "cpu" or (wanted == "auto" and not available):
        return torch.device("cpu")
    if not available:
        build = torch.version.cuda or "none, a CPU-only build"
        raise ModelError(
            f"model.device is {wanted}, but torch {torch.__version__} finds no CUDA device "
            f"(built for CUDA: {build}).",
            hint="Run on a GPU machine, or set model.device to auto or cpu.",
            location=location,
        )
    index = torch.device("cuda" if wanted == "auto" else wanted).index
    if index is None:
        index = torch.cuda.current_device()
    if index >= torch.cuda.device_count():
        raise ModelError(
            f"model.device is {wanted}, but only {torch.cuda.device_count()} device(s) are here.",
            hint="Devices count from cuda:0.",
            location=location,
        )
    return torch.device("cuda", index)


def resolve_precision(name: str) -> torch.dtype:
    """The torch type called ``float32``, ``bfloat16`` or ``float16``."""
    import torch

    return {
        "float32": torch.float32,
        "bfloat16": torch.bfloat16,
        "float16": torch.float16,
    }[name]


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """Within: no TF32 or bfloat16 shortcuts for float32, no cuDNN auto-tuning, deterministic cuDNN.

    The settings are global to torch, so they are put back as they were.
    """
    changes = list(_exact_settings())
    before = [getattr(owner, name) for owner, name, _ in changes]
    try:
        for owner, name, value in changes:
            setattr(owner, name, value)
        yield
    finally:
        for (owner, name, _), value in zip(changes, before, strict=True):
            setattr(owner, name, value)


def _exact_settings() -> Iterator[tuple[Any, str, Any]]:
    import torch

    backends: Any = torch.backends
    yield backends.cudnn, "deterministic", True
    yield backends.cudnn, "benchmark", False
    if hasattr(
        backends.cudnn, "conv"
    ):  # torch 2.9 and later: one setting per library and operation
        owners = (
            backends.cuda.matmul,
            backends.cudnn.conv,
            backends.cudnn.rnn,
            backends.mkldnn.matmul,
            backends.mkldnn.conv,
            backends.mkldnn.rnn,
        )
        for owner in owners:
            yield owner, "fp32_precision", "ieee"
    else:
        yield backends.cuda.matmul, "allow_tf32", False
        yield backends.cudnn, "allow_tf32", False
