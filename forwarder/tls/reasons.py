"""Why a TLS handshake failed, in words: for receivers and for streams.

Names from a certificate of the peer are cut and made printable.
"""

import ssl
from datetime import UTC, datetime, timedelta

from forwarder.core.counted import counted
from forwarder.tls.contexts import chain_of

_SHOWN_NAMES = 3
_SHOWN_CHARACTERS = 60


def why_failed(error: ssl.SSLError, *, plain: str = "http://") -> str:
    """Return why a handshake failed. The part of the reason after ALERT_ comes from the receiver. `plain` begins the URL without TLS."""
    reason = error.reason or ""
    _, is_alert, alert = reason.partition("ALERT_")
    match alert if is_alert else reason:
        case "WRONG_VERSION_NUMBER" | "HTTP_REQUEST" | "PACKET_LENGTH_TOO_LONG" | "RECORD_LAYER_FAILURE":
            return f"it does not speak TLS at this port; should the URL begin with {plain}?"
        case "PROTOCOL_VERSION" | "UNSUPPORTED_PROTOCOL" | "WRONG_SSL_VERSION" | "NO_PROTOCOLS_AVAILABLE":
            return "it supports no secure TLS version; 1.2 is the minimum"
        case "CERTIFICATE_REQUIRED":
            return "it requires a client certificate; set tls.cert_file"
        case "HANDSHAKE_FAILURE" | "INSUFFICIENT_SECURITY":
            return "it refuses the TLS handshake: no common cipher, or it requires a client certificate (tls.cert_file)"
        case (
            "BAD_CERTIFICATE"
            | "UNKNOWN_CA"
            | "CERTIFICATE_UNKNOWN"
            | "UNSUPPORTED_CERTIFICATE"
            | "CERTIFICATE_REVOKED"
            | "CERTIFICATE_EXPIRED"
            | "ACCESS_DENIED"
        ) as said if is_alert:
            return f"it rejects the client certificate: {_words(said)}"
        case "UNRECOGNIZED_NAME" | "TLSV1_UNRECOGNIZED_NAME":
            return "it has no certificate for this host name; to ask for another name, set tls.server_name"
        case "DH_KEY_TOO_SMALL" | "EE_KEY_TOO_SMALL" | "CA_KEY_TOO_SMALL" | "UNSAFE_LEGACY_RENEGOTIATION_DISABLED":
            return f"its TLS is too weak: {_words(reason)}"
        case "" | "UNEXPECTED_EOF_WHILE_READING":
            return "the receiver closed the connection during the TLS handshake"
        case said:
            return f"the TLS handshake failed: {_words(said)}"


def _words(reason: str) -> str:
    return reason.replace("_", " ").lower()


def why_refused(error: ssl.SSLCertVerificationError, now: datetime) -> str:
    """Return why a certificate was rejected. The codes are those of X509_verify_cert (openssl/x509_vfy.h)."""
    chain = chain_of(error)
    own = chain[0] if chain else {}
    issuer = _text(next((value for ((key, value), *_) in own.get("issuer", ()) if key == "commonName"), ""))
    by = f" ({issuer})" if issuer else ""
    match error.verify_code:
        case 9:
            times = [_time(each["notBefore"]) for each in chain]
            when = f"before {max(times):%Y-%m-%d %H:%M} UTC" if times and max(times) > now else "yet"
            return f"its certificate is not valid {when}; is the clock of this machine right?"
        case 10:
            times = [_time(each["notAfter"]) for each in chain]
            if not times or min(times) > now:
                return "its certificate or the certificate of its issuer has expired"
            whose = "its certificate" if times[0] <= now else "the certificate of its issuer"
            return f"{whose} expired {_span(now - min(times))} ago, on {min(times):%Y-%m-%d}"
        case 18:
            return "its certificate is self-signed. To trust it, set tls.ca_file."
        case 19:
            return f"its certificate comes from an untrusted CA{by}. To trust this CA, set tls.ca_file."
        case 2 | 20 | 21:
            return f"unknown CA{by} or incomplete chain. To trust this CA, set tls.ca_file."
        case 62 | 64:
            names = [_text(name) for _, name in own.get("subjectAltName", ())]
            for_ = f": it is for {', '.join(names[:_SHOWN_NAMES])}" if names else ""
            more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
            return f"its certificate is not for this host name{for_}{more}; to check it for another name, set tls.server_name"
        case 23:
            return "its certificate has been revoked"
        case 26:
            return "its certificate is not valid for servers"
        case 66 | 67 | 68:
            return "the key of its certificate is too short, or the signature too weak"
        case _:
            return f"its certificate was rejected: {_text(str(error.verify_message))}"


def _text(said: str) -> str:
    return "".join(mark for mark in said[:_SHOWN_CHARACTERS] if mark.isprintable())


def _time(written: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(written), UTC)


def _span(time: timedelta) -> str:
    if time.days:
        return counted(time.days, "day")
    hours = time.seconds // 3600
    return counted(hours, "hour") if hours else "less than an hour"
