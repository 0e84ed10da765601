"""Everything can be reached with the mouse too."""

from __future__ import annotations

from tests.tui.conftest import MakeApp
from tests.tui.driving import driven, focused_pane, press
from tui.screens.files import FilesScreen
from tui.screens.help import HelpScreen


async def test_click_double_click_and_opener(make_app: MakeApp) -> None:
    """A click selects, a second one jumps, one on the opener closes."""
    app = make_app()
    async with driven(app) as pilot:
        routes, chains = app.explorer.panes.routes, app.explorer.panes.chains
        await pilot.click(routes, offset=(5, routes.head_lines + 3))
        await pilot.pause()
        assert routes.cursor == 3 and focused_pane(app) == "routes"
        await pilot.click(routes, offset=(5, routes.head_lines + 3), times=2)
        await press(pilot, [])
        assert focused_pane(app) == "links"
        before = chains.row_count()
        await pilot.click(chains, offset=(2, chains.head_lines))
        await pilot.pause()
        assert chains.row_count() < before


async def test_lines_of_tabs_keys_and_status(make_app: MakeApp) -> None:
    """The names of the panes, the keys below and the status line can be clicked."""
    app = make_app()
    async with driven(app, (80, 24)) as pilot:
        await pilot.click("PaneTabs", offset=(14, 0))
        await pilot.pause()
        assert focused_pane(app) == "links"
        await pilot.click("StatusLine")
        await pilot.pause()
        assert isinstance(app.screen, FilesScreen)
        await press(pilot, "escape")
        line = app.screen.query_one("KeyLine").render_line(0).text
        await pilot.click("KeyLine", offset=(line.index("? help"), 0))
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)


async def test_small_terminal_shows_one_pane_with_the_same_keys(make_app: MakeApp) -> None:
    """At 80x24 the jump from a route brings the next pane in place of the first."""
    app = make_app()
    async with driven(app, (80, 24)) as pilot:
        await press(pilot, "down down down enter")
        panes = app.explorer.panes
        assert panes.links.display and not panes.routes.display
        await press(pilot, "enter")
        assert panes.chains.display and not panes.links.display
        await pilot.resize_terminal(120, 36)
        await pilot.pause()
        assert panes.routes.display and panes.links.display and panes.chains.display
