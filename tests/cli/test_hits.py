"""`calitop hits` from outside: status, JSON, text, wrong usage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from calitop.cli.main import main
from tests.verdict.nodes import BEFORE, SNMP, counted, save


def both(folder: Path, after: str, **more: str) -> list[str]:
    """BEFORE and AFTER as words of the command line."""
    save(folder / "before", BEFORE)
    save(folder / "after", after, **more)
    return [str(folder / "before"), str(folder / "after")]


def test_lost_is_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The rule that dropped all packets is named with its place."""
    after = counted("mangle PREROUTING", 5, counted("mangle FORWARD", 5, BEFORE))
    after = after.replace("[0:0] -A FORWARD", "[5:420] -A FORWARD")
    assert main(["hits", *both(tmp_path, after), "--packets", "5", "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["calitop"]["schema"] == 1
    where = answer["verdict"]["where"]
    place = [where[key] for key in ("kind", "table", "chain", "number")]
    assert place == ["rule", "filter", "FORWARD", 1]
    assert answer["verdict"]["packets"] == 5
    assert answer["nodes"][0]["moved"][0]["flow"] is None
    assert set(answer["nodes"][0]) == {"name", "moved", "kernel", "links", "resets", "hooks", "routing"}


def test_by_hook_and_only_the_flow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Headings with what went in and out; what cannot be of the flow is left out and counted."""
    after = counted("mangle PREROUTING", 5, counted("mangle FORWARD", 5, BEFORE))
    after = after.replace("[0:0] -A FORWARD", "[5:420] -A FORWARD")
    moments = both(tmp_path, after)
    main(["hits", *moments, "--by-hook"])
    told = capsys.readouterr().out.splitlines()
    assert " PREROUTING   ipv4 5 in, 5 out" in told and " FORWARD   ipv4 5 in, 0 out" in told
    assert "  filter FORWARD, priority 0" in told
    main(["hits", *moments, "--from", "fd00::1", "--to", "fd00::2", "--only-flow"])
    told = capsys.readouterr().out.splitlines()
    assert "  (left out: 3 places that cannot be of this flow)" in told
    assert not any(line.endswith("policy ACCEPT") for line in told)
    main(["hits", *moments, "--json"])
    node = json.loads(capsys.readouterr().out)["nodes"][0]
    assert {"hook": "FORWARD", "family": "ipv4", "entered": 5, "left": 0, "taken": None} in node["hooks"]
    assert node["routing"] == []


def test_nothing_moved_is_undecided(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without anything that moved nobody is blamed."""
    assert main(["hits", *both(tmp_path, BEFORE)]) == 6
    assert "? UNDECIDED: nothing moved" in capsys.readouterr().out


def test_names_come_with_node(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A node is called as the operator calls it."""
    assert main(["hits", "--node", "w1", *both(tmp_path, BEFORE), "--json"]) == 6
    assert [node["name"] for node in json.loads(capsys.readouterr().out)["nodes"]] == ["w1"]


def test_control_characters_are_written_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a rule's comment holds reaches no terminal as a command."""
    before = BEFORE.replace("left by", "\x1b[31mleft by")
    save(tmp_path / "before", before)
    save(tmp_path / "after", before.replace("[0:0] -A FORWARD", "[5:420] -A FORWARD"))
    main(["hits", str(tmp_path / "before"), str(tmp_path / "after")])
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ([], 2),
        (["a"], 2),
        (["--from", "10.0.0.1"], 2),
        (["--from", "10.0.0.1", "--to", "no-such-pod"], 2),
        (["--from", "10.0.0.1", "--to", "2001:db8::1"], 2),
        (["--packets", "0"], 2),
        (["--netns", "x"], 2),
    ],
)
def test_wrong_usage(tmp_path: Path, words: list[str], status: int) -> None:
    """What does not fit together is refused without a traceback."""
    paths = both(tmp_path, BEFORE) if words and words != ["a"] else []
    assert main(["hits", *paths, *words]) == status


def test_missing_snapshot_is_status_3(tmp_path: Path) -> None:
    """A path that is not there cannot be read."""
    assert main(["hits", str(tmp_path / "a"), str(tmp_path / "b")]) == 3


def test_statistics_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What no rule shows stands in `kernel`."""
    save(tmp_path / "before", BEFORE, **{"snmp.txt": SNMP.format(0)})
    save(tmp_path / "after", BEFORE, **{"snmp.txt": SNMP.format(3)})
    main(["hits", str(tmp_path / "before"), str(tmp_path / "after"), "--json"])
    assert json.loads(capsys.readouterr().out)["nodes"][0]["kernel"] == [
        {"name": "Ip.InAddrErrors", "delta": 3}
    ]
