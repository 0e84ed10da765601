"""The namespaces that the kernel tests stand on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kernel.netns import Namespace, namespace, wire

pytestmark = pytest.mark.kernel


def test_namespace_is_deleted_afterwards() -> None:
    with namespace("gone") as made:
        assert Path("/run/netns", made.name).exists()
    assert not Path("/run/netns", made.name).exists()


def test_rules_loaded_in_one_namespace_are_not_seen_in_another(
    make_netns: Callable[[str], Namespace],
) -> None:
    one, two = make_netns("a"), make_netns("b")
    one.load("*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -s 10.1.2.3/32 -j DROP\nCOMMIT\n")
    assert "10.1.2.3" in one.run("iptables-nft-save")
    assert "10.1.2.3" not in two.run("iptables-nft-save")


def test_wired_namespaces_reach_each_other(make_netns: Callable[[str], Namespace]) -> None:
    one, two = make_netns("a"), make_netns("b")
    wire(one, "left", two, "right")
    one.ip("addr", "add", "10.9.0.1/30", "dev", "left")
    two.ip("addr", "add", "10.9.0.2/30", "dev", "right")
    assert "1 received" in one.run("ping", "-c", "1", "-W", "2", "10.9.0.2")
