"""From raw fixture columns to what the model takes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_zoo import configuration

from privacy_gate.errors import ModelError
from privacy_gate.models.element_types import cast
from privacy_gate.models.preprocess import Arithmetic, Preprocess, open_preprocess

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (5, 8, 9), dtype=np.uint8)
LAST = RNG.integers(0, 256, (5, 8, 9, 3), dtype=np.uint8)
FIRST = np.ascontiguousarray(np.moveaxis(LAST, -1, 1))
TABLE = RNG.normal(size=(5, 4))


def opened(columns=("x",), names=("x",), types=None, function=None, **model):
    config = configuration(Path("m"), **model)
    if function is not None:
        config.load_callable = lambda *_: function
        config.model.preprocess = "project:function"
    return open_preprocess(
        config, columns, SimpleNamespace(input_names=names, input_types=types or {})
    )


def mapping(scale=None, mean=None, std=None, layout=None):
    return SimpleNamespace(scale=scale, mean=mean, std=std, layout=layout)


def apply(array, **steps):
    return opened(preprocess=mapping(**steps))({"x": array})["x"]


# -------------------------------------------------------------------------------- which column


def test_the_only_column_feeds_the_only_input():
    assert set(opened(("pixels",), ("input",))({"pixels": TABLE})) == {"input"}


@pytest.mark.parametrize(
    ("columns", "names", "inputs", "said"),
    [
        (("a", "b"), ("x",), None, "columns a, b, the model takes x"),
        (("a",), ("x", "y"), None, "columns a, the model takes x, y"),
        (("a", "b"), ("x",), {"x": "c"}, "unknown column 'c'"),
        (("a", "b"), ("x", "y"), {"x": "a"}, "fills x"),
        (("a", "b"), ("x",), {"x": "a", "z": "b"}, "fills x, z"),
    ],
)
def test_both_sides_are_named_when_they_do_not_match(columns, names, inputs, said):
    with pytest.raises(ModelError, match=said) as caught:
        opened(columns, names, inputs=inputs)
    assert caught.value.location == "privacy_gate.yaml:model.inputs:1"


def test_inputs_by_name():
    preprocess = opened(("a", "b"), ("x", "y"), inputs={"y": "a", "x": "b"})
    result = preprocess({"a": np.float32([[1]]), "b": np.float32([[2]])})
    assert result["y"][0, 0] == 1
    assert result["x"][0, 0] == 2


# --------------------------------------------------------------------------------------- types


def test_a_float32_column_is_passed_on_uncopied():
    array = TABLE.astype(np.float32)
    assert opened()({"x": array})["x"] is array


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("float64", "float32"), ("float16", "float32"), (">f4", "float32"), ("uint8", "float32"),
        ("int8", "float32"), ("int16", "float32"), ("uint16", "float32"), ("bool", "float32"),
        ("int32", "int32"), ("int64", "int64"), (">i8", "int64"), ("uint32", "int64"),
        ("uint64", "int64"),
    ],
)  # fmt: skip
def test_default_types_keep_every_value(given, wanted):
    array = np.array([0, 1, 1], dtype=given)
    result = cast(array, None, "x")
    assert result.dtype == np.dtype(wanted)
    np.testing.assert_array_equal(result, [0, 1, 1])


def test_a_declared_type_is_obeyed():
    assert cast(GREY, np.dtype(np.uint8), "x") is GREY
    assert cast(TABLE, np.dtype(np.float64), "x") is TABLE
    assert cast(np.array([1, 2]), np.dtype(np.int32), "x").dtype == np.int32
    assert cast(GREY, np.dtype(np.float16), "x").dtype == np.float16


@pytest.mark.parametrize(
    ("array", "wanted"),
    [
        (np.array([0.5]), np.int64),
        (np.array([300]), np.uint8),
        (np.array([-1]), np.uint8),
        (np.array([2**40]), np.int32),
        (np.array([2**63], np.uint64), None),
        (np.array(["a"]), None),
        (np.array(["a"]), np.float32),
        (np.array([1j]), None),
        (np.array([None]), None),
    ],
)
def test_a_cast_that_would_change_a_value_is_refused(array, wanted):
    with pytest.raises(ModelError, match=r"[Mm]odel input 'x'"):
        cast(array, None if wanted is None else np.dtype(wanted), "x")


def test_scaled_values_do_not_become_integers():
    preprocess = opened(types={"x": np.dtype(np.uint8)}, preprocess=mapping(scale=0.5))
    with pytest.raises(ModelError, match="takes uint8, but its values are float32"):
        preprocess({"x": GREY})


# ---------------------------------------------------------------------------------- arithmetic


def test_scale_mean_and_std_in_this_order():
    result = apply(GREY, scale=1 / 255, mean=0.5, std=0.25)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, (GREY / 255 - 0.5) / 0.25, atol=1e-5)


@given(st.floats(0.001, 10), st.floats(-5, 5), st.floats(0.1, 10))
def test_arithmetic_is_the_formula(scale, mean, std):
    result = apply(TABLE, scale=scale, mean=[mean] * 4, std=[std] * 4)
    np.testing.assert_allclose(result, (TABLE * scale - mean) / std, rtol=1e-3, atol=1e-3)


def test_the_records_are_never_changed():
    array = TABLE.astype(np.float32)
    before = array.copy()
    apply(array, scale=2.0, mean=1.0, std=3.0)
    np.testing.assert_array_equal(array, before)


def test_integers_stay_unless_they_are_scaled():
    ids = np.array([[1, 2], [3, 4]])
    assert apply(ids).dtype == np.int64
    assert apply(ids, scale=0.5).dtype == np.float32


def test_numbers_per_channel_wherever_the_channels_are():
    mean, std = [10, 20, 30], [1, 2, 4]
    wanted = (LAST - np.array(mean)) / np.array(std)
    np.testing.assert_allclose(apply(LAST, mean=mean, std=std), wanted, atol=1e-4)
    np.testing.assert_allclose(
        apply(FIRST, mean=mean, std=std), np.moveaxis(wanted, -1, 1), atol=1e-4
    )
    for array in (LAST, FIRST):
        result = apply(array, mean=mean, std=std, layout="NCHW")
        assert result.flags.c_contiguous
        np.testing.assert_allclose(result, np.moveaxis(wanted, -1, 1), atol=1e-4)
        result = apply(array, mean=mean, std=std, layout="NHWC")
        np.testing.assert_allclose(result, wanted, atol=1e-4)


def test_numbers_per_feature():
    np.testing.assert_allclose(
        apply(TABLE, mean=[1, 2, 3, 4]), TABLE - np.array([1, 2, 3, 4]), atol=1e-6
    )


@pytest.mark.parametrize("array", [LAST, FIRST])
def test_layout_alone_keeps_values_and_ends_contiguous(array):
    np.testing.assert_array_equal(apply(array, layout="NCHW"), FIRST)
    np.testing.assert_array_equal(apply(array, layout="NHWC"), LAST)
    assert apply(array, layout="NCHW").flags.c_contiguous


def test_grey_images_get_a_channel():
    assert apply(GREY, layout="NCHW").shape == (5, 1, 8, 9)
    assert apply(GREY, layout="NHWC").shape == (5, 8, 9, 1)


@pytest.mark.parametrize(
    ("array", "steps", "said"),
    [
        (np.zeros((2, 3, 8, 3)), {"layout": "NCHW"}, "both its first and last"),
        (np.zeros((2, 5, 8, 7)), {"layout": "NCHW"}, "neither its first nor its last"),
        (np.zeros((2, 5)), {"layout": "NCHW"}, r"needs records \(H, W\)"),
        (np.zeros((2, 5, 8, 7)), {"mean": [1, 2]}, "neither its first nor its last"),
        (LAST, {"mean": [1, 2]}, "mean has 2 numbers, but the records have 3 channels"),
        (LAST, {"std": [1, 2, 3, 4]}, "std has 4 numbers, but the records have 3"),
        (TABLE, {"mean": [1, 2, 3]}, "but the records have 4"),
        (GREY, {"mean": [1, 2, 3]}, r"records of shape \(8, 9\) have no channels"),
        (TABLE, {"std": 0.0}, "must not be 0"),
        (TABLE, {"std": [1, 1, 0, 1]}, "must not be 0"),
        (np.array([["a"]]), {"scale": 2.0}, "Scaling needs numbers"),
    ],
)
def test_what_cannot_be_decided_is_an_error(array, steps, said):
    with pytest.raises(ModelError, match=said) as caught:
        apply(array, **steps)
    assert "module:function" in caught.value.hint


def test_one_mapping_does_not_suit_several_inputs():
    with pytest.raises(ModelError, match="has 2 inputs"):
        opened(("a", "b"), ("a", "b"), inputs={"a": "a", "b": "b"}, preprocess=mapping(scale=2.0))


def test_arithmetic_without_steps_copies_nothing():
    array = TABLE.astype(np.float32)
    assert Arithmetic()(array) is array


# ------------------------------------------------------------------------------------ function


def test_a_function_gets_the_array_of_a_single_column():
    result = opened(("pixels",), function=lambda array: array / 2)({"pixels": GREY})
    np.testing.assert_allclose(result["x"], GREY / 2)
    assert result["x"].dtype == np.float32


def test_a_function_gets_all_of_several_columns_and_may_return_several():
    preprocess = opened(
        ("a", "b"), ("x", "y"), function=lambda columns: {"y": columns["a"], "x": columns["b"] + 1}
    )
    result = preprocess({"a": np.arange(3), "b": np.arange(3)})
    np.testing.assert_array_equal(result["x"], [1, 2, 3])
    np.testing.assert_array_equal(result["y"], [0, 1, 2])


def test_a_function_may_return_tensors():
    import torch

    result = opened(function=lambda array: torch.from_numpy(array).float())({"x": TABLE})
    np.testing.assert_allclose(result["x"], TABLE, atol=1e-6)


@pytest.mark.parametrize(
    ("function", "names", "said"),
    [
        (lambda array: array[:-1], ("x",), r"turned 5 records into an array of shape \(4, 4\)"),
        (lambda array: array.sum(), ("x",), r"shape \(\)"),
        (lambda array: {"y": array}, ("x",), "returned y, but the model takes x"),
        (lambda array: {"x": array}, ("x", "y"), "returned x, but the model takes x, y"),
        (lambda array: array, ("x", "y"), "returned one unnamed array"),
        (lambda array: None, ("x",), "NoneType, which is not an array"),
        (lambda array: 1 / 0, ("x",), "raised ZeroDivisionError."),
    ],
)
def test_functions_that_do_not_do_their_part(function, names, said):
    with pytest.raises(ModelError, match=said):
        opened(names=names, function=function)({"x": TABLE})


def test_a_failing_function_never_quotes_a_record():
    def preprocess(array):
        raise ValueError(f"cannot parse {array[0]}")

    secret = np.full((2, 3), 987654.0, dtype=np.float32)
    configured = Preprocess({}, {}, ("x",), preprocess)
    with pytest.raises(ModelError) as caught:
        configured({"x": secret})
    assert "987654" not in str(caught.value)
    assert "ValueError" in str(caught.value)
