"""The JSON schema for editors: generated from the models and shipped with the package."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from test_config import FULL, MINIMAL

import privacy_gate
from privacy_gate.config import config_schema
from privacy_gate.config.messages import valid_keys

SHIPPED = Path(privacy_gate.__file__).parent / "schemas" / "config-1.json"
REGENERATE = (
    'python -c "import json; from privacy_gate.config import config_schema; '
    'print(json.dumps(config_schema(), indent=2))" > privacy_gate/schemas/config-1.json'
)


def plain(text):
    """As an editor sees it: JSON has no dates."""
    return json.loads(json.dumps(yaml.safe_load(text), default=str))


def test_the_shipped_schema_is_the_generated_one():
    assert SHIPPED.read_text() == json.dumps(config_schema(), indent=2) + "\n", REGENERATE


def test_it_is_a_json_schema_with_our_identifier():
    schema = config_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == "privacy-gate.config/1"
    assert '"null"' not in json.dumps(schema)


@pytest.mark.parametrize("text", [MINIMAL, FULL])
def test_it_accepts_valid_files(text):
    jsonschema.validate(plain(text), config_schema())


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"budgets": []},
        {"budgets": [{"metric": "auc", "max": 1}]},
        {"budgets": [{"metric": "auc", "max": 0.6, "fpr": 0.1}]},
        {"budgets": [{"metric": "tpr_at_fpr", "max": 0.6}]},
        {"fixtures": {"paht": "x"}},
        {"fixtures": ""},
        {"model": {"format": "onnx", "device": "gpu"}},
        {"model": {"format": "onnx", "labels": {"order": [1]}}},
        {"model": {"format": "onnx", "preprocess": "not a function"}},
        {"statistics": {"on_inconclusive": "pass"}},
        {"signals": None},
        {"spam": 1},
    ],
)
def test_it_refuses_what_the_models_refuse(change):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**plain(MINIMAL), **change}, config_schema())


def test_valid_keys_follow_the_grammar():
    assert "order" in valid_keys(("model", "labels"))
    assert "scale" in valid_keys(("model", "preprocess", "<mapping>"))
    assert set(valid_keys(("budgets", 0, "<log_mia>"))) == {
        "metric", "regime", "max", "max_increase", "warn_at", "attacks", "informational",
    }  # fmt: skip


def test_importing_the_configuration_loads_no_heavy_library():
    heavy = "{'torch', 'scipy', 'onnxruntime', 'onnx', 'rich', 'pytest'}"
    script = f"import sys, privacy_gate.config; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
