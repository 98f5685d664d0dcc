"""ONNX: named outputs, class probabilities by name, and external data that is never trusted."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
from model_zoo import (
    configuration,
    images,
    onnx_classifier,
    onnx_model,
    output,
    reference,
    saved,
    seeded,
)
from onnx import TensorProto, helper, numpy_helper

from privacy_gate.errors import ModelError, UsageError
from privacy_gate.models.external_data import external_files
from privacy_gate.models.model_file import file_sha256, model_sha256
from privacy_gate.models.opening import open_model

SETTINGS = {"format": "onnx", "device": "cpu", "output": output("logits")}


def open_saved(model, tmp_path, **settings):
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    return open_model(configuration(path, **{"format": "onnx", "device": "cpu", **settings}))


# ------------------------------------------------------------------------------------ outputs


def test_several_outputs_need_a_name_or_a_position(tmp_path):
    config = saved("mlp", "onnx", tmp_path, output=output())
    with pytest.raises(ModelError, match=r"2 outputs \(logits, embedding\)") as caught:
        open_model(config)
    assert "model.output.name" in caught.value.hint
    logits, embedding = reference(seeded("mlp"), images(3))
    for name, wanted in (("logits", logits), (0, logits), (1, embedding)):
        config.model.output.name = name
        values = open_model(config).forward({"x": images(3)}).values
        np.testing.assert_allclose(values, wanted, atol=1e-5)
    for name in ("logit", 2, -1):
        config.model.output.name = name
        with pytest.raises(ModelError, match=r"no output .*it has logits, embedding"):
            open_model(config)


def test_the_only_output_beside_the_features_needs_no_name(tmp_path):
    config = saved("mlp", "onnx", tmp_path, output=output())
    values = open_model(config, features=True).forward({"x": images(3)}).values
    np.testing.assert_allclose(values, reference(seeded("mlp"), images(3))[0], atol=1e-5)


def test_features_from_an_output_that_does_not_exist(tmp_path):
    config = saved("mlp", "onnx", tmp_path, features=SimpleNamespace(name="pool"))
    with pytest.raises(ModelError, match="it has logits, embedding") as caught:
        open_model(config, features=True)
    assert "further named output" in caught.value.hint


def zip_map(**classes):
    """A classifier as scikit-learn converters write it: a label, and a mapping per record."""
    nodes = [
        helper.make_node("ArgMax", ["x"], ["label"], axis=1, keepdims=0),
        helper.make_node("ZipMap", ["x"], ["probabilities"], domain="ai.onnx.ml", **classes),
    ]
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]),
            helper.make_value_info(
                "probabilities",
                helper.make_sequence_type_proto(
                    helper.make_map_type_proto(
                        TensorProto.INT64
                        if "classlabels_int64s" in classes
                        else TensorProto.STRING,
                        helper.make_tensor_type_proto(TensorProto.FLOAT, []),
                    )
                ),
            ),
        ],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 1)]
    return helper.make_model(graph, ir_version=8, opset_imports=opsets)


ROWS = np.array([[0.2, 0.5, 0.3], [0.7, 0.1, 0.2]], np.float32)


def test_class_probabilities_by_number_come_in_the_order_of_the_numbers(tmp_path):
    model = open_saved(
        zip_map(classlabels_int64s=[2, 0, 1]), tmp_path, output=output("probabilities")
    )
    outputs = model.forward({"x": ROWS})
    assert outputs.kind == "probabilities"
    np.testing.assert_allclose(outputs.values, ROWS[:, [1, 2, 0]], atol=1e-7)


def test_class_probabilities_by_text_need_the_order(tmp_path):
    made = zip_map(classlabels_strings=["tumour", "healthy", "unclear"])
    model = open_saved(made, tmp_path, output=output("probabilities"))
    with pytest.raises(ModelError, match="healthy, tumour, unclear") as caught:
        model.forward({"x": ROWS})
    assert "model.labels.order" in caught.value.hint
    order = SimpleNamespace(order=["healthy", "tumour", "unclear"])
    model = open_saved(made, tmp_path, output=output("probabilities"), labels=order)
    np.testing.assert_allclose(model.forward({"x": ROWS}).values, ROWS[:, [1, 0, 2]], atol=1e-7)
    wrong = SimpleNamespace(order=["healthy", "tumour"])
    model = open_saved(made, tmp_path, output=output("probabilities"), labels=wrong)
    with pytest.raises(ModelError, match="does not list exactly these"):
        model.forward({"x": ROWS})


def test_class_numbers_with_a_gap_are_not_renumbered_silently(tmp_path):
    made = zip_map(classlabels_int64s=[1, 2, 3])
    model = open_saved(made, tmp_path, output=output("probabilities"))
    with pytest.raises(ModelError, match=r"model\.labels\.order"):
        model.forward({"x": ROWS})


def test_predicted_labels_of_the_same_model(tmp_path):
    made = zip_map(classlabels_int64s=[0, 1, 2])
    outputs = open_saved(made, tmp_path, output=output("label")).forward({"x": ROWS})
    assert outputs.kind == "labels"
    np.testing.assert_array_equal(outputs.values, [1, 0])


# ------------------------------------------------------------------------------------- running


def test_declared_types_and_precision(tmp_path):
    nodes = [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)]
    for kind, dtype, precision in (
        (TensorProto.UINT8, np.uint8, "float32"),
        (TensorProto.FLOAT16, np.float16, "float16"),
        (TensorProto.INT64, np.int64, "float32"),
    ):
        model = open_saved(onnx_model(nodes, {"x": (kind, ["b", 2])}, ["y"]), tmp_path)
        assert model.input_types == {"x": np.dtype(dtype)}
        assert model.precision == precision
        values = model.forward({"x": np.array([[3, 1], [0, 2]], dtype)}).values
        np.testing.assert_array_equal(values, [[3, 1], [0, 2]])


def test_text_inputs_are_refused(tmp_path):
    nodes = [helper.make_node("StringNormalizer", ["x"], ["z"]),
             helper.make_node("Shape", ["x"], ["s"]),
             helper.make_node("Cast", ["s"], ["y"], to=TensorProto.FLOAT)]  # fmt: skip
    with pytest.raises(ModelError, match=r"type tensor\(string\)"):
        open_saved(onnx_model(nodes, {"x": (TensorProto.STRING, ["b"])}, ["y"]), tmp_path)


def test_a_fixed_batch_is_explained(tmp_path):
    model = open_saved(onnx_classifier(seeded("mlp"), batch=1), tmp_path, output=output("logits"))
    assert model.forward({"x": images(1)}).values.shape == (1, 10)
    with pytest.raises(ModelError) as caught:
        model.forward({"x": images(4)})
    assert "batches of exactly 1" in caught.value.hint
    assert "model.batch_size: 1" in caught.value.hint


def test_unknown_operators_are_refused(tmp_path):
    node = helper.make_node("Evil", ["x"], ["y"], domain="com.example")
    made = onnx_model([node], {"x": (TensorProto.FLOAT, ["b", 2])}, ["y"])
    made.opset_import.append(helper.make_opsetid("com.example", 1))
    with pytest.raises(ModelError, match=r"cannot open model\.onnx") as caught:
        open_saved(made, tmp_path)
    assert "custom operators are not loaded" in caught.value.hint


def test_nothing_is_printed_on_failure(tmp_path):
    node = helper.make_node("Evil", ["x"], ["y"], domain="com.example")
    made = onnx_model([node], {"x": (TensorProto.FLOAT, ["b", 2])}, ["y"])
    made.opset_import.append(helper.make_opsetid("com.example", 1))
    onnx.save(made, tmp_path / "unknown.onnx")
    onnx.save(onnx_classifier(seeded("mlp")), tmp_path / "fine.onnx")
    code = f"""
