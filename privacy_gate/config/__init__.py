"""The configuration: YAML with positions, validated and resolved into a frozen ``Config``."""

from __future__ import annotations

from privacy_gate.config.loading import Config, load_config
from privacy_gate.config.schema import config_schema

__all__ = ["Config", "config_schema", "load_config"]
