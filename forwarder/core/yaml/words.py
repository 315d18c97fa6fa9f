"""Words of a fixed set: what is written in upper or lower case means the word."""

from collections.abc import Collection


def known_word(text: str, known: Collection[str]) -> str | None:
    """Return the known word that a text is, in upper or lower case; `None` where it is none of them."""
    if text in known:
        return str(text)
    folded = text.casefold()
    return next((each for each in known if each.casefold() == folded), None)
