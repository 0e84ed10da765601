"""What the truth tests share: seeds, counts, and a namespace read into a `World`."""

from __future__ import annotations

import os
import random
import re
import subprocess
from dataclasses import dataclass

from calitop.formats import ip_addr_json, ip_route_json, ip_rule_json, ipset_save, sysctl
from calitop.model.node import IpSet, NodeState
from calitop.path.world import World
from tests.kernel.netns import Namespace


def seeded(name: str) -> random.Random:
    """A generator whose seed is printed; CALITOP_SEED repeats a run."""
    seed = int(os.environ.get("CALITOP_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"{name}: CALITOP_SEED={seed}")
    return random.Random(seed)


def wanted(otherwise: int) -> int:
    """How many cases to try; CALITOP_TRUTH asks for more."""
    return int(os.environ.get("CALITOP_TRUTH") or otherwise)


def world_of(space: Namespace, sets: bool = False) -> World:
    """The namespace as the usual programs show it."""
    routes = [
        *(ip_route_json.parse(space.ip("-j", "-d", "route", "show", "table", "all")).routes or ()),
        *(ip_route_json.parse(space.ip("-6", "-j", "-d", "route", "show", "table", "all")).routes or ()),
    ]
    rules = [
        *(ip_rule_json.parse(space.ip("-j", "rule"), "ipv4").ip_rules or ()),
        *(ip_rule_json.parse(space.ip("-6", "-j", "rule"), "ipv6").ip_rules or ()),
    ]
    settings = space.run(
        "sysctl", "-a", "-r", r"^net\.ipv[46]\.conf\..*(filter|forward|local|mark|redirects|linkdown)"
    )
    members: tuple[IpSet, ...] = ipset_save.parse(space.run("ipset", "save")).sets or () if sets else ()
    return World(
        NodeState(
            routes=tuple(routes),
            ip_rules=tuple(rules),
            links=ip_addr_json.parse(space.ip("-j", "-d", "addr")).links or (),
            sysctls=sysctl.parse(settings).sysctls or {},
            sets=members,
        )
    )


@dataclass(frozen=True)
class Batch:
    """Answers of `ip -batch`: standard output and error of each line."""

    lines: dict[int, str]
    errors: dict[int, str]


_FAILED = re.compile(r"Command failed -:(\d+)")


def batch(space: Namespace, commands: list[str], *options: str) -> Batch:
    """Run commands of ip one by one in one process; failing ones do not stop it."""
    done = subprocess.run(
        ["ip", "-n", space.name, *options, "-force", "-batch", "-"],
        input="\n".join(commands) + "\n",
        capture_output=True,
        text=True,
        timeout=120,
    )
    errors: dict[int, str] = {}
    said = ""
    for line in done.stderr.splitlines():
        failed = _FAILED.match(line)
        if failed:
            errors[int(failed[1])] = said
        elif not line.startswith("Warning"):
            said = line
    good = [number for number in range(1, len(commands) + 1) if number not in errors]
    output = [line for line in done.stdout.splitlines() if line.strip()]
    return Batch(dict(zip(good, output, strict=False)), errors)
