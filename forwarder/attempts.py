"""What every attempt comes to is counted, logged, and told to who watches the destinations."""

import structlog

from forwarder.canary import Canaries
from forwarder.core.delivery import Attempt, Delivery, Trigger
from forwarder.core.describe import describe
from forwarder.core.destination import Destination
from forwarder.core.news import News, TooOld
from forwarder.core.retry import Dead, Decision, Done, Expired, Postponed
from forwarder.core.tally import Tally
from forwarder.dispatch import Observe
from forwarder.watch import Watch

log = structlog.get_logger(__name__)


class Attempts:
    """Of all lanes."""

    def __init__(self, tally: Tally, *, watch: Watch, canaries: Canaries, on_attempt: Observe | None) -> None:
        self._tally = tally
        self._watch = watch
        self._canaries = canaries
        self._on_attempt = on_attempt
        self._log = log.bind()
        """Made once, where `log` is made again at every line: there is one for every attempt."""

    def note(self, destination: Destination, delivery: Delivery, attempt: Attempt, decision: Decision) -> None:
        """Take what an attempt came to, and what becomes of its delivery."""
        match decision:
            case Done():
                self._tally.delivered += 1
            case Dead() | Expired():
                self._tally.failed_attempts += 1
                self._count_end(delivery, decision)
            case Postponed():
                self._tally.postponed += 1
            case _:
                self._tally.failed_attempts += 1
        name, fields = describe(delivery, attempt, decision)
        (self._log.warning if isinstance(decision, Dead | Expired) else self._log.info)(name, **fields)
        if not isinstance(decision, Done) or self._watch.last_failure(destination.name) is not None:
            self._watch.note_attempt(destination, delivery, attempt, decision)
        if delivery.trigger is Trigger.CANARY:
            self._canaries.note_attempt(delivery, attempt, decision)
        if self._on_attempt is not None:
            self._on_attempt(delivery, attempt, decision)

    def hear(self, destination: Destination, news: News) -> None:
        """Take what a lane says of its destination."""
        self._watch.hear(destination, news)
        if isinstance(news, TooOld):
            self._count_end(news.delivery, Expired(reason=news.reason))
            self._canaries.note_too_old(news.delivery, news.reason)

    def _count_end(self, delivery: Delivery, decision: Dead | Expired) -> None:
        if delivery.trigger is Trigger.CANARY:
            self._tally.missed_canaries += 1
        elif isinstance(decision, Dead):
            self._tally.dead += 1
        else:
            self._tally.expired += 1
