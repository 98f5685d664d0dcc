"""Task custom: the model's output reaches the user's function as it is, and its signals are judged
like any other."""

from __future__ import annotations

import numpy as np
import pytest
from gate_project import refused, run, save_torch, write_config, write_fixtures, write_module
from model_zoo import configuration

from privacy_gate.domain import Outputs
from privacy_gate.errors import ModelError, SignalError
from privacy_gate.models.outputs import OutputReader
from privacy_gate.tasks.custom import Custom

REGRESSOR = """
import torch
from torch import nn


class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        return self.head(x)[:, 0]


def build():
    return Regressor()
"""
SIGNALS = """
import numpy as np

seen = []


def signals(outputs, labels):
    seen.append((outputs.shape, outputs.dtype.kind, labels.dtype.kind))
    return {"error": -np.abs(labels - outputs)}


def two(outputs, labels):
    return {**signals(outputs, labels), "size": outputs}


def everything(outputs, labels):
    assert outputs.ndim == 4, outputs.shape
    return {"pixels": outputs.reshape(len(outputs), -1).mean(axis=1)}
"""
WEIGHT = np.array([5.0, -3.0, 2.0, 1.0])


def targets(count, seed, noise):
    """``x`` (count, 4) float32 and integer ``y``, the target, off by ``noise``."""
    random = np.random.default_rng(seed)
    x = random.normal(0, 10, (count, 4)).astype(np.float32)
    return {"x": x, "y": (x @ WEIGHT + random.normal(0, noise, count)).round().astype(np.int64)}


def save_regressor(directory, back_end):
    if back_end == "torch":
        import torch
        from safetensors.torch import save_file

        state = {"head.weight": torch.tensor(WEIGHT[None]).float(), "head.bias": torch.zeros(1)}
        save_file(state, directory / "model.safetensors")
        factory = f"{write_module(directory, REGRESSOR)}:build"
        return {"format": "torch", "path": "model.safetensors", "factory": factory}
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["price"])],
        "regressor",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("price", TensorProto.FLOAT, ["batch"])],
        [numpy_helper.from_array(WEIGHT.astype(np.float32), "w")],
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    onnx.save(model, directory / "model.onnx")
    return {"format": "onnx", "path": "model.onnx"}


def regression(directory, back_end, *, member_noise=20.0, **changes):
    """A regression project; a small ``member_noise`` plants a leak."""
    write_fixtures(directory, targets(700, 0, member_noise), targets(700, 1, 20.0))
    module = write_module(directory, SIGNALS)
    section = {"output": None, "preprocess": None, **save_regressor(directory, back_end)}
    base = {"task": "custom", "signals": f"{module}:signals", "attacks": ["error"]}
    path = write_config(directory, model=section, **{**base, **changes})
    return path, module


@pytest.mark.parametrize("back_end", ["torch", "onnx"])
@pytest.mark.parametrize(("member_noise", "verdict"), [(20.0, "pass"), (0.5, "fail")])
def test_a_regression_model_is_judged(tmp_path, back_end, member_noise, verdict):
    path, module = regression(tmp_path, back_end, member_noise=member_noise)
    (report,) = run(path).reports
    assert report.error is None, report.error
    assert (report.verdict, report.complete, report.task) == (verdict, True, "custom")
    assert {check.attack for check in report.checks} == {"error"}
    assert report.model["accuracy"] == {}
    assert any("Preprocessing not verified" in caution for caution in report.cautions)

    import sys

    shapes = sys.modules[module].seen
    # every record once, and the first batch a second time: the model must not be random
    assert sum(shape[0] for shape, _, _ in shapes) == 1400 + report.model["batch_size"]
    assert {(len(shape), kind, label) for shape, kind, label in shapes} == {(1, "f", "i")}


def test_several_signals_are_attacks_of_their_own(tmp_path):
    budgets = [
        {"metric": "auc", "max": 0.65, "attacks": ["error"]},
        {"metric": "auc", "max": 0.7, "attacks": ["size"]},
    ]
    path, module = regression(tmp_path, "onnx", attacks=["error", "size"], budgets=budgets)
    path.write_text(path.read_text().replace(f"{module}:signals", f"{module}:two"))
    (report,) = run(path).reports
    assert [check.id for check in report.checks] == ["error/auc", "size/auc"]
    assert report.verdict == "pass"


