"""Numbers with their nouns, as a person reads them."""


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: `1 post`, `1,240 posts`. `many` is the plural, by default `one` with an s."""
    return f"{count:,} {one if count == 1 else f'{one}s' if many is None else many}"
