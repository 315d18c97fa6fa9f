"""Exit codes, after sysexits.h; `docs/exit-codes.md` says what each asks of the operator."""

OK = 0
FAILURE = 1
"""`check` found a problem, or an internal task failed."""
OUTBOX_DAMAGED = 65
"""EX_DATAERR: the outbox file is damaged, newer than this program, or another program's."""
OUTBOX_UNWRITABLE = 73
"""EX_CANTCREAT: the outbox file cannot be made or written."""
OUTBOX_IN_USE = 75
"""EX_TEMPFAIL: another forwarder holds the outbox."""
BAD_CONFIG = 78
"""EX_CONFIG: the unit file tells systemd not to restart after it."""
