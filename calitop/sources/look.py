"""Look before touching: what is in the kernel already, found without asking it to load anything.

The first message to nf_tables, ipset or conntrack netlink makes the kernel load that
module, and naming a legacy table creates it. So every program of `capture.py` has a
`Need`, and this file answers whether it is met from files alone; only when nf_tables is
known to be there is it asked, by a read-only dump, which tables it has.

Where modules are found:
* no /proc/modules: the kernel has no modules (CONFIG_MODULES off), nothing can be loaded;
* /proc/modules lists what is loaded, modules.builtin what is built in;
* /sys/module/NAME stands for loaded ones, and for built-in ones that take parameters;
* /proc/kallsyms is read only where modules.builtin is missing, as in a container.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from calitop.sources.capture import Need
from calitop.sources.nft_tables import NftTable, nft_tables

_NET = Path("/proc/thread-self/net")
IPTABLES_TABLES = frozenset({"raw", "mangle", "nat", "filter", "security"})

_WITNESS = {
    "nf_tables": "nf_tables_newtable",
    "nft_compat": "nft_match_init",
    "ip_set": "ip_set_match_extensions",
    "nf_conntrack_netlink": "ctnetlink_dump_table",
}
"""A function of each module by which /proc/kallsyms shows that it is there."""


@dataclass(frozen=True, slots=True)
class Modules:
    """Which kernel modules are there, loaded or built in."""

    root: Path = Path("/")
    """Where /proc, /sys and /lib stand; another place in tests."""

    def present(self, name: str) -> bool:
        """Whether the module is there, so that asking it loads nothing."""
        loaded = _text(self.root / "proc/modules")
        if loaded is None:
            return True
        if (self.root / "sys/module" / name).is_dir():
            return True
        if any(line.split(" ", 1)[0] == name for line in loaded.splitlines()):
            return True
        return self._built_in(name)

    def absent(self, name: str) -> bool:
        """Whether the module is surely not there; where nothing tells what is built in, nobody knows."""
        return not self.present(name) and (self._listing() is not None or bool(self._symbols()))

    def _built_in(self, name: str) -> bool:
        listing = self._listing()
        if listing is not None:
            return any(Path(line).name.split(".")[0] == name for line in listing.splitlines())
        witness = _WITNESS.get(name)
        return witness is not None and f" {witness}" in self._symbols()

    def _listing(self) -> str | None:
        return _text(self.root / "lib/modules" / os.uname().release / "modules.builtin")

    def _symbols(self) -> str:
        return _text(self.root / "proc/kallsyms") or ""


@dataclass(frozen=True, slots=True)
class Look:
    """What the kernel holds in this thread's namespace; each absence with its reason."""

    missing: Mapping[Need, str] = field(default_factory=dict)
    """Why a need is not met."""
    denied: Mapping[Need, str] = field(default_factory=dict)
    """What may not even be looked at by this user."""
    empty: frozenset[Need] = frozenset()
    """Of the needs that are not met those where there is surely nothing to be told."""
    legacy: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Legacy tables by family (ipv4, ipv6)."""
    nft: tuple[NftTable, ...] = ()


def look(modules: Modules | None = None) -> Look:
    """What may be asked here without changing anything.

    Reads /proc/thread-self/net, so it answers for the namespace of the calling thread.
    """
    modules = modules or Modules()
    missing: dict[Need, str] = {}
    denied: dict[Need, str] = {}
    legacy = {
        "ipv4": _legacy_tables(Need.LEGACY_IPV4, "ip_tables_names", missing, denied),
        "ipv6": _legacy_tables(Need.LEGACY_IPV6, "ip6_tables_names", missing, denied),
    }
    empty: set[Need] = {need for need in (Need.LEGACY_IPV4, Need.LEGACY_IPV6) if need in missing}
    nft = _nft(modules, missing, denied, empty)
    for need in (Need.IP_SET, Need.CONNTRACK_NETLINK):
        if not modules.present(need.value):
            missing[need] = f"{need.value} is not loaded: not asked"
            empty.update((need,) if modules.absent(need.value) else ())
    return Look(missing, denied, frozenset(empty), legacy, nft)


def legacy_tables(listing: str) -> tuple[str, ...]:
    """Names of the legacy tables that exist in the calling thread's namespace.

    Args:
        listing: `ip_tables_names` or `ip6_tables_names`.

    Raises:
        FileNotFoundError: The family's module is not loaded.
        PermissionError: Without root.
    """
    return tuple((_NET / listing).read_text("ascii", "replace").split())


def _legacy_tables(
    need: Need, name: str, missing: dict[Need, str], denied: dict[Need, str]
) -> tuple[str, ...]:
    path = _NET / name
    try:
        tables = legacy_tables(name)
    except PermissionError:
        denied[need] = f"cannot read the legacy rules: permission denied on {path}; run as root"
        return ()
    except FileNotFoundError:
        missing[need] = f"{need.value} is not loaded: not asked"
        return ()
    if not tables:
        missing[need] = "no legacy tables here: not asked, asking would create them"
    return tables


def _nft(
    modules: Modules, missing: dict[Need, str], denied: dict[Need, str], empty: set[Need]
) -> tuple[NftTable, ...]:
    if not modules.present("nf_tables"):
        empty.update((Need.NFT, Need.NFT_IPTABLES) if modules.absent("nf_tables") else ())
        missing[Need.NFT] = missing[Need.NFT_IPTABLES] = "nf_tables is not loaded: not asked"
        return ()
    try:
        tables = nft_tables()
    except PermissionError:
        why = "cannot read the nft rules: permission denied; run as root"
        denied[Need.NFT] = denied[Need.NFT_IPTABLES] = why
        return ()
    except OSError as error:
        missing[Need.NFT] = missing[Need.NFT_IPTABLES] = f"nf_tables does not answer: {error.strerror}"
        return ()
    if not any(table.by_iptables for table in tables):
        missing[Need.NFT_IPTABLES] = "no tables of iptables-nft here: not asked"
        empty.add(Need.NFT_IPTABLES)
    elif not modules.present("nft_compat"):
        missing[Need.NFT_IPTABLES] = "nft_compat is not loaded: not asked, read as native nft tables"
    if not any(not table.by_iptables for table in tables) and Need.NFT_IPTABLES not in missing:
        missing[Need.NFT] = "no native nft tables here: not asked"
    elif not tables:
        missing[Need.NFT] = "no nft tables here: not asked"
    if Need.NFT in missing:
        empty.add(Need.NFT)
    return tables


def _text(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return None
