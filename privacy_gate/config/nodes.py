"""YAML nodes as plain data with positions; nothing is ever constructed from a tag."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import yaml

from privacy_gate.config.problems import Path, Problem, shown
from privacy_gate.config.scalars import AmbiguousScalar, Scalar, read_plain

DEEPEST_NESTING = 32

Mark = tuple[int, int]
"""1-based line and column."""


def start_of(node: yaml.Node | yaml.Event) -> Mark:
    """Where a node begins."""
    mark = node.start_mark
    return (1, 1) if mark is None else (mark.line + 1, mark.column + 1)


class Composer(yaml.SafeLoader):
    """Composes nodes without ever constructing objects; remembers the nodes it refuses."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.refused: dict[int, list[str]] = {}
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        stream: Any = self
        event = stream.peek_event()
        if isinstance(event, yaml.AliasEvent):
            stream.get_event()
            alias = yaml.ScalarNode("", "", event.start_mark, event.end_mark)  # type: ignore[arg-type]
            self.refused[id(alias)] = ["aliases are not allowed; write the value out"]
            return alias
        sentences = []
        if event.anchor is not None:
            event.anchor = None
            sentences.append("anchors are not allowed; write the value out where it is used")
        if event.tag is not None:
            sentences.append(f"the tag {shown(event.tag)} is not allowed; write a plain value")
            event.tag = None
        self._depth += 1
        if self._depth > DEEPEST_NESTING:
            raise yaml.MarkedYAMLError(
                problem=f"nested more than {DEEPEST_NESTING} levels deep",
                problem_mark=event.start_mark,
            )
        node = super().compose_node(parent, index)
        self._depth -= 1
        if node is not None and sentences:
            self.refused[id(node)] = sentences
        return node


class Builder:
    """Turns nodes into plain data, noting the position of every key and value."""

    def __init__(self, file: str, refused: Mapping[int, list[str]]) -> None:
        self._file = file
        self.keys: dict[Path, Mark] = {}
        self.values: dict[Path, Mark] = {}
        self.problems: list[Problem] = []
        self._refused = refused

    def build(self, node: yaml.Node, path: Path) -> Any:
        self._note_refused(node, path)
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._item(item, (*path, place)) for place, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node, lambda sentence: self._problem(node, path, sentence))

    def mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        if not path:
            self._note_refused(node, path)
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path)
            if key is None:
                continue
            place = (*path, key)
            if key in result:
                first = self.keys[place][0]
                sentence = f"is given twice, on lines {first} and {start_of(key_node)[0]}"
                self._problem(key_node, place, sentence)
                continue
            self.keys[place] = start_of(key_node)
            scalar = isinstance(value_node, yaml.ScalarNode) and value_node.value != ""
            self.values[place] = start_of(value_node if scalar else key_node)
            result[key] = self.build(value_node, place)
        return result

    def _item(self, node: yaml.Node, path: Path) -> Any:
        self.values[path] = start_of(node)
        return self.build(node, path)

    def _key(self, node: yaml.Node, path: Path) -> str | None:
        self._note_refused(node, path)
        if id(node) in self._refused:
            return None
        if not isinstance(node, yaml.ScalarNode):
            self._problem(node, path, "a key must be text, not a list or a mapping")
            return None
        if node.style is None and node.value == "<<":
            self._problem(node, path, "merge keys (<<) are not allowed; write the keys out")
            return None

        def refuse(sentence: str) -> None:
            self._problem(node, path, f"the key {shown(node.value)} is not text: {sentence}")

        found = len(self.problems)
        value = self._scalar(node, refuse)
        if isinstance(value, str):
            return value
        if len(self.problems) == found:
            refuse("quote it")
        return None

    def _scalar(self, node: yaml.ScalarNode, refuse: Callable[[str], None]) -> Scalar:
        if id(node) in self._refused:
            return None
        text: str = node.value
        if any("\ud800" <= character <= "\udfff" for character in text):
            refuse("half of a surrogate pair is not a character")
            return None
        if node.style is not None:
            return text
        try:
            return read_plain(text)
        except AmbiguousScalar as error:
            refuse(str(error))
            return None

    def _note_refused(self, node: yaml.Node, path: Path) -> None:
        for sentence in self._refused.get(id(node), ()):
            self._problem(node, path, sentence)

    def _problem(self, node: yaml.Node, path: Path, sentence: str) -> None:
        self.problems.append(Problem(self._file, *start_of(node), path, sentence))
