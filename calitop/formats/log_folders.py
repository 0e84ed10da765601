"""A listing of /var/log/pods, by `ls`, `ls -l` or as paths: `NAMESPACE_POD_UID`, one a pod of the node.

The kubelet keeps the folder of a pod that has ended for a while, so a folder is no proof that
its pod runs. A static pod's UID is the hash of its manifest, 32 digits without dashes.

Source: BuildPodLogsDirectory in Kubernetes' pkg/kubelet/kuberuntime/helpers.go.
"""

from __future__ import annotations

import re

from calitop.formats.fragment import Fragment
from calitop.formats.listing import LONG, base_name
from calitop.formats.reading import Problems, head_lines, numbered, told
from calitop.model.node import PodSign

KIND = "/var/log/pods"

_UID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}"
_NAMED = r"[a-z0-9][a-z0-9-]{0,62}_[a-z0-9][a-z0-9.-]{0,252}_"
_SURE = re.compile(rf"{_NAMED}(?:{_UID})", re.ASCII)
_FOLDER = re.compile(rf"{_NAMED}[0-9A-Za-z-]+", re.ASCII)
_TITLE = re.compile(r"total \d\S*|\S*/log/pods/?:?|\.{1,2}/?")


def looks_like(text: str) -> bool:
    """Whether the first lines name such folders, with the UIDs that Kubernetes makes."""
    lines = [line for line in head_lines(text) if not _TITLE.fullmatch(line.strip())]
    sure = sum(1 for line in lines if all(map(_SURE.fullmatch, _names(line) or [""])))
    return sure > 0 and 2 * sure > len(lines)


def parse(text: str) -> Fragment:
    """A sign of each pod; other names are problems."""
    problems = Problems()
    found: dict[str, PodSign] = {}
    for number, line in numbered(text):
        for name in _names(line):
            if _FOLDER.fullmatch(name):
                namespace, pod, uid = name.split("_")
                found[name] = PodSign("log folder", f"/var/log/pods/{name}", namespace, pod, uid)
            else:
                problems.add(number, name, "is not the log folder of a pod: NAMESPACE_POD_UID")
    return Fragment(problems.all(), pod_signs=told(list(found.values()), problems), richness=4)


def _names(line: str) -> list[str]:
    """The names on a line, which holds several where `ls` prints columns; none of a title."""
    line = line.strip()
    if match := LONG.fullmatch(line):
        line = match[2]
    if _TITLE.fullmatch(line):
        return []
    return [base_name(word.rstrip("/:")) for word in line.split()]
