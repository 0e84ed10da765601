"""A probe as it stands in the dialog's fields: text, which need not make sense yet."""

from __future__ import annotations

from dataclasses import dataclass, replace

from calitop.cni.pods import pod_name
from calitop.errors import UsageError
from calitop.model.network import Route
from calitop.probe.records import MOST, Protocol, Request
from tui.linked import interfaces_of_place
from widgets.text import plain
from widgets.view import LinkId, RouteId, SetId, Subject, View

PROTOCOLS: tuple[Protocol, ...] = ("icmp", "tcp", "udp")


@dataclass(frozen=True, slots=True)
class Draft:
    """What the operator has typed; kept when the dialog closes."""

    source: str = ""
    target: str = ""
    protocol: Protocol = "icmp"
    port: str = ""
    count: str = str(Request("", "").count)

    def request(self) -> Request:
        """The same as a request.

        Raises:
            UsageError: A field is empty, or holds no number.
        """
        if not self.source:
            raise UsageError("nothing is said of the source", "choose who sends: a pod, interface or address")
        if not self.target:
            raise UsageError("nothing is said of the destination", "choose a pod or an address")
        port = None if self.protocol == "icmp" else _number(self.port, "port", 65535)
        return Request(self.source, self.target, self.protocol, port, _number(self.count, "count", MOST))


def _number(text: str, name: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 9 and 1 <= int(text) <= most):
        raise UsageError(f"{name}: '{text}' is no number from 1 to {most}", "give one")
    return int(text)


def with_selection(draft: Draft, view: View, subject: Subject | None, route: Route | None) -> Draft:
    """The draft with what is selected as its source; a route to a pod elsewhere is a destination."""
    if isinstance(subject, RouteId):
        return _with_route(draft, view, route)
    if isinstance(subject, LinkId):
        return replace(draft, source=_name_of(view, subject.link))
    if subject is None or isinstance(subject, SetId):
        return draft
    names = interfaces_of_place(view, subject)
    return replace(draft, source=_name_of(view, names[0])) if len(names) == 1 else draft


def _with_route(draft: Draft, view: View, route: Route | None) -> Draft:
    address, _, length = (route.dst if route is not None else "").partition("/")
    if route is None or length not in ("32", "128"):
        return draft
    if route.gateway is None and route.dev is not None:
        return replace(draft, source=_name_of(view, route.dev))
    return replace(draft, target=address)


def _name_of(view: View, interface: str) -> str:
    """The pod behind the interface, by name where it is known and can be typed."""
    pod = view.index.pod_of_interface(interface)
    names = (interface,) if pod is None else (pod_name(pod), interface)
    return next(filter(can_be_typed, names), "")


def can_be_typed(name: str) -> bool:
    """Whether a field can show the name: it obeys control characters, which no real name has."""
    return plain(name) == name
