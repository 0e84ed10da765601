"""A predicted path as plain text, for a terminal and for a ticket: the verdict first, then the way.

Every line is cut or wrapped to a width; the JSON object has everything whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

from calitop.path.bits import Bits
from calitop.path.moved import Between, Prediction, Unpredicted
from calitop.path.steps import Branch, Path, PathVerdict, Step
from calitop.report.text import columns, number, printable
from calitop.report.trace import Told
from calitop.report.trace_steps import cut, said, step_lines
from calitop.verdict.words import where_words

_SIGNS: dict[PathVerdict, str] = {
    "delivered": "✔ DELIVERED",
    "dropped": "✖ DROPPED",
    "rejected": "✖ REJECTED",
    "left": "→ LEFT",
    "undecided": "? UNDECIDED",
}
_FITS = {True: "fits what moved", False: "against what moved", None: "counters do not tell"}
_WHOSE = {
    "flow": "✖",
    "later": "later packets of the connection",
    "other": "other traffic: not this flow's addresses, ports or devices",
}
_FEW = 4
"""Branches up to this many stand above with their conditions; of more, these stand with the steps only."""
_LABEL = 11
_NARROWEST = 40


def trace_text(told: Told, width: int, *, not_matching: bool = False) -> str:
    """The whole report.

    Args:
        told: The prediction.
        width: Columns that lines may take.
        not_matching: With the rules passed by, and why.
    """
    lines = _report(told, max(width, _NARROWEST), not_matching)
    return "\n".join(printable(line).rstrip() for line in lines) + "\n"


def _report(told: Told, width: int, not_matching: bool) -> Iterator[str]:
    traced = told.traced
    yield from _head(told, traced.forward, width)
    if traced.reply is not None:
        yield from _labelled("answer", [_sentence(traced.reply)], width)
    elif told.request.reply:
        yield from _labelled("answer", ["none: no way delivers the packet"], width)
    if traced.asymmetry:
        yield from _labelled("asymmetry", [traced.asymmetry], width)
    yield from _labelled("packet", [_packet(told)], width)
    yield from _way(told, traced.forward, width, not_matching)
    if traced.reply is not None:
        yield from ("", "─" * min(width, 72), "THE ANSWER", "")
        yield from _head(told, traced.reply, width)
        yield from _way(told, traced.reply, width, not_matching)
    if told.prediction is not None:
        yield from _against(told.prediction, told.request.mark, width)


def _packet(told: Told) -> str:
    """`10.0.0.1 → 10.0.1.1  tcp to port 80, mark 0x10000, from work2`."""
    request = told.request
    named = (("from", request.sport), ("to", request.dport))
    ports = [f"{side} port {port}" for side, port in named if port is not None]
    steps = told.traced.forward.steps
    start = request.on or (steps[0].node if steps else None)
    words = [" ".join([request.protocol, *ports]), f"mark {request.mark}"]
    words += [f"from {start}"] if start else []
    words += [f"in by {request.dev}"] if request.dev else []
    return f"{request.src} → {request.dst}  {', '.join(words)}"


# -- the verdict


def _head(told: Told, path: Path, width: int) -> Iterator[str]:
    """The verdict in one sentence, what it depends on, what to collect."""
    yield from _wrapped(_verdict(path), width, "", "  ")
    for branch in _branches(told.prediction, path):
        yield from _branch_head(told.prediction, branch, width, len(path.branches) <= _FEW)
    yield from _labelled("collect", _numbered(path.missing), width)
    yield from _labelled("assumed", path.assumed, width)
    yield from _labelled("moved", list(_moved(told.prediction, path)), width)


def _verdict(path: Path) -> str:
    """As `_sentence`, without the ends that are listed below it."""
    if not path.branches:
        return _sentence(path)
    return f"{_SIGNS[path.verdict]}: {path.because.partition(':')[0]}"


def _sentence(path: Path | Branch) -> str:
    """Verdict, place and reason; what names a rule or a device in its reason is not told twice."""
    is_check = path.where is not None and path.where.kind in ("kernel", "route")
    return f"{_end(path) if is_check else _SIGNS[path.verdict]}: {path.because}"


def _end(path: Path | Branch) -> str:
    """Verdict and place: `✖ DROPPED on work1, rp_filter on tunl0`."""
    where = path.where
    if where is None:
        return _SIGNS[path.verdict]
    if where.kind == "link":
        return f"{_SIGNS[path.verdict]} by {where.device} of {where.node}"
    return f"{_SIGNS[path.verdict]} on {where.node}, {where_words(where)}"


def _branches(prediction: Prediction | None, path: Path) -> list[Branch]:
    """The branches, those first that fit what moved."""
    if prediction is None:
        return list(path.branches)
    order = (True, None, False)
    return sorted(path.branches, key=lambda one: order.index(prediction.fits(one.steps, one.where)))


def _branch_head(
    prediction: Prediction | None, branch: Branch, width: int, with_condition: bool
) -> Iterator[str]:
    if with_condition:
        yield from _wrapped(f"if {branch.condition}:", width, "  ", "     ")
    fits = f" ({_FITS[prediction.fits(branch.steps, branch.where)]})" if prediction is not None else ""
    indent = "     " if with_condition else "  "
    yield from _wrapped(_sentence(branch) + fits, width, indent, f"{indent}  ")


def _numbered(facts: Sequence[str]) -> list[str]:
    """What to collect, cheapest first."""
    return [f"{at}. {fact}" for at, fact in enumerate(facts, 1)] if len(facts) > 1 else list(facts)


def _moved(prediction: Prediction | None, path: Path) -> Iterator[str]:
    """Whether the counters between the moments agree with the path."""
    if prediction is None:
        return
    compared = [step for step in path.steps if prediction.agreement(step) in ("moved", "still")]
    still = [step for step in compared if prediction.agreement(step) == "still"]
    if still:
        yield (
            f"✖ {len(still)} of {len(compared)} predicted rules and policies did not move, the first of them "
            f"{_step(still[0])}: such a packet was not sent, or took another way"
        )
    elif compared:
        yield f"all {len(compared)} predicted rules and policies with counters moved"
    statistic = prediction.statistic(path.where)
    if statistic is not None:
        name, delta = statistic
        yield f"{name} {'?' if delta is None else f'{delta:+d}'}"


def _step(step: Step) -> str:
    place = "policy" if step.kind == "policy" else f"rule {number(step.number)}"
    return f"{step.table or '?'} {step.chain} {place} on {step.node}"


def _labelled(label: str, facts: Sequence[str], width: int) -> Iterator[str]:
    for at, fact in enumerate(facts):
        first = f"  {label if at == 0 else '':<{_LABEL}}"
        yield from _wrapped(fact, width, first, " " * len(first))


def _wrapped(text: str, width: int, first: str, rest: str) -> list[str]:
    return wrap(printable(text), width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)


# -- the way


def _way(told: Told, path: Path, width: int, not_matching: bool) -> Iterator[str]:
    yield from step_lines(told, path.steps, (), width, not_matching)
    for branch in _branches(told.prediction, path):
        yield ""
        yield from _wrapped(f"IF {branch.condition}", width, "", "   ")
        yield from step_lines(told, branch.steps, path.steps, width, not_matching)
        yield from _wrapped(_end(branch), width, "  ", "    ")


# -- against what moved


def _against(prediction: Prediction, mark: Bits, width: int) -> Iterator[str]:
    """What moved in the chains on the way without being predicted."""
    if prediction.unpredicted:
        yield ""
        yield "MOVED, NOT PREDICTED"
        order = sorted(prediction.unpredicted, key=lambda one: list(_WHOSE).index(one.whose))
        yield from (cut(line, width) for line in columns(_unpredicted(one) for one in order))
        yield from _labelled("ask again", list(_with_open_mark(prediction, mark)), width)
    yield ""
    for name, node in prediction.nodes.items():
        yield from _wrapped(f"{name}: {_moments(node)}", width, "", "  ")


def _with_open_mark(prediction: Prediction, mark: Bits) -> Iterator[str]:
    """The mark to ask with, where rules moved that ask bits of it."""
    less = prediction.open_mark(mark)
    if less is not None:
        yield f"with --mark {less.value:#x}/{less.known:#x}: the bits that these rules ask are open then"


def _moments(node: Between) -> str:
    first, last = (state.captured_at or "?" for state in (node.predicted, node.later))
    if node.predicted is node.later:
        return f"predicted from {last}; counters from the baseline to then"
    return f"predicted from its first moment; counters between {first} and {last}"


def _unpredicted(one: Unpredicted) -> list[str | None]:
    sign = "✖" if one.whose == "flow" else " "
    place = "policy" if one.index is None else number(one.number)
    words = said(one.text, one.key) if one.whose == "flow" else f"{_WHOSE[one.whose]}"
    amount = f"+{number(one.delta.packets)}"
    return [sign, amount, one.node, one.key.table, one.key.chain, place, words]
