"""`ip -br link` and `ip -br addr`: name, state, then hardware address and flags, or the addresses.

Source: the `brief` branches of iproute2's ip/ipaddress.c.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from calitop.formats.fragment import Fragment
from calitop.formats.ip_link_words import address_with_length, is_mac, name_peers, split_name
from calitop.formats.reading import Problems, head_lines, numbered, told, whole_number
from calitop.model.network import Link

KIND = "ip -br"

_STATES = "UNKNOWN|NOTPRESENT|DOWN|LOWERLAYERDOWN|TESTING|DORMANT|UP"
_ROW = re.compile(rf"\s?(\S+)\s+({_STATES})(?:\s+(\S.*))?\s*")
_FLAGS = re.compile(r"<([A-Z0-9_,-]*)>")


def looks_like(text: str) -> bool:
    """Whether every one of the first lines is a device with its state."""
    lines = head_lines(text)
    return bool(lines) and all(_ROW.fullmatch(line) for line in lines)


def parse(text: str) -> Fragment:
    """The devices, with addresses or flags as the text has them."""
    problems = Problems()
    links = []
    for number, line in numbered(text):
        match = _ROW.fullmatch(line)
        if match is None:
            problems.add(number, line.strip(), "is not a device with its state")
            continue
        links.append(_link(match[1], match[2], (match[3] or "").split()))
    return Fragment(problems.all(), links=told(name_peers(links), problems), richness=3)


def _link(word: str, state: str, words: Sequence[str]) -> Link:
    name, peer, peer_index = split_name(word)
    flags = next((match[1].split(",") for word in words if (match := _FLAGS.fullmatch(word))), None)
    return Link(
        name,
        flags=tuple(flags or ()),
        up=None if flags is None else "UP" in flags,
        operstate=state,
        mac=next((word for word in words if is_mac(word)), None),
        peer=peer,
        peer_index=peer_index,
        addresses=tuple(_addresses(words)),
    )


def _addresses(words: Sequence[str]) -> list[str]:
    found = []
    for place, word in enumerate(words):
        local, slash, length = word.partition("/")
        after_peer = place > 0 and words[place - 1] == "peer"
        if is_mac(word) or word == "peer" or after_peer or word.startswith("<"):
            continue
        peer = local
        if words[place + 1 : place + 2] == ["peer"] and place + 2 < len(words):
            peer, slash, length = words[place + 2].partition("/")
        bits = whole_number(length) if slash else (128 if ":" in local else 32)
        if bits is not None and (address := address_with_length(local, peer, bits)):
            found.append(address)
    return found
