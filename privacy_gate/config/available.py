"""Which attacks a configuration allows: decided without opening the model."""

from __future__ import annotations

from dataclasses import dataclass, field

from privacy_gate.config.model_section import ModelSection
from privacy_gate.config.schema import Settings
from privacy_gate.config.source import Source
from privacy_gate.errors import ConfigError
from privacy_gate.protocols import Attack
from privacy_gate.registry import ATTACKS, SUITES, on_surfaces, open_attack, split_family


def available(settings: Settings, source: Source) -> tuple[str, ...]:
    """The configured attacks whose access the model's configuration declares, each once.

    An attack of a suite may be left out; raises ``ConfigError`` for one named singly. Attacks of
    other packages count as available and are not imported: they are named singly, so that a run
    without their access ends in an error.
    """
    names: list[str] = []
    allowance = Allowance(settings.limits.max_queries, settings.model.output.queries)
    for position, section in enumerate(settings.attacks):
        for name in SUITES.get(section.name, (section.name,)):
            location = source.location(("attacks", position))
            obstacle = None
            if settings.task != "custom" and (name in ATTACKS or split_family(name)):
                attack = open_configured(settings, name, location)
                obstacle = access_obstacle(settings.model, attack) or allowance.obstacle(attack)
            if obstacle is None:
                names.append(name)
            elif section.name not in SUITES:
                obstacle.location = location
                raise obstacle
    return on_surfaces(dict.fromkeys(names), settings.model.output.surfaces)


def open_configured(settings: Settings, name: str, location: str) -> Attack:
    """The attack of this name with the options given for it. Raises ``ConfigError``."""
    options = options_of(settings, name)
    try:
        attack: Attack = open_attack(name, options)
    except TypeError:
        raise ConfigError(
            f"The attack {name!r} does not take all of these options.",
            hint="features is for simple-shot-K and laplacian-shot-K, draws for few-shot attacks,"
            " queries for noise-robustness, augmentation-robustness and boundary-distance (8 or"
            " more).",
            location=location,
        ) from None
    return attack


def options_of(settings: Settings, name: str) -> dict[str, object]:
    """The options given for an attack; those of a suite's attacks are empty."""
    return next((section.options for section in settings.attacks if section.name == name), {})


def access_obstacle(model: ModelSection, attack: Attack) -> ConfigError | None:
    """Why the model's configuration does not allow the attack, or ``None``."""
    access = _access(model)
    if attack.access in access:
        return None
    return ConfigError(
        f"The attack {attack.name!r} needs {attack.access}, and the model's configuration"
        f" offers {', '.join(access)} only.",
        hint=_HOW_TO_OFFER.get(attack.access),
    )


@dataclass
class Allowance:
    """``limits.max_queries``, spent by one attack after the other in the order they are named.

    ``spent``: the queries that all attacks share; what an attack asks beside them is added.
    """

    most: int | None
    spent: int
    _admitted: set[str] = field(default_factory=set)

    def obstacle(self, attack: Attack) -> ConfigError | None:
        """Why the attack asks too often; else ``None``, and its queries are spent."""
        shares = "queries" not in attack.reads and attack.access != "gradients"
        if attack.name in self._admitted or shares:
            return None
        wanted = attack.queries_per_record
        if self.most is not None and self.spent + wanted > self.most:
            return ConfigError(
                f"The attack {attack.name!r} asks the model {wanted} times about a record, and"
                f" limits.max_queries: {self.most} leaves {max(0, self.most - self.spent)}.",
                hint="Raise limits.max_queries, or lower the queries of the attacks.",
            )
        self._admitted.add(attack.name)
        self.spent += wanted
        return None


_HOW_TO_OFFER = {
    "features": "Name a layer (torch) or one more output (ONNX) in model.features; an ONNX file"
    " has to be exported with the layer among its outputs.",
    "gradients": "Use a model of format torch.",
    "scores": "Choose an output with scores in model.output.",
}


def _access(model: ModelSection) -> tuple[str, ...]:
    """What an attacker sees of the model as configured."""
    if model.output.kind == "labels":
        return ("labels",)
    features = ("features",) if model.features else ()
    gradients = ("gradients",) if model.format == "torch" else ()
    return ("labels", "scores", *features, *gradients)
