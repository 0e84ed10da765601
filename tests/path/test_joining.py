"""Disjunctions of conditions become fewer and keep their meaning."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from calitop.path.flight import Condition
from calitop.path.joining import Conditions, simplified

_OF = (2, 2, 3, 2)
"""How many answers each question has."""

_answers = st.integers(0, len(_OF) - 1).flatmap(
    lambda at: st.integers(0, _OF[at] - 1).map(lambda answer: _condition(at, answer))
)
_alternatives = st.lists(_answers, max_size=5).map(tuple)


def _condition(at: int, answer: int) -> Condition:
    return Condition((at,), answer, _OF[at], f"question {at} is answered {answer}")


def _meaning(alternatives: Sequence[Conditions]) -> list[bool]:
    """Whether one of them holds, for all answers that there can be."""
    worlds = product(*map(range, _OF))
    return [
        any(all(world[int(str(one.key[0]))] == one.answer for one in each) for each in alternatives)
        for world in worlds
    ]


@given(st.lists(_alternatives, max_size=14))
def test_the_meaning_stays(alternatives: list[Conditions]) -> None:
    left = simplified(alternatives)
    assert _meaning(left) == _meaning(alternatives)
    assert len(left) <= len(alternatives)


def test_one_alternative_in_two_orders_is_one() -> None:
    one, other = _condition(0, 1), _condition(1, 0)
    assert simplified([(one, other), (other, one)]) == [(one, other)]


def test_all_answers_to_a_question_need_not_be_asked() -> None:
    rest = _condition(1, 0)
    assert simplified([(_condition(2, at), rest) for at in range(3)]) == [(rest,)]


def test_thousands_are_simplified() -> None:
    """Twelve questions with both answers each: nothing is left to be asked."""
    every = [
        tuple(Condition((at,), answer, 2, "") for at, answer in enumerate(answers))
        for answers in product((0, 1), repeat=12)
    ]
    assert simplified(every) == [()]
