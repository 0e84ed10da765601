"""Which nft tables exist: one read-only netlink dump, NFT_MSG_GETTABLE.

Opening this socket loads nfnetlink and asking loads nf_tables where they are absent, so
`look.py` makes sure first. Source: include/uapi/linux/netfilter/nf_tables.h, nfnetlink.h.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from calitop.sources.nfnetlink import (
    FAMILIES,
    GET_TABLE,
    TABLE_ATTRIBUTE,
    Message,
    Nfnetlink,
    attributes_of,
    messages,
    question,
    text_of,
)

_IPTABLES = frozenset({"raw", "mangle", "nat", "filter", "security"})


@dataclass(frozen=True, slots=True)
class NftTable:
    """One table of nf_tables."""

    family: str
    name: str

    @property
    def by_iptables(self) -> bool:
        """Named as iptables-nft names its tables, so iptables-nft-save is the one to ask."""
        return self.family in ("ipv4", "ipv6") and self.name in _IPTABLES

    @property
    def nft_family(self) -> str:
        """The family in nft's own words."""
        return {"ipv4": "ip", "ipv6": "ip6"}.get(self.family, self.family)


def nft_tables() -> tuple[NftTable, ...]:
    """Every nft table of the calling thread's namespace.

    Raises:
        PermissionError: Without CAP_NET_ADMIN in the namespace.
        OSError: The kernel refuses for another reason.
    """
    with closing(Nfnetlink()) as ask:
        return tuple(map(_table, messages(ask.dump(question(GET_TABLE, 0, dump=True)).data)))


def _table(message: Message) -> NftTable:
    names = (text_of(value) for kind, value in attributes_of(message) if kind == TABLE_ATTRIBUTE)
    return NftTable(FAMILIES.get(message.family, str(message.family)), next(names, ""))
