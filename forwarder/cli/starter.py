"""Makes the text of a first config from a few answers. Writes nothing."""

import json
from collections.abc import Mapping, Sequence

import msgspec

from forwarder.core.config import Config, ConfigError, load_config
from forwarder.core.config.checks.exposure import is_this_machine
from forwarder.core.config.checks.literal_secrets import is_secret_url
from forwarder.core.config.checks.sources import ALL_SOURCES, hint_of_source
from forwarder.core.destinations import service_rules
from forwarder.core.event import KNOWN_SOURCES
from forwarder.core.url import UrlError, read_url, server_name_of
from forwarder.core.yaml.problems import quote
from forwarder.core.yaml.words import known_word

KEY_FILE, URL_FILE = "api-key", "webhook-url"
"""The files of the secrets, in the folder of the config."""
KEY_VARIABLE = "SCRAPEST_API_KEY"

_ADMIN = (
    "admin:",
    "  listen: 127.0.0.1:8787  # the page: http://127.0.0.1:8787/ shows the posts to all users of this machine; without this line nothing listens",
)


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What a first config is made of."""

    url: str
    chat: str = ""
    """The chat, for Telegram only."""
    api_key: str = ""
    """Empty: it is in a variable of the environment."""
    is_public: bool = False
    """Whether the stream is the public one, which needs no key."""
    words: Sequence[str] = ()
    """Empty: every post."""
    sources: Sequence[str] = ()
    """Empty: all sources."""

    def __repr__(self) -> str:
        """Return no secret."""
        return "Answers(…)"


class Starter(msgspec.Struct, frozen=True, kw_only=True):
    """A first config, and the files of its secrets by their names."""

    text: str
    secrets: Mapping[str, str]
    destination: str

    def __repr__(self) -> str:
        """Return no secret."""
        return "Starter(…)"


class NotValidError(Exception):
    """An answer is not valid; the text says why, without the answer."""


def service_of(url: str) -> str:
    """Return which service a URL is of: discord, slack or telegram; empty for any other receiver."""
    try:
        host = server_name_of(read_url(url, "http", "https").raw_host or "")
    except UrlError:
        return ""
    return service_rules.service_of(host, "raw") or ""


def starter_of(answers: Answers, *, prefix: str = "") -> Starter:
    """Return the config; the names of the files of its secrets begin with `prefix`. Raises `NotValidError`."""
    key_file, url_file = f"{prefix}{KEY_FILE}", f"{prefix}{URL_FILE}"
    service = service_of(answers.url)
    name = service or "bot"
    try:
        is_secret = _may_be_secret(answers.url)
    except UrlError as error:
        raise NotValidError(f"the URL is not valid: {error}") from None
    if answers.chat and service != "telegram":
        raise NotValidError("a chat is only for a bot of Telegram, and the URL is not that of one; leave the chat out")
    sources = [_known_source(each) for each in answers.sources]
    secrets = {key_file: answers.api_key} if answers.api_key else {}
    lines = [
        "# The first config of this forwarder. Every key: forwarder schema, or docs/config.md.",
        "streams:",
        _stream_of(answers, key_file),
        "",
        "destinations:",
        f"  {name}:",
    ]
    if is_secret:
        secrets[url_file] = answers.url
        lines.append(f"    url_file: {_quoted(url_file)}")
    else:
        lines.append(f"    url: {_quoted(answers.url)}")
    if answers.chat and service == "telegram":
        lines.append(f"    format: {{type: telegram, chat_id: {_quoted(answers.chat)}}}")
    elif service:
        lines.append(f"    format: {service}")
    lines += ["", "routes:", f"  - name: {'words' if answers.words else 'everything'}"]
    if answers.words or sources:
        lines.append("    match:")
    if sources:
        lines.append(f"      source: [{', '.join(map(_quoted, sources))}]")
    if answers.words:
        lines.append(f"      text: {{word: [{', '.join(map(_quoted, answers.words))}]}}")
    lines += [f"    to: {name}", "", *_ADMIN]
    starter = Starter(text="\n".join(lines) + "\n", secrets=secrets, destination=name)
    _load(starter)
    return starter


def _stream_of(answers: Answers, key_file: str) -> str:
    if answers.is_public:
        return "  - transport: public  # each event is cut after 100 characters; with a key, write api_key_file: api-key instead"
    return f"  - api_key_file: {_quoted(key_file)}" if answers.api_key else f"  - api_key: ${{{KEY_VARIABLE}}}"


def _may_be_secret(url: str) -> bool:
    """Return whether a URL may be a secret: most receivers have a path that nobody else knows. Raises `UrlError`."""
    if is_secret_url(url):
        return True
    read = read_url(url, "http", "https")
    return not is_this_machine(read.raw_host or "") and (read.raw_path not in {"", "/"} or bool(read.raw_query_string))


def _known_source(named: str) -> str:
    """Return the name of a source as it is written. Raises `NotValidError` for one that is not known."""
    if (known := known_word(named, KNOWN_SOURCES)) is not None:
        return known
    if named.casefold() in ALL_SOURCES:
        raise NotValidError(f"{quote(named)} is not a source; for all sources, name none")
    hint = hint_of_source(named) or f"; the known ones are {', '.join(KNOWN_SOURCES)}"
    raise NotValidError(f"{quote(named)} is not a known source{hint}")


def _load(starter: Starter) -> Config:
    try:
        return load_config(
            starter.text.encode(),
            name="config",
            env={KEY_VARIABLE: "key"},
            read_file=lambda name: starter.secrets[name],
        )
    except ConfigError as error:
        problem = error.problems[0]
        raise NotValidError(f"{problem.path}: {problem.message}") from None


def _quoted(text: str) -> str:
    """Return a text in double quotes, as YAML reads it without variables in it."""
    return json.dumps(text.replace("${", "$${"), ensure_ascii=False)
