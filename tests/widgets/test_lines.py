"""What the one-line widgets and single rows say, without an app."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitop.cni.index import NodeIndex
from calitop.counters.compare import compare
from calitop.explain.network_words import no_way_words
from calitop.model.network import Link
from calitop.model.node import Known, Pod, PodSign
from calitop.outline import Outline
from calitop.snapshot.open import open_snapshots
from tests.tui.node import POD_B, write_node
from widgets.chain_words import RowWords, fit_label
from widgets.columns import fit
from widgets.detail import EDGE, wrapped
from widgets.facts import Fact
from widgets.key_line import KeyHint, fit_hints
from widgets.link_table import LinkRows
from widgets.route_table import RouteRows
from widgets.signs import ASCII, UNICODE, signs_for
from widgets.status_line import Status, fit_parts, status_parts
from widgets.subject_facts import facts_of
from widgets.text import width_of
from widgets.view import ChainId, LinkId, RuleId, View, hits_of, route_id


@pytest.fixture
def view(tmp_path: Path) -> View:
    """The small node, five packets after its baseline."""
    before, after = open_snapshots([str(write_node(tmp_path / "node"))])[0].moments
    counts = compare(before, after)
    return View(after, NodeIndex(after).prepare(), counts, live=False, hits=hits_of(counts))


def tree_lines(view: View, width: int = 60) -> list[str]:
    """The whole tree by hook as text, with the differences."""
    outline = Outline(view.state, "hook", view.index)
    outline.open_below(None, True)
    words = RowWords(view, UNICODE)
    return [
        "".join(piece.text for piece in fit_label(words.label(row), width, "…"))
        + (words.number(row, figures, "since", 7) if (figures := words.figures(row)) else "")
        for row in outline.rows()
    ]


def test_jump_goto_and_alarm_have_their_signs(view: View) -> None:
    """A jump, a goto and a DROP that counted are told apart without colour."""
    text = "\n".join(tree_lines(view))
    assert "1 ↳ cali-FORWARD" in text and f"2 ⇒ cali-tw-{POD_B}  -o {POD_B}" in text
    assert '3 DROP  "Drop if no profiles matched"' in text and "✖+5" in text and "▲+5" in text


def test_a_closed_chain_tells_how_many_of_its_rules_moved(view: View) -> None:
    """Nobody has to open it to know."""
    outline = Outline(view.state, "hook", view.index)
    words = RowWords(view, UNICODE)
    closed = ["".join(piece.text for piece in words.label(row)) for row in outline.rows()]
    assert any("filter FORWARD  policy DROP  1 moved" in line for line in closed)


def test_rows_are_exactly_as_wide_as_told(view: View) -> None:
    """Labels of any length leave the numbers in their columns."""
    outline = Outline(view.state, "hook", view.index)
    outline.open_below(None, True)
    words = RowWords(view, ASCII)
    for row in outline.rows():
        for width in (1, 13, 40, 200):
            assert sum(len(piece.text) for piece in fit_label(words.label(row), width, "~")) == width


def test_route_rows(view: View) -> None:
    """A route's cells, and no column for what no route has."""
    rows = RouteRows(view.state.routes, view.index)
    assert "table" not in [column.id for column in rows.columns]
    placed = fit(rows.columns, 100)
    line = "".join(piece.text for piece in rows.pieces(rows.routes[3], placed))
    assert line.split()[:5] == ["10.222.160.3/32", "on", "link", POD_B, "calico-python3-daemon-2jlc5"]


def test_link_rows_count_since_the_baseline(view: View) -> None:
    """Between two moments the heads say +, in one moment nothing."""
    assert [column.title for column in LinkRows(view).columns if column.id == "rx"] == ["rx +"]
    alone = View(view.state, view.index, None, live=False)
    assert [column.title for column in LinkRows(alone).columns if column.id == "rx"] == ["rx"]


def test_a_jump_tells_the_chain_rule_by_rule(view: View) -> None:
    """Each rule of the chain in one sentence, with where control goes next, and the way to the rule."""
    key = next(key for key in view.chains if key.chain == f"cali-tw-{POD_B}")
    caller = view.index.callers(key)[0]
    facts = facts_of(view, RuleId(caller.key, caller.index), None, UNICODE)
    told = [fact for fact in facts if isinstance(fact.target, RuleId) and fact.target.key == key]
    assert [fact.target for fact in told] == [RuleId(key, at) for at in range(3)]
    assert told[2].text == "  3  Drop the packet."
    assert facts_of(view, ChainId(key), None, UNICODE)[-3:] == told


def test_facts_of_a_rule(view: View) -> None:
    """Whole text, counters, what it leads to, who calls its chain."""
    key = next(key for key in view.chains if key.chain == f"cali-tw-{POD_B}")
    facts = facts_of(view, RuleId(key, 2), None, UNICODE)
    assert facts[0].text == "Drop the packet."
    assert facts[1].text.startswith(f"-A cali-tw-{POD_B} ")
    assert facts[2].text == "5 packets, 420 bytes, 5 since the baseline"
    assert any("is called by filter cali-to-wl-dispatch rule 2 (goto)" in fact.text for fact in facts)


