"""Identity of rules: said where every way to read the change agrees, never guessed."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitop.counters.identity import AMBIGUOUS, align, alignment
from calitop.model.rules import Chain, Rule


def _chain(texts: str | list[str], handles: list[int] | None = None) -> Chain:
    places: list[int | None] = list(handles) if handles else [None] * len(texts)
    return Chain(
        "X", tuple(Rule(text, n, handle=h) for n, (text, h) in enumerate(zip(texts, places, strict=True), 1))
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("abc", "abc", [0, 1, 2]),
        ("abc", "xabc", [None, 0, 1, 2]),
        ("abc", "ac", [0, 2]),
        ("abc", "axc", [0, None, 2]),
        ("aab", "aabc", [0, 1, 2, None]),
        ("aab", "ab", [AMBIGUOUS, 2]),
        ("ab", "aab", [AMBIGUOUS, AMBIGUOUS, 1]),
        ("aua", "au", [0, 1]),
        ("aua", "aaua", [AMBIGUOUS, AMBIGUOUS, 1, 2]),
        ("xrst", "rstx", [1, 2, 3, None]),
        ("", "ab", [None, None]),
        ("ab", "", []),
    ],
)
def test_align_by_text(old: str, new: str, expected: list[int | None]) -> None:
    assert align(_chain(old), _chain(new)) == expected


def test_two_rules_that_changed_places_are_both_open() -> None:
    same = alignment(_chain("ab"), _chain("ba"))
    assert same.old_of == [None, None]
    assert same.moved == {0: 1, 1: 0}
    assert same.gone == []


def test_of_ambiguous_texts_only_the_number_of_the_gone_is_known() -> None:
    same = alignment(_chain("aaab"), _chain("ab"))
    assert (same.gone, same.fewer) == ([], {"a": 2})


def test_handles_decide_even_between_equal_texts() -> None:
    assert align(_chain("aab", [4, 5, 6]), _chain("ab", [5, 6])) == [1, 2]
    assert align(_chain("ab", [4, 5]), _chain("ba", [5, 4])) == [1, 0]


def test_a_rewritten_rule_has_another_handle_and_is_new() -> None:
    assert align(_chain("ab", [4, 5]), _chain("ab", [4, 9])) == [0, None]


def test_a_reused_handle_with_another_text_is_another_rule() -> None:
    assert align(_chain("a", [4]), _chain("b", [4])) == [None]


@given(
    st.lists(st.sampled_from("abcde"), max_size=12),
    st.lists(st.sampled_from("fghab"), max_size=4),
    st.data(),
)
def test_what_is_said_is_true_when_a_text_is_only_added_or_only_taken_away(
    old: list[str], inserted: list[str], data: st.DataObject
) -> None:
    gone = set(data.draw(st.lists(st.integers(0, max(0, len(old) - 1)), max_size=4)) if old else [])
    gone_texts = {old[i] for i in gone}
    truth: list[tuple[str, int | None]] = [(text, i) for i, text in enumerate(old) if i not in gone]
    for text in inserted:
        if text not in gone_texts:
            truth.insert(data.draw(st.integers(0, len(truth))), (text, None))
    aligned = align(_chain(old), _chain([text for text, _ in truth]))
    for said, (text, true) in zip(aligned, truth, strict=True):
        assert said in (true, AMBIGUOUS)
        if said == AMBIGUOUS:
            assert old.count(text) > 1 or (inserted.count(text) > 0 and text in old)


@given(st.lists(st.sampled_from("abcdefgh"), max_size=14), st.lists(st.sampled_from("abcdefgh"), max_size=14))
def test_any_two_chains_align_in_order_and_text(old: list[str], new: list[str]) -> None:
    same = alignment(_chain(old), _chain(new))
    sure = [(j, i) for j, i in enumerate(same.old_of) if i not in (None, AMBIGUOUS)]
    assert all(i is not None and old[i] == new[j] for j, i in sure)
    assert sorted(sure) == sorted(sure, key=lambda pair: pair[1] or 0)
    known = {i for _, i in sure} | set(same.moved.values()) | set(same.gone)
    ambiguous = {text for j, text in enumerate(new) if same.old_of[j] == AMBIGUOUS}
    assert all(i in known or old[i] in ambiguous for i in range(len(old)))


@pytest.mark.parametrize(
    "change",
    [
        lambda texts: ["new", *texts],
        lambda texts: list(reversed(texts)),
        lambda texts: texts[1000:] + texts[:1000],
        lambda texts: [f"other {text}" for text in texts],
    ],
)
@pytest.mark.parametrize("texts", [[f"-s {i}" for i in range(4000)], ["a", "b"] * 2000, ["a"] * 4000])
def test_long_chains_align_fast(texts: list[str], change: object) -> None:
    assert callable(change)
    start = time.process_time()
    align(_chain(texts), _chain(change(texts)))
    assert time.process_time() - start < 1.0
