"""`tc -j filter show`: filters of traffic control as JSON.

Source: print_filter in iproute2's tc/tc_filter.c; bpf_print_opt in tc/f_bpf.c.
"""

from __future__ import annotations

import re

from calitop.formats.fragment import Fragment
from calitop.formats.json_reading import (
    JsonObject,
    has_key,
    head_of_json,
    integer,
    mapping,
    read_objects,
    spelled,
    string,
)
from calitop.formats.reading import Problems, told
from calitop.model.node import BpfAttachment

KIND = "tc filter (json)"

_DEVICE = re.compile(r"^# dev (\S+)(?: (ingress|egress))?\s*$", re.MULTILINE)
_PARENTS = {"ffff:fff2": "ingress", "ffff:fff3": "egress", "ffff:": "ingress"}


def looks_like(text: str) -> bool:
    """Whether the text is a JSON list of filters, with or without lines that name devices."""
    head = head_of_json(_DEVICE.sub("", text[:6000]))
    return has_key(head, "protocol", "pref", "kind")


def parse(text: str, dev: str | None = None, direction: str | None = None) -> Fragment:
    """The filters, without the empty heads of their lists.

    Args:
        text: What `tc -j filter show` printed.
        dev: Device that was asked for, where the text does not name it.
        direction: `ingress` or `egress` that was asked for.
    """
    problems = Problems()
    found: list[BpfAttachment] = []
    parts = _DEVICE.split(text)
    for part, name, way in zip(parts[::3], [dev, *parts[1::3]], [direction, *parts[2::3]], strict=True):
        for element in read_objects(part, problems):
            if attachment := _attachment(element, name, way):
                found.append(attachment)
    return Fragment(problems.all(), bpf=told(found, problems), richness=5)


def _attachment(element: JsonObject, dev: str | None, direction: str | None) -> BpfAttachment | None:
    """The filter of one object; None for the head of a list, which has no options."""
    options = mapping(element.get("options"))
    if not options:
        return None
    program = mapping(options.get("prog"))
    parent = string(element.get("parent"))
    own_direction = next((way for way in ("ingress", "egress") if way in element), None)
    return BpfAttachment(
        string(element.get("dev")) or dev,
        own_direction or _PARENTS.get(parent or "") or direction,
        string(element.get("kind")) or "tc",
        string(program.get("name")) or string(options.get("bpf_name")),
        integer(program.get("id")) or integer(options.get("id")),
        spelled(element),
    )
