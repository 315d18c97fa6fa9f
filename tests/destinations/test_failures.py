"""Each error of a connection has its outcome: what went wrong, whether it is a local fault, and what would help."""

import asyncio
import errno
import os
import resource
import socket
import ssl
from datetime import UTC, datetime

import pytest

from forwarder.core.delivery import Answered, Fault, Unanswered
from forwarder.destinations.failures import ProxyRefusedError, Stage, broken, cut_short, not_connected, refused_by_proxy
from forwarder.emulator.receiver import Receiver
from tests.support.raw import REQUEST, sender_to


async def test_nothing_listening_and_no_tls_each_have_their_sentence() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        async with sender_to(f"http://127.0.0.1:{port}/?token=canary") as sender:
            refused = await sender.send(REQUEST)
    async with Receiver() as receiver, sender_to(receiver.url.replace("http://", "https://")) as sender:
        plain = await sender.send(REQUEST)
    assert refused == Unanswered(fault=Fault.REFUSED, detail="connection refused: nothing listens there")
    assert plain == Unanswered(
        fault=Fault.TLS, detail="it does not speak TLS at this port; should the URL begin with http://?"
    )


@pytest.mark.parametrize(
    ("number", "said", "is_local_fault"),
    [
        (socket.EAI_NONAME, "its host name does not exist", False),
        (socket.EAI_NODATA, "its host name does not exist", False),
        (socket.EAI_AGAIN, "the name server does not answer for its host name", True),
        (socket.EAI_FAIL, "the name server refuses to answer", True),
        (socket.EAI_MEMORY, "this machine has no memory left to look up its host name", True),
        (socket.EAI_SYSTEM, "this machine cannot look up its host name", True),
    ],
)
async def test_a_name_that_does_not_exist_is_distinguished_from_a_name_server_that_fails(
    monkeypatch: pytest.MonkeyPatch, number: int, said: str, is_local_fault: bool
) -> None:
    def fail(_host: str, _port: int, **_options: object) -> None:
        raise socket.gaierror(number, "as the C library says it")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    async with sender_to("http://some.example/canary") as sender:
        assert await sender.send(REQUEST) == Unanswered(fault=Fault.DNS, detail=said, is_local_fault=is_local_fault)


@pytest.mark.parametrize(
    ("number", "said", "is_local_fault"),
    [
        (errno.ENETUNREACH, "this machine has no route to its network", True),
        (errno.ENETDOWN, "the network of this machine is down", True),
        (errno.EADDRNOTAVAIL, "this machine has no free address or port to connect from", True),
        (errno.ENOBUFS, "this machine has no memory left for a connection", True),
        (errno.ENFILE, "this machine has too many files open", True),
        (errno.EPERM, "this machine does not allow the connection (a firewall, or IPAddressDeny= in the unit)", True),
        (errno.EHOSTUNREACH, "network error: no route to host", False),
        (errno.ETIMEDOUT, "the connection timed out", False),
    ],
)
async def test_a_fault_of_this_machine_is_distinguished_from_one_of_the_receiver(
    monkeypatch: pytest.MonkeyPatch, number: int, said: str, is_local_fault: bool
) -> None:
    async def fail(*_: object) -> None:
        raise OSError(number, "as the loop says it")

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", fail, raising=False)
    async with sender_to("http://127.0.0.1:1/canary") as sender:
        outcome = await sender.send(REQUEST)
    assert isinstance(outcome, Unanswered)
    assert (outcome.detail, outcome.is_local_fault) == (said, is_local_fault)


async def test_no_file_descriptor_left_is_our_fault_and_passes() -> None:
    async with Receiver() as receiver, sender_to(receiver.url) as sender:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        probe = os.open(os.devnull, os.O_RDONLY)
        os.close(probe)
        resource.setrlimit(resource.RLIMIT_NOFILE, (probe, hard))
        try:
            outcome = await sender.send(REQUEST)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert isinstance(outcome, Unanswered)
        assert outcome.is_local_fault
        assert outcome.detail.startswith("this process has too many connections and files open")
        assert await sender.send(REQUEST) == Answered(status=200)


NOW = datetime(2026, 1, 1, tzinfo=UTC)


def outcome_of(error: Exception, stage: Stage = Stage.CONNECT, *, is_proxied: bool = False) -> Unanswered:
    return not_connected(error, stage, timeout_s=5, is_proxied=is_proxied, now=NOW)


def of_tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError()
    error.reason = reason
    return error


def of_certificate(code: int, message: str = "") -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError()
    error.verify_code, error.verify_message = code, message
    return error


@pytest.mark.parametrize(
    ("stage", "fault", "said", "is_local_fault"),
    [
        (Stage.LOOKUP, Fault.DNS, "the name server did not answer within 5 s", True),
        (Stage.CONNECT, Fault.TIMEOUT, "no connection within 5 s", False),
        (Stage.TUNNEL, Fault.TIMEOUT, "the proxy did not reach the receiver within 5 s", False),
        (Stage.TLS, Fault.TIMEOUT, "the TLS handshake did not finish within 5 s", False),
    ],
)
def test_a_step_that_takes_too_long_is_named(stage: Stage, fault: Fault, said: str, is_local_fault: bool) -> None:
    assert outcome_of(TimeoutError(), stage) == Unanswered(fault=fault, detail=said, is_local_fault=is_local_fault)


@pytest.mark.parametrize("stage", [Stage.LOOKUP, Stage.CONNECT])
def test_a_proxy_that_cannot_be_reached_is_a_local_fault(stage: Stage) -> None:
    found = outcome_of(ConnectionRefusedError(errno.ECONNREFUSED, "refused"), stage, is_proxied=True)
    assert found == Unanswered(
        fault=Fault.PROXY, detail="the proxy: connection refused: nothing listens there", is_local_fault=True
    )


