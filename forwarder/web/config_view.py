"""The config as it is shown: the active one without its secrets, and the last edit that was refused."""

from typing import Any

import msgspec

from forwarder.core.config.problem_places import ConfigProblem


class RefusedConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The last edit of the config, which could not be used. The config before it is still active."""

    at: str
    problems: list[ConfigProblem]
    more: int = 0
    """How many problems are left out."""


class ConfigView(msgspec.Struct, frozen=True, kw_only=True):
    """The active config. Secrets are replaced by `***`, also the paths of webhook URLs."""

    file: str
    digest: str
    active_since: str
    needs_restart: list[str]
    """Settings whose new values become active with the next start."""
    settings: Any
    """The settings that the config has, as JSON."""
    routing: Any
    """`routes`, `lists`, `matchers` and the like as they are written, with the names of variables in the place of their values."""
    refused: RefusedConfig | None = None
