"""Weights: every way a file can be wrong is one sentence, and nothing in a file ever runs."""

from __future__ import annotations

import os
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from model_zoo import (
    WithEmbedding,
    configuration,
    images,
    reference,
    save_exported,
    save_torchscript,
    saved,
    seeded,
)
from safetensors.torch import save_file
from torch import nn

from privacy_gate.errors import ModelError
from privacy_gate.models.opening import open_model
from privacy_gate.models.strict_loading import load_strictly

MLP = {"factory": "model_zoo:mlp", "device": "cpu"}


def refused(path, **model) -> ModelError:
    with pytest.raises(ModelError) as caught:
        open_model(configuration(path, **{**MLP, **model}))
    assert caught.value.location.startswith("privacy_gate.yaml:")
    assert "\n" not in str(caught.value)
    return caught.value


def answers(config) -> np.ndarray:
    return open_model(config).forward({"x": images(6)}).values


def expected() -> np.ndarray:
    return reference(seeded("mlp"), images(6))[0]


class Payload:
    """Unpickled without protection, this creates a file."""

    def __init__(self, target) -> None:
        self.target = str(target)

    def __reduce__(self):
        return os.mkdir, (self.target,)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("container", ["raw pickle", "torch.save", "nested in a state dict"])
@pytest.mark.parametrize(
    ("suffix", "model_format", "trust"),
    [
        (".safetensors", "torch", "weights"),
        (".pt", "torch", "weights"),
        (".pth", "torch", "code"),
        (".bin", "torch", "weights"),
        (".ckpt", "torch", "weights"),
        (".pt", "torchscript", "weights"),
        (".pt", "torchscript", "code"),
        (".pt2", "exported", "weights"),
        (".pt2", "exported", "code"),
        (".onnx", "onnx", "weights"),
    ],
)
def test_a_payload_never_runs(tmp_path, suffix, model_format, trust, container):
    mark = tmp_path / "the payload ran"
    path = tmp_path / f"model{suffix}"
    if container == "raw pickle":
        path.write_bytes(pickle.dumps(Payload(mark)))
    elif container == "torch.save":
        torch.save({"weight": Payload(mark)}, path)
    else:
        torch.save({"state_dict": {**seeded("mlp").state_dict(), "x": Payload(mark)}}, path)
    refused(path, format=model_format, trust=trust)
    assert not mark.exists()
    if suffix == ".pt" and container == "torch.save":  # the payload is real
        torch.load(path, weights_only=False)
        assert mark.exists()


def test_a_pickle_that_can_run_code_is_named_as_such(tmp_path):
    torch.save({"weight": Payload(tmp_path / "mark")}, tmp_path / "model.pt")
    error = refused(tmp_path / "model.pt")
    assert "can run code when it is loaded" in error.message
    assert "mkdir" in error.message
    assert "safetensors" in error.hint


def test_a_whole_pickled_module_is_refused(tmp_path):
    torch.save(seeded("mlp"), tmp_path / "model.pt")
    error = refused(tmp_path / "model.pt")
    assert "can run code" in error.message
    assert "state_dict" in error.hint


def test_weights_only_is_passed_explicitly_and_never_retried(tmp_path, monkeypatch):
    calls = []

    def load(*_args, **keywords):
        calls.append(keywords)
        raise pickle.UnpicklingError("no")

    monkeypatch.setattr(torch, "load", load)
    (tmp_path / "model.pt").write_bytes(b"x")
    refused(tmp_path / "model.pt")
    assert calls == [{"map_location": "cpu", "weights_only": True}]


@pytest.mark.parametrize(
    ("version", "trust", "fine"),
    [
        ("2.5.1", "code", False),
        ("2.6.0", "weights", False),
        ("2.9.1+cu128", "weights", False),
        ("2.9.1", "code", True),
        ("2.10.0a0", "weights", True),
        ("3.0.0", "weights", True),
    ],
)
def test_old_versions_of_torch_do_not_read_pickles(tmp_path, monkeypatch, version, trust, fine):
    config = saved("mlp", "pt", tmp_path, device="cpu", trust=trust)
    monkeypatch.setattr(torch, "__version__", version)
    if fine:
        np.testing.assert_allclose(answers(config), expected(), atol=1e-5)
    else:
        with pytest.raises(ModelError, match=f"torch {version[:3]}.*unsafe"):
            open_model(config)


