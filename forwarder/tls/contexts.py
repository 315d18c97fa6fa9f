"""Makes TLS contexts, one for each distinct setting, and checks the certificates of a config.

Call these functions in a thread: reading the CA certificates of the system takes tens of milliseconds.
"""

import os
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakValueDictionary

from forwarder.core.destinations.transport import Tls

_contexts: WeakValueDictionary[Tls, ssl.SSLContext] = WeakValueDictionary()
_making = threading.Lock()


class _Handshake(ssl.SSLObject):
    """Adds the rejected certificates to the error, because the library's exception has only the reason."""

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except ssl.SSLCertVerificationError as error:
            with suppress(Exception):  # not public before Python 3.13, and only needed for the message
                error.chain = [found.get_info() for found in self._sslobj.get_unverified_chain() or ()]  # type: ignore[attr-defined] # see above
            raise


def chain_of(error: ssl.SSLCertVerificationError) -> list[dict[str, Any]]:
    """Return the rejected certificates in the form of `ssl.SSLSocket.getpeercert`, the receiver's own first; or none."""
    return list(getattr(error, "chain", ()))


def context_of(tls: Tls) -> ssl.SSLContext:
    """Return the context for these settings; destinations with equal settings share one. Raises `ssl.SSLError` or `OSError`."""
    with _making:
        context = _contexts.get(tls)
        if context is None:
            context = _contexts[tls] = _make(tls)
        return context


def server_context_of(tls: Tls) -> ssl.SSLContext:
    """Return the context of a server that shows this certificate. Raises `ssl.SSLError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    load_pair(context, tls)
    return context


def load_pair(context: ssl.SSLContext, tls: Tls) -> None:
    """Have a context show this certificate to new connections. Raises `ssl.SSLError`."""
    if tls.cert is not None:
        _load_pair(context, tls.cert, tls.key)


def problems_of(tls: Tls) -> Iterator[tuple[str, str]]:
    """Yield the problems of the configured certificates: the key under `tls`, and a sentence. The system's CAs are not read."""
    if tls.ca is not None and not _has_certificate(tls.ca):
        yield "ca", "no certificate in it can be read; a PEM file of the authority is expected"
    if tls.cert is None:
        return
    key, place = (tls.cert, "cert") if tls.key is None else (tls.key, "key")
    if not _has_certificate(tls.cert):
        yield "cert", "no certificate in it can be read; a PEM file of our certificate with its chain is expected"
    elif "PRIVATE KEY-----" not in key:
        yield place, "no private key is in it" + ("; name its file in key_file" if tls.key is None else "")
    elif "ENCRYPTED" in key:
        yield (
            place,
            "the private key is encrypted, and there is nobody to ask for its password; decrypt it: openssl pkey -in KEY -out NEW",
        )
    else:
        try:
            _load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), tls.cert, tls.key)
        except ssl.SSLError as error:
            yield place, _why_unusable(error)


def _make(tls: Tls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.sslobject_class = _Handshake
    if not tls.is_verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif tls.ca is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(cadata=_ascii(tls.ca))
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the file may contain a CA that is not a root
    if tls.cert is not None:
        _load_pair(context, tls.cert, tls.key)
    return context


def _load_pair(context: ssl.SSLContext, cert: str, key: str | None) -> None:
    """Load a certificate and its key. OpenSSL accepts only files; these are in memory, so no key is written to a disk."""
    with _file_in_memory(cert) as cert_path, _file_in_memory(key or cert) as key_path:
        context.load_cert_chain(cert_path, key_path, password=lambda: "")  # otherwise OpenSSL would ask at the terminal


@contextmanager
def _file_in_memory(text: str) -> Iterator[str]:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
        folder = "/proc/self/fd"
    else:
        descriptor, path = tempfile.mkstemp()
        os.unlink(path)  # noqa: PTH108 - it stays open by its descriptor
        folder = "/dev/fd"
    try:
        with open(descriptor, "w", encoding="utf-8", errors="replace", closefd=False) as file:
            file.write(text)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield f"{folder}/{descriptor}"
    finally:
        os.close(descriptor)


def _has_certificate(text: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=_ascii(text))
    except (ssl.SSLError, ValueError):
        return False
    return True


def _ascii(text: str) -> str:
    """Return a PEM text as ASCII, as Python requires. The comments between certificates are often UTF-8."""
    return text.encode("ascii", "replace").decode()


def _why_unusable(error: ssl.SSLError) -> str:
    match error.reason or "":
        case "KEY_VALUES_MISMATCH" | "KEY_TYPE_MISMATCH":
            return "the private key does not belong to the certificate"
        case "EE_KEY_TOO_SMALL" | "CA_KEY_TOO_SMALL" | "CA_MD_TOO_WEAK":
            return "OpenSSL does not take the certificate: its key is too short or its signature too weak"
        case _:
            return "OpenSSL cannot read the certificate with its private key; is one of the files damaged?"
