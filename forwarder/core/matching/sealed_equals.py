"""The test of a revision that compares values by their digests: see `core.config.sealing`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from forwarder.core.matching.subject import Found, Subject
from forwarder.core.matching.texts import Equals
from forwarder.core.yaml.tree import Expanded, Scalar, Sealed

_BYTES = 6
"""Of a digest. Among a million values of a list, one in a hundred million others looks like one of them."""


@dataclass(frozen=True, slots=True)
class SealedEquals:
    """Passes for a value that is one of these, as `Equals` does. Of some of them only digests are known."""

    written: Sequence[Scalar] = field(compare=False)
    plain: Equals
    """The test for the values that are known."""
    digests: frozenset[str]
    of_numbers: frozenset[str]
    """The digests of values without quotes, which also match a JSON number."""
    salt: str

    @property
    def ignore_case(self) -> bool:
        """Whether case is ignored."""
        return self.plain.ignore_case

    def passes(self, value: Found, subject: Subject) -> bool:
        """Return whether the value passes. Never raises."""
        return self.plain.passes(value, subject) or self.digest_of(value, subject) is not None

    def digest_of(self, value: Found, subject: Subject) -> str | None:
        """Return the digest that a value has in common with this test, or `None`."""
        if isinstance(value, str):
            known: frozenset[str] = self.digests
            text: str | None = subject.caseless(value) if self.ignore_case else value
        else:
            known, text = self.of_numbers, _whole(value)
        if text is None or (digest := digest_of(text, self.salt)) not in known:
            return None
        return digest


def sealed_equals(written: tuple[Scalar, ...], plain: Equals) -> SealedEquals:
    """Return the test for these values, of which `plain` tests those that are known."""
    sealed = [each for each in written if isinstance(each, Sealed)]
    return SealedEquals(
        written=written,
        plain=plain,
        digests=frozenset(map(str, sealed)),
        of_numbers=frozenset(str(each) for each in sealed if not each.quoted),
        salt=sealed[0].salt,
    )


def seal(value: Scalar, text: str, *, salt: str) -> Sealed:
    """Return a value of which only the digest of its normal form is known, and its variable if it comes from one."""
    written = value.written if isinstance(value, Expanded) else ""
    return Sealed(digest_of(text, salt), quoted=value.quoted, written=written, salt=salt)


def normal_form(value: Scalar, *, ignore_case: bool, marker: str) -> str:
    """Return the text that `Equals` compares."""
    text = value.removeprefix(marker) if marker else str(value)
    return text.casefold() if ignore_case else text


def digest_of(text: str, salt: str) -> str:
    """Return the digest of a text."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_BYTES, key=salt.encode()).hexdigest()


def _whole(value: Found) -> str | None:
    """Return a whole number as text, and `None` for anything else."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e40:
        value = int(value)
    return str(value) if type(value) is int and abs(value) < 10**40 else None
