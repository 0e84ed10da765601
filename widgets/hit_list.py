"""The answer line by line: the verdict, what moved in order, what no rule shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from calitop.hits.flow import likely_packets
from calitop.hits.statistics import TELLING, meaning
from calitop.report.text import number
from calitop.verdict.words import where_words
from widgets import numbers
from widgets.facts import Fact
from widgets.lines import LineList
from widgets.pages import hung
from widgets.pieces import Piece
from widgets.signs import UNICODE, Signs
from widgets.text import cell, plain, shorten_end, width_of, wrap
from widgets.view import LinkId, RuleId
from widgets.wording import is_loud, rule_action, rule_comment, rule_conditions

if TYPE_CHECKING:
    from calitop.hits.moved import Moved, NodeHits
    from calitop.verdict.answer import Answer
    from calitop.verdict.records import Candidate, Verdict

BAR = 5
"""Cells of the bar that shows which part of the packets came by."""

_AMOUNT, _TABLE, _NUMBER = 8, 9, 6
_LOOKS = {"lost": "alarm", "passed": "accept", "undecided": "hot"}


class Place(NamedTuple):
    """Where a line leads: something on one of the nodes."""

    node: str
    subject: RuleId | LinkId


class Line(NamedTuple):
    """One line of the answer."""

    pieces: tuple[Piece, ...]
    place: Place | None = None


def answer_lines(answer: Answer, packets: int | None, width: int, signs: Signs) -> list[Line]:
    """The whole answer in lines of that width.

    Args:
        answer: What moved and the verdict.
        packets: How many were sent, as the operator says; None takes the likely number.
        width: Cells of a line.
        signs: Of the terminal.
    """
    lines = list(_verdict(answer.verdict, width, signs))
    of = packets or likely_packets(answer.nodes)
    for node in answer.nodes:
        lines += [Line(()), *_node(node, of, width, signs)]
    return lines


def _verdict(verdict: Verdict, width: int, signs: Signs) -> Iterator[Line]:
    sign = {"lost": f"{signs.alarm} LOST", "passed": f"{_passed(signs)} PASSED", "undecided": "? UNDECIDED"}
    head, look = sign[verdict.outcome], _LOOKS[verdict.outcome]
    first, *rest = wrap(verdict.because, max(10, width - len(head) - 3))
    yield Line((Piece(f" {head} ", look), Piece(f" {first}", "strong")))
    yield from (Line((Piece(" " * (len(head) + 3) + line, "strong"),)) for line in rest)
    collect = list(dict.fromkeys(each.collect for each in verdict.candidates))
    yield from _labelled("proof", verdict.evidence, width)
    yield from _labelled("could be", [_could_be(each) for each in verdict.candidates], width)
    yield from _labelled("missing", verdict.missing, width)
    yield from _labelled("collect", collect, width)


def _passed(signs: Signs) -> str:
    return "✔" if signs == UNICODE else "+"


def _labelled(label: str, facts: Sequence[str], width: int) -> Iterator[Line]:
    for at, fact in enumerate(facts):
        for row, text in enumerate(wrap(fact, max(10, width - 12))):
            head = label if at == row == 0 else ""
            yield Line((Piece(f"   {head:<9}", "dim"), Piece(("  " if row else "") + text)))


def _could_be(each: Candidate) -> str:
    on = f" on {each.where.node}" if each.where.node else ""
    return f"{where_words(each.where)}{on}, if {each.condition}"


def _node(node: NodeHits, of: int | None, width: int, signs: Signs) -> Iterator[Line]:
    own = [each for each in node.moved if each.flow is not False]
    others = [each for each in node.moved if each.flow is False]
    told = "" if of is None else f"   bar: of {of}"
    yield _title(f"IN ORDER on {node.name}   {len(own)} moved{told}", width)
    yield from (_moved(node.name, each, of, width, signs) for each in own)
    if not own:
        yield Line((Piece("   no rule and no policy counted", "dim"),))
    if others:
        yield _title(f"CANNOT BE OF THIS FLOW on {node.name}   {len(others)} moved", width)
        yield from (_moved(node.name, each, of, width, signs) for each in others)
    yield from _kernel(node, width)
    yield from _links(node, width)
    if node.resets:
        yield _title(f"STARTED OVER on {node.name}   {len(node.resets)}", width)
        for reset in node.resets:
            at = "" if reset.number is None else f" {reset.number}"
            yield from _facts(f"   {reset.key.table or '?'} {reset.key.chain}{at}  {reset.why}", width)


def _title(text: str, width: int) -> Line:
    return Line((Piece(shorten_end(f" {plain(text)}", width), "strong"),))


def _facts(text: str, width: int) -> Iterator[Line]:
    for fact in hung(Fact(plain(text)), width):
        yield Line((Piece(fact.text),))


def _moved(node: str, each: Moved, of: int | None, width: int, signs: Signs) -> Line:
    loud = _is_loud(each) and each.flow is not False and each.packets > 0
    amount = numbers.since(each.delta.packets, each.delta.exact, _AMOUNT, signs)
    table = f"{'' if each.key.family == 'ipv4' else '6 '}{each.key.table or '?'}"
    place = "policy" if each.index is None else number(each.number)
    room = width - (1 + _AMOUNT + 1 + BAR + 1 + _TABLE + _NUMBER + 2)
    chain = max(8, min(28, room * 2 // 5))
    look = "dim" if each.flow is False else ""
    words = shorten_end(plain(_words(each, signs)), max(0, room - chain), signs.cut)
    return Line(
        (
            Piece(signs.alarm if loud else " ", "alarm" if loud else ""),
            Piece(cell(amount, _AMOUNT, True), "alarm" if loud else look or "warm"),
            Piece(" " + _bar(each.packets, of, signs) + " ", look or ("deny" if loud else "hot")),
            Piece(cell(table, _TABLE, cut=signs.cut), look),
            Piece(cell(each.key.chain, chain, cut=signs.cut), look),
            Piece(cell(place, _NUMBER + 1, True, cut=signs.cut) + " ", look),
            Piece(words, look or _verdict_look(each)),
        ),
        Place(node, RuleId(each.key, each.index)),
    )


def _bar(packets: int, of: int | None, signs: Signs) -> str:
    """As many marks as the part of the packets that came by; one at least for any."""
    if not of:
        return " " * BAR
    marks = min(BAR, max(1 if packets else 0, packets * BAR // of))
    return signs.live * marks + " " * (BAR - marks)


def _is_loud(each: Moved) -> bool:
    return is_loud(each.rule) if each.rule is not None else each.text == "policy DROP"


def _verdict_look(each: Moved) -> str:
    if _is_loud(each):
        return "deny"
    return "accept" if each.rule is not None and each.rule.target == "ACCEPT" else ""


def _words(each: Moved, signs: Signs) -> str:
    if each.rule is None:
        return each.text.removeprefix("policy ")
    remark, action = rule_comment(each.rule), rule_action(each.rule)
    if each.rule.verb == "goto":
        action = f"{signs.goto} {action}"
    words = (action, rule_conditions(each.rule), f'"{remark}"' if remark else "")
    return "  ".join(word for word in words if word)


def _kernel(node: NodeHits, width: int) -> Iterator[Line]:
    yield _title(f"WHAT NO RULE SHOWS on {node.name}", width)
    if not node.stats:
        yield Line((Piece("   no statistic of the kernel moved, or none was read", "dim"),))
    wide = max((len(name) for name in node.stats), default=0)
    for name, delta in sorted(node.stats.items(), key=lambda item: item[0] not in TELLING):
        look = "hot" if name in TELLING else ""
        words = shorten_end(meaning(name) or "", max(0, width - wide - 16))
        yield Line((Piece(f"   {name:<{wide}}  "), Piece(f"{f'+{delta}':<9}", look), Piece(f"  {words}")))


def _links(node: NodeHits, width: int) -> Iterator[Line]:
    wide = max((width_of(plain(name)) for name in node.links), default=0)
    for name, delta in node.links.items():
        text = f"rx +{number(delta.rx_packets)}  tx +{number(delta.tx_packets)}"
        dropped = (delta.rx_dropped or 0) + (delta.tx_dropped or 0)
        drops = f"  dropped rx +{number(delta.rx_dropped)} tx +{number(delta.tx_dropped)}" if dropped else ""
        pieces = (Piece(f"   {cell(name, wide)}  {text}"), Piece(drops, "hot" if dropped else ""))
        yield Line(pieces, Place(node.name, LinkId(name)))


class HitList(LineList[Line]):
    """Pane of the answer; until there is one, why not."""

    def __init__(self, *, signs: Signs = UNICODE, css_id: str | None = None) -> None:
        super().__init__(signs=signs, css_id=css_id)
        self._answer: Answer | None = None
        self._packets: int | None = None
        self._said = "computing" + signs.cut

    def show_answer(self, answer: Answer, packets: int | None) -> None:
        """Show it from its first line."""
        self._answer, self._packets = answer, packets
        self.fill()
        self.move_to(0)

    def say(self, text: str) -> None:
        """Show words in place of an answer."""
        self._answer, self._said = None, text
        self.fill()

    def place(self, line: int) -> Place | None:
        """Where the line leads."""
        return self.lines[line].place if line < len(self.lines) else None

    def lay_out(self, width: int) -> Sequence[Line]:
        """The answer, or the words in its place."""
        room = max(30, width - 1)
        if self._answer is None:
            return [Line((Piece(f" {text}"),)) for text in wrap(self._said, room - 1)]
        return answer_lines(self._answer, self._packets, room, self.signs)

    def row_pieces(self, line: int, width: int) -> Iterable[Piece]:
        """The line."""
        return self.lines[line].pieces

    def pane_title(self) -> str:
        """What it is."""
        return "The answer"
