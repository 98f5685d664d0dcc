"""``extends``: a file completed by another, with every value traced to the file it stands in."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from datetime import date
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from plugin_project import SMALL, verdicts
from test_config import FULL
from test_policy_ref import DIGITS, commit, git

from privacy_gate.cli import main
from privacy_gate.config import config_schema, load_config
from privacy_gate.config.terms_reader import read_terms
from privacy_gate.errors import ConfigError
from privacy_gate.explanation.page import explain
from privacy_gate.report.parse import read_untrusted
from privacy_gate.terms import changes

COMMON = """\
version: 1
policy: rules/policy.yaml
attacks: [loss, margin]
budgets:
  - {metric: auc, max: 0.6}
statistics: {confidence: 0.9, seed: 7}
"""
OWN = """\
version: 1
extends: ../common.yaml
model: {format: onnx, path: model.onnx}
fixtures: data
"""
POLICY = "version: 1\nowner: privacy@example.org\n"


@pytest.fixture(autouse=True)
def _nothing_of_the_users(monkeypatch):
    for name in ("CONFIG", "MODEL", "FIXTURES", "DEVICE", "ROOTS", "KEY", "DEBUG", "POLICY_REF"):
        monkeypatch.delenv(f"PRIVACY_GATE_{name}", raising=False)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with the directory ``a`` for one model and a common file above it."""
    top = tmp_path / "top"
    write(top, {"common.yaml": COMMON, "a/privacy_gate.yaml": OWN, "rules/policy.yaml": POLICY})
    (top / ".git").mkdir()
    monkeypatch.chdir(top)
    return top


def write(top, files):
    for name, text in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if isinstance(text, str) else yaml.safe_dump(text, sort_keys=False))


def load(top, **files):
    """The configuration ``a`` with changes of the text of its files."""
    for name, text in files.items():
        write(top, {{"common": "common.yaml", "own": "a/privacy_gate.yaml"}[name]: text})
    return load_config("a/privacy_gate.yaml")


def refusal(top, **files):
    """One line ``file:line:column: key: sentence`` for each problem."""
    with pytest.raises(ConfigError) as caught:
        load(top, **files)
    return str(caught.value).splitlines()


# ------------------------------------------------------------------------------------- merging


def test_mappings_are_merged_and_everything_else_is_replaced(project):
    config = load(
        project,
        common=COMMON + "model: {format: torch, kwargs: {a: 1, b: 2}, device: cpu}\n"
        "limits: {seconds: 9}\n",
        own=OWN.replace("path: model.onnx", "kwargs: {b: 3, c: null}, path: m, factory: 'x:y'")
        .replace("onnx", "torch")
        .replace("data", "{path: data}")
        + "attacks: [entropy]\nstatistics: {seed: 0}\n",
    )
    assert config.model.kwargs == {"a": 1, "b": 3, "c": None}
    assert (config.model.device, config.limits.seconds) == ("cpu", 9)
    assert (config.statistics.confidence, config.statistics.seed) == (0.9, 0)
    assert config.attack_names == ("entropy",)
    assert config.name == "a"


def test_a_value_of_another_kind_replaces_the_whole(project):
    common = COMMON.replace("attacks: [loss, margin]", "attacks: {x: 1, y: [2]}")
    common += "fixtures: {path: x, label: y}\n"
    config = load(project, common=common, own=OWN + "attacks: [loss]\n")
    assert config.fixtures_path == project / "a" / "data"
    assert config.fixtures.label is None
    (line,) = refusal(
        project, common=COMMON + "fixtures: x\n", own=OWN.replace("data", "{label: y}")
    )
    assert line.startswith("a/privacy_gate.yaml:4:1: fixtures.path: is required")


def leaves(value, place=()):
    """The places of everything that is no mapping."""
    if not isinstance(value, dict):
        return [place]
    return [found for key, part in value.items() for found in leaves(part, (*place, key))]


def chosen(value, places, place=()):
    """The part of the value with these leaves, ``None`` if there are none."""
    if not isinstance(value, dict):
        return value if place in places else None
    parts = {key: chosen(part, places, (*place, key)) for key, part in value.items()}
    return {
        key: part
        for key, part in parts.items()
        if part not in (None, {}) or (*place, key) in places
    }


