"""Broken nft listings are answered: no error, nothing without a line, no hang."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calitop.formats import nft_json, nft_text
from calitop.formats.fragment import Fragment
from calitop.formats.nft_spec import nft_spec
from calitop.formats.nft_words import (
    bare,
    braced,
    elements,
    key_and_options,
    key_and_value,
    open_braces,
    without_counters,
)
from tests.formats.nft_texts import CALICO

JSON = json.dumps(
    {
        "nftables": [
            {"metainfo": {"version": "1.0.6"}},
            {"table": {"family": "ip", "name": "t", "handle": 1}},
            {"map": {"family": "ip", "table": "t", "name": "m", "type": "ifname", "map": "verdict",
                     "elem": [["a", {"goto": {"target": "c"}}], [{"elem": {"val": "b"}}, {"drop": None}]]}},
            {"chain": {"family": "ip", "table": "t", "name": "c", "type": "nat", "hook": "input", "prio": 0}},
            {"rule": {"family": "ip", "table": "t", "chain": "c", "handle": 3, "comment": "x", "expr": [
                {"match": {"op": "!=", "left": {"&": [{"meta": {"key": "mark"}}, 5]}, "right": {"set": [1]}}},
                {"counter": {"packets": 1, "bytes": 2}},
                {"vmap": {"key": {"meta": {"key": "iifname"}}, "data": "@m"}}]}},
        ]
    }
)  # fmt: skip

PIECES = [
    "{",
    "}",
    '"',
    "\n",
    "\t",
    " ",
    "table ip x {\n",
    "chain c {",
    "elements = {",
    "vmap",
    "@m",
    ",",
    ":",
    "#",
    "[",
    "]",
]


def mutated(whole: str, chance: random.Random) -> str:
    """The text with a few pieces cut out, doubled, moved or put in."""
    for _ in range(chance.randint(1, 6)):
        start = chance.randrange(len(whole) + 1)
        end = min(len(whole), start + chance.choice((1, 1, 5, 40)))
        piece = chance.choice(
            ("", whole[start:end] * 2, chance.choice(PIECES), chr(chance.randrange(1, 0x250)))
        )
        whole = whole[:start] + piece + whole[end:]
    return whole


def look_at_everything(fragment: Fragment) -> None:
    for problem in fragment.problems:
        assert problem.why
        assert problem.line is None or problem.line >= 1
    for ruleset in fragment.rulesets or ():
        for table in ruleset.tables:
            for chain in table.chains.values():
                for number, rule in enumerate(chain.rules, 1):
                    assert rule.number == number
                    assert rule.targets[:1] == ((rule.target,) if rule.target else ())
                    assert (rule.verb is None) == (rule.target is None)
                    nft_spec(rule.text)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("parse", "whole"), [(nft_text.parse, CALICO), (nft_json.parse, JSON)])
def test_mutated_listings_are_answered(parse: Callable[[str], Fragment], whole: str, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(60):
        look_at_everything(parse(mutated(whole, chance)))


@given(st.text(max_size=200))
def test_any_text_is_answered(whole: str) -> None:
    look_at_everything(nft_text.parse(whole))
    look_at_everything(nft_json.parse(whole))


KEYS = (
    *("match", "left", "right", "op", "meta", "key", "set", "elem", "val", "map", "data", "&", "range"),
    *("concat", "prefix", "addr", "len", "counter", "mangle", "value", "dnat", "flags", "vmap", "limit"),
    *("reject", "log", "fib", "payload", "tcp option", "jhash", "expr", "jump", "target", "queue", "x"),
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(JSON_VALUES, JSON_VALUES)
@settings(max_examples=200)
def test_any_expression_and_any_element_is_answered(expr: object, elem: object) -> None:
    rule = {"family": "ip", "table": "t", "chain": "c", "expr": [expr]}
    one = {"family": "ip", "table": "t", "name": "m", "type": elem, "map": expr, "elem": [elem, expr]}
    look_at_everything(
        nft_json.parse(json.dumps({"nftables": [{"rule": rule}, {"map": one}, {"chain": one}]}))
    )


def test_long_broken_lines_do_not_hang() -> None:
    for piece in (
        "{ ",
        '" ',
        "} ",
        "vmap { ",
        "jump { ",
        ", ",
        "counter packets 1 bytes 1 ",
        ". ",
        "( ",
        "& ( ",
    ):
        line = "ip saddr " + piece * 20_000 + "x # handle y"
        look_at_everything(nft_text.parse(f"table ip t {{\n\tchain c {{\n\t\t{line}\n\t}}\n}}\n"))
        look_at_everything(nft_text.parse("\n".join(["table ip t {", "chain c {", *(["ip saddr {"] * 3000)])))


@given(st.text(alphabet='ab"{},: \\', max_size=40))
def test_splitting_into_words_loses_nothing(text: str) -> None:
    assert "".join("".join(elements(text)).split()) == "".join(text.replace(",", "").split()) or '"' in text
    key, value = key_and_value(text)
    assert value is None or (key in text and value in text)
    assert key_and_options(text)[0] in text
    inner = braced(text, 0)
    assert inner is None or inner in text
    assert isinstance(bare(text), str)
    assert open_braces(text) <= text.count("{")
    assert without_counters(text) == (text, None)
