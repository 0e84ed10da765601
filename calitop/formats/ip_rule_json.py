"""`ip -j rule`: the policy routing rules of one family.

Source: print_rule in iproute2's ip/iprule.c; tried with iproute2 6.1.
"""

from __future__ import annotations

from collections.abc import Iterator

from calitop.formats.fragment import Fragment
from calitop.formats.ip_rule_words import ACTIONS, FULL_MASK, L3MDEV, selector, settle_family
from calitop.formats.json_reading import (
    Json,
    JsonObject,
    has_key,
    head_of_json,
    integer,
    read_objects,
    spelled,
    string,
)
from calitop.formats.reading import Problems, any_number, told
from calitop.model.network import IpFamily, IpRule

KIND = "ip rule (json)"

_OTHER = (
    ("tos", "tos"),
    ("dsfield", "tos"),
    ("uid", "uidrange"),
    ("ipproto", "ipproto"),
    ("sport", "sport"),
    ("dport", "dport"),
    ("tun_id", "tun_id"),
)
"""Keys that calitop does not evaluate, with the words of the text form, in its order."""


def looks_like(text: str) -> bool:
    """Whether the text is a JSON list of policy rules."""
    head = head_of_json(text)
    return has_key(head, "priority", "src") and not has_key(head, "ifname")


def parse(text: str, family: IpFamily | None = None) -> Fragment:
    """The rules of a JSON listing.

    Args:
        text: What `ip -j rule` printed.
        family: Family that was asked for; the listing does not name it.
    """
    problems = Problems()
    rules = []
    for element in read_objects(text, problems):
        rule = _rule(element)
        if isinstance(rule, IpRule):
            rules.append(rule)
        else:
            problems.add(None, spelled(element), rule)
    return Fragment(problems.all(), ip_rules=told(settle_family(rules, family), problems), richness=8)


def _rule(element: JsonObject) -> IpRule | str:
    """The rule of one object, or why it is none."""
    get = element.get
    priority = integer(get("priority"))
    if priority is None:
        return "has no priority"
    src, dst = _prefix(element, "src"), _prefix(element, "dst")
    if "?" in (src, dst):
        return "has a selector that is no address"
    mark = _mark(get("fwmark"))
    if "fwmark" in element and mark is None:
        return "has a mark that is no number"
    return IpRule(
        "ipv4",
        priority,
        src,
        dst,
        string(get("iif")),
        string(get("oif")),
        mark,
        None if mark is None else _mark(get("fwmask"), FULL_MASK),
        "not" in element,
        _word(get("table")),
        _action(element),
        integer(get("suppress_prefixlen", get("suppress_prefixlength"))),
        _word(get("suppress_ifgroup")),
        integer(get("goto")),
        tuple(_other(element)),
    )


def _prefix(element: JsonObject, side: str) -> str | None:
    """Prefix of one side; None for all, `?` for what is no address."""
    word = string(element.get(side))
    length = integer(element.get(f"{side}len"))
    if word is None or word == "all":
        return None
    return selector(word if length is None or "/" in word else f"{word}/{length}") or "?"


def _mark(value: Json, otherwise: int | None = None) -> int | None:
    number = integer(value)
    if number is None and isinstance(value, str):
        number = any_number(value)
    return otherwise if number is None else number


def _word(value: Json) -> str | None:
    number = integer(value)
    return string(value) if number is None else str(number)


def _action(element: JsonObject) -> str:
    if "goto" in element:
        return "goto"
    action = string(element.get("action"))
    return action or next((name for name in sorted(ACTIONS) if name in element), "lookup")


def _other(element: JsonObject) -> Iterator[str]:
    for key, name in _OTHER:
        if key in element:
            yield f"{name} {spelled(element[key])}"
        elif f"{key}_start" in element and f"{key}_end" in element:
            yield f"{name} {spelled(element[key + '_start'])}-{spelled(element[key + '_end'])}"
    if L3MDEV in element:
        yield L3MDEV
