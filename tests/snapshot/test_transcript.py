"""A terminal transcript is cut into its commands; prose around them is no output."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitop.model.node import NodeState
from calitop.snapshot.open import open_snapshots
from calitop.snapshot.transcript import commands, plain, read_transcript
from tests.formats.shared_texts import SHARED
from tests.snapshot.texts import ADDRESSES, PODS, ROUTE_N, ROUTES, SAVE, SYSCTL

GREP = """\
:cali-fw-cali0a1b2c3d4e5 - [0:0]
-A cali-fw-cali0a1b2c3d4e5 -m comment --comment "cali:aaaaaaaaaaaaaaaa" -m conntrack --ctstate INVALID -j DROP
-A cali-fw-cali0a1b2c3d4e5 -m comment --comment "cali:bbbbbbbbbbbbbbbb" -j cali-pro-kns.default
"""
PROSE = "\nand now something else entirely:\n\n-A cali-fw-cali0a1b2c3d4e5 -j ACCEPT\n"


def opened(tmp_path: Path, text: str) -> NodeState:
    path = tmp_path / "pasted.txt"
    path.write_text(text)
    (node,) = open_snapshots([str(path)])
    return node.moments[0]


@pytest.mark.parametrize(
    ("prompt", "host"),
    [
        ("root@k8s-one:~# ", "k8s-one"),
        ("root@k8s-one:/etc/cni/net.d# ", "k8s-one"),
        ("[root@k8s-one ~]# ", "k8s-one"),
        ("[admin@k8s-one.example.org net]$ ", "k8s-one.example.org"),
        ("(venv) user@k8s-one:~$ ", "k8s-one"),
        ("k8s-one# ", "k8s-one"),
        ("k8s-one:~ # ", "k8s-one"),
        ("$ ", None),
        ("# ", None),
    ],
)
def test_prompts_part_the_commands(prompt: str, host: str | None) -> None:
    text = f"{prompt}ip route\n{ROUTES}{prompt}sudo iptables-save -c\n{SAVE}{prompt}hostname\n"
    first, second, *_ = commands(text)
    assert (first.host, first.command, first.line) == (host, "ip route", 1)
    assert (second.host, second.command, second.output) == (host, "sudo iptables-save -c", SAVE)


def test_each_output_goes_to_its_format(tmp_path: Path) -> None:
    pasted = "".join(
        f"root@k8s-one:~# {command}\n{output}"
        for command, output in (
            ("ip -4 route", ROUTES),
            ("iptables-save -c", SAVE),
            ("ip a", ADDRESSES),
            ("sysctl -a | sort", SYSCTL),
            ("kubectl get pods -A -o wide", PODS),
        )
    )
    state = opened(tmp_path, pasted)
    assert state.name == "k8s-one"
    assert (len(state.routes), len(state.links), len(state.sysctls), len(state.pods)) == (4, 2, 2, 2)
    assert sum(len(chain.rules) for chain in state.chains().values()) == 3
    assert state.files[0].kind == "transcript"


def test_prose_below_an_output_is_not_read_as_rules(tmp_path: Path) -> None:
    state = opened(tmp_path, f"root@one:~# iptables-save | grep fw\n{GREP}{PROSE}root@one:~# ip r\n{ROUTES}")
    assert sum(len(chain.rules) for chain in state.chains().values()) == 2
    (prose,) = state.files[0].problems
    assert (prose.line, prose.text) == (6, "and now something else entirely:")


def test_text_below_a_bare_prompt_is_nobodys(tmp_path: Path) -> None:
    state = opened(tmp_path, f"root@one:~# ip r\n{ROUTES}root@one:~#\n{GREP}")
    assert not state.rulesets


def test_a_grep_is_cut_and_pasted_twice_counts_once(tmp_path: Path) -> None:
    state = opened(tmp_path, f"root@one:~# iptables-save | grep fw\n{GREP}" * 3)
    (chain,) = (chain for chain in state.chains().values() if chain.present)
    assert len(chain.rules) == 2
    assert chain.complete is False
    assert {rule.number for rule in chain.rules} == {None}


def test_a_filtered_save_has_no_numbers_even_with_its_table_lines(tmp_path: Path) -> None:
    state = opened(tmp_path, f"root@one:~# iptables-save | grep -v lo\n{SAVE}")
    assert {chain.complete for chain in state.chains().values()} == {False}


def test_the_whole_table_wins_over_its_grep(tmp_path: Path) -> None:
    text = f"root@one:~# route -n\n{ROUTE_N}root@one:~# route -n | grep cilium\n{ROUTE_N.splitlines()[3]}\n"
    assert len(opened(tmp_path, text).routes) == 4
    greps = "".join(f"root@one:~# route -n | grep {n}\n{ROUTE_N.splitlines()[n]}\n" for n in (2, 3, 3))
    assert len(opened(tmp_path, greps).routes) == 2


def test_the_command_names_the_table_and_the_namespace(tmp_path: Path) -> None:
    pods = "\n".join(line.split(None, 1)[1] for line in PODS.splitlines())
    state = opened(
        tmp_path,
        f"root@one:~# ip route show table 100\n{ROUTES}root@one:~# kubectl get po -n shop -o wide\n{pods}\n"
        "root@one:~# iptables -t nat -S\n-P OUTPUT ACCEPT\n-A OUTPUT -j RETURN\n",
    )
    assert {route.table for route in state.routes} == {"100"}
    assert {pod.namespace for pod in state.pods} == {"shop"}
    assert [key.table for key, _ in state.tables()] == ["nat"]


def test_two_hosts_in_one_transcript_are_two_nodes(tmp_path: Path) -> None:
    path = tmp_path / "both.txt"
    path.write_text(f"root@one:~# ip r\n{ROUTES}root@two:~# iptables-save\n{SAVE}")
    one, two = open_snapshots([str(path)])
    assert (one.name, len(one.moments[0].routes), one.moments[0].rulesets) == ("one", 4, ())
    assert (two.name, len(two.moments[0].routes)) == ("two", 0)


def test_colours_and_carriage_returns_of_a_terminal_do_not_disturb(tmp_path: Path) -> None:
    text = "\x1b]0;root@one: ~\x07\x1b[01;32mroot@one\x1b[00m:~# ip r\r\n" + ROUTES.replace("\n", "\r\n")
    assert len(opened(tmp_path, text).routes) == 4


def test_line_numbers_are_those_of_the_transcript(tmp_path: Path) -> None:
    state = opened(tmp_path, f"hello\n\nroot@one:~# ip r\n{ROUTES}what is this line\n")
    broken = next(each for each in state.files if each.kind == "ip route")
    assert [problem.line for problem in broken.problems] == [8]
    assert state.routes[0].line == 4


@given(st.text(alphabet="root@one:~# $\n-A[]ip \x1b\r%|'\"", max_size=200))
def test_any_text_gives_an_answer(text: str) -> None:
    for session in read_transcript(text):
        assert session.reading.lines >= 0


@given(
    st.lists(
        st.sampled_from([("ip route", ROUTES), ("iptables-save", SAVE), ("ip a", ADDRESSES)]), max_size=6
    )
)
def test_cutting_loses_no_line(steps: list[tuple[str, str]]) -> None:
    text = "".join(f"root@one:~# {command}\n{output}" for command, output in steps)
    again = "".join(f"root@one:~# {each.command}\n{each.output}" for each in commands(plain(text)))
    assert again == text


def test_the_field_report() -> None:
    path = SHARED / "field-report.txt"
    if not path.exists():
        pytest.skip("the field report is not beside the project")
    (node,) = open_snapshots([str(path)])
    state = node.moments[0]
    assert node.name == "k8s-work2"
    assert (len(state.routes), len(state.pods)) == (18, 18)
    local = [pod for pod in state.pods if pod.node == "k8s-work2"]
    assert (len(local), sum(pod.interface is not None for pod in local)) == (9, 6)
    assert [(link.name, link.mtu) for link in state.links] == [("cali7cd4eff55c7", 1480)]
    rules = {key.chain: chain.rules for key, chain in state.chains().items()}
    assert sum(map(len, rules.values())) == 26
    assert len(rules["cali-fw-cali7cd4eff55c7"]) == 10
    assert len(rules["cali-tw-cali7cd4eff55c7"]) == 8
