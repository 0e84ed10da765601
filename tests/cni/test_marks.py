"""The bits of the mark are read off the rules, whatever version and mask made them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from calitop.cni.felix_hash import endpoint_mark
from calitop.cni.marks import MarkBits, infer
from calitop.formats import iptables_save
from calitop.model.network import IpRule
from calitop.model.node import NodeState
from calitop.snapshot.open import open_snapshots

LAB = Path(__file__).parents[2] / "snapshots" / "lab"
IFACE = "cali7cd4eff55c7"


def rules(accept: int, pass_: int, drop: int, scratch0: int, scratch1: int, endpoint: int, first: int) -> str:
    """What Felix writes with these bits; `drop` 0 stands for versions up to v3.29."""
    cleared = accept | pass_ | scratch0 | scratch1
    done, other = f"{accept:#x}/{accept:#x}", f"{first:#x}/{endpoint:#x}"
    named = endpoint_mark(IFACE, endpoint)
    deny = f"-A cali-pi-p -m mark --mark {drop:#x}/{drop:#x} -j DROP" if drop else "-A cali-pi-p -j DROP"
    return f"""*raw
:PREROUTING ACCEPT [0:0]
:cali-PREROUTING - [0:0]
-A PREROUTING -j cali-PREROUTING
-A cali-PREROUTING -j MARK --set-xmark 0x0/{cleared:#x}
-A cali-PREROUTING -i cali+ -j MARK --set-xmark {scratch0:#x}/{scratch0:#x}
COMMIT
*filter
:FORWARD ACCEPT [0:0]
:cali-from-endpoint-mark - [0:0]
:cali-set-endpoint-mark - [0:0]
:cali-tw-{IFACE} - [0:0]
:cali-pi-p - [0:0]
-A cali-tw-{IFACE} -m comment --comment "Start of policies" -j MARK --set-xmark 0x0/{pass_:#x}
-A cali-tw-{IFACE} -m mark --mark 0x0/{pass_:#x} -j cali-pi-p
-A cali-tw-{IFACE} -m comment --comment "Return if policy accepted" -m mark --mark {done} -j RETURN
{deny}
-A cali-from-endpoint-mark -m mark --mark {named:#x}/{endpoint:#x} -g cali-fw-{IFACE}
-A cali-set-endpoint-mark -m comment --comment "Non-Cali endpoint mark" -j MARK --set-xmark {other}
COMMIT
"""


def state(text: str) -> NodeState:
    return NodeState(rulesets=iptables_save.parse(text).rulesets or ())


@pytest.mark.parametrize(
    ("drop", "scratch", "endpoint", "shift"),
    [
        pytest.param(0, (0x40000, 0x80000), 0xFFF00000, 0, id="up to v3.29"),
        pytest.param(0x40000, (0x80000, 0x100000), 0xFFE00000, 0, id="v3.30 and later"),
        pytest.param(0, (0x40000, 0x80000), 0xFFF00000, -8, id="another mask"),
    ],
)
def test_the_same_words_tell_other_bits_in_other_versions(
    drop: int, scratch: tuple[int, int], endpoint: int, shift: int
) -> None:
    def moved(bits: int) -> int:
        return bits >> -shift

    lowest = endpoint & -endpoint
    wanted = [moved(bits) for bits in (0x10000, 0x20000, drop, *scratch, endpoint, lowest)]
    bits = infer(state(rules(*wanted)))
    found = (
        bits.accept,
        bits.pass_,
        bits.drop or 0,
        bits.scratch0,
        bits.scratch1,
        bits.endpoint,
        bits.non_cali,
    )
    assert found == tuple(wanted)
    assert bits.interface_of(endpoint_mark(IFACE, wanted[5]) | wanted[0]) == IFACE
    assert bits.interface_of(wanted[6]) is None


def test_without_policies_pass_is_the_bit_that_is_left_between_accept_and_scratch() -> None:
    text = rules(0x10000, 0x20000, 0, 0x40000, 0x80000, 0xFFF00000, 0x100000)
    kept = [line for line in text.splitlines() if "0x20000" not in line]
    assert infer(state("\n".join(kept))).pass_ == 0x20000


def test_rules_without_marks_tell_nothing() -> None:
    assert infer(state("*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -j ACCEPT\nCOMMIT\n")) == MarkBits()
    assert infer(NodeState()) == MarkBits()


def test_the_wireguard_mark_stands_in_a_policy_rule() -> None:
    rule = IpRule("ipv4", 99, fwmark=0x100000, fwmask=0x100000, inverted=True, table="1")
    assert infer(NodeState(ip_rules=(rule,))).wireguard == 0x100000


def lab_nodes() -> Iterator[MarkBits]:
    for node in open_snapshots([str(LAB)]):
        yield infer(node.moments[0])


def test_on_the_lab_nodes_every_meaning_is_found_and_proven() -> None:
    for bits in lab_nodes():
        assert (bits.accept, bits.pass_, bits.scratch0, bits.scratch1) == (0x10000, 0x20000, 0x40000, 0x80000)
        assert (bits.endpoint, bits.non_cali) == (0xFFF00000, 0x100000)
        assert (bits.kube_masquerade, bits.kube_drop, bits.cilium) == (0x4000, 0x8000, 0xF00)
        assert {name for name, _, _ in bits.proofs} >= {"accept", "scratch0", "endpoint", "cilium"}
        for mark, interface in bits.endpoints:
            assert mark == endpoint_mark(interface, 0xFFF00000)


def test_ciliums_identity_and_calicos_endpoint_mark_share_bits() -> None:
    for bits in lab_nodes():
        assert bits.identity_meets_endpoint == 0xFFF00000
        assert bits.identity_in(0x2B5F0F00) == 0x2B5F
        assert bits.identity_in(0x2B5F0C00) is None
        assert bits.meanings(0x10000) == ("Calico accept", "Cilium identity")
        assert bits.interface_of(0x2B5F0F00) is None
