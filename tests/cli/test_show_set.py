"""`calitop show --set`: what a set is for, its members and owners, and whether something is in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from calitop.cli.main import main
from tests import native_node
from tests.tui.node import write_moment

RULES = """\
*filter
:FORWARD ACCEPT [0:0]
[0:0] -A FORWARD -m set --match-set cali40all-hosts-net src -j DROP
COMMIT
"""
SETS = """\
create cali40all-hosts-net hash:net family inet
add cali40all-hosts-net 10.222.160.3
add cali40all-hosts-net 10.9.0.0/16
create ports hash:ip,port family inet
add ports 10.222.160.3,tcp:80
"""


@pytest.fixture
def node(tmp_path: Path) -> str:
    folder = write_moment(tmp_path / "sets" / "work2")
    (folder / "iptables-save-c.txt").write_text(RULES)
    (folder / "ipset-save.txt").write_text(SETS)
    return str(folder)


def test_text_says_what_it_is_for_and_who_asks(node: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", node, "--set", "cali40all-hosts-net"]) == 0
    said = capsys.readouterr().out
    for words in (
        "It holds the nodes that Calico knows.",
        "FORWARD/1  the source is in it",
        "10.222.160.3  pod default/",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("name", "element", "is_in", "partly", "member"),
    [
        ("cali40all-hosts-net", "10.9.1.1", True, False, "10.9.0.0/16"),
        ("cali40all-hosts-net", "10.8.0.0/15", False, True, "10.9.0.0/16"),
        ("cali40all-hosts-net", "10.8.0.0/16", False, False, None),
        ("ports", "10.222.160.3", None, False, "10.222.160.3,tcp:80"),
    ],
)
def test_json_answers_with_the_member(
    node: str,
    name: str,
    element: str,
    is_in: bool | None,
    partly: bool,
    member: str | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["show", node, "--set", name, "--has", element, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["asked"]
    assert (told["element"], told["in"], told["partly"], told["member"]) == (element, is_in, partly, member)


def test_json_tells_uses_and_owners(node: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", node, "--set", "cali40all-hosts-net", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["set"]
    assert told["holds"] == "the nodes that Calico knows" and told["users"] == 1
    assert told["used_by"][0]["rule"].endswith("/filter/FORWARD/1")
    assert told["members"][0]["belongs_to"].startswith("pod default/")


def test_a_native_set_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "nft.txt"
    path.write_text(native_node.ruleset())
    for name in ("cali40all-hosts-net", "ip calico cali40all-hosts-net"):
        assert main(["show", str(path), "--set", name, "--has", "172.16.189.101"]) == 0
        assert capsys.readouterr().out == "172.16.189.101 is in it\n"


def test_a_set_that_is_not_there_is_no_traceback(node: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", node, "--set", "gone"]) != 0
    assert "'gone' is not in this snapshot" in capsys.readouterr().err
