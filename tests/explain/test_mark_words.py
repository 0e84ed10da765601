"""Marks are told by the names that the node's own rules give their bits, whatever version made them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from calitop.cni.index import NodeIndex
from calitop.cni.marks import MarkBits
from calitop.explain.mark_words import MarkWords, overlaps
from calitop.model.matches import Mark
from calitop.model.node import NodeState
from calitop.model.targets import CopyMark, SetMark
from calitop.snapshot.open import open_snapshots

LAB = Path(__file__).parents[2] / "snapshots" / "lab"
ENDPOINT = 0xFFF00000
POD = "cali1e68f0565f5 of the pod default/calico-python1-daemon-9wbq6"


@cache
def lab() -> MarkWords:
    return MarkWords(NodeIndex(open_snapshots([str(LAB)])[0].moments[0]))


def packet(value: int, mask: int, *, negated: bool = False) -> Mark:
    return Mark(of="packet", value=value, mask=mask, negated=negated)


@pytest.mark.parametrize(
    ("match", "words"),
    [
        (packet(0x10000, 0x10000), "Calico has accepted the packet (mark bit 0x10000)"),
        (packet(0x10000, 0x10000, negated=True), "Calico has not accepted the packet (mark bit 0x10000)"),
        (packet(0, 0x10000), "Calico has not accepted the packet (mark bit 0x10000)"),
        (packet(0, 0x20000), "no policy has passed the packet on (mark bit 0x20000)"),
        (packet(0x40000, 0x40000), "Calico's scratch bit 0 is set (mark bit 0x40000)"),
        (packet(0x4000, 0x4000), "kube-proxy wants the packet masqueraded (mark bit 0x4000)"),
        (packet(0, ENDPOINT), "the packet has no Calico endpoint mark (mark bits 0xfff00000)"),
        (packet(0, ENDPOINT, negated=True), "the packet has a Calico endpoint mark (mark bits 0xfff00000)"),
        (packet(0x79B00000, ENDPOINT), f"Calico's endpoint mark is 0x79b00000, {POD} (mask 0xfff00000)"),
        (packet(0xA00, 0xF00), 'Cilium\'s mark says "from the ingress proxy" (0xa00 of the mark bits 0xf00)'),
        (
            packet(0xE00, 0xF00, negated=True),
            'Cilium\'s mark does not say "to be encrypted" (0xe00 of the mark bits 0xf00)',
        ),
        (packet(0x700, 0xF00), "the packet mark is 0x700 under the mask 0xf00 (Cilium's own field)"),
        (packet(0x1, 0x3), "the packet mark is 0x1 under the mask 0x3"),
        (
            Mark(of="connection", value=0x10000, mask=0x10000),
            "the connection's mark is 0x10000 under the mask 0x10000",
        ),
    ],
)
def test_a_test_of_the_mark(match: Mark, words: str) -> None:
    assert lab().test(match) == words


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (SetMark("packet", 0x10000, 0x10000), "mark the packet as accepted by Calico (mark bit 0x10000)"),
        (SetMark("packet", 0, 0x30000), "clear Calico accept and Calico pass (mark bits 0x30000)"),
        (SetMark("packet", 0, 0x30003), "clear the mark bits 0x30003"),
        (SetMark("packet", 0, ENDPOINT), "clear Calico's endpoint mark (mark bits 0xfff00000)"),
        (
            SetMark("packet", 0x79B00000, ENDPOINT),
            f"set Calico's endpoint mark to 0x79b00000, {POD} (mask 0xfff00000)",
        ),
        (
            SetMark("packet", 0x100000, ENDPOINT),
            "set Calico's endpoint mark to 0x100000, not a Calico endpoint (mask 0xfff00000)",
        ),
        (
            SetMark("packet", 0xC00, 0xF00),
            'let Cilium\'s mark say "from this host" (0xc00 of the mark bits 0xf00)',
        ),
        (SetMark("packet", 0, 0xF00), "clear Cilium's own field (mark bits 0xf00)"),
        (CopyMark(restore=True), "copy the connection's mark to the packet mark"),
    ],
)
def test_a_change_of_the_mark(action: SetMark | CopyMark, words: str) -> None:
    assert lab().change(action) == words


def test_without_rules_that_tell_no_bit_has_a_name() -> None:
    words = MarkWords(NodeIndex(NodeState()))
    assert words.test(packet(0x10000, 0x10000)) == "the packet mark is 0x10000 under the mask 0x10000"
    assert words.change(SetMark("packet", 0x10000, 0x10000)) == "set the bits 0x10000 of the packet mark"


def test_masks_of_different_owners_that_share_bits_are_found() -> None:
    bits = MarkBits(accept=0x4000, pass_=0x20000, kube_masquerade=0x4000)
    assert overlaps(bits) == (("Calico accept", "kube-proxy masquerade", 0x4000),)
    found = overlaps(lab().bits)
    assert ("Calico endpoint", "Cilium identity", ENDPOINT) in found
    assert not any("kube-proxy" in one and "Calico" in other for one, other, _ in found)
