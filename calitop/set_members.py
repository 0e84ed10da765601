"""The members of one ipset, to be looked through: found by words, asked for an address.

A set may have 100,000 members: what is looked up in is made once, by `prepare` in a thread.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from ipaddress import ip_network

from calitop.cni.address_book import AddressBook
from calitop.cni.index import NodeIndex
from calitop.cni.map_index import native_names
from calitop.errors import CalitopError, SourceUnavailable
from calitop.model.node import IpSet, NodeState
from calitop.model.rules import VerdictMap
from calitop.path.nft_elements import as_ipset
from calitop.set_question import Resolve, SetAnswer, SetQuestion, address_of, nowhere


class SetMembers:
    """One set whose members are known.

    Args:
        ipset: The set.
        who: Tells whom an address or range belongs to.
        resolve: Gives the sets that a set of sets lists.
        is_complete: Whether all its members are known.
    """

    def __init__(
        self,
        ipset: IpSet,
        who: Callable[[str], str | None] | None = None,
        resolve: Resolve = nowhere,
        is_complete: bool = True,
    ) -> None:
        self.ipset = ipset
        self._question = SetQuestion(ipset, resolve, is_complete)
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
        address = address_of(word)
        if address is None or self.kinds[0] not in ("ip", "net"):
            return []
        places = self._by_network
        found = []
        for length in range(address.max_prefixlen, -1, -1):
            network = str(ip_network((address, length), strict=False))
            found += places.get(network.removesuffix(f"/{address.max_prefixlen}"), [])
        return found

    def ask(self, words: str) -> SetAnswer | None:
        """Whether an address, a range, or an element as ipset writes it, is in the set.

        Returns:
            None where the words are nothing that could be in a set of this type.
        """
        return self._question.ask(words)

    def _owner(self, member: str) -> str:
        """Whom a member's addresses and ranges belong to, "" where nobody is known."""
        parts = member.partition(" ")[0].split(",")
        places = (part for kind, part in zip(self.kinds, parts, strict=False) if kind in ("ip", "net"))
        known = (self._who(part) for part in places) if self._who is not None else ()
        return ", ".join(dict.fromkeys(filter(None, known)))

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


def members_of(index: NodeIndex, name: str, read: Callable[[str], IpSet] | None = None) -> SetMembers:
    """A set of the node, ready to be looked through; of a native table it may be `TABLE NAME`.

    Args:
        index: The node.
        name: The set's name; an ipset goes before a native set of the same name.
        read: Reads an ipset of a live node; without it the members are those of the snapshot.

    Raises:
        CalitopError: It is not there, or its members are not known.
    """
    read = read or partial(saved_set, index.state)
    who = AddressBook(index).who
    native = _native(index, name) if not any(one.name == name for one in index.state.sets) else None
    if native is None:
        return SetMembers(read(name), who, partial(_if_known, read))
    found = as_ipset(native)
    if found is None:
        raise SourceUnavailable(f"the native set '{name}' is one of {native.type}, not of addresses")
    return SetMembers(found, who, is_complete=native.complete is True)


def saved_set(state: NodeState, name: str) -> IpSet:
    """An ipset of a snapshot with its members.

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


def _native(index: NodeIndex, name: str) -> VerdictMap | None:
    """A named set of a native table; None where there is none of that name.

    Raises:
        SourceUnavailable: Several tables have one.
    """
    keys = index.maps.sets_called(name)
    if len(keys) > 1:
        told = " or ".join(f"'{native_names(key)[-1]}'" for key in keys)
        raise SourceUnavailable(f"several tables have a set '{name}'", f"say {told}")
    return index.maps.maps[keys[0]] if keys else None


def _if_known(read: Callable[[str], IpSet], name: str) -> IpSet | None:
    try:
        return read(name)
    except SourceUnavailable:
        return None


def with_members(
    state: NodeState, read: Callable[[str], IpSet], names: Container[str] | None = None
) -> NodeState:
    """A live node with the members of sets: a live reading leaves them out.

    Args:
        state: The node as it was read.
        read: Gives a set with its members as they are now; may raise CalitopError. Then the set
            stays without members, so that whoever asks says what was lacking.
        names: Which sets; None for all.
    """

    def filled(ipset: IpSet) -> IpSet:
        if ipset.members is not None or (names is not None and ipset.name not in names):
            return ipset
        try:
            return read(ipset.name)
        except CalitopError:
            return ipset

    return replace(state, sets=tuple(map(filled, state.sets)))
