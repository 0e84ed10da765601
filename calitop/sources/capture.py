"""The catalogue of what is read of a node, and what came back.

One list for live reading, for `save` and for `--via`: which program, under which file
name its output is kept, and what must be in the kernel before the
program may be asked. Nothing here runs anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from calitop.formats import cilium_state
from calitop.formats.fragment import Fragment
from calitop.model.rules import Backend, Family
from calitop.sources.device_settings import CONF_IPV4, CONF_IPV6


class Need(Enum):
    """What must be there already before a program is started.

    Most of these programs make the kernel load modules or create tables when they are
    merely asked, so calitop looks first (`look.py` here, `shell_words.py` through a prefix).
    """

    NFT_IPTABLES = "nf_tables with nft_compat"
    NFT = "nf_tables"
    LEGACY_IPV4 = "ip_tables"
    LEGACY_IPV6 = "ip6_tables"
    IP_SET = "ip_set"
    CONNTRACK_NETLINK = "nf_conntrack_netlink"


class Part(Enum):
    """How often something is worth reading."""

    RULES = "rules"
    """Every poll: rules with their counters."""
    LINKS = "links"
    """When a link, an address, a route or a policy rule changed."""
    COUNTERS = "counters"
    """Every poll: counters of links and of the kernel."""
    SETTINGS = "settings"
    """Now and then: settings, sets, neighbours."""
    NAMES = "names"
    """Once: what the node is called and runs."""
    PODS = "pods"
    """When links changed, and now and then."""
    SAVED = "saved"
    """Only for a snapshot: long lists and the rare programs."""


@dataclass(frozen=True, slots=True)
class Capture:
    """One text to be read."""

    file: str
    """Name in a snapshot."""
    command: tuple[str, ...]
    """Program and arguments; the program is looked up by `alternatives`."""
    part: Part
    need: Need | None = None
    alternatives: tuple[tuple[str, ...], ...] = ()
    """Other words for the program alone, tried in order when it is not there by name."""
    required: bool = True
    """False: a node without the program has nothing to tell (bpftool); not worth a warning."""
    package: str | None = None
    """What to install where the program is missing."""
    family: Family | None = None
    backend: Backend | None = None
    folder: str | None = None
    """A folder that must be there."""

    @property
    def line(self) -> str:
        """The command as people write it."""
        return " ".join(self.command)


@dataclass(frozen=True, slots=True, eq=False)
class Captured:
    """What one capture gave."""

    file: str
    command: str
    status: int | None
    """Exit status; None when it was not run at all."""
    started_at: str
    """UTC, RFC 3339."""
    text: str
    """Standard output; bytes that are not UTF-8 stand as surrogates (`surrogateescape`)."""
    error: str | None
    """Why there is no good answer, or what the program said on standard error; None if nothing."""
    asked: bool = True
    """False: not asked, because what it tells about is not there."""
    denied: bool = False
    """This user may not ask."""
    empty: bool = False
    """Not asked, because there is surely nothing: it tells as much as an empty text would."""
    read_at: float = 0.0
    """Monotonic clock, seconds, when the kernel was asked."""
    took_s: float = 0.0
    fragment: Fragment | None = None
    """What was read without keeping a text."""
    kind: str | None = None
    """What the fragment was read from."""

    @property
    def ok(self) -> bool:
        """The command succeeded, so an empty text means none."""
        return self.status == 0


class Runner(Protocol):
    """A way to run captures at the node."""

    def run(self, captures: Sequence[Capture]) -> list[Captured]:
        """One answer per capture, in order.

        Raises:
            NeedPrivilege: The namespace may not be entered.
            SourceUnavailable: The way to the node is gone.
        """
        ...

    def close(self) -> None:
        """End what the runner keeps open; may be called twice."""
        ...


_PACKAGES: dict[str, str] = {
    "nft": "iptables",
    "legacy": "iptables, or python-iptables beside calitop (pip install 'calitop[iptables]')",
}


def _save(family: str, backend: Backend, need: Need) -> Capture:
    program = f"{family}tables-{backend}-save"
    generic = f"{family}tables-save"
    return Capture(
        file=f"{program}.txt",
        family="ipv4" if family == "ip" else "ipv6",
        backend=backend,
        command=(program, "-c"),
        part=Part.RULES,
        need=need,
        package=_PACKAGES[backend],
        alternatives=((f"xtables-{backend}-multi", generic), (generic,)),
    )


NFT_IPV4 = _save("ip", "nft", Need.NFT_IPTABLES)
NFT_IPV6 = _save("ip6", "nft", Need.NFT_IPTABLES)
LEGACY_IPV4 = _save("ip", "legacy", Need.LEGACY_IPV4)
LEGACY_IPV6 = _save("ip6", "legacy", Need.LEGACY_IPV6)
NFT_RULESET = Capture("nft-ruleset.txt", ("nft", "list", "ruleset"), Part.RULES, Need.NFT)
"""Everything that nft knows, for a snapshot."""
NFT_NATIVE = Capture("nft-native.txt", ("nft", "list", "ruleset"), Part.RULES, Need.NFT)
"""The same, limited to the tables that are not iptables-nft's, for every poll."""
GENERIC = frozenset({"iptables-save", "ip6tables-save"})
"""Programs whose backend only their version tells."""

