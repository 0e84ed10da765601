"""The members of one ipset, one line each, and whom they belong to."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING

from widgets.columns import Column, fit
from widgets.pieces import Piece
from widgets.signs import UNICODE, Signs
from widgets.text import cell, plain
from widgets.virtual_rows import VirtualRows

if TYPE_CHECKING:
    from calitop.set_members import SetMembers


class MemberRows(VirtualRows):
    """Pane of a set's members, or of those that were searched for."""

    def __init__(self, name: str, *, signs: Signs = UNICODE, css_id: str | None = None) -> None:
        super().__init__(signs=signs, css_id=css_id)
        self._name = name
        self._set: SetMembers | None = None
        self._places: Sequence[int] = ()

    def say(self, why: str) -> None:
        """Show no members, and why."""
        self.empty_because = plain(why)
        self._places = ()
        self.rows_changed()

    def show_set(self, members: SetMembers) -> None:
        """Show all members of a set."""
        self._set = members
        self.forget_strips()
        self.show_places(members.find(""), "the set is empty")

    def show_places(self, places: Sequence[int], else_say: str) -> None:
        """Show these members only."""
        self.empty_because = else_say
        if places != self._places or not places:
            self._places = places
            self.rows_changed()
            self.move_to(0)

    def member(self, line: int) -> str | None:
        """The member of a line in ipset's words."""
        return None if self._set is None else self._set.members[self._places[line]]

    def row_count(self) -> int:
        """Number of members shown."""
        return len(self._places)

    def row_id(self, line: int) -> Hashable:
        """Place of the member in the set."""
        return self._places[line]

    def row_face(self, line: int) -> Hashable:
        """A member never changes its look."""
        return None

    def line_of(self, row_id: Hashable) -> int | None:
        """The line is looked for anew after each search: the cursor starts at the first."""
        return None

    def columns(self) -> Sequence[Column]:
        """The member as ipset writes it, and whom it belongs to where anybody is known."""
        if self._set is None:
            return ()
        member = Column("member", "member", 0, 18, max(18, self._set.widest))
        return (member, Column("who", "belongs to", 1, 12, 80)) if self._set.owners else (member,)

    def row_pieces(self, line: int, width: int) -> Iterable[Piece]:
        """The member's cells."""
        if self._set is None:
            return
        place = self._places[line]
        texts = {"member": self._set.members[place], "who": self._set.who(place) or self.signs.unknown}
        for column in fit(self.columns(), width):
            name = column.column.id
            yield Piece(" " if name == "who" else "")
            yield Piece(cell(texts[name], column.width, cut=self.signs.cut), "dim" if name == "who" else "")

    def pane_title(self) -> str:
        """Name and type of the set, and how many of its members are shown."""
        if self._set is None:
            return f"Set {self._name}"
        every, some = len(self._set.members), len(self._places)
        count = f"{every:,} members" if some == every else f"{some:,} of {every:,} members"
        options = " ".join(" ".join(pair) for pair in self._set.ipset.options if pair[0] in _TOLD)
        return f"Set {self._name}  {self._set.ipset.type}  {count}  {options}".rstrip()


_TOLD = ("family", "timeout", "range", "netmask")
"""Options that say what can be in the set; the others are about its memory."""
