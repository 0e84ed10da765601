"""Which rules a packet passes by, and the condition that fails."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from calitop.path.network import Network
from calitop.path.node import Node
from calitop.path.passed_by import passed_by
from calitop.path.steps import Path as Predicted
from calitop.path.steps import Step
from calitop.path.trace import Request, trace
from calitop.snapshot.open import open_one
from tests.path.small_node import FAR, POD, RULES, save

LAB = Path(__file__).parents[2] / "snapshots" / "lab"


def predicted(folder: Path, rules: str = RULES, target: str = FAR) -> tuple[Network, Predicted]:
    state = open_one(str(save(folder, rules)))[0].moments[0]
    network = Network([Node("one", state)])
    return network, trace(network, Request(src=ip_address(POD), dst=ip_address(target))).forward


def passed(network: Network, steps: tuple[Step, ...]) -> list[tuple[str, int | None]]:
    return [(one.key.chain, one.number) for told in passed_by(network.nodes, steps) for one in told.rules]


def test_the_rest_of_a_chain_that_the_packet_comes_back_from(tmp_path: Path) -> None:
    """All of a chain that nothing in it takes, then on behind the jump."""
    network, path = predicted(tmp_path)
    before_policy = passed_by(network.nodes, path.steps)[
        [(step.table, step.chain, step.kind) for step in path.steps].index(("filter", "FORWARD", "policy"))
    ]
    assert [(one.key.chain, one.number, one.because) for one in before_policy.rules] == [
        ("cali-FORWARD", 1, "-i eth0: it comes in by cali1"),
        ("cali-FORWARD", 2, "--ctstate RELATED,ESTABLISHED: its state is NEW"),
        ("cali-FORWARD", 3, "! --mark 0x0/0xfff00000: its mark is 0x0"),
        ("cali-FORWARD", 4, "-p tcp: its protocol is icmp"),
        ("FORWARD", 2, f"-d 10.8.0.0/16: its destination is {FAR}"),
    ]
    assert all(one.sure for one in before_policy.rules)


@pytest.mark.parametrize(
    ("lead", "inner", "expected"),
    [
        ("-j inner", ("-s 192.0.2.1 -j DROP", "-j RETURN", "-j DROP"), [("inner", 1), ("FORWARD", 2)]),
        ("-j inner", ("-s 192.0.2.1 -j DROP",), [("inner", 1), ("FORWARD", 2)]),
        ("-g inner", ("-s 192.0.2.1 -j DROP",), [("inner", 1)]),
        ("-j RETURN", ("-j DROP",), []),
        ("-j ACCEPT", ("-j DROP",), []),
        ("-m limit --limit 1/sec -j LOG", ("-j DROP",), [("FORWARD", 1), ("FORWARD", 2)]),
    ],
)
def test_return_goto_accept(
    tmp_path: Path, lead: str, inner: tuple[str, ...], expected: list[tuple[str, int]]
) -> None:
    """RETURN and ACCEPT leave the rest of a chain unmet; nothing comes back behind a goto."""
    bases = "".join(f":{name} ACCEPT [0:0]\n" for name in ("INPUT", "FORWARD", "OUTPUT"))
    rules = [f"-A FORWARD {lead}", "-A FORWARD -s 192.0.2.1 -j DROP", *(f"-A inner {rule}" for rule in inner)]
    text = RULES.split("*filter")[0] + f"*filter\n{bases}:inner - [0:0]\n" + "\n".join([*rules, "COMMIT", ""])
    network, path = predicted(tmp_path, text)
    assert passed(network, path.steps) == expected


def test_large_chains_tell_only_what_could_be_met(tmp_path: Path) -> None:
    """Rules for other addresses are counted, not listed."""
    many = "\n".join(f"-A cali-FORWARD -d 10.1.{at // 250}.{at % 250}/32 -j DROP" for at in range(500))
    text = RULES.replace("[0:0] -A cali-FORWARD -p tcp", f"{many}\n[0:0] -A cali-FORWARD -p tcp")
    network, path = predicted(tmp_path, text)
    told = passed_by(network.nodes, path.steps)
    assert sum(one.others for one in told) == 501  # -i eth0 with them
    assert [rule.number for one in told for rule in one.rules if rule.key.chain == "cali-FORWARD"] == [
        2,
        3,
        504,
    ]


def test_every_rule_of_a_chain_on_the_way_is_told_once() -> None:
    """On the lab's nodes: what is taken and what is passed by are different rules, in rising order."""
    nodes = [Node(each.name or "", each.moments[0]) for each in open_one(str(LAB))]
    network = Network(nodes)
    request = Request(src=ip_address("10.222.2.82"), dst=ip_address("10.222.219.6"))
    steps = trace(network, request).forward.steps
    told = passed_by(nodes, steps)
    assert len(told) == len(steps)
    for step, before in zip(steps, told, strict=True):
        own = [one.index for one in before.rules if one.key == step.key]
        assert own == sorted(set(own))
        assert step.index is None or all(index < step.index for index in own)
