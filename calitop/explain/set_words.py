"""What an ipset is for, what it holds, and how rules use it.

Source: felix ipsets/ipset_defs.go and rules/rule_defs.go; kube-proxy's ipvs/ipset.go; Cilium's
datapath/iptables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from calitop.cni.index import NodeIndex, RuleRef
from calitop.explain.chain_words import clear_name
from calitop.explain.match_words import SIDES, alternatives
from calitop.formats.spec import spec
from calitop.model.matches import InSet
from calitop.model.node import IpSet
from calitop.model.targets import ChangeSet
from calitop.report.text import plural, printable

_CALICO = re.compile(r"cali[46][0t](.+)")
"""Felix's names: the family, and `t` while it fills the set anew (nft has `-` for `:`)."""
_CALICO_SETS = {
    "all-hosts-net": "the nodes that Calico knows",
    "all-vxlan-net": "the nodes that Calico's VXLAN takes packets from",
    "all-ipam-pools": "all pools of Calico",
    "network-ip-pools": "all pools of Calico",
    "masq-ipam-pools": "the pools of Calico with outgoing NAT",
    "this-host": "this node's own addresses",
}
_CALICO_KINDS = {
    "s": "the pods and networks that a selector of policies chooses",
    "n": "the pods and ports that a named port of policies means",
    "svc": "the addresses and ports of a service that policies name",
    "svcnoport": "the addresses of a service that policies name",
}
_KUBE = re.compile(r"KUBE-(?:6-)?(.+)")
_KUBE_SETS = {
    "CLUSTER-IP": "the cluster addresses and ports of services",
    "LOOP-BACK": "the pods of services, each with itself as the sender",
    "EXTERNAL-IP": "the external addresses and ports of services",
    "EXTERNAL-IP-LOCAL": "the external addresses and ports of services that keep to local pods",
    "LOAD-BALANCER": "the load balancer addresses and ports of services",
    "LOAD-BALANCER-LOCAL": "the load balancer addresses and ports of services that keep to local pods",
    "LOAD-BALANCER-FW": "the load balancer addresses and ports that only some sources may use",
    "LOAD-BALANCER-SOURCE-CIDR": "the ranges that may use a load balancer's address",
    "LOAD-BALANCER-SOURCE-IP": "the addresses that may use a load balancer's address",
    "HEALTH-CHECK-NODE-PORT": "the ports on which services tell their health",
    "IPVS-IPS": "all addresses of services in IPVS",
}
_NODE_PORT = re.compile(r"NODE-PORT-(LOCAL-)?(TCP|UDP|SCTP)(?:-HASH)?")
_CILIUM = re.compile(r"cilium_node_set_v[46]")
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


def set_purpose(name: str) -> str:
    """What a set of that name holds; "" for a name that no program known here gives."""
    if told := _CALICO.fullmatch(name):
        kind, colon, _ = re.sub(r"^(s|n|svc|svcnoport)-", r"\1:", told[1]).partition(":")
        return _CALICO_KINDS.get(kind, "") if colon else _CALICO_SETS.get(told[1], "")
    if told := _KUBE.fullmatch(name):
        port = _NODE_PORT.fullmatch(told[1])
        if port is not None:
            local = " that keep to local pods" if port[1] else ""
            return f"the {port[2]} node ports of services{local}"
        return _KUBE_SETS.get(told[1], "")
    return "the addresses of Cilium's nodes" if _CILIUM.fullmatch(name) else ""


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
