"""What systemd makes of the service: starts, stops, failures, upgrades, a reboot."""

import re

import pytest

from tests.support.paths import ROOT
from tests.systemd.service import HOME, SOCKET, UNIT, Service

QUICK = "[Service]\nRestartSec=200ms\n"


def test_the_unit_is_right_and_leaves_the_daemon_little(service: Service) -> None:
    run = service.machine.run
    verified = run("systemd-analyze", "verify", str(HOME / "systemd" / UNIT))
    assert verified.stdout + verified.stderr == ""
    said = run("systemd-analyze", "security", "--no-pager", UNIT).stdout
    (level,) = re.findall(r"Overall exposure level for forwarder\.service: ([0-9.]+)", said)
    assert float(level) <= 1.5  # each systemd counts a little differently
    if run("systemctl", "--version").stdout.startswith("systemd 252 "):
        assert f"exposure level of {level}" in (ROOT / "docs" / "systemd.md").read_text(encoding="utf-8")


def test_it_is_started_when_it_is_ready_and_stopped_when_it_has_finished(service: Service) -> None:
    service.do("start")
    service.wait_for("daemon.ready")
    assert service.show("StatusText")
    service.wait_for_deliveries(5)
    assert service.machine.run("stat", "--format=%a %F", SOCKET).stdout.strip() == "600 socket"
    service.do("stop")
    assert service.names()[-1] == "daemon.stopped"
    assert service.show("Result") == "success"
    service.assert_balanced()


def test_a_good_edit_is_reloaded_and_a_bad_one_fails_the_reload(service: Service) -> None:
    service.configure("reload: {watch: false}\n")
    service.do("start")
    pid = service.main_pid
    service.configure("reload: {watch: false}\ngrace_period: 11s\n")
    service.do("reload")
    assert "reload.done" in service.names()
    service.configure("reload: {watch: false}\ngrace_periode: 12s\n")
    assert service.do("reload", check=False) != 0
    assert service.show("ActiveState") == "active"
    assert service.main_pid == pid
    said = "\n".join(str(entry.get("MESSAGE")) for entry in service.journal())
    assert "did you mean" in said
    assert service.status()["config"]["refused"] is not None


def test_one_that_stands_still_is_ended_by_the_watchdog_and_started_again(service: Service) -> None:
    service.change_unit("[Service]\nWatchdogSec=3\nRestartSec=200ms\n")
    service.do("start")
    pid = service.main_pid
    service.machine.run("kill", "-STOP", str(pid))
    service.machine.until(lambda: service.main_pid not in {0, pid}, limit_s=120, what="another process")
    service.wait_for("daemon.ready", 2)
    said = "\n".join(str(entry.get("MESSAGE")) for entry in service.journal())
    assert "Watchdog timeout" in said
    assert "Fatal Python error: Aborted" in said  # with the place where it stood


def test_one_that_is_killed_is_started_again_and_loses_nothing(service: Service) -> None:
    service.change_unit(QUICK)
    service.do("start")
    service.wait_for_deliveries(5)
    pid = service.main_pid
    service.machine.run("kill", "-KILL", str(pid))
    service.machine.until(lambda: service.main_pid not in {0, pid}, limit_s=120, what="another process")
    service.wait_for("daemon.ready", 2)
    service.wait_for_deliveries(5)
    service.do("stop")
    service.assert_balanced()


def upgraded(service: Service) -> int:
    """Upgrade a service that delivers, and return the number of the process that goes on."""
    service.do("start")
    old = service.main_pid
    service.wait_for_deliveries(3)
    service.command("upgrade")
    service.machine.until(lambda: service.main_pid != old, limit_s=120, what="another main process")
    assert service.show("ActiveState") == "active"
    assert not [entry for entry in service.journal() if "not our child" in str(entry.get("MESSAGE"))]
    service.wait_for_deliveries(3)
    return service.main_pid


