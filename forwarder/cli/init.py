"""`forwarder init`: asks some questions, or takes their answers as options, and writes a first config."""

import argparse
import getpass
import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from forwarder.cli import exit_codes
from forwarder.cli.locations import UsageError, report_errors
from forwarder.cli.starter import (
    KEY_FILE,
    KEY_VARIABLE,
    URL_FILE,
    Answers,
    NotValidError,
    Starter,
    service_of,
    starter_of,
)
from forwarder.configfile.read import read_secret_file
from forwarder.core.event import KNOWN_SOURCES

_SECRET, _PUBLIC = 0o600, 0o644
_LONGEST_LINE = 4096
_TESTS = ("_test.yaml", "_test.yml")
_ASSIGNMENT = re.compile(r"^\s*(?:export\s+)?[A-Za-z_]\w*\s*=\s*[^=\s]", re.MULTILINE)
"""A line that gives a variable a value. A key may end in `=` itself."""
_QUOTES = "\"'`\u00b4\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb"
"""Straight and typographic quotation marks."""
_ANY_URL = "http://127.0.0.1:9/"
"""What stands for the URL while another answer is looked at."""


@report_errors
def run(arguments: argparse.Namespace) -> int:
    """Write the config, and say what to run next."""
    if arguments.file.name.endswith(_TESTS):
        raise UsageError(f"{arguments.file} is a name for a file of tests; choose one that does not end in _test")
    _require_free(arguments.file, arguments)
    is_asking = arguments.url is None
    if is_asking and (sys.stdin is None or not sys.stdin.isatty()):
        raise UsageError("--url is missing: there is no terminal to ask on")
    try:
        starter = _asked(arguments) if is_asking else _from_options(arguments)
    except (EOFError, UnicodeDecodeError):
        print("not written: the answer is missing or is not UTF-8", file=sys.stderr)
        return exit_codes.FAILURE
    except OSError as error:
        print(f"{error.filename}: cannot be read: {error.strerror}", file=sys.stderr)
        return exit_codes.FAILURE
    except NotValidError as error:
        raise UsageError(f"not written: {error}") from None
    secrets = {arguments.file.with_name(name): text for name, text in starter.secrets.items()}
    if _is_key_in_place(arguments):
        del secrets[_place_of_key(arguments)]
    for path in secrets:
        _require_free(path, arguments)
    try:
        for path, text in secrets.items():
            _write(path, f"{text}\n", _SECRET, is_replaced=arguments.force)
        _write(arguments.file, starter.text, _PUBLIC, is_replaced=arguments.force)
    except OSError as error:
        print(f"{error.filename}: cannot be written: {error.strerror}", file=sys.stderr)
        return exit_codes.OUTBOX_UNWRITABLE
    for path in _left_over(arguments, starter):
        print(
            f"note: {path} is not used by this config; delete it if nothing else needs it: rm {shlex.quote(str(path))}"
        )
    _print_next(arguments.file, starter, secrets, is_public=arguments.public)
    return exit_codes.OK


def _left_over(arguments: argparse.Namespace, starter: Starter) -> list[Path]:
    """Return the files of secrets that an earlier config of this name had, and that this one does not name."""
    names = (f"{_prefix(arguments)}{name}" for name in (KEY_FILE, URL_FILE))
    return [
        path
        for name in names
        if name not in starter.text and os.path.lexists(path := arguments.file.with_name(name)) and arguments.force
    ]


def _require_free(path: Path, arguments: argparse.Namespace) -> None:
    if not arguments.force and os.path.lexists(path):
        raise UsageError(f"{path} exists already; --force replaces it, or name another file: forwarder init FILE")


def _from_options(arguments: argparse.Namespace) -> Starter:
    key, words, sources = _key_of(arguments), _listed(arguments.words), _listed(arguments.sources)
    url = arguments.url
    if url == "-":
        url = sys.stdin.readline(_LONGEST_LINE).strip()
    return starter_of(
        Answers(
            url=url, chat=arguments.chat or "", api_key=key, is_public=arguments.public, words=words, sources=sources
        ),
        prefix=_prefix(arguments),
    )


