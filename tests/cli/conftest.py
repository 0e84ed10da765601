"""Fixtures of the command line's tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from calitop.cli.main import main

JsonOf = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a pipe, whatever terminal the tests run in."""
    monkeypatch.setenv("COLUMNS", "160")


@pytest.fixture
def json_of(capsys: pytest.CaptureFixture[str]) -> JsonOf:
    """Runs a command with --json: exit status and JSON object."""

    def run(*words: str) -> tuple[int, dict[str, Any]]:
        status = main([*words, "--json"])
        return status, json.loads(capsys.readouterr().out)

    return run
