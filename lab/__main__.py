"""The lab's command line: `python3 -m lab up`, `down`, `fault NAME`, `heal`, `list`, `ping`,
`measure`, `capture`."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from lab import capture, ping, together, topology, trial
from lab.faults import BY_NAME, CALICO1, CILIUM2, FAULTS, Fault, named
from lab.machine import NATIVE, Lab, Settings
from lab.measure import Reading
from lab.plan import KubeProxy
from lab.shell import LabError

NAME = "ct"


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command; answers the exit status, 3 where the lab cannot do it."""
    arguments = _parser().parse_args(words)
    command: Callable[[argparse.Namespace], None] = arguments.run
    try:
        command(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough (`list | head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except LabError as problem:
        print(problem, file=sys.stderr)
        return 3
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("lab", description="Two nodes with Calico and Cilium, in namespaces.")
    parser.add_argument(
        "--name", default=NAME, type=_name, help="prefix of the namespaces, to run several labs (ct)"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="build the lab, anew where it is there already")
    up.add_argument(
        "--backend",
        choices=("nft", "legacy", NATIVE),
        default="nft",
        help="iptables backend (nft), or Calico and kube-proxy in nftables mode (native)",
    )
    up.add_argument(
        "--kube",
        choices=("ipvs", "iptables"),
        default="ipvs",
        help="kube-proxy's style (ipvs; nftables with native)",
    )
    up.add_argument("--fault", nargs="+", default=(), type=_named_fault, metavar="NAME", help="broken so")
    up.set_defaults(run=_up)
    commands.add_parser("down", help="remove it").set_defaults(run=_down)
    fault = commands.add_parser("fault", help="break it: load a named fault, or several at once")
    fault.add_argument("fault", nargs="+", type=_named_fault, metavar="NAME")
    fault.set_defaults(run=_fault)
    commands.add_parser("heal", help="load the healthy state").set_defaults(run=_heal)
    commands.add_parser("list", help="what faults there are, and what moves").set_defaults(run=_list)
    pinging = commands.add_parser("ping", help="ping from pod to pod, or one pair of each kind")
    pinging.add_argument("pods", nargs="*", type=_pod, metavar="POD", help="source and destination")
    pinging.add_argument("--count", type=int, default=5)
    pinging.set_defaults(run=_ping)
    measuring = commands.add_parser("measure", help="send the pings of what is loaded, tell what moved")
    measuring.set_defaults(run=_measure)
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


def _named_fault(word: str) -> Fault:
    try:
        return BY_NAME[word]
    except KeyError:
        raise argparse.ArgumentTypeError(f"no fault {word!r}; `list` tells what there is") from None


def _name(word: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][\w-]{0,31}", word):
        raise argparse.ArgumentTypeError(f"{word!r} is no prefix: letters, digits, `-` and `_`")
    return word


def _settings(backend: str, home: KubeProxy, faults: Sequence[Fault]) -> Settings:
    names = "+".join(fault.name for fault in faults)
    if backend == NATIVE:
        _refuse_in_native(faults)
        return Settings(backend, "nft", names or None, "nft")
    return Settings(backend, together.kube_proxy(faults, home), names or None, home)


def _refuse_in_native(faults: Sequence[Fault]) -> None:
    wrong = [fault.name for fault in faults if not fault.in_native]
    if wrong:
        raise LabError(f"{', '.join(wrong)} cannot be shown in nftables mode: it is made of iptables rules")


def _up(arguments: argparse.Namespace) -> None:
    lab = Lab(arguments.name)
    settings = _settings(arguments.backend, arguments.kube, arguments.fault)
    lab.up(settings, together.plans(arguments.fault, settings.kube))
    loaded = settings.fault or "none"
    print(f"the lab is up: backend {settings.backend}, kube-proxy {settings.kube}, fault {loaded}")
    print(_how_to_look(lab))


def _how_to_look(lab: Lab) -> str:
    node = lab.namespace("work2")
    default = lab.name == NAME
    here = "python3 -m lab" if default else f"python3 -m lab --name {lab.name}"
    commands = {
        f"calitop --netns {node}": f"look at work2 (work1: {lab.namespace('work1')})",
        f"ip netns exec {node} route -n": "what the node itself prints",
        f"{here} ping {CILIUM2.ip} {CALICO1.ip}": "a Cilium pod of work2 pings a Calico pod of work1",
        f"{here} list": "what can be broken: `fault NAME` breaks it, `heal` mends it",
        "make lab-down" if default else f"{here} down": "take it all away",
    }
    width = max(map(len, commands)) + 2
    return "\n".join(f"  {words:<{width}}{what}" for words, what in commands.items())


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
    faults: Sequence[Fault] = arguments.fault
    wanted = _settings(settings.backend, settings.home, faults)
    lab.load(wanted, together.plans(faults, wanted.kube))
    if wanted.kube != settings.kube:
        print(f"kube-proxy is in {wanted.kube} style now")
    for fault in faults:
        print(f"{fault.name}: {fault.says}")
    if len(faults) > 1:
        print("what moves is not that of each alone; `measure` sends pings and tells")
        return
    (fault,) = faults
    print(f"five pings from {fault.source.ip} to {fault.destination.ip}: {fault.replies} replies")
    print(fault.moves)


def _heal(arguments: argparse.Namespace) -> None:
    lab, settings = _running(arguments)
    healed = _settings(settings.backend, settings.home, ())
    lab.load(healed, together.plans((), healed.kube))
    print("the lab is healthy")


def _list(arguments: argparse.Namespace) -> None:
    loaded = Lab(arguments.name).settings
    for fault in FAULTS:
        here = " (loaded)" if loaded and fault in named(loaded.fault) else ""
        print(f"{fault.name}{here}\n    {fault.says}\n    {fault.moves}")


def _ping(arguments: argparse.Namespace) -> None:
    lab, _ = _running(arguments)
    if len(arguments.pods) not in (0, 2):
        raise LabError("name a source and a destination, or nothing for one pair of each kind")
    wanted = [(arguments.pods[0], arguments.pods[1])] if arguments.pods else None
    for one in ping.matrix(lab, wanted, arguments.count):
        print(f"{one.source.name:<38} {one.destination.name:<38} {one.received}/{one.sent}")


def _measure(arguments: argparse.Namespace) -> None:
    """What moves now, by the lab's own reading; healthy, the pings are those of most faults."""
    lab, settings = _running(arguments)
    faults = named(settings.fault)
    fault = next(iter(faults), FAULTS[0])
    both = trial.has_other_backend(together.plans(faults, settings.kube))
    measured = trial.run(lab, settings.backend, lambda: trial.pings_of(lab, fault), both)
    pinged = measured.pinged
    print(f"{pinged.source.ip} -> {pinged.destination.ip}: {pinged.received} of {pinged.sent} pings answered")
    for node, reading in measured.moved.items():
        print(node, *_moved(reading), sep="\n")


def _moved(reading: Reading) -> list[str]:
    """Every counter that moved, rules first in the order of iptables-save."""
    counters = (reading.rules, reading.stats, reading.links)
    return [f"  {packets:+5}  {what}" for each in counters for what, packets in each.items() if packets]


def _capture(arguments: argparse.Namespace) -> None:
    lab, settings = _running(arguments)
    fault = next(iter(named(settings.fault)), FAULTS[0])
    source, destination = arguments.source or fault.source, arguments.destination or fault.destination
    capture.capture(lab, settings, arguments.folder, source, destination, arguments.pings)
    print(f"captured in {arguments.folder}: {source.ip} -> {destination.ip}, {arguments.pings} pings")


if __name__ == "__main__":
    sys.exit(main())
