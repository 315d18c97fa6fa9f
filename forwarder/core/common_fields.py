"""Stub."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from forwarder.core.event import JSONValue
from forwarder.core.posts.post import Post
from forwarder.core.posts.read import read_value


class Facts:  # noqa: D101
    def __init__(self, *, source: str, payload: JSONValue, timestamp: float) -> None:
        self._all = {"source": source, "payload": payload, "timestamp": timestamp}
        self._post: Post | None = None

    @property
    def post(self) -> Post:  # noqa: D102
        if self._post is None:
            self._post = read_value(self._all)
        return self._post


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonField:  # noqa: D101
    name: str
    description: str
    read: Callable[[Facts], tuple[JSONValue, ...]]
    ignores_case: bool
    marker: str = ""
    values: tuple[str, ...] = ()
    is_many: bool = False


COMMON_FIELDS: Mapping[str, CommonField] = {
    f.name: f
    for f in (
        CommonField(
            name="text",
            description="",
            read=lambda f: tuple(filter(None, ["\n".join(filter(None, (f.post.title, f.post.text)))])),
            ignores_case=True,
        ),
        CommonField(
            name="author",
            description="",
            read=lambda f: (f.post.author.handle,) if f.post.author.handle else (),
            ignores_case=True,
            marker="@",
        ),
        CommonField(
            name="kind",
            description="",
            read=lambda f: (str(f.post.kind),),
            ignores_case=True,
            values=("post", "reply", "repost", "quote", "edit"),
        ),
        CommonField(name="symbols", description="", read=lambda _f: (), ignores_case=True, marker="$", is_many=True),
        CommonField(
            name="has_media",
            description="",
            read=lambda f: (f.post.has_media,),
            ignores_case=False,
            values=("true", "false"),
        ),
    )
}
