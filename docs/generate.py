"""Write ``configuration-reference.md`` from the grammar of the code: ``python docs/generate.py``.

Every key, type, default and sentence comes from the JSON schemas, whose descriptions are the
docstrings beside the keys; a test compares the page with what this makes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from privacy_gate.config import config_schema, policy_schema
from privacy_gate.config.values import DEVICE, NAME, SHA256, TARGET

PAGE = Path(__file__).parent / "configuration-reference.md"
Schema = Mapping[str, Any]

_HEAD = """# Configuration reference

Every key of `privacy_gate.yaml` and of a policy file, as the code reads them. How they belong
together: [configuration.md](configuration.md), [policy.md](policy.md). The same as a JSON schema,
for editors: `privacy-gate schema config`, `privacy-gate schema policy`. A key without a default is
not set, or a mapping whose keys have their own.

This page is made by `python docs/generate.py` from the docstrings of `privacy_gate/config`: change
those, not it.
"""
_PATTERNS = {
    f"^({TARGET})$": "`package.module:function`",
    f"^({NAME})$": "letters, digits, `.`, `_` and `-`",
    f"^({DEVICE})$": "`auto`, `cpu`, `cuda` or `cuda:N`",
    f"^({SHA256})$": "64 hexadecimal digits",
}
_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "object": "mapping",
    "date": "date, as 2027-01-31",
}
_BOUNDS = {
    "exclusiveMinimum": "above",
    "minimum": "at least",
    "exclusiveMaximum": "below",
    "maximum": "at most",
}


def page() -> str:
    """The whole page. Raises ``ValueError`` for a key without a sentence."""
    anchors: dict[str, str] = {}
    config = document("## `privacy_gate.yaml`", config_schema(), "", anchors)
    policy = document("## The policy file", policy_schema(), "policy: ", anchors)
    return "\n".join([_HEAD, *config, *policy])


def document(heading: str, root: Schema, prefix: str, anchors: dict[str, str]) -> list[str]:
    """The tables of a grammar, one for each mapping. ``prefix`` tells its headings from those of
    another; ``anchors``: definition -> where it is explained already."""
    page = _Page(anchors, [heading + "\n", _sentence(root, heading) + "\n"])
    page.mapping(root, [root], "", prefix)
    return page.parts


@dataclass
class _Page:
    anchors: dict[str, str]
    parts: list[str]

    def mapping(self, root: Schema, variants: Sequence[Schema], path: str, prefix: str) -> None:
        """A table of the keys, and those of the mappings inside."""
        rows = ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
        following: list[tuple[str, list[Schema]]] = []
        for key in _keys(variants):
            own = f"{path}.{key}" if path else key
            having = [variant for variant in variants if key in variant["properties"]]
            inner = _mappings(root, having[0]["properties"][key])
            link = ""
            if inner:
                definition = json.dumps(inner)
                if definition not in self.anchors:
                    following.append((own, inner))
                    self.anchors[definition] = anchor(prefix + own)
                link = f" ([keys](#{self.anchors[definition]}))"
            cells = (
                f"`{key}`",
                _type(root, having, key, link),
                _default(root, having, key),
                _meaning(root, variants, having, key, own),
            )
            rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        self.parts.append("\n".join(rows) + "\n")
        for own, inner in following:
            self.parts.append(f"### {prefix}`{own}`\n")
            if len(inner) == 1:
                self.parts.append(_sentence(inner[0], own) + "\n")
            self.mapping(root, inner, own, prefix)


def _keys(variants: Sequence[Schema]) -> list[str]:
    """What tells the variants apart, what all of them have, and the rest."""
    keys = dict.fromkeys(key for variant in variants for key in variant["properties"])

    def rank(key: str) -> int:
        shared = all(key in variant["properties"] for variant in variants)
        return 0 if _telling(variants, key) else 1 if shared else 2

    return sorted(keys, key=rank)


def _telling(variants: Sequence[Schema], key: str) -> bool:
    return len(variants) > 1 and all("const" in v["properties"].get(key, {}) for v in variants)


def _choices(root: Schema, node: Schema) -> Iterator[Schema]:
    """The alternatives of a value, references followed."""
    if "$ref" in node:
        yield from _choices(root, _pointed(root, node))
    elif "anyOf" in node and "properties" not in node:
        for choice in node["anyOf"]:
            yield from _choices(root, choice)
    elif "oneOf" in node:
        for choice in node["oneOf"]:
            yield from _choices(root, choice)
    else:
        yield node


def _pointed(root: Schema, node: Schema) -> Schema:
    found: Schema = root["$defs"][node["$ref"].rpartition("/")[2]]
    return found


def _mappings(root: Schema, node: Schema) -> list[Schema]:
    """The mappings with keys of their own that a value, or an item of it, may be."""
    choices = [*_choices(root, node)]
    items = [found for c in choices if "items" in c for found in _choices(root, c["items"])]
    return [found for found in (*choices, *items) if "properties" in found]


def _type(root: Schema, having: Sequence[Schema], key: str, link: str) -> str:
    nodes = [choice for v in having for choice in _choices(root, v["properties"][key])]
    words = [*dict.fromkeys(_word(root, node, link) for node in nodes)]
    return (", " if all("const" in node for node in nodes) else " or ").join(words)


def _word(root: Schema, node: Schema, link: str) -> str:
    if "enum" in node or "const" in node:
        values = node.get("enum", [node.get("const")])
        return ", ".join(f"`{value}`" for value in values)
    if "pattern" in node:
        return _PATTERNS.get(node["pattern"], f"text like `{node['pattern']}`")
    if node["type"] == "array":
        items = dict.fromkeys(_word(root, item, link) for item in _choices(root, node["items"]))
        least = f"; at least {node['minItems']}" if "minItems" in node else ""
        return f"list of: {' or '.join(items)}{least}"
    if "properties" in node:
        return f"mapping{link}"
    if isinstance(node.get("additionalProperties"), Mapping):
        return f"mapping of names to {_word(root, node['additionalProperties'], link)}"
    bounds = [f"{word} {node[name]}" for name, word in _BOUNDS.items() if name in node]
    word = _WORDS[node.get("format", node["type"])]
    return f"{word}, {' and '.join(bounds)}" if bounds else word


def _default(root: Schema, having: Sequence[Schema], key: str) -> str:
    if all(key in _required(root, variant) for variant in having):
        return "**required**"
    value = _given(having[0]["properties"][key].get("default"))
    if value in (None, {}) or (
        isinstance(value, Mapping) and _mappings(root, having[0]["properties"][key])
    ):
        return ""  # that of each key inside
    text = yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False)
    return f"`{text.removesuffix('...' + chr(10)).strip()}`"


def _given(value: Any) -> Any:
    """A default without the keys that are not set."""
    if isinstance(value, Mapping):
        return {key: _given(inner) for key, inner in value.items() if inner is not None}
    return [_given(inner) for inner in value] if isinstance(value, list) else value


def _required(root: Schema, variant: Schema) -> list[str]:
    """With what may stand in another file instead, the one that ``extends`` names."""
    instead = root.get("else", {})
    if variant is root:
        return [*variant.get("required", []), *instead.get("required", [])]
    for key, rule in instead.get("properties", {}).items():
        if variant in _mappings(root, root["properties"][key]):
            return [*rule["required"]]
    return [*variant.get("required", [])]


def _meaning(
    root: Schema, variants: Sequence[Schema], having: Sequence[Schema], key: str, own: str
) -> str:
    if _telling(variants, key):
        words = [f"`{v['properties'][key]['const']}`: {_sentence(v, own)}" for v in variants]
        return "<br>".join(words)
    node = having[0]["properties"][key]
    described = node if "description" in node else next(_choices(root, node))
    sentence = _sentence(described, own)
    if len(having) < len(variants):
        telling = next(name for name in _keys(variants) if _telling(variants, name))
        whom = ", ".join(f"`{v['properties'][telling]['const']}`" for v in having)
        return f"For {whom}. {sentence}"
    return sentence


def _sentence(node: Schema, where: str) -> str:
    if not node.get("description"):
        raise ValueError(f"{where} has no docstring that says what it means.")
    return " ".join(node["description"].replace("``", "`").split())


def anchor(heading: str) -> str:
    """As GitHub makes it: small letters, digits and hyphens."""
    return "".join(
        sign for sign in heading.lower().replace(" ", "-") if sign.isalnum() or sign in "-_"
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
