"""Which interface of the node a pod's name, address or network namespace leads to.

Facts only: which of several sources is believed is decided in `pod_identity.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

from calitop.cni.names import chain_role
from calitop.cni.pods import interface_name, resolved_addresses, routed_addresses
from calitop.model.network import Link
from calitop.model.node import NodeState, PodSign

_HASHED = re.compile(r"[a-z]{1,4}([0-9a-f]{11})")
"""Interface names that may end in a pod's hash; 15 characters are the kernel's limit."""
_PROFILE = re.compile(r"(?:filter-)?cali-pr[io]-kns\.(.+)")
"""The chains of a namespace's profile."""


class Proven(NamedTuple):
    """A pod whose hash stands in an interface's name."""

    namespace: str
    interface: str


class PodEnds:
    """Lookups over what one node tells of its pods' interfaces."""

    def __init__(self, state: NodeState) -> None:
        self.state = state
        self.links = {link.name: link for link in state.links}
        self.routed = routed_addresses(state)
        self.resolved = resolved_addresses(state)

    def is_there(self, interface: str | None) -> bool:
        """Whether an interface of that name may exist: it does, or links were not read."""
        return interface is not None and (interface in self.links or not self.links)

    def proven(self, namespace: str | None, name: str) -> Proven | None:
        """The interface whose name holds the hash of that pod; without a namespace all known are tried."""
        for space in self.namespaces if namespace is None else (namespace,):
            interface = self._by_hash.get(interface_name(space, name, ""))
            if interface is not None:
                return Proven(space, interface)
        return None

    def behind(self, sign: PodSign) -> list[str]:
        """The interfaces whose other ends are in that network namespace.

        Where its number is not known both ends must name each other by index, and an address in
        there must be seen at the interface: indexes repeat from namespace to namespace.
        """
        if sign.space is not None:
            names = [self._by_space.get((sign.space, inner)) for inner, _outer in sign.ends]
        else:
            links = [(self._by_index.get(outer or 0), inner) for inner, outer in sign.ends]
            named = [link.name for link, inner in links if link is not None and link.peer_index == inner]
            names = [name for name in named if self._is_seen(sign, name)]
        return [name for name in dict.fromkeys(names) if name is not None]

    def _is_seen(self, sign: PodSign, interface: str) -> bool:
        addresses = [address.split("/")[0] for address in sign.addresses]
        return any(
            interface in places.get(address, ())
            for places in (self.routed, self.resolved)
            for address in addresses
        )

    def seen_at(self, interface: str) -> list[tuple[str, str]]:
        """Addresses that routes, then neighbours have at an interface and nowhere else, with the source.

        Of a family only where it is the only one.
        """
        return [found[0] for found in self._seen.get(interface, {}).values() if len(found) == 1]

    @cached_property
    def _seen(self) -> dict[str, dict[tuple[str, bool], list[tuple[str, str]]]]:
        out: dict[str, dict[tuple[str, bool], list[tuple[str, str]]]] = {}
        for places, words in ((self.routed, "route"), (self.resolved, "neighbour table")):
            for address, devices in places.items():
                if len(devices) == 1:
                    kind, length = (words, ":" in address), 128 if ":" in address else 32
                    at = out.setdefault(devices[0], {}).setdefault(kind, [])
                    at.append((f"{address}/{length}", f"{words} at {devices[0]}"))
        return out

    @cached_property
    def namespaces(self) -> tuple[str, ...]:
        """Namespaces of Kubernetes that are known here, to try for a pod whose own is not told."""
        profiles = (_PROFILE.fullmatch(key.chain) for key in self.state.chains())
        listed = {pod.namespace for pod in self.state.pods if pod.namespace}
        told = {sign.namespace for sign in self.state.pod_signs if sign.namespace}
        found = {"default", "kube-system", *listed, *told, *(match[1] for match in profiles if match)}
        return tuple(sorted(found))

    @cached_property
    def _by_hash(self) -> dict[str, str]:
        return {match[1]: name for name in self._interfaces() if (match := _HASHED.fullmatch(name))}

    def _interfaces(self) -> Iterator[str]:
        """All names of interfaces; those of links last, which count most."""
        roles = (chain_role(key.chain) for key in self.state.chains())
        yield from (role.interface for role in roles if role.interface is not None)
        yield from (route.dev for route in self.state.routes if route.dev)
        yield from self.links

    @cached_property
    def _by_space(self) -> dict[tuple[int, int], str]:
        return {
            (link.peer_netns, link.peer_index): link.name
            for link in self.state.links
            if link.peer_netns is not None and link.peer_index is not None
        }

    @cached_property
    def _by_index(self) -> dict[int, Link]:
        return {link.index: link for link in self.state.links if link.index is not None}


def same_family(addresses: Iterable[str], ip: str) -> list[str]:
    """Those of the addresses that are of the same family as another one."""
    return [each for each in addresses if (":" in each) == (":" in ip)]
