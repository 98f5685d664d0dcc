"""The model file before any back-end sees it."""

from __future__ import annotations

import hashlib
import os

import pytest
from model_zoo import configuration, images, saved

from privacy_gate.errors import ModelError
from privacy_gate.models.loaded import short
from privacy_gate.models.model_file import file_sha256
from privacy_gate.models.opening import open_model


def test_a_missing_file(tmp_path):
    with pytest.raises(ModelError, match="does not exist") as caught:
        open_model(configuration(tmp_path / "absent.pt"))
    assert caught.value.location == "privacy_gate.yaml:model.path:1"


@pytest.mark.parametrize(
    ("make", "variant", "words"),
    [
        (os.mkfifo, "torch", "not a regular file"),
        (os.mkdir, "onnx", "not a regular file"),
        (os.mkdir, "torch", "holds no .safetensors file"),
    ],
)
def test_what_is_no_model_file(tmp_path, make, variant, words):
    make(tmp_path / "model.pt")
    with pytest.raises(ModelError, match=words):
        open_model(configuration(tmp_path / "model.pt", format=variant))


def test_a_format_that_does_not_exist(tmp_path):
    (tmp_path / "m").write_bytes(b"x")
    with pytest.raises(ModelError, match="'keras'") as caught:
        open_model(configuration(tmp_path / "m", format="keras"))
    assert "torchscript" in caught.value.hint


def test_the_digest_is_the_plain_sha256(tmp_path):
    content = os.urandom(3_000_001)
    (tmp_path / "m").write_bytes(content)
    assert file_sha256(tmp_path / "m") == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_the_right_pin(tmp_path, case):
    config = saved("mlp", "pt", tmp_path, device="cpu")
    config.model.sha256 = case(file_sha256(config.model_path))
    assert open_model(config).forward({"x": images(2)}).values.shape == (2, 10)


@pytest.mark.parametrize("variant", ["pt", "safetensors", "torchscript", "exported", "onnx"])
def test_a_wrong_pin_stops_before_the_back_end(tmp_path, monkeypatch, variant):
    config = saved("mlp", variant, tmp_path, sha256="0" * 64)
    touched = []
    monkeypatch.setattr("privacy_gate.models.opening.resolve", touched.append)
    with pytest.raises(ModelError, match="not the one it is pinned to") as caught:
        open_model(config)
    assert file_sha256(config.model_path) in caught.value.message
    assert caught.value.location == "privacy_gate.yaml:model.sha256:1"
    assert not touched


def test_messages_from_foreign_code_are_one_short_line():
    text = short(RuntimeError("first\nsecond" + "x" * 500))
    assert text.startswith("RuntimeError: first second")
    assert len(text) == len("RuntimeError: ") + 200
    assert short(KeyError()) == "KeyError"


def test_importing_the_back_ends_imports_nothing_heavy():
    import subprocess
    import sys

    modules = "opening torch_model onnx_model preprocess forward external_data weights"
    code = f"""
import importlib, sys
for name in {modules.split()!r}:
    importlib.import_module("privacy_gate.models." + name)
print({{"torch", "onnx", "onnxruntime", "safetensors", "scipy"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
