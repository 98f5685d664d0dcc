"""The pages of docs/ say what the code does: generated tables, quoted sentences, examples."""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest
import yaml
from gate_project import onnx_project, run, write_module
from test_gate_custom import regression

import privacy_gate
from privacy_gate.config import config_schema

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
FAQ = (DOCS / "faq.md").read_text()
QUOTES = re.findall(r"^> (.+)$", FAQ, re.MULTILINE)


def block(page, language, number=0):
    found = re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return found[number]


def generator():
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


# ------------------------------------------------------------------------------------- reference


def test_the_reference_is_what_the_grammar_says():
    found = generator()
    assert found.page() == found.PAGE.read_text(), "run: python docs/generate.py"


def test_a_key_without_a_docstring_is_an_error():
    module = generator()
    schema = {"description": "All.", "properties": {"new_key": {"type": "string"}}}
    with pytest.raises(ValueError, match="new_key has no docstring"):
        module.document("## A", schema, "", {})


def test_the_file_of_the_introduction_is_valid():
    content = yaml.safe_load(block((DOCS / "configuration.md").read_text(), "yaml"))
    jsonschema.validate(content, config_schema())


# -------------------------------------------------------------------------------------- questions


@functools.cache
def templates():
    """Every text in the package as a pattern: what it is filled with may be anything."""
    found = set()
    for path in Path(privacy_gate.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant | ast.JoinedStr):
                parts = node.values if isinstance(node, ast.JoinedStr) else [node]
                texts = [getattr(part, "value", None) for part in parts]
                text = "".join(text if isinstance(text, str) else "\0" for text in texts).strip()
                if "\n" not in text and len(text.replace("\0", "")) >= 12:
                    found.add(re.sub("\0+", "(.*)", re.escape(text).replace("\\\0", "\0")))
    return [re.compile(pattern) for pattern in found]


def is_said(text):
    """Whether the code can say it: literally, but for short values and what else it says."""
    matches = [pattern.fullmatch(text) for pattern in templates()]
    if any(match and all(len(g) <= 50 or is_said(g) for g in match.groups()) for match in matches):
        return True
    sentences = re.split(r"(?<=[.?]) (?=[A-Z])", text)
    return len(sentences) > 1 and all(map(is_said, sentences))


@pytest.mark.parametrize("quote", QUOTES)
def test_a_quoted_sentence_is_one_of_the_code(quote):
    assert is_said(quote), quote


def test_a_sentence_that_the_code_does_not_say_is_noticed():
    assert len(QUOTES) >= 20
    assert not is_said("AUC lies in [0.577, 0.643]: this does not decide about the budget 0.6.")
    assert not is_said("Membership is declared and not verified.")


# ------------------------------------------------------------------------------------------- pages


def test_the_first_page_and_the_concepts_stay_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
    assert len((DOCS / "concepts.md").read_text().splitlines()) < 120


def test_the_readme_links_to_every_page():
    readme = (ROOT / "README.md").read_text()
    reached, waiting = set(), set(re.findall(r"\]\(docs/([\w-]+\.md)\)", readme))
    while waiting:
        page = waiting.pop()
        reached.add(page)
        waiting |= set(re.findall(r"\]\(([\w-]+\.md)[)#]", (DOCS / page).read_text())) - reached
    assert {path.name for path in DOCS.glob("*.md")} == reached


def test_links_into_a_page_name_one_of_its_headings():
    module = generator()
    for page in DOCS.glob("*.md"):
        for target, anchor in re.findall(r"\]\(([\w-]*\.md|)#([^)]+)\)", page.read_text()):
            text = (DOCS / target if target else page).read_text()
            headings = {
                module.anchor(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
            }
            assert anchor in headings, f"{page.name} -> {target}#{anchor}"


# ---------------------------------------------------------------------------------------- examples


def test_the_attack_of_the_page_runs_from_a_package_of_its_own(tmp_path, monkeypatch):
    page = (DOCS / "extending.md").read_text()
    package = tmp_path / "site" / "my_package"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "surprise.py").write_text(block(page, "python"))
    declared = tomllib.loads(block(page, "toml"))["project"]["entry-points"]
    metadata = tmp_path / "site" / "my_package-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    lines = [
        line
        for group, points in declared.items()
        for line in (f"[{group}]", *(f"{name} = {target}" for name, target in points.items()))
    ]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path / "site")
    (tmp_path / "project").mkdir()
    path = onnx_project(tmp_path / "project", **yaml.safe_load(block(page, "yaml")))
    (report,) = run(path).reports
    assert report.error is None, report.error
    assert report.verdict == "pass"
    checks = {check.attack: check.verdict for check in report.checks}
    assert checks["surprise"] == "pass"
    assert len(checks) == 7


@pytest.mark.parametrize(("member_noise", "verdict"), [(20.0, "pass"), (0.5, "fail")])
def test_the_signals_of_the_page_are_judged(tmp_path, member_noise, verdict):
    page = (DOCS / "extending.md").read_text()
    settings = yaml.safe_load(block(page, "yaml", 1))
    name = write_module(tmp_path, block(page, "python", 1))
    settings["signals"] = settings["signals"].replace("my_project.gate", name)
    path, _ = regression(tmp_path, "onnx", member_noise=member_noise, **settings)
    (report,) = run(path).reports
    assert report.error is None, report.error
    assert report.verdict == verdict
    assert {check.attack for check in report.checks} == {"closeness"}
