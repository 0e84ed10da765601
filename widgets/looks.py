"""How stretches of rows look: names that a piece can have, and the colours behind them."""

from __future__ import annotations

from collections.abc import Mapping

LOOKS: Mapping[str, str] = {
    "title": "text-style: bold; background: $rows-title;",
    "title-focused": "text-style: bold; color: $rows-focus-text; background: $rows-focus;",
    "heads": "color: $rows-dim;",
    "cursor": "background: $rows-cursor; color: $rows-cursor-text;",
    "cursor-blurred": "background: $rows-cursor-blurred;",
    "related": "background: $rows-related;",
    "dim": "color: $rows-dim;",
    "strong": "text-style: bold;",
    "note": "color: $rows-dim; text-style: italic;",
    "link": "text-style: underline;",
    "warm": "text-style: bold;",
    "hot": "color: $heat-hot; text-style: bold;",
    "alarm": "color: $alarm-text; background: $alarm; text-style: bold;",
    "accept": "color: $verdict-accept;",
    "deny": "color: $verdict-deny;",
    "calico": "color: $owner-calico;",
    "cilium": "color: $owner-cilium;",
    "kube-proxy": "color: $owner-kube-proxy;",
    "docker": "color: $owner-docker;",
    "kernel": "color: $owner-kernel;",
    "other": "color: $owner-other;",
}
"""Each look in Textual's words; the colours are tokens of the theme."""

LOOKS_CSS = "\n".join(f"        & > .rows--{look} {{ {style} }}" for look, style in LOOKS.items())
"""The same as rules of a style sheet."""
