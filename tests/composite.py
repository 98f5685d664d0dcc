"""Runs a composite action as GitHub's runner does, closely enough to test one end to end.

``run:`` steps are executed by real bash with files for outputs and summary of their own; ``uses:``
steps are recorded with their resolved inputs, and carried out only by a stand-in that a test gives.
What this runner does not know is an error and never ignored: an expression it cannot evaluate, an
input or a step that does not exist, an action that is not pinned, a step that writes to
``GITHUB_ENV`` or ``GITHUB_PATH``.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Value = str | float | bool | None
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
SECONDS = 240


# -------------------------------------------------------------------------------------- expressions

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<name>[A-Za-z_][\w-]*)|(?P<sign>&&|\|\||==|!=|!|\(|\)|\.))"
)
_STATUS = {"always", "success", "failure", "cancelled"}


class Unknown(Exception):
    """Something in an action that this runner, or GitHub's, could not make sense of."""


class Expression:
    """What stands in ``${{ … }}``: literals, dotted contexts, status functions, ``! == != && ||``.

    ``&&`` and ``||`` give one of their operands; ``==`` compares texts without regard to case and
    everything else as numbers, as GitHub documents.
    """

    def __init__(self, source: str, contexts: Mapping[str, Any], status: str) -> None:
        self._tokens, self._contexts, self._status = self._split(source), contexts, status
        self._at, self.source = 0, source

    @staticmethod
    def _split(source: str) -> list[tuple[str, str]]:
        tokens, at = [], 0
        while source[at:].strip():
            match = _TOKEN.match(source, at)
            if match is None:
                raise Unknown(f"cannot read the expression {source!r}")
            tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
            at = match.end()
        return tokens

    @property
    def asks_for_status(self) -> bool:
        return any(kind == "name" and text in _STATUS for kind, text in self._tokens)

    def value(self) -> Value:
        found = self._either()
        if self._at != len(self._tokens):
            raise Unknown(f"cannot read the expression {self.source!r}")
        return found

    def _take(self, *texts: str) -> bool:
        here = self._tokens[self._at : self._at + 1]
        if here and here[0][0] in ("sign", "name") and here[0][1] in texts:
            self._at += 1
            return True
        return False

    def _either(self) -> Value:
        left = self._both()
        while self._take("||"):
            right = self._both()
            left = left if truthy(left) else right
        return left

    def _both(self) -> Value:
        left = self._compared()
        while self._take("&&"):
            right = self._compared()
            left = right if truthy(left) else left
        return left

    def _compared(self) -> Value:
        left = self._one()
        while self._at < len(self._tokens) and self._tokens[self._at][1] in ("==", "!="):
            equal = self._tokens[self._at][1] == "=="
            self._at += 1
            left = same(left, self._one()) is equal
        return left

    def _one(self) -> Value:
        if self._take("!"):
            return not truthy(self._one())
        if self._take("("):
            found = self._either()
            if not self._take(")"):
                raise Unknown(f"a bracket is not closed in {self.source!r}")
            return found
        if self._at == len(self._tokens):
            raise Unknown(f"the expression {self.source!r} ends too early")
        kind, text = self._tokens[self._at]
        self._at += 1
        if kind == "text":
            return text[1:-1].replace("''", "'")
        if kind == "number":
            return float(text)
        if kind == "name":
            return self._named(text)
        raise Unknown(f"{text!r} is out of place in {self.source!r}")

    def _named(self, name: str) -> Value:
        if name in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[name]
        if self._take("("):
            if name not in _STATUS or not self._take(")"):
                raise Unknown(f"the function {name} is not known here")
            return name == "always" or name == self._status
        found: Any = self._contexts
        path = name
        while True:
            if not isinstance(found, Mapping) or path.rsplit(".", 1)[-1] not in found:
                raise Unknown(f"there is no {path} in {self.source!r}")
            found = found[path.rsplit(".", 1)[-1]]
            if not self._take("."):
                break
            path += "." + self._tokens[self._at][1]
            self._at += 1
        if isinstance(found, Mapping):
            raise Unknown(f"{path} in {self.source!r} is no single value")
        return found  # type: ignore[no-any-return]


def truthy(value: Value) -> bool:
    return value not in ("", None, False, 0)


