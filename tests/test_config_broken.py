"""Broken configurations: each yields the line, the key and a sentence that says what to do."""

from __future__ import annotations

import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from test_config import FULL

from privacy_gate.config import load_config
from privacy_gate.config.scalars import AmbiguousScalar, read_plain
from privacy_gate.errors import ConfigError, PrivacyGateError

HEAD = """\
version: 1
name: digits
fixtures: data
"""
MODEL = "model: {format: onnx, path: model.onnx}\n"
BUDGETS = "budgets: [{metric: auc, max: 0.6}]\n"
VALID = HEAD + MODEL + BUDGETS
CUSTOM = VALID + "task: custom\nattacks: [mine]\n"
CUSTOM_WITHOUT_ATTACKS = VALID + "task: custom\nsignals: 'gate:signals'\n"
SIGNALS = "signals: 'gate:signals'\n"


@pytest.fixture(autouse=True)
def _no_overrides(monkeypatch):
    for name in ("MODEL", "FIXTURES", "DEVICE", "ROOTS"):
        monkeypatch.delenv(f"PRIVACY_GATE_{name}", raising=False)


def write(directory, content):
    path = directory / "privacy_gate.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def complaint(directory, content):
    with pytest.raises(ConfigError) as caught:
        load_config(write(directory, content))
    return caught.value


def test_the_file_the_broken_ones_are_made_from_is_valid(tmp_path):
    assert load_config(write(tmp_path, VALID)).name == "digits"


def model(text):
    return HEAD + f"model: {{{text}}}\n" + BUDGETS


def budget(text):
    return HEAD + MODEL + f"budgets:\n  - {{{text}}}\n"


