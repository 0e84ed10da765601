"""What an ipset is for, what it holds, and how rules use it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from calitop.cni.index import NodeIndex, RuleRef
from calitop.cni.set_names import set_purpose
from calitop.explain.chain_words import clear_name
from calitop.explain.match_words import SIDES, alternatives
from calitop.formats.spec import spec
from calitop.model.matches import InSet
from calitop.model.node import IpSet
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

    def lines(self) -> tuple[str, ...]:
        """What is known without the rules, line by line."""
        said = f"It holds {self.purpose}." if self.purpose else ""
        asked = f"asked by the policies {alternatives(self.policies)}" if self.policies else ""
        return tuple(line for line in (said, self.kind, asked, self.collect) if line)


def explain_set(index: NodeIndex, name: str) -> SetWords:
    """The set in words, whether it was read or only rules name it."""
    found = index.sets_by_name.get(name)
    refs = index.sets.users(name)
    kinds = _kinds(found)
    names = dict.fromkeys(filter(None, (clear_name(index, ref.key) for ref in islice(refs, _MOST))))
    return SetWords(
        purpose=set_purpose(name),
        kind=_kind_words(found, kinds),
        size=None if found is None else found.size if found.members is None else len(found.members),
        policies=tuple(map(printable, names)),
        uses=tuple(use for ref in islice(refs, _MOST) for use in _uses(index, ref, name, kinds)),
        users=len(refs),
        collect=_collect(found, name),
    )


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
    return f"{plural(words.users, 'rule')} name{'s' if words.users == 1 else ''} it"
