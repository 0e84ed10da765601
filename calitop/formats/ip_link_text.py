"""`ip [-d] [-s] [-o] link` and `ip addr` as text: a head line a device, details below it.

One grepped head line is enough. Source: print_linkinfo in iproute2's ip/ipaddress.c.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from calitop.formats.fragment import Fragment
from calitop.formats.ip_link_words import (
    KIND_OF_TYPE,
    address_with_length,
    is_mac,
    name_peers,
    split_name,
)
from calitop.formats.reading import Problems, head_lines, numbered, told, whole_number, word_set
from calitop.model.network import Link, LinkCounters

KIND = "ip link"

_HEAD = re.compile(r"\s?(\d{1,10}): (\S+?): <([A-Z0-9_,-]*)>(.*)", re.ASCII)
_ONE_LINE = re.compile(r"\s?(\d{1,10}): (\S+)\s+(inet6?)\s+(\S.*)", re.ASCII)
_DETAIL = re.compile(r"\s+\S|(?:link/|inet6? )\S")
_COUNTED = re.compile(r"(RX|TX)(?: errors)?:\s+(\D.*)")
_WORDS_OF_HEAD = word_set("mtu qdisc master state mode group qlen")
_SETTINGS_END = word_set("addrgenmode numtxqueues")
_SWITCHES = word_set(
    "learning proxy rsc l2miss l3miss udpcsum udp6zerocsumtx udp6zerocsumrx remcsumtx remcsumrx external gbp "
    "gpe pmtudisc ignore-df localbypass iseq oseq icsum ocsum"
)
_PROTOCOLS = word_set("any ipip ip4ip6 ip6ip6 mplsip ip/ipv6 ipv6/ipv6")
_JSON_NAMES = {
    "dstport": "port",
    "srcport": "port_range",
    "udpcsum": "udp_csum",
    "udp6zerocsumtx": "udp_zero_csum6_tx",
    "udp6zerocsumrx": "udp_zero_csum6_rx",
}
_TRUTH = {"on": "true", "off": "false"}
_BELOW_KIND = word_set("bridge_slave bond_slave vrf_slave openvswitch_slave team_slave")
_COUNTERS = {"packets": "packets", "bytes": "bytes", "dropped": "dropped", "errors": "errors"}


def looks_like(text: str) -> bool:
    """Whether the first lines are heads of devices, without addresses below."""
    return _share_of_devices(text) and not has_addresses(text)


def has_addresses(text: str) -> bool:
    """Whether a line names an address of a device."""
    return any(re.match(r"\s+inet6? \S", line) or _ONE_LINE.match(line) for line in head_lines(text))


def looks_like_devices(text: str) -> bool:
    """Whether the text is a listing of devices, with or without addresses."""
    return _share_of_devices(text)


def _share_of_devices(text: str) -> bool:
    lines = head_lines(text)
    heads = sum(1 for line in lines if _HEAD.match(line) or _ONE_LINE.match(line))
    details = sum(1 for line in lines if _DETAIL.match(line))
    return heads > 0 and heads + details >= len(lines) - len(lines) // 4


def parse(text: str) -> Fragment:
    """The devices, and their addresses where the text has them."""
    problems = Problems()
    drafts: list[_Draft] = []
    by_name: dict[str, _Draft] = {}
    for number, line in _lines(text):
        draft = _head(line, by_name)
        if draft is not None:
            if draft.name not in by_name:
                by_name[draft.name] = draft
                drafts.append(draft)
            current = draft
        elif not drafts or not _DETAIL.match(line):
            problems.add(number, line.strip(), "is not about a device")
        elif why := current.read_detail(line.split()):
            problems.add(number, line.strip(), why)
    links = name_peers([draft.link() for draft in drafts])
    return Fragment(problems.all(), links=told(links, problems), richness=5)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines; a line of `-o` is cut where the program put a backslash for a newline."""
    for number, line in numbered(text):
        parts = line.split("\\") if "\\" in line and (_HEAD.match(line) or _ONE_LINE.match(line)) else [line]
        for part in parts:
            if part.strip():
                yield number, part


