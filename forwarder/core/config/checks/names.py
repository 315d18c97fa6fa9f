"""Checks names that must differ or exist, and reads the files that hold secrets.

These checks work on the tree, before the models, so that their mistakes are reported together with those that the models find.
Values of the wrong kind are skipped here; the models report them.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from forwarder.core.config.model.routing import DROP
from forwarder.core.config.model.sample_and_limit import named_in_limit
from forwarder.core.config.model.transport import check_stream_transport, check_transport
from forwarder.core.config.values.scalars import FileLine, WrongValueError, is_null, parse_file_path, show
from forwarder.core.yaml.findings import Findings
from forwarder.core.yaml.problems import quote
from forwarder.core.yaml.tree import Expanded, Path, Scalar, Tree
from forwarder.core.yaml.words import known_word

ReadFile = Callable[[str], str]
"""Returns the text of a file. Raises `OSError` where the file cannot be read."""

_BETWEEN_NAMES = re.compile(r"\s*[,;]\s*|\s+")


def read_secret_files(tree: dict[str, Tree], read_file: ReadFile, findings: Findings) -> None:
    """Set `api_key`, `url`, `secret` and others to the text of the file in `api_key_file`, `url_file`, …, where one is named."""
    for path, stream in mappings(tree, "streams"):
        read_named_file(stream, "api_key", path, read_file, findings)
        _read_tls_files(stream, path, read_file, findings)
    for path, destination in mappings(tree, "destinations"):
        read_named_file(destination, "url", path, read_file, findings)
        read_named_file(destination, "apprise", path, read_file, findings)
    for path, destination in settings_of(tree):
        signing = destination.get("signing")
        if isinstance(signing, dict):
            read_named_file(signing, "secret", (*path, "signing"), read_file, findings, is_list=True)
        auth = destination.get("auth")
        if isinstance(auth, dict):
            read_named_file(auth, "bearer", (*path, "auth"), read_file, findings)
            if isinstance(basic := auth.get("basic"), dict):
                read_named_file(basic, "password", (*path, "auth", "basic"), read_file, findings)
        _read_tls_files(destination, path, read_file, findings)
    if isinstance(heartbeat := tree.get("heartbeat"), dict):
        for key in ("url", "fail_url"):
            read_named_file(heartbeat, key, ("heartbeat",), read_file, findings)
        _read_tls_files(heartbeat, ("heartbeat",), read_file, findings)
    if isinstance(admin := tree.get("admin"), dict):
        read_named_file(admin, "token", ("admin",), read_file, findings)
        _read_tls_files(admin, ("admin",), read_file, findings)


def _read_tls_files(section: dict[str, Tree], path: Path, read_file: ReadFile, findings: Findings) -> None:
    tls = section.get("tls")
    if isinstance(tls, dict):
        for key in ("ca", "cert", "key"):
            read_named_file(tls, key, (*path, "tls"), read_file, findings)


def check_names(tree: dict[str, Tree], findings: Findings) -> None:
    """Report names that are used twice, and destinations that do not exist."""
    streams = [(path, stream.get("name"), "main") for path, stream in mappings(tree, "streams")]
    _check_distinct(streams, "stream", findings)
    routes = [(path, route.get("name"), default_route_name(path)) for path, route in mappings(tree, "routes")]
    _check_distinct(routes, "route", findings)
    expected = [(path, each.get("name"), "") for path, each in mappings(tree, "expect")]
    _check_distinct(expected, "expectation", findings)
    destinations = tree.get("destinations")
    if not isinstance(destinations, dict):
        return
    if DROP in destinations:
        findings.add_at_key(
            ("destinations", DROP),
            f'"{DROP}" cannot be a name, because "unmatched: {DROP}" means no destination; choose another name',
        )
    groups = groups if isinstance(groups := tree.get("groups"), dict) else {}
    known = {**groups, **destinations}
    for path, route in mappings(tree, "routes"):
        to = route.get("to")
        seen: set[str] = set()
        for place, name in scalars_of(to, (*path, "to")):
            if name in seen:
                findings.add(place, f"{show(name)} is listed twice; remove one of them")
            seen.add(name)
            _check_exists(name, known, place, findings, what="not a destination or a group" if groups else "")
        for place, name in named_in_limit(route, path):
            _check_notified(name, destinations, place, findings)
    for path, settings in settings_of(tree):
        for place, name in named_in_limit(settings, path):
            _check_notified(name, destinations, place, findings)
    _check_on_failure(tree, destinations, groups, findings)
    unmatched = tree.get("unmatched")
    if isinstance(unmatched, Scalar) and not is_null(unmatched):
        if unmatched not in known and known_word(unmatched, [DROP]) is not None:
            tree["unmatched"] = unmatched = Scalar(DROP)
        check_one(unmatched, {DROP: None, **destinations}, groups, ("unmatched",), findings)


def _check_on_failure(
    tree: dict[str, Tree], destinations: Mapping[str, Tree], groups: Mapping[str, Tree], findings: Findings
) -> None:
    """Report an `on_failure` of a destination, a stream or an expectation that would notify nobody."""
    for path, failing in (*settings_of(tree), *mappings(tree, "streams"), *mappings(tree, "expect")):
        on_failure = failing.get("on_failure")
        if not isinstance(on_failure, dict) or not isinstance(to := on_failure.get("to"), Scalar) or is_null(to):
            continue
        place = (*path, "on_failure", "to")
        if path[1:] == (to,):
            findings.add(place, "a destination cannot get notices about itself; name another one")
            continue
        check_one(to, destinations, groups, place, findings)
        if is_disabled(destinations.get(to)) and not is_disabled(failing):
            findings.add(place, f"{show(to)} is disabled and gets no notices; name another destination")


def _check_notified(name: Scalar, destinations: Mapping[str, Tree], path: Path, findings: Findings) -> None:
    _check_exists(name, destinations, path, findings)
    if is_disabled(destinations.get(name)):
        findings.add(path, f"{show(name)} is disabled and gets no summaries; name another destination")


def is_disabled(destination: Tree | None) -> bool:
    """Return whether the settings of a destination have `enabled: false`."""
    return isinstance(destination, dict) and str(destination.get("enabled")).lower() == "false"


def check_transports(tree: dict[str, Tree], findings: Findings) -> None:
    """Report keys of each stream's and each destination's transport that exclude each other."""
    for path, stream in mappings(tree, "streams"):
        check_stream_transport(stream, path, findings)
    for path, destination in settings_of(tree):
        check_transport(destination, path, findings)
    if isinstance(heartbeat := tree.get("heartbeat"), dict):
        check_transport(heartbeat, ("heartbeat",), findings)


def default_route_name(path: Path) -> str:
    """Return the name of the route at `("routes", index)` where it has none of its own."""
    return f"route {int(path[-1]) + 1}"


def mappings(tree: dict[str, Tree], section: str) -> Iterator[tuple[Path, dict[str, Tree]]]:
    """Yield the mappings in a section with their paths. Destinations have names, others have numbers."""
    below = tree.get(section)
    steps: Iterable[tuple[str | int, Tree]] = ()
    if section == "destinations":
        steps = below.items() if isinstance(below, dict) else ()
    elif isinstance(below, list):
        steps = enumerate(below)
    for step, element in steps:
        if isinstance(element, dict):
            yield (section, step), element


def settings_of(tree: dict[str, Tree]) -> Iterator[tuple[Path, dict[str, Tree]]]:
    """Yield `defaults`, then each destination, so that a mistake in a default is found in `defaults` first."""
    if isinstance(defaults := tree.get("defaults"), dict):
        yield ("defaults",), defaults
    yield from mappings(tree, "destinations")


def scalars_of(tree: Tree | None, path: Path) -> Iterator[tuple[Path, Scalar]]:
    """Yield a scalar, or the scalars of a list; the models report nulls."""
    places = (
        [((*path, index), element) for index, element in enumerate(tree)] if isinstance(tree, list) else [(path, tree)]
    )
    for place, element in places:
        if isinstance(element, Scalar) and not is_null(element):
            yield place, element


def _check_distinct(named: list[tuple[Path, Tree | None, str]], what: str, findings: Findings) -> None:
    seen: dict[str, Path] = {}
    for path, written, default in named:
        given = isinstance(written, Scalar) and not is_null(written)
        name = str(written) if given else default
        if name in seen:
            shown = show(written) if given else f"{quote(default)}, the default name,"
            where = findings.elsewhere(path, seen[name])
            findings.add((*path, "name"), f"{shown} is already the name of another {what}{where}; choose another name")
        seen.setdefault(name, path)


def check_one(
    name: Scalar, known: Mapping[str, object], groups: Mapping[str, object], path: Path, findings: Findings
) -> None:
    """Report a name that is not one of a destination."""
    if name in groups and name not in known:
        findings.add(path, f"{show(name)} is a group; name one destination")
    else:
        _check_exists(name, known, path, findings)


def _check_exists(name: Scalar, known: Mapping[str, object], path: Path, findings: Findings, *, what: str = "") -> None:
    if name not in known:
        hint = "" if isinstance(name, Expanded) else _list_meant(name, known) or findings.did_you_mean(name, known)
        findings.add(path, f"{show(name)} is {what or 'not a destination'}{hint}")


def _list_meant(name: Scalar, known: Mapping[str, object]) -> str:
    """Return a hint if the text is several names, as people write a list elsewhere."""
    names = [each for each in _BETWEEN_NAMES.split(name.strip()) if each]
    return f"; write a list: [{', '.join(names)}]" if len(names) > 1 and all(each in known for each in names) else ""


def read_named_file(
    section: dict[str, Tree],
    key: str,
    path: Path,
    read_file: ReadFile,
    findings: Findings,
    *,
    is_list: bool = False,
    is_secret: bool = True,
) -> None:
    """Set `key` to the text of its file; with `is_list`, to a list of its lines where there are several."""
    written = section.get(f"{key}_file")
    place = (*path, f"{key}_file")
    if written is None or is_null(written):
        return
    if key in section and not is_null(section[key]):
        findings.add(place, f"{key} and {key}_file exclude each other; remove one of them")
        return
    section[key] = Expanded("", quoted=True)
    try:
        name = parse_file_path(written)
        text = read_file(name)
        lines = [
            FileLine(line, quoted=True, written=f"line {number}")
            for number, each in enumerate(text.split("\n"), start=1)
            if (line := each.strip())
        ]
        if not is_secret:
            section[key] = Scalar(text, quoted=True)
        else:
            section[key] = list(lines) if is_list and len(lines) > 1 else Expanded("\n".join(lines), quoted=True)
    except WrongValueError as error:
        findings.spoil(place, str(error))
    except OSError as error:
        findings.spoil(place, f"cannot read {show(written)}: {error.strerror or type(error).__name__}")
    except UnicodeDecodeError:
        findings.spoil(place, f"{show(written)} is not UTF-8 text")
