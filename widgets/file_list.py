"""Every file that was read, what it was taken for, and what could not be understood in it."""

from __future__ import annotations

from collections.abc import Sequence

from calitop.counters.counts import Reset
from calitop.model.node import NodeState, SourceFile
from widgets.facts import Fact, chain_words
from widgets.lines import FactList
from widgets.signs import UNICODE, Signs
from widgets.text import plain, wrap


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
                facts.append(Fact(f"        {problem.text}", "dim"))
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

    def lay_out(self, width: int) -> Sequence[Fact]:
        """Every fact wrapped, its other lines as far in as the first."""
        room = max(8, width - 2)
        return [
            Fact(_indent(fact.text) + line, fact.look)
            for fact in file_facts(self._state, self._resets)
            for line in wrap(fact.text.strip(), room - len(_indent(fact.text)))
        ]

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