BROKEN = [
    # notation
    ("", 1, "the file is empty"),
    ("# only a comment\n", 1, "the file is empty"),
    ("- a\n- b\n", 1, "expected a mapping of keys at the top level"),
    ("text\n", 1, "expected a mapping of keys at the top level"),
    (VALID + "---\nversion: 1\n", 6, "a second document begins here"),
    (VALID + "limits:\n\tseconds: 3\n", 7, "a tab stands where YAML wants spaces"),
    (VALID + "limits: {seconds: 3\n", 7, "is not valid YAML"),
    (VALID + 'task: "\\UFFFFFFFF"\n', 1, "is not valid YAML"),
    (VALID.encode() + b"task: \xff\n", 6, "is not UTF-8"),
    (VALID.encode("utf-16"), 1, "is not UTF-8"),
    (VALID + "# \u202e reversed\n", 6, "the invisible character U+202E"),
    (VALID + "# a\rbudgets: []\n", 6, "the invisible character U+000D"),
    (VALID + "task: \x07\n", 6, "U+0007 is not allowed in YAML"),
    (VALID + "name: other\n", 6, "name: is given twice, on lines 2 and 6"),
    (budget("metric: auc, max: 0.6, max: 0.9"), 6, "max: is given twice, on lines 6 and 6"),
    (VALID + "limits: &x {seconds: 3}\n", 6, "limits: anchors are not allowed"),
    (VALID + "a: &x 1\nlimits: *x\n", 7, "limits: aliases are not allowed"),
    (VALID + "limits: {<<: {seconds: 3}}\n", 6, "merge keys (<<) are not allowed"),
    (VALID + "task: !!python/name:os.system x\n", 6, "'tag:yaml.org,2002:python/name:os.system'"),
    (VALID + "task: !mine classification\n", 6, "the tag '!mine' is not allowed"),
    (VALID + "limits: {seconds: " + "[" * 40 + "]" * 40 + "}\n", 6, "more than 32 levels deep"),
    (VALID + "limits: " + "[" * 50_000, 6, "more than 32 levels deep"),
    (VALID + "on: push\n", 6, "the key 'on' is not text"),
    (VALID + "1: x\n", 6, "the key '1' is not text: quote it"),
    (VALID + "[a]: x\n", 6, "a key must be text"),
    (VALID + "limits: {seconds: yes}\n", 6, "write true, or quote it"),
    (VALID + "limits: {seconds: 0x10}\n", 6, "write a plain decimal number"),
    (VALID + "limits: {seconds: 010}\n", 6, "write a plain decimal number"),
    (VALID + "limits: {seconds: 1_000}\n", 6, "write a plain decimal number"),
    (VALID + "limits: {seconds: 15:00}\n", 6, "write a plain decimal number"),
    (VALID + "limits: {seconds: .inf}\n", 6, "limits.seconds: expected a finite number"),
    (VALID + "limits: {seconds: 1.0e+999}\n", 6, "expected a finite number"),
    (VALID + f"limits: {{seconds: {'9' * 5000}}}\n", 6, "is too large"),
    (VALID + "limits: {seconds: }\n", 6, "limits.seconds: has no value"),
    (VALID + "signals:\n", 6, "signals: has no value"),
    (VALID + 'name2: "\\uD800"\n', 6, "half of a surrogate pair"),
    # top level
    (MODEL + BUDGETS + "fixtures: x\n", 1, "version: is required"),
    (VALID.replace("1\n", "2\n", 1), 1, "version: expected 1"),
    (VALID.replace("1\n", "1.0\n", 1), 1, "version: expected 1"),
    (VALID.replace("1\n", "true\n", 1), 1, "version: expected 1"),
    (VALID.replace("1\n", "'1'\n", 1), 1, "version: expected 1"),
    (HEAD + BUDGETS, 1, "model: is required"),
    (HEAD + MODEL, 1, "budgets: is required"),
    ("version: 1\nname: x\n" + MODEL + BUDGETS, 1, "--fixtures or PRIVACY_GATE_FIXTURES"),
    (VALID + "budget: 1\n", 6, "budget: unknown key. Did you mean 'budgets'?"),
    (VALID + "extends: ../x.yaml\n", 6, "extends: '../x.yaml' lies outside the project"),
    (VALID + "extends: x.yaml\n", 6, "extends: 'x.yaml' does not exist"),
    (VALID.replace("digits", "a b"), 2, "name: expected letters, digits"),
    (VALID.replace("digits", "7"), 2, "expected text, not the number 7; quote it"),
    (VALID + "task: clasification\n", 6, "Did you mean 'classification'?"),
    (CUSTOM, 1, "signals: is required for task custom"),
    (CUSTOM_WITHOUT_ATTACKS, 1, "list the names of the signals that your function returns"),
    (CUSTOM.replace("[mine]", "[mine, threshold]") + SIGNALS, 7, "attacks[1]: the suite 'thresh"),
    (CUSTOM.replace("[mine]", "[Mine]") + SIGNALS, 7, "attacks[0]: expected a signal's name"),
    (
        CUSTOM.replace("0.6", "0.6, attacks: [thine]") + SIGNALS,
        5,
        "unknown attack 'thine'. Did you",
    ),
    (
        CUSTOM.replace("path", "output: {kind: logits}, path") + SIGNALS,
        4,
        "for task classification",
    ),
    (CUSTOM.replace("path", "labels: {order: [0, 1]}, path") + SIGNALS, 4, "model.labels: is read"),
    (
        CUSTOM.replace("path", "expected: {nonmember_accuracy: 1}, path") + SIGNALS,
        4,
        "model.expect",
    ),
    (VALID + "signals: a:b\n", 6, "is read for task custom only"),
    (
        VALID + "task: custom\nsignals: gate.py\nattacks: [mine]\n",
        7,
        "expected a function as package.module",
    ),
    (VALID + "python_path: lib\n", 6, "python_path: expected a list"),
    (VALID + "python_path: [missing]\n", 6, "python_path[0]: is not a directory"),
    (VALID + "python_path: ['..']\n", 6, "python_path[0]: '..' lies outside the project"),
    # model
    (model("format: onx, path: m"), 4, "Did you mean 'onnx'?"),
    (model("format: huggingface, path: m"), 4, "model.format: expected 'torch'"),
    (model("path: m"), 4, "model.format: is required"),
    (model("format: onnx"), 4, "model.path: is required; write it, or give --model or PRIVACY"),
    (model("format: onnx, path: ../m"), 4, "model.path: '../m' lies outside the project"),
    (model("format: onnx, path: ~/m"), 4, "which is not expanded"),
    (model('format: onnx, path: "a\\0b"'), 4, "must be one line of printable"),
    (model("format: onnx, path: ' '"), 4, "model.path: must not be empty"),
    (model("format: torch, path: m"), 4, "model.factory: is required for format torch"),
    (model("format: torch, path: m, factory: mod"), 4, "expected a function as package.module"),
    (model("format: onnx, path: m, factory: 'm:f'"), 4, "is read for format torch only"),
    (model("format: torchscript, path: m"), 4, "write 'trust: code'"),
    (model("format: exported, path: m, trust: weights"), 4, "write 'trust: code'"),
    (model("format: onnx, path: m, sha256: abc"), 4, "64 hexadecimal digits"),
    (model("format: onnx, path: m, device: gpu"), 4, "expected auto, cpu, cuda or cuda:N"),
    (model("format: onnx, path: m, device: 'cuda:'"), 4, "expected auto, cpu, cuda or cuda:N"),
    (model("format: onnx, path: m, device: 'cuda:01'"), 4, "expected auto, cpu, cuda or"),
    (model("format: onnx, path: m, precision: float64"), 4, "model.precision: expected"),
    (model("format: onnx, path: m, batch_size: 0"), 4, "auto or a positive whole number"),
    (model("format: onnx, path: m, batch_size: true"), 4, "auto or a positive whole number"),
    (model("format: onnx, path: m, inputs: {}"), 4, "needs at least one entry"),
    (model("format: onnx, path: m, inputs: {x: 1}"), 4, "model.inputs.x: expected text"),
    (model("format: onnx, path: m, output: logits"), 4, "model.output: expected a mapping"),
    (model("format: onnx, path: m, output: {kin: logits}"), 4, "Did you mean 'kind'?"),
    (model("format: onnx, path: m, output: {name: true}"), 4, "or its index from 0"),
    (model("format: onnx, path: m, output: {transforms: [ham]}"), 4, "expected hamp, or"),
    (model("format: onnx, path: m, labels: {order: [a]}"), 4, "at least two label values"),
    (model("format: onnx, path: m, labels: {order: [a, a]}"), 4, "each given once"),
    (model("format: onnx, path: m, labels: {order: [1, a]}"), 4, "all whole numbers or all text"),
    (model("format: onnx, path: m, features: {}"), 4, "model.features.name: is required"),
    (model("format: onnx, path: m, preprocess: {scal: 1}"), 4, "Did you mean 'scale'?"),
    (model("format: onnx, path: m, preprocess: {}"), 4, "needs scale, mean, std or layout"),
    (model("format: onnx, path: m, preprocess: scale"), 4, "expected a function as"),
    (model("format: onnx, path: m, preprocess: {std: [0]}"), 4, "must be greater than 0, not 0"),
    (model("format: onnx, path: m, preprocess: {mean: [.nan]}"), 4, "expected a finite number"),
    (
        model("format: onnx, path: m, preprocess: {mean: [1, 2], std: [1]}"),
        4,
        "model.preprocess.std: has 1 channels where mean has 2",
    ),
    (
        model("format: onnx, path: m, expected: {nonmember_accuracy: 84}"),
        4,
        "must be at most 1, not 84",
    ),
    # fixtures
    (VALID.replace("data", "''"), 3, "fixtures: must not be empty"),
    (VALID.replace("data", "3"), 3, "fixtures: expected a mapping"),
    (VALID.replace("data", "{path: /etc}"), 3, "fixtures.path: '/etc' lies outside the project"),
    (VALID.replace("data", "/etc"), 3, "fixtures: '/etc' lies outside the project"),
    (VALID.replace("data", "{path: d, lodaer: 'a:b'}"), 3, "Did you mean 'loader'"),
    # attacks and splits
    (VALID + "attacks: []\n", 6, "attacks: needs at least one entry"),
    (VALID + "attacks: loss\n", 6, "attacks: expected a list, not the text 'loss'"),
    (VALID + "attacks:\n  - loss\n  - treshold\n", 8, "Did you mean 'threshold'?"),
    (VALID + "attacks:\n  - loss\n  - loss\n", 8, "listed twice, on lines 7 and 8"),
    (VALID + "attacks: [{loss: {k: 1}}]\n", 6, "attacks[0].loss: unknown key. Valid: draws,"),
    (VALID + "attacks: [anchored-0]\n", 6, "unknown attack 'anchored-0'"),
    (VALID + "attacks: [anchored-05]\n", 6, "Did you mean 'anchored-5'"),
    (VALID + "attacks: [simple-shot]\n", 6, "Did you mean 'simple-shot-5'"),
    (VALID + "attacks: [{name: anchored-5, draws: 0}]\n", 6, "attacks[0].draws:"),
    (VALID + "attacks: [{name: anchored-5, features: gradient}]\n", 6, "attacks[0].features:"),
    (VALID + "attacks: [{name: loss, paper_episodes: 500}]\n", 6, "for few-shot attacks only"),
    (VALID + "splits: {support: 0.2}\n", 6, "0.2 + 0.25 + 0.6 is 1.05"),
    (VALID + "splits: {support: 0, calibration: 0.4}\n", 6, "must be greater than 0, not 0"),
    (VALID + "splits: {evaluation: 0.6000000000000001}\n", 6, "must be 1; 0.15 + 0.25 + 0.6000"),
    # budgets
    (HEAD + MODEL + "budgets: []\n", 5, "budgets: needs at least one entry"),
    (HEAD + MODEL + "budgets: {metric: auc}\n", 5, "budgets: expected a list, not a mapping"),
    (HEAD + MODEL + "budgets: [auc]\n", 5, "budgets[0]: expected a mapping such as"),
    (budget("max: 0.6"), 6, "budgets[0].metric: is required"),
    (budget("metric: acu, max: 0.6"), 6, "Did you mean 'auc'?"),
    (budget("metric: auc"), 6, "budgets[0].max: is required"),
    (budget("metric: auc, max: 0.6, fpr: 0.1"), 6, "budgets[0].fpr: unknown key"),
    (budget("metric: auc, maxx: 0.6"), 6, "budgets[0].maxx: unknown key. Did you mean 'max'?"),
    (
        budget("metric: auc, max: 0.6, max_increase: 0.1"),
        6,
        "max_increase: needs a baseline; write",
    ),
    (
        budget("metric: auc, warn_at: 0.1, max_increase: 0.1") + "baseline: b.json\n",
        6,
        "budgets[0].warn_at: needs max",
    ),
    (budget("metric: auc, max: 0.6") + "baseline: {}\n", 7, "baseline.model: is requ"),
    (
        budget("metric: auc, max: 0.6") + "baseline: {model: a, factory: a:b}\n",
        7,
        "baseline.factory: is read for format torch only, not for onnx",
    ),
    (budget("metric: auc, max: 0.6") + "baseline: ../b.json\n", 7, "lies outside the project"),
    (budget("metric: auc, max_increase: 1"), 6, "can never bind"),
    (budget("metric: auc, max: '0.6'"), 6, "expected a number, not the text '0.6'"),
    (budget("metric: auc, max: true"), 6, "expected a number, not the boolean true"),
    (budget("metric: auc, max: .nan"), 6, "budgets[0].max: expected a finite number"),
    (budget("metric: auc, max: 6e-1"), 6, "write 0.6 or 6.0e-1"),
    (budget("metric: auc, max: 1"), 6, "can never bind"),
    (budget("metric: log_mia, regime: a, max: 1.5"), 6, "can never bind"),
    (budget("metric: advantage, max: 0"), 6, "can never pass"),
    (budget("metric: auc, max: 0.5"), 6, "without any leakage auc is 0.5"),
    (budget("metric: tpr_at_fpr, fpr: 0.1, max: 0.05"), 6, "budgets[0].max: a budget of 0.05 can"),
    (budget("metric: tnr_at_fnr, fnr: 0.1, max: 0.05"), 6, "tnr_at_fnr[0.1] is 0.1"),
    (budget("metric: tpr_at_fpr, max: 0.05"), 6, "budgets[0].fpr: is required"),
    (budget("metric: tpr_at_fpr, fpr: 0, max: 0.05"), 6, "must be greater than 0, not 0"),
    (budget("metric: tpr_at_fpr, fpr: 1, max: 0.05"), 6, "must be less than 1, not 1"),
    (budget("metric: log_mia, regime: c, max: 0.3"), 6, "expected 'a' or 'b', not the text 'c'"),
    (budget("metric: auc, max: 0.6, warn_at: 0.6"), 6, "warn_at: must be less than max, 0.6"),
    (budget("metric: auc, max: 0.6, attacks: []"), 6, "attacks: needs at least one entry"),
    (budget("metric: auc, max: 0.6, attacks: [los]"), 6, "Did you mean 'loss'?"),
    (
        budget("metric: auc, max: 0.6, attacks: [loss]") + "attacks: [margin]\n",
        6,
        "budgets[0].attacks[0]: 'loss' matches no attack listed under 'attacks'",
    ),
    (
        budget("metric: auc, max: 0.6") + "  - {metric: auc, max: 0.7, attacks: [loss]}\n",
        7,
        "budgets[1]: the check 'loss/auc' has two budgets, on lines 6 and 7",
    ),
    (
        budget("metric: tpr_at_fpr, fpr: 0.01, max: 0.6")
        + "  - {metric: tpr_at_fpr, fpr: 0.010, max: 0.7}\n",
        7,
        "the check 'loss/tpr_at_fpr[0.01]' has two budgets",
    ),
    # statistics and limits
    (VALID + "statistics: {confidence: 95}\n", 6, "must be less than 1, not 95"),
    (VALID + "statistics: {confidence: 0.4}\n", 6, "must be at least 0.5, not 0.4"),
    (VALID + "statistics: {seed: 1.5}\n", 6, "expected a whole number, not the number 1.5"),
    (VALID + "statistics: {seed: true}\n", 6, "expected a whole number, not the boolean true"),
    (VALID + "statistics: {on_inconclusive: pass}\n", 6, "expected 'fail', not the text 'pass'"),
    (VALID + "statistics: {on_inconclusive: {reason: x}}\n", 6, "warn_until: is required"),
    (
        VALID + "statistics: {on_inconclusive: {warn_until: 2027-02-30, reason: x}}\n",
        6,
        "2027-02-30 is not a day of the calendar",
    ),
    (
        VALID + "statistics: {on_inconclusive: {warn_until: 2027-02-03, reason: ''}}\n",
        6,
        "reason: must not be empty",
    ),
    (VALID + "statistics:\n  planned_runs: 3\n", 7, "statistics.planned_runs: unknown key"),
    (VALID + "limits: {seconds: 0}\n", 6, "must be greater than 0, not 0"),
    (VALID + "limits: {most_queries: 64}\n", 6, "limits.most_queries: unknown key"),
]


