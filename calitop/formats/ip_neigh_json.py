"""`ip -j neigh`: the neighbour table.

Source: print_neigh in iproute2's ip/ipneigh.c.
"""

from __future__ import annotations

from calitop.formats.fragment import Fragment
from calitop.formats.json_reading import has_key, head_of_json, read_objects, spelled, string, strings
from calitop.formats.reading import Problems, is_address, told
from calitop.model.network import Neighbour

KIND = "ip neigh (json)"


def looks_like(text: str) -> bool:
    """Whether the text is a JSON list of neighbours."""
    head = head_of_json(text)
    return has_key(head, "dst", "state") or has_key(head, "dst", "lladdr")


def parse(text: str) -> Fragment:
    """The neighbours of a JSON listing."""
    problems = Problems()
    found = []
    for element in read_objects(text, problems):
        address = string(element.get("dst"))
        if address is None or not is_address(address):
            problems.add(None, spelled(element), "has no address in 'dst'")
            continue
        dev, mac = string(element.get("dev")), string(element.get("lladdr"))
        found.append(Neighbour(address, dev, mac, strings(element.get("state"))))
    return Fragment(problems.all(), neighbours=told(found, problems), richness=8)
