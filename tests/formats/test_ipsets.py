from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitop.formats import ipset_list, ipset_save
from calitop.formats.fragment import Fragment
from calitop.model.node import IpSet
from tests.formats.shared_texts import corpus

CREATE = "create x hash:net family inet hashsize 1024 maxelem 65536 comment\n"


def sets_of(fragment: Fragment) -> dict[str, IpSet]:
    return {one.name: one for one in fragment.sets or ()}


def members(text: str, name: str = "x") -> tuple[str, ...] | None:
    fragment = ipset_save.parse(text)
    assert fragment.problems == ()
    return sets_of(fragment)[name].members


def test_members_keep_their_words() -> None:
    adds = 'add x 10.0.0.0/8 nomatch\nadd x 1.2.3.4 comment "two  words" timeout 5 \nadd x 2001:db8::1\n'
    assert members(CREATE + adds) == (
        "10.0.0.0/8 nomatch",
        '1.2.3.4 comment "two  words" timeout 5',
        "2001:db8::1",
    )


def test_options_are_pairs() -> None:
    (one,) = ipset_save.parse(CREATE).sets or ()
    assert dict(one.options) == {
        "family": "inet",
        "hashsize": "1024",
        "maxelem": "65536",
        "comment": "true",
    }


def test_a_colon_in_a_name_is_part_of_it() -> None:
    name = "cali40s:Hy5ZqW2bXcVn3rT0aPdLkM8"
    assert members(f"create {name} hash:ip family inet\nadd {name} 1.1.1.1\n", name) == ("1.1.1.1",)


def test_a_script_is_replayed() -> None:
    text = (
        CREATE
        + "create y hash:net\nadd y 1.1.1.1\nadd -exist y 2.2.2.2\ndel y 1.1.1.1\nswap x y\ndestroy y\n"
        + "create z hash:ip\nadd z 3.3.3.3\nflush z\nrename z w\nCOMMIT\n"
    )
    fragment = ipset_save.parse(text)
    assert fragment.problems == ()
    assert {name: one.members for name, one in sets_of(fragment).items()} == {"x": ("2.2.2.2",), "w": ()}


def test_the_old_commands_are_read() -> None:
    assert members("-N x iphash --hashsize 1024\n-A x 1.1.1.1\n-A x 2.2.2.2\nCOMMIT\n") == (
        "1.1.1.1",
        "2.2.2.2",
    )


def test_a_member_counts_once_and_a_pasted_set_too() -> None:
    assert members((CREATE + "add x 1.1.1.1\n") * 3) == ("1.1.1.1",)


def test_members_of_a_set_that_is_not_here_are_one_problem() -> None:
    fragment = ipset_save.parse(CREATE + "".join(f"add y 1.1.1.{n}\n" for n in range(50)) + "add x\nbogus\n")
    assert [problem.line for problem in fragment.problems] == [2, 52, 53]
    assert "50 members" in fragment.problems[0].why


LIST = """Name: a
Type: hash:net
Revision: 7
Header: family inet hashsize 1024 maxelem 1048576 bucketsize 12 initval 0x5c351cfe
Size in memory: 520
References: 1
Number of entries: 2
Members:
172.16.194.131
10.0.0.0/8 nomatch

Name: b
Type: list:set
Header: size 8
Size in memory: 80
References: 0
Number of entries: 0
Members:
"""


def test_a_list_reads_blocks() -> None:
    assert ipset_list.looks_like(LIST)
    fragment = ipset_list.parse(LIST)
    assert fragment.problems == ()
    found = sets_of(fragment)
    assert found["a"].members == ("172.16.194.131", "10.0.0.0/8 nomatch")
    assert (found["a"].type, found["a"].size, dict(found["a"].options)["family"]) == ("hash:net", 2, "inet")
    assert found["b"].members == ()


def test_headers_alone_leave_the_members_unknown() -> None:
    terse = "\n".join(line for line in LIST.split("\n") if not line.startswith(("Members", "1")))
    (a, b) = ipset_list.parse(terse).sets or ()
    assert (a.members, a.size, b.members) == (None, 2, None)


@pytest.mark.parametrize("cut", [LIST.replace("10.0.0.0/8 nomatch", "..."), LIST[: LIST.index("10.0.0.0/8")]])
def test_a_cut_list_does_not_give_a_false_number(cut: str) -> None:
    fragment = ipset_list.parse(cut)
    assert (sets_of(fragment)["a"].members, sets_of(fragment)["a"].size) == (None, 2)
    assert len(fragment.problems) == 1


def test_figures_of_the_corpus() -> None:
    fragment = ipset_save.parse(corpus("ipset-felix-2083.txt"))
    assert fragment.problems == ()
    assert [len(one.members or ()) for one in fragment.sets or ()] == [1, 1, 4, 3]
    (one,) = ipset_list.parse(corpus("ipset-list-new-header.txt")).sets or ()
    assert one.members == ("172.16.194.131",)


@given(st.lists(st.ip_addresses(v=4).map(str), unique=True, max_size=20))
def test_save_and_list_of_any_set_agree(addresses: list[str]) -> None:
    saved = "create x hash:ip family inet\n" + "".join(f"add x {address}\n" for address in addresses)
    listed = f"Name: x\nType: hash:ip\nHeader: family inet\nNumber of entries: {len(addresses)}\nMembers:\n"
    (first,) = ipset_save.parse(saved).sets or ()
    (second,) = ipset_list.parse(listed + "".join(f"{address}\n" for address in addresses)).sets or ()
    assert first.members == second.members == tuple(addresses)
    assert first.options == second.options
