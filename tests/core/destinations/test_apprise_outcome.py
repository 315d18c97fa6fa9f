"""What Apprise logs becomes an outcome, without anything of its URL."""

import pytest

from forwarder.core.delivery import Answered, Fault, Unanswered
from forwarder.core.destinations.apprise_outcome import SENT, may_say_why, outcome_of, secrets_in, without_values

URL = "jsons://desk:pw1@magpie-host.example:8443/magpie/path%2Fx?+X-Key=magpiekey&to=anna@example.com"
SECRETS = secrets_in(URL)


def test_a_message_that_was_sent_counts_as_a_success() -> None:
    assert SENT.is_success


def test_a_status_is_that_of_the_answer_with_its_words() -> None:
    lines = [
        "Failed to send JSON POST notification: Unauthorized - Invalid Token., error=401.",
        'Response Details:\r\nb\'{"error":"no user magpiekey"}\'',
    ]
    outcome = outcome_of(lines, SECRETS)
    assert isinstance(outcome, Answered)
    assert (outcome.status, outcome.reason) == (401, "HTTP 401: no user ***")


def test_the_last_status_counts_and_an_answer_may_be_no_bytes() -> None:
    lines = ["first: error=500.", "Response Details: nothing at all", "then: error=503."]
    outcome = outcome_of(lines, SECRETS)
    assert isinstance(outcome, Answered)
    assert outcome.reason == "HTTP 503: nothing at all"


@pytest.mark.parametrize(
    ("cause", "fault", "is_local"),
    [
        ("NewConnectionError('[Errno 111] Connection refused')", Fault.REFUSED, False),
        ("NameResolutionError(\"Failed to resolve 'a' ([Errno -2] Name or service not known)\")", Fault.DNS, False),
        ("Failed to resolve 'a' ([Errno -3] Temporary failure in name resolution)", Fault.DNS, True),
        ("[Errno 101] Network is unreachable", Fault.NETWORK, True),
        ("ProxyError('Cannot connect to proxy.')", Fault.PROXY, False),
        ("SSLError(SSLCertVerificationError(1, 'certificate verify failed'))", Fault.CERTIFICATE, False),
        ("SSLError(1, 'wrong version number')", Fault.TLS, False),
        ("HTTPConnectionPool(host='magpie-host.example'): Read timed out.", Fault.TIMEOUT, False),
        ("magpie-host.example: something else", Fault.NETWORK, False),
    ],
)
def test_a_broken_connection_has_its_cause(cause: str, fault: Fault, is_local: bool) -> None:
    lines = [
        "A Connection error occurred sending JSON notification to magpie-host.example.",
        f"Socket Exception: {cause}",
    ]
    outcome = outcome_of(lines, SECRETS)
    assert isinstance(outcome, Unanswered)
    assert (outcome.fault, outcome.is_local_fault) == (fault, is_local)
    assert "magpie" not in outcome.reason


def test_a_refusal_with_a_good_status_is_no_success() -> None:
    lines = ["Failed to send: error=200.", "Response Details:\r\nb'not you, magpiekey'"]
    outcome = outcome_of(lines, SECRETS)
    assert isinstance(outcome, Unanswered)
    assert outcome.detail == "the service refused the message with HTTP 200: not you, ***"
    assert outcome_of(["error=204."], SECRETS).reason == "the service refused the message with HTTP 204"


def test_any_other_warning_is_shown_masked_and_short() -> None:
    outcome = outcome_of(["There are no targets", "It is not supported"], SECRETS)
    assert outcome.reason == "Apprise: It is not supported"
    outcome = outcome_of(["no targets for anna@example.com at magpie-host.example"], SECRETS)
    assert "anna" not in outcome.reason
    assert "magpie" not in outcome.reason
    assert len(outcome_of(["word " * 200], SECRETS).reason) < 250
    assert outcome_of([], SECRETS).reason == "Apprise did not send it, and does not say why"


def test_a_line_that_is_no_warning_counts_where_it_has_a_cause_or_an_answer() -> None:
    assert may_say_why("Socket Exception: timed out")
    assert may_say_why("Response Details:\r\nb'x'")
    assert not may_say_why("Language set to en")


def test_every_part_of_a_url_that_may_be_a_secret_is_one() -> None:
    assert {"desk", "pw1", "magpie-host.example", "magpie", "path%2Fx", "path/x", "magpiekey", "example.com"} <= set(
        SECRETS
    )
    assert "token" in secrets_in("pover://user-key@token")
    assert secrets_in("json://abc") == ("abc",)


def test_a_message_about_the_url_loses_its_values() -> None:
    said = without_values("An invalid Pushover token (magpie) was specified for magpie-host.example.", SECRETS)
    assert said == "An invalid Pushover token was specified for ***"
