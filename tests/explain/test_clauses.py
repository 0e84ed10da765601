"""The words for each kind of condition and action that calitop evaluates."""

from __future__ import annotations

import pytest

from calitop.cni.index import NodeIndex
from calitop.explain.match_words import CLAUSES
from calitop.explain.rule_words import explain_rule
from calitop.formats import iptables_save
from calitop.model import matches
from calitop.model.node import NodeState


def told(rule: str) -> str:
    """The first of two rules of FORWARD in words."""
    text = f"*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD {rule}\n-A FORWARD -j ACCEPT\nCOMMIT\n"
    index = NodeIndex(NodeState(rulesets=iptables_save.parse(text).rulesets or ()))
    return explain_rule(index, next(iter(index.chains)), 0)


@pytest.mark.parametrize(
    ("match", "clause"),
    [
        (
            "-s 10.0.0.0/8 -d 10.0.0.1/32 -p tcp -m tcp --dport 80",
            "the source is in 10.0.0.0/8 and the destination is 10.0.0.1 and the protocol is tcp and "
            "the destination port is 80",
        ),
        (
            "! -s 10.0.0.0/8 -p udp -m udp --sport 1000:2000",
            "the source is not in 10.0.0.0/8 and the protocol is udp and the source port is 1000-2000",
        ),
        ("-m iprange --src-range 10.0.0.1-10.0.0.9", "the source is between 10.0.0.1 and 10.0.0.9"),
        (
            "-p tcp -m multiport --ports 1,2,3,4,5,6",
            "the protocol is tcp and the source or destination port is 1, 2, 3 or 3 more",
        ),
        (
            "-p tcp -m multiport ! --dports 80,443",
            "the protocol is tcp and the destination port is not 80 or 443",
        ),
        (
            "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN",
            "the protocol is tcp and of the TCP flags FIN, SYN, RST, ACK those set are exactly SYN",
        ),
        (
            "-p icmp -m icmp --icmp-type 8",
            "the protocol is icmp and the packet is ICMP type 8 (echo request)",
        ),
        ("-p 89", "the protocol is ospf"),
        ("-f", "the packet is a second or later fragment"),
        ("-m connmark --mark 0x1/0x3", "the connection's mark is 0x1 under the mask 0x3"),
        (
            "-m conntrack --ctstate NEW --ctorigdst 10.96.0.1/32 --ctdir ORIGINAL",
            "the packet opens a new connection (NEW) and the connection's original destination is "
            "10.96.0.1 and the packet is of the connection's original direction",
        ),
        ("-m set --match-set s src,dst", "the packet's (source, destination) is in the set s"),
        ("-m set ! --match-set s src", "the source is not in the set s"),
        (
            "-m addrtype ! --src-type LOCAL --limit-iface-out -m addrtype --src-type LOCAL",
            "the source is not an address of the device it goes out by and the source is an address "
            "of this host",
        ),
        (
            "-m addrtype --dst-type BROADCAST,MULTICAST",
            "the destination is of type BROADCAST or of type MULTICAST",
        ),
        (
            "-m rpfilter --loose --validmark --invert",
            "the way back to the source does not lead out of any device (reverse path, looked up with"
            " the packet's mark)",
        ),
        ("-m mac --mac-source 00:11:22:33:44:55", "the source MAC address is 00:11:22:33:44:55"),
        ("-m length --length 100:200", "the packet is 100-200 bytes long"),
        ("-m ttl --ttl-lt 5", "the TTL is 0-4"),
        ("-m dscp --dscp 0x2e", "the DSCP is 0x2e"),
        ("-m pkttype --pkt-type broadcast", "the frame is broadcast"),
        ("-m owner --uid-owner 0", "the uid of the sending socket is 0"),
        ("-m owner ! --socket-exists", "the packet does not come from a socket of this host"),
        ("-m socket --transparent", "a transparent socket of this host takes the packet"),
        (
            "-m statistic --mode random --probability 0.33332999982",
            "chance (probability 0.3333) picks the packet",
        ),
        ("-m statistic --mode nth --every 3", "counting picks the packet (one of every 3, from number 0 on)"),
        ("-m physdev --physdev-is-bridged", "the packet is bridged, not routed"),
        ("-m physdev ! --physdev-in eth0", "it is not so that the packet comes in by the bridge port eth0"),
        ("-m devgroup --src-group 0x1", "the packet comes in by a device of group 0x1"),
        ("-m time --timestart 10:00", "'-m time --timestart 10:00' holds"),
    ],
)
def test_a_condition_is_a_clause(match: str, clause: str) -> None:
    assert told(f"{match} -j DROP") == f"If {clause}, drop the packet."


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (
            '-m limit --limit 5/min -j LOG --log-prefix "x: "',
            "If the rate limit (5 per minute, burst 5) is not exceeded, log the packet to the kernel "
            "log as 'x:', then go on with rule 2.",
        ),
        (
            "-m limit --limit 3/hour --limit-burst 7 -j NFLOG --nflog-group 2",
            "If the rate limit (3 per hour, burst 7) is not exceeded, log the packet to netlink group"
            " 2, then go on with rule 2.",
        ),
        (
            "-j REJECT --reject-with icmp-host-prohibited",
            "Drop the packet and answer the sender with icmp-host-prohibited.",
        ),
        (
            "-j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff00",
            "Copy the bits 0xff of the packet mark into the bits 0xff00 of the connection's mark, "
            "then go on with rule 2.",
        ),
        (
            "-j CONNMARK --restore-mark",
            "Copy the connection's mark to the packet mark, then go on with rule 2.",
        ),
        (
            "-j CONNMARK --set-xmark 0x1/0x1",
            "Set the bits 0x1 of the connection's mark, then go on with rule 2.",
        ),
        ("-j MARK --set-xmark 0x5/0xffffffff", "Set the packet mark to 0x5, then go on with rule 2."),
        ("-j MARK --set-xmark 0x10/0x0", "Flip the bits 0x10 of the packet mark, then go on with rule 2."),
        (
            "-j MARK --set-xmark 0x10/0xf0",
            "Set the packet mark to 0x10 under the mask 0xf0, then go on with rule 2.",
        ),
        ("-j CT --notrack", "Keep the packet out of connection tracking, then go on with rule 2."),
        (
            "-j CT --helper ftp --zone 3",
            "Let connection tracking use helper ftp and zone 3, then go on with rule 2.",
        ),
        (
            "-j TPROXY --on-port 8080 --on-ip 127.0.0.1 --tproxy-mark 0x1/0x1",
            "Hand the packet to a local socket at address 127.0.0.1, port 8080, itself unchanged, and"
            " set the bits 0x1 of the packet mark; then no further rule of table filter sees it at "
            "this hook.",
        ),
        (
            "-j NFQUEUE --queue-num 1 --queue-bypass",
            "Hand the packet to a program on queue 1 (accepted where none listens).",
        ),
        (
            "-p tcp -j TCPMSS --clamp-mss-to-pmtu",
            "If the protocol is tcp, adapt the TCP maximum segment size to the packet, then go on "
            "with rule 2.",
        ),
        (
            "-p tcp -j TCPMSS --set-mss 1400",
            "If the protocol is tcp, set the TCP maximum segment size to 1400, then go on with rule 2.",
        ),
        ("-j TTL --ttl-dec 1", "Change the TTL by -1, then go on with rule 2."),
        ("-j DSCP --set-dscp 0x10", "Set the DSCP to 16, then go on with rule 2."),
        ("-j SET --add-set s src", "Put its source into the set s, then go on with rule 2."),
        (
            "-j SET --del-set s src,dst",
            "Take its source and destination out of the set s, then go on with rule 2.",
        ),
        (
            "-p tcp -j DNAT --to-destination 10.0.0.1:80",
            "If the protocol is tcp, translate the destination to 10.0.0.1 port 80; then no further "
            "rule of table filter sees it at this hook.",
        ),
        (
            "-j SNAT --to-source 10.0.0.1-10.0.0.3 --random",
            "Translate the source to 10.0.0.1-10.0.0.3 (random); then no further rule of table filter"
            " sees it at this hook.",
        ),
        (
            "-p tcp -j MASQUERADE --to-ports 1024-2000",
            "If the protocol is tcp, masquerade: let the source be the address of the device it "
            "leaves by, ports 1024-2000; then no further rule of table filter sees it at this hook.",
        ),
        (
            "-p tcp -j REDIRECT --to-ports 8080",
            "If the protocol is tcp, redirect it to this host, port 8080; then no further rule of "
            "table filter sees it at this hook.",
        ),
        (
            "-j NETMAP --to 10.1.0.0/16",
            "Map its address into 10.1.0.0/16; then no further rule of table filter sees it at this hook.",
        ),
        ('-m comment --comment "x"', "Only count the packet, then go on with rule 2."),
    ],
)
def test_an_action_is_told_with_what_follows(rule: str, sentence: str) -> None:
    assert told(rule) == sentence


def test_no_kind_of_match_is_forgotten() -> None:
    kinds = {kind.__name__ for kind in matches.Match.__subclasses__()} - {"Unknown", "Mark"}
    assert kinds == {kind.__name__ for kind in CLAUSES}
