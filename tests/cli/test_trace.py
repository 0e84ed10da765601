"""`calitop trace` from outside: status, JSON against the contract, text, wrong usage."""

from __future__ import annotations

from pathlib import Path

import pytest

from calitop.cli.main import main
from tests.cli.conftest import JsonOf
from tests.path.small_node import FAR, POD, PODS, RULES, SETTINGS, counted, save

LAB = Path(__file__).parents[2] / "snapshots"
STEP = {"node", "kind", "hook", "family", "backend", "table", "chain", "number", "action", "text"}
WHERE = {"node", "kind", "family", "backend", "table", "chain", "number", "name", "device"}
PATH = {"verdict", "where", "because", "steps", "branches", "missing"}
KINDS = {"rule", "policy", "route", "rp_filter", "encapsulate", "decapsulate", "conntrack", "bpf", "deliver"}


@pytest.fixture
def node(tmp_path: Path) -> str:
    """`one=…`, a small node at one moment."""
    return f"one={save(tmp_path / 'one')}"


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Exit status and text."""
    status = main(["trace", *words])
    return status, capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "status", "verdict", "place"),
    [
        (["--to", "192.0.2.11"], 0, "delivered", None),
        (["--to", "10.8.0.1"], 1, "rejected", {"kind": "rule", "chain": "FORWARD", "number": 2}),
        (["--to", "10.7.1.1"], 1, "dropped", {"name": "blackhole"}),
        (["--to", FAR, "--mark", "0x100000"], 1, "dropped", {"chain": "cali-marked", "number": 1}),
        (["--to", FAR], 6, "left", {"kind": "link", "device": "eth0"}),
        (["--to", FAR, "--mark", "0/0xfffff"], 6, "undecided", None),
        (["--to", "10.8.0.1", "--length", "1500"], 1, "rejected", {"chain": "FORWARD"}),
        (["--to", "10.8.0.1", "--length", "1501"], 1, "dropped", {"name": "mtu", "device": "eth0"}),
    ],
)
def test_status_follows_the_verdict(
    node: str,
    json_of: JsonOf,
    words: list[str],
    status: int,
    verdict: str,
    place: dict[str, object] | None,
) -> None:
    """Delivered 0, dropped and rejected 1, undecided and left 6; the place is named."""
    found, answer = json_of("trace", "--node", node, "--from", POD, *words)
    assert (found, answer["forward"]["verdict"], answer["reply"]) == (status, verdict, None)
    where = answer["forward"]["where"]
    assert where is None if place is None else place.items() <= where.items()


def test_the_object_is_as_agreed(node: str, json_of: JsonOf) -> None:
    """Every key of the contract is there, on the path and on its branches."""
    words = ["--from", POD, "--to", FAR, "--mark", "0/0xfffff", "--reply", "--not-matching"]
    _, answer = json_of("trace", "--node", node, *words)
    assert answer["calitop"]["schema"] == 1
    forward = answer["forward"]
    assert set(forward) >= PATH
    steps = [*forward["steps"], *(step for branch in forward["branches"] for step in branch["steps"])]
    assert all(set(step) >= STEP and step["kind"] in KINDS for step in steps)
    assert [branch["if"] for branch in forward["branches"]] == [
        "mark & 0xfff00000 != 0",
        "mark & 0xfff00000 == 0",
    ]
    assert all(set(branch["where"]) == WHERE for branch in forward["branches"])
    jump = next(step for step in steps if step["chain"] == "cali-FORWARD")
    assert (jump["hook"], jump["number"], jump["action"]) == ("FORWARD", 3, "jump cali-marked")
    assert jump["text"].startswith("-A cali-FORWARD -m mark ! --mark")
    assert [one["number"] for one in jump["passed_by"]] == [1, 2]
    assert jump["packet"]["mark"] == {"value": 0, "known": 0xFFFFF}
    assert jump["packet"]["src"] == f"{POD}/32"


def test_with_the_answer_the_worse_counts(
    tmp_path: Path, json_of: JsonOf, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is delivered, but not answered, is not good; without --reply nobody asks."""
    rules = RULES.replace(":OUTPUT ACCEPT [0:0]\n:cali", ":OUTPUT DROP [0:0]\n:cali")
    words = ["--node", f"one={save(tmp_path / 'one', rules)}", "--from", POD, "--to", "192.0.2.11"]
    assert json_of("trace", *words)[0] == 0
    status, answer = json_of("trace", *words, "--reply")
    assert (status, answer["forward"]["verdict"], answer["reply"]["verdict"]) == (1, "delivered", "dropped")
    status, text = told(capsys, *words, "--reply")
    assert text.splitlines()[1].split(maxsplit=1)[0] == "answer" and "THE ANSWER" in text