def assert_it_stopped_by_itself(service: Service, successor: int, *journal: str) -> None:
    """The process that took over had the time that it needed, and nobody killed it."""
    ended = [line for line in service.events(*journal) if line["event"] == "daemon.stopped"]
    assert ended
    said = "\n".join(str(entry.get("MESSAGE")) for entry in service.journal(*journal))
    assert "SIGKILL" not in said
    assert "Failed with result" not in said
    stopping = [entry for entry in service.journal(*journal) if "daemon.stopped" in str(entry.get("MESSAGE"))]
    assert stopping[-1]["_PID"] == str(successor)


def test_after_an_upgrade_a_stop_waits_for_the_deliveries_under_way(service: Service) -> None:
    successor = upgraded(service)
    service.do("stop")
    assert (service.show("Result"), service.show("ExecMainStatus")) == ("success", "0")
    assert_it_stopped_by_itself(service, successor)
    service.assert_balanced()


def test_after_two_upgrades_a_restart_waits_for_the_deliveries_under_way(service: Service) -> None:
    first = upgraded(service)
    service.command("upgrade")
    service.machine.until(lambda: service.main_pid != first, limit_s=120, what="another main process")
    successor = service.main_pid
    service.wait_for_deliveries(3)
    service.do("restart")
    assert_it_stopped_by_itself(service, successor)
    assert service.main_pid not in {0, first, successor}
    assert service.show("NRestarts") == "0"
    service.wait_for_deliveries(3)
    service.do("stop")
    service.assert_balanced()


def test_after_an_upgrade_a_reboot_waits_too_and_starts_it_again(service: Service) -> None:
    successor = upgraded(service)
    service.machine.reboot()
    assert_it_stopped_by_itself(service, successor, "--boot=-1")
    service.wait_until("ActiveState", "active")
    service.wait_for_deliveries(3)
    service.do("stop")
    service.assert_balanced()


def test_one_that_is_killed_after_an_upgrade_is_started_again(service: Service) -> None:
    service.change_unit(QUICK)
    successor = upgraded(service)
    service.machine.run("kill", "-KILL", str(successor))
    service.machine.until(lambda: service.main_pid not in {0, successor}, limit_s=120, what="another process")
    service.wait_for_deliveries(3)
    service.do("stop")
    assert service.show("Result") == "success"
    service.assert_balanced()


def test_an_upgrade_that_fails_changes_nothing(service: Service) -> None:
    service.configure("reload: {watch: false}\n")
    service.do("start")
    pid = service.main_pid
    service.configure("grace_periode: 1s\n")
    code, _, said = service.command("upgrade", check=False)
    assert code == 1
    assert "did you mean" in said
    assert service.main_pid == pid
    assert service.machine.run("pgrep", "--full", "forwarder run").stdout.split() == [str(pid)]
    service.do("stop")
    assert service.show("Result") == "success"


def test_a_start_that_is_refused_is_tried_until_it_works(service: Service) -> None:
    service.change_unit(QUICK)
    service.do("start")  # makes the outbox
    service.do("stop")
    holder = "import fcntl, time; held = open('/var/lib/forwarder/outbox.db.lock', 'w'); fcntl.flock(held, 2); print(flush=True); time.sleep(600)"
    service.machine.run("systemd-run", "--quiet", "--unit=holder", "python3", "-c", holder)
    service.machine.run("systemctl", "start", "--no-block", UNIT)
    service.machine.until(
        lambda: int(service.show("NRestarts")) > 12, limit_s=200, what="more restarts than systemd's limit"
    )
    said = "\n".join(str(entry.get("MESSAGE")) for entry in service.journal())
    assert said.count("status=75/") > 12
    assert service.show("ActiveState") == "activating"
    service.machine.run("systemctl", "stop", "holder")
    service.wait_until("ActiveState", "active")
    service.wait_for_deliveries()


