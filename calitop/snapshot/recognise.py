"""From the bytes of one file to what they tell: which format, which facts, which problems.

Nothing is ever run, and no input raises: what no format understands is a problem.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from calitop.formats.catalogue import Format, formats, formats_about
from calitop.formats.fragment import Fragment
from calitop.model.node import Problem
from calitop.snapshot.adjust import apply_hint, shift_lines
from calitop.snapshot.facts import says_something
from calitop.snapshot.hints import NO_HINT, Hint, is_known_program
from calitop.snapshot.stretches import Stretch, stretches, without_problems

_BINARY_HEAD = 4096
_FENCE = "```"
_SHOWN = 200
_LEAST_SHARE = 5
"""A format must understand one line in so many: prose that quotes a rule is prose."""


@dataclass(frozen=True, eq=False)
class Reading:
    """What one text was taken for, and what it tells."""

    kind: str | None
    fragment: Fragment
    lines: int
    hint: Hint = NO_HINT
    more: tuple[Reading, ...] = ()
    """Other formats found in the lines that the first did not understand."""

    def parts(self) -> tuple[Reading, ...]:
        """This reading and those of the other formats in the same text."""
        return (self, *self.more)


def decode(data: bytes) -> str | None:
    """The text of a file; bytes that are not UTF-8 survive as surrogates.

    Returns:
        None for a binary file.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    if b"\0" in data[:_BINARY_HEAD]:
        return None
    return data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")


def recognise(text: str, hint: Hint = NO_HINT) -> Reading:
    """What a text is and what it tells.

    Args:
        text: A whole file, or the output of one command.
        hint: What a command, the manifest or the file's name says about it.

    Returns:
        A reading; its kind is None and it has one problem when no format fits.
    """
    lines = count_lines(text)
    if not text.strip():
        return _empty(hint, lines)
    if text.strip() == "[]" and formats_about(hint.topic):
        return _empty(replace(hint, succeeded=True), lines)
    bare = without_fences(text)
    found = _best(bare, _candidates(bare, hint))
    if found is None:
        return _several(bare, hint, lines) or _unknown(text, hint, lines)
    reading = _with_rest(bare, found, hint, lines)
    return replace(reading, fragment=apply_hint(reading.fragment, hint))


def count_lines(text: str) -> int:
    """Number of lines, a last one without newline included."""
    return text.count("\n") + (not text.endswith("\n") and bool(text))


def first_line(text: str) -> str:
    """The first line that is not blank, cut to a length that can be shown."""
    return next((line.strip()[:_SHOWN] for line in text.split("\n") if line.strip()), "")


def _unknown(text: str, hint: Hint, lines: int) -> Reading:
    problem = Problem(None, first_line(text), "no format that calitop knows")
    return Reading(None, Fragment(problems=(problem,)), lines, hint)


def _empty(hint: Hint, lines: int) -> Reading:
    kinds = formats_about(hint.topic)
    if not kinds:
        return Reading(None, Fragment(problems=(Problem(None, "", "empty file"),)), lines, hint)
    fragment = nothing_of(hint) if hint.succeeded else Fragment()
    return Reading(kinds[0].KIND, fragment, lines, hint)


_NOTHING: Mapping[str, Fragment] = {
    "iptables": Fragment(rulesets=()),
    "nft": Fragment(rulesets=(), without_rules=(("inet", "native"),)),
    "link": Fragment(links=()),
    "route": Fragment(routes=()),
    "route-n": Fragment(routes=()),
    "rule": Fragment(ip_rules=()),
    "neigh": Fragment(neighbours=()),
    "ipset": Fragment(sets=()),
    "conntrack": Fragment(conntrack=()),
    "tc": Fragment(bpf=()),
    "bpftool": Fragment(bpf=()),
    "cni": Fragment(cni_configs=()),
    "pods": Fragment(pods=()),
    "log-folders": Fragment(pod_signs=()),
    "cilium-state": Fragment(pod_signs=()),
    "namespaces": Fragment(pod_signs=()),
}


def nothing_of(hint: Hint) -> Fragment:
    """The statement that there are none of a kind, in a family and backend where the hint tells them."""
    fragment = _NOTHING.get(hint.topic or "", Fragment())
    if hint.topic == "iptables" and hint.backend is not None and hint.table is None and not hint.cut:
        return replace(fragment, without_rules=((hint.family or "ipv4", hint.backend),))
    return fragment


# -- markdown ---------------------------------------------------------------------------


