"""Facts of one thing, each as one line of plain words: the same in the detail pane and in `calitop explain`.

What the first screen asks for parses no rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from calitop.cni.index import NodeIndex, RuleRef
from calitop.cni.pods import pod_name
from calitop.cni.set_names import set_purpose
from calitop.formats.spec import spec
from calitop.model.network import IpRule, Link, NextHop, Route
from calitop.model.node import BpfAttachment, Pod
from calitop.model.rules import Chain, ChainKey, MapKey, Rule
from calitop.report.text import plural

PodLine = Literal["pod", "conflict", "source", "remark", "sign"]
"""What a line about a pod is: the pod, sources that disagree or tell so, what was not taken, a sign of it."""


def chain_words(key: ChainKey) -> str:
    """Table and chain, with family and backend where they are not the usual."""
    family = {"ipv4": "", None: ""}.get(key.family, f"{key.family} ")
    return f"{family}{key.table or 'table not told'} {key.chain}"


def chain_title(index: NodeIndex, key: ChainKey) -> str:
    """The chain with what it is for."""
    return _titled(index, key, chain_words(key))


def rule_title(index: NodeIndex, key: ChainKey, at: int | None) -> str:
    """The rule with what its chain is for; None as place for the chain's policy."""
    place = " policy" if at is None else f" rule {_number(index, key, at)}"
    return _titled(index, key, chain_words(key) + place)


def _titled(index: NodeIndex, key: ChainKey, place: str) -> str:
    role = index.role_of_chain(key)
    return place if role.group == "built-in" or not role.words else f"{place}  {role.words}"


def _number(index: NodeIndex, key: ChainKey, at: int) -> str:
    """The rule's number; in a chain that was cut only its place in the text is known."""
    chain = index.chains.get(key)
    number = chain.rules[at].number if chain is not None and at < len(chain.rules) else None
    return f"{at + 1} of the text" if number is None else str(number)


def map_title(index: NodeIndex, key: MapKey) -> str:
    """A named nft set or map."""
    one = index.maps.maps.get(key)
    kind = "set" if one is not None and not one.is_map else "map"
    return f"{kind} {chain_words(key.table.chain(key.name))}"


def interface_title(index: NodeIndex, name: str) -> str:
    """The interface with its pod."""
    pod = index.pod_of_interface(name)
    return f"interface {name}" + (f"  pod {pod_name(pod)}" if pod else "")


def route_title(route: Route) -> str:
    """The route by its destination."""
    return f"route {route.dst}"


def size_words(index: NodeIndex, key: ChainKey, chain: Chain, moved: int | None = None) -> str:
    """How many rules, where it hangs, whose it is, and whether all of it was read.

    Args:
        index: The node.
        key: The chain's key.
        chain: The chain.
        moved: How many of its rules moved since the baseline; None without a baseline.
    """
    if not chain.present:
        return "it is jumped to, but stands nowhere in the text that was read: what it does is not known"
    said = [plural(len(chain.rules), "rule")]
    said += [] if moved is None else [f"{moved} of them moved since the baseline"]
    if chain.hook:
        said.append(f"hook {chain.hook}" + ("" if chain.priority is None else f" priority {chain.priority}"))
    said += [f"backend {key.backend}"] if key.backend else []
    said += [f"family {key.family}"] if key.family else []
    owner = index.owner_of_chain(key)
    said += [f"owner {owner}"] if owner else []
    said += {
        False: ["rules are missing: the text was cut"],
        None: ["the text does not tell whether it is whole"],
    }.get(chain.complete, [])
    return ", ".join(said)


def rule_owner_words(index: NodeIndex, key: ChainKey, rule: Rule) -> str | None:
    """Who wrote the rule, or that somebody else put it into Calico's chain; None where nothing tells."""
    owner = index.owner_of_rule(key, rule)
    if owner is not None:
        return f"owner {owner}"
    if index.owner_of_chain(key) != "calico":
        return None
    if index.is_signed(key):
        return "no hash of Felix: somebody else put it into Calico's chain"
    return "owner not known: no rule of Calico's carries Felix's hash in this text"


