"""Named sets and maps: who looks into them, where their elements lead, whose interface they are for."""

from __future__ import annotations

from calitop.cni.marks import infer
from calitop.cni.rule_index import RuleRef
from calitop.model.rules import Counter, MapKey
from tests.native_node import FROM, HOSTS, KUBE_PROXY, POD_A, POD_B, SERVICES, TO, index, key, state

INDEX = index()
MAPS = INDEX.maps


def test_a_map_is_never_taken_for_the_chain_of_its_name() -> None:
    assert len({FROM, key(FROM.name), MapKey(KUBE_PROXY, FROM.name)}) == 3


def test_rules_know_their_sets_and_sets_their_rules() -> None:
    forward, dispatch = key("filter-cali-FORWARD"), key("filter-cali-from-wl-dispatch")
    assert MAPS.of_rule(forward, INDEX.chains[forward].rules[2]) == [HOSTS]
    assert MAPS.deciding(forward, INDEX.chains[forward].rules[2]) is None
    assert MAPS.deciding_in(dispatch) == {0: FROM}
    assert MAPS.users(HOSTS) == [RuleRef(forward, 2)]
    assert MAPS.users(FROM) == [RuleRef(dispatch, 0)]


def test_elements_lead_to_chains_or_verdicts() -> None:
    assert [MAPS.target(FROM, at) for at in (0, 1)] == [
        key(f"filter-cali-fw-{POD_B}"),
        key(f"filter-cali-fw-{POD_A}"),
    ]
    assert MAPS.target(TO, 0) is None
    lead = MAPS.lead(TO, 0)
    assert lead is not None and lead.target == "DROP"
    assert MAPS.lead(HOSTS, 0) is None
    assert [MAPS.interface_of(FROM, at) for at in (0, 1)] == [POD_B, POD_A]
    assert MAPS.interface_of(SERVICES, 0) is None


def test_goto_through_a_map_is_goto_although_another_element_drops() -> None:
    dispatch, service = key("filter-cali-to-wl-dispatch"), key("service-A", KUBE_PROXY)
    assert MAPS.verb_to(dispatch, INDEX.chains[dispatch].rules[0], f"filter-cali-tw-{POD_B}") == "goto"
    assert MAPS.verb_to(service, INDEX.chains[service].rules[1], "endpoint-A") == "goto"
    assert MAPS.verb_to(service, INDEX.chains[service].rules[0], "mark-for-masquerade") == "jump"


def test_options_and_counters_of_elements() -> None:
    assert MAPS.options(HOSTS)["172.16.189.101"] == 'counter comment "work1"'
    assert MAPS.counters(HOSTS) == {"172.16.189.101": Counter(7, 588), "172.16.189.102": Counter(0, 0)}
    assert MAPS.counters(FROM) == {}


def test_rules_are_found_by_an_interface_through_the_map() -> None:
    by_pattern = [RuleRef(key("filter-cali-FORWARD"), at) for at in (0, 1)]
    by_map = [RuleRef(key(one.name), 0) for one in (FROM, TO)]
    assert INDEX.rules_for_interface(POD_B) == by_pattern + by_map
    assert INDEX.rules_for_interface("calidead") == by_pattern
    assert INDEX.rules_for_interface("ens160") == []


def test_pods_own_chains_are_found_in_nftables_mode() -> None:
    assert [one.chain for one in INDEX.chains_of_interface(POD_B)] == [
        f"filter-cali-fw-{POD_B}",
        f"filter-cali-tw-{POD_B}",
    ]
    assert INDEX.owner_of_map(SERVICES) == "kube-proxy"


def test_first_packets_only_come_by_nat_hooks() -> None:
    assert INDEX.rules.is_nat(key("nat-cali-POSTROUTING"))
    assert not INDEX.rules.is_nat(key("filter-cali-FORWARD"))


def test_kube_proxys_mark_is_read_from_its_own_table() -> None:
    assert infer(state()).kube_masquerade == 0x4000
