"""Policies of host endpoints against Calico's own tunnel."""

from __future__ import annotations

from collections.abc import Iterator

from calitop.check.evidence import of_chain, of_route
from calitop.check.facts import NodeFacts
from calitop.check.records import Check, Found
from calitop.cni.names import calico_rest

_ALLOW = "Allow IPIP packets"


def _blocks_ipip(facts: NodeFacts) -> Iterator[Found]:
    """A host endpoint's chain for what the host sends, and nothing before it that lets IPIP out."""
    route = next((one for one in facts.unicast if one.dev == "tunl0" and one.gateway), None)
    outputs = [
        key for key in facts.index.chains if calico_rest(key.chain) == "OUTPUT" and _is_filter(key.table)
    ]
    policed = [
        key
        for key in facts.index.chains
        if (calico_rest(key.chain) or "").startswith("th-") and _is_filter(key.table)
    ]
    for key in outputs if route is not None and policed else ():
        if not any(_ALLOW in rule.text for rule in facts.index.chains[key].rules) and route is not None:
            title = f"{policed[0].chain} decides over IPIP to other nodes: no rule lets it out before"
            yield Found(title, (of_chain(key), of_chain(policed[0]), of_route(route)))


def _is_filter(table: str | None) -> bool:
    return table in ("filter", "calico")


CHECKS = (
    Check(
        "host-endpoint-over-ipip",
        "warning",
        ("rules", "routes"),
        "A policy of the host decides whether the tunnel's own packets may leave. Conntrack hides it: once "
        "the other side has sent, packets pass; after a reboot they do not.",
        "Update Calico (it allows IPIP between nodes by itself since Felix 2.6), or allow protocol 4 in the "
        "policy.",
        "projectcalico/calico#1357; projectcalico/felix#1558",
        _blocks_ipip,
    ),
)
