"""A text that no log or message may show."""

from forwarder.core.yaml.tree import Expanded, Scalar


class Secret:
    """Holds a text so that no log, error or `repr` shows it or its length.

    Not a `str`, because code that takes a `str` may print it. pydantic's `SecretStr` shows whether it is empty.
    """

    __slots__ = ("_text", "is_literal", "is_template")

    def __init__(self, text: str, *, is_template: bool = False) -> None:
        """`is_template`: the text is a template, which is rendered for each event."""
        self._text = str(text)
        self.is_literal = isinstance(text, Scalar) and not isinstance(text, Expanded)
        """Whether the config file itself contains the whole text: it is not from a variable or a file of its own."""
        self.is_template = is_template

    def reveal(self) -> str:
        """Return the text, for the code that sends it or signs with it."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return self._text == other._text and self.is_template == other.is_template

    def __hash__(self) -> int:
        return hash((Secret, self._text))
