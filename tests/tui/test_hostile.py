"""Text of kernel and files is text; no terminal is too small."""

from __future__ import annotations

from pathlib import Path

import pytest

from calitop.snapshot.open import open_snapshots
from tests.tui.conftest import MakeApp
from tests.tui.driving import STILL, driven, press, screen_text
from tui.app import CalitopApp


async def test_escape_codes_and_markup_are_shown_not_obeyed(tmp_path: Path) -> None:
    """A comment with an escape code and square brackets stands there as written."""
    rules = tmp_path / "rules.txt"
    comment = "\x1b[2J[red]evil[/red]\u202e"
    rules.write_text(
        f'*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -m comment --comment "{comment}" -j DROP\nCOMMIT\n'
    )
    app = CalitopApp(snapshots=open_snapshots([str(rules)]), clock=STILL)
    async with driven(app) as pilot:
        await press(pilot, "tab tab down")
        text = screen_text(app)
        assert "\\x1b[2J[red]evil[/red]\\u202e" in text
        assert "\x1b" not in text and "\u202e" not in text


@pytest.mark.parametrize("size", [(1, 1), (20, 5), (79, 10), (300, 3)])
async def test_any_size(make_app: MakeApp, size: tuple[int, int]) -> None:
    """Keys work, and nothing breaks, where there is hardly room."""
    app = make_app()
    async with driven(app, size) as pilot:
        await press(pilot, "down down down enter enter enter end pageup i o v f escape question_mark escape")
        assert app.explorer.shown is not None