SAVES = (NFT_IPV4, NFT_IPV6, LEGACY_IPV4, LEGACY_IPV6)
RULES = (*SAVES, NFT_NATIVE)

LINK = Capture("ip-addr.json", ("ip", "-j", "-d", "addr"), Part.LINKS)
"""Links and addresses without counters, so that two equal texts mean that nothing changed."""
LINK_COUNTED = Capture("ip-link.json", ("ip", "-j", "-d", "-s", "link"), Part.SAVED)
ADDR = Capture("ip-addr.json", ("ip", "-j", "addr"), Part.SAVED)
ROUTE = Capture("ip-route.json", ("ip", "-j", "route", "show", "table", "all"), Part.LINKS)
ROUTE_IPV6 = Capture("ip-6-route.json", ("ip", "-6", "-j", "route", "show", "table", "all"), Part.LINKS)
RULE = Capture("ip-rule.json", ("ip", "-j", "rule"), Part.LINKS)
RULE_IPV6 = Capture("ip-6-rule.json", ("ip", "-6", "-j", "rule"), Part.LINKS)
LINKS = (LINK, ROUTE, ROUTE_IPV6, RULE, RULE_IPV6)

NETSTAT = Capture("netstat.txt", ("cat", "/proc/net/netstat"), Part.COUNTERS)
SNMP = Capture("snmp.txt", ("cat", "/proc/net/snmp"), Part.COUNTERS)
SNMP_IPV6 = Capture("snmp6.txt", ("cat", "/proc/net/snmp6"), Part.COUNTERS, required=False)
DEV = Capture("dev.txt", ("cat", "/proc/net/dev"), Part.COUNTERS)
COUNTERS = (NETSTAT, SNMP, SNMP_IPV6, DEV)

SYSCTL = Capture("sysctl.txt", ("sysctl", "-a"), Part.SETTINGS)
NEIGHBOURS = Capture("ip-neigh.json", ("ip", "-j", "neigh"), Part.SETTINGS)
SET_HEADERS = Capture("ipset-list.txt", ("ipset", "list", "-t"), Part.SETTINGS, Need.IP_SET, required=False)
SETTINGS = (SYSCTL, NEIGHBOURS, SET_HEADERS)

HOSTNAME = Capture("hostname.txt", ("hostname",), Part.NAMES)
UNAME = Capture("uname.txt", ("uname", "-a"), Part.NAMES)
CNI = Capture("cni-net.d.txt", ("ls", "/etc/cni/net.d"), Part.NAMES, required=False, folder="/etc/cni/net.d")
NAMES = (HOSTNAME, UNAME, CNI)

