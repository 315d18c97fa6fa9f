"""`forwarder init`: asks some questions, or takes their answers as options, and writes a first config."""

import argparse
import getpass
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from forwarder.cli import exit_codes
from forwarder.cli.locations import UsageError, report_errors
from forwarder.cli.starter import KEY_VARIABLE, Answers, NotValidError, Starter, service_of, starter_of
from forwarder.configfile.read import read_secret_file
from forwarder.core.event import KNOWN_SOURCES

_SECRET, _PUBLIC = 0o600, 0o644
_LONGEST_LINE = 4096
_ANY_URL = "http://127.0.0.1:9/"
"""What stands for the URL while another answer is looked at."""


@report_errors
def run(arguments: argparse.Namespace) -> int:
    """Write the config, and say what to run next."""
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
    for path in secrets:
        _require_free(path, arguments)
    try:
        for path, text in secrets.items():
            _write(path, f"{text}\n", _SECRET, is_replaced=arguments.force)
        _write(arguments.file, starter.text, _PUBLIC, is_replaced=arguments.force)
    except OSError as error:
        print(f"{error.filename}: cannot be written: {error.strerror}", file=sys.stderr)
        return exit_codes.OUTBOX_UNWRITABLE
    _print_next(arguments.file, starter, secrets)
    return exit_codes.OK


def _require_free(path: Path, arguments: argparse.Namespace) -> None:
    if not arguments.force and os.path.lexists(path):
        raise UsageError(f"{path} exists already; --force replaces it, or name another file: forwarder init FILE")


def _from_options(arguments: argparse.Namespace) -> Starter:
    url = arguments.url
    if url == "-":
        url = sys.stdin.readline(_LONGEST_LINE).strip()
    return starter_of(
        Answers(
            url=url,
            chat=arguments.chat or "",
            api_key=_key_of(arguments),
            words=_listed(arguments.words),
            sources=_listed(arguments.sources),
        ),
        prefix=_prefix(arguments),
    )


def _asked(arguments: argparse.Namespace) -> Starter:
    """Ask for what no option says; ask again for an answer that is not valid."""
    print("Enter alone takes what is in brackets. Nothing is written before the last answer.")

    def with_url(url: str) -> Answers:
        return Answers(url=url, chat=arguments.chat or ("" if "chat_id=" in url else "1"))

    url = _ask("Where should the posts go? URL of the webhook: ", input, with_url).url
    chat = arguments.chat or ""
    if service_of(url) == "telegram" and not chat and "chat_id=" not in url:
        chat = _ask(
            "Which chat of Telegram? Its number, or @name: ", input, lambda said: Answers(url=url, chat=said)
        ).chat
    key = _key_of(arguments)
    if arguments.api_key_file is None:
        question = f"API key of scrape.st, which is not shown here [from the variable {KEY_VARIABLE}]: "
        key = _ask(question, getpass.getpass, lambda said: Answers(url=_ANY_URL, api_key=said)).api_key
    words, sources = _listed(arguments.words), _listed(arguments.sources)
    if arguments.words is None:
        question = "Only posts with one of these words, such as btc, eth [all posts]: "
        words = _ask(question, input, lambda said: Answers(url=_ANY_URL, words=_listed(said))).words
    if arguments.sources is None:
        question = f"Only posts of these sources: {', '.join(KNOWN_SOURCES[:-1])} [all]: "
        sources = _ask(question, input, lambda said: Answers(url=_ANY_URL, sources=_listed(said))).sources
    answers = Answers(url=url, chat=chat, api_key=key, words=words, sources=sources)
    return starter_of(answers, prefix=_prefix(arguments))


def _ask(question: str, read: Callable[[str], str], meaning: Callable[[str], Answers]) -> Answers:
    """Ask until the answer makes a valid config; return what it means."""
    while True:
        answers = meaning(read(question).strip())
        try:
            starter_of(answers)
        except NotValidError as error:
            print(f"  {error}")
        else:
            return answers


def _prefix(arguments: argparse.Namespace) -> str:
    """Return how the names of the files of secrets begin, so that two configs in a folder do not share them."""
    stem = arguments.file.stem
    return "" if stem == "config" else f"{stem}-"


def _key_of(arguments: argparse.Namespace) -> str:
    return "" if arguments.api_key_file is None else read_secret_file(arguments.api_key_file).strip()


def _listed(text: str | None) -> Sequence[str]:
    return tuple(dict.fromkeys(word for each in (text or "").split(",") if (word := each.strip())))


def _write(path: Path, text: str, mode: int, *, is_replaced: bool) -> None:
    """Write a file that does not exist, or replace it as a whole. Raises `OSError`."""
    target = path.with_name(f".{path.name}.{os.getpid()}") if is_replaced else path
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    if is_replaced:
        target.replace(path)


def _print_next(file: Path, starter: Starter, secrets: dict[Path, str]) -> None:
    for path in secrets:
        print(f"{path}: written; only you can read it")
    print(f"{file}: written", "Next:", sep="\n")
    option = "" if file == Path("config.yaml") else f" -c {file}"
    if KEY_VARIABLE in starter.text and not os.environ.get(KEY_VARIABLE):
        print(f"  export {KEY_VARIABLE}='your key'")
    print(f"  forwarder check --connect{option}      # is the config valid, and is the key accepted?")
    print(f"  forwarder send {starter.destination}{option}      # send a test event")
    print(f"  forwarder run{option}")
