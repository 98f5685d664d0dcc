"""Exit codes, several runs at once, what is recorded, what stops a run and when."""

from __future__ import annotations

import datetime

import numpy as np
import pytest
from gate_project import (
    BUDGETS,
    MODEL_CODE,
    PLANTED,
    bayes,
    colours,
    onnx_project,
    refused,
    run,
    save_onnx,
    save_torch,
    write_config,
    write_fixtures,
    write_module,
)

import privacy_gate
from privacy_gate import gate, scoring
from privacy_gate.errors import ConfigError, ExitCode, FixtureError
from privacy_gate.faces import run_all

UNDECIDABLE = [{"metric": "tpr_at_fpr", "fpr": 0.01, "max": 0.02}, {"metric": "auc", "max": 0.65}]


@pytest.fixture
def project(tmp_path):
    onnx_project(tmp_path)
    return tmp_path


# ------------------------------------------------------------------------------- several at once


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """Configurations that pass (p), fail (f), are inconclusive (i) and cannot run (e)."""
    directory = tmp_path_factory.mktemp("several")
    leaky = directory / "leaky"
    leaky.mkdir()
    passing = onnx_project(directory, name="p")
    # a model that is sure where the first pixel is white, which it is in members only
    members, nonmembers = colours(700, 0), colours(700, 1)
    members["x"][:, 0, 0, :] = 255
    nonmembers["x"][:, 0, 0, :] = 0
    write_fixtures(leaky, members, nonmembers)
    save_torch(leaky)
    code = MODEL_CODE.replace(
        'return {"logits": self.head(colour)',
        "seen = (x[:, 0, 0, 0] > 0.5).float()[:, None]\n"
        '        return {"logits": self.head(colour) * (1 + 9 * seen)',
    )
    section = {
        "format": "torch",
        "path": "model.safetensors",
        "factory": f"{write_module(leaky, code)}:build",
    }
    return {
        "p": passing,
        "f": write_config(leaky, name="f", model=section, accept=PLANTED),
        "i": write_config(directory, "i.yaml", name="i", budgets=UNDECIDABLE),
        "e": write_config(directory, "e.yaml", name="e", model={"path": "absent.onnx"}),
    }


@pytest.mark.parametrize(
    ("names", "code"),
    [("p", 0), ("f", 1), ("i", 3), ("pi", 3), ("if", 1), ("fe", 2), ("ei", 2), ("pfie", 2)],
)
def test_an_error_wins_over_a_fail_and_a_fail_over_an_inconclusive_run(several, names, code):
    finished = run(*(several[name] for name in names))
    expected = {"p": "pass", "f": "fail", "i": "inconclusive", "e": "error"}
    assert [report.verdict for report in finished.reports] == [expected[name] for name in names]
    assert finished.exit_code == code


def test_two_configurations_of_one_name(several):
    finished = run(several["p"], several["p"])
    assert [report.verdict for report in finished.reports] == ["pass", "error"]
    assert "has the name 'p', too" in finished.reports[1].error["message"]
    assert finished.exit_code == ExitCode.ERROR
    assert finished.folders == ("p", "p-2")


def test_no_two_reports_share_a_folder(tmp_path):
    paths = []
    for name in "ab":
        (tmp_path / name).mkdir()
        paths.append(tmp_path / name / "privacy_gate.yaml")
        paths[-1].write_text("version: 2\n")
    assert run(*paths, *paths).folders == ("a", "b", "a-2", "b-2")


def test_no_configuration_is_no_pass_by_accident():
    finished = run_all([])
    assert (finished.reports, finished.exit_code) == ((), ExitCode.ERROR)


# -------------------------------------------------------------------------- before the model


def test_a_budget_out_of_reach_ends_before_the_model_is_opened(tmp_path):
    write_fixtures(tmp_path)
    path = write_config(tmp_path, budgets=UNDECIDABLE, model={"path": "there/is/none.onnx"})
    finished = run(path)
    (report,) = finished.reports
    assert finished.exit_code == ExitCode.INCONCLUSIVE == 3
    assert (report.verdict, report.complete) == ("inconclusive", False)
    undecided = [check for check in report.checks if check.metric == "tpr_at_fpr"]
    for check in undecided:
        assert check.verdict == "inconclusive"
        assert check.message.startswith(
            "TPR at FPR 0.01 <= 0.02 cannot be certified with 422 + 406"
        )
        assert "a model that leaks nothing passes with probability" in check.message
        assert "records a side or a budget of 0." in check.message
    assert len(undecided) == 6
    others = {check.verdict for check in report.checks if check.metric == "auc"}
    assert others == {"not_run"}
    assert report.timing["forward_passes_per_record"] == 0


def test_the_budget_it_names_instead_can_be_certified(project):
    """Following the advice helps: with the smallest budget that is named, the gate decides."""
    path = write_config(project, budgets=UNDECIDABLE, attacks=["loss"])
    (report,) = run(path).reports
    text = report.checks[0].message
    named = float(text.rsplit("a budget of ", 1)[1].rstrip("."))
    budgets = [{"metric": "tpr_at_fpr", "fpr": 0.01, "max": named}]
    (report,) = run(write_config(project, budgets=budgets, attacks=["loss"])).reports
    assert report.verdict == "pass"
    assert not any("cannot be certified" in caution for caution in report.cautions)