@pytest.mark.parametrize(("content", "line", "fragment"), BROKEN)
def test_a_broken_file_names_the_line_and_the_remedy(tmp_path, content, line, fragment):
    text = str(complaint(tmp_path, content))
    wanted = [entry for entry in text.splitlines() if fragment in entry]
    assert wanted, text
    assert re.match(rf".*privacy_gate\.yaml:{line}:\d+: ", wanted[0]), text


def test_one_mistake_is_one_line(tmp_path):
    single = [content for content, _, _ in BROKEN if isinstance(content, str)]
    counts = [len(str(complaint(tmp_path, content)).splitlines()) for content in single]
    # An anchor used by an alias, and two misspelt keys that leave a required one missing.
    assert sorted(counts)[-4:] == [1, 2, 2, 2]


def test_all_problems_of_a_file_are_reported_at_once_in_order(tmp_path):
    content = """\
version: 1
name: digits
nmae: x
model:
  format: torch
  path: ../outside
  devise: cpu
  precision: double
fixtures: data
attacks: [loss, 'l s']
splits: {support: 0.5}
budgets:
  - {metric: auc, max: 0.4, maxx: 1}
  - {metric: tpr_at_fpr, fpr: 1e-3, max: 2}
  - {metric: advantage, max: 0.3}
  - {metric: advantage, max: 0.2, warn_at: 0.25}
task: custom
limits: {seconds: on}
"""
    text = str(complaint(tmp_path, content))
    found = [(int(match[1]), match[2]) for match in re.finditer(r"yaml:(\d+):\d+: ([^:]+): ", text)]
    assert found == [
        (1, "signals"),
        (3, "nmae"),
        (4, "model.factory"),
        (6, "model.path"),
        (7, "model.devise"),
        (8, "model.precision"),
        (10, "attacks[1]"),
        (11, "splits"),
        (13, "budgets[0].max"),
        (13, "budgets[0].maxx"),
        (14, "budgets[1].fpr"),
        (14, "budgets[1].max"),
        (16, "budgets[3]"),
        (16, "budgets[3].warn_at"),
        (18, "limits.seconds"),
    ]
    assert len(text.splitlines()) == len(found)


