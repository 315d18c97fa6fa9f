"""`forwarder check` and `run` on what a config says about certificates."""

import json
from pathlib import Path

import pytest
import trustme

from forwarder.cli import exit_codes
from forwarder.emulator.script import packaged_events
from forwarder.emulator.server import Emulator
from tests.support.process import KEY, command, command_as_process, forwarder, write_config

CA = trustme.CA()
CLIENT, OTHER = CA.issue_cert("me@example.com"), CA.issue_cert("other@example.com")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    CA.cert_pem.write_to_path(tmp_path / "ca.pem")
    CLIENT.cert_chain_pems[0].write_to_path(tmp_path / "me.pem")
    CLIENT.private_key_pem.write_to_path(tmp_path / "me.key")
    OTHER.private_key_pem.write_to_path(tmp_path / "other.key")
    for key in tmp_path.glob("*.key"):
        key.chmod(0o600)
    return tmp_path


def config_with(folder: Path, tls: str, *, stream: str = "ws://127.0.0.1:9/ws") -> Path:
    config = write_config(folder, stream=stream, destinations={"bot": f"https://127.0.0.1:9/hook\n    tls: {{{tls}}}"})
    config.chmod(0o600)
    return config


async def test_a_config_with_secrets_that_every_user_can_read_is_warned_of(tmp_path: Path) -> None:
    config = write_config(tmp_path, stream="ws://127.0.0.1:9/ws", destinations={"bot": "http://127.0.0.1:9/hook"})
    config.chmod(0o644)
    code, _, err = await command("check", "-c", str(config))
    assert code == exit_codes.OK
    assert err == (
        f"warning: {config}: every user of this machine can read it, and it contains secrets (streams[0].api_key): "
        "write them as ${NAME} or in files of their own, or let only the user of the daemon read it\n"
    )
    config.chmod(0o640)
    assert (await command("check", "-c", str(config)))[2] == ""
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "key").chmod(0o600)
    config.write_text(config.read_text().replace(f"api_key: {KEY}", "api_key_file: key"))
    assert "api_key_file" in config.read_text()
    config.chmod(0o644)
    assert (await command("check", "-c", str(config)))[2] == ""


async def test_certificates_that_fit_are_valid_and_public_ones_may_be_readable_by_all(folder: Path) -> None:
    config = config_with(folder, "ca_file: ca.pem, cert_file: me.pem, key_file: me.key")
    code, out, err = await command("check", "-c", str(config))
    assert (code, err) == (exit_codes.OK, "")
    assert "valid" in out
    (folder / "me.key").chmod(0o644)
    _, _, err = await command("check", "-c", str(config))
    assert err.startswith(f"warning: {folder}/me.key holds a secret and can be read by every user")


async def test_a_key_that_belongs_to_another_certificate_is_reported_with_its_place(folder: Path) -> None:
    config = config_with(folder, "cert_file: me.pem, key_file: other.key")
    code, _, err = await command("check", "-c", str(config))
    assert code == exit_codes.FAILURE
    assert err.strip() == (
        f"{config}:10:40: destinations.bot.tls.key_file: the private key does not belong to the certificate"
    )


async def test_verify_false_is_warned_of_by_check_at_the_start_and_at_a_reload(folder: Path) -> None:
    import signal

    async with Emulator(api_key=KEY) as emulator:
        config = config_with(folder, "verify: false", stream=emulator.ws_url)
        code, _, err = await command("check", "-c", str(config))
        assert code == exit_codes.OK
        assert err.startswith(
            f"warning: {config}:10:19: destinations.bot.tls.verify: false: any certificate is accepted"
        )
        async with forwarder(config) as daemon:
            await daemon.wait_for("config.warning")
            await daemon.wait_for("daemon.ready")
            daemon.send(signal.SIGHUP)
            line = await daemon.wait_for("config.warning", count=2)
            assert line["level"] == "warning"


