"""A destination names one receiver, and has only the keys that this kind of receiver can have."""

import pytest

from forwarder.core.config import Config, ConfigError, load_config
from forwarder.core.config.model.apprise import NOT_WITH_APPRISE
from forwarder.core.config.model.destination import DestinationSettings
from tests.core.config.support import CANARY, ENV, read_file

VALUES = {
    "method": "PUT", "headers": "{A: b}", "auth": "{bearer: abcdef}", "tls": "{server_name: a.example}", "socket": "/run/a.sock",
    "proxy": "http://127.0.0.1:3128", "max_connection_age": "1m", "compression": "gzip", "compress_from": "1KiB",
    "signing": "{secret: whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz}", "success": "{body: ok}", "batch": "{count: 5}", "concurrency": "2",
    "backlog_concurrency": "1",
}  # fmt: skip


def load(destination: str, *, rest: str = "", problem: str | None = None) -> Config:
    text = f"streams: [{{api_key: k}}]\ndestinations:\n  phone: {destination}\nroutes: [{{to: phone}}]\n{rest}"
    return load_config(
        text.encode(), name="config.yaml", env=ENV, read_file=read_file, check_apprise=lambda _url: problem
    )


def refused(destination: str, *, rest: str = "", problem: str | None = None) -> str:
    with pytest.raises(ConfigError) as error:
        load(destination, rest=rest, problem=problem)
    return str(error.value)


def test_a_destination_without_a_receiver_is_refused() -> None:
    assert 'destinations.phone: the key "url" (or "url_file") is missing' in refused("{timeout: 1s}")


def test_a_destination_with_two_receivers_is_refused() -> None:
    said = refused("{url: http://127.0.0.1/, apprise: 'pover://magpie@magpie'}")
    assert said.endswith("destinations.phone.apprise: url and apprise exclude each other; remove one of them")
    assert CANARY not in said


@pytest.mark.parametrize("key", NOT_WITH_APPRISE)
def test_a_key_of_requests_is_refused_and_is_left_out_where_it_is_a_default(key: str) -> None:
    assert key in DestinationSettings.model_fields
    said = refused(f"{{apprise: 'pover://user@token', {key}: {VALUES[key]}}}")
    assert f"destinations.phone.{key}: {key} is for destinations with a url, because Apprise" in said
    config = load("{apprise: 'pover://user@token'}", rest=f"defaults: {{{key}: {VALUES[key]}, format: discord}}")
    assert not {key, "format"} & config.destinations["phone"].model_fields_set


@pytest.mark.parametrize("written", ["discord", "Slack", "{type: telegram, chat_id: 1}"])
def test_a_message_of_another_service_is_refused(written: str) -> None:
    said = refused(f"{{apprise: 'pover://user@token', format: {written}}}")
    assert "is for a URL of that service, and Apprise sends texts; write format: text, or a template" in said


@pytest.mark.parametrize("written", ["raw", "text", "{type: template, body: '{{ mid }}', content_type: text/html}"])
def test_a_text_of_any_kind_is_accepted(written: str) -> None:
    found = load(f"{{apprise_file: /run/credentials/url, format: {written}}}").destinations["phone"]
    assert found.apprise is not None
    assert found.apprise.reveal() == "https://example.com/magpie"
    assert CANARY not in repr(found)


def test_what_apprise_does_not_accept_is_reported_at_its_place_unless_it_is_disabled() -> None:
    said = refused("{apprise: 'povr://magpie'}", problem="Apprise knows no service povr://")
    assert said == "config.yaml:3:20: destinations.phone.apprise: Apprise knows no service povr://"
    assert load("{apprise: 'povr://magpie', enabled: false}", problem="Apprise knows no service povr://").destinations


def test_what_apprise_does_not_accept_is_reported_with_all_other_mistakes() -> None:
    said = refused("{apprise: 'povr://magpie', timeout: soon}", rest="workers: 2\n", problem="Apprise knows no povr://")
    assert "destinations.phone.apprise: Apprise knows no povr://" in said
    assert "destinations.phone.timeout: " in said
    assert "workers: unknown key" in said


@pytest.mark.parametrize("destination", ["{apprise: phone, enabled: maybe}", "{apprise: phone}", "{apprise: }"])
def test_a_value_that_is_no_url_of_a_service_is_not_shown_to_apprise(destination: str) -> None:
    assert "Apprise knows" not in refused(destination, problem="Apprise knows nothing")
