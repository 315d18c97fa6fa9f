"""Words of a fixed set: what is written in upper or lower case means the word, and a near miss is named."""

from collections.abc import Collection, Iterable


def known_word(text: str, known: Collection[str]) -> str | None:
    """Return the known word that a text is, in upper or lower case; `None` where it is none of them."""
    if text in known:
        return str(text)
    folded = text.casefold()
    return next((each for each in known if each.casefold() == folded), None)


def nearest_word(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is probably meant, whatever their case; `None` where none is near."""
    import difflib  # noqa: PLC0415 - only mistakes need it

    by_folded: dict[str, str] = {}
    for each in known:
        by_folded.setdefault(each.casefold(), each)
    nearest = difflib.get_close_matches(word.casefold(), by_folded, n=1)
    return by_folded[nearest[0]] if nearest else None