def test_facts_of_a_route_name_pod_and_chains(view: View) -> None:
    """From a route one sees whose it is and which chains stand before it."""
    route = next(route for route in view.state.routes if route.dev == POD_B)
    texts = [fact.text for fact in facts_of(view, route_id(route), route, UNICODE)]
    assert any("pod default/calico-python3-daemon-2jlc5" in text for text in texts)
    assert sum(text.startswith("chain filter cali-") for text in texts) == 2


def test_facts_of_an_interface_without_chains(view: View) -> None:
    """Its routes are listed; unknown counters stay unknown."""
    texts = [fact.text for fact in facts_of(view, LinkId("tunl0"), None, UNICODE)]
    assert any(text.startswith("route 10.222.219.0/24") for text in texts)


def test_a_blackhole_says_what_it_does(view: View) -> None:
    """No interface, and the reason."""
    route = next(route for route in view.state.routes if route.type == "blackhole")
    assert "thrown away" in (no_way_words(route) or "")


def test_the_status_line_leaves_out_the_least_important() -> None:
    """In 40 cells the node, what is wrong and whether it is live remain."""
    status = Status(
        "work2",
        live=True,
        backends="nft",
        interval_s=1.0,
        took_s=0.0007,
        age_s=0.2,
        baseline="14:02:11 (8 s)",
        problems=2,
    )
    wide = [part.text for part in fit_parts(status_parts(status, UNICODE), 200, "…")]
    assert wide == [
        "calitop",
        "work2",
        "nft",
        "● live 1 s",
        "read 0 s ago in under 10 ms",
        "baseline 14:02:11 (8 s)",
        "2 problems",
    ]
    narrow = [part.text for part in fit_parts(status_parts(status, UNICODE), 40, "…")]
    assert narrow[0] == "work2" and "● live 1 s" in narrow


def test_a_stretched_interval_says_why() -> None:
    """Where there is room; the interval itself always."""
    status = Status("x", live=True, interval_s=3.1416, stretched="reading costs 63 ms")
    texts = [part.text for part in status_parts(status, UNICODE)]
    assert texts[2:4] == ["● live every 3.1 s", "reading costs 63 ms"]
    assert [part.text for part in fit_parts(status_parts(status, UNICODE), 26, "…")] == [
        "x",
        "● live every 3.1 s",
    ]


def test_old_data_are_loud() -> None:
    """Data older than three intervals say their age first."""
    parts = status_parts(Status("x", live=True, interval_s=1.0, age_s=9.0), UNICODE)
    assert any(part.text == "read 9 s ago" and part.look == "alert" for part in parts)


def test_help_and_quit_stay_among_the_keys() -> None:
    """However narrow the terminal."""
    hints = [KeyHint(str(n), "x", "something long") for n in range(9)] + [
        KeyHint("help", "?", "help"),
        KeyHint("quit", "q", "quit"),
    ]
    assert [hint.id for hint in fit_hints(hints, 20)] == ["help", "quit"]


@pytest.mark.parametrize(
    ("term", "encoding", "plain"),
    [
        ("xterm", "utf-8", False),
        ("linux", "UTF-8", True),
        ("screen", "utf8", False),
        ("xterm", "ANSI_X3.4-1968", True),
    ],
)
def test_plain_signs_where_the_terminal_has_no_others(term: str, encoding: str, plain: bool) -> None:
    """The Linux console and non-UTF-8 locales get ASCII."""
    assert (signs_for({"TERM": term}, encoding) is ASCII) == plain


def test_plain_signs_are_plain() -> None:
    """No sign of the ASCII set needs a glyph."""
    assert all(str(value).isascii() for value in vars(ASCII).values())


def test_the_detail_of_an_interface_tells_its_pod_and_where_that_is_known_from(view: View) -> None:
    """Sources that disagree stand there in words."""
    known = (Known("name", "/var/log/pods/x"), Known("interface", "the hash"))
    pod = Pod("default", "web-0", "10.0.0.5/32", "n", POD_B, known_from=known, conflicts=("a says b",))
    state = replace(view.state, pods=(pod,))
    shown = replace(view, state=state, index=NodeIndex(state))
    lines = [fact.text for fact in facts_of(shown, LinkId(POD_B), None, UNICODE)]
    assert "pod default/web-0  10.0.0.5/32  node n" in lines
    assert "sources disagree: a says b" in lines
    assert "known: name from /var/log/pods/x; interface from the hash" in lines


def test_behind_an_interface_without_a_name_stands_the_namespace_of_a_process(view: View) -> None:
    links = (Link(POD_B, 9, "veth", peer_index=2, peer_netns=4),)
    sign = PodSign("namespace", "network namespace of process 7 (x)", space=4, ends=((2, None),))
    state = replace(view.state, links=links, pods=(), pod_signs=(replace(sign, addresses=("10.0.0.5/32",)),))
    shown = replace(view, state=state, index=NodeIndex(state))
    lines = [fact.text for fact in facts_of(shown, LinkId(POD_B), None, UNICODE)]
    assert "behind it  network namespace of process 7 (x)  10.0.0.5/32" in lines


@given(st.lists(st.text("ab -", max_size=120), max_size=4), st.integers(12, 60))
def test_wrapped_facts_fit_beside_the_edge(texts: list[str], width: int) -> None:
    lines = wrapped([Fact(text) for text in texts], width)
    assert all(width_of(line.text) + EDGE <= width for line in lines)
