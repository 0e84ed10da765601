"""Forking and joining lose nothing: unknown bits are all that they can be, and nothing else.

Small random rulesets are walked with a mark of which some bits are unknown, and with each mark that it
can be. The ends are the same, and each end's conditions are met by exactly the marks that reach it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_address

from hypothesis import given, settings
from hypothesis import strategies as st

from calitop.formats.iptables_save import parse
from calitop.model.node import NodeState
from calitop.model.place import Where
from calitop.path.bits import FULL, Bits
from calitop.path.conditions import ALL, NO
from calitop.path.flight import Condition, Flight
from calitop.path.hook_walk import walk
from calitop.path.node import Node
from calitop.path.packet import NEW, Packet

UNKNOWN_BITS = 0b1111
MARKS = range(UNKNOWN_BITS + 1)
CHAINS = ("one", "two", "three")
PACKET = Packet(
    family="ipv4",
    src=ip_address("10.0.0.1"),
    dst=ip_address("10.0.0.2"),
    protocol=1,
    icmp_type=8,
    iif="eth0",
    oif="eth1",
    ct_state=frozenset((NEW,)),
)

Outcome = tuple[str, Where | None, int | None]
"""Verdict, place, and the mark where it is accepted and known."""

masks = st.integers(1, UNKNOWN_BITS)


@st.composite
def mark_tests(draw: st.DrawFn) -> str:
    mask = draw(masks)
    value = draw(masks) & mask if draw(st.booleans()) else 0
    return f"-m mark {draw(st.sampled_from(('', '! ')))}--mark {value:#x}/{mask:#x}"


def targets(chain: int, *, overwrite: bool) -> st.SearchStrategy[str]:
    """What a rule of a chain may do: only later chains are called, so nothing goes round."""
    later = CHAINS[chain:]
    found = ["ACCEPT", "DROP", "RETURN"]
    found += [f"{verb} {name}" for name in later for verb in ("jump", "goto")]
    ends = st.sampled_from([f"-g {one[5:]}" if one.startswith("goto ") else f"-j {one}" for one in found])
    ends = ends.map(lambda words: words.replace("-j jump ", "-j "))
    sets = st.builds(
        lambda mask, value: f"-j MARK --set-xmark {value & mask if overwrite else value:#x}/{mask:#x}",
        masks,
        st.integers(0, UNKNOWN_BITS),
    )
    return ends | sets


@st.composite
def rulesets(draw: st.DrawFn, *, overwrite: bool) -> str:
    lines = [f":{name} - [0:0]" for name in CHAINS]
    for at, name in enumerate(("FORWARD", *CHAINS)):
        for _ in range(draw(st.integers(0, 5))):
            asked = " ".join(draw(st.lists(mark_tests(), min_size=0, max_size=2)))
            lines.append(f"-A {name} {asked} {draw(targets(at, overwrite=overwrite))}")
    policy = draw(st.sampled_from(("ACCEPT", "DROP")))
    return "\n".join(["*filter", f":FORWARD {policy} [0:0]", *lines, "COMMIT", ""])


def node_of(text: str) -> Node:
    return Node("n", NodeState(name="n", rulesets=parse(text).rulesets or ()))


def ends_of(node: Node, mark: Bits) -> list[tuple[Outcome, tuple[Condition, ...]]]:
    """How a packet with a mark ends, with what was assumed."""
    walked = walk(node, "FORWARD", [Flight(replace(PACKET, mark=mark))])
    ended = [((end.verdict, end.where, None), end.flight.conditions) for end in walked.ended]
    accepted = [(("accepted", None, None), flight.conditions) for flight in walked.accepted]
    return [*ended, *accepted]


def holds(conditions: Iterable[Condition], mark: int) -> bool:
    return all(_holds(one.key, one.answer, mark) for one in conditions)


def _holds(key: tuple[object, ...], answer: int, mark: int) -> bool:
    if key[0] == ALL:
        parts = key[1]
        assert isinstance(parts, tuple)
        return all(_holds(asked, given, mark) for asked, given in parts) == (answer != NO)
    _, mask, value, epoch = key
    assert isinstance(mask, int) and epoch == 0
    return (mark & mask == value) == (answer != NO)


@settings(max_examples=300, deadline=None)
@given(rulesets(overwrite=True))
def test_each_end_is_reached_by_exactly_the_marks_that_meet_its_conditions(text: str) -> None:
    node = node_of(text)
    found = ends_of(node, Bits(0, FULL & ~UNKNOWN_BITS))
    real = {mark: {end for end, _ in ends_of(node, Bits(mark))} for mark in MARKS}
    assert all(len(ends) == 1 for ends in real.values())
    assert {end for end, _ in found} == {end for ends in real.values() for end in ends}
    for mark in MARKS:
        told = {end for end, conditions in found if holds(conditions, mark)}
        assert told == real[mark], (mark, text)


@settings(max_examples=200, deadline=None)
@given(rulesets(overwrite=False))
def test_no_end_is_lost_where_unknown_bits_are_turned_over(text: str) -> None:
    node = node_of(text)
    found = {end for end, _ in ends_of(node, Bits(0, FULL & ~UNKNOWN_BITS))}
    for mark in MARKS:
        assert {end for end, _ in ends_of(node, Bits(mark))} <= found, (mark, text)
