"""The runner of composite actions that the other tests rely on does what GitHub documents, and
refuses what it does not know."""

from __future__ import annotations

import os

import pytest
import yaml
from composite import Expression, Outputs, Unknown, read_outputs, run_action, same, shown

CONTEXTS = {
    "inputs": {"empty": "", "word": "True", "check-run": "x"},
    "steps": {"one": {"outputs": Outputs(a="1"), "outcome": "failure", "conclusion": "success"}},
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("inputs.empty || 'default'", "default"),
        ("inputs.word || 'default'", "True"),
        ("inputs.word == 'true'", True),
        ("inputs.word != 'true' || inputs.empty", ""),
        ("inputs.check-run", "x"),
        ("steps.one.outputs.a == 1 && steps.one.outputs.nothing == ''", True),
        ("steps.one.outcome == 'success' && 'a' || 'b'", "b"),
        ("!(true && false) == true", True),
        ("null == 0", True),
        ("'it''s'", "it's"),
        ("'a' == 1", False),
        ("always()", True),
        ("success()", False),
        ("!cancelled() && failure()", True),
    ],
)
def test_expressions(source, value):
    assert Expression(source, CONTEXTS, "failure").value() == value


@pytest.mark.parametrize(
    "source",
    [
        "inputs.absent",
        "steps.two.outcome",
        "secrets.a",
        "inputs",
        "hashFiles('a')",
        "'a' 'b'",
        "('a'",
        "'a' ==",
        "a ? b",
        "",
    ],
)
def test_expressions_that_it_cannot_answer(source):
    with pytest.raises(Unknown):
        Expression(source, CONTEXTS, "success").value()


def test_values_compare_and_show_as_on_github():
    assert same("Pass", "pass")
    assert not same("", "0")
    assert same("", 0.0)
    assert [shown(value) for value in (True, None, 2.0, 0.5, "x")] == ["true", "", "2", "0.5", "x"]


def test_outputs_of_one_and_of_several_lines():
    text = "a=1\nb<<END\n2=3\n\nEND\nc=x<<y\na=4\n"
    assert read_outputs(text) == {"a": "4", "b": "2=3\n", "c": "x<<y"}
    for broken in ("just words\n", "a<<END\n1\n"):
        with pytest.raises(Unknown):
            read_outputs(broken)


@pytest.fixture
def run(tmp_path):
    """Run an action of the given steps."""

    def start(*steps, **more):
        content = {
            "inputs": {"word": {"default": "a"}},
            "outputs": {"seen": {"value": "${{ steps.first.outputs.seen || 'no' }}"}},
            "runs": {"using": "composite", "steps": list(steps)},
        }
        (tmp_path / "action.yml").write_text(yaml.safe_dump(content))
        environ = {"PATH": os.environ["PATH"], "RUNNER_TEMP": str(tmp_path / "temp")}
        return run_action(tmp_path, more.pop("inputs", {}), environ, tmp_path, **more)

    return start


def script(text, name="first", **more):
    return {"name": name, "id": name, "shell": "bash", "run": text, **more}


def test_a_failure_skips_what_follows_unless_it_asks_to_run(run):
    done = run(
        script("echo seen=yes >> $GITHUB_OUTPUT; false | cat"),
        script("exit 0", "skipped"),
        script("exit 0", "also", **{"if": "${{ !cancelled() }}"}),
        script("exit 0", "cleanup", **{"if": "failure()"}),
    )
    outcomes = {name: step.outcome for name, step in done.steps.items()}
    assert outcomes == {
        "first": "failure", "skipped": "skipped", "also": "success", "cleanup": "success",
    }  # fmt: skip
    assert (done.outcome, done.outputs) == ("failure", {"seen": "yes"})


def test_a_failure_that_is_allowed_does_not_count(run):
    done = run(script("exit 1", **{"continue-on-error": True}), script("exit 0", "second"))
    assert done.outcome == "success"
    assert (done.steps["first"].outcome, done.steps["first"].conclusion) == ("failure", "success")
    assert done.outputs == {"seen": "no"}


def test_commands_count_only_outside_of_what_is_stopped(run):
    done = run(script("echo ::error::a; echo ::stop-commands::x; echo ::error::b; echo ::x::"))
    assert done.commands("error") == ["::error::a"]


@pytest.mark.parametrize(
    "step",
    [
        {"name": "a", "uses": "actions/checkout@v7"},
        {"name": "a", "run": "true"},
        script("echo ${{ inputs.word }}"),
        script("true", **{"if": "${{ inputs.word }} == 'a'"}),
        script("true", **{"working-directory": "x"}),
        script("true", env={"A": "${{ inputs.other }}"}),
    ],
)
def test_steps_that_would_be_wrong_on_github_are_refused(run, step):
    with pytest.raises(Unknown):
        run(step)


def test_inputs_that_do_not_exist_are_refused(run):
    with pytest.raises(Unknown):
        run(script("true"), inputs={"wrod": "b"})


@pytest.mark.parametrize("name", ["GITHUB_ENV", "GITHUB_PATH"])
def test_a_step_that_changes_the_job_is_refused(run, name):
    with pytest.raises(AssertionError, match=name):
        run(script(f"echo A=b >> ${name}"))
