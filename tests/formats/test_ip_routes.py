from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitop.formats import ip_route_json, ip_route_text, route_n
from calitop.model.network import NextHop, Route
from tests.formats.shared_texts import captures, corpus


def routes_of(text: str) -> tuple[Route, ...]:
    fragment = ip_route_text.parse(text)
    assert fragment.problems == ()
    assert fragment.routes is not None
    return tuple(replace(route, line=None) for route in fragment.routes)


def only(text: str) -> Route:
    (route,) = routes_of(text)
    return route


def test_a_bare_address_gets_its_length() -> None:
    assert only("10.222.0.18 via 172.16.189.100 dev tunl0 proto bird onlink \n") == Route(
        "ipv4",
        "10.222.0.18/32",
        gateway="172.16.189.100",
        dev="tunl0",
        proto="bird",
        flags=("onlink",),
    )
    assert only("2001:db8:b::1 via 2001:db8::2 dev d0 metric 1024 pref medium").dst == "2001:db8:b::1/128"


@pytest.mark.parametrize("kind", ["blackhole", "unreachable", "prohibit", "throw", "local", "broadcast"])
def test_a_leading_word_is_the_type(kind: str) -> None:
    route = only(f"{kind} 10.222.219.0/24 proto bird \n")
    assert (route.type, route.dst, route.proto, route.dev) == (kind, "10.222.219.0/24", "bird", None)


def test_what_is_not_printed_is_not_told() -> None:
    route = only("10.222.219.1 dev cali1e68f0565f5 scope link \n")
    assert (route.proto, route.metric, route.src, route.type) == (None, 0, None, "unicast")


def test_old_programs_put_two_blanks_between_words() -> None:
    assert only("10.11.64.0/26 dev br1  proto kernel  scope link  src 10.11.64.1 ") == only(
        "10.11.64.0/26 dev br1 proto kernel scope link src 10.11.64.1"
    )


MULTIPATH = """10.9.9.0/24 nhid 14 proto static
\tnexthop via 10.0.0.2 dev d0 weight 1
\tnexthop via inet6 fe80::3 dev d1 weight 3 onlink
10.9.10.0/24 dev d0
"""


def test_the_ways_of_a_multipath_route_stand_below_it() -> None:
    first, second = routes_of(MULTIPATH)
    assert first.nhid == 14
    assert first.nexthops == (NextHop("10.0.0.2", "d0", 1), NextHop("fe80::3", "d1", 3, ("onlink",)))
    assert (first.gateway, first.dev) == (None, None)
    assert second.nexthops == ()


def test_a_way_may_have_an_encapsulation_of_its_own() -> None:
    route = only("10.9.5.0/24\n\tnexthop encap ip id 3 dst 1.1.1.1 via 10.0.0.2 dev d0 weight 1\n")
    assert route.nexthops == (NextHop("10.0.0.2", "d0", 1),)


def test_one_line_output_is_the_same() -> None:
    one_line = MULTIPATH.replace("\n\t", " \\\t")
    assert routes_of(one_line) == routes_of(MULTIPATH)


def test_the_largest_metric_stays_whole() -> None:
    assert only("default via 10.0.0.254 dev d0 metric 4294967295 ").metric == 4294967295


def test_an_error_code_and_a_lock_are_no_words_of_their_own() -> None:
    route = only("unreachable default dev lo metric 4294967295 error -101 pref medium")
    assert (route.family, route.dst, route.type) == ("ipv6", "default", "unreachable")
    assert only("10.9.7.0/24 via 10.0.0.2 dev d0 table 78 mtu lock 1300 rto_min lock 5ms").mtu == 1300


def test_an_encapsulation_keeps_its_addresses_to_itself() -> None:
    line = "10.9.12.0/24  encap ip id 30 src 0.0.0.0 dst 10.0.0.7 ttl 0 tos 0 dev d0 scope link"
    route = only(line)
    assert (route.src, route.tos, route.dev, route.scope) == (None, None, "d0", "link")
    (same,) = (
        ip_route_json.parse(
            '[{"dst":"10.9.12.0/24","encap":"ip","id":30,"src":"0.0.0.0","dst":"10.0.0.7","ttl":0,"tos":0,'
            '"dev":"d0","scope":"link","flags":[]}]'
        ).routes
        or ()
    )
    assert (same.dst, same.src, same.tos) == ("10.9.12.0/24", None, None)


