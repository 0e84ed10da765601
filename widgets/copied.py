"""A selected thing as text to paste: in the words of the program that shows or makes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from calitop.explain.plain_facts import chain_words
from calitop.model.network import Route
from calitop.model.rules import Chain, ChainKey, Rule
from widgets.facts import Fact
from widgets.view import ChainId, LinkId, MapId, RouteId, RuleId, SetId, Subject, View

_NFT_FAMILY = {"ipv4": "ip", "ipv6": "ip6"}


class Copied(NamedTuple):
    """What was copied, in a few words, and the text."""

    what: str
    text: str


def copied(view: View, subject: Subject, route: Route | None, facts: Sequence[Fact]) -> Copied:
    """The thing itself, without what it leads to.

    Args:
        view: The node shown.
        subject: What is selected.
        route: The route itself, when one is selected.
        facts: What the detail pane says; of things that no program shows in one line, this is the text.
    """
    if isinstance(subject, RouteId) and route is not None:
        return Copied(f"route {route.dst}", "\n".join(route_lines(route)))
    if isinstance(subject, RuleId):
        return _rule(view, subject)
    if isinstance(subject, ChainId):
        chain = view.chains.get(subject.key)
        lines = () if chain is None else chain_lines(subject.key, chain)
        return Copied(f"chain {chain_words(subject.key)}", "\n".join(lines))
    own = "\n".join(fact.text for fact in facts if fact.target is None)
    if isinstance(subject, LinkId):
        return Copied(f"interface {subject.link}", f"{subject.link}\n{own}")
    if isinstance(subject, MapId):
        return Copied(f"nft set or map {subject.key.name}", own)
    if isinstance(subject, SetId):
        return Copied(f"set {subject.ipset}", "\n".join(fact.text for fact in facts))
    return Copied("nothing", "")


def route_lines(route: Route) -> Iterator[str]:
    """The route as `ip route` prints it; one of several ways has a line for each."""
    kind = "" if route.type in (None, "unicast") else f"{route.type} "
    given = (
        ("via", route.gateway),
        ("dev", route.dev),
        ("table", None if route.table == "main" else route.table),
        ("proto", route.proto),
        ("scope", route.scope),
        ("src", route.src),
        ("tos", route.tos),
        ("metric", route.metric or None),
        ("mtu", route.mtu),
        ("nhid", route.nhid),
    )
    words = [f"{name} {value}" for name, value in given if value is not None]
    yield " ".join([kind + route.dst, *words, *route.flags, *route.other])
    for hop in route.nexthops:
        way = (("via", hop.gateway), ("dev", hop.dev), ("weight", hop.weight))
        yield "\t" + " ".join(["nexthop", *(f"{name} {value}" for name, value in way if value), *hop.flags])


def _rule(view: View, place: RuleId) -> Copied:
    chain, rule = view.chains.get(place.key), view.rule(place)
    if rule is None:
        policy = "" if chain is None or chain.policy is None else policy_command(place.key, chain.policy)
        return Copied(f"policy of {chain_words(place.key)}", policy)
    number = "" if rule.number is None else f" {rule.number}"
    return Copied(f"rule {chain_words(place.key)}{number}", rule_command(place.key, rule))


def _iptables(key: ChainKey) -> str:
    program = "ip6tables" if key.family == "ipv6" else "iptables"
    return program if key.table is None else f"{program} -t {key.table}"


def _nft_table(key: ChainKey) -> str:
    family = _NFT_FAMILY.get(key.family or "", key.family or "")
    return f"{family} {key.table or ''}".strip()


def rule_command(key: ChainKey, rule: Rule) -> str:
    """The command that would append the rule."""
    if rule.language == "nft":
        return f"nft add rule {_nft_table(key)} {key.chain} {rule.text}"
    return f"{_iptables(key)} {rule.text}"


def policy_command(key: ChainKey, policy: str) -> str:
    """The command that would set the policy."""
    if key.backend == "native":
        return f"nft chain {_nft_table(key)} {key.chain} {{ policy {policy.lower()} ; }}"
    return f"{_iptables(key)} -P {key.chain} {policy}"


def chain_lines(key: ChainKey, chain: Chain) -> Iterator[str]:
    """The chain as `iptables-save` or `nft list chain` prints it."""
    if key.backend == "native":
        yield f"table {_nft_table(key)} {{"
        yield f"\tchain {key.chain} {{"
        yield from (f"\t\t{rule.text}" for rule in chain.rules)
        yield from ("\t}", "}")
        return
    if key.table is not None:
        yield f"*{key.table}"
    packets, octets = chain.packets or 0, chain.bytes or 0
    yield f":{key.chain} {chain.policy or '-'} [{packets}:{octets}]"
    yield from (rule.text for rule in chain.rules)
