"""Functions named in a configuration: the same module for every face, or a clear error."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import pytest

from privacy_gate.config import load_config
from privacy_gate.errors import ConfigError

CONTENT = """\
version: 1
name: x
python_path: [src, extra]
model: {format: onnx, path: m.onnx, preprocess: "PLACE"}
fixtures: data
budgets: [{metric: auc, max: 0.6}]
"""


@pytest.fixture(autouse=True)
def _clean_imports(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]
    importlib.invalidate_caches()


@pytest.fixture
def config(tmp_path):
    for name in ("src", "extra"):
        (tmp_path / name).mkdir()
    (tmp_path / "privacy_gate.yaml").write_text(CONTENT.replace("PLACE", "user_gate:transform"))
    return load_config(tmp_path / "privacy_gate.yaml")


def put(config, place, text):
    path = config.directory / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def refusal(config, target):
    with pytest.raises(ConfigError) as caught:
        config.load_callable(target, "model", "preprocess")
    assert caught.value.location == config.location("model", "preprocess")
    return str(caught.value)


def test_a_function_is_found_and_its_imports_with_it(config):
    put(
        config,
        "src/user_gate.py",
        "from user_helper import FACTOR\ndef transform(x): return FACTOR * x\n",
    )
    put(config, "extra/user_helper.py", "FACTOR = 3\n")
    assert config.load_callable("user_gate:transform", "model", "preprocess")(2) == 6


def test_the_first_directory_wins_and_python_path_wins_over_installed(config, tmp_path):
    installed = tmp_path / "installed"
    put(config, "installed/user_gate.py", "def transform(): return 'installed'\n")
    put(config, "extra/user_gate.py", "def transform(): return 'extra'\n")
    put(config, "src/user_gate.py", "def transform(): return 'src'\n")
    sys.path.insert(0, str(installed))
    assert config.load_callable("user_gate:transform")() == "src"
    assert sys.path[:3] == [str(tmp_path / "src"), str(tmp_path / "extra"), str(installed)]


def test_loading_twice_leaves_the_search_path_alone(config):
    put(config, "src/user_gate.py", "def transform(): pass\n")
    first = config.load_callable("user_gate:transform")
    path = list(sys.path)
    assert config.load_callable("user_gate:transform") is first
    assert sys.path == path


def test_an_installed_function_needs_no_python_path(config):
    assert config.load_callable("os.path:join") is os.path.join


def test_packages_and_packages_without_init(config):
    put(config, "src/user_package/__init__.py", "")
    put(config, "src/user_package/deep/gate.py", "class Build:\n    pass\n")
    assert config.load_callable("user_package.deep.gate:Build").__name__ == "Build"
    put(config, "src/user_space/gate.py", "def build(): return 1\n")
    assert config.load_callable("user_space.gate:build")() == 1


def test_a_module_of_that_name_imported_from_elsewhere_is_refused(config):
    put(config, "elsewhere/user_gate.py", "def transform(): pass\n")
    sys.path.insert(0, str(config.directory / "elsewhere"))
    importlib.import_module("user_gate")
    put(config, "src/user_gate.py", "def transform(): pass\n")
    text = refusal(config, "user_gate:transform")
    assert "already loaded another one of that name" in text
    assert "elsewhere/user_gate.py" in text


def test_an_environment_inside_the_project_is_elsewhere_too(tmp_path):
    (tmp_path / "privacy_gate.yaml").write_text(
        CONTENT.replace("[src, extra]", "[.]").replace("PLACE", "user_gate:transform")
    )
    config = load_config(tmp_path / "privacy_gate.yaml")
    put(config, ".venv/lib/site-packages/user_gate.py", "def transform(): pass\n")
    put(config, "user_gate.py", "def transform(): pass\n")
    sys.path.insert(0, str(tmp_path / ".venv/lib/site-packages"))
    importlib.import_module("user_gate")
    assert "already loaded" in refusal(config, "user_gate:transform")


def test_a_directory_does_not_silently_lose_to_an_installed_package(config):
    put(config, "src/user_space/gate.py", "def build(): return 1\n")
    put(config, "installed/user_space/__init__.py", "")
    put(config, "installed/user_space/gate.py", "def build(): return 2\n")
    sys.path.append(str(config.directory / "installed"))
    assert "installed/user_space" in refusal(config, "user_space.gate:build")


def test_a_name_built_into_python_is_refused(config):
    put(config, "src/math.py", "def transform(): pass\n")
    assert "Rename the module" in refusal(config, "math:transform")


@pytest.mark.parametrize(
    "target", ["gate", "gate.py", ":f", "gate:", "a b:c", "a:b:c", "../gate:f", "a:b\n", "é:f"]
)
def test_a_malformed_name(config, target):
    assert "names no function" in refusal(config, target)


def test_a_missing_module_and_a_missing_part_of_one(config):
    assert "The module 'user_absent' is not found" in refusal(config, "user_absent:f")
    put(config, "src/user_package/__init__.py", "")
    text = refusal(config, "user_package.absent:f")
    assert "The module 'user_package.absent' is not found" in text
    put(config, "src/user_single.py", "")
    assert "'user_single.part' is not found" in refusal(config, "user_single.part:f")


def test_a_missing_attribute_names_the_nearest(config):
    put(config, "src/user_gate.py", "def transform(): pass\n_hidden = 1\n")
    text = refusal(config, "user_gate:transfrom")
    assert "has no attribute 'transfrom'" in text
    assert "Did you mean 'transform'?" in text
    put(config, "src/user_empty.py", "")
    assert "It defines nothing" in refusal(config, "user_empty:f")


def test_something_that_cannot_be_called(config):
    put(config, "src/user_gate.py", "transform = 3\n")
    assert "is int, which cannot be called" in refusal(config, "user_gate:transform")


@pytest.mark.parametrize(
    ("text", "kind", "place"),
    [
        ("x = 1\ndef f():\n    raise ValueError('secret')\nf()\n", "ValueError", ":3 in f"),
        ("import user_absent_thing\n", "ModuleNotFoundError", ":1 in <module>"),
        ("import sys\nsys.exit(0)\n", "SystemExit", ":2 in <module>"),
        ("x = 1\ndef f(:\n", "SyntaxError", ":2"),
        ("import json\njson.loads('secret')\n", "JSONDecodeError", ":2 in <module>"),
    ],
)
def test_an_exception_at_import_is_located_without_its_text(config, text, kind, place):
    put(config, "src/user_gate.py", text)
    message = refusal(config, "user_gate:transform")
    assert f"raised {kind} at {config.directory / 'src' / 'user_gate.py'}{place}." in message
    assert "secret" not in message


def test_every_way_of_starting_python_finds_the_same_function(config, tmp_path):
    put(config, "src/user_gate.py", "def transform(): return 'src'\n")
    other = tmp_path / "other"
    put(config, "other/user_gate.py", "def transform(): return 'other'\n")
    script = (
        "from privacy_gate.config import load_config\n"
        f"config = load_config({str(config.path)!r})\n"
        "print(config.load_callable('user_gate:transform')())\n"
    )
    (other / "start.py").write_text(script)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    for command in (["start.py"], ["-m", "start"], ["-c", script]):
        done = subprocess.run(
            [sys.executable, *command], cwd=other, env=environment, capture_output=True, text=True
        )
        assert done.stdout == "src\n", done.stderr
