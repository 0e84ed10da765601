"""The figures and spot checks of the corpus hold, file by file."""

from __future__ import annotations

import pytest

from calitop.formats.iptables_print import rule_line
from calitop.formats.iptables_save import looks_like, parse
from calitop.formats.spec import comments, spec
from calitop.model.matches import AddrType, Comment, IpAddress, Owner
from calitop.model.rules import Ruleset
from tests.formats.iptables_rules import CORPUS, all_rules, chain, corpus, needs_corpus, table

pytestmark = needs_corpus

Figures = tuple[str, dict[str, tuple[int, int]], tuple[int, int], int, int, set[str]]

_ALL_DROP = {"INPUT=DROP", "FORWARD=DROP", "OUTPUT=DROP"}
FIGURES: list[Figures] = [
    (
        "felix-cali-vxlan.txt",
        {"filter": (14, 26), "mangle": (9, 10), "nat": (10, 8), "raw": (7, 13)},
        (14, 26), 57, 0, set(),
    ),
    ("felix-kube-old.txt", {"filter": (11, 25), "nat": (16, 19)}, (7, 20), 44, 0, {"FORWARD=DROP"}),
    ("ipt-wireless.txt", {"filter": (12, 55), "raw": (3, 3)}, (5, 10), 58, 0, {"INPUT=DROP", "FORWARD=DROP"}),
    ("ipt-2003-filter.txt", {"filter": (10, 55)}, (3, 7), 55, 0, _ALL_DROP),
    ("ipt-fedora27.txt", {"filter": (24, 50), "mangle": (16, 13), "raw": (10, 10)}, (10, 40), 73, 73, set()),
    (
        "ipt-firewalld-restore.txt",
        {"filter": (24, 36), "mangle": (16, 12), "nat": (19, 17), "raw": (10, 9)},
        (14, 55), 74, 0, set(),
    ),
    (
        "ipt-restore-v4.txt",
        {"filter": (3, 5), "mangle": (5, 0), "nat": (4, 0), "raw": (2, 0)},
        (14, 0), 5, 0, {"INPUT=DROP", "FORWARD=DROP"},
    ),
    (
        "ipt-restore-v6.txt",
        {"filter": (3, 5), "mangle": (5, 0), "nat": (4, 0), "raw": (2, 0)},
        (14, 0), 5, 0, {"INPUT=DROP", "FORWARD=DROP"},
    ),
    (
        "shorewall.txt",
        {"filter": (65, 373), "mangle": (10, 7), "nat": (5, 2), "raw": (2, 22)},
        (14, 68), 404, 0, _ALL_DROP,
    ),
    ("ufw-docker.txt", {"filter": (39, 81), "nat": (5, 4)}, (7, 37), 85, 0, {"INPUT=DROP", "FORWARD=DROP"}),
    ("synology-v6.txt", {"filter": (6, 47)}, (3, 3), 47, 0, set()),
    ("ugent-old.txt", {"filter": (3, 58), "nat": (3, 174)}, (6, 0), 232, 0, {"INPUT=DROP", "FORWARD=DROP"}),
    (
        "tails.txt",
        {"filter": (4, 32), "nat": (4, 2)},
        (7, 1), 34, 0, _ALL_DROP,
    ),
    ("isabelle-parser.txt", {"filter": (7, 43)}, (3, 4), 43, 0, {"FORWARD=DROP"}),
    (
        "insights-v6.txt",
        {"filter": (4, 7), "mangle": (5, 0), "nat": (4, 0), "raw": (4, 4), "security": (6, 3)},
        (17, 6), 14, 0, set(),
    ),
]  # fmt: skip


def counted(ruleset: Ruleset, name: str, ordinal: int) -> str:
    """The nth rule of a filter chain, from 1."""
    return chain(ruleset, "filter", name).rules[ordinal - 1].text


