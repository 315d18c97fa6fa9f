"""The files that a config was loaded from, and whether one was edited since."""

from pathlib import Path

import pytest

from forwarder.configfile.snapshot import Files, Loaded


def test_each_file_is_read_once_in_a_load(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"one\r\ntwo\rthree")
    files = Files()
    assert files.read_text(file) == "one\ntwo\nthree"
    file.write_bytes(b"edited")
    assert files.read(file) == b"one\r\ntwo\rthree"
    assert Files().read(file) == b"edited"


def test_an_error_is_kept_too(tmp_path: Path) -> None:
    file, files = tmp_path / "a", Files()
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            files.read(file)
        file.touch()
    assert files.digests == {file: "2"}


def test_a_load_is_current_until_a_file_is_edited_removed_or_made(tmp_path: Path) -> None:
    there, missing = tmp_path / "there", tmp_path / "missing"
    there.write_text("a")
    files = Files()
    files.read(there)
    with pytest.raises(FileNotFoundError):
        files.read(missing)
    loaded = Loaded(config=None, files=files.digests)
    digest = loaded.digest
    assert loaded.is_current(Files())
    there.touch()  # the content counts, not the time
    assert loaded.is_current(Files())
    there.write_text("b")
    assert not loaded.is_current(Files())
    there.write_text("a")
    missing.touch()
    assert not loaded.is_current(Files())
    assert (len(digest), loaded.digest) == (12, digest)
    assert not Loaded(config=None).is_current(Files())