def test_the_switch_that_turns_protection_off_is_refused(tmp_path, monkeypatch):
    config = saved("mlp", "pt", tmp_path)
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(ModelError, match="TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD is set"):
        open_model(config)


@pytest.mark.parametrize("model_format", ["torchscript", "exported"])
def test_formats_that_run_code_need_the_word(tmp_path, model_format):
    config = saved("mlp", model_format, tmp_path, trust="weights")
    with pytest.raises(ModelError, match="can run code when it is loaded") as caught:
        open_model(config)
    assert "trust: code" in caught.value.hint


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".ckpt"])
def test_a_checkpoint_is_unwrapped_and_its_prefix_stripped(tmp_path, suffix):
    state = {f"model.{name}": tensor for name, tensor in seeded("mlp").state_dict().items()}
    path = tmp_path / f"model{suffix}"
    torch.save({"state_dict": state, "epoch": 3}, path)

    error = refused(path)
    assert "not a state_dict" in error.message
    assert error.hint == "Set model.weights_key: state_dict"
    error = refused(path, weights_key="state_dict")
    assert error.hint == 'Set model.strip_prefix: "model."'
    settings = {"weights_key": "state_dict", "strip_prefix": "model."}
    np.testing.assert_allclose(
        answers(configuration(path, **MLP, **settings)), expected(), atol=1e-5
    )
    assert "'weights'" in refused(path, weights_key="weights").message
    assert (
        "No weight is called net." in refused(path, **{**settings, "strip_prefix": "net."}).message
    )


def test_colliding_names_after_stripping(tmp_path):
    save_file({"a.w": torch.zeros(1), "w": torch.zeros(1)}, tmp_path / "m.safetensors")
    assert "same name" in refused(tmp_path / "m.safetensors", strip_prefix="a.").message


def test_missing_and_unexpected_names_are_counted_and_the_first_named(tmp_path):
    state = seeded("mlp").state_dict()
    del state["head.bias"]
    for number in range(5):
        state[f"extra.{number}"] = torch.zeros(1)
    save_file(state, tmp_path / "m.safetensors")
    message = refused(tmp_path / "m.safetensors").message
    assert "1 missing (head.bias)" in message
    assert "5 unexpected (extra.0, extra.1, extra.2, …)" in message


def test_another_number_of_classes_names_the_layer_and_both_shapes(tmp_path):
    save_file(seeded("mlp").state_dict(), tmp_path / "m.safetensors")
    error = refused(tmp_path / "m.safetensors", kwargs={"classes": 3})
    assert (
        error.message == "head.weight has the shape (10, 16) in the file but (3, 16) in the model."
    )
    assert "kwargs" in error.hint


def test_quantised_weights_do_not_turn_into_floats_silently(tmp_path):
    state = seeded("mlp").state_dict()
    state["head.weight"] = (state["head.weight"] * 100).to(torch.int8)
    save_file(state, tmp_path / "m.safetensors")
    assert "head.weight holds torch.int8" in refused(tmp_path / "m.safetensors").message


def test_nan_weights(tmp_path):
    state = seeded("mlp").state_dict()
    state["head.weight"][0, 0] = float("nan")
    save_file(state, tmp_path / "m.safetensors")
    assert "1 of 4 weights hold NaN: head.weight" in refused(tmp_path / "m.safetensors").message


@pytest.mark.parametrize(
    "content", [[torch.zeros(2)], torch.zeros(2), {}, {"a": 1}, {1: torch.zeros(2)}, 3]
)
def test_a_file_that_holds_no_state_dict(tmp_path, content):
    torch.save(content, tmp_path / "m.pt")
    assert "not a state_dict" in refused(tmp_path / "m.pt").message


@pytest.mark.parametrize("variant", ["safetensors", "pt", "torchscript", "exported", "onnx"])
@pytest.mark.parametrize("damage", ["empty", "truncated", "pointer", "text"])
def test_damaged_files(tmp_path, variant, damage):
    config = saved("mlp", variant, tmp_path)
    content = config.model_path.read_bytes()
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    config.model_path.write_bytes(
        {
            "empty": b"",
            "truncated": content[: len(content) // 2],
            "pointer": pointer,
            "text": b"hi",
        }[damage]
    )
    with pytest.raises(ModelError) as caught:
        open_model(config)
    said = {"empty": "is empty", "pointer": "Git LFS pointer"}.get(damage, config.model_path.name)
    assert said in caught.value.message
    assert caught.value.hint


def test_a_torchscript_file_is_not_read_as_weights(tmp_path):
    save_torchscript(WithEmbedding(seeded("mlp")), tmp_path / "m.pt")
    error = refused(tmp_path / "m.pt")
    assert "TorchScript" in error.message
    assert "format: torchscript" in error.hint


def test_other_suffixes(tmp_path):
    (tmp_path / "m.pkl").write_bytes(b"x")
    assert "*.pkl" in refused(tmp_path / "m.pkl").message


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (None, "needs the code that builds the model"),
        ("model_zoo:not_a_module", "returned a dict, not a torch.nn.Module"),
        ("model_zoo:failing_factory", "raised KeyError: 'width'"),
    ],
)
def test_factories_that_build_no_model(tmp_path, factory, message):
    save_file(seeded("mlp").state_dict(), tmp_path / "m.safetensors")
    assert message in refused(tmp_path / "m.safetensors", factory=factory).message


