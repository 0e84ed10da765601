"""`nft list ruleset` as text."""

from __future__ import annotations

import time

import pytest

from calitop.formats import nft_text
from calitop.formats.nft_tables import is_xtables_table, native_only, priority_of
from calitop.model.rules import Chain, Counter, Family, Ruleset, Table
from tests.formats.nft_texts import CALICO, chain, maps, rule, table, text
from tests.formats.shared_texts import SHARED


def one_table(body: str, head: str = "table ip t") -> str:
    return f"{head} {{\n{body}\n}}\n"


def test_a_listing_is_recognised_and_nothing_else_is() -> None:
    assert nft_text.looks_like(CALICO)
    assert nft_text.looks_like(
        "# Warning: table ip filter is managed by iptables-nft, do not touch!\n" + CALICO
    )
    assert nft_text.looks_like("table inet x { # handle 5\n}")
    assert not nft_text.looks_like('{"nftables": []}')
    assert not nft_text.looks_like("*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n")
    assert not nft_text.looks_like("Name: table\nthe table ip of routes")


def test_tables_chains_and_families_stand_in_the_order_of_the_text() -> None:
    fragment = text(CALICO)
    assert fragment.problems == ()
    assert [(one.family, one.backend) for one in fragment.rulesets or ()] == [
        ("ipv4", "native"),
        ("inet", "native"),
    ]
    assert list(table(fragment, "ipv4", "calico").chains) == [
        "filter-cali-fw-cali1",
        "filter-cali-fw-cali2",
        "filter-cali-from-wl-dispatch",
        "filter-FORWARD",
    ]


def test_a_base_chain_has_hook_priority_type_and_policy() -> None:
    forward = chain(text(CALICO), "ipv4", "calico", "filter-FORWARD")
    assert (forward.builtin, forward.hook, forward.priority) == (True, "FORWARD", 0)
    assert (forward.type, forward.policy, forward.counter) == ("filter", "DROP", None)
    user = chain(text(CALICO), "ipv4", "calico", "filter-cali-fw-cali1")
    assert (user.builtin, user.hook, user.priority, user.policy) == (False, None, None, None)


def test_the_policy_is_accept_where_none_is_printed() -> None:
    read = text(one_table("\tchain c {\n\t\ttype filter hook input priority 0;\n\t}"))
    assert chain(read, "ipv4", "t", "c").policy == "ACCEPT"


@pytest.mark.parametrize(
    ("line", "device", "hook"),
    [
        ('type filter hook ingress device "lo" priority -500; policy accept;', "lo", "INGRESS"),
        ("type filter hook egress device lo priority filter; policy accept;", "lo", "EGRESS"),
        (
            "type filter hook ingress devices = { d1, lo } priority filter + 5; policy accept;",
            "d1, lo",
            "INGRESS",
        ),
        ('type filter hook ingress devices = { "a", "b" } priority 0; flags offload;', "a, b", "INGRESS"),
    ],
)
def test_a_netdev_chain_names_its_devices(line: str, device: str, hook: str) -> None:
    read = text(one_table(f"\tchain c {{\n\t\t{line}\n\t}}", "table netdev t"))
    found = chain(read, "netdev", "t", "c")
    assert (found.device, found.hook, found.policy, read.problems) == (device, hook, "ACCEPT", ())


@pytest.mark.parametrize(
    ("words", "family", "priority"),
    [
        ("raw", "ipv4", -300),
        ("mangle - 1", "ipv6", -151),
        ("dstnat", "inet", -100),
        ("dstnat", "bridge", -300),
        ("filter", "bridge", -200),
        ("out", "bridge", 100),
        ("srcnat", "bridge", 300),
        ("srcnat + 10", "ipv4", 110),
        ("srcnat +10", "ipv4", 110),
        ("security", "ipv4", 50),
        ("-500", "netdev", -500),
        ("out", "ipv4", None),
        ("raw", "bridge", None),
        ("filter 5", "ipv4", None),
        ("", "ipv4", None),
    ],
)
def test_priority_names_mean_what_they_mean_in_their_family(
    words: str, family: Family, priority: int | None
) -> None:
    assert priority_of(words, family) == priority


def test_a_rules_text_is_the_source_without_handle_and_numbers_of_counters() -> None:
    read = rule('ip saddr 1.2.3.4  counter packets 5 bytes 420 accept comment "a  b" # handle 17')
    assert read.text == 'ip saddr 1.2.3.4  counter accept comment "a  b"'
    assert (read.handle, read.counter, read.number, read.language) == (17, Counter(5, 420), 1, "nft")


