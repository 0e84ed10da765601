"""What forwards IPv6 is predicted from a snapshot as this kernel does it."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest

from calitop.cli.main import main
from calitop.path.network import Network
from calitop.path.node import Node
from calitop.path.trace import Request, trace
from calitop.snapshot.open import open_one
from tests.kernel.netns import Namespace

pytestmark = pytest.mark.kernel

Sides = tuple[Namespace, Namespace]


@pytest.fixture
def router(make_netns: Callable[[str], Namespace]) -> Sides:
    """A router with a client behind e1; what is sent on by e2 is counted there."""
    router, client = make_netns("router"), make_netns("client")
    router.ip("link", "add", "e1", "type", "veth", "peer", "name", "e0", "netns", client.name)
    router.ip("link", "add", "e2", "type", "veth", "peer", "name", "far")
    for space, dev, address in (
        (router, "e1", "fd00:1::1"),
        (router, "e2", "fd00:2::1"),
        (client, "e0", "fd00:1::2"),
    ):
        space.ip("-6", "addr", "add", f"{address}/64", "dev", dev, "nodad")
        space.ip("link", "set", dev, "up")
    router.ip("link", "set", "far", "up")
    router.ip("-6", "neigh", "add", "fd00:2::2", "lladdr", "02:00:00:00:00:02", "dev", "e2")
    client.ip("-6", "route", "add", "default", "via", "fd00:1::1")
    router.run("ip6tables-nft-restore", text="*mangle\n-A FORWARD -d fd00:2::2\nCOMMIT\n")
    return router, client


@pytest.mark.parametrize(("everywhere", "on_device", "forced"), [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0)])
def test_forwarding(router: Sides, tmp_path: Path, everywhere: int, on_device: int, forced: int) -> None:
    node, client = router
    conf = Path("/proc/sys/net/ipv6/conf")
    if forced and not (conf / "lo/force_forwarding").exists():
        pytest.skip("force_forwarding came with kernel 6.17")
    settings = {"all/forwarding": everywhere, "e1/forwarding": on_device, "e1/force_forwarding": forced}
    for name, value in settings.items():
        node.run("sh", "-c", f"test ! -e {conf / name} || echo {value} > {conf / name}")
    client.run("ping", "-c1", "-W1", "fd00:2::2", check=False)
    is_forwarded = "[1:" in node.run("ip6tables-nft-save", "-c").split("-A FORWARD")[0].splitlines()[-1]
    assert main(["save", "--netns", node.name, str(tmp_path / "saved")]) == 0
    network = Network([Node("router", open_one(str(tmp_path / "saved"))[0].moments[0])])
    asked = Request(src=ip_address("fd00:1::2"), dst=ip_address("fd00:2::2"), on="router", dev="e1")
    forward = trace(network, asked).forward
    assert forward.branches == ()
    assert (forward.where and forward.where.name) == (None if is_forwarded else "no_forwarding")
    assert is_forwarded == bool(everywhere or forced)
