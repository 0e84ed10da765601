"""Targets of iptables -> what they do to a packet, where calitop knows exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from calitop.formats import iptables_values as read
from calitop.model import targets
from calitop.model.targets import Action, NatRange
from calitop.model.values import Option, Range

Reader = Callable[[Sequence[Option]], "Action | None"]

_FULL = 0xFFFFFFFF
_NAT_FLAGS = frozenset({"random", "random-fully", "persistent"})


def _named(options: Sequence[Option], name: str) -> str | None:
    """First value of the option of that name, or None."""
    return next((option.values[0] for option in options if option.name == name and option.values), None)


def _has(options: Sequence[Option], name: str) -> bool:
    return any(option.name == name for option in options)


# -- marks


def _set_mark(of: Literal["packet", "connection"]) -> Reader:
    def reader(options: Sequence[Option]) -> Action | None:
        if len(options) != 1 or not options[0].values:
            return None
        change = mark_change(options[0].name, options[0].values[0])
        return change and targets.SetMark(of, *change)

    return reader


def mark_change(option: str, word: str) -> tuple[int, int] | None:
    """Value and mask of new = (old & ~mask) ^ value for one of MARK's options.

    Source: `mark_tg` in net/netfilter/xt_mark.c, `MARK_parse` in libxt_MARK.c.
    """
    plain = read.number(word)
    if option == "and-mark":
        return None if plain is None or plain > _FULL else (0, ~plain & _FULL)
    if option == "or-mark":
        return None if plain is None or plain > _FULL else (plain, plain)
    if option == "xor-mark":
        return None if plain is None or plain > _FULL else (plain, 0)
    found = read.value_and_mask(word)
    if found is None or option not in ("set-mark", "set-xmark"):
        return None
    value, mask = found
    return (value, mask | value) if option == "set-mark" else (value, mask)


def _connmark(options: Sequence[Option]) -> Action | None:
    save, restore = _has(options, "save-mark"), _has(options, "restore-mark")
    if save == restore:
        return None if save else _set_mark("connection")(options)
    masks = {option.name: _word_mask(option) for option in options if option.values}
    if None in masks.values() or len(masks) + 1 != len(options):
        return None
    both = masks.get("mask", _FULL)
    packet, connection = masks.get("nfmask", both), masks.get("ctmask", both)
    if packet is None or connection is None or not masks.keys() <= {"mask", "nfmask", "ctmask"}:
        return None
    return targets.CopyMark(restore=restore, packet_mask=packet, connection_mask=connection)


def _word_mask(option: Option) -> int | None:
    mask = read.number(option.values[0])
    return mask if mask is not None and mask <= _FULL else None


# -- NAT


def _nat(kind: Literal["dnat", "snat", "masquerade", "redirect"], address_option: str) -> Reader:
    def reader(options: Sequence[Option]) -> Action | None:
        flags = frozenset(option.name for option in options if option.name in _NAT_FLAGS)
        ranges: list[NatRange] = []
        for option in options:
            if option.name in _NAT_FLAGS:
                continue
            found = nat_range(option.values[0]) if option.name == address_option and option.values else None
            if option.name == "to-ports" and option.values:
                found = _only_ports(option.values[0])
            if found is None:
                return None
            ranges.append(found)
        several = sum(option.name == address_option for option in options) > 1
        return None if several else targets.Nat(kind, tuple(ranges), flags=flags)

    return reader


def _only_ports(word: str) -> NatRange | None:
    ports = read.port_range(word, "-")
    return ports and NatRange(ports=ports)


def nat_range(word: str) -> NatRange | None:
    """`A`, `A-B`, `A:port`, `A-B:low-high`, `[v6]:port`, `:port`; None for anything else."""
    addresses, ports = _split_ports(word)
    chosen = read.port_range(ports.partition("/")[0], "-") if ports else None
    if ports and chosen is None:
        return None
    if not addresses:
        return NatRange(ports=chosen) if chosen else None
    low, dash, high = addresses.partition("-")
    first = read.address(low)
    last = read.address(high) if dash else first
    return None if first is None or last is None else NatRange(first, last, chosen)


def _split_ports(word: str) -> tuple[str, str]:
    if word.startswith("["):
        inside, _, rest = word[1:].partition("]")
        return inside.replace("]-[", "-"), rest.removeprefix(":")
    if word.count(":") == 1:
        addresses, _, ports = word.partition(":")
        return addresses, ports
    return word, ""


def _netmap(options: Sequence[Option]) -> Action | None:
    found = read.networks(_named(options, "to") or "")
    return (
        targets.Nat("netmap", network=found[0]) if found and len(found) == 1 and len(options) == 1 else None
    )


# -- the others


def _reject(options: Sequence[Option]) -> Action | None:
    return targets.Reject(_named(options, "reject-with")) if len(options) <= 1 else None


def _track(options: Sequence[Option]) -> Action | None:
    return targets.Track(_has(options, "notrack"), _named(options, "helper"), _named(options, "zone"))


def _notrack(options: Sequence[Option]) -> Action | None:
    return targets.Track(notrack=True)


def _tproxy(options: Sequence[Option]) -> Action | None:
    ip, port, mark = (_named(options, name) for name in ("on-ip", "on-port", "tproxy-mark"))
    address = read.address(ip) if ip is not None else None
    number = read.port(port) if port is not None else None
    change = read.value_and_mask(mark) if mark is not None else None
    if (ip and address is None) or (port and number is None) or (mark and change is None):
        return None
    return targets.Tproxy(address, number or None, targets.SetMark("packet", *change) if change else None)


def _log(options: Sequence[Option]) -> Action | None:
    return targets.Log(_named(options, "log-prefix"), _named(options, "log-level"))


def _nflog(options: Sequence[Option]) -> Action | None:
    group = read.number(_named(options, "nflog-group") or "0")
    return None if group is None else targets.Log(_named(options, "nflog-prefix"), group=group)


def _nfqueue(options: Sequence[Option]) -> Action | None:
    many = _named(options, "queue-balance")
    numbers = read.number_range(many or _named(options, "queue-num") or "0", 65535)
    return numbers and targets.Queue(numbers, _has(options, "queue-bypass"))


def _queue(options: Sequence[Option]) -> Action | None:
    return targets.Queue(Range(0, 0))


def _tcpmss(options: Sequence[Option]) -> Action | None:
    if _has(options, "clamp-mss-to-pmtu"):
        return targets.SetField("mss")
    value = read.number(_named(options, "set-mss") or "")
    return None if value is None else targets.SetField("mss", value)


def _dscp(options: Sequence[Option]) -> Action | None:
    value = read.number(_named(options, "set-dscp") or "")
    return None if value is None else targets.SetField("dscp", value)


def _checksum(options: Sequence[Option]) -> Action | None:
    return targets.SetField("checksum")


def _tos(options: Sequence[Option]) -> Action | None:
    found = read.value_and_mask(_named(options, "set-tos") or "", 0xFF)
    return found and targets.SetField("tos", *found)


def _ttl(options: Sequence[Option]) -> Action | None:
    given = {
        name: read.number(_named(options, f"ttl-{name}") or _named(options, f"hl-{name}") or "")
        for name in ("set", "inc", "dec")
    }
    if given["set"] is not None:
        return targets.SetField("ttl", given["set"])
    if given["inc"] is None and given["dec"] is None:
        return None
    return targets.SetField("ttl", change=given["inc"] or -(given["dec"] or 0))


def _set(options: Sequence[Option]) -> Action | None:
    changes = [
        option for option in options if option.name in ("add-set", "del-set") and len(option.values) == 2
    ]
    if len(changes) != 1:
        return None
    name, directions = changes[0].values
    return targets.ChangeSet(name, tuple(directions.split(",")), changes[0].name == "add-set")


READERS: dict[str, Reader] = {
    "MARK": _set_mark("packet"),
    "CONNMARK": _connmark,
    "DNAT": _nat("dnat", "to-destination"),
    "SNAT": _nat("snat", "to-source"),
    "MASQUERADE": _nat("masquerade", ""),
    "REDIRECT": _nat("redirect", ""),
    "NETMAP": _netmap,
    "REJECT": _reject,
    "CT": _track,
    "NOTRACK": _notrack,
    "TPROXY": _tproxy,
    "LOG": _log,
    "NFLOG": _nflog,
    "NFQUEUE": _nfqueue,
    "QUEUE": _queue,
    "TCPMSS": _tcpmss,
    "DSCP": _dscp,
    "CHECKSUM": _checksum,
    "TOS": _tos,
    "TTL": _ttl,
    "HL": _ttl,
    "SET": _set,
}
