"""The policy file: its grammar, how it joins the configuration, waivers in a run of the gate."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner
from gate_project import run
from plugin_project import DIGITS, LEAKY, SMALL, verdicts
from test_config import FULL

import privacy_gate
from privacy_gate.cli import main
from privacy_gate.config import load_config, policy_schema
from privacy_gate.config.messages import valid_keys
from privacy_gate.config.policy import PolicySettings
from privacy_gate.domain import TRANSFORMS
from privacy_gate.errors import ConfigError
from privacy_gate.registry import SUITES
from privacy_gate.report.terminal import render

CONFIG = """\
version: 1
name: digits
model: {format: onnx, path: model.onnx}
fixtures: data
attacks: [loss, margin]
budgets:
  - {metric: auc, max: 0.6, warn_at: 0.55}
  - {metric: log_mia, regime: a, max: 0.35}
policy: rules/policy.yaml
"""
POLICY = """\
version: 1
owner: privacy@example.org
budgets:
  - {metric: auc, max: 0.58}
  - {metric: tpr_at_fpr, fpr: 0.01, max: 0.1, attacks: [loss]}
statistics:
  confidence: 0.99
  on_inconclusive: {warn_until: 2027-03-31, reason: "The fixtures are growing."}
waivers:
  - check: loss/tpr_at_fpr[0.010]
    reason: Old canaries.
    until: 2027-01-31
    approved_by: privacy@example.org
