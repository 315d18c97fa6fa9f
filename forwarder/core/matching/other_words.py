"""The words that other programs have for our tests and fields, with what to write here. Only mistakes need them."""

from collections.abc import Collection

from forwarder.core.yaml.problems import did_you_mean
from forwarder.core.yaml.shown_keys import may_hold_value

_TESTS = {
    "prefix": "startswith starts_with starts begins_with beginswith begins",
    "suffix": "endswith ends_with ends",
    "contains": "includes include substring has icontains contain",
    "word": "words keyword keywords term terms phrase",
    "regex": "matches match match_re pattern re regexp rx =~",
    "wildcard": "like glob fnmatch wildcards",
    "gt": "> greater greater_than more more_than above over",
    "gte": ">= ge min minimum at_least from",
    "lt": "< less less_than below under",
    "lte": "<= le max maximum at_most to",
    "between": "range",
    "length": "len size count",
    "within": "newer_than younger_than max_age",
    "older_than": "min_age",
    "exists": "present defined is_set",
    "hours": "hour time times",
    "days": "day weekday weekdays",
    "timezone": "tz zone",
}
_OPPOSITES = {
    "equals": "!= <> ne neq not_equal not_equals not_in is_not nin",
    "contains": "not_contains does_not_contain excludes exclude without",
    "word": "not_word",
    "regex": "not_regex not_match not_matches !~",
    "exists": "missing absent is_null",
}
"""Words for the opposite of our tests."""
_EQUALS = frozenset({"in", "is", "eq", "any", "any_of", "one_of", "or", "=", "==", "equal", "value", "values"})
_SEVERAL = frozenset({"contains_any", "contains_one_of", "has_any"})
_EVERY = frozenset({"all", "and", "all_of", "contains_all", "has_all"})
_BLOCKS = {
    "any": "or one_of any_of either",
    "all": "and all_of both every",
    "not": "none none_of nor except exclude unless",
}
_FIELDS = {
    "text": "content message body full_text tweet",
    "author": "user username user_name screen_name handle from account sender by",
    "author_id": "user_id account_id sender_id",
    "author_name": "name display_name full_name nickname",
    "channel": "chat chat_id channel_id group group_id room guild server",
    "kind": "type post_type is_reply is_retweet is_repost is_quote retweet reply quote",
    "lang": "language locale",
    "symbols": "symbol cashtag cashtags ticker tickers coin coins token tokens",
    "hashtags": "hashtag tag tags",
    "mentions": "mention mentioned",
    "has_media": "media image images photo photos has_image has_images has_photo attachment attachments",
    "has_video": "video videos",
    "has_link": "links has_url has_urls has_links urls",
    "link": "url permalink",
    "reply_to": "in_reply_to replying_to",
    "timestamp": "time date created_at age",
    "mid": "id tweet_id message_id post_id",
    "source": "platform network service origin",
    "now": "hours days weekday schedule clock",
    "matcher": "matchers condition",
}
_ENVELOPES = ("event", "data", "post", "tweet", "message", "body", "msg", "json", "$", "this", "x")
"""What other programs and the templates put before the name of a field."""


def _meanings(words: dict[str, str]) -> dict[str, str]:
    return {other: ours for ours, others in words.items() for other in others.split()}


_TEST_OF, _OPPOSITE_OF = _meanings(_TESTS), _meanings(_OPPOSITES)
_BLOCK_OF, _FIELD_OF = _meanings(_BLOCKS), _meanings(_FIELDS)


def test_meant(name: str, field: str) -> str:
    """Return what to write for an unknown test of a field, after a semicolon; an empty text where nothing is known."""
    word = name.strip().casefold()
    if word == "not":
        return f"; write not: {{{field}: …}} around the field"
    if word in _EQUALS:
        return f"; write {field}: [value, value], or equals"
    if word in _SEVERAL:
        return "; write contains: [value, value], which holds for any of them"
    if word in _EVERY:
        return f"; write all: [{{{field}: …}}, {{{field}: …}}] around the field"
    if (ours := _OPPOSITE_OF.get(word)) is not None:
        if ours == "exists":
            return "; write exists: false"
        meant = "…" if ours == "equals" else f"{{{ours}: …}}"
        return f"; write not: {{{field}: {meant}}} around the field"
    if (ours := _TEST_OF.get(word)) is not None:
        return f"; did you mean {ours}?"
    return ""


def field_meant(name: str, *, fields: Collection[str], tests: Collection[str]) -> str:
    """Return what to write for an unknown field, after a semicolon; an empty text where nothing is known.

    `fields` are the fields and blocks that there are, and `tests` the tests.
    """
    word = name.strip().casefold()
    if word == "match":
        return "; match is written once, and its fields below it"
    if (ours := _BLOCK_OF.get(word)) is not None:
        return f"; did you mean {ours}?"
    if word in tests and word not in _FIELD_OF:
        return f"; a test is written below its field, as in text: {{{word}: …}}"
    if (ours := _FIELD_OF.get(word)) is not None:
        return f"; did you mean {ours}?"
    head, _, rest = name.partition(".")
    if not rest:
        return did_you_mean(name, fields)
    if may_hold_value(name):
        return ""
    if not head:
        return _within(rest, fields) or f"; did you mean payload.{rest}?"
    if head in fields and rest in tests:
        return f"; a test is written below its field: {head}: {{{rest}: …}}"
    if head.casefold() in _ENVELOPES and (found := _within(rest, fields)):
        return found
    return f"; did you mean payload.{name}?"


def _within(rest: str, fields: Collection[str]) -> str:
    """Return what to write where an unneeded word stands before a field or a path."""
    return f"; did you mean {rest}?" if rest in fields or rest.startswith("payload.") else ""