def test_a_default_route_is_of_the_family_of_its_words_or_its_neighbours() -> None:
    text = (
        "default dev v0 scope link metric 5\n10.0.0.0/24 dev d0\nfe80::/64 dev v0 metric 256\n"
        "default dev v0 metric 300\ndefault via fe80::1 dev d0\n"
    )
    assert [route.family for route in routes_of(text)] == ["ipv4", "ipv4", "ipv6", "ipv6", "ipv6"]
    fragment = ip_route_text.parse("default dev v0\n", family="ipv6")
    assert [route.family for route in fragment.routes or ()] == ["ipv6"]


def test_a_gateway_of_the_other_family_does_not_change_the_route() -> None:
    assert only("10.9.11.0/24 via inet6 fe80::5 dev d0").family == "ipv4"
    assert only("10.9.11.0/24 via inet6 fe80::5 dev d0").gateway == "fe80::5"


def test_the_table_may_be_told_by_the_command_only() -> None:
    fragment = ip_route_text.parse("10.0.0.0/8 dev d0\n10.1.0.0/16 dev d0 table 9\n", table="KABEL")
    assert [route.table for route in fragment.routes or ()] == ["KABEL", "9"]
    as_json = ip_route_json.parse('[{"dst":"10.0.0.0/8","dev":"d0"}]', table="100")
    assert [route.table for route in as_json.routes or ()] == ["100"]


@pytest.mark.parametrize(
    "cut",
    [
        "192.168.69.196 dev cali10b91d6412f sco",
        "192.168.69.196 dev cali10b91d6412f scope",
        "192.168.69.196 via",
        "192.168.69.196",
        "blackhole",
        "192.168.69.",
    ],
)
def test_a_cut_last_line_is_reported_and_not_fatal(cut: str) -> None:
    fragment = ip_route_text.parse("10.0.0.0/8 dev d0 scope link\n" + cut)
    assert [route.dst for route in fragment.routes or ()] == ["10.0.0.0/8"]
    assert [(problem.line, problem.text) for problem in fragment.problems] == [(2, cut)]


def test_the_answer_of_a_lookup_is_no_route() -> None:
    fragment = ip_route_text.parse("10.222.219.6 dev cali1 uid 0 \n    cache \n10.0.0.0/8 dev d0\n")
    assert [route.dst for route in fragment.routes or ()] == ["10.0.0.0/8"]
    assert [problem.line for problem in fragment.problems] == [1]


def test_an_unknown_word_is_reported_and_the_route_kept() -> None:
    fragment = ip_route_text.parse("10.0.0.0/8 dev d0 frobnicate scope link\n")
    assert [route.scope for route in fragment.routes or ()] == ["link"]
    assert len(fragment.problems) == 1


def test_the_same_prefix_may_stand_many_times() -> None:
    text = "".join(
        f"129.217.31.0/24 dev ib{n} proto kernel scope link src 129.217.31.{n}\n" for n in range(5)
    )
    assert len(routes_of(text)) == 5


def test_an_error_message_is_not_an_empty_table() -> None:
    fragment = ip_route_text.parse("RTNETLINK answers: Operation not permitted\n")
    assert fragment.routes is None
    assert ip_route_text.parse("").routes == ()


def test_json_names_what_the_text_leaves_out() -> None:
    (route,) = (
        ip_route_json.parse(
            '[{},{"type":"unicast","dst":"10.1.0.0/16","via":{"family":"inet6","host":"fe80::5"},"dev":"d0",'
            '"table":"main","protocol":"80","scope":"global","flags":["onlink"],"metrics":[{"mtu":1400}]}]'
        ).routes
        or ()
    )
    assert route == Route(
        "ipv4",
        "10.1.0.0/16",
        gateway="fe80::5",
        dev="d0",
        proto="80",
        scope="global",
        flags=("onlink",),
        mtu=1400,
    )


