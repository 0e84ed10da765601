"""On real captures the predicted path is the kernel's own: its ends, and its rules one by one.

`trace.txt` of a capture is what the kernel told of one later ping: rules of the nft backend by
their text, of the legacy one by their place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from ipaddress import ip_address
from pathlib import Path

import pytest

from calitop.model.rules import ChainKey
from calitop.path.network import Network
from calitop.path.node import Node
from calitop.path.steps import Step
from calitop.path.trace import Request, Traced, trace
from calitop.snapshot.open import open_snapshots

ROOT = Path(__file__).parents[2]
CAPTURES = ROOT.parent / "shared" / "captures"
POD = "calicbd8d7879b8"
NFT = re.compile(r"^ TRACE: \d+ \w+ (\w+):(\S+?):(rule|policy):(?:0x\w+:\S+ +-4 -t \w+ (.*))?")
LEGACY = re.compile(r"^TRACE: (\w+):(\S+):(rule|return|policy):(\d+) .* MARK=(\w+)")

Told = tuple[str, str, str]
"""Table, chain, and the rule's text; of a policy the word."""


@cache
def traced(case: Path) -> tuple[Network, Traced]:
    nodes = [Node(one.name or "?", one.moments[0]) for one in open_snapshots([str(case)])]
    network = Network(nodes)
    ends = ip_address("10.222.2.82"), ip_address("10.222.219.6")
    return network, trace(network, Request(src=ends[0], dst=ends[1], reply=True))


def here(case: Path) -> Path:
    if not case.exists():
        pytest.skip(f"{case.name} is not here")
    return case


PASSING = [CAPTURES / "baseline", CAPTURES / "baseline.legacy", ROOT / "snapshots" / "lab"]


@pytest.mark.parametrize("case", PASSING, ids=lambda case: case.name)
def test_the_ping_is_delivered_and_its_answer_handed_to_bpf(case: Path) -> None:
    forward, reply = (found := traced(here(case))[1]).forward, found.reply
    assert (forward.verdict, forward.branches, forward.missing) == ("delivered", (), ())
    assert forward.where is not None and (forward.where.kind, forward.where.device) == ("link", POD)
    assert reply is not None and reply.verdict == "undecided" and reply.where is not None
    assert (reply.where.kind, reply.where.device) == ("bpf", "cilium_host")
    assert found.asymmetry is not None and "tunl0" in found.asymmetry and "cilium_host" in found.asymmetry


REFUSED = [CAPTURES / "rpf-tunl0-1", ROOT / "snapshots" / "faults" / "rpf-tunl0-1"]


@pytest.mark.parametrize("case", REFUSED, ids=["capture", "bundled"])
def test_the_ping_is_refused_by_the_reverse_path_check(case: Path) -> None:
    forward = traced(here(case))[1].forward
    assert forward.verdict == "dropped" and forward.where is not None and forward.branches == ()
    assert (forward.where.node or "").endswith("work1")
    assert (forward.where.kind, forward.where.name, forward.where.device) == ("kernel", "rp_filter", "tunl0")
    assert "cilium_host" in forward.because and "strict" in forward.because


@pytest.mark.parametrize("node", ["work1", "work2"])
@pytest.mark.parametrize("name", ["baseline", "baseline.legacy", "rpf-tunl0-1"])
def test_the_rules_are_those_of_the_kernels_own_trace(name: str, node: str) -> None:
    network, found = traced(here(CAPTURES / name))
    text = (CAPTURES / name / node / "trace.txt").read_text()
    told = list(legacy_told(text, network.node(node)) if name.endswith("legacy") else nft_told(text))
    paths = [path for path in (found.forward, found.reply) if path is not None]
    steps = [step for path in paths for step in path.steps if step.node == node and step.chain is not None]
    predicted = [told_by(step) for step in steps]
    assert predicted == [rule for rule, _ in told]
    marks = [step.packet.mark.number for step in steps]
    assert [mark for mark, (_, seen) in zip(marks, told, strict=True) if seen is not None] == [
        seen for _, seen in told if seen is not None
    ]


def told_by(step: Step) -> Told:
    return step.table or "", step.chain or "", step.text if step.kind == "rule" else "policy"


def nft_told(text: str) -> Iterator[tuple[Told, None]]:
    """What xtables-monitor printed, without the rules that asked for the trace."""
    for line in text.splitlines():
        if (found := NFT.match(line)) and not line.endswith("-j TRACE"):
            table, chain, kind, rule = found.groups()
            yield (table, chain, (rule or "").strip() if kind == "rule" else "policy"), None


def legacy_told(text: str, node: Node) -> Iterator[tuple[Told, int]]:
    """What the legacy backend told, by place: two rules that asked for the trace stand first in raw."""
    for found in map(LEGACY.match, text.splitlines()):
        assert found is not None
        table, chain, kind, place, mark = found.groups()
        rules = node.chains[ChainKey("ipv4", "legacy", table, chain)].rules
        at = int(place) - 1 - (2 if table == "raw" and chain in ("PREROUTING", "OUTPUT") else 0)
        if kind == "policy":
            yield (table, chain, "policy"), int(mark, 16)
        elif at < len(rules):  # behind them the chain ends, which it calls a return too
            yield (table, chain, rules[at].text), int(mark, 16)


def test_every_predicted_rule_moved() -> None:
    """Of the bundled capture: all that the pings should count did."""
    case = ROOT / "snapshots" / "lab"
    measured = json.loads((case / "result.json").read_text())["diff"]
    _, found = traced(case)
    rules = [step for step in found.forward.steps if step.kind == "rule"]
    still = [step for step in rules if not measured[step.node]["rules"].get(listed(step))]
    assert rules and not still, [(step.node, listed(step)) for step in still]


def listed(step: Step) -> str:
    """A rule as the lab's own measurement lists it."""
    return f"{step.table} {step.chain} #{step.number} {step.text.removeprefix(f'-A {step.chain} ')}"


def test_the_identity_mark_is_among_the_branches() -> None:
    """The bundled fault: the packets were lost where the mark's identity bits meet the endpoint marks."""
    forward = traced(ROOT / "snapshots" / "faults" / "identity-mark")[1].forward
    assert forward.verdict == "undecided"
    lost = [one for one in forward.branches if one.where and one.where.chain == "cali-from-endpoint-mark"]
    assert [(one.verdict, "mark & 0xfff00000 != 0" in one.condition) for one in lost] == [("dropped", True)]
