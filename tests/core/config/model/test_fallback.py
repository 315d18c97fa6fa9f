"""The fallback of a destination: to whom, and after how long."""

from datetime import timedelta

from forwarder.core.config.model.fallback import FallbackConfig


def test_a_name_alone_is_enough() -> None:
    found = FallbackConfig.model_validate("backup").value("bot")
    assert (found.of, found.to, found.after) == ("bot", "backup", timedelta(minutes=10))