def test_numbers_in_quotes_are_no_counters_and_no_handles() -> None:
    last = chain(text(CALICO), "ipv4", "calico", "filter-cali-fw-cali1").rules[-1]
    assert last.counter == Counter(2, 168)
    assert last.text == 'counter drop comment "counter packets 9 bytes 9 # handle 3"'
    assert last.handle is None


def test_a_rule_counts_nothing_without_a_counter_of_its_own() -> None:
    for words in (
        "tcp dport 22 accept",
        'tcp dport 443 counter name "web" accept',
        "tcp dport 22 counter accept",
        "add @m { ip saddr counter packets 5 bytes 6 } accept",
    ):
        assert rule(words).counter is None
    assert rule("add @m { ip saddr counter packets 5 bytes 6 }").text == "add @m { ip saddr counter }"
    both = rule("meter m { ip saddr counter packets 5 bytes 6 } counter packets 7 bytes 8 drop")
    assert both.counter == Counter(7, 8)


@pytest.mark.parametrize(
    ("words", "target", "verb"),
    [
        ("jump web", "web", "jump"),
        ("goto web", "web", "goto"),
        ("accept", "ACCEPT", "jump"),
        ("queue to 3", "QUEUE", "jump"),
        ("continue", "CONTINUE", "jump"),
        ("ip saddr 10.0.0.0/8 masquerade fully-random", "MASQUERADE", "jump"),
        ("dnat ip to 10.0.0.1:80", "DNAT", "jump"),
        ("ct status dnat accept", "ACCEPT", "jump"),
        ("ct status dnat counter", None, None),
        ("icmp type redirect drop", "DROP", "jump"),
        ("icmp type { redirect, echo-request } counter", None, None),
        ("tcp dport 81 redirect to :8080", "REDIRECT", "jump"),
        ("reject with tcp reset", "REJECT", "jump"),
        ("notrack", "NOTRACK", "jump"),
        ("tproxy to :5001", "TPROXY", "jump"),
        ("meta mark set 0x1", "MARK", "jump"),
        ("meta mark set 0x1 accept", "ACCEPT", "jump"),
        ("ct mark set meta mark", "CONNMARK", "jump"),
        ('log prefix "drop: "', "LOG", "jump"),
        ('log prefix "x" drop', "DROP", "jump"),
        ('log prefix "x" meta mark set 0x1', "MARK", "jump"),
        ("update @seen { ip saddr }", "SET", "jump"),
        ("xt match set counter packets 0 bytes 0 jump KUBE-MARK-MASQ", "KUBE-MARK-MASQ", "jump"),
        ('meta l4proto tcp xt target "CHECKSUM"', "CHECKSUM", "jump"),
        ("xt match comment counter packets 0 bytes 0 xt target CT", "CT", "jump"),
        ("tcp dport 22 counter", None, None),
        ("# match-set KUBE-LOOP dst counter packets 0 bytes 0 masquerade", "MASQUERADE", "jump"),
    ],
)
def test_a_rules_target_is_its_verdict_or_what_it_does(
    words: str, target: str | None, verb: str | None
) -> None:
    read = rule(words)
    assert (read.target, read.verb) == (target, verb)
    assert read.targets == ((target,) if target else ())


def test_a_verdict_map_leads_to_all_its_chains() -> None:
    read = text(CALICO)
    dispatch = chain(read, "ipv4", "calico", "filter-cali-from-wl-dispatch").rules[0]
    assert dispatch.targets == ("filter-cali-fw-cali1", "filter-cali-fw-cali2", "DROP")
    assert (dispatch.target, dispatch.verb) == ("filter-cali-fw-cali1", "goto")
    anonymous = chain(read, "ipv4", "calico", "filter-FORWARD").rules[1]
    assert (anonymous.targets, anonymous.verb) == (("DROP", "ACCEPT"), "jump")


def test_named_maps_and_sets_keep_their_elements_as_text() -> None:
    found = maps(text(CALICO))
    dispatch = found["filter-cali-from-wl-dispatch"]
    assert (dispatch.type, dispatch.is_map, dispatch.complete) == ("ifname : verdict", True, True)
    assert dispatch.elements[0] == ('"cali1"', "goto filter-cali-fw-cali1")
    assert dispatch.elements[2] == ('"cali3"', "drop")
    assert dispatch.details == (('"cali3"', 'comment "x, } y : z"'),)
    assert found["cali40s-all"].elements == (("10.0.0.0/8", None), ("192.168.1.1-192.168.1.9", None))
    assert not found["cali40s-all"].is_map


