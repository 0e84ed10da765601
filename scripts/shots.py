"""Pictures of the demo for the docs: `python -m scripts.shots FOLDER`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import NamedTuple

import cairosvg

from calitop.snapshot.open import open_snapshots
from tui.app import CalitopApp

FONT = "DejaVu Sans Mono"
"""A font that every machine with the developer's packages has; the widths of the default one differ."""


class Shot(NamedTuple):
    """One picture: its name, the size of the terminal, the keys that lead there, and what is opened."""

    name: str
    size: tuple[int, int]
    keys: tuple[str, ...] = ()
    snapshot: str = "snapshots/lab"


SHOTS = (
    Shot("explorer", (150, 40)),
    Shot("explorer-hits", (150, 40), (*["down"] * 15, "enter", "enter", "i")),
    Shot("explorer-small", (80, 24), ("tab", "tab")),
    Shot("help", (120, 36), ("question_mark",)),
    Shot("answer", (120, 36), ("a",), "snapshots/faults/identity-mark"),
    Shot(
        "path",
        (120, 36),
        ("t", *"10.222.2.82", "enter", *"10.222.219.6", "enter", "u"),
        "snapshots/faults/rpf-tunl0-1",
    ),
    Shot("answer-kernel", (120, 36), ("a", "v"), "snapshots/faults/rpf-tunl0-1"),
)


async def take(shot: Shot, folder: Path) -> Path:
    """Drive the explorer to the state and write its picture; the path of it."""
    app = CalitopApp(snapshots=open_snapshots([shot.snapshot]))
    async with app.run_test(size=shot.size) as pilot:
        await pilot.pause(0.5)
        for key in shot.keys:
            await pilot.press(key)
            await pilot.pause(0.2)
        svg = app.export_screenshot(title="calitop").replace("Fira Code", FONT)
    path = folder / f"{shot.name}.png"
    cairosvg.svg2png(bytestring=svg.encode(), write_to=str(path), output_width=1400)
    return path


async def main(folder: Path) -> None:
    """Take them all."""
    folder.mkdir(parents=True, exist_ok=True)
    for shot in SHOTS:
        print(await take(shot, folder))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
