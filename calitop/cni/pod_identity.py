"""Pod, interface, address and node put together from every source, each with where it is known from.

Of sources that disagree the surer one is taken, and the disagreement is kept beside the pod and among
the state's warnings. From the surest to the weakest: the hash in an interface's name; a process
whose control group names the pod's UID; Cilium's own state; a network namespace that has the pod's
address; a route to the address; the neighbour table; a host name, which a pod may choose.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import NamedTuple

from calitop.cni.names import link_role
from calitop.cni.pod_ends import PodEnds, same_family
from calitop.cni.pods import FINISHED, node_of_list, pod_name
from calitop.model.node import Known, NodeState, Pod, PodSign, SignKind


class Rank(IntEnum):
    """How sure a source is of a pod's interface; the lower the surer."""

    HASH = 0
    UID = 1
    CILIUM = 2
    SPACE = 3
    ROUTE = 4
    NEIGHBOUR = 5
    HOSTNAME = 6


class _Claim(NamedTuple):
    rank: Rank
    interface: str
    source: str


@dataclass(eq=False)
class _Draft:
    """A pod while its sources are put together."""

    pod: Pod
    uids: set[str] = field(default_factory=set)
    claims: list[_Claim] = field(default_factory=list)
    held: list[tuple[tuple[str, ...], str]] = field(default_factory=list)
    """Addresses that a source on the node found at the pod, the surest first."""
    known: dict[Known, None] = field(default_factory=dict)
    conflicts: dict[str, None] = field(default_factory=dict)
    remarks: dict[str, None] = field(default_factory=dict)
    here: bool = False
    """The node itself tells of it."""

    def __post_init__(self) -> None:
        self.known.update(dict.fromkeys(self.pod.known_from))
        self.conflicts.update(dict.fromkeys(self.pod.conflicts))
        self.remarks.update(dict.fromkeys(self.pod.remarks))
        if self.pod.uid:
            self.uids.add(self.pod.uid)

    def know(self, what: str, source: str) -> None:
        """Keep which source told a thing."""
        self.known[Known(what, source)] = None

    @property
    def best(self) -> _Claim | None:
        """The surest claim; of two equally sure ones the first."""
        return min(self.claims, key=lambda claim: claim.rank, default=None)

    @property
    def is_finished(self) -> bool:
        """Whether its address may be another pod's by now."""
        return self.pod.status in FINISHED


def with_identities(state: NodeState) -> NodeState:
    """The state with all pods that its sources name, and of each all that they tell together.

    A second time changes nothing.
    """
    if not state.pods and not state.pod_signs:
        return state
    drafts = _Identities(state).drafts()
    pods = tuple(_finished(draft) for draft in drafts)
    disputes = [f"pod {pod_name(pod)}: {words}" for pod in pods for words in pod.conflicts]
    return replace(state, pods=pods, warnings=tuple(dict.fromkeys([*state.warnings, *disputes])))


def _finished(draft: _Draft) -> Pod:
    return replace(
        draft.pod,
        known_from=tuple(draft.known),
        conflicts=tuple(draft.conflicts),
        remarks=tuple(draft.remarks),
    )


