"""What a rule says, for both languages: made when it is first asked for, then kept.

Opening 50,000 rules must not parse them all; most are never looked at in detail.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from calitop.formats.iptables_quick import quick_comments
from calitop.model.rules import Language, Rule

if TYPE_CHECKING:
    from calitop.model.spec import RuleSpec

_KEPT = 16_384
"""Specs kept; each takes about 2 KiB."""


def spec(rule: Rule) -> RuleSpec:
    """The rule's matches in order, its target with its options, its comments; never raises."""
    return spec_of_text(rule.text, rule.language)


def comments(rule: Rule) -> tuple[str, ...]:
    """The rule's comments in order; many times cheaper than `spec` where all rules are asked."""
    if rule.language == "iptables":
        found = quick_comments(rule.text)
        if found is not None:
            return found
    return spec(rule).comments


def counts_early(rule: Rule) -> bool:
    """Whether the rule counts packets that it may not match: its counter stands before a condition (nft)."""
    if rule.language == "iptables" or "counter" not in rule.text:
        return False
    from calitop.model.matches import Always, Comment

    matches = spec(rule).matches
    counter = next((at for at, match in enumerate(matches) if match.words[:1] == ("counter",)), len(matches))
    return any(not isinstance(match, Comment | Always) for match in matches[counter + 1 :])


@lru_cache(maxsize=_KEPT)
def spec_of_text(text: str, language: Language = "iptables") -> RuleSpec:
    """The same as `spec` for a rule's text alone."""
    # Imported late: the records of matches cost a tenth of the time to the first frame.
    if language == "nft":
        from calitop.formats.nft_spec import nft_spec

        return nft_spec(text)
    from calitop.formats.iptables_spec import iptables_spec

    return iptables_spec(text)
