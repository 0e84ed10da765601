"""Where a packet can start and end on one node: pods, the node itself, its services, refusing routes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from calitop.path.network import Network
from calitop.path.node import Node
from calitop.path.steps import Path as Predicted
from calitop.path.trace import Request, Traced, trace
from calitop.snapshot.open import open_one
from tests.path.small_node import FAR, LINKS, POD, ROUTES, RULES, save

HOST, SERVICE, LOOPBACK = "192.0.2.11", "10.96.0.10", "127.0.0.1"
TO_POD = "-j DNAT --to-destination 10.0.2.6:8080"
NAT = f"""\
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-NODEPORTS - [0:0]
[0:0] -A PREROUTING -s 10.0.2.6/32 -d 10.96.0.10/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ
[0:0] -A PREROUTING -d 10.96.0.10/32 -p tcp -m tcp --dport 80 {TO_POD}
[0:0] -A PREROUTING -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
[0:0] -A OUTPUT -d 10.96.0.10/32 -p tcp -m tcp --dport 80 {TO_POD}
[0:0] -A OUTPUT -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
[0:0] -A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE
[0:0] -A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
[0:0] -A KUBE-NODEPORTS -p tcp -m tcp --dport 30080 {TO_POD}
COMMIT
"""
REFUSING = ROUTES.rstrip().removesuffix("]") + "".join(
    f',{{"type":"{kind}","dst":"10.{net}.0.0/16","flags":[]}}'
    for net, kind in ((6, "prohibit"), (5, "unreachable"), (4, "throw"))
)


def traced(
    folder: Path,
    src: str,
    dst: str,
    *,
    dport: int | None = None,
    dev: str | None = None,
    files: Mapping[str, str] = {},
) -> Traced:
    where = save(folder / "one", RULES + NAT, **files)
    asked = Request(src=ip_address(src), dst=ip_address(dst), reply=True, on="one" if dev else None, dev=dev)
    if dport is not None:
        asked = replace(asked, protocol="tcp", sport=40000, dport=dport)
    return trace(Network([Node("one", open_one(str(where))[0].moments[0])]), asked)


def hooks(path: Predicted) -> list[str]:
    return list(
        dict.fromkeys(one.hook for one in path.steps if one.hook and one.hook not in ("INGRESS", "EGRESS"))
    )


def at_the_end(path: Predicted) -> tuple[str, str, str]:
    """The verdict, and the ends of the packet as it arrives."""
    packet = path.steps[-1].packet
    assert packet is not None
    return path.verdict, f"{packet.src}:{packet.sport}", f"{packet.dst}:{packet.dport}"


def test_a_pod_reaches_itself_by_its_own_service(tmp_path: Path) -> None:
    """Hairpin: back out by the device it came in by, masqueraded; the answer comes from the service."""
    found = traced(tmp_path, POD, SERVICE, dport=80)
    assert at_the_end(found.forward) == ("delivered", f"{HOST}:40000", f"{POD}:8080")
    assert hooks(found.forward) == ["PREROUTING", "FORWARD", "POSTROUTING"]
    last = found.forward.steps[-1].packet
    assert last is not None and (last.iif, last.oif) == ("cali1", "cali1")
    assert found.reply is not None and found.asymmetry is None
    assert at_the_end(found.reply) == ("delivered", f"{SERVICE}:80", f"{POD}:40000")


def test_a_pod_that_gets_its_own_address_back_is_told(tmp_path: Path) -> None:
    """Nothing masquerades what comes back by the node port: the pod's kernel takes it for a martian."""
    forward = traced(tmp_path, POD, HOST, dport=30080).forward
    assert at_the_end(forward) == ("delivered", f"{POD}:40000", f"{POD}:8080")
    assert len(forward.assumed) == 1 and "accept_local" in forward.assumed[0]


