"""What a command line or a file name says about a text, before its content is looked at.

A command is told by the operator or the manifest and can be trusted; a file name is a
guess. Neither decides against the content: they settle what the content leaves open
(the table of `ip route show table 100`, the family of an empty `ip6tables-save`).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from calitop.model.rules import Backend, Family

_EXTENSION = re.compile(r"(\.(txt|md|out|log|json|dump|conf|cfg|text|raw|v4|v6))+$", re.I)
_FILTERS = re.compile(r"[efz]?grep|rg|ag|g?awk|sed|head|tail|cut|uniq|tr")
"""Programs that leave lines or words out."""
_IP_OBJECTS = ("link", "address", "route", "rule", "neighbour", "neighbor")
_IP_VALUED = frozenset({"-n", "-netns", "-f", "-family", "-rc", "-rcvbuf", "-l", "-loops", "-b", "-batch"})
_IP_FAMILIES: Mapping[str, Family] = {"inet6": "ipv6", "inet": "ipv4"}
_RUNNERS = ("sudo", "doas", "time", "watch", "nice", "env", "timeout", "command", "chroot", "nsenter")


@dataclass(frozen=True, slots=True)
class Hint:
    """What is known of a text from outside."""

    topic: str | None = None
    """What it is about, in the words of `calitop.formats.catalogue.TOPICS`."""
    family: Family | None = None
    backend: Backend | None = None
    table: str | None = None
    """Routing table, or table of iptables, that the command was limited to."""
    namespace: str | None = None
    """Of the pods that kubectl was asked for."""
    dev: str | None = None
    direction: str | None = None
    cut: bool = False
    """Lines are missing: the output went through a filter."""
    told: bool = False
    """From a command, not guessed from a file name."""
    succeeded: bool = False
    """The manifest says that the command ended well."""


NO_HINT = Hint()


def hint_of_command(command: str) -> Hint:
    """What a command line says about the text that it printed.

    Args:
        command: As typed after a prompt, or as written in a manifest.

    Returns:
        A hint with `told` set; its topic is None for a command that calitop does not know.
    """
    first, *pipe = _pipeline(command)
    words = _own_words(_split(first))
    cut = any(_is_filter(_split(part)) for part in pipe)
    return replace(_hint_of_words(words), cut=cut, told=True)


def _pipeline(command: str) -> list[str]:
    """The parts of a pipeline; a bar inside quotes does not part."""
    parts, quote, start = [], "", 0
    for place, sign in enumerate(command):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign == "|":
            parts.append(command[start:place])
            start = place + 1
    return [*parts, command[start:]]


def _split(part: str) -> list[str]:
    try:
        words = shlex.split(part, comments=True)
    except ValueError:
        words = part.split()
    return [word for word in words if not re.match(r"^\d?>|^2>&1$|^&$", word)]


def _is_filter(words: list[str]) -> bool:
    own = _own_words(words)
    return bool(own and _FILTERS.fullmatch(own[0]))


def _own_words(words: list[str]) -> list[str]:
    """The words of the program itself, without `sudo`, `ssh host`, `kubectl exec … --` before it."""
    while words:
        head = words[0].rsplit("/", 1)[-1]
        rest = _after_runner(head, words)
        if rest is None:
            return [head, *words[1:]]
        words = rest
    return []


def _after_runner(head: str, words: list[str]) -> list[str] | None:
    if re.fullmatch(r"\w+=.*", words[0]):
        return words[1:]
    if head in ("kubectl", "k", "oc", "docker", "crictl", "nerdctl", "podman") and "exec" in words:
        at = words.index("--") + 1 if "--" in words else _first_program(words)
        return words[at:] if at else None
    if head == "ip" and "netns" in words[:2] and "exec" in words[:3]:
        return words[4:]
    if head == "ssh" or head in _RUNNERS:
        at = _first_program(words)
        return words[at:] if at else []
    return None


def _first_program(words: list[str]) -> int:
    """Place of the first word after the runner that names a program that calitop knows; 0 for none."""
    for place, word in enumerate(words[1:], 1):
        inner = word.split()[0] if word.strip() else ""
        if is_known_program(inner):
            words[place : place + 1] = word.split()
            return place
    return 0


def is_known_program(word: str) -> bool:
    """Whether a word names a program whose output calitop may know."""
    program = word.rsplit("/", 1)[-1]
    return bool(_PROGRAMS.fullmatch(program) or _SAVE.fullmatch(program))


_SAVE = re.compile(r"(x?)(ip6?)tables(?:-(nft|legacy))?(-save)?")
_PROGRAMS = re.compile(
    r"ip|route|nft|ipset|sysctl|conntrack|tc|bpftool|nstat|kubectl|k|oc|hostname|date|uname|ls|cat|netstat"
)
_FILE_TOPICS = (
    ("net/netstat", "netstat"),
    ("net/snmp6", "snmp6"),
    ("net/snmp", "snmp"),
    ("net/dev", "net-dev"),
    ("net/softnet_stat", "softnet"),
    ("etc/hostname", "hostname"),
    ("kernel/hostname", "hostname"),
    ("nf_conntrack", "conntrack"),
)


def _hint_of_words(words: list[str]) -> Hint:
    if not words:
        return NO_HINT
    head, rest = words[0], words[1:]
    saved = _SAVE.fullmatch(head)
    if saved:
        return _hint_of_iptables(saved, rest)
    if head == "ip":
        return _hint_of_ip(rest)
    if head == "tc":
        return _hint_of_tc(rest)
    topic = _plain_topic(head, rest)
    if topic == "pods":
        return Hint(topic=topic, namespace=_value_of(rest, "-n", "--namespace"))
    return Hint(topic=topic, family="ipv6" if "-6" in rest and head == "route" else None)


def _hint_of_iptables(saved: re.Match[str], rest: list[str]) -> Hint:
    family: Family = "ipv6" if saved[2] == "ip6" else "ipv4"
    listing = not saved[4]
    if listing and not any(re.match(r"-\w*S|--list-rules", word) for word in rest):
        return Hint(family=family)
    backend: Backend | None = "nft" if saved[3] == "nft" else "legacy" if saved[3] == "legacy" else None
    table = _value_of(rest, "-t", "--table") or "filter" if listing else None
    return Hint(topic="iptables", family=family, backend=backend, table=table)


def _value_of(words: list[str], *options: str) -> str | None:
    """The word after an option, or after its equals sign."""
    for word, after in pairwise([*words, ""]):
        if word in options:
            return after or None
        name, sign, value = word.partition("=")
        if sign and name in options:
            return value or None
    return None


def _plain_topic(head: str, rest: list[str]) -> str | None:
    told = " ".join(rest)
    if head in ("kubectl", "k", "oc"):
        return "pods" if re.search(r"\bget\s+(pods?|po)\b", told) else None
    if head == "cat":
        return next((topic for path, topic in _FILE_TOPICS if path in told), None)
    if head == "ls":
        folders = (("cni/net.d", "cni"), ("log/pods", "log-folders"), ("/ns/net", "namespaces"))
        return next((topic for path, topic in folders if path in told), None)
    if "cilium/state" in told:
        return "cilium-state"
    if head == "conntrack":
        return "conntrack-stats" if re.search(r"(^|\s)(-S|--stats)", told) else "conntrack"
    if head == "netstat":
        return "route-n" if re.search(r"(^|\s)-\w*r", told) else None
    topics = {"route": "route-n", "nft": "nft", "ipset": "ipset", "sysctl": "sysctl", "bpftool": "bpftool"}
    return topics.get(head, head if head in ("nstat", "hostname", "date", "uname") else None)


def _hint_of_ip(words: list[str]) -> Hint:
    family: Family | None = None
    rest = list(words)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option in ("-6", "-4"):
            family = "ipv6" if option == "-6" else "ipv4"
        if option in _IP_VALUED and rest:
            value = rest.pop(0)
            family = _IP_FAMILIES.get(value, family)
    if not rest:
        return Hint(family=family)
    topic = _ip_topic(rest[0])
    return Hint(topic=topic, family=family, table=_table_after(rest) if topic == "route" else None)


def _ip_topic(word: str) -> str | None:
    """The object that iproute2 takes the word for: the first that it abbreviates (ip(8), do_cmd)."""
    found = next((name for name in ("address", *_IP_OBJECTS) if word and name.startswith(word)), None)
    if word == "addr" or found == "address":
        return "addr"
    return "neigh" if found in ("neighbour", "neighbor") else found


def _table_after(words: list[str]) -> str | None:
    for before, after in pairwise(words):
        if before in ("table", "t", "tab"):
            return None if after in ("all", "0", "unspec") else after
    return None


def _hint_of_tc(words: list[str]) -> Hint:
    plain = [word for word in words if not word.startswith("-")]
    if not plain or not "filter".startswith(plain[0]):
        return NO_HINT
    dev = next((after for before, after in pairwise(plain) if before == "dev"), None)
    way = next((word for word in plain if word in ("ingress", "egress")), None)
    return Hint(topic="tc", dev=dev, direction=way)


_NAME_TOPICS = (
    (r"ip6?tables|ipv[46] tables", "iptables"),
    (r"\bnft\b", "nft"),
    (r"\bip ?sets?\b", "ipset"),
    (r"\bconntrack (s|stats?)\b", "conntrack-stats"),
    (r"conntrack", "conntrack"),
    (r"\btc\b.*filter", "tc"),
    (r"\bbpftool\b", "bpftool"),
    (r"\bsysctl\b", "sysctl"),
    (r"\bnstat\b", "nstat"),
    (r"\bsoftnet", "softnet"),
    (r"\bsnmp6\b", "snmp6"),
    (r"\bsnmp\b", "snmp"),
    (r"\bnetstat\b", "netstat"),
    (r"\b(net|proc) dev$", "net-dev"),
    (r"^log pods$", "log-folders"),
    (r"^cilium state$", "cilium-state"),
    (r"^pod namespaces$", "namespaces"),
    (r"\bpods?\b", "pods"),
    (r"\bcni\b", "cni"),
    (r"^hostname$", "hostname"),
    (r"^date$", "date"),
    (r"^uname\b", "uname"),
    (r"\broute n\b", "route-n"),
    (r"\broutes?\b|\bip (4 |6 )?r\b", "route"),
    (r"\brules?\b", "rule"),
    (r"\bneigh", "neigh"),
    (r"\baddr|\bip a\b", "addr"),
    (r"\blinks?\b|\bip (d )?(s )?l\b", "link"),
)


def hint_of_file_name(path: str) -> Hint:
    """What a file's name says about its content, as a guess.

    The names are those that people and bundles make of command lines:
    `ip6tables-save-c.txt`, `ip--4-route-show-table-100.md`, `ip_-6_route_show_table_all`.

    Args:
        path: With or without folders; only the last part counts.
    """
    stem = _EXTENSION.sub("", path.rsplit("/", 1)[-1])
    plain = re.sub(r"[^a-z0-9]+", " ", stem.lower()).strip()
    topic = next((topic for pattern, topic in _NAME_TOPICS if re.search(pattern, plain)), None)
    hint = Hint(topic=topic, family=_family_in_name(plain))
    if topic == "route":
        return replace(hint, table=_table_in_name(stem))
    return _with_device(hint, stem) if topic == "tc" else hint


def _family_in_name(plain: str) -> Family | None:
    if re.search(r"\bip6tables|\bipv6\b|\bv6\b|^ip 6\b|\bipv?6?tables6\b", plain):
        return "ipv6"
    return "ipv4" if re.search(r"\biptables\b|\bipv4\b|\bv4\b|^ip 4\b", plain) else None


def _table_in_name(stem: str) -> str | None:
    found = re.search(r"table[-_ =]+([A-Za-z0-9][\w.@-]*)$", stem)
    return None if not found or found[1] in ("all", "0") else found[1]


def _with_device(hint: Hint, stem: str) -> Hint:
    found = re.search(r"dev[-_ ]+(.+?)(?:[-_ ]+(ingress|egress))?$", stem)
    return replace(hint, dev=found[1], direction=found[2]) if found else hint
