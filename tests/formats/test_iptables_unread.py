"""Rules left unread must come out as if every line had been read at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from calitop.formats import iptables_save
from calitop.formats.iptables_quick import quick_look
from calitop.formats.iptables_unread import STRETCH, Looker
from calitop.model.rules import Chain, UnmadeRules

WORDS = st.sampled_from(
    [
        *(
            "-j",
            "-g",
            "-jX",
            "--jump",
            "ACCEPT",
            "X",
            "-m",
            "comment",
            "--comment",
            "--log-prefix",
            "!",
            "-s",
        ),
        *(
            '"-j Y"',
            '"a -j B"',
            '"',
            '"-o"',
            '"a" "b"',
            '"x "',
            "--syn",
            "",
            "\\",
            "1.2.3.4/32",
            "-c",
            "1",
            "\t",
        ),
    ]
)
LINES = st.lists(WORDS, max_size=9).map(lambda words: " ".join(["[1:2] -A X", *words]))


def chain_of(text: str) -> Chain:
    rulesets = iptables_save.parse(f"*filter\n:X - [0:0]\n{text}\nCOMMIT\n").rulesets
    assert rulesets is not None
    return rulesets[0].tables[0].chains["X"]


@given(st.lists(LINES, min_size=1, max_size=3))
def test_what_is_left_unread_the_quick_look_is_sure_of(lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    stretch = STRETCH.match(text)
    unread = None if stretch is None else Looker(text).unread(stretch.start(), stretch.end(), 1)
    for rule in unread or ():
        assert quick_look(rule.text) == ("X", rule.target, rule.verb)


def test_unread_rules_are_made_once_and_lose_nothing() -> None:
    chain = chain_of('[3:180] -A X -s 10.0.0.1/32 -m comment --comment "a j B" -j ACCEPT\n-A X -g Y')
    assert isinstance(chain.rules, UnmadeRules)
    assert list(chain.leads) == [(("ACCEPT",), "jump"), (("Y",), "goto")]
    assert chain.may_hold("10.0.0.1")
    assert not chain.may_hold("10.0.0.2")
    first, second = chain.rules
    assert first is chain.rules[0]
    assert (first.packets, first.bytes, first.number, first.line) == (3, 180, 1, 3)
    assert (second.counter, second.number, second.line) == (None, 2, 4)
    assert second.text == "-A X -g Y"


def test_a_line_that_needs_a_closer_look_is_read_at_once() -> None:
    chain = chain_of('[0:0] -A X -j ACCEPT\n[0:0] -A X -m comment --comment "open -j DROP')
    assert not isinstance(chain.rules, UnmadeRules)


def test_a_chain_that_goes_on_below_another_one_keeps_its_order() -> None:
    chain = chain_of("[0:0] -A X -j ACCEPT\n[0:0] -A Z -j ACCEPT\n[0:0] -A X -j DROP")
    assert [(rule.number, rule.target, rule.line) for rule in chain.rules] == [
        (1, "ACCEPT", 3),
        (2, "DROP", 5),
    ]
