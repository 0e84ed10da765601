"""Devices of which only the beginning of the name is known.

A listing of pods tells that a pod is on a node, not by which device it sends; its CNI is told by the
routes, and so is the beginning of the device's name. Such a device is called `lxc+`, as iptables writes it.
"""

from __future__ import annotations

from calitop.model.values import NamePattern
from calitop.path.three import Truth, some

_SOME = "+"


def some_device(start: str) -> str:
    """The name of a device of which only the beginning is known."""
    return start + _SOME


def beginning(device: str) -> str | None:
    """What is known of the name; None where all of it is known."""
    return device.removesuffix(_SOME) if device.endswith(_SOME) else None


def is_named(own: str | None, names: tuple[NamePattern, ...]) -> Truth:
    """Whether a device is one of those that a rule names; None where it is not known well enough.

    The pattern for any name fits without a device too, as in the kernel.
    """
    if own is None:
        return True if any(name.prefix and not name.text for name in names) else None
    start = beginning(own)
    if start is None:
        return any(name.fits(own) for name in names)
    return some(_may_be(start, name) for name in names)


def may_be(own: str | None, device: str) -> bool:
    """Whether a device can be the one of a full name."""
    return is_named(own, (NamePattern(device),)) is not False


def _may_be(start: str, name: NamePattern) -> Truth:
    if name.prefix and start.startswith(name.text):
        return True
    return None if name.text.startswith(start) else False
