"""Describes where a redirect points, without path and query, which may contain a secret. Pure."""

from yarl import URL

_LONGEST_ORIGIN = 300
"""Characters. A host name has 253 at most; anything longer is not worth keeping."""


def describe_redirect(url: URL, target: str, location: str) -> str:
    """Return where the `Location` of a response points, if the request was for this path and query (`target`) at the host of `url`.

    If it is the same URL in another form, that form is named, because the config should have it.
    """
    try:
        sent_to = URL(f"{url.origin()}{target}")
        new = sent_to.join(URL(location))
        origin = str(new.origin())
    except ValueError:
        return "an invalid address"
    forms = _forms(sent_to, new)
    if forms:
        return f"the same URL {' and '.join(forms)} (write it so in the config)"
    if new.origin() != sent_to.origin():
        return origin if len(origin) <= _LONGEST_ORIGIN else "an invalid address"
    return "another path of the same host" if new.raw_path != sent_to.raw_path else "the same URL"


def _forms(old: URL, new: URL) -> list[str]:
    """Return what is different in the new URL, which then is the same in another form; nothing if it is another URL, or only has another query."""
    forms = []
    if (old.scheme, new.scheme) == ("http", "https"):
        forms.append("with https://")
    elif old.scheme != new.scheme:
        return []
    if old.is_default_port() != new.is_default_port() or (not old.is_default_port() and old.port != new.port):
        return []
    old_host, new_host = old.raw_host or "", new.raw_host or ""
    if new_host == f"www.{old_host}":
        forms.append('with "www."')
    elif old_host == f"www.{new_host}":
        forms.append('without "www."')
    elif old_host != new_host:
        return []
    if new.raw_path == f"{old.raw_path}/":
        forms.append("with a slash at its end")
    elif old.raw_path == f"{new.raw_path}/":
        forms.append("without the slash at its end")
    elif old.raw_path != new.raw_path:
        return []
    return forms
