"""The devices that models can run on here, by back-end."""

from __future__ import annotations


def torch_devices() -> tuple[str, ...]:
    """``cpu``, then every CUDA device with its name. Raises what importing torch raises."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    names = (f"cuda:{index} {torch.cuda.get_device_name(index)}" for index in range(count))
    return ("cpu", *names)


def onnx_providers() -> tuple[str, ...] | None:
    """The execution providers of ONNX Runtime, ``None`` where it is not installed. Raises what
    importing a broken installation raises."""
    from importlib.util import find_spec

    if find_spec("onnxruntime") is None:
        return None
    import onnxruntime

    return tuple(onnxruntime.get_available_providers())
