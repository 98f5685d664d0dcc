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
from privacy_gate.config.values import (
    BatchSize,
    Day,
    Device,
    LabelOrder,
    Name,
    Numbers,
    OutputName,
    Positive,
    PositiveNumbers,
    Rate,
    Section,
    Sha256,
    Target,
    Text,
    Verify,
    Version,
    text_or_mapping,
)


def _nothing_required(schema: dict[str, Any]) -> None:
    schema.pop("required", None)


def _required_unless_extending(schema: dict[str, Any]) -> None:
    """For editors, which see one file only: what is missing may be in the file it extends."""
    required = [key for key in schema["required"] if key != "version"]
    schema["required"] = ["version"]
    schema["if"] = {"required": ["extends"]}
    schema["else"] = {"required": required, "properties": {"model": {"required": ["format"]}}}


class OutputSection(Section):
    """Which output of the model is judged."""

    name: OutputName | None = None
    """Name, key or index of the output; default: the only one."""
    kind: Literal["logits", "probabilities", "labels", "auto"] = "auto"
    """What the output holds."""


class LabelsSection(Section):
    """How positions of the output correspond to labels of the fixtures."""

    order: LabelOrder
    """Label value of each output position."""


class FeaturesSection(Section):
    """Where attacks that read features find them."""

    name: Text
    """Module (torch) or named output (ONNX)."""


class PreprocessSection(Section):
    """Declared preprocessing: ``(x * scale - mean) / std`` in the layout the model expects."""

    scale: Positive | None = None
    """Factor applied to the raw values."""
    mean: Numbers | None = None
    """Mean of each channel, after scaling."""
    std: PositiveNumbers | None = None
    """Standard deviation of each channel, after scaling."""
    layout: Literal["NCHW", "NHWC"] | None = None
    """Order of the axes the model expects."""


class ExpectedSection(Section):
    """What the model is known to reach, which proves that preprocessing and labels are right."""

    nonmember_accuracy: Annotated[float, Field(ge=0, le=1)]
    """Accuracy on the non-members."""
    tolerance: Annotated[float, Field(ge=0, lt=1)] = 0.03
    """Distance allowed beyond the measured interval."""


class ModelSection(Section):
    """The candidate model, and how to run it."""

    model_config = ConfigDict(json_schema_extra=_nothing_required)

    format: Literal["torch", "torchscript", "exported", "onnx"]
    """Format of the model file."""
    path: Text | None = None
    """Model file, relative to this file; may be given by --model or PRIVACY_GATE_MODEL instead."""
    sha256: Sha256 | None = None
    """Pins the model file."""
    factory: Target | None = None
    """Format torch: function that returns the module the weights are loaded into."""
    kwargs: Annotated[dict[str, Any], WithJsonSchema({"type": "object"})] = Field(
        default_factory=dict
    )
    """Arguments of the factory."""
    weights_key: Text | None = None
    """Key of the weights inside a wrapped checkpoint."""
    strip_prefix: Text | None = None
    """Prefix to take off the names of the weights."""
    inputs: Annotated[dict[Text, Text], Field(min_length=1)] | None = None
    """Model input -> column of the fixtures; default: the only one of each."""
    output: OutputSection = OutputSection()
    labels: LabelsSection | None = None
    features: FeaturesSection | None = None
    preprocess: (
        Annotated[
            Annotated[PreprocessSection, Tag("<mapping>")] | Annotated[Target, Tag("<text>")],
            Discriminator(text_or_mapping),
        ]
        | None
    ) = None
    """Preprocessing of the raw records, declared or as package.module:function."""
    expected: ExpectedSection | None = None
    device: Device = "auto"
    """auto, cpu, cuda or cuda:N."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Number format of the forward pass."""
    batch_size: BatchSize = "auto"
    """Records per forward pass."""
    trust: Literal["weights", "code"] = "weights"
    """code: the model file may run code when it is loaded."""


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
    features: Literal["signals", "penultimate", "logits", "probabilities"] | None = None
    """What a few-shot attack looks at."""
    draws: Annotated[int, Field(ge=1, le=1000)] | None = None
    """How many draws of labelled records a few-shot attack is averaged over."""
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
        given = {"features": self.features, "draws": self.draws}
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


class Limits(Section):
    """Bounds on the cost of a run."""

    seconds: Positive | None = None
    """Longest time a run may take."""


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
    limits: Limits = Limits()
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
