"""`python -m tests.machines.keep [NAME…]`: keeps what is read of machines, before and after packets."""

from __future__ import annotations

import sys
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from calitop.snapshot.save import save
from calitop.sources.capture import Captured
from calitop.sources.collect import collect, programs
from tests.machines.build import machine, scripts

KEPT = Path(__file__).parent / "kept"
_OF_THE_MACHINE = ("hostname.txt", "uname.txt")
"""What tells of the machine that the tests ran on."""
_UNUSED = ("softnet_stat.txt", "tc-filter.txt", "bpftool-net.json", "snmp6.txt", "ip-neigh.json")


def keep(name: str) -> Path:
    """Build one machine and save it; an earlier save of it goes."""
    dest = KEPT / f"{name}.tar.gz"
    dest.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder, machine(name) as made:
        _save(name, collect(made.node.name), Path(folder, "before"))
        made.probe()
        _save(name, collect(made.node.name), Path(folder, "after"))
        with tarfile.open(dest, "w:gz") as archive:
            archive.add(folder, arcname=name, filter=_nobody)
    return dest


def _save(name: str, answers: Iterable[Captured], dest: Path) -> None:
    kept = [_renamed(name, each) for each in answers if each.file not in _UNUSED]
    save(kept, dest, programs(kept))


def _renamed(name: str, answer: Captured) -> Captured:
    if answer.file not in _OF_THE_MACHINE:
        return answer
    return replace(answer, text=f"{name}\n" if answer.file == "hostname.txt" else f"Linux {name} 6.1.0\n")


def _nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    KEPT.mkdir(exist_ok=True)
    for each in sys.argv[1:] or scripts():
        print(keep(each))
