"""`nft -j list ruleset`: the same facts as the text form, in the same words.

JSON has no rule text: it is written from the expressions, spelled as `nft list ruleset`
of nftables 1.0 spells them (`nft_statement`, `nft_expression`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from calitop.formats.fragment import Fragment
from calitop.formats.json_reading import Json, JsonObject, integer, mapping, string
from calitop.formats.nft_expression import element, expression, kind_of_type
from calitop.formats.nft_rule import read_rule
from calitop.formats.nft_statement import statement
from calitop.formats.nft_tables import (
    FAMILIES,
    ChainDraft,
    Draft,
    TableDraft,
    chain_head,
    priority_of,
    verdict_map,
)
from calitop.formats.reading import HEAD, Problems
from calitop.model.rules import Chain, Counter, Family

KIND = "nft list ruleset (json)"

_LIST = re.compile(r'^[ \t]*\{\s*"nftables"\s*:\s*\[', re.M)
_SEPARATOR = re.compile(r"[\s,]*")
_SHOWN = 200
_UNMODELLED = frozenset(
    (
        *("counter", "quota", "limit", "flowtable", "secmark", "synproxy", "tunnel"),
        *("ct helper", "ct timeout", "ct expectation"),
    )
)
"""Named objects that calitop does not model."""


def looks_like(text: str) -> bool:
    """Whether it is an object with the key `nftables`."""
    return _LIST.search(text[:HEAD]) is not None


def parse(text: str) -> Fragment:
    """The listing's tables as native rulesets; what is not understood becomes problems."""
    problems = Problems()
    reader = _Reader(problems)
    for one in _objects(text, problems):
        reader.read(one)
    rulesets = reader.draft.rulesets(reader.program)
    return Fragment(
        problems=problems.all(),
        rulesets=None if len(problems) and not rulesets else rulesets,
        warnings=reader.draft.warnings(),
        richness=7,
    )


def _objects(text: str, problems: Problems) -> list[Json]:
    """The listing's objects, of a cut or broken text those before the break."""
    start = _LIST.search(text)
    if start is None:
        problems.add(None, text[:_SHOWN].strip(), 'is no object with the key "nftables"')
        return []
    before = text[: start.start()].strip()
    if before:
        problems.add(1, before[:_SHOWN], "does not belong to the JSON")
    begin = start.end() - 1
    try:
        found, end = json.JSONDecoder().raw_decode(text, begin)
    except (ValueError, RecursionError):
        return _salvage(text, start.end(), problems)
    rest = text[end:].lstrip().removeprefix("}").strip()
    if rest or not text[end:].strip():
        problems.add(text.count("\n", 0, end) + 1, rest[:_SHOWN], "the JSON ends or breaks here")
    return found if isinstance(found, list) else []


def _salvage(text: str, at: int, problems: Problems) -> list[Json]:
    decoder = json.JSONDecoder()
    found: list[Json] = []
    why = "the JSON ends or breaks here"
    while (between := _SEPARATOR.match(text, at)) and between.end() < len(text):
        at = between.end()
        try:
            one, at = decoder.raw_decode(text, at)
        except RecursionError:
            why = "is nested too deeply"
            break
        except ValueError:
            break
        found.append(one)
    problems.add(text.count("\n", 0, at) + 1, text[at : at + _SHOWN].strip(), why)
    return found


