"""Names that nft gives to numbers, with the numbers that `nft -n` prints instead.

Sources: nft(8); ct.c, proto.c, datatype.c and meta.c of nftables 1.0; RFC 2474.
"""

from __future__ import annotations

_STATES = {"invalid": 1, "established": 2, "related": 4, "new": 8, "untracked": 64}
_STATUSES = {"expected": 1, "seen-reply": 2, "assured": 4, "confirmed": 8, "snat": 16, "dnat": 32}


def _by_name_and_bit(names: dict[str, int]) -> dict[str, str]:
    by_name = {name: name.upper().replace("-", "_") for name in names}
    return by_name | {hex(bit): by_name[name] for name, bit in names.items()}


CT_STATES = _by_name_and_bit(_STATES)
"""`established` and `0x2` -> ESTABLISHED."""

CT_STATUSES = _by_name_and_bit(_STATUSES)
"""`dnat` and `0x20` -> DNAT."""

NFPROTOS = {"ipv4": "0.0.0.0/0", "ip": "0.0.0.0/0", "2": "0.0.0.0/0"} | dict.fromkeys(
    ("ipv6", "ip6", "10"), "::/0"
)
"""Values of `meta nfproto` and `meta protocol` -> all addresses of that family."""

PACKET_TYPES = {
    "host": "unicast",
    "unicast": "unicast",
    "broadcast": "broadcast",
    "multicast": "multicast",
} | {
    "0": "unicast",
    "1": "broadcast",
    "2": "multicast",
}

TCP_OPTIONS = {"maxseg": 2, "window": 3, "sack-perm": 4, "sack-permitted": 4, "sack": 5} | {
    "timestamp": 8,
    "md5sig": 19,
    "mptcp": 30,
    "fastopen": 34,
}

_ICMP4_TYPES = {
    **{"echo-reply": 0, "destination-unreachable": 3, "source-quench": 4, "redirect": 5, "echo-request": 8},
    **{"router-advertisement": 9, "router-solicitation": 10, "time-exceeded": 11, "parameter-problem": 12},
    **{"timestamp-request": 13, "timestamp-reply": 14, "info-request": 15, "info-reply": 16},
    **{"address-mask-request": 17, "address-mask-reply": 18},
}
_ICMP6_TYPES = {
    **{"destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "parameter-problem": 4},
    **{"echo-request": 128, "echo-reply": 129, "mld-listener-query": 130, "mld-listener-report": 131},
    **{"mld-listener-done": 132, "mld-listener-reduction": 132, "nd-router-solicit": 133},
    **{"nd-router-advert": 134, "nd-neighbor-solicit": 135, "nd-neighbor-advert": 136, "nd-redirect": 137},
    **{"router-renumbering": 138, "ind-neighbor-solicit": 141, "ind-neighbor-advert": 142},
    **{"mld2-listener-report": 143},
}
ICMP_TYPES = {4: _ICMP4_TYPES, 6: _ICMP6_TYPES}
"""By version of IP."""

ICMP_CODES = {
    4: {"net-unreachable": 0, "host-unreachable": 1, "prot-unreachable": 2, "port-unreachable": 3}
    | {"frag-needed": 4, "net-prohibited": 9, "host-prohibited": 10, "admin-prohibited": 13},
    6: {"no-route": 0, "admin-prohibited": 1, "addr-unreachable": 3, "port-unreachable": 4}
    | {"policy-fail": 5, "reject-route": 6},
}
"""By version of IP."""

DSCP = {
    **{f"cs{number}": number * 8 for number in range(8)},
    **{f"af{group}{drop}": group * 8 + drop * 2 for group in range(1, 5) for drop in range(1, 4)},
    **{"df": 0, "be": 0, "lephb": 1, "va": 44, "ef": 46},
}
