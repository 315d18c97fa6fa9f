"""Only regular files are read, and never more of one than its limit."""

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from forwarder.files import is_trusted, read_argument, read_file, text_of, user_name, without_mark

LIMIT = 1 << 20


def why(path: Path, limit: int = LIMIT) -> tuple[int | None, str | None]:
    with pytest.raises(OSError) as caught:  # noqa: PT011 - its number and its text are looked at
        read_file(path, limit=limit)
    return caught.value.errno, caught.value.strerror


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    file = tmp_path / "file"
    for content in (b"", b"x", b"x" * LIMIT):
        file.write_bytes(content)
        assert read_file(file, limit=LIMIT) == content
    file.write_bytes(b"x" * (LIMIT + 1))
    assert why(file) == (errno.EFBIG, "it is longer than 1 MiB, the most that is read")


def test_a_long_file_without_blocks_takes_no_memory(tmp_path: Path) -> None:
    file = tmp_path / "sparse"
    file.touch()
    os.truncate(file, 1 << 40)
    assert why(file)[0] == errno.EFBIG


def test_a_file_whose_size_the_kernel_does_not_say_is_read_up_to_its_limit() -> None:
    assert read_file(Path("/proc/self/status"), limit=LIMIT).startswith(b"Name:")
    assert why(Path("/proc/self/status"), limit=0)[0] == errno.EFBIG


@pytest.mark.skipif(not os.access("/proc/kmsg", os.R_OK), reason="the messages of the kernel are for root only")
def test_a_file_of_the_kernel_that_has_nothing_to_give_is_not_waited_for() -> None:
    try:
        os.close(os.open("/proc/kmsg", os.O_RDONLY | os.O_NONBLOCK))
    except OSError:
        pytest.skip("a container without the messages of the kernel")
    read_file(Path("/proc/kmsg"), limit=64 * LIMIT)
    assert read_file(Path("/proc/kmsg"), limit=64 * LIMIT) == b""


def test_what_is_no_regular_file_is_named_and_not_waited_for(tmp_path: Path) -> None:
    pipe, link, sock, loop = (tmp_path / name for name in ("pipe", "link", "sock", "loop"))
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    loop.symlink_to(loop)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(sock))
        assert why(sock) == (errno.EINVAL, "it is a socket, not a regular file")
    assert why(pipe) == why(link) == (errno.EINVAL, "it is a FIFO (a named pipe), not a regular file")
    assert why(Path("/dev/zero")) == (errno.EINVAL, "it is a device, not a regular file")
    assert why(tmp_path) == (errno.EISDIR, "Is a directory")
    assert why(loop)[0] == errno.ELOOP
    assert why(tmp_path / "none")[0] == errno.ENOENT


def test_a_link_to_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    assert read_file(tmp_path / "link") == read_argument(tmp_path / "link") == b"content"


def test_an_argument_may_be_a_pipe_of_the_shell_and_no_other_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="a FIFO"):
        read_argument(tmp_path / "pipe")
    script = (
        "import sys; from pathlib import Path; from forwarder.files import read_argument\n"
        "try: print(len(read_argument(Path(sys.argv[1]), limit=1 << 20)))\n"
        "except OSError as error: print(error.strerror)"
    )
    for path in ("/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"):
        for size, said in ((5, "5"), (LIMIT + 1, "it is longer than 1 MiB, the most that is read")):
            done = subprocess.run(
                [sys.executable, "-c", script, path], input=b"x" * size, capture_output=True, check=True, cwd=Path.cwd()
            )
            assert done.stdout.decode().strip() == said


def test_own_files_and_those_of_root_are_trusted() -> None:
    assert is_trusted(0)
    assert is_trusted(os.geteuid())
    assert not is_trusted(65_533)
    assert user_name(0) == "root (user 0)"
    assert user_name(4_000_000_000) == "user 4000000000"


def test_a_text_has_no_byte_order_mark_and_unix_line_ends() -> None:
    assert text_of(b"\xef\xbb\xbfa\r\nb\rc\n") == "a\nb\nc\n"
    assert text_of(b"") == ""
    assert without_mark(b"\xef\xbb\xbf\xef\xbb\xbfa") == b"\xef\xbb\xbfa"
    with pytest.raises(UnicodeDecodeError):
        text_of("a".encode("utf-16"))
