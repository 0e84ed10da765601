"""Settings out of the list of links are those of the files below /proc/sys."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from calitop.sources.device_settings import CONF_IPV4, CONF_IPV6, device_messages, device_settings
from calitop.sources.namespace import ReaderThread
from tests.kernel.netns import Namespace

pytestmark = pytest.mark.kernel

IPV6 = [name for name in CONF_IPV6 if Path("/proc/sys/net/ipv6/conf/lo", name).exists()]
"""Those that this kernel has; `force_forwarding` came with 6.17."""
READ_ONLY = {"mc_forwarding"}


def in_files(told: dict[str, str]) -> dict[str, str]:
    return {path: Path("/proc/sys", path).read_text().strip() for path in told}


@pytest.fixture
def veth(netns: Namespace) -> str:
    netns.ip("link", "add", "va", "type", "veth", "peer", "name", "vb.5")
    return "vb.5"


def told_by_kernel() -> dict[str, str]:
    """The settings of every device."""
    return {path: value for each in device_messages() for path, value in device_settings(each).values.items()}


def test_every_setting_stands_in_its_place(netns: Namespace, veth: str) -> None:
    """Each one alone is given another value, so that no two places can be taken for each other."""
    paths = [f"net/ipv4/conf/{veth}/{name}" for name in CONF_IPV4 if name not in READ_ONLY]
    paths += [f"net/ipv6/conf/{veth}/{name}" for name in IPV6 if name not in READ_ONLY]
    thread = ReaderThread(netns.name)
    try:
        for path in paths:
            before = thread.call(told_by_kernel)
            other = "0" if before[path] == "1" else "1"
            netns.run("sh", "-c", f"echo {other} > /proc/sys/{path}")
            after = thread.call(told_by_kernel)
            assert after[path] == other, path
            assert after == thread.call(partial(in_files, after)), path
    finally:
        thread.close()


def test_every_device_is_told(netns: Namespace, veth: str) -> None:
    thread = ReaderThread(netns.name)
    try:
        told = thread.call(told_by_kernel)
    finally:
        thread.close()
    assert set(told) == {
        f"net/{family}/conf/{device}/{name}"
        for family, names in (("ipv4", CONF_IPV4), ("ipv6", IPV6))
        for name in names
        for device in ("lo", "va", veth)
    }
