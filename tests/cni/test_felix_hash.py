"""Felix's arithmetic against hashes, marks and names that real nodes have shown."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitop.cni.felix_hash import (
    chain_name,
    check_chain,
    endpoint_mark,
    endpoint_marks,
    rule_hashes,
    shown_hash,
    written_forms,
)

SHARED = Path(__file__).parents[3] / "shared"
FIELD_REPORT = SHARED / "field-report.txt"
VXLAN_DUMP = SHARED / "corpus" / "felix-cali-vxlan.txt"
CAPTURES = sorted(SHARED.glob("captures/*/*/before/iptables-save-c.txt"))
ENDPOINT_MASK = 0xFFF00000
CLEAR_ACCEPT = "--jump MARK --set-mark 0/0x10000"


def saved_chains(text: str) -> dict[tuple[str, str], list[str]]:
    """Rules by table and chain, each rule once."""
    chains: dict[tuple[str, str], list[str]] = defaultdict(list)
    table = ""
    for line in text.splitlines():
        table = line if line.startswith("*") else table
        found = re.match(r"(?:\[\d+:\d+\] )?(-A (\S+) .*)", line)
        if found and found[1] not in chains[table, found[2]]:
            chains[table, found[2]].append(found[1])
    return chains


@pytest.mark.skipif(not FIELD_REPORT.exists(), reason="the field report is not there")
@pytest.mark.parametrize(
    ("chain", "rules"),
    [
        ("cali-fw-cali7cd4eff55c7", 10),
        ("cali-tw-cali7cd4eff55c7", 8),
        ("cali-sm-cali7cd4eff55c7", 1),
        ("cali-INPUT", 2),
    ],
)
def test_pasted_chains_are_proven_whole(chain: str, rules: int) -> None:
    """The field report's endpoint chains are complete and untouched."""
    pasted = saved_chains(FIELD_REPORT.read_text())["", chain]
    saved = [rule for rule in pasted if shown_hash(rule)]
    assert [check.state for check in check_chain(chain, saved)] == ["match"] * rules


@pytest.mark.parametrize(
    ("chain", "side", "target", "hash_"),
    [
        ("cali-from-wl-dispatch-7", "in", "cali-fw-", "st9dOv2F3h7sA4M5"),
        ("cali-to-wl-dispatch-7", "out", "cali-tw-", "QI5N3ve2MqWvQZog"),
        ("cali-set-endpoint-mark-7", "in", "cali-sm-", "Odss9VHU85V30TJC"),
    ],
)
def test_grepped_dispatch_rule_tells_its_neighbour(chain: str, side: str, target: str, hash_: str) -> None:
    """One pasted dispatch rule proves which interface stands before it."""
    written = [
        f"--{side}-interface {name} --goto {target}{name}" for name in ("cali7354d967ee8", "cali7cd4eff55c7")
    ]
    assert rule_hashes(chain, written)[1] == hash_


def test_ipip_accept_of_output_proves_ipvs() -> None:
    """The IPIP rule's hash comes out only with the endpoint-mark rule before it."""
    accept = (
        '-m comment --comment "Allow IPIP packets to other Calico hosts" -p 4 '
        "-m set --match-set cali40all-hosts-net dst -m addrtype --src-type LOCAL --jump ACCEPT"
    )
    before = ["-m mark --mark 0x10000/0x10000 --jump ACCEPT", "--out-interface cali+ --jump RETURN"]
    to_marks = "-m mark ! --mark 0/0xfff00000 --goto cali-forward-endpoint-mark"
    assert rule_hashes("cali-OUTPUT", [before[0], to_marks, before[1], accept])[3] == "AJBkLho_0Qd8LNr3"
    assert rule_hashes("cali-OUTPUT", [*before, accept])[2] != "AJBkLho_0Qd8LNr3"


