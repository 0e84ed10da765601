"""The command line: which command, which options. Knows no command's work."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from calitop import __version__
from calitop.cli import values
from calitop.errors import UsageError
from calitop.path.bits import NO_MARK, Bits

Protocol = Literal["icmp", "tcp", "udp"]

EXPLORE = "explore"
SHOW = "show"
SAVE = "save"
HITS = "hits"
PROBE = "probe"
TRACE = "trace"
CHECK = "check"
EXPLAIN = "explain"
COMMANDS = (SHOW, SAVE, HITS, PROBE, TRACE, CHECK, EXPLAIN)
_SUMMARY = """\
commands:
  calitop                      the explorer on this node, live
  calitop SNAPSHOT...          the explorer offline, over nodes and moments
  calitop save DEST            capture this node into a folder, or into one file DEST.tar.gz
  calitop show [SNAPSHOT]      what was read, as text or with --json
  calitop hits BEFORE AFTER    what moved between two moments, and where packets were lost
  calitop probe --from A --to B    send a few pings from a pod, and tell where they were lost
  calitop trace --node SNAPSHOT --from A --to B    predict a packet's way across nodes
  calitop check [SNAPSHOT...]  look for known faults
  calitop explain [SNAPSHOT...] [--about WHAT]    what it all means: nodes, chains, rules, marks, routes

SNAPSHOT is a folder, an archive or a text file; NAME=SNAPSHOT gives the node its name.
A path that is called like a command is given as ./show.
exit status: 0 done (hits, probe: passed; trace: delivered; check: no error), 1 lost, dropped, rejected,
  an error found, 2 wrong usage, 3 an input is missing or cannot be read, 4 privilege missing,
  6 undecided, or left the given nodes