@pytest.mark.parametrize(
    "line", ["check", "test", "preview bot --json", "send bot --json", "explain --event event.json"]
)
async def test_the_variables_of_a_file_are_used_by_every_command_that_reads_a_config(tmp_path: Path, line: str) -> None:
    (tmp_path / "config.yaml").write_text(
        "streams: [{api_key: '${FWD_TEST_KEY}'}]\ndestinations: {bot: {url: '${FWD_TEST_URL}'}}\n"
        "routes: [{name: all, to: bot, match: {text: {contains: '${FWD_TEST_WORD}'}}}]\n",
        encoding="utf-8",
    )
    (tmp_path / "event.json").write_bytes(packaged_events()[0])
    variables = tmp_path / "environment"
    variables.write_text(
        "FWD_TEST_KEY='a&b$c'\nFWD_TEST_URL=http://127.0.0.1:9/?a=1&b=$2\nFWD_TEST_WORD=\"x y\"\nexport NO=1\n",
        encoding="utf-8",
    )
    words = [str(tmp_path / word) if word == "event.json" else word for word in line.split()]
    code, _, err = await command_as_process(*words, "-c", str(tmp_path / "config.yaml"))
    assert "FWD_TEST_" in err
    assert code in {1, 78}
    code, out, err = await command_as_process(*words, "-c", str(tmp_path / "config.yaml"), "--env-file", str(variables))
    assert code == (1 if line.startswith("send") else 0), err
    assert (
        err == f"warning: {variables}:4: ignored, as systemd does: it does not know `export`; write only NAME='value'\n"
    )
    assert "a&b" not in out


async def test_a_file_of_variables_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    config = write_config(tmp_path, stream="ws://127.0.0.1:9/ws", destinations={"bot": "http://127.0.0.1:9/"})
    for line in ("check", "test", "preview bot", "status", "run"):
        code, out, err = await command_as_process(
            *line.split(), "-c", str(config), "--env-file", str(tmp_path / "none")
        )
        assert (code, out) == (1 if line in {"check", "preview bot"} else 78, "")
        assert "none cannot be read: No such file or directory" in err
        assert "Traceback" not in err


async def test_a_regex_in_double_quotes_is_warned_of_with_its_place(tmp_path: Path) -> None:
    config = write_config(tmp_path, stream="ws://127.0.0.1:9/ws", destinations={"bot": "http://127.0.0.1:9/hook"})
    config.chmod(0o600)
    text = (
        config.read_text()
        + r"""
matchers:
  odd: {text: {regex: "\bBTC\b"}}
"""
    )
    config.write_text(text)
    code, _, err = await command("check", "-c", str(config))
    assert code == exit_codes.OK
    assert err == (
        rf'warning: {config}:{len(text.splitlines())}:23: matchers.odd.text.regex: "\x08BTC\x08" contains the control character \x08, '
        r"because YAML reads \b as this in double quotes; use single quotes: '\bBTC\b'"
        "\n"
    )


VALID = "streams: [{api_key: k}]\ndestinations: {bot: {url: 'http://127.0.0.1:9/'}}\nroutes: [{to: bot}]\n"


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    """A folder with a valid config that includes a file, and one that is not valid."""
    (tmp_path / "good.yaml").write_text("include: part.yaml\n" + VALID, encoding="utf-8")
    (tmp_path / "part.yaml").write_text("lists: {coins: [btc]}\n", encoding="utf-8")
    (tmp_path / "wrong.yaml").write_text(VALID.replace("to: bot", "to: bott"), encoding="utf-8")
    for file in tmp_path.iterdir():
        file.chmod(0o600)
    return tmp_path


async def test_each_config_of_a_folder_is_checked_and_the_last_line_names_those_that_fail(configs: Path) -> None:
    code, out, err = await command("check", str(configs))
    assert code == exit_codes.FAILURE
    assert out.splitlines() == [
        f"{configs}/good.yaml: valid: 1 stream, 1 destination, 1 route",
        f"2 configs: 1 valid, 1 not valid: {configs}/wrong.yaml",
    ]
    assert err == f'{configs}/wrong.yaml:3:15: routes[0].to: "bott" is not a destination; did you mean "bot"?\n'
    (configs / "wrong.yaml").unlink()
    assert await command("check", str(configs)) == (0, f"{out.splitlines()[0]}\n", "")
    code, out, err = await command("check", str(configs / "good.yaml"), str(configs / "none.yaml"))
    assert (code, out.splitlines()[-1]) == (1, f"2 configs: 1 valid, 1 not valid: {configs}/none.yaml")
    assert "No such file" in err


