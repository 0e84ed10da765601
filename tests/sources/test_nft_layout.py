"""Counters in recorded listings of nf_tables (kernel 6.18, `nft` 1.0.6)."""

from __future__ import annotations

from calitop.model.rules import Chain, Counter, Rule
from calitop.sources.nfnetlink import attribute, messages, places_of, question, text_of
from calitop.sources.nft_layout import layout_of
from tests.sources.nft_bytes import COUNTED, DROPPED, SILENT


def test_the_layout_finds_every_counter_and_handle() -> None:
    data = memoryview(COUNTED + SILENT + DROPPED)
    layout = layout_of(data)
    flat = layout.take(data)
    assert layout.handles == (3, 4, 5)
    assert layout.counting == (0, 2)
    assert flat == (588, 7, 60, 1)
    assert layout.counters(flat) == (Counter(7, 588), None, Counter(1, 60))
    assert layout.packets() == {0: 1, 2: 3}


def test_where_all_rules_count_none_is_left_out() -> None:
    data = memoryview(COUNTED + DROPPED)
    layout = layout_of(data)
    assert layout.counting is None
    assert layout.counters((588, 7, 60, 1)) == (Counter(7, 588), Counter(1, 60))


def test_a_listing_of_another_length_is_not_taken() -> None:
    layout = layout_of(memoryview(COUNTED + DROPPED))
    assert layout.take(memoryview(COUNTED)) is None
    assert layout.take(memoryview(b"")) is None


def test_a_chain_without_rules_has_an_empty_layout() -> None:
    layout = layout_of(memoryview(b""))
    assert layout.handles == () and layout.take(memoryview(b"")) == ()
    assert layout.counters(()) == ()


def test_the_handles_go_to_the_rules_in_order() -> None:
    chain = Chain("c", (Rule("-A c", 1), Rule("-A c", 2))).with_handles((7, 9))
    assert [rule.handle for rule in chain.rules] == [7, 9]


def test_messages_tell_table_and_chain() -> None:
    (message,) = messages(memoryview(COUNTED))
    told = {kind: message.data[start:end] for kind, start, end in places_of(message.data, message.start, 44)}
    assert (message.kind, message.family) == (6, 1)
    assert text_of(told[1]) == "own" and text_of(told[2]) == "c"


def test_a_question_holds_its_own_length_and_padded_names() -> None:
    asked = question(7, 2, attribute(1, "filter") + attribute(2, "a"), dump=True)
    assert int.from_bytes(asked[:4], "little") == len(asked) == 20 + 12 + 8
    assert asked[4:8] == b"\x07\x0a\x01\x03"