def _asked(arguments: argparse.Namespace) -> Starter:
    """Ask for what no option says; ask again for an answer that is not valid."""
    key, words, sources = _key_of(arguments), _listed(arguments.words), _listed(arguments.sources)
    starter_of(Answers(url=_ANY_URL, api_key=key, words=words, sources=sources))
    print("Enter alone takes what is in brackets. Nothing is written before the last answer.")

    def with_url(url: str) -> Answers:
        is_chat_asked = service_of(url) == "telegram" and "chat_id=" not in url
        return Answers(url=url, chat=arguments.chat or ("1" if is_chat_asked else ""))

    url = _ask("Where should the posts go? URL of the webhook: ", input, with_url).url
    chat = arguments.chat or ""
    if service_of(url) == "telegram" and not chat and "chat_id=" not in url:
        chat = _ask(
            "Which chat of Telegram? Its number, or @name: ", input, lambda said: Answers(url=url, chat=said)
        ).chat
    if arguments.api_key_file is None and not arguments.public:
        question = f"API key of scrape.st, which is not shown here [from the variable {KEY_VARIABLE}]: "
        key = _ask(question, getpass.getpass, lambda said: Answers(url=_ANY_URL, api_key=said)).api_key
    if arguments.words is None:
        question = "Only posts with one of these words, such as btc, eth [all posts]: "
        words = _ask(question, input, lambda said: Answers(url=_ANY_URL, words=_listed(said))).words
    if arguments.sources is None:
        question = f"Only posts of these sources: {', '.join(KNOWN_SOURCES[:-1])} [all]: "
        sources = _ask(question, input, lambda said: Answers(url=_ANY_URL, sources=_listed(said))).sources
    answers = Answers(url=url, chat=chat, api_key=key, is_public=arguments.public, words=words, sources=sources)
    return starter_of(answers, prefix=_prefix(arguments))


def _ask(question: str, read: Callable[[str], str], meaning: Callable[[str], Answers]) -> Answers:
    """Ask until the answer makes a valid config; return what it means."""
    while True:
        said = read(question).strip()
        try:
            answers = meaning(said)
            starter_of(answers)
        except NotValidError as error:
            print(f"  {error}")
        else:
            return answers


def _prefix(arguments: argparse.Namespace) -> str:
    """Return how the names of the files of secrets begin, so that two configs in a folder do not share them."""
    stem = arguments.file.stem
    return "" if stem == "config" else f"{stem}-"


def _place_of_key(arguments: argparse.Namespace) -> Path:
    """Return where the config expects the API key."""
    file: Path = arguments.file
    return file.with_name(f"{_prefix(arguments)}{KEY_FILE}")


def _is_key_in_place(arguments: argparse.Namespace) -> bool:
    """Return whether the file with the key is the one that the config names, so that it stays as it is."""
    file = arguments.api_key_file
    return file is not None and os.path.realpath(file) == os.path.realpath(_place_of_key(arguments))


def _key_of(arguments: argparse.Namespace) -> str:
    """Return the key in the file that an option names; an empty text without this option. Raises `OSError`, `UsageError`."""
    file = arguments.api_key_file
    if file is None:
        return ""
    try:
        key = read_secret_file(file).strip()
    except UnicodeDecodeError:
        raise UsageError(f"not written: {file} is not UTF-8") from None
    if not key:
        raise UsageError(f"not written: {file} is empty; write the API key into it")
    if _ASSIGNMENT.search(key):
        raise UsageError(
            f"not written: {file} gives a variable a value (NAME=value); it must contain the API key alone"
        )
    return key


def _listed(text: str | None) -> Sequence[str]:
    """Return the elements of a list with commas, without quotation marks around them. Raises `NotValidError`."""
    listed = tuple(dict.fromkeys(word for each in (text or "").split(",") if (word := _bare(each))))
    if text and text.strip() and not listed:
        raise NotValidError(
            "a list has nothing but commas and quotation marks in it; leave it out, or write words such as btc,eth"
        )
    return listed


def _bare(text: str) -> str:
    """Return a text without the spaces and the quotation marks around it."""
    return text.strip().strip(_QUOTES).strip()


def _write(path: Path, text: str, mode: int, *, is_replaced: bool) -> None:
    """Write a file that does not exist, or replace it as a whole. Raises `OSError`."""
    if is_replaced:  # a link stays, and the file that it names is replaced
        path = Path(os.path.realpath(path))
    target = path.with_name(f".{path.name}.{os.getpid()}") if is_replaced else path
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    if is_replaced:
        target.replace(path)


def _print_next(file: Path, starter: Starter, secrets: dict[Path, str], *, is_public: bool) -> None:
    for path in secrets:
        print(f"{path}: written; only you can read it")
    print(f"{file}: written", "Next:", sep="\n")
    name = f"./{file}" if str(file).startswith("-") else str(file)
    option = "" if file == Path("config.yaml") else f" -c {shlex.quote(name)}"
    if KEY_VARIABLE in starter.text and not os.environ.get(KEY_VARIABLE):
        print(f"  export {KEY_VARIABLE}='your key'")
    connects = "does its stream connect" if is_public else "is the key accepted"
    print(f"  forwarder check --connect{option}      # is the config valid, and {connects}?")
    print(f"  forwarder send {starter.destination}{option}      # send a test event")
    print(f"  forwarder run{option}")
