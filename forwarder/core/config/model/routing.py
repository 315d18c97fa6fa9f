"""The routing part of a config: everything that decides where an event goes, and nothing about how it gets there."""

from typing import Annotated

from pydantic import Field, PrivateAttr

from forwarder.core.config.model.compiled import ConditionField, ListField
from forwarder.core.config.model.prefer import OnFullField
from forwarder.core.config.model.quiet import QuietConfig
from forwarder.core.config.model.route import Destinations, RouteConfig
from forwarder.core.config.model.sample_and_limit import LimitConfig
from forwarder.core.config.revision import Revision
from forwarder.core.config.values.section import Name, Section, Switch
from forwarder.core.routing.first_word import OnFull

DROP = "drop"
"""The value of `unmatched` that means no destination."""

GroupsField = Annotated[
    dict[Name, Destinations],
    Field(
        description="Names for several destinations. A route and another group can use them.",
        examples=[{"everyone": ["bot", "alerts"]}],
    ),
]
RoutesField = Annotated[
    list[RouteConfig],
    Field(min_length=1, description="The rules, from top to bottom. Every route that matches an event delivers it."),
]
ListsField = Annotated[
    dict[Name, ListField],
    Field(
        description="Named lists of values for conditions, used as {list: NAME}.", examples=[{"coins": ["btc", "eth"]}]
    ),
]
MatchersField = Annotated[
    dict[Name, ConditionField],
    Field(
        description="Named conditions for other conditions, used as {matcher: NAME}.",
        examples=[{"quiet hours": {"now": {"hours": "23:00-07:00", "timezone": "Europe/Berlin"}}}],
    ),
]
ExactField = Annotated[
    Switch,
    Field(
        description="true: conditions find only what is the same text, except for case. false: contains, word, prefix, suffix and wildcard also find texts that look the same."
    ),
]
UnmatchedField = Annotated[
    Name, Field(description="What gets the events that no route matched: a destination, or drop for none.")
]


class RoutesEvents(Section):
    """A config that routes events, and the revision of its routing part."""

    _revision: Revision | None = PrivateAttr(default=None)

    @property
    def revision(self) -> Revision | None:
        """The routing part of the file, stored with the events that it routes; `None` for a config without a file."""
        return self._revision

    def note_revision(self, revision: Revision) -> None:
        """Set the revision, once the file is read."""
        self._revision = revision


class RoutedDestination(Section):
    """The settings of a destination that routing depends on."""

    enabled: Switch = Field(default=True, description="false: events for this destination are skipped.")
    on_full: OnFullField = Field(default=OnFull.IGNORE, description="What to do with the full text of an X post.")
    limit: LimitConfig | None = Field(default=None, description="The highest number of posts in a span of time.")
    quiet: QuietConfig | None = Field(default=None, description="Hours in which what comes is kept.")


class RoutingConfig(RoutesEvents):
    """The routing part of a config: its routes, and of its destinations only what routing depends on."""

    destinations: dict[Name, RoutedDestination] = Field(min_length=1, description="The destinations, by name.")
    groups: GroupsField = Field(default_factory=dict)
    routes: RoutesField
    lists: ListsField = Field(default_factory=dict)
    matchers: MatchersField = Field(default_factory=dict)
    exact: ExactField = False
    unmatched: UnmatchedField = DROP
