"""What moved on one node in lines: in the order a packet meets it, then what no rule shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from calitop.hits.statistics import TELLING, meaning
from calitop.report.text import number
from widgets import numbers
from widgets.answer_line import Line, Place, title, wrapped
from widgets.pieces import Piece
from widgets.signs import Signs
from widgets.text import cell, plain, shorten_end, width_of
from widgets.view import LinkId, RuleId, route_id
from widgets.wording import is_loud, rule_action, rule_comment, rule_conditions

if TYPE_CHECKING:
    from calitop.hits.moved import Moved, NodeHits
    from calitop.verdict.hooks import HookHits

BAR = 5
"""Cells of the bar that shows which part of the packets came by."""
ROOMY = 100
"""Cells from which the bar's part is written out beside it."""

_AMOUNT, _TABLE, _NUMBER = 8, 9, 6


@dataclass(frozen=True, slots=True)
class Showing:
    """How the answer is shown, on which terminal."""

    width: int
    """Cells of a line."""
    signs: Signs
    expected: int | None = None
    """Packets that a bar is measured by."""
    by_hook: bool = False
    only_flow: bool = False
    flow_key: str = "i"
    """Shows again what only_flow hides."""


def node_lines(node: NodeHits, hooks: Sequence[HookHits], how: Showing) -> Iterator[Line]:
    """Everything that moved on one node."""
    others = [each for each in node.moved if each.flow is False]
    order = "PER HOOK" if how.by_hook else "IN ORDER"
    of = "" if how.expected is None else f"   of {how.expected} packets"
    yield title(f"{order} on {node.name}   {len(node.moved) - len(others)} moved{of}", how.width)
    for hook in hooks:
        yield from _hook(node, hook, how)
    if len(node.moved) == len(others):
        yield Line((Piece("   no rule and no policy counted", "dim"),))
    if others:
        yield from _others(node, others, how)
    yield from _kernel(node, how.width)
    yield from _links(node)
    yield from _resets(node, how.width)


def _hook(node: NodeHits, hook: HookHits, how: Showing) -> Iterator[Line]:
    if how.by_hook:
        yield title(f"  {hook}", how.width)
    for base in hook.bases:
        own = [each for each in base.moved if each.flow is not False]
        if how.by_hook and own:
            yield from wrapped(f"     {base}", how.width, "dim")
        yield from (_moved(node.name, each, how) for each in own)
    for leg in hook.legs:
        yield from wrapped(f"   routing  {leg}", how.width, "", Place(node.name, route_id(leg.route)))
    for fact in hook.taken:
        yield from wrapped(f"   routing  {fact}", how.width, "hot")


def _others(node: NodeHits, others: Sequence[Moved], how: Showing) -> Iterator[Line]:
    if how.only_flow:
        words = f"   {len(others)} that cannot be of this flow are hidden: {how.flow_key} shows them"
        yield from wrapped(words, how.width, "dim")
        return
    yield title(f"CANNOT BE OF THIS FLOW on {node.name}   {len(others)} moved", how.width)
    yield from (_moved(node.name, each, how) for each in others)


