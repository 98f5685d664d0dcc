"""What is installed and set on this machine, and which of it does not go together."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, requires, version

from privacy_gate import __version__
from privacy_gate.models.devices import onnx_providers, torch_devices
from privacy_gate.models.onnx_model import CONFIG_FROM_MODEL
from privacy_gate.models.weights import FORCED
from privacy_gate.setup.finding import Finding

_OURS = "PRIVACY_GATE_"
_KNOWN = (
    "CACHE", "CONFIG", "DEBUG", "DEVICE", "FIXTURES", "FIXTURES_ROOT", "KEY", "MODEL",
    "POLICY_REF", "ROOTS",
)  # fmt: skip
_NEAR = 0.85
_GITHUB = (
    "GITHUB_ACTIONS", "GITHUB_REPOSITORY", "GITHUB_EVENT_NAME", "GITHUB_EVENT_PATH", "GITHUB_SHA",
    "GITHUB_REF", "GITHUB_BASE_REF", "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", "GITHUB_TOKEN",
)  # fmt: skip
_PACKAGES = (
    "torch", "onnxruntime", "onnxruntime-gpu", "onnx", "numpy", "scipy", "safetensors", "pydantic",
    "pytest",
)  # fmt: skip
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+).*;.*\bextra *== *['\"]([^'\"]+)['\"]")

Versions = Mapping[str, str | None]
"""Package -> its version, ``None`` where it is not installed."""


def installed() -> dict[str, str | None]:
    """The versions of what the gate uses, and of all that its extras name."""
    names = dict.fromkeys((*_PACKAGES, *(name for group in extras().values() for name in group)))
    return {name: _version(name) for name in names}


def extras() -> dict[str, tuple[str, ...]]:
    """Extra -> the packages it consists of, as this installation declares them."""
    try:
        declared = requires("privacy-gate") or []
    except PackageNotFoundError:
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for text in declared:
        match = _REQUIREMENT.match(text)
        if match is not None and match[2] != "dev":
            found[match[2]] = (*found.get(match[2], ()), match[1])
    return found


def environment_findings(
    versions: Versions, groups: Mapping[str, tuple[str, ...]], environment: Mapping[str, str]
) -> Iterator[Finding]:
    """Versions, devices, extras, conflicts and variables; only the names of variables are told.

    ``versions`` as of ``installed``, ``groups`` as of ``extras``.
    """
    present = [f"{name} {versions[name]}" for name in _PACKAGES if versions.get(name)]
    yield Finding("python", "ok", f"{platform.python_version()}, {platform.platform(terse=True)}")
    yield Finding("packages", "ok", ", ".join([f"privacy_gate {__version__}", *present]))
    yield from _devices()
    yield from _extras(versions, groups)
    yield from _conflicts(versions, environment)
    yield from _variables(environment)


def _devices() -> Iterator[Finding]:
    for topic, ask in (("torch", torch_devices), ("onnxruntime", onnx_providers)):
        try:
            found = ask()
        except Exception as error:  # a broken installation may raise anything
            message = f"cannot be imported ({type(error).__name__})."
            yield Finding(topic, "problem", message, "Install it again in a fresh environment.")
            continue
        if found is not None:
            yield Finding(topic, "ok", f"runs on {', '.join(found)}")


def _extras(versions: Versions, groups: Mapping[str, tuple[str, ...]]) -> Iterator[Finding]:
    complete = [name for name, parts in groups.items() if all(versions.get(p) for p in parts)]
    yield Finding("extras", "ok", f"installed: {', '.join(complete) or 'none'}")
    absent = [name for name in groups if name not in complete and name != "onnx-gpu"]
    if absent:
        how = f"Where they are needed: pip install 'privacy-gate[{','.join(absent)}]'"
        yield Finding("extras", "note", f"not installed: {', '.join(absent)}.", how)


def _conflicts(versions: Versions, environment: Mapping[str, str]) -> Iterator[Finding]:
    if versions.get("onnxruntime") and versions.get("onnxruntime-gpu"):
        yield Finding(
            "onnxruntime",
            "problem",
            "onnxruntime and onnxruntime-gpu are both installed, and overwrite each other's files.",
            "Run: pip uninstall -y onnxruntime onnxruntime-gpu, then install one of them.",
        )
    torch = tuple(int(part) for part in re.findall(r"\d+", versions.get("torch") or "")[:2])
    if torch and torch < (2, 6):
        message = f"torch {versions['torch']} is older than 2.6: weights_only can be got around."
        yield Finding("torch", "problem", message, "Install torch 2.10 or later.")
    elif torch and torch < (2, 10):
        message = f"torch {versions['torch']} is older than 2.10: pickled weights are refused."
        yield Finding("torch", "note", message, "Use .safetensors, or install torch 2.10 or later.")
    if environment.get(FORCED):
        message = f"{FORCED} is set, which lets weights run code: the gate refuses pickled ones."
        yield Finding("torch", "problem", message, "Unset it.")
    if environment.get(CONFIG_FROM_MODEL, "0") != "0":
        message = f"{CONFIG_FROM_MODEL} is set: the gate opens no ONNX model."
        yield Finding("onnxruntime", "problem", message, "Unset it.")


def _variables(environment: Mapping[str, str]) -> Iterator[Finding]:
    ours = sorted(name for name in environment if name.startswith(_OURS))
    known = [f"{_OURS}{name}" for name in _KNOWN]
    used = [name for name in ours if name in known]
    if used:
        yield Finding("variables", "ok", f"set: {', '.join(used)}")
    for name in ours:
        near = get_close_matches(name, known, n=1, cutoff=_NEAR)
        if name not in known and near:
            yield Finding("variables", "problem", f"{name} is not read.", f"Is {near[0]} meant?")
        elif name not in known:
            yield Finding("variables", "note", f"{name} is set and not read.")
    github = [name for name in _GITHUB if environment.get(name)]
    if github:
        yield Finding("github", "ok", f"set: {', '.join(github)}")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
