"""Kernel settings in the words of `sysctl -a`, limited to those of `capture.SETTING_FILES`.

Read from /proc/sys directly: `sysctl -a` reads every setting of the machine, which takes
seconds on a node with a thousand links, and wakes settings that answer slowly.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from calitop.sources.capture import SETTING_FILES

ROOT = Path("/proc/sys")


def settings_text() -> str:
    """The settings of the calling thread's namespace, one `name = value` a line.

    What this user may not read is left out.
    """
    return "".join(_lines(path for pattern in SETTING_FILES for path in sorted(ROOT.glob(pattern))))


def name_of(path: str) -> str:
    """A setting's name from its path below /proc/sys; dots of a device name become slashes.

    Source:
        sysctl(8): `net.ipv4.conf.eth0/100.rp_filter`.
    """
    return ".".join(part.replace(".", "/") for part in path.split("/"))


def _lines(paths: Iterable[Path]) -> Iterable[str]:
    for path in paths:
        try:
            value = path.read_text("utf-8", "replace")
        except OSError:
            continue
        name = name_of(str(path.relative_to(ROOT)))
        for line in value.rstrip("\n").split("\n"):
            yield f"{name} = {line}\n"
