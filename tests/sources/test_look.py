"""What is there already, found without asking the kernel to load anything."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from calitop.sources import look as look_module
from calitop.sources.capture import Need
from calitop.sources.look import Modules, look
from calitop.sources.nft_tables import NftTable


def machine(root: Path, loaded: str | None, built_in: str | None = "", symbols: str = "") -> Modules:
    """A machine with that list of modules."""
    (root / "proc").mkdir()
    if loaded is not None:
        (root / "proc/modules").write_text(loaded)
    (root / "proc/kallsyms").write_text(symbols)
    if built_in is not None:
        folder = root / "lib/modules" / os.uname().release
        folder.mkdir(parents=True)
        (folder / "modules.builtin").write_text(built_in)
    return Modules(root)


def test_a_loaded_module_is_present(tmp_path: Path) -> None:
    modules = machine(tmp_path, "nf_tables 303104 45 nft_compat, Live 0x0000000000000000\n")
    assert modules.present("nf_tables")
    assert not modules.present("nf_conntrack_netlink")


def test_a_module_whose_name_begins_alike_is_another(tmp_path: Path) -> None:
    modules = machine(tmp_path, "ip_set_hash_net 40960 1 - Live 0x0\n", "kernel/net/x/nf_tables_set.ko\n")
    assert not modules.present("ip_set")
    assert not modules.present("nf_tables")


def test_a_built_in_module_is_present(tmp_path: Path) -> None:
    modules = machine(tmp_path, "", "kernel/net/netfilter/nf_tables.ko\n")
    assert modules.present("nf_tables")


def test_a_kernel_without_modules_cannot_load_any(tmp_path: Path) -> None:
    assert machine(tmp_path, None).present("ip_set")


def test_without_a_list_of_built_in_ones_the_symbols_tell(tmp_path: Path) -> None:
    modules = machine(tmp_path, "", None, "0000000000000000 t ctnetlink_dump_table\n")
    assert modules.present("nf_conntrack_netlink")
    assert not modules.present("ip_set")


def test_a_module_with_parameters_shows_in_sys(tmp_path: Path) -> None:
    modules = machine(tmp_path, "")
    (tmp_path / "sys/module/ip_set").mkdir(parents=True)
    assert modules.present("ip_set")


def test_nothing_is_asked_of_what_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked() -> tuple[NftTable, ...]:
        raise AssertionError("asking loads nf_tables")

    monkeypatch.setattr(look_module, "nft_tables", asked)
    seen = look(machine(tmp_path, "ext4 1 1 - Live 0x0\n"))
    assert "not asked" in seen.missing[Need.NFT]
    assert "not asked" in seen.missing[Need.NFT_IPTABLES]
    assert "ip_set is not loaded" in seen.missing[Need.IP_SET]
    assert "nf_conntrack_netlink is not loaded" in seen.missing[Need.CONNTRACK_NETLINK]


@pytest.mark.parametrize(
    ("tables", "native", "iptables"),
    [
        ((), False, False),
        ((NftTable("ipv4", "filter"),), False, True),
        ((NftTable("inet", "filter"),), True, False),
        ((NftTable("ipv6", "nat"), NftTable("ipv4", "calico")), True, True),
    ],
)
def test_each_program_is_asked_for_its_own_tables(
    tables: tuple[NftTable, ...],
    native: bool,
    iptables: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(look_module, "nft_tables", lambda: tables)
    seen = look(machine(tmp_path, None))
    assert (Need.NFT not in seen.missing, Need.NFT_IPTABLES not in seen.missing) == (native, iptables)


def test_what_is_surely_not_there_is_known_to_be_empty(tmp_path: Path) -> None:
    seen = look(machine(tmp_path, "ext4 1 1 - Live 0x0\n"))
    assert {Need.NFT, Need.NFT_IPTABLES, Need.IP_SET} <= seen.empty
    assert Need.CONNTRACK_NETLINK in seen.empty


def test_where_nothing_tells_what_is_built_in_nothing_is_called_empty(tmp_path: Path) -> None:
    """A container without /lib/modules, and without the right to read symbols."""
    seen = look(machine(tmp_path, "ext4 1 1 - Live 0x0\n", None))
    assert Need.NFT in seen.missing
    assert not {Need.NFT, Need.NFT_IPTABLES, Need.IP_SET} & seen.empty


def test_rules_that_nft_reads_in_place_of_iptables_are_not_called_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without nft_compat iptables-nft is not asked, though its table is there."""
    monkeypatch.setattr(look_module, "nft_tables", lambda: (NftTable("ipv4", "filter"),))
    seen = look(machine(tmp_path, "nf_tables 1 1 - Live 0x0\n"))
    assert Need.NFT_IPTABLES in seen.missing
    assert not {Need.NFT, Need.NFT_IPTABLES} & seen.empty


@pytest.mark.parametrize(
    ("tables", "empty"),
    [
        ((), {Need.NFT, Need.NFT_IPTABLES}),
        ((NftTable("ipv4", "filter"),), {Need.NFT}),
        ((NftTable("inet", "filter"),), {Need.NFT_IPTABLES}),
    ],
)
def test_of_nft_that_answers_it_is_known_what_it_has_not(
    tables: tuple[NftTable, ...], empty: set[Need], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look_module, "nft_tables", lambda: tables)
    assert look(machine(tmp_path, None)).empty & {Need.NFT, Need.NFT_IPTABLES} == empty


def test_an_nft_that_does_not_answer_is_not_called_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> tuple[NftTable, ...]:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(look_module, "nft_tables", broken)
    assert not look(machine(tmp_path, None)).empty & {Need.NFT, Need.NFT_IPTABLES}


def test_a_refusal_is_a_lack_of_privilege(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> tuple[NftTable, ...]:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(look_module, "nft_tables", refused)
    assert "root" in look(machine(tmp_path, None)).denied[Need.NFT]
