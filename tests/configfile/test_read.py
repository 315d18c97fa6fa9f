"""A config is read with the files that it names, and every reason why it cannot be used is kept."""

import base64
import os
from pathlib import Path

import pytest

from forwarder.configfile.locations import ConfigUnreadableError
from forwarder.configfile.read import load, read_config, read_routing, read_secret_file, warnings_of_file
from forwarder.core.yaml.problems import ConfigError

CONFIG = """\
streams: [{api_key_file: key}]
destinations: {bot: {url: 'http://127.0.0.1:9/'}}
routes: [{name: all, match: {text: {word: {list: coins}}}, to: bot}]
lists: {coins: [{file: coins.txt}]}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    (tmp_path / "key").write_text("canary\n", encoding="utf-8")
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "coins.txt").write_text("btc\r\neth\r\n", encoding="utf-8")
    return path


def test_files_next_to_the_config_are_read_and_known(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loaded = load(config)
    assert loaded.config is not None
    assert {file.name for file in loaded.files} == {"config.yaml", "key", "coins.txt"}
    assert (loaded.problems, loaded.is_readable, capsys.readouterr().err) == ((), True, "")
    assert list(read_config(config).destinations) == ["bot"]


def test_odd_values_in_the_config_and_in_its_files_are_warned_of(config: Path) -> None:
    (config.parent / "coins.txt").write_text("btc\neth # ether\n", encoding="utf-8")
    (config.parent / "key").write_text("SCRAPEST_API_KEY=canary\n", encoding="utf-8")
    config.write_text(CONFIG.replace("{text: {word", r'{title: {regex: "\bBTC\b"}, text: {word'), encoding="utf-8")
    warnings = load(config).warnings
    places = [": ".join(each.split(": ")[:2]) for each in warnings]
    assert places == [
        'coins.txt:2:1: "eth # ether" is one value, because a comment in a list file has a line of its own; write "eth" on the line, and the comment above it',
        f"{config}:3:45: routes[0].match.title.regex",
        f"{config}:1:26: streams[0].api_key_file",
    ]
    assert "canary" not in "".join(warnings)


def test_all_problems_are_kept_and_the_files_that_were_read(config: Path) -> None:
    (config.parent / "coins.txt").unlink()
    config.write_text(CONFIG.replace("to: bot", "to: bott"), encoding="utf-8")
    loaded = load(config)
    assert (loaded.config, loaded.is_readable, len(loaded.problems)) == (None, True, 2)
    assert all(str(config) in problem and "canary" not in problem for problem in loaded.problems)
    assert config in loaded.files
    with pytest.raises(ConfigError):
        read_config(config)


def test_a_config_that_is_not_there_is_unreadable(tmp_path: Path) -> None:
    loaded = load(tmp_path / "config.yaml")
    assert (loaded.config, loaded.is_readable) == (None, False)
    assert loaded.problems == (f"{tmp_path / 'config.yaml'}: cannot be read: No such file or directory",)
    with pytest.raises(ConfigUnreadableError):
        read_config(tmp_path / "config.yaml")


def test_the_routing_is_read_without_the_secrets(config: Path) -> None:
    (config.parent / "key").unlink()
    assert [route.name for route in read_routing(config).routes] == ["all"]


@pytest.mark.parametrize(
    ("mode", "text", "is_warned"),
    [
        (0o600, "canary", False),
        (0o644, "canary", True),
        (0o644, "-----BEGIN CERTIFICATE-----", False),
        (0o644, "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----", True),
    ],
)
def test_a_secret_that_everybody_can_read_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: int, text: str, is_warned: bool
) -> None:
    file = tmp_path / "secret"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    assert read_secret_file(file) == text
    err = capsys.readouterr().err
    assert bool(err) == is_warned
    assert "canary" not in err


EVERYTHING = """\
streams: [{api_key_file: named/key}]
destinations:
  bot:
    url_file: named/url
    signing: {secret_file: named/secret}
    auth: {bearer_file: named/bearer}
    tls: {ca_file: named/ca, cert_file: named/cert, key_file: named/tls_key}
    format: {type: template, content_type: text/plain, body_file: named/body}
  other: {url: 'http://127.0.0.1:9/', auth: {basic: {username: a, password_file: named/password}}}
