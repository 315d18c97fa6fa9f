"""Why a request to the daemon failed."""


class NoDaemonError(Exception):
    """No daemon answers at the control socket; the text says so."""


class DaemonSilentError(NoDaemonError):
    """A daemon is there and has not answered in time; the text says what is known about it, and what to do."""


class DaemonRefusedError(Exception):
    """The daemon refuses the request; the text says why."""
