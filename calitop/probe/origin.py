"""From what the operator calls the source to an address, and the network namespace that has it.

A pod's namespace is the one at the other end of its link; it is proven by the address that
must be there. Nothing is sent and nothing is changed to find it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeVar

from calitop.cni.index import NodeIndex
from calitop.cni.pods import pod_name
from calitop.errors import NeedPrivilege, SourceUnavailable, UsageError
from calitop.model.network import Link
from calitop.model.node import Pod
from calitop.model.values import Address
from calitop.probe.node import ProbedNode
from calitop.probe.records import Origin
from calitop.sources.namespace import ReaderThread
from calitop.sources.namespaces import Spaces, spaces_by_id
from calitop.sources.rtnetlink import addresses

Answer = TypeVar("Answer")


def find_origin(node: ProbedNode, index: NodeIndex, text: str, target: Address) -> Origin:
    """Where packets of that source come from.

    Args:
        node: The node that is probed.
        index: Over its state.
        text: Pod (with or without its namespace), interface, or address.
        target: Where they are to go, which decides between several addresses.

    Raises:
        UsageError: There is no such pod or interface here, or several.
        SourceUnavailable: The namespace behind the pod's link cannot be found.
        NeedPrivilege: It may not be entered.
    """
    return _Finder(node, index, target).origin(text)


def address_of(index: NodeIndex, text: str) -> Address:
    """An address, or that of a pod that is known by name.

    Raises:
        UsageError: It is neither.
    """
    found = _parsed(text)
    if found is not None:
        return found
    pod = _pod(index, text)
    known = _parsed(pod.ip) if pod is not None and pod.ip else None
    if known is None:
        raise UsageError(f"no address is known of '{text}'", "give an IP address, or --pods FILE")
    return known


@dataclass
class _Finder:
    node: ProbedNode
    index: NodeIndex
    target: Address

    def origin(self, text: str) -> Origin:
        link = self.index.state.link(text)
        if link is not None:
            return self._of_link(link)
        pod = None if _parsed(text) else _pod(self.index, text)
        if pod is not None and pod.interface:
            behind = self.index.state.link(pod.interface)
            if behind is not None:
                return self._of_link(behind, _parsed(pod.ip) if pod.ip else None)
        if _parsed(text) is None and pod is None:
            raise UsageError(
                f"no source '{text}': it is neither an address, nor an interface or a known pod here",
                "give the pod's IP address, or --pods FILE with the pods' names",
            )
        return self._of_address(address_of(self.index, text), pod)

    def _of_link(self, link: Link, address: Address | None = None) -> Origin:
        """The pod behind a link, or the node itself where the link has addresses of its own."""
        if not self.node.can_send:
            return self._elsewhere(address or self._address_behind(link), link.name)
        mine = [each for each in _own(link) if each.version == self.target.version]
        if mine:
            return Origin(mine[0], here=True, device=link.name)
        spaces = self.node.inside(spaces_by_id)
        space = self._space(link, spaces)
        held = _addresses_in(space)
        if address is not None and address not in held:
            raise SourceUnavailable(
                f"the namespace behind '{link.name}' has no address {address}",
                f"probe from what it has: {', '.join(map(str, held)) or 'nothing'}",
            )
        return self._from(address or _chosen(space, self.target), space, link)

    def _of_address(self, address: Address, pod: Pod | None) -> Origin:
        if address.version != self.target.version:
            raise UsageError(
                f"'{address}' and '{self.target}' are of different families",
                "give two IPv4 or two IPv6 addresses",
            )
        if not self.node.can_send:
            return self._elsewhere(address, None)
        own = next((link for link in self.index.state.links if address in _own(link)), None)
        if own is not None:
            return Origin(address, here=True, device=own.name)
        expected = self._routed_to(address)
        spaces = self.node.inside(spaces_by_id)
        links = [link for link in self.index.state.links if _leads_out(link) and link is not expected]
        for link in [expected, *links] if expected else links:
            space = spaces.found.get(-1 if link.peer_netns is None else link.peer_netns)
            if space is not None and address in _addresses_in(space):
                return self._from(address, space, link)
        if expected is not None:
            self._space(expected, spaces)
            raise SourceUnavailable(
                f"{address} is routed to '{expected.name}', but no namespace behind a link here has it",
                "check that the pod still runs",
            )
        return Origin(address, here=False, pod=pod_name(pod) if pod else self._pod_words(address))

    def _from(self, address: Address, space: str, link: Link) -> Origin:
        return Origin(address, here=True, space=space, device=link.name, pod=self._pod_words(address, link))

    def _elsewhere(self, address: Address | None, device: str | None) -> Origin:
        if address is None:
            raise UsageError(
                f"no address is known behind '{device}'", "give the address that your own ping comes from"
            )
        return Origin(address, here=False, device=device, pod=self._pod_words(address))

    def _pod_words(self, address: Address, link: Link | None = None) -> str | None:
        pod = self.index.pod_of_address(str(address))
        if pod is None and link is not None:
            pod = self.index.pod_of_interface(link.name)
        return pod_name(pod) if pod else None

    def _space(self, link: Link, spaces: Spaces) -> str:
        found = None if link.peer_netns is None else spaces.found.get(link.peer_netns)
        if found is not None:
            return found
        if link.peer_netns is None:
            raise SourceUnavailable(
                f"'{link.name}' leads to no other network namespace and has no address to send from",
                "give a pod's interface or an address",
            )
        if spaces.denied:
            raise NeedPrivilege(
                f"cannot look for the network namespace behind '{link.name}': permission denied",
                "run as root",
            )
        raise SourceUnavailable(
            f"no process or name holds the network namespace behind '{link.name}'",
            "run calitop where it sees the node's processes and /run/netns",
        )

    def _routed_to(self, address: Address) -> Link | None:
        """The link that this very address is routed to, or resolved at."""
        pod = self.index.pod_of_address(str(address))
        names = [pod.interface] if pod is not None else []
        names += [
            route.dev
            for route in self.index.state.routes
            if route.gateway is None and route.table != "local" and _parsed(route.dst) == address
        ]
        links = [self.index.state.link(name) for name in names if name]
        return next((link for link in links if link is not None and _leads_out(link)), None)

    def _address_behind(self, link: Link) -> Address | None:
        own = [each for each in _own(link) if each.version == self.target.version]
        pod = self.index.pod_of_interface(link.name)
        if pod is not None and pod.ip:
            own.append(ip_address(pod.ip.split("/")[0]))
        routes = self.index.routes_of_interface(link.name)
        routed = [_parsed(route.dst) for route in routes if not route.gateway]
        found = [*own, *(each for each in routed if each is not None)]
        return found[0] if found else None


# -- addresses and pods -----------------------------------------------------------------


def _parsed(text: str | None) -> Address | None:
    """The address in a text, with or without the length of a single one."""
    address, _, length = (text or "").partition("/")
    try:
        found = ip_address(address)
    except ValueError:
        return None
    return found if length in ("", str(found.max_prefixlen)) else None


def _own(link: Link) -> list[Address]:
    found = [_parsed(text.split("/")[0]) for text in link.addresses]
    return [each for each in found if each is not None]


def _leads_out(link: Link) -> bool:
    """Whether the link ends in another namespace and is no address of the node."""
    return link.peer_netns is not None and not any(not each.is_link_local for each in _own(link))


def _pod(index: NodeIndex, text: str) -> Pod | None:
    found = [pod for pod in index.state.pods if text in (pod.name, pod_name(pod))]
    if len(found) > 1:
        names = ", ".join(pod_name(pod) for pod in found)
        raise UsageError(f"several pods are called '{text}': {names}", "give NAMESPACE/POD")
    return found[0] if found else None


# -- inside a namespace -----------------------------------------------------------------


def _addresses_in(space: str) -> Sequence[Address]:
    def ask() -> list[Address]:
        return [each for _, each in addresses() if not each.is_loopback]

    return _inside(space, ask)


def _chosen(space: str, target: Address) -> Address:
    """The address that the kernel there would send from; asking it sends nothing."""

    def ask() -> Address:
        family = socket.AF_INET if target.version == 4 else socket.AF_INET6
        with socket.socket(family, socket.SOCK_DGRAM) as asked:
            asked.connect((str(target), 9))
            return ip_address(asked.getsockname()[0])

    try:
        return _inside(space, ask)
    except OSError as error:
        raise SourceUnavailable(
            f"nothing can be sent to {target} from '{space}': {error.strerror}",
            "check the routes inside: ip netns exec",
        ) from error


def _inside(space: str, ask: Callable[[], Answer]) -> Answer:
    thread = ReaderThread(space)
    try:
        return thread.call(ask)
    finally:
        thread.close()
