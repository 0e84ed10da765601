"""The small node as an app, with the clocks standing still."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import textual

from calitop.snapshot.open import open_snapshots
from tests.tui.driving import STILL
from tests.tui.node import write_node
from tui.app import CalitopApp

TEXTUAL = "8.2.8"
"""The goldens were drawn by this version; another one draws differently."""

MakeApp = Callable[..., CalitopApp]


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """Two moments of the small node on disk."""
    return write_node(tmp_path / "snapshots")


@pytest.fixture
def make_app(node: Path) -> MakeApp:
    """Makes the explorer over the two moments."""

    def make(**given: object) -> CalitopApp:
        settings: dict[str, object] = {"snapshots": open_snapshots([str(node)]), "clock": STILL, **given}
        return CalitopApp(**settings)  # type: ignore[arg-type]  # keywords pass through as they come

    return make


def pytest_collection_modifyitems(config: pytest.Config) -> None:
    """Goldens are redrawn by the pinned Textual only."""
    if config.getoption("update_snapshots", default=False) and textual.__version__ != TEXTUAL:
        raise pytest.UsageError(f"goldens are drawn by Textual {TEXTUAL}, this is {textual.__version__}")
