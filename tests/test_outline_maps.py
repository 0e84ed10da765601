"""Sets, maps and their elements in the chain tree: below the rules that follow them, and in a group."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calitop.cni.index import NodeIndex
from calitop.model.node import NodeState
from calitop.model.rules import Chain, ChainKey, MapKey, Rule, Ruleset, Table, TableKey, VerdictMap
from calitop.outline import Outline, Row, View
from calitop.outline.rows import MAPS
from tests.native_node import FROM, HOSTS, POD_A, POD_B, TO, key, state

STATE = state()
INDEX = NodeIndex(STATE)


def _outline(view: View = "hook") -> Outline:
    return Outline(STATE, view, INDEX)


def _row(outline: Outline, wanted: str) -> Row:
    return next(row for row in outline.rows() if row.title.startswith(wanted))


def _below(outline: Outline, row: Row) -> list[tuple[str, str]]:
    """Kind and title of the rows right below a row."""
    outline.set_open(row, True)
    return [(one.kind, one.title) for one in outline.rows() if one.id[:-1] == row.id]


def test_base_chains_stand_by_hook_and_priority_whoever_made_them() -> None:
    titles = [row.title for row in _outline().rows()]
    assert titles == [
        "kube-proxy filter-forward",
        "calico filter-FORWARD",
        "calico nat-POSTROUTING",
        MAPS,
    ]


def test_below_a_rule_with_a_map_stand_its_elements_and_below_them_the_chains() -> None:
    outline = _outline()
    outline.reveal(key("filter-cali-from-wl-dispatch"))
    rule = _row(outline, "iifname vmap")
    assert rule.map == FROM and rule.openable
    assert _below(outline, rule) == [
        ("element", f'"{POD_B}" : goto filter-cali-fw-{POD_B}'),
        ("element", f'"{POD_A}" : goto filter-cali-fw-{POD_A}'),
    ]
    element = _row(outline, f'"{POD_B}"')
    assert (element.map, element.element, element.targets) == (FROM, 0, (key(f"filter-cali-fw-{POD_B}"),))
    assert [kind for kind, _ in _below(outline, element)] == ["rule"]


def test_an_element_with_a_verdict_alone_leads_nowhere() -> None:
    outline = _outline()
    outline.reveal(key("filter-cali-to-wl-dispatch"))
    outline.set_open(_row(outline, "oifname vmap"), True)
    element = _row(outline, f'"{POD_A}" : drop')
    assert (element.openable, element.targets) == (False, ())


def test_a_pods_chain_is_revealed_below_its_element() -> None:
    outline = _outline()
    line = outline.reveal(key(f"filter-cali-tw-{POD_B}"))
    row = outline.row(line)
    assert (row.kind, row.map, row.is_open) == ("element", TO, True)
    first = outline.row(outline.reveal(key(f"filter-cali-fw-{POD_A}"), 0))
    assert first.rule is not None and first.key == key(f"filter-cali-fw-{POD_A}")


def test_by_chain_a_map_opens_to_elements_that_do_not_open_further() -> None:
    outline = _outline("chain")
    outline.reveal(key("filter-cali-from-wl-dispatch"))
    outline.set_open(_row(outline, "iifname vmap"), True)
    element = _row(outline, f'"{POD_B}"')
    assert not element.openable and element.targets


@pytest.mark.parametrize("view", ["hook", "chain"])
def test_sets_and_maps_have_a_group_of_their_own(view: View) -> None:
    outline = _outline(view)
    line = outline.reveal_map(HOSTS, 1)
    row = outline.row(line)
    assert (row.kind, row.map, row.element, row.title) == ("element", HOSTS, 1, "172.16.189.102")
    above = outline.row(outline.line_of(row.id[:-1]) or 0)
    assert above.title == "calico cali40all-hosts-net  set of ipv4_addr  2 elements"
    assert outline.row(outline.reveal_map(HOSTS)).id == above.id


def test_an_unknown_set_is_refused() -> None:
    with pytest.raises(KeyError):
        _outline().reveal_map(MapKey(TableKey("ipv6", "native", "calico"), HOSTS.name))


def test_the_way_to_a_hit_leads_through_the_element() -> None:
    outline = _outline()
    wanted = (key(f"filter-cali-tw-{POD_B}"), 0)
    outline.keep(lambda chain, at: (chain, at) == wanted, barred=lambda chain, at: False)
    kinds = [(row.kind, row.depth) for row in outline.rows()]
    assert kinds == [("hook", 0), ("rule", 1), ("rule", 2), ("rule", 3), ("element", 4), ("rule", 5)]
    shown = outline.row(outline.reveal_map(HOSTS, 0))
    assert shown.title == "172.16.189.101"
    assert MAPS in [row.title for row in outline.rows()]


def test_open_elements_outlive_new_rules() -> None:
    outline = _outline()
    outline.reveal(key(f"filter-cali-fw-{POD_B}"))
    outline.reveal_map(HOSTS)
    later = Outline(STATE, "hook", NodeIndex(state(drops=3)))
    later.restore(outline.opened())
    assert [row.title for row in later.rows()] == [row.title for row in outline.rows()]
    path = outline.path_of(outline.row(outline.reveal_map(HOSTS, 1)).id)
    line = later.line_of_path(path)
    assert line is not None and later.row(line).title == "172.16.189.102"


@pytest.mark.parametrize(
    ("complete", "said"),
    [
        (True, "no elements"),
        (False, "elements are missing: the text was cut"),
        (None, "no elements in this text: it may leave them out (nft -t)"),
    ],
)
def test_an_empty_set_says_why(complete: bool | None, said: str) -> None:
    ruleset = STATE.rulesets[0]
    empty = VerdictMap("empty", "ipv4_addr", is_map=False, complete=complete)
    tables = (replace(ruleset.tables[0], maps=(empty,)), *ruleset.tables[1:])
    changed = NodeState(rulesets=(replace(ruleset, tables=tables),))
    outline = Outline(changed, "hook", NodeIndex(changed))
    row = outline.row(outline.reveal_map(MapKey(HOSTS.table, "empty")))
    assert _below(outline, row) == [("note", said)]


def test_a_hundred_thousand_elements_are_rows_on_demand() -> None:
    """Any line of a large map is made alone, and its chain is found."""
    count = 100_000
    rule = Rule("ip daddr vmap @big", 1, target="c0", verb="goto", targets=("c0", "c1"), language="nft")
    elements = tuple((f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", f"goto c{n & 1}") for n in range(count))
    chains = {
        "base": Chain("base", (rule,), True, "FORWARD", 0, policy="ACCEPT"),
        **{name: Chain(name) for name in ("c0", "c1")},
    }
    big = VerdictMap("big", "ipv4_addr : verdict", elements, ("c0", "c1"))
    ruleset = Ruleset("ipv4", "native", (Table("t", chains, (big,)),))
    node = NodeState(rulesets=(ruleset,))
    outline = Outline(node, "hook", NodeIndex(node))
    outline.set_open(outline.row(0), True)
    outline.set_open(outline.row(1), True)
    assert len(outline) == count + 4
    last = outline.row(count + 1)
    assert (last.title, last.targets) == (
        "10.1.134.159 : goto c1",
        (ChainKey("ipv4", "native", "t", "c1"),),
    )
    outline.toggle(last)
    assert outline.row(count + 2).title == "no rules"
