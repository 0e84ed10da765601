"""The operator's settings: `$XDG_CONFIG_HOME/calitop/config.toml`, usually under ~/.config.

[keys]
pause = "p"

[ui]
theme = "calitop-light"
interval = 2.0
signs = "ascii"
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from calitop.budget import LONGEST_S, SHORTEST_S
from calitop.errors import CalitopError
from tui.bindings import unknown_ids

toml = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")

SIGNS = ("auto", "unicode", "ascii")
_UI = ("theme", "interval", "signs")


class BadConfig(CalitopError):
    """The configuration file cannot be used."""

    exit_code = 2


@dataclass(frozen=True)
class Config:
    """What the operator set; empty where nothing was."""

    keys: Mapping[str, str] = field(default_factory=dict)
    """Keys by id of the bindings table."""
    theme: str | None = None
    interval_s: float | None = None
    signs: str = "auto"
    remarks: tuple[str, ...] = ()
    """What was not understood, to be told on the screen."""


def config_path(environment: Mapping[str, str]) -> Path:
    """Where the configuration file would be."""
    base = environment.get("XDG_CONFIG_HOME") or str(
        Path(environment.get("HOME") or "~").expanduser() / ".config"
    )
    return Path(base) / "calitop" / "config.toml"


def load_config(path: Path) -> Config:
    """The settings in a file, or none when there is no such file.

    Raises:
        BadConfig: The file cannot be read, is no TOML, or a value has a wrong type.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return Config()
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(f"cannot read '{path}': {error}", "mend it or move it away") from error
    try:
        return _config(toml.loads(text))
    except ValueError as error:
        raise BadConfig(f"cannot use '{path}': {error}", "mend it or move it away") from error


def _config(read: Mapping[str, Any]) -> Config:
    keys, ui = _section(read, "keys"), _section(read, "ui")
    for name, key in keys.items():
        if not isinstance(key, str):
            raise ValueError(f'[keys] {name} must be a text like "space" or "ctrl+s"')
    remarks = [f"[{name}] is no section" for name in read if name not in ("keys", "ui")]
    remarks += [f"[keys] {name} is no key of calitop" for name in unknown_ids(keys)]
    remarks += [f"[ui] {name} is no setting" for name in ui if name not in _UI]
    known = {name: key for name, key in keys.items() if not unknown_ids([name])}
    return Config(known, _text(ui, "theme"), _interval(ui), _signs(ui), tuple(remarks))


def _section(read: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = read.get(name, {})
    if not isinstance(section, dict):
        raise ValueError(f"{name} must be a section: [{name}]")
    return section


def _text(ui: Mapping[str, Any], name: str) -> str | None:
    value = ui.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"[ui] {name} must be a text")
    return value


def _interval(ui: Mapping[str, Any]) -> float | None:
    value = ui.get("interval")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not SHORTEST_S <= value <= LONGEST_S:
        raise ValueError(f"[ui] interval must be seconds from {SHORTEST_S:g} to {LONGEST_S:g}")
    return float(value)


def _signs(ui: Mapping[str, Any]) -> str:
    value = _text(ui, "signs") or "auto"
    if value not in SIGNS:
        raise ValueError(f"[ui] signs must be one of {', '.join(SIGNS)}")
    return value
