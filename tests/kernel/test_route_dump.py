"""Routes by rtnetlink are word for word those of `ip -j route show table all`, whatever changes."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from calitop.formats import ip_route_json
from calitop.model.network import IpFamily, Route
from calitop.sources import capture
from calitop.sources.events import NetworkEvents
from calitop.sources.iproute_names import read_names
from calitop.sources.kernel import KernelSource
from calitop.sources.namespace import ReaderThread
from calitop.sources.route_dump import NotUnderstoodError, RouteDump
from calitop.sources.source import Wanted
from tests.kernel.netns import Namespace
from tests.kernel.test_network_formats import LINKS, ROUTES, furnish

pytestmark = pytest.mark.kernel

FAMILIES: tuple[IpFamily, ...] = ("ipv4", "ipv6")
ONLY_IP = (" tos ", " encap ", " from ")
"""What of ROUTES is left to `ip`."""


@contextmanager
def inside(netns: Namespace) -> Iterator[ReaderThread]:
    thread = ReaderThread(netns.name)
    try:
        yield thread
    finally:
        thread.close()


def by_ip(netns: Namespace, family: IpFamily) -> tuple[Route, ...]:
    words = netns.ip("-4" if family == "ipv4" else "-6", "-j", "route", "show", "table", "all")
    fragment = ip_route_json.parse(words, family=family)
    assert not fragment.problems
    return fragment.routes or ()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_common_route_is_read_as_ip_prints_it(netns: Namespace, family: IpFamily) -> None:
    furnish(netns, LINKS, tuple(words for words in ROUTES if not any(each in words for each in ONLY_IP)))
    netns.ip("link", "set", "v1", "down")
    with inside(netns) as thread:
        dump = RouteDump(family, read_names())
        assert thread.call(dump.read) == by_ip(netns, family)
        assert thread.call(dump.read) is thread.call(dump.read)


@pytest.mark.parametrize("command", [words for words in ROUTES if any(each in words for each in ONLY_IP)])
def test_what_only_ip_can_put_into_words_is_left_to_it(netns: Namespace, command: str) -> None:
    furnish(netns, LINKS, (command,))
    family: IpFamily = "ipv6" if command.startswith("-6") else "ipv4"
    with inside(netns) as thread, pytest.raises(NotUnderstoodError):
        thread.call(RouteDump(family, read_names()).read)
    with closing(KernelSource(netns.name)) as source:
        routes = [route for route in source.structure().state.routes if route.family == family]
    assert sorted(map(repr, routes)) == sorted(map(repr, by_ip(netns, family)))


def test_a_lifetime_that_runs_down_is_no_change(netns: Namespace) -> None:
    netns.ip("link", "add", "d0", "type", "veth", "peer", "name", "d1")
    netns.run("sysctl", "-qw", "net.ipv6.conf.d0.addr_gen_mode=1", "net.ipv6.conf.d1.addr_gen_mode=1")
    furnish(netns, ("link set d0 up", "link set d1 up"))
    netns.ip("-6", "route", "add", "2001:db8:c::/64", "dev", "d0", "expires", "1000")
    with inside(netns) as thread:
        dump = RouteDump("ipv6", read_names())
        first = thread.call(dump.read)
        assert any("expires" in word for route in first for word in route.other)
        time.sleep(1.1)
        assert thread.call(dump.read) is first


def test_a_device_with_another_name_is_seen(netns: Namespace) -> None:
    furnish(netns, LINKS, ("route add 10.9.0.0/24 via 10.0.0.2",))
    with inside(netns) as thread:
        dump = RouteDump("ipv4", read_names())
        thread.call(dump.read)
        for command in ("link set d0 down", "link set d0 name other", "link set other up"):
            netns.ip(*command.split())
        assert thread.call(dump.read) == by_ip(netns, "ipv4")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("route add 10.9.0.0/24 via 10.0.0.2", {capture.ROUTE}),
        ("-6 route add blackhole 2001:db8:6::/48", {capture.ROUTE, capture.ROUTE_IPV6}),
        ("rule add from 10.3.3.3 unreachable", {capture.RULE}),
        ("-6 rule add fwmark 1 lookup 7", {capture.RULE_IPV6}),
        ("link set d0 mtu 1400", {capture.LINK, capture.ROUTE, capture.ROUTE_IPV6}),
        ("addr del 10.0.0.1/24 dev d0", {capture.LINK, capture.ROUTE, capture.ROUTE_IPV6}),
        ("neigh add 10.0.0.9 lladdr 02:00:00:00:00:02 dev d0", set()),
    ],
)
def test_an_event_tells_what_must_be_read_again(
    netns: Namespace, command: str, told: set[capture.Capture]
) -> None:
    furnish(netns, LINKS)
    with inside(netns) as thread, closing(thread.call(NetworkEvents)) as events:
        thread.call(events.take)
        netns.ip(*command.split())
        found = set(thread.call(events.take))
        # They are received by a thread of their own, which a busy machine may not have run yet.
        until = time.monotonic() + 5
        while not found >= told and time.monotonic() < until:
            time.sleep(0.01)
            found |= thread.call(events.take)
        assert found >= told
        if not told:
            assert found | thread.call(events.take) == set()


def test_the_table_is_right_after_churn(netns: Namespace) -> None:
    """Routes added, replaced, appended, deleted and flushed with their device, while it is polled."""
    furnish(netns, LINKS)
    dice = random.Random(4)
    with closing(KernelSource(netns.name)) as source:
        source.structure()
        for _round in range(40):
            change(netns, dice)
            if source.counters(Wanted()) is None:
                source.structure()
        routes = at_rest(source)
        for family in FAMILIES:
            told = [route for route in routes if route.family == family]
            assert sorted(map(repr, told)) == sorted(map(repr, by_ip(netns, family)))


def change(netns: Namespace, dice: random.Random) -> None:
    """A few changes at once, as BIRD makes them; some fail, as they do there."""
    way = ("via 10.0.0.2", "dev v0", "via 10.0.0.3 dev d0 proto bird", "dev d0 metric 7")
    verbs = ("add", "replace", "append", "del", "change")
    lines = [
        f"route {dice.choice(verbs)} 10.77.{dice.randrange(6)}.0/24 {dice.choice(way)}" for _ in range(20)
    ]
    lines += [f"-6 route {dice.choice(verbs)} 2001:db8:{dice.randrange(4)}::/64 dev d0 metric 5"]
    lines += [f"link set d0 {dice.choice(('down', 'up', 'up', 'up'))}"]
    text = "\n".join(line.removeprefix("-6 ") for line in lines) + "\n"
    command = ["ip", "-n", netns.name, "-force", "-batch", "-"]
    subprocess.run(command, input=text, text=True, capture_output=True, timeout=60, check=False)


def at_rest(source: KernelSource) -> tuple[Route, ...]:
    """The routes when nothing is due any more."""
    deadline = time.monotonic() + 20
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < 3:
        assert time.monotonic() < deadline
        if source.counters(Wanted()) is None:
            quiet_since = time.monotonic()
        routes = source.structure().state.routes
        time.sleep(0.1)
    return routes
