"""Nobody reads or changes the daemon over the network without a token and encryption."""

import pytest

from forwarder.core.config import ConfigError, load_config
from tests.core.config.support import ENV, FILES, config_text, load

TOKEN = "token: 0123456789abcdef"
PEM = "{cert: '-----BEGIN CERTIFICATE-----', key: '-----BEGIN PRIVATE KEY-----'}"


@pytest.mark.parametrize(
    "admin",
    [
        "listen: '127.0.0.1:8787'",
        TOKEN,
        "behind_proxy: true",
        f"listen: '127.0.0.1:8787', behind_proxy: true, {TOKEN}",
        f"listen: '192.0.2.7:8787', {TOKEN}, tls: {PEM}",
        f"listen: '192.0.2.7:8787', {TOKEN}, behind_proxy: true",
        f"listen: '0.0.0.0:8787', {TOKEN}, tls: {PEM}, hosts: forwarder.example.com",
    ],
)
def test_what_is_safe_is_accepted(admin: str) -> None:
    load(config_text(rest=f"admin: {{{admin}}}"))


@pytest.mark.parametrize(
    ("admin", "said"),
    [
        ("listen: '127.0.0.1:8787', behind_proxy: true", ["admin.behind_proxy: a token is missing"]),
        (f"listen: '192.0.2.7:8787', tls: {PEM}", ["other machines reach it, and a token is missing"]),
        (f"listen: '192.0.2.7:8787', {TOKEN}", ["everyone on the way could read the token"]),
        (f"listen: '[::]:8787', {TOKEN}, tls: {PEM}", [":: stands for every address of this machine"]),
        ("listen: '192.0.2.7:8787'", ["a token is missing", "could read the token"]),
    ],
)
def test_what_is_not_is_refused(admin: str, said: list[str]) -> None:
    with pytest.raises(ConfigError) as refused:
        load(config_text(rest=f"admin: {{{admin}}}"))
    lines = str(refused.value).splitlines()
    assert len(lines) == len(said)
    assert all(part in line for part, line in zip(said, lines, strict=True))


def test_what_is_wrong_with_a_certificate_is_reported() -> None:
    with pytest.raises(ConfigError, match=r"admin\.tls\.key: it does not fit"):
        load_config(
            config_text(rest=f"admin: {{listen: '127.0.0.1:8787', tls: {PEM}}}").encode(),
            name="config.yaml",
            env=ENV,
            read_file=FILES.__getitem__,
            check_tls=lambda _tls: [("key", "it does not fit")],
        )
