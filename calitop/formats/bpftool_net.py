"""`bpftool -j net`: BPF programs attached to devices and to netfilter hooks.

Source: src/net.c of bpftool; tcx and netkit came with Linux 6.6 and 6.7.
"""

from __future__ import annotations

from calitop.formats.fragment import Fragment
from calitop.formats.json_reading import (
    JsonObject,
    has_key,
    head_of_json,
    integer,
    objects,
    read_objects,
    spelled,
    string,
)
from calitop.formats.reading import Problems, told
from calitop.model.node import BpfAttachment

KIND = "bpftool net (json)"

_GROUPS = ("xdp", "tc", "flow_dissector", "netfilter")


def looks_like(text: str) -> bool:
    """Whether the text is the JSON of `bpftool net`."""
    return has_key(head_of_json(text), "xdp", "tc")


def parse(text: str) -> Fragment:
    """The attached programs, of devices first."""
    problems = Problems()
    found: list[BpfAttachment] = []
    for element in read_objects(text, problems):
        if not any(group in element for group in _GROUPS):
            problems.add(None, spelled(element), "is not a list of attached programs")
        for group in _GROUPS:
            for entry in objects(element.get(group)):
                found += [_attachment(group, entry, program) for program in _programs(entry)]
    return Fragment(problems.all(), bpf=told(found, problems), richness=7)


def _programs(entry: JsonObject) -> list[JsonObject]:
    """The programs of one device: XDP may have one for each mode."""
    return objects(entry.get("multi_attachments")) or [entry]


def _attachment(group: str, entry: JsonObject, program: JsonObject) -> BpfAttachment:
    kind, _, direction = (string(program.get("kind")) or group).partition("/")
    if group == "xdp":
        kind, direction = "xdp", "xdp"
    return BpfAttachment(
        string(entry.get("devname")),
        direction if direction in ("ingress", "egress", "xdp") else None,
        kind if direction in ("", "ingress", "egress", "xdp") else f"{kind}/{direction}",
        string(program.get("name")),
        integer(program.get("prog_id")) or integer(program.get("id")),
        spelled(program),
    )