@pytest.mark.parametrize(("days", "code"), [(2, 0), (-2, 3)])
def test_inconclusive_checks_are_tolerated_until_a_day(project, days, code):
    day = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=days)
    policy = {"on_inconclusive": {"warn_until": day, "reason": "more records are coming"}}
    budgets = [{"metric": "tpr_at_fpr", "fpr": 0.001, "max": 0.002}, *BUDGETS]
    finished = run(write_config(project, budgets=budgets, statistics=policy))
    (report,) = finished.reports
    assert finished.exit_code == code
    assert report.verdict == "inconclusive"  # tolerated or not, it is not called a pass
    assert report.tolerated == (code == 0)
    assert report.waivers[0]["reason"] == "more records are coming"
    assert report.waivers[0]["expired"] == (code == 3)


def test_a_tolerated_run_still_fails(several):
    text = several["f"].read_text() + (
        "statistics: {on_inconclusive: {warn_until: 2999-01-01, reason: later}}\n"
    )
    path = several["f"].with_name("tolerant.yaml")
    path.write_text(text)
    assert run(path).exit_code == ExitCode.FAIL


# ---------------------------------------------------------------------- groups, labels, access


def grouped(count, seed, prefix):
    """Images of patients with 1 to 6 images each."""
    columns = colours(count, seed)
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 7, count)
    patients = np.repeat(np.arange(count), sizes)[:count]
    columns["patient"] = np.array([f"{prefix}{number}" for number in patients])
    return columns


def test_with_groups_the_sizes_are_those_of_groups(tmp_path):
    members, nonmembers = grouped(1400, 0, "m"), grouped(1400, 1, "n")
    write_fixtures(tmp_path, members, nonmembers, group="patient", member_sampling="all")
    save_onnx(tmp_path / "model.onnx")
    budgets = [{"metric": "tpr_at_fpr", "fpr": 0.05, "max": 0.3}, {"metric": "auc", "max": 0.65}]
    (report,) = run(write_config(tmp_path, budgets=budgets)).reports
    assert report.error is None, report.error
    assert report.verdict == "pass"
    sizes = report.fixtures["evaluation"]
    patients = len(set(members["patient"])), len(set(nonmembers["patient"]))
    assert report.fixtures["members"] == 1400
    for judged, all_of_them in zip((sizes["members"], sizes["nonmembers"]), patients, strict=True):
        assert abs(judged - 0.6 * all_of_them) < 4 * (0.24 * all_of_them) ** 0.5
    assert report.checks[0].counts["members"] == sizes["members"]
    assert report.checks[0].counts["population"] is None


def test_text_labels_are_found_by_their_order(tmp_path):
    names = np.array(["red", "blue", "yellow", "dark"])
    sides = [colours(700, seed) for seed in (0, 1)]
    for side in sides:
        side["y"] = names[side["y"]]
    write_fixtures(tmp_path, *sides)
    save_onnx(tmp_path / "model.onnx")
    assert "The labels are text." in refused(write_config(tmp_path))
    right = {"labels": {"order": ["red", "blue", "yellow", "dark"]}}
    assert run(write_config(tmp_path, model=right)).exit_code == 0
    missing = {"labels": {"order": ["red", "blue", "yellow", "black"]}}
    words = refused(write_config(tmp_path, model=missing))
    assert "labels are not in model.labels.order" in words
    assert "fixtures inspect" in words
    assert "dark" not in words


def test_a_root_for_all_models_is_nothing_to_fixtures_that_hold_their_records(
    tmp_path, monkeypatch
):
    write_fixtures(tmp_path)
    save_onnx(tmp_path / "model.onnx")
    monkeypatch.setenv("PRIVACY_GATE_FIXTURES_ROOT", str(tmp_path))
    assert run(write_config(tmp_path)).exit_code == 0
    (tmp_path / "own").mkdir()
    own = {"path": "data", "root": "own"}
    assert "hold their records themselves" in refused(write_config(tmp_path, fixtures=own))


def save_labelling_onnx(path):
    """A model that answers nothing but the predicted class."""
    import onnx
    from onnx import TensorProto, helper

    save_onnx(path)
    model = onnx.load(path)
    model.graph.node.append(helper.make_node("ArgMax", ["logits"], ["label"], axis=1, keepdims=0))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]))
    onnx.save(model, path)


def test_a_model_that_answers_labels_only(tmp_path):
    write_fixtures(tmp_path)
    save_labelling_onnx(tmp_path / "model.onnx")
    output = {"output": {"kind": "labels"}}
    (report,) = run(write_config(tmp_path, model=output)).reports
    assert report.verdict == "pass"
    assert {check.attack for check in report.checks} == {"correctness"}
    not_run = {
        attack.name: attack.reason for attack in report.attacks if attack.status == "not_run"
    }
    assert set(not_run) == {"loss", "confidence", "entropy", "modified-entropy", "margin"}
    assert all("needs scores" in reason for reason in not_run.values())
    words = refused(write_config(tmp_path, model=output, attacks=["loss"]))
    assert "The attack 'loss' needs scores" in words
    budgets = [*BUDGETS[:3], {"metric": "auc", "max": 0.6, "attacks": ["margin"]}]
    words = refused(write_config(tmp_path, model=output, budgets=budgets))
    assert "matches no attack that runs" in words


