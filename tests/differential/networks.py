"""Random routers: devices, addresses, routes, policy rules and settings, loaded into a namespace."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from calitop.model.node import NodeState
from calitop.sources import capture
from calitop.sources.local import LocalRunner
from calitop.sources.namespace import ReaderThread
from calitop.sources.state import LatestAnswers
from tests.kernel import test_routing_truth as routing
from tests.kernel.netns import Namespace, namespace
from tests.kernel.truth import batch

DEVICES = routing.DEVICES
_ASKED = (
    capture.NFT_IPV4,
    capture.LEGACY_IPV4,
    capture.NFT_NATIVE,
    capture.LINK,
    capture.ROUTE,
    capture.RULE,
    capture.SYSCTL,
    capture.SAVED[0],
)
_ALWAYS = (
    "net.ipv4.ip_forward=1",
    "net.ipv4.icmp_ratelimit=0",
    "net.ipv4.icmp_msgs_per_sec=100000",
    "net.ipv4.icmp_msgs_burst=10000",
    "net.ipv4.icmp_echo_ignore_all=1",
)


@dataclass(frozen=True)
class Router:
    """The namespace under test, and the one where all its cables end."""

    inside: Namespace
    outside: Namespace
    cables: dict[str, str]
    macs: dict[str, str]

    def state(self) -> NodeState:
        """What the usual programs say of it."""
        thread, answers = ReaderThread(self.inside.name), LatestAnswers()
        try:
            for one, answer in zip(_ASKED, thread.call(lambda: LocalRunner().run(_ASKED)), strict=True):
                answers.take(one, answer)
            return answers.state("router", "", ())
        finally:
            thread.close()


class Furniture(routing.Maker):
    """What a router is given; no address is a broadcast one by chance."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng, 4)
        self.own: list[str] = []

    def address(self) -> str:
        return f"10.0.{self.rng.randrange(4)}.{self.rng.choice((1, 2, 5, 6, 129, 130))}"

    def target(self) -> str:
        """A destination of what the router sends: no broadcast, and not 0.0.0.0, which means the sender."""
        found = self.anywhere()
        return self.address() if found in ("0.0.0.0", "10.255.255.255") else found

    def addresses(self) -> Iterator[str]:
        for command in super().addresses():
            self.own.append(command.split()[2].split("/")[0])
            yield command


@contextmanager
def router(devices: tuple[str, ...] = DEVICES) -> Iterator[Router]:
    """A router with cables, without any address."""
    with namespace("diff") as inside, namespace("far") as outside:
        for one in (inside, outside):
            one.run(
                "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"
            )
        cables = {dev: f"p{number}" for number, dev in enumerate(devices)}
        batch(inside, [
            f"link add {dev} type veth peer name {end} netns {outside.name}" for dev, end in cables.items()
        ])  # fmt: skip
        # Without ARP a neighbour is known at once, whoever the next hop is.
        batch(inside, [f"link set {dev} up arp off" for dev in cables])
        batch(outside, [f"link set {end} up arp off promisc on" for end in cables.values()])
        macs = {
            link["ifname"]: link["address"]
            for one in (inside, outside)
            for link in json.loads(one.ip("-j", "link", "show"))
        }
        yield Router(inside, outside, cables, macs)


def furnish(made: Router, rng: random.Random) -> Furniture:
    """Give a router random addresses, routes, rules and settings; answers what made them."""
    maker = Furniture(rng)
    # An ICMP redirect belongs to the packet's connection, whose mark rules in OUTPUT may change for it.
    quiet = [f"net.ipv4.conf.{dev}.send_redirects=0" for dev in ("all", *DEVICES)]
    made.inside.run("sysctl", "-qw", *_ALWAYS, *_settings(rng), *quiet)
    commands = list(maker.addresses())
    if rng.random() < 0.8:
        commands.append(f"route add default via {maker.address()} onlink dev {rng.choice(DEVICES)}")
    commands += maker.routes()
    if rng.random() < 0.6:
        commands += maker.rules()
    # Whether there ever was a policy rule is not told by any program, yet tables are joined without.
    commands.append("rule add to 192.0.2.99 lookup main")
    if rng.random() < 0.1:
        commands += ["rule add prio 120 lookup local", "rule del prio 0"]
    batch(made.inside, commands)
    return maker


def _settings(rng: random.Random) -> list[str]:
    """Mostly settings that let packets in."""
    if rng.random() < 0.3:
        return routing.settings(rng)
    lenient = [f"net.ipv4.conf.{dev}.rp_filter=0" for dev in ("all", *DEVICES)]
    return lenient + [f"net.ipv4.conf.{dev}.forwarding=1" for dev in DEVICES]
