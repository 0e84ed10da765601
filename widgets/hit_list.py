"""The answer line by line: the verdict, what moved in order, what no rule shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from calitop.report.text import number
from widgets.answer_line import Line, Place
from widgets.copied import rule_command
from widgets.lines import LineList
from widgets.moved_lines import Showing, node_lines
from widgets.pieces import Piece
from widgets.signs import UNICODE, Signs
from widgets.text import wrap
from widgets.verdict_lines import verdict_lines
from widgets.view import RuleId

if TYPE_CHECKING:
    from calitop.verdict.answer import Answer

NARROWEST = 30


def answer_lines(answer: Answer, how: Showing) -> list[Line]:
    """The whole answer in lines."""
    lines = list(verdict_lines(answer, how.width, how.signs))
    for node, hooks in zip(answer.nodes, answer.hooks, strict=True):
        lines += [Line(()), *node_lines(node, hooks, how)]
    return lines


def line_text(answer: Answer, line: Line) -> str:
    """A line as text: of a rule or policy the whole of it, however narrow the terminal."""
    place = line.place
    for node in answer.nodes:
        for each in node.moved if place is not None and node.name == place.node else ():
            if place is not None and place.subject == RuleId(each.key, each.index):
                told = each.text if each.rule is None else rule_command(each.key, each.rule)
                return f"{node.name}: +{number(each.delta.packets)} packets  {told}"
    return "".join(piece.text for piece in line.pieces).strip()


class HitList(LineList[Line]):
    """Pane of the answer; until there is one, why not."""

    def __init__(self, *, signs: Signs = UNICODE, css_id: str | None = None) -> None:
        super().__init__(signs=signs, css_id=css_id)
        self.by_hook = False
        """Under the hooks' names, else one list in order."""
        self.only_flow = False
        """Without what cannot be of the flow."""
        self.flow_key = "i"
        """The key that changes `only_flow`, as the operator has it."""
        self._answer: Answer | None = None
        self._said = "computing" + signs.cut

    def show_answer(self, answer: Answer) -> None:
        """Show it from its first line."""
        self._answer = answer
        self.fill()
        self.move_to(0)

    def say(self, text: str) -> None:
        """Show words in place of an answer."""
        self._answer, self._said = None, text
        self.fill()

    def show_as(self, *, by_hook: bool, only_flow: bool) -> None:
        """Show it in another way; the cursor stays on what it is on, while that is shown."""
        place = self.place(self.cursor)
        self.by_hook, self.only_flow = by_hook, only_flow
        self.fill()
        line = next((n for n, line in enumerate(self.lines) if place and line.place == place), None)
        if line is not None:
            self.move_to(line)

    @property
    def verdict_height(self) -> int:
        """Lines of the verdict at the top, with its proof."""
        return next((n for n, line in enumerate(self.lines) if not line.pieces), 0)

    def place(self, line: int) -> Place | None:
        """Where the line leads."""
        return self.lines[line].place if line < len(self.lines) else None

    def lay_out(self, width: int) -> Sequence[Line]:
        """The answer, or the words in its place."""
        room = max(NARROWEST, width - 1)
        if self._answer is None:
            return [Line((Piece(f" {text}"),)) for text in wrap(self._said, room - 1)]
        expected = self._answer.expected
        how = Showing(room, self.signs, expected, self.by_hook, self.only_flow, self.flow_key)
        return answer_lines(self._answer, how)

    def row_pieces(self, line: int, width: int) -> Iterable[Piece]:
        """The line."""
        return self.lines[line].pieces

    def pane_title(self) -> str:
        """What it is."""
        return "The answer"
