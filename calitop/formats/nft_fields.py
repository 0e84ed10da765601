"""The grammar of nft's conditions: field, operators, value; no meaning yet.

`ip saddr . tcp dport != { 10.0.0.1 . 80 }` is a relation of two fields, an operator and
a value. Source: nft(8) and parser_bison.y of nftables 1.0.
"""

from __future__ import annotations

from dataclasses import dataclass

from calitop.formats.nft_words import unquoted, words

COMPARISONS = frozenset(("==", "!=", "<", ">", "<=", ">=", "!", "eq", "ne", "lt", "gt", "le", "ge"))
_SPELLED = {"eq": "==", "ne": "!=", "lt": "<", "gt": ">", "le": "<=", "ge": ">="}
OPERATORS = frozenset(("&", "|", "^", "<<", ">>", "and", "or", "xor", "lshift", "rshift"))

BARE_META = frozenset(
    (
        "iif",
        "oif",
        "iifname",
        "oifname",
        "iifgroup",
        "oifgroup",
        "iiftype",
        "oiftype",
        "mark",
        "skuid",
        "skgid",
    )
)
"""Keys of `meta` that may stand without it; nft prints only some of them so."""

PAYLOADS = frozenset(
    (
        *("ip", "ip6", "tcp", "udp", "udplite", "sctp", "dccp", "th", "icmp", "icmpv6", "igmp"),
        *("ether", "vlan", "arp", "ah", "esp", "comp", "gre"),
    )
)
_EXTENSIONS = frozenset(("exthdr", "frag", "hbh", "dst", "rt0", "rt2", "rt4", "srh", "mh"))
_TUNNELS = frozenset(("vxlan", "geneve", "gretap"))
_OPTIONS = frozenset((("tcp", "option"), ("ip", "option"), ("sctp", "chunk"), ("dccp", "option")))
_NO_FIELD = COMPARISONS | {"exists", "missing", "set"}


@dataclass(frozen=True)
class Relation:
    """One condition; all places are indexes into the rule's words."""

    start: int
    fields: tuple[tuple[str, ...], ...]
    """One for each part of a concatenation."""
    changes: tuple[tuple[str, str], ...]
    """Operators between field and comparison with their right side (`&`, `0xff`)."""
    sign: str
    """Comparison as written; `` where nft leaves it out."""
    value: tuple[str, ...]
    """Words of the value, quotes kept; a set with its braces."""
    end: int

    @property
    def field(self) -> tuple[str, ...]:
        """The one field; () for a concatenation."""
        return self.fields[0] if len(self.fields) == 1 else ()


class Cursor:
    """A place in the words of a rule."""

    def __init__(self, text: str) -> None:
        self.words = tuple(words(text))
        self.at = 0

    def peek(self, ahead: int = 0) -> str:
        """The word at or after this place; empty behind the end."""
        at = self.at + ahead
        return self.words[at] if at < len(self.words) else ""

    def take(self, count: int = 1) -> tuple[str, ...]:
        """The next words; fewer at the end."""
        found = self.words[self.at : self.at + count]
        self.at += len(found)
        return found

    def take_if(self, *choices: str) -> str | None:
        """The next word if it is one of these."""
        return self.take()[0] if self.peek() in choices and self.peek() else None

    def group(self) -> tuple[str, ...]:
        """Words from an opening brace to the one that closes it, or one word."""
        start, depth = self.at, 0
        while self.at < len(self.words):
            depth += {"{": 1, "}": -1}.get(self.take()[0], 0)
            if depth <= 0:
                break
        return self.words[start : self.at]

    def plain(self, start: int, end: int | None = None) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """Words without quotes and their places, for a record."""
        stop = self.at if end is None else end
        return tuple(unquoted(word) for word in self.words[start:stop]), tuple(range(start, stop))


def take_field(cursor: Cursor) -> tuple[str, ...]:
    """The words of one field (`ip saddr`, `ct original ip saddr`); () where none begins."""
    first, second = cursor.peek(), cursor.peek(1)
    if first == "fib":
        return _fib(cursor)
    if first in ("numgen", "jhash", "symhash"):
        return _generated(cursor)
    return cursor.take(_length(first, second, cursor.peek(2), cursor.peek(3)))