@pytest.mark.parametrize(
    "content",
    [
        VALID + "splits: {support: x, calibration: 0.3}\n",
        VALID + "attacks: loss\n",
        budget("metric: auc, max: 0.6, attacks: [loss]") + "attacks: [los]\n",
        budget("metric: auc, max: 0.6, attacks: loss") + "  - {metric: auc, max: 0.7}\n",
        model("format: exported, path: m, trust: cod"),
        model("format: torch, path: m, factory: x"),
        model("format: onnx, path: 3"),
        HEAD + "model: 3\n" + BUDGETS,
    ],
)
def test_a_mistake_does_not_cause_further_complaints(tmp_path, content):
    assert len(str(complaint(tmp_path, content)).splitlines()) == 1


def test_the_columns_point_at_the_value_and_at_an_unknown_key(tmp_path):
    error = complaint(tmp_path, budget("metric: auc, max: 1"))
    assert error.location.endswith("privacy_gate.yaml:6:24")
    error = complaint(tmp_path, budget("metric: auc, max: 0.6, spam: 1"))
    assert error.location.endswith("privacy_gate.yaml:6:29")


def test_a_suite_without_attacks_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr("privacy_gate.registry.SUITES", {"threshold": ("loss",), "hollow": ()})
    text = str(complaint(tmp_path, VALID + "attacks: [loss, hollow]\n"))
    assert "attacks[1]: the suite 'hollow' contains no attack" in text