import sys; sys.path.insert(0, {os.path.dirname(__file__)!r})
import numpy as np
from pathlib import Path
from model_zoo import configuration, output
from privacy_gate.errors import ModelError
from privacy_gate.models.opening import open_model
settings = dict(format="onnx", device="cpu", output=output("logits"))
for name, width in (("unknown", 1), ("fine", 3)):
    try:
        model = open_model(configuration(Path({str(tmp_path)!r}) / f"{{name}}.onnx", **settings))
        model.forward({{"x": np.zeros((2, width), np.float32)}})
        raise SystemExit(f"{{name}} did not fail")
    except ModelError:
        pass
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "onnxruntime" not in done.stdout + done.stderr
    assert "Falling back" not in done.stdout


def test_allocation_failures_are_memory_errors(tmp_path):
    nodes = [
        helper.make_node("ConstantOfShape", ["s"], ["big"]),
        helper.make_node("ReduceSum", ["big"], ["total"], keepdims=0),
        helper.make_node("Add", ["x", "total"], ["y"]),
    ]
    size = [numpy_helper.from_array(np.array([1 << 46]), "s")]
    model = open_saved(
        onnx_model(nodes, {"x": (TensorProto.FLOAT, ["b", 2])}, ["y"], size), tmp_path
    )
    with pytest.raises(MemoryError):
        model.forward({"x": np.zeros((2, 2), np.float32)})