on_changed_terms: show
"""
SHIPPED = Path(privacy_gate.__file__).parent / "schemas" / "policy-1.json"
REGENERATE = (
    'python -c "import json; from privacy_gate.config import policy_schema; '
    'print(json.dumps(policy_schema(), indent=2))" > privacy_gate/schemas/policy-1.json'
)
TODAY = datetime.now(UTC).date()


@pytest.fixture(autouse=True)
def _no_overrides(monkeypatch):
    for name in ("MODEL", "FIXTURES", "DEVICE", "ROOTS", "POLICY_REF"):
        monkeypatch.delenv(f"PRIVACY_GATE_{name}", raising=False)


def load(directory, policy=POLICY, config=CONFIG):
    (directory / "rules").mkdir(exist_ok=True)
    if policy is not None:
        (directory / "rules" / "policy.yaml").write_text(policy)
    path = directory / "privacy_gate.yaml"
    path.write_text(config)
    return load_config(path)


def complaint(directory, *arguments):
    with pytest.raises(ConfigError) as caught:
        load(directory, *arguments)
    return str(caught.value)


def budgets(config):
    return {check.id: (check.budget, check.path, check.line) for check in config.terms.checks}


# ------------------------------------------------------------------------------- the two together


def test_the_stricter_of_both_wins_with_the_line_it_stands_on(tmp_path):
    of_policy = ("rules/policy.yaml", 4)
    assert budgets(load(tmp_path)) == {
        "loss/auc": (0.58, *of_policy),
        "margin/auc": (0.58, *of_policy),
        "loss/log_mia[a]": (0.35, None, 8),
        "margin/log_mia[a]": (0.35, None, 8),
        "loss/tpr_at_fpr[0.01]": (0.1, "rules/policy.yaml", 5),
    }


def test_a_laxer_policy_changes_no_budget(tmp_path):
    config = load(tmp_path, "version: 1\nbudgets: [{metric: auc, max: 0.7}]\n")
    assert budgets(config)["loss/auc"] == (0.6, None, 7)


def test_what_follows_from_the_terms_is_in_the_settings(tmp_path):
    config = load(tmp_path)
    assert config.statistics.confidence == config.terms.confidence == 0.99
    assert config.statistics.seed == 0
    assert config.policy == {
        "path": "rules/policy.yaml",
        "sha256": config.policy["sha256"],
        "owner": "privacy@example.org",
    }
    assert len(config.policy["sha256"]) == 64
    assert (config.terms.owner, config.terms.on_changed_terms) == ("privacy@example.org", "show")
    lower = load(tmp_path, "version: 1\nstatistics: {confidence: 0.9}\n")
    assert lower.statistics.confidence == 0.95


def test_a_configuration_without_a_policy(tmp_path):
    config = load(tmp_path, None, CONFIG.replace("policy: rules/policy.yaml\n", ""))
    assert config.policy is None
    assert (config.changes, config.base, config.cautions) == ((), None, ())
    assert config.terms.waivers == ()
    assert config.terms.on_changed_terms == "fail"


@pytest.mark.parametrize(
    ("config", "policy", "wanted"),
    [
        ("fail", "fail", None),
        ("2027-05-01", "fail", None),
        ("fail", "2027-03-31", None),
        ("2027-05-01", "2027-03-31", date(2027, 3, 31)),
        ("2027-02-01", "2027-03-31", date(2027, 2, 1)),
    ],
)
def test_inconclusive_checks_are_tolerated_only_where_both_say_so(tmp_path, config, policy, wanted):
    def statistics(day):
        value = "fail" if day == "fail" else f"{{warn_until: {day}, reason: growing}}"
        return f"statistics: {{on_inconclusive: {value}}}\n"

    found = load(tmp_path, "version: 1\n" + statistics(policy), CONFIG + statistics(config))
    assert found.terms.warn_until == wanted
    effective = found.statistics.on_inconclusive
    assert (None if isinstance(effective, str) else effective.warn_until) == wanted
    ignored = config != "fail" and policy == "fail"
    assert ("not tolerated" in " ".join(found.cautions)) == ignored


def test_a_waiver_names_its_check_as_the_report_does(tmp_path):
    (waiver,) = load(tmp_path).terms.waivers
    assert (waiver.check, waiver.until) == ("loss/tpr_at_fpr[0.01]", date(2027, 1, 31))
    assert (waiver.path, waiver.line) == ("rules/policy.yaml", 10)


def test_an_increase_can_be_limited_by_the_policy(tmp_path):
    policy = "version: 1\nbudgets: [{metric: auc, max_increase: 0.01}]\n"
    config = load(tmp_path, policy, CONFIG + "baseline: .privacy_gate/baseline.json\n")
    found = {check.id: check for check in config.terms.checks}
    assert found["loss/auc:increase"].increase
    assert (found["loss/auc:increase"].budget, found["loss/auc"].budget) == (0.01, 0.6)
    assert config.baseline_path == tmp_path / ".privacy_gate" / "baseline.json"
    assert config.baseline_model is None


def test_a_baseline_model_lies_inside_the_project(tmp_path):
    baseline = "baseline: {model: models/main.onnx}\n"
    config = load(tmp_path, POLICY, CONFIG + baseline)
    assert config.baseline_model == tmp_path / "models" / "main.onnx"
    assert config.baseline_path is None
    words = complaint(tmp_path, POLICY, CONFIG + "baseline: {model: /etc/main.onnx}\n")
    assert "baseline.model: '/etc/main.onnx' lies outside the project" in words


def test_whatever_is_not_compared_elsewhere_is_pinned(tmp_path):
    (tmp_path / "lib").mkdir()
    path = tmp_path / "privacy_gate.yaml"
    path.write_text(FULL)
    assert load_config(path).terms.pinned == {
        "python_path": '[".", "lib"]',
        "task": "classification",
        "splits": '{"calibration": 0.2, "evaluation": 0.7, "support": 0.1}',
        "model.format": "torch",
        "model.factory": "my_project.models:build",
        "model.kwargs": '{"classes": 10, "pretrained": null, "sizes": [1, 2.5, "x"]}',
        "model.weights_key": "state_dict",
        "model.strip_prefix": "model.",
        "model.inputs": '{"pixel_values": "x"}',
        "model.output": '{"kind": "logits", "name": 0, "transforms": []}',
        "model.labels": '{"order": ["healthy", "tumour"]}',
        "model.features": '{"name": "avgpool"}',
        "model.preprocess": '{"layout": "NCHW", "mean": [0.5], "scale": 0.00392156862745098,'
        ' "std": [1.0]}',
        "model.expected": '{"nonmember_accuracy": 0.84, "tolerance": 0.03}',
        "model.precision": "bfloat16",
        "model.trust": "code",
        "fixtures.path": "fixtures/digits",
        "fixtures.label": "y",
        "statistics.seed": "7",
        "calibration_lens": "true",
        "overconfidence": '{"generator": "none", "records": 500, "transforms": '
        + json.dumps(list(TRANSFORMS))
        + "}",
        **{f"attacks.{name}": "no options" for name in SUITES["threshold"]},
    }


def test_a_long_value_is_pinned_by_its_digest(tmp_path):
    model = "model: {format: torch, path: m, factory: 'a:b', kwargs: {names: [%s]}}"
    pins = [
        load(tmp_path, None, f"version: 1\nname: x\nfixtures: data\n{model % names}\n"
             "budgets: [{metric: auc, max: 0.6}]\n").terms.pinned["model.kwargs"]
        for names in (", ".join(["label"] * 99), ", ".join(["label"] * 98 + ["other"]))
    ]  # fmt: skip
    assert pins[0] != pins[1]
    assert [len(pin) < 160 for pin in pins] == [True, True]


def test_attacks_without_access_are_no_part_of_the_terms(tmp_path):
    labels = "{format: onnx, path: model.onnx, output: {kind: labels}}"
    content = CONFIG.replace("{format: onnx, path: model.onnx}", labels).replace(
        "[loss, margin]", "[threshold]"
    )
    config = load(tmp_path, "version: 1\n", content)
    assert {check.attack for check in config.terms.checks} == {"correctness"}
    assert config.terms.singly == ()
    words = complaint(tmp_path, "version: 1\n", content.replace("[threshold]", "[loss]"))
    assert "privacy_gate.yaml:5:11: The attack 'loss' needs scores" in words


# ---------------------------------------------------------------------------------- bad input

BROKEN = [
    ("owner: x\n", 1, "version: is required"),
    ("version: 2\n", 1, "expected 1"),
    ("version: 1\nowners: x\n", 2, "owners: unknown key. Did you mean 'owner'?"),
    ("version: 1\nowner: 3\n", 2, "owner: expected text, not the number 3; quote it"),
    ("version: 1\nmodel: {path: x}\n", 2, "model: unknown key."),
    ("version: 1\nversion: 1\n", 2, "is given twice, on lines 1 and 2"),
    ("version: 1\nbudgets:\n  - {metric: auc, max: 0.5}\n", 3, "can never pass"),
    ("version: 1\nbudgets:\n  - {metric: auc, max: 1.5}\n", 3, "can never bind"),
    ("version: 1\nbudgets:\n  - {metric: auc, maxx: 0.6}\n", 3, "Did you mean 'max'?"),
    ("version: 1\nbudgets:\n  - {metric: auc}\n", 3, "max: is required, or max_increase"),
    ("version: 1\nbudgets:\n  - {metric: auc, max: 6e-1}\n", 3, "write 0.6 or 6.0e-1"),
    (
        "version: 1\nbudgets:\n  - {metric: auc, max_increase: 0.1}\n",
        3,
        "max_increase: needs a baseline; write",
    ),
    (
        "version: 1\nbudgets:\n  - {metric: auc, max: 0.6, attacks: [los]}\n",
        3,
        "Did you mean 'loss'?",
    ),
    (
        "version: 1\nbudgets:\n  - {metric: auc, max: 0.6, attacks: [few-shot]}\n",
        3,
        "'few-shot' matches no attack listed under 'attacks'",
    ),
    (
        "version: 1\nbudgets:\n  - {metric: auc, max: 0.6}\n  - {metric: auc, max: 0.7}\n",
        4,
        "the check 'loss/auc' has two budgets, on lines 3 and 4",
    ),
    ("version: 1\nstatistics: {confidence: 1}\n", 2, "must be less than 1, not 1"),
    ("version: 1\nstatistics: {seed: 3}\n", 2, "statistics.seed: unknown key."),
    ("version: 1\nstatistics: {on_inconclusive: warn}\n", 2, "expected 'fail'"),
    ("version: 1\non_changed_terms: shown\n", 2, "Did you mean 'show'?"),
    ("version: 1\nwaivers:\n  - {check: loss/auc}\n", 3, "waivers[0].reason: is required"),
    ("version: 1\nwaivers:\n  - {check: loss/auc}\n", 3, "waivers[0].until: is required"),
    ("version: 1\nwaivers:\n  - {check: loss/auc}\n", 3, "waivers[0].approved_by: is required"),
    (
        "version: 1\nwaivers:\n  - {check: loss, reason: x, until: 2027-01-01, approved_by: y}\n",
        3,
        "check: expected a check such as loss/tpr_at_fpr[0.01]",
    ),
    (
        "version: 1\nwaivers:\n"
        "  - {check: loss/acu, reason: x, until: 2027-01-01, approved_by: y}\n",
        3,
        "unknown metric 'acu'",
    ),
    (
        "version: 1\nwaivers:\n  - {check: loss/auc, reason: x, until: later, approved_by: y}\n",
        3,
        "expected a date as YYYY-MM-DD",
    ),
    (
        "version: 1\nwaivers:\n"
        "  - {check: loss/auc, reason: x, until: 2027-01-01, approved_by: y}\n"
        "  - {check: loss/auc, reason: x, until: 2028-01-01, approved_by: y}\n",
        4,
        "the check 'loss/auc' has two waivers, on lines 3 and 4",
    ),
    ("version: 1\nowner:\n", 2, "owner: has no value"),
    ("- 1\n", 1, "expected a mapping of keys at the top level"),
    ("", 1, "the file is empty"),
]


@pytest.mark.parametrize(("policy", "line", "fragment"), BROKEN)
def test_a_broken_policy_names_the_line_and_the_remedy(tmp_path, policy, line, fragment):
    text = complaint(tmp_path, policy)
    wanted = [entry for entry in text.splitlines() if fragment in entry]
    assert wanted, text
    assert f"policy.yaml:{line}:" in wanted[0]


def test_all_problems_of_a_policy_are_reported_at_once(tmp_path):
    policy = "version: 1\nowner: 3\nbudgets: [{metric: auc, max: 0.4}]\nspam: 1\n"
    assert len(complaint(tmp_path, policy).splitlines()) == 3


def test_a_policy_that_is_not_there_or_elsewhere(tmp_path):
    assert "The policy file does not exist" in complaint(tmp_path, None)
    config = CONFIG.replace("rules/policy.yaml", "../policy.yaml")
    assert "policy: '../policy.yaml' lies outside the project" in complaint(tmp_path, None, config)


# --------------------------------------------------------------------------------- JSON schema


def as_json(text):
    return json.loads(json.dumps(yaml.safe_load(text), default=str))


def test_the_shipped_schema_is_the_generated_one():
    assert SHIPPED.read_text() == json.dumps(policy_schema(), indent=2) + "\n", REGENERATE
    printed = CliRunner().invoke(main, ["schema", "policy"])
    assert json.loads(printed.output) == policy_schema()


def test_the_schema_accepts_a_policy_and_refuses_what_the_gate_refuses():
    schema = policy_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(as_json(POLICY), schema)
    for change in (
        {"version": 2},
        {"spam": 1},
        {"on_changed_terms": "warn"},
        {"waivers": [{"check": "loss/auc"}]},
        {"budgets": [{"metric": "auc"}]},
        {"budgets": [{"metric": "auc", "max_increase": 0.1, "warn_at": 0.1}]},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**as_json(POLICY), **change}, schema)


def test_valid_keys_follow_the_grammar_of_the_policy():
    assert set(valid_keys(("waivers", 0), PolicySettings)) == {
        "check", "reason", "until", "approved_by",
    }  # fmt: skip
    assert "max_increase" in valid_keys(("budgets", 0, "<auc>"), PolicySettings)


# ------------------------------------------------------------------------- waivers in a real run


def gate(directory, waivers, *, leaky=True, **changes):
    """The bundled digits with a policy that waives checks ({check: last day}); all four checks of
    the leaky candidate fail."""
    shutil.copytree(DIGITS, directory, dirs_exist_ok=True)
    content = json.loads(json.dumps(SMALL)) | {"policy": "policy.yaml"} | changes
    if leaky:
        content["model"]["path"] = LEAKY["model.path"]
        content["fixtures"]["label"] = LEAKY["fixtures.label"]
    (directory / "privacy_gate.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    entries = [
        {"check": check, "reason": "Known.", "until": str(until), "approved_by": "office"}
        for check, until in waivers.items()
    ]
    policy = {"version": 1, "owner": "office", "waivers": entries}
    (directory / "policy.yaml").write_text(yaml.safe_dump(policy))
    finished = run(directory / "privacy_gate.yaml")
    (report,) = finished.reports
    return report, finished.exit_code


FOUR = ["loss/auc", "correctness/auc", "loss/log_mia[a]", "correctness/log_mia[a]"]


def test_a_run_in_which_all_that_failed_is_waived_ends_with_0_and_is_no_pass(tmp_path):
    report, code = gate(tmp_path, dict.fromkeys(FOUR, TODAY))
    assert code == 0
    assert (report.verdict, report.complete, report.tolerated) == ("inconclusive", True, True)
    assert {check.verdict for check in report.checks} == {"waived"}
    check = report.checks[0]
    assert check.waiver == {
        "reason": "Known.", "until": TODAY.isoformat(), "approved_by": "office",
    }  # fmt: skip
    assert "above the budget" in check.message
    assert [entry["check"] for entry in report.waivers] == FOUR
    assert report.policy["owner"] == "office"
    first = render(report).splitlines()[0]
    assert "PASS" not in first
    assert first.endswith("INCONCLUSIVE (tolerated)")


def test_one_failure_without_a_waiver_still_fails(tmp_path):
    report, code = gate(tmp_path, dict.fromkeys(FOUR[1:], TODAY))
    assert (report.verdict, int(code)) == ("fail", 1)
    found = {check.id: check.verdict for check in report.checks}
    assert [found[name] for name in FOUR] == ["fail", "waived", "waived", "waived"]


def test_an_expired_waiver_has_no_effect_and_says_so(tmp_path):
    yesterday = TODAY - timedelta(1)
    report, code = gate(tmp_path, {**dict.fromkeys(FOUR, TODAY), FOUR[0]: yesterday})
    assert (report.verdict, int(code)) == ("fail", 1)
    assert report.waivers[0]["expired"] is True
    assert f"The waiver of loss/auc ended on {yesterday}" in " ".join(report.cautions)


def test_a_waiver_of_no_check_is_a_caution(tmp_path):
    report, code = gate(tmp_path, {"margin/auc": TODAY}, leaky=False)
    assert (report.verdict, int(code)) == ("pass", 0)
    assert report.tolerated is False
    assert "The waiver of margin/auc has no effect: there is no such check." in " ".join(
        report.cautions
    )


def test_a_check_that_passes_is_not_waived(tmp_path):
    report, code = gate(tmp_path, dict.fromkeys(FOUR, TODAY), leaky=False)
    assert (report.verdict, int(code)) == ("pass", 0)
    assert {check.waiver for check in report.checks} == {None}


def test_a_budget_out_of_reach_that_is_waived_does_not_keep_the_model_closed(tmp_path):
    out_of_reach = {"metric": "tpr_at_fpr", "fpr": 0.001, "max": 0.002, "attacks": ["loss"]}
    changes = {"leaky": False, "budgets": [*SMALL["budgets"], out_of_reach]}
    report, code = gate(tmp_path, {"loss/tpr_at_fpr[0.001]": TODAY}, **changes)
    assert (report.verdict, report.complete, int(code)) == ("inconclusive", True, 0)
    assert verdicts(report.to_dict())["loss/tpr_at_fpr[0.001]"] == "waived"
    assert verdicts(report.to_dict())["loss/auc"] == "pass"
    report, code = gate(tmp_path, {}, **changes)
    assert (report.verdict, report.complete, int(code)) == ("inconclusive", False, 3)


def test_a_waived_check_is_a_passed_test_and_still_waived_in_the_report(project):
    project.configure(**LEAKY, policy="policy.yaml")
    entries = [
        {"check": check, "reason": "Known.", "until": str(TODAY), "approved_by": "office"}
        for check in FOUR[1:]
    ]
    project.write("policy.yaml", yaml.safe_dump({"version": 1, "waivers": entries}))
    result = project.run("--privacy-gate", "--privacy-gate-report=report")
    assert result.ret == 1
    result.assert_outcomes(passed=3, failed=1)
    assert sorted(verdicts(project.report()).values()) == ["fail", "waived", "waived", "waived"]


def test_the_policy_in_the_documentation_is_valid(tmp_path):
    page = (Path(__file__).parents[1] / "docs" / "policy.md").read_text()
    example = page.partition("```yaml\n")[2].partition("```")[0]
    config = load(tmp_path, example)
    assert config.policy["owner"] == "privacy@example.org"
    assert [waiver.check for waiver in config.terms.waivers] == ["loss/auc"]
    jsonschema.validate(as_json(example), policy_schema())
