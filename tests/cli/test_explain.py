"""`calitop explain` from outside: whole nodes, single things, JSON, status, text that means harm."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from calitop.cli.main import main
from calitop.cni.index import NodeIndex
from calitop.explain.rule_words import explain_rule
from calitop.model.node import IpSet
from calitop.report.check import ref_words
from tests.check import states
from tests.cli.conftest import JsonOf
from tests.path.small_node import RULES, save

SNAPSHOTS = Path(__file__).parents[2] / "snapshots"
FIELD, LAB, WORK1 = SNAPSHOTS / "field-report", SNAPSHOTS / "lab", SNAPSHOTS / "lab" / "k8s-work1"
POD = "cali7cd4eff55c7"
NODE = {
    "name",
    "captured_at",
    "programs",
    "calico",
    "bpf",
    "hashes",
    "marks",
    "endpoint_marks",
    "mark_overlaps",
    "owners",
    "unknown",
}
TOLD = {"node", "kind", "ref", "title", "sentences", "rules"}


def explained(json_of: JsonOf, *words: object) -> dict[str, Any]:
    """The JSON object of a command that succeeds."""
    status, told = json_of("explain", *map(str, words))
    assert status == 0
    return told


def text(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """The text of a command that succeeds."""
    assert main(["explain", *map(str, words)]) == 0
    return capsys.readouterr().out


def about(json_of: JsonOf, node: object, what: str) -> list[dict[str, Any]]:
    """What is found under one word."""
    told = explained(json_of, node, "--about", what)
    assert told.keys() == {"calitop", "about"}
    (one,) = told["about"]
    assert one["what"] == what
    found: list[dict[str, Any]] = one["found"]
    assert all(each.keys() == TOLD for each in found)
    return found


# -- whole nodes --------------------------------------------------------------------------


def test_the_field_report_is_told_without_inventing(json_of: JsonOf) -> None:
    told = explained(json_of, FIELD)
    assert told.keys() == {"calitop", "nodes", "static_chains"}
    (node,) = told["nodes"]
    assert node.keys() == NODE
    assert (node["calico"]["version"]["first"], node["calico"]["version"]["last"]) == ("v3.17", "v3.27")
    assert len(node["calico"]["version"]["proofs"]) == 2
    assert (node["calico"]["ipvs"], node["bpf"]) == (True, None)
    assert node["hashes"]["rules"] == {"verified": 25, "differ": 0, "foreign": 0, "not_judged": 1}
    verdicts = {each["ref"].split("/")[3]: each["verdict"] for each in node["hashes"]["chains"]}
    assert [verdicts[f"cali-{start}-{POD}"] for start in ("fw", "tw", "sm")] == ["untouched"] * 3
    assert verdicts["cali-OUTPUT"] == "filtered"
    missing = {each["ref"].split("/")[3]: each["missing"] for each in node["hashes"]["chains"]}
    assert [len(missing[f"cali-from-{rest}"]) for rest in ("wl-dispatch-7", "endpoint-mark")] == [1, 0]
    assert [each["name"] for each in node["marks"]] == ["Calico accept", "Calico endpoint"]
    (mark,) = node["endpoint_marks"]
    assert (mark["mark"], mark["interface"], mark["computed"]) == ("0xd9b00000", POD, True)
    assert mark["pod"] == "default/calico-python3-daemon-2jlc5"
    unknown = {each["what"]: each["needs"] for each in node["unknown"]}
    assert "iptables-save" in unknown["Calico's iptables backend"]
    assert "Calico's mark bits for pass, scratch 0, scratch 1" in unknown
    assert node["programs"][0]["backend"] is None
    assert told["static_chains"] == []


def test_the_field_reports_directions_are_right(json_of: JsonOf) -> None:
    assert "from the pod" in about(json_of, FIELD, f"cali-fw-{POD}")[0]["title"]
    assert "(egress)" in about(json_of, FIELD, f"cali-fw-{POD}")[0]["title"]
    to_pod = about(json_of, FIELD, f"cali-tw-{POD}")[0]
    assert "to the pod" in to_pod["title"] and "(ingress)" in to_pod["title"]
    assert all(each["number"] is None and each["words"].endswith(".") for each in to_pod["rules"])
    assert len(to_pod["rules"]) == 8


def test_two_nodes_are_compared(capsys: pytest.CaptureFixture[str], json_of: JsonOf) -> None:
    told = explained(json_of, LAB)
    assert [each["name"] for each in told["nodes"]] == ["k8s-work1", "k8s-work2"]
    for node in told["nodes"]:
        assert node["hashes"]["rules"] == {"verified": 223, "differ": 0, "foreign": 0, "not_judged": 0}
        assert node["hashes"]["judged"] is True
        names = {each["name"] for each in node["marks"]}
        assert {"Calico pass", "kube-proxy masquerade", "Cilium's own field", "Cilium identity"} <= names
        assert {"names": ["Calico endpoint", "Cilium identity"], "bits": "0xfff00000"} in node[
            "mark_overlaps"
        ]
        assert {"owner": "kernel", "count": 5} in node["owners"]["ip_rules"]
        assert all(each["ref"] or each["how"] for each in node["marks"])
    static = {each["ref"]: each for each in told["static_chains"]}
    assert static["ipv4/nft/filter/cali-FORWARD"]["equal"] is True
    assert {each["equal"] for each in told["static_chains"]} == {True}
    assert "CALICO'S STATIC CHAINS ON k8s-work1, k8s-work2\n  equal: 13 chains" in text(capsys, LAB)


def test_counts_by_owner_are_those_of_show(capsys: pytest.CaptureFixture[str], json_of: JsonOf) -> None:
    (node,) = explained(json_of, WORK1)["nodes"]
    assert main(["show", str(WORK1), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    for kind in ("routes", "links", "ip_rules"):
        owners = [each["owner"] for each in shown[kind]]
        assert node["owners"][kind] == [
            {"owner": owner, "count": owners.count(owner)}
            for owner in sorted(set(owners), key=lambda one: (one is None, one or ""))
        ]
    chains = [chain for each in shown["rulesets"] for table in each["tables"] for chain in table["chains"]]
    for kind, count in (("chains", len(chains)), ("rules", sum(len(each["rules"]) for each in chains))):
        assert sum(each["count"] for each in node["owners"][kind]) == count


def rules_of_the_lab() -> str:
    """What iptables-save printed on the lab's first node."""
    return (WORK1 / "before" / "iptables-save.txt").read_text()


