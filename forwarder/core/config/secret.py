"""A text that must not be seen."""


class Secret:
    """Wraps a text so that no log, error or `repr` shows it, nor how long it is.

    Not a `str`: whatever takes a `str` would print it. pydantic's `SecretStr` tells an empty one from the rest.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself, for the one place that sends or signs with it."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash((Secret, self._text))
