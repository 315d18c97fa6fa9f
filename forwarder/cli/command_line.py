"""Reads the words of a command line as far as the name of the command, which decides what is loaded.

It is read before the daemon handles its signals, so it loads nothing itself.
"""

from collections.abc import Sequence

WITH_VALUE = ("-c", "--config", "--env-file")
"""The options that may also stand before the command, each followed by its value."""
_OF_TIMES = ("--since", "--until")
"""Options whose value may begin with a `-`, as in `--since -1h`. argparse takes such a word for an option."""


def arranged(given: Sequence[str]) -> list[str]:
    """Return the words with the command first: options that stand before it come after it, and `help X` is `X --help`."""
    before: list[str] = []
    words = _joined(given)
    while words and words[0].partition("=")[0] in WITH_VALUE:
        count = 1 if "=" in words[0] else 2
        before += words[:count]
        del words[:count]
    if words[:1] == ["help"]:
        return [*(word for word in words[1:] if not word.startswith("-")), "--help"]
    if not words or words[0].startswith("-"):
        return [*before, *words]
    return [words[0], *before, *words[1:]]


def _joined(given: Sequence[str]) -> list[str]:
    """Return the words, with `--since -1h` as the one word `--since=-1h`."""
    words: list[str] = []
    for word in given:
        if words and words[-1] in _OF_TIMES and word[:1] == "-" and word[1:2].isdigit():
            words[-1] = f"{words[-1]}={word}"
        else:
            words.append(word)
    return words
