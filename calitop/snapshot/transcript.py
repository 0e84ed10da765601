"""A terminal transcript: prompts part it into commands, each with its output.

What a command printed ends at the next prompt, or where prose begins: at a line after
a blank line that the command's format does not understand. Knows no format itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from calitop.model.node import Problem
from calitop.snapshot.hints import hint_of_command, is_known_program
from calitop.snapshot.recognise import Reading, count_lines, first_line, recognise, shift

_ESCAPES = re.compile(
    r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][A-Z0-9]|\x1b[=>]"
)
_HOST = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_STRONG = re.compile(
    rf"^[ \t]*(?:\([^()\s]*\)[ ]?)?(?:"
    rf"\[(?:[\w.+-]+@)(?P<host1>{_HOST})[ \t:]+[^\]\n]*\][ ]?[#$%>]"
    rf"|(?:[\w.+-]+@)(?P<host2>{_HOST})(?::[^\n#$%]{{0,200}}?|[ ][~/][^\n#$%]{{0,200}}?|)[ ]?[#$%]"
    rf"|(?P<host3>{_HOST}):[~/][^\n#$%\s]{{0,200}}[ ]?[#$]"
    rf")(?:[ \t]+(?P<command>[^\n]*)|[ \t]*)$",
    re.M,
)
_WEAK = re.compile(rf"^(?P<host>{_HOST})?(?P<sign>[#$%>+])[ \t]+(?P<command>[a-z/][^\n]*)$", re.M)
_HEAD = 256 * 1024
"""Characters in which a transcript must show its first prompts."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a transcript with what it printed."""

    host: str | None
    """From the prompt; None where the prompt names none."""
    command: str
    line: int
    """Line of the prompt, from 1."""
    output: str
    """The lines below it, up to the next prompt."""


@dataclass(frozen=True, eq=False)
class Session:
    """One command's output, read."""

    host: str | None
    command: str
    line: int
    reading: Reading


def is_transcript(text: str) -> bool:
    """Whether prompts part the text: one that names user and host, or one before a known command."""
    head = text[:_HEAD]
    return bool(_STRONG.search(head)) or any(_is_weak_prompt(found) for found in _WEAK.finditer(head))


def has_named_prompts(text: str) -> bool:
    """Whether a prompt names user and host, which no output of a program begins a line with."""
    return bool(_STRONG.search(text[:_HEAD]))


def has_plain_prompts(text: str) -> bool:
    """Whether plain prompts (`$ `, `# `) part the text: the first line is one, or there are several.

    Each stands before a known command: `# ` begins a comment, too.
    """
    found = [match for match in _WEAK.finditer(text[:_HEAD]) if _is_weak_prompt(match)]
    return len(found) > 1 or (bool(found) and not text[: found[0].start()].strip())


def _is_weak_prompt(found: re.Match[str]) -> bool:
    words = found["command"].split()
    return is_known_program(words[1] if words[0] == "sudo" and len(words) > 1 else words[0])


def commands(text: str) -> tuple[Command, ...]:
    """The commands of a transcript with their outputs, in order.

    Prompts without a command part too; what stands below them belongs to nobody.
    """
    prompts = list(_prompts(text))
    ends = [*(start for start, _, _, _ in prompts), len(text)][1:]
    line, seen, out = 1, 0, []
    for (start, body, host, command), end in zip(prompts, ends, strict=True):
        line += text.count("\n", seen, start)
        seen = start
        out.append(Command(host, command, line, text[body:end]))
    return tuple(out)


def _prompts(text: str) -> Iterator[tuple[int, int, str | None, str]]:
    weak = list(_WEAK.finditer(text))
    dollars = any(match["sign"] == "$" and _is_weak_prompt(match) for match in weak)
    found = {
        match.start(): match for match in weak if _is_weak_prompt(match) or (dollars and match["sign"] == "$")
    }
    found.update({match.start(): match for match in _STRONG.finditer(text)})
    for start in sorted(found):
        match = found[start]
        names = match.groupdict()
        host = next((names[key] for key in ("host", "host1", "host2", "host3") if names.get(key)), None)
        yield start, min(match.end() + 1, len(text)), host, (names["command"] or "").strip()


def plain(text: str) -> str:
    """The text as the terminal showed it, without escape sequences and carriage returns."""
    if "\x1b" in text:
        text = _ESCAPES.sub("", text)
    return text.replace("\r\n", "\n").replace("\r", "")


def read_transcript(text: str) -> tuple[Session, ...]:
    """What the commands of a transcript printed, read by the formats.

    Args:
        text: The whole transcript.

    Returns:
        One session per command that printed something, line numbers those of the transcript.
    """
    sessions = []
    for each in commands(plain(text)):
        if each.command and each.output.strip():
            reading = shift(_read_output(each), each.line)
            sessions.append(Session(each.host, each.command, each.line, reading))
    return tuple(sessions)


def _read_output(each: Command) -> Reading:
    hint = hint_of_command(each.command)
    output = each.output.rstrip()
    reading = recognise(output, hint)
    start = _prose_start(output, reading)
    return reading if start is None else recognise("\n".join(output.split("\n")[: start - 1]), hint)


def _prose_start(output: str, reading: Reading) -> int | None:
    """First line of the prose below an output: after a blank line, and not understood."""
    if reading.kind is None:
        return None
    bad = {problem.line for part in reading.parts() for problem in part.fragment.problems}
    rows = output.split("\n")
    for at in range(1, len(rows)):
        if rows[at].strip() and not rows[at - 1].strip() and at + 1 in bad:
            return at + 1
    return None


def node_of(sessions: tuple[Session, ...]) -> str | None:
    """The host that most prompts name."""
    hosts = Counter(session.host for session in sessions if session.host)
    return hosts.most_common(1)[0][0] if hosts else None


def prose(text: str, sessions: tuple[Session, ...]) -> tuple[Problem, ...]:
    """Where text stands that no command printed: one problem per stretch, none is lost."""
    total = count_lines(text)
    rows = plain(text).split("\n")
    inside = set()
    for each in commands(plain(text)):
        inside.add(each.line)
    for session in sessions:
        inside.update(range(session.line, session.line + session.reading.lines + 1))
    problems = []
    start: int | None = None
    for number in range(1, total + 2):
        outside = number <= total and number not in inside
        if outside and start is None and rows[number - 1].strip():
            start = number
        elif not outside and start is not None:
            block = "\n".join(rows[start - 1 : number - 1]).rstrip()
            problems.append(Problem(start, first_line(block), _why(count_lines(block))))
            start = None
    return tuple(problems)


def _why(lines: int) -> str:
    return "not the output of a command" + (f" ({lines} lines)" if lines > 1 else "")
