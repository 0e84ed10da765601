"""What is never sent to."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from calitop.errors import UsageError
from calitop.model.network import Link, Route
from calitop.model.node import NodeState
from calitop.probe.plan import refuse_unsafe

STATE = NodeState(
    links=(Link("eth0", addresses=("192.0.2.1/24",)),),
    routes=(Route("ipv4", "198.51.100.255/32", table="local", type="broadcast", dev="eth1"),),
)


@pytest.mark.parametrize(
    "target",
    [
        *("224.0.0.1", "255.255.255.255", "192.0.2.255", "198.51.100.255", "0.0.0.0", "127.0.0.1"),
        *("ff02::1", "::", "::1", "169.254.1.1", "fe80::1"),
    ],
)
def test_nothing_is_sent_to_more_or_less_than_one_machine(target: str) -> None:
    with pytest.raises(UsageError):
        refuse_unsafe(ip_address(target), STATE)


@pytest.mark.parametrize("target", ["192.0.2.254", "198.51.100.254", "10.0.0.255", "2001:db8::1"])
def test_machines_are_sent_to(target: str) -> None:
    refuse_unsafe(ip_address(target), STATE)
