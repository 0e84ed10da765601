"""Rows of a path in columns: steps, rules passed by, rules that moved without being predicted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from calitop.path.passed_by import PassedBy
from calitop.report.text import number
from widgets import numbers
from widgets.columns import Column, fit
from widgets.path_shown import ShownMove, ShownStep
from widgets.pieces import Piece
from widgets.signs import Signs
from widgets.text import Lose, cell, plain, shorten_end, width_of
from widgets.wording import VERDICTS

_AMOUNT = 7
_WIDEST = 36
"""Cells of an action at most: lookups in a map are long, and stand in the tree."""
_KINDS = {
    "route": "routing",
    "rp_filter": "rp_filter",
    "encapsulate": "tunnel",
    "decapsulate": "tunnel",
    "conntrack": "conntrack",
    "bpf": "BPF",
    "deliver": "arrives",
}
"""What stands for the hook where a step belongs to none."""
_OF_RULES = ("chain", "number", "action", "words")
"""Columns that belong to rules; the sentence of another step takes them all."""


@dataclass(frozen=True)
class PathRows:
    """Rows of one path; all of them share the widths of the columns."""

    widths: dict[str, int]
    signs: Signs

    @classmethod
    def fitted(cls, steps: Iterable[ShownStep], width: int, signs: Signs) -> PathRows:
        """Columns as wide as those steps need, as far as they fit in."""
        room = max(0, width - 2 - _AMOUNT - 1)
        return cls({one.column.id: one.width for one in fit(_columns(list(steps)), room)}, signs)

    def heads(self, amount: str) -> Piece:
        """The columns' heads."""
        titles = (column for column in _columns(()) if column.id in self.widths)
        heads = (cell(column.title, self.widths[column.id], column.right) for column in titles)
        return Piece("  " + cell(amount, _AMOUNT, True) + " " + " ".join(heads), "dim")

    def step(self, one: ShownStep, *, is_new: bool, is_end: bool) -> Iterator[Piece]:
        """A step; `is_new` where node or hook differ from the row above, `is_end` where it is lost."""
        loud = one.agreement == "still"
        lost = is_end and not loud
        fate = "alarm" if lost else {"moved": "agreed", "still": "stood"}.get(one.agreement or "", "")
        sign = getattr(self.signs, fate) if fate else " "
        yield Piece(sign, "alarm" if lost else "hot" if loud else "accept", fate)
        warm = "warm" if one.agreement == "moved" else ""
        yield Piece(" " + cell(self._count(one), _AMOUNT, True) + " ", "hot" if loud else warm)
        step, lane = one.step, "" if is_new else "dim"
        yield from self._cells(("node", step.node, lane), ("hook", hook_words(one), lane))
        yield from self._cells(("table", _table(one), ""))
        yield from self._rule(one) if step.chain is not None else self._sentence(one, is_end)

    def passed(self, one: PassedBy, hook: str) -> Iterator[Piece]:
        """A rule that did not take the packet."""
        key = one.key
        yield Piece(
            "  " + cell("not" if one.sure else "not?", _AMOUNT, True) + " ", "dim" if one.sure else "hot"
        )
        table = f"{_family(key.family)}{key.table or ''}"
        yield from self._cells(("node", one.node, "dim"), ("hook", hook, "dim"), ("table", table, "dim"))
        yield from self._cells(("chain", key.chain, "dim"), ("number", number(one.number), "dim"))
        room = self._room("action", "words")
        yield Piece(shorten_end(plain(one.because), room, self.signs.cut), "dim")

    def unforeseen(self, shown: ShownMove) -> Iterator[Piece]:
        """A rule that moved without being predicted."""
        one = shown.moved
        look = "hot" if one.whose == "flow" else ""
        amount = numbers.since(one.delta.packets, one.delta.exact, _AMOUNT, self.signs)
        yield Piece(self.signs.unforeseen + " ", look, "unforeseen")
        yield Piece(cell(amount, _AMOUNT, True) + " ", look)
        later = "established" if one.whose == "later" else ""
        table = f"{_family(one.key.family)}{one.key.table or ''}"
        yield from self._cells(("node", one.node, ""), ("hook", later, "dim"), ("table", table, ""))
        place = "pol" if one.index is None else number(one.number)
        yield from self._cells(("chain", one.key.chain, ""), ("number", place, ""))
        yield Piece(shorten_end(plain(shown.words), self._room("action", "words"), self.signs.cut))

    def _rule(self, one: ShownStep) -> Iterator[Piece]:
        step = one.step
        yield from self._cells(("chain", step.chain or "", ""), ("number", _number(one), ""))
        look = VERDICTS.get(step.action.split(" ")[0], "")
        for piece in self._cells(("action", self._action(one), look)):
            yield piece._replace(sign=_verb(step.action))
        if "words" in self.widths:
            yield Piece(shorten_end(plain(one.words), self.widths["words"], self.signs.cut), "dim")

    def _sentence(self, one: ShownStep, is_end: bool) -> Iterator[Piece]:
        step = one.step
        text = step.action if step.text in ("", step.action) else f"{step.action}  {step.text}"
        room = self._room(*_OF_RULES)
        yield Piece(shorten_end(plain(text), room, self.signs.cut), "deny" if is_end else "")

    def _cells(self, *cells: tuple[str, str, str]) -> Iterator[Piece]:
        """Column, text and look of each, where the column is shown."""
        for name, text, look in cells:
            if name in self.widths:
                right = name == "number"
                lose: Lose = "start" if name == "node" else "middle"
                yield Piece(cell(text, self.widths[name], right, lose, self.signs.cut) + " ", look)

    def _room(self, *names: str) -> int:
        """Cells of columns that stand side by side."""
        return max(0, sum(self.widths[name] + 1 for name in names if name in self.widths) - 1)

    def _count(self, one: ShownStep) -> str:
        if one.step.chain is None:
            return ""
        if one.delta is not None:
            return numbers.since(one.delta.packets, one.delta.exact, _AMOUNT, self.signs)
        return numbers.count(one.packets, _AMOUNT, self.signs)

    def _action(self, one: ShownStep) -> str:
        """`↳ cali-FORWARD` for a jump, as in the chain tree."""
        verb, rest = _verb(one.step.action), one.step.action.partition(" ")[2]
        return f"{getattr(self.signs, verb)} {rest}" if verb else one.step.action