def _length(first: str, second: str, third: str, fourth: str) -> int:
    if first in BARE_META or (first.startswith("@") and "," in first):
        return 1
    if (first, second) in _OPTIONS:
        return 3 if fourth in _NO_FIELD or not _is_name(fourth) else 4
    if first == "ct" and second in ("original", "reply"):
        return 4 if third in ("ip", "ip6", "inet") else 3
    if first in _TUNNELS:
        return 3 if second in PAYLOADS else 2
    if (first, second) in (("arp", "saddr"), ("arp", "daddr"), ("osf", "ttl"), ("socket", "cgroupv2")):
        return 3 if first == "arp" else 4
    if first == "rt":
        return 3 if second in ("ip", "ip6") else 2
    if first == "ipsec":
        return _ipsec_length(third, fourth)
    return 2 if first in PAYLOADS or first in _EXTENSIONS or first in ("meta", "ct", "socket", "osf") else 0


def _ipsec_length(third: str, fourth: str) -> int:
    spnum = 2 if third == "spnum" else 0
    return 3 + spnum + (1 if third in ("ip", "ip6") or fourth in ("ip", "ip6") else 0)


def _is_name(word: str) -> bool:
    return word[:1].isalpha()


def _fib(cursor: Cursor) -> tuple[str, ...]:
    start = cursor.at
    cursor.take(2)
    while cursor.peek() == ".":
        cursor.take(2)
    cursor.take()
    return cursor.words[start : cursor.at]


def _generated(cursor: Cursor) -> tuple[str, ...]:
    """`numgen random mod 2 offset 1`, `jhash ip saddr . ip daddr mod 16 seed 0x1`."""
    start = cursor.at
    while cursor.peek() and cursor.take()[0] != "mod":
        pass
    cursor.take()
    while cursor.peek() in ("seed", "offset"):
        cursor.take(2)
    return cursor.words[start : cursor.at]


def take_relation(cursor: Cursor) -> Relation | None:
    """The condition that begins here; None, nothing taken, where no field does."""
    start = cursor.at
    fields = take_fields(cursor)
    if not fields:
        return None
    changes = take_changes(cursor)
    sign = cursor.take_if(*COMPARISONS) or ""
    value = take_value(cursor) if cursor.peek() not in ("vmap", "set", "map") else ()
    return Relation(start, fields, changes, _SPELLED.get(sign, sign), value, cursor.at)


def take_fields(cursor: Cursor) -> tuple[tuple[str, ...], ...]:
    """Fields joined by dots."""
    fields: list[tuple[str, ...]] = []
    while field := take_field(cursor):
        fields.append(field)
        if cursor.take_if(".") is None:
            break
    return tuple(fields)


def take_changes(cursor: Cursor) -> tuple[tuple[str, str], ...]:
    """Operators with their right sides; what stands in round brackets is one word."""
    changes: list[tuple[str, str]] = []
    while (operator := cursor.take_if(*OPERATORS)) is not None:
        changes.append((operator, take_operand(cursor)))
    return tuple(changes)


def take_operand(cursor: Cursor) -> str:
    """A word, or everything between round brackets without them."""
    found = [cursor.peek()]
    cursor.take()
    depth = found[0].count("(") - found[0].count(")")
    while depth > 0 and cursor.peek():
        found += cursor.take()
        depth += found[-1].count("(") - found[-1].count(")")
    joined = " ".join(found)
    return joined[1:-1] if joined.startswith("(") and joined.endswith(")") else joined


def take_value(cursor: Cursor) -> tuple[str, ...]:
    """A set, a name, a word, a concatenation, or flags with their mask (`syn / fin,syn`)."""
    start = cursor.at
    cursor.group()
    while cursor.peek() in (".", "/") or _joins(cursor):
        cursor.take(1 if _joins(cursor) else 2)
    return cursor.words[start : cursor.at]


def _joins(cursor: Cursor) -> bool:
    """Whether the next word goes on where the last ended: `"10:00"` and `-"12:00"`, `-` and `"b"`."""
    word, before = cursor.peek(), cursor.words[cursor.at - 1] if cursor.at else ""
    return bool(word) and (before == "-" or (word.startswith("-") and before.startswith('"')))


def items(value: tuple[str, ...]) -> tuple[str, ...] | None:
    """The elements of a set of single words, or a single word alone; None for anything larger."""
    if len(value) == 1:
        return value
    if len(value) < 3 or value[0] != "{" or value[-1] != "}":
        return None
    inner = value[1:-1]
    last = len(inner) - 1
    if not all(word.endswith(",") != (place == last) for place, word in enumerate(inner)):
        return _quoted_items(inner)
    return tuple(word.rstrip(",") for word in inner)


def _quoted_items(inner: tuple[str, ...]) -> tuple[str, ...] | None:
    """`"a", "b"`: a quote ends a word, so the comma behind it is a word of its own."""
    names, commas = inner[::2], inner[1::2]
    plain = len(names) == len(commas) + 1 and all(comma == "," for comma in commas)
    return names if plain and all(name.startswith('"') for name in names) else None
