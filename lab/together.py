"""Several faults at once: the plans in which each of them is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lab.faults import Fault
from lab.network import destination
from lab.plan import KubeProxy, Plan, healthy
from lab.shell import LabError

ADDING_UP = ("sysctls", "routes", "missing_routes")
"""Fields of a plan in which one fault does not stand in another's way."""


def kube_proxy(faults: Iterable[Fault], home: KubeProxy) -> KubeProxy:
    """The style of kube-proxy in which all of them show; `home` where none minds.

    Raises:
        LabError: Two of them need different styles.
    """
    needed = {fault.needs for fault in faults if fault.needs}
    if len(needed) > 1:
        raise LabError("cannot load these faults at once: they need different styles of kube-proxy")
    return next(iter(needed), home)


def plans(faults: Sequence[Fault], kube: KubeProxy) -> dict[str, Plan]:
    """The wanted state of both nodes; without faults the healthy one.

    Raises:
        LabError: Two faults want different things of the same part of a node.
    """
    return {
        name: replace(plan, **_joined(name, [fault.changes.get(name, {}) for fault in faults]))
        for name, plan in healthy(kube).items()
    }


def _joined(node: str, changes: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    joined: dict[str, Any] = {}
    for field, value in (each for change in changes for each in change.items()):
        if field in ADDING_UP:
            joined[field] = (*joined.get(field, ()), *value)
        elif joined.setdefault(field, value) != value:
            raise LabError(f"cannot load these faults at once: both change {field} of {node}")
    if clash := _twice(_settings(joined)):
        raise LabError(f"cannot load these faults at once: both set {clash} of {node}")
    return joined


def _settings(changes: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Kernel settings with their value, destinations with their route."""
    yield from changes.get("sysctls", ())
    yield from ((f"the route to {destination(words)}", words) for words in changes.get("routes", ()))
    yield from ((f"the route to {target}", "none") for target in changes.get("missing_routes", ()))


def _twice(settings: Iterable[tuple[str, str]]) -> str | None:
    """What is wanted to have two values."""
    wanted: dict[str, str] = {}
    return next((key for key, value in settings if wanted.setdefault(key, value) != value), None)
