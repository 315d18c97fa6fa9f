"""The parser of the command line. It suggests the word that was meant where one of several is expected."""

import argparse
import re
from typing import NoReturn

_WRONG_WORD = re.compile(r"invalid choice: '(?P<word>.*)' \(choose from (?P<words>.*)\)", re.DOTALL)


class Parser(argparse.ArgumentParser):
    """Reads the arguments of a command, as every `ArgumentParser` does."""

    def error(self, message: str) -> NoReturn:
        """End the program with a message, and with the word that may have been meant."""
        found = _WRONG_WORD.search(message)
        known = [] if found is None else [word.strip(" '") for word in found["words"].split(",")]
        super().error(message + ("" if found is None else _hint(found["word"], known)))


def _hint(word: str, known: list[str]) -> str:
    import difflib  # only mistakes need it

    nearest = difflib.get_close_matches(word.casefold(), known, n=1)
    return f'; did you mean "{nearest[0]}"?' if nearest else ""