def test_an_edited_chain_is_told_and_not_equal(
    capsys: pytest.CaptureFixture[str], json_of: JsonOf, tmp_path: Path
) -> None:
    line = "-A cali-wl-to-host "
    foreign = "[0:0] -A cali-wl-to-host -s 10.1.2.3/32 -j DROP"
    lines = rules_of_the_lab().splitlines()
    at = next(at for at, each in enumerate(lines) if line in each)
    whole = f"whole={save(tmp_path / 'whole', rules_of_the_lab())}"
    odd = f"odd={save(tmp_path / 'odd', chr(10).join([*lines[:at], foreign, *lines[at:]]) + chr(10))}"
    told = explained(json_of, whole, odd)
    node = told["nodes"][1]
    assert node["hashes"]["rules"]["foreign"] == 1
    (edited,) = [each for each in node["hashes"]["chains"] if each["verdict"] == "edited"]
    assert (edited["ref"], edited["number"]) == ("ipv4/nft/filter/cali-wl-to-host", 1)
    static = {each["ref"]: each for each in told["static_chains"]}[edited["ref"]]
    assert static["equal"] is None
    assert [bool(each["signature"]) for each in static["nodes"]] == [True, False]
    out = text(capsys, whole, odd)
    assert "edited by someone else: 1 chain\n    filter cali-wl-to-host: rule 1 has no hash" in out
    assert "not comparable: 1 chain" in out


def test_hashes_of_an_unknown_release_accuse_nobody(
    capsys: pytest.CaptureFixture[str], json_of: JsonOf, tmp_path: Path
) -> None:
    rules = re.sub(r"cali:[\w-]{16}", "cali:AAAAAAAAAAAAAAAA", rules_of_the_lab())
    node = f"one={save(tmp_path / 'one', rules)}"
    told = explained(json_of, node)["nodes"][0]["hashes"]
    assert told["judged"] is False
    assert (told["rules"]["verified"], told["rules"]["differ"]) == (0, 0) and told["rules"][
        "not_judged"
    ] > 200
    assert {each["verdict"] for each in told["chains"]} <= {"unknown", "filtered"}
    out = text(capsys, node)
    assert "hashes calitop cannot recompute" in out and "edited by someone else" not in out


