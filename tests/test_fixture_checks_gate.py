"""Fixture checks in the gate: what blocks, what is accepted by whom, and what every reader sees."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
import yaml
from gate_project import (
    bayes,
    colours,
    refused,
    run,
    save_onnx,
    write_config,
    write_fixtures,
    write_module,
)

from privacy_gate.config import load_config
from privacy_gate.domain import Interval, exit_code
from privacy_gate.errors import ConfigError, FixtureError, UsageError
from privacy_gate.guards import refuse_swapped_sides
from privacy_gate.preparation import prepare
from privacy_gate.recount import recount
from privacy_gate.report import html, markdown, sarif, terminal
from privacy_gate.report.parse import read_untrusted
from privacy_gate.terms import changes, stricter

AUC = [
    {"metric": "auc", "max": 0.7},
    {"metric": "tpr_at_fpr", "fpr": 0.05, "max": 0.3},
]
REASON = "The held-out images come from another camera."


def project(
    directory, members, nonmembers, /, *, attacks=("loss", "entropy"), config=None, **options
):
    write_fixtures(directory, members, nonmembers, **options)
    save_onnx(directory / "model.onnx")
    return write_config(directory, attacks=list(attacks), budgets=AUC, **(config or {}))


def brighter(columns):
    x = np.clip(columns["x"].astype(int) + 12, 0, 255).astype(np.uint8)
    return {**columns, "x": x}


def alarms(report):
    return {check.name for check in report.fixture_checks if check.verdict != "pass"}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    (report,) = run(
        project(tmp_path_factory.mktemp("sound"), colours(900, 0), colours(900, 1))
    ).reports
    return report


@pytest.fixture(scope="module")
def shifted_config(tmp_path_factory):
    return project(tmp_path_factory.mktemp("shifted"), colours(700, 0), brighter(colours(700, 1)))


@pytest.fixture(scope="module")
def shifted(shifted_config):
    (report,) = run(shifted_config).reports
    return report


def accepting(config, reason=REASON):
    path = config.with_name("accepting.yaml")
    content = yaml.safe_load(config.read_text())
    path.write_text(yaml.safe_dump({**content, "accept": {"blind_baseline": reason}}))
    return path


@pytest.fixture(scope="module")
def accepted(shifted_config):
    (report,) = run(accepting(shifted_config)).reports
    return report


# ------------------------------------------------------------------------- planted faults, by name


def test_sound_fixtures_raise_nothing(sound):
    assert sound.verdict == "pass"
    assert alarms(sound) <= {"blind-baseline"}  # which may need more records to tell
    assert not any(check.blocking for check in sound.fixture_checks)
    names = [check.name for check in sound.fixture_checks]
    assert sorted(names) == [
        "accuracy", "blind-baseline", "direction", "duplicates", "groups", "label-shift",
        "minimum-size", "ties",
    ]  # fmt: skip


def test_brighter_images(shifted):
    assert alarms(shifted) == {"blind-baseline"}


def test_dates_of_another_time(tmp_path):
    members, nonmembers = colours(700, 0), colours(700, 1)
    random = np.random.default_rng(0)
    members["when"] = random.integers(20_200_101, 20_220_101, 700).astype("U8")
    nonmembers["when"] = random.integers(20_210_101, 20_230_101, 700).astype("U8")
    (report,) = run(project(tmp_path, members, nonmembers, date="when")).reports
    assert alarms(report) == {"blind-baseline"}
    assert report.verdict == "inconclusive"


def test_another_mix_of_labels(tmp_path):
    members, nonmembers = colours(1200, 0), colours(700, 1)
    keep = (members["y"] > 0) | (np.arange(1200) % 3 == 0)
    members = {name: values[keep][:700] for name, values in members.items()}
    (report,) = run(project(tmp_path, members, nonmembers)).reports
    assert alarms(report) - {"blind-baseline"} == {"label-shift"}
    assert [check.name for check in report.fixture_checks if check.blocking] == ["label-shift"]
    assert report.verdict == "inconclusive"


def test_five_near_copies_in_a_thousand(tmp_path):
    members, nonmembers = colours(500, 0), colours(500, 1)
    noise = np.random.default_rng(0).integers(0, 2, (5, 8, 8, 3))
    nonmembers["x"][:5] = np.clip(members["x"][:5].astype(int) + noise, 0, 255)
    (report,) = run(project(tmp_path, members, nonmembers)).reports
    assert alarms(report) - {"blind-baseline"} == {"duplicates"}
    assert not any(check.blocking for check in report.fixture_checks)


def named(config):
    """The fixture check that the error of a run stands for."""
    (report,) = run(config).reports
    assert report.verdict == "error"
    assert report.fixture_checks, report.error
    (check,) = report.fixture_checks
    assert (check.verdict, check.message) == ("fail", report.error["message"])
    assert report.error["message"] in terminal.render(report).replace("\n     ", " ")
    return check.name


def test_one_patient_on_both_sides(tmp_path):
    members, nonmembers = colours(300, 0), colours(300, 1)
    members["patient"], nonmembers["patient"] = np.arange(300), np.arange(300, 600)
    config = project(tmp_path, members, nonmembers, group="patient")
    columns = dict(np.load(tmp_path / "data" / "nonmembers.npz"))
    columns["patient"][0] = 7
    np.savez(tmp_path / "data" / "nonmembers.npz", **columns)
    repair(tmp_path / "data")
    assert named(config) == "groups"


def repair(directory):
    """Write the digests of the files into the manifest again."""
    from fixture_sets import read_manifest, sha256, write_manifest

    manifest = read_manifest(directory)
    for side in manifest["sides"].values():
        for file in side["files"]:
            file["sha256"] = sha256(directory / file["path"])
    write_manifest(directory, manifest)


def test_exchanged_sides():
    """End to end in test_gate_guards.py."""
    with pytest.raises(FixtureError, match="look exchanged") as caught:
        refuse_swapped_sides(Interval(0.1, 0.08, 0.12), Interval(0.9, 0.88, 0.92), 0.1)
    assert caught.value.check == "direction"


def test_constant_scores(tmp_path):
    config = project(tmp_path, colours(300, 0), colours(300, 1), attacks=["constant"], config={
        "task": "custom", "signals": "constant_signals:signals",
        "model": {"output": {"name": "logits"}},
    })  # fmt: skip
    code = "import numpy as np\ndef signals(outputs, labels):\n"
    (tmp_path / "constant_signals.py").write_text(code + "    return {'constant': 0.0 * labels}\n")
    assert named(config) == "ties"


REMEMBERING = """
import torch
from torch import nn


