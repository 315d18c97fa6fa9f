"""The log of the emulator's web servers: errors of our own, and not what is wrong with a request, which its sender is told."""

import logging

from aiohttp.http_exceptions import HttpProcessingError


class _OwnErrors(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is about something else than a request that is no valid HTTP."""
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, HttpProcessingError)


WEB_LOG = logging.getLogger(__name__)
WEB_LOG.addFilter(_OwnErrors())