def test_tied_weights_may_be_stored_once():
    module = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    module[1].weight = module[0].weight
    load_strictly(module, {"0.weight": torch.eye(4)})
    assert torch.equal(module[1].weight, torch.eye(4))
    untied = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    with pytest.raises(ModelError, match=r"1 missing \(1.weight\), 0 unexpected"):
        load_strictly(untied, {"0.weight": torch.eye(4)})


def test_a_prefix_that_does_not_fit_all_is_not_recommended():
    with pytest.raises(ModelError) as caught:
        load_strictly(nn.Linear(2, 2), {"m.weight": torch.zeros(2, 2)})
    assert "strip_prefix" not in caught.value.hint


def test_a_missing_device_is_an_error_and_never_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for variant in ("safetensors", "torchscript", "exported"):
        config = saved("mlp", variant, tmp_path, device="cuda")
        with pytest.raises(ModelError, match="finds no CUDA device") as caught:
            open_model(config)
        assert "model.device:1" in caught.value.location
    assert open_model(saved("mlp", "pt", tmp_path, device="auto")).device == "cpu"


def test_a_device_number_beyond_the_last(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ModelError, match="only 1 device"):
        open_model(saved("mlp", "pt", tmp_path, device="cuda:1"))


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("variant", ["safetensors", "torchscript"])
def test_lower_precision_is_near_and_comes_back_as_float64(tmp_path, variant, precision):
    config = saved("mlp", variant, tmp_path, precision=precision, device="cpu")
    model = open_model(config, features=True)
    outputs = model.forward({"x": images(6)})
    assert model.precision == precision
    assert outputs.values.dtype == np.float64
    assert outputs.features.dtype == np.float32
    difference = np.abs(outputs.values - expected()).max()
    assert 0 < difference < 0.05


@pytest.mark.parametrize("variant", ["exported", "onnx"])
def test_formats_that_fix_the_precision_do_not_ignore_another(tmp_path, variant):
    with pytest.raises(ModelError, match="cannot be changed to bfloat16"):
        open_model(saved("mlp", variant, tmp_path, precision="bfloat16"))


def test_settings_of_torch_are_left_as_they_were(tmp_path):
    before = torch.backends.mkldnn.matmul.fp32_precision, torch.get_num_threads()
    seen = []

    class Watching(nn.Linear):
        def forward(self, x):
            seen.append(torch.backends.mkldnn.matmul.fp32_precision)
            seen.append(torch.is_inference_mode_enabled() and not self.training)
            return super().forward(x)

    save_file(nn.Linear(64, 3).state_dict(), tmp_path / "m.safetensors")
    config = configuration(tmp_path / "m.safetensors", factory="x:y", device="cpu")
    config.load_callable = lambda *_: lambda: Watching(64, 3)
    open_model(config).forward({"x": np.zeros((2, 64), np.float32)})
    assert seen == ["ieee", True]
    after = torch.backends.mkldnn.matmul.fp32_precision, torch.get_num_threads()
    assert after == before


def test_an_unknown_layer_gets_the_nearest_names(tmp_path):
    config = saved("mlp", "pt", tmp_path, features=SimpleNamespace(name="boddy"))
    with pytest.raises(ModelError, match="no layer 'boddy'") as caught:
        open_model(config, features=True)
    assert "body" in caught.value.hint
    config.model.features = None
    with pytest.raises(ModelError, match="not said where the model has them"):
        open_model(config, features=True)


