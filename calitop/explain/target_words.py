"""What a rule does to a packet, as a clause that begins with a verb: `drop the packet`.

Where control goes behind it stands in `rule_words`.
"""

from __future__ import annotations

from collections.abc import Callable

from calitop.explain.mark_words import MarkWords
from calitop.explain.match_words import SIDES, alternatives, range_words
from calitop.model import targets as t
from calitop.model.rules import Language

_FIELDS = {
    "dscp": "DSCP",
    "tos": "TOS",
    "mss": "TCP maximum segment size",
    "ttl": "TTL",
    "checksum": "checksum",
}


def action_words(action: t.Action, marks: MarkWords) -> str:
    """What the action does, without what follows."""
    if isinstance(action, t.SetMark | t.CopyMark):
        return marks.change(action)
    if isinstance(action, t.Tproxy) and action.mark is not None:
        return f"{_tproxy(action)}, and {marks.change(action.mark)}"
    return _CLAUSES[type(action)](action)


def ends_table(action: t.Action, language: Language) -> bool:
    """Whether no later rule of the table sees the packet at this hook.

    Source: the targets' return values in net/netfilter/xt_*.c; nft_tproxy.c lets the packet go on.
    """
    if isinstance(action, t.Tproxy):
        return language == "iptables"
    return isinstance(action, t.Nat | t.Reject | t.Queue)


def _nat(action: t.Nat) -> str:
    flags = f" ({', '.join(sorted(action.flags))})" if action.flags else ""
    to = alternatives(filter(None, map(_nat_range, action.ranges)))
    if action.kind == "masquerade":
        ports = f", ports {to.removeprefix('port ')}" if to else ""
        return f"masquerade: let the source be the address of the device it leaves by{ports}{flags}"
    if action.kind == "redirect":
        return f"redirect it to this host{f', {to}' if to else ''}{flags}"
    if action.kind == "netmap":
        return f"map its address into {action.network or 'another network'}{flags}"
    side = "destination" if action.kind == "dnat" else "source"
    return f"translate the {side} to {to or 'what the rule says'}{flags}"


def _nat_range(one: t.NatRange) -> str:
    address = "" if one.first is None else str(one.first)
    if one.last is not None and one.last != one.first:
        address += f"-{one.last}"
    if one.ports is None:
        return address
    port = f"port {range_words(one.ports)}"
    return f"{address} {port}" if address else port


def _reject(action: t.Reject) -> str:
    answer = f" {action.answer}" if action.answer else ""
    return f"drop the packet and answer the sender{f' with{answer}' if answer else ''}"


def _track(action: t.Track) -> str:
    if action.notrack:
        return "keep the packet out of connection tracking"
    how = [f"helper {action.helper}"] * bool(action.helper) + [f"zone {action.zone}"] * bool(action.zone)
    return f"let connection tracking use {' and '.join(how) or 'what the rule says'}"


def _tproxy(action: t.Tproxy) -> str:
    where = [f"address {action.address}"] * (action.address is not None)
    where += [f"port {action.port}"] * bool(action.port)
    return f"hand the packet to a local socket{' at ' + ', '.join(where) if where else ''}, itself unchanged"


def _log(action: t.Log) -> str:
    to = "the kernel log" if action.group is None else f"netlink group {action.group}"
    return f"log the packet to {to}" + (f" as '{action.prefix.strip()}'" if action.prefix else "")


def _queue(action: t.Queue) -> str:
    bypass = " (accepted where none listens)" if action.bypass else ""
    return f"hand the packet to a program on queue {range_words(action.numbers)}{bypass}"


def _set_field(action: t.SetField) -> str:
    name = _FIELDS[action.field]
    if action.value is not None:
        mask = "" if action.mask is None else f" under the mask {action.mask:#x}"
        return f"set the {name} to {action.value}{mask}"
    return f"change the {name} by {action.change:+d}" if action.change else f"adapt the {name} to the packet"


def _change_set(action: t.ChangeSet) -> str:
    sides = " and ".join(SIDES.get(one, one) for one in action.directions) or "key"
    if action.add:
        return f"put its {sides} into the set {action.name}"
    return f"take its {sides} out of the set {action.name}"


_CLAUSES: dict[type[t.Action], Callable[..., str]] = {
    t.Nat: _nat,
    t.Reject: _reject,
    t.Track: _track,
    t.Tproxy: _tproxy,
    t.Log: _log,
    t.Queue: _queue,
    t.SetField: _set_field,
    t.ChangeSet: _change_set,
}
