"""Functions of the user's project, named ``package.module:function`` in the configuration."""

from __future__ import annotations

import importlib
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from privacy_gate.config.problems import nearest, shown
from privacy_gate.config.values import TARGET
from privacy_gate.errors import ConfigError


def load_callable(target: str, search_path: Sequence[Path], *, location: str) -> Callable[..., Any]:
    """Import ``package.module:function``, looking in ``search_path`` before anywhere else.

    The directories stay at the front of ``sys.path``, in their order, so that the user's own
    imports find the same modules whether pytest or a command started Python.

    Raises ``ConfigError`` at ``location`` if the name is malformed, the module or the function is
    missing, the name belongs to a module imported from elsewhere, importing raises, or the object
    cannot be called.
    """
    if re.fullmatch(TARGET, target, re.ASCII) is None:
        raise ConfigError(
            f"{shown(target)} names no function.",
            hint="Write package.module:function.",
            location=location,
        )
    name, _, attribute = target.partition(":")
    entries = [str(directory) for directory in search_path]
    sys.path[:] = [*entries, *(entry for entry in sys.path if entry not in entries)]
    importlib.invalidate_caches()
    module = _import(name, search_path, location)
    try:
        found = getattr(module, attribute)
    except AttributeError:
        public = [known for known in vars(module) if not known.startswith("_")]
        raise ConfigError(
            f"The module {name!r} has no attribute {attribute!r}.",
            hint=nearest(attribute, public) if public else "It defines nothing.",
            location=location,
        ) from None
    if not callable(found):
        raise ConfigError(
            f"{target!r} is {type(found).__name__}, which cannot be called.",
            hint="Name a function.",
            location=location,
        )
    return found  # type: ignore[no-any-return]


def _import(name: str, search_path: Sequence[Path], location: str) -> ModuleType:
    top = name.partition(".")[0]
    ours = PathFinder.find_spec(top, [str(entry) for entry in search_path])
    if ours is not None and top in sys.modules:
        _refuse_foreign(sys.modules[top], ours, location)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        # Only the module asked for: one that its code asks for is an exception in that code.
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise ConfigError(
                f"The module {error.name!r} is not found.",
                hint="Check the name, and python_path: the directories looked in first.",
                location=location,
            ) from error
        raise _import_error(name, error, search_path, location) from error
    except (Exception, SystemExit) as error:  # sys.exit() at import would end as a pass
        raise _import_error(name, error, search_path, location) from error
    if ours is not None:
        _refuse_foreign(sys.modules[top], ours, location)
    return module


def _refuse_foreign(module: ModuleType, ours: ModuleSpec, location: str) -> None:
    """Refuse a module of the name that python_path offers, if it comes from another place."""
    found = _places(getattr(module, "__file__", None), getattr(module, "__path__", ()))
    if found & _places(ours.origin if ours.has_location else None, ours.submodule_search_locations):
        return
    where = f"from {min(found)}" if found else "built into Python"
    raise ConfigError(
        f"python_path offers a module {module.__name__!r}, but Python has already loaded another "
        f"one of that name, {where}.",
        hint="Rename the module, or write it with its package, as in fraud.net:build, and let"
        " python_path be the directory above.",
        location=location,
    )


def _places(file: str | None, directories: Iterable[str] | None) -> set[Path]:
    """The file of a module; the directories of a package without one."""
    return {Path(place).resolve() for place in ([file] if file else directories or ())}


def _is_users(file: str, search_path: Sequence[Path]) -> bool:
    path = Path(file)  # a virtual environment may lie inside the project
    return "site-packages" not in path.parts and any(
        path.is_relative_to(entry) or path.resolve().is_relative_to(entry) for entry in search_path
    )


def _import_error(
    name: str, error: BaseException, search_path: Sequence[Path], location: str
) -> ConfigError:
    """The exception's type and place; its text might quote data."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [(frame.filename, frame.lineno, f" in {frame.name}") for frame in frames]
    if isinstance(error, SyntaxError) and error.filename:
        places.append((error.filename, error.lineno, ""))
    users = [place for place in places if _is_users(place[0], search_path)]
    others = [place for place in places if not place[0].startswith("<frozen importlib")]
    file, line, function = (users or others)[-1]
    return ConfigError(
        f"Importing {name!r} raised {type(error).__name__} at {file}:{line}{function}.",
        hint="Import it in Python to see the whole message.",
        location=location,
    )
