"""What Cilium writes of its endpoints below /var/run/cilium/state: interface, addresses and pod of each.

Each endpoint has a folder named by its number. Its `ep_config.json` (since 1.15), or a line of
the comment in its `ep_config.h` (before 1.8 `lxc_config.h`) as `CILIUM_BASE64_VERSION:JSON in base64`,
tells the endpoint. Read as `PATH:LINE`, as `grep -r` prints it. Only what tells the pod is kept:
the rest holds labels, and names that the pod has asked DNS for.

Source: serializableEndpoint in Cilium's pkg/endpoint/restore.go, writeHeaderfile in bpf.go.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from calitop.formats.fragment import Fragment
from calitop.formats.reading import Problems, head_lines, numbered, told, with_length
from calitop.model.node import PodSign

KIND = "/var/run/cilium/state"
FOLDER = "/var/run/cilium/state"
FILES = ("ep_config.json", "ep_config.h", "lxc_config.h")
"""Files that tell an endpoint, the newest first."""
MARK = "CILIUM_BASE64_"

_KEPT = ("ID", "dockerID", "IfName", "IfIndex", "IPv4", "IPv6", "K8sNamespace", "K8sPodName", "K8sUID")
_PATH = re.compile(r"(?P<folder>(?:[^\s:]*/)?(?P<id>\d{1,10}))/(?:ep|lxc)_config\.(?:h|json)", re.ASCII)
_TEMPORARY = re.compile(r"(?:[^\s:]*/)?\d{1,10}_(?:next|next_fail|stale)\w*/[^\s:]+", re.ASCII)
"""Folders that stand beside an endpoint's own while its program is made anew."""
_LONGEST_PATH = 1000


class _Row(NamedTuple):
    folder: str
    """Of the endpoint; "" for one that is being made anew."""
    id: str
    line: str


def looks_like(text: str) -> bool:
    """Whether the first lines are of endpoints' files."""
    lines = [line for line in head_lines(text) if not line.startswith("#")]
    return bool(lines) and all(_row(line) is not None for line in lines)


def parse(text: str) -> Fragment:
    """A sign of each endpoint; one that tells no pod (the host, the health check) is passed over."""
    problems = Problems()
    found: dict[str, PodSign] = {}
    for number, line in numbered(text):
        if line.startswith("#"):
            problems.add(number, "", line.lstrip("# "))
            continue
        row = _row(line)
        if row is None:
            problems.add(number, line[:200], "is not a line of an endpoint's file")
        elif row.folder:
            _take(row, found, problems, number)
    return Fragment(problems.all(), pod_signs=told(list(found.values()), problems), richness=7)


def _take(row: _Row, found: dict[str, PodSign], problems: Problems, number: int) -> None:
    """Read one endpoint; other lines of its file tell nothing."""
    endpoint = _endpoint(row.line)
    if endpoint is None:
        if MARK in row.line or row.line.lstrip().startswith("{"):
            problems.add(number, row.folder, "is not an endpoint as Cilium writes it")
    elif (sign := _sign(row.folder, endpoint)) is not None:
        found.setdefault(row.id, sign)


def _row(line: str) -> _Row | None:
    path, colon, rest = line.partition(":")
    if not colon or len(path) > _LONGEST_PATH:
        return None
    if match := _PATH.fullmatch(path):
        return _Row(match["folder"], match["id"], rest)
    return _Row("", "", rest) if _TEMPORARY.fullmatch(path) else None


def reduced(text: str) -> str:
    """The same rows and remarks, with nothing of an endpoint but what tells its pod."""
    return "".join(f"{line}\n" for row in text.split("\n") for line in _reduced(row))


def _reduced(line: str) -> Iterator[str]:
    if line.startswith("#"):
        yield line
    elif (row := _row(line)) is not None and row.folder:
        yield from (f"{row.folder}/{FILES[0]}:{kept}" for kept in _kept(row.line))


def _kept(line: str) -> Iterator[str]:
    endpoint = _endpoint(line)
    if endpoint is not None:
        yield json.dumps({key: endpoint[key] for key in _KEPT if endpoint.get(key)})


def _endpoint(line: str) -> dict[str, object] | None:
    """The endpoint in a line: JSON, or JSON in base64 behind the mark and the version."""
    _, mark, rest = line.partition(MARK)
    try:
        text = base64.b64decode(rest.split(":", 1)[1], validate=False) if mark else line
        endpoint = json.loads(text)
    except (ValueError, IndexError, RecursionError):
        return None
    return endpoint if isinstance(endpoint, dict) else None


def _sign(folder: str, endpoint: dict[str, object]) -> PodSign | None:
    def word(key: str) -> str | None:
        value = endpoint.get(key)
        return value if isinstance(value, str) and value else None

    name, interface = word("K8sPodName"), word("IfName")
    if name is None:
        return None
    addresses = (with_length(word(key) or "") for key in ("IPv4", "IPv6"))
    return PodSign(
        "cilium state",
        folder if "/" in folder else f"{FOLDER}/{folder}",
        word("K8sNamespace"),
        name,
        word("K8sUID"),
        tuple(address for address in addresses if address),
        interface,
    )
