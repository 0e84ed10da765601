"""The members of one ipset over the whole screen: typing filters them, an address is looked up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input, Label

from calitop.errors import CalitopError
from tui.clipboard import copy
from widgets.key_line import KeyHint, KeyLine
from widgets.member_rows import MemberRows
from widgets.signs import Signs
from widgets.text import plain
from widgets.virtual_rows import VirtualRows

if TYPE_CHECKING:
    from calitop.set_members import SetAnswer, SetMembers
from tui.screens.files import BESIDE, MOVING_BESIDE_TYPING

LOOKS = {"in": "-in", "excepted": "-out", "out": "-out"}


class SetRead(Message):
    """The set is there, or the reason why it is not."""

    def __init__(self, members: SetMembers | None, why: str = "") -> None:
        super().__init__()
        self.members = members
        self.why = why


class SetSearched(Message):
    """Which members hold the words, and whether what they name is in the set."""

    def __init__(self, words: str, places: Sequence[int], answer: SetAnswer | None) -> None:
        super().__init__()
        self.words = words
        self.places = places
        self.answer = answer

    def can_replace(self, message: Message) -> bool:
        """Only the newest search matters."""
        return isinstance(message, SetSearched)


class SetScreen(Screen[str]):
    """One set; dismissed with the name of another set to look into, None to go back.

    Args:
        name: The set's name.
        expected: How many members it has by its header, where that is known.
        read: Gives the set, in a thread; may raise CalitopError.
        signs: Signs that the terminal can show.
    """

    BINDINGS = [
        Binding("escape", "dismiss(None)", "back", show=False),
        *MOVING_BESIDE_TYPING,
        Binding("ctrl+home", "cursor('home')", show=False),
        Binding("ctrl+end", "cursor('end')", show=False),
        Binding("f5", "read", show=False),
        *BESIDE,
    ]

    def __init__(self, name: str, expected: int | None, read: Callable[[], SetMembers], signs: Signs) -> None:
        super().__init__()
        self._set_name = name
        self._expected = expected
        self._read = read
        self._signs = signs
        self._members: SetMembers | None = None

    def compose(self) -> ComposeResult:
        """What is looked for, the members, the keys."""
        with Horizontal(id="set-search"):
            yield Label(" filter, or an address ")
            yield Input(id="set-words", compact=True)
        yield Label("", id="set-answer", markup=False)
        yield MemberRows(self._set_name, signs=self._signs, css_id="members")
        yield KeyLine()

    def on_mount(self) -> None:
        """Read in a thread; typing filters what is there."""
        self.query_one(Input).focus()
        self.query_one(KeyLine).show_hints([KeyHint(key, key, label) for key, label in _HINTS])
        self.action_read()

    @property
    def rows(self) -> MemberRows:
        """The members."""
        return self.query_one(MemberRows)

    def action_read(self) -> None:
        """Read the set, at first or again."""
        count = "the members" if self._expected is None else f"{self._expected:,} members"
        self.rows.say(f"reading {count}{self._signs.cut}")
        self.run_worker(self._work, thread=True, exclusive=True, group="read-set")

    def _work(self) -> None:
        try:
            self.post_message(SetRead(self._read()))
        except CalitopError as error:
            self.post_message(SetRead(None, str(error)))

    @on(SetRead)
    def _show(self, message: SetRead) -> None:
        self._members = message.members
        if message.members is None:
            self.rows.say(message.why)
            return
        self._expected = len(message.members.members)
        self.rows.show_set(message.members)
        self._search(self.query_one(Input).value)

    @on(Input.Changed)
    def _typed(self, message: Input.Changed) -> None:
        self._search(message.value)

    def _search(self, words: str) -> None:
        if self._members is not None:
            work = partial(self._find, self._members, words)
            self.run_worker(work, thread=True, exclusive=True, group="search-set")

    def _find(self, members: SetMembers, words: str) -> None:
        """In a thread: the members at once, the answer when it is found."""
        places = members.find(words)
        self.post_message(SetSearched(words, places, None))
        answer = members.ask(words)
        if answer is not None:
            self.post_message(SetSearched(words, places, answer))

    @on(SetSearched)
    def _found(self, message: SetSearched) -> None:
        if self._members is None or message.words != self.query_one(Input).value:
            return
        self.rows.show_places(message.places, "no member holds that")
        said, label = message.answer, self.query_one("#set-answer", Label)
        label.update("" if said is None else plain(said.words))
        for look in set(LOOKS.values()):
            label.set_class(said is not None and LOOKS.get(said.answer or "") == look, look)

    @on(Input.Submitted)
    @on(VirtualRows.Entered)
    def _entered(self) -> None:
        """A member that is a set leads to that one."""
        member = self.rows.member(self.rows.cursor) if self.rows.row_count() else None
        if member is not None and self._members is not None and self._members.lists_sets:
            self.dismiss(member.split(" ", 1)[0])

    def action_copy(self) -> None:
        """The member of the row, and what was said of the address that was asked for."""
        rows = self.rows
        member = rows.member(rows.cursor) if rows.row_count() else None
        said = str(self.query_one("#set-answer", Label).content)
        text = "\n".join(part for part in (said, member and f"{self._set_name} {member}") if part)
        copy(self.app, text, f"from set {self._set_name}" if said else f"a member of {self._set_name}")

    def action_cursor(self, how: str) -> None:
        """Move in the members."""
        self.rows.action_cursor(how)


_HINTS = (
    ("escape", "back"),
    ("up down", "move"),
    ("pageup pagedown", "page"),
    ("ctrl+end", "last"),
    ("f5", "read again"),
    ("ctrl+y", "copy"),
    ("f1", "help"),
)