def without_fences(text: str) -> str:
    """The text with markdown around it blanked out, so that line numbers stay.

    Only for a text that begins with a fence, or with a heading that names a command and
    a fence below it: a README with examples is prose and stays so.
    """
    head = [line for line in text[:_BINARY_HEAD].split("\n") if line.strip()][:3]
    if not head or not any(line.startswith(_FENCE) for line in head) or not _is_fenced(head):
        return text
    out, inside = [], False
    for line in text.split("\n"):
        if line.startswith(_FENCE):
            inside = not inside
            out.append("")
        else:
            out.append(line if inside or line.startswith("> Error") else "")
    return "\n".join(out)


def _is_fenced(head: Sequence[str]) -> bool:
    if head[0].startswith(_FENCE):
        return True
    words = head[0].lstrip("# `$").split()
    return head[0].startswith("#") and bool(words) and is_known_program(words[0].strip("`"))


# -- which format -----------------------------------------------------------------------


def _candidates(text: str, hint: Hint) -> Iterable[tuple[Format, bool]]:
    """Formats to try, each with whether the content itself says so."""
    told = formats_about(hint.topic) if hint.told else ()
    seen = [fmt for fmt in (*told, *formats()) if fmt.looks_like(text)]
    yield from ((fmt, True) for fmt in dict.fromkeys(seen))
    guessed = formats_about(hint.topic)
    yield from ((fmt, False) for fmt in guessed if fmt not in seen)


def _best(text: str, candidates: Iterable[tuple[Format, bool]]) -> tuple[Format, Fragment] | None:
    """The first format that understands most of the text, else the one that understands most."""
    best: tuple[int, Format, Fragment] | None = None
    for fmt, seen in candidates:
        fragment = fmt.parse(text)
        bad = len(fragment.problems)
        if bad and not says_something(fragment):
            continue
        nonblank = sum(1 for line in text.split("\n") if line.strip()) if bad else 0
        if bad * 2 <= nonblank and (seen or says_something(fragment)):
            return fmt, fragment
        enough = (nonblank - bad) * _LEAST_SHARE >= nonblank
        if seen and enough and (best is None or bad < best[0]):
            best = (bad, fmt, fragment)
    return (best[1], best[2]) if best else None


# -- several formats in one text --------------------------------------------------------


def _with_rest(text: str, found: tuple[Format, Fragment], hint: Hint, lines: int) -> Reading:
    """Look again at the lines that the first format did not understand."""
    fmt, fragment = found
    bad = sorted({problem.line for problem in fragment.problems if problem.line is not None})
    if len(bad) < 2:
        return Reading(fmt.KIND, fragment, lines, hint)
    rows = text.split("\n")
    others = [
        each
        for start, end in _runs(bad, rows)
        for each in _moved(stretches(rows[start - 1 : end]), start - 1)
        if each.kind != fmt.KIND
    ]
    more = tuple(_reading(each) for each in others)
    return Reading(fmt.KIND, without_problems(fragment, others), lines, hint, more)


def _several(text: str, hint: Hint, lines: int) -> Reading | None:
    """The outputs that follow each other in a text that is none as a whole."""
    found = stretches(text.split("\n"))
    if not any(says_something(each.fragment) for each in found):
        return None
    first, *more = (_reading(each) for each in found)
    return replace(first, lines=lines, hint=hint, more=tuple(more))


def _reading(each: Stretch) -> Reading:
    return Reading(each.kind, each.fragment, each.end - each.start + 1)


def _moved(found: Sequence[Stretch], by: int) -> list[Stretch]:
    return [
        Stretch(each.start + by, each.end + by, each.kind, shift_lines(each.fragment, by)) for each in found
    ]


def _runs(bad: Sequence[int], rows: Sequence[str]) -> list[tuple[int, int]]:
    """Runs of lines that were not understood, blank lines between them bridged."""
    runs: list[tuple[int, int]] = []
    for line in bad:
        if runs and not any(rows[at].strip() for at in range(runs[-1][1], min(line - 1, len(rows)))):
            runs[-1] = (runs[-1][0], line)
        else:
            runs.append((line, line))
    return [(start, min(end, len(rows))) for start, end in runs if start <= len(rows)]


def shift(reading: Reading, by: int) -> Reading:
    """The same reading with its line numbers counted from further up."""
    more = tuple(shift(other, by) for other in reading.more)
    return replace(reading, fragment=shift_lines(reading.fragment, by), more=more)
