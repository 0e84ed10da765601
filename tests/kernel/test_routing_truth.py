"""Routing is this kernel's: random tables, rules and settings against `ip route get`."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

import pytest

from calitop.path.bits import Bits
from calitop.path.policy import Way
from calitop.path.routing import RouteAnswer, lookup
from calitop.path.world import World
from tests.kernel.netns import Namespace, namespace, wire
from tests.kernel.truth import batch, seeded, wanted, world_of

pytestmark = pytest.mark.kernel

DEVICES = ("v0", "v1", "v2", "v3")
"""v3 never gets an address."""
PER_WORLD = 60
ERRORS = {
    "Invalid argument": "EINVAL",
    "No route to host": "EHOSTUNREACH",
    "Network is unreachable": "ENETUNREACH",
    "Permission denied": "EACCES",
    "Invalid cross-device link": "EINVAL",
    "Network unreachable": "ENETUNREACH",
}
SETTINGS = ("accept_local", "src_valid_mark", "send_redirects", "route_localnet")


@dataclass(frozen=True)
class Asked:
    """One question to the kernel."""

    dst: str
    src: str | None
    iif: str | None
    oif: str | None
    mark: int

    @property
    def words(self) -> str:
        parts = [f"route get {self.dst}"]
        parts += [f"from {self.src}"] if self.src else []
        parts += [f"iif {self.iif}"] if self.iif else []
        parts += [f"oif {self.oif}"] if self.oif else []
        return " ".join([*parts, f"mark {self.mark:#x}"])


class Maker:
    """Makes random networks of one family; small address space, so that things meet."""

    def __init__(self, rng: random.Random, version: int) -> None:
        self.rng = rng
        self.version = version
        self.width = 32 if version == 4 else 128
        self.base = ip_network("10.0.0.0/8" if version == 4 else "2001:db8::/32")

    def address(self) -> str:
        low = self.rng.choice((0, 1, 2, 3, 128, 255)) | self.rng.randrange(4) << 8
        return str(ip_address(int(self.base.network_address) | low))

    def prefix(self) -> str:
        length = self.width - self.rng.choice((0, 0, 2, 4, 6, 8, 8, 9, 10, 16))
        return str(ip_network(f"{self.address()}/{length}", strict=False))

    def anywhere(self) -> str:
        """A destination or source, sometimes a strange one."""
        strange = (
            ("192.0.2.1", "127.0.0.5", "0.0.0.0", "10.255.255.255")
            if self.version == 4
            else ("2001:db8:1::1",)
        )
        return self.rng.choice(strange) if self.rng.random() < 0.07 else self.address()

    def addresses(self) -> Iterator[str]:
        for dev in DEVICES[:3]:
            for _ in range(self.rng.randrange(1, 3)):
                nodad = " nodad" if self.version == 6 else ""
                yield f"addr add {self.address()}/{self.width - self.rng.choice((0, 2, 8))} dev {dev}{nodad}"

    def routes(self) -> Iterator[str]:
        for _ in range(self.rng.randrange(4, 16)):
            table = self.rng.choice(("main", "main", "100", "101", "local" if self.version == 4 else "102"))
            dst = "default" if self.rng.random() < 0.1 else self.prefix()
            metric = self.rng.choice((0, 5, 5, 20)) if self.version == 4 else self.rng.randrange(1, 5000)
            end = f"table {table} metric {metric}" + (
                " tos 0x10" if self._is_rare() and self.version == 4 else ""
            )
            kind = self.rng.random()
            if kind < 0.3:
                refusing = self.rng.choice(("blackhole", "unreachable", "prohibit", "throw"))
                yield f"route add {refusing} {dst} {end}"
            elif kind < 0.4 and table != "local":
                hops = " ".join(f"nexthop via {self.address()} dev {dev} onlink" for dev in self._two())
                yield f"route add {dst} {end} {hops}"
            elif kind < 0.5 and self.version == 4:
                yield f"route add local {dst} dev {self.rng.choice(DEVICES)} {end}"
            else:
                via = f"via {self.address()} onlink " if self.rng.random() < 0.5 else ""
                yield f"route add {dst} {via}dev {self.rng.choice(DEVICES)} {end}"

    def rules(self) -> Iterator[str]:
        for _ in range(self.rng.choice((0, 1, 2, 4, 7))):
            yield f"rule add {self._selectors()} {self._action()}"

    def questions(self) -> Iterator[Asked]:
        marks = (0, 0, 0x100, 0x200, 0x1FF, 0xF00)
        for _ in range(PER_WORLD):
            mark = self.rng.choice(marks)
            if self.rng.random() < 0.6 and self.version == 4:
                yield Asked(self.anywhere(), self.anywhere(), self.rng.choice(DEVICES), None, mark)
                continue
            src = self.address() if self.rng.random() < 0.3 else None
            oif = self.rng.choice(DEVICES) if self._is_rare() and self.version == 4 else None
            yield Asked(self.anywhere(), src, None, oif, mark)

    def _is_rare(self) -> bool:
        return self.rng.random() < 0.15

    def _two(self) -> list[str]:
        return self.rng.sample(DEVICES, 2)

    def _selectors(self) -> str:
        found = ["not"] if self._is_rare() else []
        kinds = self.rng.sample(
            ("from", "to", "fwmark", "iif", "oif", "prio", "tos"), self.rng.randrange(1, 4)
        )
        for kind in ("prio", *(one for one in kinds if one != "prio")):
            value = {
                "from": self.prefix(),
                "to": self.prefix(),
                "fwmark": self.rng.choice(("0x100/0xf00", "0x200", "0x0/0x100")),
                "iif": self.rng.choice((*DEVICES, "lo", "none9")),
                "oif": self.rng.choice(DEVICES),
                "prio": str(self.rng.choice((1, 50, 100, 150, 200, 32766, 40000))),
                "tos": "0x10",
            }[kind]
            found.append(f"{kind} {value}")
        return " ".join(found)

    def _action(self) -> str:
        kind = self.rng.random()
        if kind < 0.15:
            return self.rng.choice(("blackhole", "unreachable", "prohibit"))
        if kind < 0.3:
            return f"goto {self.rng.choice((100, 150, 200, 32766, 45000))}"
        table = self.rng.choice(("main", "100", "101", "777"))
        suppress = f" suppress_prefixlength {self.rng.choice((0, 24, 120))}" if self._is_rare() else ""
        return f"lookup {table}{suppress}"


def settings(rng: random.Random) -> list[str]:
    """Random settings that rule over what comes in."""
    found = []
    for dev in ("all", *DEVICES):
        found.append(f"net.ipv4.conf.{dev}.rp_filter={rng.choice((0, 0, 1, 2))}")
        for name in SETTINGS:
            found.append(f"net.ipv4.conf.{dev}.{name}={int(rng.random() < 0.2)}")
    for dev in DEVICES:
        found.append(f"net.ipv4.conf.{dev}.forwarding={int(rng.random() < 0.8)}")
    return found


def build(space: Namespace, other: Namespace, maker: Maker) -> str:
    for number, dev in enumerate(DEVICES):
        wire(space, dev, other, f"p{number}")
    if maker.version == 6:
        for dev in DEVICES:
            space.run("sysctl", "-qw", f"net.ipv6.conf.{dev}.disable_ipv6=0")
    space.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.send_redirects=0")
    space.run("sysctl", "-qw", *settings(maker.rng))
    commands = [*maker.addresses(), *maker.routes(), *maker.rules()]
    if maker.rng.random() < 0.2:
        commands += ["rule add prio 120 lookup local", "rule del prio 0"]
    batch(space, commands, *(("-6",) if maker.version == 6 else ()))
    return "\n  ".join((space.ip("rule"), space.ip("route", "show", "table", "all")))


def said(line: str | None, error: str | None) -> tuple[str, str | None, str | None, str | None]:
    """Type, device, gateway and error of one answer of the kernel."""
    if line is None:
        word = (error or "").rpartition(": ")[2].rstrip(".")
        return "", None, None, ERRORS.get(word, error)
    [found] = json.loads(line)
    if "error" in found and found.get("type") in ("unreachable", "blackhole", "prohibit"):
        return "", None, None, "refused"
    return found.get("type", "unicast"), found.get("dev"), found.get("gateway") or _via(found), None


def _via(found: dict[str, dict[str, str]]) -> str | None:
    return found["via"]["host"] if "via" in found else None


def told(way: Way) -> tuple[str, str | None, str | None, str | None]:
    if way.error is not None:
        # Linux 6.13 and later answer a refusal by the reverse-path check like any bad address.
        return "", None, None, "EINVAL" if way.error == "EXDEV" else way.error
    return way.type, way.dev, way.gateway, None


def ask(world: World, asked: Asked) -> RouteAnswer:
    return lookup(
        world,
        ip_address(asked.dst),
        ip_address(asked.src) if asked.src else None,
        iif=asked.iif,
        oif=asked.oif or "",
        mark=Bits(asked.mark),
    )


@pytest.mark.parametrize("version", [4, 6])
def test_the_way_is_the_kernels(version: int) -> None:
    """Each answer is the kernel's, or names several with the kernel's among them; few are left open."""
    rng = seeded(f"routing IPv{version}")
    total = wanted(300)
    asked_for = certain = 0
    wrong: list[str] = []
    while asked_for < total:
        maker = Maker(rng, version)
        with namespace("route") as space, namespace("far") as other:
            built = build(space, other, maker)
            world = world_of(space)
            questions = list(maker.questions())
            options = ("-j", "-6") if version == 6 else ("-j",)
            answers = batch(space, [one.words for one in questions], *options)
            for number, one in enumerate(questions, 1):
                truth = said(answers.lines.get(number), answers.errors.get(number))
                answer = ask(world, one)
                asked_for += 1
                certain += answer.way is not None
                if truth not in {told(way) for way in answer.ways}:
                    wrong.append(
                        f"{one.words}: kernel {truth}, calitop {[told(way) for way in answer.ways]}; {built}"
                    )
    print(f"IPv{version}: {asked_for} asked, {certain} certain, {len(wrong)} wrong")
    assert not wrong, "\n".join(wrong[:20])
    assert certain > 0.6 * asked_for
