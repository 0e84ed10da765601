"""Where control goes behind a chain is what a walk with a stack of jumps does, as the kernel keeps one."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from calitop.cni.index import NodeIndex, RuleRef
from calitop.explain.control import return_points
from calitop.formats import iptables_save
from calitop.model.node import NodeState
from calitop.model.rules import ChainKey

CHAINS = ("FORWARD", "a", "b", "c", "d")
Rules = dict[str, list[str]]
Point = tuple[str, int]


@st.composite
def rulesets(draw: st.DrawFn) -> Rules:
    """Chains whose rules lead to later ones only, since the kernel takes no loops."""
    return {
        chain: draw(
            st.lists(
                st.sampled_from(
                    ["-j RETURN", *(f"-{verb} {to}" for verb in "jg" for to in CHAINS[at + 1 :])]
                ),
                max_size=3,
            )
        )
        for at, chain in enumerate(CHAINS)
    }


def walked(rules: Rules) -> dict[str, set[Point]]:
    """Where each chain gives packets back to, of which any rule may match or not."""
    given_back: defaultdict[str, set[Point]] = defaultdict(set)
    seen: set[tuple[Point, tuple[Point, ...]]] = set()
    pending: list[tuple[Point, tuple[Point, ...]]] = [(("FORWARD", 0), ())]
    while pending:
        state = pending.pop()
        if state in seen:
            continue
        seen.add(state)
        (chain, at), stack = state
        rule = rules[chain][at] if at < len(rules[chain]) else "-j RETURN"
        if rule == "-j RETURN":
            to = stack[-1] if stack else ("FORWARD", len(rules["FORWARD"]))
            given_back[chain].add(to)
            if stack:
                pending.append((to, stack[:-1]))
        else:
            kept = (*stack, (chain, at + 1)) if rule.startswith("-j") else stack
            pending.append(((rule.split()[1], 0), kept))
        if at < len(rules[chain]):
            pending.append(((chain, at + 1), stack))
    return given_back


def index_of(rules: Rules) -> tuple[NodeIndex, dict[str, ChainKey]]:
    declared = "".join(f":{name} - [0:0]\n" for name in CHAINS[1:])
    lines = "".join(f"-A {chain} -p tcp {rule}\n" for chain, own in rules.items() for rule in own)
    text = f"*filter\n:FORWARD ACCEPT [0:0]\n{declared}{lines}COMMIT\n"
    index = NodeIndex(NodeState(rulesets=iptables_save.parse(text).rulesets or ()))
    return index, {key.chain: key for key in index.chains}


@given(rulesets())
def test_a_chain_gives_back_to_where_the_stack_says(rules: Rules) -> None:
    index, keys = index_of(rules)
    reached = walked(rules)
    for chain, points in reached.items():
        found = set(return_points(index, keys[chain]))
        told = {(ref.key.chain, ref.index) for ref in found if ref.key.chain in reached}
        assert told == points


def test_each_place_is_told_once() -> None:
    index, keys = index_of(
        {"FORWARD": ["-j a"], "a": ["-g b", "-g c"], "b": ["-g d"], "c": ["-g d"], "d": []}
    )
    assert list(return_points(index, keys["d"])) == [RuleRef(keys["FORWARD"], 1)]
