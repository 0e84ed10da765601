"""Which nft tables exist: one read-only netlink dump, NFT_MSG_GETTABLE.

Opening this socket loads nfnetlink and asking loads nf_tables where they are absent, so
`look.py` makes sure first. Source: include/uapi/linux/netfilter/nf_tables.h, nfnetlink.h.
"""

from __future__ import annotations

from dataclasses import dataclass

from calitop.sources.netlink import attributes, dump

NETLINK_NETFILTER = 12
NFT_MSG_GETTABLE = 10 << 8 | 1
_NFTA_TABLE_NAME = 1

FAMILIES = {1: "inet", 2: "ipv4", 3: "arp", 5: "netdev", 7: "bridge", 10: "ipv6"}
"""Family names by NFPROTO_* number (include/uapi/linux/netfilter.h)."""
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
    bodies = dump(NFT_MSG_GETTABLE, bytes(4), NETLINK_NETFILTER)
    return tuple(NftTable(FAMILIES.get(body[0], str(body[0])), _name(body)) for body in bodies)


def _name(body: bytes) -> str:
    """The name in a message; behind struct nfgenmsg stand its attributes."""
    found = attributes(body, 4).get(_NFTA_TABLE_NAME, b"")
    return found.rstrip(b"\0").decode("utf-8", "replace")
