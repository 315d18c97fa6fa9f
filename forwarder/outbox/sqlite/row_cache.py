"""Deliveries that are in memory: a lane has them, or the disk does not have them as they are now.

A change of a row before the next commit happens in memory only. So a delivery that ends before its event is committed is written
once, already finished.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable

from forwarder.core.delivery import Delivery
from forwarder.core.ports import DeliveryState
from forwarder.outbox.sqlite.delivery_row import OPEN, DeliveryRow, RowKey, state_of


class RowCache:
    """Holds the rows that are in memory, by key, and knows which of them the disk does not have yet.

    Where the disk has a row with the same key, the row here is the newer one.
    """

    def __init__(self) -> None:
        self._rows: dict[RowKey, DeliveryRow] = {}
        self._changed: list[DeliveryRow] = []
        """The rows that are to be written, each once."""
        self._count_of = Counter[str]()
        """How many rows each destination has here."""
        self._free: defaultdict[str, dict[int, DeliveryRow]] = defaultdict(dict)
        """The pending rows that no lane has, by destination and event number, in the order in which they came."""
        self._lines: defaultdict[tuple[str, str], dict[int, DeliveryRow]] = defaultdict(dict)
        """All rows that have an order key, by destination and key."""
        self._unwritten_on_disk = 0
        self._replaced: set[RowKey] = set()
        """First words that a full text has replaced, while the full text is not on disk yet."""

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: RowKey) -> bool:
        return key in self._rows or key in self._replaced

    @property
    def changed(self) -> int:
        """How many rows are to be written."""
        return len(self._changed)

    @property
    def unwritten(self) -> int:
        """How many rows the disk does not have as they are now."""
        return sum(row.is_changed or row.is_being_written for row in self._rows.values())

    def waiting_unwritten(self) -> dict[str, list[int]]:
        """Return the event numbers of the deliveries that wait and of which the disk has nothing, by destination."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for row in self._rows.values():
            if not row.is_on_disk and row.status in OPEN and row.key not in self._replaced:
                found[row.destination].append(row.event_seq)
        return dict(found)

    def count(self, destination: str) -> int:
        """Return an upper bound of the rows of a destination that are here."""
        return self._count_of[destination] + len(self._replaced)

    @property
    def unwritten_on_disk(self) -> int:
        """How many rows the disk has as they were before their last change."""
        return self._unwritten_on_disk

    def free(self, destination: str) -> list[DeliveryRow]:
        """Return the pending rows of a destination that no lane has, oldest first."""
        return [row for row in self._free[destination].values() if row.key not in self._replaced]

    def line(self, destination: str, order_key: str) -> dict[int, DeliveryRow]:
        """Return the rows with this order key, by event number."""
        found = self._lines.get((destination, order_key), {})
        return {seq: row for seq, row in found.items() if row.key not in self._replaced}

    def order_keys(self, destination: str) -> set[str]:
        """Return the order keys of the pending rows that no lane has."""
        return {row.order_key for row in self.free(destination) if row.order_key is not None}

    def get(self, key: RowKey) -> DeliveryRow | None:
        """Return the row with this key, or `None` where it is not here."""
        return self._rows.get(key)

    def add(self, row: DeliveryRow) -> None:
        """Add a row that a lane has, or that is to be written, or both."""
        self._rows[row.key] = row
        self._count_of[row.destination] += 1
        if row.order_key is not None:
            self._lines[row.destination, row.order_key][row.event_seq] = row
        if not row.is_held:
            self._note_free(row)
        if row.is_changed:
            self._changed.append(row)
            if row.is_on_disk:
                self._note_unwritten(row)

    def lease(self, row: DeliveryRow) -> None:
        """Give a row to its lane; it is added where it is not here."""
        row.is_held = True
        if row.key in self._rows:
            self._note_free(row)
        else:
            self.add(row)

    def put_in_order(self, row: DeliveryRow, order_key: str | None) -> None:
        """Give another order key to a row that no lane has."""
        if row.order_key is not None:
            self._leave_line(row, row.order_key)
        row.order_key = order_key
        if order_key is not None:
            self._lines[row.destination, order_key][row.event_seq] = row
        self.change(row, keep=False)

    def end_wait(self, row: DeliveryRow, order_key: str | None) -> None:
        """Give a first word that a lane has now its place in the order, because its wait for the full text is over."""
        row.awaits_full, row.order_key = 0, order_key
        if order_key is not None:
            self._lines[row.destination, order_key][row.event_seq] = row
            self.change(row, keep=True)

    def replace(self, key: RowKey) -> bool:
        """Keep a waiting delivery from being claimed, until `forget_replaced`; return `False` where a lane has it or it has ended."""
        row = self._rows.get(key)
        if row is not None and (row.is_held or row.status != "pending"):
            return False
        self._replaced.add(key)
        return True

    @property
    def replaced(self) -> frozenset[RowKey]:
        """The keys of the deliveries that were replaced, and whose end is not on disk yet."""
        return frozenset(self._replaced)

    def forget_replaced(self, key: RowKey) -> None:
        """Note that the end of a replaced delivery is on disk."""
        self._replaced.discard(key)

    def of(self, delivery: Delivery) -> DeliveryRow:
        """Return the row of a delivery that a lane has."""
        return self._rows[delivery.event_seq, delivery.destination]

    def state_of(self, destination: str, event_seq: int) -> DeliveryState | None:
        """Return the state of a delivery, or `None` where it is not here."""
        row = self._rows.get((event_seq, destination))
        return None if row is None else state_of(row.status, row.due_ms, row.receipt)

    def change(self, row: DeliveryRow, *, keep: bool) -> None:
        """Note that a row changed and is to be written; with `keep` its lane keeps it."""
        may_be_free = not row.is_held or row.status == "pending"
        row.is_held = keep
        if may_be_free:
            self._note_free(row)
        if not row.is_changed:
            row.is_changed = True
            self._changed.append(row)
        if row.is_on_disk:
            self._note_unwritten(row)

    def release(self, row: DeliveryRow) -> None:
        """Take a row back from its lane, unchanged."""
        row.is_held = False
        self._note_free(row)
        if not (row.is_changed or row.is_being_written):
            self._drop(row)

    def collect(self, *, before_seq: int | None = None) -> list[DeliveryRow]:
        """Return the rows that are to be written as they are now, of all events or of those before a number."""
        rows, self._changed = self._changed, []
        if before_seq is not None:
            self._changed = [row for row in rows if row.event_seq >= before_seq]
            rows = [row for row in rows if row.event_seq < before_seq]
        for row in rows:
            row.is_changed, row.is_being_written = False, True
        return rows

    def written(self, rows: Iterable[DeliveryRow]) -> None:
        """Note that these rows are on disk; those that no lane has can be claimed from there."""
        for row in rows:
            row.is_being_written, row.is_on_disk = False, True
            if row.is_changed:
                self._note_unwritten(row)
                continue
            if row.is_counted:
                row.is_counted = False
                self._unwritten_on_disk -= 1
            if not row.is_held:
                self._drop(row)

    def _note_unwritten(self, row: DeliveryRow) -> None:
        """Count a row that the disk has as it was before."""
        if not row.is_counted:
            row.is_counted = True
            self._unwritten_on_disk += 1

    def _note_free(self, row: DeliveryRow) -> None:
        free = self._free[row.destination]
        if not row.is_held and row.status == "pending":
            free[row.event_seq] = row
        else:
            free.pop(row.event_seq, None)

    def _drop(self, row: DeliveryRow) -> None:
        """Forget a row that no lane has and that is on disk as it is."""
        if row.key in self._rows:
            del self._rows[row.key]
            self._count_of[row.destination] -= 1
            if row.status == "pending":
                self._free[row.destination].pop(row.event_seq, None)
            if row.order_key is not None:
                self._leave_line(row, row.order_key)

    def _leave_line(self, row: DeliveryRow, order_key: str) -> None:
        line = self._lines[row.destination, order_key]
        line.pop(row.event_seq, None)
        if not line:
            del self._lines[row.destination, order_key]
