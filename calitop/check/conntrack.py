"""The table of connections."""

from __future__ import annotations

from collections.abc import Iterator

from calitop.check.evidence import of_setting
from calitop.check.facts import NodeFacts
from calitop.check.records import Check, Found

_COUNT = "net.netfilter.nf_conntrack_count"
_MAX = "net.netfilter.nf_conntrack_max"
_NEARLY = 0.9


def _full(facts: NodeFacts) -> Iterator[Found]:
    """A maximum of 0 is no limit (nf_conntrack-sysctl.rst)."""
    count, most = facts.world.sysctl(_COUNT), facts.world.sysctl(_MAX)
    if not count or not most or count < most * _NEARLY:
        return
    evidence = (of_setting(_COUNT, count), of_setting(_MAX, most))
    title = f"{count} of {most} connections are in use"
    yield Found(title, evidence, "error" if count >= most else None)


CHECKS = (
    Check(
        "conntrack-full",
        "warning",
        ("conntrack_count",),
        "When the table is full the kernel drops first packets of new connections ('nf_conntrack: table "
        "full, dropping packet'; conntrack -S: drop, insert_failed).",
        "Raise net.netfilter.nf_conntrack_max, and look for what opens so many connections.",
        "projectcalico/calico#8676",
        _full,
    ),
)
