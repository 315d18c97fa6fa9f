"""What auth, tls, proxy, socket and networks come to."""

import pytest

from forwarder.core.config import ConfigError
from forwarder.core.config.lint import warnings_of
from forwarder.core.destinations.transport import Proxy, Tls, Transport
from forwarder.destinations.build import destinations_of
from tests.core.config.support import CANARY, FILES, config_text, load

CERT = "-----BEGIN CERTIFICATE-----\nmagpie\n-----END CERTIFICATE-----"
KEY = "-----BEGIN PRIVATE KEY-----\nmagpie\n-----END PRIVATE KEY-----"


@pytest.fixture(autouse=True)
def _files(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {
        "/tls/ca.pem": CERT,
        "/tls/cert.pem": CERT,
        "/tls/key.pem": KEY,
        "/run/pw": "magpie pw\n",
    }.items():
        monkeypatch.setitem(FILES, name, text)


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        ("{bearer: '${BOT_TOKEN}'}", "Bearer magpie-token"),
        ("{bearer_file: /run/credentials/key}", "Bearer magpie-key-of-a-file"),
        ("{basic: {username: us\u00e9r, password: ''}}", "Basic dXPDqXI6"),
        ("{basic: {username: user, password: 'magpie: pw'}}", "Basic dXNlcjptYWdwaWU6IHB3"),
        ("{basic: {username: user, password_file: /run/pw}}", "Basic dXNlcjptYWdwaWUgcHc="),
    ],
)
def test_auth_is_a_header(auth: str, header: str) -> None:
    config = load(config_text(destination=f"auth: {auth}"))
    (destination,) = destinations_of(config)
    assert destination.headers == {"Authorization": header}
    assert CANARY not in repr(config) + repr(destination)


def test_tls_holds_what_the_files_hold_so_that_a_renewed_certificate_is_a_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = config_text(
        destination="tls: {ca_file: /tls/ca.pem, cert_file: /tls/cert.pem, key_file: /tls/key.pem, server_name: bot.internal}"
    ).replace("http://127", "https://127")
    (destination,) = destinations_of(load(text))
    assert destination.transport == Transport(tls=Tls(ca=CERT, cert=CERT, key=KEY, server_name="bot.internal"))
    assert [destination] == destinations_of(load(text))
    monkeypatch.setitem(FILES, "/tls/cert.pem", CERT.replace("magpie", "renewed"))
    assert [destination] != destinations_of(load(text))
    assert CANARY not in repr(load(text)) + repr(destination)


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://proxy.example:3128", Proxy(host="proxy.example", port=3128)),
        ("http://proxy.example/", Proxy(host="proxy.example", port=80)),
        ("http://[::1]:3128", Proxy(host="::1", port=3128)),
        ("http://us%40er:p%3Aw@h:1", Proxy(host="h", port=1, authorization="Basic dXNAZXI6cDp3")),
    ],
)
def test_a_proxy_is_read_from_its_url(url: str, proxy: Proxy) -> None:
    (destination,) = destinations_of(load(config_text(destination=f"proxy: '{url}'")))
    assert destination.transport.proxy == proxy
    assert "Basic" not in repr(destination)


@pytest.mark.parametrize("url", ["proxy.example:3128", "http://h/path", "http://h?x=magpie", "http://", "ftp://h", ""])
def test_a_proxy_is_nothing_else_and_never_shown(url: str) -> None:
    with pytest.raises(ConfigError, match=r"destinations.bot.proxy: expected a proxy as http://host:port") as caught:
        load(config_text(destination=f"proxy: '{url}'"))
    assert CANARY not in str(caught.value)


def test_what_is_unsafe_is_warned_of() -> None:
    https = config_text(destination="tls: {verify: false}").replace("http://127", "https://127")
    (warning,) = warnings_of(load(https))
    assert warning.startswith("destinations.bot.tls.verify: false: any certificate is accepted")
    assert warnings_of(load(https.replace("verify: false", "verify: true"))) == []
    assert not any("verify" in said for said in warnings_of(load(https.replace("tls:", "enabled: false\n    tls:"))))
    (warning,) = warnings_of(load(config_text(stream="tls: {verify: false}")))
    assert warning.startswith("streams[0].tls.verify: false: any certificate is accepted")
    assert warnings_of(load(config_text(stream="tls: {verify: true}"))) == []


def test_what_is_wrong_with_a_certificate_is_at_its_place() -> None:
    from forwarder.core.config import load_config
    from tests.core.config.support import ENV, read_file

    text = config_text(destination="tls:\n  cert_file: /tls/cert.pem\n  key_file: /tls/key.pem").replace(
        "http://127", "https://127"
    )
    asked = []

    def check(tls: Tls) -> list[tuple[str, str]]:
        asked.append(tls)
        return [("key", "the private key does not belong to the certificate")]

    with pytest.raises(ConfigError) as caught:
        load_config(text.encode(), name="config.yaml", env=ENV, read_file=read_file, check_tls=check)
    assert str(caught.value) == (
        "config.yaml:8:17: destinations.bot.tls.key_file: the private key does not belong to the certificate"
    )
    assert asked == [Tls(cert=CERT, key=KEY)]


def test_what_is_wrong_with_a_certificate_of_a_stream_is_at_its_place() -> None:
    from forwarder.core.config import load_config
    from tests.core.config.support import ENV, read_file

    text = config_text(stream="tls:\n      ca_file: /tls/ca.pem")
    with pytest.raises(ConfigError) as caught:
        load_config(
            text.encode(),
            name="config.yaml",
            env=ENV,
            read_file=read_file,
            check_tls=lambda tls: [("ca", f"cannot be read: {tls.is_verified}")],
        )
    assert str(caught.value) == "config.yaml:4:20: streams[0].tls.ca_file: cannot be read: True"


def test_what_is_wrong_with_a_certificate_of_the_heartbeat_is_at_its_place() -> None:
    from forwarder.core.config import load_config
    from tests.core.config.support import ENV, read_file

    text = f"{config_text()}heartbeat:\n  url: https://hc.example/1\n  tls:\n    ca_file: /tls/ca.pem\n"
    with pytest.raises(ConfigError) as caught:
        load_config(
            text.encode(),
            name="config.yaml",
            env=ENV,
            read_file=read_file,
            check_tls=lambda _tls: [("ca", "cannot be read")],
        )
    assert str(caught.value).endswith(": heartbeat.tls.ca_file: cannot be read")
