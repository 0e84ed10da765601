"""What one rule says: its matches in order, its target with its options, its comments.

Made from a rule's text by `calitop.formats.spec.spec`, for both languages. All matches of
a rule must hold (logical and).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from calitop.model.matches import Comment, Match, Unknown
from calitop.model.rules import Verb
from calitop.model.targets import Target

M = TypeVar("M", bound=Match)


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """One rule, understood as far as calitop can."""

    words: tuple[str, ...]
    """Every word of the text, unquoted; `head`, the matches and the targets share them out."""
    head: tuple[str, ...] = ()
    """Command and chain (`-A`, `INPUT`)."""
    matches: tuple[Match, ...] = ()
    """In the order of the source."""
    targets: tuple[Target, ...] = ()
    """At most one for iptables; nft rules may do several things in order."""
    problems: tuple[str, ...] = ()
    """What could not be read in it, for people."""

    @property
    def chain(self) -> str | None:
        """The chain that the text itself names; None for nft."""
        return self.head[1] if len(self.head) > 1 else None

    @property
    def target(self) -> Target | None:
        """The last thing the rule does: verdict, jump or action; None for a rule that only counts."""
        return self.targets[-1] if self.targets else None

    @property
    def verb(self) -> Verb | None:
        """`goto` or `jump`; None without target."""
        return self.targets[-1].verb if self.targets else None

    @property
    def comments(self) -> tuple[str, ...]:
        """All comments in order."""
        return tuple(match.text for match in self.matches if isinstance(match, Comment))

    @property
    def exact(self) -> bool:
        """Whether every match can be evaluated, given the packet and the node's state."""
        return not any(isinstance(match, Unknown) for match in self.matches)

    def find(self, kind: type[M]) -> Iterator[M]:
        """The matches of one kind, in order."""
        return (match for match in self.matches if isinstance(match, kind))
