"""A prediction beside what counted."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

from calitop.counters.compare import compare
from calitop.model.place import Where
from calitop.path.bits import Bits
from calitop.path.moved import Between, Prediction, prediction
from calitop.path.network import Network
from calitop.path.node import Node
from calitop.path.trace import Request, trace
from calitop.snapshot.open import open_one
from tests.path.small_node import FAR, POD, RULES, counted, save

LAB = Path(__file__).parents[2] / "snapshots"
ON_THE_WAY = (":PREROUTING", ":FORWARD", ":POSTROUTING", "-A FORWARD -m comment")


def compared(folder: Path, after: str, mark: Bits | None = None) -> Prediction:
    states = [
        open_one(str(save(folder / name, rules)))[0].moments[0]
        for name, rules in (("before", RULES), ("after", after))
    ]
    request = Request(src=ip_address(POD), dst=ip_address(FAR), mark=mark or Bits(0))
    path = trace(Network([Node("one", states[0])]), request).forward
    return prediction([path], {"one": Between.moments(states[0], states[1])})


def test_all_that_was_predicted_moved(tmp_path: Path) -> None:
    """Nothing stands still, nothing else moved."""
    found = compared(tmp_path, counted(RULES, *ON_THE_WAY))
    assert (found.still, found.unpredicted, found.fits(found.paths[0].steps)) == ((), (), True)


def test_what_stood_still_and_what_moved_instead(tmp_path: Path) -> None:
    """Each unpredicted rule says whose packets it can have been."""
    moved = (*ON_THE_WAY[:2], "-A FORWARD -m comment", "0xfff00000", "ESTABLISHED", "-i eth0")
    found = compared(tmp_path, counted(RULES, *moved))
    assert [(step.table, step.chain, step.kind) for step in found.still] == [
        ("mangle", "POSTROUTING", "policy")
    ]
    assert {(one.number, one.whose) for one in found.unpredicted} == {(1, "other"), (2, "later"), (3, "flow")}
    assert found.fits(found.paths[0].steps) is False


def test_a_branch_is_told_from_the_others(tmp_path: Path) -> None:
    """Only the way that the packets took fits."""
    moved = (*ON_THE_WAY[:1], "-A FORWARD -m comment", "0xfff00000", "Unknown interface")
    found = compared(tmp_path, counted(RULES, *moved), Bits(0, 0xFFFFF))
    fits = {one.verdict: found.fits(one.steps) for one in found.paths[0].branches}
    assert fits == {"dropped": True, "left": False}


def test_rules_that_moved_in_the_chain_are_found_again(tmp_path: Path) -> None:
    """A rule written above others between the moments does not confuse them."""
    after = counted(RULES, *ON_THE_WAY).replace(
        "[5:420] -A FORWARD -m comment", "[0:0] -A FORWARD -s 9.9.9.9 -j DROP\n[5:420] -A FORWARD -m comment"
    )
    found = compared(tmp_path, after)
    assert (found.still, found.unpredicted) == ((), ())


def test_no_counters_say_nothing(tmp_path: Path) -> None:
    """Without counters nothing is claimed, and one moment is no comparison."""
    found = compared(tmp_path, "\n".join(line.removeprefix("[0:0] ") for line in RULES.splitlines()))
    rules = [step for step in found.paths[0].steps if step.kind == "rule"]
    assert [found.agreement(step) for step in rules] == ["unknown"] and found.fits(rules) is None
    alone = prediction(found.paths, {})
    assert {alone.agreement(step) for step in found.paths[0].steps} == {None}
    assert alone.fits(found.paths[0].steps) is None


def test_a_live_poll_gives_the_same(tmp_path: Path) -> None:
    """Counts aligned to the predicted state itself, as the explorer has them."""
    states = [
        open_one(str(save(tmp_path / name, rules)))[0].moments[0]
        for name, rules in (("before", RULES), ("after", counted(RULES, *ON_THE_WAY)))
    ]
    path = trace(Network([Node("one", states[1])]), Request(src=ip_address(POD), dst=ip_address(FAR))).forward
    live = prediction([path], {"one": Between(states[1], states[1], compare(*states))})
    assert (live.still, live.fits(path.steps)) == ((), True)


def test_the_kernels_counter_of_an_end(tmp_path: Path) -> None:
    """A predicted loss in routing is confirmed, or spoken against, by its statistic."""
    where = Where(node="one", kind="kernel", name="rp_filter", device="cali1")
    netstat = "TcpExt: SyncookiesSent IPReversePathFilter\nTcpExt: 0 {}\n"
    found = compared(tmp_path, RULES)
    save(tmp_path / "after", RULES, **{"netstat.txt": netstat.format(5)})
    assert found.statistic(where) == ("TcpExt.IPReversePathFilter", None)
    (tmp_path / "before" / "netstat.txt").write_text(netstat.format(2))
    states = [open_one(str(tmp_path / name))[0].moments[0] for name in ("before", "after")]
    found = prediction(found.paths, {"one": Between.moments(*states)})
    assert found.statistic(where) == ("TcpExt.IPReversePathFilter", 3)
    assert found.fits((), where) is True
    assert found.statistic(replace(where, name="mtu")) is None


def test_the_lab_and_its_fault() -> None:
    """Five pings: all moved as predicted; with the mark of an identity the other way."""
    verdicts = {}
    for name in ("lab", "faults/identity-mark"):
        nodes = open_one(str(LAB / name))
        network = Network([Node(each.name or "", each.moments[0]) for each in nodes])
        request = Request(
            src=ip_address("10.222.2.82"), dst=ip_address("10.222.219.6"), mark=Bits(0, 0xFFFFF)
        )
        path = trace(network, request).forward
        between = {each.name or "": Between.moments(*each.moments) for each in nodes}
        found = prediction([path], between)
        ways = path.branches or (path,)
        verdicts[name] = [
            one.where.chain if one.where else None for one in ways if found.fits(one.steps, one.where)
        ]
    assert verdicts == {"lab": [None], "faults/identity-mark": ["cali-from-endpoint-mark"]}