def leads(index: NodeIndex, key: ChainKey, rule: Rule) -> Iterator[tuple[ChainKey, str]]:
    """The chains that the rule itself names, each with `jumps to cali-FORWARD` and what it is for.

    Nothing for a rule that follows the verdicts of a named map.
    """
    if index.maps.deciding(key, rule) is not None:
        return
    for name in rule.targets or ((rule.target,) if rule.target else ()):
        target = key._replace(chain=name)
        chain = index.chains.get(target)
        if chain is None:
            continue
        verb = "goes to" if index.maps.verb_to(key, rule, name) == "goto" else "jumps to"
        words = index.role_of_chain(target).words if chain.present else "not in this text"
        yield target, f"{verb} {name}  {words}".rstrip()


def rule_place(index: NodeIndex, ref: RuleRef) -> str:
    """A rule by its chain and number."""
    return f"{chain_words(ref.key)} rule {_number(index, ref.key, ref.index)}"


def caller_words(index: NodeIndex, ref: RuleRef, word: str, called: ChainKey | None = None) -> str:
    """A rule as a place, behind a word; `called` says how that chain is entered from there."""
    chain = index.chains.get(ref.key)
    rule = chain.rules[ref.index] if chain is not None and ref.index < len(chain.rules) else None
    verb = None
    if rule is not None:
        verb = rule.verb if called is None else index.maps.verb_to(ref.key, rule, called.chain)
    place = f"{word} {rule_place(index, ref)}"
    return f"{place} (goto)" if verb == "goto" else place


def sets_named(rule: Rule) -> list[str]:
    """The ipsets that a rule asks or changes, in its order, each once."""
    if "-set " not in rule.text:
        return []
    known = spec(rule)
    # Imported late: nothing on the first screen needs the records of matches.
    from calitop.model.matches import InSet
    from calitop.model.targets import ChangeSet

    asked = [match.name for match in known.find(InSet)]
    changed = [target.action.name for target in known.targets if isinstance(target.action, ChangeSet)]
    return list(dict.fromkeys([*asked, *changed]))


def pod_words(pod: Pod) -> str:
    """The pod with its address and node."""
    known = (pod.ip, f"node {pod.node}" if pod.node else None)
    return "  ".join([f"pod {pod_name(pod)}", *filter(None, known)])


def pod_lines(index: NodeIndex, interface: str) -> Iterator[tuple[PodLine, str]]:
    """The pod behind an interface, where it is known, and which sources tell so or deny it.

    Where nothing tells a pod's name: what is at the other end of the interface.
    """
    pod = index.pod_of_interface(interface)
    if pod is None:
        for sign in index.signs_of_interface(interface):
            yield "sign", f"behind it  {sign.source}  {'  '.join(sign.addresses)}".rstrip()
        return
    yield "pod", pod_words(pod)
    yield from (("conflict", f"sources disagree: {words}") for words in pod.conflicts)
    if pod.known_from:
        told = "; ".join(f"{known.what} from {known.source}" for known in pod.known_from)
        yield "source", f"known: {told}"
    yield from (("remark", f"not taken: {words}") for words in pod.remarks)


def map_words(index: NodeIndex, key: MapKey) -> str:
    """A named nft set or map with its size."""
    one = index.maps.maps[key]
    kind = f"map {one.type}" if one.is_map else f"set of {one.type}"
    purpose = "" if one.is_map else set_purpose(key.name)
    told = f"  {purpose}" if purpose else ""
    return f"{key.name}  {kind}, {len(one.elements):,} elements{told}"


def map_purpose_words(index: NodeIndex, key: MapKey) -> str:
    """What a named nft set is for; "" for a map and where its name does not tell."""
    purpose = "" if index.maps.maps[key].is_map else set_purpose(key.name)
    return f"It holds {purpose}." if purpose else ""


def map_size_words(index: NodeIndex, key: MapKey) -> str:
    """What a named nft set or map holds, whose it is, and whether all of it was read."""
    one = index.maps.maps[key]
    said = [f"{'map' if one.is_map else 'set of'} {one.type}", f"{len(one.elements):,} elements"]
    said += [f"family {key.table.family}"] if key.table.family else []
    if owner := index.owner_of_map(key):
        said.append(f"owner {owner}")
    if one.complete is not True:
        said.append(
            "the text does not tell all its elements" if one.complete is None else "elements are missing"
        )
    return ", ".join(said)


def route_way(route: Route) -> str:
    """How the route goes on: gateway, `on link`, or what it does instead (`blackhole`)."""
    if route.type is None:
        return " or ".join(route.types) or "?"
    if route.type not in ("unicast", "local", "broadcast", "multicast", "anycast"):
        return route.type
    if route.nexthops:
        return f"{len(route.nexthops)} ways"
    if route.gateway:
        return route.gateway
    return "on link" if route.type == "unicast" else route.type


