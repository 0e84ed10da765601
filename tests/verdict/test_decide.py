"""Who is blamed, and when nobody is."""

from __future__ import annotations

from pathlib import Path

from calitop.hits.moved import NodeHits
from calitop.verdict.answer import answer
from tests.verdict.nodes import BEFORE, NETSTAT, counted, hits


def routed_away(folder: Path, came: int, filtered: int, dropped: int = 0) -> NodeHits:
    """A node where packets came to PREROUTING and none went on; the filter's statistic beside it."""
    after = counted("mangle PREROUTING", came, BEFORE)
    if dropped:
        after = counted("mangle FORWARD", dropped, after)
        after = after.replace("[0:0] -A FORWARD", f"[{dropped}:0] -A FORWARD")
    first, last = ({"netstat.txt": NETSTAT.format(count)} for count in (7, 7 + filtered))
    return hits(folder, "n", after, first, last)


def test_statistic_of_the_missing_amount_is_proof(tmp_path: Path) -> None:
    """Five are missing behind PREROUTING and five were filtered."""
    verdict = answer([routed_away(tmp_path, 5, 5)], None, 5).verdict
    assert verdict.outcome == "lost"
    assert verdict.where is not None and verdict.where.name == "rp_filter"


def test_statistic_of_another_amount_is_none(tmp_path: Path) -> None:
    """Three filtered explain no five missing; it is a candidate only."""
    verdict = answer([routed_away(tmp_path, 5, 3)], None, 5).verdict
    assert (verdict.outcome, verdict.where) == ("undecided", None)
    assert "rp_filter" in {each.where.name for each in verdict.candidates}


def test_missing_packets_without_a_statistic_blame_nobody(tmp_path: Path) -> None:
    """That the kernel took them is known, why is not."""
    verdict = answer([routed_away(tmp_path, 5, 0)], None, 5).verdict
    assert verdict.outcome == "undecided"
    assert "no statistic counts them" in " ".join(verdict.evidence)


def test_two_places_of_the_same_amount_are_both_named(tmp_path: Path) -> None:
    """Five dropped by a rule and five filtered: which were ours is not known."""
    verdict = answer([routed_away(tmp_path, 10, 5, dropped=5)], None, 5).verdict
    assert verdict.outcome == "undecided"
    assert {each.where.kind for each in verdict.candidates} == {"rule", "kernel"}
    assert "several places fit" in verdict.because


def test_rule_of_another_amount_is_not_blamed(tmp_path: Path) -> None:
    """A drop of twelve is no proof for five."""
    after = counted("mangle PREROUTING", 12, counted("mangle FORWARD", 12, BEFORE))
    after = after.replace("[0:0] -A FORWARD", "[12:0] -A FORWARD")
    assert answer([hits(tmp_path, "n", after, {}, {})], None, 5).verdict.outcome == "undecided"