class _Identities:
    def __init__(self, state: NodeState) -> None:
        self.state = state
        self.ends = PodEnds(state)
        self._drafts: list[_Draft] = []
        self._by_name: dict[tuple[str | None, str], _Draft] = {}
        self._by_uid: dict[str, _Draft] = {}
        for pod in state.pods:
            self._add(pod)

    def drafts(self) -> list[_Draft]:
        """Every pod, with what was decided."""
        for sign in self._signs("log folder"):
            self._named(sign)
        for sign in self._signs("cilium state"):
            self._take_endpoint(sign)
        for draft in self._drafts:
            self._take_hash(draft)
        self._take_spaces(self._signs("namespace"))
        for draft in self._drafts:
            self._take_addresses(draft)
        self._decide()
        return self._drafts

    def _signs(self, kind: SignKind) -> list[PodSign]:
        return [sign for sign in self.state.pod_signs if sign.kind == kind]

    def _add(self, pod: Pod) -> _Draft:
        draft = _Draft(pod)
        self._drafts.append(draft)
        self._by_name.setdefault((pod.namespace, pod.name), draft)
        for uid in draft.uids:
            self._by_uid.setdefault(uid, draft)
        return draft

    def _named(self, sign: PodSign) -> _Draft | None:
        """The pod that a sign names, made where no list has it; None for a sign without a name."""
        if sign.name is None:
            return None
        listed = self._by_name.get((sign.namespace, sign.name)) or self._by_name.get((None, sign.name))
        draft = listed or self._add(Pod(sign.namespace, sign.name, uid=sign.uid))
        if draft.pod.namespace is None and sign.namespace is not None and listed is not None:
            draft.pod = replace(draft.pod, namespace=sign.namespace)
            self._by_name[sign.namespace, sign.name] = draft
        draft.here = True
        draft.know("name", sign.source)
        if sign.uid:
            draft.uids.add(sign.uid)
            self._by_uid.setdefault(sign.uid, draft)
        return draft

    # -- what each source tells

    def _take_endpoint(self, sign: PodSign) -> None:
        """Cilium's word, but for an endpoint whose interface is gone."""
        if not self.ends.is_there(sign.interface):
            draft = self._by_name.get((sign.namespace, sign.name or ""))
            if draft is not None and sign.interface:
                draft.remarks[f"{sign.source} says {sign.interface}, which is not here"] = None
            return
        draft = self._named(sign)
        if draft is not None and sign.interface is not None:
            draft.claims.append(_Claim(Rank.CILIUM, sign.interface, sign.source))
            draft.held.append((sign.addresses, sign.source))

    def _take_hash(self, draft: _Draft) -> None:
        if draft.pod.host_network:
            return
        proven = self.ends.proven(draft.pod.namespace, draft.pod.name)
        if proven is not None:
            draft.pod = replace(draft.pod, namespace=proven.namespace)
            words = f"the hash of {proven.namespace}.{draft.pod.name} in its name"
            draft.claims.append(_Claim(Rank.HASH, proven.interface, words))

    def _take_addresses(self, draft: _Draft) -> None:
        """Where the routes and the neighbour table see the pod's addresses."""
        if draft.pod.host_network:
            return
        told = draft.held[0][0] if draft.held else tuple(filter(None, [draft.pod.ip]))
        for address in (each.split("/")[0] for each in told):
            self._take_places(draft, address)

    def _take_places(self, draft: _Draft, address: str) -> None:
        for rank, places, words in (
            (Rank.ROUTE, self.ends.routed, "the route to {}"),
            (Rank.NEIGHBOUR, self.ends.resolved, "the neighbour table's {}"),
        ):
            for interface in places.get(address, ()):
                draft.claims.append(_Claim(rank, interface, words.format(address)))

    # -- network namespaces

    def _take_spaces(self, signs: Iterable[PodSign]) -> None:
        at: dict[str, list[_Draft]] = {}
        for draft in sorted(self._drafts, key=_sureness):
            for claim in draft.claims:
                at.setdefault(claim.interface, []).append(draft)
        listed = {draft.pod.ip: draft for draft in reversed(self._drafts) if _has_address(draft)}
        for sign in signs:
            interfaces = self.ends.behind(sign)
            claimed = [draft for name in interfaces for draft in at.get(name, ())]
            found = self._of_space(sign, interfaces, claimed, listed) if interfaces else None
            if found is not None:
                self._put_in_space(found, sign)

    def _of_space(
        self, sign: PodSign, interfaces: list[str], claimed: list[_Draft], listed: dict[str | None, _Draft]
    ) -> _Draft | None:
        """The pod of a network namespace by the surest way, and a claim that says which way it was."""
        by_uid = self._by_uid.get(sign.uid or "")
        holder = claimed[0] if claimed else self._proven_host(sign, interfaces)
        by_address = next((listed[each] for each in sign.addresses if each in listed), None)
        if by_uid is not None and holder is not None and by_uid is not holder:
            _dispute(by_uid, holder, sign)
        if holder is not None and holder.best is not None and holder.best.rank == Rank.HASH:
            return holder
        if by_uid is not None:
            self._claim(by_uid, Rank.UID, interfaces, f"the pod UID in the control group, {sign.source}")
        elif holder is None and by_address is not None:
            self._claim(by_address, Rank.SPACE, interfaces, f"its address in the {sign.source}")
        return by_uid or holder or by_address or self._by_hostname(sign, interfaces)

    def _claim(self, draft: _Draft, rank: Rank, interfaces: list[str], words: str) -> None:
        draft.claims += [_Claim(rank, name, words) for name in interfaces]

    def _proven_host(self, sign: PodSign, interfaces: list[str]) -> _Draft | None:
        """The pod whose name is a host name in there, where the hash in the interface's name proves it."""
        for name, where in sign.hostnames:
            proven = self.ends.proven(None, name)
            if proven is not None and proven.interface in interfaces:
                draft = self._by_name.get((proven.namespace, name)) or self._add(Pod(proven.namespace, name))
                draft.know(
                    "name", f"host name by {where}, {sign.source}; proven by the hash in the interface"
                )
                self._take_hash(draft)
                return draft
        return None

    def _by_hostname(self, sign: PodSign, interfaces: list[str]) -> _Draft | None:
        """The pod called like its host name, which is usual and proves nothing."""
        if not sign.hostnames or not any(link_role(name, None) == "workload" for name in interfaces):
            return None
        name, where = sign.hostnames[0]
        same = [draft for draft in self._drafts if draft.pod.name == name and not draft.pod.host_network]
        if len(same) > 1 or (same and same[0].claims):
            return None
        draft = same[0] if same else self._add(Pod(None, name, uid=sign.uid))
        draft.know("name", f"host name by {where}, {sign.source}; a pod may choose another")
        self._claim(draft, Rank.HOSTNAME, interfaces, f"its host name, {sign.source}")
        return draft

    def _put_in_space(self, draft: _Draft, sign: PodSign) -> None:
        """The kernel's word on addresses comes first; other host names are told, and not taken."""
        draft.here = True
        draft.held.insert(0, (sign.addresses, sign.source))
        for name, where in sign.hostnames:
            if name != draft.pod.name:
                draft.remarks[f"{where} says {name}, which a pod may choose; {sign.source}"] = None

    # -- decisions

    def _decide(self) -> None:
        taken = {draft.pod.interface: draft for draft in self._drafts if draft.pod.interface}
        for draft in sorted(self._drafts, key=_sureness):
            best = draft.best
            if best is None or draft.pod.interface is not None:
                continue  # Nothing tells it, or an earlier look has decided.
            holder = taken.setdefault(best.interface, draft)
            if holder is draft:
                draft.pod = replace(draft.pod, interface=best.interface)
                draft.know("interface", best.source)
                _compare(draft, best)
            elif not draft.is_finished:
                draft.conflicts[_claimed_twice(best, holder)] = None
        node = node_of_list(self.state)
        for draft in self._drafts:
            self._decide_address(draft)
            self._decide_node(draft, node)

    def _decide_address(self, draft: _Draft) -> None:
        """The address that is really there, else the list's, else the only one that leads there."""
        pod = draft.pod
        if pod.interface is None or pod.host_network:
            return
        for addresses, source in draft.held:
            found = same_family(addresses, pod.ip) if pod.ip else list(addresses)
            if found:
                self._take_address(draft, found, source, is_surer=True)
                return
        for address, source in self.ends.seen_at(pod.interface):
            if pod.ip is None or same_family([address], pod.ip):
                self._take_address(draft, [address], source, is_surer=pod.ip is None)
                return

    def _take_address(self, draft: _Draft, found: list[str], source: str, is_surer: bool) -> None:
        listed = draft.pod.ip
        if listed is not None and listed not in found:
            seen, told = found[0].split("/")[0], listed.split("/")[0]
            draft.conflicts[f"its address is {seen} by the {source}, but {told} by the list of pods"] = None
        if is_surer and listed not in found:
            draft.pod = replace(draft.pod, ip=found[0])
        if draft.pod.ip in found:
            draft.know("address", source)

    def _decide_node(self, draft: _Draft, node: str | None) -> None:
        pod = draft.pod
        is_here = draft.here or (pod.interface is not None and pod.interface in self.ends.links)
        name = node or self.state.name
        if not is_here or name is None:
            return
        if pod.node is None:
            draft.pod = replace(pod, node=name)
            draft.know("node", "what this node tells")
        elif node is not None and pod.node != node and pod.interface is not None:
            draft.conflicts[f"the list puts it on {pod.node}, but {pod.interface} is here on {node}"] = None