def test_cuda_is_never_replaced_by_the_cpu(tmp_path, monkeypatch):
    config = saved("mlp", "onnx", tmp_path, device="cuda")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ModelError, match=r"cannot use CUDA here \(.*onnxruntime") as caught:
        open_model(config)
    assert "onnxruntime-gpu alone" in caught.value.hint
    # Listed but not active: a build for CUDA on a machine without its libraries.
    real = onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnxruntime,
        "get_available_providers",
        lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
    )
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda path, options, providers, **_: real(
            path, options, providers=["CPUExecutionProvider"]
        ),
    )
    with pytest.raises(ModelError, match="cannot use CUDA here"):
        open_model(config)
    config.model.device = "auto"
    assert open_model(config).device == "cpu"


def test_configuration_inside_the_model_is_off(tmp_path, monkeypatch):
    config = saved("mlp", "onnx", tmp_path)
    monkeypatch.setenv("ORT_LOAD_CONFIG_FROM_MODEL", "1")
    with pytest.raises(ModelError, match="ORT_LOAD_CONFIG_FROM_MODEL is set"):
        open_model(config)


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_names_the_extra(tmp_path, monkeypatch, package):
    config = saved("mlp", "onnx", tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError) as caught:
        open_model(config)
    assert caught.value.hint == "Run: pip install 'privacy-gate[onnx]'"


# ------------------------------------------------------------------------------- external data


def with_external(tmp_path, location="weights.bin", write=True, **entries):
    """The classifier with all its weights in one other file."""
    model = onnx_classifier(seeded("mlp"))
    content = b""
    for tensor in model.graph.initializer:
        fields = {
            "location": location,
            "offset": str(len(content)),
            "length": str(len(tensor.raw_data)),
        }
        content += tensor.raw_data
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in {**fields, **entries}.items():
            tensor.external_data.add(key=key, value=value)
    if write:
        (tmp_path / "weights.bin").write_bytes(content)
    onnx.save(model, tmp_path / "model.onnx")
    return configuration(tmp_path / "model.onnx", **SETTINGS)


def test_external_data_beside_the_model_is_fine(tmp_path):
    config = with_external(tmp_path)
    values = open_model(config).forward({"x": images(4)}).values
    np.testing.assert_allclose(values, reference(seeded("mlp"), images(4))[0], atol=1e-5)


def test_external_data_in_a_directory_below(tmp_path):
    (tmp_path / "data").mkdir()
    config = with_external(tmp_path, location="data/w.bin")
    (tmp_path / "weights.bin").rename(tmp_path / "data" / "w.bin")
    assert open_model(config).forward({"x": images(4)}).values.shape == (4, 10)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"location": "../weights.bin"}, "outside the model's directory"),
        ({"location": "a/../weights.bin"}, "outside the model's directory"),
        ({"location": "/etc/passwd"}, "outside the model's directory"),
        ({"location": "C:weights.bin"}, "outside the model's directory"),
        ({"location": "..\\weights.bin"}, "outside the model's directory"),
        ({"location": "weights.bin\0"}, "outside the model's directory"),
        ({"location": ""}, "outside the model's directory"),
        ({"location": "."}, "outside the model's directory"),
        ({"location": "*/_ORT_MEM_ADDR_/*"}, "address in memory"),
        ({"location": "absent.bin"}, r"missing \(absent.bin\)"),
        ({"offset": "99999999"}, "of a file of"),
        ({"length": "99999999"}, "of a file of"),
        ({"offset": "-4"}, "no whole number"),
        ({"offset": "1e3"}, "no whole number"),
        ({"length": "9" * 40}, "no whole number"),
        ({"basepath": "/etc"}, "not allowed"),
    ],
)
def test_external_data_that_is_refused(tmp_path, entries, said):
    config = with_external(tmp_path, **entries)
    with pytest.raises(ModelError, match=said) as caught:
        open_model(config)
    assert caught.value.location == "privacy_gate.yaml:model.path:1"


def test_a_location_named_twice_is_refused(tmp_path):
    config = with_external(tmp_path)
    model = onnx.load(config.model_path, load_external_data=False)
    model.graph.initializer[0].external_data.add(key="location", value="other.bin")
    with pytest.raises(ModelError, match="not allowed"):
        external_files(model, config.model_path)


