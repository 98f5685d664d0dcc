"""The layers of the package, what importing it loads, and what every module owes its reader."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import privacy_gate

ROOT = Path(privacy_gate.__file__).parent
MODULES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}

LAYERS = [
    {"domain", "protocols", "errors", "registry"},
    {
        "config", "fixtures", "statistics", "verdict", "verdict_words", "audit_checks",
        "increases", "terms", "recount",
    },
    {"models", "tasks", "attacks"},
    {
        "gate", "preparation", "programme", "feasibility", "guards", "ranking", "signals",
        "results", "faces", "measurement", "measurement_text", "score_file", "provenance",
        "stopwatch", "progress", "scoring", "baseline", "reuse", "evidence", "planner",
        "explanation", "holdout", "setup", "cache", "kept_signals", "overconfidence",
        "fixture_checks", "calibration_lens", "selftest", "surfaces", "advice", "attacking",
    },
    {"pytest", "cli", "commands"},
]  # fmt: skip
"""Each may import itself and what stands above it in this list."""

HEAVY = {
    "torch", "onnxruntime", "onnx", "safetensors", "rich", "scipy.stats", "sklearn", "github",
    "transformers", "jinja2", "matplotlib", "PIL", "pyarrow",
}  # fmt: skip
BACKENDS = {"torch", "onnxruntime", "onnx", "safetensors"}
TORCH_MODULES = {
    f"privacy_gate.defenses.{name}" for name in ("loss", "noise", "output", "samplers", "targets")
}
"""Modules of layers and losses, subclasses of torch's; their package names them lazily."""
LARGEST_MODULE = 300


def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text())


def imported(node: ast.AST) -> Iterator[str]:
    """Dotted names that one import statement asks for."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def all_imports(module: str) -> set[str]:
    return {name for node in ast.walk(tree(module)) for name in imported(node)}


def imports_at_start(module: str) -> set[str]:
    """What importing the module imports: statements outside functions and TYPE_CHECKING."""
    found: set[str] = set()
    pending: list[ast.AST] = list(tree(module).body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending += node.orelse
            continue
        found |= set(imported(node))
        pending += ast.iter_child_nodes(node)
    return found


def part(module: str) -> str:
    """``privacy_gate.config.loading`` -> ``config``, ``privacy_gate.pytest_items`` -> ``pytest``;
    the package itself -> empty."""
    name = module.removeprefix("privacy_gate").lstrip(".").partition(".")[0]
    return "pytest" if name.startswith("pytest_") else name


def own_parts(module: str) -> set[str]:
    """The parts of this package that a module imports anywhere, even for types only."""
    names = {name for name in all_imports(module) if name.split(".")[0] == "privacy_gate"}
    return {part(name) for name in names} - {"", "__version__"}


def is_any_of(name: str, libraries: set[str]) -> bool:
    return any(name == library or name.startswith(f"{library}.") for library in libraries)


def test_every_part_has_its_layer():
    parts = {part(module) for module in MODULES} - {""}
    assert parts == set().union(*LAYERS) | {"report", "github", "defenses"}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_point_down_the_layers(module):
    here = part(module)
    if here == "report":
        allowed = {"report", "domain", "errors"}
    elif here == "defenses":  # for training code: it sees nothing of the gate, nothing sees it
        allowed = {"defenses", "errors"}
    elif here == "github":
        allowed = {
            "github", "domain", "errors", "registry", "config", "statistics", "verdict", "terms",
            "recount", "report",
        }  # fmt: skip
    elif here == "":
        allowed = {"config", "domain", "gate", "measurement"}  # the lazy names, for types only
    else:
        level = next(level for level, layer in enumerate(LAYERS) if here in layer)
        allowed = set().union(*LAYERS[: level + 1])
        if level >= 3:
            allowed |= {"report", "github"}
    assert own_parts(module) <= allowed


def test_only_commands_know_the_command_line():
    users = {part(module) for module in MODULES if is_any_of_imports(module, {"click"})}
    assert users == {"cli", "commands"}


def is_any_of_imports(module: str, libraries: set[str]) -> bool:
    return any(is_any_of(name, libraries) for name in all_imports(module))


def test_only_models_know_a_back_end():
    users = {part(module) for module in MODULES if is_any_of_imports(module, BACKENDS)}
    # provenance asks torch for the device's name, fixtures hold records as .safetensors, the
    # overconfidence audit trains a generator, and the calibration lens names a tensor's type
    assert users == {
        "models", "provenance", "fixtures", "defenses", "overconfidence", "calibration_lens",
    }  # fmt: skip


def test_verdict_and_statistics_see_numbers_only():
    for module in MODULES:
        if part(module) in ("statistics", "verdict", "attacks"):
            assert own_parts(module) <= {
                "statistics", "domain", "errors", "protocols", "registry", "verdict", "attacks",
                "increases", "terms", "verdict_words", "audit_checks",
            }, module  # fmt: skip


@pytest.mark.parametrize("module", sorted(set(MODULES) - TORCH_MODULES))
def test_heavy_libraries_wait_for_the_function_that_needs_them(module):
    assert [name for name in imports_at_start(module) if is_any_of(name, HEAVY)] == []


def loaded_by(statement: str) -> set[str]:
    script = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("statement", "libraries"),
    [
        ("import privacy_gate", "numpy scipy torch yaml pydantic click pytest"),
        (
            "import privacy_gate.pytest_plugin",
            "torch numpy scipy yaml pydantic onnxruntime onnx github click rich",
        ),
        ("import privacy_gate.cli", "torch scipy yaml onnxruntime rich pytest"),
        ("import privacy_gate.gate", "torch onnxruntime onnx safetensors rich scipy.stats pytest"),
        ("import privacy_gate.defenses", "torch numpy scipy"),
        ("import privacy_gate; privacy_gate.measure", "torch pydantic yaml click scipy.stats"),
    ],
)
def test_importing_loads_nothing_that_is_not_needed(statement, libraries):
    assert loaded_by(statement) & set(libraries.split()) == set()


def test_the_lazy_names_of_the_package():
    script = (
        "import privacy_gate.measurement, privacy_gate.gate, privacy_gate as g\n"
        "assert callable(g.run) and callable(g.measure) and callable(g.load_config)\n"
        "from privacy_gate import Report, __version__\n"
        "assert set(g.__all__) == {'Report', '__version__', 'load_config', 'measure', 'run'}\n"
        "try:\n    g.rnu\nexcept AttributeError as error:\n    assert 'rnu' in str(error)\n"
        "else:\n    raise AssertionError\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# ------------------------------------------------------------------------------- what readers get


@pytest.mark.parametrize("module", sorted(MODULES))
def test_every_module_is_short_and_says_what_it_is(module):
    content = tree(module)
    assert ast.get_docstring(content)
    assert len(MODULES[module].read_text().splitlines()) <= LARGEST_MODULE
    public = [
        node
        for node in content.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
    ]
    assert [node.name for node in public if not ast.get_docstring(node)] == []


def test_no_module_hides_a_name_of_the_package():
    """Importing the module ``privacy_gate.x`` would replace the function ``privacy_gate.x``."""
    own = {module.partition(".")[2] for module in MODULES}
    assert not set(privacy_gate.__all__) & own


def test_no_module_only_forwards():
    """Packages may gather names; a module that defines nothing has no reason to exist."""
    for module, path in MODULES.items():
        kinds = {type(node) for node in tree(module).body}
        if path.name != "__init__.py":
            assert kinds & {ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign}, module
