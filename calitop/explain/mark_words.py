"""Tests and changes of the packet mark in words, each bit by the name that the node's own rules give it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from operator import or_

from calitop.cni.index import NodeIndex
from calitop.cni.marks import MarkBits
from calitop.cni.pods import pod_name
from calitop.model.matches import Mark
from calitop.model.targets import CopyMark, SetMark

_ALL = 0xFFFFFFFF
_SET = {
    "accept": "Calico has accepted the packet",
    "pass_": "a policy has passed the packet on",
    "drop": "a Calico policy has denied the packet",
    "scratch0": "Calico's scratch bit 0 is set",
    "scratch1": "Calico's scratch bit 1 is set",
    "wireguard": "the packet belongs to Calico's WireGuard",
    "kube_masquerade": "kube-proxy wants the packet masqueraded",
    "kube_drop": "the kubelet wants the packet dropped",
}
_CLEAR = {
    "accept": "Calico has not accepted the packet",
    "pass_": "no policy has passed the packet on",
    "drop": "no Calico policy has denied the packet",
    "scratch0": "Calico's scratch bit 0 is clear",
    "scratch1": "Calico's scratch bit 1 is clear",
    "wireguard": "the packet does not belong to Calico's WireGuard",
    "kube_masquerade": "kube-proxy does not want the packet masqueraded",
    "kube_drop": "the kubelet does not want the packet dropped",
}
_DONE = {
    "accept": "mark the packet as accepted by Calico",
    "pass_": "mark the packet as passed on to the next tier or the profiles",
    "drop": "mark the packet as denied by a Calico policy",
    "scratch0": "set Calico's scratch bit 0",
    "scratch1": "set Calico's scratch bit 1",
    "wireguard": "mark the packet as Calico's WireGuard",
    "kube_masquerade": "mark the packet for masquerading by kube-proxy",
    "kube_drop": "mark the packet to be dropped by the kubelet's rule",
}

_CILIUM_FIELD = 0xF00
_CILIUM = {
    0x200: "to the proxy",
    0x400: "for a tunnel",
    0x800: "from the proxy to the world",
    0xA00: "from the ingress proxy",
    0xB00: "from the egress proxy",
    0xC00: "from this host",
    0xD00: "to be decrypted",
    0xE00: "to be encrypted",
    0xF00: "carries an identity",
}
"""What Cilium's own field says (bpf/lib/common.h, MARK_MAGIC_*), where its releases agree."""


@dataclass(frozen=True, slots=True)
class MarkWords:
    """Words for marks on one node."""

    index: NodeIndex

    @property
    def bits(self) -> MarkBits:
        """The meanings, read from the node's rules."""
        return self.index.marks

    def test(self, match: Mark) -> str:
        """The condition, `negated` included: `Calico has accepted the packet (mark bit 0x10000)`."""
        if match.of == "connection":
            return f"the connection's mark {_compared(match)}"
        for told in (self._sign(match), self._endpoint(match), self._cilium(match)):
            if told is not None:
                return told
        return f"the packet mark {_compared(match)}{self._named(match.mask)}"

    def change(self, action: SetMark | CopyMark) -> str:
        """What is done to the mark, beginning with a verb: `clear Calico accept (mark bit 0x10000)`."""
        if isinstance(action, CopyMark):
            return _copied(action)
        if action.of == "connection":
            return _changed(action, "the connection's mark")
        name = self._name(action.value) if action.value == action.mask else None
        if name is not None:
            return f"{_DONE[name]} {bits_words(action.value)}"
        if not action.value and action.mask == self.bits.endpoint:
            return f"clear Calico's endpoint mark {bits_words(action.mask)}"
        if not action.value and action.mask not in (0, _ALL):
            return self._cleared(action.mask)
        who = self._who(action.value) if action.mask == self.bits.endpoint else None
        if who is not None:
            return f"set Calico's endpoint mark to {action.value:#x}, {who} (mask {action.mask:#x})"
        says = self._cilium_says(action.value, action.mask)
        return f"let Cilium's mark say {says}" if says is not None else _changed(action, "the packet mark")

    def _cleared(self, mask: int) -> str:
        names = self._names_of(mask)
        if not names:
            return f"clear the {bits_words(mask, brackets=False)}"
        return f"clear {_listed(names)} {bits_words(mask)}"

    def _sign(self, match: Mark) -> str | None:
        """A test of one bit that has a name of its own."""
        name = self._name(match.mask)
        if name is None or match.value not in (0, match.mask):
            return None
        is_set = (match.value == match.mask) != match.negated
        return f"{(_SET if is_set else _CLEAR)[name]} {bits_words(match.mask)}"

    def _endpoint(self, match: Mark) -> str | None:
        """A test of the number by which Calico names an endpoint."""
        if match.mask != self.bits.endpoint:
            return None
        if not match.value:
            has = "has a" if match.negated else "has no"
            return f"the packet {has} Calico endpoint mark {bits_words(match.mask)}"
        who = self._who(match.value)
        is_ = "is not" if match.negated else "is"
        named = f", {who}" if who is not None else ""
        return f"Calico's endpoint mark {is_} {match.value:#x}{named} (mask {match.mask:#x})"

    def _cilium(self, match: Mark) -> str | None:
        """A test of the field by which Cilium says what its mark means."""
        says = self._cilium_says(match.value, match.mask)
        verb = "does not say" if match.negated else "says"
        return f"Cilium's mark {verb} {says}" if says is not None else None

    def _cilium_says(self, value: int, mask: int) -> str | None:
        """`"to the proxy" (0x200 of the mark bits 0xf00)`; None for other bits and unknown values."""
        meaning = _CILIUM.get(value) if mask == self.bits.cilium == _CILIUM_FIELD else None
        return f'"{meaning}" ({value:#x} of the {bits_words(mask, brackets=False)})' if meaning else None

    def _who(self, value: int) -> str | None:
        if value == self.bits.non_cali:
            return "not a Calico endpoint"
        interface = self.bits.interface_of(value)
        if interface is None:
            return None
        pod = self.index.pod_of_interface(interface)
        return interface if pod is None else f"{interface} of the pod {pod_name(pod)}"

    def _name(self, bits: int) -> str | None:
        return next((name for name in _SET if bits and getattr(self.bits, name) == bits), None)

    def _named(self, mask: int) -> str:
        """In brackets what the mask is as a whole, where known meanings make it up."""
        names = self._names_of(mask)
        return f" ({_listed(names)})" if names and mask != _ALL else ""

    def _names_of(self, mask: int) -> list[str]:
        """The meanings that make up the mask; none where bits are left over."""
        within = [(name, bits) for name, bits in self.bits.parts() if not bits & ~mask]
        return [name for name, _ in within] if _union(bits for _, bits in within) == mask else []