class Remembering(nn.Module):
    \"\"\"Right about the pictures whose sums it knows, wrong about others, and always sure.\"\"\"

    def __init__(self, records):
        super().__init__()
        self.head = nn.Linear(3, 4)
        self.register_buffer("known", torch.zeros(records))
        self.register_buffer("weights", torch.zeros(192))

    def forward(self, x):
        best = self.head(x.mean(dim=(2, 3))).argmax(dim=1)
        sums = (x * 255).round().flatten(1) @ self.weights
        seen = (sums[:, None] - self.known).abs().min(dim=1).values < 0.5
        return 5.0 * nn.functional.one_hot((best + ~seen) % 4, 4).float()


def build(records):
    return Remembering(records)
"""


def test_a_leak_that_labels_show_stays_a_fail_where_scores_are_constant(tmp_path):
    """One-hot logits: their entropy tells nothing, whether they are right tells everything."""
    import torch
    from safetensors.torch import save_file

    members, nonmembers = colours(700, 0), colours(700, 1)
    write_fixtures(tmp_path, members, nonmembers)
    weight, bias = bayes()
    weights = np.random.default_rng(0).integers(0, 30, 192)  # sums are exact in float32
    pixels = np.moveaxis(members["x"], 3, 1).reshape(700, -1)
    state = {"head.weight": weight, "head.bias": bias}
    state |= {"known": pixels @ weights, "weights": weights}
    state = {name: torch.tensor(values).float() for name, values in state.items()}
    save_file(state, tmp_path / "model.safetensors")
    model = {
        "format": "torch",
        "path": "model.safetensors",
        "factory": f"{write_module(tmp_path, REMEMBERING)}:build",
        "kwargs": {"records": 700},
        "output": {"kind": "logits"},
    }
    attacks = ["entropy", "correctness"]
    config = write_config(tmp_path, model=model, attacks=attacks, budgets=AUC)
    (report,) = run(config).reports
    assert report.error is None, report.error
    assert [check.name for check in report.fixture_checks if check.blocking] == ["ties"]
    verdicts = {check.id: check.verdict for check in report.checks}
    assert verdicts["correctness/auc"] == "fail"
    assert {verdicts[name] for name in verdicts if "entropy" in name} == {"inconclusive"}
    assert (report.verdict, int(exit_code(report))) == ("fail", 1)
    again = recount(report, load_config(config).terms)
    assert {check.id: check.verdict for check in again.checks} == verdicts
    assert again.verdict == "fail"


def test_too_few_records_for_a_rate(tmp_path):
    config = project(tmp_path, colours(100, 0), colours(100, 1))
    (report,) = run(config).reports
    assert "minimum-size" in alarms(report)


# ------------------------------------------------------------------------------- what blocks a run


def test_a_shift_makes_every_check_inconclusive(shifted):
    assert (shifted.verdict, shifted.complete, int(exit_code(shifted))) == ("inconclusive", True, 3)
    for check in shifted.checks:
        assert check.verdict == "inconclusive"
        assert check.message.startswith("Undecided, because the fixture check blind-baseline did")
        assert "accept: {blind_baseline: reason}" in check.advice
        assert check.high <= check.budget, "its numbers stay what they are"


def test_nothing_is_waived_or_tolerated_on_such_fixtures(shifted_config):
    until = (date.today() + timedelta(days=30)).isoformat()
    policy = shifted_config.with_name("policy.yaml")
    waiver = {"check": "loss/auc", "reason": "x", "until": until, "approved_by": "y"}
    tolerance = {"on_inconclusive": {"warn_until": until, "reason": "z"}}
    policy.write_text(yaml.safe_dump({"version": 1, "waivers": [waiver], "statistics": tolerance}))
    path = shifted_config.with_name("waiving.yaml")
    content = yaml.safe_load(shifted_config.read_text())
    path.write_text(yaml.safe_dump({**content, "policy": "policy.yaml", "statistics": tolerance}))
    (report,) = run(path).reports
    assert {check.verdict for check in report.checks} == {"inconclusive"}
    assert (report.tolerated, int(exit_code(report))) == (False, 3)


def test_an_acceptance_decides_and_is_compared_with_the_blind_attacker(accepted):
    assert (accepted.verdict, int(exit_code(accepted))) == ("pass", 0)
    check = next(check for check in accepted.fixture_checks if check.name == "blind-baseline")
    assert (check.verdict, check.blocking, check.accepted) == ("inconclusive", False, REASON)
    for attack in accepted.attacks:
        area = attack.beyond_blind["auc"]
        assert area["blind"] > 0.6
        assert area["difference"] == pytest.approx(area["attack"] - area["blind"])
        assert area["low"] < area["difference"] < area["high"] < 0
        assert [row["fpr"] for row in attack.beyond_blind["tpr_at_fpr"]] == [0.05]
    assert any("a blind attacker gets AUC" in caution for caution in accepted.cautions)


def test_without_an_acceptance_nothing_is_compared(shifted, sound):
    assert {attack.beyond_blind for attack in (*shifted.attacks, *sound.attacks)} == {None}


def test_every_report_shows_it(shifted, accepted):
    for render in (terminal.render, markdown.render, html.render, sarif.render):
        page = " ".join(render(shifted).split())
        assert "blind-baseline" in page, render
        assert "Members can be told from non-members without the model" in page, render
        page = " ".join(render(accepted).split())
        assert REASON in page, render
    suppressed = json.loads(sarif.render(accepted))["runs"][0]["results"]
    assert [r["suppressions"][0]["justification"] for r in suppressed] == [REASON]


def test_a_claim_of_passing_all_the_same_is_an_error(shifted):
    checks = tuple(replace(check, verdict="pass") for check in shifted.checks)
    forged = replace(shifted, verdict="pass", checks=checks)
    assert int(exit_code(forged)) == 2
    assert "CONTRADICTORY REPORT" in markdown.render(forged)
    with pytest.raises(UsageError, match="although a fixture check blocks it"):
        read_untrusted(json.dumps(forged.to_dict()))


@pytest.mark.parametrize("change", [{"p_value": 2}, {"low": "0"}, {"accepted": 7}, {"blocking": 1}])
def test_hostile_values_are_refused(shifted, change):
    content = shifted.to_dict()
    content["fixture_checks"][0].update(change)
    with pytest.raises(UsageError, match=r"fixture_checks\[0\]"):
        read_untrusted(json.dumps(content))


# -------------------------------------------------------------------------- judged again, and terms


def test_judged_again_a_report_says_the_same(shifted_config, shifted, accepted):
    own = load_config(shifted_config).terms
    theirs = load_config(accepting(shifted_config)).terms
    for report, terms in ((shifted, own), (accepted, theirs)):
        (read,) = read_untrusted(json.dumps(report.to_dict()))
        again = recount(read, terms)
        assert (again.verdict, again.complete) == (report.verdict, True)
        assert again.fixture_checks == report.fixture_checks
        assert [c.message for c in again.checks] == [c.message for c in report.checks]


def test_an_acceptance_that_the_terms_do_not_know_blocks_again(shifted_config, accepted):
    again = recount(accepted, load_config(shifted_config).terms)
    assert again.verdict == "inconclusive"
    assert {check.verdict for check in again.checks} == {"inconclusive"}
    check = next(check for check in again.fixture_checks if check.name == "blind-baseline")
    assert (check.blocking, check.accepted) == (True, "")


def test_an_acceptance_is_a_loosening_that_blocks_and_counts_once_merged(shifted_config):
    base = load_config(shifted_config).terms
    head = load_config(accepting(shifted_config)).terms
    assert head.accepted == {"blind-baseline": REASON}
    (change,) = changes(base, head)
    assert (change.key, change.kind, change.blocking) == (
        "accept: blind-baseline",
        "loosened",
        True,
    )
    assert stricter(base, head).accepted == {}
    assert stricter(head, base).accepted == {}
    assert stricter(head, head).accepted == head.accepted
    (back,) = changes(head, base)
    assert (back.kind, back.blocking) == ("tightened", False)
    (reworded,) = changes(head, replace(head, accepted={"blind-baseline": "Another reason."}))
    assert (reworded.kind, reworded.blocking) == ("changed", False)
    shown = replace(base, on_changed_terms="show")
    assert not changes(shown, head)[0].blocking


def test_only_what_can_block_can_be_accepted(shifted_config):
    path = shifted_config.with_name("wrong.yaml")
    content = yaml.safe_load(shifted_config.read_text())
    path.write_text(yaml.safe_dump({**content, "accept": {"blind_baselin": "x"}}))
    with pytest.raises(ConfigError, match="blind_baseline"):
        load_config(path)


# ---------------------------------------------------------------------------------------- and else


def test_what_needs_no_model_comes_from_the_cache(shifted_config, shifted, tmp_path):
    from privacy_gate.fixture_checks.running import KIND, without_model

    first = prepare(load_config(shifted_config), cache=tmp_path / "cache")
    found = without_model(first)
    second = prepare(load_config(shifted_config), cache=tmp_path / "cache")
    again = without_model(second)
    assert KIND in second.cache.used
    assert KIND not in first.cache.used
    assert again.checks == found.checks == shifted.fixture_checks[: len(found.checks)]
    np.testing.assert_array_equal(again.scores, found.scores)
    np.testing.assert_array_equal(again.rows, found.rows)


def test_an_error_keeps_its_check_across_processes():
    import pickle

    error = pickle.loads(pickle.dumps(FixtureError("m", hint="h", location="l", check="groups")))
    assert (error.message, error.hint, error.location, error.check) == ("m", "h", "l", "groups")


def test_records_that_are_referred_to_are_told_by_their_files(tmp_path):
    """The pixels are alike; the files of one side are larger."""
    from privacy_gate.fixtures.reference import Reading, ReferredRecords
    from privacy_gate.fixtures.schema import ColumnEntry

    for number in range(4):
        suffix = ".npy" if number % 2 else ".png"
        (tmp_path / f"{number}{suffix}").write_bytes(b"x" * (10 + number))
    places = np.array(["0.png", "1.npy", "2.png", "gone.npy"])
    records = ReferredRecords(
        places,
        np.zeros((4, 32), np.uint8),
        {"members": 2, "nonmembers": 2},
        {"x": ColumnEntry(dtype="uint8", shape=(1,))},
        Reading(tmp_path),
    )
    traits = records.traits(np.arange(4))
    np.testing.assert_allclose(traits[:, 0], [np.log(11), np.log(12), np.log(13), 0], rtol=1e-6)
    np.testing.assert_array_equal(traits[:, 1:], [[0, 1], [1, 0], [0, 1], [1, 0]])


def test_refused_runs_say_which_check_it_was(tmp_path):
    members = colours(300, 0)
    config = project(tmp_path, members, colours(300, 1))
    save_onnx(tmp_path / "model.onnx", weight=np.zeros((4, 3)), bias=np.zeros(4))
    assert "The model guesses" in refused(config)
    assert named(config) == "accuracy"