"""


@dataclass(frozen=True, slots=True)
class Arguments:
    """What the operator asked for."""

    command: str
    netns: str | None = None
    via: str | None = None
    pods: Path | None = None
    snapshots: tuple[str, ...] = ()
    interval_s: float | None = None
    """Of the explorer, live: seconds between polls, kept whatever they cost."""
    json: bool = False
    node: str | None = None
    moment: int | None = None
    ipset: str | None = None
    """Of show: the set whose members are wanted."""
    element: str | None = None
    """Of show: what may be in the set."""
    dest: Path | None = None
    nodes: tuple[tuple[str, str, str], ...] = ()
    """Of hits: name, snapshot before, snapshot after."""
    packets: int | None = None
    source: str | None = None
    target: str | None = None
    by_hook: bool = False
    only_flow: bool = False
    count: int = 5
    """Of probe: packets to send."""
    tcp: int | None = None
    udp: int | None = None
    traced: tuple[str, ...] = ()
    """Of trace: snapshots, `NAME=SNAPSHOT` each."""
    on: str | None = None
    dev: str | None = None
    protocol: Protocol = "icmp"
    sport: int | None = None
    dport: int | None = None
    mark: Bits = NO_MARK
    length: int | None = None
    reply: bool = False
    not_matching: bool = False
    about: tuple[str, ...] = ()
    """Of explain: names of things."""

    @property
    def is_live(self) -> bool:
        """No snapshot was given."""
        return not self.snapshots


def parse(argv: Sequence[str]) -> Arguments:
    """What the words of a command line ask for.

    Raises:
        UsageError: Options that do not fit together.
        SystemExit: After `--help` and `--version`, and for words that make no sense (status 2).
    """
    words, paths = _split_at_dashes(list(argv))
    common, rest = _common().parse_known_args(words)
    command = rest.pop(0) if rest and rest[0] in COMMANDS else EXPLORE
    own = _PARSERS[command]().parse_args([*rest, *(["--", *paths] if paths else [])])
    found = Arguments(
        command=command,
        netns=common.netns,
        via=common.via,
        pods=Path(common.pods) if common.pods is not None else None,
        snapshots=tuple(getattr(own, "snapshots", None) or ()),
        interval_s=getattr(own, "interval", None),
        json=getattr(own, "json", False),
        node=getattr(own, "node", None),
        moment=getattr(own, "moment", None),
        ipset=getattr(own, "ipset", None),
        element=getattr(own, "element", None),
        dest=Path(own.dest) if hasattr(own, "dest") else None,
        nodes=tuple((name, before, after) for name, before, after in getattr(own, "nodes", None) or ()),
        packets=getattr(own, "packets", None),
        source=getattr(own, "source", None),
        target=getattr(own, "target", None),
        by_hook=getattr(own, "by_hook", False),
        only_flow=getattr(own, "only_flow", False),
        count=getattr(own, "count", 5),
        tcp=getattr(own, "tcp", None),
        udp=getattr(own, "udp", None),
        traced=tuple(getattr(own, "traced", None) or ()),
        on=getattr(own, "on", None),
        dev=getattr(own, "dev", None),
        protocol=getattr(own, "protocol", "icmp"),
        sport=getattr(own, "sport", None),
        dport=getattr(own, "dport", None),
        mark=getattr(own, "mark", NO_MARK),
        length=getattr(own, "length", None),
        reply=getattr(own, "reply", False),
        not_matching=getattr(own, "not_matching", False),
        about=tuple(getattr(own, "about", None) or ()),
    )
    _check(found)
    return found


def _split_at_dashes(words: list[str]) -> tuple[list[str], list[str]]:
    if "--" not in words:
        return words, []
    at = words.index("--")
    return words[:at], words[at + 1 :]


def _check(found: Arguments) -> None:
    asked = (("--netns", found.netns), ("--via", found.via), ("--interval", found.interval_s))
    live_only = [name for name, value in asked if value]
    if found.netns and found.via:
        raise UsageError("--netns and --via do not go together", "put 'ip netns exec NAME' into --via")
    if live_only and (found.snapshots or found.command in (HITS, TRACE)):
        raise UsageError(
            f"{live_only[0]} reads a live node, but a snapshot was given", "leave one of them out"
        )
    if found.element is not None and found.ipset is None:
        raise UsageError("--has asks one set", "name it with --set")
    if found.protocol == "icmp" and (found.sport is not None or found.dport is not None):
        raise UsageError("icmp has no ports", "give --proto tcp or udp, or leave --sport and --dport out")


# -- parsers ----------------------------------------------------------------------------


def _common() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="calitop", add_help=False, allow_abbrev=False)
    _add_common(parser)
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--netns", metavar="NAME", help="read inside that named network namespace")
    parser.add_argument(
        "--pods", metavar="FILE", help="output of kubectl get pods -A -o wide, or -o json, for names of pods"
    )
    parser.add_argument(
        "--via",
        metavar="COMMAND",
        help="read a node through a prefix that runs a command there, as 'ssh root@node'",
    )
    parser.add_argument("--version", action="version", version=f"calitop {__version__}")


def _parser(name: str, description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"calitop {name}".strip(), description=description, allow_abbrev=False
    )
    _add_common(parser)
    return parser


def _explore_parser() -> argparse.ArgumentParser:
    parser = _parser("", "Which rule, route or kernel check took the packet.")
    parser.usage = "calitop [options] [SNAPSHOT ...]\n       calitop COMMAND [options] ..."
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _SUMMARY
    parser.add_argument("snapshots", nargs="*", metavar="SNAPSHOT", help="explore these instead of this node")
    parser.add_argument(
        "--interval",
        metavar="S",
        type=values.seconds,
        help="read a live node every S seconds, whatever this costs; without it each second, or less "
        "often where that would take more than 2 %% of a processor",
    )
    return parser


def _show_parser() -> argparse.ArgumentParser:
    parser = _parser(SHOW, "Show what was read, what it was taken for, and its problems.")
    parser.add_argument(
        "snapshots", nargs="?", metavar="SNAPSHOT", type=values.one, help="without it: this node"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.add_argument("--node", metavar="NAME", help="of several nodes in the snapshot, this one")
    parser.add_argument(
        "--moment",
        metavar="N",
        type=int,
        help="of several moments, the Nth in time, from 1; the last by default",
    )
    parser.add_argument("--set", dest="ipset", metavar="NAME", help="only the members of that ipset")
    parser.add_argument(
        "--has", dest="element", metavar="ADDRESS", help="with --set: whether that address is in it"
    )
    return parser


def _save_parser() -> argparse.ArgumentParser:
    parser = _parser(SAVE, "Capture this node into a folder, or into one file when DEST ends in .tar.gz.")
    parser.add_argument("dest", metavar="DEST", help="must not exist yet")
    return parser


def _hits_parser() -> argparse.ArgumentParser:
    parser = _parser(HITS, "What moved between two moments of each node, and where the packets were lost.")
    parser.add_argument("snapshots", nargs="*", metavar="SNAPSHOT", help="BEFORE and AFTER of one node")
    parser.add_argument(
        "--node",
        dest="nodes",
        action="append",
        nargs=3,
        metavar=("NAME", "BEFORE", "AFTER"),
        help="a node with its two moments; once for each node",
    )
    parser.add_argument("--packets", type=values.count, metavar="N", help="how many packets were sent")
    parser.add_argument("--from", dest="source", metavar="IP", help="address or pod that sent them")
    parser.add_argument("--to", dest="target", metavar="IP", help="address or pod that they were sent to")
    parser.add_argument(
        "--by-hook", action="store_true", help="group what moved by hook, with what went in and out"
    )
    parser.add_argument(
        "--only-flow", action="store_true", help="leave out what cannot be of --from and --to"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    return parser


def _probe_parser() -> argparse.ArgumentParser:
    parser = _parser(
        PROBE,
        "Send a few pings from a pod's network namespace, and tell where they were lost. "
        "The only command that sends anything; what it sends is told first. "
        "Where the source is not on this node, your own ping is waited for.",
    )
    parser.add_argument(
        "--from",
        dest="source",
        metavar="POD|INTERFACE|IP",
        required=True,
        help="pod (NAME or NAMESPACE/NAME), host end of its link, or address that sends",
    )
    parser.add_argument("--to", dest="target", metavar="IP", required=True, help="where to")
    parser.add_argument(
        "--count",
        type=values.few,
        metavar="N",
        default=5,
        help="how many packets, 1 to 100 (5); five a second",
    )
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--tcp", type=values.port, metavar="PORT", help="open TCP connections instead of pings"
    )
    instead.add_argument(
        "--udp", type=values.port, metavar="PORT", help="send UDP datagrams instead of pings"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    return parser


def _trace_parser() -> argparse.ArgumentParser:
    parser = _parser(
        TRACE,
        "Predict a packet's way across the given nodes: which rule, route or kernel check takes it, or what "
        "that depends on. With two moments of a node the counters stand beside the prediction.",
    )
    parser.add_argument(
        "--node",
        dest="traced",
        action="append",
        required=True,
        metavar="NAME=SNAPSHOT",
        help="a node's snapshot; once for each node. A snapshot of several nodes needs no NAME=",
    )
    parser.add_argument(
        "--from", dest="source", metavar="IP", required=True, help="address or pod that sends it"
    )
    parser.add_argument("--to", dest="target", metavar="IP", required=True, help="address or pod it is for")
    parser.add_argument("--on", metavar="NODE", help="node on which it starts, where addresses do not tell")
    parser.add_argument(
        "--in", dest="dev", metavar="INTERFACE", help="interface by which it comes in; the pod's by default"
    )
    parser.add_argument(
        "--proto", dest="protocol", choices=("icmp", "tcp", "udp"), default="icmp", help="icmp by default"
    )
    parser.add_argument("--sport", type=values.port, metavar="N", help="source port; open without it")
    parser.add_argument("--dport", type=values.port, metavar="N", help="destination port; open without it")
    parser.add_argument(
        "--mark",
        type=values.mark,
        default=NO_MARK,
        metavar="V[/M]",
        help="mark that it starts with; with /M only the bits in M are known",
    )
    parser.add_argument("--length", type=values.length, metavar="N", help="bytes with its IP header")
    parser.add_argument("--reply", action="store_true", help="follow the answer back, too")
    parser.add_argument(
        "--not-matching", action="store_true", help="list the rules passed by, with the condition that fails"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    return parser


def _check_parser() -> argparse.ArgumentParser:
    parser = _parser(
        CHECK,
        "Look for known faults on this node, or in snapshots of one or more nodes (of several moments the "
        "last). Exit status 1 when there is an error.",
    )
    parser.add_argument("snapshots", nargs="*", metavar="SNAPSHOT", help="without it: this node")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    return parser


def _explain_parser() -> argparse.ArgumentParser:
    parser = _parser(
        EXPLAIN,
        "Say in plain words what stands on this node, or in snapshots of one or more nodes (of several "
        "moments the last): who programs what, Calico's release, Felix's hashes, the packet mark, owners, "
        "and what is not known.",
    )
    parser.add_argument("snapshots", nargs="*", metavar="SNAPSHOT", help="without it: this node")
    parser.add_argument(
        "--about",
        action="append",
        metavar="WHAT",
        help="instead one thing: a chain (NAME or TABLE/NAME), a rule (CHAIN/NUMBER, or as "
        "'calitop check --json' prints it), an interface, a route's prefix, an address, an ipset, "
        "'rule PRIORITY' of ip rule, or a mark (0x10000); may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    return parser


_PARSERS = {
    EXPLORE: _explore_parser,
    SHOW: _show_parser,
    SAVE: _save_parser,
    HITS: _hits_parser,
    PROBE: _probe_parser,
    TRACE: _trace_parser,
    CHECK: _check_parser,
    EXPLAIN: _explain_parser,
}