@dataclass
class _Draft:
    """A device while its lines are read."""

    name: str
    index: int | None
    peer: str | None = None
    peer_index: int | None = None
    flags: tuple[str, ...] | None = None
    kind: str | None = None
    link_type: str | None = None
    mac: str | None = None
    netns: int | None = None
    head: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, None] = field(default_factory=dict)
    counted: dict[str, int | None] = field(default_factory=dict)
    columns: tuple[str, Sequence[str]] | None = None
    bpf: list[str] = field(default_factory=list)
    info: list[tuple[str, str]] = field(default_factory=list)

    def link(self) -> Link:
        """The finished device."""
        return Link(
            self.name,
            self.index,
            self.kind or KIND_OF_TYPE.get(self.link_type or ""),
            whole_number(self.head.get("mtu", "")),
            self.flags or (),
            None if self.flags is None else "UP" in self.flags,
            self.head.get("state"),
            self.mac,
            self.peer,
            self.peer_index,
            self.netns,
            self.head.get("master"),
            tuple(self.addresses),
            LinkCounters(**self.counted),
            tuple(self.bpf),
            tuple(self.info),
        )

    def read_detail(self, words: Sequence[str]) -> str | None:
        """Read one line below the head; the reason where it cannot be read."""
        if self.columns is not None and whole_number(words[0]) is not None:
            self._read_counters(words)
            return None
        self.columns = None
        first = words[0]
        if first.startswith("link/"):
            self._read_link(words)
        elif first in ("inet", "inet6"):
            return self._read_address(words[1:])
        elif _COUNTED.match(" ".join(words)):
            self.columns = (first.rstrip(":").lower(), words[1:])
        elif first.startswith("prog/xdp"):
            self.bpf.append("xdp " + " ".join(words[1:]))
        elif self._is_kind(words):
            self._read_kind(words)
        return None

    def _read_link(self, words: Sequence[str]) -> None:
        self.link_type = words[0].removeprefix("link/")
        if len(words) > 1 and is_mac(words[1]):
            self.mac = words[1]
        for before, after in pairwise(words):
            if before == "link-netnsid":
                self.netns = whole_number(after)
            elif before == "link-netns":
                self.info.append((before, after))

    def _read_address(self, words: Sequence[str]) -> str | None:
        if not words:
            return "the line is cut after 'inet'"
        local, _, length = words[0].partition("/")
        peer = local
        if len(words) > 2 and words[1] == "peer":
            peer, _, length = words[2].partition("/")
        bits = whole_number(length) if length else (128 if ":" in local else 32)
        address = None if bits is None else address_with_length(local, peer, bits)
        if address is None:
            return f"'{words[0]}' is not an address"
        self.addresses[address] = None
        return None

    def _read_counters(self, words: Sequence[str]) -> None:
        assert self.columns is not None
        way, columns = self.columns
        self.columns = None
        for column, word in zip(columns, words, strict=False):
            name = f"{way}_{_COUNTERS.get(column, '')}"
            if column in _COUNTERS and name not in self.counted:
                self.counted[name] = whole_number(word)

    def _is_kind(self, words: Sequence[str]) -> bool:
        """Whether this is the line of `-d` that begins with the kind (`vxlan id 4096 …`)."""
        below = words[0] in _BELOW_KIND or words[0] in ("valid_lft", "altname", "vf", "RX", "TX")
        return self.kind is None and self.link_type is not None and not below and not self.addresses

    def _read_kind(self, words: Sequence[str]) -> None:
        if words[0] in _SETTINGS_END or not re.fullmatch(r"[a-z][a-z0-9_-]*", words[0]):
            return
        self.kind = words[0]
        self.info += _settings(words[1:])


def _settings(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Settings of a kind as pairs, by the names that the JSON form uses."""
    rest = list(words)
    while rest and rest[0] not in _SETTINGS_END:
        name = rest.pop(0)
        base = name.removeprefix("no")
        if base in _SWITCHES or not rest:
            yield _JSON_NAMES.get(base, base), "true" if base == name else "false"
            continue
        if name in _PROTOCOLS:
            yield "proto", name
            continue
        value = rest.pop(0)
        if name == "srcport" and rest and rest[0].isdigit():
            value = f"{value} {rest.pop(0)}"
        yield _JSON_NAMES.get(name, name), _TRUTH.get(value, value)


def _head(line: str, known: dict[str, _Draft]) -> _Draft | None:
    """The device that a line begins, or that a line of `-o` is about."""
    if match := _HEAD.match(line):
        return _from_head(match, known)
    if match := _ONE_LINE.match(line):
        index, word, family, rest = match.groups()
        name, peer, peer_index = split_name(word)
        draft = known.get(name) or _Draft(name, whole_number(index), peer, peer_index)
        draft.read_detail([family, *rest.split()])
        return draft
    return None


def _from_head(match: re.Match[str], known: dict[str, _Draft]) -> _Draft:
    index, word, flags, rest = match.groups()
    name, peer, peer_index = split_name(word)
    draft = known.get(name) or _Draft(name, whole_number(index), peer, peer_index)
    draft.flags = tuple(flag for flag in flags.split(",") if flag)
    words = rest.split()
    for before, after in pairwise(words):
        if before in _WORDS_OF_HEAD:
            draft.head.setdefault(before, after)
    draft.bpf += [word for word in words if word.startswith("xdp") and word not in draft.head.values()]
    return draft
