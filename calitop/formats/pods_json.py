"""`kubectl get pods -o json`: the pods of a cluster or of a namespace.

Source: Kubernetes API, v1 Pod and List.
"""

from __future__ import annotations

import re

from calitop.formats.fragment import Fragment
from calitop.formats.json_reading import (
    JsonObject,
    has_key,
    head_of_json,
    mapping,
    objects,
    read_objects,
    spelled,
    string,
)
from calitop.formats.reading import Problems, told, with_length
from calitop.model.node import Known, Pod

KIND = "kubectl get pods (json)"

_KIND_OF_POD = re.compile(r'"kind"\s*:\s*"Pod(List)?"')
_NO_ITEMS = re.compile(r'"items"\s*:\s*\[\s*\]')


def looks_like(text: str) -> bool:
    """Whether the text is a Kubernetes list or a pod."""
    head = head_of_json(text)
    return has_key(head, "apiVersion") and bool(_KIND_OF_POD.search(head) or _NO_ITEMS.search(head))


def parse(text: str) -> Fragment:
    """The pods; an object of another kind is a problem."""
    problems = Problems()
    pods = []
    for element in read_objects(text, problems):
        items = objects(element.get("items")) if "items" in element else [element]
        for item in items:
            pod = _pod(item)
            if pod is None:
                problems.add(None, spelled(mapping(item.get("metadata")).get("name")), "is not a pod")
            else:
                pods.append(pod)
    return Fragment(problems.all(), pods=told(pods, problems), richness=8)


def _pod(item: JsonObject) -> Pod | None:
    kind, metadata = string(item.get("kind")), mapping(item.get("metadata"))
    spec, status = mapping(item.get("spec")), mapping(item.get("status"))
    name = string(metadata.get("name"))
    if name is None or kind not in (None, "Pod"):
        return None
    ip = string(status.get("podIP")) or next(
        (ip for entry in objects(status.get("podIPs")) if (ip := string(entry.get("ip")))), None
    )
    phase = "Terminating" if "deletionTimestamp" in metadata else string(status.get("phase"))
    return Pod(
        string(metadata.get("namespace")),
        name,
        with_length(ip) if ip else None,
        string(spec.get("nodeName")),
        status=phase,
        host_network=spec.get("hostNetwork") is True,
        uid=string(metadata.get("uid")),
        known_from=(Known("name", KIND),),
    )
