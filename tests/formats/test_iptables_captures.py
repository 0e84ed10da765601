"""Real captures: every line comes back, and what moved between two is what was recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from calitop.formats.iptables_print import print_save
from calitop.formats.iptables_save import parse
from calitop.formats.spec import spec
from calitop.model.matches import Unknown
from tests.formats.iptables_rules import SHARED, all_rules, only

CASES = sorted(path.parent for path in (SHARED / "captures").glob("*/result.json"))

pytestmark = pytest.mark.skipif(not CASES, reason="the captures are not on this machine")


def packets(path: Path) -> dict[str, int]:
    """Packets of every rule and policy, under the names that result.json uses."""
    found = {}
    for table in only(path.read_text()).tables:
        for chain in table.chains.values():
            if chain.packets is not None:
                found[f"{table.name} {chain.name} policy {chain.policy}"] = chain.packets
            for rule in chain.rules:
                words = rule.text.removeprefix(f"-A {chain.name}").strip()
                assert rule.packets is not None
                found[f"{table.name} {chain.name} #{rule.number} {words}"] = rule.packets
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_moved_is_what_was_recorded(case: Path) -> None:
    recorded = json.loads((case / "result.json").read_text())["diff"]
    for node in recorded:
        before = packets(case / node / "before" / "iptables-save-c.txt")
        after = packets(case / node / "after" / "iptables-save-c.txt")
        moved = {name: after[name] - before[name] for name in after if after[name] != before[name]}
        assert moved == recorded[node]["rules"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_line_comes_back_and_every_match_is_understood(case: Path) -> None:
    for path in case.glob("*/*/iptables-save-c.txt"):
        text = path.read_text()
        ruleset = only(text)
        kept = [line for line in text.split("\n") if line[:1] not in ("#", "")]
        assert print_save(ruleset).rstrip("\n").split("\n") == kept
        assert (ruleset.family, ruleset.backend) == ("ipv4", "legacy" if "legacy" in case.name else "nft")
        assert parse(text).problems == ()
        assert not [one for rule in all_rules(ruleset) for one in spec(rule).find(Unknown)]
