"""Plans as text: tables for people, YAML for the configuration."""

from __future__ import annotations

import math
from collections.abc import Iterator

from privacy_gate.planner.budgets import BudgetsPlan, Certifiable
from privacy_gate.planner.question import SPLIT_CHANCE, Question
from privacy_gate.planner.records import Chances, RecordsPlan, budget_rows
from privacy_gate.verdict_words import metric_words


def records_text(found: RecordsPlan, record_bytes: int | None = None) -> str:
    """The plan for a terminal; ``record_bytes`` is the size of one record."""
    return "\n".join(_records(found, record_bytes)) + "\n"


def budgets_text(found: BudgetsPlan) -> str:
    """The smallest budgets for a terminal."""
    return "\n".join(_budgets(found)) + "\n"


def budgets_yaml(found: BudgetsPlan) -> str:
    """The smallest budgets as the ``budgets`` of a configuration."""
    return "\n".join(_yaml(found)) + "\n"


def _records(found: RecordsPlan, record_bytes: int | None) -> Iterator[str]:
    asked = found.asked
    yield _title(asked, found.power)
    yield ""
    if found.evaluation is None or found.fixtures is None or found.chances is None:
        yield "No number of records decides all of these checks:"
        for row, alone in zip(budget_rows(asked), found.alone, strict=True):
            if alone is None:
                yield (
                    f"  {row.metric} <= {row.budget:g}: what a model reaches without any leakage is"
                    " too near"
                )
        return
    yield "Needed on each side:"
    yield f"  {found.evaluation:>9,} evaluation records"
    yield (
        f"  {found.fixtures:>9,} fixture records: a coin takes {asked.shares[2] * 100:g} % of them"
        f" for evaluation,"
    )
    yield (f"            at least {found.evaluation:,} with a chance of {SPLIT_CHANCE:g}")
    if record_bytes is not None:
        yield (
            f"  {_size(2 * found.fixtures * record_bytes):>9} for both sides, at"
            f" {record_bytes:,} bytes a record"
        )
    yield ""
    yield from _run(found.chances)
    yield ""
    yield from _table(found.chances, found.alone)
    yield from _increases(asked)


def _table(found: Chances, alone: tuple[int | None, ...]) -> Iterator[str]:
    yield f"{'budget':<30} {'checks':>6} {'passes':>8} {'fails':>7} {'alone':>9}"
    for row, passes, fails, needed in zip(
        found.rows, found.passes, found.fails, alone, strict=True
    ):
        yield (
            f"{f'{row.metric} <= {row.budget:g}':<30} {len(row.attacks):>6} {_chance(passes):>8}"
            f" {_chance(fails) if fails else 'never':>7}"
            f" {'-' if needed is None else f'{needed:,}':>9}"
        )
    yield "passes: chance that such a check passes a model that leaks nothing"
    yield "fails:  chance, at least, that it fails the planted leak, if its attack sees all of it"
    if not all(found.fails):
        yield "never:  these few records cannot fail it; the other checks have to"
    yield "alone:  evaluation records a side that this budget needs as the only check"


def _budgets(found: BudgetsPlan) -> Iterator[str]:
    yield _title(found.asked, found.power)
    yield ""
    yield from _sizes(found)
    yield ""
    yield f"{'metric':<20} {'smallest budget':>15}   {'configured':>10} {'passes':>8}"
    for row in found.rows:
        smallest = "none below 1" if row.smallest is None else f"{row.smallest:g}"
        yield (
            f"{row.row.metric!s:<20} {smallest:>15}   {row.row.budget:>10g}"
            f" {_chance(row.configured_passes):>8}"
        )
    yield "smallest budget: a model that leaks nothing passes all of these together"
    yield "passes:          chance that it passes a check with the configured budget"
    yield ""
    if found.chances is None:
        yield "These fixtures certify nothing: add records."
    else:
        yield from _run(found.chances)
        yield from _weak(found)
    yield from _increases(found.asked)


