"""The grammar of ``privacy_gate.yaml``; rules that span several keys are in ``checks``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from privacy_gate.config.budgets import Budget
from privacy_gate.config.model_section import ModelSection
from privacy_gate.config.values import (
    Day,
    Generator,
    Name,
    Positive,
    Rate,
    Section,
    Sha256,
    Target,
    Text,
    Verify,
    Version,
    text_or_mapping,
)
from privacy_gate.domain import TRANSFORMS, Transform


def _required_unless_extending(schema: dict[str, Any]) -> None:
    """For editors, which see one file only: what is missing may be in the file it extends."""
    required = [key for key in schema["required"] if key != "version"]
    schema["required"] = ["version"]
    schema["if"] = {"required": ["extends"]}
    schema["else"] = {"required": required, "properties": {"model": {"required": ["format"]}}}


class FixturesSection(Section):
    """The records membership is tested on."""

    path: Text | None = None
    """Fixture directory, relative to this file; or --fixtures or PRIVACY_GATE_FIXTURES."""
    label: Text | None = None
    """Label column; default: the one the manifest names."""
    sha256: Sha256 | None = None
    """Pins the manifest."""
    receipt: Text | None = None
    """Training receipt: members were seen, non-members not, by this very model."""
    root: Text | None = None
    """Where records that are referred to lie; or PRIVACY_GATE_FIXTURES_ROOT."""
    loader: Target | None = None
    """Function that reads one record that is referred to, from its path."""
    verify: Verify | None = None
    """Records that are referred to and hashed before use: all (default), none, or so many."""

    @model_validator(mode="before")
    @classmethod
    def _bare_path(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string", "minLength": 1}, handler(schema)]}


class BaselineModel(Section):
    """A model of the same format, to compare the candidate with on the same records."""

    model: Text
    """The baseline's model file, relative to this file."""
    factory: Target | None = None
    """Format torch: function that returns its module; default: that of the candidate."""
    kwargs: Annotated[dict[str, Any], WithJsonSchema({"type": "object"})] | None = None
    """Arguments of the factory; default: those of the candidate."""


class AttackSection(Section):
    """A single attack with options; a bare name is an attack or a suite without any."""

    name: Text
    """Suite, attack, or for task custom a signal."""
    features: Literal["signals", "penultimate", "logits", "probabilities"] | None = None
    """What a few-shot attack looks at."""
    draws: Annotated[int, Field(ge=1, le=1000)] | None = None
    """How many draws of labelled records a few-shot attack is averaged over."""
    queries: Annotated[int, Field(ge=1, le=10000)] | None = None
    """How often a label-only attack asks about each record."""
    paper_episodes: Annotated[int, Field(ge=2, le=10000)] | None = None
    """Also run the published protocol with so many episodes, for comparison with its tables."""

    @model_validator(mode="before")
    @classmethod
    def _bare_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string", "minLength": 1}, handler(schema)]}

    @property
    def options(self) -> dict[str, Any]:
        """The options given, as arguments of the attack."""
        given = {"features": self.features, "draws": self.draws, "queries": self.queries}
        return {name: value for name, value in given.items() if value is not None}


class Splits(Section):
    """Shares of the records, which must sum to 1."""

    support: Rate = 0.15
    """Records attacks may learn from."""
    calibration: Rate = 0.25
    """Records attacks choose thresholds on."""
    evaluation: Rate = 0.60
    """Records verdicts rest on."""


class WarnUntil(Section):
    """Tolerates inconclusive checks for a while."""

    warn_until: Day
    """Last day."""
    reason: Text
    """Why."""


Confidence = Annotated[float, Field(ge=0.5, lt=1)]
OnInconclusive = Annotated[
    Annotated[Literal["fail"], Tag("<text>")] | Annotated[WarnUntil, Tag("<mapping>")],
    Discriminator(text_or_mapping),
]


