"""Each fault of the lab has a row of findings, in the tests and on the page. Needs no kernel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from calitop.check.catalogue import CROSS_CHECKS, NODE_CHECKS
from lab.faults import FAULTS
from tests.check.lab_findings import TOLD, Found

PAGE = (Path(__file__).parents[2] / "docs" / "checks.md").read_text()
SEVERITY = {one.id: one.severity for one in (*NODE_CHECKS, *CROSS_CHECKS)}


def test_every_fault_of_the_lab_has_its_findings_and_no_other() -> None:
    assert list(TOLD) == [fault.name for fault in FAULTS]


def test_findings_are_known_checks() -> None:
    told = {one for each in TOLD.values() for found in (each.alarms, each.infos) for one in _ids(found)}
    assert told <= SEVERITY.keys()


def test_what_finds_nothing_says_why() -> None:
    assert [name for name, told in TOLD.items() if not (told.proof or told.why)] == []


@pytest.mark.parametrize("name", TOLD)
def test_the_page_tells_the_same(name: str) -> None:
    """A row: the fault, what alarms, what else is told, and why not more."""
    told = TOLD[name]
    assert _row(name) == [f"`{name}`", _cell(told.alarms), _cell(told.infos), told.why]


def test_the_page_names_lab_faults_that_exist() -> None:
    """The fault of a check that is called a lab fault is one, and its row names the check."""
    rows = [line for line in PAGE.splitlines() if "(lab fault" in line]
    for row in rows:
        check = row.split("`")[1]
        for group in re.findall(r"lab faults? ([^)]*)\)", row):
            for name in re.findall("`([^`]*)`", group):
                assert check in {*_ids(TOLD[name].alarms), *_ids(TOLD[name].infos)}, (check, name)


def _row(name: str) -> list[str]:
    """The cells of the fault's row in the table of lab faults, which has four."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines()]
    (found,) = [cells for cells in rows if len(cells) == 4 and cells[0] == f"`{name}`"]
    return found


def _cell(found: Found) -> str:
    parts = (f"{node}: {', '.join(f'`{one}`' for one in ids)}" for node, ids in found.items())
    return "; ".join(parts) or "-"


def _ids(found: Found) -> Iterator[str]:
    for ids in found.values():
        yield from ids
