"""The lab's page names every fault, in the lab's own words. Needs no kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.faults import FAULTS, Fault

PAGE = (Path(__file__).parents[2] / "docs" / "lab.md").read_text()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_page_tells_the_fault(fault: Fault) -> None:
    """A fault's row holds what it says and what moves."""
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{fault.name}` |"))
    assert fault.says in row
    assert fault.moves in row
    assert f"{fault.replies}/5" in row
