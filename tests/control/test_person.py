"""How the person who asks is named."""

import os
import pwd
from pathlib import Path

import pytest

from forwarder.control import person as module
from forwarder.control.person import name_of, person, this_person


def test_a_user_has_a_name_or_a_number() -> None:
    assert name_of(0) == pwd.getpwuid(0).pw_name
    assert name_of(3_999_999_998) == "3999999998"
    assert this_person().startswith(name_of(os.geteuid()))


@pytest.mark.parametrize(
    ("login", "expected"),
    [
        ("0", "root"),
        ("3999999998", "root (3999999998)"),
        (str((1 << 32) - 1), "root"),
        ("none", "root"),
        (None, "root"),
    ],
)
def test_who_logged_in_is_named_if_it_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: str | None, expected: str
) -> None:
    (tmp_path / "7").mkdir()
    if login is not None:
        (tmp_path / "7" / "loginuid").write_text(login, encoding="ascii")
    monkeypatch.setattr(module, "Path", lambda path: tmp_path / path.removeprefix("/proc/"))
    assert person(0, 7) == expected