def test_options_of_elements_are_told_without_running_numbers() -> None:
    read = text(
        one_table(
            "\tset s {\n\t\ttype ipv4_addr . inet_service\n\t\tcounter\n"
            '\t\telements = { 1.2.3.4 . 22 counter packets 4 bytes 5 timeout 1h expires 59m3s comment "hi",\n'
            "\t\t\t     10.0.0.0/8 . 80-90 counter packets 0 bytes 0 }\n\t}"
        )
    )
    one = maps(read)["s"]
    assert one.elements == (("1.2.3.4 . 22", None), ("10.0.0.0/8 . 80-90", None))
    assert one.details == (
        ("1.2.3.4 . 22", 'counter timeout 1h comment "hi"'),
        ("10.0.0.0/8 . 80-90", "counter"),
    )


def test_without_any_elements_the_listing_may_be_terse_and_cannot_tell() -> None:
    terse = "\n".join(
        line for line in CALICO.split("\n") if "elements" not in line and "\t\t\t\t" not in line
    )
    read = text(terse)
    assert read.problems == ()
    assert maps(read)["cali40s-all"].complete is None
    dispatch = chain(read, "ipv4", "calico", "filter-cali-from-wl-dispatch").rules[0]
    assert (dispatch.target, dispatch.targets) == (None, ())
    full = CALICO.replace("\t\telements = { 10.0.0.0/8, 192.168.1.1-192.168.1.9 }\n", "")
    assert maps(text(full))["cali40s-all"].complete is True


def test_an_anonymous_chain_is_one_rule() -> None:
    rules = chain(text(CALICO), "inet", "fw", "input").rules
    assert rules[2].text == "jump { tcp dport 22 accept; drop }"
    assert rules[2].targets == ("ACCEPT", "DROP")
    assert [one.number for one in rules] == [1, 2, 3]


def test_a_dormant_table_is_warned_of() -> None:
    read = text(one_table("\tflags dormant\n\n\tchain c {\n\t}", "table ip6 x"))
    assert read.problems == ()
    assert "dormant" in read.warnings[0]


@pytest.mark.parametrize(
    "kind", ["quota q", "limit l", "ct helper h", "synproxy s", "secmark m", "counter c"]
)
def test_objects_that_calitop_does_not_model_are_no_problem(kind: str) -> None:
    read = text(one_table(f"\t{kind} {{\n\t\tanything {{ at }} all\n\t}}\n\tchain c {{\n\t\taccept\n\t}}"))
    assert read.problems == ()
    assert len(chain(read, "ipv4", "t", "c").rules) == 1


def test_a_foreign_line_is_kept_with_its_number() -> None:
    read = text(
        "hello\n" + one_table("\tnonsense here\n\tchain c {\n\t\taccept\n\t\tSegmentation fault\n\t}")
    )
    assert [(one.line, one.text) for one in read.problems] == [
        (1, "hello"),
        (3, "nonsense here"),
        (6, "Segmentation fault"),
    ]
    assert [one.text for one in chain(read, "ipv4", "t", "c").rules] == ["accept"]


def test_warnings_of_nft_and_empty_lines_are_no_problem() -> None:
    read = text("# Warning: table ip filter is managed by iptables-nft, do not touch!\n\n" + CALICO)
    assert read.problems == ()


def test_a_cut_text_tells_what_was_read_and_where_it_is_cut() -> None:
    at = CALICO.index("counter packets 7")
    read = text(CALICO[: at + 20])
    found = chain(read, "ipv4", "calico", "filter-cali-fw-cali1")
    assert len(found.rules) == 2
    assert found.complete is None
    assert read.problems[0].text == "counter packets 7 by"
    assert any("not closed" in one.why for one in read.problems)


def test_every_cut_of_a_text_is_answered() -> None:
    whole = sum(
        len(c.rules) for t in text(CALICO).rulesets or () for x in t.tables for c in x.chains.values()
    )
    for end in range(0, len(CALICO), 7):
        read = text(CALICO[:end])
        rules = [r for t in read.rulesets or () for x in t.tables for c in x.chains.values() for r in c.rules]
        assert len(rules) <= whole


def test_an_empty_text_says_there_is_none_and_garbage_says_nothing() -> None:
    assert text("").rulesets == ()
    assert text("what is this\n").rulesets is None


def test_an_unclosed_brace_costs_only_its_rule() -> None:
    read = text(
        one_table("\tchain c {\n\t\ttcp dport { 80, accept\n\t\tdrop\n\t}\n\tchain d {\n\t\taccept\n\t}")
    )
    assert [one.text for one in chain(read, "ipv4", "t", "c").rules] == ["tcp dport { 80, accept", "drop"]
    assert len(chain(read, "ipv4", "t", "d").rules) == 1
    assert [one.line for one in read.problems] == [3]


def test_a_table_pasted_twice_counts_once() -> None:
    twice = text(CALICO + CALICO)
    assert len(chain(twice, "ipv4", "calico", "filter-cali-fw-cali1").rules) == 6


