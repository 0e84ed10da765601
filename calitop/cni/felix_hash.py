"""Felix's arithmetic: rule hashes, endpoint marks, chain names. Pure functions, no state.

Every rule Felix writes starts with the comment `cali:<hash>`, and each hash covers the
chain's name and all rules before it. So a chain can be proven complete and untouched,
or the first rule that does not fit can be named.

A hash is taken over the rule as Felix *writes* it (`--jump MARK --set-mark 0/0x10000`),
which is not how `iptables-save` prints it; `written_forms` goes back as far as that is
certain.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from calitop.formats.words import split_closed

CHAIN_NAME_LIMIT = 28
"""Longest chain name of iptables."""
HASH_LENGTH = 16
"""Characters of a rule hash that Felix shows."""
HASH_PREFIX = "cali:"
MOST_HEADS, MOST_MATCHES = 2, 12
"""A rule with more is not tried: Felix writes none, and the orders to try would grow without bound."""
APPENDS = "*appends*"
"""Felix hashes the rules it appends to a kernel chain under the chain's name plus this."""

HashState = Literal["match", "differs", "foreign", "unknown"]


@dataclass(frozen=True, slots=True)
class HashCheck:
    """What one saved rule's hash says."""

    state: HashState
    """match: as Felix wrote it, and so is everything before it; differs: this rule or one before
    it was changed, removed (or left out of the text, as by a grep) or added; foreign: no hash, so
    not Felix's; unknown: behind a rule that differs, or in words whose written form is not certain."""
    written: str | None = None
    """The form that gave the hash, where it matched."""


def rule_hashes(chain: str, written_rules: Iterable[str]) -> list[str]:
    """The hashes Felix shows for these rules of a chain, in order.

    Args:
        chain: Name of the chain; `FORWARD*appends*` for rules appended to FORWARD.
        written_rules: Each rule without `-A CHAIN` and without its hash, as Felix writes
            it: comments first, then matches, then `--jump` or `--goto`.

    Source:
        Felix, generictables/rules.go: SHA-224 over the previous digest and the rule.
    """
    digest = _start(chain)
    shown = []
    for rule in written_rules:
        digest = _next(digest, chain, rule)
        shown.append(_shown(digest))
    return shown


def check_chain(chain: str, saved_rules: Sequence[str], before: Sequence[str] = ()) -> list[HashCheck]:
    """Whether each rule of a saved chain is as Felix wrote it.

    Args:
        chain: Name of the chain.
        saved_rules: The rules as `iptables-save` prints them, from `-A` on, without counters.
        before: Rules that stand before them, as Felix writes them.
    """
    runs: dict[str, bytes | None] = {name: _start(name) for name in (chain, chain + APPENDS)}
    for written in before:
        runs[chain] = _next(runs[chain] or b"", chain, written)
    return [_check(runs, chain, saved) for saved in saved_rules]


def _check(runs: dict[str, bytes | None], chain: str, saved: str) -> HashCheck:
    """Checks one rule against both runs of a chain, and takes the one it continues a step on."""
    words = split_closed(saved) if HASH_PREFIX in saved else None
    shown = _hash_in(words)
    if shown is None:
        return HashCheck("foreign")
    form = _form(words)
    for name, digest in runs.items():
        for written in form.rendered() if form and digest is not None else ():
            following = _next(digest or b"", name, written)
            if _shown(following) == shown:
                runs[name] = following
                return HashCheck("match", written)
    was_whole, runs[chain] = runs[chain] is not None, None
    return HashCheck("differs" if was_whole and form and form.is_certain else "unknown")


def _start(chain: str) -> bytes:
    return hashlib.sha224(chain.encode()).digest()


def _next(digest: bytes, chain: str, written: str) -> bytes:
    return hashlib.sha224(digest + f"-A {chain} HASH {written}".encode()).digest()


