"""Text of a report inside Markdown: shown as it is, never read as markup.

A report can come from a pull request, so no string of it may form a link, an image, a mention, a
reference to an issue or commit, HTML, an HTML comment or a table cell. Two rules give that:
what GitHub could read as more than a word is shown as a code span, where it reads nothing; and
``<``, ``>``, ``&`` and ``|`` are always written as entities, outside the code spans.
"""

from __future__ import annotations

import re
import unicodedata

ICONS = "✅❌🛑⚠⏸"
"""What stands for a verdict; a report cannot show one of its own."""

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_MOST_MARKS = 2
_MOST_BACKTICKS = 8  # the parser gives up on fences that are much longer
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;"}
_MARKUP = re.compile(r"[\\`*_~@#$^]")
_REFERENCE = re.compile(
    r"://|www\.|:[\w+-]+:|(?<!\d)[a-z]-\d|[a-z]/[a-z]|\b(?=\d*[a-f])[0-9a-f]{7,40}\b", re.IGNORECASE
)
_AROUND = re.compile(r"([(\"']*)(.*?)([.,:;!?)\"']*)")
_BLOCK = re.compile(r"[-+=]+|\d+\.")


def clean(value: object, most: int) -> str:
    """A string on one line, at most ``most`` characters, the middle left out where it is longer.

    Characters that control, hide or reverse text, and the icons of verdicts, become U+FFFD. What is
    no string is empty.
    """
    if not isinstance(value, str):
        return ""
    if len(value) > most:
        half = (most - 1) // 2
        value = f"{value[:half]}…{value[len(value) - half :]}"
    if not (value.isascii() and value.isprintable()):
        value = "".join(_visible(value))
    return " ".join(value.split())


def _visible(value: str) -> list[str]:
    shown: list[str] = []
    marks = 0
    for character in value:
        category = unicodedata.category(character)
        marks = marks + 1 if category[0] == "M" else 0
        if character.isspace() or category[0] == "Z":
            shown.append(" ")
        elif category[0] == "C" or category == "Me" or _is_hidden(character):
            shown.append(_REPLACEMENT)
        elif marks <= _MOST_MARKS:  # more of them would cover the lines above and below
            shown.append(character)
    return shown


def _is_hidden(character: str) -> bool:
    """An icon of a verdict, or invisible though it counts as a letter or a mark."""
    return (
        character in ICONS
        or character in _INVISIBLE
        or "\ufe00" <= character <= "\ufe0f"
        or "\U000e0100" <= character <= "\U000e01ef"
    )


def code(value: object, most: int = 120) -> str:
    """The string as code: a name, a path, an identifier. ``(none)`` where there is none."""
    shown = clean(value, most)
    if not shown:
        return "(none)"
    return "".join(
        _ENTITIES.get(part) or _fenced(part) for part in re.split(r"([<>|])", shown) if part
    )


def _fenced(part: str) -> str:
    part = re.sub(rf"`{{{_MOST_BACKTICKS},}}", "`" * _MOST_BACKTICKS, part)
    longest = max((len(run) for run in re.findall("`+", part)), default=0)
    fence = "`" * (longest + 1)
    padding = " " if part[0] == "`" or part[-1] == "`" else ""
    return f"{fence}{padding}{part}{padding}{fence}"


def text(value: object, most: int = 600) -> str:
    """The string as running text; words that GitHub would read as more are shown as code."""
    first, *words = clean(value, most).split(" ")
    # alone at the start, these would open a list or underline a heading
    opener = f"{first[:-1]}\\{first[-1]}" if _BLOCK.fullmatch(first) else _word(first)
    return " ".join([opener, *map(_word, words)])


def _word(word: str) -> str:
    around = _AROUND.fullmatch(word)
    if around is None or not (_MARKUP.search(word) or _REFERENCE.search(word)):
        return _escaped(word)
    before, inner, after = around.groups()
    return _escaped(before) + code(inner, len(inner)) + _escaped(after)


def _escaped(word: str) -> str:
    return "".join(
        f"\\{character}" if character in "[]()" else _ENTITIES.get(character, character)
        for character in word
    )