def test_a_directory_name_that_cannot_be_a_name_must_be_replaced(tmp_path):
    directory = tmp_path / "my project"
    directory.mkdir()
    text = str(complaint(directory, VALID.replace("name: digits\n", "")))
    assert "yaml:1:1: name: is required, since the directory's name 'my project'" in text


def test_a_missing_file_a_directory_and_a_large_file(tmp_path):
    with pytest.raises(ConfigError, match=r"nothing.yaml: The configuration file does not exist"):
        load_config(tmp_path / "nothing.yaml")
    with pytest.raises(ConfigError, match="is a directory"):
        load_config(tmp_path)
    with pytest.raises(ConfigError, match="not a regular file"):
        load_config("/dev/null")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config("a\0b")
    assert "larger than 1 MB" in str(complaint(tmp_path, VALID + "#" * 1_000_000))


def test_a_loop_of_symbolic_links_is_an_error(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "loop")
    text = str(complaint(tmp_path, model("format: onnx, path: loop/m")))
    assert "model.path: 'loop/m' is not a path that can be followed" in text


def test_no_control_character_of_a_file_reaches_the_message(tmp_path):
    text = str(complaint(tmp_path, VALID + '"\\e[31m\\n::error::": 1\n'))
    assert "\x1b" not in text
    assert len(text.splitlines()) == 1


