"""Warnings about what a valid config exposes: secrets on the network, and addresses that `networks` cannot check."""

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address

from yarl import URL

from forwarder.core.config.checks.literal_secrets import SECRET_HEADER, is_secret_url, shortened
from forwarder.core.config.model.destination import DestinationConfig
from forwarder.core.config.model.root import Config
from forwarder.core.destinations.networks import Networks, is_address
from forwarder.core.url import fixed_part, has_user, read_url, server_name_of
from forwarder.core.yaml.remarks import Remark

_CLEAR_SCHEMES = {"ws": "wss", "http": "https"}
_METADATA_NAMES = re.compile(
    r"(?:instance-data|metadata)"
    r"|metadata\.(?:google\.internal|goog|azure\.internal|tencentyun\.com|packet\.net|platformequinix\.com)"
    r"|instance-data\.(?:.+\.)?internal"
    r"|(?:api\.)?metadata\.cloud\.ibm\.com"
    r"|(?:.+\.)?(?:169[.-]254[.-]169[.-]254|a9fea9fe)(?:\..+)?"
)
"""Names under which clouds serve their metadata, and names that public services resolve to the address in them."""
_PROXY_VARIABLES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"})


def warnings_of_exposure(config: Config) -> Iterator[str]:
    """Yield a sentence for each secret that is sent unencrypted, and for each address that `networks` cannot check."""
    for index, stream in enumerate(config.streams):
        if (scheme := _clear_scheme(read_url(stream.url, "ws", "wss", "http", "https"))) is not None:
            yield Remark(
                ("streams", index, "url"),
                f"the API key is sent unencrypted to another machine, so anyone on the network path can read it; "
                f"write {_CLEAR_SCHEMES[scheme]}://",
            )
    for name, settings in config.destinations.items():
        if settings.enabled:
            yield from _of_destination(name, settings, config.networks.value)
    if config.heartbeat is not None:
        for key, secret in (("url", config.heartbeat.url), ("fail_url", config.heartbeat.fail_url)):
            if secret is not None and _clear_scheme(read_url(secret.reveal(), "http", "https")) is not None:
                yield Remark(
                    ("heartbeat", key),
                    "the URL is sent unencrypted to another machine: who can read it there can keep the monitor quiet; write https://",
                )


def _of_destination(name: str, settings: DestinationConfig, networks: Networks) -> Iterator[str]:
    if settings.url is None:
        if networks.deny:
            yield Remark(
                ("destinations", name, "apprise"),
                "networks.deny does not apply to what Apprise sends: it connects by itself; remove this destination if other people "
                "choose the receivers",
            )
        return
    url = read_url(fixed_part(settings.url.reveal()), "http", "https")
    if settings.socket is None and (what := _credentials(settings)) and _clear_scheme(url) is not None:
        yield Remark(
            ("destinations", name, "url"),
            f"{what} is sent unencrypted to another machine, so anyone on the network path can read it; write https://",
        )
    if settings.socket is not None and networks.why_not("127.0.0.1") is not None:
        yield Remark(
            ("destinations", name, "socket"),
            "networks.deny does not apply to a Unix socket: every process that can listen there gets the events, also on "
            "this machine; remove socket if other people choose the receivers",
        )
    if settings.proxy is None:
        return
    host = url.raw_host or ""
    if _is_metadata(host):
        yield Remark(
            ("destinations", name, "url"),
            "this is a cloud metadata address, which forwarder cannot refuse behind a proxy: the proxy connects there; "
            "remove this destination, or have the proxy refuse the address",
        )
    elif networks.deny:
        yield Remark(
            ("destinations", name, "proxy"),
            "networks.deny applies to the address of the proxy alone: the proxy connects to the receiver; have the proxy "
            "refuse these addresses",
        )
    if is_address(settings.proxy.host) and (reason := networks.why_not(settings.proxy.host)) is not None:
        yield Remark(("destinations", name, "proxy"), f"nothing can be sent: {reason}")


def _clear_scheme(url: URL) -> str | None:
    """Return the scheme of a URL that leads to another machine without TLS; `None` for any other URL."""
    return url.scheme if url.scheme in _CLEAR_SCHEMES and not is_this_machine(url.raw_host or "") else None


def is_this_machine(host: str) -> bool:
    """Return whether a host is a loopback address, or a name of one."""
    name = server_name_of(host)
    if not is_address(name):
        return name == "localhost" or name.endswith(".localhost")
    address = ip_address(name)
    inner = getattr(address, "ipv4_mapped", None)
    return (inner or address).is_loopback


def _is_metadata(host: str) -> bool:
    name = server_name_of(host)
    if is_address(name):
        return Networks().why_not(name) is not None
    return _METADATA_NAMES.fullmatch(name) is not None


def _credentials(settings: DestinationConfig) -> str:
    """Return what of a destination is a secret that each request contains, in words; nothing if there is none."""
    if settings.auth is not None or any(SECRET_HEADER.search(name) for name in settings.headers):
        return "the credential in its headers"
    url = "" if settings.url is None else settings.url.reveal()
    if has_user(url):
        return "the password of the URL"
    return "the secret in the URL" if is_secret_url(url) else ""


def warnings_of_environment(config: Config, env: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence if variables ask for a proxy, which forwarder does not read, and something connects without one."""
    names = sorted(name for name, value in env.items() if value and name.upper() in _PROXY_VARIABLES)
    direct = [
        *(
            f"streams[{index}]"
            for index, stream in enumerate(config.streams)
            if stream.proxy is None and not _is_here(stream.url)
        ),
        *(
            f"destinations.{name}"
            for name, settings in config.destinations.items()
            if settings.enabled
            and settings.url is not None
            and settings.proxy is None
            and settings.socket is None
            and not _is_here(fixed_part(settings.url.reveal()))
        ),
    ]
    if direct and any(name.upper() != "NO_PROXY" for name in names):
        yield (
            f"{', '.join(names)} in the environment: forwarder does not read such variables and connects directly; to use a proxy, "
            f"write proxy under {shortened(direct)}"
        )


def _is_here(url: str) -> bool:
    return is_this_machine(read_url(url, "http", "https", "ws", "wss").raw_host or "")