# -- single things ------------------------------------------------------------------------


def test_a_chain_is_told_rule_by_rule_in_the_explorers_words(json_of: JsonOf) -> None:
    (told,) = about(json_of, WORK1, "filter/cali-wl-to-host")
    index = NodeIndex(states.lab())
    key = next(key for key in index.chains if key.chain == "cali-wl-to-host")
    assert told["ref"] == ref_words(key)
    assert [each["words"] for each in told["rules"]] == [
        explain_rule(index, key, at) for at in range(len(index.chains[key].rules))
    ]
    assert any(line.startswith("called by cali-INPUT rule") for line in told["sentences"])
    assert any("reached from INPUT" in line for line in told["sentences"])
    assert any(line.startswith("Felix's hashes, untouched") for line in told["sentences"])


def test_a_name_with_several_meanings_is_told_for_each(json_of: JsonOf) -> None:
    assert [each["title"] for each in about(json_of, WORK1, "FORWARD")] == [
        "mangle FORWARD",
        "filter FORWARD",
    ]
    assert [each["kind"] for each in about(json_of, WORK1, "10.222.2.80")] == ["route", "address"]


def test_every_place_that_a_check_names_can_be_asked_for(
    capsys: pytest.CaptureFixture[str], json_of: JsonOf
) -> None:
    main(["check", str(WORK1), "--json"])
    findings = json.loads(capsys.readouterr().out)["findings"]
    kinds = ("rule", "chain", "route", "link")
    places = [(each["kind"], each["ref"]) for found in findings for each in found["evidence"]]
    asked = [(kind, ref) for kind, ref in places if kind in kinds]
    assert {kind for kind, _ in asked} >= {"rule", "route"}
    for kind, ref in asked:
        found = about(json_of, WORK1, ref)
        assert {"link": "interface"}.get(kind, kind) in {each["kind"] for each in found}


def test_a_rule_by_its_number(json_of: JsonOf) -> None:
    ref = "ipv4/nft/filter/cali-from-endpoint-mark/7"
    (told,) = about(json_of, WORK1, ref)
    assert (told["kind"], told["ref"]) == ("rule", ref)
    assert told["sentences"][0] == "Drop the packet."
    assert "owner calico" in told["sentences"]
    assert about(json_of, WORK1, "filter/cali-from-endpoint-mark/7") == [told]
    assert about(json_of, WORK1, "cali-from-endpoint-mark/7") == [told]


def test_an_interface_a_route_and_a_policy_rule(json_of: JsonOf) -> None:
    (link,) = about(json_of, WORK1, "califac48d21471")
    assert "Calico's endpoint mark 0x63700000, as Felix computes it from the name" in link["sentences"]
    assert any("chain filter cali-tw-califac48d21471" in line for line in link["sentences"])
    (route,) = about(json_of, WORK1, "10.222.160.0/24")
    assert route["sentences"][0].startswith("Packets to 10.222.160.0/24 leave by tunl0 (the ipip tunnel)")
    assert {each["title"] for each in about(json_of, WORK1, "rule 0")} == {
        "policy rule 0  ipv4",
        "policy rule 0  ipv6",
    }
    assert about(json_of, WORK1, "0.0.0.0/0")[0]["title"] == "route default"


def test_a_mark_by_value_and_mask(json_of: JsonOf) -> None:
    (accept,) = about(json_of, WORK1, "0x10000")
    assert accept["sentences"][0] == "A packet with it: Calico has accepted the packet (mark bit 0x10000)."
    assert any(line.startswith("tested by ") and " more rule" in line for line in accept["sentences"])
    (proxy,) = about(json_of, WORK1, "0x200/0xf00")
    assert '"to the proxy"' in proxy["sentences"][0]
    (nothing,) = about(json_of, FIELD, "0x1")
    assert nothing["sentences"] == ["mark bit 0x1: no rule that was read gives a meaning"]