def test_a_layer_must_run_exactly_once(tmp_path):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Linear(4, 4), nn.Identity()

        def forward(self, x):
            return self.used(self.used(x))

    save_file(Twice().state_dict(), tmp_path / "m.safetensors")
    for name, times in (("used", 2), ("unused", 0)):
        config = configuration(
            tmp_path / "m.safetensors",
            factory="x:y",
            device="cpu",
            features=SimpleNamespace(name=name),
        )
        config.load_callable = lambda *_: lambda: Twice()
        with pytest.raises(ModelError, match=f"'{name}' ran {times} times"):
            open_model(config, features=True).forward({"x": np.zeros((1, 4), np.float32)})


def test_a_failed_pass_leaves_no_features_behind(tmp_path):
    config = saved("mlp", "pt", tmp_path, device="cpu")
    model = open_model(config, features=True)
    head = model._module.head
    handle = head.register_forward_pre_hook(lambda *_: (_ for _ in ()).throw(ValueError("once")))
    with pytest.raises(ModelError, match="raised ValueError"):
        model.forward({"x": images(3)})
    handle.remove()
    outputs = model.forward({"x": images(6)})
    np.testing.assert_allclose(outputs.features, reference(seeded("mlp"), images(6))[1], atol=1e-5)


def test_inputs_by_name(tmp_path):
    from model_zoo import two_inputs

    module = two_inputs()
    save_file(module.state_dict(), tmp_path / "m.safetensors")
    token = np.array([1, 5, 7])
    numbers = np.ones((3, 2), np.float32)
    settings = {"factory": "model_zoo:two_inputs", "device": "cpu"}
    config = configuration(tmp_path / "m.safetensors", **settings)
    model = open_model(config)
    assert model.input_names == ("token", "numbers")
    outputs = model.forward({"numbers": numbers, "token": token})
    wanted = module(torch.from_numpy(token), torch.from_numpy(numbers)).detach().numpy()
    np.testing.assert_allclose(outputs.values, wanted, atol=1e-6)
    for inputs in ({"token": "t"}, {"token": "t", "numbers": "n", "other": "o"}):
        config.model.inputs = inputs
        with pytest.raises(ModelError, match="the model takes token, numbers"):
            open_model(config)


def test_an_export_with_keywords_and_one_with_a_fixed_batch(tmp_path):
    class Sum(nn.Module):
        def forward(self, a, *, b):
            return {"logits": a + b}

    a, b = torch.rand(4, 3) + 2, torch.rand(4, 3)
    with (tmp_path / "m.pt2").open("wb") as stream:
        torch.export.save(torch.export.export(Sum(), (a,), {"b": b}), stream)
    config = configuration(tmp_path / "m.pt2", format="exported", trust="code", device="cpu")
    model = open_model(config)
    assert model.input_names == ("a", "b")
    values = model.forward({"b": b.numpy(), "a": a.numpy()}).values
    np.testing.assert_allclose(values, (a + b).numpy())
    with pytest.raises(ModelError, match=r"given a \(2, 3\) float32, b \(2, 3\) float32"):
        model.forward({"a": a.numpy()[:2], "b": b.numpy()[:2]})


def test_a_torch_allocation_failure_is_a_memory_error(tmp_path):
    model = open_model(saved("mlp", "pt", tmp_path, device="cpu"))
    head = model._module.head
    head.register_forward_pre_hook(lambda *_: torch.empty(10**15))
    with pytest.raises(MemoryError):
        model.forward({"x": images(2)})


def test_read_only_and_strided_inputs_are_taken(tmp_path):
    model = open_model(saved("cnn", "pt", tmp_path, device="cpu"))
    array = images(4)
    frozen = array.copy()
    frozen.flags.writeable = False
    strided = np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1)
    wanted = model.forward({"x": array}).values
    np.testing.assert_array_equal(model.forward({"x": frozen}).values, wanted)
    np.testing.assert_array_equal(model.forward({"x": strided}).values, wanted)


def test_closing_frees_the_module(tmp_path):
    import gc
    import weakref

    model = open_model(saved("mlp", "pt", tmp_path, device="cpu"), features=True)
    module = weakref.ref(model._module)
    model.close()
    gc.collect()
    assert module() is None


def test_an_export_for_one_batch_size_only_is_one_sentence(tmp_path):
    save_exported(WithEmbedding(seeded("mlp")), tmp_path / "fixed.pt2", shapes=None)
    config = saved("mlp", "exported", tmp_path, device="cpu")
    config.model_path = tmp_path / "fixed.pt2"
    with pytest.raises(ModelError, match="raised AssertionError"):
        open_model(config).forward({"x": images(2)})
