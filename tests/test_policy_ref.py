"""Terms from the base branch: real repositories, through the real command."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess

import pytest
import yaml
from click.testing import CliRunner
from gate_project import onnx_project, write_config
from plugin_project import DIGITS, SMALL, verdicts
from test_gate_run import save_labelling_onnx

import privacy_gate
from privacy_gate.cli import main
from privacy_gate.config import load_config
from privacy_gate.config.base import GitFiles
from privacy_gate.config.terms_reader import digest, read_terms
from privacy_gate.errors import ConfigError, UsageError

POLICY = {"version": 1, "owner": "privacy@example.org"}


@pytest.fixture(autouse=True)
def _nothing_of_the_users(monkeypatch):
    for name in ("CONFIG", "MODEL", "FIXTURES", "DEVICE", "ROOTS", "KEY", "DEBUG", "POLICY_REF"):
        monkeypatch.delenv(f"PRIVACY_GATE_{name}", raising=False)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)


def git(directory, *arguments):
    settings = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "gc.auto=0")
    done = subprocess.run(
        ["git", "-C", str(directory), *settings, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def commit(directory):
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "--message", "change")
    return git(directory, "rev-parse", "HEAD")


def configure(directory, content=None, **changes):
    """Write the small configuration with changes of whole keys; ``None`` removes."""
    content = {**json.loads(json.dumps(SMALL if content is None else content)), **changes}
    content = {key: value for key, value in content.items() if value is not None}
    path = directory / "privacy_gate.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def rules(directory, **changes):
    (directory / "policy.yaml").write_text(yaml.safe_dump({**POLICY, **changes}, sort_keys=False))


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """The bundled digits on the branch ``main``, with a branch ``proposal`` checked out."""
    directory = tmp_path / "digits"
    directory.mkdir()
    for name in ("private.onnx", "leaky.onnx", "manifest.json", "members.npz", "nonmembers.npz"):
        shutil.copy(DIGITS / name, directory)
    git(directory, "init", "--quiet", "--initial-branch=main")
    configure(directory)
    commit(directory)
    git(directory, "switch", "--quiet", "--create", "proposal")
    monkeypatch.chdir(directory)
    return directory


def gate(*arguments, code=0, ref="main"):
    """The report of the command, which must end with the code."""
    options = [*arguments] if ref is None else ["--policy-ref", ref, *arguments]
    result = CliRunner().invoke(main, ["run", "--json", "-", *options])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return json.loads(result.output)


def by_key(report):
    return {change["key"]: change for change in report["changes"]}


# ---------------------------------------------------------------------------- through the command


def test_without_a_change_the_base_branch_is_named_and_nothing_else_happens(repository):
    report = gate()
    assert (report["verdict"], report["changes"]) == ("pass", [])
    assert report["base"] == {"ref": "main", "commit": git(repository, "rev-parse", "main")}
    without = gate(ref=None)
    assert (without["base"], without["changes"]) == (None, [])
    assert without["checks"] == report["checks"]


def test_a_loosened_budget_fails_although_it_is_met(repository):
    loose = {"metric": "auc", "max": 0.9}
    configure(repository, budgets=[loose, SMALL["budgets"][1]])
    report = gate(code=1)
    assert report["verdict"] == "fail"
    assert set(verdicts(report).values()) == {"pass"}
    changes = by_key(report)
    assert set(changes) == {"budgets: loss/auc", "budgets: correctness/auc"}
    change = changes["budgets: loss/auc"]
    assert (change["kind"], change["base"], change["head"]) == ("loosened", "0.65", "0.9")
    assert change["blocking"] is True
    assert "0.65 on the base branch and 0.9 here: merge the change" in change["message"]
    lines = (repository / "privacy_gate.yaml").read_text().splitlines()
    assert lines[change["line"] - 1] == "- metric: auc"
    check = next(check for check in report["checks"] if check["id"] == "loss/auc")
    assert (check["budget"], check["path"]) == (0.65, "privacy_gate.yaml")


def test_the_environment_names_the_base_branch_as_well(repository, monkeypatch):
    configure(repository, budgets=[SMALL["budgets"][0]])
    monkeypatch.setenv("PRIVACY_GATE_POLICY_REF", "main")
    report = gate(code=1, ref=None)
    assert {change["kind"] for change in report["changes"]} == {"dropped"}
    assert set(verdicts(report)) == {
        "loss/auc", "correctness/auc", "loss/log_mia[a]", "correctness/log_mia[a]",
    }  # fmt: skip
    found = privacy_gate.run(repository / "privacy_gate.yaml", policy_ref="HEAD")
    assert (found.verdict, found.base["ref"]) == ("fail", "HEAD")  # the argument wins


def test_a_tightened_budget_is_shown_and_counts(repository):
    configure(repository, budgets=[{"metric": "auc", "max": 0.6}, SMALL["budgets"][1]])
    report = gate()
    assert report["verdict"] == "pass"
    assert {change["kind"] for change in report["changes"]} == {"tightened"}
    check = next(check for check in report["checks"] if check["id"] == "loss/auc")
    assert (check["budget"], check["path"]) == (0.6, None)


def test_a_dropped_attack_leaves_checks_without_a_verdict(repository):
    configure(repository, attacks=["loss"])
    report = gate(code=1)
    assert (report["verdict"], report["complete"]) == ("fail", False)
    assert verdicts(report)["correctness/auc"] == "not_run"
    check = next(check for check in report["checks"] if check["id"] == "correctness/auc")
    assert "The attack correctness is not configured here." in check["message"]


def test_a_model_that_now_hides_its_scores_is_still_asked_for_them(tmp_path):
    directory = tmp_path / "colours"
    directory.mkdir()
    path = onnx_project(directory, attacks=["threshold"])
    git(directory, "init", "--quiet", "--initial-branch=main")
    commit(directory)
    save_labelling_onnx(directory / "model.onnx")
    write_config(directory, attacks=["threshold"], model={"output": {"kind": "labels"}})
    report = gate(str(path), code=1)
    check = next(check for check in report["checks"] if check["id"] == "margin/auc")
    assert check["verdict"] == "not_run"
    assert (
        "The base branch demands this check. The attack 'margin' needs scores" in check["message"]
    )
    assert verdicts(report)["correctness/auc"] == "pass"


def test_a_base_branch_that_only_shows_changes_still_counts(repository):
    git(repository, "switch", "--quiet", "main")
    rules(repository, on_changed_terms="show")
    configure(repository, policy="policy.yaml")
    commit(repository)
    configure(repository, attacks=["loss"], policy="policy.yaml")
    report = gate(code=3)  # nothing blocks, and yet a check has no verdict
    assert (report["verdict"], report["complete"]) == ("inconclusive", False)
    assert {change["blocking"] for change in report["changes"]} == {False}
    budgets = [{"metric": "auc", "max": 0.9}, SMALL["budgets"][1]]
    configure(repository, budgets=budgets, policy="policy.yaml")
    report = gate()
    assert report["verdict"] == "pass"
    assert {check["budget"] for check in report["checks"]} == {0.65, 0.35}


def test_a_candidate_cannot_allow_itself_to_change_the_terms(repository):
    rules(repository, on_changed_terms="show")
    configure(repository, budgets=[SMALL["budgets"][0]], policy="policy.yaml")
    report = gate(code=1)
    assert report["verdict"] == "fail"
    assert by_key(report)["policy"]["blocking"] is False


def test_other_fixtures_block(repository):
    manifest = repository / "manifest.json"
    before = hashlib.sha256(manifest.read_bytes()).hexdigest()
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(content, indent=1))
    report = gate(code=1)
    change = by_key(report)["fixtures"]
    assert (change["base"], change["blocking"]) == (before, True)
    assert change["head"] == report["fixtures"]["sha256"] != before
    assert set(verdicts(report).values()) == {"pass"}


def test_fixtures_the_base_branch_does_not_know_are_a_caution(repository):
    git(repository, "switch", "--quiet", "main")
    git(repository, "rm", "--quiet", "--cached", "manifest.json")
    git(repository, "commit", "--quiet", "--message", "private fixtures")
    report = gate()
    assert report["verdict"] == "pass"
    assert "set fixtures.sha256" in " ".join(report["cautions"])


def test_a_pin_on_the_base_branch_holds_for_fixtures_given_on_the_command_line(repository):
    git(repository, "switch", "--quiet", "main")
    pinned = {"path": ".", "sha256": "0" * 64}
    configure(repository, fixtures=pinned)
    commit(repository)
    configure(repository)
    report = gate("--fixtures", str(DIGITS), code=1)
    assert by_key(report)["fixtures"]["base"] == "0" * 64


def test_trust_is_that_of_the_base_branch(repository):
    model = {**SMALL["model"], "trust": "code"}
    configure(repository, model=model)
    report = gate(code=1)  # onnx runs no code, so the model can be judged without trust
    change = by_key(report)["model.trust"]
    assert (change["kind"], change["blocking"], report["verdict"]) == ("loosened", True, "fail")
    assert load_config("privacy_gate.yaml", policy_ref="main").model.trust == "weights"
    configure(repository, model={**model, "format": "torchscript"})
    report = gate(code=2)
    assert "The model may not run code" in report["error"]["message"]
    assert report["error"]["location"].startswith("privacy_gate.yaml:")


def test_the_seed_cannot_be_chosen_by_the_candidate_unnoticed(repository):
    configure(repository, statistics={"seed": 7})
    report = gate(code=1)
    assert by_key(report)["statistics.seed"]["message"].startswith(
        "statistics.seed is 0 on the base branch and 7 here"
    )


def test_a_new_waiver_counts_once_it_is_merged(repository):
    configure(repository, model={**SMALL["model"], "path": "leaky.onnx"}, policy="policy.yaml")
    fixtures = {"path": ".", "label": "canary"}
    leaky = yaml.safe_load((repository / "privacy_gate.yaml").read_text())
    waivers = [
        {"check": check, "reason": "Known.", "until": "2999-01-01", "approved_by": "office"}
        for check in ("loss/auc", "correctness/auc", "loss/log_mia[a]", "correctness/log_mia[a]")
    ]
    git(repository, "switch", "--quiet", "main")
    rules(repository)
    configure(repository, leaky, fixtures=fixtures)
    commit(repository)
    git(repository, "switch", "--quiet", "--create", "waive")
    rules(repository, waivers=waivers)
    report = gate(code=1)
    assert set(verdicts(report).values()) == {"fail"}
    assert report["waivers"] == []
    change = by_key(report)["waivers: loss/auc"]
    assert (change["kind"], change["blocking"]) == ("loosened", False)
    assert "counts once it is merged" in change["message"]
    commit(repository)
    git(repository, "switch", "--quiet", "main")
    git(repository, "merge", "--quiet", "--ff-only", "waive")
    git(repository, "switch", "--quiet", "--create", "later")
    report = gate()
    assert (report["verdict"], report["tolerated"]) == ("inconclusive", True)
    assert set(verdicts(report).values()) == {"waived"}


def test_a_new_configuration_has_no_base_yet(repository):
    shutil.copy("privacy_gate.yaml", "second.yaml")
    report = gate("second.yaml")
    assert (report["verdict"], report["base"]) == ("pass", None)
    commit_id = git(repository, "rev-parse", "main")[:7]
    assert report["cautions"][0] == (
        f"There is no second.yaml on main ({commit_id}) yet, so no terms could be compared with it."
    )


def test_a_link_does_not_hide_the_configuration_of_the_base_branch(repository):
    loose = [{"metric": "auc", "max": 0.9}]
    configure(repository, budgets=loose).rename(repository / "other.yaml")
    (repository / "privacy_gate.yaml").symlink_to("other.yaml")
    report = gate(code=1)
    assert by_key(report)["budgets: loss/auc"]["kind"] == "loosened"


# ------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize("ref", ["nowhere", "-main", "--output=x", "a b", "main\n", "main:x", " "])
def test_a_ref_that_cannot_be_read_is_an_error(repository, ref):
    report = gate(code=2, ref=ref)
    words = " ".join(str(report["error"][key]) for key in ("message", "hint", "location"))
    assert "not in this clone" in words or "names no branch" in words or "empty" in words
    assert report["checks"] == []
    assert not (repository / "x").exists()


def test_a_missing_ref_says_how_to_fetch_it(repository):
    with pytest.raises(UsageError) as caught:
        GitFiles(repository, "release")
    assert "'release' is not in this clone" in str(caught.value)
    assert "fetch-depth: 0" in str(caught.value)


def test_a_directory_that_is_no_repository_has_no_base_branch(tmp_path):
    shutil.copytree(DIGITS, tmp_path / "digits")
    path = configure(tmp_path / "digits")
    with pytest.raises(UsageError, match="is in no git repository"):
        load_config(path, policy_ref="main")


def test_a_broken_configuration_of_the_base_branch_names_the_branch_and_the_line(repository):
    git(repository, "switch", "--quiet", "main")
    configure(repository, budgets=[{"metric": "auc", "max": 2}])
    commit(repository)
    configure(repository)
    report = gate(code=2)
    location = report["error"]["location"]
    assert location.startswith("main:privacy_gate.yaml:")
    assert "can never bind" in report["error"]["message"]


def test_a_policy_that_the_base_branch_lacks_is_an_error(repository):
    git(repository, "switch", "--quiet", "main")
    configure(repository, policy="policy.yaml")
    commit(repository)
    rules(repository)
    report = gate(code=2)
    assert "'policy.yaml' is not there" in report["error"]["message"]
    assert report["error"]["location"].startswith("main:privacy_gate.yaml:")


def test_a_broken_repository_is_an_error_and_not_an_absent_file(repository):
    shutil.rmtree(repository / ".git" / "objects")
    report = gate(code=2)
    assert report["verdict"] == "error"


# ----------------------------------------------------------------------------------- git as files


def test_files_are_read_from_the_commit_byte_for_byte(repository):
    (repository / "a b").mkdir()
    (repository / "a b" / "ä.bin").write_bytes(b"\r\n\x00one")
    first = commit(repository)
    (repository / "a b" / "ä.bin").write_bytes(b"two")
    files = GitFiles(repository, first)
    assert files.commit == first
    assert files("a b/ä.bin") == b"\r\n\x00one"
    assert files("a b") is None
    assert files("none.txt") is None
    assert files("*.yaml") is None  # a path, not a pattern
    assert files(":(glob)**") is None
    assert GitFiles(repository, "HEAD").commit == first


def test_a_link_in_the_base_branch_is_not_followed(repository):
    (repository / "link.yaml").symlink_to("/etc/hostname")
    commit(repository)
    with pytest.raises(ConfigError, match="symbolic link") as caught:
        GitFiles(repository, "proposal")("link.yaml")
    assert caught.value.location == "proposal:link.yaml"


def test_the_branch_of_origin_wins_over_anything_else_of_its_name(repository, tmp_path):
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(repository), str(clone))
    upstream = git(repository, "rev-parse", "main")
    (clone / "more.txt").write_text("x")
    planted = commit(clone)
    git(clone, "tag", "main", planted)
    git(clone, "branch", "--force", "main", planted)
    assert planted != upstream
    assert GitFiles(clone, "main").commit == upstream
    assert GitFiles(clone, "origin/main").commit == upstream
    assert GitFiles(clone, "refs/heads/main").commit == planted
    git(clone, "update-ref", "-d", "refs/remotes/origin/main")
    assert GitFiles(clone, "main").commit == planted
    git(clone, "update-ref", f"refs/remotes/origin/{planted}", upstream)
    assert GitFiles(clone, planted).commit == planted


def test_the_terms_of_any_tree_of_files():
    files = {
        "a/privacy_gate.yaml": b"version: 1\nmodel: {format: onnx}\nattacks: [loss]\n"
        b"fixtures: {path: ../data/set}\nbudgets: [{metric: auc, max: 0.6, max_increase: 0.02}]\n"
        b"policy: ../policy.yaml\nbaseline: {model: main.onnx}\n",
        "policy.yaml": b"version: 1\nbudgets: [{metric: auc, max: 0.55}]\n",
        "data/set/manifest.json": b"{}",
        "a/main.onnx": b"version https://git-lfs.github.com/spec/v1\noid sha256:"
        + b"c" * 64
        + b"\nsize 12\n",
    }
    found = read_terms(files.get, "a/privacy_gate.yaml")
    assert (found.name, found.path, found.singly) == ("a", "a/privacy_gate.yaml", ("loss",))
    assert [(check.id, check.budget, check.path, check.line) for check in found.checks] == [
        ("loss/auc", 0.55, "policy.yaml", 2),
        ("loss/auc:increase", 0.02, None, 5),
    ]
    assert found.fixtures_sha256 == hashlib.sha256(b"{}").hexdigest()
    assert found.pinned["baseline.sha256"] == "c" * 64
    assert found.pinned["fixtures.path"] == "../data/set"
    assert read_terms(files.get, "privacy_gate.yaml") is None


@pytest.mark.parametrize("policy", ["../policy.yaml", "/policy.yaml", "a/../../policy.yaml"])
def test_nothing_is_read_from_outside_the_tree(policy):
    asked = []

    def read(path):
        asked.append(path)
        content = "version: 1\nmodel: {format: onnx}\nbudgets: [{metric: auc, max: 0.6}]\n"
        return f"{content}policy: {policy}\n".encode()

    with pytest.raises(ConfigError, match="lies outside the repository"):
        read_terms(read, "privacy_gate.yaml", ref="main")
    assert asked == ["privacy_gate.yaml"]


def test_the_digest_of_a_file_and_of_the_pointer_to_it():
    content = b"a manifest"
    name = hashlib.sha256(content).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{name}\nsize 10\n"
    assert digest(content) == digest(pointer.encode()) == name
    assert digest(b"x" + pointer.encode()) != name


# ------------------------------------------------------------------------------------- in pytest


def test_a_loosened_budget_is_a_failed_test_although_every_check_passes(project, monkeypatch):
    git(project.path, "init", "--quiet", "--initial-branch=main")
    project.configure()
    commit(project.path)
    project.configure(budgets=[{"metric": "auc", "max": 0.9}, SMALL["budgets"][1]])
    monkeypatch.setenv("PRIVACY_GATE_POLICY_REF", "main")
    result = project.run("--privacy-gate", "--privacy-gate-report=report")
    assert result.ret == 1
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(["FAILED privacy_gate.yaml::changed-terms - The budget of*"])
    assert project.report()["verdict"] == "fail"
    result = project.run("--privacy-gate", "--privacy-gate-report=report", "-k", "loss")
    assert result.ret == 0  # what was deselected cannot fail, but the report says so
    assert (project.report()["verdict"], project.report()["complete"]) == ("fail", False)


def test_a_check_that_only_the_base_branch_has_is_a_failed_test(project, monkeypatch):
    git(project.path, "init", "--quiet", "--initial-branch=main")
    project.configure()
    commit(project.path)
    project.configure(attacks=["loss"])
    monkeypatch.setenv("PRIVACY_GATE_POLICY_REF", "main")
    result = project.run("--privacy-gate", "--privacy-gate-report=report")
    result.assert_outcomes(passed=2, failed=3)  # the changed terms, and two checks not made
    assert verdicts(project.report())["correctness/auc"] == "not_run"
