r"""Makes the characters of a text visible that would act instead: control characters, marks that reverse the direction of text, and the like.

They are written as `\u001b`. In JSON they occur only inside strings, so JSON that is written in this way reads as the same value.
"""

import re

_ACTIVE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but for the tab and the line break
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # direction, invisible format characters
    "\ud800-\udfff\ufffe\uffff\U000e0000-\U000e007f]"  # what UTF-8 cannot encode, noncharacters, tags
)


def escaped(text: str) -> str:
    r"""Return the text with `\u…` for each character that would act upon a terminal or a page, or hide. Line breaks and tabs stay."""
    return _ACTIVE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
