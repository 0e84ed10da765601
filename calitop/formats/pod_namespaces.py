"""Network namespaces of running processes as calitop writes them down: which pod's end is where.

One block for each process that was looked at, at most a few of a namespace::

    # network namespaces of processes, by calitop
    netns 4026532345 id 3
     process 812 pause
     cgroup 0::/kubepods.slice/…-pod0d3a….slice/cri-containerd-….scope
     hostname web-0 from /etc/hostname
     address 10.222.219.6/32 at 2

A namespace without a process has `named PATH` in place of the process.
`id` is the number by which the node's links know the namespace (`link-netnsid`), `at` the index of
the address' device inside. Through a shell only namespaces with a name have an `id`; `device INDEX
NAME peer INDEX` tells the host end too, and addresses come without a device. `# …` says what could
not be looked at, `# note: …` where that is no fault.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass, field
from ipaddress import ip_address

from calitop.formats.fragment import NOTE, Fragment
from calitop.formats.reading import Problems, numbered, whole_number, with_length
from calitop.model.node import PodSign

KIND = "network namespaces of processes"

_BLOCK = re.compile(r"netns (?P<inode>\d{1,20})(?: id (?P<id>\d{1,10}))?", re.ASCII)
_LINE = re.compile(r"\s+(?P<word>process|named|cgroup|hostname|address|device|inet6) (?P<rest>\S.*)")
_UID = re.compile(r"kubepods.*?pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})")
_SHOWN_PROCESSES = 3
HEAD = "# network namespaces of processes, by calitop"
"""The first line, which stands there also where there are none."""
_NOTE = "# note: "
_SUREST_HOST_NAME = "/etc/hostname"


@dataclass
class _Space:
    inode: str
    id: int | None = None
    path: str | None = None
    processes: dict[str, None] = field(default_factory=dict)
    uids: dict[str, None] = field(default_factory=dict)
    hostnames: dict[tuple[str, str], None] = field(default_factory=dict)
    addresses: dict[str, None] = field(default_factory=dict)
    ends: dict[int, int | None] = field(default_factory=dict)

    def sign(self) -> PodSign:
        """All that was told of the namespace."""
        known = list(self.processes)
        more = f" and {len(known) - _SHOWN_PROCESSES} more" if len(known) > _SHOWN_PROCESSES else ""
        words = (
            "of process " + ", ".join(known[:_SHOWN_PROCESSES]) + more if known else self.path or self.inode
        )
        names = sorted(self.hostnames, key=lambda each: not each[1].startswith(_SUREST_HOST_NAME))
        return PodSign(
            "namespace",
            f"network namespace {words}",
            uid=next(iter(self.uids)) if len(self.uids) == 1 else None,
            addresses=tuple(self.addresses),
            space=self.id,
            ends=tuple(self.ends.items()),
            hostnames=tuple(names),
        )


def looks_like(text: str) -> bool:
    """Whether the text is a list of network namespaces as calitop writes it."""
    return text.startswith(HEAD)


def parse(text: str) -> Fragment:
    """A sign of each namespace; what could not be looked at is a problem."""
    problems = Problems()
    spaces: dict[str, _Space] = {}
    space: _Space | None = None
    notes: list[str] = []
    remarks: list[tuple[int, str]] = []
    for number, line in numbered(text):
        if block := _BLOCK.fullmatch(line):
            space = spaces.setdefault(block["inode"], _Space(block["inode"]))
            space.id = int(block["id"]) if block["id"] else space.id
        elif line == HEAD:
            continue
        elif line.startswith(_NOTE):
            notes.append(line.removeprefix(_NOTE))
        elif line.startswith("#"):
            remarks.append((number, line.lstrip("# ")))
        elif (match := _LINE.fullmatch(line)) is None or space is None:
            problems.add(number, line.strip(), "is not a line of a list of network namespaces")
        elif not _take(space, match["word"], match["rest"].split()):
            problems.add(number, line.strip(), f"is no {match['word']} that calitop writes")
    for each in spaces.values():
        if len(each.uids) > 1:
            problems.add(
                None, f"netns {each.inode}", f"processes of several pods share it: {', '.join(each.uids)}"
            )
    signs = tuple(each.sign() for each in spaces.values())
    for number, why in remarks:
        if signs:
            problems.add(number, "", why)
        else:
            notes.append(why)  # A text that tells nothing but problems is taken for another format's.
    extra = {NOTE: "; ".join(notes)} if notes else {}
    return Fragment(problems.all(), pod_signs=signs, richness=6, extra=extra)


def _take(space: _Space, word: str, rest: list[str]) -> bool:
    """Put one line into its namespace; False where it makes no sense."""
    if word == "process":
        space.processes[f"{rest[0]} ({' '.join(rest[1:])})"] = None
    elif word == "named":
        space.path = " ".join(rest)
    elif word == "cgroup":
        if found := _UID.search(" ".join(rest)):
            space.uids[found[1].replace("_", "-")] = None
    elif word == "hostname":
        space.hostnames[rest[0], " ".join(rest[2:])] = None
    elif word == "device":
        return _take_device(space, rest)
    else:
        return _take_address(space, rest if word == "address" else _of_if_inet6(rest))
    return True


def _take_device(space: _Space, rest: list[str]) -> bool:
    """`INDEX NAME peer INDEX`."""
    index, peer = whole_number(rest[0]), whole_number(rest[-1])
    if index is None or peer is None:
        return False
    space.ends[index] = peer
    return True


def _take_address(space: _Space, rest: list[str]) -> bool:
    address = with_length(rest[0]) if rest else None
    if address is None:
        return False
    bare = ip_address(address.split("/")[0].split("%")[0])
    if bare.is_loopback:
        return True
    if not bare.is_link_local:
        space.addresses[f"{bare}/{bare.max_prefixlen}"] = None
    index = whole_number(rest[2]) if len(rest) == 3 else None
    if index is not None:
        space.ends.setdefault(index, None)
    return True


def _of_if_inet6(rest: list[str]) -> list[str]:
    """A row of /proc/net/if_inet6: the address in 32 digits, the device's index in hexadecimal."""
    try:
        address = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(rest[0]))
        return [address, "at", str(int(rest[1], 16))]
    except (ValueError, IndexError, OSError):
        return []
