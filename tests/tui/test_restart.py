"""Counters that were restarted are told, in the line, in the list and at the rule."""

from __future__ import annotations

from pathlib import Path

from calitop.snapshot.open import open_snapshots
from tests.tui.driving import STILL, driven, press, screen_text
from tests.tui.node import rules, write_node
from tui.app import CalitopApp


async def test_a_zeroed_counter_is_listed(tmp_path: Path) -> None:
    """The difference is at least what stands there, and says so."""
    node = write_node(tmp_path / "node")
    text = rules(5).replace("[2:168] -A cali-from-wl-dispatch", "[1:84] -A cali-from-wl-dispatch")
    (node / "work2" / "after" / "iptables-save-c.txt").write_text(text)
    app = CalitopApp(snapshots=open_snapshots([str(node)]), clock=STILL)
    async with driven(app, (200, 50)) as pilot:
        assert "1 restarted" in screen_text(app)
        await press(pilot, "tab tab i")
        assert "≥1" in screen_text(app)
        await press(pilot, "f")
        assert "counter zeroed since the baseline: filter cali-from-wl-dispatch rule 1" in screen_text(app)


async def test_other_themes_have_our_colours_too(tmp_path: Path) -> None:
    """A theme that is not ours, dark or light, gets the tokens that it lacks."""
    app = CalitopApp(snapshots=open_snapshots([str(write_node(tmp_path / "node"))]), clock=STILL)
    async with driven(app) as pilot:
        for theme in ("textual-light", "nord", "calitop-16", "calitop-light"):
            app.theme = theme
            await pilot.pause()
            assert "Routes 6" in screen_text(app)
        assert app.get_theme_variable_defaults()["rows-dim"] == app.theme_variables["rows-dim"]
