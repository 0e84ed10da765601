"""What a cut text lacks is found by the hash of the rule behind it, or nothing is claimed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from calitop.cni.index import NodeIndex
from calitop.explain.hash_words import chain_hashes, felix_version, ipvs_words, is_ipvs
from calitop.formats import iptables_save
from calitop.model.node import NodeState
from calitop.model.rules import ChainKey, Ruleset, Table
from calitop.snapshot.open import open_snapshots
from tests.check import states

FIELD = Path(__file__).parents[2] / "snapshots" / "field-report"


def pasted(*lines: str) -> NodeIndex:
    """Rules as somebody pastes them from a grep."""
    rulesets = iptables_save.parse("\n".join(lines) + "\n").rulesets
    assert rulesets
    return NodeIndex(NodeState(rulesets=rulesets))


def lab_rules(chain: str) -> list[str]:
    """One chain of the lab in its own words."""
    chains = states.lab().chains()
    return [
        rule.text
        for key, one in chains.items()
        if (key.table, key.chain) == ("filter", chain)
        for rule in one.rules
    ]


def only_key(index: NodeIndex, chain: str) -> ChainKey:
    return next(key for key in index.chains if key.chain == chain)


@pytest.mark.parametrize(
    ("chain", "missing"),
    [
        ("cali-from-wl-dispatch-7", "--in-interface cali7354d967ee8 --goto cali-fw-cali7354d967ee8"),
        ("cali-to-wl-dispatch-7", "--out-interface cali7354d967ee8 --goto cali-tw-cali7354d967ee8"),
        ("cali-set-endpoint-mark-7", "--in-interface cali7354d967ee8 --goto cali-sm-cali7354d967ee8"),
    ],
)
def test_the_neighbour_in_a_dispatch_tree_is_proven(chain: str, missing: str) -> None:
    index = NodeIndex(open_snapshots([str(FIELD)])[0].moments[0])
    found = chain_hashes(index, only_key(index, chain))
    assert found is not None
    assert (found.verdict, found.missing, found.states) == ("filtered", (missing,), ("match",))
    assert missing in found.words


def test_one_pasted_line_proves_ipvs_mode() -> None:
    line = next(each for each in lab_rules("cali-OUTPUT") if "Allow IPIP" in each)
    index = pasted(line)
    assert is_ipvs(index) is True
    assert ipvs_words(index).endswith("(the hash of cali-OUTPUT proves its rule for it)")
    assert felix_version(index).words() == "Calico release not known"


@pytest.mark.parametrize("change", [("Allow IPIP", "allow ipip"), ("cali:AJBk", "cali:BJBk")])
def test_what_does_not_fit_proves_nothing(change: tuple[str, str]) -> None:
    line = next(each for each in lab_rules("cali-OUTPUT") if "Allow IPIP" in each)
    index = pasted(line.replace(*change))
    found = chain_hashes(index, only_key(index, "cali-OUTPUT"))
    assert found is not None and (found.missing, found.states) == ((), ("differs",))
    assert is_ipvs(index) is None and ipvs_words(index).endswith("not known")


def test_rules_behind_the_proven_gap_are_judged_too() -> None:
    chain = next(
        one
        for key, one in states.lab().chains().items()
        if (key.table, key.chain) == ("filter", "cali-OUTPUT")
    )
    at = next(at for at, rule in enumerate(chain.rules) if "Allow IPIP" in rule.text)
    cut = replace(chain, rules=tuple(chain.rules[at:]), complete=False)
    index = NodeIndex(NodeState(rulesets=(Ruleset("ipv4", "nft", (Table("filter", {cut.name: cut}),)),)))
    found = chain_hashes(index, only_key(index, "cali-OUTPUT"))
    assert found is not None and len(found.missing) == at
    assert found.states == ("match",) * (len(chain.rules) - at)