def test_a_set_written_over_several_lines_in_a_rule_is_one_rule() -> None:
    read = text(one_table("\tchain c {\n\t\ttcp dport { 80,\n\t\t\t    443 } accept # handle 4\n\t}"))
    (only,) = chain(read, "ipv4", "t", "c").rules
    assert (only.text, only.handle, only.line) == ("tcp dport { 80, 443 } accept", 4, 3)


def iptables_table(name: str = "filter", priority: int = 0) -> Table:
    forward = Chain("FORWARD", builtin=True, hook="FORWARD", priority=priority, policy="ACCEPT")
    return Table(name, {"FORWARD": forward, "cali-FORWARD": Chain("cali-FORWARD")})


def test_iptables_tables_are_told_by_names_hooks_and_priorities() -> None:
    assert is_xtables_table("ipv4", iptables_table())
    assert not is_xtables_table("ipv4", iptables_table(priority=10))
    assert not is_xtables_table("ipv4", iptables_table("fw"))
    assert not is_xtables_table("inet", iptables_table())
    assert is_xtables_table("bridge", iptables_table(priority=-200))
    assert not is_xtables_table("ipv4", iptables_table("nat", -100))


def test_a_table_that_iptables_save_tells_is_not_told_again() -> None:
    native = Ruleset("ipv4", "native", (iptables_table(), Table("calico")))
    (left,) = native_only([native], {"ipv4"})
    assert [table.name for table in left.tables] == ["calico"]
    (all_of_them,) = native_only([native], {"ipv6"})
    assert [table.name for table in all_of_them.tables] == ["filter", "calico"]
    saved = Ruleset("ipv4", "nft", (Table("nat"),))
    (both,) = native_only([native], {"ipv4"}, [saved])
    assert [table.name for table in both.tables] == ["filter", "calico"]


def test_the_captured_listings_are_read_without_problems() -> None:
    listings = sorted((SHARED / "captures").glob("*/*/*/nft-ruleset.txt"))
    if not listings:
        pytest.skip("no captures beside the project")
    for path in listings:
        read = nft_text.parse(path.read_text())
        assert read.problems == ()
        for ruleset in read.rulesets or ():
            assert all(is_xtables_table(ruleset.family, table) for table in ruleset.tables), path


def test_reading_time_grows_with_the_text_not_faster() -> None:
    """Four times the rules take about four times as long, not sixteen."""

    def seconds(chains: int) -> float:
        body = "\n".join(
            f'\tchain c{n} {{\n\t\tip saddr @s counter packets {n} bytes 0 jump c{n} comment "a {n}"\n\t}}\n'
            for n in range(chains)
        )
        listing = one_table(body)
        start = time.perf_counter()
        assert len(table(text(listing), "ipv4", "t").chains) == chains
        return time.perf_counter() - start

    small = min(seconds(1000) for _ in range(3))
    assert min(seconds(4000) for _ in range(3)) < 12 * small


def test_a_chain_that_is_only_led_to_is_not_in_this_text() -> None:
    at = CALICO.index("\tchain filter-cali-fw-cali1 {")
    end = CALICO.index("\tchain filter-cali-from-wl-dispatch {")
    read = text(CALICO[:at] + CALICO[end:])
    absent = chain(read, "ipv4", "calico", "filter-cali-fw-cali1")
    assert (absent.present, absent.complete, absent.rules) == (False, False, ())
    assert {one.name for one in table(read, "ipv4", "calico").chains.values() if not one.present} == {
        "filter-cali-fw-cali1",
        "filter-cali-fw-cali2",
    }
    assert all(one.present for one in table(text(CALICO), "inet", "fw").chains.values())


def test_an_unknown_line_inside_a_set_is_kept() -> None:
    read = text(one_table("\tset s {\n\t\ttype mark\n\t\tauto-merge\n\t\toops\n\t\telements = { 0x1 }\n\t}"))
    assert [(one.line, one.text) for one in read.problems] == [(5, "oops")]
    assert maps(read)["s"].elements == (("0x1", None),)


def test_a_listing_written_by_hand_is_read_too() -> None:
    read = text(
        "#!/usr/sbin/nft -f\ntable inet f {\n  set s {\n    type ipv4_addr; flags interval;\n"
        "    elements = { 10.0.0.0/8,\n      192.168.0.0/16, }\n  }\n  chain input {\n"
        "    type filter hook input priority 0;\n    policy drop;\n    ip saddr @s accept;\n  }\n}\n"
    )
    assert read.problems == ()
    assert maps(read)["s"].type == "ipv4_addr"
    assert [key for key, _ in maps(read)["s"].elements] == ["10.0.0.0/8", "192.168.0.0/16"]
    found = chain(read, "inet", "f", "input")
    assert (found.policy, found.rules[0].target) == ("DROP", "ACCEPT")
