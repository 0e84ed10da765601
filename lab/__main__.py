"""The lab's command line: `python3 -m lab up`, `down`, `fault NAME`, `heal`, `list`, `ping`, `capture`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from lab import capture, ping, topology
from lab.faults import BY_NAME, CALICO1, CILIUM2, FAULTS
from lab.machine import Lab, Settings
from lab.plan import healthy
from lab.shell import LabError


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command; answers the exit status, 3 where the lab cannot do it."""
    arguments = _parser().parse_args(words)
    command: Callable[[argparse.Namespace], None] = arguments.run
    try:
        command(arguments)
    except LabError as problem:
        print(problem, file=sys.stderr)
        return 3
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("lab", description="Two nodes with Calico and Cilium, in namespaces.")
    parser.add_argument("--name", default="ct", help="prefix of the namespaces, to run several labs (ct)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="build the lab, anew where it is there already")
    up.add_argument("--backend", choices=("nft", "legacy"), default="nft", help="iptables backend (nft)")
    up.add_argument("--kube", choices=("ipvs", "iptables"), default="ipvs", help="kube-proxy's style (ipvs)")
    up.add_argument("--fault", choices=sorted(BY_NAME), metavar="NAME", help="with this fault")
    up.set_defaults(run=_up)
    commands.add_parser("down", help="remove it").set_defaults(run=_down)
    fault = commands.add_parser("fault", help="break it: load one named fault")
    fault.add_argument("fault", choices=sorted(BY_NAME), metavar="NAME")
    fault.set_defaults(run=_fault)
    commands.add_parser("heal", help="load the healthy state").set_defaults(run=_heal)
    commands.add_parser("list", help="what faults there are, and what moves").set_defaults(run=_list)
    pinging = commands.add_parser("ping", help="ping from pod to pod, or one pair of each kind")
    pinging.add_argument("pods", nargs="*", type=_pod, metavar="POD", help="source and destination")
    pinging.add_argument("--count", type=int, default=5)
    pinging.set_defaults(run=_ping)
    capturing = commands.add_parser("capture", help="save both nodes, before and after pings")
    capturing.add_argument("folder", type=Path)
    capturing.add_argument("--pings", type=int, default=5)
    capturing.add_argument("--from", dest="source", type=_pod, default=None, metavar="POD")
    capturing.add_argument("--to", dest="destination", type=_pod, default=None, metavar="POD")
    capturing.set_defaults(run=_capture)
    return parser


def _pod(words: str) -> topology.Pod:
    try:
        return topology.pod(words)
    except KeyError:
        raise argparse.ArgumentTypeError(f"no pod, or several, of the name or address {words!r}") from None


def _up(arguments: argparse.Namespace) -> None:
    lab = Lab(arguments.name)
    fault = BY_NAME.get(arguments.fault)
    kube = fault.kube if fault else arguments.kube
    settings = Settings(arguments.backend, kube, arguments.fault, home=arguments.kube)
    lab.up(settings, fault.plans() if fault else healthy(kube))
    print(f"the lab is up: backend {settings.backend}, kube-proxy {kube}, fault {settings.fault or 'none'}")
    print(_how_to_look(lab))


def _how_to_look(lab: Lab) -> str:
    node = lab.namespace("work2")
    commands = {
        f"calitop --netns {node}": f"look at work2 (work1: {lab.namespace('work1')})",
        f"ip netns exec {node} route -n": "what the node itself prints",
        f"python3 -m lab ping {CILIUM2.ip} {CALICO1.ip}": "a Cilium pod of work2 pings a Calico pod of work1",
        "python3 -m lab list": "what can be broken: `fault NAME` breaks it, `heal` mends it",
        "make lab-down": "take it all away",
    }
    return "\n".join(f"  {words:<46}{what}" for words, what in commands.items())


def _down(arguments: argparse.Namespace) -> None:
    Lab(arguments.name).down()
    print("the lab is down")


def _running(arguments: argparse.Namespace) -> tuple[Lab, Settings]:
    lab = Lab(arguments.name)
    settings = lab.settings
    if settings is None:
        raise LabError("the lab is down; bring it up: make lab")
    return lab, settings


def _fault(arguments: argparse.Namespace) -> None:
    lab, settings = _running(arguments)
    fault = BY_NAME[arguments.fault]
    lab.load(replace(settings, kube=fault.kube, fault=fault.name, lasting=False), fault.plans())
    print(f"{fault.name}: {fault.says}")
    print(f"five pings from {fault.source.ip} to {fault.destination.ip}: {fault.replies} replies")
    print(fault.moves)


def _heal(arguments: argparse.Namespace) -> None:
    lab, settings = _running(arguments)
    healed = Settings(settings.backend, settings.home, home=settings.home)
    lab.load(healed, healthy(healed.kube))
    print("the lab is healthy")


def _list(arguments: argparse.Namespace) -> None:
    loaded = Lab(arguments.name).settings
    for fault in FAULTS:
        here = " (loaded)" if loaded and loaded.fault == fault.name else ""
        print(f"{fault.name}{here}\n    {fault.says}\n    {fault.moves}")


def _ping(arguments: argparse.Namespace) -> None:
    lab, _ = _running(arguments)
    if len(arguments.pods) not in (0, 2):
        raise LabError("name a source and a destination, or nothing for one pair of each kind")
    wanted = [(arguments.pods[0], arguments.pods[1])] if arguments.pods else None
    for one in ping.matrix(lab, wanted, arguments.count):
        print(f"{one.source.name:<38} {one.destination.name:<38} {one.received}/{one.sent}")


def _capture(arguments: argparse.Namespace) -> None:
    lab, settings = _running(arguments)
    fault = BY_NAME.get(settings.fault or "")
    source = arguments.source or (fault.source if fault else CILIUM2)
    destination = arguments.destination or (fault.destination if fault else CALICO1)
    capture.capture(lab, settings, arguments.folder, source, destination, arguments.pings)
    print(f"captured in {arguments.folder}: {source.ip} -> {destination.ip}, {arguments.pings} pings")


if __name__ == "__main__":
    sys.exit(main())
