"""From a route to its interface, on to its chains, and back."""

from __future__ import annotations

from tests.tui.conftest import MakeApp
from tests.tui.driving import driven, focused_pane, press, told
from tests.tui.node import POD_A, POD_B
from widgets.view import ChainId, LinkId, RouteId


async def test_route_to_chains_takes_two_keys(make_app: MakeApp) -> None:
    """Enter on a pod's route goes to its interface, enter again to its from-workload chain, opened."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, "down down down")
        subject = app.explorer.panes.subject()
        assert isinstance(subject, RouteId) and subject.dst == "10.222.160.3/32"
        await press(pilot, "enter")
        assert app.explorer.panes.subject() == LinkId(POD_B)
        assert focused_pane(app) == "links"
        await press(pilot, "enter")
        row = app.explorer.panes.chains.current_row()
        assert row is not None and row.targets[0].chain == f"cali-fw-{POD_B}" and row.is_open
        assert focused_pane(app) == "chains"


async def test_enter_again_turns_to_the_next_chain(make_app: MakeApp) -> None:
    """On the row it led to, enter goes on to the to-workload chain, and then around."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, "down down down enter enter")
        for wanted in ("tw", "fw", "tw"):
            await press(pilot, "enter")
            row = app.explorer.panes.chains.current_row()
            assert row is not None and row.targets[0].chain == f"cali-{wanted}-{POD_B}"


async def test_back_and_forward_return_to_pane_and_row(make_app: MakeApp) -> None:
    """Backspace undoes jumps one by one, alt+right does them again."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, "down down down enter enter")
        await press(pilot, "backspace")
        assert app.explorer.panes.subject() == LinkId(POD_B)
        await press(pilot, "alt+left")
        assert app.explorer.panes.active == "routes" and app.explorer.panes.routes.cursor == 3
        await press(pilot, "alt+right")
        assert app.explorer.panes.subject() == LinkId(POD_B)


async def test_back_opens_what_was_closed_meanwhile(make_app: MakeApp) -> None:
    """The way back to a rule opens its chain again."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, "down down down enter enter down")
        before = app.explorer.panes.subject()
        assert before is not None
        app.explorer.go(LinkId(POD_A))
        chains = app.explorer.panes.chains
        assert chains.outline is not None
        chains.outline.open_below(None, False)
        chains.rows_changed()
        await press(pilot, "backspace")
        assert app.explorer.panes.subject() == before


async def test_interface_without_chains_leads_to_matching_rules(make_app: MakeApp) -> None:
    """The jump from a tunnel or Cilium interface goes to a rule that matches it, or says there is none."""
    app = make_app()
    async with driven(app) as pilot:
        app.explorer.go(LinkId("tunl0"))
        await press(pilot, "enter")
        assert app.explorer.panes.active == "links"
        assert "no chain and no rule names tunl0" in told(app)


async def test_blackhole_says_so(make_app: MakeApp) -> None:
    """Enter on a blackhole route stays and says what happens to its packets."""
    app = make_app()
    async with driven(app, (200, 50)) as pilot:
        await press(pilot, "down down enter")
        assert app.explorer.panes.active == "routes"
        assert "10.222.160.0/24 is blackhole" in told(app)


async def test_rule_opens_its_target_in_place(make_app: MakeApp) -> None:
    """By hook, enter on a rule opens its chain below it and goes inside."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, "tab tab down enter")
        row = app.explorer.panes.chains.current_row()
        assert row is not None and row.key is not None and row.key.chain == "cali-PREROUTING"


async def test_by_chain_enter_goes_to_the_target_chain(make_app: MakeApp) -> None:
    """By chain, enter on a rule goes to the chain's own place."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, "down down down enter enter v")
        row = app.explorer.panes.chains.current_row()
        assert row is not None and row.rule is not None
        await press(pilot, "enter")
        row = app.explorer.panes.chains.current_row()
        assert row is not None and row.kind == "chain" and row.key is not None
        assert row.key.chain == f"cali-fw-{POD_B}"


async def test_callers_in_the_detail_pane_can_be_gone_to(make_app: MakeApp) -> None:
    """A line of the detail pane that names a caller leads there."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, "down down down enter enter down tab")
        detail = app.explorer.panes.detail
        line = next(at for at in range(detail.row_count()) if detail.target(at) is not None)
        target = detail.target(line)
        detail.move_to(line)
        await press(pilot, "enter")
        assert app.explorer.panes.subject() == target


async def test_selection_lights_the_other_panes(make_app: MakeApp) -> None:
    """A route lights its interface and that interface's chains; an interface lights its route."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, "down down down")
        panes = app.explorer.panes
        assert panes.links.light.related == {LinkId(POD_B)}
        lit = {one.key.chain for one in panes.chains.light.related if isinstance(one, ChainId)}
        assert lit == {f"cali-fw-{POD_B}", f"cali-tw-{POD_B}"}
        assert any(panes.chains.lit(line) == 1 for line in range(panes.chains.row_count()))
        await press(pilot, "enter")
        assert any(panes.routes.lit(line) == 2 for line in range(panes.routes.row_count()))
