"""A packet as an operator writes it: names, starts and marks made into a request."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from calitop.errors import UsageError
from calitop.model.network import Link, Route
from calitop.model.node import NodeState, Pod
from calitop.path.asked import Question, known_ends, request_of
from calitop.path.bits import Bits, parse_mark
from calitop.path.node import Node

POD = Pod(namespace="default", name="a", ip="10.0.0.2", node="work1", interface="cali1")
ONE = NodeState(
    name="work1",
    links=(
        Link(name="cali1", index=1),
        Link(name="lxc1", index=2),
        Link(name="eth0", index=3, addresses=("192.0.2.1/24",)),
    ),
    routes=(Route(family="ipv4", dst="10.0.0.3/32", dev="lxc1"),),
    pods=(POD,),
)
OTHER = NodeState(name="work2", links=(Link(name="eth0", index=1, addresses=("192.0.2.2/24",)),))
NODES = [Node("work1", ONE), Node("work2", OTHER)]


@pytest.mark.parametrize(
    ("source", "at", "src", "on", "dev"),
    [
        ("10.9.9.9", "", "10.9.9.9", None, None),
        ("default/a", "", "10.0.0.2", None, None),
        ("cali1", "", "10.0.0.2", "work1", "cali1"),
        ("lxc1", "", "10.0.0.3", "work1", "lxc1"),
        ("eth0", "", "192.0.2.1", "work1", None),
        ("10.9.9.9", "work2", "10.9.9.9", "work2", None),
        ("10.9.9.9", "lxc1", "10.9.9.9", "work1", "lxc1"),
        ("10.9.9.9", "work2:eth0", "10.9.9.9", "work2", "eth0"),
    ],
)
def test_where_a_packet_starts(source: str, at: str, src: str, on: str | None, dev: str | None) -> None:
    """By address, pod or interface; what is said of the start goes before what the source tells."""
    request = request_of(Question(source=source, target="10.1.1.1", at=at), NODES)
    assert (request.src, request.on, request.dev) == (ip_address(src), on, dev)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"at": "eth0"}, "work1 and work2 have it"),
        ({"at": "work2:cali1"}, "work2 has no interface 'cali1'"),
        ({"port": "0", "protocol": "tcp"}, "'0' is no number from 1 to 65535"),
        ({"mark": "1/0"}, "bits outside of its mask"),
        ({"source": "b"}, "no end 'b'"),
    ],
)
def test_what_is_no_question(asked: dict[str, str], says: str) -> None:
    """Each is refused with its reason."""
    whole = {"source": "default/a", "target": "10.1.1.1", **asked}
    with pytest.raises(UsageError, match=says):
        request_of(Question(**whole), NODES)  # type: ignore[arg-type]  # words of a form


def test_the_known_ends_of_all_nodes_each_once() -> None:
    """Pods first; an interface that two nodes have is left out."""
    sources, targets = known_ends([ONE, OTHER])
    names = [end.name for end in sources]
    assert names[0] == "default/a" and "eth0" not in names and len(set(names)) == len(names)
    assert {"10.0.0.3", "192.0.2.1", "192.0.2.2"} <= {end.name for end in targets}


def test_marks() -> None:
    """With a mask only its bits are known."""
    assert parse_mark("0x10") == Bits(16) and parse_mark("0/0") == Bits(0, 0)
