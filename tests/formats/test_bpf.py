from __future__ import annotations

import json

from calitop.formats import bpftool_net, bpftool_net_text, tc_filter, tc_filter_json
from calitop.model.node import BpfAttachment
from tests.formats.shared_texts import captures

TC = """# dev lxc123 ingress
filter protocol all pref 1 bpf chain 0
filter protocol all pref 1 bpf chain 0 handle 0x1 cil_from_container-lxc123 direct-action not_in_hw id 12
# dev eth0 egress
filter protocol ip pref 10 u32 chain 0
filter protocol ip pref 10 u32 chain 0 fh 800: ht divisor 1
filter protocol ip pref 10 u32 chain 0 fh 800::800 order 2048 key ht 800 bkt 0 terminal flowid not_in_hw
  match 0ade01ef/ffffffff at 16
\taction order 1: mirred (Egress Redirect to device lxc3bb87f85aff5) stolen
\tindex 33 ref 1 bind 1

# dev eth5 egress
"""


def test_filters_stand_under_the_device_that_the_line_above_names() -> None:
    assert tc_filter.looks_like(TC)
    fragment = tc_filter.parse(TC)
    assert fragment.problems == ()
    bpf, u32 = fragment.bpf or ()
    assert (bpf.dev, bpf.direction, bpf.kind) == ("lxc123", "ingress", "bpf")
    assert (bpf.name, bpf.id) == ("cil_from_container-lxc123", 12)
    assert (u32.dev, u32.direction, u32.kind, u32.name, u32.id) == ("eth0", "egress", "u32", None, None)
    assert u32.text is not None
    assert "match 0ade01ef/ffffffff at 16\naction order 1: mirred" in u32.text


def test_without_such_lines_the_device_is_unknown_or_told_by_the_command() -> None:
    text = TC.split("\n", 1)[1].split("# dev")[0]
    assert [(one.dev, one.direction) for one in tc_filter.parse(text).bpf or ()] == [(None, None)]
    told = tc_filter.parse(text, dev="lxc1", direction="egress").bpf or ()
    assert [(one.dev, one.direction) for one in told] == [("lxc1", "egress")]


def test_the_program_may_name_device_and_direction_itself() -> None:
    text = (
        "filter dev eth1 egress protocol all pref 1 bpf chain 0 handle 0x1 bpf_netdev.o:[to-netdev] id 7\n"
        "filter parent ffff:fff2 protocol all pref 1 bpf chain 0 handle 0x1 x id 8\n"
    )
    assert [(one.dev, one.direction) for one in tc_filter.parse(text).bpf or ()] == [
        ("eth1", "egress"),
        (None, "ingress"),
    ]


def test_json_filters_tell_the_same() -> None:
    part = json.dumps(
        [
            {"protocol": "all", "pref": 1, "kind": "bpf", "chain": 0},
            {
                "protocol": "all",
                "pref": 1,
                "kind": "bpf",
                "chain": 0,
                "options": {"handle": "0x1", "bpf_name": "cil_x", "prog": {"id": 9, "tag": "aa"}},
            },
        ]
    )
    text = f"# dev lxc1 ingress\n{part}\n# dev lxc2 egress\n[]\n"
    assert tc_filter_json.looks_like(text)
    (one,) = tc_filter_json.parse(text).bpf or ()
    assert (one.dev, one.direction, one.kind, one.name, one.id) == ("lxc1", "ingress", "bpf", "cil_x", 9)


JSON = json.dumps(
    [
        {
            "xdp": [{"devname": "eth0", "ifindex": 2, "mode": "driver", "id": 5}],
            "tc": [
                {"devname": "lxc1", "ifindex": 3, "kind": "tcx/ingress", "name": "cil_from", "prog_id": 9},
                {"devname": "lxc2", "ifindex": 4, "kind": "clsact/egress", "name": "x", "id": 10},
                {"devname": "nk0", "kind": "netkit/peer", "name": "y", "prog_id": 1},
            ],
            "flow_dissector": [],
        }
    ]
)
TEXT = """xdp:
eth0(2) driver id 5

tc:
lxc1(3) tcx/ingress cil_from prog_id 9 link_id 4
lxc2(4) clsact/egress x id 10
nk0(5) netkit/peer y prog_id 1

flow_dissector:

"""


def test_both_forms_of_bpftool_tell_the_same() -> None:
    assert bpftool_net.looks_like(JSON)
    assert bpftool_net_text.looks_like(TEXT)
    expected = [
        BpfAttachment("eth0", "xdp", "xdp", None, 5),
        BpfAttachment("lxc1", "ingress", "tcx", "cil_from", 9),
        BpfAttachment("lxc2", "egress", "clsact", "x", 10),
        BpfAttachment("nk0", None, "netkit/peer", "y", 1),
    ]
    for fragment in (bpftool_net.parse(JSON), bpftool_net_text.parse(TEXT)):
        assert fragment.problems == ()
        assert [
            BpfAttachment(one.dev, one.direction, one.kind, one.name, one.id) for one in fragment.bpf or ()
        ] == expected


def test_grepped_lines_are_known_by_their_shape() -> None:
    text = "\n".join(line for line in TEXT.split("\n") if "lxc" in line)
    assert bpftool_net_text.looks_like(text)
    found = bpftool_net_text.parse(text).bpf or ()
    assert [(one.dev, one.id) for one in found] == [("lxc1", 9), ("lxc2", 10)]


def test_nothing_attached_is_a_statement() -> None:
    assert bpftool_net.parse('[{"xdp":[],"tc":[],"flow_dissector":[]}]').bpf == ()
    assert bpftool_net_text.parse("xdp:\n\ntc:\n\nflow_dissector:\n\n").bpf == ()


def test_captures_are_read_whole() -> None:
    for folder in captures():
        text = (folder / "tc-filter.txt").read_text()
        fragment = tc_filter.parse(text)
        assert fragment.problems == ()
        assert len(fragment.bpf or ()) == text.count("  match ")
        assert {one.dev for one in fragment.bpf or ()} == {None}