WHOLE = yaml.safe_load(FULL)
WHOLE["statistics"]["on_inconclusive"]["warn_until"] = "2027-03-31"
LEAVES = [place for place in leaves(WHOLE) if place not in (("version",), ("name",))]
divisions = st.lists(st.booleans(), min_size=len(LEAVES), max_size=len(LEAVES)).map(
    lambda sides: frozenset(place for place, side in zip(LEAVES, sides, strict=True) if side)
)


def divide(folder, inherited):
    """The full configuration as two files in one directory; ``inherited``: what the other has."""
    own = {("version",), ("name",), *LEAVES} - inherited
    write(
        folder,
        {
            "privacy_gate.yaml": {"extends": "common.yaml", **chosen(WHOLE, own)},
            "common.yaml": {"version": 1, **chosen(WHOLE, inherited)},
        },
    )
    return load_config(folder / "privacy_gate.yaml")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("divided")
    (folder / "lib").mkdir()
    return folder


@given(inherited=divisions)
@settings(max_examples=30, deadline=None)
def test_a_file_divided_in_two_means_the_same_and_every_value_is_found(folder, inherited):
    write(folder, {"whole.yaml": WHOLE})
    whole, config = load_config(folder / "whole.yaml"), divide(folder, inherited)
    assert config.settings.model_copy(update={"extends": None}) == whole.settings
    assert config.python_path == whole.python_path
    assert config.terms.pinned == whole.terms.pinned
    for place in LEAVES:
        name = "common.yaml" if place in inherited else "privacy_gate.yaml"
        file, line, _ = config.location(*place).rsplit(":", 2)
        assert (Path(file).name, config.file_of(*place)) == (name, name)
        assert f"{place[-1]}:" in (folder / name).read_text().splitlines()[int(line) - 1]
        assert config.line_of(*place) == int(line)


@given(inherited=divisions, broken=st.sampled_from(LEAVES))
@settings(max_examples=30, deadline=None)
def test_an_unknown_value_is_found_in_the_file_that_has_it(folder, inherited, broken):
    divide(folder, inherited)
    name = "common.yaml" if broken in inherited else "privacy_gate.yaml"
    content = yaml.safe_load((folder / name).read_text())
    at = content
    for part in broken[:-1]:
        at = at[part]
    at[f"{broken[-1]}~"] = at.pop(broken[-1])
    write(folder, {name: content})
    if broken[:2] in (("model", "kwargs"), ("model", "inputs")):
        return  # these hold names of the user's own
    with pytest.raises(ConfigError) as caught:
        load_config(folder / "privacy_gate.yaml")
    (line,) = [text for text in str(caught.value).splitlines() if "unknown key" in text]
    place, key, _ = line.split(": ", 2)
    file, number, _ = place.rsplit(":", 2)
    assert Path(file).name == name
    assert key.endswith(f"{broken[-1]}~")
    assert f"{broken[-1]}~:" in (folder / name).read_text().splitlines()[int(number) - 1]


# --------------------------------------------------------------------------------------- paths


def test_paths_are_relative_to_the_file_they_stand_in(project):
    (project / "lib").mkdir()
    common = (
        COMMON + "python_path: [., ./lib]\nbaseline: base.json\n"
        "model: {path: m.onnx}\nfixtures: {path: data, root: ./raw, receipt: x/../r}\n"
    )
    own = OWN.replace(", path: model.onnx", "").replace("fixtures: data\n", "")
    config = load(project, common=common, own=own)
    assert config.python_path == (project, project / "lib")
    assert config.baseline_path == project / "base.json"
    assert config.model_path == project / "m.onnx"
    assert config.fixtures_path == project / "data"
    assert config.fixtures_root == project / "raw"
    assert config.receipt_path == project / "r"
    assert config.policy["path"] == "rules/policy.yaml"
    config = load(project, own=OWN + "python_path: [.]\nbaseline: {model: base.onnx}\n")
    assert config.python_path == (project / "a",)
    assert config.baseline_model == project / "a" / "base.onnx"
    assert config.model_path == project / "a" / "model.onnx"


