"""What the checks found as plain text: the worst first, then what was not checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from textwrap import wrap

from calitop.check.records import Checked, Finding, Severity
from calitop.report.text import plural, printable

_SIGNS = {"error": "✖ ERROR", "warning": "! WARNING", "info": "i INFO"}
_LABEL = 12
"""Columns of the labels in front of the words."""


def check_text(checked: Checked, width: int) -> str:
    """The whole report.

    Args:
        checked: What was found.
        width: Columns to wrap explanations at; evidence is never cut.
    """
    lines = [_summary(checked)]
    for found in checked.findings:
        lines += ["", *_finding(found, width)]
    if checked.not_checked:
        lines += ["", "NOT CHECKED", *_not_checked(checked, width)]
    return "\n".join(printable(line) for line in lines) + "\n"


def finding_text(found: Finding, width: int) -> str:
    """One finding for a ticket: severity, node, title, id, evidence, why, what to do, source."""
    return "\n".join(printable(line) for line in _finding(found, width)) + "\n"


def _summary(checked: Checked) -> str:
    done = plural(sum(each.done for each in checked.nodes), "check")
    told = severity_words(each.severity for each in checked.findings)
    return f"{told}; {done} done, {len(checked.not_checked)} lacked input"


def severity_words(severities: Iterable[Severity]) -> str:
    """How many there are of each."""
    counts = Counter(severities)
    errors, warnings = plural(counts["error"], "error"), plural(counts["warning"], "warning")
    return f"{errors}, {warnings}, {counts['info']} for information"


def _finding(found: Finding, width: int) -> Iterator[str]:
    yield f"{_SIGNS[found.severity]} on {found.node or '?'}: {found.title}  [{found.id}]"
    for at, each in enumerate(found.evidence):
        where = f"  (on {each.node})" if each.node else ""
        yield f"  {'evidence' if at == 0 else '':<{_LABEL - 2}}{each.text}{where}"
    for label, words in (("why", found.explain), ("do", found.fix), ("source", found.source)):
        yield from _labelled(label, words, width)


def _labelled(label: str, words: str, width: int) -> Iterator[str]:
    for at, line in enumerate(wrap(words, max(width - _LABEL, 20), break_on_hyphens=False)):
        yield f"  {label if at == 0 else '':<{_LABEL - 2}}{line}"


def _not_checked(checked: Checked, width: int) -> Iterator[str]:
    """One line for each node and missing input, with the checks that wait for it."""
    for (node, needs), ids in checked.waiting().items():
        yield f"  {node or '?'}: needs {needs}"
        yield from (
            f"      {line}" for line in wrap(", ".join(ids), max(width - 6, 20), break_on_hyphens=False)
        )