def same(left: Value, right: Value) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return left.lower() == right.lower()
    return _number(left) == _number(right)


def _number(value: Value) -> float:
    try:
        return float(value or 0)
    except ValueError:
        return float("nan")


def shown(value: Value) -> str:
    """A value as it appears in a text."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else f"{value:g}" if isinstance(value, float) else value


# ------------------------------------------------------------------------------------------ actions


@dataclass
class Used:
    """An action that a step names, with its inputs resolved."""

    action: str
    inputs: dict[str, str]


class Outputs(dict[str, str]):
    """Outputs of a step; one that was not written is empty, as on GitHub."""

    def __missing__(self, name: str) -> str:
        return ""

    def __contains__(self, name: object) -> bool:
        return True


@dataclass
class Step:
    """What became of one step. ``conclusion`` differs where a failure was allowed."""

    name: str
    outcome: str
    conclusion: str
    log: str = ""
    summary: str = ""
    outputs: Outputs = field(default_factory=Outputs)
    used: Used | None = None


@dataclass
class Run:
    """What became of the action."""

    outcome: str
    outputs: dict[str, str]
    steps: dict[str, Step]

    @property
    def log(self) -> str:
        return "".join(step.log for step in self.steps.values())

    @property
    def summary(self) -> str:
        return "".join(step.summary for step in self.steps.values())

    def commands(self, kind: str) -> list[str]:
        """The workflow commands of this kind that GitHub would carry out."""
        found = []
        for step in self.steps.values():
            stopped = ""
            for line in step.log.splitlines():
                if stopped:
                    stopped = "" if line.strip() == f"::{stopped}::" else stopped
                elif line.startswith("::stop-commands::"):
                    stopped = line.removeprefix("::stop-commands::").strip()
                elif re.match(rf"::{kind}(\s|::)", line):
                    found.append(line)
        return found

    @property
    def used(self) -> dict[str, Used]:
        """The actions of the steps that ran, by name without the commit."""
        return {
            step.used.action.partition("@")[0]: step.used
            for step in self.steps.values()
            if step.used is not None
        }


StandIn = Callable[[Mapping[str, str]], Mapping[str, str]]


def run_action(
    folder: Path,
    inputs: Mapping[str, str],
    environ: Mapping[str, str],
    workspace: Path,
    *,
    token: str = "token-of-the-job",
    stand_ins: Mapping[str, StandIn] | None = None,
    after: Mapping[str, Callable[[Mapping[str, str]], None]] | None = None,
) -> Run:
    """Run ``folder``/action.yml. ``environ``: what the job sets; ``RUNNER_TEMP`` must be among it.

    ``after``: what somebody does behind a step's back, by the step's id; it gets its outputs.
    """
    action = yaml.safe_load((folder / "action.yml").read_text())
    assert action["runs"]["using"] == "composite"
    unknown = set(inputs) - set(action["inputs"])
    if unknown:
        raise Unknown(f"the action has no inputs {sorted(unknown)}")
    given = {name: inputs.get(name, rule["default"]) for name, rule in action["inputs"].items()}
    steps: dict[str, Step] = {}
    contexts = {"inputs": given, "github": {"token": token}, "steps": _seen(steps)}
    status = "success"
    for number, definition in enumerate(action["runs"]["steps"]):
        key = definition.get("id", f"step-{number}")
        step = _run_step(definition, contexts, status, folder, environ, workspace, stand_ins or {})
        steps[key] = step
        contexts["steps"] = _seen(steps)
        if after and key in after:
            after[key](step.outputs)
        if step.conclusion == "failure":
            status = "failure"
    outputs = {
        name: _interpolated(rule["value"], contexts, status)
        for name, rule in action["outputs"].items()
    }
    return Run(status, outputs, steps)


def _seen(steps: Mapping[str, Step]) -> dict[str, Any]:
    return {
        key: {"outputs": step.outputs, "outcome": step.outcome, "conclusion": step.conclusion}
        for key, step in steps.items()
    }


def _run_step(
    definition: Mapping[str, Any],
    contexts: Mapping[str, Any],
    status: str,
    folder: Path,
    environ: Mapping[str, str],
    workspace: Path,
    stand_ins: Mapping[str, StandIn],
) -> Step:
    known = {"name", "id", "if", "shell", "env", "run", "uses", "with", "continue-on-error"}
    if set(definition) - known:
        raise Unknown(f"a step has {sorted(set(definition) - known)}")
    if not _wanted(definition.get("if"), contexts, status):
        return Step(definition["name"], "skipped", "skipped")
    if "uses" in definition:
        step = _use(definition, contexts, status, stand_ins)
    else:
        own = definition.get("env", {})
        own = {name: _interpolated(text, contexts, status) for name, text in own.items()}
        step = _bash(definition, {**environ, **own}, folder, workspace)
    if step.outcome == "failure" and definition.get("continue-on-error") is True:
        step.conclusion = "success"
    return step


def _wanted(condition: str | None, contexts: Mapping[str, Any], status: str) -> bool:
    source = "success()" if condition is None else condition.strip()
    if source.startswith("${{") and source.endswith("}}") and source.count("${{") == 1:
        source = source[3:-2]
    if "${{" in source:
        raise Unknown(f"the condition {condition!r} is a text, which is always true")
    expression = Expression(source, contexts, status)
    value = truthy(expression.value())
    return value and (expression.asks_for_status or status == "success")


def _interpolated(text: Any, contexts: Mapping[str, Any], status: str) -> str:
    if not isinstance(text, str):
        return shown(text)

    def replaced(match: re.Match[str]) -> str:
        return shown(Expression(match[1], contexts, status).value())

    return re.sub(r"\$\{\{(.*?)\}\}", replaced, text)


def _use(
    definition: Mapping[str, Any],
    contexts: Mapping[str, Any],
    status: str,
    stand_ins: Mapping[str, StandIn],
) -> Step:
    if not PINNED.fullmatch(definition["uses"]):
        raise Unknown(f"{definition['uses']} is not pinned to a commit")
    given = definition.get("with", {})
    inputs = {name: _interpolated(value, contexts, status) for name, value in given.items()}
    step = Step(definition["name"], "success", "success")
    step.used = Used(definition["uses"], inputs)
    stand_in = stand_ins.get(definition["uses"].partition("@")[0])
    try:
        step.outputs = Outputs(stand_in(inputs) if stand_in else {})
    except RuntimeError as error:
        step.outcome = step.conclusion = "failure"
        step.log = f"{error}\n"
    return step


# --------------------------------------------------------------------------------------------- bash


def _bash(
    definition: Mapping[str, Any], environ: Mapping[str, str], folder: Path, workspace: Path
) -> Step:
    if definition.get("shell") != "bash":
        raise Unknown("a run step of a composite action needs shell: bash")
    if "${{" in definition["run"]:
        raise Unknown("an expression in a script is code that an input can write")
    commands = Path(environ["RUNNER_TEMP"]) / "_runner_file_commands"
    commands.mkdir(parents=True, exist_ok=True)
    names = ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE")
    files = {name: commands / f"{name.lower()}_{os.urandom(8).hex()}" for name in names}
    for file in files.values():
        file.touch()
    script = commands / "script.sh"
    script.write_text(definition["run"])
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
        cwd=workspace,
        env={
            **environ,
            **{name: str(file) for name, file in files.items()},
            "GITHUB_ACTION_PATH": str(folder),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
    )
    for name in ("GITHUB_ENV", "GITHUB_PATH"):
        assert files[name].read_text() == "", f"{definition['name']} writes to {name}"
    outcome = "success" if done.returncode == 0 else "failure"
    return Step(
        definition["name"],
        outcome,
        outcome,
        log=done.stdout,
        summary=files["GITHUB_STEP_SUMMARY"].read_text(),
        outputs=read_outputs(files["GITHUB_OUTPUT"].read_text()),
    )


def read_outputs(text: str) -> Outputs:
    """``name=value`` and ``name<<END`` … ``END``, as the runner reads them."""
    found, lines = Outputs(), iter(text.splitlines())
    for line in lines:
        name, sign, rest = min(
            (line.partition("="), line.partition("<<")), key=lambda parts: len(parts[0])
        )
        if sign == "=":
            found[name] = rest
        elif sign == "<<":
            content = []
            for inner in lines:
                if inner == rest:
                    break
                content.append(inner)
            else:
                raise Unknown(f"the output {name} has no end")
            found[name] = "\n".join(content)
        elif line:
            raise Unknown(f"{line!r} is no output")
    return found
