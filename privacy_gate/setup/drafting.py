"""What is known for a first configuration: found, inferred from a trial, or still missing."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from privacy_gate.config.values import NAME
from privacy_gate.fixtures.schema import ColumnEntry
from privacy_gate.models.onnx_signature import Port
from privacy_gate.setup.fixture_facts import FixtureFacts
from privacy_gate.setup.matching import Match
from privacy_gate.setup.model_files import ModelFile, OutputChoice
from privacy_gate.setup.preprocessing import PIXELS, Preprocessing, possible
from privacy_gate.setup.trial import Measured

TaskName = Literal["classification", "custom"]


@dataclass(frozen=True, slots=True)
class Factory:
    """The function that builds the module, ``None`` where that is not certain: ``why`` says so.
    ``kwargs``: its known arguments, ``source``: how they are known, if that is to be said, and
    ``fitted`` if some were found by the shapes of the weights; ``unknown``: the names of required
    ones that are not known."""

    match: Match | None = None
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    why: str = ""
    source: str = ""
    fitted: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """A configuration to be written to the directory ``home`` of the project at ``root``.

    ``model`` is ``None`` where no file was found. ``named_root``: where the environment says that
    records that are referred to lie. ``measured`` is ``None`` where the model was not
    run: ``obstacle`` says why."""

    home: Path
    root: Path
    task: TaskName
    fixtures: FixtureFacts
    model: ModelFile | None
    factory: Factory
    output: OutputChoice
    label: str
    receipt: Path | None
    named_root: Path | None = None
    measured: Measured | None = None
    obstacle: str = ""

    @property
    def name(self) -> str:
        """The directory's name, as far as it can serve as one."""
        text = re.sub(r"[^A-Za-z0-9._-]+", "-", self.home.name).strip("-._")
        return text if re.fullmatch(NAME, text, re.ASCII) else "model"

    @property
    def input(self) -> Port | None:
        """The only input of an ONNX model, if there is one only."""
        ports = () if self.model is None else self.model.inputs
        return ports[0] if len(ports) == 1 else None

    @property
    def wanted(self) -> tuple[int | None, ...] | None:
        """The shape of a record that the model takes, where its file says so."""
        shape = None if self.input is None else self.input.shape
        return None if shape is None else shape[1:]

    @property
    def whole(self) -> bool:
        """Whether the model's file says that it takes whole numbers."""
        return self.input is not None and not self.input.floating

    @property
    def labels_only(self) -> bool:
        """Whether the model returns predicted labels and no scores."""
        return (self.output if self.measured is None else self.measured).kind == "labels"

    @property
    def fed(self) -> Mapping[str, ColumnEntry]:
        """The columns that feed the model, as far as names tell; else all."""
        columns = self.fixtures.inputs
        ports = () if self.model is None else self.model.inputs
        named = {port.name: columns[port.name] for port in ports if port.name in columns}
        return named if named and len(columns) > 1 else columns

    @property
    def preprocessings(self) -> tuple[Preprocessing, ...] | None:
        """What may have to be done to records, as far as shapes and types tell; ``None`` where
        pixels are one of several inputs, to which no one scale could be meant."""
        entries = list(self.fed.values())
        if len(entries) == 1:
            (entry,) = entries
            return possible(entry.dtype, entry.shape, self.wanted, self.whole, 255)
        return None if any(entry.dtype in PIXELS for entry in entries) else ({},)

    def relative(self, path: Path) -> str | None:
        """A path as the configuration names it; ``None`` outside the project."""
        if not path.is_relative_to(self.root):
            return None
        return Path(os.path.relpath(path, self.home)).as_posix()
