"""What one row of the chain tree says: its label in pieces, its numbers and their looks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from calitop.model.rules import ChainKey, Verb
from calitop.outline import Row
from widgets import numbers
from widgets.pieces import Piece
from widgets.signs import Signs
from widgets.text import plain, shorten_end, width_of
from widgets.view import Figures, MapId, RuleId, View
from widgets.wording import VERDICTS, is_loud, map_key_words, rule_action, rule_comment, rule_conditions


def row_place(row: Row) -> RuleId | None:
    """Whose counter the row shows; None for a row that counts nothing itself."""
    if row.key is None:
        return None
    if row.rule_index is not None:
        return RuleId(row.key, row.rule_index)
    return RuleId(row.key, None) if row.kind == "policy" else None


class RowWords:
    """Text of one row of the tree; knows no terminal."""

    def __init__(self, view: View, signs: Signs) -> None:
        self.view = view
        self.signs = signs

    def label(self, row: Row, step: int = 2) -> list[Piece]:
        """The row without its numbers, as long as it is; `step` cells of indent a level."""
        indent = Piece(" " * (step * row.depth))
        opener = self._opener(row)
        if row.rule is not None:
            return [indent, opener, *self._rule(row)]
        if row.element is not None:
            return [indent, opener, *self._element(row)]
        return [indent, opener, *self._chain(row)]

    def _opener(self, row: Row) -> Piece:
        if not row.openable:
            return Piece("  ", "dim")
        sign = "opened" if row.is_open else "closed"
        return Piece(f"{getattr(self.signs, sign)} ", "dim", sign)

    def _rule(self, row: Row) -> Iterable[Piece]:
        rule = row.rule
        assert rule is not None
        yield Piece(f"{self.signs.unknown if rule.number is None else rule.number} ", "dim")
        if row.map is not None:
            yield self._verb(rule.verb)
            yield Piece(plain(f"@{row.map.name}"), self.view.index.owner_of_map(row.map) or "")
            yield Piece(f"  {plain(map_key_words(rule))}")
        elif row.targets:
            yield self._verb(rule.verb)
            names = " ".join(target.chain for target in row.targets)
            yield Piece(plain(names), owner_of(self.view, row.targets[0]))
        elif action := plain(rule_action(rule)):
            yield Piece(action, VERDICTS.get(rule.target or "", ""))
        yield from self._marks(row)
        if conditions := plain(rule_conditions(rule)):
            yield Piece("  " + conditions)
        if comment := plain(rule_comment(rule)):
            yield Piece(f'  "{comment}"', "note")

    def _verb(self, verb: Verb | None) -> Piece:
        sign = "goto" if verb == "goto" else "jump"
        return Piece(f"{getattr(self.signs, sign)} ", "strong", sign)

    def _element(self, row: Row) -> Iterable[Piece]:
        """Key, where it leads, options and counter; the counter is that of the last whole reading."""
        assert row.map is not None and row.element is not None
        maps = self.view.index.maps
        key, value = maps.maps[row.map].elements[row.element]
        yield Piece(plain(key))
        lead = maps.lead(row.map, row.element)
        if row.targets:
            yield Piece(" ")
            yield self._verb(lead.verb if lead else None)
            yield Piece(plain(row.targets[0].chain), owner_of(self.view, row.targets[0]))
            yield from self._marks(row)
            if words := self.view.index.role_of_chain(row.targets[0]).words:
                yield Piece(f"  {plain(words)}", "dim")
        elif value is not None:
            yield Piece(f" : {plain(value)}", VERDICTS.get(lead.target if lead else "", ""))
        if said := element_words(self.view, MapId(row.map, row.element)):
            yield Piece(f"  {plain(said)}", "note")

    def _marks(self, row: Row) -> Iterable[Piece]:
        if any(not self.view.chains[target].present for target in row.targets):
            yield from self._missing()
        elif row.targets and not row.is_open:
            yield from self._moved(row.targets)

    def _missing(self) -> Iterable[Piece]:
        return Piece(" "), Piece(f"{self.signs.missing} not in this text", "note", "missing")

    def _moved(self, keys: Sequence[ChainKey]) -> Iterable[Piece]:
        if moved := sum(map(self.view.moved_in, keys)):
            yield Piece(f"  {moved} moved", "warm")

    def _chain(self, row: Row) -> Iterable[Piece]:
        title = plain(row.title)
        if row.kind == "group":
            yield Piece(title, "strong")
        elif row.kind == "policy":
            policy = None if row.chain is None else row.chain.policy
            yield Piece(title, VERDICTS.get(policy or "", ""))
        elif row.kind == "reference":
            yield Piece(f"{self.signs.above} {title}", "dim", "above")
        elif row.kind == "note":
            yield Piece(title, "note")
        elif row.map is not None:
            name, _, facts = title.partition("  ")
            yield Piece(name, self.view.index.owner_of_map(row.map) or "")
            yield Piece(f"  {facts}", "dim")
        elif row.key is not None:
            yield Piece(title, "strong" if row.kind == "hook" else owner_of(self.view, row.key))
            yield from self._chain_facts(row, row.key)

    def _chain_facts(self, row: Row, key: ChainKey) -> Iterable[Piece]:
        if row.kind == "missing":
            yield from self._missing()
            return
        if row.chain is not None and row.chain.policy:
            yield Piece(f"  policy {row.chain.policy}", "deny" if row.chain.policy == "DROP" else "dim")
        if not row.is_open:
            yield from self._moved((key,))
        words = self.view.index.role_of_chain(key).words
        if words and row.kind != "hook":
            yield Piece(f"  {plain(words)}", "dim")

    def figures(self, row: Row) -> Figures | None:
        """The row's numbers; None for a row that counts nothing itself."""
        place = row_place(row)
        return None if place is None else self.view.figures(place)

    def number(self, row: Row, figures: Figures, column: str, width: int) -> str:
        """Text of one of the number columns."""
        if column == "since":
            return self._since(row, figures, width)
        if column == "rate":
            return numbers.per_second(figures.per_s, width, self.signs)
        number = figures.packets if column == "packets" else figures.bytes
        return numbers.count(number, width, self.signs)

    def number_sign(self, row: Row, figures: Figures, column: str) -> str:
        """Field of `Signs` that stands before a number."""
        if column != "since" or (figures.since_packets or 0) <= 0:
            return ""
        return "alarm" if self._is_alarm(row, figures) else "hot" if figures.heat >= 3 else ""

    def _since(self, row: Row, figures: Figures, width: int) -> str:
        name = self.number_sign(row, figures, "since")
        sign = getattr(self.signs, name) if name else ""
        text = numbers.since(figures.since_packets, figures.exact, width - width_of(sign), self.signs)
        return sign + text

    def _is_alarm(self, row: Row, figures: Figures) -> bool:
        """Whether the row throws packets away and did so since the baseline."""
        if (figures.since_packets or 0) <= 0:
            return False
        if row.rule is not None:
            return is_loud(row.rule)
        return row.chain is not None and row.chain.policy == "DROP"

    def number_look(self, row: Row, figures: Figures, column: str) -> str:
        """Look of a number: loud, hot, warm, or dim when nothing moved."""
        if column in ("packets", "bytes") or not figures.since_packets:
            return "dim"
        if column == "rate" and not figures.per_s:
            return "dim"
        if column == "since" and self._is_alarm(row, figures):
            return "alarm"
        return {3: "hot", 2: "warm"}.get(figures.heat, "")


def element_words(view: View, place: MapId) -> str:
    """Options and counter of an element; empty where it has neither."""
    if place.at is None:
        return ""
    maps = view.index.maps
    key = maps.maps[place.key].elements[place.at][0]
    said = [maps.options(place.key).get(key, "").removeprefix("counter").strip()]
    if counter := maps.counters(place.key).get(key):
        said.append(f"{counter.packets:,} packets, {counter.bytes:,} bytes")
    return "  ".join(filter(None, said))


def owner_of(view: View, key: ChainKey) -> str:
    """Look of the chain's owner; empty for nobody's chain."""
    owner = view.index.owner_of_chain(key)
    return "" if owner is None else owner


def fit_label(pieces: Sequence[Piece], width: int, cut: str) -> list[Piece]:
    """Pieces cut and filled to exactly `width` cells."""
    fitted: list[Piece] = []
    room = width
    for piece in pieces:
        if room <= 0:
            break
        taken = shorten_end(piece.text, room, cut)
        fitted.append(piece._replace(text=taken))
        room -= width_of(taken)
    return [*fitted, Piece(" " * max(0, room))]
