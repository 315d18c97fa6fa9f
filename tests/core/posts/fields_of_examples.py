"""What each common field reads of each example event, written out by hand. A field that is not named reads nothing; a `has_…` is false."""

from typing import Any

_MARSAD = (
    "اختبار 👩\u200d👩\u200d👧\u200d👦 e\u0301 naïve \uff46\uff55\uff4c\uff4c\uff57\uff49\uff44\uff54\uff48 \u200f\u202eRTL\u202c \U0001d54f"
    ' "quotes" \\ backslash\ttab\nnewline \u2028 separator'
)
_PLAIN = "Markets open flat while futures drift lower ahead of the rate decision"
_POOL = (
    "New $LMP pool is live, CA 0x52908400098527886E0F7030069857D2E4169EE7 verify before you trade #onchain"
    " https://lantern.example.invalid/lmp"
)
_RELEASE = "Release 4.2 is out: faster cold starts, smaller images https://devorbit.example.invalid/4.2"

_NOVA = {
    "author": "novadesk",
    "author_id": "44100001",
    "author_name": "Nova Desk",
    "lang": "en",
    "kind": "post",
}
_KITSUNE = {
    "author": "kitsune_news",
    "author_id": "44100002",
    "author_name": "Kitsune 通信",
    "lang": "ja",
    "kind": "post",
}
_MARSAD_X = {"author": "marsad_x", "author_id": "44100003", "author_name": "مرصد الأخبار", "lang": "ar", "kind": "post"}
_ORBIT = {"author": "devorbit", "author_id": "44100004", "author_name": "Dev Orbit", "lang": "en", "kind": "post"}
_FUTBOL = {
    "author": "futbolaldia",
    "author_id": "44100005",
    "author_name": "Fútbol Al Día",
    "lang": "es",
    "kind": "post",
}
_CHAIN = {
    "author": "chainlantern",
    "author_id": "44100006",
    "author_name": "Chain Lantern",
    "lang": "en",
    "kind": "post",
}
_POOL_POST = _CHAIN | {
    "text": _POOL, "link": "https://x.com/chainlantern/status/2006700000002754819", "has_link": True,
    "symbols": ["LMP"], "hashtags": ["onchain"],
}  # fmt: skip
_RELEASE_POST = _ORBIT | {
    "text": _RELEASE,
    "link": "https://x.com/devorbit/status/2006700000003673092",
    "has_link": True,
}
_PLAIN_POST = _NOVA | {"text": _PLAIN, "link": "https://x.com/novadesk/status/2006700000000918273"}
_MARSAD_POST = _MARSAD_X | {"text": _MARSAD, "link": "https://x.com/marsad_x/status/2006700000011019276"}
_ROOM = {"author_id": "800000000000000007", "channel": "900000000000000042", "kind": "post"}
_ROOM_LINK = "https://discord.com/channels/900000000000000001/900000000000000042/"
_TELEGRAM = {"channel": "1234567890", "kind": "post"}

EXPECTED: dict[str, dict[str, Any]] = {
    "x-plain": _PLAIN_POST,
    "fast-x-plain": _PLAIN_POST,
    "x-contract-address": _POOL_POST,
    "fast-x-contract-address": _POOL_POST,
    "x-photo": _RELEASE_POST | {"has_media": True},
    "fast-x-photo": _RELEASE_POST,
    "x-unicode": _MARSAD_POST,
    "fast-x-unicode": _MARSAD_POST,
    "x-extra-key": _NOVA | {
        "text": "An envelope with one more key than documented", "link": "https://x.com/novadesk/status/2006700000011937549",
    },
    "x-iso-date": _KITSUNE | {
        "text": "発売日が決まりました。詳細は本日 18:00 に発表します 🎉", "link": "https://x.com/kitsune_news/status/2006700000001836546",
    },
    "x-large": _ORBIT | {
        "text": "All work and no play makes a long post. " * 5_000, "link": "https://x.com/devorbit/status/2006700000012855822",
    },
    "x-note": _ORBIT | {
        "text": "A long note on why queues fail. " + "Backpressure is a promise made early and kept under load. " * 24,
        "link": "https://x.com/devorbit/status/2006700000010101003",
    },
    "x-quote": _NOVA | {
        "text": "This matters more than the headline number", "link": "https://x.com/novadesk/status/2006700000006427911",
        "kind": "quote",
    },
    "x-reply": _ORBIT | {
        "text": "@novadesk the changelog has the numbers, see section 3", "link": "https://x.com/devorbit/status/2006700000009182730",
        "kind": "reply", "reply_to": "novadesk", "mentions": ["novadesk"],
    },
    "x-repost": _NOVA | {
        "text": "RT @etoilepresse: Le projet de loi est adopté par 312 voix contre 201",
        "link": "https://x.com/novadesk/status/2006700000008264457", "kind": "repost", "mentions": ["etoilepresse"],
    },
    "x-video": _FUTBOL | {
        "text": "¡Golazo en el minuto 93! El resumen completo", "link": "https://x.com/futbolaldia/status/2006700000004591365",
        "has_media": True, "has_video": True,
    },
    "telegram-text": _TELEGRAM | {
        "text": "BREAKING: testnet is live https://lantern.example.invalid", "link": "https://t.me/c/1234567890/4801",
        "has_link": True,
    },
    "telegram-photo": _TELEGRAM | {
        "text": "Screens from the new build", "link": "https://t.me/c/1234567890/4802", "has_media": True,
    },
    "telegram-edited": _TELEGRAM | {
        "text": "Maintenance window moved to 22:00 UTC", "link": "https://t.me/c/1234567890/4803", "kind": "edit",
    },
    "telegram-reply": _TELEGRAM | {"text": "Confirmed.", "link": "https://t.me/c/1234567890/4804", "kind": "reply"},
    "telegram-forward": {
        "text": "Форвард из другого канала", "channel": "1987654321", "link": "https://t.me/c/1987654321/4805", "kind": "repost",
    },
    "discord-text": _ROOM | {
        "text": "gm everyone, mainnet tonight @orbit :rocket:", "link": _ROOM_LINK + "1300000003774873600",
        "mentions": ["800000000000000009"],
    },
    "discord-attachment": _ROOM | {
        "text": "chart attached", "link": _ROOM_LINK + "1300000011324620800", "has_media": True,
    },
    "discord-embed": _ROOM | {
        "author_id": "800000000000000010", "title": "v4.2.0", "link": _ROOM_LINK + "1300000007549747200", "has_link": True,
        "text": "v4.2.0\nFaster cold starts\nCommits: 128\nhttps://devorbit.example.invalid/4.2",
    },
    "discord-reply": _ROOM | {
        "text": "agreed, shipping it", "link": _ROOM_LINK + "1300000015099494400", "kind": "reply",
    },
    "rss-unknown-source": {
        "title": "A source nobody documented", "text": "A source nobody documented", "link": "https://blog.example.invalid/p/1",
        "kind": "post",
    },
    "public-sse-fast-x": {"kind": "post"},
    "public-sse-telegram": {"kind": "post"},
}  # fmt: skip