def overlaps(bits: MarkBits) -> tuple[tuple[str, str, int], ...]:
    """Meanings of different owners that share bits, with these bits.

    Cilium's identity shares bits with nearly everything; it stands there only while Cilium's own
    field says so (`MarkBits.identity_in`), and then a rule of another owner reads it as its own.
    """
    return tuple(
        (one, other, mine & theirs)
        for (one, mine), (other, theirs) in combinations(bits.parts(), 2)
        if mine & theirs and owner_of_meaning(one) != owner_of_meaning(other)
    )


def owner_of_meaning(meaning: str) -> str:
    """Calico, kube-proxy, kubelet or Cilium, the first word of each meaning."""
    return meaning.split()[0].removesuffix("'s")


def bits_words(mask: int, *, brackets: bool = True) -> str:
    """`(mark bit 0x10000)`, `(mark bits 0xe0000)`."""
    words = f"mark bit{'s' if mask.bit_count() > 1 else ''} {mask:#x}"
    return f"({words})" if brackets else words


def _compared(match: Mark) -> str:
    is_ = "is not" if match.negated else "is"
    under = "" if match.mask == _ALL else f" under the mask {match.mask:#x}"
    return f"{is_} {match.value:#x}{under}"


def _changed(action: SetMark, what: str) -> str:
    if action.mask & _ALL == _ALL:
        return f"set {what} to {action.value:#x}"
    if action.value == action.mask:
        return f"set the bits {action.mask:#x} of {what}"
    if not action.value:
        return f"clear the bits {action.mask:#x} of {what}" if action.mask else f"leave {what} as it is"
    if not action.mask and action.value:
        return f"flip the bits {action.value:#x} of {what}"
    if action.value & ~action.mask:
        return f"clear the bits {action.mask:#x} of {what} and flip its bits {action.value:#x}"
    return f"set {what} to {action.value:#x} under the mask {action.mask:#x}"


def _copied(action: CopyMark) -> str:
    packet, connection = "the packet mark", "the connection's mark"
    source, to = (connection, packet) if action.restore else (packet, connection)
    masks = (action.connection_mask, action.packet_mask)
    taken, given = masks if action.restore else (masks[1], masks[0])
    if (taken & _ALL, given & _ALL) == (_ALL, _ALL):
        return f"copy {source} to {to}"
    return f"copy the bits {taken:#x} of {source} into the bits {given:#x} of {to}"


def _union(masks: Iterable[int]) -> int:
    return reduce(or_, masks, 0)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
