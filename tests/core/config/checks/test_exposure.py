"""What `check` warns of: secrets on the network and in the file, and addresses that `networks` cannot check."""

from collections.abc import Mapping

import pytest

from forwarder.core.config.checks.exposure import warnings_of_environment
from forwarder.core.config.lint import warnings_of
from tests.core.config.support import config_text, load


def said(
    *, stream: str = "", destination: str = "", url: str = "http://127.0.0.1:9000/hook", rest: str = ""
) -> list[str]:
    text = config_text(stream=stream, destination=destination, rest=rest).replace("http://127.0.0.1:9000/hook", url)
    return warnings_of(load(text))


@pytest.mark.parametrize(
    ("stream", "advice"),
    [
        ("url: ws://scrape.example/ws", "wss://"),
        ("url: WS://10.0.0.5:8080/ws", "wss://"),
        ("url: ws://[2001:db8::1]/ws", "wss://"),
        ("url: ws://localhost.example/ws", "wss://"),
        ("{url: http://scrape.example/stream, transport: sse}", "https://"),
    ],
)
def test_a_key_that_is_sent_unencrypted_to_another_machine_is_warned_of(stream: str, advice: str) -> None:
    (warning,) = said(stream=stream.strip("{}").replace(", ", "\n"))
    assert warning.startswith("streams[0].url: the API key is sent unencrypted")
    assert warning.endswith(f"write {advice}")


@pytest.mark.parametrize(
    "url",
    [
        "wss://scrape.example/ws", "ws://localhost:8080/ws", "ws://127.8.0.1/ws", "ws://[::1]:8080/ws",
        "ws://stream.localhost/ws", "ws://[::ffff:127.0.0.1]/ws", "ws://2130706433/ws", "ws://LOCALHOST./ws",
    ],
)  # fmt: skip
def test_a_key_on_this_machine_or_with_tls_is_not(url: str) -> None:
    assert said(stream=f'url: "{url}"') == []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://kuma.example/api/push/magpie", 1),
        ("https://kuma.example/magpie", 0),
        ("http://127.0.0.1:3001/magpie", 0),
    ],
)
def test_a_heartbeat_that_is_sent_unencrypted_to_another_machine_is_warned_of(url: str, expected: int) -> None:
    warnings = said(rest=f"heartbeat: {{url: '{url}'}}")
    assert len(warnings) == expected
    assert all(each.startswith("heartbeat.url: the URL is sent unencrypted") for each in warnings)


@pytest.mark.parametrize(
    ("url", "destination", "what"),
    [
        ("http://u:pw@bot.example/hook", "", "the password of the URL"),
        ("http://bot.example/hook", "auth: {bearer: '${BOT_TOKEN}'}", "the credential in its headers"),
        ("http://10.0.0.5/hook", "headers: {X-Api-Key: k}", "the credential in its headers"),
        ("http://bot.example/hook?token=abcdef", "", "the secret in the URL"),
        ("http://bot.example/hook?sv=1&sig=abcdef", "", "the secret in the URL"),
        ("http://bot.example/hook?m={{ mid }}&code=abcdef", "", "the secret in the URL"),
        ("http://chat.example/api/webhooks/1/tok", "format: discord", "the secret in the URL"),
        ("http://bots.example/bot1:tok/sendMessage", "format: {type: telegram, chat_id: 1}", "the secret in the URL"),
    ],
)
def test_a_credential_of_a_destination_that_is_sent_unencrypted_is_warned_of(
    url: str, destination: str, what: str
) -> None:
    text = config_text(destination=destination).replace("http://127.0.0.1:9000/hook", url)
    (warning,) = warnings_of(load(text, {"SCRAPEST_API_KEY": "k", "BOT_TOKEN": "t"}))
    assert warning == (
        f"destinations.bot.url: {what} is sent unencrypted to another machine, so anyone on the network path can read it; write https://"
    )
    assert not warnings_of(load(text.replace("http://", "https://"), {"SCRAPEST_API_KEY": "k", "BOT_TOKEN": "t"}))


