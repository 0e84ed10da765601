"""`kubectl get pods [-A] -o wide`: the pods as columns, with or without the header line.

With a header its places cut the columns, so `1 (3h ago)` stays one; without (an alias, a
grep) a line is known by its shape: name, `1/1`, status, restarts, then address and node.

Source: kubectl's table printer; columns of printPod in pkg/printers/internalversion.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from calitop.formats.fragment import Fragment
from calitop.formats.reading import Problems, head_lines, is_address, numbered, told, with_length
from calitop.model.node import Known, Pod

KIND = "kubectl get pods"

_HEADER = re.compile(r"\s*(?:NAMESPACE\s+)?NAME\s+READY\s+STATUS\b")
_TITLE = re.compile(r"\S+(?: \S+)*")
_ROW = re.compile(
    r"(?:(?P<namespace>[a-z0-9][a-z0-9-]*)\s+)?(?P<name>[a-z0-9][a-z0-9.-]*)\s+\d+/\d+\s+"
    r"(?P<status>[A-Z]\S*)\s+\d+(?:\s+\(\S+ ago\))?"
    r"(?:\s+(?P<age>(?:\d+[smhdy])+|<unknown>|<invalid>))?(?P<rest>(?:\s+\S+)*)\s*",
    re.ASCII,
)
_KNOWN = (Known("name", KIND),)
_ABSENT = ("<none>", "<unknown>", "")


def looks_like(text: str) -> bool:
    """Whether the text has kubectl's header, or lines of its shape."""
    lines = head_lines(text)
    if any(_HEADER.match(line) for line in lines[:3]):
        return True
    rows = sum(1 for line in lines if _ROW.fullmatch(line.strip()))
    return rows > 0 and 2 * rows > len(lines)


def parse(text: str, namespace: str | None = None) -> Fragment:
    """The pods, each once; of a pod that stands twice the later line counts.

    Args:
        text: What kubectl printed.
        namespace: Namespace that was asked for, where the text has no column for it.
    """
    problems = Problems()
    pods: dict[tuple[str | None, str], Pod] = {}
    columns: list[tuple[str, int]] = []
    for number, line in numbered(text):
        if _HEADER.match(line):
            columns = [(match[0], match.start()) for match in _TITLE.finditer(line)]
            continue
        pod = _by_columns(line, columns, namespace) or _by_shape(line, namespace)
        if pod is None:
            problems.add(number, line.strip(), "is not a pod of 'kubectl get pods'")
        else:
            pods[pod.namespace, pod.name] = pod
    return Fragment(problems.all(), pods=told(list(pods.values()), problems), richness=5)


def _by_columns(line: str, columns: Sequence[tuple[str, int]], namespace: str | None) -> Pod | None:
    """The pod by the header's places; None where the line does not keep to them."""
    if not columns or any(start and line[start - 1 : start].strip() for _, start in columns):
        return None
    ends = [start for _, start in columns[1:]] + [len(line)]
    cells = {title: line[start:end].strip() for (title, start), end in zip(columns, ends, strict=True)}
    if not cells.get("NAME") or "/" not in cells.get("READY", ""):
        return None
    return _pod(cells, cells.get("NAMESPACE") or namespace)


def _pod(cells: Mapping[str, str], namespace: str | None) -> Pod | None:
    ip, node = cells.get("IP", ""), cells.get("NODE", "")
    if ip not in _ABSENT and not is_address(ip):
        return None
    return Pod(
        namespace,
        cells["NAME"],
        None if ip in _ABSENT else with_length(ip),
        None if node in _ABSENT else node,
        status=cells.get("STATUS") or None,
        known_from=_KNOWN,
    )


def _by_shape(line: str, namespace: str | None) -> Pod | None:
    match = _ROW.fullmatch(line.strip())
    if match is None:
        return None
    ip, node = [*match["rest"].split(), "", ""][:2]
    cells = {"NAME": match["name"], "STATUS": match["status"], "IP": ip, "NODE": node}
    return _pod(cells, match["namespace"] or namespace)