def test_without_a_python_path_it_is_the_directory_of_the_extending_file(project):
    assert load(project).python_path == (project / "a",)


def test_a_command_line_still_replaces_what_the_common_file_says(project):
    common = COMMON + "model: {path: m.onnx, device: cpu}\n"
    write(
        project,
        {"common.yaml": common, "a/privacy_gate.yaml": OWN.replace(", path: model.onnx", "")},
    )
    config = load_config("a/privacy_gate.yaml", model="other.onnx", device="cuda")
    assert config.model_path == project / "other.onnx"
    assert [(item["key"], item["from"]) for item in config.overrides] == [
        ("model.path", "../m.onnx"),
        ("model.device", "cpu"),
    ]


# ------------------------------------------------------------------------------------- problems


def test_all_problems_of_both_files_are_reported_at_once(project):
    lines = refusal(
        project,
        common=COMMON.replace("0.9", "2").replace("rules/", "../../rules/")
        + "limits: {hours: 1}\nfixtures: {root: ~/x}\nbaseline:\n",
        own=OWN.replace("onnx,", "onyx,") + "attacks: [los]\ntask: 1e-3\n",
    )
    assert [line.split(": ")[0] for line in lines] == [
        "a/privacy_gate.yaml:3:17",
        "a/privacy_gate.yaml:5:11",
        "a/privacy_gate.yaml:6:7",
        "common.yaml:2:9",
        "common.yaml:6:26",
        "common.yaml:7:10",
        "common.yaml:9:1",
    ]
    text = "\n".join(lines)
    assert "model.format: expected 'torch'" in text
    assert "policy: '../../rules/policy.yaml' lies outside the project" in text
    assert "statistics.confidence: must be less than 1, not 2" in text
    assert "limits.hours: unknown key" in text
    assert "baseline: has no value" in text


def test_what_the_extending_file_replaces_is_still_read(project):
    own = OWN + "statistics: {confidence: 0.95}\n"
    (line,) = refusal(project, common=COMMON.replace("0.9", "9e-1"), own=own)
    assert line.startswith("common.yaml:6:26: statistics.confidence: ")


def test_a_todo_is_named_in_the_file_that_has_it(project):
    (line,) = refusal(project, common=COMMON.replace("rules/policy.yaml", "TODO"))
    assert line.startswith("common.yaml:2:9: policy: fill in")


def test_every_file_has_its_own_version(project):
    first, second = refusal(
        project, common=COMMON.replace("version: 1\n", ""), own=OWN.replace("version: 1\n", "")
    )
    assert first == "a/privacy_gate.yaml:1:1: version: is required"
    assert second == "common.yaml:1:1: version: is required"
    (line,) = refusal(project, common=COMMON.replace("1", "2", 1), own=OWN)
    assert line.startswith("common.yaml:1:10: version: expected 1")


def test_it_is_one_level_deep_and_every_file_has_its_own_name(project):
    lines = refusal(project, common=COMMON + "name: a\nextends: rules/policy.yaml\n")
    assert [line.split(": ")[:2] for line in lines] == [
        ["common.yaml:7:1", "name"],
        ["common.yaml:8:1", "extends"],
    ]
    assert "no two may have the same" in lines[0]
    assert "one level" in lines[1]
    lines = refusal(project, common=COMMON, own=OWN.replace("../common", "privacy_gate"))
    assert any("one level" in line for line in lines)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("../comon.yaml", "'../comon.yaml' does not exist"),
        ("../../common.yaml", "'../../common.yaml' lies outside the project"),
        ("/etc/hostname", "'/etc/hostname' lies outside the project"),
        ("~/common.yaml", "starts with '~'"),
        ("../linked.yaml", "'../linked.yaml' lies outside the project"),
        ("'a\\0b'", "'a\\\\0b' does not exist"),
        ("TODO", "fill in"),
        ("''", "must not be empty"),
        ("[../common.yaml]", "expected text, not a list"),
        ("", "has no value"),
    ],
)
def test_a_file_that_cannot_be_extended(project, text, sentence):
    (project.parent / "common.yaml").write_text(COMMON)
    (project / "linked.yaml").symlink_to("../common.yaml")
    lines = refusal(project, own=OWN.replace("../common.yaml", text))
    (line,) = [line for line in lines if " extends: " in line]
    assert line.startswith("a/privacy_gate.yaml:2:")
    assert sentence in line