def linked(path, kind):
    """Replace the file by another road to the same content."""
    target = path.with_name("target")
    path.rename(target)
    if kind == "symlink":
        path.symlink_to(target)
    elif kind == "hard link":
        os.link(target, path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(path))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("symlink", "symbolic link"),
        ("hard link", "hard link"),
        ("directory", "not a regular file"),
        ("fifo", "not a regular file"),
        ("socket", "not a regular file"),
    ],
)
def test_external_data_must_be_a_regular_file(tmp_path, monkeypatch, kind, said):
    monkeypatch.chdir(tmp_path)
    config = with_external(tmp_path)
    linked(tmp_path / "weights.bin", kind)
    with pytest.raises(ModelError, match=said):
        open_model(config)


def test_a_linked_directory_on_the_way_is_refused(tmp_path):
    config = with_external(tmp_path, location="data/weights.bin")
    (tmp_path / "real").mkdir()
    (tmp_path / "weights.bin").rename(tmp_path / "real" / "weights.bin")
    (tmp_path / "data").symlink_to(tmp_path / "real")
    with pytest.raises(ModelError, match="symbolic link"):
        open_model(config)


def outside(name="hidden"):
    tensor = helper.make_tensor(name, TensorProto.FLOAT, [1], b"\0" * 4, raw=True)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret")
    return tensor


def hidden_in(place):
    identity = helper.make_node("Identity", ["x"], ["y"])
    inputs = {"x": (TensorProto.FLOAT, ["b", 2])}
    if place == "attribute":
        constant = helper.make_node("Constant", [], ["c"], value=outside())
        return onnx_model([constant, identity], inputs, ["y"])
    if place == "subgraph":
        inner = helper.make_graph([helper.make_node("Identity", ["hidden"], ["z"])], "inner", [],
                                  [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1])],
                                  [outside()])  # fmt: skip
        deep = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
        return onnx_model([deep], inputs, ["y"])
    if place == "function":
        constant = helper.make_node("Constant", [], ["f"], value=outside())
        model = onnx_model([identity], inputs, ["y"])
        opset = [helper.make_opsetid("", 17)]
        model.functions.append(helper.make_function("d", "F", [], ["f"], [constant], opset))
        return model
    model = onnx_model([identity], inputs, ["y"])
    if place == "sparse initializer":
        indices = helper.make_tensor("i", TensorProto.INT64, [1], [0])
        model.graph.sparse_initializer.append(helper.make_sparse_tensor(outside(), indices, [4]))
    elif place == "sparse attribute":
        indices = helper.make_tensor("i", TensorProto.INT64, [1], [0])
        sparse = helper.make_sparse_tensor(outside(), indices, [4])
        model.graph.node.append(helper.make_node("Constant", [], ["c"], sparse_value=sparse))
    elif place == "list attribute":
        model.graph.node.append(helper.make_node("Any", [], ["c"], many=[outside()]))
    elif place == "without the marker":
        tensor = outside()
        tensor.ClearField("data_location")
        model.graph.initializer.append(tensor)
    else:
        model.training_info.add().algorithm.initializer.append(outside())
    return model


@pytest.mark.parametrize(
    "place",
    ["attribute", "list attribute", "subgraph", "function", "sparse initializer",
     "sparse attribute", "training", "without the marker"],
)  # fmt: skip
def test_no_place_for_a_tensor_is_forgotten(tmp_path, place):
    onnx.save(hidden_in(place), tmp_path / "model.onnx")
    with pytest.raises(ModelError, match="outside the model's directory"):
        open_model(configuration(tmp_path / "model.onnx", **SETTINGS))


def test_the_digest_covers_external_data_and_can_be_recomputed(tmp_path):
    config = with_external(tmp_path)
    digest = model_sha256(config.model_path, "onnx")
    lines = "".join(
        f"{hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()}  {name}\n"
        for name in ("model.onnx", "weights.bin")
    )
    assert digest == hashlib.sha256(lines.encode()).hexdigest()
    config.model.sha256 = digest
    assert open_model(config).sha256 == digest
    with (tmp_path / "weights.bin").open("r+b") as stream:
        stream.write(b"\1")
    with pytest.raises(ModelError, match="pinned"):
        open_model(config)


def test_the_digest_of_one_file_is_the_plain_one(tmp_path):
    config = saved("mlp", "onnx", tmp_path)
    assert model_sha256(config.model_path, "onnx") == file_sha256(config.model_path)
