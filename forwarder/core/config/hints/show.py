"""How hints show values. A value that comes from a variable is never shown, only the name of the variable."""

from forwarder.core.yaml.tree import Expanded, Scalar

_LONGEST = 60


def word(value: Scalar) -> str:
    """Return a value as `explain` shows it; one of a variable by its name."""
    from forwarder.core.matching.rendering import word as rendered  # noqa: PLC0415 - only a hint needs it

    return rendered(value)


def in_single_quotes(text: str, value: Scalar, *, instead: str, before: str = "") -> str:
    """Return a text made of a value as YAML in single quotes, to copy, after `before`.

    Return `instead` if it is too long, cannot be printed, or comes from a variable.
    """
    if isinstance(value, Expanded) or len(text) > _LONGEST or not text.isprintable():
        return instead
    doubled = text.replace("'", "''")
    return f"{before}'{doubled}'"


def listed(parts: list[str], value: Scalar) -> str:
    """Return parts of a value as a list of YAML; a placeholder if they come from a variable or are many."""
    is_shown = not isinstance(value, Expanded) and len(value) <= _LONGEST and value.replace("\n", "").isprintable()
    return f"[{', '.join(map(plain, parts))}]" if is_shown else "[value, value]"


def plain(text: str) -> str:
    """Return a text as YAML in a list: without quotes if it needs none."""
    return (
        text
        if text.replace("-", "").replace("_", "").isalnum() and not text.startswith("-")
        else word(Scalar(text, quoted=True))
    )
