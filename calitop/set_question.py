"""Whether an address, a range or an element is in an ipset, and which member decides.

What a set holds is decided by `path/ipsets.py`, as for a packet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address, ip_network
from itertools import islice
from typing import Literal, TypeAlias

from calitop.explain.match_words import alternatives
from calitop.model.node import IpSet
from calitop.model.values import Address, Network
from calitop.path.ipsets import Decided, Members, Wanted
from calitop.path.set_words import NotUnderstoodError, member_of
from calitop.report.text import printable

Answer = Literal["in", "excepted", "out", "partly"]
Resolve: TypeAlias = Callable[[str], "IpSet | None"]

_FAMILIES = {4: "inet", 6: "inet6"}
_TOLD = 5
"""Members that are looked at to say what an answer depends on."""


@dataclass(frozen=True, slots=True)
class SetAnswer:
    """Whether what was asked for is in the set."""

    answer: Answer | None
    """`partly` of a range of which only some addresses are in it; None where it cannot be told."""
    words: str
    """The same in one sentence."""
    member: str | None = None
    """The member that decides, in ipset's words; of a set of sets the one that holds it."""

    @property
    def is_in(self) -> bool | None:
        """Whether all of it is in the set; None where that is unknown."""
        return None if self.answer is None else self.answer == "in"


def nowhere(name: str) -> IpSet | None:
    """Of no other set the members are known."""
    return None


class SetQuestion:
    """One set, made ready for questions.

    Args:
        ipset: A set whose members are known.
        resolve: Gives the sets that a set of sets lists; None for one that was not read.
        is_complete: Whether it holds no more than the members given.
    """

    def __init__(self, ipset: IpSet, resolve: Resolve = nowhere, is_complete: bool = True) -> None:
        self._ipset = ipset
        self._resolve = resolve
        self._is_complete = is_complete
        self._kinds = tuple(ipset.type.partition(":")[2].split(","))
        self._family = dict(ipset.options).get("family", "inet")

    def ask(self, words: str) -> SetAnswer | None:
        """The answer for an address, a range (`10.0.0.0/8`) or an element as ipset writes it.

        Returns:
            None where the words are nothing that could be in a set of this type.
        """
        element = words.strip()
        if self._kinds == ("set",):
            return self._of_sets(element)
        found = self._of_range(element) or self._of_element(element)
        if found is not None and not self._is_complete and found.answer in ("out", "partly"):
            return SetAnswer(None, f"{element}: not known, not all its members are told")
        return found

    @cached_property
    def _listed(self) -> dict[str, SetQuestion | None]:
        """The sets that it lists, in order; None for one whose members are not known."""
        found: dict[str, SetQuestion | None] = {}
        for name in (member.split(" ", 1)[0] for member in self._ipset.members or ()):
            listed = self._resolve(name)
            known = listed is not None and listed.members is not None and listed.type != "list:set"
            found[name] = SetQuestion(listed) if listed is not None and known else None
        return found

    @cached_property
    def _members(self) -> Members:
        return Members(self._ipset, lambda name: None)

    # -- one element

    def _of_element(self, element: str) -> SetAnswer | None:
        wanted = self._wanted(element)
        if wanted is None:
            return None
        if self._is_foreign(element):
            return SetAnswer("out", f"{element} is not in it: the set is of family {self._family}")
        decided = self._members.decide(wanted)
        return self._open(element, wanted) if decided is None else _told(element, decided)

    def _is_foreign(self, element: str) -> bool:
        places = zip(self._kinds, element.split(","), strict=False)
        addresses = (_address(part) for kind, part in places if kind in ("ip", "net"))
        return any(one is not None and _FAMILIES[one.version] != self._family for one in addresses)

    def _open(self, element: str, wanted: tuple[Wanted, ...]) -> SetAnswer:
        """What it depends on: the dimensions that were left open, with what the members have there."""
        parts = len(element.split(","))
        if parts == len(self._kinds):
            return SetAnswer(None, f"{element}: not known, entries here cannot be evaluated")
        possible = self._members.possible(wanted)
        rests = dict.fromkeys(_rest(member, parts) for member in islice(possible, _TOLD))
        more = f" and {len(possible) - _TOLD:,} more" if len(possible) > _TOLD else ""
        rest = ", ".join(self._kinds[parts:])
        words = (
            f"{element}: it depends on the {rest}, which follows a comma ({self._ipset.type});"
            f" here with {alternatives(rests)}{more}"
        )
        return SetAnswer(None, words if possible else words.partition(";")[0], next(iter(possible), None))

    def _wanted(self, element: str) -> tuple[Wanted, ...] | None:
        """What the words offer for each dimension, None for those that they leave open."""
        parts = element.split(",")
        kinds = self._kinds[: len(parts)]
        if not element or " " in element or len(parts) > len(self._kinds):
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
        return (*offered, *([None] * (len(self._kinds) - len(parts))))

    # -- a range

    def _of_range(self, element: str) -> SetAnswer | None:
        """The answer changes only where a member begins or ends: one address of each stretch is asked."""
        network = _network(element.partition(",")[0])
        if network is None or self._kinds[0] not in ("ip", "net"):
            return None
        if len(self._kinds) > 1 or "," in element:
            return SetAnswer(None, f"{element}: of a set of several dimensions only addresses are answered")
        if _FAMILIES[network.version] != self._family:
            return SetAnswer("out", f"{element} is not in it: the set is of family {self._family}")
        found = {self._members.decide((number,)) for number in self._stretches(network)}
        if None in found:
            return SetAnswer(None, f"{element}: not known, entries here cannot be evaluated")
        return _of_stretches(element, [one for one in found if one is not None])

    def _stretches(self, network: Network) -> set[int]:
        low, high = int(network.network_address), int(network.broadcast_address)
        edges = (edge for first, last in self._members.spans() for edge in (first, last + 1))
        return {low, *(edge for edge in edges if low < edge <= high)}

    # -- sets of sets

    def _of_sets(self, element: str) -> SetAnswer | None:
        if address_of(element) is None and _network(element) is None:
            return None
        unknown = []
        for name, listed in self._listed.items():
            told = listed.ask(element) if listed is not None else None
            if told is not None and told.answer == "in":
                by = f", by {told.member}" if told.member else ""
                return SetAnswer("in", f"{element} is in it: it is in the set {name}{by}", name)
            if told is None or told.answer in (None, "partly"):
                unknown.append(name if listed is not None else f"{name} (not read)")
        if unknown:
            return SetAnswer(None, f"{element}: not known, it depends on the set {alternatives(unknown)}")
        return SetAnswer("out", f"{element} is not in it: no set that it lists holds it")


