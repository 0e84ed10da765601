"""The account: exact where it says so, a lower bound where it does not, nobody else's packets."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from calitop.counters.compare import compare
from calitop.counters.counts import Delta, Reset
from calitop.counters.ledger import MOST_RESETS, Ledger
from calitop.counters.sample import Sample
from calitop.model.network import Link, LinkCounters
from calitop.model.node import NodeState
from calitop.model.rules import Chain, Rule, TableKey
from calitop.sources.source import Structure
from tests.counters.build import KEY, chain, key, sample, state, structure


def _delta(packets: int, exact: bool = True) -> Delta:
    return Delta(packets, packets * 10, exact)


def test_a_rule_counts_exactly_from_the_baseline() -> None:
    ledger = Ledger(structure(1, 0.0, chain("X", ("a", 5), ("b", 7), policy=2)))
    counts = ledger.add(sample(1, 2.0, chain("X", ("a", 9), ("b", 7), policy=3)))
    assert counts.rule(KEY, 0).delta == _delta(4)
    assert counts.rule(KEY, 1).delta == _delta(0)
    assert counts.policy(KEY).delta == _delta(1)
    assert counts.rule(KEY, 0).packets_per_s == 2.0
    assert counts.rule(KEY, 1).packets_per_s == 0.0
    assert counts.chain_moved(KEY) == 1
    assert list(counts.moved()) == [(KEY, 0, _delta(4)), (KEY, None, _delta(1))]
    assert counts.resets == ()


def test_counters_are_64_bit() -> None:
    ledger = Ledger(structure(1, 0.0, chain("X", ("a", 2**63))))
    counts = ledger.add(sample(1, 1.0, chain("X", ("a", 2**63 + 3))))
    assert counts.rule(KEY, 0).delta.packets == 3


def test_a_rate_is_unknown_before_the_second_reading() -> None:
    ledger = Ledger(structure(1, 0.0, chain("X", ("a", 5))))
    assert ledger.counts.rule(KEY, 0).packets_per_s is None


def test_heat_fades_by_one_a_poll_and_says_what_changed() -> None:
    ledger = Ledger(structure(1, 0.0, chain("X", ("a", 0), ("b", 0))))
    heats, changed = [], []
    for at, value in enumerate([0, 1, 1, 1, 1, 1], 1):
        counts = ledger.add(sample(1, float(at), chain("X", ("a", value), ("b", 0))))
        heats.append(counts.rule(KEY, 0).heat)
        changed.append(set(counts.changed))
    assert heats == [0, 3, 2, 1, 0, 0]
    assert changed == [set(), *[{(KEY, 0)}] * 4, set()]


def test_serial_rises_only_when_something_changed() -> None:
    ledger = Ledger(structure(1, 0.0, chain("X", ("a", 0))))
    quiet = ledger.add(sample(1, 1.0, chain("X", ("a", 0)))).serial
    assert ledger.add(sample(1, 2.0, chain("X", ("a", 0)))).serial == quiet
    assert ledger.add(sample(1, 3.0, chain("X", ("a", 1)))).serial > quiet


def test_a_rate_falls_to_zero_when_nothing_moves() -> None:
    ledger = Ledger(structure(1, 0.0, chain("X", ("a", 0))))
    assert ledger.add(sample(1, 1.0, chain("X", ("a", 5)))).rule(KEY, 0).packets_per_s == 5.0
    assert ledger.add(sample(1, 2.0, chain("X", ("a", 5)))).rule(KEY, 0).packets_per_s == 0.0


def test_a_chain_that_is_known_to_rest_grows_no_older_and_its_rate_is_of_the_time_it_moved() -> None:
    x, y = chain("X", ("a", 1)), chain("Y", ("a", 1))
    ledger = Ledger(structure(1, 0.0, x, y))
    ledger.add(sample(1, 1.0, x, y))
    settled = {TableKey(*KEY[:3]): 59.0}
    counts = ledger.add(replace(sample(1, 60.0, chain("X", ("a", 3))), full=False, settled=settled))
    assert counts.rule(key("Y"), 0).age_s == 1.0
    counts = ledger.add(sample(1, 61.0, chain("Y", ("a", 5))))
    assert counts.rule(key("Y"), 0).packets_per_s == 2.0


def test_a_chain_that_was_not_read_keeps_its_value_and_grows_older() -> None:
    x, y = chain("X", ("a", 1)), chain("Y", ("a", 1))
    ledger = Ledger(structure(1, 0.0, x, y))
    ledger.add(sample(1, 1.0, x, y))
    counts = ledger.add(replace(sample(1, 5.0, chain("X", ("a", 3))), full=False))
    assert (counts.rule(KEY, 0).age_s, counts.rule(key("Y"), 0).age_s) == (0.0, 4.0)
    assert counts.rule(key("Y"), 0).now == (1, 10)
    counts = ledger.add(sample(1, 7.0, chain("X", ("a", 3)), chain("Y", ("a", 13))))
    assert counts.rule(key("Y"), 0).packets_per_s == 2.0


def test_a_decreased_counter_keeps_what_was_seen_and_counts_from_zero() -> None:
    ledger = Ledger(structure(1, 0.0, chain("X", ("a", 5), ("b", 7))))
    ledger.add(sample(1, 1.0, chain("X", ("a", 9), ("b", 7))))
    counts = ledger.add(sample(1, 2.0, chain("X", ("a", 2), ("b", 8))))
    assert counts.rule(KEY, 0).delta == _delta(6, exact=False)
    assert counts.rule(KEY, 1).delta == _delta(1, exact=False)
    assert counts.resets == (Reset(KEY, 1, "a", "zeroed"),)
    assert counts.rule(KEY, 0).packets_per_s is None
    counts = ledger.add(sample(1, 3.0, chain("X", ("a", 3), ("b", 8))))
    assert counts.rule(KEY, 0).delta == _delta(7, exact=False)


def test_a_zeroed_table_leaves_no_delta_exact() -> None:
    chains = [chain("X", ("a", 5)), chain("Y", ("a", 5)), chain("Z", ("a", 0))]
    ledger = Ledger(structure(1, 0.0, *chains))
    counts = ledger.add(sample(1, 1.0, chain("X", ("a", 1)), chain("Y", ("a", 0)), chain("Z", ("a", 2))))
    assert counts.rule(key("Z"), 0).delta == _delta(2, exact=False)


def test_one_rewritten_chain_leaves_its_neighbours_exact() -> None:
    ledger = Ledger(structure(1, 0.0, chain("X", ("a", 5)), chain("Y", ("a", 0))))
    counts = ledger.add(sample(1, 1.0, chain("X", ("a", 1)), chain("Y", ("a", 2))))
    assert counts.rule(key("Y"), 0).delta == _delta(2)


def test_a_rule_keeps_its_delta_when_one_is_inserted_above() -> None:
    ledger = Ledger(structure(1, 0.0, chain("X", ("a", 5), ("b", 7))))
    ledger.add(sample(1, 1.0, chain("X", ("a", 9), ("b", 7))))
    longer = chain("X", ("new", 3), ("a", 10), ("b", 7))
    ledger.restructure(structure(2, 2.0, longer))
    counts = ledger.add(sample(2, 2.0, longer))
    assert counts.rule(KEY, 1).delta == _delta(5)
    assert counts.rule(KEY, 0).delta == _delta(3, exact=False)
    assert counts.rule(KEY, 1).packets_per_s == 1.0
    assert counts.resets == (Reset(KEY, 1, "new", "rewritten"),)


def test_a_deleted_rule_is_gone_and_credits_nobody() -> None:
    counts = compare(state(chain("X", ("a", 5), ("b", 7))), state(chain("X", ("b", 8))))
    assert counts.rule(KEY, 0).delta == _delta(1)
    assert counts.resets == (Reset(KEY, 1, "a", "gone"),)


def test_a_vanished_chain_is_gone_and_a_new_one_counts_from_zero() -> None:
    before = state(chain("X", ("a", 5)), chain("Y", ("a", 5)))
    counts = compare(before, state(chain("X", ("a", 5)), chain("Z", ("c", 4))))
    assert counts.rule(key("Z"), 0).delta == _delta(4, exact=False)
    assert set(counts.resets) == {Reset(key("Y"), 1, "a", "gone"), Reset(key("Z"), 1, "c", "rewritten")}


def test_a_chain_that_felix_rewrote_with_another_rule_counts_at_least() -> None:
    before = chain("X", ("a", 50), ("b", 7), ("c", 0))
    after = chain("X", ("a", 2), ("b", 9), ("d", 1), ("c", 3))
    counts = compare(state(before), state(after))
    assert [counts.rule(KEY, place).delta for place in range(4)] == [
        _delta(2, exact=False),
        _delta(2, exact=False),
        _delta(1, exact=False),
        _delta(3, exact=False),
    ]
    assert {(reset.text, reset.why) for reset in counts.resets} == {("a", "rewritten"), ("d", "rewritten")}


def test_equal_texts_that_cannot_be_told_apart_have_an_unknown_delta() -> None:
    counts = compare(state(chain("X", ("a", 5), ("a", 7), ("b", 1))), state(chain("X", ("a", 8), ("b", 2))))
    assert counts.rule(KEY, 0).delta == Delta(None, None, False)
    assert counts.rule(KEY, 1).delta == _delta(1)
    assert counts.resets == (Reset(KEY, None, "a", "gone"),)
    assert [place for _, place, _ in counts.moved()] == [1]


def test_hours_of_changing_rules_keep_the_newest_resets_and_say_how_many_are_left_out() -> None:
    ledger = Ledger(structure(1, 0.0, chain("X", ("-A X -j a", 1))))
    for turn in range(2, MOST_RESETS):
        ledger.restructure(structure(turn, float(turn), chain("X", (f"-A X -j a{turn}", 1))))
    kept = ledger.counts.resets
    assert len(kept) == MOST_RESETS + 2
    assert len(kept) + ledger.counts.resets_left_out == 2 * (MOST_RESETS - 2)
    assert kept[-1].text == f"-A X -j a{MOST_RESETS - 2}" and kept[-2].text == f"-A X -j a{MOST_RESETS - 1}"
    assert ledger.rebase().resets_left_out == 0


def test_two_moments_list_every_reset_however_many() -> None:
    many = range(MOST_RESETS + 10)
    before = state(chain("X", *((f"-A X -j a{n}", 1) for n in many)), chain("Y", ("-A Y", 9)))
    after = state(chain("X", *((f"-A X -j b{n}", 1) for n in many)), chain("Y", ("-A Y", 1)))
    counts = compare(before, after)
    assert len(counts.resets) == 2 * len(many) + 1 and counts.resets_left_out == 0


def test_a_rule_that_stands_elsewhere_counts_at_least_what_both_readings_allow() -> None:
    counts = compare(state(chain("X", ("a", 5), ("b", 1))), state(chain("X", ("b", 4), ("a", 2))))
    assert counts.rule(KEY, 0).delta == _delta(3, exact=False)
    assert counts.rule(KEY, 1).delta == _delta(2, exact=False)


def test_a_new_rule_is_counted_though_the_rules_changed_twice_before_it_was_read() -> None:
    longer = chain("X", ("a", 5), ("b", 3))
    ledger = Ledger(structure(1, 0.0, chain("X", ("a", 5))))
    ledger.restructure(structure(2, 1.0, longer))
    ledger.restructure(structure(3, 2.0, longer, chain("Y", ("c", 0))))
    counts = ledger.add(sample(3, 3.0, longer))
    assert counts.rule(KEY, 1).now == (3, 30)


def test_a_rule_without_counter_has_an_unknown_delta() -> None:
    counts = compare(state(chain("X", ("a", None))), state(chain("X", ("a", None))))
    assert counts.rule(KEY, 0).delta == Delta(None, None, False)
    assert counts.rule(KEY, 0).now is None


def test_counters_that_one_moment_does_not_hold_leave_the_delta_unknown() -> None:
    for before, after in [(None, 5), (5, None)]:
        counts = compare(state(chain("X", ("a", before))), state(chain("X", ("a", after))))
        assert counts.rule(KEY, 0).delta == Delta(None, None, False)


def test_live_a_structure_without_counters_counts_from_the_first_reading() -> None:
    ledger = Ledger(structure(1, 0.0, chain("X", ("a", None))))
    ledger.add(sample(1, 1.0, chain("X", ("a", 5))))
    assert ledger.add(sample(1, 2.0, chain("X", ("a", 6)))).rule(KEY, 0).delta == _delta(1)


def test_rules_missing_from_a_cut_text_are_unknown_not_new() -> None:
    cut = replace(chain("X", ("a", 5)), complete=False)
    counts = compare(state(cut), state(chain("X", ("a", 6), ("b", 9))))
    assert counts.rule(KEY, 0).delta == _delta(1)
    assert counts.rule(KEY, 1).delta == Delta(None, None, False)
    counts = compare(state(chain("X", ("a", 6), ("b", 9))), state(cut))
    assert not any(reset.why == "gone" for reset in counts.resets)


def test_a_family_that_was_not_read_before_is_unknown_and_not_gone_after() -> None:
    counts = compare(NodeState(), state(chain("X", ("a", 6))))
    assert counts.rule(KEY, 0).delta == Delta(None, None, False)
    assert compare(state(chain("X", ("a", 6))), NodeState()).resets == ()


def test_a_rewritten_rule_with_another_handle_is_new_though_its_text_and_count_fit() -> None:
    def one(packets: int, handle: int) -> Chain:
        return Chain("X", (Rule("a", 1, packets, packets * 10, handle=handle),))

    counts = compare(state(one(5, 4)), state(one(7, 9)))
    assert counts.rule(KEY, 0).delta == _delta(7, exact=False)


def test_a_new_baseline_makes_everything_exact_again() -> None:
    ledger = Ledger(structure(1, 0.0, chain("X", ("a", 5), ("a", 5))))
    shorter = chain("X", ("a", 2))
    ledger.restructure(structure(2, 1.0, shorter))
    ledger.add(sample(2, 1.0, shorter))
    counts = ledger.rebase()
    assert counts.resets == ()
    assert counts.rule(KEY, 0).delta == _delta(0)
    counts = ledger.add(sample(2, 2.0, chain("X", ("a", 6))))
    assert counts.rule(KEY, 0).delta == _delta(4)


def test_a_sample_of_another_generation_or_length_is_not_taken_for_this_one() -> None:
    ledger = Ledger(structure(1, 0.0, chain("X", ("a", 5))))
    for foreign in (sample(2, 1.0, chain("X", ("a", 9))), sample(1, 1.0, chain("X", ("a", 9), ("b", 9)))):
        counts = ledger.add(foreign)
        assert counts.rule(KEY, 0).now == (5, 50)
        assert counts.rule(KEY, 0).age_s == 1.0


def test_what_is_not_there_reads_as_unknown() -> None:
    counts = Ledger(structure(1, 0.0, chain("X", ("a", 5)))).counts
    for count in (counts.rule(KEY, 3), counts.rule(key("nowhere"), 0), counts.policy(key("nowhere"))):
        assert (count.now, count.delta, count.age_s) == (None, Delta(None, None, False), math.inf)
    assert counts.chain_moved(key("nowhere")) == 0


@pytest.mark.parametrize("stamp", [None, "yesterday", "2026-11-23T03:01:00Z"])
def test_two_moments_without_two_times_have_no_rates(stamp: str | None) -> None:
    before = replace(state(chain("X", ("a", 5))), captured_at=stamp)
    counts = compare(before, replace(state(chain("X", ("a", 9))), captured_at=None))
    assert counts.rule(KEY, 0).packets_per_s is None


def test_two_moments_with_times_have_rates() -> None:
    before = replace(state(chain("X", ("a", 5))), captured_at="2026-11-23T03:01:00Z")
    after = replace(state(chain("X", ("a", 9))), captured_at="2026-11-23T03:01:02Z")
    assert compare(before, after).rule(KEY, 0).packets_per_s == 2.0


def test_links_and_statistics_count_from_the_baseline_and_never_below_zero() -> None:
    def moment(rx: int, stat: int, name: str = "eth0") -> NodeState:
        link = Link(name, counters=LinkCounters(rx_packets=rx, tx_packets=None))
        return NodeState(links=(link,), stats={"Ip.OutDiscards": stat})

    counts = compare(moment(5, 1), moment(9, 4))
    assert counts.links["eth0"] == LinkCounters(rx_packets=4)
    assert counts.stats == {"Ip.OutDiscards": 3}
    assert compare(moment(5, 1), moment(3, 0)).links["eth0"].rx_packets == 3
    assert compare(moment(5, 1), moment(3, 0, "new")).links["new"].rx_packets == 3
    assert compare(NodeState(), moment(3, 7)).links["eth0"].rx_packets is None
    assert compare(NodeState(), moment(3, 7)).stats == {}


def test_link_rates_use_the_time_measured() -> None:
    links = {"eth0": LinkCounters(rx_packets=10, rx_bytes=0)}
    node = NodeState(links=(Link("eth0", counters=LinkCounters(rx_packets=4, rx_bytes=0)),))
    ledger = Ledger(Structure(1, node, 0.0))
    counts = ledger.add(Sample(1, 3.0, links=links))
    assert counts.link_rates["eth0"].rx_packets == 2.0
    assert counts.link_rates["eth0"].tx_packets is None