def test_json_that_breaks_in_the_middle_loses_only_the_broken_part() -> None:
    text = (
        '[{"dst":"10.0.0.0/24","dev":"a"},{"dst":"10.0.1.0/24" dev b },'
        '{"dst":"10.0.2.0/24","dev":"c"},{"dst":"10'
    )
    fragment = ip_route_json.parse(text)
    assert [route.dev for route in fragment.routes or ()] == ["a", "c"]
    assert len(fragment.problems) == 2


def test_two_lists_in_one_text_are_both_read() -> None:
    fragment = ip_route_json.parse('[{"dst":"10.0.0.0/24","dev":"a"}]\n[{"dst":"fe80::/64","dev":"a"}]\n')
    assert [route.family for route in fragment.routes or ()] == ["ipv4", "ipv6"]


# -- route -n ---------------------------------------------------------------------------

ROUTE_N = """Kernel IP routing table
Destination     Gateway         Genmask         Flags Metric Ref    Use Iface
0.0.0.0         172.16.189.2    0.0.0.0         UG    0      0        0 ens160
0.0.0.0         10.0.0.254      0.0.0.0         UG    -1     0        0 d0
10.9.3.0        -               255.255.255.0   !     0      -        0 -
10.9.4.1        -               255.255.255.255 !H    0      -        0 -
10.222.160.0    0.0.0.0         255.255.255.0   U     0      0        0 *
10.222.160.1    0.0.0.0         255.255.255.255 UH    2      0        0 cali87be4f2366d
"""


def test_route_n_says_what_it_leaves_open() -> None:
    fragment = route_n.parse(ROUTE_N)
    assert fragment.problems == ()
    found = {route.dst: route for route in fragment.routes or ()}
    assert found["10.222.160.0/24"].type is None
    assert found["10.222.160.0/24"].types == ("blackhole", "throw")
    assert found["10.9.3.0/24"].types == found["10.9.4.1/32"].types == ("unreachable", "prohibit")
    assert found["10.222.160.1/32"].type == "unicast"
    assert (found["10.222.160.1/32"].gateway, found["10.222.160.1/32"].metric) == (None, 2)
    assert [route.metric for route in fragment.routes or () if route.dst == "default"] == [0, 4294967295]


def test_route_n_is_known_without_its_header_and_with_a_remark_behind() -> None:
    text = "10.222.12.0     172.16.189.100  255.255.255.0   UG    0      0        0 tunl0 # \n"
    assert route_n.looks_like(text)
    (route,) = route_n.parse(text).routes or ()
    assert (route.dst, route.gateway, route.dev) == ("10.222.12.0/24", "172.16.189.100", "tunl0")


def test_netstat_has_other_columns_in_the_middle() -> None:
    text = (
        "Kernel IP routing table\n"
        "Destination     Gateway         Genmask         Flags   MSS Window  irtt Iface\n"
        "10.9.6.0        7.7.7.7         255.255.255.0   UG     1400 0          0 v0\n"
    )
    (route,) = route_n.parse(text).routes or ()
    assert (route.gateway, route.dev, route.metric) == ("7.7.7.7", "v0", 0)


def test_names_and_odd_masks_are_reported() -> None:
    text = (
        ROUTE_N
        + "some.host  0.0.0.0  255.0.255.0  U  0  0  0 d0\nlink-local 0.0.0.0 255.255.0.0 U 0 0 0 d0\n"
    )
    assert [problem.line for problem in route_n.parse(text).problems] == [9, 10]


# -- real texts -------------------------------------------------------------------------


def test_figures_of_the_corpus() -> None:
    text = routes_of(corpus("openlab-routes/ip-route-list.txt"))
    table = route_n.parse(corpus("openlab-routes/route-n.txt"))
    assert (len(text), len(table.routes or ()), table.problems) == (53, 53, ())
    assert sum("onlink" in route.flags for route in text) == 24
    assert sorted(route.metric for route in text if route.dst == "default") == [0, 2, 3]
    # The two were taken one after the other on a node whose routing daemon moved a few gateways.
    assert [(r.dst, r.dev, r.metric) for r in text] == [(r.dst, r.dev, r.metric) for r in table.routes or ()]
    for name, count in (("DSL", 18), ("KABEL", 18), ("FREIFUNK", 2)):
        routes = routes_of(corpus(f"openlab-routes/ip-route-list-table-{name}.txt"))
        assert (len(routes), sum(route.dst == "default" for route in routes)) == (count, 2)


