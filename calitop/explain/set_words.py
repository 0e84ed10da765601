"""What an ipset is for, what it holds, and how rules use it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from calitop.cni.index import NodeIndex, RuleRef
from calitop.cni.set_names import set_purpose
from calitop.explain.chain_words import clear_name
from calitop.explain.match_words import SIDES, alternatives
from calitop.formats.spec import spec
from calitop.model.matches import InSet
from calitop.model.node import IpSet
from calitop.model.rules import MapKey
from calitop.model.targets import ChangeSet
from calitop.report.text import plural, printable

_KINDS = {
    "ip": "an address",
    "net": "an address or range",
    "port": "a port",
    "mac": "a hardware address",
    "mark": "a mark",
    "iface": "an interface",
    "set": "another set",
}
_SIDE_KINDS = {"ip": "address", "net": "address", "mac": "hardware address", "iface": "device"}
_MOST = 200
"""Rules whose use is told; of more only the number."""


@dataclass(frozen=True, slots=True)
class SetUse:
    """One rule that names the set."""

    ref: RuleRef
    words: str
    """`the source is in it`, `its destination is put into it`."""


@dataclass(frozen=True, slots=True)
class SetWords:
    """One ipset in words; lines of plain text, "" where nothing is known."""

    purpose: str
    """What is in it (`the nodes that Calico knows`)."""
    kind: str
    """`each member joins an address and a port (hash:ip,port)`."""
    size: int | None
    """Members; None where not even the header was read."""
    policies: tuple[str, ...]
    """The policies and profiles whose rules ask it, by their clear names."""
    uses: tuple[SetUse, ...]
    """The rules that name it, 200 at most."""
    users: int
    """How many rules name it."""
    collect: str
    """What to read where the members are not known; "" where they are."""

    @property
    def holds(self) -> str:
        """What is in it as a sentence; "" where its name tells nothing."""
        return f"It holds {self.purpose}." if self.purpose else ""

    def lines(self) -> tuple[str, ...]:
        """What is known without the rules, line by line."""
        asked = f"asked by the policies {alternatives(self.policies)}" if self.policies else ""
        return tuple(line for line in (self.holds, self.kind, asked, self.collect) if line)


def explain_set(index: NodeIndex, name: str) -> SetWords:
    """The set in words, whether it was read or only rules name it.

    Args:
        index: The node.
        name: An ipset's name; of a native set its name, also behind its table (`calico cali40this-host`).
            Of several native sets of one name the first is told.
    """
    native = next(iter(index.maps.sets_called(name)), None)
    if native is not None and name not in index.sets_by_name:
        return _explain_native(index, native)
    found = index.sets_by_name.get(name)
    refs = index.sets.users(name)
    kinds = _kinds(found)
    return SetWords(
        purpose=set_purpose(name),
        kind=_kind_words(found, kinds),
        size=None if found is None else found.size if found.members is None else len(found.members),
        policies=_policies(index, refs),
        uses=tuple(use for ref in islice(refs, _MOST) for use in _uses(index, ref, name, kinds)),
        users=len(refs),
        collect=_collect(found, name),
    )


def _explain_native(index: NodeIndex, key: MapKey) -> SetWords:
    """A named set of a native table."""
    found = index.maps.maps[key]
    refs = index.maps.users(key)
    return SetWords(
        purpose=set_purpose(key.name),
        kind=f"a set of {found.type} in the native table {printable(str(key.table.table))}",
        size=len(found.elements) if found.complete is True else None,
        policies=_policies(index, refs),
        uses=tuple(use for ref in islice(refs, _MOST) for use in _native_uses(index, ref, key.name)),
        users=len(refs),
        collect="" if found.complete is True else "not all its elements are told: nft list ruleset",
    )


def _native_uses(index: NodeIndex, ref: RuleRef, name: str) -> Iterator[SetUse]:
    asked = [one for one in spec(index.chains[ref.key].rules[ref.index]).find(InSet) if one.name == name]
    for one in asked:
        is_told = bool(one.directions)
        verb = "is not in it" if one.negated else "is in it"
        yield SetUse(ref, _asked_words(one, ()) if is_told else f"{_fields(one)} {verb}")
    if not asked:
        yield SetUse(ref, "looked into, or filled")


def _fields(match: InSet) -> str:
    """What a native rule looks up, in its own words (`ip saddr . tcp dport`)."""
    return printable(" ".join(word for word in match.words if word not in ("!=", "==") and word[:1] != "@"))


def _policies(index: NodeIndex, refs: Sequence[RuleRef]) -> tuple[str, ...]:
    names = (clear_name(index, ref.key) for ref in islice(refs, _MOST))
    return tuple(map(printable, dict.fromkeys(filter(None, names))))


def _kinds(found: IpSet | None) -> tuple[str, ...]:
    return () if found is None else tuple(found.type.partition(":")[2].split(","))


def _kind_words(found: IpSet | None, kinds: tuple[str, ...]) -> str:
    if found is None:
        return ""
    *others, last = (_KINDS.get(kind, kind) for kind in kinds)
    words = f"joins {', '.join(others)} and {last}" if others else f"is {last}"
    return f"each member {words} ({found.type})"


def _uses(index: NodeIndex, ref: RuleRef, name: str, kinds: tuple[str, ...]) -> Iterator[SetUse]:
    rule = index.chains[ref.key].rules[ref.index]
    known = spec(rule)
    asked = (one for one in known.find(InSet) if one.name == name)
    yield from (SetUse(ref, _asked_words(one, kinds)) for one in asked)
    for target in known.targets:
        if isinstance(target.action, ChangeSet) and target.action.name == name:
            verb = "put into it" if target.action.add else "taken out of it"
            yield SetUse(ref, f"the {_dimensions(target.action.directions, kinds)} is {verb}")


def _asked_words(match: InSet, kinds: tuple[str, ...]) -> str:
    verb = "is" if len(match.directions) < 2 else "are"
    return f"the {_dimensions(match.directions, kinds)} {verb} {'not ' if match.negated else ''}in it"


def _dimensions(directions: tuple[str, ...], kinds: tuple[str, ...]) -> str:
    """`source`, `destination address and destination port`."""
    if len(directions) == 1:
        return SIDES.get(directions[0], directions[0])
    known = (*kinds, *([""] * len(directions)))
    sides = zip(directions, known, strict=False)
    told = [f"{SIDES.get(one, one)} {_SIDE_KINDS.get(kind, kind)}".strip() for one, kind in sides]
    return " and ".join(filter(None, (", ".join(told[:-1]), *told[-1:]))) or "packet"


def _collect(found: IpSet | None, name: str) -> str:
    if found is not None and found.members is not None:
        return ""
    what = "it was not read" if found is None else "its members were not read"
    return f"{what}: ipset save {printable(name)}"


def use_words(words: SetWords) -> str:
    """How many rules name it."""
    if not words.users:
        return "no rule names it"
    return f"{plural(words.users, 'rule')} name{'s' if words.users == 1 else ''} it"
