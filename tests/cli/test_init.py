"""`forwarder init` writes a config that `check` accepts, and never replaces a file unasked."""

import os
import pty
import select
import stat
import subprocess
from pathlib import Path
from typing import Self

import pytest

from forwarder.cli import exit_codes
from tests.support.process import PROGRAM, command

LOCAL = "http://127.0.0.1:9000/hook"
DISCORD = "https://discord.com/api/webhooks/1/canary"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_with_options_it_asks_nothing_and_check_accepts_the_config(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("canary-key\n")
    (tmp_path / "key").chmod(0o600)
    config = tmp_path / "config.yaml"
    line = ("init", str(config), "--url", DISCORD, "--api-key-file", str(tmp_path / "key"), "--words", "btc, eth,btc")
    code, out, err = await command(*line, "--sources", "x,telegram")
    assert (code, err) == (exit_codes.OK, "")
    assert out.splitlines()[:4] == [
        f"{tmp_path}/api-key: written; only you can read it",
        f"{tmp_path}/webhook-url: written; only you can read it",
        f"{config}: written",
        "Next:",
    ]
    assert f"forwarder send discord -c {config}" in out
    assert "canary" not in out + config.read_text()
    assert 'text: {word: ["btc", "eth"]}' in config.read_text()
    assert [mode(tmp_path / name) for name in ("api-key", "webhook-url")] == [0o600, 0o600]
    code, out, err = await command("check", "-c", str(config))
    assert (code, err) == (exit_codes.OK, "")


async def test_with_the_public_stream_it_needs_no_key_and_check_says_what_is_missing(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    code, out, err = await command("init", str(config), "--url", LOCAL, "--public")
    assert (code, err, "SCRAPEST_API_KEY" in out) == (exit_codes.OK, "", False)
    code, _, err = await command("check", "-c", str(config))
    assert (code, "Whole events need an api_key" in err) == (exit_codes.OK, True)
    assert "key" not in out
    assert "# is the config valid, and does its stream connect?" in out
    code, _, err = await command("init", str(config), "--url", LOCAL, "--public", "--api-key-file", "key", "--force")
    assert (code, "not allowed with argument" in err) == (exit_codes.USAGE, True)


async def test_a_file_that_exists_is_replaced_only_with_force_and_else_nothing_is_written(tmp_path: Path) -> None:
    config, url = tmp_path / "config.yaml", tmp_path / "webhook-url"
    for existing in (config, url):
        existing.write_text("mine\n")
        code, out, err = await command("init", str(config), "--url", DISCORD)
        assert (code, out) == (exit_codes.USAGE, "")
        assert err.startswith(f"{existing} exists already; --force replaces it")
        assert [file.name for file in tmp_path.iterdir()] == [existing.name]
        assert existing.read_text() == "mine\n"
        existing.unlink()
    url.write_text("mine\n")
    url.chmod(0o644)
    assert (await command("init", str(config), "--url", DISCORD, "--force"))[0] == exit_codes.OK
    assert (url.read_text(), mode(url)) == (f"{DISCORD}\n", 0o600)
    assert {file.name for file in tmp_path.iterdir()} == {"config.yaml", "webhook-url"}


async def test_with_force_a_link_stays_and_a_secret_that_is_not_used_any_more_is_named(tmp_path: Path) -> None:
    real, link = tmp_path / "real.yaml", tmp_path / "config.yaml"
    real.write_text("mine\n")
    link.symlink_to(real)
    assert (await command("init", str(link), "--url", DISCORD, "--force"))[0] == exit_codes.OK
    assert link.is_symlink()
    assert real.read_text() != "mine\n"
    code, out, _ = await command("init", str(link), "--url", LOCAL, "--force")
    secret = tmp_path / "webhook-url"
    assert (code, secret.exists()) == (exit_codes.OK, True)
    assert f"note: {secret} is not used by this config; delete it if nothing else needs it: rm {secret}\n" in out


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ("", exit_codes.USAGE, "--url is missing: there is no terminal to ask on"),
        ("--url canary", exit_codes.USAGE, "not written: the URL is not valid: "),
        (f"--url {LOCAL} --sources ,", exit_codes.USAGE, "a list has nothing but commas"),
        (f"--url {LOCAL} --words ,", exit_codes.USAGE, "a list has nothing but commas"),
        (f"--url {LOCAL} --sources twitter", exit_codes.USAGE, 'not a known source; did you mean "x"?'),
        (f"--url {LOCAL} --chat -5", exit_codes.USAGE, "a chat is only for a bot of Telegram"),
        (f"--url {LOCAL} --api-key-file empty", exit_codes.USAGE, "not written: empty is empty; write the API key"),
        (f"--url {LOCAL} --api-key-file named", exit_codes.USAGE, "not written: named gives a variable a value"),
        (f"--url {LOCAL} --api-key-file latin", exit_codes.USAGE, "not written: latin is not UTF-8"),
        (f"--url {LOCAL} --api-key-file padded", exit_codes.OK, ""),
        (f"--url {LOCAL} --api-key-file none", exit_codes.FAILURE, "none: cannot be read: No such file or directory"),
    ],
)
async def test_what_it_cannot_do(tmp_path: Path, options: str, code: int, said: str) -> None:
    keys = {"empty": b" \n", "named": b"# a\nexport SCRAPEST_API_KEY=canary", "latin": b"\xff", "padded": b"canary=="}
    for name, content in keys.items():
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)
    found = await command("init", "new.yaml", *options.split(), cwd=tmp_path)
    assert found[0] == code
    assert said in found[2]
    assert "canary" not in found[1] + found[2]
    assert (tmp_path / "new.yaml").exists() == (code == exit_codes.OK)


