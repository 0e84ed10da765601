"""What is not known stays open and is named: an excerpt, BPF programs, a node that was not given."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from calitop.errors import CalitopError
from calitop.model.network import Link, Route
from calitop.model.node import BpfAttachment, NodeState
from calitop.path.network import Network
from calitop.path.node import Node
from calitop.path.steps import Path as Predicted
from calitop.path.trace import Request, trace
from calitop.snapshot.open import open_snapshots

SNAPSHOTS = Path(__file__).parents[2] / "snapshots"
CILIUM, CALICO = ip_address("10.222.2.82"), ip_address("10.222.219.6")


def state(name: str) -> list[NodeState]:
    return [one.moments[0] for one in open_snapshots([str(SNAPSHOTS / name)])]


def network(*states: NodeState) -> Network:
    return Network([Node(one.name or "?", one) for one in states])


def places(path: Predicted) -> dict[str, str]:
    """What each branch depends on, by the chain or the kernel's check at which it ends, and its device."""
    ends = [(one.where, one.condition) for one in path.branches if one.where is not None]
    return {
        f"{where.chain or where.name or where.kind} {where.device or ''}".rstrip(): condition
        for where, condition in ends
    }


def test_an_excerpt_names_both_candidate_causes_and_what_to_collect() -> None:
    """The mark that meets the endpoint-mark chains on the sender, and the receiver's reverse-path check."""
    dst = ip_address("10.222.219.3")
    forward = trace(network(*state("field-report")), Request(src=CILIUM, dst=dst)).forward
    assert forward.verdict == "undecided"
    found = places(forward)
    assert "mark & 0xfff00000 != 0" in found["cali-from-endpoint-mark"]
    assert "rp_filter on tunl0 of k8s-work1 is strict" in found["rp_filter tunl0"]
    assert "takes the packet" in found["bpf lxc+"]
    by_name = next(one for one in forward.branches if one.where and one.where.kind == "bpf")
    assert "not read" in by_name.because and "calitop save" in by_name.because
    for chain in ("cali-tw-cali7cd4eff55c7", "cali-from-wl-dispatch-7", "cali-to-wl-dispatch-7"):
        assert chain not in found, "of another pod's device"
    wanted = "; ".join(forward.missing)
    for words in (
        "rp_filter of all and tunl0",
        f"ip route get {CILIUM} on k8s-work1",
        "iptables-save -c of k8s-work1, whole, before and after",
        "iptables-save -c of k8s-work2, whole, before and after",
        "ipcache list on k8s-work2",
        "tc filter show and bpftool net on k8s-work2",
    ):
        assert words in wanted
    order = [
        next(at for at, one in enumerate(forward.missing) if word in one) for word in ("sysctl", "cilium")
    ]
    assert order == sorted(order), "cheapest first"


def test_between_pods_of_one_cni_nothing_is_suspected_of_the_next_node() -> None:
    """What leaves by the tunnel and is reached by it again: it only leaves the nodes given."""
    sender = next(one for one in state("lab") if one.name == "k8s-work2")
    request = Request(src=ip_address("10.222.160.6"), dst=CALICO)
    forward = trace(network(sender), request).forward
    assert (forward.verdict, forward.branches) == ("left", ())
    request = replace(request, src=CILIUM)
    forward = trace(network(sender), request).forward
    assert forward.verdict == "undecided" and "rp_filter tunl0" in places(forward)


def test_a_program_on_the_pods_device_leaves_the_identity_bits_open() -> None:
    """Cilium writes the identity into the mark, where Calico's endpoint-mark chains look for theirs."""
    nodes = state("lab")
    (device,) = network(*nodes).start(CILIUM).devices
    program = BpfAttachment(device, "ingress", "tcx", "cil_from_container", 7)
    nodes = [replace(one, bpf=(*one.bpf, program)) if one.name == "k8s-work2" else one for one in nodes]
    forward = trace(network(*nodes), Request(src=CILIUM, dst=CALICO)).forward
    found = places(forward)
    assert "mark & 0xfff00000 != 0" in found["cali-from-endpoint-mark"]
    assert any(one.verdict == "delivered" for one in forward.branches)
    assert f"bpf {device}" in found


def test_where_a_packet_starts_must_be_known() -> None:
    with pytest.raises(CalitopError, match=r"10\.9\.9\.9"):
        trace(network(*state("lab")), Request(src=ip_address("10.9.9.9"), dst=CALICO))
    with pytest.raises(CalitopError, match="nowhere"):
        trace(network(*state("lab")), Request(src=CILIUM, dst=CALICO, on="nowhere"))


def test_without_any_rules_the_way_is_told_and_rules_are_asked_for() -> None:
    """Routes alone: a rule may decide on the way, and that is a branch of its own."""
    alone = NodeState(
        name="n",
        links=(
            Link("eth0", addresses=("10.0.0.1/24",), up=True),
            Link("eth1", addresses=("10.0.1.1/24",), up=True),
        ),
        routes=(
            Route("ipv4", "10.0.0.0/24", dev="eth0"),
            Route("ipv4", "10.0.1.0/24", dev="eth1"),
            Route("ipv4", "10.0.0.1/32", "local", "local", dev="eth0"),
            Route("ipv4", "10.0.1.1/32", "local", "local", dev="eth1"),
        ),
        sysctls={
            **{f"net.ipv4.conf.{dev}.rp_filter": "1" for dev in ("all", "eth0")},
            "net.ipv4.conf.eth0.forwarding": "1",
        },
    )
    request = Request(src=ip_address("10.0.0.9"), dst=ip_address("10.0.1.9"), on="n", dev="eth0")
    forward = trace(network(alone), request).forward
    assert {one.verdict for one in forward.branches} == {"undecided", "left"}
    assert any(words.startswith("iptables-save -c of n") for words in forward.missing)
    spoofed = replace(request, src=ip_address("10.0.1.7"))
    assert any(
        one.where and one.where.name == "rp_filter" for one in trace(network(alone), spoofed).forward.branches
    )
