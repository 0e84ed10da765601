"""`ip -j [-d] [-s] link`: network devices, by the kernel's own words.

Source: print_linkinfo in iproute2's ip/ipaddress.c; tried with iproute2 6.1 on Linux 6.18.
"""

from __future__ import annotations

from calitop.formats.fragment import Fragment
from calitop.formats.ip_link_words import KIND_OF_TYPE, address_with_length, is_mac, name_peers
from calitop.formats.json_reading import (
    Json,
    JsonObject,
    has_key,
    head_of_json,
    integer,
    mapping,
    objects,
    read_objects,
    spelled,
    string,
    strings,
)
from calitop.formats.reading import Problems, told
from calitop.model.network import Link, LinkCounters

KIND = "ip link (json)"


def looks_like(text: str) -> bool:
    """Whether the text is a JSON list of devices without addresses."""
    head = head_of_json(text)
    return has_key(head, "ifname") and not has_key(head, "addr_info")


def parse(text: str) -> Fragment:
    """The devices of a JSON listing, with or without their addresses."""
    problems = Problems()
    links = []
    for element in read_objects(text, problems):
        link = _link(element)
        if link is None:
            problems.add(None, spelled(element), "has no 'ifname'")
        else:
            links.append(link)
    return Fragment(problems.all(), links=told(name_peers(links), problems), richness=8)


def _link(element: JsonObject) -> Link | None:
    get = element.get
    name = string(get("ifname"))
    if name is None:
        return None
    flags = strings(get("flags"))
    mac = string(get("address"))
    peer_index = integer(get("link_index"))
    return Link(
        name,
        integer(get("ifindex")),
        _kind(element),
        integer(get("mtu")),
        flags,
        "UP" in flags if isinstance(get("flags"), list) else None,
        string(get("operstate")),
        mac if mac and is_mac(mac) else None,
        string(get("link")) or (f"if{peer_index}" if peer_index is not None else None),
        peer_index,
        integer(get("link_netnsid")),
        string(get("master")),
        tuple([word for info in objects(get("addr_info")) if (word := _address(info))]),
        _counters(mapping(get("stats64") or get("stats"))),
        _programs(element),
        _info(mapping(mapping(get("linkinfo")).get("info_data"))),
    )


def _kind(element: JsonObject) -> str | None:
    kind = string(mapping(element.get("linkinfo")).get("info_kind"))
    return kind or KIND_OF_TYPE.get(string(element.get("link_type")) or "")


def _address(info: JsonObject) -> str | None:
    local, length = string(info.get("local")), integer(info.get("prefixlen"))
    if local is None or length is None:
        return None
    peer = string(info.get("address"))
    return address_with_length(local, peer or local, length)


def _counters(stats: JsonObject) -> LinkCounters:
    rx, tx = mapping(stats.get("rx")), mapping(stats.get("tx"))
    return LinkCounters(
        integer(rx.get("packets")),
        integer(rx.get("bytes")),
        integer(rx.get("dropped")),
        integer(rx.get("errors")),
        integer(tx.get("packets")),
        integer(tx.get("bytes")),
        integer(tx.get("dropped")),
        integer(tx.get("errors")),
    )


def _programs(element: JsonObject) -> tuple[str, ...]:
    """XDP and TCX programs that the listing names, in words as `xdp id 12 name cil_xdp_entry`."""
    xdp = mapping(element.get("xdp"))
    attached = objects(xdp.get("attached")) or ([xdp] if xdp else [])
    return tuple(["xdp" + _program(mapping(entry.get("prog")) or entry) for entry in attached])


def _program(program: JsonObject) -> str:
    return "".join(f" {key} {spelled(program[key])}" for key in ("id", "name", "tag") if key in program)


def _info(data: JsonObject) -> tuple[tuple[str, str], ...]:
    return tuple([(key, _setting(value)) for key, value in data.items()])


def _setting(value: Json) -> str:
    """A setting's value as one word; a port range is written `low high`."""
    if isinstance(value, dict) and set(value) == {"low", "high"}:
        return f"{spelled(value['low'])} {spelled(value['high'])}"
    return spelled(value)
