"""Functions and classes that build a torch module, found in source code without running any."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from privacy_gate.setup.source_code import Module, read_module

_MODULES = {"torch.nn.Module", "torch.nn.modules.module.Module", "transformers.PreTrainedModel"}
_LIGHTNING = (
    "pytorch_lightning.LightningModule",
    "lightning.LightningModule",
    "lightning.pytorch.LightningModule",
)
_CONTAINERS = "torch.nn."
_FUNCTIONS = ("torch.nn.functional.", "torch.nn.utils.", "torch.nn.init.")
_UNCHANGED = {"eval", "train", "to", "cpu", "cuda", "float", "half"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument of a factory; ``number``: a whole one, by its annotation or its default, or where
    it has neither."""

    name: str
    number: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that may build the model: ``target`` is ``package.module:name``, looked up in
    ``python_path``. ``parameters``: its required arguments; ``optional``: those with a default.
    ``children``: the first parts of the names of its weights, ``None`` if the code does not show
    them. ``script``: its module is one that is run."""

    target: str
    python_path: Path
    file: Path
    line: int
    is_class: bool
    parameters: tuple[Parameter, ...]
    optional: tuple[Parameter, ...]
    children: frozenset[str] | None
    script: bool


@dataclass(frozen=True, slots=True)
class _Class:
    module: Module
    node: ast.ClassDef

    @property
    def name(self) -> str:
        return f"{self.module.name}.{self.node.name}"


def candidates(sources: Iterable[Path], top: Path) -> tuple[Candidate, ...]:
    """Every public class that derives from ``nn.Module``, and every public function that is
    declared or seen to return one. ``top``: the directory where names are looked up first."""
    modules = [module for path in sources if (module := read_module(path, top)) is not None]
    known = _Known(modules)
    found: list[Candidate] = []
    for module in modules:
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                found += _candidate(module, node, known)
    return tuple(found)


def _candidate(
    module: Module, node: ast.ClassDef | ast.FunctionDef, known: _Known
) -> Iterator[Candidate]:
    if isinstance(node, ast.ClassDef):
        name = f"{module.name}.{node.name}"
        if name not in known.classes:
            return
        children, arguments = known.children(name), known.arguments(name)
    else:
        built = list(_built(node, module, known))
        if not built and not known.is_module(module.dotted(node.returns)):
            return
        children, arguments = (built[0] if len(built) == 1 else None), node.args
    required, optional = _parameters(arguments, isinstance(node, ast.ClassDef))
    yield Candidate(
        target=f"{module.name}:{node.name}",
        python_path=module.python_path,
        file=module.path,
        line=node.lineno,
        is_class=isinstance(node, ast.ClassDef),
        parameters=required,
        optional=optional,
        children=children,
        script=module.is_script,
    )


class _Known:
    """The classes of the project that are modules, by their dotted name."""

    def __init__(self, modules: Iterable[Module]) -> None:
        nodes = (
            _Class(module, node)
            for module in modules
            for node in module.tree.body
            if isinstance(node, ast.ClassDef)
        )
        pending = {found.name: found for found in nodes}
        self.classes: dict[str, _Class] = {}
        while new := {name: found for name, found in pending.items() if self._derives(found)}:
            self.classes |= new
            pending = {name: found for name, found in pending.items() if name not in new}

    def is_module(self, name: str | None) -> bool:
        """Whether a dotted name is a class of modules."""
        return name is not None and (
            name in self.classes
            or name in _MODULES
            or name in _LIGHTNING
            or (name.startswith(_CONTAINERS) and not name.startswith(_FUNCTIONS))
        )

    def children(self, name: str) -> frozenset[str] | None:
        """The attributes that a class and its bases set; ``None`` where some are not in sight."""
        found = self.classes.get(name)
        if found is None:
            return frozenset() if name in _MODULES or name in _LIGHTNING else None
        children = _attributes(found.node)
        for base in found.node.bases:
            inherited = self.children(found.module.dotted(base) or "")
            if children is None or inherited is None:
                return None
            children |= inherited
        return children

    def arguments(self, name: str) -> ast.arguments | None:
        """Those of ``__init__``, which may be inherited; ``None`` where it is not in sight."""
        found = self.classes.get(name)
        if found is None:
            return None
        for node in found.node.body:
            if isinstance(node, ast.FunctionDef) and node.name == "__init__":
                return node.args
        bases = (found.module.dotted(base) or "" for base in found.node.bases)
        return next((args for base in bases if (args := self.arguments(base)) is not None), None)

    def _derives(self, found: _Class) -> bool:
        return any(self.is_module(found.module.dotted(base)) for base in found.node.bases)


def _attributes(node: ast.ClassDef) -> frozenset[str] | None:
    """What methods assign to ``self``, or register by name."""
    names = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store):
            if isinstance(inner.value, ast.Name) and inner.value.id == "self":
                names.add(inner.attr)
        elif _registers(inner):
            first = inner.args[0] if inner.args else None
            if not isinstance(first, ast.Constant):
                return None
            names.add(str(first.value))
    return frozenset(names)


def _registers(node: ast.AST) -> TypeGuard[ast.Call]:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("register_buffer", "register_parameter", "add_module")
    )


def _built(
    function: ast.FunctionDef, module: Module, known: _Known
) -> Iterator[frozenset[str] | None]:
    """The children of every module that the function is seen to return."""
    assigned: dict[str, ast.expr] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            assigned[node.targets[0].id] = node.value
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and node.value is not None:
            call = _call(node.value, assigned)
            name = None if call is None else module.dotted(call.func)
            if call is not None and known.is_module(name):
                yield _children(call, str(name), known)


def _call(value: ast.expr | None, assigned: Mapping[str, ast.expr]) -> ast.Call | None:
    """The call that makes the value: through one name, and through ``.eval()`` and the like."""
    if isinstance(value, ast.Name):
        value = assigned.get(value.id)
    while isinstance(value, ast.Call):
        method = value.func
        if not (isinstance(method, ast.Attribute) and method.attr in _UNCHANGED):
            return value
        inner = method.value
        value = assigned.get(inner.id) if isinstance(inner, ast.Name) else inner
    return None


def _children(call: ast.Call, name: str, known: _Known) -> frozenset[str] | None:
    if name == "torch.nn.Sequential":
        plain = all(isinstance(layer, ast.Call) for layer in call.args)
        named = len(call.args) == 1 and "Dict" in ast.dump(call.args[0])
        return frozenset(map(str, range(len(call.args)))) if plain and not named else None
    return known.children(name)


def _parameters(
    arguments: ast.arguments | None, method: bool
) -> tuple[tuple[Parameter, ...], tuple[Parameter, ...]]:
    """The required ones, and those with a default."""
    if arguments is None:
        return (), ()
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [*[None] * (len(positional) - len(arguments.defaults)), *arguments.defaults]
    pairs = list(zip(positional, defaults, strict=True))[1 if method else 0 :]
    pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    found = [(Parameter(arg.arg, _is_number(arg, default)), default) for arg, default in pairs]
    return (
        tuple(parameter for parameter, default in found if default is None),
        tuple(parameter for parameter, default in found if default is not None),
    )


def _is_number(argument: ast.arg, default: ast.expr | None) -> bool:
    if argument.annotation is not None:
        return ast.unparse(argument.annotation) == "int"
    return default is None or (isinstance(default, ast.Constant) and type(default.value) is int)
