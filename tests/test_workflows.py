"""Every workflow and action of this project, its examples included: linted, pinned, with the least
permissions, and in step with the documentation."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from privacy_gate.commands.github import _IDENTIFIER
from privacy_gate.commands.github import github as github_command
from privacy_gate.github.comment import MODES

ROOT = Path(__file__).parent.parent
ACTIONS = [ROOT / "action.yml", ROOT / "action" / "report" / "action.yml"]
OWN = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
EXAMPLES = sorted((ROOT / "examples" / "workflows").rglob("*.yml"))
WORKFLOWS = [*OWN, *EXAMPLES]
README = (ROOT / "README.md").read_text()
GUIDE = (ROOT / "docs" / "github.md").read_text()

INPUTS = [
    "config", "model", "fixtures", "id", "output", "comment", "check-run", "sarif", "policy-ref",
    "python", "install", "reuse", "token",
]  # fmt: skip
OUTPUTS = [
    "verdict", "complete", "worst_check", "worst_ratio", "report_json", "html", "sarif", "changed",
]  # fmt: skip
PINS = {
    "actions/attest": "1e69f48acb82d1966a394da916b4c1698aa569d6 # v4.2.2",
    "actions/cache/restore": "55cc8345863c7cc4c66a329aec7e433d2d1c52a9 # v6.1.0",
    "actions/cache/save": "55cc8345863c7cc4c66a329aec7e433d2d1c52a9 # v6.1.0",
    "actions/checkout": "3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1",
    "actions/download-artifact": "3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c # v8.0.1",
    "actions/setup-python": "5fda3b95a4ea91299a34e894583c3862153e4b97 # v7.0.0",
    "actions/upload-artifact": "043fb46d1a93c77aae656e7c1c64a875d1fc6a0a # v7.0.1",
    "github/codeql-action/upload-sarif": "5595ccaf912efad79be6eef63a5619ff05969be3 # v4.37.6",
    "pypa/gh-action-pypi-publish": "dc37677b2e1c63e2034f94d8a5b11f265b73ba33 # v1.14.2",
}
"""What may be used, at which commit; the comment names the release."""
PLACEHOLDER = "0" * 40 + " # the commit of a release"
OURS = {
    "OWNER/privacy-gate": ACTIONS[0],
    "OWNER/privacy-gate/action/report": ACTIONS[1],
    "$/": ACTIONS[0],
}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def parsed(path: Path) -> dict[str, Any]:
    content = yaml.safe_load(path.read_text())
    content["on"] = content.pop(True, None)  # YAML 1.1 reads the key on as a truth value
    return content


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    return parsed(path)["jobs"]


def steps(path: Path) -> list[dict[str, Any]]:
    """The steps of an action, or of all jobs of a workflow."""
    if path in ACTIONS:
        return parsed(path)["runs"]["steps"]
    return [step for job in jobs(path).values() for step in job["steps"]]


def texts(value: Any) -> list[str]:
    """Every text below a YAML value."""
    if isinstance(value, dict):
        return [text for inner in value.values() for text in texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in texts(inner)]
    return [value] if isinstance(value, str) else []


def linter(program: str, *words: str | Path) -> None:
    """Run a linter of the dev extra; it must find nothing."""
    path = shutil.which(program, path=str(Path(sys.executable).parent))
    assert path is not None, f"{program} is not installed beside this Python"
    done = subprocess.run([path, *map(str, words)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


every_file = pytest.mark.parametrize("path", [*ACTIONS, *WORKFLOWS], ids=name_of)
every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)


# ------------------------------------------------------------------------------------------ linters


def test_all_files_are_here():
    assert {path.stem for path in OWN} == {"ci", "release"}
    assert {str(path.relative_to(ROOT / "examples" / "workflows")) for path in EXAMPLES} == {
        "cpu.yml", "gpu.yml", "matrix.yml", "release.yml", "fork-safe/measure.yml",
        "fork-safe/report.yml", "private-fixtures/request.yml", "private-fixtures/gate.yml",
    }  # fmt: skip


def test_zizmor_finds_nothing():
    linter("zizmor", "--offline", "--persona=auditor", "--no-progress", *ACTIONS, *WORKFLOWS)


def test_the_actions_fit_githubs_schema():
    linter("check-jsonschema", "--builtin-schema", "vendor.github-actions", *ACTIONS)


def test_the_workflows_fit_githubs_schema():
    linter("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS)


def test_a_finding_is_silenced_only_where_workflow_run_is_meant():
    silenced = {
        (name_of(path), rule, bool(reason.strip()), "workflow_run:" in line)
        for path in (*ACTIONS, *WORKFLOWS)
        for line in path.read_text().splitlines()
        for rule, reason in re.findall(r"zizmor: ignore\[([\w,-]+)\](.*)", line)
    }
    assert silenced == {
        ("examples/workflows/fork-safe/report.yml", "dangerous-triggers", True, True),
        ("examples/workflows/private-fixtures/gate.yml", "dangerous-triggers", True, True),
    }


# ----------------------------------------------------------------------------------------- security


@every_file
def test_every_action_is_pinned_to_the_commit_of_a_release(path):
    for line in re.findall(r"^\s*(?:- )?uses: (.*)$", path.read_text(), re.M):
        action, _, pin = line.partition("@")
        if action == "$/":  # this repository at the commit that runs
            assert path in OWN
            assert pin == ""
        elif action in OURS:
            assert path in EXAMPLES
            assert pin == PLACEHOLDER
        else:
            assert pin == PINS[action], line


@every_file
def test_no_script_contains_an_expression(path):
    for step in steps(path):
        assert "${{" not in step.get("run", "")


@pytest.mark.parametrize("path", ACTIONS, ids=name_of)
def test_scripts_of_the_actions_are_one_line(path):
    scripts = [step["run"] for step in steps(path) if "run" in step]
    assert scripts
    assert all(len(script.strip().splitlines()) == 1 for script in scripts)
    assert all(step["shell"] == "bash" for step in steps(path) if "run" in step)


@every_workflow
def test_nothing_is_permitted_but_what_a_job_names_and_explains(path):
    assert parsed(path)["permissions"] == {}
    for job in jobs(path).values():
        assert isinstance(job["permissions"], dict)
    text = path.read_text()
    for permission, access in re.findall(r"^\s+([a-z-]+): (read|write)\b", text, re.M):
        explained = re.findall(rf"^\s+{permission}: {access} # \w+.*$", text, re.M)
        stated = re.findall(rf"^\s+{permission}: {access}\b", text, re.M)
        assert len(explained) == len(stated), f"{permission}: {access}"


@every_workflow
def test_every_job_ends_and_every_workflow_says_what_runs_side_by_side(path):
    assert set(parsed(path)["concurrency"]) == {"group", "cancel-in-progress"}
    for job in jobs(path).values():
        assert job["timeout-minutes"] <= 60


@every_workflow
def test_no_checkout_leaves_its_token_behind(path):
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@every_file
def test_pull_request_target_is_never_used(path):
    assert "pull_request_target" not in path.read_text()


@every_workflow
def test_jobs_that_run_a_candidate_hold_no_token_that_can_write_for_strangers(path):
    """On ``workflow_run`` and ``pull_request`` of forks; one job may do both for people one
    trusts, where GitHub itself makes the token of a fork read-only."""
    privileged = "workflow_run" in parsed(path)["on"]
    for job in jobs(path).values():
        used = [step.get("uses", "").partition("@")[0] for step in job["steps"]]
        measures = {"OWNER/privacy-gate", "$/"} & set(used)
        checks_out = any(step.startswith("actions/checkout") for step in used)
        if privileged and (measures or checks_out):
            assert "environment" in job
            assert set(job["permissions"].values()) == {"read"}
        if "OWNER/privacy-gate/action/report" in used:
            assert not measures


@every_workflow
def test_secrets_are_given_to_environments_only(path):
    for job in jobs(path).values():
        if any("secrets." in text for text in texts(job)):
            assert "environment" in job


def test_the_measuring_half_for_forks_holds_nothing():
    (job,) = jobs(ROOT / "examples/workflows/fork-safe/measure.yml").values()
    assert job["permissions"] == {"contents": "read"}
    assert not [text for text in texts(job) if "secrets" in text or "token" in text.lower()]


def test_the_reporting_half_for_forks_runs_after_failures_and_checks_out_nothing():
    path = ROOT / "examples/workflows/fork-safe/report.yml"
    (job,) = jobs(path).values()
    assert '"failure"' in job["if"]
    for event in parsed(path.with_name("measure.yml"))["on"]:  # a check that is required for all
        assert f'"{event}"' in job["if"]
    assert not [step for step in job["steps"] if "checkout" in step.get("uses", "")]
    assert job["permissions"] == {
        "actions": "read", "checks": "write", "contents": "read", "pull-requests": "write",
    }  # fmt: skip
    measure = parsed(ROOT / "examples/workflows/fork-safe/measure.yml")
    assert parsed(path)["on"]["workflow_run"]["workflows"] == [measure["name"]]


def test_forks_reach_private_fixtures_only_through_an_environment_and_by_the_commit():
    path = ROOT / "examples/workflows/private-fixtures/gate.yml"
    job = jobs(path)["measure"]
    assert "'privacy-gate-forks'" in job["environment"]
    checkout = job["steps"][0]
    assert checkout["with"]["ref"] == "${{ github.event.workflow_run.head_sha }}"
    request = parsed(path.with_name("request.yml"))
    for event in request["on"]:
        assert f'"{event}"' in job["if"]
    assert parsed(path)["on"]["workflow_run"]["workflows"] == [request["name"]]


def test_forks_never_reach_a_gpu_runner_and_are_not_passed_for_that():
    gpu, verdict = jobs(ROOT / "examples/workflows/gpu.yml").values()
    assert "head.repo.full_name == github.repository" in gpu["if"]
    assert (verdict["needs"], verdict["if"]) == ("gpu", "always()")
    assert verdict["steps"][0]["run"] == 'test "$RESULT" = success'


# ----------------------------------------------------------------- actions, settings, documentation


def declared(path: Path) -> dict[str, Any]:
    return parsed(path)["inputs"]


def test_the_inputs_and_outputs_are_the_documented_ones():
    action = parsed(ACTIONS[0])
    assert list(action["inputs"]) == INPUTS
    assert list(action["outputs"]) == OUTPUTS
    assert action["branding"] == {"icon": "shield", "color": "purple"}


@pytest.mark.parametrize("path", ACTIONS, ids=name_of)
def test_no_input_has_a_default_of_its_own(path):
    for name, rule in declared(path).items():
        assert (rule["required"], rule["default"]) == (False, ""), name
        assert rule["description"]


@pytest.mark.parametrize("path", ACTIONS, ids=name_of)
def test_every_input_is_used_and_only_declared_ones_are(path):
    used = set(re.findall(r"inputs\.([a-z-]+)", path.read_text()))
    assert used == set(declared(path))


def test_both_actions_describe_an_input_alike():
    one, other = map(declared, ACTIONS)
    same = (set(one) & set(other)) - {"config", "id", "token"}
    assert len(same) >= 6
    assert {name: one[name] for name in same} == {name: other[name] for name in same}


def variables(path: Path) -> set[str]:
    return {
        name for step in steps(path) for name in step.get("env", {}) if name.startswith("INPUT_")
    }


def test_the_steps_read_exactly_the_inputs_that_the_actions_pass_on():
    scripts = "".join(path.read_text() for path in (ROOT / "action").glob("*.py"))
    (names,) = re.findall(r"^NAMES = \((.*?)\)", scripts, re.M | re.S)
    read = {f"INPUT_{name}" for name in re.findall(r'"(\w+)"', names)}
    read |= set(re.findall(r'"(INPUT_\w+)"', scripts)) | {"INPUT_PYTHON"}
    assert variables(ACTIONS[0]) | variables(ACTIONS[1]) == read
    own = {f"INPUT_{name.upper().replace('-', '_')}" for name in INPUTS} - {"INPUT_TOKEN"}
    assert variables(ACTIONS[0]) - {"INPUT_REPORTS"} == own


def test_the_token_reaches_no_step_that_runs_a_candidate():
    for path in ACTIONS:
        for step in steps(path):
            given = [text for text in texts(step.get("env", {})) if "token" in text]
            assert bool(given) == (step.get("id") in ("publish", "download"))
    assert "GITHUB_ENV" not in ACTIONS[0].read_text()


def table(title: str) -> list[str]:
    """First column of the table below a heading of the guide."""
    section = GUIDE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([\w-]+)` \|", section, re.M)


def test_the_guide_lists_every_input_and_output():
    assert table("Inputs") == INPUTS
    assert table("Outputs") == OUTPUTS


@pytest.fixture(scope="module")
def inputs():
    """The action's own module; its scripts are no package."""
    spec = importlib.util.spec_from_file_location("action_inputs", ROOT / "action" / "inputs.py")
    sys.modules[spec.name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_guide_states_the_defaults_that_hold(inputs):
    stated = dict(re.findall(r"^\| `([\w-]+)` \| `([\w./-]+)` \|", GUIDE, re.M))
    posting = {option.name: option.default for option in github_command.commands["all"].params}
    assert stated == {
        "config": posting["configs"][0],
        "comment": posting["mode"],
        "check-run": str(posting["check_run"]).lower(),
        "sarif": str(inputs.read({}).sarif).lower(),
        "install": str(inputs.read({}).install).lower(),
        "python": re.findall(r"\{INPUT_PYTHON:-(\w+)\}", ACTIONS[0].read_text())[0],
    }


def test_the_action_and_the_command_accept_the_same_values(inputs):
    assert inputs.COMMENTS == MODES
    for identifier in ("a", "A.b_c-1", "x" * 64, "x" * 65, "-a", "a b", "a/b", "", ".a"):
        accepted = inputs.ID.fullmatch(identifier) is not None
        assert accepted == (_IDENTIFIER.fullmatch(identifier) is not None), identifier


def test_the_guide_names_every_permission_that_the_workflows_ask_for():
    asked = {
        f"{name}: {access}"
        for path in EXAMPLES
        for job in jobs(path).values()
        for name, access in job["permissions"].items()
    }
    section = GUIDE.split("\n## Permissions\n")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `([\w: -]+)` \|", section, re.M)) >= asked


def test_the_guide_links_every_example():
    for path in EXAMPLES:
        assert f"../{name_of(path)}" in GUIDE


def snippets(page: str) -> list[dict[str, Any]]:
    """The steps in the YAML blocks of a page that name one of our actions: lists of steps, or whole
    workflows."""
    found: list[dict[str, Any]] = []
    for block in re.findall(r"```yaml\n(.*?)```", page, re.S):
        if "OWNER/privacy-gate" in block:
            content = yaml.safe_load(block)
            if isinstance(content, dict):
                content = [step for job in content["jobs"].values() for step in job["steps"]]
            found += content
    return found


def ours(found: list[dict[str, Any]]) -> list[tuple[Path, dict[str, Any]]]:
    """Which of our actions each step uses, and the inputs it gives."""
    pairs = [(step.get("uses", "").partition("@")[0], step.get("with", {})) for step in found]
    return [(OURS[name], inputs) for name, inputs in pairs if name in OURS]


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_workflows_give_our_actions_inputs_that_exist(path):
    used = ours(steps(path))
    assert used or path.name == "request.yml"
    for action, given in used:
        assert set(given) <= set(declared(action))


@pytest.mark.parametrize("page", [README, GUIDE], ids=["README", "guide"])
def test_the_documentation_gives_our_actions_inputs_that_exist(page):
    used = ours(snippets(page))
    assert used
    for action, given in used:
        assert set(given) <= set(declared(action))