def _moved(node: str, each: Moved, how: Showing) -> Line:
    signs = how.signs
    loud = _is_loud(each) and each.flow is not False and each.packets > 0
    amount = numbers.since(each.delta.packets, each.delta.exact, _AMOUNT, signs)
    table = f"{'' if each.key.family == 'ipv4' else '6 '}{each.key.table or '?'}"
    place = "policy" if each.index is None else number(each.number)
    part = _part(each, how)
    room = how.width - (1 + _AMOUNT + 1 + len(part) + 1 + _TABLE + _NUMBER + 2)
    chain = max(8, min(28, room * 2 // 5))
    look = "dim" if each.flow is False else ""
    words = shorten_end(plain(_words(each, signs)), max(0, room - chain), signs.cut)
    return Line(
        (
            Piece(signs.alarm, "alarm", "alarm") if loud else Piece(" "),
            Piece(cell(amount, _AMOUNT, True), "alarm" if loud else look or "warm"),
            Piece(
                " " + part + " ", look or ("deny" if loud else "hot"), "part" if signs.part in part else ""
            ),
            Piece(cell(table, _TABLE, cut=signs.cut), look),
            Piece(cell(each.key.chain, chain, cut=signs.cut), look),
            Piece(cell(place, _NUMBER + 1, True, cut=signs.cut) + " ", look),
            Piece(words, look or _verdict_look(each), "goto" if _is_goto(each) else ""),
        ),
        Place(node, RuleId(each.key, each.index)),
    )


def _part(each: Moved, how: Showing) -> str:
    """Which part of the packets came by: as a bar, and in words where there is room."""
    bar = _bar(each.packets, how.expected, how.signs)
    if how.width < ROOMY or not how.expected:
        return bar
    whole = f"{how.expected} of {how.expected}"
    return f"{bar} {cell(_part_words(each, how.expected, how.signs), max(len(whole), len(PER_FLOW)))}"


PER_FLOW = "per flow"
"""In place of a part at rules of nat: they see the first packet of a flow only."""


def _part_words(each: Moved, expected: int, signs: Signs) -> str:
    if each.key.table == "nat":
        return PER_FLOW
    if each.delta.packets is None:
        return signs.unknown
    part = min(each.packets, expected)
    at_least = "" if each.delta.exact or part == expected else signs.at_least
    return f"{at_least}{part} of {expected}"


def _bar(packets: int, of: int | None, signs: Signs) -> str:
    """As many marks as the part of the packets that came by; one at least for any."""
    if not of:
        return " " * BAR
    marks = min(BAR, max(1 if packets else 0, packets * BAR // of))
    return signs.part * marks + " " * (BAR - marks)


def _is_loud(each: Moved) -> bool:
    return is_loud(each.rule) if each.rule is not None else each.text == "policy DROP"


def _verdict_look(each: Moved) -> str:
    if _is_loud(each):
        return "deny"
    return "accept" if each.rule is not None and each.rule.target == "ACCEPT" else ""


def _is_goto(each: Moved) -> bool:
    return each.rule is not None and each.rule.verb == "goto"


def _words(each: Moved, signs: Signs) -> str:
    if each.rule is None:
        return each.text.removeprefix("policy ")
    remark, action = rule_comment(each.rule), rule_action(each.rule)
    if _is_goto(each):
        action = f"{signs.goto} {action}"
    words = (action, rule_conditions(each.rule), f'"{remark}"' if remark else "")
    return "  ".join(word for word in words if word)


def _kernel(node: NodeHits, width: int) -> Iterator[Line]:
    yield title(f"WHAT NO RULE SHOWS on {node.name}", width)
    if not node.stats:
        yield Line((Piece("   no statistic of the kernel moved, or none was read", "dim"),))
    wide = max((len(name) for name in node.stats), default=0)
    for name, delta in sorted(node.stats.items(), key=lambda item: item[0] not in TELLING):
        look = "hot" if name in TELLING else ""
        words = shorten_end(meaning(name) or "", max(0, width - wide - 16))
        yield Line((Piece(f"   {name:<{wide}}  "), Piece(f"{f'+{delta}':<9}", look), Piece(f"  {words}")))


def _links(node: NodeHits) -> Iterator[Line]:
    wide = max((width_of(plain(name)) for name in node.links), default=0)
    for name, delta in node.links.items():
        text = f"rx +{number(delta.rx_packets)}  tx +{number(delta.tx_packets)}"
        dropped = (delta.rx_dropped or 0) + (delta.tx_dropped or 0)
        drops = f"  dropped rx +{number(delta.rx_dropped)} tx +{number(delta.tx_dropped)}" if dropped else ""
        pieces = (Piece(f"   {cell(name, wide)}  {text}"), Piece(drops, "hot" if dropped else ""))
        yield Line(pieces, Place(node.name, LinkId(name)))


def _resets(node: NodeHits, width: int) -> Iterator[Line]:
    if node.resets:
        older = node.counts.resets_left_out
        told = f"{len(node.resets)}, and {older} before" if older else f"{len(node.resets)}"
        yield title(f"STARTED OVER on {node.name}   {told}", width)
    for reset in node.resets:
        at = "" if reset.number is None else f" {reset.number}"
        yield from wrapped(f"   {reset.key.table or '?'} {reset.key.chain}{at}  {reset.why}", width)
