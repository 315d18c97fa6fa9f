"""One sample event for each source, to try templates and to preview formats with.

The samples contain what breaks careless templates: quotes, backslashes, line breaks and emoji. Few optional fields are present.
"""

import json

from forwarder.core.event import JSONValue


def _event(source: str, mid: str | int, sid: str, payload: dict[str, JSONValue]) -> bytes:
    event = {"mid": mid, "sid": sid, "source": source, "timestamp": 1767225600000, "payload": payload}
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _x(id_: str, text: str, **more: JSONValue) -> dict[str, JSONValue]:
    return {
        "id": id_,
        "text": text,
        "created_at": "Thu Jan 01 00:00:00 +0000 2026",
        "lang": "en",
        "author": {
            "id": "44100001",
            "name": 'Nova "The" Desk',
            "screen_name": "novadesk",
            "profile_image_url": "https://example.com/novadesk.jpg",
        },
        "entities": {"hashtags": [], "symbols": [], "urls": [], "user_mentions": []},
        "link": f"https://x.com/novadesk/status/{id_}",
        **more,
    }


_PICTURE: dict[str, JSONValue] = {"media_url_https": "https://example.com/picture.jpg", "type": "photo"}

SAMPLES: dict[str, bytes] = {
    "x": _event(
        "x",
        "2006700000000918273",
        "44100001",
        _x("2006700000000918273", 'Rates "on hold" 🎉\nA \\ B & C < D', media=[_PICTURE]),
    ),
    "x quote": _event(
        "x",
        "2006700000006427911",
        "44100001",
        _x(
            "2006700000006427911",
            "This matters more",
            quoted_tweet=_x("2006700000005509638", "Снег и ветер, дороги закрыты"),
        ),
    ),
    "x repost": _event(
        "x",
        "2006700000008264457",
        "44100001",
        _x(
            "2006700000008264457",
            "RT @novadesk: Adopté",
            retweeted_tweet=True,
            retweeted=_x("2006700000007346184", "Adopté"),
        ),
    ),
    "fast-x": _event(
        "fast-x",
        "2006700000000918273",
        "44100001",
        {
            "id": "2006700000000918273",
            "text": 'Rates "on hold"\tnow',
            "author": {"id": "44100001", "name": "Nova Desk", "screen_name": "novadesk"},
            "url": "https://x.com/novadesk/status/2006700000000918273",
        },
    ),
    "telegram": _event(
        "telegram",
        4801,
        "1234567890",
        {
            "id": 4801,
            "date": 1767225600,
            "message": 'BREAKING: "testnet" is live\nhttps://example.com',
            "post": True,
            "entities": [],
            "className": "Message",
            "channelId": "1234567890",
        },
    ),
    "discord": _event(
        "discord",
        "1300000003774873600",
        "900000000000000042",
        {
            "channelId": "900000000000000042",
            "guildId": "900000000000000001",
            "id": "1300000003774873600",
            "createdTimestamp": 1767225600000,
            "content": "mainnet **tonight** <@800000000000000009>",
            "cleanContent": "mainnet **tonight** @orbit",
            "authorId": "800000000000000007",
            "embeds": [],
            "attachments": [],
            "reference": None,
        },
    ),
    "rss": _event(
        "rss", "https://example.com/p/1", "feed-77", {"title": 'A "title"', "link": "https://example.com/p/1"}
    ),
    "forwarder": _event(
        "forwarder",
        "notice-1",
        "forwarder",
        {"title": "bot does not answer", "text": "5 attempts failed: HTTP 503", "level": "warning"},
    ),
}
