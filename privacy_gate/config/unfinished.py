"""Places of a file that are still ``TODO``, and what each of them waits for."""

from __future__ import annotations

import re
from typing import Any

from privacy_gate.config.problems import Path, Problem
from privacy_gate.config.source import Source

_TODO = re.compile(r"TODO(?![\w./-])")

_WANTED: dict[Path, str] = {
    ("name",): "a name for reports and test ids",
    ("model",): "a value, or remove the key",
    ("model", "format"): "torch, torchscript, exported or onnx",
    ("model", "path"): "the model file; or remove the key, and give --model",
    ("model", "factory"): "the function that returns the nn.Module, as package.module:function",
    ("model", "kwargs"): "the value that the trained model was built with",
    ("model", "weights_key"): "the key of the weights in the checkpoint",
    ("model", "inputs"): "a column of the fixtures; `privacy-gate fixtures inspect DIR` lists them",
    ("model", "output"): "the output to judge, by its name or its index from 0",
    ("model", "labels"): "the label value of each output position, as in [healthy, tumour]",
    ("model", "preprocess"): (
        "what training does to raw records, as in {scale: 0.00392156862745098}, or remove the key"
        " if that is nothing; `privacy-gate doctor --show-batch` shows the result"
    ),
    ("model", "expected"): "the accuracy on records that were not trained on, as training reported",
    ("model", "trust"): (
        "code, if you trust who made the file: this format can run code when it is loaded; else"
        " save the model as safetensors or ONNX"
    ),
    ("fixtures",): "the fixture directory; `privacy-gate fixtures build` makes one",
    ("fixtures", "root"): "the directory that the locations of the records are relative to",
    ("fixtures", "loader"): "the function that reads one record, as package.module:function",
    ("signals",): "a function of outputs and labels that returns {name: numbers}, as"
    " package.module:function",
    ("attacks",): "the names of the signals that your function returns",
    ("budgets",): "a value; `privacy-gate plan --members N --nonmembers M --yaml` prints budgets",
}
"""Place, or what it lies below -> what has to be written there."""


def unfinished(source: Source) -> list[Problem]:
    """One problem for each value that is ``TODO`` or starts with that word."""
    return [
        source.problem(place, f"fill in {_wanted(place)}")
        for place in source.values
        if is_todo(source.value(place))
    ]


def is_todo(value: Any) -> bool:
    """Whether a value is still to be written."""
    return isinstance(value, str) and _TODO.match(value) is not None


def _wanted(place: Path) -> str:
    for length in range(len(place), 0, -1):
        if place[:length] in _WANTED:
            return _WANTED[place[:length]]
    return "a value, or remove the key"
