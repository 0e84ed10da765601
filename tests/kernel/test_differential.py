"""The walker against this kernel: what `make differential` runs at length (tests/differential)."""

from __future__ import annotations

import pytest

from tests.differential.lacking import lacking
from tests.differential.run import Report, run
from tests.kernel.truth import seeded, wanted

pytestmark = pytest.mark.kernel

FIXED_SEED = "calitop"
PER_BACKEND = 200
ANEW = 60


@pytest.mark.parametrize("backends", [("nft",), ("legacy",), ("legacy", "nft")])
def test_packets_go_as_foretold(backends: tuple[str, ...]) -> None:
    """Rules, verdict, device and NAT of each packet are the kernel's; few are left open."""
    report = run(PER_BACKEND, f"{FIXED_SEED}-{'-'.join(backends)}", [backends])
    _holds(report)
    assert report.decided > 0.7 * report.packets


def test_new_packets_go_as_foretold() -> None:
    """The same with a seed that nobody has tried; it is printed, and repeats the run."""
    print(f"this kernel lacks: {', '.join(lacking()) or 'nothing'}")
    _holds(run(wanted(ANEW), str(seeded("differential").randrange(1 << 32))))


def _holds(report: Report) -> None:
    print(report)
    assert not report.wrong, "\n\n".join(report.wrong[:5])
