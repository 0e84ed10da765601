"""On real captures the way and the reverse-path check come out as measured there."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from calitop.path.packet import Packet
from calitop.path.routing import STATISTICS, lookup
from calitop.path.rp_filter import check
from calitop.path.world import World
from calitop.snapshot.open import open_snapshots

ROOT = Path(__file__).parents[2]
CAPTURES = ROOT.parent / "shared" / "captures"
SRC, DST = ip_address("10.222.2.82"), ip_address("10.222.219.6")


def world(case: Path, node: str) -> World:
    found = [one for one in open_snapshots([str(case)]) if (one.name or "").endswith(node)]
    return World(found[0].moments[0])


def cases() -> list[tuple[Path, bool]]:
    shared = [(CAPTURES / name, passes) for name, passes in (("baseline", True), ("rpf-tunl0-1", False))]
    return [(ROOT / "snapshots" / "lab", True), *shared]


@pytest.mark.parametrize(("case", "passes"), cases())
def test_the_ping_passes_or_is_refused_as_measured(case: Path, passes: bool) -> None:
    if not case.exists():
        pytest.skip(f"{case.name} is not here")
    work1, work2 = world(case, "work1"), world(case, "work2")
    out = lookup(work2, DST).way
    assert out is not None and (out.dev, out.gateway) == ("tunl0", "172.16.189.101")
    arrived = lookup(work1, DST, SRC, iif="tunl0")
    assert arrived.way is not None and not arrived.missing and not arrived.assumed
    assert (arrived.way.type, arrived.way.dev) == (
        ("unicast", "calicbd8d7879b8") if passes else ("rp_filter", None)
    )
    packet = Packet(family="ipv4", src=SRC, dst=DST, iif="tunl0")
    found = check(work1, packet, "tunl0")
    assert found.passes is passes
    if not passes:
        assert found.back is not None and found.back.dev == "cilium_host"
        assert STATISTICS[arrived.way.type] == "TcpExt.IPReversePathFilter"


def test_a_route_n_alone_tells_the_way_but_not_every_type() -> None:
    """`route -n` shows one sign for blackhole and throw, and no local table."""
    field_report = world(ROOT / "snapshots" / "field-report", "work2")
    answer = lookup(field_report, DST)
    assert answer.way is None and any(way.dev == "tunl0" for way in answer.ways)
    assert "ip route show table all" in answer.missing
    assert answer.assumed == ("the policy rules are the kernel's own (ip rule was not read)",)
    own_block = lookup(field_report, ip_address("10.222.160.77"))
    assert {"blackhole"} <= {way.type for way in own_block.ways}