async def test_a_key_that_is_in_its_place_already_stays_as_it_is(tmp_path: Path) -> None:
    key = tmp_path / "api-key"
    key.write_text("  canary-key")
    key.chmod(0o600)
    for more in ((), ("--force",)):
        code, out, err = await command("init", "--url", LOCAL, "--api-key-file", "api-key", *more, cwd=tmp_path)
        assert (code, err) == (exit_codes.OK, "")
        assert out.splitlines()[0] == "config.yaml: written"
        assert key.read_text() == "  canary-key"
    assert 'api_key_file: "api-key"' in (tmp_path / "config.yaml").read_text()
    assert {file.name for file in tmp_path.iterdir()} == {"config.yaml", "api-key"}


async def test_a_name_of_a_file_of_tests_is_refused(tmp_path: Path) -> None:
    code, _, err = await command("init", str(tmp_path / "a_test.yaml"), "--url", LOCAL)
    assert (code, list(tmp_path.iterdir())) == (exit_codes.USAGE, [])
    assert "a_test.yaml is a name for a file of tests" in err


async def test_quotation_marks_around_words_are_not_a_part_of_them(tmp_path: Path) -> None:
    words = "'btc', \"eth coin\", \u201csol\u201d, don't"
    assert (await command("init", "--url", LOCAL, "--words", words, cwd=tmp_path))[0] == exit_codes.OK
    assert '{word: ["btc", "eth coin", "sol", "don\'t"]}' in (tmp_path / "config.yaml").read_text()


@pytest.mark.parametrize(
    ("file", "option"), [("a b.yaml", "-c 'a b.yaml'"), ("./-x.yaml", "-c ./-x.yaml"), ("$x.yaml", "-c '$x.yaml'")]
)
async def test_the_next_commands_can_be_run_as_they_are_printed(tmp_path: Path, file: str, option: str) -> None:
    code, out, _ = await command("init", file, "--url", LOCAL, cwd=tmp_path)
    assert code == exit_codes.OK
    assert out.splitlines()[-1] == f"  forwarder run {option}"


async def test_a_variable_that_is_set_already_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCRAPEST_API_KEY", raising=False)
    assert "export SCRAPEST_API_KEY" in (await command("init", "a.yaml", "--url", LOCAL, cwd=tmp_path))[1]
    monkeypatch.setenv("SCRAPEST_API_KEY", "canary")
    assert "SCRAPEST_API_KEY" not in (await command("init", "b.yaml", "--url", LOCAL, cwd=tmp_path))[1]