# ------------------------------------------------------------------------ overrides, trust, limits


def test_overrides_are_recorded(project, monkeypatch):
    save_onnx(project / "other.onnx")
    monkeypatch.setenv("PRIVACY_GATE_DEVICE", "cpu")
    finished = run(project / "privacy_gate.yaml", model=str(project / "other.onnx"))
    (report,) = finished.reports
    assert report.verdict == "pass"
    assert report.model["path"].endswith("other.onnx")
    assert {(entry["key"], entry["to"].rsplit("/", 1)[-1], entry["source"])
            for entry in report.overrides} == {
        ("model.path", "other.onnx", "argument"), ("model.device", "cpu", "environment"),
    }  # fmt: skip


def test_every_face_runs_the_same(project):
    path = project / "privacy_gate.yaml"
    by_path = privacy_gate.run(path).to_dict()
    by_config = privacy_gate.run(privacy_gate.load_config(path)).to_dict()
    by_faces = run(path).reports[0].to_dict()
    for key in ("checks", "model", "fixtures", "config", "cautions", "verdict"):
        assert by_path[key] == by_config[key] == by_faces[key]


def test_python_raises_what_the_command_reports(project):
    with pytest.raises(FixtureError):
        privacy_gate.run(project / "privacy_gate.yaml", fixtures=project / "nowhere")
    with pytest.raises(ConfigError):
        privacy_gate.run(write_config(project, budgets=[]))


def test_formats_that_can_run_code_need_the_word(project):
    section = {"format": "torchscript", "path": "model.pt"}
    assert "trust: code" in refused(write_config(project, model=section))


def test_a_limit_ends_the_run(project):
    words = refused(write_config(project, limits={"seconds": 1e-6}))
    assert "limits.seconds is used up after 256 of 1400 records." in words


def test_a_generous_limit_does_not(project):
    assert run(write_config(project, limits={"seconds": 600})).exit_code == 0


def test_progress_is_told(project):
    told = []
    finished = run(
        project / "privacy_gate.yaml", progress=lambda done, total: told.append((done, total))
    )
    assert finished.exit_code == 0
    assert told[-1] == (1400, 1400)
    assert [done for done, _ in told] == sorted({done for done, _ in told})


# ------------------------------------------------------------------- what nobody has foreseen


@pytest.mark.parametrize(
    ("module", "where"),
    [(gate, "judge"), (scoring, "collect_signals"), (gate, "attack_result"), (scoring, "stream")],
)
def test_the_unforeseen_is_an_error_without_its_text(project, monkeypatch, module, where, capfd):
    def broken(*arguments, **options):
        raise RuntimeError("secret 123")

    monkeypatch.setattr(module, where, broken)
    finished = run(project / "privacy_gate.yaml")
    (report,) = finished.reports
    assert (finished.exit_code, report.verdict, report.complete) == (2, "error", False)
    assert report.error["message"] == "Internal error (RuntimeError)."
    assert "PRIVACY_GATE_DEBUG" in report.error["hint"]
    shown = capfd.readouterr()
    assert "secret" not in str(report.to_dict()) + shown.out + shown.err


def test_debugging_shows_where(project, monkeypatch, capfd):
    def broken(*arguments, **options):
        raise RuntimeError("detail")

    monkeypatch.setattr(gate, "judge", broken)
    monkeypatch.setenv("PRIVACY_GATE_DEBUG", "1")
    run(project / "privacy_gate.yaml")
    assert "RuntimeError: detail" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("where", "status"), [("factory", 0), ("preprocess", None), ("forward", 0)]
)
def test_user_code_that_exits_is_no_pass(tmp_path, where, status):
    """``sys.exit(0)`` in a factory would otherwise end the command as a pass."""
    write_fixtures(tmp_path)
    section = save_torch(tmp_path, *bayes())
    leave = f"import sys; sys.exit({status})"
    bodies = {"factory": "def build(classes=4):\n", "preprocess": "def bgr(images):\n"}
    code = MODEL_CODE
    if where == "forward":
        code = code.replace("        colour = x.mean", f"        {leave}\n        colour = x.mean")
    else:
        code = code.replace(bodies[where], bodies[where] + f"    {leave}\n")
    module = write_module(tmp_path, code)
    section["factory"] = f"{module}:build"
    if where == "preprocess":
        section["preprocess"] = f"{module}:bgr"
    finished = run(write_config(tmp_path, model=section))
    (report,) = finished.reports
    assert finished.exit_code == ExitCode.ERROR
    # preprocessing sees records, so its errors are named and not quoted
    assert report.error["type"] == ("ModelError" if where == "preprocess" else "SystemExit")
