"""The colours, as data: dark, light, high contrast, and the terminal's own sixteen.

A colour always has a sign beside it, so that nothing is lost without colours.
"""

from __future__ import annotations

from collections.abc import Mapping

from textual.theme import BUILTIN_THEMES, Theme

DARK = Theme(
    name="calitop-dark",
    primary="#7aa2d6",
    secondary="#5c6f86",
    accent="#e0b050",
    warning="#e0b050",
    error="#e06c60",
    success="#8fbf6f",
    foreground="#d7dae0",
    background="#14171c",
    surface="#14171c",
    panel="#20252d",
    dark=True,
    variables={
        "rows-title": "#20252d",
        "rows-focus": "#35506f",
        "rows-focus-text": "#ffffff",
        "rows-dim": "#8a93a0",
        "rows-cursor": "#2f4a6b",
        "rows-cursor-text": "#ffffff",
        "rows-cursor-blurred": "#262c35",
        "rows-related": "#2b3420",
        "heat-hot": "#ffd166",
        "alarm": "#b3261e",
        "alarm-text": "#ffffff",
        "verdict-accept": "#8fbf6f",
        "verdict-deny": "#f08a7d",
        "owner-calico": "#f2a65a",
        "owner-cilium": "#6fc3df",
        "owner-kube-proxy": "#86a8ff",
        "owner-docker": "#7fd1ae",
        "owner-kernel": "#b0b6c0",
        "owner-other": "#c9a0dc",
    },
)

LIGHT = Theme(
    name="calitop-light",
    primary="#1f5fa8",
    secondary="#5f6b7a",
    accent="#8a5a00",
    warning="#8a5a00",
    error="#b3261e",
    success="#2e6b1f",
    foreground="#1c2026",
    background="#fbfbf9",
    surface="#fbfbf9",
    panel="#e9ebee",
    dark=False,
    variables={
        "rows-title": "#e4e7eb",
        "rows-focus": "#1f5fa8",
        "rows-focus-text": "#ffffff",
        "rows-dim": "#5a6470",
        "rows-cursor": "#cfe0f5",
        "rows-cursor-text": "#000000",
        "rows-cursor-blurred": "#e6eaf0",
        "rows-related": "#e5efd2",
        "heat-hot": "#8f4700",
        "alarm": "#b3261e",
        "alarm-text": "#ffffff",
        "verdict-accept": "#2e6b1f",
        "verdict-deny": "#a3190f",
        "owner-calico": "#974a00",
        "owner-cilium": "#00607a",
        "owner-kube-proxy": "#2443b0",
        "owner-docker": "#00664a",
        "owner-kernel": "#4d5663",
        "owner-other": "#6e3a8c",
    },
)

CONTRAST = Theme(
    name="calitop-contrast",
    primary="#ffffff",
    secondary="#ffffff",
    accent="#ffff00",
    warning="#ffff00",
    error="#ff6b6b",
    success="#00ff66",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#000000",
    dark=True,
    variables={
        "rows-title": "#333333",
        "rows-focus": "#ffff00",
        "rows-focus-text": "#000000",
        "rows-dim": "#d0d0d0",
        "rows-cursor": "#003a9e",
        "rows-cursor-text": "#ffffff",
        "rows-cursor-blurred": "#333333",
        "rows-related": "#003c00",
        "heat-hot": "#ffff00",
        "alarm": "#ff0000",
        "alarm-text": "#ffffff",
        "verdict-accept": "#00ff66",
        "verdict-deny": "#ff8080",
        "owner-calico": "#ffb000",
        "owner-cilium": "#00e5ff",
        "owner-kube-proxy": "#9db8ff",
        "owner-docker": "#5fffc0",
        "owner-kernel": "#e0e0e0",
        "owner-other": "#ff9dff",
    },
)

SIXTEEN = Theme(
    name="calitop-16",
    primary="ansi_cyan",
    secondary="ansi_white",
    accent="ansi_bright_yellow",
    warning="ansi_bright_yellow",
    error="ansi_bright_red",
    success="ansi_bright_green",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    dark=True,
    ansi=True,
    variables={
        **BUILTIN_THEMES["ansi-dark"].variables,
        "rows-title": "ansi_default",
        "rows-focus": "ansi_cyan",
        "rows-focus-text": "ansi_black",
        "rows-dim": "ansi_white",
        "rows-cursor": "ansi_blue",
        "rows-cursor-text": "ansi_bright_white",
        "rows-cursor-blurred": "ansi_default",
        "rows-related": "ansi_default",
        "heat-hot": "ansi_bright_yellow",
        "alarm": "ansi_red",
        "alarm-text": "ansi_bright_white",
        "verdict-accept": "ansi_bright_green",
        "verdict-deny": "ansi_bright_red",
        "owner-calico": "ansi_yellow",
        "owner-cilium": "ansi_bright_cyan",
        "owner-kube-proxy": "ansi_bright_blue",
        "owner-docker": "ansi_green",
        "owner-kernel": "ansi_white",
        "owner-other": "ansi_magenta",
    },
)

THEMES = (DARK, LIGHT, CONTRAST, SIXTEEN)
DEFAULTS: Mapping[str, str] = DARK.variables
"""Values for themes that are not ours."""


def theme_for(environment: Mapping[str, str]) -> str:
    """Name of the theme that suits the terminal."""
    return SIXTEEN.name if environment.get("TERM") == "linux" else DARK.name
