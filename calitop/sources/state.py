"""The latest answers of a live node, and the state that they tell together.

Fed by `live.py` with what a runner brings; knows no way to the node. A text is parsed
again only when it differs from the one before.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from calitop.cni.bpf import with_bpf_warning
from calitop.cni.pod_identity import with_identities
from calitop.counters.sample import ChainReading
from calitop.formats.fragment import NOTE, Fragment
from calitop.model.network import Link, LinkCounters, Neighbour
from calitop.model.node import NodeState, Pod, Problem, SourceFile
from calitop.model.rules import Chain, ChainKey, Table, TableKey
from calitop.snapshot.hints import hint_of_command
from calitop.snapshot.merge import Piece, merge
from calitop.snapshot.recognise import Reading, count_lines, recognise
from calitop.sources import capture
from calitop.sources.capture import Capture, Captured, Part
from calitop.sources.save_counters import SaveCounters, incompatible_tables

_WITHOUT_PRIVILEGE = "run as root, or open a snapshot: calitop PATH"
_TRACKED = "net.netfilter.nf_conntrack_count"
_TICKING = {
    capture.SYSCTL: re.compile(rf"{re.escape(_TRACKED)} = \d+"),
    capture.NFT_NATIVE: re.compile(r"packets \d+ bytes \d+|\bexpires \w+"),
}
_TICKING_JSON = re.compile(
    r'"(?:\w+_timer|valid_life_time|preferred_life_time|expires|used|age)":[^,}\]]*',
)
"""What changes by itself in an otherwise unchanged text."""


class LatestAnswers:
    """What each capture answered last, parsed as late as possible."""

    def __init__(self) -> None:
        self._answers: dict[Capture, Captured] = {}
        self._readings: dict[Capture, Reading] = {}
        self._still: dict[Capture, str] = {}
        self._saves: dict[Capture, SaveCounters] = {
            save: SaveCounters(save.family, save.backend)
            for save in capture.SAVES
            if save.family and save.backend
        }
        self._followed: set[Capture] = set()

    def __getitem__(self, wanted: Capture) -> Captured | None:
        return self._answers.get(wanted)

    def take(self, wanted: Capture, answer: Captured) -> bool:
        """Keep an answer.

        Returns:
            Whether it tells anything but other counters than the one before.
        """
        if wanted in self._saves:
            answer = _printable(answer)
        before = self._answers.get(wanted)
        if before is answer:
            return False
        self._answers[wanted] = answer
        if before is None or not _tells_the_same(before, answer) or before.ok != answer.ok:
            self._readings.pop(wanted, None)
        fate = before is None or (before.status, before.error) != (answer.status, answer.error)
        return self._differs(wanted, answer, before) or fate

    def follow(self, wanted: Capture, followed: bool) -> None:
        """Say whether somebody else reads a program's counters and sees when it is worth running.

        What such a program prints is taken over whole: the counters in it are told nowhere else.
        """
        if not followed:
            self._followed.discard(wanted)
        elif wanted not in self._followed:
            self._followed.add(wanted)
            if wanted.family and wanted.backend:
                self._saves[wanted] = SaveCounters(wanted.family, wanted.backend)

    def _differs(self, wanted: Capture, answer: Captured, before: Captured | None) -> bool:
        if wanted in self._followed:
            return True
        if wanted in self._saves:
            return not self._saves[wanted].take(answer.text)
        if wanted.part is Part.COUNTERS or (before is not None and _tells_the_same(before, answer)):
            return False
        if answer.fragment is not None:
            return before is None or _other_facts(answer.fragment, before.fragment)
        still = _TICKING.get(wanted, _TICKING_JSON).sub("", answer.text)
        earlier, self._still[wanted] = self._still.get(wanted), still
        return still != earlier

    def reading(self, wanted: Capture) -> Reading | None:
        """What a capture's last text was taken for; None when there is no text to read."""
        answer = self._answers.get(wanted)
        if answer is None or not (answer.ok or answer.empty or answer.text.strip()):
            return None
        if wanted not in self._readings:
            self._readings[wanted] = _dated(_read(answer), answer.started_at)
        return self._readings[wanted]

    # -- counters -----------------------------------------------------------------------

    def chains(self) -> Iterator[tuple[ChainKey, ChainReading]]:
        """Counters by the last texts of every chain that nobody else reads."""
        for wanted, save in self._saves.items():
            answer = self._answers.get(wanted)
            if answer is not None and answer.ok and wanted not in self._followed:
                yield from save.readings(answer.read_at)
        native, answer = self.reading(capture.NFT_NATIVE), self._answers.get(capture.NFT_NATIVE)
        if native is None or answer is None or capture.NFT_NATIVE in self._followed:
            return
        for ruleset in native.fragment.rulesets or ():
            for table in ruleset.tables:
                for chain in table.chains.values():
                    counters = tuple(rule.counter for rule in chain.rules)
                    reading = ChainReading(counters, chain.counter, answer.read_at)
                    yield ruleset.key(table).chain(chain.name), reading

    def took_s(self) -> dict[TableKey, float]:
        """Time of each table; a program that prints several shares its time between them."""
        out: dict[TableKey, float] = {}
        for wanted, save in self._saves.items():
            answer, tables = self._answers.get(wanted), save.tables()
            if answer is not None and tables:
                out.update(dict.fromkeys(tables, answer.took_s / len(tables)))
        return out

    def links(self) -> dict[str, LinkCounters]:
        """Counters of every link, from /proc/net/dev."""
        reading = self.reading(capture.DEV)
        return {link.name: link.counters for link in (reading.fragment.links or ())} if reading else {}

    def stats(self) -> dict[str, int]:
        """The kernel's own statistics."""
        out: dict[str, int] = {}
        for wanted in (capture.SNMP, capture.NETSTAT, capture.SNMP_IPV6):
            reading = self.reading(wanted)
            out.update((reading.fragment.stats or {}) if reading else {})
        return out

    # -- structure ----------------------------------------------------------------------

    def chains_of(self, wanted: Capture) -> dict[ChainKey, Chain]:
        """The chains that a program printed."""
        reading = self.reading(wanted)
        return {
            ruleset.key(table).chain(chain.name): chain
            for ruleset in (reading.fragment.rulesets or () if reading else ())
            for table in ruleset.tables
            for chain in table.chains.values()
            if chain.present
        }

    def replace_chains(self, wanted: Capture, chains: Mapping[ChainKey, Chain | None]) -> None:
        """Put newer chains in the place of a program's printed ones; None for those that are gone.

        All other chains stay the very same objects.
        """
        reading = self.reading(wanted)
        if reading is None or not chains:
            return
        by_table: defaultdict[TableKey, dict[str, Chain | None]] = defaultdict(dict)
        for key, chain in chains.items():
            by_table[TableKey(*key[:3])][key.chain] = chain
        rulesets = tuple(
            replace(each, tables=tuple(table.with_chains(by_table[each.key(table)]) for table in each.tables))
            for each in reading.fragment.rulesets or ()
        )
        self._readings[wanted] = replace(reading, fragment=replace(reading.fragment, rulesets=rulesets))

    def state(self, name: str | None, captured_at: str, pods: tuple[Pod, ...]) -> NodeState:
        """Everything that the last answers tell, with what they could not.

        Args:
            name: The node, where it is known from outside.
            captured_at: UTC, RFC 3339.
            pods: Pods that the operator gave.
        """
        merged = merge(self._pieces())
        name = name or self.node_name()
        whole = replace(
            merged,
            name=name,
            captured_at=captured_at,
            files=tuple(self._files()),
            links=tuple(self._with_counters(merged.links)),
            pods=pods,
            warnings=tuple(dict.fromkeys([*merged.warnings, *self._warnings()])),
        )
        return with_bpf_warning(with_identities(whole))

    def node_name(self) -> str | None:
        """What `hostname` says."""
        answer = self._answers.get(capture.HOSTNAME)
        return (answer.text.strip() or None) if answer is not None else None

    def _pieces(self) -> Iterator[Piece]:
        left_out = set()
        if self.reading(capture.LINK) is not None:
            left_out.add(capture.DEV)  # Its counters are put in afterwards, without a merge of each link.
        for wanted in [each for each in self._answers if each not in left_out]:
            reading = self.reading(wanted)
            if reading is not None:
                yield from (Piece(part.fragment) for part in reading.parts())

    def _with_counters(self, links: Iterable[Link]) -> Iterator[Link]:
        counters = self.links()
        for link in links:
            yield replace(link, counters=counters[link.name]) if link.name in counters else link

    def neighbours(self) -> tuple[Neighbour, ...]:
        """The neighbour table as last read."""
        reading = self.reading(capture.NEIGHBOURS)
        return (reading.fragment.neighbours or ()) if reading else ()

    def _files(self) -> Iterator[SourceFile]:
        for wanted, answer in self._answers.items():
            reading = self.reading(wanted)
            kind = reading.kind if reading else recognise("", hint_of_command(answer.command)).kind
            problems = (
                tuple(problem for part in reading.parts() for problem in part.fragment.problems)
                if reading
                else ()
            )
            if answer.error and answer.asked and (wanted.required or answer.denied):
                problems = (Problem(None, "", answer.error), *problems)
            told = reading.fragment.extra.get(NOTE) if reading else None
            note = told if answer.asked else answer.error
            lines = reading.lines if reading else count_lines(answer.text)
            yield SourceFile(answer.command, kind, lines, problems, note)

    def _warnings(self) -> Iterator[str]:
        for wanted in (*capture.RULES, *capture.LINKS):
            answer = self._answers.get(wanted)
            if answer is not None and answer.denied and wanted.part is Part.RULES:
                kind = "nft" if wanted.backend != "legacy" else "legacy"
                yield f"cannot read the {kind} rules: permission denied; {_WITHOUT_PRIVILEGE}"
            elif answer is not None and answer.asked and answer.error:
                yield answer.error
        for wanted in capture.SAVES[:2]:
            answer = self._answers.get(wanted)
            for table in sorted(incompatible_tables(answer.text)) if answer is not None else ():
                yield f"table '{table}' holds rules that iptables-nft-save cannot print: it is read with nft"