def _told(element: str, decided: Decided) -> SetAnswer:
    by = "" if decided.member in (None, element) else f", by {printable(decided.member or '')}"
    if decided.found == "in":
        return SetAnswer("in", f"{element} is in it{by}", decided.member)
    if decided.found == "nomatch":
        return SetAnswer("excepted", f"{element} is not in it: it is excepted{by}", decided.member)
    return SetAnswer("out", f"{element} is not in it")


def _of_stretches(element: str, found: list[Decided]) -> SetAnswer:
    holding = [one.member for one in found if one.found == "in"]
    by = holding[0] if len(set(holding)) == 1 else None
    if len(holding) == len(found):
        told = f", by {printable(by)}" if by not in (None, element) else ""
        return SetAnswer("in", f"all of {element} is in it{told}", by)
    if not holding:
        return SetAnswer("out", f"nothing of {element} is in it")
    some = f"by {printable(by)}" if by else f"by {len(set(holding)):,} members"
    return SetAnswer("partly", f"only some addresses of {element} are in it, {some}", by)


def _rest(member: str, parts: int) -> str:
    """What follows the first dimensions of a member."""
    return printable(",".join(member.split(" ", 1)[0].split(",")[parts:]))


def address_of(element: str) -> Address | None:
    """The address that stands first in an element; None where none does."""
    return _address(element.partition(",")[0])


def _address(word: str) -> Address | None:
    try:
        return ip_address(word)
    except ValueError:
        return None


def _network(word: str) -> Network | None:
    """A range with its length, written with or without bits behind it."""
    try:
        return ip_network(word, strict=False) if "/" in word else None
    except ValueError:
        return None


def _offered(kind: str, part: str, key: object) -> Wanted:
    if kind in ("ip", "net"):
        address = _address(part)
        return None if address is None else int(address)
    if kind == "iface":
        return part
    return key if isinstance(key, (int, str, tuple)) else None
