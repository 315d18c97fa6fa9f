"""Finds the secrets that a config file contains itself, and warns where every user of the machine can read it.

It goes through the whole model of the config, so that a key with a secret that is added later is found as well.
"""

import re
from collections.abc import Iterator

from forwarder.core.config.model.root import Config
from forwarder.core.config.values.secret import Secret
from forwarder.core.config.values.section import Section
from forwarder.core.destinations.service_rules import DISCORD_HOSTS, SLACK_HOSTS, TELEGRAM_HOSTS
from forwarder.core.destinations.transport import Proxy
from forwarder.core.masking import SHORTEST_SECRET, is_secret_name
from forwarder.core.url import fixed_part, has_user, read_url, server_name_of

SECRET_HEADER = re.compile(r"auth(?!or)|authori[sz]|cookie|key|token|secret|pass|signature|credential", re.IGNORECASE)
_SECRET_PATH = re.compile(r"/bot[0-9]+:[\w-]+|/webhooks/[0-9]+/[\w-]+|/services/[^/]+/[^/]+/[^/]+")
"""Paths of bots of Telegram and of webhooks of Discord and Slack, also at servers that are compatible with them."""
_URLS = re.compile(r"destinations\.(?:.*)\.url|tracing\.endpoint")
"""Places of URLs that are secrets only where they contain one."""
_HEADERS = re.compile(r"(?:defaults|destinations\..*)\.headers\.(?P<name>[^.]*)")
"""Places of headers that are secrets only by their names."""
_PEM = re.compile(r".*\.tls\.(?:ca|cert)")
"""Places of certificates, which are no secrets unless a private key is with them."""
_MOST_PLACES = 3


def literal_secrets(config: Config, file: str = "") -> Iterator[str]:
    """Yield the place of each secret whose text is in the config itself, and not in a variable or a file of its own.

    `file` is the name of an included file to look at instead: those have destinations and no other secrets.
    """
    shared = list(_below(config.defaults, "defaults"))
    for key, value in config:
        if key == "destinations":
            for name, settings in config.destinations.items():
                if config.sources.of_destination(name) == file:
                    found = _below(settings, f"destinations.{name}")
                    prefix = len(f"destinations.{name}")
                    yield from (place for place in found if f"defaults{place[prefix:]}" not in shared)
        elif not file:
            yield from _below(value, key)


def _below(value: object, place: str) -> Iterator[str]:
    """Yield the place of each secret of a value of the config."""
    match value:
        case Section():
            for key, each in value:
                yield from _below(each, f"{place}.{key}")
        case dict():
            for name, each in value.items():
                yield from _below(each, f"{place}.{name}")
        case tuple() | list():
            for index, each in enumerate(value):
                yield from _below(each, place if isinstance(each, Secret) else f"{place}[{index}]")
        case Secret():
            if value.is_literal and _is_secret(value.reveal(), place):
                yield place
        case Proxy():
            if value.is_literal and value.authorization:
                yield place
        case _:
            return


def _is_secret(text: str, place: str) -> bool:
    """Return whether the text at a place that may have a secret is one."""
    if _URLS.fullmatch(place):
        return is_secret_url(text)
    if (header := _HEADERS.fullmatch(place)) is not None:
        return bool(text) and SECRET_HEADER.search(header["name"]) is not None
    return "PRIVATE KEY-----" in text if _PEM.fullmatch(place) else bool(text)


def is_secret_url(text: str) -> bool:
    """Return whether a URL is a secret as a whole: that of a webhook of a service, or with a password or a token in it."""
    url = read_url(fixed_part(text, filled=""), "http", "https")
    is_service = server_name_of(url.raw_host or "") in {*DISCORD_HOSTS, *SLACK_HOSTS, *TELEGRAM_HOSTS}
    return (
        is_service
        or has_user(text)
        or _SECRET_PATH.search(url.path) is not None
        or any(_is_secret_parameter(name, value) for name, value in url.query.items())
    )


def _is_secret_parameter(name: str, value: str) -> bool:
    if SECRET_HEADER.search(name):
        return bool(value)
    return len(value) >= SHORTEST_SECRET and is_secret_name(name)


def warning_of_readable_file(file: str, config: Config, *, is_included: bool = False) -> str | None:
    """Return the sentence about a config that every user of the machine can read; `None` if it contains no secret itself.

    `is_included`: the file is one that the config includes.
    """
    places = list(dict.fromkeys(literal_secrets(config, file if is_included else "")))
    if not places:
        return None
    return (
        f"{file}: every user of this machine can read it, and it contains secrets ({shortened(places)}): "
        "write them as ${NAME} or in files of their own, or let only the user of the daemon read it"
    )


def shortened(places: list[str]) -> str:
    """Return a list of places, without the end of a long one."""
    more = f" and {len(places) - _MOST_PLACES} more" if len(places) > _MOST_PLACES else ""
    return f"{', '.join(places[:_MOST_PLACES])}{more}"
