"""The grammars as JSON schemas, for editors; they ship in ``schemas/``."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from privacy_gate.config.policy import PolicySettings
from privacy_gate.config.schema import Settings


def config_schema() -> dict[str, Any]:
    """The JSON schema of ``privacy_gate.yaml``."""
    return _schema(Settings, "privacy-gate.config/1", "privacy_gate.yaml")


def policy_schema() -> dict[str, Any]:
    """The JSON schema of a policy file."""
    return _schema(PolicySettings, "privacy-gate.policy/1", "privacy_policy.yaml")


def _schema(grammar: type[BaseModel], identifier: str, title: str) -> dict[str, Any]:
    content = grammar.model_json_schema(schema_generator=_JsonSchema)
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "$id": identifier,
        **content,
        "title": title,
    }


class _JsonSchema(GenerateJsonSchema):
    """Without titles, and without null, which a configuration never holds."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default", ...) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)