WORDS = ["version: 1", "on", "&a", "*a", "<<:", "- ", "{", "}", "[", "]", ": ", "\n", "  ", "\t"]
WORDS += [
    "model",
    "budgets",
    "metric: auc",
    "max: 0.6",
    "!!str",
    "---",
    "'",
    '"',
    "1e-3",
    "? ",
    "|",
]


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(), st.lists(st.sampled_from(WORDS)).map("".join), st.binary()))
def test_whatever_a_file_holds_the_answer_is_one_of_our_errors(tmp_path_factory, content):
    path = write(
        tmp_path_factory.getbasetemp(),
        content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content,
    )
    with pytest.raises(PrivacyGateError) as caught:
        load_config(path)
    assert re.search(r"privacy_gate\.yaml:\d+:\d+: ", str(caught.value))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def places(data, path=()):
    pairs = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in pairs:
        yield (*path, key)
        if isinstance(value, (dict, list)):
            yield from places(value, (*path, key))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(list(places(yaml.safe_load(FULL)))), ANYTHING)
def test_whatever_stands_at_a_key_is_accepted_or_located(tmp_path_factory, place, value):
    data = yaml.safe_load(FULL)
    target = data
    for part in place[:-1]:
        target = target[part]
    target[place[-1]] = value
    directory = tmp_path_factory.getbasetemp()
    (directory / "lib").mkdir(exist_ok=True)
    path = write(directory, yaml.safe_dump(data, allow_unicode=False))
    try:
        config = load_config(path)
    except ConfigError as error:
        refused = str(error)
    else:
        refused = ""
        assert config.budgets
    lines = refused.splitlines()
    assert all(re.search(r"privacy_gate\.yaml:\d+:\d+: ", line) for line in lines)


