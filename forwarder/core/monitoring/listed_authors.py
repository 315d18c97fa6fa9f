"""Finds forwarder's own messages that have posts or the name of an author in them: digests of quiet hours, summaries of a limit. Pure."""

from collections.abc import Iterable

import msgspec

from forwarder.core.matching.authorship import network_of
from forwarder.core.matching.folding import fold
from forwarder.core.monitoring.quiet_digest import details_of, without
from forwarder.core.posts import Post


class _Listed(msgspec.Struct, frozen=True):
    """A post in a digest."""

    source: str
    author: str
    text: str
    link: str


class _Payload(msgspec.Struct):
    kind: str
    text: str
    posts: list[_Listed] = []


class _Frame(msgspec.Struct):
    payload: _Payload


_FRAME = msgspec.json.Decoder(_Frame)


class ListedAuthor:
    """Knows one author by what they wrote, and by the name that a person gave."""

    def __init__(self, name: str, posts: Iterable[Post], *, is_handle: bool) -> None:
        """`is_handle`: `name` is a handle or an id, so that nobody else has it. A displayed name may be that of others."""
        written = [(details_of(post), post.author) for post in posts]
        self._posts = {
            _Listed(network_of(each["source"]), each["author"], each["text"], each["link"]) for each, _ in written
        }
        sure = {author.handle for _, author in written} | {author.id for _, author in written}
        self._sure = _folded({name, *sure} if is_handle else sure)
        self._networks = {each.source for each in self._posts}
        self._names = self._sure | _folded(author.name for _, author in written)

    def is_in(self, body: bytes, *, source: str | None = None) -> bool:
        """Return whether an own message lists a post of this author, or names the author. `source`: only posts of this one count."""
        try:
            payload = _FRAME.decode(body).payload
        except (msgspec.DecodeError, UnicodeDecodeError):  # other messages have other payloads
            return False
        match payload.kind:
            case "quiet_digest":
                return any(self._wrote(each) for each in payload.posts if source in {None, each.source})
            case "limited":
                return self._is_counted(payload.text)
            case _:
                return False

    def left_of(self, body: bytes, *, source: str | None = None) -> bytes | None:
        """Return the body of a digest without the posts of this author; `None` if none is left, or if it is no digest."""
        if not self.is_in(body, source=source) or _FRAME.decode(body).payload.kind != "quiet_digest":
            return None
        return without(
            body, lambda post: source in {None, post["source"]} and self._wrote(msgspec.convert(post, _Listed))
        )

    def _wrote(self, listed: _Listed) -> bool:
        network = network_of(listed.source)
        if msgspec.structs.replace(listed, source=network) in self._posts:
            return True
        return _bare(listed.author) in self._sure and (not self._networks or network in self._networks)

    def _is_counted(self, text: str) -> bool:
        """Return whether a summary of a limit says how many posts of this author were not sent: `; 31 from nova, 3 from others. First: …`."""
        values = text.partition(" (limit ")[2].partition("); ")[2].rpartition(". First: ")[0].split(", ")
        counted = (each.partition(" from ")[2] or each for each in values)
        return any(
            _bare(part.removeprefix("channel ")) in self._names for each in counted for part in each.split(" / ")
        )


def _folded(names: Iterable[str]) -> frozenset[str]:
    return frozenset(_bare(name) for name in names if name)


def _bare(name: str) -> str:
    return fold(name.strip().removeprefix("@"))
