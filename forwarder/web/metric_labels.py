"""Keeps the number of label values bounded: each is a time series for each metric, which costs memory here and at Prometheus."""

from collections.abc import Iterable, Mapping

OTHER = "other"
"""The label value of all names that have none of their own."""


class BoundedLabels:
    """Decides which names have a label value of their own. A name keeps what it has, so that its series go on, until it is gone."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._labels: dict[str, str] = {}

    def admit(self, names: Mapping[str, float]) -> None:
        """Take note of all names that there are. Where there are too many new ones, those with the highest numbers come first."""
        self._labels = {name: label for name, label in self._labels.items() if name in names}
        own = sum(label is not OTHER for label in self._labels.values())
        new = sorted((name for name in names if name not in self._labels), key=lambda name: (-names[name], name))
        for name in new:
            self._labels[name] = name if own < self._most else OTHER
            own += own < self._most

    def sums(self, values: Iterable[tuple[str, float]]) -> dict[str, float]:
        """Return the values by label, added up where names share one."""
        found: dict[str, float] = {}
        for name, value in values:
            label = self.of(name)
            found[label] = found.get(label, 0) + value
        return found

    def of(self, name: str) -> str:
        """Return the label value of a name."""
        return self._labels.get(name, OTHER)