def test_an_output_of_any_shape_arrives(tmp_path):
    import onnx
    from onnx import TensorProto, helper

    random = np.random.default_rng(0)
    sides = [
        {"x": random.normal(0, 1, (400, 2, 5, 3)).astype(np.float32), "y": np.arange(400) % 2}
        for _ in range(2)
    ]
    write_fixtures(tmp_path, *sides)
    shape = ["batch", 2, 5, 3]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["same"])],
        "identity",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("same", TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    onnx.save(model, tmp_path / "model.onnx")
    path = write_config(
        tmp_path,
        model={"output": None, "preprocess": None},
        task="custom",
        signals=f"{write_module(tmp_path, SIGNALS)}:everything",
        attacks=["pixels"],
        budgets=[{"metric": "auc", "max": 0.7}],
    )
    (report,) = run(path).reports
    assert report.error is None, report.error
    assert report.verdict == "pass"


def test_an_exchanged_sign_is_no_pass(tmp_path):
    """Members have the smaller error, and the function returns it with the wrong sign."""
    path, module = regression(tmp_path, "onnx", member_noise=0.5)
    code = tmp_path / f"{module}.py"
    code.write_text(code.read_text().replace("-np.abs", "np.abs"))
    (report,) = run(path).reports
    assert report.verdict == "inconclusive"
    assert "fail" not in {check.verdict for check in report.checks if check.metric == "auc"}
    words = {check.message for check in report.checks if check.metric == "auc"}
    assert any("scores non-members above members" in message for message in words)


def test_a_constant_signal_is_an_error(tmp_path):
    path, module = regression(tmp_path, "onnx")
    code = tmp_path / f"{module}.py"
    code.write_text(code.read_text().replace("-np.abs(labels - outputs)", "0 * outputs"))
    assert "The signal 'error' is the same for 1400 of 1400 records." in refused(path)


def test_a_signal_that_is_constant_but_for_a_few_records_is_an_error(tmp_path):
    path, module = regression(tmp_path, "onnx")
    code = tmp_path / f"{module}.py"
    code.write_text(code.read_text().replace("-np.abs(labels - outputs)", "1.0 * (labels > 190)"))
    assert "The signal 'error' is the same for 1" in refused(path)


def test_a_signal_without_an_attack_is_an_error(tmp_path):
    path, module = regression(tmp_path, "onnx")
    path.write_text(path.read_text().replace(f"{module}:signals", f"{module}:two"))
    assert "returns size, which is not judged" in refused(path)


def test_a_wrong_direction_is_never_tolerated(tmp_path):
    tolerant = {"on_inconclusive": {"warn_until": "2999-01-01", "reason": "collecting records"}}
    path, module = regression(tmp_path, "onnx", member_noise=0.5, statistics=tolerant)
    code = tmp_path / f"{module}.py"
    code.write_text(code.read_text().replace("-np.abs", "np.abs"))
    finished = run(path)
    assert (finished.reports[0].verdict, int(finished.exit_code)) == ("inconclusive", 3)
    assert finished.reports[0].tolerated is False


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"attacks": ["threshold"]}, "list the names of the signals"),
        ({"attacks": None}, "attacks: is required for task custom"),
        (
            {"attacks": ["eror"]},
            "reads the signal 'eror', which is not there. There are: error.",
        ),
        ({"attacks": ["Error"]}, "expected a signal's name"),
        ({"signals": "nowhere:signals"}, "The module 'nowhere' is not found"),
        ({"signals": None}, "signals: is required for task custom"),
    ],
)
def test_names_that_do_not_fit(tmp_path, changes, words):
    path, _ = regression(tmp_path, "onnx", **changes)
    assert words in refused(path)


def test_a_classifier_may_be_judged_by_custom_signals(tmp_path):
    write_fixtures(tmp_path)
    code = "def signals(outputs, labels):\n    return {'top': outputs.max(axis=1)}\n"
    section = {**save_torch(tmp_path), "output": {"name": "logits"}}
    path = write_config(
        tmp_path,
        model=section,
        task="custom",
        signals=f"{write_module(tmp_path, code)}:signals",
        attacks=["top"],
    )
    (report,) = run(path).reports
    assert report.error is None, report.error
    assert report.verdict == "pass"


# ------------------------------------------------------------------------- the function's contract

OUTPUTS, LABELS = Outputs(np.arange(3.0), "raw"), np.array([0, 1, 2])


def raising(outputs, labels):
    raise ValueError("record 4711")


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (raising, "raised ValueError"),
        (lambda outputs, labels: None, "returned NoneType, not a mapping"),
        (lambda outputs, labels: {}, "not a mapping"),
        (lambda outputs, labels: {"a": [1, 2]}, r"'a' has the type int64 and the shape \(2,\)"),
        (lambda outputs, labels: {"a": np.zeros((3, 1))}, r"shape \(3, 1\)"),
        (lambda outputs, labels: {"a": ["x", "y", "z"]}, "type <U1"),
        (lambda outputs, labels: {"a": np.zeros(3, complex)}, "type complex128"),
        (lambda outputs, labels: {"a": [True, False, True]}, "type bool"),
        (lambda outputs: {"a": outputs}, "raised TypeError"),
    ],
)
def test_a_function_that_breaks_its_contract_is_named(function, words):
    with pytest.raises(SignalError, match=words) as caught:
        Custom(function).signals(OUTPUTS, LABELS)
    assert "4711" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        np.array([[np.nan, 1.0], [2.0, -np.inf]]),
        np.arange(2, dtype=np.int8),
        np.ones((2, 3, 4), bool),
    ],
)
def test_numbers_reach_the_function_unchanged(answer, tmp_path):
    reader = OutputReader(configuration(tmp_path, task="custom"))
    outputs = reader.read(answer, 2)
    assert outputs.kind == "raw"
    assert outputs.values.dtype == answer.dtype
    np.testing.assert_array_equal(outputs.values, answer)


@pytest.mark.parametrize(
    "answer", [np.array(["a", "b"]), np.zeros((3, 2)), np.float64(1), object()]
)
def test_what_is_not_one_row_of_numbers_per_record_is_refused(answer, tmp_path):
    with pytest.raises(ModelError):
        OutputReader(configuration(tmp_path, task="custom")).read(answer, 2)


def test_signals_are_taken_as_they_come():
    found = Custom(lambda outputs, labels: {"a": [3, 1, 2], "b": outputs}).signals(OUTPUTS, LABELS)
    assert found["a"].dtype == np.float64
    assert found["a"].tolist() == [3, 1, 2]
    assert Custom(raising).predicted(OUTPUTS) is None
