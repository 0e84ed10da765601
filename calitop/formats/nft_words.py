"""How nft separates words: quotes, braces, commas, elements.

nft knows no escape inside quotes: a string ends at the next `"` (nftables 1.0, `scanner.l`).
This file knows nothing of what the words mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from calitop.model.rules import Counter

_MARKS = re.compile(r'"[^"]*(?:"|$)|[{}]')
_QUOTED = re.compile(r'"[^"]*(?:"|$)')
_FLAT_BRACES = re.compile(r"\{[^{}]*\}|\{.*")
_WORD = re.compile(r'"[^"]*(?:"|$)|[{};]|[^\s{};"]+')
_ELEMENT = re.compile(r'(?:"[^"]*(?:"|$)|[^",])+')
_COUNTER = re.compile(r"\bcounter packets ([0-9]{1,20}) bytes ([0-9]{1,20})")
_COUNTER_OR_MARK = re.compile(_MARKS.pattern + "|" + _COUNTER.pattern)
_KEY_END = re.compile(r'"[^"]*(?:"|$)|\s:\s')
_OPTIONS = frozenset(("counter", "timeout", "expires", "comment", "limit", "quota", "last", "ct"))
_EXPIRES = re.compile(r"\s?\bexpires \S+")


BEGINNINGS = frozenset(
    re.findall(
        r"\w+",
        """
        accept add ah arp at bfd broute cgroup comp continue counter cpu ct day dccp delete dnat drop dst
        dup esp ether exthdr fib flow frag fwd geneve goto gre gretap hbh hour ibriport ibrname icmp
        icmpv6 igmp iif iifgroup iifkind iifname iiftype ip ip6 ipsec jhash jump l4proto last length
        limit log map mark masquerade meta meter mh nfproto nftrace notrack numgen objref obriport
        obrname oif oifgroup oifkind oifname oiftype osf pkttype priority protocol queue quota random
        redirect reject reset return rt rt0 rt2 rt4 rtclassid sctp sdif sdifname secmark secpath set
        skgid skuid snat socket srh symhash synproxy tcp th time tproxy tunnel udp udplite update vlan
        vxlan xt
        """,
    )
)
"""Words that can begin a rule (nftables, parser_bison.y)."""


def words(text: str) -> list[str]:
    """The words of a rule in order, quotes kept; braces and semicolons stand alone.

    Commas stay where they are: `{ 80, 443 }` gives `{`, `80,`, `443`, `}`.
    """
    return _WORD.findall(text)


def unquoted(word: str) -> str:
    """The word without the quotes around it."""
    return word[1:].removesuffix('"') if word.startswith('"') else word


def open_braces(text: str) -> int:
    """How many braces more are opened than closed, outside of quotes."""
    if "{" not in text and "}" not in text:
        return 0
    marks = _MARKS.findall(text)
    return marks.count("{") - marks.count("}")


def bare(text: str) -> str:
    """The text with the contents of quotes and outermost braces taken out.

    What is left are words that can only be nft's own: `iifname "" vmap {} accept`.
    """
    if '"' in text:
        text = _QUOTED.sub('""', text)
    if "{" not in text:
        return text
    return _FLAT_BRACES.sub("{}", text) if text.count("{") == 1 else "".join(_bare_parts(text))


def _bare_parts(text: str) -> Iterator[str]:
    depth = at = 0
    for mark in _MARKS.finditer(text):
        if depth == 0:
            yield text[at : mark.end()]
        elif depth == 1 and mark[0] == "}":
            yield "}"
        depth = max(0, depth + {"{": 1, "}": -1}.get(mark[0], 0))
        at = mark.end()
    if depth == 0:
        yield text[at:]


def braced(text: str, start: int) -> str | None:
    """What stands between the first brace at or after `start` and the one that closes it.

    Returns:
        The contents without blanks around them; None when the brace is not closed.
    """
    depth = 0
    begin = start
    for mark in _MARKS.finditer(text, start):
        if mark[0] == "{":
            begin = begin if depth else mark.end()
            depth += 1
        elif mark[0] == "}":
            depth -= 1
            if depth == 0:
                return text[begin : mark.start()].strip()
    return None


def elements(body: str) -> list[str]:
    """The elements of a set, split at its commas (`10.0.0.0/8, "a,b"` gives two)."""
    found = (piece.strip() for piece in _ELEMENT.findall(body))
    return [piece for piece in found if piece]


def key_and_value(element: str) -> tuple[str, str | None]:
    """Key and value of a map's element; None as value for an element of a set."""
    for mark in _KEY_END.finditer(element):
        if mark[0][0] != '"':
            return element[: mark.start()].strip(), element[mark.end() :].strip()
    return element, None


def key_and_options(key: str) -> tuple[str, str, Counter | None]:
    """An element's key, its options in nft's words without running numbers, and its counter.

    Both the counter's numbers and the time left (`expires`) change from poll to poll.
    """
    if " " not in key:
        return key, "", None
    for mark in re.finditer(_WORD, key):
        if mark.start() and mark[0] in _OPTIONS:
            words, counter = without_counters(key[mark.start() :])
            return key[: mark.start()].strip(), _EXPIRES.sub("", words).strip(), counter
    return key, "", None


def without_counters(text: str) -> tuple[str, Counter | None]:
    """The text with `counter` in place of `counter packets 1 bytes 84`, and the first such counter.

    Numbers inside quotes stay; a counter inside braces belongs to a set's elements, so its
    numbers go too, but it is not the rule's own.
    """
    first = _COUNTER.search(text)
    if first is None:
        return text, None
    before = text[: first.start()]
    if _is_outside(before) and not _COUNTER.search(text, first.end()):
        return before + "counter" + text[first.end() :], _counter(first[1], first[2])
    return _without_each(text)


def _is_outside(before: str) -> bool:
    """Whether what follows is surely outside of quotes and braces; False also for the hard cases."""
    if "{" in before:
        return '"' not in before and before.count("{") == before.count("}")
    return before.count('"') % 2 == 0


def _without_each(text: str) -> tuple[str, Counter | None]:
    """The same, looking at every quote and brace."""
    parts: list[str] = []
    own: Counter | None = None
    depth = at = 0
    for mark in _COUNTER_OR_MARK.finditer(text):
        depth += {"{": 1, "}": -1}.get(mark[0], 0)
        if mark[1] is not None:
            parts += (text[at : mark.start()], "counter")
            at = mark.end()
            own = own or (_counter(mark[1], mark[2]) if depth <= 0 else None)
    return "".join((*parts, text[at:])), own


def _counter(packets: str, octets: str) -> Counter:
    return Counter(int(packets), int(octets))