@pytest.mark.parametrize("address", [HOST, LOOPBACK])
def test_the_node_to_itself_by_loopback(tmp_path: Path, address: str) -> None:
    found = traced(tmp_path, address, address)
    assert found.reply is not None
    for path in (found.forward, found.reply):
        assert (path.verdict, path.because) == ("delivered", "delivered to one itself")
        assert hooks(path) == ["OUTPUT", "POSTROUTING", "PREROUTING", "INPUT"]
    nat = [one.hook for one in found.forward.steps if one.table == "nat"]
    assert set(nat) == {"OUTPUT", "POSTROUTING"}, "bound when it comes in again"
    assert not [one for one in found.reply.steps if one.table == "nat"]


def test_the_node_to_a_pod_and_a_pod_to_the_node(tmp_path: Path) -> None:
    out, back = traced(tmp_path, HOST, POD), traced(tmp_path, POD, HOST)
    assert out.reply is not None and back.reply is not None
    assert [one.verdict for one in (out.forward, out.reply, back.forward, back.reply)] == ["delivered"] * 4
    assert hooks(out.forward) == hooks(back.reply) == ["OUTPUT", "POSTROUTING"]
    assert hooks(back.forward) == hooks(out.reply) == ["PREROUTING", "INPUT"]


@pytest.mark.parametrize(("src", "dev"), [(FAR, "eth0"), (HOST, None)])
def test_a_node_port(tmp_path: Path, src: str, dev: str | None) -> None:
    """From the wire and from the node itself; the answer comes from the node's port."""
    found = traced(tmp_path, src, HOST, dport=30080, dev=dev)
    assert at_the_end(found.forward) == ("delivered", f"{src}:40000", f"{POD}:8080")
    assert found.reply is not None and found.asymmetry is None
    if dev is None:
        assert at_the_end(found.reply) == ("delivered", f"{HOST}:30080", f"{HOST}:40000")
    else:
        assert (found.reply.verdict, found.reply.where and found.reply.where.device) == ("left", "eth0")


def test_the_node_to_a_service_is_routed_again(tmp_path: Path) -> None:
    """First to where the service's address is routed, then to the pod; it keeps its first source."""
    forward = traced(tmp_path, HOST, SERVICE, dport=80).forward
    assert [one.action for one in forward.steps if one.kind == "route"] == [
        "by eth0 via 192.0.2.1",
        "by cali1",
    ]
    assert at_the_end(forward) == ("delivered", f"{HOST}:40000", f"{POD}:8080")


@pytest.mark.parametrize("src", [POD, HOST])
@pytest.mark.parametrize(
    ("dst", "verdict", "name"),
    [
        ("10.7.0.1", "dropped", "blackhole"),
        ("10.6.0.1", "rejected", "prohibit"),
        ("10.5.0.1", "rejected", "unreachable"),
        ("10.4.0.1", "dropped", "no_route"),
    ],
)
def test_routes_that_refuse(tmp_path: Path, src: str, dst: str, verdict: str, name: str) -> None:
    """A throw goes on in the next table, and nothing is there."""
    forward = traced(tmp_path, src, dst, files={"routes.json": REFUSING + "]"}).forward
    assert (forward.verdict, forward.where and forward.where.name) == (verdict, name)
    assert [one.hook for one in forward.steps if one.hook == "FORWARD"] == []


def test_a_link_that_is_down(tmp_path: Path) -> None:
    """Whatever the routes that were read say: nothing leaves by it."""
    down = LINKS.replace(
        '"flags":["BROADCAST","UP","LOWER_UP"],"mtu":1500,"operstate":"UP"',
        '"flags":["BROADCAST"],"mtu":1500,"operstate":"DOWN"',
    )
    forward = traced(tmp_path, POD, FAR, files={"links.json": down}).forward
    assert (forward.verdict, forward.because) == ("dropped", "eth0 of one is down")
    assert forward.where and (forward.where.kind, forward.where.device) == ("link", "eth0")
