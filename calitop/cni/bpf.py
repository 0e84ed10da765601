"""What is decided in BPF programs on a node, where no rule shows it, and by which signs that is known.

Source: Felix, dataplane/linux/int_dataplane.go (setUpIptablesBPF): in eBPF mode Felix leaves a thin
safety net of rules and no chains of workloads. A node of Cilium alone has Cilium's devices and no
chain of Calico.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from calitop.cni.names import calico_rest, chain_owner, chain_role, link_owner, link_role
from calitop.model.node import NodeState
from calitop.model.rules import BUILTIN_CHAINS, Chain, ChainKey

_FELIX_SIGNS = (
    "Pre-approved by BPF programs",
    "From workload without BPF seen mark",
    "Accept packets from flows that pre-date BPF",
    "Mark pre-established flows",
    "BPF loopback SNAT",
)
"""Comments of rules that Felix has in eBPF mode only."""
_FELIX_DEVICES = ("bpfin.cali", "bpfout.cali")
_WORKLOADS = ("from workload", "to workload")
_NAMED = 3
"""Devices that are named; more are counted."""


@dataclass(frozen=True, slots=True)
class DecidedInBpf:
    """What calitop cannot see on a node, with the signs of it."""

    by: Literal["calico", "cilium"]
    what: str
    evidence: tuple[str, ...]

    def __str__(self) -> str:
        signs = "; ".join(self.evidence)
        return f"{self.what} are decided in BPF, which no rule shows and calitop cannot see (signs: {signs})"


def decided_in_bpf(state: NodeState, chains: Mapping[ChainKey, Chain] | None = None) -> DecidedInBpf | None:
    """Whose BPF programs decide instead of rules; None where rules decide, or nothing tells.

    A node with Calico's workload chains beside Cilium's pods is none: its interfaces tell which
    of them BPF programs sit on.

    Args:
        state: The node.
        chains: Its chains by their keys, where somebody has them already.
    """
    chains = state.chains() if chains is None else chains
    return _calico(state, chains) or _cilium(state, chains)


def with_bpf_warning(state: NodeState) -> NodeState:
    """The state with a warning of what is decided in BPF."""
    found = decided_in_bpf(state)
    if found is None:
        return state
    return replace(state, warnings=tuple(dict.fromkeys([*state.warnings, str(found)])))


# -- Calico -----------------------------------------------------------------------------


def _calico(state: NodeState, chains: Mapping[ChainKey, Chain]) -> DecidedInBpf | None:
    signs = [*_felix_devices(state), *_felix_rules(chains)]
    if not signs:
        return None
    if _knows_rules(chains) and not _has_workload_chains(chains):
        signs.append("no cali-fw- or cali-tw- chain")
    return DecidedInBpf("calico", "Calico's eBPF mode: policy, services and forwarding of pods", tuple(signs))


def _felix_devices(state: NodeState) -> Iterator[str]:
    found = [link.name for link in state.links if link.name in _FELIX_DEVICES]
    if found:
        yield f"device {', '.join(found)}"


def _felix_rules(chains: Mapping[ChainKey, Chain]) -> Iterator[str]:
    for key, chain in chains.items():
        if not chain.builtin and calico_rest(key.chain) not in BUILTIN_CHAINS:
            continue
        for rule in chain.rules:
            sign = next((words for words in _FELIX_SIGNS if words in rule.text), None)
            if sign is not None:
                yield f"rule '{sign}' in {key.table or '?'} {key.chain}"
                return


# -- Cilium -----------------------------------------------------------------------------


def _cilium(state: NodeState, chains: Mapping[ChainKey, Chain]) -> DecidedInBpf | None:
    """A node of Cilium alone: its pods' devices are there, and neither chain nor device of Calico."""
    devices = [link.name for link in state.links if link_owner(link.name) == "cilium"]
    owners = {link_owner(link.name) for link in state.links}
    if not devices or not _knows_rules(chains) or "calico" in owners or _has_calico(chains):
        return None
    what = ["policy and forwarding of pods"]
    signs = [f"device {_named(devices)}", "no chain of Calico", *_attached(state)]
    if not any(key.table == "kube-proxy" or key.chain.startswith("KUBE-S") for key in chains):
        what.append("services")
        signs.append("no service chain of kube-proxy")
    return DecidedInBpf("cilium", f"Cilium alone: {' and '.join(what)}", tuple(signs))


def _attached(state: NodeState) -> Iterator[str]:
    devices = [one.dev for one in state.bpf if one.dev and link_role(one.dev, None) == "workload"]
    if devices:
        yield f"BPF program or filter on {_named(dict.fromkeys(devices))}"


# -- both -------------------------------------------------------------------------------


def _knows_rules(chains: Mapping[ChainKey, Chain]) -> bool:
    """Whether the rules were read whole, so that what is not there is known not to be there."""
    return bool(chains) and all(chain.complete is True for chain in chains.values())


def _has_workload_chains(chains: Iterable[ChainKey]) -> bool:
    return any(chain_role(key.chain, key.table).group in _WORKLOADS for key in chains)


def _has_calico(chains: Iterable[ChainKey]) -> bool:
    return any(chain_owner(key.chain, key.table) == "calico" for key in chains)


def _named(names: Iterable[str]) -> str:
    every = list(names)
    rest = len(every) - _NAMED
    return ", ".join(every[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
