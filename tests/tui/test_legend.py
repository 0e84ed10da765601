"""The legend names what is painted, the cursor's pane first, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from calitop.snapshot.open import open_snapshots
from tests.tui.conftest import MakeApp
from tests.tui.driving import driven, press, screen_text, until
from tests.tui.node import write_moment
from tui import legend
from tui.app import CalitopApp
from tui.screens.help import HelpScreen
from widgets.pages import Pages
from widgets.signs import ASCII, UNICODE, Signs

SNAPSHOTS = Path(__file__).parents[2] / "snapshots"
FAULT = SNAPSHOTS / "faults" / "identity-mark"


async def read_legend(pilot: Pilot[Any], app: CalitopApp, key: str = "question_mark") -> list[str]:
    """The lines of the first page."""
    await press(pilot, key)
    assert isinstance(app.screen, HelpScreen)
    return app.screen.query_one(Pages).text.splitlines()[1:]


def named(lines: list[str]) -> dict[str, str]:
    """What is named, with what it means."""
    rows = (re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in lines if line.startswith("  "))
    return {name: means for name, means in rows}


def means_of(lines: list[str], entry: str) -> bool:
    """Whether a sign, look or column of that name is told."""
    tables = (*legend.SIGNS, *legend.HEAT, *legend.COLUMNS, *legend.STATUS)
    return any(line.endswith(one.means) for line in lines for one in tables if one.name == entry)


async def test_of_the_lab_everything_named_is_there() -> None:
    """Signs as they stand, owners, kinds of chains, bits of marks, the status line."""
    app = CalitopApp(snapshots=open_snapshots([str(SNAPSHOTS / "lab")]))
    async with driven(app) as pilot:
        await press(pilot, ["slash", *"cali-tw-califa", "enter"])
        painted = screen_text(app)
        lines = await read_legend(pilot, app)
        told = named(lines)
    assert lines[0] == "Chains: the cursor is here"
    assert {"▌", "▾", "▸", "↳", "⇒"} <= set(told) and "policy DROP" in told
    assert any(name.startswith("▲+") for name in told)
    assert told["cali-tw-…"] == "to the workload (ingress)"
    assert told["0x10000"] == "mark: Calico accept"
    assert any(line.endswith("made by calico") for line in lines)
    assert told["◌ offline"] == "a snapshot: it does not move"
    gone = [name for name in told if name not in painted and "…" not in name and name != "rx + tx +"]
    assert all(name.startswith("0x") for name in gone)


@pytest.mark.parametrize("signs", [UNICODE, ASCII], ids=["unicode", "ascii"])
@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 50)])
async def test_signs_that_are_not_there_are_not_named(
    tmp_path: Path, signs: Signs, size: tuple[int, int]
) -> None:
    """One moment of a node: nothing counted since, nothing is live, nothing is missing."""
    app = CalitopApp(snapshots=open_snapshots([str(write_moment(tmp_path / "one"))]), signs=signs)
    async with driven(app, size) as pilot:
        await press(pilot, "tab tab")
        lines = await read_legend(pilot, app)
    for name in ("cursor", "opened", "closed", "jump", "offline"):
        assert means_of(lines, name), name
    for name in ("hot", "alarm", "missing", "above", "bpf", "agreed", "live", "paused", "since", "/s"):
        assert not means_of(lines, name), name


async def test_a_loss_and_the_heat_are_named_as_they_stand(make_app: MakeApp) -> None:
    """The very number with its sign; the light of the other pane; the set in plain signs too."""
    for signs in (UNICODE, ASCII):
        app = make_app(signs=signs)
        async with driven(app) as pilot:
            await press(pilot, "down down down enter enter enter")
            told = named(await read_legend(pilot, app))
        assert any(name.startswith(f"{signs.alarm}+5") for name in told)
        assert told[signs.related] == "belongs to what is selected in the other pane"
        assert told[signs.goto].startswith("goto (-g)")


@pytest.mark.parametrize(
    ("keys", "pane", "words"),
    [
        ("c", "Checks: the cursor is here", ["✖ ERROR", "severity", "evidence"]),
        ("c tab", "The finding: the cursor is here", ["evidence", "↳ rule"]),
        ("a", "The answer: the cursor is here", ["✖ LOST", "proof", "IN ORDER"]),
        ("f", "Files: the cursor is here", ["▌"]),
    ],
)
async def test_every_screen_names_its_own(keys: str, pane: str, words: list[str]) -> None:
    """Checks, one finding, the answer, the files."""
    app = CalitopApp(snapshots=open_snapshots([str(FAULT)]))
    async with driven(app) as pilot:
        await press(pilot, keys)
        await until(pilot, lambda: not any(w.is_running for w in app.workers))
        painted = screen_text(app)
        lines = await read_legend(pilot, app)
    assert lines[0] == pane
    assert all(word in named(lines) and word in painted for word in words)
    assert not means_of(lines, "since")


async def test_path_and_fields() -> None:
    """The path names its verdict and columns; f1 asks while something is typed."""
    app = CalitopApp(snapshots=open_snapshots([str(SNAPSHOTS / "lab")]))
    async with driven(app, (200, 50)) as pilot:
        await press(pilot, ["t", "ctrl+u", *"10.222.219.3", "enter", "enter", *"10.222.160.2", "enter"])
        assert named(await read_legend(pilot, app, "f1")) is not None
        await press(pilot, "escape")
        await until(pilot, lambda: "STEPS" in screen_text(app) or "could be" in screen_text(app))
        lines = await read_legend(pilot, app, "f1")
    assert any(line.startswith("The path") for line in lines)
    assert means_of(lines, "hook") and means_of(lines, "action")


async def test_a_dialog_without_signs_says_so(make_app: MakeApp) -> None:
    """Compare: nothing there has a sign."""
    app = make_app()
    async with driven(app) as pilot:
        await press(pilot, "d")
        assert "Nothing here has a sign" in "\n".join(await read_legend(pilot, app))


async def test_the_page_scrolls_in_a_small_terminal_and_is_copied(make_app: MakeApp) -> None:
    """At 80x24 its end can be reached; y takes the page."""
    app = make_app()
    async with driven(app, (80, 24)) as pilot:
        lines = await read_legend(pilot, app)
        await press(pilot, "end")
        assert lines[-1].split()[0] in screen_text(app)
        await press(pilot, "y")
        assert app.clipboard.splitlines()[1:] == lines