def _tells_the_same(a: Captured, b: Captured) -> bool:
    return a.text == b.text and a.fragment is b.fragment


def _other_facts(now: Fragment, before: Fragment | None) -> bool:
    """Whether anything differs that does not change by itself; equal routes are the very same ones."""
    return before is None or now.routes is not before.routes or _lasting(now) != _lasting(before)


def _lasting(fragment: Fragment) -> dict[str, str]:
    return {**(fragment.sysctls or {}), _TRACKED: ""}


def _read(answer: Captured) -> Reading:
    """What an answer tells; an empty JSON list tells as much as an empty text."""
    fragment = answer.fragment
    if fragment is not None:
        facts = fragment.routes or fragment.sysctls or fragment.links or fragment.stats or ()
        return Reading(answer.kind, fragment, len(facts))
    text = "" if answer.text.strip() == "[]" else answer.text
    return recognise(text, replace(hint_of_command(answer.command), succeeded=answer.ok or answer.empty))


def _dated(reading: Reading, at: str) -> Reading:
    """With the moment of the elements' counters, which nothing but the whole listing reads again."""

    def table(one: Table) -> Table:
        maps = tuple(replace(each, counted_at=at) if each.counters else each for each in one.maps)
        return replace(one, maps=maps) if one.maps else one

    rulesets = reading.fragment.rulesets
    if not rulesets or not any(one.maps for each in rulesets for one in each.tables):
        return reading
    dated = tuple(replace(each, tables=tuple(map(table, each.tables))) for each in rulesets)
    return replace(reading, fragment=replace(reading.fragment, rulesets=dated))


def _printable(answer: Captured) -> Captured:
    """The answer without what is made up: empty tables in place of those that could not be printed."""
    text = answer.text
    for table in incompatible_tables(text):
        text = re.sub(rf"^\*{re.escape(table)}\n.*?^COMMIT\n", "", text, count=1, flags=re.M | re.S)
    return answer if text == answer.text else replace(answer, text=text)
