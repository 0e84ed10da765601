"""Whether a packet is in an ipset: members made ready for lookups, all types and directions.

A lookup goes from the longest prefix to the shortest, and the first entry found decides:
one marked `nomatch` makes an exception of a shorter one.

Source: ipset(8); mtype_test_cidrs in the kernel's net/netfilter/ipset/ip_set_hash_gen.h.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Literal, NamedTuple, TypeAlias, cast

from calitop.formats import iptables_values as read
from calitop.model.node import IpSet
from calitop.model.values import Address, NamePattern
from calitop.path.packet import ICMP, ICMPV6, NO_DEVICE, WITH_PORTS, Packet
from calitop.path.set_words import Key, NotUnderstoodError, member_of

Found: TypeAlias = Literal["in", "nomatch", "out"]
"""What a lookup finds: an entry, an exception, nothing."""
Resolve: TypeAlias = "Callable[[str], Members | None]"
Wanted: TypeAlias = "int | str | tuple[int | None, int | None] | None"
"""What a packet offers for one dimension; None, or None inside, is unknown."""


class Decided(NamedTuple):
    """What a lookup finds, and by which entry."""

    found: Found
    member: str | None
    """In ipset's words; None where no entry decides."""


_WIDTH = {"inet": 32, "inet6": 128}
_ANY_PORTED = 6
"""A bitmap:port entry names no protocol; its key is read as TCP's, and so is every packet's."""
_DEEPEST = 8
"""Sets in sets that are followed; the kernel allows one level."""