def test_figures_of_the_calico_excerpt() -> None:
    fragment = ip_route_text.parse(corpus("calico-5823-routes.txt"))
    routes = fragment.routes or ()
    assert len(routes) == 19
    assert sum(route.dst == "default" for route in routes) == 6
    assert [route.proto for route in routes if route.type == "blackhole"] == ["80"]
    assert sum((route.dev or "").startswith("cali") for route in routes) == 3
    assert sum("linkdown" in route.flags for route in routes) == 1
    tables = [route.table for route in routes]
    assert {table: tables.count(table) for table in tables} == {
        "mgmt1": 2,
        "ibgw1_0": 2,
        "ibgw1_1": 2,
        "ibgw2_0": 2,
        "ibgw2_1": 2,
        "main": 9,
    }


@pytest.mark.parametrize("folder", captures(), ids=lambda path: "-".join(path.parts[-3:]))
def test_json_text_and_route_n_of_one_node_agree(folder: Path) -> None:
    as_json = ip_route_json.parse((folder / "ip-route.json").read_text())
    as_text = routes_of((folder / "ip-route.txt").read_text())
    old = route_n.parse((folder / "route-n.txt").read_text())
    assert as_json.problems == old.problems == ()
    main = [route for route in as_json.routes or () if route.table == "main"]
    assert [_without_defaults(route) for route in main] == [_without_defaults(route) for route in as_text]
    assert [(r.dst, r.gateway, r.dev, r.metric) for r in main] == [
        (r.dst, r.gateway, r.dev, r.metric) for r in old.routes or ()
    ]
    assert all(
        route.type == r.type or route.type in r.types for route, r in zip(main, old.routes or (), strict=True)
    )


def _without_defaults(route: Route) -> Route:
    """`-d` prints the protocol `boot` and the scope `global` that the plain form leaves out."""
    return replace(
        route,
        proto=None if route.proto == "boot" else route.proto,
        scope=None if route.scope == "global" else route.scope,
        line=None,
    )


# -- properties -------------------------------------------------------------------------

ADDRESSES = st.ip_addresses(v=4).map(str)
NAMES = st.from_regex(r"[a-z][a-z0-9.\-]{0,14}", fullmatch=True)


@st.composite
def printed_routes(draw: st.DrawFn) -> dict[str, object]:
    """A route as `ip -j route` prints it."""
    route: dict[str, object] = {"dst": f"{draw(ADDRESSES)}/{draw(st.integers(1, 32))}", "dev": draw(NAMES)}
    options = {
        "gateway": ADDRESSES,
        "table": st.sampled_from(["local", "77", "KABEL"]),
        "protocol": st.sampled_from(["bird", "80", "kernel"]),
        "scope": st.sampled_from(["link", "host"]),
        "prefsrc": ADDRESSES,
        "metric": st.integers(1, 2**32 - 1),
    }
    for name, values in options.items():
        if draw(st.booleans()):
            route[name] = draw(values)
    route["flags"] = draw(st.lists(st.sampled_from(["onlink", "linkdown", "dead"]), unique=True))
    return route


def spell(route: dict[str, object]) -> str:
    """The same route as `ip route` prints it."""
    words = [str(route["dst"])]
    names = {"gateway": "via", "protocol": "proto", "prefsrc": "src"}
    for key in ("gateway", "dev", "table", "protocol", "scope", "prefsrc", "metric"):
        if key in route:
            words += [names.get(key, key), str(route[key])]
    flags = route["flags"]
    assert isinstance(flags, list)
    return " ".join([*words, *flags])


@given(st.lists(printed_routes(), min_size=1, max_size=5))
def test_both_forms_of_any_route_lead_to_the_same(routes: list[dict[str, object]]) -> None:
    as_json = ip_route_json.parse(json.dumps(routes))
    as_text = routes_of("\n".join(map(spell, routes)))
    assert as_json.problems == ()
    assert as_json.routes == as_text