lists: {coins: [{file: named/coins}]}
routes: [{name: all, match: {text: {word: {file: named/words}}}, to: bot}]
tests: [{name: one, event: {file: named/event}, expect: {bot: sent}}]
"""
NAMED = {
    "key": "streams[0].api_key_file",
    "url": "destinations.bot.url_file",
    "secret": "destinations.bot.signing.secret_file",
    "bearer": "destinations.bot.auth.bearer_file",
    "ca": "destinations.bot.tls.ca_file",
    "cert": "destinations.bot.tls.cert_file",
    "tls_key": "destinations.bot.tls.key_file",
    "body": "destinations.bot.format.body_file",
    "password": "destinations.other.auth.basic.password_file",
    "coins": "lists.coins[0].file",
    "words": "routes[0].match.text.word",
    "event": "tests[0].event.file",
}


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("pipe", "it is a FIFO (a named pipe), not a regular file"),
        ("device", "it is a device, not a regular file"),
        ("folder", "Is a directory"),
        ("long", "it is longer than 64 MiB, the most that is read"),
    ],
)
def test_each_named_file_that_is_no_regular_one_or_has_no_end_is_reported_at_its_place(
    tmp_path: Path, kind: str, said: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(EVERYTHING, encoding="utf-8")
    (tmp_path / "named").mkdir()
    for name in NAMED:
        file = tmp_path / "named" / name
        match kind:
            case "pipe":
                os.mkfifo(file)
            case "device":
                file.symlink_to("/dev/zero")
            case "folder":
                file.mkdir()
            case _:
                file.touch()
                os.truncate(file, 1 << 40)
    problems = load(path).problems
    for name, place in NAMED.items():
        assert [each for each in problems if place in each and f'cannot read "named/{name}": {said}' in each], (
            name,
            problems,
        )


def test_a_secret_has_a_limit_of_its_own(config: Path) -> None:
    (config.parent / "key").write_bytes(b"x" * ((8 << 20) + 1))
    (problem,) = load(config).problems
    assert problem.endswith(
        'streams[0].api_key_file: cannot read "key": it is longer than 8 MiB, the most that is read'
    )


def test_the_config_itself_may_be_no_fifo(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.yaml")
    loaded = load(tmp_path / "config.yaml")
    assert loaded.problems == (
        f"{tmp_path / 'config.yaml'}: cannot be read: it is a FIFO (a named pipe), not a regular file",
    )
    for read in (read_config, read_routing):
        with pytest.raises(ConfigUnreadableError, match="a FIFO"):
            read(tmp_path / "config.yaml")


def test_a_link_to_a_secret_is_followed_as_kubernetes_and_systemd_have_them(config: Path) -> None:
    (config.parent / "key").rename(config.parent / "..data")
    (config.parent / "key").symlink_to("..data")
    assert load(config).config is not None


@pytest.mark.parametrize(
    ("mode", "folder_mode", "said"),
    [
        (0o600, 0o700, []),
        (0o664, 0o775, []),
        (0o602, 0o700, ["every user may change it"]),
        (0o600, 0o777, ["every user may write to its folder"]),
        (0o600, 0o1777, []),
        (0o602, 0o702, ["every user may change it", "every user may write to its folder"]),
    ],
)
def test_a_config_that_every_user_may_change_or_replace_is_warned_of(
    config: Path, mode: int, folder_mode: int, said: list[str]
) -> None:
    loaded = load(config).config
    assert loaded is not None
    config.chmod(mode)
    config.parent.chmod(folder_mode)
    warnings = list(warnings_of_file(config, loaded))
    config.parent.chmod(0o700)
    assert [part for part in said for each in warnings if f"{config}: {part}" in each] == said
    assert len(warnings) == len(said)


def test_what_an_editor_adds_to_a_file_is_no_part_of_a_secret(tmp_path: Path) -> None:
    secret = "c2VjcmV0LXRoYXQtaXMtbG9uZy1lbm91Z2g="
    files = {
        "key": "magpie-key", "url": "https://example.com/magpie", "secret": "magpie", "secrets": f"whsec_{secret}\nwhsec_YW5vdGhlci1zZWNyZXQtdGhhdC1pcy1sb25n",
        "token": "magpie-token", "password": "magpie-password", "body": "a\nb", "list": "nova\norca",
    }  # fmt: skip
    for name, content in files.items():
        path = tmp_path / name
        path.write_bytes(b"\xef\xbb\xbf" + content.replace("\n", "\r\n").encode() + b"\r\n")
        path.chmod(0o600)
    (tmp_path / "config.yaml").write_bytes(
        b"\xef\xbb\xbf"
        + b"""
streams: [{api_key_file: key}]
destinations:
  plain: {url_file: url, signing: {scheme: hmac, secret_file: secret}, auth: {bearer_file: token}}
  standard: {url: "https://example.com/", signing: {secret_file: secrets}, auth: {basic: {username: me, password_file: password}}}
  template: {url: "https://example.com/", format: {type: template, body_file: body, content_type: text/plain}}
lists: {names: [{file: list}]}
routes: [{to: [plain, standard, template], match: {author: {list: names}}}]
""".replace(b"\n", b"\r\n")
    )
    config = read_config(tmp_path / "config.yaml")
    plain, standard, template = (config.destinations[name] for name in ("plain", "standard", "template"))
    assert plain.signing is not None
    assert standard.signing is not None
    assert config.streams[0].api_key.reveal() == files["key"]
    assert plain.url is not None
    assert plain.url.reveal() == files["url"]
    assert [each.reveal() for each in plain.signing.secret] == ["magpie"]
    assert [each.reveal() for each in standard.signing.secret] == files["secrets"].split("\n")
    assert plain.auth is not None
    assert plain.auth.header.reveal() == "Bearer magpie-token"
    assert standard.auth is not None
    assert standard.auth.header.reveal() == f"Basic {base64.b64encode(b'me:magpie-password').decode()}"
    assert template.format.body == "a\nb\n"
    assert [str(each) for each in config.lists["names"]] == ["nova", "orca"]
