"""A predicted path in lines: the verdict, what decides it, the steps, what moved beside them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from calitop.path.steps import Branch, PathVerdict
from calitop.report.text import plural
from calitop.verdict.words import where_words
from widgets.answer_line import Place
from widgets.path_rows import PathRows, hook_words
from widgets.path_shown import ShownBranch, ShownPath, ShownStep
from widgets.pieces import Piece
from widgets.signs import Signs
from widgets.text import plain, shorten_end, width_of, wrap
from widgets.view import RuleId

LOOKS: dict[PathVerdict, str] = {
    "delivered": "accept",
    "dropped": "alarm",
    "rejected": "alarm",
    "left": "hot",
    "undecided": "hot",
}
_LABEL = 9
_FITS = {True: "  (what moved fits this)", False: "  (what moved speaks against this)", None: ""}
_NO_MOMENTS = "one moment of each node: nothing moved that the prediction could be compared with"


class PathLine(NamedTuple):
    """One line, and what enter does on it."""

    pieces: tuple[Piece, ...]
    place: Place | None = None
    branch: int | None = None
    """The branch that the line is about."""
    at: Hashable = None
    """What the line shows, by which it is found again in another layout."""


@dataclass(frozen=True)
class Showing:
    """How a path is shown, on which terminal."""

    width: int
    """Cells of a line."""
    signs: Signs
    opened: Set[int] = frozenset()
    """Branches whose steps are shown."""
    with_passed: bool = False
    """With the rules that did not match."""


def verdict_words(verdict: PathVerdict, signs: Signs) -> str:
    """The verdict with the sign that stands beside its colour."""
    sign = verdict_sign(verdict)
    return f"{getattr(signs, sign) if sign else '?'} {verdict.upper()}"


def verdict_sign(verdict: PathVerdict) -> str:
    """The field of `Signs` for it; empty for undecided."""
    return {"delivered": "passed", "undecided": "", "left": "goto"}.get(verdict, "alarm")


def path_lines(shown: ShownPath, how: Showing) -> Iterator[PathLine]:
    """The whole path."""
    return _Layout(shown, how).lines()


@dataclass(frozen=True)
class _Layout:
    shown: ShownPath
    how: Showing

    @cached_property
    def _rows(self) -> PathRows:
        return PathRows.fitted(self.shown.all_steps, self.how.width, self.how.signs)

    def lines(self) -> Iterator[PathLine]:
        path = self.shown.path
        yield from self._verdict()
        yield from self._labelled("but", [self.shown.remark] if self.shown.remark else [])
        yield from self._ends()
        yield from self._labelled("collect", path.missing)
        yield from self._labelled("assumed", path.assumed)
        yield from self._labelled("counters", [self._tally(), *self._open_mark()])
        yield PathLine(())
        title = "STEPS ON EVERY WAY" if path.branches else "STEPS"
        yield self._title(f"{title}   {len(path.steps)}")
        if path.steps:
            yield PathLine(
                (self._rows.heads("packets" if self.shown.unpredicted is None else "since"),), at="heads"
            )
        yield from self._steps(self.shown.steps, None)
        for at, branch in enumerate(self.shown.branches):
            yield from self._branch(at, branch)
        yield from self._unpredicted()

    # The answer ------------------------------------------------------------------------

    def _verdict(self) -> Iterator[PathLine]:
        path, place = self.shown.path, self.shown.place
        because = "it depends on what nothing tells that was read" if path.branches else path.because
        head = f" {verdict_words(path.verdict, self.how.signs)} "
        first, *rest = wrap(because, max(10, self.how.width - width_of(head) - 1))
        verdict = Piece(head, LOOKS[path.verdict], verdict_sign(path.verdict))
        yield PathLine((verdict, Piece(f" {first}", "strong")), place, at="verdict")
        blank = " " * (width_of(head) + 1)
        yield from (PathLine((Piece(blank + line, "strong"),), place) for line in rest)

    def _ends(self) -> Iterator[PathLine]:
        """Each end in one line, from which enter leads to the whole of it."""
        signs = self.how.signs
        fits = {True: "agreed", False: "stood", None: ""}
        for at, shown in enumerate(self.shown.branches):
            label = "could be" if at == 0 else ""
            branch = shown.branch
            words = f"{_end(branch)}, if {branch.condition}"
            room = max(10, self.how.width - _LABEL - 5)
            sign, look = fits[shown.fits], "dim" if shown.fits is None else "hot"
            pieces = (
                Piece(f" {getattr(signs, sign) if sign else ' '} ", look, sign),
                Piece(f"{label:<{_LABEL}}", look),
                Piece(shorten_end(plain(words), room, signs.cut)),
            )
            yield PathLine(pieces, branch=at)

    def _labelled(self, label: str, facts: Sequence[str], branch: int | None = None) -> Iterator[PathLine]:
        for at, fact in enumerate(facts):
            for row, text in enumerate(wrap(fact, max(10, self.how.width - _LABEL - 5))):
                head = label if at == row == 0 else ""
                pieces = (Piece(f"   {head:<{_LABEL}}", "dim"), Piece(("  " if row else "") + text))
                yield PathLine(pieces, branch=branch)

    def _tally(self) -> str:
        if self.shown.unpredicted is None:
            return _NO_MOMENTS
        told = [one.agreement for one in self.shown.steps]
        moved, still, unknown = told.count("moved"), told.count("still"), told.count("unknown")
        all_told = moved + still + unknown
        every = "" if not self.shown.branches else " on every way"
        words = [f"{moved} of {all_told} predicted rules and policies{every} moved"] if all_told else []
        words += [f"{still} stood still"] if still else []
        words += [f"of {unknown} it is not known"] if unknown else []
        own = sum(one.moved.whose == "flow" for one in self.shown.unpredicted)
        words += [f"{plural(own, 'rule or policy', 'rules and policies')} moved unpredicted"] if own else []
        if self.shown.statistic is not None:
            name, delta = self.shown.statistic
            words += [f"{name} {self.how.signs.unknown if delta is None else f'{delta:+d}'}"]
        return "; ".join(words) or "no rule is on every way: what moved is compared in each branch"

    def _open_mark(self) -> Iterator[str]:
        mark = self.shown.open_mark
        if mark is not None:
            yield f"with the mark {mark.value:#x}/{mark.known:#x} the bits are open that these rules ask"

    # Steps -----------------------------------------------------------------------------

    def _steps(self, steps: Sequence[ShownStep], branch: int | None) -> Iterator[PathLine]:
        path = self.shown.path if branch is None else self.shown.branches[branch].branch
        is_lost = path.verdict in ("dropped", "rejected")
        lane: tuple[str, str] | None = None
        for at, one in enumerate(steps):
            if self.how.with_passed:
                yield from self._passed(one, (branch, at))
            now = (one.step.node, hook_words(one))
            pieces = self._rows.step(one, is_new=now != lane, is_end=is_lost and at == len(steps) - 1)
            yield PathLine(tuple(pieces), one.place, at=(branch, at))
            lane = now

    def _passed(self, one: ShownStep, at: Hashable) -> Iterator[PathLine]:
        for n, rule in enumerate(one.passed.rules):
            pieces = tuple(self._rows.passed(rule, one.step.hook or ""))
            yield PathLine(pieces, Place(rule.node, RuleId(rule.key, rule.index)), at=("passed", at, n))
        if one.passed.others:
            words = f"{plural(one.passed.others, 'rule')} more that name another address or device"
            yield PathLine((Piece(f"      not  {words}", "dim"),))

    # Branches --------------------------------------------------------------------------

    def _branch(self, at: int, shown: ShownBranch) -> Iterator[PathLine]:
        branch, signs, is_open = shown.branch, self.how.signs, at in self.how.opened
        yield PathLine(())
        opener = "opened" if is_open else "closed"
        for row, text in enumerate(wrap(f"IF {branch.condition}", max(10, self.how.width - 4))):
            before = Piece(f" {getattr(signs, opener)} ", "strong", opener) if row == 0 else Piece("   ")
            yield PathLine((before, Piece(text, "strong")), branch=at, at=("branch", at, row))
        head = f" {verdict_words(branch.verdict, signs)} "
        text = f"{branch.because}{_FITS[shown.fits]}  ({plural(len(branch.steps), 'more step')})"
        first, *rest = wrap(text, max(10, self.how.width - width_of(head) - 4))
        end = ("branch", at, "end")
        look = LOOKS[branch.verdict].replace("alarm", "deny")  # it may be: loud is only what is certain
        yield PathLine(
            (Piece("  "), Piece(head, look, verdict_sign(branch.verdict)), Piece(f" {first}")),
            shown.place,
            at=end,
        )
        blank = " " * (width_of(head) + 3)
        yield from (PathLine((Piece(blank + line),), shown.place, at=end) for line in rest)
        if is_open:
            yield from self._steps(shown.steps, at)

    # What moved without being predicted --------------------------------------------------

    def _unpredicted(self) -> Iterator[PathLine]:
        found = self.shown.unpredicted or ()
        own = [one for one in found if one.moved.whose != "other"]
        if not found:
            return
        yield PathLine(())
        yield self._title(f"MOVED, NOT PREDICTED   {len(own)}")
        for at, one in enumerate(own):
            yield PathLine(tuple(self._rows.unforeseen(one)), one.place, at=("unpredicted", at))
        if len(found) > len(own):
            words = f"{len(found) - len(own)} more moved by other traffic"
            yield PathLine((Piece(f"   {words}", "dim"),))

    def _title(self, text: str) -> PathLine:
        return PathLine((Piece(shorten_end(f" {plain(text)}", self.how.width), "strong"),))


def _end(branch: Branch) -> str:
    """Verdict and place: `dropped by filter cali-FORWARD rule 3 on work2`."""
    where = branch.where
    if where is None:
        return branch.verdict
    at = "by" if where.kind in ("rule", "policy", "link") else "at"
    words = where.device if where.kind == "link" and where.device else where_words(where)
    return f"{branch.verdict} {at} {words}" + (f" of {where.node}" if where.node else "")
