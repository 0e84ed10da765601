"""The order of what moved: as a packet meets it."""

from __future__ import annotations

from pathlib import Path

from calitop.hits.moved import NodeHits, node_hits
from calitop.snapshot.open import open_one

BEFORE = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:lost - [0:0]
:below - [0:0]
[0:0] -A FORWARD -j below
[0:0] -A FORWARD -j ACCEPT
[0:0] -A below -s 10.0.0.1/32 -j RETURN
[0:0] -A lost -j DROP
COMMIT
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
COMMIT
"""


def moved(folder: Path, before: str, after: str) -> NodeHits:
    """What moved between two texts of iptables-save -c."""
    states = []
    for name, text in (("before", before), ("after", after)):
        (folder / name).mkdir()
        (folder / name / "rules.txt").write_text(text)
        states.append(open_one(str(folder / name))[0].moments[0])
    return node_hits("n", *states)


def test_order_is_that_of_a_packet(tmp_path: Path) -> None:
    """Hooks, then priorities, depth first, the policy last; what nothing reaches comes at the end."""
    after = BEFORE.replace("[0:0] -A", "[1:84] -A").replace("[0:0]\n", "[2:168]\n")
    found = [(each.key.table, each.key.chain, each.number) for each in moved(tmp_path, BEFORE, after).moved]
    assert found == [
        ("raw", "PREROUTING", None),
        ("nat", "PREROUTING", None),
        ("filter", "INPUT", None),
        ("nat", "INPUT", None),
        ("filter", "FORWARD", 1),
        ("filter", "below", 1),
        ("filter", "FORWARD", 2),
        ("filter", "FORWARD", None),
        ("raw", "OUTPUT", None),
        ("nat", "OUTPUT", None),
        ("filter", "OUTPUT", None),
        ("nat", "POSTROUTING", None),
        ("filter", "lost", 1),
    ]


def test_what_did_not_move_is_left_out(tmp_path: Path) -> None:
    """Only what counted is listed."""
    after = BEFORE.replace("[0:0] -A FORWARD -j ACCEPT", "[7:588] -A FORWARD -j ACCEPT")
    hits = moved(tmp_path, BEFORE, after)
    assert [(each.key.chain, each.number, each.packets) for each in hits.moved] == [("FORWARD", 2, 7)]
    assert not hits.stats and not hits.links and not hits.resets


def test_rule_keeps_its_count_when_another_comes_in_above(tmp_path: Path) -> None:
    """A rule that moved down is the same rule, under its new number."""
    after = BEFORE.replace(
        "[0:0] -A FORWARD -j below\n", "[9:756] -A FORWARD -p tcp -j LOG\n[4:336] -A FORWARD -j below\n"
    )
    hits = moved(tmp_path, BEFORE, after)
    assert [(each.number, each.packets) for each in hits.moved] == [(1, 9), (2, 4)]
