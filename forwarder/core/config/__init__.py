"""`config.yaml` as values: bytes in, a checked `Config` out, or every mistake in it with its place."""

from forwarder.core.config.destination import DestinationConfig
from forwarder.core.config.load import load_config
from forwarder.core.config.model import Config, OutboxConfig, RouteConfig, StreamConfig
from forwarder.core.config.problems import ConfigError, Problem
from forwarder.core.config.secret import Secret
from forwarder.core.config.signing import SigningConfig

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