def _yaml(found: BudgetsPlan) -> Iterator[str]:
    for sentence in _sizes(found):
        yield f"# {sentence}"
    if found.chances is not None:
        for sentence in (*_run(found.chances), *_weak(found)):
            yield f"# {sentence}"
    yield "budgets:" if found.chances is not None else "budgets: []  # none can be certified"
    for row in found.rows:
        yield _yaml_line(row, found.asked.attacks)


def _yaml_line(found: Certifiable, all_attacks: tuple[str, ...]) -> str:
    row = found.row
    fields = [f"metric: {row.metric.name}"]
    fields += [f"{key}: {_plain(value)}" for key, value in row.metric.arguments.items()]
    limit = [] if found.smallest is None else [f"max: {_plain(found.smallest)}"]
    increase = [] if row.increase is None else [f"max_increase: {_plain(row.increase)}"]
    attacks = [] if row.attacks == all_attacks else [f"attacks: [{', '.join(row.attacks)}]"]
    text = ", ".join([*fields, *limit, *increase, *attacks])
    if not limit and not increase:
        return f"  # {{{text}}}: these fixtures certify no budget below 1"
    return f"  - {{{text}}}"


def _title(asked: Question, power: float) -> str:
    count = len(asked.checks)
    checks = f"{count} check{'' if count == 1 else 's'}"
    attacks = f"{len(asked.attacks)} attack{'' if len(asked.attacks) == 1 else 's'}"
    beside = f" beside {asked.audited} of the overconfidence audit" if asked.audited else ""
    return (
        f"Plan for {asked.name}: {checks} of {attacks}{beside}, {asked.confidence * 100:g} %"
        f" confidence, power {power:g}."
    )


def _sizes(found: BudgetsPlan) -> Iterator[str]:
    fixtures, evaluation = found.fixtures, found.evaluation
    yield f"Fixtures of {fixtures.members:,} members and {fixtures.nonmembers:,} non-members leave"
    yield (
        f"at least {evaluation.members:,} + {evaluation.nonmembers:,} of them for evaluation"
        f" ({found.asked.shares[2] * 100:g} %, by coin; with a chance of {SPLIT_CHANCE:g} a side)."
    )


def _run(found: Chances) -> Iterator[str]:
    metric, value = found.leak
    low, high = map(_chance, found.run_passes)
    between = f"a chance of {low}" if low == high else f"a chance between {low} and {high}"
    yield f"A model that leaks nothing passes every check with {between}."
    yield (
        f"The planted leak ({metric_words(metric)} is {value:.2g}) fails with a chance"
        f" {_at_least(found.run_fails[0])}."
    )


def _weak(found: BudgetsPlan) -> Iterator[str]:
    if found.chances is not None and found.chances.run_fails[0] < found.power:
        yield "That is too little: what passes here may leak unnoticed. Add records."


def _increases(asked: Question) -> Iterator[str]:
    count = sum(check.increase for check in asked.checks)
    if count:
        yield (
            f"{count} of the checks bound an increase: only the baseline decides about these, and"
            " they are counted as if like the others."
        )


def _chance(value: float) -> str:
    """Three digits, and never a 1 or a 0 that is none."""
    if 0.999 < value < 1:
        return ">0.999"
    return "<0.001" if 0 < value < 0.001 else f"{value:.3f}"


def _at_least(value: float) -> str:
    return "above 0.999" if 0.999 < value < 1 else f"of at least {value:.3f}"


def _plain(value: float | str) -> str:
    """As YAML reads it: 1e-05 would be a text there."""
    if isinstance(value, str):
        return value
    digits = max(2, 2 - math.floor(math.log10(value)))
    text = f"{value:.{digits + 6}f}".rstrip("0")
    return text + "0" if text.endswith(".") else text


def _size(count: int) -> str:
    """Bytes in the unit that gives one to three digits before the point."""
    size, units = float(count), ["bytes", "kB", "MB", "GB", "TB", "PB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:.0f} {units[0]}" if units[0] == "bytes" else f"{size:.3g} {units[0]}"
