"""Small projects to run the gate on: coloured images that a linear model tells apart, and copies of
the bundled digits. The models are computed, not trained, so they cannot leak."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import numpy as np
import yaml
from fixture_sets import KEY

from privacy_gate.domain import ReportSet
from privacy_gate.faces import run_all
from privacy_gate.fixtures import build_from_sides

DIGITS = Path(__file__).parent.parent / "fixtures" / "digits"
CENTRES = np.array([[0.6, 0.4, 0.4], [0.4, 0.4, 0.6], [0.6, 0.6, 0.4], [0.35, 0.35, 0.35]])
"""Mean colour (R, G, B) of each class: red, blue, yellow, dark."""
SPREAD = 0.12
_number = itertools.count()

PLANTED = {"blind_baseline": "The difference is planted; it stands for what a model remembers."}
"""For fixtures that show who is a member: what they lead to would not count otherwise."""

BUDGETS = [
    {"metric": "tpr_at_fpr", "fpr": 0.05, "max": 0.2},
    {"metric": "tnr_at_fnr", "fnr": 0.05, "max": 0.2},
    {"metric": "log_mia", "regime": "a", "max": 0.4},
    {"metric": "auc", "max": 0.65},
]

MODEL_CODE = """
import torch
from torch import nn


class Colours(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.head = nn.Linear(3, classes)

    def forward(self, x):
        colour = x.mean(dim=(2, 3))
        brightness = colour.mean(dim=1, keepdim=True)
        return {"logits": self.head(colour), "features": torch.cat([colour, brightness], dim=1)}


def build(classes=4):
    return Colours(classes)


def bgr(images):
    return images[..., ::-1].astype("float32").transpose(0, 3, 1, 2) / 255
"""


# ------------------------------------------------------------------------------------------ data


def colours(count, seed):
    """``x`` (count, 8, 8, 3) uint8 and ``y`` (count,) in 0..3."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 4, count)
    colour = CENTRES[y] + random.normal(0, SPREAD, (count, 3))
    pixels = colour[:, None, None, :] + random.normal(0, 0.02, (count, 8, 8, 3))
    return {"x": np.clip(pixels * 255, 0, 255).round().astype(np.uint8), "y": y}


def write_fixtures(directory, members=None, nonmembers=None, **options):
    """A fixture set under ``directory``/data whose key is public."""
    members = colours(700, 0) if members is None else members
    nonmembers = colours(700, 1) if nonmembers is None else nonmembers
    options = {"label": "y", "assignment": "randomized", **options}
    return build_from_sides(
        members, nonmembers, directory / "data", root=directory, key=KEY, public_key=True, **options
    )


# ----------------------------------------------------------------------------------------- models


def bayes():
    """Weight (4, 3) and bias (4,) of the best classifier of colours in [0, 1]."""
    return CENTRES / SPREAD**2, -(CENTRES**2).sum(axis=1) / (2 * SPREAD**2)


def logits_of(x, weight=None, bias=None):
    """The forward pass in numpy, float64."""
    best = bayes()
    weight, bias = best[0] if weight is None else weight, best[1] if bias is None else bias
    return x.mean(axis=(1, 2)) / 255 @ weight.T + bias


def save_onnx(path, weight=None, bias=None):
    """The colour model with the outputs ``logits`` and ``features``."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    best = bayes()
    weight, bias = best[0] if weight is None else weight, best[1] if bias is None else bias
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["colour"], axes=[2, 3], keepdims=0),
        helper.make_node("Gemm", ["colour", "w", "b"], ["logits"], transB=1),
        helper.make_node("ReduceMean", ["colour"], ["brightness"], axes=[1], keepdims=1),
        helper.make_node("Concat", ["colour", "brightness"], ["features"], axis=1),
    ]
    number, image = TensorProto.FLOAT, ["batch", 3, 8, 8]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("x", number, image)],
        [helper.make_tensor_value_info(name, number, None) for name in ("logits", "features")],
        [
            numpy_helper.from_array(np.asarray(weight, np.float32), "w"),
            numpy_helper.from_array(np.asarray(bias, np.float32), "b"),
        ],
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    onnx.save(model, path)


def save_torch(directory, weight=None, bias=None):
    """``model.safetensors`` and its module; returns the model section that opens it."""
    import torch
    from safetensors.torch import save_file

    best = bayes()
    weight, bias = best[0] if weight is None else weight, best[1] if bias is None else bias
    state = {"head.weight": torch.tensor(weight).float(), "head.bias": torch.tensor(bias).float()}
    save_file(state, directory / "model.safetensors")
    return {
        "format": "torch",
        "path": "model.safetensors",
        "factory": f"{write_module(directory)}:build",
        "kwargs": {"classes": len(bias)},
    }


def write_module(directory, code=MODEL_CODE):
    """Write a module of a name that no other project of this process uses; returns the name."""
    name = f"project_code_{next(_number)}"
    (directory / f"{name}.py").write_text(code)
    return name


# ---------------------------------------------------------------------------------- configurations


def settings(**changes):
    """A valid configuration; ``model`` is merged, everything else replaced, ``None`` removes."""
    base = {
        "version": 1,
        "name": "colours",
        "model": {
            "format": "onnx",
            "path": "model.onnx",
            "output": {"name": "logits", "kind": "logits"},
            "preprocess": {"scale": 1 / 255, "layout": "NCHW"},
        },
        "fixtures": "data",
        "attacks": ["threshold"],
        "budgets": BUDGETS,
    }
    if changes.get("task") != "custom":  # the audits have tests of their own
        base |= {"overconfidence": {"transforms": []}, "calibration_lens": False}
    base["model"].update(changes.pop("model", {}))
    base.update(changes)
    base["model"] = {key: value for key, value in base["model"].items() if value is not None}
    return {key: value for key, value in base.items() if value is not None}


def write_config(directory, file="privacy_gate.yaml", /, **changes):
    path = directory / file
    path.write_text(yaml.safe_dump(settings(**changes), sort_keys=False))
    return path


def onnx_project(directory, **changes):
    """Fixtures, an ONNX model and a configuration; returns the configuration's path."""
    write_fixtures(directory)
    save_onnx(directory / "model.onnx")
    return write_config(directory, **changes)


def digits_project(directory, case):
    """A copy of the bundled digits under a module name of its own; returns ``case``.yaml."""
    for path in DIGITS.iterdir():
        if path.is_file():
            shutil.copy(path, directory)
    name = write_module(directory, (DIGITS / "digits_model.py").read_text())
    config = directory / f"{case}.yaml"
    config.write_text(config.read_text().replace("digits_model:", f"{name}:"))
    return config


def run(*paths, **overrides) -> ReportSet:
    return run_all([Path(path) for path in paths], **overrides)


def refused(path, **overrides):
    """Place, message and hint of a run that must end in a named error and nothing else."""
    finished = run(path, **overrides)
    (report,) = finished.reports
    assert (report.verdict, report.complete, int(finished.exit_code)) == ("error", False, 2)
    assert report.checks == ()
    assert not report.error["message"].startswith("Internal error"), report.error
    return " ".join(report.error[key] or "" for key in ("location", "message", "hint"))
