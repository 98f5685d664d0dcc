"""The ``model`` section of ``privacy_gate.yaml``: which file is judged, and how it is run."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, WithJsonSchema

from privacy_gate.config.values import (
    BatchSize,
    Device,
    LabelOrder,
    Numbers,
    OutputName,
    OutputTransform,
    Positive,
    PositiveNumbers,
    Section,
    Sha256,
    Target,
    Text,
    text_or_mapping,
)


def _nothing_required(schema: dict[str, Any]) -> None:
    schema.pop("required", None)


class OutputSection(Section):
    """Which output of the model is judged."""

    name: OutputName | None = None
    """Name, key or index of the output; default: the only one."""
    kind: Literal["logits", "probabilities", "labels", "auto"] = "auto"
    """What the output holds."""
    transforms: Annotated[tuple[OutputTransform, ...], Field(strict=False)] = ()
    """What the service does to the scores before it shows them: hamp, or a function from
    probabilities to scores; attacked both on and off."""
    raw: Text | None = None
    """Where the scores behind the output are: the module that a wrapper wraps, as module or
    module:part (torch), or another output (ONNX); attacked, too."""
    repeats: Annotated[int, Field(ge=2, le=64)] | None = None
    """How often each record is asked about, for answers that are random; their mean is attacked,
    too."""

    @property
    def surfaces(self) -> tuple[str, ...]:
        """What is attacked beside the answers as they are shown: raw, averaged."""
        raw = ("raw",) if self.transforms or self.raw else ()
        averaged = ("averaged",) if self.repeats else ()
        return (*raw, *averaged)

    @property
    def queries(self) -> int:
        """How often the model is asked about each record for all of its surfaces; hamp asks about
        a random input every time, too."""
        return self.passes * (1 + (self.repeats or 0)) + ("raw" in self.surfaces)

    @property
    def passes(self) -> int:
        """How often the model runs for one answer as it is shown."""
        return 1 + self.transforms.count("hamp")


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