class Members:
    """The members of one set.

    Args:
        ipset: A set whose members are known.
        resolve: Finds other sets by name, for list:set.
    """

    def __init__(self, ipset: IpSet, resolve: Resolve) -> None:
        self._options = dict(ipset.options)
        self._family = self._options.get("family", "inet")
        self._kinds = tuple(ipset.type.partition(":")[2].split(","))
        self._method = ipset.type.partition(":")[0]
        self._resolve = resolve
        self._listed = tuple(words.split()[0] for words in ipset.members or () if words.split())
        self._entries: dict[tuple[Key, ...], str] = {}
        self._exceptions: set[tuple[Key, ...]] = set()
        self._doubtful: list[str] = []
        if self._kinds != ("set",):
            for words in ipset.members or ():
                self._add(words)
        self._lengths = self._lengths_used()

    def match(self, packet: Packet, directions: tuple[str, ...]) -> Found | None:
        """What a packet finds in the set.

        Args:
            packet: The packet.
            directions: `src` or `dst` for each dimension of the set.

        Returns:
            None where it depends on what is not known of the packet or the set.
        """
        return self._match(packet, directions, 0)

    def lookup(self, wanted: tuple[Wanted, ...]) -> Found | None:
        """What these values find, one per dimension; None where unknown values decide."""
        decided = self.decide(wanted)
        return None if decided is None else decided.found

    def decide(self, wanted: tuple[Wanted, ...]) -> Decided | None:
        """The same with the entry that decides."""
        if self._doubtful or "bitmask" in self._options:
            return None
        masked = self._all_masked(wanted)
        if not all(map(_is_known, masked)):
            return None if any(self._could_be(keys, masked) for keys in self._entries) else _OUT
        return self._of_device(masked) if "iface" in self._kinds else self._first(masked)

    def possible(self, wanted: tuple[Wanted, ...]) -> list[str]:
        """The entries that may decide, as far as these values tell, in their order."""
        masked = self._all_masked(wanted)
        fitting = (words for keys, words in self._entries.items() if self._could_be(keys, masked))
        return list(dict.fromkeys(fitting))

    def spans(self) -> list[tuple[int, int]]:
        """First and last address of each entry of a set of one dimension, of addresses or networks."""
        width = _WIDTH[self._family]
        least = width - (read.number(self._options.get("netmask", str(width))) or 0)
        found = []
        for (key,) in self._entries:
            length, number = cast(tuple[int, int], key)
            found.append((number, number | (1 << max(least, width - length)) - 1))
        return found

    def _all_masked(self, wanted: tuple[Wanted, ...]) -> tuple[Wanted, ...]:
        return tuple(self._masked(kind, value) for kind, value in zip(self._kinds, wanted, strict=True))

    # -- preparing

    def _add(self, words: str) -> None:
        try:
            member = member_of(words, self._kinds)
        except (NotUnderstoodError, ValueError):
            self._doubtful.append(words)
            return
        if member.has_physdev or not self._is_of_family(words):
            self._doubtful.append(words)
            return
        for keys in product(*member.keys):
            self._entries[keys] = words
            if member.nomatch:
                self._exceptions.add(keys)
            else:
                self._exceptions.discard(keys)

    def _is_of_family(self, words: str) -> bool:
        """Whether its addresses are of the set's family; ipset takes no others, a text may hold them."""
        parts = zip(self._kinds, words.split(" ", 1)[0].split(","), strict=False)
        is_v6 = self._family == "inet6"
        return all((":" in part) == is_v6 for kind, part in parts if kind in ("ip", "net"))

    def _lengths_used(self) -> tuple[tuple[int, ...], ...]:
        """Per dimension the prefix lengths that occur, longest first."""
        found: list[set[int]] = [set() for _ in self._kinds]
        for keys in self._entries:
            for place, (kind, key) in enumerate(zip(self._kinds, keys, strict=True)):
                if kind in ("ip", "net") and isinstance(key, tuple):
                    found[place].add(int(key[0]))
        return tuple(tuple(sorted(lengths, reverse=True)) for lengths in found)

    # -- asking

    def _match(self, packet: Packet, directions: tuple[str, ...], depth: int) -> Found | None:
        if self._kinds == ("set",):
            return self._match_listed(packet, directions, depth)
        if len(directions) < len(self._kinds):
            return "out"
        wanted = []
        for kind, direction in zip(self._kinds, directions, strict=False):
            offered = self._offered(packet, kind, direction == "src")
            if offered == _NOTHING:
                return "out"
            wanted.append(offered)
        return self.lookup(tuple(wanted))

    def _match_listed(self, packet: Packet, directions: tuple[str, ...], depth: int) -> Found | None:
        unknown = False
        for name in self._listed:
            members = self._resolve(name) if depth < _DEEPEST else None
            found = members._match(packet, directions, depth + 1) if members is not None else None
            if found == "in":
                return "in"
            unknown = unknown or found is None
        return None if unknown else "out"

    def _offered(self, packet: Packet, kind: str, is_src: bool) -> Wanted:
        if kind in ("ip", "net"):
            return self._address(packet.src if is_src else packet.dst, packet)
        if kind == "port":
            return self._port(packet, is_src)
        if kind == "mark":
            return packet.mark.number
        if kind == "iface":
            device = packet.iif if is_src else packet.oif
            return _NOTHING if device == NO_DEVICE else device
        if kind == "mac":
            return self._mac(packet, is_src)
        return None

    def _address(self, address: Address | None, packet: Packet) -> Wanted:
        if packet.family != ("ipv4" if self._family == "inet" else "ipv6"):
            return _NOTHING
        return None if address is None else int(address)

    def _port(self, packet: Packet, is_src: bool) -> Wanted:
        protocol = packet.protocol
        if packet.fragment:
            return _NOTHING
        if self._method == "bitmap" and protocol is not None and protocol not in (6, 17):
            return _NOTHING
        if protocol in (ICMP, ICMPV6):
            known = packet.icmp_type is not None and packet.icmp_code is not None
            return protocol, (packet.icmp_type or 0) << 8 | (packet.icmp_code or 0) if known else None
        if protocol is not None and protocol not in WITH_PORTS - {33}:
            return protocol, 0
        return protocol, packet.sport if is_src else packet.dport

    def _mac(self, packet: Packet, is_src: bool) -> Wanted:
        if packet.iif == NO_DEVICE:
            return _NOTHING
        return packet.mac_source if is_src or self._method == "bitmap" else None

    def _masked(self, kind: str, value: Wanted) -> Wanted:
        if kind == "ip" and isinstance(value, int) and "netmask" in self._options:
            length = read.number(self._options["netmask"]) or 0
            width = _WIDTH[self._family]
            return value >> (width - length) << (width - length)
        if kind == "mark" and isinstance(value, int) and "markmask" in self._options:
            return value & (read.number(self._options["markmask"]) or 0)
        if (
            kind == "port"
            and isinstance(value, tuple)
            and value[0] in WITH_PORTS
            and self._method == "bitmap"
        ):
            return _ANY_PORTED, value[1]
        return value

    def _first(self, wanted: tuple[Wanted, ...]) -> Decided:
        """The entry found first, going from long prefixes to short ones."""
        for keys in product(*(self._candidates(place, value) for place, value in enumerate(wanted))):
            if keys in self._entries:
                return self._decided(keys)
        return _OUT

    def _of_device(self, wanted: tuple[Wanted, ...]) -> Decided:
        """As `_first` for net,iface: only entries of the longest prefix that holds the address count.

        The kernel stops there even where all of them name other devices (`multi` in mtype_test_cidrs).
        """
        address = (wanted[0], None)
        holding = [keys for keys in self._entries if self._could_be(keys, address)]
        longest = max((cast(tuple[int, int], keys[0])[0] for keys in holding), default=0)
        for keys in holding:
            if cast(tuple[int, int], keys[0])[0] == longest and self._could_be(keys, wanted):
                return self._decided(keys)
        return _OUT

    def _decided(self, keys: tuple[Key, ...]) -> Decided:
        return Decided("nomatch" if keys in self._exceptions else "in", self._entries[keys])

    def _candidates(self, place: int, value: Wanted) -> Iterator[Key]:
        if self._kinds[place] not in ("ip", "net"):
            yield cast(Key, value)
            return
        width = _WIDTH[self._family]
        number = value if isinstance(value, int) else 0
        for length in self._lengths[place]:
            yield length, number >> (width - length) << (width - length)

    def _could_be(self, keys: tuple[Key, ...], wanted: tuple[Wanted, ...]) -> bool:
        """Whether the unknown values can be such that they fit this entry."""
        return all(
            self._fits(kind, key, value) for kind, key, value in zip(self._kinds, keys, wanted, strict=True)
        )

    def _fits(self, kind: str, key: Key, value: Wanted) -> bool:
        if value is None:
            return True
        if kind in ("ip", "net") and isinstance(key, tuple) and isinstance(value, int):
            shift = _WIDTH[self._family] - int(key[0])
            return value >> shift << shift == key[1]
        if isinstance(value, tuple) and isinstance(key, tuple):
            return all(part is None or part == own for part, own in zip(value, key, strict=True))
        if isinstance(key, NamePattern):
            return key.fits(str(value))
        return key == value


_OUT = Decided("out", None)
_NOTHING: Wanted = (-1, -1)
"""The packet has nothing of that kind, so no entry fits."""


def _is_known(value: Wanted) -> bool:
    return value is not None and (not isinstance(value, tuple) or None not in value)