def _verb(action: str) -> str:
    """The field of `Signs` for an action that leads to a chain."""
    word = action.partition(" ")[0]
    return word if word in ("jump", "goto") else ""


def hook_words(one: ShownStep) -> str:
    """The hook, or what stands for it."""
    step = one.step
    return step.hook or "" if step.chain is not None else _KINDS.get(step.kind, step.kind)


def _columns(steps: Sequence[ShownStep]) -> tuple[Column, ...]:
    rules = [one.step for one in steps if one.step.chain is not None]
    return (
        Column("node", "node", 2, 6, _widest(6, (one.step.node for one in steps))),
        Column("hook", "hook", 3, 11, 11),
        Column("table", "table", 1, 6, _widest(6, map(_table, steps))),
        Column("chain", "chain", 1, 16, _widest(16, (one.chain or "" for one in rules))),
        Column("number", "#", 0, 3, _widest(3, map(_number, steps)), True),
        Column("action", "action", 0, 14, min(_WIDEST, _widest(14, (one.action for one in rules)))),
        Column("words", "rule", 4, 12, 1000),
    )


def _widest(least: int, texts: Iterable[str]) -> int:
    return max([least, *(width_of(plain(text)) for text in texts)])


def _family(family: str | None) -> str:
    return "6 " if family == "ipv6" else ""


def _table(one: ShownStep) -> str:
    return f"{_family(one.step.family)}{one.step.table}" if one.step.table else ""


def _number(one: ShownStep) -> str:
    step = one.step
    return "" if step.chain is None else "pol" if step.kind == "policy" else number(step.number)
