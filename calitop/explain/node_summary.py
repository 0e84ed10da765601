"""What calitop makes of a whole node: who programs what, hashes, the mark, owners, what is not known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from calitop.check.facts import NEEDS
from calitop.cni.bpf import DecidedInBpf
from calitop.cni.felix_hash import HashState
from calitop.cni.index import NodeIndex
from calitop.cni.names import calico_rest, link_owner
from calitop.explain.hash_words import (
    ChainHashes,
    VersionRange,
    all_hashes,
    broken_chains,
    felix_version,
    ipvs_sign,
    is_ipvs,
)
from calitop.explain.mark_facts import EndpointFact, MarkFact, endpoint_facts, mark_facts
from calitop.explain.mark_words import overlaps
from calitop.model.rules import Backend, ChainKey, Family
from calitop.report.text import plural

Owners = Mapping[str | None, int]
"""How many things each owner made; None for those of which nothing tells."""

_BACKENDS: Mapping[Backend | None, str] = {
    "nft": "iptables-nft",
    "legacy": "iptables-legacy",
    "native": "nft tables of its own",
    None: "iptables, the text does not tell which backend",
}
_WHOLE_NFT = "the whole ruleset (nft list ruleset)"
_BITS = {"accept": "accept", "pass_": "pass", "scratch0": "scratch 0", "scratch1": "scratch 1"}
"""The bits that every Calico has in its rules."""


class Programmed(NamedTuple):
    """The chains of one owner in one family and backend."""

    owner: str
    family: Family | None
    backend: Backend | None
    tables: tuple[str, ...]
    chains: int
    rules: int

    @property
    def backend_words(self) -> str:
        """By what the rules are programmed."""
        return _BACKENDS[self.backend]


class Open(NamedTuple):
    """Something that the sources do not tell."""

    what: str
    needs: str
    """What would tell it, with the command that prints it."""


@dataclass(frozen=True, slots=True)
class NodeSummary:
    """One node at one moment, explained."""

    index: NodeIndex
    programs: tuple[Programmed, ...]
    version: VersionRange
    ipvs: bool | None
    """Whether Felix takes kube-proxy to be in IPVS mode."""
    ipvs_sign: ChainKey | None
    bpf: DecidedInBpf | None
    hashes: Mapping[ChainKey, ChainHashes]
    """By chain, where rules of Felix in iptables' words stand in it."""
    judged: bool
    """False where more of Calico's chains break off than verify: nothing is said of edits then."""
    hash_counts: Mapping[HashState, int]
    """Rules by what their hashes say; foreign counts in Calico's own chains only, differs in edited ones."""
    not_recomputed: int
    """Rules of Felix in nft's own words: how Felix hashes those calitop does not know."""
    marks: tuple[MarkFact, ...]
    endpoints: tuple[EndpointFact, ...]
    overlaps: tuple[tuple[str, str, int], ...]
    owners: Mapping[str, Owners]
    """For routes, rules, links, chains and ip rules."""
    open: tuple[Open, ...]

    @property
    def has_calico(self) -> bool:
        """Whether chains of Calico were read."""
        return any(one.owner == "calico" for one in self.programs)


def summarise(index: NodeIndex) -> NodeSummary:
    """Everything that the command tells of a node as a whole."""
    found = all_hashes(index)
    judged = broken_chains(index, found) is not None
    programs = tuple(_programs(index))
    version, ipvs, marks = felix_version(index), is_ipvs(index), mark_facts(index)
    return NodeSummary(
        index=index,
        programs=programs,
        version=version,
        ipvs=ipvs,
        ipvs_sign=ipvs_sign(index),
        bpf=index.bpf,
        hashes=found,
        judged=judged,
        hash_counts=_hash_counts(found, judged),
        not_recomputed=_native_signed(index),
        marks=marks,
        endpoints=endpoint_facts(index),
        overlaps=overlaps(index.marks),
        owners=_owners(index),
        open=tuple(_open(index, programs, version, ipvs)),
    )


