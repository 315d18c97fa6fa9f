"""Exit codes, after sysexits.h; `docs/exit-codes.md` says what each asks of the operator."""

from forwarder.outbox.problems import OutboxProblem

OK = 0
FAILURE = 1
"""`check` found a problem, `audit` found something that is not accounted for, or an internal task failed."""
DEGRADED = 1
"""`status`: the daemon works, but something is wrong that a person should look at."""
DOWN = 3
"""`status`: no stream is open, or nothing can be stored."""
USAGE = 2
"""Arguments that are wrong or do not go together."""
OUTBOX_DAMAGED = 65
"""EX_DATAERR: the outbox file is damaged, newer than this program, or another program's."""
NO_OUTBOX = 66
"""EX_NOINPUT: there is no outbox file."""
NO_DAEMON = 69
"""EX_UNAVAILABLE: no daemon answers at the control socket, or not in time."""
DISK_SILENT = 69
"""EX_UNAVAILABLE: the disk with the outbox does not answer."""
OUTBOX_UNWRITABLE = 73
"""EX_CANTCREAT: the outbox file cannot be made or written."""
OUTBOX_IN_USE = 75
"""EX_TEMPFAIL: another forwarder holds the outbox."""
NO_TAKEOVER = 75
"""EX_TEMPFAIL: `run --takeover` cannot take over; the running forwarder stays."""
BAD_CONFIG = 78
"""EX_CONFIG: the unit file tells systemd not to restart after it."""

OUTBOX_CODES = {
    OutboxProblem.IN_USE: OUTBOX_IN_USE,
    OutboxProblem.IN_USE_BY_COMMAND: OUTBOX_IN_USE,
    OutboxProblem.UNWRITABLE: OUTBOX_UNWRITABLE,
    OutboxProblem.CORRUPT: OUTBOX_DAMAGED,
    OutboxProblem.FOREIGN: OUTBOX_DAMAGED,
    OutboxProblem.NEWER: OUTBOX_DAMAGED,
    OutboxProblem.MISSING: NO_OUTBOX,
}
