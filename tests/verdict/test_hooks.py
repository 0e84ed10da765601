"""What moved hook by hook: nothing lost, nothing doubled, numbers only where they are certain."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from calitop.hits.flow import flow_between
from calitop.hits.moved import NodeHits, node_hits
from calitop.model.network import IpRule, Link
from calitop.snapshot.open import open_snapshots
from calitop.verdict.answer import answer
from calitop.verdict.hooks import by_hook
from calitop.verdict.legs import legs
from tests.verdict.nodes import BEFORE, NETSTAT, counted, hits

FAULTS = Path(__file__).parents[2] / "snapshots" / "faults"
SRC, DST = ip_address("10.222.2.82"), ip_address("10.222.219.6")


def nodes_of(fault: str) -> dict[str, NodeHits]:
    """What moved on both nodes of a bundled fault."""
    opened = open_snapshots([str(FAULTS / fault)])
    return {node.name or "": node_hits(node.name or "", *node.moments) for node in opened}


@pytest.mark.parametrize("fault", ["rpf-tunl0-1", "identity-mark"])
def test_every_place_stands_below_one_hook_in_the_same_order(fault: str) -> None:
    """Headings cut the order of reports, and change nothing of it."""
    for node in nodes_of(fault).values():
        cut = [each for hook in by_hook(node, None) for base in hook.bases for each in base.moved]
        assert cut == list(node.moved)


def test_what_routing_took_is_told() -> None:
    """Ten came in, five were delivered, none forwarded: five were taken in between."""
    found = {hook.hook: hook for hook in by_hook(nodes_of("rpf-tunl0-1")["k8s-work1"], None)}
    numbers = {hook: (one.entered, one.left) for hook, each in found.items() for one in each.through}
    assert numbers["PREROUTING"] == (10, 10) and numbers["INPUT"] == (5, 5) and numbers["FORWARD"] == (0, 0)
    assert found["PREROUTING"].taken == (
        "5 packets that PREROUTING let through reached neither INPUT nor FORWARD",
    )
    assert [base.priority for base in found["PREROUTING"].bases] == [-300, -150, -100]


def test_a_hook_whose_counters_do_not_tell_stays_open(tmp_path: Path) -> None:
    """Chains that were written anew have counted at least that much: no number is made of it."""
    after = counted("mangle PREROUTING", 5, BEFORE)
    after = after.replace("COMMIT", "[3:0] -A FORWARD -p icmp -j ACCEPT\nCOMMIT")
    node = hits(tmp_path, "work1", after, {}, {})
    found = {hook.hook: hook for hook in by_hook(node, None)}
    assert str(found["PREROUTING"]) == "PREROUTING   ipv4 5 in, 5 out"
    assert str(found["FORWARD"]) == "FORWARD   ipv4 ? in, ? out"
    assert found["PREROUTING"].through[0].taken is None and not found["PREROUTING"].taken


def test_nothing_moved_has_no_hooks(tmp_path: Path) -> None:
    """A node on which only a statistic moved."""
    files = ({"netstat.txt": NETSTAT.format(0)}, {"netstat.txt": NETSTAT.format(5)})
    assert by_hook(hits(tmp_path, "work1", BEFORE, *files), None) == ()


def test_the_request_s_route_is_told_where_it_is_certain() -> None:
    """From the sender's node by the tunnel; a policy rule that looks at the mark leaves it open."""
    nodes = nodes_of("rpf-tunl0-1")
    sender = nodes["k8s-work2"]
    flow = flow_between(list(nodes.values()), SRC, DST)
    (leg,) = legs(sender, flow)
    assert (leg.to, leg.route.dst, leg.gateway, leg.dev, leg.sent) == (
        DST,
        "10.222.219.0/24",
        "172.16.189.101",
        "tunl0",
        5,
    )
    by_mark = IpRule("ipv4", 10, table="2004", fwmark=0x200, fwmask=0xF00)
    elsewhere = replace(leg.route, table="2004", dst="default", dev="lo", gateway=None)
    state = replace(
        sender.after,
        ip_rules=(by_mark, *sender.after.ip_rules),
        routes=(elsewhere, *sender.after.routes),
    )
    assert legs(replace(sender, after=state), flow) == ()


def test_the_outer_packet_is_told_of_the_kernel_s_own_tunnel_alone() -> None:
    """A TUN device named tunl0 belongs to some program; the kernel's IPIP device sends to the gateway."""
    nodes = nodes_of("rpf-tunl0-1")
    sender, flow = nodes["k8s-work2"], flow_between(list(nodes.values()), SRC, DST)
    assert legs(sender, flow)[0].outer is None
    for remote, outer in (("any", "172.16.189.101"), ("192.0.2.7", "192.0.2.7")):
        info = (("remote", remote),)
        links = tuple(_as_ipip(link, info) if link.name == "tunl0" else link for link in sender.after.links)
        (leg,) = legs(replace(sender, after=replace(sender.after, links=links)), flow)
        assert leg.outer == outer and f"outer packet to {outer}" in str(leg)


def _as_ipip(link: Link, info: tuple[tuple[str, str], ...]) -> Link:
    return replace(link, kind="ipip", info=info)


def test_what_the_operator_could_tell() -> None:
    """The number while it is assumed; the flow only where the answer is open."""
    nodes = list(nodes_of("rpf-tunl0-1").values())
    assert answer(nodes).asks == ("packets",)
    assert answer(nodes, (SRC, DST), 5).asks == ()
    assert answer(nodes, None, 5).expected == 5 and answer(nodes).expected == 5