def _shown(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode()[:HASH_LENGTH]


def chain_name(prefix: str, name: str) -> str:
    """The name Felix gives a chain: prefix and name, or a hash where that is too long.

    >>> chain_name("cali-pri-", "kns.default")
    'cali-pri-kns.default'

    Source:
        Calico, libcalico-go/lib/hash/unique_id.go.
    """
    full = prefix + name
    fits = len(full) < CHAIN_NAME_LIMIT or (len(full) == CHAIN_NAME_LIMIT and not name.startswith("_"))
    if fits:
        return full
    digest = base64.urlsafe_b64encode(hashlib.sha256(name.encode()).digest()).decode().rstrip("=")
    return f"{prefix}_{digest}"[:CHAIN_NAME_LIMIT]


def endpoint_mark(interface: str, mask: int) -> int:
    """The packet mark by which Felix knows an endpoint, before collisions are resolved.

    Args:
        interface: Name of the workload interface.
        mask: The endpoint mark bits, `0xfff00000` where nothing else was set.

    Raises:
        ValueError: `mask` has no bits.

    Source:
        Felix, rules/epmark.go: FNV-1, 32 bits, folded into the number of bits of the mask.
    """
    return _spread(_preferred(interface, mask), mask)


def endpoint_marks(interfaces: Iterable[str], mask: int) -> dict[str, int]:
    """The mark of each endpoint, allocated in the given order.

    A number that is taken gives way to the next free one; 0 means "no endpoint" and 1
    "not a Calico endpoint", so neither is given away.

    Raises:
        ValueError: `mask` has no bits, or more endpoints than it can tell apart.
    """
    size = 1 << _bits(mask)
    taken = {0, 1}
    marks = {}
    for interface in interfaces:
        wanted = _preferred(interface, mask)
        free = (number % size for number in range(wanted, wanted + size) if number % size not in taken)
        number = next(free, None)
        if number is None:
            raise ValueError(f"mask {mask:#x} has no free endpoint mark for {interface!r}")
        taken.add(number)
        marks[interface] = _spread(number, mask)
    return marks


def _preferred(interface: str, mask: int) -> int:
    bits = _bits(mask)
    if not bits:
        raise ValueError("an endpoint mask without bits marks nothing")
    value = 0x811C9DC5
    for byte in interface.encode():
        value = (value * 0x01000193 & 0xFFFFFFFF) ^ byte
    return int(value % (1 << bits))


def _bits(mask: int) -> int:
    return bin(mask & 0xFFFFFFFF).count("1")


def _spread(number: int, mask: int) -> int:
    """The bits of `number` laid into the set bits of `mask`, lowest first."""
    value = 0
    for position in range(32):
        bit = 1 << position
        if mask & bit:
            value |= bit if number & 1 else 0
            number >>= 1
    return value


def shown_hash(saved: str) -> str | None:
    """The hash in a saved rule's first comment, None where Felix did not write the rule."""
    return _hash_in(split_closed(saved))


def _hash_in(words: list[str] | None) -> str | None:
    if words is None or "--comment" not in words[:-1]:
        return None
    comment = words[words.index("--comment") + 1]
    found = comment[len(HASH_PREFIX) :].split(";")[0]
    return found if comment.startswith(HASH_PREFIX) and len(found) == HASH_LENGTH else None


def written_forms(saved: str) -> tuple[str, ...]:
    """The forms in which Felix may have written a saved rule; empty where none is certain.

    There are several where `iptables-save` lost something: a protocol is written by number
    in Felix's own rules, and as the policy names it in policies; an interface or a network
    is printed before the matches wherever it stood among them.
    """
    form = _form(split_closed(saved))
    return tuple(form.rendered()) if form else ()


def _form(words: list[str] | None) -> _Form | None:
    if words is None or len(words) < 2 or words[0] != "-A":
        return None
    form, rest = _Form(), words[2:]
    try:
        while rest:
            rest = form.take(rest)
    except _UncertainError:
        return None
    return form if len(form.head) <= MOST_HEADS and len(form.matches) <= MOST_MATCHES else None


class _UncertainError(Exception):
    """The written form of a match or target is not known."""


_PROTOCOLS = {
    "icmp": ("1",),
    "ipencap": ("4", "ipip"),
    "ipv4": ("4", "ipip"),
    "tcp": ("6",),
    "udp": ("17",),
    "ipv6-icmp": ("58", "icmpv6"),
    "icmpv6": ("58",),
    "sctp": ("132",),
    "udplite": ("136",),
}
"""What else Felix may have written for a protocol that `iptables-save` prints by this name."""
_RESPELLED = {"--dports": "--destination-ports", "--sports": "--source-ports"}
_INTERFACES = {"-i": "--in-interface", "-o": "--out-interface"}
_NETWORKS = {"-s": "--source", "-d": "--destination"}
_PORTS = ("--dport", "--sport")
_ONE_VALUE = {
    "mark": {"--mark": 1},
    "conntrack": {"--ctstate": 1},
    "set": {"--match-set": 2},
    "multiport": {"--dports": 1, "--sports": 1},
    "addrtype": {"--src-type": 1, "--dst-type": 1, "--limit-iface-out": 0, "--limit-iface-in": 0},
}
"""Options of each known match, with the number of words each takes."""


class _Form:
    """One rule on its way from the saved words to the written ones."""

    def __init__(self) -> None:
        self.comments: list[str] = []
        self.protocols: tuple[str, ...] = ()
        self.head: list[str] = []
        self.matches: list[str] = []
        self.target = ""
        self.is_certain = True
        """Whether Felix can have written it in no other form than those rendered."""

    def take(self, words: list[str]) -> list[str]:
        """Reads one match or the target; answers the words behind it."""
        word = words[0]
        if word == "-m":
            return self._match(_at(words, 1), words[2:])
        if word in ("-j", "-g"):
            self.target = _written_target(word, words[1:])
            return []
        if word == "-p":
            self._protocol(_at(words, 1))
            return words[2:]
        if word in _INTERFACES:
            self.head.append(f"{_INTERFACES[word]} {_at(words, 1)}")
            return words[2:]
        if word in _NETWORKS:
            # A policy's network may have been written in other words than iptables prints.
            self.is_certain = False
            self.head.append(f"{_NETWORKS[word]} {_at(words, 1)}")
            return words[2:]
        raise _UncertainError

    def _protocol(self, saved: str) -> None:
        """A name that is not in the table may have been written as a number, which is printed as a name."""
        self.is_certain &= saved in _PROTOCOLS or saved.isdecimal()
        forms = (*_PROTOCOLS.get(saved, ()), saved)
        self.protocols = tuple(f"-p {form}" for form in forms)

    def _match(self, name: str, rest: list[str]) -> list[str]:
        if name == "comment" and len(rest) > 1 and rest[0] == "--comment":
            self.comments.append(rest[1])
            return rest[2:]
        if name == "rpfilter" and rest[:2] == ["--validmark", "--invert"]:
            self.matches.append("-m rpfilter --invert --validmark")
            return rest[2:]
        if name in ("tcp", "udp") and _at(rest, 0) in _PORTS:
            self.matches.append(f"{rest[0]} {_at(rest, 1)}")
            return rest[2:]
        if name not in _ONE_VALUE:
            raise _UncertainError
        options, rest = _options(_ONE_VALUE[name], rest)
        self.matches.append(f"-m {name} {options}")
        return rest

    def rendered(self) -> Iterator[str]:
        """Every form these parts can have been written in."""
        comments = [f'-m comment --comment "{text}"' for text in self.comments[1:]]
        for protocol in self.protocols or ("",):
            for body in _merged(self.head, self.matches):
                yield " ".join(part for part in [*comments, protocol, *body, self.target] if part)


def _merged(first: list[str], second: list[str]) -> Iterator[list[str]]:
    """Both lists in one, in every way that keeps the order inside each."""
    if not first or not second:
        yield [*first, *second]
        return
    for rest in _merged(first[1:], second):
        yield [first[0], *rest]
    for rest in _merged(first, second[1:]):
        yield [second[0], *rest]


def _options(known: dict[str, int], words: list[str]) -> tuple[str, list[str]]:
    taken: list[str] = []
    while words:
        negated = words[0] == "!"
        option = _at(words, 1) if negated else words[0]
        if option not in known:
            break
        first = 2 if negated else 1
        values = [
            _mark(value) if option == "--mark" else value for value in words[first : first + known[option]]
        ]
        if len(values) < known[option]:
            raise _UncertainError
        taken += ["!"] * negated + [_RESPELLED.get(option, option), *values]
        words = words[first + known[option] :]
    if not taken:
        raise _UncertainError
    return " ".join(taken), words


def _written_target(verb: str, words: list[str]) -> str:
    name = _at(words, 0)
    if verb == "-g":
        return f"--goto {name}"
    if words[1:] in ([], ["--random-fully"]):
        return " ".join(["--jump", *words])
    if name == "MARK" and len(words) == 3 and words[1] == "--set-xmark":
        return f"--jump MARK --set-mark {_mark(words[2])}"
    if words == ["CT", "--notrack"]:
        return "--jump NOTRACK"
    if words == ["REJECT", "--reject-with", "icmp-port-unreachable"]:
        return "--jump REJECT"
    raise _UncertainError


def _mark(text: str) -> str:
    value, slash, mask = text.partition("/")
    return f"0/{mask}" if slash and value == "0x0" else text


def _at(words: list[str], index: int) -> str:
    if index >= len(words):
        raise _UncertainError
    return words[index]
