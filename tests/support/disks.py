"""Small disks that a test may fill, cut off and mount again. They need root; `why_not` says what is missing."""

import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

_EXT4_IOC_SHUTDOWN = 0x8004587D
_NO_LOG_FLUSH = 2


def run(*command: str) -> None:
    """Run a command; raises `CalledProcessError` with what it said."""
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def tmpfs(mounted: Path, *, size_mb: int) -> Iterator[Path]:
    """Mount a file system in memory of that size."""
    mounted.mkdir(exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", f"size={size_mb}m,mode=0700", "tmpfs", str(mounted))
    try:
        yield mounted
    finally:
        run("umount", "-l", str(mounted))


class Disk:
    """An ext4 file system in an image file, which can lose its power."""

    def __init__(self, image: Path, mounted: Path) -> None:
        self._image = image
        self.mounted = mounted

    def mount(self) -> None:
        """Mount it; the journal brings it into order. Nothing of it is written but what is synced, for as long as a test takes."""
        run("mount", "-o", "loop,commit=900,errors=remount-ro", str(self._image), str(self.mounted))

    def unmount(self) -> None:
        """Unmount it; no process may have a file of it open."""
        run("umount", str(self.mounted))

    def turn_read_only(self) -> None:
        """Have the kernel do what it does when it finds an error in the file system."""
        mounts = [line.split() for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
        (device,) = [source for source, mounted, *_ in mounts if mounted == str(self.mounted)]
        Path("/sys/fs/ext4", Path(device).name, "trigger_fs_error").write_text("1", encoding="ascii")

    def cut(self) -> None:
        """Shut the file system down at once: nothing more reaches the disk, not even its own journal."""
        descriptor = os.open(self.mounted, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(descriptor, _EXT4_IOC_SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(descriptor)


@contextmanager
def disk(folder: Path, *, size_mb: int) -> Iterator[Disk]:
    """Make a disk under `folder` and mount it."""
    image, mounted = folder / "disk.img", folder / "disk"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(size_mb * 1024 * 1024)
    run("mkfs.ext4", "-q", "-F", "-m", "0", str(image))
    made = Disk(image, mounted)
    made.mount()
    try:
        yield made
    finally:
        if mounted.is_mount():
            run("umount", "-l", str(mounted))


@cache
def why_no_tmpfs() -> str | None:
    """Return why no file system in memory can be mounted here, or `None`."""
    if os.geteuid() != 0:
        return "needs root, to mount a small disk"
    try:
        with TemporaryDirectory() as folder, tmpfs(Path(folder) / "probe", size_mb=1):
            return None
    except (OSError, subprocess.CalledProcessError) as error:
        return f"cannot mount a tmpfs here: {error}"


@cache
def why_no_disk() -> str | None:
    """Return why no disk can be mounted and cut off here, or `None`."""
    if os.geteuid() != 0:
        return "needs root, to mount a disk of its own"
    if shutil.which("mkfs.ext4") is None:
        return "needs mkfs.ext4"
    try:
        with TemporaryDirectory() as folder, disk(Path(folder), size_mb=8) as probe:
            probe.cut()
            probe.unmount()
            probe.mount()
            return None
    except (OSError, subprocess.CalledProcessError) as error:
        return f"cannot mount an ext4 image and shut it down here: {error}"