def test_a_snapshot_names_its_nodes_itself(json_of: JsonOf) -> None:
    """One --node for a folder of both; pods by their names."""
    words = ["--from", "cilium-python-daemon-4x7zw", "--to", "default/calico-python-daemon-8p6zt"]
    _, answer = json_of("trace", "--node", str(LAB / "faults" / "rpf-tunl0-1"), *words)
    where = answer["forward"]["where"]
    assert answer["forward"]["verdict"] == "dropped"
    assert (where["node"], where["name"], where["device"]) == ("k8s-work1", "rp_filter", "tunl0")
    nodes = [step["node"] for step in answer["forward"]["steps"]]
    assert list(dict.fromkeys(nodes)) == ["k8s-work2", "k8s-work1"]
    kinds = {step["kind"] for step in answer["forward"]["steps"]}
    assert kinds >= {"rule", "policy", "route", "encapsulate", "decapsulate", "rp_filter"}


def test_nodes_of_other_names_are_the_same(json_of: JsonOf) -> None:
    """NAME= is how the node is called everywhere; two moments may be given one by one."""
    root = LAB / "faults" / "rpf-tunl0-1"
    moments = [f"w1={root / 'k8s-work1' / moment}" for moment in ("before", "after")]
    words = [
        word for value in (*moments, f"w2={root / 'k8s-work2' / 'before'}") for word in ("--node", value)
    ]
    _, answer = json_of("trace", *words, "--from", "10.222.2.82", "--to", "10.222.219.6")
    assert answer["forward"]["where"]["node"] == "w1"
    counted_on = {step["node"] for step in answer["forward"]["steps"] if "moved" in step}
    assert counted_on == {"w1"}


def test_what_moved_stands_beside(
    tmp_path: Path, json_of: JsonOf, capsys: pytest.CaptureFixture[str]
) -> None:
    """A predicted rule that stood still and a rule that moved unpredicted are marked."""
    save(tmp_path / "one" / "before")
    moved = ("PREROUTING", ":FORWARD", "-A FORWARD -m comment", "0xfff00000", "Unknown interface")
    save(tmp_path / "one" / "after", counted(RULES, *moved))
    words = ["--node", f"one={tmp_path / 'one'}", "--from", POD, "--to", FAR]
    _, answer = json_of("trace", *words)
    still = [
        step["chain"] for step in answer["forward"]["steps"] if step.get("moved", {}).get("packets") == 0
    ]
    assert still == ["POSTROUTING"]
    assert [(one["chain"], one["number"], one["whose"]) for one in answer["unpredicted"]] == [
        ("cali-FORWARD", 3, "flow")
    ]
    _, text = told(capsys, *words)
    assert "✖ 1 of 5 predicted rules and policies did not move, the first of them mangle POSTROUTING" in text
    assert "✖ +0  ACCEPT" in text and "MOVED, NOT PREDICTED" in text
    assert "ask again  with --mark 0x0/0xfffff" in text
    _, answer = json_of("trace", *words, "--mark", "0/0xfffff")
    assert [branch["fits"] for branch in answer["forward"]["branches"]] == [True, False]


TEXT = """\
✖ REJECTED: filter FORWARD rule 2 on one rejects it
  packet     10.0.2.6 → 10.8.0.1  tcp to port 80, mark 0x0, from one

one
 PREROUTING  in cali1
   mangle  PREROUTING    policy  ACCEPT
  routing    by eth0 via 192.0.2.1   table main: default via 192.0.2.1 dev eth0
 FORWARD  in cali1, out eth0
   mangle  FORWARD       policy  ACCEPT
   filter  FORWARD       1       jump cali-FORWARD
     filter cali-FORWARD 1  · -i eth0: it comes in by cali1
     filter cali-FORWARD 2  · --ctstate RELATED,ESTABLISHED: its state is NEW
     filter cali-FORWARD 3  · ! --mark 0x0/0xfff00000: its mark is 0x0
   filter  cali-FORWARD  4       RETURN  -p tcp
   filter  FORWARD       2       REJECT --reject-with icmp-host-prohibited  -d …
"""