SAVED = (
    Capture("ipset-save.txt", ("ipset", "save"), Part.SAVED, Need.IP_SET, required=False),
    Capture("softnet_stat.txt", ("cat", "/proc/net/softnet_stat"), Part.SAVED),
    Capture("conntrack-L.txt", ("conntrack", "-L"), Part.SAVED, Need.CONNTRACK_NETLINK, required=False),
    Capture("conntrack-S.txt", ("conntrack", "-S"), Part.SAVED, Need.CONNTRACK_NETLINK, required=False),
    Capture("tc-filter.txt", ("tc", "filter", "show"), Part.SAVED, required=False),
    Capture("bpftool-net.json", ("bpftool", "-j", "net"), Part.SAVED, required=False),
    Capture("date.txt", ("date", "-u"), Part.SAVED),
)
TC, BPFTOOL = SAVED[4:6]

LOG_PODS = Capture("log-pods.txt", ("ls", "/var/log/pods"), Part.PODS, required=False, folder="/var/log/pods")
"""`NAMESPACE_POD_UID`, one a pod of this node: what the kubelet calls their log folders."""
CILIUM_STATE = Capture(
    "cilium-state.txt",
    ("grep", "-r", cilium_state.MARK, cilium_state.FOLDER),
    Part.PODS,
    required=False,
    folder=cilium_state.FOLDER,
)
"""Of each endpoint the pod, the interface and the addresses; nothing else of those files is kept."""
POD_NAMESPACES = Capture("pod-namespaces.txt", ("ls", "-l", "/proc/*/ns/net"), Part.PODS, required=False)
"""Network namespaces of running processes (`process_spaces.py`)."""
PODS = (LOG_PODS, CILIUM_STATE, POD_NAMESPACES)

LIVE = (*RULES, *LINKS, *COUNTERS, *SETTINGS, *NAMES, *PODS)
"""What a live reading takes, in this order."""
WHOLE = (
    *NAMES,
    SAVED[-1],
    *SAVES,
    NFT_RULESET,
    LINK_COUNTED,
    ADDR,
    *LINKS[1:],
    *COUNTERS,
    SYSCTL,
    NEIGHBOURS,
    *PODS,
    *SAVED[:-1],
)
"""What a snapshot holds (interface.md, "A snapshot")."""

DEVICE_SETTING_FILES = (
    *(f"net/ipv4/conf/*/{name}" for name in CONF_IPV4),
    *(f"net/ipv6/conf/*/{name}" for name in CONF_IPV6),
)
"""Settings that every device has of its own, beside those of `all` and `default`."""
SETTING_FILES = (
    "net/nf_conntrack_max",
    "net/ipv4/[!t]*",
    "net/ipv4/tcp_[!f]*",
    "net/ipv4/tcp_f[!a]*",
    "net/ipv4/neigh/*/proxy_delay",
    "net/ipv4/neigh/*/proxy_qlen",
    "net/ipv4/neigh/default/gc_*",
    "net/ipv6/*",
    "net/ipv6/route/[!f]*",
    *DEVICE_SETTING_FILES,
    "net/netfilter/*",
    "net/netfilter/nf_log/*",
    "net/bridge/*",
    "net/core/netdev_[!r]*",
    "net/core/*mem_*",
)
"""Settings that rule over packets, as shell patterns below /proc/sys; keys and switches are left out."""


def generic_name(save: Capture) -> str:
    """Name of a save program without its backend: `iptables-save`."""
    return save.command[0].replace(f"-{save.backend}-", "-")


def run_captures(runner: Runner, captures: Iterable[Capture] = WHOLE) -> list[Captured]:
    """Everything in the catalogue (or a part of it), read through one runner.

    Args:
        runner: This kernel (`local.LocalRunner`) or a prefix (`shell.ShellRunner`).
        captures: What to read; all that a snapshot holds by default.

    Raises:
        NeedPrivilege, SourceUnavailable: see `Runner.run`.
    """
    return runner.run(list(captures))
