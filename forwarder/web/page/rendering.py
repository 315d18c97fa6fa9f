"""Renders the templates of the page. Whatever a template prints is escaped for HTML, and its active characters are made visible."""

from datetime import datetime
from functools import partial
from typing import Any

import jinja2
from markupsafe import Markup

from forwarder.core.counted import counted
from forwarder.core.history import WAITS
from forwarder.core.visible import escaped
from forwarder.web.page import words
from forwarder.web.page.static_files import StaticFiles


class Rendering:
    """Holds the templates, compiled when they are first used. Safe to use in several threads."""

    def __init__(self, static: StaticFiles) -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.PackageLoader("forwarder.web.page"),
            autoescape=True,
            auto_reload=False,
            finalize=_finalized,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
        )
        self._environment.globals.update(
            static=static.address_of, counted=counted, kept_words=frozenset(WAITS.values())
        )
        self._environment.filters.update(
            number=words.number,
            ms=words.milliseconds,
            seconds=words.seconds,
            size=words.size,
            share=words.share,
            cut=words.cut,
            trigger=words.trigger_words,
            without_status=words.without_status,
        )

    def render(self, name: str, *, now: datetime, **values: object) -> str:
        """Return a template with these values as text. `now` is the moment for which times are shown."""
        return self._environment.get_template(name).render(
            now=now, ago=partial(words.ago, now=now), clock=partial(words.clock, now=now), **values
        )


def _finalized(value: Any) -> Any:  # noqa: ANN401 - of any type, as templates print it
    """Return a value as it is printed: a text without active characters; `None` as nothing."""
    if value is None:
        return ""
    if isinstance(value, str) and not isinstance(value, Markup):
        return escaped(value)
    return value