def _has_address(draft: _Draft) -> bool:
    return bool(draft.pod.ip) and not draft.pod.host_network and not draft.is_finished


def _sureness(draft: _Draft) -> tuple[bool, int]:
    """Who is asked first for an interface that several claim."""
    best = draft.best
    return draft.is_finished and (best is None or best.rank > Rank.HASH), best.rank if best else len(Rank)


def _compare(draft: _Draft, best: _Claim) -> None:
    """Keep what another kind of source says against the one that was believed."""
    for rank in Rank:
        said = [claim for claim in draft.claims if claim.rank == rank]
        if said and all(claim.interface != best.interface for claim in said):
            other = said[0]
            told = f"{best.source} leads to {best.interface}, but {other.source} to {other.interface}"
            draft.conflicts[told] = None


def _claimed_twice(claim: _Claim, holder: _Draft) -> str:
    surer = holder.best.source if holder.best is not None else ""
    return f"{claim.source} leads to {claim.interface}, which is {pod_name(holder.pod)}'s by {surer}"


def _dispute(by_uid: _Draft, holder: _Draft, sign: PodSign) -> None:
    """Two sure ways lead to different pods behind one interface."""
    best = holder.best
    source = best.source if best is not None else "another source"
    told = (
        f"the {sign.source} is {pod_name(by_uid.pod)}'s by the pod UID in its control group, "
        f"but {pod_name(holder.pod)}'s by {source}"
    )
    by_uid.conflicts[told] = holder.conflicts[told] = None
