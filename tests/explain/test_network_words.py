"""Policy rules in one plain sentence, and in the words of `ip rule`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calitop.cni.index import NodeIndex
from calitop.explain.network_words import explain_ip_rule
from calitop.explain.plain_facts import ip_rule_words, table_lines
from calitop.formats import ip_rule_text
from calitop.model.network import IpRule, Route
from calitop.model.node import NodeState
from tests.check import states

LISTING = """\
9:	from all fwmark 0x200/0xf00 lookup 2004
11:	not from 10.0.0.0/24 to 10.1.1.1 iif lo lookup main suppress_prefixlength 0
12:	from all iif nope0 goto 32766
13:	from 10.3.3.3 unreachable
14:	from all tos 0x10 ipproto tcp lookup 77
16:	from all nop
1000:	from all lookup [l3mdev-table]
5250:	from all fwmark 0x10000/0x10000 blackhole
32766:	from all lookup main
32767:	from all oif eth0 lookup default
"""


def node() -> NodeIndex:
    """The lab, whose rules name the mark's bits, with these policy rules."""
    rules = ip_rule_text.parse(LISTING, "ipv4").ip_rules or ()
    return NodeIndex(replace(states.lab(), ip_rules=rules))


@pytest.mark.parametrize(
    ("priority", "words"),
    [
        (
            9,
            'If Cilium\'s mark says "to the proxy" (0x200 of the mark bits 0xf00), look for a route in table '
            "2004; where it has none, go on with policy rule 11.",
        ),
        (
            11,
            "Unless the source is in 10.0.0.0/24 and the destination is 10.1.1.1/32 and this node sends the "
            "packet itself, look for a route in table main (where routes stand without a word of their own) "
            "other than one of length 0; where it has none, go on with policy rule 12.",
        ),
        (12, "If the packet came in by nope0, go on with the policy rules from 32766 on."),
        (
            13,
            "If the source is 10.3.3.3/32, answer with network unreachable; no route is looked for.",
        ),
        (
            14,
            "If 'tos 0x10' fits and 'ipproto tcp' fits, look for a route in table 77; where it has none, go "
            "on with policy rule 16.",
        ),
        (16, "Do nothing; go on with policy rule 1000."),
        (
            1000,
            "Look for a route in the table of the VRF that the interface belongs to; where it has none, go "
            "on with policy rule 5250.",
        ),
        (
            5250,
            "If Calico has accepted the packet (mark bit 0x10000), throw the packet away without a word; no "
            "route is looked for.",
        ),
        (
            32767,
            "If the sender is bound to eth0, look for a route in table default (empty unless somebody fills "
            "it); where it has none, no later policy rule is listed.",
        ),
    ],
)
def test_a_policy_rule_in_one_sentence(priority: int, words: str) -> None:
    index = node()
    rule = next(rule for rule in index.state.ip_rules if rule.priority == priority)
    assert explain_ip_rule(index, rule) == words


def test_a_rule_that_is_not_in_the_list_and_hostile_names_are_told() -> None:
    rule = IpRule("ipv6", 5, iif="a\x1b[2J", table="9")
    told = explain_ip_rule(NodeIndex(NodeState()), rule)
    assert "\x1b" not in told and "table 9" in told and told.endswith("no later policy rule is listed.")


def test_words_are_those_of_ip_rule() -> None:
    listed = [line.replace("\t", " ") for line in LISTING.splitlines()]
    told = [ip_rule_words(rule) for rule in node().state.ip_rules]
    assert [without_host_length(words) for words in told] == listed


def without_host_length(words: str) -> str:
    """`ip rule` leaves the length of a single address out."""
    return words.replace("/32", "")


def _asked(*rules: IpRule) -> list[str]:
    index = NodeIndex(NodeState(ip_rules=rules))
    return list(table_lines(index, Route("ipv4", "10.0.0.0/8", table="2004")))


def test_a_route_tells_which_policy_rules_ask_its_table() -> None:
    main, proxy = (
        IpRule("ipv4", 32766, table="main"),
        IpRule("ipv4", 9, fwmark=0x200, fwmask=0xF00, table="2004"),
    )
    assert _asked(main, proxy) == [
        "asked by policy rule 9: from all fwmark 0x200/0xf00 lookup 2004  owner cilium"
    ]
    assert _asked(main) == ["no policy rule that was read leads to table 2004"]
    assert _asked(main, IpRule("ipv4", 1000, other=("l3mdev",))) == [], "a VRF's table is asked by its device"
    assert _asked() == [], "no policy rule was read"
