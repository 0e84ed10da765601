"""A quick look at one rule line: chain and target, without cutting it into words.

It answers only where the words cannot deceive; everything else is looked at word by
word (`iptables_spec.read_rule`), which costs thirty times as much.
"""

from __future__ import annotations

from calitop.model.rules import Verb

TRAPS = ("\\", "\t", " --j", " --g", " -c ", " --set-c")
"""Where one of these stands in a rule, `quick_look` must not be asked: escapes, long options, counters."""


def quick_look(text: str) -> tuple[str, str | None, Verb | None] | None:
    """Chain, target and verb of a line that begins with `-A `.

    The last ` -j ` is the jump when it stands outside quotes (their number is even on
    both sides) and is not the value of an option before it (`--comment -j`).

    Args:
        text: Without trailing blanks and without any of `TRAPS`.

    Returns:
        None where that is not sure, and for lines that are no rule.
    """
    end = text.find(" ", 3)
    chain = text[3:end] if end > 0 else text[3:]
    if not chain or '"' in chain or (end > 0 and text[end + 1] not in "-!"):
        return None
    verb: Verb = "jump"
    head, jump, tail = text.rpartition(" -j ")
    if not jump:
        verb = "goto"
        head, jump, tail = text.rpartition(" -g ")
        if not jump:
            return None if _may_jump(text) else (chain, None, None)
    target, blank, rest = tail.partition(" ")
    if blank and (" -j" in tail or " -g" in tail or rest.count('"') & 1):
        return None
    if head.count('"') & 1 or _ends_in_option(head) or not target or '"' in target:
        return None
    return chain, target, verb


def _ends_in_option(head: str) -> bool:
    """Whether the last word may take the next one for its value; with two blanks nobody looks further."""
    return head[-1] == " " or head.startswith("-", head.rfind(" ") + 1)


def _may_jump(text: str) -> bool:
    return " -j" in text or " -g" in text or '"-' in text or bool(text.count('"') & 1)


def quick_comments(text: str) -> tuple[str, ...] | None:
    """All comments of a rule line, or None where that is not sure.

    Between two quotes stands a comment when the words before them end in `--comment`;
    an unquoted one, or an escape, is left to the careful look.
    """
    if "comm" not in text:
        return ()
    pieces = text.split('"')
    if "\\" in text or "\t" in text or not len(pieces) & 1:
        return None
    found = []
    for place in range(0, len(pieces) - 1, 2):
        plain = pieces[place]
        if plain.endswith(" --comment "):
            found.append(pieces[place + 1])
            plain = plain[: -len(" --comment ")]
        if " --comm" in plain or not (plain.endswith(" ") or len(plain) < len(pieces[place])):
            return None
    return None if " --comm" in pieces[-1] else tuple(found)
