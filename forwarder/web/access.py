"""Who may read and who may change what over HTTP: the token, the sessions of browsers, and where a request comes from. Pure of aiohttp."""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from time import monotonic

import msgspec

from forwarder.core.config.model.admin import AdminConfig
from forwarder.core.config.values.listen import address_of, is_any_address, is_loopback

SESSION_S = 12 * 3600.0
"""How long a browser that has logged in may go without a request."""
_MOST_SESSIONS = 100
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")

READ_ONLY = (
    "nothing can be changed over HTTP, because the config has no token; to allow it, write admin: {token_file: FILE} into the config, "
    "and a token into the file: openssl rand -hex 32"
)
LOG_IN = "a token is needed: send it as Authorization: Bearer TOKEN, or log in"
WRONG = "the token is wrong; it is the one under admin.token_file in the config"
NOT_SAME_ORIGIN = "the request comes from a page of another site"
NO_HEADER = "a change needs the header X-Forwarder: 1, which a page of another site cannot send"


def hosts_of(host: str, port: int) -> frozenset[str]:
    """Return the values of `Host` that are accepted (RFC 9110, 7.2); the port may be left out where it is that of HTTP."""
    shown = f"[{host}]" if ":" in host else host
    names = {shown.lower(), *_LOOPBACK_NAMES}
    return frozenset({f"{name}:{port}" for name in names} | (names if port == 80 else set()))


class AccessRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the config says of access over HTTP."""

    hosts: frozenset[str]
    """The accepted values of the header `Host`, in lower case. Others come through a name that somebody has pointed here (DNS rebinding)."""
    token: bytes | None = None
    reading_needs_token: bool = False
    schemes: frozenset[str] = frozenset({"http"})
    """Of the origins of pages that are ours."""
    proxied_hosts: frozenset[str] = frozenset()
    """The names in the origins of our pages, if a proxy may ask for another name."""
    is_encrypted: bool = False
    """Whether cookies are sent over HTTPS only."""
    cookie: str = "forwarder"
    """The name of the cookie of a session. Cookies are of a host and not of a port: two daemons need two names."""


class RulesOf:
    """Makes the rules of the active config, once for each config. The address is that of the start."""

    def __init__(self, listen: str, admin: Callable[[], AdminConfig]) -> None:
        self._listen = listen
        self._admin = admin
        self._made: tuple[AdminConfig, AccessRules] | None = None

    def rules(self) -> AccessRules:
        """Return the rules."""
        admin = self._admin()
        if self._made is None or self._made[0] is not admin:
            self._made = (admin, rules_of(admin, self._listen))
        return self._made[1]


def rules_of(admin: AdminConfig, listen: str) -> AccessRules:
    """Return the rules of a config for a daemon that listens at this address."""
    host, port = address_of(listen)
    named = {each for name in admin.hosts for each in ([name] if _has_port(name) else [name, f"{name}:{port}"])}
    hosts = named | hosts_of("127.0.0.1" if is_any_address(listen) else host, port)
    is_encrypted = admin.tls is not None or admin.behind_proxy
    return AccessRules(
        hosts=frozenset(hosts),
        token=None if admin.token is None else admin.token.reveal().encode(),
        reading_needs_token=admin.behind_proxy or not is_loopback(listen),
        schemes=frozenset(
            {"https"} if admin.tls is not None else {"http", "https"} if admin.behind_proxy else {"http"}
        ),
        proxied_hosts=frozenset(named if admin.behind_proxy else ()),
        is_encrypted=is_encrypted,
        cookie=f"__Host-forwarder-{port}" if is_encrypted else f"forwarder-{port}",
    )


def _has_port(name: str) -> bool:
    return ":" in name.rpartition("]")[2]


class Sessions:
    """The browsers that have logged in. A session ends when the token changes, after a time without requests, and at the stop of the daemon."""

    def __init__(self, now_s: Callable[[], float] = monotonic) -> None:
        self._now_s = now_s
        self._ends: dict[bytes, tuple[float, bytes]] = {}
        """When a session ends, and a digest of its token, by a digest of its id; the oldest first."""

    def begin(self, token: bytes) -> str:
        """Return the id of a new session of who knows the token. Of too many sessions the oldest ends."""
        if len(self._ends) >= _MOST_SESSIONS:
            del self._ends[next(iter(self._ends))]
        id_ = secrets.token_urlsafe(32)
        self._ends[_digest(id_.encode())] = (self._now_s() + SESSION_S, _digest(token))
        return id_

    def holds(self, id_: str, token: bytes) -> bool:
        """Return whether this is the id of a session that goes on; if it is, it goes on for as long again."""
        key = _digest(id_.encode("utf-8", "replace"))
        ends_s, of_token = self._ends.pop(key, (0.0, b""))
        if self._now_s() >= ends_s or not hmac.compare_digest(of_token, _digest(token)):
            return False
        self._ends[key] = (self._now_s() + SESSION_S, of_token)
        return True

    def end(self, id_: str) -> None:
        """End a session, if there is one with this id."""
        self._ends.pop(_digest(id_.encode("utf-8", "replace")), None)


def is_token(given: str, token: bytes) -> bool:
    """Return whether this is the token; that takes as long for each wrong one."""
    return hmac.compare_digest(_digest(given.encode("utf-8", "surrogateescape")), _digest(token))


def bearer_of(headers: Mapping[str, str]) -> str | None:
    """Return the token of `Authorization: Bearer …`."""
    scheme, _, given = headers.get("Authorization", "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" else None


def is_same_origin(headers: Mapping[str, str], rules: AccessRules) -> bool:
    """Return whether a request comes from our own page, or from no page at all."""
    if not _is_of_our_page(headers):  # a person who follows a link only reads
        return False
    origin = headers.get("Origin")
    if origin is None:
        return True
    scheme, separator, host = origin.lower().partition("://")
    # of the names that we answer to, only the one that the request names is the same origin
    is_same = host == headers.get("Host", "").lower() or host in rules.proxied_hosts
    return bool(separator) and scheme in rules.schemes and is_same


def is_of_another_page(headers: Mapping[str, str]) -> bool:
    """Return whether a browser says that a page of another origin makes the request: not a person who follows a link."""
    return not _is_of_our_page(headers) and headers.get("Sec-Fetch-Mode", "").lower() != "navigate"


def _is_of_our_page(headers: Mapping[str, str]) -> bool:
    return headers.get("Sec-Fetch-Site", "none").lower() in {"same-origin", "none"}


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()
