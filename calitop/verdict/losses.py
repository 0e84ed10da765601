"""Every place on a node at which packets went missing, with what proves it."""

from __future__ import annotations

from collections.abc import Iterator

from calitop.formats.spec import comments
from calitop.hits.flow import Flow
from calitop.hits.moved import Moved, NodeHits
from calitop.model.network import IpFamily
from calitop.model.place import Where
from calitop.verdict.gauges import Gauges
from calitop.verdict.kernel_losses import by_conntrack, by_routing
from calitop.verdict.loss import Loss
from calitop.verdict.marks import endpoint_mark_words
from calitop.verdict.unseen import by_devices, by_unread_rules
from calitop.verdict.words import packets_words, place_words, signed


def losses_of(node: NodeHits, flow: Flow | None, expected: int | None) -> list[Loss]:
    """The places on a node; those that cannot be of the flow are left out.

    Args:
        node: What moved there.
        flow: The flow that is asked for.
        expected: How many packets were sent, where known.
    """
    families: tuple[IpFamily, ...] = (flow.family,) if flow else ("ipv4", "ipv6")
    found: dict[Where, Loss] = {}
    for family in families:
        for loss in _of_family(node, Gauges(node, family), flow, expected):
            found.setdefault(loss.where, loss)  # tables of both families are met twice
    for loss in by_devices(node, flow, expected):
        found.setdefault(loss.where, loss)
    return [loss for loss in found.values() if loss.flow is not False and loss.packets > 0]


def _of_family(node: NodeHits, gauges: Gauges, flow: Flow | None, expected: int | None) -> Iterator[Loss]:
    for each in gauges.losing:
        yield _rule_loss(node, each)
    yield from by_conntrack(node, gauges, expected)
    yield from by_routing(node, gauges, flow, expected)
    yield from by_unread_rules(node, gauges)


def _rule_loss(node: NodeHits, each: Moved) -> Loss:
    chain = node.index.chains[each.key]
    rule = None if each.index is None else chain.rules[each.index]
    where = Where.of_chain(
        node.name, "policy" if rule is None else "rule", each.key, rule.number if rule else None
    )
    packets = each.packets
    remark = next((text for text in comments(rule) if not text.startswith("cali:")), None) if rule else None
    took = "rejected" if rule is not None and rule.target == "REJECT" else "dropped"
    name = place_words(where, remark, chain.policy if rule is None else None)
    marks = endpoint_mark_words(node, each.key)
    return Loss(
        where=where,
        packets=packets,
        proven=each.delta.exact,
        says=f"{name} {took} {packets_words(packets)}" + (f": {marks}" if marks else ""),
        evidence=(f"{node.name}: {name} {signed(packets)}" + ("" if each.delta.exact else " or more"),),
        flow=each.flow,
        ways=each.ways,
        condition="its packets are those of the flow: it rises by as many as are sent when another number is",
    )