@pytest.mark.parametrize(
    ("chain", "target", "hash_"),
    [
        ("FORWARD", "cali-FORWARD", "wUHhoiAYhphO9Mso"),
        ("INPUT", "cali-INPUT", "Cz_u1IQiXIMmKD4c"),
        ("OUTPUT", "cali-OUTPUT", "tVnHkvAo15HuiPy0"),
        ("PREROUTING", "cali-PREROUTING", "6gwbT8clXdHdC1b1"),
        ("POSTROUTING", "cali-POSTROUTING", "O3lYWMrLQYEMJtB5"),
    ],
)
def test_jumps_from_kernel_chains_have_constant_hashes(chain: str, target: str, hash_: str) -> None:
    """The rules that hang Calico into the kernel chains are the same on every node."""
    assert rule_hashes(chain, [f"--jump {target}"]) == [hash_]


@pytest.mark.skipif(not CAPTURES, reason="the captures are not there")
@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: "-".join(path.parts[-4:-2]))
def test_every_rule_of_a_whole_node_is_checked(path: Path) -> None:
    """Every Felix rule of a whole node matches, appended rules among other programs' included."""
    states = [
        check.state
        for (_, chain), saved in saved_chains(path.read_text()).items()
        for check in check_chain(chain, saved)
    ]
    assert states.count("match") > 200
    assert set(states) == {"match", "foreign"}


ALLOW = '-m comment --comment "Allow IPv4 VXLAN packets {which}" -p 17 -m multiport --destination-ports 4789'
VXLAN_SET = "-m set --match-set cali40all-vxlan-net"
REMOVED = {
    "cali-INPUT": (
        0,
        f"{ALLOW} {VXLAN_SET} src -m addrtype --dst-type LOCAL".format(which="from allowed hosts"),
    ),
    "cali-OUTPUT": (
        2,
        f"{ALLOW} -m addrtype --src-type LOCAL {VXLAN_SET} dst".format(which="to other allowed hosts"),
    ),
}
"""Rules that the public dump lacks, proven by the hashes behind them: their place and written form."""


@pytest.mark.skipif(not VXLAN_DUMP.exists(), reason="the corpus is not there")
def test_public_dump_lacks_two_rules() -> None:
    """The first rule behind a removed one differs; with both put back every hash comes out."""
    chains = saved_chains(VXLAN_DUMP.read_text())
    states = {key: [check.state for check in check_chain(key[1], saved)] for key, saved in chains.items()}
    lacking = {chain: states.pop(("*filter", chain)) for chain in REMOVED}
    assert {state for found in states.values() for state in found} == {"match"}
    assert lacking == {
        "cali-INPUT": ["differs"] + ["unknown"] * 5,
        "cali-OUTPUT": ["match"] * 2 + ["differs"] + ["unknown"] * 2,
    }
    for chain, (place, removed) in REMOVED.items():
        saved = chains["*filter", chain]
        written = [written_forms(rule)[0] for rule in saved]
        hashes = rule_hashes(chain, [*written[:place], f"{removed} --jump ACCEPT", *written[place:]])
        assert [*hashes[:place], *hashes[place + 1 :]] == [shown_hash(rule) for rule in saved]


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("47", "gre"),
        ("47", "47"),
        ("gre", "gre"),
        ("icmpv6", "ipv6-icmp"),
        ("58", "icmpv6"),
        ("sctp", "sctp"),
    ],
)
def test_protocol_is_known_by_number_and_name(written: str, printed: str) -> None:
    """A policy's protocol as written, however the node prints it; what cannot be told accuses nobody."""
    (hash_,) = rule_hashes("cali-pi-x", [f"-p {written} --jump DROP"])
    saved = f'-A cali-pi-x -p {printed} -m comment --comment "cali:{hash_}" -j DROP'
    expected = "unknown" if (written, printed) == ("47", "gre") else "match"
    assert [check.state for check in check_chain("cali-pi-x", [saved])] == [expected]


WRITTEN = [f"--in-interface cali{number} --jump RETURN" for number in range(4)]
SAVED = [
    f'-A cali-x -m comment --comment "cali:{hash_}" -i cali{number} -j RETURN'
    for number, hash_ in enumerate(rule_hashes("cali-x", WRITTEN))
]


def test_removed_rule_is_found() -> None:
    """The first rule behind a removed one differs, and nothing is claimed of those behind it."""
    states = [check.state for check in check_chain("cali-x", [SAVED[0], *SAVED[2:]])]
    assert states == ["match", "differs", "unknown"]