@given(st.floats(-1e300, 1e300), st.sampled_from(["{:.6f}", "{:.3e}", "{!r}"]))
def test_a_number_is_read_as_written_or_refused(value, form):
    text = form.format(value)
    if re.match(r"-?\d+e", text):
        with pytest.raises(AmbiguousScalar, match=r"write .*\d\.0e[-+]\d"):
            read_plain(text)
    else:
        read = read_plain(text)
        assert isinstance(read, float)
        assert read == float(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("-3", -3), ("0", 0), ("0.5", 0.5), (".5", 0.5), ("1.0e-3", 0.001),
        ("true", True), ("False", False), ("null", None), ("~", None), ("", None),
        ("yes please", "yes please"), ("y", "y"), ("1.2.3", "1.2.3"), ("cuda:1", "cuda:1"),
        ("e3", "e3"), ("tRuE", "tRuE"), ("nan", "nan"), ("_1", "_1"), ("-", "-"),
    ],
)  # fmt: skip
def test_plain_words_mean_the_same_in_every_yaml_version(text, value):
    read = read_plain(text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("1e-3", "write 0.001 or 1.0e-3"),
        ("2E5", "write 200000 or 2.0e+5"),
        ("1.5e3", "write 1500 or 1.5e+3"),
        ("1e-300", "write 1.0e-300"),
        ("1e99999999", "plain decimal number"),
        ("Yes", "write true"),
        ("OFF", "write false"),
        ("2027-01-01 10:00:00", "YYYY-MM-DD"),
        ("0b1", "plain decimal"),
        ("0o7", "plain decimal"),
        ("08", "plain decimal"),
        ("1_0.5", "plain decimal"),
        ("-.Inf", "finite"),
        (".NAN", "finite"),
    ],
)
def test_ambiguous_words_are_refused_with_advice(text, advice):
    with pytest.raises(AmbiguousScalar, match=re.escape(advice)):
        read_plain(text)
