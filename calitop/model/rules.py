"""Rules, chains, tables and rulesets of one node at one moment.

A rule's `text` is what the source wrote; everything else is derived from it.
This file knows nothing about how any program spells a rule.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, TypeAlias, overload

Family = Literal["ipv4", "ipv6", "inet", "arp", "bridge", "netdev"]
Backend = Literal["nft", "legacy", "native"]
Verb = Literal["jump", "goto"]
Language = Literal["iptables", "nft"]

Side: TypeAlias = "tuple[Family | None, Backend]"
"""A family and a backend; all families of nft's own tables are one side, `inet`."""

HOOKS = ("INGRESS", "PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING", "EGRESS")
"""Hooks in the order in which a listing shows them (include/uapi/linux/netfilter.h)."""

BUILTIN_CHAINS = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
"""The names that an iptables table may use for its built-in chains."""

TABLE_HOOKS: dict[str, tuple[str, ...]] = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": BUILTIN_CHAINS,
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "security": ("INPUT", "FORWARD", "OUTPUT"),
}
"""Built-in chains of each iptables table (net/ipv4/netfilter/iptable_*.c)."""

_PRIORITY = {"raw": -300, "mangle": -150, "filter": 0, "security": 50}


def builtin_priority(table: str | None, chain: str) -> int | None:
    """Priority of an iptables built-in chain at its hook.

    Returns:
        The number in enum nf_ip_hook_priorities (include/uapi/linux/netfilter_ipv4.h);
        None for a table or chain that the kernel does not have.
    """
    if table is None or chain not in TABLE_HOOKS.get(table, ()):
        return None
    if table == "nat":
        return -100 if chain in ("PREROUTING", "OUTPUT") else 100
    return _PRIORITY[table]


class Counter(NamedTuple):
    """Packets and bytes that a rule or policy has counted, 64 bit each."""

    packets: int
    bytes: int


class ChainKey(NamedTuple):
    """What tells a chain from every other one: the same name lives in several tables."""

    family: Family | None
    backend: Backend | None
    table: str | None
    chain: str


class TableKey(NamedTuple):
    """What tells a table from every other one."""

    family: Family | None
    backend: Backend | None
    table: str | None

    def chain(self, name: str) -> ChainKey:
        """Key of the chain of that name in this table."""
        return ChainKey(self.family, self.backend, self.table, name)


@dataclass(frozen=True, slots=True)
class MapKey:
    """What tells a named nft set or map from every other one; never equal to a chain of its name."""

    table: TableKey
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One rule, in the words of its source.

    `calitop.formats.spec.spec` gives its matches, comments and target options.
    """

    text: str
    """The source's words from `-A` on (nft: the whole rule), without counters and trailing blanks."""
    number: int | None
    """Place in the chain from 1; None where the chain is known to be cut."""
    packets: int | None = None
    bytes: int | None = None
    target: str | None = None
    """Chain or target that the rule names; of several (nft), the first; None when it has none."""
    verb: Verb | None = None
    """`goto` for -g, `jump` for a -j to anything, None without target."""
    targets: tuple[str, ...] = ()
    """All chains and targets that the rule can lead to; more than one only in nft (vmap)."""
    handle: int | None = None
    """The kernel's own number, stable while the rule lives (nft only)."""
    language: Language = "iptables"
    line: int | None = None
    """Line in the file it was read from, from 1."""

    def with_handle(self, handle: int) -> Rule:
        """The same rule with the kernel's number; written out, because it is done 50,000 times."""
        return Rule(
            self.text,
            self.number,
            self.packets,
            self.bytes,
            self.target,
            self.verb,
            self.targets,
            handle,
            self.language,
            self.line,
        )

    @property
    def counter(self) -> Counter | None:
        """The rule's counter; None where the source printed none."""
        if self.packets is None or self.bytes is None:
            return None
        return Counter(self.packets, self.bytes)


Leads = tuple[tuple[str, ...], "Verb | None"]
"""Of one rule: the chains and targets that it can lead to, and its verb."""


