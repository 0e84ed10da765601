"""The steps of a predicted path as lines of text: a lane for each node, a heading for each hook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap

from calitop.formats.spec import spec
from calitop.model.matches import Always, Comment
from calitop.model.rules import ChainKey, Rule
from calitop.path.moved import Prediction
from calitop.path.packet import Packet
from calitop.path.passed_by import Passed, PassedBy
from calitop.path.steps import Step
from calitop.report.text import columns, number, printable
from calitop.report.trace import Told

_BETWEEN = {
    "route": "routing",
    "rp_filter": "rp_filter",
    "encapsulate": "wrapped",
    "decapsulate": "unwrapped",
    "conntrack": "conntrack",
    "bpf": "BPF",
    "deliver": "delivered",
}
"""How steps that are no rules are headed."""
_FELIX_HASH = "cali:"
_ACTION = 32
"""Columns in which actions stand; what is longer pushes the conditions to the right."""
_WIDE = 120
"""From this width on conditions stand in a column of their own."""

_Row = tuple[str, list["str | None"] | None]
"""A line as it is, or the cells of one that is aligned with all others."""


def cut(line: str, width: int) -> str:
    """A line that fits."""
    return line if len(line) <= width else line[: width - 1] + "…"


def said(text: str, key: ChainKey) -> str:
    """A rule's conditions in its own words: without its chain and its target, and without Felix' hashes."""
    told = spec(Rule(text, None, language="nft" if key.backend == "native" else "iptables"))
    remarks = [f'"{one}"' for one in told.comments if not one.startswith(_FELIX_HASH)]
    conditions = [" ".join(match.words) for match in told.matches if not isinstance(match, (Comment, Always))]
    return " ".join([*conditions, *remarks])


def step_lines(
    told: Told, steps: Sequence[Step], before: Sequence[Step], width: int, not_matching: bool
) -> Iterator[str]:
    """The lines of a way.

    Args:
        told: What is reported on.
        steps: A path's or a branch's.
        before: The path's, where `steps` are those of its branch.
        width: Columns that lines may take.
        not_matching: With the rules passed by.
    """
    passed = told.passed(steps, before) if not_matching else [Passed()] * len(steps)
    backends = {step.backend for step in steps if step.chain is not None}
    rows = list(_Rows(told, width, len(backends) > 1).of(steps, passed))
    table = iter(columns([cells for _, cells in rows if cells is not None], "   "))
    for line, cells in rows:
        yield cut(line if cells is None else next(table), width)


@dataclass(slots=True)
class _Rows:
    """Lines and rows of steps in order; each knows the step before."""

    told: Told
    width: int
    several: bool
    """Whether there are rules of several backends, which are told then."""
    last: Step | None = None

    def of(self, steps: Sequence[Step], passed: Sequence[Passed]) -> Iterator[_Row]:
        for step, rules in zip(steps, passed, strict=True):
            yield from self._headings(step)
            for one in rules.rules:
                yield from self._passed(one)
            if rules.others:
                yield f"     ({rules.others} more rules name other addresses or devices)", None
            if step.chain is None:
                yield _between(step), None
            else:
                yield "", self._rule(step)
            self.last = step

    def _headings(self, step: Step) -> Iterator[_Row]:
        """The node where it is another one, what happened in between, the hook where it is another one."""
        last = self.last
        is_new = last is None or last.node != step.node
        if is_new:
            yield "", None
            yield step.node, None
        elif last is not None and "conntrack" not in (last.kind, step.kind):
            yield from ((f"  {words}", None) for words in _changes(last.packet, step.packet))
        enters = is_new or last is None or last.chain is None or last.hook != step.hook
        if step.chain is not None and enters:
            yield f" {step.hook or '?'}{_devices(step)}", None

    def _rule(self, step: Step) -> list[str | None]:
        place = "policy" if step.kind == "policy" else number(step.number)
        words = "" if step.kind == "policy" or step.key is None else said(step.text, step.key)
        counted = [_counted(self.told.prediction, step)] if self.told.prediction is not None else []
        room = _ACTION if self.width >= _WIDE else 0
        does = f"{step.action or 'counts':<{room}}  {words}".rstrip()
        return [_table(step.key, self.several), step.chain, place, *counted, does]

    def _passed(self, one: PassedBy) -> Iterator[_Row]:
        """A rule passed by: among the others where there is room, else in lines of its own, never cut."""
        why = f"· {one.because}" if one.sure else f"· assumed not: {one.because}"
        place = [_table(one.key, self.several), one.key.chain, number(one.number)]
        if self.width >= _WIDE:
            counted = [" "] if self.told.prediction is not None else []
            yield "", [*place, *counted, why]
            return
        text = printable(f"{' '.join(place)}  {why}")
        for line in wrap(text, self.width, initial_indent="     ", subsequent_indent="       "):
            yield line, None


def _table(key: ChainKey | None, with_backend: bool) -> str:
    """The table, with its family where it is not IPv4."""
    if key is None:
        return "?"
    words: list[str] = [key.backend or "?"] if with_backend else []
    words += [] if key.family in ("ipv4", None) else [key.family]
    return " ".join([*words, key.table or "?"])


def _counted(prediction: Prediction, step: Step) -> str:
    """`+5`, `✖ +0` where a predicted rule stood still, `?` where no counter tells."""
    delta = prediction.delta(step)
    if delta is None or delta.packets is None:
        return "?"
    sign = "✖ " if prediction.agreement(step) == "still" else ""
    return f"{sign}+{delta.packets}"


def _devices(step: Step) -> str:
    """The devices of the packet at a hook, as far as it has any."""
    found = [f"{way} {dev}" for way, dev in (("in", step.packet.iif), ("out", step.packet.oif)) if dev]
    return f"  {', '.join(found)}" if found else ""


def _between(step: Step) -> str:
    """Routing, tunnels, BPF: what it is, what is done, and by what."""
    by = f"   table {step.table}: {step.text}" if step.kind == "route" and step.table else f"   {step.text}"
    more = "" if step.text in ("", step.action) else by
    return f"  {_BETWEEN[step.kind]:<10} {step.action}{more}"


def _changes(old: Packet, new: Packet) -> Iterator[str]:
    """What conntrack and nat did to the packet between two steps of a node."""
    if old.ct_state != new.ct_state and new.is_tracked:
        yield f"{'conntrack':<10} {' or '.join(sorted(new.ct_state))}{_side(new)}"
    for side, was, now in (("destination", old.dst, new.dst), ("source", old.src, new.src)):
        if was != now and old.protocol == new.protocol and now is not None:
            yield f"{'rewritten':<10} {side} {was or '?'} → {now}"


def _side(packet: Packet) -> str:
    return ", an answer" if packet.direction == "reply" else ""