def test_text_for_a_narrow_terminal(
    node: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The verdict first, lanes of nodes and hooks, rules passed by on request; nothing is wider."""
    monkeypatch.setenv("COLUMNS", "80")
    words = ["--from", POD, "--to", "10.8.0.1", "--proto", "tcp", "--dport", "80", "--not-matching"]
    assert told(capsys, "--node", node, *words) == (1, TEXT)


@pytest.mark.parametrize("columns", ["1", "40", "80", "160"])
def test_no_line_is_wider_than_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    """On the lab's nodes, whose names and rules are long."""
    monkeypatch.setenv("COLUMNS", columns)
    words = [
        "--from",
        "10.222.2.82",
        "--to",
        "10.222.219.6",
        "--mark",
        "0/0xfffff",
        "--reply",
        "--not-matching",
    ]
    _, text = told(capsys, "--node", str(LAB / "faults" / "identity-mark"), *words)
    assert max(map(len, text.splitlines())) <= max(40, int(columns))


def test_control_characters_are_written_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a rule's comment holds reaches no terminal as a command."""
    node = f"one={save(tmp_path / 'one', RULES.replace('no way', chr(27) + '[31mno way'))}"
    assert "\x1b" not in told(capsys, "--node", node, "--from", POD, "--to", "10.8.0.1")[1]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--from", POD],
        ["--from", POD, "--to", "no-such-pod"],
        ["--from", POD, "--to", ""],
        ["--from", POD, "--to", "2001:db8::1"],
        ["--from", "203.0.113.9", "--to", FAR],
        ["--from", POD, "--to", FAR, "--on", "two"],
        ["--from", POD, "--to", FAR, "--in", "eth7"],
        ["--from", POD, "--to", FAR, "--proto", "sctp"],
        ["--from", POD, "--to", FAR, "--dport", "80"],
        ["--from", POD, "--to", FAR, "--proto", "tcp", "--dport", "0"],
        ["--from", POD, "--to", FAR, "--mark", "many"],
        ["--from", POD, "--to", FAR, "--mark", "-1"],
        ["--from", POD, "--to", FAR, "--mark", "0x100000000"],
        ["--from", POD, "--to", FAR, "--mark", "1/2"],
        ["--from", POD, "--to", FAR, "--length", "9"],
        ["--from", POD, "--to", FAR, "--netns", "x"],
        ["--from", POD, "--to", FAR, "one-more"],
    ],
)
def test_wrong_usage(node: str, words: list[str]) -> None:
    """What does not fit together is refused without a traceback."""
    assert main(["trace", "--node", node, *words]) == 2


def test_wrong_nodes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No node, one that is no snapshot, two values, a name for several nodes."""
    ends = ["--from", "10.222.2.82", "--to", "10.222.219.6"]
    assert main(["trace", *ends]) == 2
    assert main(["trace", "--node", "one", *ends]) == 2
    assert main(["trace", "--node", "one", "two", *ends]) == 2
    assert main(["trace", "--node", f"one={tmp_path / 'nothing'}", *ends]) == 3
    (tmp_path / "empty").mkdir()
    assert main(["trace", "--node", f"one={tmp_path / 'empty'}", *ends]) == 3
    assert main(["trace", "--node", f"x={LAB / 'lab'}", *ends]) == 2
    assert "holds several nodes: 'k8s-work1', 'k8s-work2'" in capsys.readouterr().err
    assert main(["trace", "--node", f"k8s-work2={LAB / 'lab'}", *ends]) in (0, 6)


def test_pods_come_from_a_list(tmp_path: Path, node: str, json_of: JsonOf) -> None:
    """`--pods FILE` gives names to addresses here too."""
    (tmp_path / "pods").write_text(PODS)
    words = ["--node", node, "--pods", str(tmp_path / "pods"), "--from", "default/web-0", "--to", "10.8.0.1"]
    assert json_of("trace", *words)[0] == 1


def test_unknown_settings_are_asked_for(
    tmp_path: Path, json_of: JsonOf, capsys: pytest.CaptureFixture[str]
) -> None:
    """What decides and was not read is named, and the path is undecided."""
    files = {"settings.txt": SETTINGS.replace("net.ipv4.conf.cali1.rp_filter = 0\n", "")}
    routes = {"routes.json": '[{"dst":"default","gateway":"192.0.2.1","dev":"eth0","flags":[]}]'}
    node = f"one={save(tmp_path / 'one', RULES, **files, **routes)}"
    words = ["--node", node, "--from", POD, "--to", FAR, "--on", "one", "--in", "cali1"]
    status, answer = json_of("trace", *words)
    assert (status, answer["forward"]["verdict"]) == (6, "undecided")
    assert any("rp_filter" in one for one in answer["forward"]["missing"])
    assert "  collect " in told(capsys, *words)[1]