@pytest.mark.parametrize(
    ("content", "location"),
    [("", "common.yaml:1:1"), ("[]", "common.yaml:1:1"), ("a: [", "common.yaml:1:5")],
)
def test_a_common_file_that_is_no_configuration(project, content, location):
    (line,) = refusal(project, common=content)
    assert line.startswith(f"{location}: ")


def test_a_directory_is_no_common_file(project):
    (line,) = refusal(project, own=OWN.replace("../common.yaml", ".."))
    assert "The extended configuration is a directory." in line


def test_a_directory_outside_of_the_project_can_be_allowed(project):
    (project.parent / "common.yaml").write_text(COMMON.replace("rules", "top/rules"))
    own = OWN.replace("../common", "../../common")
    write(project, {"a/privacy_gate.yaml": own})
    config = load_config("a/privacy_gate.yaml", allow_roots=[project.parent])
    assert config.extends["path"] == str(project.parent / "common.yaml")
    assert config.policy["path"] == "rules/policy.yaml"


def test_editors_know_that_the_rest_is_elsewhere():
    schema = config_schema()
    for text in (OWN, OWN.replace("format: onnx, ", ""), "version: 1\nextends: x.yaml\n"):
        jsonschema.validate(yaml.safe_load(text), schema)
    for text in (OWN.replace("extends", "policy"), "extends: x.yaml\n", OWN + "extend: x\n"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(yaml.safe_load(text), schema)


# ---------------------------------------------------------------------------------------- checks


def test_a_check_names_the_file_of_its_budget(project):
    config = load(project)
    assert [(check.id, check.path, check.line) for check in config.terms.checks] == [
        ("loss/auc", "common.yaml", 5),
        ("margin/auc", "common.yaml", 5),
    ]
    assert config.sha256 == hashlib.sha256(OWN.encode()).hexdigest()
    assert config.extends == {
        "path": "common.yaml",
        "sha256": hashlib.sha256(COMMON.encode()).hexdigest(),
    }
    config = load(project, own=OWN + "budgets: [{metric: auc, max: 0.7}]\n")
    assert {(check.path, check.line) for check in config.terms.checks} == {(None, 5)}


def test_the_stricter_policy_wins_over_a_common_file(project):
    write(project, {"rules/policy.yaml": POLICY + "budgets: [{metric: auc, max: 0.55}]\n"})
    config = load(project)
    assert {(check.path, check.budget) for check in config.terms.checks} == {
        ("rules/policy.yaml", 0.55)
    }
    shown = " ".join(explain(config, date(2026, 1, 1)).split())
    assert "what a/privacy_gate.yaml, which extends common.yaml, asks for" in shown
    assert "It is stricter than the 0.6 in common.yaml, line 5, which does not count." in shown


# ----------------------------------------------------------------------------------- a real run


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """The bundled digits below a common file, as a repository with the branch ``main``."""
    top = tmp_path_factory.mktemp("digits") / "repository"
    own = {key: SMALL[key] for key in ("version", "model", "fixtures")}
    common = {key: SMALL[key] for key in ("version", "attacks", "budgets")}
    write(
        top,
        {
            "common.yaml": {**common, "policy": "policy.yaml"},
            "a/privacy_gate.yaml": {"extends": "../common.yaml", **own},
            "policy.yaml": POLICY,
        },
    )
    for name in ("private.onnx", "manifest.json", "members.npz", "nonmembers.npz"):
        shutil.copy(DIGITS / name, top / "a")
    git(top, "init", "--quiet", "--initial-branch=main")
    commit(top)
    git(top, "switch", "--quiet", "--create", "proposal")
    return top


@pytest.fixture
def repository(digits, tmp_path, monkeypatch):
    shutil.copytree(digits, tmp_path / "repository")
    monkeypatch.chdir(tmp_path / "repository")
    return tmp_path / "repository"


def edit(path, **changes):
    content = {**yaml.safe_load(Path(path).read_text()), **changes}
    content = {key: value for key, value in content.items() if value is not None}
    Path(path).write_text(yaml.safe_dump(content, sort_keys=False))


def invoke(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def gate(*options, code=0):
    """The report of the command, which must end with the code."""
    return json.loads(
        invoke("run", "--json", "-", *options, "a/privacy_gate.yaml", code=code).stdout
    )


def test_the_report_covers_both_files(repository):
    report = gate("--output", "report")
    content = Path("common.yaml").read_bytes()
    assert report["config"]["path"] == "a/privacy_gate.yaml"
    assert report["config"]["extends"] == {
        "path": "common.yaml",
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    lines = content.decode().splitlines()
    for check in report["checks"]:
        assert check["path"] == "common.yaml"
        assert lines[check["line"] - 1] == f"- metric: {check['metric']}"
    text = Path("report/report.json").read_text()
    (read,) = read_untrusted(text)
    assert read.to_dict()["config"] == report["config"]
    assert "Extended configuration" in Path("report/report.html").read_text()

    invoke("evidence", "report/report.json", "-o", "evidence.zip")
    with zipfile.ZipFile("evidence.zip") as archive:
        assert archive.read("extended.yaml") == content
        assert report["config"]["extends"]["sha256"] in archive.read("TERMS.md").decode()
    invoke("evidence", "report/report.json", "--predicate", "predicate.json")
    digests = json.loads(Path("predicate.json").read_text())["digests"]
    assert digests["extended"] == report["config"]["extends"]["sha256"]
    Path("common.yaml").write_bytes(content + b"# changed\n")
    refused = invoke("evidence", "report/report.json", "-o", "other.zip", code=2)
    assert (
        "The extended configuration is not the one that the report was made with" in refused.stderr
    )
    assert not Path("other.zip").exists()


def test_a_changed_common_file_prevents_reuse(repository, monkeypatch):
    for name, value in {
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_SHA": "1" * 40,
        "GITHUB_REPOSITORY": "octo-org/digits",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_RUN_ID": "42",
    }.items():
        monkeypatch.setenv(name, value)
    arguments = ("--reuse", "earlier.json", "--default-branch", "main", "a/privacy_gate.yaml")
    invoke("run", "--json", "earlier.json", "a/privacy_gate.yaml")
    assert "a: reused from commit" in invoke("run", *arguments).stderr
    Path("common.yaml").write_text(Path("common.yaml").read_text() + "# a comment\n")
    assert "not reused: the configuration" in invoke("run", *arguments).stderr


def test_an_error_names_both_files_as_well(repository):
    Path("a/members.npz").write_bytes(b"")
    report = gate(code=2)
    assert report["config"]["extends"]["path"] == "common.yaml"


# --------------------------------------------------------------------------------- the base branch


def keys(report):
    return {(change["key"], change["kind"], change["blocking"]) for change in report["changes"]}


LOOSENED = {("budgets: loss/auc", "loosened", True), ("budgets: correctness/auc", "loosened", True)}
LOOSE = [{"metric": "auc", "max": 0.9}, SMALL["budgets"][1]]


def test_a_looser_common_file_fails(repository):
    edit("common.yaml", budgets=LOOSE)
    report = gate("--policy-ref", "main", code=1)
    assert keys(report) == LOOSENED
    assert set(verdicts(report).values()) == {"pass"}
    assert {check["budget"] for check in report["checks"] if check["metric"] == "auc"} == {0.65}
    config = load_config("a/privacy_gate.yaml", policy_ref="main")
    shown = " ".join(explain(config, date(2026, 1, 1)).split())
    assert "(common.yaml on main, line 6)" in shown
    assert "It is stricter than the 0.9 in common.yaml, line 6, which does not count." in shown
    assert "(common.yaml, line 8)" in shown


def test_another_file_to_extend_does_not_loosen_anything(repository):
    shutil.copy("common.yaml", "loose.yaml")
    edit("loose.yaml", budgets=LOOSE)
    edit("a/privacy_gate.yaml", extends="../loose.yaml")
    config = load_config("a/privacy_gate.yaml", policy_ref="main")
    assert {(change.key, change.kind, change.blocking) for change in config.changes} == LOOSENED
    edit("a/privacy_gate.yaml", extends="../common.yaml", budgets=LOOSE)
    config = load_config("a/privacy_gate.yaml", policy_ref="main")
    assert {(change.key, change.kind, change.blocking) for change in config.changes} == LOOSENED


def test_nothing_changes_where_values_only_move_between_the_files(repository):
    own = yaml.safe_load(Path("a/privacy_gate.yaml").read_text())
    common = yaml.safe_load(Path("common.yaml").read_text())
    whole = {**common, **own, "extends": None, "policy": "../policy.yaml"}
    edit("a/privacy_gate.yaml", **whole)
    Path("common.yaml").unlink()
    config = load_config("a/privacy_gate.yaml", policy_ref="main")
    assert config.changes == ()
    assert config.base["ref"] == "main"


def test_a_common_file_that_the_base_branch_lacks_is_an_error(repository):
    git(repository, "switch", "--quiet", "main")
    git(repository, "rm", "--quiet", "--cached", "common.yaml")
    git(repository, "commit", "--quiet", "--message", "oops")
    with pytest.raises(ConfigError, match=r"'../common.yaml' is not there") as caught:
        load_config("a/privacy_gate.yaml", policy_ref="main")
    assert caught.value.location == "main:a/privacy_gate.yaml:1:10"


def test_a_link_in_the_place_of_the_common_file_is_not_followed(repository):
    git(repository, "switch", "--quiet", "main")
    Path("common.yaml").rename("real.yaml")
    Path("common.yaml").symlink_to("real.yaml")
    commit(repository)
    load_config("a/privacy_gate.yaml")
    with pytest.raises(ConfigError, match="symbolic link"):
        load_config("a/privacy_gate.yaml", policy_ref="main")


TREE = {
    "a/privacy_gate.yaml": OWN.encode(),
    "common.yaml": COMMON.encode(),
    "rules/policy.yaml": POLICY.encode(),
}


def test_the_terms_of_any_tree_follow_the_common_file():
    terms = read_terms(TREE.get, "a/privacy_gate.yaml")
    assert [(check.id, check.budget, check.path, check.line) for check in terms.checks] == [
        ("loss/auc", 0.6, "common.yaml", 5),
        ("margin/auc", 0.6, "common.yaml", 5),
    ]
    assert (terms.name, terms.path) == ("a", "a/privacy_gate.yaml")
    assert (terms.confidence, terms.owner) == (0.9, "privacy@example.org")
    assert terms.pinned["statistics.seed"] == "7"
    assert terms.pinned["policy"] == "../rules/policy.yaml"
    assert "extends" not in terms.pinned


def test_a_problem_in_another_tree_names_the_tree_and_the_file():
    tree = {**TREE, "common.yaml": COMMON.replace("0.6", "6").encode()}
    with pytest.raises(ConfigError) as caught:
        read_terms(tree.get, "a/privacy_gate.yaml", "main")
    assert caught.value.location == "main:common.yaml:5:24"


@pytest.mark.parametrize("name", ["../../common.yaml", "/common.yaml", "../b/../../common.yaml"])
def test_the_common_file_is_never_read_from_outside_the_tree(name):
    asked = []

    def read(path):
        asked.append(path)
        return OWN.replace("../common.yaml", name).encode()

    with pytest.raises(ConfigError, match="lies outside the repository"):
        read_terms(read, "a/privacy_gate.yaml")
    assert asked == ["a/privacy_gate.yaml"]


def test_equal_text_in_another_file_is_another_place():
    """Fixtures without a known digest are told apart by where they lie."""
    moved = {
        **TREE,
        "a/privacy_gate.yaml": OWN.replace("fixtures: data\n", "").encode(),
        "common.yaml": (COMMON + "fixtures: data\n").encode(),
    }
    base, head = (read_terms(tree.get, "a/privacy_gate.yaml") for tree in (TREE, moved))
    (change,) = changes(base, head)
    assert (change.key, change.base, change.head) == ("fixtures.path", "data", "../data")
    assert change.blocking