async def test_a_file_that_is_named_twice_counts_once(configs: Path) -> None:
    good = str(configs / "good.yaml")
    for twice in ((good, good), (good, f"{configs}/../{configs.name}/good.yaml")):
        code, out, err = await command("check", *twice)
        assert (code, out, err) == (0, f"{good}: valid: 1 stream, 1 destination, 1 route\n", "")
    code, out, _ = await command("check", "--json", good, str(configs), good)
    assert [each["file"] for each in json.loads(out)["configs"]] == [good, str(configs / "wrong.yaml")]


async def test_a_folder_with_the_name_of_a_config_is_left_out(configs: Path) -> None:
    (configs / "wrong.yaml").unlink()
    (configs / "x.yaml").mkdir()
    assert (await command("check", str(configs)))[0] == exit_codes.OK


async def test_an_empty_name_does_not_mean_the_current_folder(configs: Path) -> None:
    for line in (
        ["check", ""],
        ["check", str(configs / "good.yaml"), ""],
        ["init", "", "--url", "http://127.0.0.1:9/"],
    ):
        code, out, err = await command_as_process(*line)
        assert (code, out) == (exit_codes.USAGE, "")
        assert "it is empty; name a file or a folder" in err


async def test_a_warning_about_a_whole_route_begins_with_its_place(configs: Path) -> None:
    (configs / "part.yaml").write_text("routes:\n  - {name: same, to: bot}\n", encoding="utf-8")
    good = configs / "good.yaml"
    code, _, err = await command("check", "-c", str(good))
    assert code == exit_codes.OK
    assert err == (
        f'warning: {configs}/part.yaml:2:5: routes[0] "same": it repeats {good}: routes[0] "route 1"; remove one of them\n'
    )
    good.write_text(VALID.replace("to: bot", "name: a, to: bot}, {name: b, to: bot"), encoding="utf-8")
    _, _, err = await command("check", "-c", str(good))
    assert err == f'warning: {good}:3:30: routes[1] "b": it repeats routes[0] "a"; remove one of them\n'


async def test_a_folder_without_a_config_fails(tmp_path: Path) -> None:
    code, out, err = await command("check", str(tmp_path))
    assert (code, out) == (exit_codes.FAILURE, "")
    assert err == f"{tmp_path}: there is no config in this folder: no file *.yaml or *.yml\n"


async def test_the_result_as_json(configs: Path) -> None:
    code, out, err = await command("check", "--json", str(configs))
    assert (code, err) == (exit_codes.FAILURE, "")
    wrong, good = str(configs / "wrong.yaml"), str(configs / "good.yaml")
    assert json.loads(out) == {
        "ok": False,
        "problems": [
            {
                "config": wrong,
                "file": wrong,
                "line": 3,
                "column": 15,
                "path": "routes[0].to",
                "message": '"bott" is not a destination; did you mean "bot"?',
            }
        ],
        "warnings": [],
        "configs": [{"file": good, "ok": True}, {"file": wrong, "ok": False}],
    }
    (configs / "good.yaml").write_text(VALID + "grace_period: 5m\n", encoding="utf-8")
    code, out, err = await command("check", "--json", "-c", good)
    assert (code, err) == (exit_codes.OK, "")
    found = json.loads(out)
    assert (found["ok"], found["problems"]) == (True, [])
    (warning,) = found["warnings"]
    assert (warning["file"], warning["line"], warning["column"], warning["path"]) == (good, 4, 15, "grace_period")


@pytest.mark.parametrize("line", ["--json --diff .", ". --diff", "a.yaml b.yaml --connect", "a.yaml -c b.yaml"])
async def test_arguments_that_do_not_go_together(line: str) -> None:
    code, out, err = await command("check", *line.split())
    assert (code, out) == (exit_codes.USAGE, "")
    assert "not go together" in err
