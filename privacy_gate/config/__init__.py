"""The configuration: YAML with positions, validated and resolved into a frozen ``Config``."""

from __future__ import annotations

from privacy_gate.config.configuration import Config
from privacy_gate.config.json_schema import config_schema, policy_schema
from privacy_gate.config.loading import load_config

__all__ = ["Config", "config_schema", "load_config", "policy_schema"]
