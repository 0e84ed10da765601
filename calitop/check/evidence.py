"""Evidence of each kind, in the words in which an operator knows the thing."""

from __future__ import annotations

from dataclasses import replace

from calitop.check.records import Evidence
from calitop.cni.pods import pod_name
from calitop.model.network import Link, Route
from calitop.model.node import Pod
from calitop.model.rules import ChainKey, Rule


def of_route(route: Route, node: str | None = None) -> Evidence:
    """A route as iproute2 would print its main parts."""
    words = [route.dst if route.type in ("unicast", None) else f"{route.type} {route.dst}"]
    for label, value in (("via", route.gateway), ("dev", route.dev), ("proto", route.proto)):
        words += [label, value] if value else []
    words += ["table", route.table] if route.table != "main" else []
    words += ["metric", str(route.metric)] if route.metric else []
    return Evidence("route", route, " ".join(words), node)


def of_link(link: Link) -> Evidence:
    """A link with what the checks look at."""
    state = {True: "up", False: "down", None: "up or down unknown"}[link.up]
    mtu = "?" if link.mtu is None else str(link.mtu)
    return Evidence("link", link, f"{link.name} mtu {mtu} {state}")


def of_rule(key: ChainKey, at: int, rule: Rule) -> Evidence:
    """A rule in its own words."""
    return Evidence("rule", (key, at), f"{key.table or '?'}: {rule.text}")


def of_chain(key: ChainKey, words: str = "") -> Evidence:
    """A chain by table and name."""
    return Evidence("chain", key, f"{key.table or '?'}: {key.chain}{' ' + words if words else ''}")


def of_policy(key: ChainKey, policy: str) -> Evidence:
    """The policy of a built-in chain."""
    return Evidence("policy", key, f"{key.table or '?'}: {key.chain} policy {policy}")


def of_pod(pod: Pod) -> Evidence:
    """A pod with its address and node."""
    return Evidence("pod", pod_name(pod), f"{pod_name(pod)} {pod.ip or '?'} on {pod.node or '?'}")


def of_setting(name: str, value: object) -> Evidence:
    """A sysctl with its value."""
    return Evidence("sysctl", name, f"{name} = {value}")


def of_statistic(name: str, value: int | None) -> Evidence:
    """A statistic of the kernel with its newest value."""
    return Evidence("statistic", name, f"{name} = {'?' if value is None else value}")


def on_node(evidence: Evidence, node: str | None) -> Evidence:
    """The same evidence, of another node than the finding's."""
    return replace(evidence, node=node)