def _programs(index: NodeIndex) -> Iterator[Programmed]:
    """The chains by owner, family and backend; the kernel's built-in ones are nobody's work."""
    groups: dict[tuple[str, Family | None, Backend | None], list[ChainKey]] = {}
    for key in index.chains:
        owner = index.owner_of_chain(key)
        if owner is not None and owner != "kernel":
            groups.setdefault((owner, key.family, key.backend), []).append(key)
    for (owner, family, backend), keys in groups.items():
        tables = tuple(dict.fromkeys(key.table or "?" for key in keys))
        rules = sum(len(index.chains[key].rules) for key in keys)
        yield Programmed(owner, family, backend, tables, len(keys), rules)


def _hash_counts(found: Mapping[ChainKey, ChainHashes], judged: bool) -> Mapping[HashState, int]:
    counts: Counter[HashState] = Counter()
    for key, told in found.items():
        is_own = calico_rest(key.chain) is not None
        states: Iterable[HashState] = (state for state in told.states if is_own or state != "foreign")
        if told.verdict != "edited" or not judged:
            # Rules before these are not in the text, or written in other words: their hashes say nothing.
            states = ("unknown" if state == "differs" else state for state in states)
        counts.update(states)
    return counts


def _native_signed(index: NodeIndex) -> int:
    return sum(
        "cali:" in rule.text
        for key, chain in index.chains.items()
        if key.backend == "native" and chain.may_hold("cali:")
        for rule in chain.rules
    )


def _owners(index: NodeIndex) -> Mapping[str, Owners]:
    state = index.state
    return {
        "routes": Counter(map(index.owner_of_route, state.routes)),
        "rules": Counter(
            index.owner_of_rule(key, rule) for key, chain in index.chains.items() for rule in chain.rules
        ),
        "links": Counter(map(index.owner_of_link, state.links)),
        "chains": Counter(map(index.owner_of_chain, index.chains)),
        "ip rules": Counter(map(index.owner_of_ip_rule, state.ip_rules)),
    }


# -- what is not known ------------------------------------------------------------------


def _open(
    index: NodeIndex, programs: Sequence[Programmed], version: VersionRange, ipvs: bool | None
) -> Iterator[Open]:
    if not index.chains and not index.state.has_no_rules:
        yield Open("who programs rules, and which", NEEDS["rules"])
    cut = sum(chain.complete is not True for chain in index.chains.values())
    if cut:
        yield Open(f"{plural(cut, 'chain')} of which not all was read", NEEDS["rules"])
    calico = [one for one in programs if one.owner == "calico"]
    whole = _WHOLE_NFT if any(one.backend == "native" for one in calico) else NEEDS["rules"]
    if any(one.backend is None for one in calico):
        yield Open("Calico's iptables backend", "the first line of iptables-save, or iptables -V")
    if calico:
        yield from _open_of_calico(index, version, ipvs, whole)
    yield from _open_of_network(index)


def _open_of_calico(index: NodeIndex, version: VersionRange, ipvs: bool | None, whole: str) -> Iterator[Open]:
    if version.first is None or version.last is None:
        bound = "from which on" if version.first is None else "up to which"
        yield Open(f"Calico's release, {bound}", "kubectl get clusterinformation default -o yaml")
    if ipvs is None:
        yield Open("whether kube-proxy is in IPVS mode", f"the whole table filter: {whole}")
    missing = [words for name, words in _BITS.items() if not getattr(index.marks, name)]
    if missing:
        yield Open(f"Calico's mark bits for {', '.join(missing)}", f"all of Calico's chains: {whole}")


def _open_of_network(index: NodeIndex) -> Iterator[Open]:
    state = index.state
    if not state.links:
        yield Open("the interfaces, and whose they are", NEEDS["links"])
    if not state.routes:
        yield Open("the routes, and whose they are", NEEDS["routes"])
    if not state.ip_rules:
        yield Open("the policy rules, and whose they are", "ip -j rule, ip -6 -j rule")
    names = {interface for key in index.chains if (interface := index.interface_of_chain(key))}
    names |= {link.name for link in state.links if index.role_of_link(link) == "workload"}
    nameless = [name for name in names if index.pod_of_interface(name) is None]
    ciliums = sum(link_owner(name) == "cilium" for name in nameless)
    if len(nameless) > ciliums:
        behind = plural(len(nameless) - ciliums, "workload interface")
        yield Open(f"the pod behind {behind}", NEEDS["pods"])
    if ciliums:
        yield Open(f"the pod behind {plural(ciliums, 'interface')} of Cilium", "cilium endpoint list")
