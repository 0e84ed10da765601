"""One nft rule: its words, its counter, and where it leads.

The rule's text is what nft printed, without its handle and with `counter` in place of the
counter's numbers. Which words are a rule's targets is decided from that text alone, so
the text form and the JSON form of a ruleset agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from calitop.formats.nft_words import bare, braced, elements, key_and_value, open_braces, without_counters
from calitop.model.rules import Counter, Rule, Verb

_HANDLE = re.compile(r"# handle ([0-9]{1,20})$")
_VMAP = re.compile(r'"[^"]*(?:"|$)|\bvmap (?:@(\S+)|(?=\{))')
_ANONYMOUS = re.compile(r'"[^"]*(?:"|$)|\b(?:jump|goto) (?=\{)')
_CHANGES_SET = re.compile(r"(?:add|update|delete) @")
_XT_TARGET = re.compile(r'\bxt target "?([\w-]+)')

VERDICTS = {
    "accept": "ACCEPT",
    "drop": "DROP",
    "return": "RETURN",
    "continue": "CONTINUE",
    "queue": "QUEUE",
}
"""nft's verdicts and their names here."""

_ENDING = VERDICTS | {
    "masquerade": "MASQUERADE",
    "snat": "SNAT",
    "dnat": "DNAT",
    "redirect": "REDIRECT",
    "reject": "REJECT",
    "notrack": "NOTRACK",
    "tproxy": "TPROXY",
    "synproxy": "SYNPROXY",
    "fwd": "FWD",
    "dup": "TEE",
}
_PASSING = {"log": "LOG", "flow": "FLOWOFFLOAD"}
_SET = {
    ("meta", "mark"): "MARK",
    ("ct", "mark"): "CONNMARK",
    ("meta", "priority"): "CLASSIFY",
    ("meta", "nftrace"): "TRACE",
    ("meta", "secmark"): "SECMARK",
    ("ct", "secmark"): "CONNSECMARK",
    ("ct", "helper"): "CT",
    ("ct", "timeout"): "CT",
    ("ct", "zone"): "CT",
    ("ip", "dscp"): "DSCP",
    ("ip6", "dscp"): "DSCP",
    ("ip", "ttl"): "TTL",
    ("ip6", "hoplimit"): "HL",
    ("maxseg", "size"): "TCPMSS",
}
"""What `… set` changes, in the words of iptables' targets."""

STATEMENTS = frozenset((*_ENDING.values(), *_PASSING.values(), *_SET.values(), "SET"))
"""Every target that is no chain, but for those of `xt target`."""

_VALUES_FOLLOW = frozenset(("type", "code", "status", "!=", "==", "<", ">", "<=", ">=", "&", "|", "^"))
"""After these a word is a value: `icmp type redirect`, `ct status dnat`."""


class Lead(NamedTuple):
    """Where a rule leads: one verdict, chain or other target, and how."""

    target: str
    verb: Verb = "jump"


class Leads(NamedTuple):
    """Where a rule can lead; through a named map only once that map is known."""

    leads: tuple[Lead, ...] = ()
    through: str | None = None
    """Name of the verdict map that decides."""


def split_handle(line: str) -> tuple[str, int | None]:
    """A listing's line without `# handle 7`, and the handle."""
    if "# handle" not in line:
        return line, None
    match = _HANDLE.search(line)
    if match is None:
        return line, None
    return line[: match.start()].rstrip(), int(match[1])


def read_rule(
    words: str,
    number: int,
    handle: int | None = None,
    line: int | None = None,
    counter: Counter | None = None,
) -> Rule:
    """A rule from its words; targets through a named map stay open (see `through_map`).

    Args:
        words: The rule as nft prints it, handle taken off, counters with or without numbers.
        number: Its place in the chain, from 1.
        handle: The kernel's number of it.
        line: Its line in the file.
        counter: Its counter where the words have none (JSON).
    """
    text, found = without_counters(words)
    packets, octets = found or counter or (None, None)
    leads = leads_of(text).leads
    return Rule(
        text=text,
        number=number,
        packets=packets,
        bytes=octets,
        target=leads[0].target if leads else None,
        verb=leads[0].verb if leads else None,
        targets=_names(leads),
        handle=handle,
        language="nft",
        line=line,
    )


