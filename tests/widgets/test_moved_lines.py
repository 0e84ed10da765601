"""How a moved place is written out."""

from __future__ import annotations

import pytest

from calitop.counters.counts import Delta
from calitop.hits.moved import Moved
from calitop.model.rules import ChainKey
from widgets.moved_lines import _part_words
from widgets.signs import UNICODE


@pytest.mark.parametrize(
    ("table", "delta", "words"),
    [
        ("filter", Delta(3, 252, True), "3 of 5"),
        ("filter", Delta(10, 840, True), "5 of 5"),
        ("filter", Delta(3, 252, False), "≥3 of 5"),
        ("filter", Delta(7, 588, False), "5 of 5"),
        ("filter", Delta(None, 252, True), "–"),
        ("nat", Delta(1, 84, True), "per flow"),
    ],
)
def test_part_of_the_expected_packets(table: str, delta: Delta, words: str) -> None:
    """Tunnelled packets pass twice and explain no more than all; unknown is no zero."""
    moved = Moved(ChainKey("ipv4", "nft", table, "FORWARD"), None, None, delta, "policy ACCEPT")
    assert _part_words(moved, 5, UNICODE) == words