class UnmadeRules(Sequence[Rule]):
    """Rules that a format makes when one is looked at; what a first screen needs it tells without.

    Attributes:
        leads: What `Chain.leads` tells, one per rule.
    """

    __slots__ = ()

    leads: Sequence[Leads]

    @abstractmethod
    def made(self) -> tuple[Rule, ...]:
        """The rules; always the same records."""

    @abstractmethod
    def may_hold(self, word: str) -> bool:
        """Whether a rule's text may hold the word; False is sure."""

    def __len__(self) -> int:
        return len(self.leads)

    @overload
    def __getitem__(self, at: int) -> Rule: ...

    @overload
    def __getitem__(self, at: slice) -> tuple[Rule, ...]: ...

    def __getitem__(self, at: int | slice) -> Rule | tuple[Rule, ...]:
        return self.made()[at]

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.made())


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """One chain with its rules in order."""

    name: str
    rules: Sequence[Rule] = ()
    builtin: bool = False
    """True for a chain that the kernel itself calls (nft: base chain)."""
    hook: str | None = None
    """One of `HOOKS` for a built-in or base chain, else None."""
    priority: int | None = None
    type: str | None = None
    """nft chain type (filter, nat, route); None for iptables."""
    device: str | None = None
    """Device of a netdev base chain."""
    policy: str | None = None
    """ACCEPT or DROP of a built-in chain, in capitals; None for a user chain or when unknown."""
    packets: int | None = None
    """Counter of the policy."""
    bytes: int | None = None
    present: bool = True
    """False where the chain is only jumped to and stands nowhere in the text."""
    complete: bool | None = True
    """False where rules are known to be missing (a grep); None when the text cannot tell."""

    def without_lines(self) -> Chain:
        """The same chain of a text that nobody has."""
        return replace(self, rules=tuple(replace(rule, line=None) for rule in self.rules))

    def with_handles(self, handles: Sequence[int]) -> Chain:
        """The same chain with the kernel's numbers of its rules, one per rule."""
        rules = zip(self.rules, handles, strict=True)
        return replace(self, rules=tuple([rule.with_handle(handle) for rule, handle in rules]))

    @property
    def leads(self) -> Sequence[Leads]:
        """Where each rule can lead to, without making rules that nobody has looked at."""
        if isinstance(self.rules, UnmadeRules):
            return self.rules.leads
        return [(rule.targets or ((rule.target,) if rule.target else ()), rule.verb) for rule in self.rules]

    def may_hold(self, *words: str) -> bool:
        """Whether a rule's text may hold one of the words; False is sure."""
        if isinstance(self.rules, UnmadeRules):
            return any(self.rules.may_hold(word) for word in words)
        return any(word in rule.text for rule in self.rules for word in words)

    @property
    def counter(self) -> Counter | None:
        """The policy's counter; None where the source printed none."""
        if self.packets is None or self.bytes is None:
            return None
        return Counter(self.packets, self.bytes)


@dataclass(frozen=True, slots=True, eq=False)
class VerdictMap:
    """A named nft map or set inside a table, with its elements as text."""

    name: str
    type: str
    """nft's own words, as `ifname : verdict`."""
    elements: tuple[tuple[str, str | None], ...] = ()
    """Key and value (None for a set), both in nft's words."""
    targets: tuple[str, ...] = ()
    """Chains that its verdicts lead to."""
    is_map: bool = True
    complete: bool | None = True
    """False where elements are known to be missing; None when the text cannot tell (`nft -t`)."""
    details: tuple[tuple[str, str], ...] = ()
    """Options of elements by key, without running counters (`timeout 1h comment "x"`)."""
    counters: tuple[tuple[str, Counter], ...] = ()
    """What elements have counted, by key; only sets declared with `counter` count."""
    counted_at: str | None = None
    """UTC, RFC 3339, of a live node's counters: younger than these may be all else that is told of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """One table; `name` is None where a grep took the table line away and the chain does not tell."""

    name: str | None
    chains: dict[str, Chain] = field(default_factory=dict)
    """By name, in the order of the source."""
    maps: tuple[VerdictMap, ...] = ()

    def with_chain(self, chain: Chain) -> Table:
        """The same table with that chain added or put in place of its namesake."""
        return self.with_chains({chain.name: chain})

    def with_chains(self, chains: Mapping[str, Chain | None]) -> Table:
        """The same table with those chains put in place of their namesakes or added; None removes."""
        if not chains:
            return self
        merged = {**self.chains, **chains}
        return replace(self, chains={name: chain for name, chain in merged.items() if chain is not None})


@dataclass(frozen=True, slots=True, eq=False)
class Ruleset:
    """All tables of one family in one backend."""

    family: Family | None
    backend: Backend | None
    tables: tuple[Table, ...] = ()
    program: str | None = None
    """Version line of the program that wrote it, as `iptables-nft-save v1.8.9 (nf_tables)`."""

    def table(self, name: str | None) -> Table | None:
        """The table of that name, or None."""
        return next((table for table in self.tables if table.name == name), None)

    def key(self, table: Table) -> TableKey:
        """Key of one of this ruleset's tables."""
        return TableKey(self.family, self.backend, table.name)
