"""Everything that is known of one node at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NamedTuple

from calitop.model.network import IpRule, Link, Neighbour, Route
from calitop.model.rules import Backend, Chain, ChainKey, Ruleset, Side, TableKey

_BACKENDS: tuple[Backend, ...] = ("nft", "legacy", "native")
_EMPTY: Mapping[str, int] = MappingProxyType({})
_EMPTY_TEXT: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Problem:
    """A line or a file that could not be understood; it is kept and shown, never dropped."""

    line: int | None
    """From 1; None when the whole file is meant."""
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One text that was read, and what it was taken for."""

    file: str
    """Path inside the snapshot, or the command that printed it."""
    kind: str | None
    """Name of the format (`iptables-save`, `ip route` …); None when nothing fitted."""
    lines: int
    problems: tuple[Problem, ...] = ()
    note: str | None = None
    """Why it was not read although nothing is wrong (`nf_tables is not loaded: not asked`)."""


@dataclass(frozen=True, slots=True)
class IpSet:
    """One ipset; the members are None when only the header was read."""

    name: str
    type: str
    members: tuple[str, ...] | None = None
    """In ipset's words, options included (`10.0.0.0/8 nomatch`)."""
    options: tuple[tuple[str, str], ...] = ()
    size: int | None = None
    """Number of entries by the header, where the members were not read."""


class Known(NamedTuple):
    """Which source told one thing of a pod."""

    what: str
    """name, address, interface, node."""
    source: str
    """In words: `its log folder`, `route 10.0.0.7/32 dev lxc1`."""


SignKind = Literal["log folder", "cilium state", "namespace"]


@dataclass(frozen=True, slots=True)
class PodSign:
    """What one source on the node tells of one pod: some of its name, address and interface."""

    kind: SignKind
    source: str
    """In words, for people: `/var/run/cilium/state/1234`."""
    namespace: str | None = None
    name: str | None = None
    uid: str | None = None
    addresses: tuple[str, ...] = ()
    """With their lengths; of a network namespace all but loopback and link-local ones."""
    interface: str | None = None
    """Host end of its veth, by name."""
    space: int | None = None
    """Number by which the node's links know the pod's network namespace (`link-netnsid`)."""
    ends: tuple[tuple[int, int | None], ...] = ()
    """Its devices in the pod: index there, and index of the host end where that is told."""
    hostnames: tuple[tuple[str, str], ...] = ()
    """Host names of its processes, each with where it was read, the surest first."""


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod of the cluster."""

    namespace: str | None
    """None where the listing has no column for it (`kubectl get pods` without `-A`)."""
    name: str
    ip: str | None = None
    """With its length."""
    node: str | None = None
    interface: str | None = None
    """Host end of its veth, where it is known."""
    status: str | None = None
    host_network: bool = False
    uid: str | None = None
    known_from: tuple[Known, ...] = field(default=(), compare=False)
    """Which sources told its name, address, interface and node."""
    conflicts: tuple[str, ...] = ()
    """What sources say against each other, one sentence each."""
    remarks: tuple[str, ...] = field(default=(), compare=False)
    """What else was heard of it and not taken, though it contradicts nothing."""


@dataclass(frozen=True, slots=True)
class BpfAttachment:
    """A BPF program or traffic filter on a device."""

    dev: str | None
    direction: str | None
    """ingress, egress, xdp; None when the source does not say."""
    kind: str
    """tcx, tc, clsact, xdp, u32 …"""
    name: str | None = None
    id: int | None = None
    text: str | None = None
    """The filter in the source's words."""


@dataclass(frozen=True, slots=True)
class FlowTuple:
    """One direction of a conntrack entry."""

    src: str | None = None
    dst: str | None = None
    sport: int | None = None
    dport: int | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None
    icmp_id: int | None = None


@dataclass(frozen=True, slots=True)
class ConntrackEntry:
    """One line of `conntrack -L`."""

    protocol: str
    state: str | None
    original: FlowTuple
    reply: FlowTuple
    flags: tuple[str, ...] = ()
    """UNREPLIED, ASSURED, OFFLOAD …"""
    mark: int | None = None
    zone: int | None = None
    timeout_s: int | None = None
    family: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class NodeState:
    """One node at one moment. What a source did not tell is None or empty with no file naming it.

    `eq=False`: comparing two states walks 50,000 rules, and nothing needs it.
    """

    name: str | None = None
    captured_at: str | None = None
    """UTC, RFC 3339."""
    kernel: str | None = None
    files: tuple[SourceFile, ...] = ()
    rulesets: tuple[Ruleset, ...] = ()
    without_rules: frozenset[Side] = frozenset()
    """What was read, or looked at, and surely holds no table; what stands in neither was not read."""
    none_of: frozenset[Literal["sets", "cni_configs"]] = frozenset()
    """Fields that are empty because a source tells that there are none, not because nobody asked."""
    links: tuple[Link, ...] = ()
    routes: tuple[Route, ...] = ()
    ip_rules: tuple[IpRule, ...] = ()
    sets: tuple[IpSet, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=lambda: _EMPTY_TEXT)
    stats: Mapping[str, int] = field(default_factory=lambda: _EMPTY)
    """Kernel statistics by group and name, as `TcpExt.IPReversePathFilter`."""
    neighbours: tuple[Neighbour, ...] = ()
    conntrack: tuple[ConntrackEntry, ...] = ()
    bpf: tuple[BpfAttachment, ...] = ()
    pods: tuple[Pod, ...] = ()
    pod_signs: tuple[PodSign, ...] = ()
    """What the node itself tells of its pods, in the order of the sources."""
    cni_configs: tuple[str, ...] = ()
    """File names in /etc/cni/net.d."""
    warnings: tuple[str, ...] = ()
    """What the operator must know of the state as a whole (both backends hold rules …)."""

    def knows_rules(self, backend: Backend) -> bool:
        """Whether the IPv4 rules of a backend were read, or there surely are none."""
        read = {(one.family, one.backend) for one in self.rulesets} | self.without_rules
        return ("ipv4", backend) in read or ("inet", backend) in read

    @property
    def has_no_rules(self) -> bool:
        """Whether no rule stands here for sure, in any backend."""
        is_known = all(self.knows_rules(backend) for backend in _BACKENDS)
        return is_known and not any(table.chains for one in self.rulesets for table in one.tables)

    def tables(self) -> list[tuple[TableKey, Ruleset]]:
        """Every table's key with the ruleset that holds it, in the order of the sources."""
        return [(ruleset.key(table), ruleset) for ruleset in self.rulesets for table in ruleset.tables]

    def chains(self) -> dict[ChainKey, Chain]:
        """Every chain by its key."""
        return {
            ruleset.key(table).chain(chain.name): chain
            for ruleset in self.rulesets
            for table in ruleset.tables
            for chain in table.chains.values()
        }

    def link(self, name: str | None) -> Link | None:
        """The device of that name, or None."""
        return next((link for link in self.links if link.name == name), None)
