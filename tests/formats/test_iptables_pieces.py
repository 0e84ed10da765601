"""The pieces of a rule say together what the whole rule says, or nothing is told of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitop.formats.iptables_options import MATCHES, SHORT, TARGETS
from calitop.formats.iptables_pieces import pieces, read_piece
from calitop.formats.iptables_save import parse
from calitop.formats.spec import spec_of_text
from calitop.model.matches import Comment, Match
from calitop.model.targets import Target
from tests.formats.iptables_rules import CORPUS, needs_corpus, rule_texts
from tests.perf.generate import SIZES, iptables_save

SNAPSHOTS = Path(__file__).parents[2] / "snapshots"
Said = tuple[list[Match], list[Target]]


def in_pieces(text: str) -> Said | None:
    """What the pieces say, without the places of their words."""
    names = pieces(text)
    said = [read_piece(name) for name in names or ()]
    if names is None or None in said:
        return None
    known = [one for one in said if one is not None]
    return _told([match for one in known for match in one.matches], [t for one in known for t in one.targets])


def as_a_whole(text: str) -> Said:
    whole = spec_of_text(text)
    return _told(whole.matches, whole.targets)


def _told(matches: list[Match] | tuple[Match, ...], targets: list[Target] | tuple[Target, ...]) -> Said:
    return (
        [replace(one, at=()) for one in matches if not isinstance(one, Comment)],
        [replace(one, at=()) for one in targets],
    )


def assert_alike(text: str) -> None:
    told = in_pieces(text)
    assert told is None or told == as_a_whole(text)


@given(rule_texts)
def test_pieces_of_a_rule_say_what_the_rule_says(text: str) -> None:
    assert_alike(text)


_word = st.one_of(
    st.sampled_from([f"-{letter}" for letter in SHORT]),
    st.sampled_from(
        sorted({f"--{name}" for table in (MATCHES, TARGETS) for own in table.values() for name in own})
    ),
    st.sampled_from(
        [*MATCHES, *TARGETS, "unknown", "!", "", "-x", "--", '"', '"a b"', "\\", "10.0.0.1", "1:2", "tcp"]
    ),
    st.sampled_from(
        ["-m comment --comment", "-m tcp", "-p tcp", "--proto", "--protocol", "--match", "--jump"]
    ),
)


@given(st.lists(_word, max_size=12).map(lambda words: " ".join(["-A X", *words])))
def test_pieces_of_any_words_say_what_they_say_together(text: str) -> None:
    assert_alike(text)


@needs_corpus
@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.txt")), ids=lambda path: path.stem)
def test_pieces_of_real_rules(path: Path) -> None:
    for line in path.read_text(errors="surrogateescape").splitlines():
        if line.startswith("-A "):
            assert_alike(line)


@pytest.mark.parametrize(
    "text",
    [
        *(path.read_text() for path in sorted(SNAPSHOTS.glob("lab/*/*/iptables-save.txt"))),
        iptables_save(SIZES["1k"]),
    ],
    ids=lambda text: str(len(text)),
)
def test_every_rule_of_a_kubernetes_node_is_told_by_its_pieces(text: str) -> None:
    """Else explaining a large node costs five times as much."""
    chains = [c for one in parse(text).rulesets or () for t in one.tables for c in t.chains.values()]
    rules = [rule.text for chain in chains for rule in chain.rules]
    assert len(rules) > 200
    for rule in rules:
        assert in_pieces(rule) == as_a_whole(rule)


@pytest.mark.parametrize(
    "words",
    [
        "-p tcp --dport 80",
        "-m unknown --dport 80 -j ACCEPT",
        "-p tcp -s 10.0.0.1 --dport 80",
        '-j LOG --log-prefix "two words"',
        "-s -d 10.0.0.1",
        '-d -m comment --comment "x" --unknown -j ACCEPT',
        '-m mark --mark -m comment --comment "x" -j ACCEPT',
        "-c 1 2 -j ACCEPT",
        "-A Y -j ACCEPT",
    ],
)
def test_what_may_belong_together_is_not_told_in_pieces(words: str) -> None:
    assert in_pieces(f"-A X {words}") is None
