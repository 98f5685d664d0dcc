"""A project whose models leak as much as they are told: a linear model of three columns, the second
of which is larger for members."""

from __future__ import annotations

import numpy as np
from gate_project import PLANTED, write_config, write_fixtures, write_module

AUC = {"metric": "auc", "max": 0.9, "max_increase": 0.12}
RATE = {"metric": "tpr_at_fpr", "fpr": 0.05, "max": 0.9, "max_increase": 0.2}
BUDGETS = [AUC, RATE]

PRIVATE, SIMILAR, LEAKY = (1.0, 0.0, 0.0), (1.0, 0.0, 0.4), (0.4, 1.0, 0.0)
"""Weights of the columns."""

SIGNALS = """
def signals(outputs, labels):
    return {"score": outputs}
"""


def records(count, seed, shift):
    """``x`` (count, 3) float32, the second column larger by ``shift``, and ``y``, which nothing
    reads."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(count, 3)) + np.array([0.0, shift, 0.0])
    return {"x": x.astype(np.float32), "y": generator.integers(0, 3, count)}


def save_model(path, weights):
    """An ONNX file with these weights."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["score"])],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["batch"])],
        [numpy_helper.from_array(np.asarray(weights, np.float32), "w")],
    )
    onnx.save(
        helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]), path
    )


def project(directory, *, count=1200, **changes):
    """Fixtures, ``private.onnx``, ``similar.onnx``, ``leaky.onnx`` and a configuration that judges
    the first against ``baseline.json``; returns its path."""
    write_fixtures(directory, records(count, 0, 2.0), records(count, 1, 0.0))
    for name, weights in (("private", PRIVATE), ("similar", SIMILAR), ("leaky", LEAKY)):
        save_model(directory / f"{name}.onnx", weights)
    module = write_module(directory, SIGNALS)
    base = {
        "name": "scores",
        "task": "custom",
        "signals": f"{module}:signals",
        "attacks": ["score"],
        "budgets": BUDGETS,
        "baseline": "baseline.json",
        "accept": PLANTED,
    }
    model = {"path": "private.onnx", "output": None, "preprocess": None}
    return write_config(directory, model=model, **{**base, **changes})


def rewrite(path, **changes):
    """Change top-level keys of the configuration; ``None`` removes one."""
    import yaml

    content = {**yaml.safe_load(path.read_text()), **changes}
    content = {key: value for key, value in content.items() if value is not None}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path