def test_inserted_rule_is_foreign() -> None:
    """A rule without hash is foreign, and the chain around it still proves whole."""
    states = [check.state for check in check_chain("cali-x", [SAVED[0], "-A cali-x -j DROP", *SAVED[1:]])]
    assert states == ["match", "foreign", "match", "match", "match"]


def test_uncertain_words_accuse_nobody() -> None:
    """A rule whose written form is not certain is unknown, never "differs"."""
    saved = '-A cali-x -m comment --comment "cali:abcdefghijklmnop" -m geoip --source-country X -j DROP'
    assert written_forms(saved) == ()
    assert [check.state for check in check_chain("cali-x", [saved])] == ["unknown"]


def test_rules_of_newer_releases_are_known() -> None:
    """A port match that iptables prints with its implied module is led back to Felix's words."""
    rules = {
        "-A cali-PREROUTING": ("DQ6LK2guiBRMyrLK", "-j MARK --set-xmark 0x0/0x1b0000"),
        "-A cali-PREROUTING -p udp": ("sIsu2aAqNN6K3YYn", "-m udp --dport 4789 -j NOTRACK"),
    }
    saved = [f'{head} -m comment --comment "cali:{hash_}" {rest}' for head, (hash_, rest) in rules.items()]
    assert [check.state for check in check_chain("cali-PREROUTING", saved)] == ["match", "match"]


def test_lost_order_is_tried() -> None:
    """A network that stood behind a match proves the rule all the same; another text accuses nobody."""
    (hash_,) = rule_hashes("cali-pi-x", ["-m set --match-set a src --destination 10.0.0.0/8 --jump DROP"])
    saved = f'-A cali-pi-x -d 10.0.0.0/8 -m comment --comment "cali:{hash_}" -m set --match-set a src -j DROP'
    assert [check.state for check in check_chain("cali-pi-x", [saved])] == ["match"]
    other = saved.replace("10.0.0.0/8", "10.0.0.0/9")
    assert [check.state for check in check_chain("cali-pi-x", [other])] == ["unknown"]


def test_long_names_are_hashed() -> None:
    """Names over 28 characters become a hash, names of just 28 stay readable."""
    assert chain_name("cali-pro-", "ksa.kube-system.coredns") == "cali-pro-_u2Tn2rSoAPffvE7JO6"
    assert chain_name("cali-pri-", "ksa.pdns-dev.default") == "cali-pri-_O7PG5EVM_0SsI30l2d"
    assert chain_name("cali-pri-", "ksa.default.default") == "cali-pri-ksa.default.default"


def test_endpoint_mark_of_the_field_report() -> None:
    """The mark is the one a real node has printed."""
    assert endpoint_mark("cali7cd4eff55c7", ENDPOINT_MASK) == 0xD9B00000


def test_taken_marks_give_way() -> None:
    """Endpoints never share a mark, nor take 0 or the mark of non-Calico endpoints."""
    names = [f"cali{number:011x}" for number in range(14)]
    marks = endpoint_marks(names, 0xF0000000)
    assert sorted(mark >> 28 for mark in marks.values()) == list(range(2, 16))
    with pytest.raises(ValueError, match="no free endpoint mark"):
        endpoint_marks([*names, "one-too-many"], 0xF0000000)


@given(st.text(), st.integers(1, 0xFFFFFFFF))
def test_mark_stays_inside_its_mask(name: str, mask: int) -> None:
    """A mark never sets a bit outside the mask."""
    assert endpoint_mark(name, mask) & ~mask == 0


def test_a_monstrous_rule_is_not_tried() -> None:
    """A rule with more parts than Felix writes is unknown at once; its orders are not tried."""
    saved = '-A cali-x -m comment --comment "cali:abcdefghijklmnop"' + " -i a -m mark --mark 0x1/0x1" * 60
    assert [check.state for check in check_chain("cali-x", [saved])] == ["unknown"]


@given(st.text())
def test_any_text_is_answered(text: str) -> None:
    """No text makes the check raise."""
    assert check_chain("cali-x", ["-A cali-x " + text, text])
    assert shown_hash(text) is None or len(shown_hash(text) or "") == 16