@pytest.mark.parametrize("figures", FIGURES, ids=lambda figures: figures[0])
def test_figures_hold(figures: Figures) -> None:
    name, tables, (builtin, user), rules, with_counters, policies = figures
    ruleset = corpus(name)
    found = {
        one.name: (len(one.chains), sum(len(each.rules) for each in one.chains.values()))
        for one in ruleset.tables
    }
    chains = [each for one in ruleset.tables for each in one.chains.values()]
    assert found == tables
    assert (sum(each.builtin for each in chains), sum(not each.builtin for each in chains)) == (builtin, user)
    assert len(all_rules(ruleset)) == rules
    assert sum(rule.counter is not None for rule in all_rules(ruleset)) == with_counters
    assert {f"{c.name}={c.policy}" for c in chains if c.builtin and c.policy != "ACCEPT"} == policies
    assert all(each.complete and each.present for each in chains)


@pytest.mark.parametrize("name", [figures[0] for figures in FIGURES])
def test_every_rule_line_comes_back_byte_for_byte(name: str) -> None:
    text = (CORPUS / name).read_text()
    lines = [line for line in text.split("\n") if line.lstrip("[0123456789:] ").startswith("-A ")]
    assert [rule_line(rule) for rule in all_rules(corpus(name))] == [line.rstrip() for line in lines]


@pytest.mark.parametrize("name", [figures[0] for figures in FIGURES])
def test_every_file_is_recognised_and_understood_in_full(name: str) -> None:
    text = (CORPUS / name).read_text()
    assert looks_like(text)
    assert parse(text).problems == ()


@pytest.mark.parametrize("name", [figures[0] for figures in FIGURES])
def test_numbers_count_from_one_in_each_chain(name: str) -> None:
    for one in corpus(name).tables:
        for each in one.chains.values():
            assert [rule.number for rule in each.rules] == list(range(1, len(each.rules) + 1))


@pytest.mark.parametrize("name", [figures[0] for figures in FIGURES])
def test_the_quick_look_and_the_words_agree(name: str) -> None:
    for rule in all_rules(corpus(name)):
        said = spec(rule)
        assert (rule.target, rule.verb) == (said.target.name if said.target else None, said.verb)
        assert comments(rule) == said.comments


def test_other_texts_of_the_corpus_are_not_taken_for_rules() -> None:
    others = ["calico-5823-routes.txt", "ipset-felix-2083.txt", "ipset-list-new-header.txt"]
    assert not any(looks_like((CORPUS / name).read_text()) for name in others)


@pytest.mark.parametrize(
    ("name", "family", "backend"),
    [
        ("felix-cali-vxlan.txt", "ipv4", "legacy"),
        ("ipt-2003-filter.txt", "ipv4", "legacy"),
        ("ipt-firewalld-restore.txt", "ipv4", None),
        ("ipt-restore-v4.txt", "ipv4", None),
        ("ipt-restore-v6.txt", "ipv6", None),
        ("synology-v6.txt", "ipv6", "legacy"),
    ],
)
def test_family_and_backend(name: str, family: str, backend: str | None) -> None:
    ruleset = corpus(name)
    assert (ruleset.family, ruleset.backend) == (family, backend)


def test_felix_vxlan() -> None:
    ruleset = corpus("felix-cali-vxlan.txt")
    rules = chain(ruleset, "filter", "cali-INPUT").rules
    assert len(rules) == 6
    assert (rules[1].verb, rules[1].target) == ("goto", "cali-wl-to-host")
    assert comments(rules[1]) == ("cali:H03xYXARh4e8pwd4",)
    assert comments(rules[0])[1:] == ("Drop IPv4 VXLAN packets from non-allowed hosts",)
    kinds = list(spec(chain(ruleset, "nat", "cali-POSTROUTING").rules[2]).find(AddrType))
    assert [(kind.src_negated, kind.limit) for kind in kinds] == [(True, "out"), (False, None)]