def route_words(route: Route) -> str:
    """The route in the order and the words of `ip route`."""
    words = [route.dst, route_way(route)]
    words += [f"dev {route.dev}"] if route.dev else []
    words += [f"table {route.table}", f"metric {route.metric}"]
    given = (("proto", route.proto), ("scope", route.scope), ("src", route.src), ("tos", route.tos))
    words += [f"{name} {value}" for name, value in given if value]
    words += [f"mtu {route.mtu}"] if route.mtu is not None else []
    words += [f"nhid {route.nhid}"] if route.nhid is not None else []
    return "  ".join([*words, *route.flags])


def hop_words(hop: NextHop) -> str:
    """One of several ways of a route."""
    weight = "" if hop.weight is None else f"  weight {hop.weight}"
    return f"way  {hop.gateway or 'on link'}  dev {hop.dev or '?'}{weight}  {' '.join(hop.flags)}".rstrip()


def link_words(index: NodeIndex, link: Link) -> str:
    """State and settings of an interface in one line."""
    role = index.role_of_link(link)
    known = (
        ("kind", link.kind),
        ("serves as", role if role != link.kind else None),
        ("index", link.index),
        ("mtu", link.mtu),
        ("operstate", link.operstate),
        ("mac", link.mac),
        ("peer", link.peer),
        ("master", link.master),
    )
    state = {True: "up", False: "down", None: "up or down is not told"}[link.up]
    return "  ".join([state, *(f"{name} {value}" for name, value in known if value is not None)])


def link_info_words(link: Link) -> str:
    """Flags and settings of the kind; empty where none are told."""
    return "  ".join([*link.flags, *(f"{name} {value}" for name, value in link.info)])


def attachment_words(one: BpfAttachment) -> str:
    """A BPF program or filter on a device."""
    words = (one.kind, one.direction, one.name, one.text)
    return "BPF or filter: " + " ".join(word for word in words if word)


def interface_chain_words(index: NodeIndex, key: ChainKey) -> str:
    """A chain of an interface's own, with what it is for."""
    return f"chain {chain_words(key)}  {index.role_of_chain(key).words}".rstrip()


def ip_rule_words(rule: IpRule) -> str:
    """The policy rule in the words of `ip rule`."""
    words = [f"{rule.priority}:", *(["not"] if rule.inverted else []), f"from {rule.src or 'all'}"]
    words += [f"to {rule.dst}"] if rule.dst else []
    words += [other for other in rule.other if other.startswith("tos")]
    if rule.fwmark is not None:
        full = rule.fwmask in (None, 0xFFFFFFFF)
        words.append(f"fwmark {rule.fwmark:#x}" + ("" if full else f"/{rule.fwmask:#x}"))
    words += [f"{name} {value}" for name, value in (("iif", rule.iif), ("oif", rule.oif)) if value]
    words += [other for other in rule.other if not other.startswith("tos") and other != "l3mdev"]
    return " ".join([*words, *_ip_rule_action(rule)])


def table_lines(index: NodeIndex, route: Route) -> Iterator[str]:
    """The policy rules that lead to the route's table, but for the kernel's own; or that none does."""
    rules = [rule for rule in index.state.ip_rules if rule.family == route.family]
    leading = [rule for rule in rules if rule.table == route.table]
    for rule in leading:
        owner = index.owner_of_ip_rule(rule)
        if owner != "kernel":
            yield f"asked by policy rule {ip_rule_words(rule)}" + (f"  owner {owner}" if owner else "")
    if rules and not leading and not any("l3mdev" in rule.other for rule in rules):
        yield f"no policy rule that was read leads to table {route.table}"


def _ip_rule_action(rule: IpRule) -> Iterator[str]:
    if rule.action == "goto":
        yield f"goto {rule.goto}"
    elif rule.action != "lookup":
        yield rule.action
    else:
        yield f"lookup {'[l3mdev-table]' if rule.table is None and 'l3mdev' in rule.other else rule.table}"
    if rule.suppress_prefixlength is not None:
        yield f"suppress_prefixlength {rule.suppress_prefixlength}"
    if rule.suppress_ifgroup is not None:
        yield f"suppress_ifgroup {rule.suppress_ifgroup}"
