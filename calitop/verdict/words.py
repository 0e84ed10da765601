"""Words that several parts of the answer use."""

from __future__ import annotations

from calitop.model.place import Where
from calitop.report.text import plural


def packets_words(count: int) -> str:
    """`1 packet`, `5 packets`."""
    return plural(count, "packet")


def signed(count: int) -> str:
    """`+5`."""
    return f"{count:+d}"


def place_words(where: Where, remark: str | None = None, policy: str | None = None) -> str:
    """A rule or policy as people name it: `filter cali-INPUT rule 2 "Drop IPIP …"`."""
    head = f"{where.table or '?'} {where.chain}"
    if where.family == "ipv6":
        head = f"ip6 {head}"
    if where.kind == "policy":
        return f"{head} policy {policy or '?'}"
    quoted = f' "{remark}"' if remark else ""
    return f"{head} rule {'?' if where.number is None else where.number}{quoted}"


def where_words(where: Where) -> str:
    """A place in a few words."""
    if where.chain is not None:
        return place_words(where)
    name = where.name or {"kernel": "the kernel's routing", "bpf": "BPF"}.get(where.kind, where.kind)
    return f"{name} on {where.device}" if where.device else name
