"""What answers about unknown bits of a mark imply together.

`mark & 0x3 != 0` says little of either bit; with `mark & 0x1 == 0` it tells the other. Answers may
also contradict each other, and then nothing can have given all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from calitop.path.bits import Bits

Excluded = tuple[int, int]
"""Mask and value: the bits in the mask are not together this value."""


def narrowed(own: Bits, excluded: Iterable[Excluded]) -> Bits | None:
    """The bits with those that follow where none of the excluded values is there; None where that cannot be.

    Args:
        own: What is known of the bits.
        excluded: What they are not.
    """
    left = list(excluded)
    while True:
        left = [one for one in left if not (own.value ^ one[1]) & own.known & one[0]]
        forced = next((one for one in left if _is_single(own.unknown_in(one[0]))), None)
        if any(not own.unknown_in(mask) for mask, _ in left):
            return None
        if forced is None:
            return own if _can_be(own, left) else None
        bit = own.unknown_in(forced[0])
        own = Bits(own.value | (bit & ~forced[1]), own.known | bit)


def _is_single(bits: int) -> bool:
    return bits != 0 and bits & (bits - 1) == 0


def _can_be(own: Bits, left: Sequence[Excluded]) -> bool:
    """Whether some value is left: surely so while what is excluded is less than all."""
    if sum(2.0 ** -own.unknown_in(mask).bit_count() for mask, _ in left) < 1:
        return True
    mask = own.unknown_in(left[0][0])
    bit = mask & -mask
    return any(narrowed(Bits(own.value | one, own.known | bit), left) is not None for one in (0, bit))
