"""A Debian with a real systemd as its PID 1, booted in a container on a copy-on-write copy of a folder. Needs root."""

# ruff: noqa: S607 - the programs of this machine, wherever they are
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

_CGROUPS = Path("/sys/fs/cgroup")
_REBOOT = 133
"""nspawn's exit code when the container wants to be booted again; with `--keep-unit` that is ours to do."""
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


class Container:
    """One machine, from `start` to `end`. Its network is its own loopback interface."""

    def __init__(self, root: Path, folder: Path) -> None:
        """`root` stays as it is; what the container writes goes into `folder`."""
        self._root = root
        self._files = folder / "files"
        self._work = folder / "work"
        self._top = folder / "root"
        for each in (self._files, self._work, self._top):
            each.mkdir(parents=True)
        self._log = folder / "console.log"
        self._name = f"fwd{os.getpid()}"
        self._is_overlay = self._can_overlay()
        if not self._is_overlay:  # the folder is on such a file system itself
            shutil.copytree(root, self._files, symlinks=True, dirs_exist_ok=True)
        self._booted: subprocess.Popen[bytes] | None = None
        self._init = 0

    @property
    def files(self) -> Path:
        """Where files for it can be put before it is started."""
        return self._files

    def chroot(self, *command: str) -> None:
        """Run a command in it while it is not started."""
        inner = f'{self._mount()}; exec chroot "$0" "$@"'
        asked = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", inner, str(self._top), *command]
        subprocess.run(asked, check=True, stdin=subprocess.DEVNULL, timeout=180)

    def start(self) -> None:
        """Boot it, and return when systemd is done with that."""
        for cgroup in self._cgroups():
            cgroup.mkdir(exist_ok=True)
        # Should this process be killed, the container is shut down.
        enter = "".join(f"echo $$ > {cgroup}/cgroup.procs; " for cgroup in self._cgroups())
        inner = (
            f"{self._mount()}; mkdir -p /run/systemd/nspawn; mount -t tmpfs nspawn /run/systemd/nspawn; "
            f"exec systemd-nspawn --keep-unit --register=no --machine={self._name} -D {self._top} --boot --private-network "
            "--capability=all --console=read-only"
        )
        with self._log.open("ab") as log:
            self._booted = subprocess.Popen(
                [
                    "sh",
                    "-ec",
                    f'{enter}exec setpriv --pdeathsig TERM unshare --mount --propagation private sh -ec "$0"',
                    inner,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            )
        self.until(self._find_init, limit_s=60, what="its PID 1")
        self.until(
            lambda: self.run("systemctl", "is-system-running", check=False).stdout.strip() in {"running", "degraded"},
            limit_s=120,
            what="the end of the boot",
        )

    def reboot(self) -> None:
        """Have systemd reboot it, and return when it is up again."""
        assert self._booted is not None
        self.run("systemctl", "reboot")
        assert self._booted.wait(timeout=120) == _REBOOT
        self.start()

    def end(self) -> None:
        """Shut it down, and remove everything of it."""
        if self._booted is not None and self._booted.poll() is None:
            self.run("systemctl", "poweroff", "--force", check=False)
            try:
                self._booted.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.kill(self._init, signal.SIGKILL)
                self._booted.wait()
        for cgroup in self._cgroups():
            for each in sorted((path for path in cgroup.rglob("*") if path.is_dir()), reverse=True):
                each.rmdir()
            if cgroup.is_dir():
                cgroup.rmdir()
        for folder in (self._files, self._work, self._top):
            shutil.rmtree(folder)

    def run(
        self, *command: str, check: bool = True, user: str | None = None, text: str = ""
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command in it, with `text` as its input; one that fails raises `AssertionError` with what it said."""
        asked = ["nsenter", "-t", str(self._init), "-m", "-u", "-i", "-n", "-p", "-C", "--"]
        asked += ["env", "-i", *(f"{name}={value}" for name, value in _ENVIRONMENT.items())]
        asked += [*(("runuser", "-u", user, "--") if user else ()), *command]
        done = subprocess.run(asked, input=text, capture_output=True, text=True, check=False, timeout=180, cwd="/")
        assert not check or done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def write(self, path: str, text: str, *, mode: str = "644") -> None:
        """Write a file in it, with the folders that it needs; replaced at once."""
        self.run(
            "sh",
            "-ec",
            f'mkdir -p "$(dirname {path})"; cat >{path}.new; chmod {mode} {path}.new; mv {path}.new {path}',
            text=text,
        )

    def show(self, unit: str, *names: str) -> dict[str, str]:
        """Return properties of a unit."""
        said = self.run("systemctl", "show", f"--property={','.join(names)}", unit).stdout
        return dict(line.split("=", 1) for line in said.splitlines())

    def journal(self, unit: str, *more: str) -> list[dict[str, Any]]:
        """Return what the journal has of a unit, of this boot if nothing else is said."""
        said = self.run("journalctl", "--unit", unit, "--output=json", "--all", *(more or ("--boot",))).stdout
        return [json.loads(line) for line in said.splitlines()]

    def until(self, holds: Callable[[], object], *, limit_s: float, what: str) -> None:
        """Wait until this holds."""
        end = time.monotonic() + limit_s
        while not holds():
            assert self._booted is None or self._booted.poll() is None, f"the container ended: {self._said()}"
            assert time.monotonic() < end, f"{what} did not come within {limit_s:g} s: {self._said()}"
            time.sleep(0.05)

    def _said(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-2000:]

    def _mount(self) -> str:
        """Return the command that puts the root in place, in a mount namespace that goes with the process."""
        if not self._is_overlay:
            return f"mount --bind {self._files} {self._top}"
        return f"mount -t overlay fwd -o lowerdir={self._root},upperdir={self._files},workdir={self._work} {self._top}"

    def _can_overlay(self) -> bool:
        self._is_overlay = True
        tried = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", self._mount()]
        return subprocess.run(tried, capture_output=True, check=False).returncode == 0

    def _cgroups(self) -> list[Path]:
        """Return the cgroup of the container, in each hierarchy that systemd uses."""
        named = [_CGROUPS / name for name in ("unified", "systemd") if (_CGROUPS / name / "cgroup.procs").exists()]
        return [each / self._name for each in (named or [_CGROUPS])]

    def _find_init(self) -> bool:
        """Find the process that is PID 1 in there: a descendant of ours that has this number in its own namespace."""
        assert self._booted is not None
        for pid in _descendants(self._booted.pid):
            try:
                status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
                comm = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
            except OSError:
                continue
            numbers = next(line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:"))
            if numbers[-1] == "1" and len(numbers) > 1 and comm == "systemd":
                self._init = pid
                return True
        return False


def _descendants(pid: int) -> Iterator[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return
    for child in map(int, children):
        yield child
        yield from _descendants(child)


def missing(environment: Mapping[str, str]) -> str | None:
    """Return why no container can be had here; `None` where one can."""
    if os.geteuid() != 0:
        return "needs root"
    if not all(map(shutil.which, ("systemd-nspawn", "nsenter", "unshare"))):
        return "needs systemd-nspawn"
    root = environment.get("FORWARDER_TEST_SYSTEMD_ROOT", "")
    if not root or not Path(root).is_dir():
        return "needs FORWARDER_TEST_SYSTEMD_ROOT=$(.ci/systemd-root)"
    return None
