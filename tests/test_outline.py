"""The outline against a naive list: same rows, same lines, whatever is opened or filtered."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calitop.cni.index import NodeIndex
from calitop.model.node import NodeState
from calitop.model.rules import Chain, ChainKey, Rule, Ruleset, Table
from calitop.outline import Outline, Row, View, base_chains, reach_order


def _key(chain: str, table: str = "filter") -> ChainKey:
    return ChainKey("ipv4", "nft", table, chain)


def _rule(target: str, number: int) -> Rule:
    verb = "goto" if target.startswith("g:") else "jump"
    name = target.removeprefix("g:")
    return Rule(f"-A X {number} {target}", number, 0, 0, name, "goto" if verb == "goto" else "jump")


def _chain(name: str, *targets: str) -> Chain:
    rules = tuple(_rule(target, number) for number, target in enumerate(targets, 1))
    if name in ("FORWARD", "INPUT", "OUTPUT"):
        return Chain(name, rules, True, name, 0, None, None, "ACCEPT", 0, 0)
    return Chain(name, rules)


def _state(*chains: Chain) -> NodeState:
    table = Table("filter", {chain.name: chain for chain in chains})
    return NodeState(rulesets=(Ruleset("ipv4", "nft", (table,)),))


def _outline(state: NodeState, view: View = "hook") -> Outline:
    return Outline(state, view, NodeIndex(state))


def _lines(outline: Outline) -> list[str]:
    return ["  " * row.depth + _words(row) for row in outline.rows()]


def _words(row: Row) -> str:
    if row.rule is not None:
        return f"{row.rule.number} {row.rule.target}"
    return row.title


STATE = _state(
    _chain("FORWARD", "a", "ACCEPT", "g:b"),
    _chain("INPUT", "b"),
    _chain("a", "b", "DROP"),
    _chain("b", "a", "lost"),
    replace(_chain("lost"), present=False),
    _chain("alone", "b"),
)


def test_by_hook_a_target_opens_in_place_and_a_chain_above_itself_is_a_reference() -> None:
    outline = _outline(STATE)
    assert _lines(outline) == ["filter INPUT", "filter FORWARD", "orphans"]
    outline.open_below(outline.row(1), True)
    assert _lines(outline) == [
        "filter INPUT",
        "filter FORWARD",
        "  1 a",
        "    1 b",
        "      1 a",
        "      2 lost",
        "        lost: not in this text",
        "    2 DROP",
        "  2 ACCEPT",
        "  3 b",
        "  policy ACCEPT",
        "orphans",
    ]
    outline.set_open(outline.row(4), True)
    reference = outline.row(5)
    assert (reference.kind, reference.key, reference.title) == (
        "reference",
        _key("a"),
        "a: already open above",
    )


def test_the_same_chain_may_be_open_at_several_places() -> None:
    outline = _outline(STATE)
    outline.open_below(outline.row(1), True)
    again = next(row for row in outline.rows() if row.rule and row.rule.target == "b" and row.depth == 1)
    assert again.openable and not again.is_open
    outline.toggle(again)
    places = [row.id for row in outline.rows() if row.key == _key("b") and row.rule_index == 1]
    assert len(places) == len(set(places)) == 2


def test_jump_and_goto_are_told_apart_and_targets_named() -> None:
    outline = _outline(STATE)
    outline.set_open(outline.row(1), True)
    rules = [row for row in outline.rows() if row.rule is not None]
    assert [row.rule.verb for row in rules if row.rule] == ["jump", "jump", "goto"]
    assert [row.targets for row in rules] == [(_key("a"),), (), (_key("b"),)]


def test_a_rule_with_several_targets_opens_each_of_them() -> None:
    fork = Rule("iifname vmap @m", 1, target="a", verb="goto", targets=("a", "b"), language="nft")
    chains = {
        "FORWARD": Chain("FORWARD", (fork,), True, "FORWARD", 0),
        "a": _chain("a"),
        "b": _chain("b", "X"),
    }
    state = NodeState(rulesets=(Ruleset("inet", "native", (Table("t", chains),)),))
    outline = _outline(state)
    outline.open_below(None, True)
    assert [(row.depth, row.kind) for row in outline.rows()] == [
        (0, "hook"),
        (1, "rule"),
        (2, "chain"),
        (3, "note"),
        (2, "chain"),
        (3, "rule"),
    ]
    assert outline.row(outline.reveal(ChainKey("inet", "native", "t", "b"), 0)).depth == 3


def test_by_chain_every_chain_stands_once_in_its_group() -> None:
    state = _state(
        _chain("FORWARD", "cali-FORWARD", "KUBE-FORWARD", "mine"),
        _chain("cali-FORWARD", "cali-from-wl-dispatch", "cali-to-wl-dispatch"),
        _chain("cali-from-wl-dispatch", "g:cali-fw-cali7cd4eff55c7"),
        _chain("cali-to-wl-dispatch", "g:cali-tw-cali7cd4eff55c7"),
        _chain("cali-fw-cali7cd4eff55c7"),
        _chain("cali-tw-cali7cd4eff55c7"),
        _chain("KUBE-FORWARD"),
        _chain("KUBE-PROXY-CANARY"),
        _chain("mine"),
        _chain("unused"),
    )
    outline = _outline(state, "chain")
    assert _lines(outline) == [
        "built-in",
        "dispatch",
        "from workload",
        "to workload",
        "calico other",
        "kube-proxy",
        "other",
        "orphan",
    ]
    outline.open_below(None, True)
    chains = [row.key for row in outline.rows() if row.kind == "chain"]
    assert sorted(chains, key=str) == sorted(state.chains(), key=str)
    assert not any(row.openable for row in outline.rows() if row.kind == "rule")


def test_a_cut_chain_says_so_and_an_empty_one_too() -> None:
    outline = _outline(_state(replace(_chain("x", "ACCEPT"), complete=False), _chain("y")), "chain")
    outline.open_below(None, True)
    notes = [row.title for row in outline.rows() if row.kind == "note"]
    assert notes == ["rules are missing: the text was cut", "no rules"]


def test_base_chains_come_by_hook_and_priority_whatever_the_names() -> None:
    def table(name: str, *bases: tuple[str, str, int | None]) -> Table:
        return Table(name, {chain: Chain(chain, (), True, hook, prio) for chain, hook, prio in bases})

    forward = [("late", "FORWARD", 10), ("early", "FORWARD", -300), ("open", "FORWARD", None)]
    native = Ruleset("inet", "native", (table("z", *forward, ("post", "POSTROUTING", -300)),))
    legacy = Ruleset("ipv4", "legacy", (table("raw", ("PREROUTING", "PREROUTING", -300)),))
    state = NodeState(rulesets=(native, legacy))
    assert [key.chain for key in base_chains(state)] == ["PREROUTING", "early", "late", "open", "post"]


def test_reports_rank_chains_by_the_first_place_they_are_reached_from() -> None:
    ranks = reach_order(NodeIndex(STATE))
    assert [key.chain for key in sorted(ranks, key=lambda key: ranks[key])] == [
        "INPUT",
        "b",
        "a",
        "lost",
        "FORWARD",
        "alone",
    ]


def test_reveal_opens_the_place_of_forwarded_packets_or_the_orphans() -> None:
    outline = _outline(STATE)
    assert _words(outline.row(outline.reveal(_key("a"), 1))) == "2 DROP"
    assert [outline.row(y).title for y in (0, 1)] == ["filter INPUT", "filter FORWARD"]
    assert [outline.row(y).is_open for y in (0, 1)] == [False, True]
    outline = _outline(STATE)
    assert outline.row(outline.reveal(_key("alone"))).title == "filter alone"
    assert outline.row(outline.reveal(_key("INPUT"))).kind == "hook"
    assert outline.row(outline.reveal(_key("FORWARD"), 3)).kind == "policy"
    with pytest.raises(KeyError):
        outline.reveal(_key("nowhere"))


def test_a_filter_shows_matches_and_the_way_to_them_and_ends_without_a_trace() -> None:
    outline = _outline(
        _state(
            _chain("FORWARD", "a", "ACCEPT", "b"),
            _chain("INPUT", "b", "DROP"),
            _chain("a", "DROP", "b"),
            _chain("b", "DROP", "ACCEPT"),
        )
    )
    outline.set_open(outline.row(0), True)
    before = _lines(outline)
    outline.keep(lambda key, at: (key.chain, at) in {("b", 1), ("FORWARD", None)})
    assert _lines(outline) == [
        "filter INPUT",
        "  1 b",
        "    2 ACCEPT",
        "filter FORWARD",
        "  1 a",
        "    2 b",
        "  3 b",
        "  policy ACCEPT",
    ]
    outline.keep(None)
    assert _lines(outline) == before


def test_a_way_through_a_barred_rule_is_shown_only_where_there_is_no_other() -> None:
    outline = _outline(
        _state(_chain("FORWARD", "a"), _chain("INPUT", "a", "b"), _chain("a", "DROP"), _chain("b", "DROP"))
    )
    outline.keep(lambda key, at: key.chain in "ab", barred=lambda key, at: key.chain == "INPUT")
    assert _lines(outline) == [
        "filter INPUT",
        "  2 b",
        "    1 DROP",
        "filter FORWARD",
        "  1 a",
        "    1 DROP",
    ]


def test_a_row_closed_under_a_filter_stays_closed_when_it_is_set_anew() -> None:
    outline = _outline(STATE)
    for _ in range(2):
        outline.keep(lambda key, at: (key.chain, at) == ("a", 1))
        if outline.row(1).is_open:
            outline.set_open(outline.row(1), False)
    assert _lines(outline)[:2] == ["filter INPUT", "  1 b"]
    assert not outline.row(1).is_open


def test_reveal_lets_its_row_through_the_filter() -> None:
    outline = _outline(STATE)
    outline.keep(lambda key, at: False)
    assert len(outline) == 0
    assert _words(outline.row(outline.reveal(_key("a"), 1))) == "2 DROP"


def test_open_rows_and_the_cursor_survive_rules_inserted_above() -> None:
    outline = _outline(STATE)
    outline.open_below(None, True)
    cursor = outline.path_of(outline.row(outline.reveal(_key("a"), 1)).id)
    longer = replace(
        STATE.chains()[_key("INPUT")], rules=(_rule("new", 9), *STATE.chains()[_key("INPUT")].rules)
    )
    table = STATE.rulesets[0].tables[0].with_chain(longer)
    after = _outline(NodeState(rulesets=(Ruleset("ipv4", "nft", (table,)),)))
    after.restore(outline.opened())
    assert len(after) == len(outline) + 1
    line = after.line_of_path(cursor)
    assert line is not None and _words(after.row(line)) == "2 DROP"


def test_there_is_no_row_outside_the_lines() -> None:
    outline = _outline(STATE)
    for y in (-1, len(outline)):
        with pytest.raises(IndexError):
            outline.row(y)
    assert outline.line_of((0, 0)) is None
    assert outline.line_of((99,)) is None
    assert len(_outline(NodeState())) == 0


def test_chains_nested_deeper_than_pythons_stack_open() -> None:
    chains = [_chain(f"c{i}", f"c{i + 1}") for i in range(1500)]
    outline = _outline(_state(_chain("FORWARD", "c0"), *chains, _chain("c1500", "ACCEPT")))
    outline.open_below(None, True)
    assert len(outline) == 1504 - 1 + 1
    assert outline.row(outline.reveal(_key("c1500"), 0)).depth == 1502


def test_chains_called_from_everywhere_do_not_multiply() -> None:
    chains = [_chain(f"c{i}", f"c{i + 1}", f"c{i + 1}") for i in range(60)]
    outline = _outline(_state(_chain("FORWARD", "c0"), *chains, _chain("c60", "ACCEPT")))
    outline.open_below(None, True)
    assert len(outline) < 200


_NAMES = ["INPUT", "FORWARD", "a", "b", "c", "d"]
_TARGETS = [*_NAMES[2:], "ACCEPT", "DROP"]


@st.composite
def _states(draw: st.DrawFn) -> NodeState:
    return _state(*(_chain(name, *draw(st.lists(st.sampled_from(_TARGETS), max_size=4))) for name in _NAMES))


@settings(max_examples=120, deadline=None)
@given(_states(), st.sampled_from(["hook", "chain"]), st.data())
def test_lines_and_rows_agree_after_any_toggles_and_filters(
    state: NodeState, view: View, data: st.DataObject
) -> None:
    outline = _outline(state, view)
    shown = [row.id for row in outline.rows()]
    for _ in range(data.draw(st.integers(1, 12))):
        action = data.draw(st.sampled_from(["toggle", "toggle", "below", "filter", "reveal"]))
        if action == "filter":
            wanted = data.draw(st.sets(st.tuples(st.sampled_from(_NAMES), st.integers(0, 3))))
            outline.keep(data.draw(st.sampled_from([None, lambda key, at, w=wanted: (key.chain, at) in w])))
        elif action == "reveal":
            key = _key(data.draw(st.sampled_from(_NAMES)))
            at = data.draw(st.integers(0, max(0, len(state.chains()[key].rules) - 1)))
            row = outline.row(outline.reveal(key, at if state.chains()[key].rules else None))
            assert row.key == key or key in row.targets
        elif len(outline):
            row = outline.row(data.draw(st.integers(0, len(outline) - 1)))
            before = [row.id for row in outline.rows()]
            (outline.toggle if action == "toggle" else lambda row: outline.open_below(row, not row.is_open))(
                row
            )
            after = [row.id for row in outline.rows()]
            y = before.index(row.id)
            below = [other for other in before if other[: len(row.id)] != row.id]
            assert [other for other in after if other[: len(row.id)] != row.id] == below
            assert after[y] == row.id
        shown = [row.id for row in outline.rows()]
        assert len(set(shown)) == len(shown) == len(outline)
        assert shown == sorted(shown)
        assert [outline.line_of(row_id) for row_id in shown] == list(range(len(shown)))
        for row in outline.rows():
            assert row.depth == len(row.id) - 1
            assert row.depth == 0 or row.id[:-1] in shown


@settings(max_examples=60, deadline=None)
@given(_states(), st.sampled_from(["hook", "chain"]), st.data())
def test_open_rows_are_restored_to_the_same_rows(state: NodeState, view: View, data: st.DataObject) -> None:
    outline = _outline(state, view)
    for _ in range(data.draw(st.integers(0, 8))):
        outline.toggle(outline.row(data.draw(st.integers(0, len(outline) - 1))))
    again = _outline(state, view)
    again.restore(outline.opened())
    assert list(again.rows()) == list(outline.rows())
    for row in outline.rows():
        line = again.line_of_path(outline.path_of(row.id))
        assert line == outline.line_of(row.id)
