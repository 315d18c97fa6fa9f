"""Finds API keys, tokens and signing secrets that are none: a placeholder, a variable of a shell, a line of an environment file.

No hint shows anything of the value.
"""

import re
from collections.abc import Iterator

from forwarder.core.config.checks.names import mappings, scalars_of, settings_of
from forwarder.core.config.hints.characters import QUOTES
from forwarder.core.yaml.tree import Path, Scalar, Tree

_VARIABLE = re.compile(r"\$[A-Za-z_][A-Za-z0-9_]*|\$\([^)]*\)|%[A-Za-z_][A-Za-z0-9_]*%|\{\{.*\}\}")
_IN_HEADER = re.compile(r"(?:.*\s)?(?:\$[A-Z][A-Z0-9_]{2,}|%[A-Z][A-Z0-9_]{2,}%)")
_ASSIGNMENT = re.compile(r"(?:export\s+)?[A-Za-z_]*(?:KEY|TOKEN|SECRET|PASS|_)[A-Z0-9_]*\s*=\s*[^=\s].*", re.DOTALL)
_FILLED = re.compile(r"<[^<>]*>|\[[^\[\]]*\]|[xX]+(?:[-_][xX]+)*|[*.…_-]+")
"""What is put in the place of a secret: `<your key>`, `xxx`, `***`."""
_SAID = frozenset(
    (
        "change",
        "changeme",
        "enter",
        "fixme",
        "insert",
        "paste",
        "placeholder",
        "put",
        "replace",
        "replaceme",
        "todo",
        "your",
        "yourapikey",
        "yourkey",
        "yourpassword",
        "yoursecret",
        "yourtoken",
    )
)
_BESIDES = frozenset(
    (
        "a",
        "access",
        "add",
        "and",
        "api",
        "auth",
        "bearer",
        "from",
        "goes",
        "here",
        "in",
        "is",
        "it",
        "key",
        "me",
        "my",
        "of",
        "own",
        "pass",
        "password",
        "real",
        "scrape",
        "scrapest",
        "secret",
        "service",
        "set",
        "signing",
        "st",
        "the",
        "this",
        "token",
        "use",
        "webhook",
        "with",
        "write",
    )
)
"""The other words of placeholders such as `put-your-key-here`."""
_SHORTEST = 3


def hints_of_secrets(tree: dict[str, Tree]) -> Iterator[tuple[Path, str]]:
    """Yield the path and the hint of each secret that is hardly one."""
    for path, value, what in _secrets_of(tree):
        if said := _said(value.strip(), what):
            yield path, said
    for path, settings in settings_of(tree):
        headers = settings.get("headers")
        for name, header in headers.items() if isinstance(headers, dict) else ():
            if isinstance(header, Scalar) and _IN_HEADER.fullmatch(header):
                yield (
                    (*path, "headers", name),
                    'it ends with a variable of a shell, which is sent as it is; write "${NAME}"',
                )


def _secrets_of(tree: dict[str, Tree]) -> Iterator[tuple[Path, Scalar, str]]:
    """Yield each secret with its path, and what it is."""
    for path, stream in mappings(tree, "streams"):
        yield from _each(stream, "api_key", path, "API key")
    for path, settings in settings_of(tree):
        auth, signing = settings.get("auth"), settings.get("signing")
        if isinstance(auth, dict):
            yield from _each(auth, "bearer", (*path, "auth"), "token")
            if isinstance(basic := auth.get("basic"), dict):
                yield from _each(basic, "password", (*path, "auth", "basic"), "password")
        if isinstance(signing, dict):
            yield from _each(signing, "secret", (*path, "signing"), "secret")


def _each(section: dict[str, Tree], key: str, path: Path, what: str) -> Iterator[tuple[Path, Scalar, str]]:
    for place, value in scalars_of(section.get(key), (*path, key)):
        yield place, value, what


def _said(text: str, what: str) -> str:
    if _VARIABLE.fullmatch(text):
        return f'this is not the {what} but the name of a variable as other programs write it; write "${{NAME}}"'
    if len(text) > 1 and (text[0] in QUOTES or text[-1] in QUOTES):
        return f"the {what} begins or ends with a quotation mark, which is sent as a part of it; remove it"
    if _ASSIGNMENT.fullmatch(text):
        return f"this looks like a line NAME=value of an environment file; only the {what} itself belongs here"
    return f"this is the placeholder of an example; write the {what}" if _is_placeholder(text) else ""


def _is_placeholder(text: str) -> bool:
    words = set(filter(None, re.split(r"[-_ .<>\[\]{}]+", text.lower())))
    return (len(text) >= _SHORTEST and _FILLED.fullmatch(text) is not None) or (
        not _SAID.isdisjoint(words) and words <= _SAID | _BESIDES
    )
