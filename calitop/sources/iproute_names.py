"""The names that iproute2 prints for numbers of routing tables, protocols and scopes.

Source: lib/rt_names.c of iproute2: names of its own, then those of files that the administrator
may write: `/etc/iproute2/NAME` (where that is missing, since iproute2 6.5, `/usr/share/iproute2`),
then `NAME.d/*.conf`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_ETC, _SHARE = Path("/etc/iproute2"), Path("/usr/share/iproute2")
_TABLES = {253: "default", 254: "main", 255: "local"}
_SCOPES = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}
_PROTOCOLS = dict(
    enumerate(("unspec", "redirect", "kernel", "boot", "static"))
) | {
    8: "gated",
    9: "ra",
    10: "mrt",
    11: "zebra",
    12: "bird",
    13: "dnrouted",
    14: "xorp",
    15: "ntk",
    16: "dhcp",
    18: "keepalived",
    42: "babel",
    186: "bgp",
    187: "isis",
    188: "ospf",
    189: "rip",
    192: "eigrp",
}  # fmt: skip


@dataclass(frozen=True)
class Names:
    """Names by number; a number without a name is printed itself."""

    tables: Mapping[int, str]
    protocols: Mapping[int, str]
    scopes: Mapping[int, str]


def read_names(etc: Path = _ETC, share: Path = _SHARE) -> Names:
    """The names as `ip` would know them now."""
    return Names(
        {**_TABLES, **dict(_written("rt_tables", etc, share))},
        {**_PROTOCOLS, **dict(_written("rt_protos", etc, share))},
        {**_SCOPES, **dict(_written("rt_scopes", etc, share))},
    )


def _written(name: str, etc: Path, share: Path) -> Iterator[tuple[int, str]]:
    own = etc / name
    yield from _lines(own if own.exists() else share / name)
    for folder in (share, etc):
        for path in sorted((folder / f"{name}.d").glob("*.conf")):
            yield from _lines(path)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """`number name` a line; what is not that is no name."""
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        return
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        try:
            number = int(words[0], 0) if len(words) == 2 else None
        except ValueError:
            continue
        if number is not None:
            yield number, words[1]
