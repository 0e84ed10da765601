"""A flow as it stands in a dialog's fields: text, which need not make sense yet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from calitop.cni.pods import pod_name
from calitop.errors import UsageError
from calitop.model.network import Route
from calitop.probe.records import MOST, Protocol, Request
from tui.linked import interfaces_of_place
from widgets.text import plain
from widgets.view import LinkId, RouteId, SetId, Subject, View

if TYPE_CHECKING:
    from calitop.path.asked import Question

PROTOCOLS: tuple[Protocol, ...] = ("icmp", "tcp", "udp")


@dataclass(frozen=True, slots=True)
class Flow:
    """Two ends and a protocol."""

    source: str = ""
    target: str = ""
    protocol: Protocol = "icmp"
    port: str = ""


F = TypeVar("F", bound=Flow)


@dataclass(frozen=True, slots=True)
class Draft(Flow):
    """A probe as the operator has typed it; kept when the dialog closes."""

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


@dataclass(frozen=True, slots=True)
class PathDraft(Flow):
    """A packet whose path is asked for, as the operator has typed it."""

    mark: str = ""
    at: str = ""
    """Where it starts, where that is not to be found: `NODE`, `INTERFACE`, `NODE:INTERFACE`."""

    def of_flow(self, flow: Flow) -> PathDraft:
        """The same for another flow."""
        return PathDraft(flow.source, flow.target, flow.protocol, flow.port, self.mark)

    def question(self) -> Question:
        """The same as a question to the engine."""
        from calitop.path.asked import Question

        return Question(
            source=self.source,
            target=self.target,
            protocol=self.protocol,
            port=self.port,
            mark=self.mark,
            at=self.at,
        )


def _number(text: str, name: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 9 and 1 <= int(text) <= most):
        raise UsageError(f"{name}: '{text}' is no number from 1 to {most}", "give one")
    return int(text)


def with_selection(draft: F, view: View, subject: Subject | None, route: Route | None) -> F:
    """The draft with what is selected as its source; a route to a pod elsewhere is a destination."""
    if isinstance(subject, RouteId):
        return _with_route(draft, view, route)
    if isinstance(subject, LinkId):
        return replace(draft, source=_name_of(view, subject.link))
    if subject is None or isinstance(subject, SetId):
        return draft
    names = interfaces_of_place(view, subject)
    return replace(draft, source=_name_of(view, names[0])) if len(names) == 1 else draft


def _with_route(draft: F, view: View, route: Route | None) -> F:
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
