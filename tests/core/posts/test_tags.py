"""Tags that are found in a text."""

import pytest

from tests.core.posts.support import read


@pytest.mark.parametrize(("text", "symbols", "hashtags", "mentions"), [
    ("$BTC $btc $ETH", ["BTC", "ETH"], [], []),
    ("($BTC), $eth; $SOL.", ["BTC", "eth", "SOL"], [], []),
    ("$100 $1INCH $a1 $PEPE2", ["a1", "PEPE2"], [], []),
    ("US$BTC a$B $$C $BTC_X $BTCé", [], [], []),
    ("$ABCDEFGHIJKLMNO $ABCDEFGHIJKLMNOP", ["ABCDEFGHIJKLMNO"], [], []),
    ("#a #1 #1st #_ #a_b #a-b", [], ["a", "1st", "a_b"], []),
    ("#開発、\uff03天気 今日は#x #हिन्दी #ไทยแลนด์", [], ["開発", "天気", "हिन्दी", "ไทยแลนด์"], []),
    ("a#b &#39; #x#y #x##", [], [], []),
    ("@Nova hi @nova. .@orbit (\uff20kit)", [], [], ["Nova", "orbit", "kit"]),
    ("me@example.com @user@example.com @a/@b @" + "a" * 51, [], [], ["a"]),
    ("こんにちは@user", [], [], ["user"]),
    ("https://example.com/@a#b?q=$c https://e.com/#d/@e x", [], [], []),
    ("https://t.co/a、#開発", [], ["開発"], []),
])  # fmt: skip
def test_tags_out_of_a_text(text: str, symbols: list[str], hashtags: list[str], mentions: list[str]) -> None:
    for source in ("fast-x", "radio"):
        assert list(read("symbols", source, text=text)) == symbols
        assert list(read("hashtags", source, text=text)) == hashtags
        assert list(read("mentions", source, text=text)) == mentions
