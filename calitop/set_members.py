"""The members of one ipset, to be looked through: found by words, asked for an address.

A set may have 100,000 members: what is looked up in is made once, by `prepare` in a thread.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address, ip_network
from typing import Literal

from calitop.errors import SourceUnavailable
from calitop.model.node import IpSet, NodeState
from calitop.model.values import Address
from calitop.path.ipsets import Members, Wanted
from calitop.path.set_words import NotUnderstoodError, member_of

Answer = Literal["in", "excepted", "out"]


@dataclass(frozen=True, slots=True)
class SetAnswer:
    """Whether what was asked for is in the set."""

    answer: Answer | None
    """None where it cannot be told."""
    words: str
    """The same in one sentence."""
    member: str | None = None
    """The member that holds it, by its first dimension, where one does."""


class SetMembers:
    """One set whose members are known.

    Args:
        ipset: The set.
        who: Tells whom an address or range belongs to.
    """

    def __init__(self, ipset: IpSet, who: Callable[[str], str | None] | None = None) -> None:
        self.ipset = ipset
        self.members: Sequence[str] = ipset.members or ()
        self.kinds = tuple(ipset.type.partition(":")[2].split(","))
        self.lists_sets = self.kinds == ("set",)
        self._who = who

    def prepare(self) -> SetMembers:
        """Make now what the first search would wait for."""
        _ = self._texts, self._by_network, self.widest
        return self

    def who(self, place: int) -> str | None:
        """Whom the addresses of a member belong to; None where nobody is known."""
        return self.owners.get(place)

    @cached_property
    def owners(self) -> Mapping[int, str]:
        """Whom the members' addresses belong to, by the member's place, where it is known."""
        if self._who is None:
            return {}
        told = ((place, self._owner(member)) for place, member in enumerate(self.members))
        return {place: owner for place, owner in told if owner}

    @cached_property
    def widest(self) -> int:
        """Characters of the longest member."""
        return max(map(len, self.members), default=0)

    def find(self, words: str) -> Sequence[int]:
        """The places of the members that hold all the words, or whose network holds the address.

        Args:
            words: Separated by blanks; for none all members are found.
        """
        wanted = words.lower().split()
        if not wanted:
            return range(len(self.members))
        texts = self._texts
        found = [place for place, text in enumerate(texts) if wanted[0] in text]
        for word in wanted[1:]:
            found = [place for place in found if word in texts[place]]
        holding = self.holding(wanted[0]) if len(wanted) == 1 else []
        return sorted({*found, *holding}) if holding else found

    def holding(self, word: str) -> list[int]:
        """The places of the members whose first address or network holds the address."""
        address = _address(word.partition(",")[0])
        if address is None or self.kinds[0] not in ("ip", "net"):
            return []
        places = self._by_network
        found = []
        for length in range(address.max_prefixlen, -1, -1):
            network = str(ip_network((address, length), strict=False))
            found += places.get(network.removesuffix(f"/{address.max_prefixlen}"), [])
        return found

    def ask(self, words: str) -> SetAnswer | None:
        """Whether an address, or an element as ipset writes it, is in the set.

        Returns:
            None where the words are nothing that could be in a set of this type.
        """
        element = words.strip()
        if self.lists_sets and _address(element) is not None:
            return SetAnswer(None, f"{element}: the members are sets themselves; look into those")
        wanted = self._wanted(element)
        if wanted is None:
            return None
        family = {4: "inet", 6: "inet6"}
        own = dict(self.ipset.options).get("family", "inet")
        address = _address(element.partition(",")[0])
        if address is not None and self.kinds[0] in ("ip", "net") and family[address.version] != own:
            return SetAnswer("out", f"{element} is not in it: the set is of family {own}")
        return self._answer(element, self._lookups.lookup(wanted), len(element.split(",")))

    def _answer(self, element: str, found: str | None, parts: int) -> SetAnswer:
        held = self._holder(element)
        by = "" if held is None or held == element else f", by {held}"
        if found == "in":
            return SetAnswer("in", f"{element} is in it{by}", held or element)
        if found == "nomatch":
            return SetAnswer("excepted", f"{element} is excepted by a nomatch entry")
        if found == "out":
            return SetAnswer("out", f"{element} is not in it")
        if parts < len(self.kinds):
            rest = ", ".join(self.kinds[parts:])
            words = f"{element}: it depends on the {rest}, which follows a comma ({self.ipset.type})"
            return SetAnswer(None, words, held)
        return SetAnswer(None, f"{element}: not known, entries here cannot be evaluated")

    def _holder(self, element: str) -> str | None:
        """The member with the narrowest network that holds the first part of an element."""
        places = self.holding(element.partition(",")[0])
        return self.members[places[0]] if places else None

    def _wanted(self, element: str) -> tuple[Wanted, ...] | None:
        """What the words offer for each dimension, None for those that they leave open."""
        parts = element.split(",")
        kinds = self.kinds[: len(parts)]
        if not element or " " in element or len(parts) > len(self.kinds) or self.lists_sets:
            return None
        try:
            keys = member_of(element, kinds).keys
        except (NotUnderstoodError, ValueError):
            return None
        offered: list[Wanted] = []
        for kind, part, key in zip(kinds, parts, keys, strict=True):
            if len(key) != 1 or (kind in ("ip", "net") and _address(part) is None):
                return None
            offered.append(_offered(kind, part, key[0]))
        return (*offered, *([None] * (len(self.kinds) - len(parts))))

    def _owner(self, member: str) -> str:
        """Whom a member's addresses and ranges belong to, "" where nobody is known."""
        parts = member.partition(" ")[0].split(",")
        places = (part for kind, part in zip(self.kinds, parts, strict=False) if kind in ("ip", "net"))
        known = (self._who(part) for part in places) if self._who is not None else ()
        return ", ".join(dict.fromkeys(filter(None, known)))

    @cached_property
    def _lookups(self) -> Members:
        return Members(self.ipset, lambda name: None)

    @cached_property
    def _texts(self) -> list[str]:
        """Each member with its owner, in small letters."""
        texts = [member.lower() for member in self.members]
        for place, owner in self.owners.items():
            texts[place] += f" {owner}".lower()
        return texts

    @cached_property
    def _by_network(self) -> Mapping[str, list[int]]:
        """Places by the first address or network of a member."""
        places: defaultdict[str, list[int]] = defaultdict(list)
        for place, member in enumerate(self.members):
            places[member.split(" ", 1)[0].split(",", 1)[0]].append(place)
        return places


def saved_set(state: NodeState, name: str) -> IpSet:
    """A set of a snapshot with its members.

    Raises:
        SourceUnavailable: It is not there, or only its header is.
    """
    found = next((one for one in state.sets if one.name == name), None)
    if found is None:
        raise SourceUnavailable(f"the set '{name}' is not in this snapshot", "save it with: ipset save")
    if found.members is None:
        what = f"of the set '{name}' only the header was saved"
        raise SourceUnavailable(what, "save its members with: ipset save")
    return found


def _address(word: str) -> Address | None:
    try:
        return ip_address(word)
    except ValueError:
        return None


def _offered(kind: str, part: str, key: object) -> Wanted:
    if kind in ("ip", "net"):
        address = _address(part)
        return None if address is None else int(address)
    if kind == "iface":
        return part
    return key if isinstance(key, (int, str, tuple)) else None
