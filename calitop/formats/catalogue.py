"""The formats in the order in which they are asked, and what each is about.

The order matters where one text could pass for another: the stricter format is asked
first. This file knows no spelling of its own.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import lru_cache
from typing import Protocol, cast

import calitop.formats
from calitop.formats.fragment import Fragment


class Format(Protocol):
    """A module of this package that reads one format."""

    KIND: str

    def looks_like(self, text: str) -> bool:
        """Whether the text is of this format, by its content."""

    def parse(self, text: str) -> Fragment:
        """What the text tells; unknown lines become problems."""


_TOPIC_BY_PREFIX = (
    ("iptables", "iptables"),
    ("nft", "nft"),
    ("ip_link", "link"),
    ("ip_addr", "addr"),
    ("ip_route", "route"),
    ("ip_rule", "rule"),
    ("ip_neigh", "neigh"),
    ("route_n", "route-n"),
    ("ipset", "ipset"),
    ("conntrack_s", "conntrack-stats"),
    ("conntrack", "conntrack"),
    ("bpftool", "bpftool"),
    ("tc_filter", "tc"),
    ("sysctl", "sysctl"),
    ("nstat", "nstat"),
    ("proc_softnet", "softnet"),
    ("proc_snmp6", "snmp6"),
    ("proc_snmp", "snmp"),
    ("proc_netstat", "netstat"),
    ("proc_net_dev", "net-dev"),
    ("proc_dev", "net-dev"),
    ("cni", "cni"),
    ("pods", "pods"),
    ("node_hostname", "hostname"),
    ("node_uname", "uname"),
    ("node_date", "date"),
)


@lru_cache(maxsize=1)
def formats() -> tuple[Format, ...]:
    """Every format, in the order in which they are asked."""
    names = sorted(module.name for module in pkgutil.iter_modules(calitop.formats.__path__))
    modules = [importlib.import_module(f"calitop.formats.{name}") for name in names if name != "catalogue"]
    return tuple(
        cast(Format, module)
        for module in modules
        if hasattr(module, "KIND") and hasattr(module, "looks_like") and hasattr(module, "parse")
    )


def topic_of(fmt: Format) -> str | None:
    """What a format is about, in the words that `calitop.snapshot.hints` uses."""
    name = str(getattr(fmt, "__name__", "")).rsplit(".", 1)[-1]
    return next((topic for prefix, topic in _TOPIC_BY_PREFIX if name.startswith(prefix)), None)


def formats_about(topic: str | None) -> tuple[Format, ...]:
    """The formats of one topic, in order."""
    return tuple(fmt for fmt in formats() if topic is not None and topic_of(fmt) == topic)
