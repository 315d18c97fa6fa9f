"""Turns the bytes of `config.yaml` into a checked `Config`, or into a list of all mistakes with their places.

The names below are loaded when they are first used: a command that needs the outline of a config alone does not load every model.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from forwarder.core.config.load import load_config
    from forwarder.core.config.model.destination import DestinationConfig
    from forwarder.core.config.model.outbox import OutboxConfig
    from forwarder.core.config.model.root import Config
    from forwarder.core.config.model.route import RouteConfig
    from forwarder.core.config.model.signing import SigningConfig
    from forwarder.core.config.model.stream import StreamConfig
    from forwarder.core.config.values.secret import Secret
    from forwarder.core.yaml.problems import ConfigError, Problem

__all__ = [
    "Config",
    "ConfigError",
    "DestinationConfig",
    "OutboxConfig",
    "Problem",
    "RouteConfig",
    "Secret",
    "SigningConfig",
    "StreamConfig",
    "load_config",
]

_MODULES = {
    "Config": "forwarder.core.config.model.root",
    "ConfigError": "forwarder.core.yaml.problems",
    "DestinationConfig": "forwarder.core.config.model.destination",
    "OutboxConfig": "forwarder.core.config.model.outbox",
    "Problem": "forwarder.core.yaml.problems",
    "RouteConfig": "forwarder.core.config.model.route",
    "Secret": "forwarder.core.config.values.secret",
    "SigningConfig": "forwarder.core.config.model.signing",
    "StreamConfig": "forwarder.core.config.model.stream",
    "load_config": "forwarder.core.config.load",
}
"""Where each of them is."""


def __getattr__(name: str) -> object:
    """Return one of them (PEP 562). Raises `AttributeError`."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
