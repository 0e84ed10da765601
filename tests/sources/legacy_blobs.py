"""Writes blobs as the kernel gives them, from chains and rules: the reader's opposite."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import accumulate

from calitop.model.rules import BUILTIN_CHAINS
from calitop.sources.legacy_blob import IPV4, IPV6, Layout, Shape

ENTRY_BYTES = {IPV4: 112, IPV6: 168}
"""sizeof(struct ipt_entry), sizeof(struct ip6t_entry)."""
_RETURN, _ACCEPT, _DROP = -5, -2, -1


@dataclass(frozen=True)
class MadeRule:
    """A rule: bytes of its matches, and counters."""

    matches: bytes = b""
    packets: int = 0
    octets: int = 0


@dataclass(frozen=True)
class MadeChain:
    """A chain; `policy` of a built-in one only."""

    name: str
    rules: tuple[MadeRule, ...] = ()
    policy: str | None = None
    counter: tuple[int, int] = (0, 0)


def written(chains: list[MadeChain], layout: Layout) -> tuple[Shape, bytes]:
    """The table as IPT_SO_GET_INFO and IPT_SO_GET_ENTRIES give it; built-in chains come first."""
    entries: list[bytes] = []
    begins, ends = {}, {}
    for chain in chains:
        if chain.policy is None:
            entries.append(_entry(layout, _error(chain.name)))
        begins[chain.name] = len(entries)
        entries += [_rule(layout, rule) for rule in chain.rules]
        ends[chain.name] = len(entries)
        verdict = {None: _RETURN, "ACCEPT": _ACCEPT, "DROP": _DROP}[chain.policy]
        entries.append(_entry(layout, _standard(verdict), counter=chain.counter))
    entries.append(_entry(layout, _error("ERROR")))
    offsets = [0, *accumulate(map(len, entries))]
    hooks = {chain.name for chain in chains if chain.policy}
    shape = Shape(
        sum(1 << at for at, name in enumerate(BUILTIN_CHAINS) if name in hooks),
        tuple(offsets[begins[name]] if name in hooks else 0 for name in BUILTIN_CHAINS),
        tuple(offsets[ends[name]] if name in hooks else 0 for name in BUILTIN_CHAINS),
        len(entries),
        offsets[-1],
    )
    return shape, b"".join(entries)


def _rule(layout: Layout, rule: MadeRule) -> bytes:
    padded = rule.matches + bytes(-len(rule.matches) % 8)
    return _entry(layout, _standard(_DROP), padded, (rule.packets, rule.octets))


def _entry(layout: Layout, target: bytes, matches: bytes = b"", counter: tuple[int, int] = (0, 0)) -> bytes:
    size = ENTRY_BYTES[layout]
    head = bytearray(size)
    target_offset = size + len(matches)
    struct.pack_into("=HH", head, layout.offsets, target_offset, target_offset + len(target))
    struct.pack_into("=QQ", head, layout.counters, *counter)
    return bytes(head) + matches + target


def _standard(verdict: int) -> bytes:
    return struct.pack("=H29sBi4x", 40, b"", 0, verdict)


def _error(name: str) -> bytes:
    return struct.pack("=H29sB30s2x", 64, b"ERROR", 0, name.encode())
