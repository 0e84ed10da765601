"""Pane of a predicted path: lines that lead to rules, and branches that open and close."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from widgets.answer_line import Place
from widgets.lines import LineList
from widgets.path_lines import PathLine, Showing, path_lines
from widgets.path_shown import ShownPath, ShownStep
from widgets.pieces import Piece
from widgets.signs import UNICODE, Signs
from widgets.text import wrap

NARROWEST = 40


class PathList(LineList[PathLine]):
    """One direction of a path; until there is one, why not."""

    def __init__(self, *, signs: Signs = UNICODE, css_id: str | None = None) -> None:
        super().__init__(signs=signs, css_id=css_id)
        self.shown: ShownPath | None = None
        self._said = ""
        self._opened: frozenset[int] = frozenset()
        self._with_passed = False
        self.titled = False

    def show_path(self, shown: ShownPath) -> None:
        """Show it from its first line, branches closed."""
        self.shown, self._opened = shown, frozenset()
        self._from_the_top()

    def show_again(self, shown: ShownPath) -> None:
        """Show the same path with other numbers; the cursor stays."""
        self.shown = shown
        self._fill_around(self.at(self.cursor))

    def say(self, text: str) -> None:
        """Show words in place of a path."""
        self.shown, self._said = None, text
        self._from_the_top()

    def _from_the_top(self) -> None:
        self.fill()
        self.move_to(0)

    def at(self, line: int) -> Hashable:
        """What the line shows."""
        return self.lines[line].at if line < len(self.lines) else None

    def place(self, line: int) -> Place | None:
        """Where the line leads."""
        return self.lines[line].place if line < len(self.lines) else None

    def step(self, line: int) -> ShownStep | None:
        """The step that the line shows."""
        at = self.at(line)
        if self.shown is None or not (isinstance(at, tuple) and len(at) == 2):
            return None
        branch, number = at
        if branch == "unpredicted":
            return None
        steps = self.shown.steps if branch is None else self.shown.branches[branch].steps
        return steps[number]

    # Branches --------------------------------------------------------------------------

    def action_enter(self) -> None:
        """Open or close the branch of the line, or go to it from above; else go where the line leads."""
        line = self.lines[self.cursor] if self.cursor < len(self.lines) else None
        if line is None or line.branch is None:
            super().action_enter()
        elif line.at is None:
            self.open_branch(line.branch, True)
        else:
            self.open_branch(line.branch, line.branch not in self._opened)

    def open_branch(self, branch: int, is_open: bool) -> None:
        """Show the steps of a branch, or hide them; the cursor goes to its head."""
        self._opened = self._opened | {branch} if is_open else self._opened - {branch}
        self._fill_around(("branch", branch, 0))

    def action_side(self, how: str) -> bool:
        """Open or close the branch of the line; False where it is of none."""
        line = self.lines[self.cursor] if self.cursor < len(self.lines) else None
        branch = None if line is None else self._branch_of(line)
        if branch is None:
            return False
        self.open_branch(branch, how == "right")
        return True

    @staticmethod
    def _branch_of(line: PathLine) -> int | None:
        if line.branch is not None:
            return line.branch
        kind, which = line.at[:2] if isinstance(line.at, tuple) else (None, None)
        inside = which if kind == "branch" else kind
        return inside if isinstance(inside, int) else None

    def action_open_below(self) -> None:
        """Open all branches, or close all when they are open."""
        branches = range(len(self.shown.branches) if self.shown is not None else 0)
        at = self.at(self.cursor)
        self._opened = frozenset() if self._opened >= set(branches) else frozenset(branches)
        self._fill_around(at)

    def show_passed(self, is_shown: bool) -> None:
        """Show the rules that did not match, or hide them; the cursor stays on its step."""
        at = self.at(self.cursor)
        if isinstance(at, tuple) and at[0] == "passed" and not is_shown:
            at = at[1]
        self._with_passed = is_shown
        self._fill_around(at)

    # Lines -----------------------------------------------------------------------------

    def _fill_around(self, at: Hashable) -> None:
        """Lay out anew; the cursor goes to the line that shows the same."""
        self.fill()
        line = next((n for n, line in enumerate(self.lines) if at is not None and line.at == at), None)
        if line is not None:
            self.move_to(line)

    def lay_out(self, width: int) -> Sequence[PathLine]:
        """The path, or the words in its place."""
        room = max(NARROWEST, width - 1)
        if self.shown is None:
            texts = [text for part in self._said.splitlines() for text in wrap(part, room - 1)]
            return [PathLine((Piece(f" {text}"),)) for text in texts]
        how = Showing(room, self.signs, self._opened, self._with_passed)
        return list(path_lines(self.shown, how))

    def painted_heads(self) -> list[str]:
        """The heads stand in a line that scrolls."""
        lines = (self.lines[line] for line in self.visible_lines())
        return [word for line in lines if line.at == "heads" for word in line.pieces[0].text.split()]

    def row_pieces(self, line: int, width: int) -> Iterable[Piece]:
        """The line."""
        return self.lines[line].pieces
