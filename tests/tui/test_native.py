"""Calico in nftables mode on the screen: jumps through maps, elements, search, and what BPF hides."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from calitop.snapshot.open import open_snapshots
from tests.native_node import FROM, HOSTS, POD_A, POD_B, SERVICES, TO, key, ruleset
from tests.tui.driving import STILL, driven, press, screen_text
from tui.app import CalitopApp
from widgets.view import ChainId, LinkId, MapId, RuleId


@pytest.fixture
def app(tmp_path: Path) -> CalitopApp:
    """Two moments of the node; five packets to a pod were dropped in between."""
    routes = [{"dst": "10.222.160.3", "dev": POD_B, "scope": "link", "flags": []}]
    links = [{"ifindex": 1, "ifname": POD_B, "flags": ["UP"]}, {"ifindex": 2, "ifname": POD_A, "flags": []}]
    for moment, drops in (("before", 0), ("after", 5)):
        folder = tmp_path / "work2" / moment
        folder.mkdir(parents=True)
        (folder / "nft-ruleset.txt").write_text(ruleset(drops))
        (folder / "ip-route.json").write_text(json.dumps(routes))
        (folder / "ip-link.json").write_text(json.dumps(links))
        (folder / "hostname").write_text("work2\n")
    return CalitopApp(snapshots=open_snapshots([str(tmp_path)]), clock=STILL)


async def test_a_route_leads_to_the_pods_chains_through_the_maps(app: CalitopApp) -> None:
    """Route, interface, from-workload chain below its element; enter again, the to-workload chain."""
    async with driven(app) as pilot:
        await press(pilot, "enter")
        assert app.explorer.panes.subject() == LinkId(POD_B)
        await press(pilot, "enter")
        row = app.explorer.panes.chains.current_row()
        assert row is not None and (row.map, row.targets) == (FROM, (key(f"filter-cali-fw-{POD_B}"),))
        assert row.is_open
        await press(pilot, "enter")
        row = app.explorer.panes.chains.current_row()
        assert row is not None and (row.map, row.targets) == (TO, (key(f"filter-cali-tw-{POD_B}"),))
        assert '"Drop if' in screen_text(app)
        await press(pilot, "backspace backspace")
        assert app.explorer.panes.subject() == LinkId(POD_B)


async def test_an_element_shows_where_it_leads_and_lights_its_interface(app: CalitopApp) -> None:
    """The detail of an element names chain, goto, interface and map; each line leads there."""
    async with driven(app) as pilot:
        app.explorer.go(MapId(FROM, 0))
        await press(pilot, "")
        detail = app.explorer.panes.detail
        targets = [detail.target(line) for line in range(detail.row_count())]
        assert ChainId(key(f"filter-cali-fw-{POD_B}")) in targets
        assert LinkId(POD_B) in targets and MapId(FROM) in targets
        assert "goes to filter-cali-fw-" in detail.text
        assert LinkId(POD_B) in app.explorer.panes.links.light.related


async def test_a_rule_tells_the_sets_that_it_looks_into_and_a_set_its_rules(app: CalitopApp) -> None:
    """From the rule to the set and back by the detail's lines."""
    async with driven(app) as pilot:
        rule = RuleId(key("filter-cali-FORWARD"), 2)
        app.explorer.go(rule)
        await press(pilot, "")
        detail = app.explorer.panes.detail
        assert MapId(HOSTS) in [detail.target(line) for line in range(detail.row_count())]
        app.explorer.go(MapId(HOSTS))
        await press(pilot, "")
        assert rule in [detail.target(line) for line in range(detail.row_count())]
        app.explorer.go(MapId(HOSTS, 0))
        await press(pilot, "")
        assert "7 packets, 588 bytes" in detail.text and 'comment "work1"' in detail.text
        assert "7 packets, 588 bytes" in screen_text(app)


async def test_search_finds_an_element(app: CalitopApp) -> None:
    """An address that stands in a map only is found in it."""
    async with driven(app) as pilot:
        await press(pilot, ["slash", *"10.96.0.9", "enter"])
        assert app.explorer.panes.subject() == MapId(SERVICES, 1)


async def test_hits_only_keeps_the_element_on_the_way(app: CalitopApp) -> None:
    """The rule with the map has no counter of its own; what counted below it is still shown."""
    async with driven(app) as pilot:
        await press(pilot, "tab tab i")
        text = screen_text(app)
        assert f"@{TO.name}" in text and f'"{POD_B}"' in text
        assert f'"{POD_A}"' not in text


async def test_a_node_that_bpf_decides_on_says_so(tmp_path: Path) -> None:
    """In the title of the chains, in the detail of a hook, and among the warnings."""
    rule = (
        '-A FORWARD -m comment --comment "cali:aaaaaaaaaaaaaaaa" '
        '-m comment --comment "Pre-approved by BPF programs." -j ACCEPT'
    )
    (tmp_path / "iptables-save.txt").write_text(f"*filter\n:FORWARD ACCEPT [0:0]\n{rule}\nCOMMIT\n")
    app = CalitopApp(snapshots=open_snapshots([str(tmp_path)]), clock=STILL)
    async with driven(app) as pilot:
        await press(pilot, "tab tab")
        text = screen_text(app)
        assert "BPF decides" in text and "1 warning" in text
        assert "decided in BPF" in app.explorer.panes.detail.text