class _Reader:
    """Takes the objects one by one."""

    def __init__(self, problems: Problems) -> None:
        self.draft = Draft()
        self.program: str | None = None
        self._problems = problems
        self._readers: dict[str, Callable[[JsonObject], None]] = {
            "metainfo": self._metainfo,
            "table": self._table,
            "chain": self._chain,
            "rule": self._rule,
            "set": self._set,
            "map": self._set,
            "meter": self._set,
        }

    def read(self, one: Json) -> None:
        """One element of the list; an unknown one becomes a problem."""
        outer = mapping(one)
        name = next(iter(outer), "")
        inner = mapping(outer.get(name))
        try:
            if name in self._readers and inner and len(outer) == 1:
                self._readers[name](inner)
            elif name not in _UNMODELLED:
                self._unknown(one, "is no object that nft lists")
        except RecursionError:
            # A value nested nearly as deep as the decoder allows; the words need more stack than JSON did.
            self._problems.add(None, f"{name} {inner.get('handle', '')}".strip(), "is nested too deeply")

    def _unknown(self, one: Json, why: str) -> None:
        self._problems.add(None, json.dumps(one, ensure_ascii=False)[:_SHOWN], why)

    def _metainfo(self, inner: JsonObject) -> None:
        version, release = string(inner.get("version")), string(inner.get("release_name"))
        if version is not None:
            self.program = f"nftables v{version}" + (f" ({release})" if release else "")

    def _place(self, inner: JsonObject, key: str = "table") -> tuple[Family, TableDraft] | None:
        family, name = FAMILIES.get(str(inner.get("family"))), string(inner.get(key))
        if family is None or name is None:
            self._unknown(inner, "names no table")
            return None
        return family, self.draft.table(family, name)

    def _table(self, inner: JsonObject) -> None:
        place = self._place(inner, "name")
        flags = inner.get("flags")
        if place is None or flags is None:
            return
        # nft 1.0.6 prints the table's name where its flag should stand.
        is_named = flags != inner.get("name")
        place[1].dormant = "dormant" in str(flags) if is_named else None

    def _chain(self, inner: JsonObject) -> None:
        place, name = self._place(inner), string(inner.get("name"))
        if place is None or name is None:
            return
        family, table = place
        head = self._base_chain(inner, name, family) if "hook" in inner else Chain(name)
        table.chains.setdefault(name, ChainDraft(head)).chain = head

    def _base_chain(self, inner: JsonObject, name: str, family: Family) -> Chain:
        priority = priority_of(str(inner.get("prio")), family)
        if priority is None:
            self._unknown(inner, f"priority means nothing in family {family}")
        device = inner.get("dev")
        devices = ", ".join(str(one) for one in device) if isinstance(device, list) else string(device)
        policy = string(inner.get("policy"))
        return chain_head(name, str(inner.get("type")), str(inner.get("hook")), priority, policy, devices)

    def _rule(self, inner: JsonObject) -> None:
        place, name, parts = self._place(inner), string(inner.get("chain")), inner.get("expr")
        if place is None:
            return
        if name is None or not isinstance(parts, list):
            self._unknown(inner, "is a rule without a chain or without expressions")
            return
        family, table = place
        draft = table.chains.setdefault(name, ChainDraft(Chain(name)))
        words = [statement(part, family) for part in parts]
        if inner.get("comment") is not None:
            words.append(f'comment "{inner["comment"]}"')
        number, handle = len(draft.rules) + 1, integer(inner.get("handle"))
        draft.rules.append(read_rule(" ".join(words), number, handle, counter=_first_counter(parts)))

    def _set(self, inner: JsonObject) -> None:
        place, name = self._place(inner), string(inner.get("name"))
        if place is None or name is None:
            return
        kind, value = inner.get("type"), inner.get("map")
        key_kind = kind_of_type(kind)
        value_kind = "name" if isinstance(value, str) and value in _UNMODELLED else kind_of_type(value)
        listed = inner.get("elem")
        found = [element(one, key_kind, value_kind) for one in listed] if isinstance(listed, list) else []
        words = _type_words(kind) + ("" if value is None else f" : {_type_words(value)}")
        self.draft.add_map(place[1], verdict_map(name, words, value is not None, found))


def _first_counter(parts: list[Json]) -> Counter | None:
    """The first counter of the rule's own that has numbers; a named one counts for several rules."""
    for part in parts:
        if not isinstance(part, dict) or "counter" not in part:
            continue
        field = mapping(part["counter"])
        packets, octets = integer(field.get("packets")), integer(field.get("bytes"))
        if packets is not None and octets is not None:
            return Counter(packets, octets)
    return None


def _type_words(kind: Json) -> str:
    """A type in nft's words: `ipv4_addr . inet_service`, `typeof ip saddr`."""
    if isinstance(kind, list):
        return " . ".join(_type_words(one) for one in kind)
    if isinstance(kind, dict) and "typeof" in kind:
        return f"typeof {expression(kind['typeof'])}"
    return str(kind)
