"""Each rule is one plain sentence that says when it applies, what it does and where control goes next."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from calitop.cni.index import NodeIndex
from calitop.explain.rule_words import explain_rule
from calitop.formats import iptables_save
from calitop.model.node import NodeState
from calitop.model.rules import Backend, Chain, ChainKey, Language, Rule, Ruleset, Table
from calitop.snapshot.open import open_snapshots
from tests import native_node

LAB = Path(__file__).parents[2] / "snapshots" / "lab"


@cache
def lab() -> NodeIndex:
    return NodeIndex(open_snapshots([str(LAB)])[0].moments[0])


def small(filter_rules: str, *chains: str, policy: str = "ACCEPT") -> NodeIndex:
    declared = "".join(f":{name} - [0:0]\n" for name in chains)
    text = f"*filter\n:FORWARD {policy} [0:0]\n{declared}{filter_rules.strip()}\nCOMMIT\n"
    return NodeIndex(NodeState(rulesets=iptables_save.parse(text).rulesets or ()))


def told(index: NodeIndex, chain: str) -> list[str]:
    """The sentences of a chain of table filter."""
    key = next(key for key in index.chains if key.chain == chain and key.table == "filter")
    return [explain_rule(index, key, at) for at in range(len(index.chains[key].rules))]


def test_each_rule_of_a_workloads_chain_says_what_it_does_and_where_control_goes() -> None:
    back = "whichever called: cali-FORWARD, rule 5; cali-forward-endpoint-mark, rule 3"
    done = "accept the packet here: no further rule of table filter sees it at this hook"
    returned = f"If Calico has accepted the packet (mark bit 0x10000), stop here and go back to {back}."
    for chain in {key.chain for key in lab().chains if key.chain.startswith("cali-tw-")}:
        assert told(lab(), chain) == [
            f"If the connection state is ESTABLISHED or RELATED, {done}.",
            "If connection tracking finds the packet invalid (INVALID), drop the packet.",
            "Clear Calico accept (mark bit 0x10000), then go on with rule 4.",
            "Go through cali-pri-kns.default; what it gives back goes on with rule 5.",
            returned,
            "Go through cali-pri-ksa.default.default; what it gives back goes on with rule 7.",
            returned,
            "Drop the packet.",
        ]


def test_return_goes_on_behind_the_jump() -> None:
    index = small("-A FORWARD -j a\n-A FORWARD -j ACCEPT\n-A a -p tcp -j RETURN\n-A a -j DROP\n", "a")
    assert told(index, "a")[0] == "If the protocol is tcp, stop here and go back to FORWARD, rule 2."


def test_return_from_a_chain_reached_by_goto_goes_on_behind_the_callers_jump() -> None:
    index = small(
        "-A FORWARD -j a\n-A FORWARD -j DROP\n-A a -g b\n-A a -j DROP\n-A b -j RETURN\n-A b -j DROP\n",
        "a",
        "b",
    )
    assert told(index, "a")[0] == "Go to b for good; what it gives back goes back to FORWARD, rule 2."
    assert told(index, "b")[0] == "Stop here and go back to FORWARD, rule 2."


def test_goto_from_a_builtin_chain_ends_at_its_policy() -> None:
    index = small("-A FORWARD -g a\n-A FORWARD -j ACCEPT\n-A a -j RETURN\n", "a", policy="DROP")
    assert (
        told(index, "FORWARD")[0]
        == "Go to a for good; what it gives back goes to the policy of FORWARD, DROP."
    )
    assert told(index, "a") == ["Stop here and go back to the end of FORWARD, where its policy DROP decides."]


def test_behind_the_last_rule_control_goes_back() -> None:
    index = small("-A FORWARD -j a\n-A FORWARD -j ACCEPT\n-A a -s 10.0.0.1/32 -j DROP\n", "a")
    assert told(index, "a") == [
        "If the source is 10.0.0.1, drop the packet; any other packet goes back to FORWARD, rule 2, "
        "as the rules end here."
    ]


def test_a_jump_at_the_very_end_tells_what_follows_the_end() -> None:
    index = small("-A FORWARD -j a\n-A FORWARD -j ACCEPT\n-A a -j b\n-A b -j RETURN\n", "a", "b")
    assert told(index, "b") == ["Stop here and go back to the end of a, and so to FORWARD, rule 2."]


def test_gotos_in_a_ring_end() -> None:
    index = small("-A a -g b\n-A b -g a\n", "a", "b")
    assert told(index, "a")[0].endswith("but no rule here leads to this chain.")


def test_of_many_callers_none_is_named() -> None:
    calls = "".join(f"-A FORWARD -p {number} -j a\n" for number in range(1, 7))
    assert told(small(f"{calls}-A a -j RETURN\n", "a"), "a") == [
        "Stop here and go back to whichever chain called."
    ]


def test_what_calitop_does_not_know_keeps_its_words() -> None:
    index = small('-A FORWARD -m recent --name "x" --rcheck --rsource -j TARPIT --reset\n')
    (sentence,) = told(index, "FORWARD")
    assert sentence.startswith("If '-m recent --name x --rcheck --rsource' holds, do '-j TARPIT --reset'")
    assert "whether the packet goes on behind it is not known" in sentence


def test_control_signs_of_a_text_are_written_out() -> None:
    index = small('-A FORWARD -m string --string "\x1b[31m" --algo bm -j DROP\n')
    (sentence,) = told(index, "FORWARD")
    assert sentence.isprintable() and "\\x1b" in sentence


def test_a_verdict_map_tells_its_verdicts_and_both_ways_on() -> None:
    assert explain_rule(NodeIndex(native_node.state()), native_node.key(native_node.TO.name), 0) == (
        "Look up oifname in the map filter-cali-to-wl-dispatch and follow the verdict found: drop or goto "
        "filter-cali-tw-cali7cd4eff55c7; what a chain so gone to gives back goes back to "
        "filter-cali-FORWARD, rule 3; what finds none goes on with rule 2."
    )


def vocabulary(words: str) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(words.split(" ")), max_size=14).map(" ".join)


IPTABLES = vocabulary(
    "-m mark --mark 0x1/0x1 ! -p tcp --dport 80 -s 10.0.0.0/8 -i cali+ -j ACCEPT -g x RETURN MARK "
    "--set-xmark --comment comment set --match-set s src,dst limit --limit 1/s conntrack --ctstate NEW "
    "\x1b a' \" DNAT --to-destination 1.2.3.4"
)
NFT = vocabulary(
    "ip saddr daddr 10.0.0.0/8 tcp dport { 80, 443 } vmap : accept drop jump goto x meta mark set 0x1 & and "
    '== != ct state new,established counter log prefix "a" dnat to 1.2.3.4 iifname @s masquerade \x07'
)


def explained(text: str, backend: Backend, language: Language) -> str:
    """The only rule of a chain called x."""
    chain = Chain("x", (Rule(text, 1, language=language),))
    index = NodeIndex(NodeState(rulesets=(Ruleset("ipv4", backend, (Table("filter", {"x": chain}),)),)))
    return explain_rule(index, ChainKey("ipv4", backend, "filter", "x"), 0)


@given(IPTABLES, NFT)
def test_any_rule_gives_one_line_of_plain_text(iptables: str, nft: str) -> None:
    for sentence in (explained(f"-A x {iptables}", "nft", "iptables"), explained(nft, "native", "nft")):
        assert sentence.isprintable() and sentence.endswith(".") and len(sentence) > 1


def test_every_rule_of_the_lab_gives_one_line() -> None:
    for key, chain in lab().chains.items():
        for at in range(len(chain.rules)):
            assert explain_rule(lab(), key, at).isprintable()
