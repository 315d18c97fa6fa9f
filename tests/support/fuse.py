"""A file system with one file, whose server can stop to respond, as that of a network file system does. It needs root and /dev/fuse."""

import ctypes
import errno
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

NAME = "file"
_ROOT, _FILE = 1, 2
_IN = struct.Struct("<IIQQIIII")
_OUT = struct.Struct("<IiQ")


class Opcode(IntEnum):
    """Requests of the kernel (linux/fuse.h)."""

    LOOKUP = 1
    FORGET = 2
    GETATTR = 3
    OPEN = 14
    READ = 15
    RELEASE = 18
    FLUSH = 25
    INIT = 26
    OPENDIR = 27
    RELEASEDIR = 29
    BATCH_FORGET = 42


_DIRECT_IO = 1
_MNT_DETACH = 2


class OneFile:
    """The content of the file, and whether reads of it are answered."""

    def __init__(self, descriptor: int, content: bytes) -> None:
        self.content = content
        self.responds = threading.Event()
        self.responds.set()
        self.is_read = threading.Event()
        """A read has come."""
        self._descriptor = descriptor

    def serve(self) -> None:
        """Answer until the file system is unmounted."""
        while True:
            try:
                asked = os.read(self._descriptor, 1 << 17)
            except OSError:
                return
            _, opcode, unique, node, *_ = _IN.unpack_from(asked)
            if opcode in {Opcode.FORGET, Opcode.BATCH_FORGET}:
                continue
            if opcode == Opcode.READ:
                self.is_read.set()
                self.responds.wait()
            try:
                answer = self._answer(opcode, node, asked[_IN.size :])
                error = 0
            except OSError as refused:
                answer, error = b"", -(refused.errno or errno.EIO)
            try:
                os.write(self._descriptor, _OUT.pack(_OUT.size + len(answer), error, unique) + answer)
            except OSError:
                return

    def _answer(self, opcode: int, node: int, data: bytes) -> bytes:
        match opcode:
            case Opcode.INIT:
                return struct.pack("<IIIIHHIIHHI28x", 7, 31, 1 << 16, 0, 12, 9, 1 << 16, 1, 1, 0, 0)
            case Opcode.LOOKUP:
                if node != _ROOT or data.rstrip(b"\0") != NAME.encode():
                    raise OSError(errno.ENOENT, "no such file")
                return struct.pack("<QQQQII", _FILE, 0, 0, 0, 0, 0) + self._attributes(_FILE)
            case Opcode.GETATTR:
                return struct.pack("<QII", 0, 0, 0) + self._attributes(node)
            case Opcode.OPEN | Opcode.OPENDIR:
                return struct.pack("<QII", 0, _DIRECT_IO, 0)
            case Opcode.READ:
                _, offset, size = struct.unpack_from("<QQI", data)
                return self.content[offset : offset + size]
            case Opcode.RELEASE | Opcode.FLUSH | Opcode.RELEASEDIR:
                return b""
            case _:
                raise OSError(errno.ENOSYS, "not known")

    def _attributes(self, node: int) -> bytes:
        mode, size = (0o040755, 0) if node == _ROOT else (0o100600, len(self.content))
        return struct.pack("<QQQQQQIIIIIIIIII", node, size, 1, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


@contextmanager
def one_file(mounted: Path, content: bytes) -> Iterator[OneFile]:
    """Mount it; on the way out it is unmounted, also while a read of the file waits."""
    mounted.mkdir(exist_ok=True)
    descriptor = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={descriptor},rootmode=40000,user_id={os.geteuid()},group_id={os.getegid()}"
    if libc.mount(b"test", os.fsencode(mounted), b"fuse", 0, options.encode()) != 0:
        os.close(descriptor)
        raise OSError(ctypes.get_errno(), "no FUSE file system can be mounted")
    served = OneFile(descriptor, content)
    serving = threading.Thread(target=served.serve, daemon=True)
    serving.start()
    try:
        yield served
    finally:
        served.responds.set()
        libc.umount2(os.fsencode(mounted), _MNT_DETACH)
        serving.join(timeout=30)
        os.close(descriptor)


@cache
def why_not() -> str | None:
    """Return why such a file system cannot be mounted here; `None` where it can."""
    try:
        with TemporaryDirectory() as folder, one_file(Path(folder), b"x") as served:
            found = Path(folder, NAME).read_bytes()
            return None if found == served.content else "FUSE does not work here"
    except OSError as error:
        return f"no FUSE here ({error.strerror})"
