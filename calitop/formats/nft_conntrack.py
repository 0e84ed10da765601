"""Conditions of an nft rule on the connection -> typed matches."""

from __future__ import annotations

from collections.abc import Mapping

from calitop.formats import iptables_values as read
from calitop.formats.nft_fields import Relation, items
from calitop.formats.nft_names import CT_STATES, CT_STATUSES
from calitop.formats.nft_values import SIDES, networks_of, one_value, plain_values, ranges_of
from calitop.model import matches, values
from calitop.model.matches import Match


def _flag_names(value: tuple[str, ...], table: Mapping[str, str]) -> frozenset[str] | None:
    """Names of a comma list or set of flags, by name or by bit; None when one is unknown."""
    found = items(value)
    words = [part for word in found or () for part in word.split(",")]
    names = [table.get(word) or table.get(hex(read.number(word) or 0)) for word in words]
    known = frozenset(name for name in names if name is not None)
    return known if known and len(known) == len(names) else None


def ct_state(relation: Relation) -> Match | None:
    """`ct state new,established`: one of these states."""
    names = _flag_names(relation.value, CT_STATES)
    if names is None or relation.changes or relation.sign not in ("", "==", "!=", "!"):
        return None
    # A packet has one state: two states compared exactly, not as a list of choices, never fit.
    if relation.sign in ("==", "!=") and len(names) > 1 and relation.value[0] != "{":
        return None
    return matches.CtState(states=names, negated=relation.sign in ("!=", "!"))


def ct_status(relation: Relation) -> Match | None:
    """Any of the flags; iptables knows the addresses' translation as a state."""
    if relation.changes or relation.sign not in ("", "!") or relation.value[:1] == ("{",):
        return None
    names, negated = _flag_names(relation.value, CT_STATUSES), relation.sign == "!"
    if names is None:
        return None
    if names <= {"SNAT", "DNAT"}:
        return matches.CtState(states=names, negated=negated)
    return None if names & {"SNAT", "DNAT"} else matches.CtStatus(statuses=names, negated=negated)


def ct_direction(relation: Relation) -> Match | None:
    """`ct direction reply`."""
    names: Mapping[str, values.Direction] = {
        "original": "original",
        "reply": "reply",
        "0": "original",
        "1": "reply",
    }
    direction = names.get(one_value(relation) or "")
    return direction and matches.CtDirection(direction=direction, negated=relation.sign == "!=")


def ct_tuple(relation: Relation) -> Match | None:
    """`ct original ip saddr 10.0.0.0/8`, `ct reply proto-dst 80`."""
    direction: values.Direction = "original" if relation.field[1] == "original" else "reply"
    key, negated = relation.field[-1], relation.sign == "!="
    if key in ("proto-src", "proto-dst"):
        side: values.Side = "src" if key == "proto-src" else "dst"
        ranges = ranges_of(relation, 65535)
        return (
            None
            if ranges is None
            else matches.CtPorts(direction=direction, side=side, ranges=ranges, negated=negated)
        )
    found = plain_values(relation) if key in ("saddr", "daddr") else None
    networks = None if found is None else networks_of(found)
    if not networks:
        return None
    return matches.CtAddress(direction=direction, side=SIDES[key], networks=networks, negated=negated)