def leads_of(text: str) -> Leads:
    """The chains, verdicts and other targets that a rule's text names.

    A verdict wins over what only happens on the way (`log`, `meta mark set`).
    """
    if "vmap" in text:
        through = _vmap(text)
        if through is not None:
            return through
    leads = _plain_leads(bare(text))
    if leads and leads[0].target == "{}":
        return Leads(_in_anonymous_chain(text))
    if not leads and "xt target" in text:
        leads = tuple(Lead(name) for name in _XT_TARGET.findall(text))
    return Leads(leads)


@lru_cache(maxsize=4096)
def _plain_leads(words: str) -> tuple[Lead, ...]:
    """The target among words without quotes and sets; of many rules these words are the same."""
    found = words.replace(";", " ").split()
    return _last_words(found) or _ending(found) or _passing(found)


def through_map(rule: Rule, verdicts: Mapping[str, tuple[Lead, ...]]) -> Rule:
    """The rule with the targets that its named verdict map leads to.

    Args:
        rule: Any rule; most are given back as they are.
        verdicts: What each map of the same table leads to.
    """
    if "vmap @" not in rule.text:
        return rule
    through = leads_of(rule.text).through
    leads = verdicts.get(through, ()) if through is not None else ()
    if not leads:
        return rule
    return replace(rule, target=leads[0].target, verb=leads[0].verb, targets=_names(leads))


def lead_of_verdict(words: str | None) -> Lead | None:
    """Where a verdict leads (`goto web`, `accept`); None for a value that is no verdict."""
    if not words:
        return None
    first, _, rest = words.partition(" ")
    if first in VERDICTS:
        return Lead(VERDICTS[first])
    if first == "goto" and rest:
        return Lead(rest, "goto")
    return Lead(rest) if first == "jump" and rest else None


def distinct(leads: Iterable[Lead | None]) -> tuple[Lead, ...]:
    """Each lead once, in order."""
    return tuple(dict.fromkeys(lead for lead in leads if lead is not None))


def _names(leads: tuple[Lead, ...]) -> tuple[str, ...]:
    if len(leads) < 2:
        return (leads[0].target,) if leads else ()
    return tuple(dict.fromkeys(lead.target for lead in leads))


def _vmap(text: str) -> Leads | None:
    """Where the rule's verdict map leads; None when `vmap` stands in quotes only."""
    for mark in _VMAP.finditer(text):
        if mark[0][0] == '"':
            continue
        if mark[1] is not None:
            return Leads((), mark[1])
        body = braced(text, mark.end()) or ""
        return Leads(distinct(lead_of_verdict(key_and_value(one)[1]) for one in elements(body)))
    return None


def _in_anonymous_chain(text: str) -> tuple[Lead, ...]:
    """Targets of the rules between the braces of `jump { … }`; its own such chains count as one."""
    for mark in _ANONYMOUS.finditer(text):
        if mark[0][0] != '"':
            body = braced(text, mark.end()) or ""
            inner = (leads_of(bare(rule)).leads for rule in body.split(";") if not open_braces(rule))
            return distinct(lead for leads in inner for lead in leads if lead.target != "{}")
    return ()


def _last_words(words: list[str]) -> tuple[Lead, ...]:
    """The verdict, looking from the end, where it stands."""
    for at in range(len(words) - 1, -1, -1):
        word = words[at]
        if word in VERDICTS and not _is_value(words, at):
            return (Lead(VERDICTS[word]),)
        if word in ("jump", "goto") and at + 1 < len(words):
            return (Lead(words[at + 1], "goto" if word == "goto" else "jump"),)
    return ()


def _ending(words: list[str]) -> tuple[Lead, ...]:
    found = (_ENDING[word] for at, word in enumerate(words) if word in _ENDING and not _is_value(words, at))
    return tuple(Lead(name) for name in found)[:1]


def _passing(words: list[str]) -> tuple[Lead, ...]:
    """`MARK` and its like; `LOG` only where the rule does nothing else."""
    marks = [_SET.get((words[at - 2], words[at - 1])) for at in range(2, len(words)) if words[at] == "set"]
    changes = [name for name in marks if name is not None]
    changes += ["SET"] if any(_CHANGES_SET.match(one) for one in _pairs(words)) else []
    logs = [_PASSING[word] for at, word in enumerate(words) if word in _PASSING and not _is_value(words, at)]
    return tuple(Lead(name) for name in (changes or logs)[:1])


def _pairs(words: list[str]) -> Iterable[str]:
    return (f"{first} {second}" for first, second in pairwise(words))


def _is_value(words: list[str], at: int) -> bool:
    return at > 0 and words[at - 1] in _VALUES_FOLLOW
