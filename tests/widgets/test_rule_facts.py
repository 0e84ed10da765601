"""What the detail pane says of who wrote a rule."""

from __future__ import annotations

from calitop.cni.index import NodeIndex
from calitop.model.node import NodeState
from calitop.model.rules import ChainKey
from tests.check import states
from tests.check.test_unjudged import without_comments
from widgets.rule_facts import rule_facts
from widgets.signs import UNICODE
from widgets.view import RuleId, View

OURS = ChainKey("ipv4", "nft", "filter", "cali-FORWARD")
FOREIGN = "-A cali-FORWARD -s 192.0.2.1/32 -j DROP"


def said_of(state: NodeState) -> str:
    """All facts of the foreign rule."""
    view = View(state, NodeIndex(state).prepare(), None, live=False)
    chain = view.chains[OURS]
    at = next(at for at, rule in enumerate(chain.rules) if rule.text == FOREIGN)
    return "\n".join(fact.text for fact in rule_facts(view, RuleId(OURS, at), UNICODE))


def test_a_rule_without_hash_among_signed_ones_is_somebody_else_s() -> None:
    state = states.with_rule(states.lab(), "filter", "cali-FORWARD", FOREIGN, 2)
    assert "no hash of Felix: somebody else put it into Calico's chain" in said_of(state)


def test_in_a_text_without_any_hash_nobody_is_accused() -> None:
    state = states.with_rule(without_comments(states.lab()), "filter", "cali-FORWARD", FOREIGN, 2)
    assert "somebody else" not in said_of(state)
    assert "owner not known" in said_of(state)
