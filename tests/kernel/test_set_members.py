"""One set read on demand, and asked as the kernel would answer (`ipset test`)."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import closing
from ipaddress import ip_address

import pytest

from calitop.errors import SourceUnavailable
from calitop.set_members import SetMembers
from calitop.sources.kernel import KernelSource
from calitop.sources.via import CommandSource
from tests.kernel.netns import Namespace

pytestmark = pytest.mark.kernel

Open = Callable[[Namespace], "KernelSource | CommandSource"]
WAYS: dict[str, Open] = {
    "kernel": lambda space: KernelSource(space.name),
    "via": lambda space: CommandSource(f"ip netns exec {space.name}"),
}
SETS = {
    "hash:ip": ["10.0.0.1", "10.0.0.7"],
    "hash:net": ["10.0.0.0/28", "10.0.0.4/30 nomatch", "10.0.0.6"],
    "hash:ip,port": ["10.0.0.1,tcp:80", "10.0.0.2,udp:53", "10.0.0.2,icmp:8/0"],
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", SETS)
def test_a_set_answers_as_the_kernel_does(netns: Namespace, kind: str, way: str) -> None:
    netns.run("ipset", "create", "some", kind)
    for member in SETS[kind]:
        netns.run("ipset", "add", "some", *member.split())
    with closing(WAYS[way](netns)) as source:
        found = SetMembers(source.set_members("some"))
    assert len(found.members) == len(SETS[kind])
    for element in questions(kind):
        told = netns.run("sh", "-c", f"ipset test some {element} >/dev/null 2>&1 && echo in || echo out")
        answer = found.ask(element)
        assert answer is not None and (answer.answer == "in") == (told.strip() == "in"), element


def questions(kind: str) -> list[str]:
    dice = random.Random(kind)
    addresses = [str(ip_address(0x0A000000 + dice.randrange(20))) for _ in range(20)]
    if kind != "hash:ip,port":
        return addresses
    return [f"{address},{dice.choice(('tcp:80', 'udp:53', 'tcp:53', 'icmp:8/0'))}" for address in addresses]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["nope", "-F", "; touch x", "$(id)"])
def test_a_missing_set_is_said_and_nothing_is_done(netns: Namespace, name: str, way: str) -> None:
    netns.run("ipset", "create", "some", "hash:ip")
    netns.run("ipset", "add", "some", "10.0.0.1")
    with closing(WAYS[way](netns)) as source, pytest.raises(SourceUnavailable, match="cannot read the set"):
        source.set_members(name)
    assert "add some 10.0.0.1" in netns.run("ipset", "save")
