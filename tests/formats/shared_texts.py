"""Where the real texts beside the project lie; tests that need them skip where they are absent."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared"


def corpus(name: str) -> str:
    """Text of a file of the corpus."""
    return _read(SHARED / "corpus" / name)


def captures() -> list[Path]:
    """The folders of the captures, each one node at one moment; empty where they are absent."""
    return sorted(path.parent for path in (SHARED / "captures").glob("*/*/*/ip-route.json"))


def _read(path: Path) -> str:
    if not path.exists():
        pytest.skip(f"{path.name} is not beside the project")
    return path.read_text()