def test_felix_kube_old() -> None:
    ruleset = corpus("felix-kube-old.txt")
    forward = chain(ruleset, "filter", "FORWARD").rules
    assert (len(forward), forward[2].target) == (7, "DOCKER-ISOLATION-STAGE-1")
    assert [rule.target for rule in chain(ruleset, "filter", "cali-old-chain").rules] == ["REJECT"]
    assert "cali-old-chain" in table(ruleset, "nat").chains


def test_wireless() -> None:
    ruleset = corpus("ipt-wireless.txt")
    incoming = chain(ruleset, "filter", "INPUT").rules
    assert (len(incoming), incoming[0].target) == (19, "L_DROP")
    assert comments(chain(ruleset, "filter", "VPN_USERS_IN").rules[-1])[-1] == "User: "
    helper = spec(chain(ruleset, "raw", "port_assignment").rules[0]).target
    assert helper is not None and helper.name == "CT" and helper.options[0].values == ("pptp",)


def test_old_filter() -> None:
    ruleset = corpus("ipt-2003-filter.txt")
    forward = chain(ruleset, "filter", "FORWARD").rules
    assert (len(forward), forward[-1].target) == (22, "block")
    assert len(chain(ruleset, "filter", "in_icmp").rules) == 6


def test_fedora() -> None:
    forward = chain(corpus("ipt-fedora27.txt"), "filter", "FORWARD").rules
    assert (len(forward), forward[7].target, forward[13].target) == (14, "FORWARD_direct", "REJECT")


def test_firewalld() -> None:
    forward = chain(corpus("ipt-firewalld-restore.txt"), "filter", "FORWARD").rules
    assert (len(forward), forward[8].target) == (9, "REJECT")


def test_shorewall() -> None:
    ruleset = corpus("shorewall.txt")
    last = chain(ruleset, "filter", "INPUT").rules[13]
    assert (last.number, last.verb, last.target) == (14, "goto", "reject")
    said = [text for rule in chain(ruleset, "filter", "Drop").rules for text in comments(rule)]
    assert "Needed ICMP types" in said


def test_ufw_docker() -> None:
    targets = [rule.target for rule in chain(corpus("ufw-docker.txt"), "filter", "FORWARD").rules]
    assert targets[:2] == ["DOCKER-USER", "DOCKER-ISOLATION-STAGE-1"]
    assert targets[6] == "ufw-before-logging-forward"


def test_synology() -> None:
    ruleset = corpus("synology-v6.txt")
    targets = [rule.target for rule in chain(ruleset, "filter", "DOS_PROTECT").rules]
    assert targets == ["RETURN", "DROP"] * 4
    assert len(chain(ruleset, "filter", "FORWARD_FIREWALL").rules) == 18


def test_ugent() -> None:
    rules = chain(corpus("ugent-old.txt"), "nat", "POSTROUTING").rules
    assert len(rules) == 174
    assert {rule.target for rule in rules} == {"MASQUERADE"}
    for rule in rules:
        assert any(one.negated and one.side == "dst" for one in spec(rule).find(IpAddress))


def test_tails() -> None:
    rules = chain(corpus("tails.txt"), "filter", "OUTPUT").rules
    assert (len(rules), rules[-1].target) == (26, "REJECT")
    (owner,) = list(spec(rules[1]).find(Owner))
    assert owner.of == "uid" and owner.ids is not None and owner.ids.first == 0


def test_torture() -> None:
    ruleset = corpus("isabelle-parser.txt")
    rules = chain(ruleset, "filter", "FORWARD").rules
    assert len(rules) == 23
    assert rules[11].target == "DOS~Pro-t_ect"
    assert (rules[21].verb, rules[21].target) == ("goto", "Terminal")
    log = spec(rules[0]).target
    assert log is not None and log.options[0].values == ("!#*~%&/()=?",)
    said = {comment.text for rule in all_rules(ruleset) for comment in spec(rule).find(Comment)}
    assert {'"', "!"} <= said


def test_insights() -> None:
    rules = chain(corpus("insights-v6.txt"), "filter", "INPUT").rules
    assert (len(rules), rules[2].target, rules[2].verb, rules[5].target) == (6, None, None, "REJECT")
