"""Marks of which only some bits are known.

A packet that a BPF program has handled may carry anything in the bits that it writes; a rule
that tests only other bits is decided all the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from calitop.path.three import Truth

FULL = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Bits:
    """A 32 bit number of which the bits in `known` are known.

    Unknown bits are 0 in `value`, so that equal knowledge is equal.
    """

    value: int = 0
    known: int = FULL

    def __post_init__(self) -> None:
        object.__setattr__(self, "known", self.known & FULL)
        object.__setattr__(self, "value", self.value & self.known)

    @property
    def number(self) -> int | None:
        """The mark where every bit of it is known."""
        return self.value if self.known == FULL else None

    def test(self, value: int, mask: int = FULL) -> Truth:
        """(mark & mask) == value: False as soon as one known bit differs, None where unknown bits decide."""
        if value & ~mask & FULL or (self.value ^ value) & self.known & mask:
            return False
        return True if mask & FULL & ~self.known == 0 else None

    def unknown_in(self, mask: int) -> int:
        """The bits of a mask that are not known: those on which a test with it may depend."""
        return mask & FULL & ~self.known

    def set_xmark(self, value: int, mask: int = FULL) -> Bits:
        """(mark & ~mask) ^ value, as MARK and CONNMARK do."""
        return Bits((self.value & ~mask) ^ value, self.known | mask)

    def __and__(self, mask: int) -> Bits:
        return self.set_xmark(0, ~mask & FULL)

    def __or__(self, value: int) -> Bits:
        return self.set_xmark(value, value)

    def __xor__(self, value: int) -> Bits:
        return self.set_xmark(value, 0)

    def copy_from(self, other: Bits, mask: int = FULL, other_mask: int = FULL) -> Bits:
        """(mark & ~mask) ^ (other & other_mask), as CONNMARK saves and restores."""
        kept, added = self & ~mask, other & other_mask
        return Bits(kept.value ^ added.value, kept.known & added.known)

    def forget(self, mask: int = FULL) -> Bits:
        """The same mark with the bits of a mask no longer known."""
        return Bits(self.value, self.known & ~mask)

    def common(self, other: Bits) -> Bits:
        """What holds for both: the bits that are known in both and equal."""
        return Bits(self.value, self.known & other.known & ~(self.value ^ other.value))

    def __str__(self) -> str:
        if self.known == FULL:
            return f"{self.value:#x}"
        return f"{self.value:#x} (known bits {self.known:#x})" if self.known else "unknown"


def parse_mark(text: str) -> Bits:
    """A mark as iptables writes it, `V` or `V/M`; only the bits of its mask are known.

    Raises:
        ValueError: It is no such mark.
    """
    value, slash, mask = text.partition("/")
    try:
        bits = int(value, 0), int(mask, 0) if slash else FULL
    except ValueError:
        bits = -1, -1
    if not all(0 <= one <= FULL for one in bits):
        raise ValueError(f"'{text}' is no mark as 0x10000 or 0x10000/0xff0000")
    if bits[0] & ~bits[1]:
        raise ValueError(f"'{text}' has bits outside of its mask")
    return Bits(*bits)


UNKNOWN = Bits(0, 0)
"""A mark of which nothing is known."""

NO_MARK = Bits(0)
"""The mark of a packet that nobody has marked."""
