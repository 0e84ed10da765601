"""Every file that was read, what it was taken for, and what could not be understood in it."""

from __future__ import annotations

from collections.abc import Sequence

from calitop.counters.counts import Reset
from calitop.explain.plain_facts import chain_words
from calitop.model.node import NodeState, SourceFile
from widgets.facts import Fact
from widgets.lines import FactList
from widgets.signs import UNICODE, Signs
from widgets.text import plain, wrap

_TEXT = "        "
"""Before a line that was not understood."""


def file_facts(state: NodeState, resets: Sequence[Reset] = ()) -> list[Fact]:
    """Warnings first, then counters that were restarted, then each file with its problems."""
    facts = [Fact(f"warning: {warning}", "deny") for warning in state.warnings]
    facts += [Fact(_reset_words(reset), "warm") for reset in resets]
    for one in state.files:
        facts.append(_file_fact(one))
        for problem in one.problems:
            where = "the whole file" if problem.line is None else f"line {problem.line}"
            facts.append(Fact(f"    {where}: {problem.why}", "deny"))
            if problem.text:
                facts.append(Fact(f"{_TEXT}{problem.text}", "dim"))
    return facts


def _reset_words(reset: Reset) -> str:
    number = "" if reset.number is None else f" rule {reset.number}"
    return f"counter {reset.why} since the baseline: {chain_words(reset.key)}{number}  {reset.text}".rstrip()


def _file_fact(one: SourceFile) -> Fact:
    kind = one.kind or "not recognised"
    return Fact(f"{one.file}  {kind}  {one.lines} lines", "" if one.kind else "deny")


class FileList(FactList):
    """Pane of the files."""

    def __init__(
        self,
        state: NodeState,
        resets: Sequence[Reset] = (),
        *,
        signs: Signs = UNICODE,
        css_id: str | None = None,
    ) -> None:
        super().__init__(signs=signs, css_id=css_id)
        self.empty_because = "nothing was read"
        self._state = state
        self._resets = resets
        self._facts: Sequence[Fact] = ()
        self._numbers: Sequence[int] = ()
        """For each line on screen the fact that it is of."""

    def lay_out(self, width: int) -> Sequence[Fact]:
        """Every fact wrapped, its other lines as far in as the first."""
        room = max(8, width - 2)
        self._facts = file_facts(self._state, self._resets)
        wrapped = [
            (number, Fact(_indent(fact.text) + line, fact.look))
            for number, fact in enumerate(self._facts)
            for line in wrap(fact.text.strip(), room - len(_indent(fact.text)))
        ]
        self._numbers = [number for number, _ in wrapped]
        return [fact for _, fact in wrapped]

    def words_of(self, line: int) -> str:
        """What the line is about: a problem, or what stands at the edge."""
        fact = self._facts[self._numbers[line]]
        return "the problem" if _indent(fact.text) else f"'{fact.text.partition('  ')[0]}'"

    def text_of(self, line: int) -> str:
        """The file or problem that the line is about: file, reason, what was not understood."""
        at = self._numbers[line]
        first = next(n for n in range(at, -1, -1) if len(_indent(self._facts[n].text)) < len(_TEXT))
        file = next(n for n in range(first, -1, -1) if not _indent(self._facts[n].text))
        shown = [self._facts[file].text, *([self._facts[first].text] if first != file else [])]
        after = self._facts[first + 1 : first + 2] if first != file else []
        return "\n".join([*shown, *(fact.text for fact in after if fact.text.startswith(_TEXT))])

    def go_to(self, file: str) -> None:
        """Put the cursor on a file."""
        begins = next((n for n, fact in enumerate(self.lines) if fact.text.startswith(plain(file))), 0)
        self.move_to(begins)

    def pane_title(self) -> str:
        """How much was read, and how much of it was not understood."""
        problems = sum(len(one.problems) for one in self._state.files)
        return f"Files {len(self._state.files)}  problems {problems}  warnings {len(self._state.warnings)}"


def _indent(text: str) -> str:
    return text[: len(text) - len(text.lstrip())]