def test_a_destination_without_a_credential_may_be_unencrypted() -> None:
    assert said(url="http://bot.example/hook", destination="headers: {X-Team: a}") == []
    assert said(url="http://bot.example/hook?page=1&t=5&token={{ mid }}") == []
    assert said(destination="headers: {X-Api-Key: k}") == []
    assert said(url="http://bot.example/hook", destination="headers: {X-Api-Key: k}\nsocket: /run/bot.sock") == []
    assert said(url="http://u:p@bot.example/hook", destination="enabled: false") == said(destination="enabled: false")


@pytest.mark.parametrize("deny", ["private", "[203.0.113.0/24, private]", "127.0.0.0/8"])
def test_a_socket_beside_denied_networks_is_warned_of(deny: str) -> None:
    (warning,) = said(destination="socket: /run/bot.sock", rest=f"networks: {{deny: {deny}}}")
    assert warning.startswith("destinations.bot.socket: networks.deny does not apply to a Unix socket")


def test_a_socket_without_denied_networks_of_this_machine_is_not() -> None:
    assert said(destination="socket: /run/bot.sock") == []
    assert said(destination="socket: /run/bot.sock", rest="networks: {deny: 203.0.113.0/24}") == []


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254", "169.254.170.2", "[fd00:ec2::254]", "100.100.100.200", "2852039166", "0xa9fea9fe", "169.254.43518",
        "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "metadata.google.internal", "METADATA.Google.Internal.", "metadata",
        "metadata.goog", "instance-data.ec2.internal", "169.254.169.254.nip.io", "x.169-254-169-254.sslip.io", "[fe80::1]",
    ],
)  # fmt: skip
def test_a_metadata_address_behind_a_proxy_is_warned_of(host: str) -> None:
    (warning,) = said(url=f"http://{host}/latest", destination="proxy: http://proxy.example:3128")
    assert warning.startswith(
        "destinations.bot.url: this is a cloud metadata address, which forwarder cannot refuse behind a proxy"
    )


def test_denied_networks_behind_a_proxy_and_a_denied_proxy_are_warned_of() -> None:
    (warning,) = said(
        url="http://bot.example/", destination="proxy: http://proxy.example:3128", rest="networks: {deny: private}"
    )
    assert warning.startswith("destinations.bot.proxy: networks.deny applies to the address of the proxy alone")
    assert said(url="http://metadata.example/", destination="proxy: http://proxy.example:3128") == []
    *_, warning = said(
        url="http://bot.example/", destination="proxy: http://10.0.0.1:3128", rest="networks: {deny: private}"
    )
    assert warning == "destinations.bot.proxy: nothing can be sent: 10.0.0.1 is in networks.deny (private)"


def test_variables_that_ask_for_a_proxy_are_not_read_and_reported_where_something_connects_directly() -> None:
    env = {"HTTPS_PROXY": "http://magpie@p", "no_proxy": "localhost", "HTTP_PROXY": "", "FTP_PROXY": "http://p"}

    def said(stream: str = "", destination: str = "", env: Mapping[str, str] = env) -> list[str]:
        text = config_text(stream=stream, destination=destination).replace("http://127.0.0.1:9000", "https://a.example")
        return list(warnings_of_environment(load(text), env))

    proxy = "proxy: 'http://p'"
    assert said() == [
        (
            "HTTPS_PROXY, no_proxy in the environment: forwarder does not read such variables and connects directly; to use a proxy, "
            "write proxy under streams[0], destinations.bot"
        )
    ]
    (warning,) = said(proxy)
    assert warning.endswith("write proxy under destinations.bot")
    assert said(proxy, proxy) == []
    assert said(env={"FTP_PROXY": "http://p", "ALL_PROXY": ""}) == []
    assert said(env={"NO_PROXY": "*"}) == []
    here = config_text(stream="url: 'ws://localhost:8000/ws'")
    assert list(warnings_of_environment(load(here), env)) == []


@pytest.mark.parametrize(("networks", "count"), [("", 0), ("networks: {deny: [10.0.0.0/8]}", 1)])
def test_denied_networks_do_not_hold_for_apprise(networks: str, count: int) -> None:
    text = config_text(rest=networks).replace("url: http://127.0.0.1:9000/hook", "apprise: pover://user@token")
    found = [each for each in warnings_of(load(text)) if "Apprise" in each]
    assert len(found) == count
    assert all(each.startswith("destinations.bot.apprise: networks.deny does not apply") for each in found)
