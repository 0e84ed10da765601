"""What moved and the verdict as plain text: the answer first, then everything in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from calitop.hits.moved import Moved, NodeHits
from calitop.hits.statistics import TELLING, meaning
from calitop.report.text import columns, number, plural, printable
from calitop.verdict.answer import Answer
from calitop.verdict.hooks import HookHits
from calitop.verdict.records import Candidate
from calitop.verdict.words import where_words

_SIGNS = {"lost": "✖ LOST", "passed": "✔ PASSED", "undecided": "? UNDECIDED"}
_WIDTH = 110
"""Columns of a rule's text in a table; `--json` has it whole."""


_ASKED = {
    "flow": "which flow is meant: --from IP --to IP",
    "packets": "how many were sent: --packets N",
}


def hits_text(answer: Answer, *, by_hook: bool = False, only_flow: bool = False) -> str:
    """The whole report.

    Args:
        answer: What moved, and the verdict.
        by_hook: Under the hooks' names, with what went in and out of each.
        only_flow: Without what cannot be of the flow.
    """
    return "\n".join([*_head(answer), answer_text(answer, by_hook=by_hook, only_flow=only_flow)])


def answer_text(answer: Answer, *, by_hook: bool = False, only_flow: bool = False) -> str:
    """The report without the line that names the flow."""
    lines = _answer(answer)
    for node, hooks in zip(answer.nodes, answer.hooks, strict=True):
        lines += ["", *_node(node, hooks, by_hook, only_flow)]
    return "\n".join(lines) + "\n"


def _head(answer: Answer) -> list[str]:
    if answer.flow is None:
        return []
    sent = f"      {answer.sent} sent" if answer.sent is not None else ""
    return [printable(f"FLOW  {answer.flow.src}  →  {answer.flow.dst}{sent}"), ""]


def _answer(answer: Answer) -> list[str]:
    verdict = answer.verdict
    lines = [f"{_SIGNS[verdict.outcome]}: {verdict.because}"]
    lines += _labelled("proof", verdict.evidence)
    lines += _labelled("could be", [_could_be(each) for each in verdict.candidates])
    lines += _labelled("missing", verdict.missing)
    lines += _labelled("collect", list(dict.fromkeys(each.collect for each in verdict.candidates)))
    lines += _labelled("tell", [_ASKED[ask] for ask in answer.asks])
    return [printable(line) for line in lines]


def _labelled(label: str, facts: Sequence[str]) -> list[str]:
    return [f"  {label if at == 0 else '':<9}{fact}" for at, fact in enumerate(facts)]


def _could_be(each: Candidate) -> str:
    on = f" on {each.where.node}" if each.where.node else ""
    return f"{where_words(each.where)}{on}, if {each.condition}"


def _node(node: NodeHits, hooks: Sequence[HookHits], by_hook: bool, only_flow: bool) -> Iterator[str]:
    moved = plural(len(node.moved), "rule or policy", "rules and policies")
    yield printable(f"IN ORDER on {node.name}      {moved} moved")
    yield from _in_order(node, hooks, by_hook, only_flow)
    others = sum(each.flow is False for each in node.moved)
    if others:
        what = "left out" if only_flow else "x"
        yield f"  ({what}: {plural(others, 'place')} that cannot be of this flow)"
    yield from _section("WHAT NO RULE SHOWS", [_statistic(*each) for each in _by_telling(node)])
    yield from _section("LINKS", [_link(node, name) for name in node.links])
    yield from _section("STARTED OVER", [_reset(node, at) for at in range(len(node.resets))])


def _in_order(node: NodeHits, hooks: Sequence[HookHits], by_hook: bool, only_flow: bool) -> Iterator[str]:
    """The table of all that moved, cut where a heading or the routing stands in between."""
    rows = {id(each): _row(each) for each in node.moved if not (only_flow and each.flow is False)}
    lines = dict(zip(rows, columns(rows.values()), strict=True))
    for hook in hooks:
        if by_hook:
            yield printable(f" {hook}")
        for base in hook.bases:
            own = [lines[id(each)] for each in base.moved if id(each) in lines]
            if by_hook and own:
                yield printable(f"  {base}")
            yield from own
        yield from (printable(f"    routing  {fact}") for fact in (*hook.legs, *hook.taken))


def _row(each: Moved) -> list[str | None]:
    sign = "x" if each.flow is False else " "
    amount = f"+{number(each.delta.packets)}" + ("" if each.delta.exact else " or more")
    family = "" if each.key.family == "ipv4" else f"{each.key.family or '?'} "
    words = each.text if len(each.text) <= _WIDTH else each.text[: _WIDTH - 1] + "…"
    place = "policy" if each.index is None else number(each.number)
    return [sign, amount, f"{family}{each.key.table or '?'}", each.key.chain, place, words]


def _by_telling(node: NodeHits) -> list[tuple[str, int]]:
    """Statistics that tell of lost packets first."""
    return sorted(node.stats.items(), key=lambda item: item[0] not in TELLING)


def _statistic(name: str, delta: int) -> list[str | None]:
    return [name, f"+{delta}", meaning(name) or " "]


def _link(node: NodeHits, name: str) -> list[str | None]:
    delta = node.links[name]
    counts = [
        f"rx +{number(delta.rx_packets)}",
        f"tx +{number(delta.tx_packets)}",
        f"dropped rx +{number(delta.rx_dropped)} tx +{number(delta.tx_dropped)}",
    ]
    return [name, *counts]


def _reset(node: NodeHits, at: int) -> list[str | None]:
    each = node.resets[at]
    place = "policy" if each.number is None and not each.text else number(each.number)
    return [f"{each.key.table or '?'}", each.key.chain, place, each.why, each.text[:_WIDTH]]


def _section(title: str, rows: Sequence[Sequence[str | None]]) -> Iterator[str]:
    if rows:
        yield title
        yield from columns(rows)
