"""Kernel settings in the words of `sysctl -a`, limited to those of `capture.SETTING_FILES`.

Read from /proc/sys directly: `sysctl -a` reads every setting of the machine, which takes
seconds on a node with a thousand links, and wakes settings that answer slowly.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from calitop.sources.capture import DEVICE_SETTING_FILES, SETTING_FILES
from calitop.sources.device_settings import device_settings

ROOT = "/proc/sys"
_LONGEST = 1 << 16


def settings() -> dict[str, str]:
    """The settings of the calling thread's namespace by name; of several lines the last.

    What this user may not read is left out.
    """
    return {name: value.rpartition("\n")[2].strip() for name, value in _values()}


def settings_text() -> str:
    """The same as text, one `name = value` a line."""
    return "".join([f"{name} = {line}\n" for name, value in _values() for line in value.split("\n")])


def name_of(path: str) -> str:
    """A setting's name from its path below /proc/sys; dots of a device name become slashes.

    Source:
        sysctl(8): `net.ipv4.conf.eth0/100.rp_filter`.
    """
    return path.translate(_NAME)


_NAME = str.maketrans("/.", "./")


def _values() -> Iterator[tuple[str, str]]:
    """Every setting's name with the text of its file."""
    told = _of_devices()
    for pattern in SETTING_FILES:
        for path in sorted(_files(pattern, bool(told))):
            value = _value(f"{ROOT}/{path}")
            if value is not None:
                yield name_of(path), value.rstrip("\n")
    for path, value in told.items():
        yield name_of(path), value


def _of_devices() -> Mapping[str, str]:
    """Settings of each device as the list of links tells them; none where it does not."""
    try:
        return dict(device_settings())
    except OSError:
        return {}


def _files(pattern: str, devices_are_told: bool) -> Iterable[str]:
    if devices_are_told and pattern in DEVICE_SETTING_FILES:
        return [pattern.replace("*", each) for each in ("all", "default")]
    return (str(path)[len(ROOT) + 1 :] for path in Path(ROOT).glob(pattern))


def _value(path: str) -> str | None:
    """The text of a file; None for one that cannot be read, and for a folder."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(descriptor, _LONGEST).decode("utf-8", "replace")
    except OSError:
        return None
    finally:
        os.close(descriptor)
