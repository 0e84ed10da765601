"""What a rule's target does to the packet's way through the table."""

from __future__ import annotations

from calitop.formats.spec import counts_early
from calitop.model.rules import Rule

ENDING = frozenset(("ACCEPT", "DROP", "REJECT", "QUEUE", "NFQUEUE", "STOLEN", "TPROXY"))
"""Targets that end a packet's way through the table."""
LOSING = frozenset(("DROP", "REJECT"))
PASSING = frozenset(
    ("MARK", "CONNMARK", "LOG", "NFLOG", "ULOG", "CT", "NOTRACK", "TRACE", "AUDIT", "TOS", "DSCP", "TTL")
) | frozenset(("HL", "CHECKSUM", "TCPMSS", "CLASSIFY", "SECMARK", "CONNSECMARK", "SET", "RATEEST"))
"""Targets after which the packet meets the next rule."""


def may_lose(rule: Rule) -> bool:
    """Whether the rule drops or rejects some of what it matches; a verdict map may do other things too."""
    return any(target in LOSING for target in (*rule.targets, rule.target))


def loses(rule: Rule) -> bool:
    """Whether the rule drops or rejects whatever it counts."""
    return may_lose(rule) and len(set(rule.targets)) < 2 and not counts_early(rule)
