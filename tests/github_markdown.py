"""What GitHub makes of a Markdown text: read by its own parser, and searched for what may not be.

``contained`` is the definition of "nothing from a report breaks out": it raises otherwise.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from html.parser import HTMLParser

import cmarkgfm
from cmarkgfm.cmark import Options

OURS = {"<details>", "</details>", "<summary>", "</summary>"}
TAGS = {
    "h2", "h3", "p", "hr", "ul", "ol", "li", "strong", "code", "pre", "details", "summary",
    "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
VOID = {"hr"}
REFERENCES = re.compile(
    r"@\w|#\d|\bGH-\d|://|www\.|:[\w+-]+:|\b(?=\d*[a-f])[0-9a-f]{7,40}\b|\$", re.IGNORECASE
)
"""What GitHub turns into a mention, a link, an emoji or a formula outside of code."""


@dataclass
class Page(HTMLParser):
    """The HTML of a text, taken apart. ``words``: all text; ``loose``: that outside of code."""

    tags: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)
    headings: list[str] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "a":
            self.links.append(dict(attrs)["href"])
        if tag == "tr":
            self.rows.append(0)
        if tag in ("th", "td"):
            self.rows[-1] += 1
        if tag in ("h2", "h3"):
            assert "details" not in self.open
            self.headings.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag, "tags are nested"

    def handle_comment(self, data):
        self.comments.append(data)

    def handle_data(self, data):
        self.words.append(data)
        if {"h2", "h3"} & set(self.open):
            self.headings[-1] += data
        if not {"code", "pre", "a"} & set(self.open):
            self.loose.append(data)


def read(markdown: str) -> Page:
    """The text as GitHub's parser reads it, raw HTML included."""
    html = cmarkgfm.github_flavored_markdown_to_html(markdown, options=Options.CMARK_OPT_UNSAFE)
    page = Page()
    page.feed(html)
    page.close()
    return page


def contained(markdown: str, *, link: str = "") -> Page:
    """The page, if all markup in it is ours and ``link`` the only link."""
    assert "<!--" not in markdown
    assert "-->" not in markdown
    assert set(re.findall(r"<[^>\n]*>?", markdown)) <= OURS
    for character in set(markdown) - {"\n"}:
        assert unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    _tables(markdown)
    page = read(markdown)
    assert page.comments == []
    assert page.open == []
    assert set(page.tags) - {"a"} <= TAGS
    assert set(page.links) <= {link}
    assert page.tags.count("summary") == page.tags.count("details")
    for node in page.loose:
        assert not REFERENCES.search(node), node
    return page


def _tables(markdown: str) -> None:
    """Every row of a table has as many bars as its first one."""
    bars = 0
    fenced = False
    for line in markdown.splitlines():
        fenced ^= line.startswith("```")
        if line.startswith("|") and not fenced:
            found = len(re.findall(r"(?<!\\)\|", line))
            assert found == (bars or found), line
            bars = found
        else:
            bars = 0