class StatisticsSection(Section):
    """How measurements become verdicts."""

    confidence: Confidence = 0.95
    """Confidence of every bound."""
    seed: Annotated[int, Field(ge=0, le=2**53 - 1)] = 0
    """Seed of everything random."""
    on_inconclusive: OnInconclusive = "fail"
    """What an inconclusive check means."""


class OverconfidenceSection(Section):
    """Which records that nobody trained on the attacks are tried on, too."""

    transforms: Annotated[tuple[Transform, ...], Field(strict=False)] = TRANSFORMS
    """Changes of evaluation non-members; [] for none."""
    generator: Generator = "none"
    """Makes records: none, builtin (a small network trained on calibration non-members), or a
    function that is given their columns, a number of records and a seed."""
    records: Annotated[int, Field(ge=2, le=100_000)] = 500
    """Records that are changed, and that are generated, at most."""
    fpr: Rate | None = None
    """False positive rate that thresholds are set for; default: that of the operating points."""


class AcceptSection(Section):
    """Why what a fixture check finds does not stop a verdict, in a sentence each."""

    blind_baseline: Text | None = None
    """Members can be told from non-members without the model."""
    label_shift: Text | None = None
    """The sides have other shares of the classes."""
    duplicates: Text | None = None
    """Many non-members are near copies of members."""
    accuracy: Text | None = None
    """The model is right about members less often."""
    ties: Text | None = None
    """The scores of an attack are constant."""

    @property
    def reasons(self) -> dict[str, str]:
        """Fixture check -> reason."""
        given = self.model_dump(exclude_none=True)
        return {name.replace("_", "-"): reason for name, reason in given.items()}


class Limits(Section):
    """Bounds on the cost of a run."""

    seconds: Positive | None = None
    """Longest time a run may take."""
    max_queries: Annotated[int, Field(ge=1)] | None = None
    """Most queries per record, those of all attacks together."""


class Settings(Section):
    """One configuration of the gate."""

    model_config = ConfigDict(json_schema_extra=_required_unless_extending)

    version: Version
    """Version of this grammar."""
    name: Name | None = None
    """Part of test ids and reports; default: the name of the directory."""
    python_path: Annotated[tuple[Text, ...], Field(strict=False)] = (".",)
    """Directories where functions are looked up first, relative to this file."""
    model: ModelSection
    task: Literal["classification", "custom"] = "classification"
    """What the model does."""
    signals: Target | None = None
    """Task custom: function from outputs and labels to signals."""
    fixtures: FixturesSection | None = None
    """Fixture directory, or a mapping; may be given by --fixtures or PRIVACY_GATE_FIXTURES."""
    attacks: Annotated[tuple[AttackSection, ...], Field(strict=False, min_length=1)] = (
        AttackSection(name="threshold"),
        AttackSection(name="few-shot"),
    )
    """Suites or single attacks, the latter with options if need be."""
    splits: Splits = Splits()
    budgets: Annotated[tuple[Budget, ...], Field(strict=False, min_length=1)]
    """What is tolerated."""
    statistics: StatisticsSection = StatisticsSection()
    overconfidence: OverconfidenceSection = OverconfidenceSection()
    """False alarms on records that are no members, task classification only."""
    calibration_lens: bool = True
    """Whether threshold attacks are tried on calibrated answers, too; decides nothing."""
    limits: Limits = Limits()
    accept: AcceptSection = AcceptSection()
    """Faults of the fixtures that are known and accepted."""
    baseline: (
        Annotated[
            Annotated[BaselineModel, Tag("<mapping>")] | Annotated[Text, Tag("<text>")],
            Discriminator(text_or_mapping),
        ]
        | None
    ) = None
    """What max_increase compares with: a file of ``privacy-gate baseline update``, or a model."""
    policy: Text | None = None
    """Policy file with budgets, statistics and waivers; the stricter of both wins."""
    extends: Text | None = None
    """File with the values of keys that this one does not have; its paths are relative to it."""