@pytest.mark.parametrize("code", [78, 65])
def test_a_start_that_only_a_person_can_mend_is_not_tried_again(service: Service, code: int) -> None:
    service.change_unit(QUICK)
    if code == 78:
        service.configure("grace_periode: 1s\n")
    else:
        newer = "import sqlite3; c = sqlite3.connect('/var/lib/private/forwarder/outbox.db'); c.execute('PRAGMA user_version = 99'); c.close()"
        service.do("start")
        service.do("stop")
        service.machine.run("python3", "-c", newer)
    assert service.do("start", check=False) != 0
    assert service.show("ActiveState") == "failed"
    assert (service.show("ExecMainStatus"), service.show("NRestarts")) == (str(code), "0")


def test_a_credential_is_the_key_also_after_an_upgrade(service: Service) -> None:
    service.machine.write("/etc/forwarder/api-key", "test-key\n", mode="600")
    service.change_unit("[Service]\nLoadCredential=api-key:/etc/forwarder/api-key\n")
    service.configure(key="api_key_file: '${CREDENTIALS_DIRECTORY}/api-key'")
    upgraded(service)
    service.do("stop")
    assert service.show("Result") == "success"


def test_the_members_of_a_group_can_use_the_socket_and_nobody_else(service: Service) -> None:
    service.change_unit("[Service]\nGroup=ops\n")
    service.configure("admin: {group: ops}\n")
    service.do("start")
    seen = service.machine.run("stat", "--format=%a %G %F", SOCKET).stdout.strip()
    assert seen == "660 ops socket"
    code, out, err = service.command("status", user="anna")
    assert f"process {service.main_pid}" in out, err
    service.command("pause", "bot", "--why", "a test", user="anna")
    assert service.status()["destinations"]["bot"]["paused"]["why"] == "a test"
    service.command("resume", "bot", user="anna")
    code, _, err = service.command("check", "--diff", user="anna", check=False)
    assert code == 1
    assert "only root and the daemon's own user" in err
    for verb in ("status", "reload", "upgrade"):
        assert service.command(verb, user="bert", check=False)[0] == 69
    assert service.command("pause", "bot", user="bert", check=False)[0] != 0
    old = service.main_pid
    service.command("upgrade", user="anna")
    assert service.main_pid != old
    assert "control.sock" in service.machine.run("ls", "/run/forwarder").stdout
    assert service.command("status", user="anna")[0] == 0


def test_a_group_that_the_daemon_is_not_of_is_reported_and_root_can_use_the_socket(service: Service) -> None:
    service.configure("admin: {group: ops}\n")
    service.do("start")
    (said,) = [line for line in service.events() if line["event"] == "admin.group_not_applied"]
    assert "Group=" in said["note"]
    service.command("status")
    assert service.command("status", user="anna", check=False)[0] == 69


def test_the_journal_has_every_line_and_the_status_shows_what_happens(service: Service) -> None:
    service.do("start")
    service.wait_for_deliveries(3)
    assert {"daemon.started", "stream.connected", "daemon.ready"} <= set(service.names())
    assert {entry["_SYSTEMD_UNIT"] for entry in service.journal() if entry.get("_COMM") == "forwarder"} == {UNIT}
    seen = service.machine.run("systemctl", "status", "--no-pager", "--full", UNIT).stdout
    assert "Active: active (running)" in seen
    service.machine.until(
        lambda: re.match(r"(OK|DEGRADED: .*|DOWN: .*); [0-9]+ events? seen", service.show("StatusText")),
        limit_s=60,
        what="the verdict in the status of the unit",
    )
    assert '"event":"daemon.ready"' in seen
    assert service.show("LogRateLimitIntervalUSec") == "0"
    service.do("stop")
    assert sum(line["delivered"] for line in service.events() if line["event"] == "delivery.summary") >= 3


def test_check_compares_the_grace_period_with_the_stop_time_of_this_machines_unit(service: Service) -> None:
    service.configure("grace_period: 1m\n")
    assert "TimeoutStopSec=65" in service.command("check")[2]
    service.change_unit("[Service]\nTimeoutStopSec=90\n")
    assert "grace_period" not in service.command("check")[2]
