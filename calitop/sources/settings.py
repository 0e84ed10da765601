"""Kernel settings in the words of `sysctl -a`, limited to those of `capture.SETTING_FILES`.

Read from /proc/sys directly: `sysctl -a` reads every setting of the machine, which takes
seconds on a node with a thousand links, and wakes settings that answer slowly.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from calitop.sources.capture import DEVICE_SETTING_FILES, SETTING_FILES
from calitop.sources.device_settings import DeviceSettings, device_messages, device_settings

ROOT = "/proc/sys"
_LONGEST = 1 << 16
_NEIGHBOURS = "net/ipv4/neigh/*/"
"""Folder with a folder for each device, and one for `default`."""


class Settings:
    """Reads again and again; of a device that the kernel tells in the same words nothing is taken apart."""

    def __init__(self) -> None:
        self._devices: dict[bytes, DeviceSettings] = {}

    def read(self) -> dict[str, str]:
        """The settings of the calling thread's namespace by name; of several lines the last.

        What this user may not read is left out.
        """
        found = {name: value.rpartition("\n")[2].strip() for name, value in self._in_files()}
        for each in self._devices.values():
            found.update(each.values)
        return found

    def text(self) -> str:
        """The same as text, one `name = value` a line."""
        values = [
            *self._in_files(),
            *(pair for each in self._devices.values() for pair in each.values.items()),
        ]
        return "".join([f"{name} = {line}\n" for name, value in values for line in value.split("\n")])

    def _in_files(self) -> Iterator[tuple[str, str]]:
        """What only files tell, each setting's name with the text; the devices' own are read before."""
        self._devices = self._read_devices()
        devices = [each.device for each in self._devices.values()]
        for pattern in SETTING_FILES:
            for path in sorted(_files(pattern, devices)):
                value = _value(f"{ROOT}/{path}")
                if value is not None:
                    yield name_of(path), value.rstrip("\n")

    def _read_devices(self) -> dict[bytes, DeviceSettings]:
        """What each device's message tells; nothing where the kernel does not tell."""
        known = self._devices
        try:
            return {each: known.get(each) or _named(device_settings(each)) for each in device_messages()}
        except OSError:
            return {}


def name_of(path: str) -> str:
    """A setting's name from its path below /proc/sys; dots of a device name become slashes.

    Source:
        sysctl(8): `net.ipv4.conf.eth0/100.rp_filter`.
    """
    return path.translate(_NAME)


_NAME = str.maketrans("/.", "./")


def _named(told: DeviceSettings) -> DeviceSettings:
    return told._replace(values={name_of(path): value for path, value in told.values.items()})


def _files(pattern: str, devices: Iterable[str]) -> Iterable[str]:
    """The files of a pattern; those of a folder for each device without a look into it.

    Args:
        pattern: Below /proc/sys.
        devices: Those whose settings are told otherwise; none where no device's are.
    """
    if devices and pattern in DEVICE_SETTING_FILES:
        return [pattern.replace("*", each) for each in ("all", "default")]
    if devices and pattern.startswith(_NEIGHBOURS):
        return [pattern.replace("*", each) for each in ("default", *devices)]
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
