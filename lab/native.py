"""Calico's nftables mode: Felix's rules as its nftables renderer writes them, in one table of their own.

The rules are those of `felix.py`; here they get the names, layers, words and comments of nftables.
Workloads are found by verdict maps in place of the trees of chains.

Source: Calico, felix/nftables: renderer.go, match_builder.go, actions.go, table_layer.go, maps.go.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping

from lab import felix
from lab.plan import Plan
from lab.tables import Tables

TABLE = "calico"
BASES = {
    "raw-PREROUTING": "filter hook prerouting priority -300",
    "raw-OUTPUT": "filter hook output priority -300",
    "mangle-PREROUTING": "filter hook prerouting priority -150",
    "mangle-INPUT": "filter hook input priority -150",
    "mangle-FORWARD": "filter hook forward priority -150",
    "mangle-OUTPUT": "route hook output priority -150",
    "mangle-POSTROUTING": "filter hook postrouting priority -150",
    "nat-PREROUTING": "nat hook prerouting priority -100",
    "nat-INPUT": "nat hook input priority -100",
    "nat-OUTPUT": "nat hook output priority 110",
    "nat-POSTROUTING": "nat hook postrouting priority 110",
    "filter-INPUT": "filter hook input priority 0",
    "filter-FORWARD": "filter hook forward priority 0",
    "filter-OUTPUT": "filter hook output priority 0",
}
DISPATCH = {
    "cali-from-wl-dispatch": ("iifname", "cali-fw-"),
    "cali-to-wl-dispatch": ("oifname", "cali-tw-"),
}
"""The chains that find a workload: the field of the packet, and the chain that each interface goes to."""
COMMENT_LIMIT = 128
HASH_LENGTH = 16


def table_text(plan: Plan) -> str:
    """Input of `nft -f` that puts Calico's table in place of the former one."""
    tables = Tables()
    felix.insert(tables, plan)
    felix.append(tables)
    body = "\n".join([*_sets(plan), *_maps(plan), *_chains(tables)])
    return f"table ip {TABLE}\ndelete table ip {TABLE}\ntable ip {TABLE} {{\n{body}\n}}\n"


def _sets(plan: Plan) -> Iterator[str]:
    for name, (kind, members) in felix.sets(plan).items():
        flags = " flags interval;" if kind == "hash:net" else ""
        elements = f" elements = {{ {', '.join(members)} }};" if members else ""
        yield f" set {_set_name(name)} {{ type ipv4_addr;{flags}{elements} }}"


def _set_name(name: str) -> str:
    return name.replace(":", "-")


def _maps(plan: Plan) -> Iterator[str]:
    names = [name for name in plan.node.interfaces if name != plan.undispatched]
    for chain, (_, target) in DISPATCH.items():
        elements = ", ".join(f'"{name}" : goto filter-{target}{name}' for name in names)
        yield f" map filter-{chain} {{ type ifname : verdict; elements = {{ {elements} }}; }}"


def _chains(tables: Tables) -> Iterator[str]:
    for layer in ("raw", "mangle", "nat", "filter"):
        for name, rules in tables.chains(layer).items():
            if not name.startswith(tuple(f"{chain}-" for chain in DISPATCH)):
                yield from _chain(layer, name, rules)


def _chain(layer: str, name: str, rules: Iterable[str]) -> Iterator[str]:
    full = f"{layer}-{name}"
    yield f" chain {full} {{"
    if full in BASES:
        yield f"  type {BASES[full]}; policy accept;"
    bodies = [_rule(layer, rule) for rule in rules]
    if name in DISPATCH:
        bodies = [(f"{DISPATCH[name][0]} vmap @{full}", ""), bodies[-1]]
    digest = hashlib.sha224(full.encode()).digest()
    for words, comment in bodies:
        digest = hashlib.sha224(digest + words.encode()).digest()
        shown = base64.urlsafe_b64encode(digest).decode()[:HASH_LENGTH]
        note = f"cali:{shown}; {comment}".rstrip()[:COMMENT_LIMIT]
        yield f'  {words} comment "{note}"'
    yield " }"


# -- one rule ---------------------------------------------------------------------------


def _rule(layer: str, written: str) -> tuple[str, str]:
    """A rule of `felix.py`, behind its hash, in nft's words, and its comment."""
    words = shlex.split(written)
    found: list[str] = []
    comments: list[str] = []
    negated = False
    while words:
        word = words.pop(0)
        if word == "--comment":
            comments.append(words.pop(0))
        elif word == "!":
            negated = True
        elif word in ("--jump", "--goto"):
            found += ["counter", _target(layer, word[2:], words)]
            words = []
        elif word in _MATCHES:
            found.append(_MATCHES[word](words, "!= " if negated else ""))
            negated = False
    return " ".join(found), "; ".join(comments[1:])


def _mark(words: list[str], sign: str) -> str:
    value, mask = words.pop(0).split("/")
    return f"meta mark & {int(mask, 0):#x} {sign or '== '}{int(value, 0):#x}"


def _address_type(side: str) -> Callable[[list[str], str], str]:
    def condition(words: list[str], sign: str) -> str:
        kind = words.pop(0).lower()
        limited = words[:1] == ["--limit-iface-out"]
        return f"fib {side}{' . oif' if limited else ''} type {sign}{kind}"

    return condition


def _in_set(words: list[str], sign: str) -> str:
    name, side = words.pop(0), words.pop(0)
    return f"ip {side[0]}addr {sign}@{_set_name(name)}"


def _conntrack(words: list[str], sign: str) -> str:
    states = words.pop(0).lower()
    return f"ct status {sign}{states}" if states == "dnat" else f"ct state {sign}{states}"


def _interface(field: str) -> Callable[[list[str], str], str]:
    return lambda words, sign: f'{field} {sign}"{words.pop(0).replace("+", "*")}"'


def _protocol(words: list[str], sign: str) -> str:
    return f"meta l4proto {sign}{words.pop(0)}"


_MATCHES: Mapping[str, Callable[[list[str], str], str]] = {
    "--in-interface": _interface("iifname"),
    "--out-interface": _interface("oifname"),
    "-p": _protocol,
    "--destination-ports": lambda words, sign: f"th dport {sign}{words.pop(0).replace(':', '-')}",
    "--mark": _mark,
    "--ctstate": _conntrack,
    "--match-set": _in_set,
    "--src-type": _address_type("saddr"),
    "--dst-type": _address_type("daddr"),
    "--validmark": lambda words, sign: "fib saddr . mark . iif oif 0",
}


def _target(layer: str, verb: str, words: list[str]) -> str:
    name = words.pop(0)
    if name == "MARK":
        return _set_mark(words[1])
    if name == "MASQUERADE":
        return "masquerade fully-random"
    return name.lower() if name.isupper() else f"{verb} {layer}-{name}"


def _set_mark(written: str) -> str:
    value, mask = (int(part, 0) for part in written.split("/"))
    if value == 0:
        return f"meta mark set mark & {mask ^ 0xFFFFFFFF:#x}"
    if value == mask:
        return f"meta mark set mark or {value:#x}"
    return f"meta mark set mark & {mask ^ 0xFFFFFFFF:#x} ^ {value:#x}"
