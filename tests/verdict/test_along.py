"""Where along the flow a place lies: what the flow did not reach is not blamed, nor what errors met."""

from __future__ import annotations

import json
from ipaddress import ip_address
from pathlib import Path

from calitop.hits.moved import NodeHits
from calitop.verdict.answer import answer
from tests.verdict.nodes import BEFORE, counted, hits

ENDS = (ip_address("10.0.0.1"), ip_address("10.0.0.2"))
RULES = BEFORE.replace(
    '[0:0] -A FORWARD -p icmp -m comment --comment "left by an old firewall" -j DROP\n',
    "[{refused}:0] -A FORWARD -d 10.0.0.2/32 -p icmp -j REJECT --reject-with icmp-port-unreachable\n"
    "[{reply}:0] -A FORWARD -s 10.0.0.2/32 -p icmp -m icmp --icmp-type 0 -j DROP\n"
    "[{error}:0] -A OUTPUT -p icmp -j DROP\n",
)
SNMP = "Icmp: InMsgs OutDestUnreachs\nIcmp: 0 {}\nIp: Forwarding InAddrErrors\nIp: 1 0\n"


def links(**moved: tuple[int, int]) -> dict[str, str]:
    """Two pods' links with packets received and sent, and the routes to them."""
    names = {"cali11111111111": "10.0.0.1", "cali22222222222": "10.0.0.2"}
    listed = [
        {
            "ifname": name,
            "flags": ["UP"],
            "stats64": {
                way: {"packets": count, "bytes": 98 * count, "dropped": 0, "errors": 0}
                for way, count in zip(("rx", "tx"), moved.get(name, (0, 0)), strict=True)
            },
        }
        for name in names
    ]
    routes = [{"dst": ip, "dev": name, "scope": "link", "flags": []} for name, ip in names.items()]
    return {"ip-link.json": json.dumps(listed), "ip-route.json": json.dumps(routes)}


def node(
    folder: Path, refused: int = 0, reply: int = 0, error: int = 0, told: int = 0, **moved: tuple[int, int]
) -> NodeHits:
    """One node with both pods, and what its rules and links counted."""
    after = RULES.format(refused=refused, reply=reply, error=error)
    after = counted("mangle FORWARD", refused + reply, counted("mangle PREROUTING", refused + reply, after))
    after = counted("mangle OUTPUT", told, after)
    before_files = {**links(), "snmp.txt": SNMP.format(0)}
    after_files = {**links(**moved), "snmp.txt": SNMP.format(told)}
    return hits(folder, "n", after, before_files, after_files, RULES.format(refused=0, reply=0, error=0))


def test_place_that_the_flow_did_not_reach_is_not_blamed(tmp_path: Path) -> None:
    """The receiver was sent nothing, so no reply of the flow can have been dropped."""
    found = answer([node(tmp_path, refused=5, reply=5, cali11111111111=(5, 0))], ENDS, 5).verdict
    assert found.outcome == "lost"
    assert found.where is not None and (found.where.chain, found.where.number) == ("FORWARD", 1)


def test_reply_is_blamed_where_the_request_got_through(tmp_path: Path) -> None:
    """The same rule counts where the receiver was asked and answered."""
    found = answer([node(tmp_path, reply=5, cali11111111111=(5, 0), cali22222222222=(5, 5))], ENDS, 5).verdict
    assert found.where is not None and found.where.number == 2


def test_reply_alone_is_not_blamed_where_nothing_was_asked(tmp_path: Path) -> None:
    """Five other replies were dropped; ours never came so far."""
    found = answer([node(tmp_path, reply=5, cali11111111111=(5, 0))], ENDS, 5).verdict
    assert (found.outcome, found.where) == ("undecided", None)
    assert "cali11111111111" in found.because and "cali22222222222" in found.because


def test_dropped_errors_are_a_consequence(tmp_path: Path) -> None:
    """What the node tells about a refusal is dropped too: the refusal is the loss."""
    found = answer([node(tmp_path, refused=5, error=5, told=5, cali11111111111=(5, 0))], ENDS, 5).verdict
    assert found.where is not None and (found.where.chain, found.where.number) == ("FORWARD", 1)


def test_silent_receiver_is_told(tmp_path: Path) -> None:
    """The request came to the pod's link, and nothing left it."""
    found = answer([node(tmp_path, cali11111111111=(5, 0), cali22222222222=(0, 5))], ENDS, 5).verdict
    assert found.outcome == "undecided"
    assert "did not answer" in found.because
    assert found.candidates[0].where.device == "cali22222222222"


def test_arp_does_not_stand_in_for_an_answer(tmp_path: Path) -> None:
    """One ping and its ARP: the sender's link brought something back, but not the reply."""
    found = answer([node(tmp_path, cali11111111111=(2, 1), cali22222222222=(2, 2))], ENDS, 1).verdict
    assert found.outcome != "passed"