@pytest.mark.parametrize(
    ("status", "said", "is_local_fault"),
    [
        (502, "the proxy could not reach the receiver (HTTP 502)", False),
        (504, "the proxy could not reach the receiver (HTTP 504)", False),
        (403, "the proxy refuses the connection: HTTP 403", True),
        (0, "the proxy refuses the connection: its answer is not valid HTTP", True),
    ],
)
def test_a_proxy_that_refuses_is_a_local_fault_and_one_that_cannot_reach_the_receiver_is_not(
    status: int, said: str, is_local_fault: bool
) -> None:
    found = outcome_of(ProxyRefusedError(status), Stage.TUNNEL, is_proxied=True)
    assert found == Unanswered(fault=Fault.PROXY, detail=said, is_local_fault=is_local_fault)


def test_a_proxy_that_closes_the_connection_is_a_local_fault() -> None:
    found = outcome_of(ConnectionResetError(errno.ECONNRESET, "reset"), Stage.TUNNEL, is_proxied=True)
    assert found == Unanswered(fault=Fault.PROXY, detail="the proxy closed the connection", is_local_fault=True)


def test_a_407_says_whether_credentials_are_missing_or_wrong() -> None:
    assert "rejects the user name and password" in refused_by_proxy(has_password=True).detail
    assert "requires a user name and a password" in refused_by_proxy(has_password=False).detail
    assert refused_by_proxy(has_password=True).is_local_fault


@pytest.mark.parametrize(
    ("error", "stage", "fault", "said"),
    [
        (FileNotFoundError(errno.ENOENT, "no file"), Stage.CONNECT, Fault.REFUSED, "nothing listens there"),
        (OSError(errno.ENOTCONN, "no"), Stage.CONNECT, Fault.REFUSED, "its queue of connections is full"),
        (OSError("none of them"), Stage.CONNECT, Fault.NETWORK, "none of its addresses can be reached"),
        (OSError(errno.EHOSTUNREACH, "no"), Stage.CONNECT, Fault.NETWORK, "network error: no route to host"),
        (ConnectionResetError(errno.ECONNRESET, "no"), Stage.TLS, Fault.TLS, "closed the connection during the TLS"),
        (UnicodeError("label too long"), Stage.LOOKUP, Fault.DNS, "its host name is not a valid name"),
    ],
)
def test_what_the_system_reports_has_a_sentence(error: Exception, stage: Stage, fault: Fault, said: str) -> None:
    found = outcome_of(error, stage)
    assert found.fault is fault
    assert said in found.detail
    assert not found.is_local_fault


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("WRONG_VERSION_NUMBER", "it does not speak TLS at this port"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", "it supports no secure TLS version"),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "it requires a client certificate; set tls.cert_file"),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "no common cipher, or it requires a client certificate"),
        ("TLSV1_ALERT_UNKNOWN_CA", "it rejects the client certificate: unknown ca"),
        ("TLSV1_UNRECOGNIZED_NAME", "it has no certificate for this host name"),
        ("DH_KEY_TOO_SMALL", "its TLS is too weak: dh key too small"),
        ("UNEXPECTED_EOF_WHILE_READING", "closed the connection during the TLS handshake"),
        ("", "closed the connection during the TLS handshake"),
        ("SOMETHING_NEW", "the TLS handshake failed: something new"),
    ],
)
def test_a_handshake_that_failed_says_why(reason: str, said: str) -> None:
    found = outcome_of(of_tls(reason), Stage.TLS)
    assert found.fault is Fault.TLS
    assert said in found.detail


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (9, "its certificate is not valid yet; is the clock of this machine right?"),
        (10, "its certificate or the certificate of its issuer has expired"),
        (18, "self-signed. To trust it, set tls.ca_file."),
        (19, "untrusted CA"),
        (20, "unknown CA or incomplete chain"),
        (62, "its certificate is not for this host name; to check it for another name, set tls.server_name"),
        (23, "has been revoked"),
        (26, "not valid for servers"),
        (66, "too short, or the signature too weak"),
        (99, "its certificate was rejected: some reason"),
    ],
)
def test_a_certificate_that_is_rejected_says_why_also_where_its_chain_is_not_known(code: int, said: str) -> None:
    found = outcome_of(of_certificate(code, "some\n reason\x1b"), Stage.TLS)
    assert found.fault is Fault.CERTIFICATE
    assert said in found.detail
    assert found.detail.isprintable()


def test_a_connection_that_breaks_before_an_answer_says_what_is_known() -> None:
    assert broken(None) == Unanswered(
        fault=Fault.NETWORK, detail="the receiver closed the connection without an answer"
    )
    assert broken(ConnectionResetError(errno.ECONNRESET, "no")).detail == "network error: connection reset by peer"
    assert broken(of_tls("TLSV13_ALERT_CERTIFICATE_REQUIRED")).fault is Fault.TLS
    assert broken(OSError(errno.ENETDOWN, "no")).is_local_fault


def test_an_answer_that_came_before_the_whole_request_was_read_says_what_ended_it() -> None:
    assert cut_short(200, timeout_s=None) == Unanswered(
        fault=Fault.NETWORK,
        detail="the receiver answered HTTP 200 before it had the whole request, and then closed the connection",
    )
    assert cut_short(204, timeout_s=2.5) == Unanswered(
        fault=Fault.TIMEOUT,
        detail="the receiver answered HTTP 204 before it had the whole request, and did not read the rest within 2.5 s",
    )
