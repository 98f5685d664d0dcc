"""Reports that nobody would write by accident: what ``report_from_dict`` accepts, and no more.

Real reports, made small, in which any value is exchanged for a hostile one; and reports made of
nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import report_samples
from hypothesis import strategies as st

from privacy_gate.domain import Change, Check, Comparison, FixtureCheck, Report, ReportSet
from privacy_gate.errors import UsageError
from privacy_gate.report.parse import report_from_dict

FRAGMENTS = (
    "|", "\\|", "`", "```", "`" * 99, "<!--", "-->", "</details>", "<script>", "<img src=x>",
    "&amp;", "&#64;", "@octocat", "#12", "a/b#3", "GH-4", "a@b.co", "https://e.example/",
    "www.e.example", "[a](https://e.example)", "![a](x)", "**", "_", "~~", "$x$", ":+1:", "- ",
    "1. ", "---", "\n", "\r\n", "\n\n# ", "\n|---|\n", "\t", "\x00", "\x1b[2J", "\x7f", "\x85",
    "\u202e", "\u2066", "\u200b", "\ufeff", "\u2028", "\ufe0f", "\u0301\u0301\u0301", "✅ PASS",
    "PASS", "🛑", "::error::", "%0A", "{{7*7}}", "{%", "/", "..", "\\", "'", '"', " ", "\uffff",
    "<!-- privacy-gate:default -->", "0123456789abcdef0123456789abcdef01234567",
)  # fmt: skip
NUMBERS = (
    0.0, -0.0, 1.0, 0.5, 1e-12, 5e-324, 1e308, -1e308, -1.0, 2.0, 0.1, 1e-300, 12345.678,
)  # fmt: skip
INTEGERS = (0, 1, -1, 2, 10**6, 2**63, -(2**70), 10**400)
WORDS = (
    "pass", "fail", "inconclusive", "waived", "not_run", "error", "ran", "exact", "asymptotic",
    "within noise", "higher", "lower", "loosened", "tightened", "dropped", "added", "changed",
    "tpr_at_fpr", "tnr_at_fnr", "log_mia", "auc", "advantage", "a", "b",
)  # fmt: skip

texts = st.one_of(
    st.lists(st.sampled_from(FRAGMENTS), max_size=5).map("".join),
    st.text(max_size=12),
    st.sampled_from(("x" * 5000, "`" * 3000, "|" * 1000)),
)
floats = st.one_of(st.sampled_from(NUMBERS), st.floats(allow_nan=False, allow_infinity=False))
integers = st.sampled_from(INTEGERS)
scalars = st.one_of(st.none(), st.booleans(), texts, floats, integers)
anything = st.one_of(
    scalars, st.lists(scalars, max_size=3), st.dictionaries(texts, scalars, max_size=3)
)


def _replacement(value: Any) -> st.SearchStrategy[Any]:
    """Mostly something of the same kind, so that the report is still one."""
    if isinstance(value, bool):
        return st.booleans()
    if isinstance(value, int):
        return integers
    if isinstance(value, float):
        return st.one_of(floats, floats, st.none())
    if isinstance(value, str):
        return st.one_of(texts, texts, st.sampled_from(WORDS))
    if isinstance(value, list):
        changed = (
            st.just([]),
            st.just(value[:1]),
            st.just(value[::-1]),
            st.just(value * 2),
            st.lists(floats, max_size=4),
        )
        return st.one_of(changed)
    if isinstance(value, dict):
        return st.one_of(st.just({}), st.dictionaries(texts, scalars, max_size=2), st.none())
    return anything


@cache
def small_samples() -> tuple[str, ...]:
    """The sample reports as JSON, with three checks, two attacks and four points a curve."""
    return tuple(json.dumps(_small(sample().to_dict())) for sample in report_samples.ALL)


def _small(content: dict[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for check in content["checks"]:
        known.setdefault(check["metric"], check)
    content["checks"] = [*content["checks"][:1], *known.values()][:4]
    content["attacks"] = [*content["attacks"][:1], *content["attacks"][-1:]]
    content.setdefault("fixture_checks", []).append(
        {"name": "blind baseline", "verdict": "inconclusive", "statistic": 0.5, "message": "?"}
    )
    content["overrides"] = [{"key": "model.path", "from": "a", "to": "b", "source": "--model"}]
    content["policy"] = {"path": "policy.yaml", "sha256": "ab"}
    content["reused"] = {"commit": "ab", "run_url": "https://e.example", "finished": "today"}
    if content["fixtures"]:
        content["fixtures"]["ood"] = {"far": 3}
    return _shortened(content)


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shortened(inner) for key, inner in value.items()}
    if isinstance(value, list) and len(value) > 5 and isinstance(value[0], float):
        return [value[0], *value[1 :: max(1, len(value) // 3)]][:4]
    return [_shortened(inner) for inner in value] if isinstance(value, list) else value


@cache
def _places(sample: str) -> tuple[tuple[Any, ...], ...]:
    """The way to every value of a sample, as keys and numbers."""
    return tuple(_ways(json.loads(sample)))


def _ways(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield (*way, key)
            yield from _ways(value[key], (*way, key))


@st.composite
def _mutated(draw: Any) -> dict[str, Any]:
    sample = draw(st.sampled_from(small_samples()))
    content: dict[str, Any] = json.loads(sample)
    for _ in range(draw(st.integers(1, 4))):
        *way, key = draw(st.sampled_from(_places(sample)))
        deed = draw(st.integers(0, 11))
        try:
            container: Any = content
            for step in way:
                container = container[step]
            value = container[key]
        except (KeyError, IndexError, TypeError):  # an earlier deed has taken it away
            continue
        if deed == 0 and isinstance(container, dict):
            del container[key]
        elif deed == 1 and isinstance(container, dict):
            container[draw(texts)] = draw(anything)
        elif isinstance(container, dict | list):
            container[key] = draw(anything if deed == 2 else _replacement(value))
    return content


def accepted(content: dict[str, Any]) -> Report | None:
    """The report, or ``None`` where it is refused, which has to happen in one sentence."""
    try:
        return report_from_dict(content)
    except UsageError:
        return None


mutated = _mutated().map(accepted).filter(lambda report: report is not None)
"""Real reports with hostile values anywhere, as far as they are still reports."""

_optional = st.one_of(st.none(), floats)
_comparisons = st.builds(
    Comparison,
    estimate=_optional,
    difference=_optional,
    low=_optional,
    high=_optional,
    paired=st.booleans(),
    method=st.sampled_from(["exact", "asymptotic"]),
    word=st.sampled_from(["within noise", "higher", "lower"]),
)
_checks = st.builds(
    Check,
    id=texts,
    attack=st.one_of(texts, st.just("loss")),
    metric=st.one_of(texts, st.sampled_from(["tpr_at_fpr", "tnr_at_fnr", "log_mia", "auc"])),
    arguments=st.dictionaries(texts, st.one_of(floats, texts), max_size=2),
    budget=floats,
    line=st.one_of(st.none(), integers),
    verdict=st.sampled_from(["pass", "fail", "inconclusive", "waived", "not_run"]),
    message=texts,
    advice=texts,
    warned=st.booleans(),
    estimate=_optional,
    low=_optional,
    high=_optional,
    null=_optional,
    increase=st.booleans(),
    path=st.one_of(st.none(), texts),
    baseline=st.one_of(st.none(), _comparisons),
    waiver=st.one_of(st.none(), st.dictionaries(texts, texts, max_size=3)),
)
_changes = st.builds(
    Change,
    key=texts,
    kind=st.sampled_from(["loosened", "tightened", "dropped", "added", "changed"]),
    base=st.one_of(st.none(), texts),
    head=st.one_of(st.none(), texts),
    message=texts,
    blocking=st.booleans(),
    line=st.one_of(st.none(), integers),
)
_maps = st.dictionaries(
    st.one_of(texts, st.sampled_from(["path", "sha256", "message", "location", "hint", "run_url"])),
    anything,
    max_size=3,
)
written = st.builds(
    Report,
    name=texts,
    verdict=st.sampled_from(["pass", "pass", "fail", "inconclusive", "error"]),
    complete=st.booleans(),
    run=_maps,
    model=_maps,
    task=texts,
    config=_maps,
    fixtures=_maps,
    checks=st.lists(_checks, max_size=2).map(tuple),
    fixture_checks=st.lists(
        st.builds(FixtureCheck, texts, st.sampled_from(["pass", "fail"]), texts), max_size=1
    ).map(tuple),
    policy=st.one_of(st.none(), _maps),
    waivers=st.lists(_maps, max_size=1).map(tuple),
    overrides=st.lists(_maps, max_size=1).map(tuple),
    cautions=st.lists(texts, max_size=2).map(tuple),
    tolerated=st.booleans(),
    changes=st.lists(_changes, max_size=2).map(tuple),
    base=st.one_of(st.none(), _maps),
    baseline=st.one_of(st.none(), _maps),
    reused=st.one_of(st.none(), _maps),
    error=st.one_of(st.none(), _maps),
    timing=_maps,
    environment=_maps,
)
"""Reports of hostile values only."""

sets = st.builds(
    lambda reports, missing: ReportSet(tuple(reports), tuple(missing)),
    st.lists(mutated, max_size=3),
    st.lists(texts, max_size=2),
)
"""Sets of hostile reports, some of them missing."""


def is_pass(report: Report) -> bool:
    """Whether anybody may be told that a report passes."""
    return (
        report.verdict == "pass"
        and report.complete
        and report.error is None
        and bool(report.checks)
        and {check.verdict for check in report.checks} == {"pass"}
        and not any(change.blocking for change in report.changes)
        and not any(check.blocking for check in report.fixture_checks)
    )
