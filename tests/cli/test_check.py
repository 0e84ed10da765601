"""`calitop check` from outside: status, JSON against the contract, text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from calitop.cli.main import main
from calitop.errors import SourceUnavailable
from calitop.model.node import IpSet
from tests.check import states
from tests.cli.conftest import JsonOf
from tests.path.small_node import LINKS, save

SNAPSHOTS = Path(__file__).parents[2] / "snapshots"
FINDING = {"id", "severity", "node", "title", "evidence", "explain", "fix", "source"}
DOWN = LINKS.replace('"UP","LOWER_UP"],"mtu":1480', '"LOWER_UP"],"mtu":1480')


@pytest.fixture
def broken(tmp_path: Path) -> str:
    """A node whose pod's interface is down."""
    return f"one={save(tmp_path / 'one', **{'links.json': DOWN})}"


def test_findings_follow_the_contract(json_of: JsonOf) -> None:
    status, told = json_of("check", str(SNAPSHOTS / "lab"))
    assert status == 0
    assert told.keys() == {"calitop", "findings", "not_checked", "nodes"}
    assert [each["name"] for each in told["nodes"]] == ["k8s-work1", "k8s-work2"]
    for node in told["nodes"]:
        missing = [each["id"] for each in told["not_checked"] if each["node"] == node["name"]]
        assert node["not_done"] == len(missing) and node["done"] > 30
    assert told["findings"]
    for found in told["findings"]:
        assert found.keys() == FINDING
        assert found["severity"] in ("error", "warning", "info")
        assert all({"kind", "ref", "text"} <= each.keys() for each in found["evidence"])
    assert all(each.keys() == {"id", "node", "needs"} for each in told["not_checked"])


def test_an_error_is_exit_status_1_and_comes_first(json_of: JsonOf, broken: str) -> None:
    status, told = json_of("check", broken)
    assert status == 1
    first = told["findings"][0]
    assert (first["id"], first["severity"], first["node"]) == ("route-dead-interface", "error", "one")
    assert [each["ref"] for each in first["evidence"]] == ["main/10.0.2.6/32/cali1", "cali1"]


def test_a_warning_is_no_error(json_of: JsonOf) -> None:
    status, told = json_of("check", str(SNAPSHOTS / "faults" / "rpf-tunl0-1" / "k8s-work1"))
    assert (status, told["findings"][0]["severity"]) == (0, "warning")


def test_the_place_of_a_rule_leads_to_it(json_of: JsonOf) -> None:
    _, told = json_of("check", str(SNAPSHOTS / "lab"))
    found = next(each for each in told["findings"] if each["id"] == "identity-meets-endpoint")
    assert found["evidence"][0]["ref"] == "ipv4/nft/filter/cali-from-endpoint-mark/1"


def test_text_says_what_is_wrong_why_and_what_to_do(capsys: pytest.CaptureFixture[str], broken: str) -> None:
    assert main(["check", broken]) == 1
    out = capsys.readouterr().out
    assert out.startswith("1 error, 0 warnings, ")
    assert "✖ ERROR on one: 10.0.2.6/32 leaves by cali1, which is down  [route-dead-interface]" in out
    for label in ("evidence", "why", "do", "source", "NOT CHECKED"):
        assert label in out


def test_what_is_missing_is_an_error_of_input(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["check", str(tmp_path / "none")]) == 3
    assert "none" in capsys.readouterr().err


class _Node:
    """A live node that lists its sets without members, as the kernel's source does."""

    def __init__(self, members: bool) -> None:
        self._members = members

    def structure(self) -> Any:
        headers = tuple(replace(one, members=None) for one in states.lab().sets)
        return SimpleNamespace(state=replace(states.lab(), sets=headers))

    def set_members(self, name: str) -> IpSet:
        if not self._members:
            raise SourceUnavailable("gone")
        return next(one for one in states.lab().sets if one.name == name)

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("members", [True, False])
def test_members_of_a_live_node_s_sets_are_read_or_named_as_missing(
    json_of: JsonOf, monkeypatch: pytest.MonkeyPatch, members: bool
) -> None:
    monkeypatch.setattr("calitop.cli.live.live_source", lambda _: _Node(members))
    _, told = json_of("check")
    assert ("pool-holds-cilium" in {each["id"] for each in told["findings"]}) is members
    assert ("pool-holds-cilium" in {each["id"] for each in told["not_checked"]}) is not members
    assert "rule-missing-set" not in {each["id"] for each in told["not_checked"]}