def test_an_ipset_and_an_address(json_of: JsonOf) -> None:
    (hosts,) = about(json_of, WORK1, "cali40all-hosts-net")
    assert hosts["kind"] == "set" and hosts["sentences"][0] == "It holds the nodes that Calico knows."
    assert any("filter cali-INPUT rule 1: the source" in line for line in hosts["sentences"])
    (address,) = about(json_of, WORK1, "172.16.189.102")
    assert address["kind"] == "address"
    assert any("in the set cali40all-hosts-net" in line for line in address["sentences"])
    named = about(json_of, FIELD, "cali40all-hosts-net")
    assert [each["kind"] for each in named] == ["set"]
    assert "it was not read: ipset save cali40all-hosts-net" in named[0]["sentences"]


def test_several_questions_over_several_nodes(capsys: pytest.CaptureFixture[str], json_of: JsonOf) -> None:
    told = explained(json_of, LAB, "--about", "tunl0", "--about", "califac48d21471")["about"]
    assert [each["what"] for each in told] == ["tunl0", "califac48d21471"]
    assert [each["node"] for each in told[0]["found"]] == ["k8s-work1", "k8s-work2"]
    assert [each["node"] for each in told[1]["found"]] == ["k8s-work1"]
    out = text(capsys, LAB, "--about", "tunl0")
    assert "interface tunl0  (on k8s-work1)" in out and "interface tunl0  (on k8s-work2)" in out


@pytest.mark.parametrize(
    ("what", "status", "words"),
    [
        (f"cali-tw-{POD[:-1]}8", 2, f"near it: cali-tw-{POD}"),
        (f"filter/cali-tw-{POD}/99", 2, f"near it: cali-tw-{POD}"),
        ("nothing like that", 2, "calitop show lists what was read"),
        ("10.9.9.0/24", 2, "near it: 10.222."),
        ("", 2, "there is no ''"),
        ("rule 100", 3, "read the policy rules: ip -j rule"),
    ],
)
def test_what_is_not_found_is_an_error_with_near_names(
    capsys: pytest.CaptureFixture[str], what: str, status: int, words: str
) -> None:
    assert main(["explain", str(FIELD), "--about", what]) == status
    told = capsys.readouterr()
    assert words in told.err and told.err.count("\n") == 1 and told.out == ""


def test_a_missing_snapshot_is_an_error_of_input(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["explain", str(tmp_path / "none")]) == 3
    assert "none" in capsys.readouterr().err


@pytest.mark.parametrize("asked", [(), ("--about", "cali-FORWARD"), ("--about", "filter/FORWARD/1")])
def test_text_that_means_harm_stays_text(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, asked: tuple[str, ...]
) -> None:
    hostile = RULES.replace(
        "-i eth0 -j ACCEPT", '-i eth0 -m comment --comment "\x1b[2J[bold]" -j ACCEPT'
    ).replace('"no way"', '"\x1b]0;x\x07"')
    node = f"\x1b[31mone={save(tmp_path / 'one', hostile)}"
    out = text(capsys, node, *asked)
    assert "\x1b" not in out and "\x07" not in out
    main(["explain", node, "--about", "\x1b[2Jnone"])
    assert "\x1b" not in capsys.readouterr().err


class _Node:
    """A live node: its structure leaves the members of sets out."""

    def structure(self) -> Any:
        lab = states.lab()
        return SimpleNamespace(state=replace(lab, sets=tuple(replace(one, members=None) for one in lab.sets)))

    def set_members(self, name: str) -> IpSet:
        return next(one for one in states.lab().sets if one.name == name)

    def close(self) -> None:
        """Nothing is open."""


def test_this_node_live(json_of: JsonOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calitop.cli.live.live_source", lambda _: _Node())
    assert [each["name"] for each in explained(json_of)["nodes"]] == ["k8s-work1"]
    assert explained(json_of, "--about", "tunl0")["about"][0]["found"]
    lines = explained(json_of, "--about", "172.16.189.102")["about"][0]["found"][0]["sentences"]
    assert any("in the set cali40all-hosts-net" in line for line in lines)


def test_help_lists_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "calitop explain [SNAPSHOT...]" in capsys.readouterr().out