async def test_a_folder_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    code, _, err = await command("init", str(tmp_path / "none" / "config.yaml"), "--url", LOCAL)
    assert code == exit_codes.OUTBOX_UNWRITABLE
    assert err == f"{tmp_path}/none/config.yaml: cannot be written: No such file or directory\n"


def test_a_secret_url_may_come_from_standard_input(tmp_path: Path) -> None:
    done = subprocess.run(
        [*PROGRAM, "init", "new.yaml", "--url", "-"],
        cwd=tmp_path,
        input=f"{DISCORD}\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert "canary" not in done.stdout + done.stderr
    assert (tmp_path / "new-webhook-url").read_text() == f"{DISCORD}\n"
    assert 'url_file: "new-webhook-url"' in (tmp_path / "new.yaml").read_text()


class Terminal:
    """A terminal with the command on it."""

    def __init__(self, folder: Path, *words: str) -> None:
        self._end, end = pty.openpty()
        self.process = subprocess.Popen(
            [*PROGRAM, *words], cwd=folder, stdin=end, stdout=end, stderr=end, start_new_session=True,
        )  # fmt: skip
        os.close(end)
        self.shown = ""

    def answer(self, question: str, text: str) -> None:
        """Wait for a question and answer it."""
        shown = ""
        while question not in shown:
            assert select.select([self._end], [], [], 60)[0], self.shown
            read = os.read(self._end, 4096).decode()
            shown += read
            self.shown += read
        os.write(self._end, f"{text}\n".encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._end)
        self.process.kill()
        self.process.wait(60)

    def end(self) -> int:
        """Return the exit code."""
        try:
            while read := os.read(self._end, 4096):
                self.shown += read.decode()
        except OSError:  # EIO: nobody has the other end any more
            pass
        return self.process.wait(60)


def test_on_a_terminal_it_asks_and_asks_again_for_an_answer_that_is_not_valid(tmp_path: Path) -> None:
    with Terminal(tmp_path, "init") as terminal:
        terminal.answer("URL of the webhook: ", "discord")
        terminal.answer("the URL has no scheme; write http:// or https:// at its beginning\r\n", "")
        terminal.answer("URL of the webhook: ", "https://api.telegram.org/bot1:canary/sendMessage")
        terminal.answer("Which chat of Telegram? Its number, or @name: ", "-100")
        terminal.answer("API key of scrape.st, which is not shown here", "canary-key")
        terminal.answer("Only posts with one of these words", "btc, eth")
        terminal.answer("Only posts of these sources", "")
        assert terminal.end() == exit_codes.OK
    assert "canary-key" not in terminal.shown
    assert {file.name for file in tmp_path.iterdir()} == {"config.yaml", "api-key", "webhook-url"}
    assert (tmp_path / "api-key").read_text() == "canary-key\n"
    checked = subprocess.run([*PROGRAM, "check"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (checked.stdout, checked.stderr) == ("config.yaml: valid: 1 stream, 1 destination, 1 route\n", "")


def test_for_the_public_stream_it_does_not_speak_of_a_key(tmp_path: Path) -> None:
    with Terminal(tmp_path, "init", "--public") as terminal:
        terminal.answer("URL of the webhook: ", LOCAL)
        terminal.answer("Only posts with one of these words", "")
        terminal.answer("Only posts of these sources", "")
        assert terminal.end() == exit_codes.OK
    assert "key" not in terminal.shown.lower()


def test_nothing_is_written_when_the_answers_end(tmp_path: Path) -> None:
    with Terminal(tmp_path, "init") as terminal:
        terminal.answer("URL of the webhook: ", LOCAL)
        terminal.answer("API key", "")
        terminal.answer("Only posts with one of these words", "\x04")
        assert terminal.end() == exit_codes.FAILURE
    assert list(tmp_path.iterdir()) == []
