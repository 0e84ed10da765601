"""The verdict in lines: the sentence, its proof, what else fits and what to collect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from calitop.verdict.words import where_words
from widgets.answer_line import Line, Place
from widgets.pieces import Piece
from widgets.signs import Signs
from widgets.text import wrap
from widgets.view import LinkId, RuleId

if TYPE_CHECKING:
    from calitop.model.place import Where
    from calitop.verdict.answer import Answer
    from calitop.verdict.records import Candidate

_LOOKS = {"lost": "alarm", "passed": "accept", "undecided": "hot"}
_ASKED = {
    "flow": "which flow is meant: tab, then from and to",
    "packets": "how many were sent: tab, then packets",
}


def verdict_lines(answer: Answer, width: int, signs: Signs) -> Iterator[Line]:
    """The verdict in lines of that width; the sentence leads to the place that it blames."""
    verdict = answer.verdict
    sign = {"lost": "alarm", "passed": "passed"}.get(verdict.outcome, "")
    head = f"{getattr(signs, sign) if sign else '?'} {verdict.outcome.upper()}"
    look = _LOOKS[verdict.outcome]
    place = None if verdict.where is None else _place(answer, verdict.where)
    first, *rest = wrap(verdict.because, max(10, width - len(head) - 3))
    yield Line((Piece(f" {head} ", look, sign), Piece(f" {first}", "strong")), place)
    yield from (Line((Piece(" " * (len(head) + 3) + line, "strong"),), place) for line in rest)
    collect = list(dict.fromkeys(each.collect for each in verdict.candidates))
    yield from _labelled("proof", verdict.evidence, width)
    yield from _labelled("could be", [_could_be(each) for each in verdict.candidates], width)
    yield from _labelled("missing", verdict.missing, width)
    yield from _labelled("collect", collect, width)
    yield from _labelled("tell", [_ASKED[ask] for ask in answer.asks], width)


def _place(answer: Answer, where: Where) -> Place | None:
    """The rule or policy that moved there, else the device."""
    for node in answer.nodes:
        for each in node.moved if node.name == where.node else ():
            same = (where.family, where.backend, where.table, where.chain) == tuple(each.key)
            if same and each.number == where.number and (each.index is None) == (where.kind == "policy"):
                return Place(node.name, RuleId(each.key, each.index))
    return Place(where.node, LinkId(where.device)) if where.node and where.device else None


def _labelled(label: str, facts: Sequence[str], width: int) -> Iterator[Line]:
    for at, fact in enumerate(facts):
        for row, text in enumerate(wrap(fact, max(10, width - 12))):
            head = label if at == row == 0 else ""
            yield Line((Piece(f"   {head:<9}", "dim"), Piece(("  " if row else "") + text)))


def _could_be(each: Candidate) -> str:
    on = f" on {each.where.node}" if each.where.node else ""
    return f"{where_words(each.where)}{on}, if {each.condition}"
