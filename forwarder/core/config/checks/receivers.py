"""Checks that each destination names one receiver, by `url` or by `apprise`, and has only the keys that this kind of receiver can have."""

from collections.abc import Callable

from forwarder.core.config.checks.names import mappings
from forwarder.core.config.model.apprise import FORMATS_OF_APPRISE, NOT_WITH_APPRISE, parse_apprise
from forwarder.core.config.model.format import FORMATS
from forwarder.core.config.model.transport import is_given
from forwarder.core.config.values.scalars import WrongValueError, parse_bool
from forwarder.core.yaml.findings import Findings
from forwarder.core.yaml.tree import Path, Scalar, Tree
from forwarder.core.yaml.words import known_word

CheckApprise = Callable[[str], str | None]
"""Returns why Apprise cannot send to a URL."""


def check_receivers(tree: dict[str, Tree], findings: Findings) -> None:
    """Report destinations with no receiver or with two, and keys that mean nothing for what Apprise sends."""
    for path, destination in mappings(tree, "destinations"):
        is_by_apprise = is_given(destination, "apprise")
        if not is_given(destination, "url") and not is_by_apprise:
            place = (*path, "url")
            found = findings.has(place)
            findings.add(place, "the value is missing" if found else 'the key "url" (or "url_file") is missing')
        elif is_given(destination, "url") and is_by_apprise:
            findings.add_at_key((*path, "apprise"), "url and apprise exclude each other; remove one of them")
        elif is_by_apprise:
            _check_keys(destination, path, findings)


def check_apprise_urls(tree: dict[str, Tree], check: CheckApprise, findings: Findings) -> None:
    """Report the URLs that Apprise does not accept, of destinations that are enabled."""
    for path, destination in mappings(tree, "destinations"):
        if not is_given(destination, "apprise"):
            continue
        try:
            is_enabled = parse_bool(destination.get("enabled", True))
            url = parse_apprise(destination["apprise"])
        except WrongValueError:  # the model reports it
            continue
        if is_enabled and (problem := check(url.reveal())) is not None:
            findings.add((*path, "apprise"), problem)


def _check_keys(destination: dict[str, Tree], path: Path, findings: Findings) -> None:
    for key in NOT_WITH_APPRISE:
        if is_given(destination, key):
            why = (
                "Apprise sends one message after the other"
                if key.endswith("concurrency")
                else "Apprise makes its own requests"
            )
            findings.add_at_key((*path, key), f"{key} is for destinations with a url, because {why}; remove {key}")
    settings = destination.get("format")
    type_ = settings.get("type") if isinstance(settings, dict) else settings
    format_ = known_word(type_, FORMATS) if isinstance(type_, Scalar) else None
    if format_ is not None and format_ not in FORMATS_OF_APPRISE:
        findings.add(
            (*path, "format"),
            f"{format_} is for a URL of that service, and Apprise sends texts; write format: text, or a template",
        )
