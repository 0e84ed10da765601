"""A rule, a route and an interface in a few words, for rows and for the detail pane."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from calitop.formats.spec import counts_early, spec
from calitop.model.network import Route
from calitop.model.rules import Rule

if TYPE_CHECKING:
    from calitop.model.matches import Match
    from calitop.model.targets import SetMark, Target

VERDICTS = {"ACCEPT": "accept", "DROP": "deny", "REJECT": "deny"}
"""Look of the targets that end a packet's way through a table."""

OWNER_SIGNS = {"calico": "cal", "cilium": "cil", "kube-proxy": "kub", "docker": "doc", "kernel": "ker"}
"""The owners that have a colour of their own, in three letters."""


def owner_sign(owner: str | None, unknown: str) -> str:
    """Three letters for the owner."""
    return unknown if owner is None else OWNER_SIGNS.get(owner, owner[:3])


def owner_look(owner: str | None) -> str:
    """Name of the owner's look."""
    return "dim" if owner is None else owner if owner in OWNER_SIGNS else "other"


def is_loud(rule: Rule) -> bool:
    """Whether the rule throws packets away, all that it counts."""
    return VERDICTS.get((rule.target or "").upper()) == "deny" and not counts_early(rule)


@lru_cache(maxsize=8192)
def rule_conditions(rule: Rule) -> str:
    """The rule's matches in the source's words, without comments and module names."""
    from calitop.model.matches import Always, Comment

    matches = (match for match in spec(rule).matches if not isinstance(match, Comment))
    if rule.language == "nft":  # its `counter` stands in the columns
        matches = (match for match in matches if not isinstance(match, Always) or match.words != ("counter",))
    return " ".join(words for match in matches if (words := _match_words(match)))


def _match_words(match: Match) -> str:
    words = list(match.words)
    while len(words) > 2 and words[0] == "-m":
        del words[:2]
    return " ".join(words)


_FELIX_HASH = re.compile(r"cali:[\w-]*(?:; ?)?")
"""In iptables a comment of its own, in nftables the beginning of the one comment there is."""


@lru_cache(maxsize=8192)
def rule_comment(rule: Rule) -> str:
    """What the rule's authors say of it; Felix' own hash is no remark."""
    texts = (
        _FELIX_HASH.sub("", text, count=1) if text[:5] == "cali:" else text for text in spec(rule).comments
    )
    return "; ".join(text for text in texts if text)


@lru_cache(maxsize=8192)
def rule_action(rule: Rule) -> str:
    """Target with its options, short; empty for a rule that only counts."""
    return ", ".join(_target_words(target) for target in spec(rule).targets) or (rule.target or "")


def map_key_words(rule: Rule) -> str:
    """What a rule looks up in a verdict map (`iifname`); empty for a rule without one."""
    options = (option for target in spec(rule).targets for option in target.options)
    return " ".join(next((option.values for option in options if option.name == "key"), ()))


def _target_words(target: Target) -> str:
    from calitop.model.targets import SetMark

    if isinstance(target.action, SetMark) and target.name in ("MARK", "CONNMARK"):
        return f"{target.name} {_mark_words(target.action)}"
    words = target.words
    if len(words) > 1 and words[0] in ("-j", "-g", "--jump", "--goto"):
        words = words[1:]
    return " ".join(words) or target.name


def _mark_words(action: SetMark) -> str:
    if action.value == 0:
        return f"clear {action.mask:#x}"
    if action.mask == 0:
        return f"flip {action.value:#x}"
    if action.value == action.mask:
        return f"set {action.value:#x}"
    return f"{action.value:#x} in {action.mask:#x}"


def route_devices(route: Route) -> str | None:
    """Devices that the route leaves by."""
    if route.dev:
        return route.dev
    return "+".join(hop.dev for hop in route.nexthops if hop.dev) or None
