"""One plain sentence for each rule: when it applies, what it does, and where control goes next."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple
from weakref import WeakKeyDictionary

from calitop.cni.index import NodeIndex
from calitop.explain.control import back, is_cut, is_last, onward
from calitop.explain.mark_words import MarkWords
from calitop.explain.match_words import alternatives, match_words
from calitop.explain.target_words import action_words, ends_table
from calitop.formats.iptables_pieces import pieces, read_piece
from calitop.formats.spec import spec
from calitop.model.matches import Match
from calitop.model.rules import ChainKey, Rule
from calitop.model.targets import Action, Nat, Target, Tproxy
from calitop.report.text import printable

_OPEN = "; whether the packet goes on behind it is not known"
"""Of a target that calitop does not know."""


class _Saying(NamedTuple):
    """What a piece of a rule says on one node."""

    clauses: tuple[str, ...]
    targets: tuple[Target, ...]


_sayings: WeakKeyDictionary[NodeIndex, dict[str, _Saying]] = WeakKeyDictionary()
"""For each node what the pieces of its rules say, those that can be told alone."""


def explain_rule(index: NodeIndex, key: ChainKey, at: int) -> str:
    """The rule in one sentence, as one line of plain text.

    Args:
        index: The node.
        key: The rule's chain.
        at: The rule's place in the chain, from 0.

    Raises:
        KeyError: No such chain.
        IndexError: No such rule.
    """
    rule = index.chains[key].rules[at]
    return printable(_Sentence(index, key, at, rule).words())


class _Sentence:
    """One rule on its way to words."""

    def __init__(self, index: NodeIndex, key: ChainKey, at: int, rule: Rule) -> None:
        self._index, self._key, self._at, self._rule = index, key, at, rule
        self._marks = MarkWords(index)
        self._clauses: list[str] = []
        self._targets: list[Target] = []
        for one in self._said():
            self._clauses += one.clauses
            self._targets += one.targets

    def _said(self) -> Sequence[_Saying]:
        """What the rule says, piece by piece; where that is not sure as a whole."""
        names = pieces(self._rule.text) if self._rule.language == "iptables" else None
        if names is not None:
            known = _sayings.get(self._index)
            if known is None:
                known = _sayings[self._index] = {}
            try:
                return [known[name] for name in names]
            except KeyError:
                if self._learn(known, names):
                    return [known[name] for name in names]
        whole = spec(self._rule)
        return [self._saying(whole.matches, whole.targets)]

    def _learn(self, known: dict[str, _Saying], names: Sequence[str]) -> bool:
        """Read the pieces that are new; whether each of them can be told alone."""
        for name in names:
            if name not in known:
                piece = read_piece(name)
                if piece is None:
                    return False
                known[name] = self._saying(piece.matches, piece.targets)
        return True

    def _saying(self, matches: tuple[Match, ...], targets: tuple[Target, ...]) -> _Saying:
        told = [match_words(match, self._marks) for match in matches]
        return _Saying(tuple(filter(None, told)), targets)

    def words(self) -> str:
        condition = f"if {_joined(self._clauses)}, " if self._clauses else ""
        done = [self._step(target) for target in self._targets[:-1]]
        last, goes_on = self._last()
        sentence = condition + ", ".join([*done, last])
        if goes_on:
            sentence += f", then go {self._onward}"
        elif self._has_others(last):
            sentence += f"; any other packet goes {self._onward}"
        return f"{sentence[0].upper()}{sentence[1:]}."

    def _has_others(self, last: str) -> bool:
        """Whether it is still to be told where packets go that do not fit the last rule of a chain."""
        if not self._clauses or not self._is_last or last.endswith("any other packet does"):
            return False
        return f"goes {self._onward}" not in last

    @property
    def _is_last(self) -> bool:
        """Whether no rule follows for sure."""
        return is_last(self._index, self._key, self._at) and not is_cut(self._index, self._key)

    @cached_property
    def _onward(self) -> str:
        return onward(self._index, self._key, self._at)

    def _back(self) -> str:
        return back(self._index, self._key)

    def _step(self, target: Target) -> str:
        """What one of several statements of a rule does."""
        if target.action is not None:
            return action_words(target.action, self._marks)
        return f"do '{' '.join(target.words) or target.name}'"

    def _last(self) -> tuple[str, bool]:
        """What the rule does last, and whether the next rule is still to be told."""
        target = self._targets[-1] if self._targets else None
        if target is None:
            return "only count the packet", True
        if target.action is not None:
            return self._action(target.action)
        if target.name == "VMAP":
            return self._mapped(target), False
        if target.name in _VERDICTS:
            return self._verdict(target.name)
        return self._chain(target)

    def _action(self, action: Action) -> tuple[str, bool]:
        done = action_words(action, self._marks)
        if not ends_table(action, self._rule.language):
            return done, True
        is_kept = isinstance(action, Nat | Tproxy)
        return (f"{done}; then {self._skipped()}" if is_kept else done), False

    def _verdict(self, name: str) -> tuple[str, bool]:
        if name == "RETURN":
            also = ", as any other packet does" if self._clauses and self._is_last else ""
            return f"stop here and go {self._back()}{also}", False
        if name == "ACCEPT":
            return f"accept the packet here: {self._skipped()}", False
        return _VERDICTS[name], name == "CONTINUE"

    def _skipped(self) -> str:
        if self._key.backend == "native":
            return "no further rule of this base chain sees it"
        return f"no further rule of table {self._key.table or '(not known)'} sees it at this hook"

    def _chain(self, target: Target) -> tuple[str, bool]:
        called = self._index.chains.get(ChainKey(*self._key[:3], target.name))
        if called is None:
            return f"do '{' '.join(target.words) or target.name}'{_OPEN}", False
        missing = "" if called.present else ", which is not in the text"
        if target.verb == "goto":
            return f"go to {target.name}{missing} for good; what it gives back goes {self._back()}", False
        return f"go through {target.name}{missing}; what it gives back goes {self._onward}", False

    def _mapped(self, target: Target) -> str:
        """A lookup in a verdict map, named or not."""
        by_key = " ".join(next((one.values for one in target.options if one.name == "key"), ()))
        found = self._index.maps.deciding(self._key, self._rule)
        named = f"the map {found.name}" if found is not None else "this map"
        verdicts = dict.fromkeys(self._verdicts(target))
        told = f": {alternatives(verdicts)}" if verdicts else ""
        gone = ""
        if any(one.startswith("goto") for one in verdicts):
            gone = f"; what a chain so gone to gives back goes {self._back()}"
        return (
            f"look up {by_key} in {named} and follow the verdict found{told}{gone}; "
            f"what finds none goes {self._onward}"
        )

    def _verdicts(self, target: Target) -> list[str]:
        found = self._index.maps.deciding(self._key, self._rule)
        if found is not None:
            return [value or "" for _, value in self._index.maps.maps[found].elements]
        return [one.values[1] for one in target.options if one.name == "element"]


_VERDICTS = {
    "ACCEPT": "accept the packet here",
    "DROP": "drop the packet",
    "RETURN": "stop here",
    "CONTINUE": "do nothing",
}


def _joined(clauses: list[str]) -> str:
    """The clauses as one; what is said of the packet twice running names it once."""
    told = [
        f"it {one[len(_PACKET) :]}" if _is_of_packet(one) and _is_of_packet(before) else one
        for before, one in pairwise(["", *clauses])
    ]
    return " and ".join(told)


def _is_of_packet(clause: str) -> bool:
    return clause.startswith(_PACKET) and not clause.startswith(_MARK)


_PACKET, _MARK = "the packet ", "the packet mark "
