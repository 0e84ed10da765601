"""What the names mean that are painted: kinds of chains, bits of marks, sets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from calitop.cni.names import calico_rest, chain_role
from calitop.explain.plain_facts import sets_named
from calitop.formats.spec import spec
from calitop.model.rules import BUILTIN_CHAINS, Rule
from widgets.chain_tree import ChainTree
from widgets.facts import Fact, set_fact
from widgets.signs import Signs
from widgets.view import View
from widgets.virtual_rows import VirtualRows

_CHAIN = re.compile(
    r"(?<![\w.-])(?:(?:filter|nat|mangle|raw)-)?"
    r"(?:cali-[\w.+-]+|felix-[\w.+-]+|KUBE-[\w-]+|(?:OLD_)?CILIUM_\w+|DOCKER[\w-]*|FLANNEL-[\w-]+)"
)
_NUMBER = re.compile(r"\b0x[0-9a-f]+\b")
_WHOLE = 0xFFFFFFFF
_OF_MANY = re.compile(r"(?:[ft]w|sm|p[io]|g[io]|pr[io]|[ft]hfw|[ft]h)-")
"""Beginnings of Calico's names that many chains share, one for each workload, policy or profile."""

OTHERS = (
    ("KUBE-SERVICES", "finds a service by its address and port"),
    ("KUBE-EXTERNAL-SERVICES", "services as they are reached from outside the cluster"),
    ("KUBE-NODEPORTS", "finds a service by its node port"),
    ("KUBE-SVC-", "a service: picks one of its endpoints"),
    ("KUBE-SVL-", "a service with the endpoints of this node alone"),
    ("KUBE-EXT-", "a service as it is reached from outside"),
    ("KUBE-SEP-", "one endpoint of a service: DNAT to its pod"),
    ("KUBE-FW-", "who may reach a load balancer's service"),
    ("KUBE-XLB-", "a load balancer's service with the endpoints of this node"),
    ("KUBE-PROXY-FIREWALL", "who may reach the load balancers"),
    ("KUBE-FIREWALL", "kubelet's: drops what is marked for it"),
    ("KUBE-FORWARD", "lets through what kube-proxy has marked or seen"),
    ("KUBE-MARK-MASQ", "sets the mark that asks for masquerade"),
    ("KUBE-MARK-DROP", "sets the mark that asks for a drop"),
    ("KUBE-POSTROUTING", "masquerades what is marked for it"),
    ("OLD_CILIUM_", "left over from a former start of Cilium's agent"),
    ("CILIUM_", "Cilium's rules for that hook"),
    ("DOCKER-USER", "left to the operator by Docker"),
    ("DOCKER", "Docker's own rules"),
    ("FLANNEL-", "flannel's own rules"),
)
"""Sources: kube-proxy `pkg/proxy/iptables/proxier.go`, kubelet `kubelet_network_linux.go`, Cilium
`pkg/datapath/iptables`, Docker `bridge/setup_ip_tables_linux.go`, flannel `pkg/trafficmngr`."""


def names_on(panes: Sequence[VirtualRows], view: View | None, signs: Signs) -> Iterator[Fact]:
    """Name, tab and meaning of everything that the panes show by name."""
    texts = ["".join(piece.text for piece in row) for pane in panes for row in pane.painted()]
    yield from _chains(texts, signs)
    trees = [pane for pane in panes if isinstance(pane, ChainTree)]
    rules = [rule for tree in trees for line in tree.visible_lines() if (rule := tree.row(line).rule)]
    if view is None or not view.index.is_prepared:
        return
    shown = "\n".join(texts)
    yield from _marks(rules, shown, view)
    for name in dict.fromkeys(name for rule in rules for name in sets_named(rule) if name in shown):
        means = set_fact(view, name, signs).text.removeprefix(f"set {name}").strip()
        yield Fact(f"{name}\ta set: {means}")


def _chains(texts: Sequence[str], signs: Signs) -> Iterator[Fact]:
    """Each kind of chain once, by the first name of it."""
    found: dict[str, Fact] = {}
    for text in texts:
        for match in _CHAIN.finditer(text):
            told = _kind_of(match[0], signs)
            if told is not None:
                found.setdefault(told.text.partition("\t")[2], told)
    yield from found.values()


def _kind_of(name: str, signs: Signs) -> Fact | None:
    """What chains of such a name are for; None where the name does not tell."""
    rest, role = calico_rest(name), chain_role(name)
    if rest is None:
        start, means = next((one for one in OTHERS if name.startswith(one[0])), ("", ""))
        return Fact(f"{start}{signs.cut if start[-1:] in '-_' else ''}\t{means}") if start else None
    if role.words:
        shared = _OF_MANY.match(rest)
        kind = name if shared is None else name.removesuffix(rest) + shared[0] + signs.cut
        means = role.words.replace("the same", "finds the host endpoint's chain")
        return Fact(f"{kind}\t{means}", "calico")
    hook = rest if rest in BUILTIN_CHAINS else None
    return Fact(f"{name}\tCalico's part of {hook}", "calico") if hook else None


def _marks(rules: Sequence[Rule], shown: str, view: View) -> Iterator[Fact]:
    """Bits of the packet mark that the rules ask or set as a whole, where their number is to be read."""
    readable = {int(number, 16) for number in _NUMBER.findall(shown)}
    asked = {bits for rule in rules for value, bits in _bits_of(rule) if readable & {value, bits}}
    for means, bits in view.index.marks.parts():
        if any(not bits & ~mask for mask in asked):
            yield Fact(f"{bits:#x}\tmark: {means}")
    mask = view.index.marks.endpoint or 0
    for value, interface in view.index.marks.endpoints:
        if value in readable and any(mask & one for one in asked):
            yield Fact(f"{value:#x}\tendpoint mark of {interface}")


def _bits_of(rule: Rule) -> Iterator[tuple[int, int]]:
    """Value and mask of each packet mark that the rule asks or changes."""
    from calitop.model.matches import Mark
    from calitop.model.targets import SetMark

    known = spec(rule)
    changes = [target.action for target in known.targets if isinstance(target.action, SetMark)]
    marks: list[Mark | SetMark] = [*known.find(Mark), *changes]
    for one in marks:
        if one.of == "packet":
            yield one.value, one.value or one.mask if one.mask in (0, _WHOLE) else one.mask
